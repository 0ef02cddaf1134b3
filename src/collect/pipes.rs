//! Pipes: `ListPipes` and `DescribePipe` of the Amazon EventBridge Pipes API.
//!
//! A pipe polls, enriches and sends as its own role. Described are those that touch something messages are followed to, and
//! those that read a stream, whose dead-letter queue the list does not tell of.

use aws_sdk_pipes::Client;
use aws_sdk_pipes::operation::describe_pipe::DescribePipeOutput;
use aws_sdk_pipes::operation::list_pipes::ListPipesOutput;
use aws_sdk_pipes::types::{
    Pipe, PipeSourceParameters, PipeState, RequestedPipeStateDescribeResponse,
};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Scan;
use super::calls::{DESCRIBE_PIPE, LIST_PIPES};
use super::failure::Failure;
use super::flow::{Flow, followed};
use crate::account::{Delivery, DeliveryKind, Filter, Sender, Workload, WorkloadKind};
use crate::arn::Arn;

/// A page of `ListPipes`, the largest that the API reference allows.
const PAGE: i32 = 100;
/// Calls at once for one region; there is one call for each pipe.
const AT_ONCE: usize = 8;

/// The pipes of a region.
pub(super) async fn pipes(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("pipes", Some(region));
    let mut kept: Vec<(String, Arn)> = Vec::new();
    scan.reader
        .pages_where_offered(
            &LIST_PIPES,
            region,
            |token| client.list_pipes().limit(PAGE).set_next_token(token).send(),
            ListPipesOutput::next_token,
            |page| {
                for pipe in page.pipes().iter().filter(|pipe| is_kept(pipe)) {
                    let name = pipe.name();
                    let arn = pipe.arn().and_then(|arn| Arn::parse(arn).ok());
                    if let (Some(name), Some(arn)) = (name, arn) {
                        kept.push((name.to_owned(), arn));
                    } else {
                        let failure = Failure::word("MalformedResponse");
                        scan.reader
                            .failed(&LIST_PIPES, Some(region), name, &failure);
                    }
                }
            },
        )
        .await;
    unit.known(kept.len());
    stream::iter(kept)
        .map(|(name, arn)| async {
            let flow = described(scan, &client, region, name, arn).await;
            unit.advanced(1);
            flow
        })
        .buffer_unordered(AT_ONCE)
        .fold(Flow::default(), async |mut all, one| {
            all.extend(one);
            all
        })
        .await
}

/// A stream that pipes poll: of Kinesis, or of a table of `DynamoDB`.
fn polled_stream(source: &str) -> Option<Arn> {
    let source = Arn::parse(source).ok()?;
    matches!(source.service(), "kinesis" | "dynamodb").then_some(source)
}

fn is_kept(pipe: &Pipe) -> bool {
    let reads_stream = pipe.source().and_then(polled_stream).is_some();
    let touches = |end: Option<&str>| end.and_then(followed).is_some();
    reads_stream || touches(pipe.source()) || touches(pipe.enrichment()) || touches(pipe.target())
}

async fn described(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    name: String,
    pipe: Arn,
) -> Flow {
    let request = client.describe_pipe().name(name).send();
    let answer = scan
        .reader
        .call(&DESCRIBE_PIPE, Some(region), request)
        .await
        .and_then(|answer| read(&pipe, &answer).ok_or_else(|| Failure::word("MalformedResponse")));
    match answer {
        Ok(flow) => flow,
        Err(failure) => {
            scan.reader
                .still_exists(&DESCRIBE_PIPE, Some(region), pipe.as_str(), &failure);
            Flow::default()
        }
    }
}

fn read(pipe: &Arn, answer: &DescribePipeOutput) -> Option<Flow> {
    let role = Arn::parse(answer.role_arn()?).ok()?;
    let enabled = !is_stopped(answer);
    let delivery = |from, to, failures_only, filter| Delivery {
        kind: DeliveryKind::Pipe,
        configured_by: pipe.clone(),
        from: Some(from),
        to,
        sender: Sender::Role(role.clone()),
        enabled,
        failures_only,
        filter,
    };
    let parameters = answer.source_parameters();
    let polled = answer
        .source()
        .and_then(|source| followed(source).or_else(|| polled_stream(source)))
        .map(|source| delivery(source, pipe.clone(), false, parameters.and_then(filter)));
    let sent = [
        (answer.enrichment(), false),
        (answer.target(), false),
        (parameters.and_then(dead_letter_queue), true),
    ]
    .into_iter()
    .filter_map(|(to, failures_only)| {
        Some(delivery(pipe.clone(), followed(to?)?, failures_only, None))
    });
    Some(Flow {
        deliveries: polled.into_iter().chain(sent).collect(),
        channels: Vec::new(),
        workloads: vec![Workload {
            kind: WorkloadKind::Pipe,
            arn: pipe.clone(),
            runs_as: role.clone(),
            session_tags: Vec::new(),
        }],
    })
}

/// Whether the pipe neither runs nor is meant to: one that failed to start may run tomorrow.
fn is_stopped(answer: &DescribePipeOutput) -> bool {
    matches!(
        answer.desired_state(),
        Some(
            RequestedPipeStateDescribeResponse::Stopped
                | RequestedPipeStateDescribeResponse::Deleted
        )
    ) || matches!(answer.current_state(), Some(PipeState::Stopped))
}

/// Several patterns are alternatives, and stand in an array.
fn filter(parameters: &PipeSourceParameters) -> Option<Filter> {
    let patterns: Vec<&str> = parameters
        .filter_criteria()?
        .filters()
        .iter()
        .filter_map(|filter| filter.pattern())
        .collect();
    let pattern = match patterns.as_slice() {
        [] => return None,
        [only] => (*only).to_owned(),
        several => format!("[{}]", several.join(",")),
    };
    Some(Filter {
        pattern: Some(pattern),
        ..Filter::default()
    })
}

fn dead_letter_queue(parameters: &PipeSourceParameters) -> Option<&str> {
    let of_kinesis = parameters
        .kinesis_stream_parameters()
        .and_then(|stream| stream.dead_letter_config());
    let of_dynamo_db = parameters
        .dynamo_db_stream_parameters()
        .and_then(|stream| stream.dead_letter_config());
    of_kinesis.or(of_dynamo_db)?.arn()
}
