//! Regions and instances: `DescribeRegions` and `DescribeInstances` of the Amazon EC2 API.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput;
use aws_sdk_ec2::types::{InstanceStateName, Reservation};

use super::Scan;
use super::calls::{DESCRIBE_INSTANCES, DESCRIBE_REGIONS};
use super::failure::Failure;
use super::reader::Reader;
use super::regions::KnownRegions;
use super::session::Session;
use crate::account::Instance;
use crate::arn::Arn;

/// A page of `DescribeInstances`, the largest that EC2 allows.
const PAGE: i32 = 1000;

/// Every region of the partition, and whether the account has enabled it.
pub(super) async fn regions(
    session: &Session,
    reader: &Reader<'_>,
) -> Result<KnownRegions, Failure> {
    let request = Client::new(session.global())
        .describe_regions()
        .all_regions(true)
        .send();
    let answer = reader
        .call(&DESCRIBE_REGIONS, Some(session.base_region()), request)
        .await?;
    let regions: KnownRegions = answer
        .regions()
        .iter()
        .filter_map(|region| {
            let enabled = matches!(
                region.opt_in_status(),
                None | Some("opt-in-not-required" | "opted-in")
            );
            Some((region.region_name()?.to_owned(), enabled))
        })
        .collect();
    if regions.is_empty() {
        Err(Failure::word("MalformedResponse"))
    } else {
        Ok(regions)
    }
}

/// The instances of a region that exist: those that are terminated, or about to be, hold no role any more.
pub(super) async fn instances(scan: &Scan<'_>, region: &str) -> Vec<Instance> {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("ec2", Some(region));
    let mut instances = Vec::new();
    scan.reader
        .pages(
            &DESCRIBE_INSTANCES,
            Some(region),
            |token| {
                client
                    .describe_instances()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            DescribeInstancesOutput::next_token,
            |page| {
                let before = instances.len();
                for instance in page.reservations().iter().flat_map(Reservation::instances) {
                    match read(instance, scan, region) {
                        Ok(instance) => instances.extend(instance),
                        Err(failure) => scan.reader.failed(
                            &DESCRIBE_INSTANCES,
                            Some(region),
                            instance.instance_id(),
                            &failure,
                        ),
                    }
                }
                unit.advanced(instances.len() - before);
            },
        )
        .await;
    instances
}

fn read(
    instance: &aws_sdk_ec2::types::Instance,
    scan: &Scan<'_>,
    region: &str,
) -> Result<Option<Instance>, Failure> {
    let state = instance.state().and_then(|state| state.name());
    if matches!(
        state,
        Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown)
    ) {
        return Ok(None);
    }
    let malformed = || Failure::word("MalformedResponse");
    let id = instance.instance_id().ok_or_else(malformed)?;
    let arn = scan.arn("ec2", region, &format!("instance/{id}"));
    let instance_profile = match instance
        .iam_instance_profile()
        .and_then(|profile| profile.arn())
    {
        Some(profile) => Some(Arn::parse(profile).map_err(|_| malformed())?),
        None => None,
    };
    Ok(Some(Instance {
        arn: arn.ok_or_else(malformed)?,
        instance_profile,
    }))
}
