//! Every delivery that accounts configure, whatever configures it, and the inlets in which it begins.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::event;
use super::inlet::{
    INVOKE, InletId, Keys, PUBLISH, PUT_ACL, PUT_EVENTS, PUT_OBJECT, PUT_RECORD, PUT_RECORDS,
    PUT_TAGS, START, kind,
};
use super::wire::WireKind;
use crate::account::{Account, DeliveryKind, Filter, Sender, unqualified_function};
use crate::arn::Arn;
use crate::entity::Kind;

/// A delivery as it is configured, whatever configures it.
#[expect(
    clippy::struct_field_names,
    reason = "the field is that of a delivery, whose name it bears everywhere"
)]
pub(super) struct Configured<'a> {
    pub(super) kind: WireKind,
    pub(super) configured_by: Arc<str>,
    /// None where nothing has to be put in.
    pub(super) from: Option<Arn>,
    pub(super) to: Arn,
    /// None where it is not known.
    pub(super) sender: Option<Cow<'a, Sender>>,
    pub(super) enabled: bool,
    pub(super) failures_only: bool,
    filter: Option<&'a Filter>,
    pub(super) account: usize,
}

/// Every delivery that the accounts configure.
pub(super) fn of(accounts: &[Account]) -> Vec<Configured<'_>> {
    let mut all = Vec::new();
    for (index, account) in accounts.iter().enumerate() {
        let roles: HashMap<&Arn, &Arn> = account
            .functions
            .iter()
            .map(|function| (&function.arn, &function.role))
            .collect();
        for mapping in &account.event_source_mappings {
            let Some(function) = mapping.function_arn() else {
                continue;
            };
            // A function of another account, or one deleted meanwhile, has no role that is known.
            let role = roles.get(&function);
            all.push(Configured {
                kind: WireKind::EventSourceMapping,
                configured_by: Arc::from(mapping.id.as_str()),
                from: Some(mapping.source.clone()),
                to: function,
                sender: role.map(|role| Cow::Owned(Sender::Role((*role).clone()))),
                enabled: mapping.enabled,
                failures_only: false,
                filter: None,
                account: index,
            });
        }
        for function in &account.functions {
            let Some(target) = &function.dead_letter_target else {
                continue;
            };
            let is_told = account.deliveries.iter().any(|delivery| {
                delivery.from.as_ref() == Some(&function.arn)
                    && delivery.to == *target
                    && delivery.failures_only
            });
            if !is_told {
                all.push(Configured {
                    kind: WireKind::Delivery(DeliveryKind::Destination),
                    configured_by: function.arn.shared(),
                    from: Some(function.arn.clone()),
                    to: target.clone(),
                    sender: Some(Cow::Owned(Sender::Role(function.role.clone()))),
                    enabled: true,
                    failures_only: true,
                    filter: None,
                    account: index,
                });
            }
        }
        all.extend(account.deliveries.iter().map(|delivery| Configured {
            kind: WireKind::Delivery(delivery.kind),
            configured_by: delivery.configured_by.shared(),
            from: delivery.from.as_ref().map(plain),
            to: delivery.to.clone(),
            sender: Some(Cow::Borrowed(&delivery.sender)),
            enabled: delivery.enabled,
            failures_only: delivery.failures_only,
            filter: delivery.filter.as_ref(),
            account: index,
        }));
    }
    all
}

/// The ARN without version or alias, of a function.
pub(super) fn plain(arn: &Arn) -> Arn {
    if arn.service() == "lambda" {
        unqualified_function(arn).unwrap_or_else(|| arn.clone())
    } else {
        arn.clone()
    }
}

impl Configured<'_> {
    /// The inlets in which it begins and ends, for those that are none yet to be made.
    pub(super) fn inlets(&self, all: &[Configured<'_>]) -> Vec<InletId> {
        let mut inlets = self.begins_in(all);
        inlets.extend(action_of(&self.to).map(|action| InletId {
            arn: self.to.clone(),
            action,
            keys: Keys::default(),
        }));
        inlets
    }

    /// The inlets that it takes messages from.
    pub(super) fn begins_in(&self, all: &[Configured<'_>]) -> Vec<InletId> {
        let Some(from) = &self.from else {
            return Vec::new();
        };
        let pattern = self.filter.and_then(|filter| filter.pattern.as_deref());
        match kind(from) {
            Kind::Bucket => objects(from, self.filter.unwrap_or(&Filter::default())),
            Kind::Bus => {
                let mut inlets = Vec::new();
                if event::admits_custom_events(pattern) {
                    inlets.push(InletId {
                        arn: from.clone(),
                        action: PUT_EVENTS,
                        keys: Keys::default(),
                    });
                }
                for bucket in all
                    .iter()
                    .filter(|other| other.enabled && other.to == *from)
                {
                    let Some(bucket) = bucket.from.as_ref().filter(|arn| arn.service() == "s3")
                    else {
                        continue;
                    };
                    for filter in event::objects_admitted(pattern, bucket.resource()) {
                        inlets.extend(objects(bucket, &filter));
                    }
                }
                inlets
            }
            Kind::Topic => vec![InletId {
                arn: from.clone(),
                action: PUBLISH,
                keys: Keys::default(),
            }],
            // Streams of tables are written by what changes the tables, which is not followed.
            Kind::Stream if from.service() == "kinesis" => [PUT_RECORD, PUT_RECORDS]
                .into_iter()
                .map(|action| InletId {
                    arn: from.clone(),
                    action,
                    keys: Keys::default(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The inlets of a bucket from which a notification with this filter is fed. What is removed feeds it, too, but ends with the
/// last object.
fn objects(bucket: &Arn, filter: &Filter) -> Vec<InletId> {
    let wants = |kind: &str| {
        filter.events.is_empty()
            || filter
                .events
                .iter()
                .any(|event| event.starts_with(kind) || event == "s3:*")
    };
    [
        ("s3:ObjectCreated", PUT_OBJECT),
        ("s3:ObjectTagging", PUT_TAGS),
        ("s3:ObjectAcl", PUT_ACL),
    ]
    .into_iter()
    .filter(|(kind, _)| wants(kind))
    .map(|(_, action)| InletId {
        arn: bucket.clone(),
        action,
        keys: Keys::of(filter),
    })
    .collect()
}

/// The action that puts something into a thing that is no queue.
pub(super) fn action_of(arn: &Arn) -> Option<&'static str> {
    match kind(arn) {
        Kind::Topic => Some(PUBLISH),
        Kind::Bus => Some(PUT_EVENTS),
        Kind::Function => Some(INVOKE),
        Kind::StateMachine => Some(START),
        _ => None,
    }
}
