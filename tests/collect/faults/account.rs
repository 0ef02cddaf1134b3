//! A small account in which every call of the table has to be made, with something to lose behind each.
//!
//! Two regions hold the same things under their own names. Lists come in two pages where AWS pages them.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use patscan::collect::Options;
use serde_json::{Value, json};

use super::super::{around, attributes, encoded, organization, policy, policy_version};
use super::{FIRST, SECOND};
use crate::emulator::{ACCOUNT, Answer, Memory, Request, options_with};

/// Where no server is.
const NOWHERE: &str = "http://aws.invalid";
const LATER: &str = "second-page";

/// The answers of the account.
pub(super) fn answers(request: &Request) -> Option<Answer> {
    let is_global = ["iam", "organizations", "s3", "sts"].contains(&request.service.as_str());
    if is_global || request.region == FIRST {
        return of_first_region(request);
    }
    if request.region != SECOND {
        return elsewhere(request);
    }
    let translated = Request {
        region: FIRST.to_owned(),
        path: request.path.replace(SECOND, FIRST),
        input: request.input.replace(SECOND, FIRST),
        ..request.clone()
    };
    let mut answer =
        of_first_region(&translated).unwrap_or_else(|| Answer::of_empty_account(&translated));
    answer.replace(FIRST, SECOND);
    Some(answer)
}

/// Regions without queues; the list of regions comes from one.
fn elsewhere(request: &Request) -> Option<Answer> {
    (request.operation == "DescribeRegions").then(|| {
        let item = |region: &str| {
            format!(
                "<item><regionName>{region}</regionName><optInStatus>opted-in</optInStatus></item>"
            )
        };
        let items: String = ["us-east-1", FIRST, SECOND].map(item).concat();
        Answer::ok(format!(
            "<DescribeRegionsResponse><regionInfo>{items}</regionInfo></DescribeRegionsResponse>"
        ))
    })
}

fn of_first_region(request: &Request) -> Option<Answer> {
    identities(request)
        .or_else(|| queues(request))
        .or_else(|| messaging(request))
        .or_else(|| functions(request))
        .or_else(|| buckets(request))
        .or_else(|| match request.service.as_str() {
            // Control policies that let everyone do everything: what they are told to hide would not be missed.
            "organizations" if request.operation == "DescribePolicy" => json(&json!({"Policy": {
                "PolicySummary": {"Id": "p-any"}, "Content": allow("*", "*")}})),
            "organizations" => organization::of_member(request),
            _ => around::one_of_each(request),
        })
}

#[expect(clippy::unnecessary_wraps, reason = "as plans have it")]
fn json(value: &Value) -> Option<Answer> {
    Some(Answer::ok(value.to_string()))
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{FIRST}:{ACCOUNT}:{resource}")
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/fleet/{name}")
}

/// The token of the second page, on the first.
fn later(request: &Request) -> Option<&'static str> {
    (!request.mentions(LATER)).then_some(LATER)
}

/// Whether this is the first page or the second.
fn number(request: &Request) -> usize {
    if request.mentions(LATER) { 2 } else { 1 }
}

fn allow(actions: &str, resource: &str) -> String {
    json!({"Statement": {"Effect": "Allow", "Action": actions, "Resource": resource}}).to_string()
}

fn inline(list: &str, document: &str) -> String {
    let document = encoded(document);
    format!(
        "<{list}><member><PolicyName>own</PolicyName><PolicyDocument>{document}</PolicyDocument></member></{list}>"
    )
}

fn identities(request: &Request) -> Option<Answer> {
    Some(match request.call().as_str() {
        "iam:GetAccountAuthorizationDetails" => {
            let page = if number(request) == 1 {
                first_identities()
            } else {
                second_identities()
            };
            Answer::authorization_details(&page, later(request))
        }
        "iam:GetPolicy" => policy("v3"),
        "iam:GetPolicyVersion" => policy_version(&allow("sqs:ReceiveMessage", "*")),
        "iam:ListAccessKeys" => {
            let day = ["2024-05-06", "2025-07-08"][number(request) - 1];
            Answer::access_keys(&[("Active", day)], later(request))
        }
        _ => return None,
    })
}

fn first_identities() -> String {
    let trust = encoded(
        r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
    );
    // Whoever sends to a queue that its own function polls feeds itself.
    let worker = inline("RolePolicyList", &allow("sqs:*", "*"));
    format!(
        "<UserDetailList><member><UserName>alice</UserName><UserId>AIDA</UserId>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/alice</Arn>{}\
         <AttachedManagedPolicies><member><PolicyArn>arn:aws:iam::aws:policy/Elsewhere</PolicyArn></member></AttachedManagedPolicies>\
         </member></UserDetailList>\
         <RoleDetailList><member><RoleName>worker</RoleName><RoleId>AROA</RoleId><Arn>{}</Arn>\
         <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>{worker}</member>\
         <member><RoleName>web</RoleName><RoleId>AROB</RoleId><Arn>{}</Arn>\
         <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>\
         <InstanceProfileList><member><Arn>arn:aws:iam::{ACCOUNT}:instance-profile/fleet/web</Arn></member></InstanceProfileList>\
         </member></RoleDetailList>",
        inline("UserPolicyList", &allow("sqs:SendMessage", "*")),
        role("worker"),
        role("web"),
    )
}

fn second_identities() -> String {
    let own = encoded(
        &json!({"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}}})
        .to_string(),
    );
    format!(
        "<GroupDetailList><member><GroupName>operators</GroupName><Arn>arn:aws:iam::{ACCOUNT}:group/operators</Arn>\
         <AttachedManagedPolicies><member><PolicyArn>arn:aws:iam::{ACCOUNT}:policy/own</PolicyArn></member></AttachedManagedPolicies>\
         </member></GroupDetailList>\
         <RoleDetailList><member><RoleName>crawler</RoleName><RoleId>AROC</RoleId><Arn>{}</Arn>\
         <AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument>{}</member></RoleDetailList>\
         <Policies><member><Arn>arn:aws:iam::{ACCOUNT}:policy/own</Arn><DefaultVersionId>v2</DefaultVersionId>\
         <PolicyVersionList><member><Document>{own}</Document><VersionId>v2</VersionId>\
         <IsDefaultVersion>true</IsDefaultVersion></member></PolicyVersionList></member></Policies>",
        role("crawler"),
        inline("RolePolicyList", &allow("sqs:SendMessage", "*")),
    )
}

fn queues(request: &Request) -> Option<Answer> {
    let key = arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab");
    match request.call().as_str() {
        "sqs:ListQueues" => {
            let name = ["dead", "orders"][number(request) - 1];
            let url = format!("https://sqs.{FIRST}.amazonaws.com/{ACCOUNT}/{name}");
            json(&json!({"QueueUrls": [url], "NextToken": later(request)}))
        }
        "sqs:GetQueueAttributes" if request.mentions("/orders") => {
            let open = json!({"Statement": {"Effect": "Allow", "Principal": "*",
                "Action": "sqs:SendMessage", "Resource": arn("sqs", "orders")}});
            Some(attributes(
                "orders",
                json!({
                    "KmsMasterKeyId": "alias/orders",
                    "Policy": open.to_string(),
                    "RedrivePolicy": json!({"deadLetterTargetArn": arn("sqs", "dead"), "maxReceiveCount": 3}).to_string(),
                }),
            ))
        }
        "sqs:ListQueueTags" => json(&json!({"Tags": {"team": "a"}})),
        "kms:DescribeKey" => json(&json!({"KeyMetadata": {"Arn": key,
            "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "KeyManager": "CUSTOMER", "KeyState": "Enabled"}})),
        "kms:GetKeyPolicy" => {
            let policy = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
                "Action": "kms:*", "Resource": "*"}});
            json(&json!({"Policy": policy.to_string()}))
        }
        "kms:ListGrants" => json(&json!({
            "Truncated": later(request).is_some(), "NextMarker": later(request),
            "Grants": [{"GrantId": format!("g{}", number(request)), "GranteePrincipal": role("worker"),
                "Operations": ["Decrypt"]}]})),
        "kms:ListAliases" => json(&json!({
            "Truncated": later(request).is_some(), "NextMarker": later(request),
            "Aliases": [{"AliasName": format!("alias/{}", ["orders", "also-orders"][number(request) - 1]),
                "TargetKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}]})),
        _ => None,
    }
}

fn functions(request: &Request) -> Option<Answer> {
    let name = ["f", "g"][number(request) - 1];
    let function = arn("lambda", &format!("function:{name}"));
    match request.call().as_str() {
        "lambda:ListFunctions" => json(&json!({"NextMarker": later(request), "Functions": [{
            "FunctionName": name, "FunctionArn": function, "Role": role("worker"),
            "DeadLetterConfig": {"TargetArn": arn("sqs", "dead")}}]})),
        "lambda:ListEventSourceMappings" => json(
            &json!({"NextMarker": later(request), "EventSourceMappings": [{
            "UUID": format!("{FIRST}-{name}"), "FunctionArn": function, "State": "Enabled",
            "EventSourceArn": arn("sqs", "orders"),
            "DestinationConfig": {"OnFailure": {"Destination": arn("sqs", "dead")}}}]}),
        ),
        "lambda:ListFunctionEventInvokeConfigs" => json(&json!({"FunctionEventInvokeConfigs": [{
            "FunctionArn": arn("lambda", if request.mentions("g/event-invoke") { "function:g" } else { "function:f" }),
            "DestinationConfig": {"OnSuccess": {"Destination": arn("sqs", "orders")}}}]})),
        "lambda:GetPolicy" => json(&json!({"Policy": json!({"Statement": {"Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"}, "Action": "lambda:InvokeFunction", "Resource": function}})
            .to_string()})),
        "ec2:DescribeInstances" => Some(Answer::ok(format!(
            "<DescribeInstancesResponse><reservationSet><item><ownerId>{ACCOUNT}</ownerId><instancesSet><item>\
             <instanceId>i-{name}</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
             <iamInstanceProfile><arn>arn:aws:iam::{ACCOUNT}:instance-profile/fleet/web</arn></iamInstanceProfile>\
             </item></instancesSet></item></reservationSet>{}</DescribeInstancesResponse>",
            later(request).map_or(String::new(), |token| format!(
                "<nextToken>{token}</nextToken>"
            ))
        ))),
        _ => None,
    }
}

fn messaging(request: &Request) -> Option<Answer> {
    let next = later(request);
    let name = format!("n{}", number(request));
    let element = |tag: &str| next.map_or(String::new(), |token| format!("<{tag}>{token}</{tag}>"));
    match request.call().as_str() {
        "sns:ListSubscriptions" => {
            let topic = arn("sns", &name);
            let to = if number(request) == 1 {
                ("sqs", arn("sqs", "orders"))
            } else {
                ("lambda", arn("lambda", "function:f"))
            };
            Some(Answer::ok(format!(
                "<ListSubscriptionsResponse><ListSubscriptionsResult>{}<Subscriptions><member>\
                 <SubscriptionArn>{topic}:1</SubscriptionArn><Owner>{ACCOUNT}</Owner><Protocol>{}</Protocol>\
                 <Endpoint>{}</Endpoint><TopicArn>{topic}</TopicArn>\
                 </member></Subscriptions></ListSubscriptionsResult></ListSubscriptionsResponse>",
                element("NextToken"),
                to.0,
                to.1
            )))
        }
        "sns:GetSubscriptionAttributes" => {
            let redrive = json!({"deadLetterTargetArn": arn("sqs", "dead")}).to_string();
            Some(super::super::messaging::sns_attributes(
                "GetSubscriptionAttributes",
                &[
                    ("RedrivePolicy", &redrive),
                    ("FilterPolicy", r#"{"a":["b"]}"#),
                ],
            ))
        }
        "sns:GetTopicAttributes" => Some(super::super::messaging::sns_attributes(
            "GetTopicAttributes",
            &[(
                "Policy",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sns:Publish","Resource":"*"}}"#,
            )],
        )),
        "events:ListEventBuses" => json(&json!({"NextToken": next, "EventBuses": [
            {"Name": name, "Arn": arn("events", &format!("event-bus/{name}"))}]})),
        "events:DescribeEventBus" => {
            json(&json!({"DeadLetterConfig": {"Arn": arn("sqs", "dead")}}))
        }
        "events:ListRules" => {
            let bus = if request.mentions(r#""n1""#) {
                "n1"
            } else {
                "n2"
            };
            json(&json!({"NextToken": next, "Rules": [
                {"Name": name, "Arn": arn("events", &format!("rule/{bus}/{name}")), "EventPattern": "{}", "State": "ENABLED"}]}))
        }
        "events:ListTargetsByRule" => json(&json!({"NextToken": next, "Targets": [
            {"Id": "1", "Arn": arn("sqs", ["orders", "dead"][number(request) - 1])}]})),
        "pipes:ListPipes" => json(&json!({"NextToken": next, "Pipes": [
            {"Name": name, "Arn": arn("pipes", &format!("pipe/{name}")), "Source": arn("sqs", "orders")}]})),
        "pipes:DescribePipe" => json(
            &json!({"RoleArn": role("worker"), "Source": arn("sqs", "orders"),
            "Target": arn("sqs", "dead"), "DesiredState": "RUNNING"}),
        ),
        "scheduler:ListSchedules" => json(&json!({"NextToken": next, "Schedules": [
            {"Name": name, "GroupName": "g", "Arn": arn("scheduler", &format!("schedule/g/{name}")),
             "Target": {"Arn": arn("sqs", "orders")}}]})),
        "scheduler:GetSchedule" => {
            json(&json!({"Target": {"Arn": arn("sqs", "orders"), "RoleArn": role("worker")}}))
        }
        _ => None,
    }
}

fn buckets(request: &Request) -> Option<Answer> {
    match request.call().as_str() {
        "s3:ListBuckets" => {
            // The first bucket is one that S3 does not tell the region of.
            let (name, region) = match number(request) {
                1 => ("untold", String::new()),
                _ => ("told", format!("<BucketRegion>{FIRST}</BucketRegion>")),
            };
            let next = later(request).map_or(String::new(), |token| {
                format!("<ContinuationToken>{token}</ContinuationToken>")
            });
            Some(Answer::ok(format!(
                "<ListAllMyBucketsResult><Buckets><Bucket><Name>{name}</Name>{region}</Bucket></Buckets>{next}\
                 </ListAllMyBucketsResult>"
            )))
        }
        "s3:GetBucketLocation" => Some(Answer::ok("<LocationConstraint>EU</LocationConstraint>")),
        "s3:GetBucketNotificationConfiguration" => Some(Answer::ok(format!(
            "<NotificationConfiguration><QueueConfiguration><Id>1</Id><Queue>{}</Queue><Event>s3:ObjectCreated:*</Event>\
             </QueueConfiguration><TopicConfiguration><Id>2</Id><Topic>{}</Topic><Event>s3:ObjectCreated:*</Event>\
             </TopicConfiguration></NotificationConfiguration>",
            arn("sqs", "orders"),
            arn("sns", "n1")
        ))),
        "s3:GetBucketPolicy" => Some(Answer::ok(
            json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::untold/*"}})
            .to_string(),
        )),
        "s3:GetBucketEncryption" => Some(Answer::ok(format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
             <KMSMasterKeyID>{}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
            arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")
        ))),
        _ => None,
    }
}

/// Options for a scan of the account in memory, with the retries of a real one; no region means every one.
pub(super) async fn options(aws: &Memory, regions: &[&str]) -> Options {
    let mut options = options_with(aws.client(), NOWHERE, regions).await;
    let retry = RetryConfig::standard()
        .with_max_attempts(5)
        .with_initial_backoff(Duration::from_millis(300));
    let config = options.sdk_config.take().unwrap().into_builder();
    options.sdk_config = Some(config.retry_config(retry).build());
    options
}
