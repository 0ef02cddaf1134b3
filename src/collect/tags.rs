//! Whether the tags of queues can matter, and reading them then.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::{REGIONS_AT_ONCE, Scan, sqs};
use crate::account::{Account, Queue};

/// Whether any policy that was read can depend on the tags of a queue.
pub(super) fn any_document_looks_at_tags(account: &Account) -> bool {
    let inline = account
        .users
        .iter()
        .flat_map(|user| &user.inline)
        .chain(account.groups.iter().flat_map(|group| &group.inline))
        .chain(account.roles.iter().flat_map(|role| &role.inline))
        .map(|policy| &policy.document);
    let managed = account
        .policies
        .iter()
        .filter_map(|policy| policy.document.as_ref());
    let trust = account.roles.iter().map(|role| &role.trust);
    let queues = account
        .queues
        .iter()
        .filter_map(|queue| queue.attributes.as_ref()?.policy.as_ref());
    inline
        .chain(managed)
        .chain(trust)
        .chain(queues)
        .any(|document| looks_at_tags(document.as_str()))
}

/// Whether a document may name a queue's tags: condition keys ignore letter case, and a JSON escape can hide one.
fn looks_at_tags(document: &str) -> bool {
    if document.contains("\\u") {
        return true;
    }
    let document = document.to_ascii_lowercase();
    document.contains("aws:resourcetag") || document.contains("sqs:resourcetag")
}

/// Reads the tags of the queues, several regions at once.
pub(super) async fn tag_queues(scan: &Scan<'_>, queues: Vec<Queue>) -> Vec<Queue> {
    let mut by_region: BTreeMap<String, Vec<Queue>> = BTreeMap::new();
    for queue in queues {
        let region = queue.arn.region().to_owned();
        by_region.entry(region).or_default().push(queue);
    }
    stream::iter(by_region)
        .map(async |(region, queues)| {
            scan.part("sqs tags", Some(&region), &queues, async |scan| {
                sqs::tags(scan, &region, queues.clone()).await
            })
            .await
        })
        .buffer_unordered(REGIONS_AT_ONCE)
        .concat()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_may_name_queue_tags_are_recognised() {
        for text in [
            r#"{"Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}"#,
            r#"{"Condition":{"StringEquals":{"AWS:RESOURCETAG/team":"a"}}}"#,
            r#"{"Condition":{"StringEquals":{"aws:Resource\u0054ag/team":"a"}}}"#,
            r#"{"Resource":"arn:aws:sqs:*:*:${aws:ResourceTag/team}"}"#,
        ] {
            assert!(looks_at_tags(text), "{text}");
        }
        for text in [
            r#"{"Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}"#,
            r#"{"Condition":{"StringEquals":{"ec2:ResourceTag/team":"a"}}}"#,
            r#"{"Action":"sqs:TagQueue"}"#,
        ] {
            assert!(!looks_at_tags(text), "{text}");
        }
    }
}
