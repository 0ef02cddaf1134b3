//! What runs as a role, and what sends by itself.

use aws_sdk_apigateway::Client as ApiGateway;
use aws_sdk_apigatewayv2::Client as ApiGatewayV2;
use aws_sdk_autoscaling::Client as AutoScaling;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ecs::Client as Ecs;
use aws_sdk_ecs::types::TaskDefinitionFamilyStatus;
use aws_sdk_eks::Client as Eks;
use aws_sdk_glue::Client as Glue;
use aws_sdk_iot::Client as Iot;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_sfn::Client as States;

use super::{Ground, NOBODY, about, untried};
use crate::collect::calls::{
    DESCRIBE_AUTO_SCALING_GROUPS, DESCRIBE_INSTANCES, DESCRIBE_LAUNCH_CONFIGURATIONS,
    DESCRIBE_LAUNCH_TEMPLATE_VERSIONS, DESCRIBE_LIFECYCLE_HOOKS, DESCRIBE_POD_IDENTITY_ASSOCIATION,
    DESCRIBE_SERVICES, DESCRIBE_STATE_MACHINE, DESCRIBE_TASK_DEFINITION, GET_APIS, GET_CRAWLERS,
    GET_FUNCTION_POLICY, GET_INTEGRATIONS, GET_RESOURCES, GET_REST_APIS, GET_TOPIC_RULE,
    LIST_CLUSTERS, LIST_EVENT_SOURCE_MAPPINGS, LIST_FUNCTION_EVENT_INVOKE_CONFIGS, LIST_FUNCTIONS,
    LIST_KUBERNETES_CLUSTERS, LIST_POD_IDENTITY_ASSOCIATIONS, LIST_SERVICES, LIST_STATE_MACHINES,
    LIST_TASK_DEFINITION_FAMILIES, LIST_TOPIC_RULES,
};
use crate::collect::doctor::Standing;

/// What Lambda, EKS and others say of what is not there (API references, `GetPolicy` of Lambda,
/// `ListPodIdentityAssociations`).
const RESOURCE_NOT_FOUND: &[&str] = &["ResourceNotFoundException"];
/// What EC2 says to who could have made the call (API reference, "Common query parameters").
const DRY_RUN: &[&str] = &["DryRunOperation"];
/// The least that a page of `DescribeInstances` may hold.
const INSTANCES: i32 = 5;
/// An id of the right form that nothing has.
const NO_TEMPLATE: &str = "lt-00000000000000000";
const NO_API: &str = "patscan000";

fn lambda(ground: &Ground<'_>) -> Lambda {
    Lambda::new(&ground.config())
}

pub(super) async fn functions(ground: &Ground<'_>) -> Standing {
    let request = lambda(ground).list_functions().max_items(1).send();
    ground.ask(&LIST_FUNCTIONS, request, &[]).await
}

pub(super) async fn event_source_mappings(ground: &Ground<'_>) -> Standing {
    let request = lambda(ground)
        .list_event_source_mappings()
        .max_items(1)
        .send();
    ground.ask(&LIST_EVENT_SOURCE_MAPPINGS, request, &[]).await
}

pub(super) async fn invoke_configs(ground: &Ground<'_>) -> Standing {
    let request = lambda(ground)
        .list_function_event_invoke_configs()
        .function_name(NOBODY)
        .max_items(1)
        .send();
    ground
        .ask(
            &LIST_FUNCTION_EVENT_INVOKE_CONFIGS,
            request,
            RESOURCE_NOT_FOUND,
        )
        .await
}

pub(super) async fn function_policy(ground: &Ground<'_>) -> Standing {
    let request = lambda(ground).get_policy().function_name(NOBODY).send();
    ground
        .ask(&GET_FUNCTION_POLICY, request, RESOURCE_NOT_FOUND)
        .await
}

fn ec2(ground: &Ground<'_>) -> Ec2 {
    Ec2::new(&ground.config())
}

pub(super) async fn instances(ground: &Ground<'_>) -> Standing {
    let request = ec2(ground)
        .describe_instances()
        .max_results(INSTANCES)
        .dry_run(true)
        .send();
    ground.ask(&DESCRIBE_INSTANCES, request, DRY_RUN).await
}

pub(super) async fn launch_template_versions(ground: &Ground<'_>) -> Standing {
    let request = ec2(ground)
        .describe_launch_template_versions()
        .launch_template_id(NO_TEMPLATE)
        .dry_run(true)
        .send();
    let proves = &[
        "DryRunOperation",
        // Said only when the question itself was let through.
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
    ];
    ground
        .ask(&DESCRIBE_LAUNCH_TEMPLATE_VERSIONS, request, proves)
        .await
}

fn autoscaling(ground: &Ground<'_>) -> AutoScaling {
    AutoScaling::new(&ground.config())
}

pub(super) async fn groups(ground: &Ground<'_>) -> Standing {
    let client = autoscaling(ground);
    let request = client.describe_auto_scaling_groups().max_records(1).send();
    ground
        .ask_where_offered(&DESCRIBE_AUTO_SCALING_GROUPS, request)
        .await
        .0
}

pub(super) async fn launch_configurations(ground: &Ground<'_>) -> Standing {
    let client = autoscaling(ground);
    let request = client.describe_launch_configurations().max_records(1);
    ground
        .ask(&DESCRIBE_LAUNCH_CONFIGURATIONS, request.send(), &[])
        .await
}

/// Auto Scaling says by `ValidationError` that there is no such group (User Guide, "Troubleshoot Amazon EC2 Auto Scaling").
pub(super) async fn lifecycle_hooks(ground: &Ground<'_>) -> Standing {
    let request = autoscaling(ground)
        .describe_lifecycle_hooks()
        .auto_scaling_group_name(NOBODY)
        .send();
    ground
        .ask(&DESCRIBE_LIFECYCLE_HOOKS, request, &["ValidationError"])
        .await
}

fn states(ground: &Ground<'_>) -> States {
    States::new(&ground.config())
}

pub(super) async fn state_machines(ground: &Ground<'_>) -> Standing {
    let request = states(ground).list_state_machines().max_results(1).send();
    let answer = ground.ask_where_offered(&LIST_STATE_MACHINES, request);
    answer.await.0
}

pub(super) async fn state_machine(ground: &Ground<'_>) -> Standing {
    let machine = ground.arn("states", &format!("stateMachine:{NOBODY}"));
    let request = states(ground)
        .describe_state_machine()
        .state_machine_arn(machine)
        .send();
    ground
        .ask(
            &DESCRIBE_STATE_MACHINE,
            request,
            &["StateMachineDoesNotExist"],
        )
        .await
}

fn ecs(ground: &Ground<'_>) -> Ecs {
    Ecs::new(&ground.config())
}

pub(super) async fn task_families(ground: &Ground<'_>) -> Standing {
    let request = ecs(ground)
        .list_task_definition_families()
        .status(TaskDefinitionFamilyStatus::Active)
        .max_results(1)
        .send();
    let (standing, page) = ground
        .ask_where_offered(&LIST_TASK_DEFINITION_FAMILIES, request)
        .await;
    let family = page.and_then(|page| page.families?.into_iter().next());
    ground.name(|named| named.task_family = family);
    standing
}

pub(super) async fn task_definition(ground: &Ground<'_>) -> Standing {
    let Some(family) = ground.named().task_family else {
        return untried(&format!("no task definition is in {}", ground.region));
    };
    let request = ecs(ground)
        .describe_task_definition()
        .task_definition(&family)
        .send();
    let standing = ground.ask(&DESCRIBE_TASK_DEFINITION, request, &[]).await;
    about(standing, &family)
}

pub(super) async fn clusters(ground: &Ground<'_>) -> Standing {
    let request = ecs(ground).list_clusters().max_results(1).send();
    ground.ask_where_offered(&LIST_CLUSTERS, request).await.0
}

/// API reference, `ListServices` and `DescribeServices`.
const NO_CLUSTER: &[&str] = &["ClusterNotFoundException"];

pub(super) async fn services(ground: &Ground<'_>) -> Standing {
    let request = ecs(ground)
        .list_services()
        .cluster(NOBODY)
        .max_results(1)
        .send();
    ground.ask(&LIST_SERVICES, request, NO_CLUSTER).await
}

pub(super) async fn described_services(ground: &Ground<'_>) -> Standing {
    let request = ecs(ground)
        .describe_services()
        .cluster(NOBODY)
        .services(NOBODY)
        .send();
    ground.ask(&DESCRIBE_SERVICES, request, NO_CLUSTER).await
}

fn eks(ground: &Ground<'_>) -> Eks {
    Eks::new(&ground.config())
}

pub(super) async fn kubernetes_clusters(ground: &Ground<'_>) -> Standing {
    let request = eks(ground).list_clusters().max_results(1).send();
    ground
        .ask_where_offered(&LIST_KUBERNETES_CLUSTERS, request)
        .await
        .0
}

pub(super) async fn pod_identities(ground: &Ground<'_>) -> Standing {
    let request = eks(ground)
        .list_pod_identity_associations()
        .cluster_name(NOBODY)
        .max_results(1)
        .send();
    ground
        .ask(&LIST_POD_IDENTITY_ASSOCIATIONS, request, RESOURCE_NOT_FOUND)
        .await
}

pub(super) async fn pod_identity(ground: &Ground<'_>) -> Standing {
    let request = eks(ground)
        .describe_pod_identity_association()
        .cluster_name(NOBODY)
        .association_id("a-00000000000000000")
        .send();
    ground
        .ask(
            &DESCRIBE_POD_IDENTITY_ASSOCIATION,
            request,
            RESOURCE_NOT_FOUND,
        )
        .await
}

fn api_gateway(ground: &Ground<'_>) -> ApiGateway {
    ApiGateway::new(&ground.config())
}

fn api_gateway_v2(ground: &Ground<'_>) -> ApiGatewayV2 {
    ApiGatewayV2::new(&ground.config())
}

/// API references of both versions.
const NO_SUCH_API: &[&str] = &["NotFoundException"];

pub(super) async fn rest_apis(ground: &Ground<'_>) -> Standing {
    let request = api_gateway(ground).get_rest_apis().limit(1).send();
    ground.ask_where_offered(&GET_REST_APIS, request).await.0
}

pub(super) async fn api_resources(ground: &Ground<'_>) -> Standing {
    let request = api_gateway(ground)
        .get_resources()
        .rest_api_id(NO_API)
        .limit(1)
        .send();
    ground.ask(&GET_RESOURCES, request, NO_SUCH_API).await
}

pub(super) async fn apis(ground: &Ground<'_>) -> Standing {
    let request = api_gateway_v2(ground).get_apis().max_results("1").send();
    ground.ask_where_offered(&GET_APIS, request).await.0
}

pub(super) async fn integrations(ground: &Ground<'_>) -> Standing {
    let request = api_gateway_v2(ground)
        .get_integrations()
        .api_id(NO_API)
        .max_results("1")
        .send();
    ground.ask(&GET_INTEGRATIONS, request, NO_SUCH_API).await
}

pub(super) async fn crawlers(ground: &Ground<'_>) -> Standing {
    let request = Glue::new(&ground.config())
        .get_crawlers()
        .max_results(1)
        .send();
    ground.ask_where_offered(&GET_CRAWLERS, request).await.0
}

pub(super) async fn topic_rules(ground: &Ground<'_>) -> Standing {
    let request = Iot::new(&ground.config())
        .list_topic_rules()
        .max_results(1)
        .send();
    let (standing, page) = ground.ask_where_offered(&LIST_TOPIC_RULES, request).await;
    let rule = page.and_then(|page| page.rules?.into_iter().next());
    ground.name(|named| named.topic_rule = rule.and_then(|rule| rule.rule_name));
    standing
}

pub(super) async fn topic_rule(ground: &Ground<'_>) -> Standing {
    let Some(rule) = ground.named().topic_rule else {
        return untried(&format!("no IoT rule is in {}", ground.region));
    };
    let request = Iot::new(&ground.config())
        .get_topic_rule()
        .rule_name(&rule)
        .send();
    about(ground.ask(&GET_TOPIC_RULE, request, &[]).await, &rule)
}
