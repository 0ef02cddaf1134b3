//! Functions and event source mappings: `ListFunctions` and `ListEventSourceMappings` of the AWS Lambda API.
//!
//! Nothing but names, roles and wiring is kept: the environment variables that `ListFunctions` returns are neither stored nor
//! logged.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::list_event_source_mappings::ListEventSourceMappingsOutput;
use aws_sdk_lambda::operation::list_functions::ListFunctionsOutput;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionConfiguration};
use serde::{Deserialize, Serialize};

use super::Scan;
use super::calls::{LIST_EVENT_SOURCE_MAPPINGS, LIST_FUNCTIONS};
use super::failure::Failure;
use crate::account::{EventSourceMapping, Function, unqualified_function};
use crate::arn::Arn;

/// A page of `ListFunctions`; Lambda returns no more at once.
const FUNCTIONS_PAGE: i32 = 50;
/// A page of `ListEventSourceMappings`; Lambda returns no more at once.
const MAPPINGS_PAGE: i32 = 100;

/// The functions of a region.
pub(super) async fn functions(scan: &Scan<'_>, region: &str) -> Vec<Function> {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("lambda", Some(region));
    let mut functions = Vec::new();
    scan.reader
        .pages(
            &LIST_FUNCTIONS,
            Some(region),
            |marker| {
                client
                    .list_functions()
                    .max_items(FUNCTIONS_PAGE)
                    .set_marker(marker)
                    .send()
            },
            ListFunctionsOutput::next_marker,
            |page| {
                for function in page.functions() {
                    match read_function(function) {
                        Some(function) => functions.push(function),
                        None => scan.reader.failed(
                            &LIST_FUNCTIONS,
                            Some(region),
                            function.function_name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
                unit.advanced(page.functions().len());
            },
        )
        .await;
    functions
}

fn read_function(function: &FunctionConfiguration) -> Option<Function> {
    let arn = Arn::parse(function.function_arn()?).ok()?;
    let dead_letter_target = function
        .dead_letter_config()
        .and_then(|config| config.target_arn())
        .and_then(|target| Arn::parse(target).ok());
    Some(Function {
        arn: unqualified_function(&arn)?,
        role: Arn::parse(function.role()?).ok()?,
        dead_letter_target,
    })
}

/// Where an event source mapping sends what its function failed on.
#[derive(Serialize, Deserialize)]
pub(super) struct MappingDestination {
    /// The mapping.
    pub(super) mapping: Arn,
    /// Its function; may carry a version or alias.
    pub(super) function: Arn,
    /// The destination.
    pub(super) to: Arn,
    /// Whether Lambda polls now.
    pub(super) enabled: bool,
}

/// The event source mappings of a region, and the destinations of those that have one.
pub(super) async fn event_source_mappings(
    scan: &Scan<'_>,
    region: &str,
) -> (Vec<EventSourceMapping>, Vec<MappingDestination>) {
    let client = Client::new(&scan.session.in_region(region));
    let mut mappings = Vec::new();
    let mut destinations = Vec::new();
    scan.reader
        .pages(
            &LIST_EVENT_SOURCE_MAPPINGS,
            Some(region),
            |marker| {
                client
                    .list_event_source_mappings()
                    .max_items(MAPPINGS_PAGE)
                    .set_marker(marker)
                    .send()
            },
            ListEventSourceMappingsOutput::next_marker,
            |page| {
                for mapping in page.event_source_mappings() {
                    match read_destination(scan, region, mapping) {
                        Ok(destination) => destinations.extend(destination),
                        Err(failure) => scan.reader.failed(
                            &LIST_EVENT_SOURCE_MAPPINGS,
                            Some(region),
                            mapping.uuid(),
                            &failure,
                        ),
                    }
                    // A self-managed source (Kafka outside AWS) has no ARN and cannot be a queue.
                    let (Some(source), Some(function)) =
                        (mapping.event_source_arn(), mapping.function_arn())
                    else {
                        continue;
                    };
                    match read_mapping(mapping, source, function) {
                        Some(mapping) => mappings.push(mapping),
                        None => scan.reader.failed(
                            &LIST_EVENT_SOURCE_MAPPINGS,
                            Some(region),
                            mapping.uuid(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    (mappings, destinations)
}

fn read_destination(
    scan: &Scan<'_>,
    region: &str,
    mapping: &EventSourceMappingConfiguration,
) -> Result<Option<MappingDestination>, Failure> {
    let Some(to) = mapping
        .destination_config()
        .and_then(|config| config.on_failure())
        .and_then(|failed| failed.destination())
    else {
        return Ok(None);
    };
    // A Kafka topic can be a destination too; it has a name of another shape.
    let Ok(to) = Arn::parse(to) else {
        return Ok(None);
    };
    let read = || {
        let name = format!("event-source-mapping:{}", mapping.uuid()?);
        Some(MappingDestination {
            mapping: scan.arn("lambda", region, &name)?,
            function: Arn::parse(mapping.function_arn()?).ok()?,
            to,
            enabled: is_enabled(mapping),
        })
    };
    read()
        .map(Some)
        .ok_or_else(|| Failure::word("MalformedResponse"))
}

fn is_enabled(mapping: &EventSourceMappingConfiguration) -> bool {
    !matches!(mapping.state(), Some("Disabled" | "Disabling"))
}

fn read_mapping(
    mapping: &EventSourceMappingConfiguration,
    source: &str,
    function: &str,
) -> Option<EventSourceMapping> {
    Some(EventSourceMapping {
        id: mapping.uuid()?.to_owned(),
        source: Arn::parse(source).ok()?,
        function: Arn::parse(function).ok()?,
        enabled: is_enabled(mapping),
    })
}
