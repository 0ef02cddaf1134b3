//! The way out of `direct-user-policy`: a group that holds what the user held, with the user as its member.

use super::change::{Change, Owner};
use super::proof::Claims;
use super::{Ground, MOST_GROUPS, Plan, Proposal, account, free_name, user};
use crate::account::{Group, User};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::finding::Finding;
use crate::policy::{Document, PolicyKind};

/// Managed policies that a group can have ("IAM and AWS STS quotas").
const MOST_ATTACHED: usize = 10;

pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    let account = account(ground, finding)?;
    let user = user(account, finding)?;
    if user.groups.len() >= MOST_GROUPS {
        return Err(format!(
            "the user is in {} groups already, and AWS allows {MOST_GROUPS}: give the rights to one of those",
            user.groups.len()
        ));
    }
    if user.attached.len() > MOST_ATTACHED {
        return Err(format!(
            "the user carries {} managed policies, and a group can carry {MOST_ATTACHED}: make several groups",
            user.attached.len()
        ));
    }
    let unread = user.inline.iter().find(|policy| {
        let text = policy.document.as_str();
        !Document::parse(text, PolicyKind::Identity).readable
    });
    if let Some(unread) = unread {
        return Err(format!(
            "the text of inline policy {} cannot be read, and what cannot be read cannot be moved",
            unread.name
        ));
    }
    let mut taken = account.groups.iter().map(|group| group.arn.name());
    let name = free_name(&wanted_name(user), 128, &mut taken);
    let arn = Arn::build(
        &account.partition,
        "iam",
        "",
        account.id.as_str(),
        &format!("group/{name}"),
    )
    .map_err(|_| format!("`{name}` cannot be the name of a group"))?;
    let group = Owner {
        kind: Kind::Group,
        arn: arn.clone(),
    };
    let owner = Owner {
        kind: Kind::User,
        arn: user.arn.clone(),
    };
    // In this order nobody loses access on the way.
    let mut changes = vec![Change::AddGroup(Group {
        arn,
        inline: Vec::new(),
        attached: Vec::new(),
    })];
    changes.extend(user.inline.iter().map(|policy| Change::PutInline {
        owner: group.clone(),
        policy: policy.clone(),
        replaces: false,
    }));
    changes.extend(user.attached.iter().map(|policy| Change::Attach {
        owner: group.clone(),
        policy: policy.clone(),
    }));
    changes.push(Change::AddMember {
        user: user.arn.clone(),
        group: name.clone(),
    });
    changes.extend(user.inline.iter().map(|policy| Change::DeleteInline {
        owner: owner.clone(),
        name: policy.name.clone(),
    }));
    changes.extend(user.attached.iter().map(|policy| Change::Detach {
        owner: owner.clone(),
        policy: policy.clone(),
    }));
    let mut claims = Claims::default();
    claims.principals.insert(user.arn.shared());
    let user = user.arn.name();
    Ok(Proposal {
        plan: Plan {
            gist: String::new(),
            changes,
            placements: Vec::new(),
            notes: vec![
                format!("{name} is a proposal: name the group after the job that the rights are for."),
                "If no person stands behind the user, give the program a role instead and delete the user's access keys."
                    .to_owned(),
            ],
        },
        claims,
        promises: vec![
            format!("user {user} holds no policy itself any more"),
            format!("user {user} can do on every queue what it could, through group {name}"),
        ],
    })
}

/// The group is named after the first policy, which usually says what it is for.
fn wanted_name(user: &User) -> String {
    let inline = user.inline.iter().map(|policy| policy.name.as_str());
    let attached = user.attached.iter().map(Arn::name);
    let first = inline.chain(attached).next().unwrap_or_default();
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "+=,.@_-".contains(character) {
            character
        } else {
            '-'
        }
    };
    let name: String = first.chars().map(plain).collect();
    if name.is_empty() {
        "members".to_owned()
    } else {
        name
    }
}
