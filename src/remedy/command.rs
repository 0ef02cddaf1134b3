//! Changes as commands of the AWS CLI, for people to read and to run: patscan runs none.

use super::change::{Change, Owner};
use super::terraform::path;
use crate::entity::Kind;

/// The command that makes a change; documents are read from the files that [`Change::written`] names.
pub(super) fn command(change: &Change) -> String {
    let file = change
        .written()
        .map_or_else(String::new, |written| written.file);
    let words: Vec<String> = match change {
        Change::AddRole(role) => {
            let mut words = vec![
                "iam create-role --role-name".to_owned(),
                quoted(role.arn.name()),
                format!("--assume-role-policy-document file://{file}"),
            ];
            if let Some(path) = path(role.arn.resource(), "role") {
                words.push(format!("--path {}", quoted(path)));
            }
            if let Some(boundary) = &role.boundary {
                words.push(format!(
                    "--permissions-boundary {}",
                    quoted(boundary.as_str())
                ));
            }
            if !role.tags.is_empty() {
                words.push("--tags".to_owned());
                let tags = role.tags.iter();
                words.extend(tags.map(|tag| {
                    // The shorthand syntax would read commas and quotes of its own.
                    let tag = serde_json::json!({"Key": tag.key, "Value": tag.value});
                    quoted(&tag.to_string())
                }));
            }
            words
        }
        Change::AddGroup(group) => vec![
            "iam create-group --group-name".to_owned(),
            quoted(group.arn.name()),
        ],
        Change::PutInline { owner, policy, .. } => vec![
            format!("iam put-{}-policy", owner.kind),
            named(owner),
            format!("--policy-name {}", quoted(&policy.name)),
            format!("--policy-document file://{file}"),
        ],
        Change::DeleteInline { owner, name } => vec![
            format!("iam delete-{}-policy", owner.kind),
            named(owner),
            format!("--policy-name {}", quoted(name)),
        ],
        Change::Attach { owner, policy } => vec![
            format!("iam attach-{}-policy", owner.kind),
            named(owner),
            format!("--policy-arn {}", quoted(policy.as_str())),
        ],
        Change::Detach { owner, policy } => vec![
            format!("iam detach-{}-policy", owner.kind),
            named(owner),
            format!("--policy-arn {}", quoted(policy.as_str())),
        ],
        Change::SetManaged { policy, .. } => vec![
            "iam create-policy-version --set-as-default".to_owned(),
            format!("--policy-arn {}", quoted(policy.as_str())),
            format!("--policy-document file://{file}"),
        ],
        Change::AddMember { user, group } => vec![
            "iam add-user-to-group".to_owned(),
            format!("--group-name {}", quoted(group)),
            format!("--user-name {}", quoted(user.name())),
        ],
        Change::SetQueuePolicy { queue, url, .. } => vec![
            "sqs set-queue-attributes".to_owned(),
            format!("--region {}", quoted(queue.region())),
            format!("--queue-url {}", quoted(url)),
            // The attribute takes the policy as a text inside of JSON.
            format!("--attributes \"$(jq -n --rawfile policy {file} '{{Policy: $policy}}')\""),
        ],
        Change::SetKeyPolicy { key, .. } => vec![
            "kms put-key-policy --policy-name default".to_owned(),
            format!("--region {}", quoted(key.region())),
            format!("--key-id {}", quoted(key.as_str())),
            format!("--policy file://{file}"),
        ],
        Change::SetTrust { role, .. } => vec![
            "iam update-assume-role-policy".to_owned(),
            format!("--role-name {}", quoted(role.name())),
            format!("--policy-document file://{file}"),
        ],
        Change::AddProfile { profile, role } => {
            let named = format!("--instance-profile-name {}", quoted(profile.name()));
            let path = path(profile.resource(), "instance-profile");
            let path = path.map_or_else(String::new, |path| format!(" --path {}", quoted(path)));
            vec![
                format!(
                    "iam create-instance-profile {named}{path} && aws iam add-role-to-instance-profile {named}"
                ),
                format!("--role-name {}", quoted(role.name())),
            ]
        }
        Change::Move(moved) => return moved.command(),
        Change::RemoveDelivery(removed) => return removed.command(),
    };
    format!("aws {}", words.join(" "))
}

fn named(owner: &Owner) -> String {
    let name = quoted(owner.arn.name());
    match owner.kind {
        Kind::User => format!("--user-name {name}"),
        Kind::Group => format!("--group-name {name}"),
        _ => format!("--role-name {name}"),
    }
}

/// One word of a POSIX shell, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./:=@+,%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_of_a_shell() {
        assert_eq!(quoted("app-1"), "app-1");
        for hostile in ["", "a b", "$(rm)", "it's", "a\nb", "`x`", "a;b"] {
            let echoed = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(hostile))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(echoed.stdout).unwrap(), hostile);
        }
    }
}
