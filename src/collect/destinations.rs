//! Where Lambda itself sends on behalf of functions, and who may invoke them: dead-letter queues, destinations
//! (`ListFunctionEventInvokeConfigs`) and function policies (`GetPolicy`) of the AWS Lambda API.
//!
//! Lambda sends as the execution role of the function.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::list_function_event_invoke_configs::ListFunctionEventInvokeConfigsOutput;
use aws_sdk_lambda::types::FunctionEventInvokeConfig;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::calls::{GET_FUNCTION_POLICY, LIST_FUNCTION_EVENT_INVOKE_CONFIGS};
use super::failure::Failure;
use super::flow::followed;
use super::lambda::MappingDestination;
use super::{REGIONS_AT_ONCE, Scan};
use crate::account::{
    Account, Channel, Delivery, DeliveryKind, Encryption, Function, PolicyText, Sender,
    unqualified_function,
};
use crate::arn::Arn;

/// A page of `ListFunctionEventInvokeConfigs`, the largest that the API reference allows.
const PAGE: i32 = 50;
/// Calls at once for one region; there is one call for each function and none for many.
const AT_ONCE: usize = 8;

/// What functions deliver that no further call has to be made for: dead letters of asynchronous invocations, and of event
/// source mappings.
pub(super) fn dead_letters(
    functions: &[Function],
    mappings: Vec<MappingDestination>,
) -> Vec<Delivery> {
    let roles: BTreeMap<&Arn, &Function> = functions
        .iter()
        .map(|function| (&function.arn, function))
        .collect();
    let of_functions = functions.iter().filter_map(|function| {
        let to = followed(function.dead_letter_target.as_ref()?.as_str())?;
        Some(delivery(function, function.arn.clone(), to, true))
    });
    // A function that was not listed leaves a gap of its own.
    let of_mappings = mappings.into_iter().filter_map(|mapping| {
        let function = roles.get(&unqualified_function(&mapping.function)?)?;
        Some(Delivery {
            enabled: mapping.enabled,
            ..delivery(
                function,
                mapping.mapping,
                followed(mapping.to.as_str())?,
                true,
            )
        })
    });
    of_functions.chain(of_mappings).collect()
}

fn delivery(function: &Function, configured_by: Arn, to: Arn, failures_only: bool) -> Delivery {
    Delivery {
        kind: DeliveryKind::Destination,
        configured_by,
        from: Some(function.arn.clone()),
        to,
        sender: Sender::Role(function.role.clone()),
        enabled: true,
        failures_only,
        filter: None,
    }
}

/// The destinations of a region's functions.
pub(super) async fn destinations(
    scan: &Scan<'_>,
    region: &str,
    functions: Vec<Function>,
) -> Vec<Delivery> {
    if functions.is_empty() {
        return Vec::new();
    }
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("lambda destinations", Some(region));
    unit.known(functions.len());
    stream::iter(functions)
        .map(|function| async {
            let deliveries = of_function(scan, &client, region, function).await;
            unit.advanced(1);
            deliveries
        })
        .buffer_unordered(AT_ONCE)
        .concat()
        .await
}

async fn of_function(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    function: Function,
) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    scan.reader
        .pages_of(
            &LIST_FUNCTION_EVENT_INVOKE_CONFIGS,
            Some(region),
            function.arn.as_str(),
            |marker| {
                client
                    .list_function_event_invoke_configs()
                    .function_name(function.arn.as_str())
                    .max_items(PAGE)
                    .set_marker(marker)
                    .send()
            },
            ListFunctionEventInvokeConfigsOutput::next_marker,
            |page| {
                for config in page.function_event_invoke_configs() {
                    match read(config, &function) {
                        Some(config) => deliveries.extend(config),
                        None => scan.reader.failed(
                            &LIST_FUNCTION_EVENT_INVOKE_CONFIGS,
                            Some(region),
                            Some(function.arn.as_str()),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    deliveries
}

/// The destinations of a function, or of one version or alias of it.
fn read(config: &FunctionEventInvokeConfig, function: &Function) -> Option<Vec<Delivery>> {
    let configured_by = Arn::parse(config.function_arn()?).ok()?;
    let destinations = config.destination_config();
    let on_success = destinations
        .and_then(|to| to.on_success())
        .and_then(|to| to.destination())
        .and_then(followed)
        .map(|to| delivery(function, configured_by.clone(), to, false));
    let on_failure = destinations
        .and_then(|to| to.on_failure())
        .and_then(|to| to.destination())
        .and_then(followed)
        .map(|to| delivery(function, configured_by.clone(), to, true));
    Some(on_success.into_iter().chain(on_failure).collect())
}

/// The functions of the account that a service invokes for a delivery, as it names them.
pub(super) fn invoked(account: &Account) -> BTreeSet<Arn> {
    let is_scanned = |function: &Arn| {
        function.account() == account.id.as_str()
            && account
                .regions
                .iter()
                .any(|region| region == function.region())
    };
    account
        .deliveries
        .iter()
        .filter(|delivery| matches!(delivery.sender, Sender::Service { .. }))
        .map(|delivery| &delivery.to)
        .filter(|to| to.service() == "lambda" && is_scanned(to))
        .cloned()
        .collect()
}

/// The policies of the account's functions that a service invokes for a delivery. A version or alias has a policy of its own:
/// what is asked for is the function as it is invoked.
pub(super) async fn policies(scan: &Scan<'_>, invoked: BTreeSet<Arn>) -> Vec<Channel> {
    let mut by_region: BTreeMap<String, Vec<Arn>> = BTreeMap::new();
    for function in invoked {
        by_region
            .entry(function.region().to_owned())
            .or_default()
            .push(function);
    }
    stream::iter(by_region)
        .map(|(region, functions)| async move {
            let client = Client::new(&scan.session.in_region(&region));
            stream::iter(functions)
                .map(|function| policy(scan, &client, &region, function))
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<Channel>>()
                .await
        })
        .buffer_unordered(REGIONS_AT_ONCE)
        .concat()
        .await
}

async fn policy(scan: &Scan<'_>, client: &Client, region: &str, function: Arn) -> Channel {
    let request = client.get_policy().function_name(function.as_str()).send();
    let answer = scan
        .reader
        .call(&GET_FUNCTION_POLICY, Some(region), request)
        .await
        .and_then(|answer| {
            answer
                .policy()
                .map(PolicyText::new)
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    let (policy, policy_unread) = match answer {
        Ok(policy) => (Some(policy), false),
        // So Lambda answers for a function without a policy; and one that does not exist lets nobody invoke it either.
        Err(failure) if failure.is_missing_resource() => (None, false),
        Err(failure) => {
            scan.reader.failed(
                &GET_FUNCTION_POLICY,
                Some(region),
                Some(function.as_str()),
                &failure,
            );
            (None, true)
        }
    };
    Channel {
        arn: function,
        policy,
        policy_unread,
        encryption: Encryption::None,
    }
}
