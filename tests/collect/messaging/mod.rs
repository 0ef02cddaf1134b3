//! What moves messages by itself: subscriptions, rules, notifications, pipes, schedules and destinations.

mod account;
mod asked;
mod failures;
mod services;

use std::collections::BTreeSet;

use patscan::account::{Account, Channel, Delivery, DeliveryKind, Sender};
use patscan::arn::Arn;
use serde_json::json;

use super::{REGION, queues_page};
use crate::emulator::{ACCOUNT, Answer, Request};

/// `service:name` in the first region of the account, `service@region:name` elsewhere.
fn short(arn: &Arn) -> String {
    let region = match arn.region() {
        "" | REGION => String::new(),
        region => format!("@{region}"),
    };
    let account = match arn.account() {
        "" | ACCOUNT => String::new(),
        account => format!("{account}/"),
    };
    format!("{}{region}:{account}{}", arn.service(), arn.resource())
}

fn line(delivery: &Delivery) -> String {
    let sender = match &delivery.sender {
        Sender::Service { name, source } => format!("{name} for {}", short(source)),
        Sender::Role(role) => format!("role {}", role.name()),
        Sender::Internal => "nobody".to_owned(),
    };
    let from = delivery.from.as_ref().map_or("-".to_owned(), short);
    let mut line = format!(
        "{:?} {from} -> {} as {sender}",
        delivery.kind,
        short(&delivery.to)
    );
    if !delivery.enabled {
        line.push_str(", off");
    }
    if delivery.failures_only {
        line.push_str(", failures");
    }
    if let Some(filter) = &delivery.filter {
        let parts = [&filter.pattern, &filter.prefix, &filter.suffix];
        let parts = parts.into_iter().flatten().chain(&filter.events);
        line.push_str(", only ");
        line.push_str(&parts.map(String::as_str).collect::<Vec<_>>().join(" "));
    }
    line
}

fn lines(account: &Account) -> BTreeSet<String> {
    let lines: BTreeSet<_> = account.deliveries.iter().map(line).collect();
    assert_eq!(
        lines.len(),
        account.deliveries.len(),
        "a delivery is told twice"
    );
    lines
}

fn lines_of(account: &Account, kind: DeliveryKind) -> Vec<String> {
    let of_kind = account.deliveries.iter().filter(|one| one.kind == kind);
    let mut lines: Vec<_> = of_kind.map(line).collect();
    lines.sort();
    lines
}

fn set<const N: usize>(lines: [&str; N]) -> BTreeSet<String> {
    lines.into_iter().map(str::to_owned).collect()
}

fn channel<'a>(account: &'a Account, arn: &str) -> &'a Channel {
    account
        .channels
        .iter()
        .find(|channel| short(&channel.arn) == arn)
        .unwrap()
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

fn queue(name: &str) -> String {
    arn("sqs", name)
}

/// The number of the page that is asked for, and the token of the next of three.
fn page(request: &Request) -> (usize, Option<String>) {
    let page = (2..=3)
        .find(|page| request.mentions(&format!("page-{page}")))
        .unwrap_or(1);
    (page, (page < 3).then(|| format!("page-{}", page + 1)))
}

fn subscriptions_page(request: &Request, token: Option<String>, name: &str) -> Answer {
    let region = &request.region;
    let next = token.map_or(String::new(), |token| {
        format!("<NextToken>{token}</NextToken>")
    });
    Answer::ok(format!(
        "<ListSubscriptionsResponse><ListSubscriptionsResult>{next}<Subscriptions><member>\
         <SubscriptionArn>arn:aws:sns:{region}:{ACCOUNT}:{name}:1</SubscriptionArn><Owner>{ACCOUNT}</Owner>\
         <Protocol>sqs</Protocol><Endpoint>{}</Endpoint><TopicArn>arn:aws:sns:{region}:{ACCOUNT}:{name}</TopicArn>\
         </member></Subscriptions></ListSubscriptionsResult></ListSubscriptionsResponse>",
        queue("orders")
    ))
}

pub(super) fn sns_attributes(operation: &str, attributes: &[(&str, &str)]) -> Answer {
    let entries: Vec<_> = attributes
        .iter()
        .map(|(key, value)| format!("<entry><key>{key}</key><value>{value}</value></entry>"))
        .collect();
    let entries = entries.concat();
    Answer::ok(format!(
        "<{operation}Response><{operation}Result><Attributes>{entries}</Attributes></{operation}Result></{operation}Response>"
    ))
}

/// The role of everything.
pub(super) const ROLE: &str = "<RoleDetailList><member><RoleName>r</RoleName><RoleId>AROA</RoleId>\
     <Arn>arn:aws:iam::123456789012:role/r</Arn><AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument>\
     </member></RoleDetailList>";

/// An account in which every call of this kind has to be made: a queue, a function with its role, and lists of three pages with
/// one thing on each.
pub(super) fn of_everything(request: &Request) -> Option<Answer> {
    let (number, next) = page(request);
    let name = format!("n{number}");
    let json = |body: serde_json::Value| Some(Answer::ok(body.to_string()));
    match request.call().as_str() {
        "sqs:ListQueues" => Some(queues_page(&["orders"], None)),
        "iam:GetAccountAuthorizationDetails" => Some(Answer::authorization_details(ROLE, None)),
        "lambda:ListFunctions" => json(json!({"Functions": [{
            "FunctionName": "f", "FunctionArn": arn("lambda", "function:f"),
            "Role": format!("arn:aws:iam::{ACCOUNT}:role/r"),
            "DeadLetterConfig": {"TargetArn": queue("dead")}}]})),
        "lambda:ListFunctionEventInvokeConfigs" => {
            assert!(request.mentions("MaxItems=50"));
            json(json!({"NextMarker": next, "FunctionEventInvokeConfigs": [{
                "FunctionArn": arn("lambda", &format!("function:f:{name}")),
                "DestinationConfig": {"OnSuccess": {"Destination": queue(&name)}}}]}))
        }
        "sns:ListSubscriptions" => Some(subscriptions_page(request, next, &name)),
        "sns:GetSubscriptionAttributes" => Some(sns_attributes("GetSubscriptionAttributes", &[])),
        "sns:GetTopicAttributes" => Some(sns_attributes("GetTopicAttributes", &[("Policy", "{}")])),
        "events:ListEventBuses" => {
            assert!(request.mentions(r#""Limit":100"#));
            json(json!({"NextToken": next, "EventBuses": [
                {"Name": name, "Arn": arn("events", &format!("event-bus/{name}"))}]}))
        }
        "events:DescribeEventBus" => json(json!({"DeadLetterConfig": {"Arn": queue("dead")}})),
        "events:ListRules" => {
            assert!(request.mentions(r#""Limit":100"#));
            json(json!({"NextToken": next, "Rules": [
                {"Name": name, "Arn": arn("events", &format!("rule/{name}")), "EventPattern": "{}",
                 "ManagedBy": "states.amazonaws.com", "State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}]}))
        }
        "events:ListTargetsByRule" => {
            assert!(request.mentions(r#""Limit":100"#));
            json(json!({"NextToken": next, "Targets": [
                {"Id": "1", "Arn": arn("lambda", &format!("function:f:{name}"))}]}))
        }
        "pipes:ListPipes" => {
            assert!(request.mentions("Limit=100"));
            json(json!({"NextToken": next, "Pipes": [
                {"Name": name, "Arn": arn("pipes", &format!("pipe/{name}")), "Source": queue("orders")}]}))
        }
        "pipes:DescribePipe" => json(json!({
            "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/r"), "Source": queue("orders"), "DesiredState": "RUNNING"})),
        "scheduler:ListSchedules" => {
            assert!(request.mentions("MaxResults=100"));
            json(json!({"NextToken": next, "Schedules": [
                {"Name": name, "GroupName": "g", "Arn": arn("scheduler", &format!("schedule/g/{name}")),
                 "Target": {"Arn": queue("orders")}}]}))
        }
        "scheduler:GetSchedule" => json(json!({
            "Target": {"Arn": queue("orders"), "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/r")}})),
        "s3:ListBuckets" => {
            assert!(request.mentions("max-buckets=1000"));
            let next = next.map_or(String::new(), |token| {
                format!("<ContinuationToken>{token}</ContinuationToken>")
            });
            // The first bucket is one that S3 does not tell the region of.
            let region = if number == 1 {
                ""
            } else {
                "<BucketRegion>eu-west-1</BucketRegion>"
            };
            Some(Answer::ok(format!(
                "<ListAllMyBucketsResult><Buckets><Bucket><Name>{name}</Name>{region}</Bucket></Buckets>{next}\
                 </ListAllMyBucketsResult>"
            )))
        }
        "s3:GetBucketLocation" => Some(Answer::ok("<LocationConstraint>EU</LocationConstraint>")),
        "s3:GetBucketNotificationConfiguration" => Some(Answer::ok(
            "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
        )),
        "s3:GetBucketPolicy" => Some(Answer::ok("{}")),
        "lambda:GetPolicy" => json(json!({"Policy": "{}"})),
        _ => None,
    }
}
