//! The actions of Amazon SQS and what holding one amounts to.
//!
//! From "Actions, resources, and condition keys for Amazon SQS" (Service Authorization Reference), "Amazon SQS API
//! permissions: Actions and resource reference" and "Limitations of Amazon SQS custom policies".

/// What a principal can do with a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Put messages in.
    Send,
    /// Read messages, which hides them from others for a while.
    Receive,
    /// Remove messages that were read.
    Delete,
    /// Remove every message unread.
    Purge,
    /// Change who can do what, or replace the queue.
    Administer,
}

impl Capability {
    /// Every capability, in the order of the contract.
    pub const ALL: [Self; 5] = [
        Self::Send,
        Self::Receive,
        Self::Delete,
        Self::Purge,
        Self::Administer,
    ];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::Administer => "administer",
        }
    }

    /// The actions, in lower case, any of which gives the capability. `tags_matter` says whether some policy looks at
    /// queue tags, which makes changing them a way to change access.
    pub fn actions(self, tags_matter: bool) -> &'static [&'static str] {
        match self {
            Self::Send => &["sqs:sendmessage"],
            Self::Receive => &["sqs:receivemessage"],
            Self::Delete => &["sqs:deletemessage"],
            Self::Purge => &["sqs:purgequeue"],
            Self::Administer if tags_matter => &ADMINISTRATION,
            Self::Administer => ADMINISTRATION.split_at(ADMINISTRATION.len() - 2).0,
        }
    }
}

/// Tagging stands last: it counts only where tags matter.
const ADMINISTRATION: [&str; 7] = [
    "sqs:setqueueattributes",
    "sqs:addpermission",
    "sqs:removepermission",
    "sqs:createqueue",
    "sqs:deletequeue",
    "sqs:tagqueue",
    "sqs:untagqueue",
];

/// One action of SQS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqsAction {
    /// As AWS writes it, with the prefix.
    pub name: &'static str,
    /// Whether it can be given on a single queue.
    pub on_queues: bool,
    /// What it amounts to; none for reading metadata.
    pub capability: Option<Capability>,
}

const fn action(name: &'static str, capability: Option<Capability>) -> SqsAction {
    SqsAction {
        name,
        on_queues: true,
        capability,
    }
}

/// Every action of SQS that policies can name.
pub const SQS_ACTIONS: [SqsAction; 20] = [
    action("sqs:SendMessage", Some(Capability::Send)),
    action("sqs:ReceiveMessage", Some(Capability::Receive)),
    action("sqs:DeleteMessage", Some(Capability::Delete)),
    action("sqs:ChangeMessageVisibility", Some(Capability::Receive)),
    action("sqs:PurgeQueue", Some(Capability::Purge)),
    action("sqs:GetQueueAttributes", None),
    action("sqs:GetQueueUrl", None),
    action("sqs:ListDeadLetterSourceQueues", None),
    SqsAction {
        name: "sqs:ListQueues",
        on_queues: false,
        capability: None,
    },
    action("sqs:ListQueueTags", None),
    action("sqs:ListMessageMoveTasks", None),
    action("sqs:SetQueueAttributes", Some(Capability::Administer)),
    action("sqs:AddPermission", Some(Capability::Administer)),
    action("sqs:RemovePermission", Some(Capability::Administer)),
    action("sqs:CreateQueue", Some(Capability::Administer)),
    action("sqs:DeleteQueue", Some(Capability::Administer)),
    action("sqs:StartMessageMoveTask", Some(Capability::Administer)),
    action("sqs:CancelMessageMoveTask", Some(Capability::Administer)),
    action("sqs:TagQueue", Some(Capability::Administer)),
    action("sqs:UntagQueue", Some(Capability::Administer)),
];

/// The action that authorises an API operation: batches are authorised as their single form (AC10). In lower case.
pub fn authorized_as(operation: &str) -> String {
    let lower = operation.to_ascii_lowercase();
    match lower.as_str() {
        "sqs:sendmessagebatch" | "sqs:deletemessagebatch" | "sqs:changemessagevisibilitybatch" => {
            lower.trim_end_matches("batch").to_owned()
        }
        _ => lower,
    }
}

/// Whether policies can give the action on single resources. Only what is known not to can answer no.
pub fn has_resource(action: &str) -> bool {
    action != "sqs:listqueues"
}

/// Actions that SQS refuses to callers of other accounts, whatever a queue policy says. `action` is in lower case.
pub fn never_works_across_accounts(action: &str) -> bool {
    matches!(
        action,
        "sqs:addpermission"
            | "sqs:cancelmessagemovetask"
            | "sqs:createqueue"
            | "sqs:deletequeue"
            | "sqs:listmessagemovetask"
            | "sqs:listmessagemovetasks"
            | "sqs:listqueues"
            | "sqs:listqueuetags"
            | "sqs:removepermission"
            | "sqs:setqueueattributes"
            | "sqs:startmessagemovetask"
            | "sqs:tagqueue"
            | "sqs:untagqueue"
    )
}

/// Whether identity policies count only as far as the resource's policy delegates to the account: keys and roles (B4).
pub fn needs_resource_policy(action: &str) -> bool {
    action.starts_with("kms:")
        || matches!(
            action,
            "sts:assumerole"
                | "sts:assumerolewithwebidentity"
                | "sts:assumerolewithsaml"
                | "sts:tagsession"
                | "sts:setsourceidentity"
                | "sts:setcontext"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_of_a_capability_is_an_action_of_sqs() {
        for capability in Capability::ALL {
            for action in capability.actions(true) {
                assert!(
                    SQS_ACTIONS
                        .iter()
                        .any(|known| known.name.eq_ignore_ascii_case(action)),
                    "{action}"
                );
            }
        }
        assert_eq!(Capability::Administer.actions(false).len(), 5);
    }

    #[test]
    fn batches_are_authorised_as_their_single_form() {
        assert_eq!(authorized_as("sqs:SendMessageBatch"), "sqs:sendmessage");
        assert_eq!(authorized_as("sqs:SendMessage"), "sqs:sendmessage");
    }
}
