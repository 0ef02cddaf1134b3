//! What works around queues besides functions and instances: read where there are queues, to the last page, each refusal said.

use std::collections::BTreeSet;

use patscan::account::{Account, Delivery, Sender, Tag};
use patscan::collect::{CALLS, Call, Skippable, collect};
use serde_json::{Value, json};

use super::{REGION, attributes, gaps, keys, queues_page, scan};
use crate::emulator::{ACCOUNT, Answer, Canned, Moto, Request, options};

const ROLE: &str = "arn:aws:iam::123456789012:role/";
const LATER: &str = "page-2";

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

fn url(queue: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{queue}")
}

/// An answer of the query protocol.
fn xml(request: &Request, result: &str) -> Answer {
    let operation = &request.operation;
    Answer::ok(format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
    ))
}

fn json(value: &Value) -> Answer {
    Answer::ok(value.to_string())
}

/// A role with a path, and an instance profile of the same name if asked for.
fn role(name: &str, with_profile: bool) -> String {
    let profile = if with_profile {
        format!(
            "<InstanceProfileList><member><Arn>arn:aws:iam::{ACCOUNT}:instance-profile/fleet/{name}</Arn></member></InstanceProfileList>"
        )
    } else {
        String::new()
    };
    format!(
        "<member><RoleName>{name}</RoleName><RoleId>AROA</RoleId><Arn>{ROLE}fleet/{name}</Arn>\
         <AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument>{profile}</member>"
    )
}

/// Two queues, one of them with a key and a dead-letter queue, and around them one thing of each sort.
pub(super) fn one_of_each(request: &Request) -> Option<Answer> {
    queues(request)
        .or_else(|| fleet(request))
        .or_else(|| containers(request))
        .or_else(|| senders(request))
}

fn queues(request: &Request) -> Option<Answer> {
    Some(match request.call().as_str() {
        "sqs:ListQueues" => queues_page(&["dead", "orders"], None),
        "sqs:GetQueueAttributes" if request.mentions("/orders") => attributes(
            "orders",
            json!({
                "KmsMasterKeyId": "alias/orders",
                "RedrivePolicy": json!({"deadLetterTargetArn": arn("sqs", "dead"), "maxReceiveCount": 3}).to_string(),
            }),
        ),
        "kms:DescribeKey" => keys::queues_with(&["alias/orders"], request)?,
        "sqs:ListMessageMoveTasks" => {
            assert!(
                request.mentions(&arn("sqs", "dead")),
                "only dead-letter queues are asked"
            );
            json(&json!({"Results": [
                {"Status": "RUNNING", "SourceArn": arn("sqs", "dead")},
                {"Status": "COMPLETED", "SourceArn": arn("sqs", "dead"), "DestinationArn": arn("sqs", "done")}]}))
        }
        _ => return None,
    })
}

fn fleet(request: &Request) -> Option<Answer> {
    Some(match request.call().as_str() {
        "iam:GetAccountAuthorizationDetails" => Answer::authorization_details(
            &format!(
                "<RoleDetailList>{}{}</RoleDetailList>",
                role("web", true),
                role("crawler", false)
            ),
            None,
        ),
        "autoscaling:DescribeAutoScalingGroups" => xml(
            request,
            &format!(
                "<AutoScalingGroups>\
                 <member><AutoScalingGroupName>mixed</AutoScalingGroupName><AutoScalingGroupARN>{}</AutoScalingGroupARN>\
                 <MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification><LaunchTemplateId>lt-web</LaunchTemplateId>\
                 <Version>$Latest</Version></LaunchTemplateSpecification><Overrides><member><LaunchTemplateSpecification>\
                 <LaunchTemplateId>lt-bare</LaunchTemplateId></LaunchTemplateSpecification></member><member>\
                 <LaunchTemplateSpecification><LaunchTemplateId>lt-gone</LaunchTemplateId></LaunchTemplateSpecification>\
                 </member></Overrides></LaunchTemplate></MixedInstancesPolicy></member>\
                 <member><AutoScalingGroupName>old</AutoScalingGroupName><AutoScalingGroupARN>{}</AutoScalingGroupARN>\
                 <LaunchConfigurationName>v1</LaunchConfigurationName></member></AutoScalingGroups>",
                arn(
                    "autoscaling",
                    "autoScalingGroup:1:autoScalingGroupName/mixed"
                ),
                arn("autoscaling", "autoScalingGroup:2:autoScalingGroupName/old"),
            ),
        ),
        "autoscaling:DescribeLaunchConfigurations" => xml(
            request,
            &format!(
                "<LaunchConfigurations><member><LaunchConfigurationName>v1</LaunchConfigurationName>\
                 <IamInstanceProfile>arn:aws:iam::{ACCOUNT}:instance-profile/elsewhere</IamInstanceProfile></member>\
                 </LaunchConfigurations>"
            ),
        ),
        "ec2:DescribeLaunchTemplateVersions" if request.mentions("lt-gone") => {
            Answer::error(request, 400, "InvalidLaunchTemplateId.NotFound")
        }
        "ec2:DescribeLaunchTemplateVersions" => {
            let profile = if request.mentions("lt-web") {
                assert!(request.mentions("LaunchTemplateVersion.1=%24Latest"));
                "<iamInstanceProfile><name>web</name></iamInstanceProfile>"
            } else {
                assert!(request.mentions("LaunchTemplateVersion.1=%24Default"));
                ""
            };
            Answer::ok(format!(
                "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet><item><launchTemplateData>{profile}\
                 <userData>do-not-keep-this</userData></launchTemplateData></item></launchTemplateVersionSet>\
                 </DescribeLaunchTemplateVersionsResponse>"
            ))
        }
        "autoscaling:DescribeLifecycleHooks" => {
            let hooks = if request.mentions("AutoScalingGroupName=old") {
                format!(
                    "<member><LifecycleHookName>drain</LifecycleHookName><NotificationTargetARN>{}</NotificationTargetARN>\
                     <RoleARN>{ROLE}hook</RoleARN></member><member><LifecycleHookName>wait</LifecycleHookName></member>",
                    arn("sqs", "orders")
                )
            } else {
                String::new()
            };
            xml(
                request,
                &format!("<LifecycleHooks>{hooks}</LifecycleHooks>"),
            )
        }
        _ => return None,
    })
}

fn containers(request: &Request) -> Option<Answer> {
    let definition = |revision: u32| arn("ecs", &format!("task-definition/worker:{revision}"));
    let service = arn("ecs", "service/main/worker");
    let association = "a-1";
    Some(match request.call().as_str() {
        "ecs:ListTaskDefinitionFamilies" => {
            assert!(request.mentions(r#""status":"ACTIVE""#));
            json(&json!({"families": ["worker"]}))
        }
        "ecs:DescribeTaskDefinition" => {
            let revision = if request.mentions("worker:2") { 2 } else { 3 };
            json(
                &json!({"taskDefinition": {"taskDefinitionArn": definition(revision),
                "taskRoleArn": format!("{ROLE}task-{revision}"), "executionRoleArn": format!("{ROLE}execution")}}),
            )
        }
        "ecs:ListClusters" => json(&json!({"clusterArns": [arn("ecs", "cluster/main")]})),
        "ecs:ListServices" => {
            json(&json!({"serviceArns": [service, arn("ecs", "service/main/gone")]}))
        }
        "ecs:DescribeServices" => json(&json!({
            "services": [{"serviceArn": service, "taskDefinition": definition(3),
                "deployments": [{"taskDefinition": definition(3)}, {"taskDefinition": definition(2)}]}],
            "failures": [{"arn": arn("ecs", "service/main/gone"), "reason": "MISSING"}]})),
        "eks:ListClusters" => json(&json!({"clusters": ["main"]})),
        "eks:ListPodIdentityAssociations" => {
            json(&json!({"associations": [{"associationId": association}]}))
        }
        "eks:DescribePodIdentityAssociation" => json(&json!({"association": {
            "associationArn": arn("eks", "podidentityassociation/main/a-1"), "associationId": association,
            "roleArn": format!("{ROLE}pod"), "namespace": "shop", "serviceAccount": "cart"}})),
        _ => return None,
    })
}

fn senders(request: &Request) -> Option<Answer> {
    let machine = arn("states", "stateMachine:flow");
    Some(match request.call().as_str() {
        "states:ListStateMachines" => json(&json!({"stateMachines": [
            {"stateMachineArn": machine, "name": "flow", "type": "STANDARD", "creationDate": 1}]})),
        "states:DescribeStateMachine" => {
            let send = |parameters: Value| json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": parameters});
            let definition = json!({"StartAt": "a", "States": {
                "a": send(json!({"QueueUrl": url("orders"), "MessageBody": "do-not-keep-this"})),
                "b": send(json!({"QueueUrl.$": "$.queue"})),
                "c": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f:live"}},
                "d": {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "Parameters": {"Entries": [{}]}},
                "e": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution",
                    "Parameters": {"StateMachineArn": format!("{machine}:alias")}},
                "f": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": {"TopicArn": arn("sns", "news")},
                    "Credentials": {"RoleArn": format!("{ROLE}publisher")}},
            }});
            json(
                &json!({"stateMachineArn": machine, "name": "flow", "type": "STANDARD", "creationDate": 1,
                "roleArn": format!("{ROLE}flow"), "definition": definition.to_string()}),
            )
        }
        "glue:GetCrawlers" => json(&json!({"Crawlers": [
            {"Name": "lake", "Role": "crawler", "Targets": {"S3Targets": [{"Path": "s3://lake",
                "EventQueueArn": arn("sqs", "orders"), "DlqEventQueueArn": arn("sqs", "dead")}]}},
            {"Name": "plain", "Role": "crawler", "Targets": {"S3Targets": [{"Path": "s3://plain"}]}}]})),
        "apigateway:GetRestApis" => json(&json!({"item": [{"id": "rest"}]})),
        "apigateway:GetResources" => {
            assert!(request.mentions("embed=methods"));
            let integration = |credentials: &str| {
                json!({"methodIntegration": {"type": "AWS", "credentials": credentials,
                    "uri": format!("arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/orders"),
                    "requestTemplates": {"application/json": "Action=SendMessage&MessageBody=$input.body"}}})
            };
            json(
                &json!({"item": [{"id": "r1", "path": "/", "resourceMethods": {
                "POST": integration(&format!("{ROLE}api")), "PUT": integration("arn:aws:iam::*:user/*"), "GET": {}}},
                {"id": "r2", "path": "/orders/{id}", "resourceMethods": {
                    "ANY": {"methodIntegration": {"type": "AWS_PROXY", "uri": format!(
                        "arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{}/invocations",
                        arn("lambda", "function:f:live"))}},
                    "GET": {"methodIntegration": {"type": "AWS", "credentials": format!("{ROLE}api"),
                        "uri": format!("arn:aws:apigateway:{REGION}:states:action/StartExecution"),
                        "requestTemplates": {"application/json": json!({"stateMachineArn": machine}).to_string()}}}}}]}),
            )
        }
        "apigateway:GetApis" => json(&json!({"items": [{"apiId": "http"}]})),
        "apigateway:GetIntegrations" => json(&json!({"items": [
            {"integrationId": "i1", "integrationType": "AWS_PROXY",
            "integrationSubtype": "SQS-SendMessage", "credentialsArn": format!("{ROLE}api"),
            "requestParameters": {"QueueUrl": url("dead"), "MessageBody": "$request.body"}},
            {"integrationId": "i2", "integrationType": "AWS_PROXY", "integrationUri": arn("lambda", "function:f")},
            {"integrationId": "i3", "integrationType": "AWS_PROXY",
            "integrationSubtype": "EventBridge-PutEvents", "credentialsArn": format!("{ROLE}api"),
            "requestParameters": {"Detail": "$request.body", "EventBusName": "shop"}}]})),
        "iot:ListTopicRules" => json(&json!({"rules": [{"ruleName": "sensors"}]})),
        "iot:GetTopicRule" => json(&json!({"ruleArn": arn("iot", "rule/sensors"), "rule": {
            "ruleName": "sensors", "ruleDisabled": true,
            "actions": [
                {"sqs": {"roleArn": format!("{ROLE}iot"), "queueUrl": url("orders")}},
                {"lambda": {"functionArn": arn("lambda", "function:f:live")}},
                {"kinesis": {"roleArn": format!("{ROLE}iot"), "streamName": "s"}}],
            "errorAction": {"sns": {"roleArn": format!("{ROLE}iot"), "targetArn": arn("sns", "errors")}}}})),
        _ => return None,
    })
}

fn kind<T: serde::Serialize>(kind: &T) -> String {
    serde_json::to_value(kind)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

/// Each workload as `kind name as role`.
fn workloads(account: &Account) -> Vec<String> {
    let short = |arn: &str| arn.splitn(6, ':').last().unwrap().to_owned();
    account
        .workloads
        .iter()
        .map(|workload| {
            let (arn, role) = (
                short(workload.arn.as_str()),
                short(workload.runs_as.as_str()),
            );
            format!("{} {arn} as {role}", kind(&workload.kind))
        })
        .collect()
}

/// Each delivery as `kind: from -> to as sender`.
fn deliveries(account: &Account) -> Vec<String> {
    let short = |arn: &patscan::arn::Arn| format!("{}/{}", arn.service(), arn.resource());
    account
        .deliveries
        .iter()
        .map(|delivery| {
            let Delivery {
                from, to, sender, ..
            } = delivery;
            let sender = match sender {
                Sender::Role(role) => role.name().to_owned(),
                Sender::Service { name, source } => format!("{name} for {}", short(source)),
                Sender::Internal => "nobody".to_owned(),
            };
            let from = from.as_ref().map_or_else(|| "outside".to_owned(), short);
            format!(
                "{}: {from} -> {} as {sender}",
                kind(&delivery.kind),
                short(to)
            )
        })
        .collect()
}

#[tokio::test]
async fn workloads_and_senders_are_read_with_their_roles() {
    let aws = Canned::start(one_of_each);
    let account = scan(&aws).await.unwrap();
    assert_eq!(
        workloads(&account),
        [
            // A profile that is named without its path gets it from the account's own.
            "auto-scaling-group autoScalingGroup:1:autoScalingGroupName/mixed as instance-profile/fleet/web",
            "auto-scaling-group autoScalingGroup:2:autoScalingGroupName/old as instance-profile/elsewhere",
            "task task-definition/worker:3 as role/task-3",
            "ecs-service service/main/worker as role/task-2",
            "ecs-service service/main/worker as role/task-3",
            "pod-identity podidentityassociation/main/a-1 as role/pod",
            "state-machine stateMachine:flow as role/flow",
            "crawler crawler/lake as role/fleet/crawler",
        ]
    );
    assert_eq!(
        deliveries(&account),
        [
            "task: states/stateMachine:flow -> events/event-bus/default as flow",
            "task: states/stateMachine:flow -> lambda/function:f as flow",
            "task: states/stateMachine:flow -> sns/news as publisher",
            "task: states/stateMachine:flow -> sqs/orders as flow",
            "task: states/stateMachine:flow -> states/stateMachine:flow as flow",
            "integration: outside -> sqs/dead as api",
            "integration: outside -> lambda/function:f as apigateway.amazonaws.com for execute-api/http/*",
            "integration: outside -> events/event-bus/shop as api",
            "integration: outside -> sqs/orders as api",
            "integration: outside -> lambda/function:f:live as apigateway.amazonaws.com for execute-api/rest/*/*/orders/*",
            "integration: outside -> states/stateMachine:flow as api",
            "iot-rule: outside -> lambda/function:f:live as iot.amazonaws.com for iot/rule/sensors",
            "iot-rule: outside -> sns/errors as iot",
            "iot-rule: outside -> sqs/orders as iot",
            "lifecycle-hook: outside -> sqs/orders as hook",
            "move-task: sqs/dead -> sqs/orders as nobody",
            "crawler: sqs/dead -> glue/crawler/lake as crawler",
            "crawler: sqs/orders -> glue/crawler/lake as crawler",
        ]
    );
    for delivery in &account.deliveries {
        let of_rule = delivery.configured_by.as_str() == arn("iot", "rule/sensors");
        assert_eq!(delivery.enabled, !of_rule, "{delivery:?}");
        assert_eq!(
            delivery.failures_only,
            delivery.to.name() == "errors",
            "{delivery:?}"
        );
    }
    let integrations: BTreeSet<_> = account
        .deliveries
        .iter()
        .map(|delivery| delivery.configured_by.as_str())
        .filter(|arn| arn.contains("apigateway"))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        integrations.into_iter().collect::<Vec<_>>(),
        [
            "/apis/http/integrations/i1",
            "/apis/http/integrations/i2",
            "/apis/http/integrations/i3",
            "/restapis/rest/resources/r1/methods/POST/integration",
            "/restapis/rest/resources/r2/methods/ANY/integration",
            "/restapis/rest/resources/r2/methods/GET/integration",
        ]
        .map(|path| format!("arn:aws:apigateway:{REGION}::{path}"))
    );
    assert_eq!(account.coverage.gaps, []);
    let notes: Vec<_> = account
        .coverage
        .notes
        .iter()
        .map(|note| (note.resource.as_deref(), note.detail.as_str()))
        .collect();
    let gone = arn("ecs", "service/main/gone");
    assert_eq!(
        notes,
        [
            (
                None,
                "launch template lt-gone of an Auto Scaling group does not exist in version $Default"
            ),
            (Some(gone.as_str()), "it was deleted while the scan ran"),
        ]
    );
    assert!(
        !serde_json::to_string(&account)
            .unwrap()
            .contains("do-not-keep-this")
    );
}

/// The calls that are made only where there are queues.
fn around_queues() -> Vec<&'static Call> {
    let first = |call: &&Call| call.operation != "ListMessageMoveTasks";
    let around = |call: &&Call| call.service != "sns";
    CALLS.iter().skip_while(first).take_while(around).collect()
}

#[tokio::test]
async fn a_region_without_queues_is_asked_for_nothing_around_them() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "sqs:ListQueues" => None,
        _ => one_of_each(request),
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!((account.workloads, account.deliveries), (vec![], vec![]));
    for call in around_queues() {
        assert_eq!(
            aws.count(&format!("{}:{}", call.service, call.operation)),
            0
        );
    }
}

#[tokio::test]
async fn each_refusal_around_queues_is_a_gap_that_may_hide() {
    for call in around_queues() {
        let name = format!("{}:{}", call.service, call.operation);
        let refused = name.clone();
        let aws = Canned::start(move |request| {
            if request.call() == refused {
                Some(Answer::denied(request))
            } else {
                one_of_each(request)
            }
        });
        let account = scan(&aws).await.unwrap();
        assert!(!account.coverage.is_complete(), "{name}");
        for gap in gaps(&account) {
            assert_eq!(
                (gap.service.as_str(), gap.operation.as_str()),
                (call.service, call.operation)
            );
            assert_eq!(gap.region.as_deref(), Some(REGION));
            let advice = format!("allow {}", call.iam_action.unwrap());
            assert!(gap.detail.ends_with(&advice), "{gap:?}");
        }
        assert_eq!(
            aws.count(&name),
            gaps(&account).len(),
            "a refusal is not retried: {name}"
        );
    }
}

/// What a region is asked first of each service that it may lack, and what that would have told.
const FIRST_QUESTIONS: [(&str, &str); 9] = [
    ("apigateway:GetApis", "HTTP and WebSocket APIs"),
    ("apigateway:GetRestApis", "REST APIs"),
    (
        "autoscaling:DescribeAutoScalingGroups",
        "Auto Scaling groups",
    ),
    ("ecs:ListClusters", "ECS clusters"),
    ("ecs:ListTaskDefinitionFamilies", "task definitions"),
    ("eks:ListClusters", "EKS clusters"),
    ("glue:GetCrawlers", "crawlers"),
    ("iot:ListTopicRules", "IoT rules"),
    ("states:ListStateMachines", "state machines"),
];

#[tokio::test]
async fn a_region_that_lacks_a_service_is_noted_and_hides_nothing() {
    for (call, what) in FIRST_QUESTIONS {
        let service = call.split(':').next().unwrap();
        let aws = Canned::start(move |request| {
            if request.call() == call {
                Some(Answer::error(request, 400, "UnknownOperationException"))
            } else {
                one_of_each(request)
            }
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.coverage.gaps, []);
        let notes: Vec<_> = account
            .coverage
            .notes
            .iter()
            .filter(|note| {
                note.detail
                    .starts_with(&format!("{what} are not offered in {REGION}: "))
            })
            .map(|note| (note.service.as_str(), note.region.as_deref()))
            .collect();
        assert_eq!(notes, [(service, Some(REGION))]);
    }
    // What already named something of its own is there to be asked.
    for call in around_queues() {
        let name = format!("{}:{}", call.service, call.operation);
        if FIRST_QUESTIONS.iter().any(|(first, _)| *first == name) {
            continue;
        }
        let unknown = name.clone();
        let aws = Canned::start(move |request| {
            if request.call() == unknown {
                Some(Answer::error(request, 400, "UnknownOperationException"))
            } else {
                one_of_each(request)
            }
        });
        assert!(!scan(&aws).await.unwrap().coverage.is_complete(), "{name}");
    }
}

#[tokio::test]
async fn what_around_queues_is_deleted_while_the_scan_runs_is_noted_and_hides_nothing() {
    for (call, code) in [
        ("states:DescribeStateMachine", "StateMachineDoesNotExist"),
        ("ecs:ListServices", "ClusterNotFoundException"),
        ("ecs:DescribeServices", "ClusterNotFoundException"),
        (
            "eks:ListPodIdentityAssociations",
            "ResourceNotFoundException",
        ),
        (
            "eks:DescribePodIdentityAssociation",
            "ResourceNotFoundException",
        ),
        ("apigateway:GetResources", "NotFoundException"),
        ("apigateway:GetIntegrations", "NotFoundException"),
        ("iot:GetTopicRule", "ResourceNotFoundException"),
        ("sqs:ListMessageMoveTasks", "ResourceNotFoundException"),
    ] {
        let aws = Canned::start(move |request| {
            if request.call() == call {
                Some(Answer::error(request, 400, code))
            } else {
                one_of_each(request)
            }
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.coverage.gaps, [], "{call}");
        let service = call.split(':').next().unwrap();
        let noted = account.coverage.notes.iter().any(|note| {
            note.service == service
                && note.resource.as_deref() != Some(arn("ecs", "service/main/gone").as_str())
                && note.detail == "it was deleted while the scan ran"
        });
        assert!(noted, "{call}: {:?}", account.coverage.notes);
    }
}

/// Answers a list in two pages, the first of them empty: what comes on the second would be lost to who stops early.
fn late(request: &Request, token: &'static str) -> Option<Answer> {
    if request.mentions(LATER) {
        return one_of_each(request);
    }
    if token.starts_with('<') {
        let (open, close) = (token, token.replace('<', "</"));
        return Some(if request.service == "ec2" {
            Answer::ok(format!(
                "<{0}Response>{open}{LATER}{close}</{0}Response>",
                request.operation
            ))
        } else {
            xml(request, &format!("{open}{LATER}{close}"))
        });
    }
    Some(json(&json!({ token: LATER, "stateMachines": [] })))
}

#[tokio::test]
async fn every_list_around_queues_is_read_to_its_last_page() {
    let whole = {
        let aws = Canned::start(one_of_each);
        let mut account = scan(&aws).await.unwrap();
        account.coverage.notes.clear();
        (account.workloads, account.deliveries)
    };
    for (call, token) in [
        ("states:ListStateMachines", "nextToken"),
        ("autoscaling:DescribeAutoScalingGroups", "<NextToken>"),
        ("autoscaling:DescribeLaunchConfigurations", "<NextToken>"),
        ("ec2:DescribeLaunchTemplateVersions", "<nextToken>"),
        ("ecs:ListTaskDefinitionFamilies", "nextToken"),
        ("ecs:ListClusters", "nextToken"),
        ("ecs:ListServices", "nextToken"),
        ("eks:ListClusters", "nextToken"),
        ("eks:ListPodIdentityAssociations", "nextToken"),
        ("apigateway:GetRestApis", "position"),
        ("apigateway:GetResources", "position"),
        ("apigateway:GetApis", "nextToken"),
        ("apigateway:GetIntegrations", "nextToken"),
        ("glue:GetCrawlers", "NextToken"),
        ("iot:ListTopicRules", "nextToken"),
    ] {
        let aws = Canned::start(move |request| {
            if request.call() == call {
                late(request, token)
            } else {
                one_of_each(request)
            }
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.coverage.gaps, [], "{call}");
        assert_eq!((account.workloads, account.deliveries), whole, "{call}");
        assert!(aws.count(call) >= 2, "{call}");
    }
}

#[tokio::test]
async fn each_service_around_queues_can_be_skipped() {
    let of_services = [
        (Skippable::ApiGateway, "apigateway"),
        (Skippable::AutoScaling, "autoscaling"),
        (Skippable::Ecs, "ecs"),
        (Skippable::Eks, "eks"),
        (Skippable::Glue, "glue"),
        (Skippable::Iot, "iot"),
        (Skippable::States, "states"),
    ];
    for (skipped, service) in of_services {
        assert_eq!(skipped.as_str(), service);
        let aws = Canned::start(one_of_each);
        let mut options = options(aws.url(), &[REGION]).await;
        options.skip.insert(skipped);
        let account = collect(&options, &()).await.unwrap();
        assert_eq!(account.coverage.skipped, [service]);
        for (_, other) in of_services {
            let called = aws
                .received()
                .iter()
                .any(|request| request.service == other);
            assert_eq!(
                called,
                other != service,
                "{other} while {service} is skipped"
            );
        }
        let templates = aws.count("ec2:DescribeLaunchTemplateVersions");
        assert_eq!(templates == 0, skipped == Skippable::AutoScaling);
    }
}

#[tokio::test]
async fn a_state_machine_whose_definition_is_encrypted_keeps_its_role() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeStateMachine" if request.mentions("METADATA_ONLY") => Some(json(
            &json!({"stateMachineArn": arn("states", "stateMachine:flow"), "name": "flow", "type": "STANDARD",
                "creationDate": 1, "roleArn": format!("{ROLE}flow")}),
        )),
        "DescribeStateMachine" => Some(Answer::error(request, 400, "KmsAccessDeniedException")),
        _ => queues(request).or_else(|| senders(request)),
    });
    let account = scan(&aws).await.unwrap();
    assert!(
        workloads(&account).contains(&"state-machine stateMachine:flow as role/flow".to_owned())
    );
    assert!(
        !deliveries(&account)
            .iter()
            .any(|delivery| delivery.starts_with("task"))
    );
    let gaps = gaps(&account);
    let [gap] = gaps.as_slice() else {
        panic!("{gaps:?}");
    };
    assert_eq!(gap.error, "KmsAccessDeniedException");
    assert_eq!(
        gap.resource.as_deref(),
        Some(arn("states", "stateMachine:flow").as_str())
    );
    assert!(gap.detail.contains("allow kms:Decrypt"), "{gap:?}");
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_is_a_gap() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeStateMachine" => Some(json(
            &json!({"stateMachineArn": arn("states", "stateMachine:flow"), "name": "flow", "type": "STANDARD",
                "creationDate": 1, "roleArn": format!("{ROLE}flow"), "definition": "[".repeat(10_000)}),
        )),
        _ => queues(request).or_else(|| senders(request)),
    });
    let account = scan(&aws).await.unwrap();
    assert!(
        workloads(&account).contains(&"state-machine stateMachine:flow as role/flow".to_owned())
    );
    let gaps = gaps(&account);
    let [gap] = gaps.as_slice() else {
        panic!("{gaps:?}");
    };
    assert_eq!(
        (gap.operation.as_str(), gap.error.as_str()),
        ("DescribeStateMachine", "MalformedResponse")
    );
    assert!(
        gap.detail.starts_with("tasks of"),
        "the role is known: {gap:?}"
    );
}

/// The pod identity of an association with something more said of it.
async fn pod(more: Value) -> (String, Vec<Tag>, usize) {
    let aws = Canned::start(move |request| match request.operation.as_str() {
        "DescribePodIdentityAssociation" => {
            let mut association = json!({"associationArn": arn("eks", "podidentityassociation/main/a-1"),
                "roleArn": format!("{ROLE}pod"), "namespace": "shop", "serviceAccount": "cart"});
            let fields = association.as_object_mut().unwrap();
            fields.extend(more.as_object().unwrap().clone());
            Some(json(&json!({ "association": association })))
        }
        _ => queues(request).or_else(|| containers(request)),
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.coverage.gaps, []);
    let kind_of = |kind_of: &&patscan::account::Workload| kind(&kind_of.kind) == "pod-identity";
    let pod = account.workloads.iter().find(kind_of).unwrap().clone();
    let notes = account.coverage.notes.iter();
    (
        pod.runs_as.name().to_owned(),
        pod.session_tags,
        notes.filter(|note| note.service == "eks").count(),
    )
}

#[tokio::test]
async fn pods_carry_the_tags_of_their_association_and_may_get_a_target_role() {
    let tags = [
        ("eks-cluster-arn", arn("eks", "cluster/main")),
        ("eks-cluster-name", "main".to_owned()),
        ("kubernetes-namespace", "shop".to_owned()),
        ("kubernetes-service-account", "cart".to_owned()),
    ]
    .map(|(key, value)| Tag {
        key: key.to_owned(),
        value,
    })
    .to_vec();
    assert_eq!(pod(json!({})).await, ("pod".to_owned(), tags.clone(), 0));
    assert_eq!(
        pod(json!({"disableSessionTags": true})).await,
        ("pod".to_owned(), vec![], 0)
    );
    let target = json!({"targetRoleArn": "arn:aws:iam::210987654321:role/there"});
    assert_eq!(pod(target).await, ("there".to_owned(), tags.clone(), 0));
    // What a session policy takes away is not known.
    assert_eq!(
        pod(json!({"policy": "{}"})).await,
        ("pod".to_owned(), tags, 1)
    );
}

#[tokio::test]
async fn a_move_task_goes_where_it_was_sent() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListMessageMoveTasks" => Some(json(&json!({"Results": [
            {"Status": "RUNNING", "SourceArn": arn("sqs", "dead"), "DestinationArn": arn("sqs", "elsewhere")}]}))),
        _ => queues(request),
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(
        deliveries(&account),
        ["move-task: sqs/dead -> sqs/elsewhere as nobody"]
    );
    assert_eq!(aws.count("sqs:ListMessageMoveTasks"), 1);
}

#[tokio::test]
async fn an_emulator_with_state_tells_the_same_story() {
    let moto = Moto::start();
    moto.seed("around.py");
    let regions = ["eu-west-1", "us-east-1"];
    let account = collect(&options(&moto.url(), &regions).await, &())
        .await
        .unwrap();
    let found: Vec<_> = account
        .workloads
        .iter()
        .map(|workload| {
            assert_eq!(
                workload.arn.region(),
                REGION,
                "the other region has no queue"
            );
            assert!(
                workload.runs_as.resource().contains("/around/"),
                "{workload:?}"
            );
            (
                kind(&workload.kind),
                workload.arn.name(),
                workload.runs_as.name(),
            )
        })
        .map(|(kind, name, role)| format!("{kind} {name} as {role}"))
        .collect();
    let (mut groups, others): (Vec<String>, Vec<String>) = found
        .into_iter()
        .partition(|found| found.starts_with("auto-scaling-group"));
    // Their ARNs are random.
    groups.sort();
    assert_eq!(
        groups,
        [
            "auto-scaling-group old as web",
            "auto-scaling-group web as web"
        ]
    );
    assert_eq!(
        others,
        [
            "task worker:2 as worker-2",
            "ecs-service worker as worker-1",
            "state-machine stateMachine:flow as flow",
            "crawler lake as crawler",
        ]
    );
    assert_eq!(
        deliveries(&account),
        [
            "task: states/stateMachine:flow -> sqs/orders as flow",
            "integration: outside -> sqs/orders as api",
            "integration: outside -> sqs/orders as api",
            "iot-rule: outside -> sqs/orders as iot",
            "lifecycle-hook: outside -> sqs/my-queue as my-auto-scaling-role",
            "crawler: sqs/orders -> glue/crawler/lake as crawler",
        ]
    );
    assert_eq!(account.coverage.gaps, []);
    assert_eq!(account.coverage.notes, []);
}
