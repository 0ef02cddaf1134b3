//! What regions hold: queues and their keys, functions, instances and what else works around queues, region by region.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::around::around_queues;
use super::flow::Flow;
use super::{Options, REGIONS_AT_ONCE, Scan, Skippable, destinations, ec2, kms, lambda, sqs};
use crate::account::{EventSourceMapping, Function, Instance, Key, Queue};

/// What regions hold.
#[derive(Default)]
pub(super) struct Regional {
    pub(super) queues: Vec<Queue>,
    pub(super) keys: Vec<Key>,
    pub(super) functions: Vec<Function>,
    pub(super) mappings: Vec<EventSourceMapping>,
    pub(super) instances: Vec<Instance>,
    /// What works around queues, and the dead letters of functions and mappings, which are told where these are listed.
    pub(super) flow: Flow,
}

/// Reads the regions, several at once.
pub(super) async fn every_region(
    scan: &Scan<'_>,
    regions: &[String],
    options: &Options,
) -> Regional {
    stream::iter(regions.to_vec())
        .map(async |region| Box::pin(one_region(scan, &region, options)).await)
        .buffer_unordered(REGIONS_AT_ONCE)
        .fold(Regional::default(), async |mut all, one| {
            all.queues.extend(one.queues);
            all.keys.extend(one.keys);
            all.functions.extend(one.functions);
            all.mappings.extend(one.mappings);
            all.instances.extend(one.instances);
            all.flow.extend(one.flow);
            all
        })
        .await
}

async fn one_region(scan: &Scan<'_>, region: &str, options: &Options) -> Regional {
    let here = Some(region);
    let queues = async {
        let queues = scan
            .part("sqs", here, &(), async |scan| {
                sqs::queues(scan, region).await
            })
            .await;
        let keys = async {
            if options.skip.contains(&Skippable::Kms) {
                return Vec::new();
            }
            let read = async |scan: &Scan<'_>| kms::keys(scan, region, &queues).await;
            scan.part("kms", here, &queues, read).await
        };
        let (keys, flow) = tokio::join!(
            keys,
            Box::pin(around_queues(scan, region, options, &queues))
        );
        (queues, keys, flow)
    };
    let lambda = async {
        if options.skip.contains(&Skippable::Lambda) {
            return (Vec::new(), (Vec::new(), Vec::new()));
        }
        tokio::join!(
            scan.part("lambda functions", here, &(), async |scan| {
                lambda::functions(scan, region).await
            }),
            scan.part("lambda event source mappings", here, &(), async |scan| {
                lambda::event_source_mappings(scan, region).await
            })
        )
    };
    let ec2 = async {
        if options.skip.contains(&Skippable::Ec2) {
            return Vec::new();
        }
        scan.part("ec2", here, &(), async |scan| {
            ec2::instances(scan, region).await
        })
        .await
    };
    let ((queues, keys, mut flow), (functions, (mappings, failing)), instances) =
        tokio::join!(queues, lambda, ec2);
    flow.deliveries
        .extend(destinations::dead_letters(&functions, failing));
    Regional {
        queues,
        keys,
        functions,
        mappings,
        instances,
        flow,
    }
}
