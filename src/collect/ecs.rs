//! ECS tasks: task definitions and services, each with its task role. Amazon ECS API.
//!
//! Of the many revisions of a task definition the latest active one of each family counts, and those that services run. The
//! execution role, with which ECS itself fetches images and secrets, is another matter and not read; nor are environments.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::list_clusters::ListClustersOutput;
use aws_sdk_ecs::operation::list_services::ListServicesOutput;
use aws_sdk_ecs::operation::list_task_definition_families::ListTaskDefinitionFamiliesOutput;
use aws_sdk_ecs::types::{
    Deployment, Service, TaskDefinition, TaskDefinitionFamilyStatus, TaskSet,
};

use super::Scan;
use super::around::each;
use super::calls::{
    DESCRIBE_SERVICES, DESCRIBE_TASK_DEFINITION, LIST_CLUSTERS, LIST_SERVICES,
    LIST_TASK_DEFINITION_FAMILIES,
};
use super::failure::Failure;
use super::flow::Flow;
use crate::account::{Workload, WorkloadKind};
use crate::arn::Arn;

/// A page of each list, the largest that ECS allows.
const PAGE: i32 = 100;
/// Services described at once, the most that ECS allows.
const SERVICES: usize = 10;
/// Why ECS does not describe a service that was deleted since it was listed.
const MISSING: &str = "MISSING";

/// Task definitions by ARN, with the task role of those that have one.
type TaskRoles = BTreeMap<String, Option<Arn>>;

/// What a service runs: one task definition, or several while a new one replaces an old one.
struct Running {
    service: Arn,
    definitions: BTreeSet<String>,
}

/// The tasks and services of a region.
pub(super) async fn tasks_and_services(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("ecs", Some(region));
    let (mut roles, services) = tokio::join!(
        latest_of_families(scan, &client, region),
        services(scan, &client, region)
    );
    let mut workloads: Vec<Workload> = roles
        .iter()
        .filter_map(|(definition, role)| {
            let arn = Arn::parse(definition).ok()?;
            Some(workload(WorkloadKind::Task, arn, role.clone()?))
        })
        .collect();
    let others: BTreeSet<String> = services
        .iter()
        .flat_map(|service| &service.definitions)
        .filter(|definition| !roles.contains_key(*definition))
        .cloned()
        .collect();
    let others = each(others.into_iter().collect(), async |definition: String| {
        describe(scan, &client, region, &definition).await
    })
    .await;
    roles.extend(others.into_iter().flatten());
    for Running {
        service,
        definitions,
    } in services
    {
        let of_service: BTreeSet<&Arn> = definitions
            .iter()
            .filter_map(|definition| roles.get(definition)?.as_ref())
            .collect();
        workloads.extend(
            of_service
                .into_iter()
                .map(|role| workload(WorkloadKind::EcsService, service.clone(), role.clone())),
        );
    }
    unit.advanced(workloads.len());
    Flow {
        workloads,
        ..Flow::default()
    }
}

fn workload(kind: WorkloadKind, arn: Arn, runs_as: Arn) -> Workload {
    Workload {
        kind,
        arn,
        runs_as,
        session_tags: Vec::new(),
    }
}

/// The latest active task definition of every family.
async fn latest_of_families(scan: &Scan<'_>, client: &Client, region: &str) -> TaskRoles {
    let mut families: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_where_offered(
            &LIST_TASK_DEFINITION_FAMILIES,
            region,
            |token| {
                client
                    .list_task_definition_families()
                    .status(TaskDefinitionFamilyStatus::Active)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListTaskDefinitionFamiliesOutput::next_token,
            |page| families.extend(page.families.unwrap_or_default()),
        )
        .await;
    let described = each(families.into_iter().collect(), async |family: String| {
        describe(scan, client, region, &family).await
    })
    .await;
    described.into_iter().flatten().collect()
}

/// A task definition by its family or ARN, with its task role.
async fn describe(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    definition: &str,
) -> Option<(String, Option<Arn>)> {
    let request = client
        .describe_task_definition()
        .task_definition(definition)
        .send();
    let read = scan
        .reader
        .call(&DESCRIBE_TASK_DEFINITION, Some(region), request)
        .await
        .and_then(|answer| {
            answer
                .task_definition()
                .and_then(task_role)
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    match read {
        Ok(read) => Some(read),
        Err(failure) => {
            scan.reader.failed(
                &DESCRIBE_TASK_DEFINITION,
                Some(region),
                Some(definition),
                &failure,
            );
            None
        }
    }
}

fn task_role(definition: &TaskDefinition) -> Option<(String, Option<Arn>)> {
    let arn = Arn::parse(definition.task_definition_arn()?).ok()?;
    let role = match definition.task_role_arn().filter(|role| !role.is_empty()) {
        Some(role) => Some(Arn::parse(role).ok()?),
        None => None,
    };
    Some((arn.as_str().to_owned(), role))
}

/// The services of every cluster.
async fn services(scan: &Scan<'_>, client: &Client, region: &str) -> Vec<Running> {
    let mut clusters: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_where_offered(
            &LIST_CLUSTERS,
            region,
            |token| {
                client
                    .list_clusters()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListClustersOutput::next_token,
            |page| clusters.extend(page.cluster_arns.unwrap_or_default()),
        )
        .await;
    let services = each(clusters.into_iter().collect(), async |cluster: String| {
        of_cluster(scan, client, region, &cluster).await
    })
    .await;
    services.into_iter().flatten().collect()
}

async fn of_cluster(scan: &Scan<'_>, client: &Client, region: &str, cluster: &str) -> Vec<Running> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_of(
            &LIST_SERVICES,
            Some(region),
            cluster,
            |token| {
                client
                    .list_services()
                    .cluster(cluster)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListServicesOutput::next_token,
            |page| names.extend(page.service_arns.unwrap_or_default()),
        )
        .await;
    let names: Vec<String> = names.into_iter().collect();
    let mut services = Vec::new();
    for names in names.chunks(SERVICES) {
        let request = client
            .describe_services()
            .cluster(cluster)
            .set_services(Some(names.to_vec()))
            .send();
        let failed = |resource: Option<&str>, failure: &Failure| {
            scan.reader
                .failed(&DESCRIBE_SERVICES, Some(region), resource, failure);
        };
        match scan
            .reader
            .call(&DESCRIBE_SERVICES, Some(region), request)
            .await
        {
            Ok(answer) => {
                let mut unanswered: BTreeSet<&str> = names.iter().map(String::as_str).collect();
                for service in answer.services() {
                    unanswered.remove(service.service_arn().unwrap_or_default());
                    match running(service) {
                        Some(service) => services.push(service),
                        None => failed(service.service_arn(), &Failure::word("MalformedResponse")),
                    }
                }
                for failure in answer.failures() {
                    let reason = failure.reason().unwrap_or("MalformedResponse");
                    unanswered.remove(failure.arn().unwrap_or_default());
                    match failure.arn() {
                        Some(service) if reason == MISSING => {
                            scan.reader
                                .deleted(&DESCRIBE_SERVICES, Some(region), service);
                        }
                        service => failed(service, &Failure::word(reason)),
                    }
                }
                // The answer is a list of what could be described and one of what could not; what stands in neither was lost.
                for service in unanswered {
                    failed(Some(service), &Failure::word("MalformedResponse"));
                }
            }
            Err(failure) => {
                scan.reader
                    .still_exists(&DESCRIBE_SERVICES, Some(region), cluster, &failure);
            }
        }
    }
    services
}

fn running(service: &Service) -> Option<Running> {
    let definitions = service
        .deployments()
        .iter()
        .filter_map(Deployment::task_definition)
        .chain(
            service
                .task_sets()
                .iter()
                .filter_map(TaskSet::task_definition),
        )
        .chain(service.task_definition())
        .map(str::to_owned)
        .collect();
    Some(Running {
        service: Arn::parse(service.service_arn()?).ok()?,
        definitions,
    })
}
