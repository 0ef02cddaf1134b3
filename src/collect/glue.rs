//! Crawlers that poll queues for the events of a bucket: `GetCrawlers` of the AWS Glue API. Other crawlers are not kept.

use std::collections::BTreeSet;

use aws_sdk_glue::Client;
use aws_sdk_glue::operation::get_crawlers::GetCrawlersOutput;
use aws_sdk_glue::types::Crawler;

use super::Scan;
use super::calls::GET_CRAWLERS;
use super::failure::Failure;
use super::flow::Flow;
use crate::account::{Delivery, DeliveryKind, Sender, Workload, WorkloadKind};
use crate::arn::Arn;

/// A page of `GetCrawlers`, the largest that Glue allows.
const PAGE: i32 = 1000;

/// The crawlers of a region that poll queues.
pub(super) async fn crawlers(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("glue", Some(region));
    let mut all = Flow::default();
    scan.reader
        .pages_where_offered(
            &GET_CRAWLERS,
            region,
            |token| {
                client
                    .get_crawlers()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            GetCrawlersOutput::next_token,
            |page| {
                for crawler in page.crawlers() {
                    match read(scan, region, crawler) {
                        Some(found) => all.extend(found),
                        None => scan.reader.failed(
                            &GET_CRAWLERS,
                            Some(region),
                            crawler.name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
                unit.advanced(page.crawlers().len());
            },
        )
        .await;
    all
}

fn read(scan: &Scan<'_>, region: &str, crawler: &Crawler) -> Option<Flow> {
    let queues = queues(crawler)?;
    if queues.is_empty() {
        return Some(Flow::default());
    }
    let arn = scan.arn("glue", region, &format!("crawler/{}", crawler.name()?))?;
    // Glue gives the role back as it was named: by ARN, or by name with or without its path.
    let role = crawler.role()?;
    let role = if role.starts_with("arn:") {
        Arn::parse(role).ok()?
    } else {
        scan.arn("iam", "", &format!("role/{role}"))?
    };
    let deliveries = queues
        .into_iter()
        .map(|queue| Delivery {
            kind: DeliveryKind::Crawler,
            configured_by: arn.clone(),
            from: Some(queue),
            to: arn.clone(),
            sender: Sender::Role(role.clone()),
            enabled: true,
            failures_only: false,
            filter: None,
        })
        .collect();
    Some(Flow {
        workloads: vec![Workload {
            kind: WorkloadKind::Crawler,
            arn,
            runs_as: role,
            session_tags: Vec::new(),
        }],
        deliveries,
        ..Flow::default()
    })
}

/// The queues that a crawler reads: those of its targets, and their dead-letter queues, which it looks into as well.
fn queues(crawler: &Crawler) -> Option<BTreeSet<Arn>> {
    let Some(targets) = crawler.targets() else {
        return Some(BTreeSet::new());
    };
    let buckets = targets
        .s3_targets()
        .iter()
        .flat_map(|target| [target.event_queue_arn(), target.dlq_event_queue_arn()]);
    let catalogs = targets
        .catalog_targets()
        .iter()
        .flat_map(|target| [target.event_queue_arn(), target.dlq_event_queue_arn()]);
    buckets
        .chain(catalogs)
        .flatten()
        .filter(|queue| !queue.is_empty())
        .map(|queue| Arn::parse(queue).ok())
        .collect()
}
