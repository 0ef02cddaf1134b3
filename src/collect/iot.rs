//! IoT rules that send: `ListTopicRules` and `GetTopicRule` of the AWS IoT API. What matches a rule is published by devices,
//! so nothing of the account has to put anything in.

use std::collections::BTreeSet;

use aws_sdk_iot::Client;
use aws_sdk_iot::operation::get_topic_rule::GetTopicRuleOutput;
use aws_sdk_iot::operation::list_topic_rules::ListTopicRulesOutput;
use aws_sdk_iot::types::Action;

use super::Scan;
use super::around::each;
use super::attributes::queue_of_url;
use super::calls::{GET_TOPIC_RULE, LIST_TOPIC_RULES};
use super::failure::Failure;
use super::flow::{Flow, followed};
use crate::account::{Delivery, DeliveryKind, Sender};
use crate::arn::Arn;

const SERVICE: &str = "iot.amazonaws.com";

/// The rules of a region, and what they send to.
pub(super) async fn rules(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("iot", Some(region));
    let mut names: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_where_offered(
            &LIST_TOPIC_RULES,
            region,
            |token| client.list_topic_rules().set_next_token(token).send(),
            ListTopicRulesOutput::next_token,
            |page| {
                for rule in page.rules() {
                    match rule.rule_name() {
                        Some(name) => {
                            names.insert(name.to_owned());
                        }
                        None => scan.reader.failed(
                            &LIST_TOPIC_RULES,
                            Some(region),
                            rule.rule_arn(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    unit.known(names.len());
    let deliveries = each(names.into_iter().collect(), async |name: String| {
        let deliveries = rule(scan, &client, region, &name).await;
        unit.advanced(1);
        deliveries
    })
    .await;
    Flow {
        deliveries: deliveries.into_iter().flatten().collect(),
        ..Flow::default()
    }
}

async fn rule(scan: &Scan<'_>, client: &Client, region: &str, name: &str) -> Vec<Delivery> {
    let request = client.get_topic_rule().rule_name(name).send();
    let read = scan
        .reader
        .call(&GET_TOPIC_RULE, Some(region), request)
        .await
        .and_then(|answer| {
            read(scan, region, &answer).ok_or_else(|| Failure::word("MalformedResponse"))
        });
    read.unwrap_or_else(|failure| {
        scan.reader
            .still_exists(&GET_TOPIC_RULE, Some(region), name, &failure);
        Vec::new()
    })
}

fn read(scan: &Scan<'_>, region: &str, answer: &GetTopicRuleOutput) -> Option<Vec<Delivery>> {
    let arn = Arn::parse(answer.rule_arn()?).ok()?;
    let rule = answer.rule()?;
    let enabled = rule.rule_disabled() != Some(true);
    let actions = rule.actions().iter().map(|action| (action, false));
    let on_error = rule.error_action().map(|action| (action, true));
    let deliveries = actions
        .chain(on_error)
        .filter_map(|(action, failures_only)| {
            let (to, sender) = target(scan, region, &arn, action)?;
            Some(Delivery {
                kind: DeliveryKind::IotRule,
                configured_by: arn.clone(),
                from: None,
                to,
                sender,
                enabled,
                failures_only,
                filter: None,
            })
        })
        .collect();
    Some(deliveries)
}

/// Where an action sends, and as whom. Other actions, and those that make no sense, send nothing that counts here.
fn target(scan: &Scan<'_>, region: &str, source: &Arn, action: &Action) -> Option<(Arn, Sender)> {
    let (to, role) = if let Some(queue) = action.sqs() {
        let to = queue_of_url(queue.queue_url(), &scan.partition, region)?;
        (to, queue.role_arn())
    } else if let Some(topic) = action.sns() {
        (Arn::parse(topic.target_arn()).ok()?, topic.role_arn())
    } else if let Some(machine) = action.step_functions() {
        let resource = format!("stateMachine:{}", machine.state_machine_name());
        (scan.arn("states", region, &resource)?, machine.role_arn())
    } else {
        let function = action.lambda()?.function_arn();
        let sender = Sender::Service {
            name: SERVICE.to_owned(),
            source: source.clone(),
        };
        // With its version or alias, which has a policy of its own.
        return Some((followed(function)?, sender));
    };
    Some((to, Sender::Role(Arn::parse(role).ok()?)))
}
