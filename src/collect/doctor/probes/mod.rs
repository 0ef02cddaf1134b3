//! The smallest call that tells whether the caller has a permission: one for each operation of the table.
//!
//! A list is asked for its smallest page. What takes a resource is asked about one that cannot exist, where the permission is
//! decided on before the resource is looked for: "after your request has been authenticated and authorized, AWS approves the
//! actions" (IAM User Guide, "How IAM works"), and the action is what finds nothing. Then "not found" proves the permission, and
//! a refusal the lack of it. EC2 has a parameter for just that (EC2 API Reference, "Common query parameters", `DryRun`).
//!
//! This does not hold where the resource has a say, or where the service hides that it is not there; these are asked about
//! something of the account that a list named, or not at all:
//! SQS ("does not exist or you do not have access to it": API reference, `QueueDoesNotExist`), S3 (`NoSuchBucket` for everybody),
//! KMS (the key policy decides, so the key comes first: KMS Developer Guide, "Determining access to AWS KMS keys"), `GetTopicRule`
//! of IoT (`UnauthorizedException` for a rule that is not there) and `DescribeTaskDefinition` of ECS (`ClientException` for both).

mod around;
mod flow;
mod global;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream;

use super::{Ground, Permission, Standing};
use crate::collect::Skippable;
use crate::collect::calls::{self, Call, DESCRIBE_LAUNCH_TEMPLATE_VERSIONS, DESCRIBE_REGIONS};
use crate::collect::failure::{Failure, Kind};

/// What nobody calls a user, function, rule, pipe, schedule or cluster.
const NOBODY: &str = "patscan-doctor-asks-for-nothing";
/// Services asked at once, and how long each is left alone between two questions: together a few calls a second.
const SERVICES_AT_ONCE: usize = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// How one operation is asked.
struct Probe {
    call: &'static Call,
    ask: for<'g> fn(&'g Ground<'g>) -> LocalBoxFuture<'g, Standing>,
}

macro_rules! probes {
    ($($call:ident => $ask:path;)*) => {
        /// One for each operation of the table, in its order.
        const PROBES: &[Probe] = &[
            $(Probe { call: &calls::$call, ask: |ground| Box::pin($ask(ground)) }),*
        ];
    };
}

probes! {
    GET_CALLER_IDENTITY => global::caller_identity;
    LIST_ACCOUNT_ALIASES => global::account_aliases;
    DESCRIBE_REGIONS => global::regions;
    GET_ACCOUNT_AUTHORIZATION_DETAILS => global::authorization_details;
    GET_POLICY => global::policy;
    GET_POLICY_VERSION => global::policy_version;
    LIST_ACCESS_KEYS => global::access_keys;
    DESCRIBE_ORGANIZATION => global::organization;
    LIST_ROOTS => global::roots;
    LIST_PARENTS => global::parents;
    LIST_POLICIES_FOR_TARGET => global::control_policies;
    DESCRIBE_POLICY => global::control_policy;
    LIST_QUEUES => flow::queues;
    GET_QUEUE_ATTRIBUTES => flow::queue_attributes;
    DESCRIBE_KEY => global::key;
    GET_KEY_POLICY => global::key_policy;
    LIST_GRANTS => global::grants;
    LIST_ALIASES => global::aliases;
    LIST_QUEUE_TAGS => flow::queue_tags;
    LIST_FUNCTIONS => around::functions;
    LIST_EVENT_SOURCE_MAPPINGS => around::event_source_mappings;
    DESCRIBE_INSTANCES => around::instances;
    LIST_MESSAGE_MOVE_TASKS => flow::move_tasks;
    LIST_STATE_MACHINES => around::state_machines;
    DESCRIBE_STATE_MACHINE => around::state_machine;
    DESCRIBE_AUTO_SCALING_GROUPS => around::groups;
    DESCRIBE_LAUNCH_CONFIGURATIONS => around::launch_configurations;
    DESCRIBE_LAUNCH_TEMPLATE_VERSIONS => around::launch_template_versions;
    DESCRIBE_LIFECYCLE_HOOKS => around::lifecycle_hooks;
    LIST_TASK_DEFINITION_FAMILIES => around::task_families;
    DESCRIBE_TASK_DEFINITION => around::task_definition;
    LIST_CLUSTERS => around::clusters;
    LIST_SERVICES => around::services;
    DESCRIBE_SERVICES => around::described_services;
    LIST_KUBERNETES_CLUSTERS => around::kubernetes_clusters;
    LIST_POD_IDENTITY_ASSOCIATIONS => around::pod_identities;
    DESCRIBE_POD_IDENTITY_ASSOCIATION => around::pod_identity;
    GET_REST_APIS => around::rest_apis;
    GET_RESOURCES => around::api_resources;
    GET_APIS => around::apis;
    GET_INTEGRATIONS => around::integrations;
    GET_CRAWLERS => around::crawlers;
    LIST_TOPIC_RULES => around::topic_rules;
    GET_TOPIC_RULE => around::topic_rule;
    LIST_SUBSCRIPTIONS => flow::subscriptions;
    GET_SUBSCRIPTION_ATTRIBUTES => flow::subscription;
    GET_TOPIC_ATTRIBUTES => flow::topic;
    LIST_EVENT_BUSES => flow::buses;
    DESCRIBE_EVENT_BUS => flow::bus;
    LIST_RULES => flow::rules;
    LIST_TARGETS_BY_RULE => flow::targets;
    LIST_PIPES => flow::pipes;
    DESCRIBE_PIPE => flow::pipe;
    LIST_SCHEDULES => flow::schedules;
    GET_SCHEDULE => flow::schedule;
    LIST_FUNCTION_EVENT_INVOKE_CONFIGS => around::invoke_configs;
    LIST_BUCKETS => flow::buckets;
    GET_BUCKET_LOCATION => flow::bucket_location;
    GET_BUCKET_NOTIFICATION_CONFIGURATION => flow::bucket_notifications;
    GET_BUCKET_POLICY => flow::bucket_policy;
    GET_BUCKET_ENCRYPTION => flow::bucket_encryption;
    GET_FUNCTION_POLICY => around::function_policy;
}

/// Services that not every region offers, as a scan takes it: where their first list is not known, nothing is missing.
const NOT_EVERYWHERE: [&str; 9] = [
    "apigateway",
    "autoscaling",
    "ecs",
    "eks",
    "glue",
    "iot",
    "pipes",
    "scheduler",
    "states",
];

/// Asks every operation: several services at once, the operations of one after the other.
pub(super) async fn every(ground: &Ground<'_>) -> Vec<Permission> {
    let mut by_service: BTreeMap<&str, Vec<(usize, &Probe)>> = BTreeMap::new();
    for (place, probe) in PROBES.iter().enumerate() {
        let of_service = by_service.entry(probe.call.service).or_default();
        of_service.push((place, probe));
    }
    let mut permissions: Vec<(usize, Permission)> = stream::iter(by_service.into_values())
        .map(|probes| of_service(ground, probes))
        .buffer_unordered(SERVICES_AT_ONCE)
        .concat()
        .await;
    permissions.sort_by_key(|(place, _)| *place);
    permissions
        .into_iter()
        .map(|(_, permission)| permission)
        .collect()
}

async fn of_service(ground: &Ground<'_>, probes: Vec<(usize, &Probe)>) -> Vec<(usize, Permission)> {
    let mut permissions = Vec::new();
    // Why the rest of the service is not asked any more.
    let mut rest: Option<Standing> = None;
    for (place, probe) in probes {
        let standing = if let Some(service) = left_out(ground, probe.call) {
            Standing::Untried {
                why: format!("{} is left out", service.as_str()),
            }
        } else if let Some(standing) = &rest {
            standing.clone()
        } else {
            tokio::time::sleep(PAUSE).await;
            let standing = (probe.ask)(ground).await;
            rest = the_rest(probe.call, &standing);
            standing
        };
        let permission = Permission {
            call: probe.call,
            region: ground.region_of(probe.call),
            standing,
            effect: ground.effect(probe.call),
        };
        permissions.push((place, permission));
    }
    permissions
}

/// What an answer settles for all further operations of the service: a region that does not offer it, or no answer at all.
fn the_rest(call: &Call, standing: &Standing) -> Option<Standing> {
    match standing {
        Standing::Unknown { why } if why.starts_with(SILENCE) => Some(standing.clone()),
        Standing::Untried { why } if why.starts_with(NOT_OFFERED) => NOT_EVERYWHERE
            .contains(&call.service)
            .then(|| standing.clone()),
        _ => None,
    }
}

/// The service of `--skip` that an operation belongs to, where that was left out.
fn left_out(ground: &Ground<'_>, call: &Call) -> Option<Skippable> {
    let word = match *call {
        DESCRIBE_REGIONS => return None,
        DESCRIBE_LAUNCH_TEMPLATE_VERSIONS => "autoscaling",
        call => call.service,
    };
    let service = word.parse::<Skippable>().ok()?;
    ground.options.skip.contains(&service).then_some(service)
}

const SILENCE: &str = "no answer";
const NOT_OFFERED: &str = "not offered";

/// What an answer says. Besides a good one, the errors in `proves` come only to who has the permission.
pub(super) fn standing<O>(answer: Result<O, Failure>, proves: &[&str]) -> Standing {
    let Err(failure) = answer else {
        return Standing::Allowed;
    };
    match failure.kind {
        Kind::Refused => Standing::Denied {
            code: failure.code,
            on: None,
        },
        _ if proves.contains(&failure.code.as_str()) => Standing::Allowed,
        Kind::Unreachable => Standing::Unknown {
            why: format!("{SILENCE} came ({})", failure.code),
        },
        Kind::Expired | Kind::Rejected | Kind::Stopped | Kind::Other => Standing::Unknown {
            why: format!("the answer was {}", failure.code),
        },
    }
}

impl Ground<'_> {
    /// Asks in the region of the probes.
    async fn ask<O, E>(
        &self,
        call: &'static Call,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        proves: &[&str],
    ) -> Standing
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        standing(self.answer(call, request).await, proves)
    }

    /// Asks for the first list of a service that not every region offers.
    async fn ask_where_offered<O, E>(
        &self,
        call: &'static Call,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> (Standing, Option<O>)
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match self.answer(call, request).await {
            Ok(page) => (Standing::Allowed, Some(page)),
            // Where nothing else answers either, a name without an address says only that there is no network.
            Err(failure) if failure.is_not_offered() => {
                let why = format!("{NOT_OFFERED} in {} ({})", self.region, failure.code);
                (Standing::Untried { why }, None)
            }
            Err(failure) => (standing::<()>(Err(failure), &[]), None),
        }
    }

    async fn answer<O, E>(
        &self,
        call: &'static Call,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let region = self.region_of(call);
        self.scan
            .reader
            .call(call, region.as_deref(), request)
            .await
    }

    /// The configuration of the region of the probes.
    fn config(&self) -> aws_types::SdkConfig {
        self.scan.session.in_region(&self.region)
    }

    /// The ARN of something in the region of the probes.
    fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{resource}",
            self.scan.partition,
            self.region,
            self.scan.account.as_str()
        )
    }
}

/// A refusal that is about something of the account says about what: that may have a policy of its own.
fn about(standing: Standing, resource: &str) -> Standing {
    match standing {
        Standing::Denied { code, .. } => Standing::Denied {
            code,
            on: Some(resource.to_owned()),
        },
        other => other,
    }
}

fn untried(why: &str) -> Standing {
    Standing::Untried {
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::CALLS;

    #[test]
    fn every_operation_of_the_table_has_a_probe() {
        let probed: Vec<&Call> = PROBES.iter().map(|probe| probe.call).collect();
        let table: Vec<&Call> = CALLS.iter().collect();
        assert_eq!(probed, table);
    }

    #[test]
    fn an_error_that_nobody_documents_proves_nothing() {
        let answer = |code: &str| standing::<()>(Err(Failure::word(code)), &["NoSuchEntity"]);
        assert_eq!(answer("NoSuchEntity"), Standing::Allowed);
        assert!(matches!(
            answer("ValidationError"),
            Standing::Unknown { .. }
        ));
        assert!(matches!(answer("Http500"), Standing::Unknown { .. }));
    }

    #[test]
    fn an_empty_region_of_a_service_is_told_from_a_dead_one() {
        let call = &calls::LIST_PIPES;
        let absent = untried("not offered in eu-west-9 (UnknownHost)");
        assert_eq!(the_rest(call, &absent), Some(absent.clone()));
        assert_eq!(the_rest(&calls::LIST_QUEUES, &absent), None);
        assert_eq!(the_rest(call, &untried("no pipe is there")), None);
        assert_eq!(the_rest(call, &Standing::Allowed), None);
    }
}
