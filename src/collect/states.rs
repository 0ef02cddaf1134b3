//! State machines: `ListStateMachines` and `DescribeStateMachine` of the AWS Step Functions API.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineOutput;
use aws_sdk_sfn::operation::list_state_machines::ListStateMachinesOutput;
use aws_sdk_sfn::types::IncludedData;

use super::Scan;
use super::around::each;
use super::attributes::queue_of_url;
use super::calls::{DESCRIBE_STATE_MACHINE, LIST_STATE_MACHINES};
use super::failure::Failure;
use super::flow::Flow;
use super::states_language::{Target, Task, tasks};
use crate::account::{
    Delivery, DeliveryKind, Gap, GapEffect, Sender, Workload, WorkloadKind, unqualified_function,
};
use crate::arn::Arn;

/// A page of `ListStateMachines`, the largest that Step Functions allows.
const PAGE: i32 = 1000;

/// The state machines of a region, and what their tasks send to.
pub(super) async fn state_machines(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("states", Some(region));
    let mut machines: Vec<String> = Vec::new();
    scan.reader
        .pages_where_offered(
            &LIST_STATE_MACHINES,
            region,
            |token| {
                client
                    .list_state_machines()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListStateMachinesOutput::next_token,
            |page| {
                let machines_of_page = page.state_machines.into_iter();
                machines.extend(machines_of_page.map(|machine| machine.state_machine_arn));
            },
        )
        .await;
    machines.sort();
    machines.dedup();
    unit.known(machines.len());
    let mut all = Flow::default();
    let found = each(machines, async |machine| {
        let found = describe(scan, &client, region, &machine).await;
        unit.advanced(1);
        found
    })
    .await;
    for machine in found {
        all.extend(machine);
    }
    all
}

async fn describe(scan: &Scan<'_>, client: &Client, region: &str, machine: &str) -> Flow {
    let ask = async |included: IncludedData| {
        let request = client
            .describe_state_machine()
            .state_machine_arn(machine)
            .included_data(included)
            .send();
        scan.reader
            .call(&DESCRIBE_STATE_MACHINE, Some(region), request)
            .await
    };
    let mut answer = ask(IncludedData::AllData).await;
    let unreadable = match &answer {
        // The definition is encrypted with a key that the caller may not use. The role is not.
        Err(failure) if failure.is_key_trouble() => Some(failure.code.clone()),
        _ => None,
    };
    if unreadable.is_some() {
        answer = ask(IncludedData::MetadataOnly).await;
    }
    let read = match answer {
        Ok(answer) => read(scan, region, &answer, unreadable.is_none()),
        Err(failure) => Err(failure),
    };
    match read {
        Ok(found) => {
            if let Some(error) = unreadable {
                let advice = "allow kms:Decrypt with the key that encrypts its definition";
                scan.reader
                    .gap(tasks_unknown(region, machine, error, advice));
            }
            found
        }
        Err(failure) => {
            scan.reader
                .still_exists(&DESCRIBE_STATE_MACHINE, Some(region), machine, &failure);
            Flow::default()
        }
    }
}

/// The gap of a state machine whose role is known.
fn tasks_unknown(region: &str, machine: &str, error: String, advice: &str) -> Gap {
    Gap {
        region: Some(region.to_owned()),
        service: DESCRIBE_STATE_MACHINE.service.to_owned(),
        operation: DESCRIBE_STATE_MACHINE.operation.to_owned(),
        resource: Some(machine.to_owned()),
        error,
        effect: GapEffect::MayHide,
        detail: format!(
            "tasks of {machine} are unknown: loops through them may be shown as permitted; {advice}"
        ),
    }
}

fn read(
    scan: &Scan<'_>,
    region: &str,
    machine: &DescribeStateMachineOutput,
    with_definition: bool,
) -> Result<Flow, Failure> {
    let malformed = || Failure::word("MalformedResponse");
    let arn = Arn::parse(machine.state_machine_arn()).map_err(|_| malformed())?;
    let role = Arn::parse(machine.role_arn()).map_err(|_| malformed())?;
    let workload = Workload {
        kind: WorkloadKind::StateMachine,
        arn: arn.clone(),
        runs_as: role.clone(),
        session_tags: Vec::new(),
    };
    let tasks = if with_definition {
        tasks(machine.definition()).ok_or_else(malformed)
    } else {
        Ok(Vec::new())
    };
    if let Err(Failure { code, .. }) = &tasks {
        let advice = "repeat the scan";
        scan.reader
            .gap(tasks_unknown(region, arn.as_str(), code.clone(), advice));
    }
    let deliveries = tasks
        .unwrap_or_default()
        .into_iter()
        .filter_map(|Task { target, role: own }| {
            Some(Delivery {
                kind: DeliveryKind::Task,
                configured_by: arn.clone(),
                from: Some(arn.clone()),
                to: resolve(scan, region, &target)?,
                sender: Sender::Role(own.unwrap_or_else(|| role.clone())),
                enabled: true,
                failures_only: false,
                filter: None,
            })
        })
        .collect();
    Ok(Flow {
        workloads: vec![workload],
        deliveries,
        ..Flow::default()
    })
}

/// The ARN of a target. What makes no sense has none: the task fails when it runs.
fn resolve(scan: &Scan<'_>, region: &str, target: &Target) -> Option<Arn> {
    let of_service =
        |text: &str, service: &str| Arn::parse(text).ok().filter(|arn| arn.service() == service);
    match target {
        Target::Queue(url) => queue_of_url(url, &scan.partition, region),
        // A telephone or a mobile endpoint is a target too, but no topic.
        Target::Topic(arn) => of_service(arn, "sns").filter(|arn| !arn.resource().contains('/')),
        Target::Function(text) => function(scan, region, text),
        Target::Bus(text) if text.starts_with("arn:") => of_service(text, "events"),
        Target::Bus(name) => scan.arn("events", region, &format!("event-bus/{name}")),
        Target::StateMachine(text) => {
            let arn = of_service(text, "states")?;
            // Without the version or alias.
            let mut parts = arn.resource().splitn(3, ':');
            let (Some("stateMachine"), Some(name)) = (parts.next(), parts.next()) else {
                return None;
            };
            Arn::build(
                arn.partition(),
                arn.service(),
                arn.region(),
                arn.account(),
                &format!("stateMachine:{name}"),
            )
            .ok()
        }
    }
}

/// A function is named by its ARN, by `account:function:name` or by its name, each with or without version or alias.
fn function(scan: &Scan<'_>, region: &str, text: &str) -> Option<Arn> {
    if text.starts_with("arn:") {
        return unqualified_function(&Arn::parse(text).ok()?);
    }
    let mut parts = text.splitn(4, ':');
    let whole = match (parts.next()?, parts.next(), parts.next()) {
        (account, Some("function"), Some(name)) => Arn::build(
            &scan.partition,
            "lambda",
            region,
            account,
            &format!("function:{name}"),
        )
        .ok(),
        (name, _, None) => scan.arn("lambda", region, &format!("function:{name}")),
        _ => None,
    };
    unqualified_function(&whole?)
}
