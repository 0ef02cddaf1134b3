//! What moves messages, as far as it can matter: which collectors of deliveries are asked, and where.
//!
//! An account without queues is asked for nothing of this. SNS delivers to queues of other regions, so that subscriptions are
//! listed in every region of an account with queues; everything else in the regions that have some. Buckets are asked in
//! regions where a queue, topic, function or rule may take what S3 sends, and functions for their policy where a service invokes
//! them for a delivery. Channels that no delivery touches are dropped.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;

use super::flow::Flow;
use super::{
    Options, REGIONS_AT_ONCE, Scan, Skippable, destinations, eventbridge, pipes, s3, scheduler, sns,
};
use crate::account::{Account, Function, PolicyText};
use crate::arn::Arn;

/// What moves messages in an account whose queues, roles and functions are known.
pub(super) async fn deliveries(scan: &Scan<'_>, account: &Account, options: &Options) -> Flow {
    let with_queues: BTreeSet<&str> = account
        .queues
        .iter()
        .map(|queue| queue.arn.region())
        .collect();
    if with_queues.is_empty() {
        return Flow::default();
    }
    let mut functions = functions(account);
    let regions: Vec<(String, Vec<Function>)> = account
        .regions
        .iter()
        .map(|region| (region.clone(), functions.remove(region).unwrap_or_default()))
        .collect();
    let mut flow = stream::iter(regions)
        .map(async |(region, functions)| {
            let has_queues = with_queues.contains(region.as_str());
            // Boxed: the state of all calls at once is large.
            Box::pin(of_region(scan, &region, has_queues, functions, options)).await
        })
        .buffer_unordered(REGIONS_AT_ONCE)
        .fold(Flow::default(), async |mut all, one| {
            all.extend(one);
            all
        })
        .await;
    if !options.skip.contains(&Skippable::S3) {
        let regions: BTreeSet<&str> = account
            .regions
            .iter()
            .map(String::as_str)
            .filter(|region| with_queues.contains(region) && takes_from_s3(account, &flow, region))
            .collect();
        let read = async |scan: &Scan<'_>| s3::notifications(scan, &regions).await;
        flow.extend(scan.part("s3", None, &regions, read).await);
    }
    flow
}

/// Drops what messages could pass through and no delivery comes from or goes to, such as the default bus of most regions.
pub(super) fn drop_untouched_channels(account: &mut Account) {
    let touched: BTreeSet<&Arn> = account
        .deliveries
        .iter()
        .flat_map(|delivery| delivery.from.iter().chain([&delivery.to]))
        .collect();
    account
        .channels
        .retain(|channel| touched.contains(&channel.arn));
}

/// Functions by region, without those whose role does not exist: Lambda cannot send for them.
fn functions(account: &Account) -> BTreeMap<String, Vec<Function>> {
    let roles: BTreeSet<&Arn> = account.roles.iter().map(|role| &role.arn).collect();
    let mut by_region: BTreeMap<String, Vec<Function>> = BTreeMap::new();
    for function in &account.functions {
        if roles.contains(&function.role) {
            by_region
                .entry(function.arn.region().to_owned())
                .or_default()
                .push(function.clone());
        }
    }
    by_region
}

async fn of_region(
    scan: &Scan<'_>,
    region: &str,
    has_queues: bool,
    functions: Vec<Function>,
    options: &Options,
) -> Flow {
    let subscriptions = scan.flow(Skippable::Sns, region, options, sns::subscriptions);
    if !has_queues {
        return subscriptions.await;
    }
    let destinations = async {
        if options.skip.contains(&Skippable::Lambda) {
            return Vec::new();
        }
        scan.part(
            "lambda destinations",
            Some(region),
            &functions,
            async |scan| destinations::destinations(scan, region, functions.clone()).await,
        )
        .await
    };
    let (mut flow, rules, pipes, schedules, destinations) = tokio::join!(
        subscriptions,
        scan.flow(Skippable::Events, region, options, eventbridge::rules),
        scan.flow(Skippable::Pipes, region, options, pipes::pipes),
        scan.flow(Skippable::Scheduler, region, options, scheduler::schedules),
        destinations
    );
    flow.extend(rules);
    flow.extend(pipes);
    flow.extend(schedules);
    flow.deliveries.extend(destinations);
    flow
}

/// Whether anything in a region may take what S3 sends: a function, whose policy is not read yet; a bus with rules; a queue or
/// topic whose policy may let S3, or is not known.
fn takes_from_s3(account: &Account, flow: &Flow, region: &str) -> bool {
    let functions = account.functions.iter().map(|function| &function.arn);
    let from = flow
        .deliveries
        .iter()
        .filter_map(|delivery| delivery.from.as_ref());
    let queues = account
        .queues
        .iter()
        .filter(|queue| queue.arn.region() == region)
        .any(|queue| match &queue.attributes {
            Some(attributes) => attributes.policy.as_ref().is_some_and(may_let_s3),
            None => true,
        });
    let topics = || {
        from.clone()
            .filter(|from| from.service() == "sns" && from.region() == region)
            .any(|topic| {
                let channel = flow.channels.iter().find(|channel| channel.arn == *topic);
                channel.is_none_or(|channel| {
                    channel.policy_unread || channel.policy.as_ref().is_some_and(may_let_s3)
                })
            })
    };
    queues
        || functions
            .chain(from.clone().filter(|from| from.service() == "events"))
            .any(|arn| arn.region() == region)
        || topics()
}

/// Whether a resource policy may let S3 in: it names S3 or everyone, names nobody but exceptions, or hides a name in an escape.
fn may_let_s3(policy: &PolicyText) -> bool {
    let text = policy.as_str().to_ascii_lowercase();
    ["s3", "\"*\"", "notprincipal", "\\u"]
        .iter()
        .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_may_let_s3_in_are_recognised() {
        for text in [
            r#"{"Principal":{"Service":"s3.amazonaws.com"}}"#,
            r#"{"Principal":{"Service":"S3.AMAZONAWS.COM"}}"#,
            r#"{"Principal":"*"}"#,
            r#"{"NotPrincipal":{"AWS":"111122223333"}}"#,
            r#"{"Principal":{"Service":"\u0073\u0033.amazonaws.com"}}"#,
        ] {
            assert!(may_let_s3(&PolicyText::new(text)), "{text}");
        }
        let text = r#"{"Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage"}"#;
        assert!(!may_let_s3(&PolicyText::new(text)));
    }
}
