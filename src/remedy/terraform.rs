//! Changes as Terraform, in HCL: resources for what is added, comments for what goes.

use std::collections::HashSet;

use super::change::{Change, Owner};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::Json;
use crate::report::is_hidden;

/// The configuration that makes the changes.
pub(super) fn configuration(changes: &[Change]) -> String {
    let mut labels = Labels::default();
    let blocks: Vec<String> = changes
        .iter()
        .map(|change| {
            let block = block(change, changes, &mut labels);
            if is_there(change) {
                format!("# This one exists in AWS already: change the resource that makes it, or import it.\n{block}")
            } else {
                block
            }
        })
        .collect();
    blocks.join("\n")
}

/// Whether a change is to something that exists.
fn is_there(change: &Change) -> bool {
    match change {
        Change::PutInline { replaces, .. } => *replaces,
        Change::SetManaged { .. }
        | Change::SetQueuePolicy { .. }
        | Change::SetKeyPolicy { .. }
        | Change::SetTrust { .. } => true,
        _ => false,
    }
}

/// The path of a resource between its type and its name, with its slashes; none where it is the root.
pub(super) fn path<'a>(resource: &'a str, kind: &str) -> Option<&'a str> {
    let name = resource.rsplit('/').next().unwrap_or_default();
    let path = resource.strip_prefix(kind)?.strip_suffix(name)?;
    (path.len() > 1).then_some(path)
}

/// The labels that are taken, with the type of their resource.
#[derive(Default)]
struct Labels(HashSet<(&'static str, String)>);

impl Labels {
    fn free(&mut self, kind: &'static str, parts: &[&str]) -> String {
        let wanted = label(parts);
        let mut free = wanted.clone();
        let mut number = 2;
        while !self.0.insert((kind, free.clone())) {
            free = format!("{wanted}_{number}");
            number += 1;
        }
        free
    }
}

/// An identifier of HCL.
fn label(parts: &[&str]) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() {
            character.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let label: String = parts.join("_").chars().map(plain).collect();
    if label.starts_with(|character: char| character.is_ascii_alphabetic()) {
        label
    } else {
        format!("_{label}")
    }
}

fn block(change: &Change, changes: &[Change], labels: &mut Labels) -> String {
    match change {
        Change::AddRole(role) => {
            let label = labels.free("aws_iam_role", &[role.arn.name()]);
            let mut arguments = vec![
                ("name", string(role.arn.name())),
                ("assume_role_policy", encoded(role.trust.as_str())),
            ];
            if let Some(path) = path(role.arn.resource(), "role") {
                arguments.push(("path", string(path)));
            }
            if let Some(boundary) = &role.boundary {
                arguments.push(("permissions_boundary", string(boundary.as_str())));
            }
            if !role.tags.is_empty() {
                let tags = role.tags.iter();
                let tags: Vec<String> = tags
                    .map(|tag| format!("    {} = {}", string(&tag.key), string(&tag.value)))
                    .collect();
                arguments.push(("tags", format!("{{\n{}\n  }}", tags.join("\n"))));
            }
            resource_block("aws_iam_role", &label, &arguments)
        }
        Change::AddGroup(group) => {
            let name = group.arn.name();
            let label = labels.free("aws_iam_group", &[name]);
            resource_block("aws_iam_group", &label, &[("name", string(name))])
        }
        Change::PutInline { owner, policy, .. } => {
            let (resource, argument) = match owner.kind {
                Kind::User => ("aws_iam_user_policy", "user"),
                Kind::Group => ("aws_iam_group_policy", "group"),
                _ => ("aws_iam_role_policy", "role"),
            };
            let label = labels.free(resource, &[owner.arn.name(), &policy.name]);
            let arguments = [
                ("name", string(&policy.name)),
                (argument, reference(owner, changes)),
                ("policy", encoded(policy.document.as_str())),
            ];
            resource_block(resource, &label, &arguments)
        }
        Change::Attach { owner, policy } => {
            let (resource, argument) = match owner.kind {
                Kind::User => ("aws_iam_user_policy_attachment", "user"),
                Kind::Group => ("aws_iam_group_policy_attachment", "group"),
                _ => ("aws_iam_role_policy_attachment", "role"),
            };
            let label = labels.free(resource, &[owner.arn.name(), policy.name()]);
            let arguments = [
                (argument, reference(owner, changes)),
                ("policy_arn", string(policy.as_str())),
            ];
            resource_block(resource, &label, &arguments)
        }
        Change::SetManaged { policy, document } => {
            let label = labels.free("aws_iam_policy", &[policy.name()]);
            let mut arguments = vec![("name", string(policy.name()))];
            if let Some(path) = path(policy.resource(), "policy") {
                arguments.push(("path", string(path)));
            }
            arguments.push(("policy", encoded(document.as_str())));
            resource_block("aws_iam_policy", &label, &arguments)
        }
        Change::AddMember { user, group } => {
            let name = user.name();
            let label = labels.free("aws_iam_user_group_membership", &[name, group]);
            let group = reference_to_group(group, changes);
            let arguments = [("user", string(name)), ("groups", format!("[{group}]"))];
            resource_block("aws_iam_user_group_membership", &label, &arguments)
        }
        Change::SetQueuePolicy {
            queue,
            url,
            document,
        } => {
            let label = labels.free("aws_sqs_queue_policy", &[queue.resource()]);
            let arguments = [
                ("queue_url", string(url)),
                ("policy", encoded(document.as_str())),
            ];
            resource_block("aws_sqs_queue_policy", &label, &arguments)
        }
        Change::SetKeyPolicy { key, document } => {
            let label = labels.free("aws_kms_key_policy", &[key.name()]);
            let arguments = [
                ("key_id", string(key.as_str())),
                ("policy", encoded(document.as_str())),
            ];
            resource_block("aws_kms_key_policy", &label, &arguments)
        }
        Change::SetTrust { role, document } => trust(role, document.as_str(), labels),
        Change::AddProfile { profile, role } => instance_profile(profile, role, changes, labels),
        Change::DeleteInline { .. } | Change::Detach { .. } | Change::RemoveDelivery(_) => {
            comment("Take out what does this", &change.words())
        }
        Change::Move(_) => comment("Change the resource that makes it", &change.words()),
    }
}

/// A role that is there, with another trust policy.
fn trust(role: &Arn, document: &str, labels: &mut Labels) -> String {
    let label = labels.free("aws_iam_role", &[role.name()]);
    let mut arguments = vec![
        ("name", string(role.name())),
        ("assume_role_policy", encoded(document)),
    ];
    if let Some(path) = path(role.resource(), "role") {
        arguments.push(("path", string(path)));
    }
    resource_block("aws_iam_role", &label, &arguments)
}

fn instance_profile(profile: &Arn, role: &Arn, changes: &[Change], labels: &mut Labels) -> String {
    let label = labels.free("aws_iam_instance_profile", &[profile.name()]);
    let owner = Owner {
        kind: Kind::Role,
        arn: role.clone(),
    };
    let mut arguments = vec![
        ("name", string(profile.name())),
        ("role", reference(&owner, changes)),
    ];
    if let Some(path) = path(profile.resource(), "instance-profile") {
        arguments.push(("path", string(path)));
    }
    resource_block("aws_iam_instance_profile", &label, &arguments)
}

/// What goes has no resource: the one that made it is taken out of the configuration. Nor has what changes a part of one that is
/// not known in full.
fn comment(what: &str, words: &str) -> String {
    let words: String = words
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    format!("# {what}: {words}\n")
}

/// The argument that names an owner: by reference where the owner is made here, so that Terraform makes it first.
fn reference(owner: &Owner, changes: &[Change]) -> String {
    let is_new = |known: &Arn| *known == owner.arn;
    let name = owner.arn.name();
    let made = changes.iter().find_map(|change| match change {
        Change::AddRole(role) if is_new(&role.arn) => Some("aws_iam_role"),
        Change::AddGroup(group) if is_new(&group.arn) => Some("aws_iam_group"),
        _ => None,
    });
    match made {
        Some(kind) => format!("{kind}.{}.name", label(&[name])),
        None => string(name),
    }
}

fn reference_to_group(name: &str, changes: &[Change]) -> String {
    let is_new = changes
        .iter()
        .any(|change| matches!(change, Change::AddGroup(group) if group.arn.name() == name));
    if is_new {
        format!("aws_iam_group.{}.name", label(&[name]))
    } else {
        string(name)
    }
}

/// A block as `terraform fmt` lays it out: single-line arguments aligned, those of several lines by themselves.
fn resource_block(kind: &str, label: &str, arguments: &[(&str, String)]) -> String {
    let is_short = |value: &String| !value.contains('\n');
    let mut lines = vec![format!("resource \"{kind}\" \"{label}\" {{")];
    let runs = arguments.chunk_by(|(_, one), (_, next)| is_short(one) && is_short(next));
    for run in runs {
        let width = run.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        lines.extend(
            run.iter()
                .map(|(name, value)| format!("  {name:<width$} = {value}")),
        );
    }
    lines.push("}\n".to_owned());
    lines.join("\n")
}

/// A JSON document as an argument: an object of HCL that Terraform encodes.
pub(crate) fn encoded(document: &str) -> String {
    match Json::parse(document) {
        Ok(tree) => format!("jsonencode({})", value(&tree, 1)),
        Err(_) => string(document),
    }
}

fn value(json: &Json<'_>, depth: usize) -> String {
    let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(text) => text.clone(),
        Json::String(text) => string(text),
        Json::Array(items) if items.is_empty() => "[]".to_owned(),
        Json::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("{inner}{}", value(item, depth + 1)))
                .collect();
            format!("[\n{}\n{outer}]", items.join(",\n"))
        }
        Json::Object(members) if members.is_empty() => "{}".to_owned(),
        Json::Object(members) => {
            let members: Vec<(String, String)> = members
                .iter()
                .map(|(key, member)| (key_of(key), value(member, depth + 1)))
                .collect();
            let is_short = |member: &(String, String)| !member.1.contains('\n');
            let mut lines = Vec::new();
            for run in members.chunk_by(|one, next| is_short(one) && is_short(next)) {
                let width = run.iter().map(|(key, _)| key.chars().count()).max();
                let width = width.unwrap_or(0);
                lines.extend(
                    run.iter()
                        .map(|(key, value)| format!("{inner}{key:<width$} = {value}")),
                );
            }
            format!("{{\n{}\n{outer}}}", lines.join("\n"))
        }
    }
}

/// A key of an object: an identifier bare, anything else quoted.
fn key_of(key: &str) -> String {
    let is_identifier = key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || one == '_')
        && !matches!(key, "null" | "true" | "false" | "for" | "if" | "in");
    if is_identifier {
        key.to_owned()
    } else {
        string(key)
    }
}

/// A text as a quoted template of HCL in which nothing is interpolated.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                // Of three signs before a brace nobody can say which two belong together.
                if quoted.ends_with(character) {
                    quoted.push_str(&escaped(character));
                } else {
                    quoted.push(character);
                    quoted.push(character);
                }
            }
            hidden if is_hidden(hidden) => quoted.push_str(&escaped(hidden)),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

fn escaped(character: char) -> String {
    match u32::from(character) {
        code @ 0..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// What is wrong with a configuration as far as brackets and quotes go; nothing where all is well.
#[cfg(test)]
pub(super) fn ill_formed(configuration: &str) -> Option<String> {
    let mut open = Vec::new();
    for (number, line) in configuration.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' => loop {
                    match (characters.next(), characters.peek()) {
                        (None, _) => return Some(format!("line {number}: an open text: {line}")),
                        (Some('"'), _) => break,
                        (Some('\\'), _) => {
                            characters.next();
                        }
                        (Some(sign @ ('$' | '%')), Some(&next)) if next == sign => {
                            characters.next();
                            if characters.peek() == Some(&'{') {
                                characters.next();
                            }
                        }
                        (Some('$' | '%'), Some('{')) => {
                            return Some(format!("line {number}: interpolates: {line}"));
                        }
                        (Some(control), _) if control.is_control() => {
                            return Some(format!("line {number}: a control character: {line}"));
                        }
                        _ => {}
                    }
                },
                '(' | '[' | '{' => open.push(character),
                ')' | ']' | '}' => {
                    let opened = match character {
                        ')' => '(',
                        ']' => '[',
                        _ => '{',
                    };
                    if open.pop() != Some(opened) {
                        return Some(format!("line {number}: a bracket too many: {line}"));
                    }
                }
                _ => {}
            }
        }
    }
    (!open.is_empty()).then(|| format!("not closed: {open:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        for (text, expected) in [
            ("${aws:username}", r#""$${aws:username}""#),
            ("%{ for }", r#""%%{ for }""#),
            ("a$", r#""a$""#),
            ("$${x", r#""$\u0024{x""#),
            ("\"\n\\", r#""\"\n\\""#),
            ("\u{1b}[2J", r#""\u001b[2J""#),
            ("\u{202e}", r#""\u202e""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(string(text), expected);
            assert_eq!(ill_formed(&string(text)), None, "{text:?}");
        }
    }

    #[test]
    fn the_judge_of_configurations_sees_what_is_wrong() {
        for wrong in ["a = {", "a = \"x", "a = \"${x}\"", "a = ]", "a = (]"] {
            assert!(ill_formed(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_path_of_a_role_is_kept() {
        assert_eq!(path("role/app", "role"), None);
        assert_eq!(path("role/team/x/app", "role"), Some("/team/x/"));
        assert_eq!(path("policy/p/q", "policy"), Some("/p/"));
    }

    #[test]
    fn labels_are_identifiers_and_each_is_used_once() {
        let mut labels = Labels::default();
        assert_eq!(labels.free("r", &["1.a", "B c"]), "_1_a_b_c");
        assert_eq!(labels.free("r", &["1-a", "b-c"]), "_1_a_b_c_2");
        assert_eq!(labels.free("s", &["1-a", "b-c"]), "_1_a_b_c");
    }
}
