//! Event buses, rules and their targets: `ListEventBuses`, `DescribeEventBus`, `ListRules` and `ListTargetsByRule` of the Amazon
//! EventBridge API.
//!
//! The list of buses tells their policies, but not where events go that a bus could not hand on (such as those that its own
//! encryption key let nobody read); each bus is asked for that.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::list_event_buses::ListEventBusesOutput;
use aws_sdk_eventbridge::operation::list_rules::ListRulesOutput;
use aws_sdk_eventbridge::operation::list_targets_by_rule::ListTargetsByRuleOutput;
use aws_sdk_eventbridge::types::{EventBus, RuleState, Target};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Scan;
use super::calls::{DESCRIBE_EVENT_BUS, LIST_EVENT_BUSES, LIST_RULES, LIST_TARGETS_BY_RULE};
use super::failure::Failure;
use super::flow::{Flow, followed, pattern};
use crate::account::{Channel, Delivery, DeliveryKind, Encryption, Filter, PolicyText, Sender};
use crate::arn::Arn;

/// A page of any list of EventBridge, the largest that the API reference allows.
const PAGE: i32 = 100;
/// Calls at once for one region; there is one call for the targets of each rule and none for those of many.
const AT_ONCE: usize = 8;

struct Bus {
    name: String,
    channel: Channel,
}

struct Rule {
    arn: Arn,
    name: String,
    bus: String,
    /// The bus; none for a rule that only a clock starts.
    from: Option<Arn>,
    filter: Option<Filter>,
    enabled: bool,
}

/// The buses of a region, and what their rules deliver.
pub(super) async fn rules(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("events", Some(region));
    let buses = buses(scan, &client, region).await;
    let mut rules = Vec::new();
    for bus in &buses {
        rules.extend(rules_of(scan, &client, region, bus).await);
    }
    unit.known(rules.len());
    let deliveries = stream::iter(rules)
        .map(|rule| async {
            let deliveries = deliveries(scan, &client, region, rule).await;
            unit.advanced(1);
            deliveries
        })
        .buffer_unordered(AT_ONCE)
        .concat();
    let of_buses: Vec<(String, Arn)> = buses
        .iter()
        .map(|bus| (bus.name.clone(), bus.channel.arn.clone()))
        .collect();
    let dead_letters = stream::iter(of_buses)
        .map(|(name, bus)| dead_letters(scan, &client, region, name, bus))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<Delivery>>();
    let (mut deliveries, dead_letters) = tokio::join!(deliveries, dead_letters);
    deliveries.extend(dead_letters);
    Flow {
        deliveries,
        channels: buses.into_iter().map(|bus| bus.channel).collect(),
        workloads: Vec::new(),
    }
}

async fn buses(scan: &Scan<'_>, client: &Client, region: &str) -> Vec<Bus> {
    let mut buses = Vec::new();
    scan.reader
        .pages(
            &LIST_EVENT_BUSES,
            Some(region),
            |token| {
                client
                    .list_event_buses()
                    .limit(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListEventBusesOutput::next_token,
            |page| {
                for bus in page.event_buses() {
                    match read_bus(bus) {
                        Some(bus) => buses.push(bus),
                        None => scan.reader.failed(
                            &LIST_EVENT_BUSES,
                            Some(region),
                            bus.name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    buses
}

fn read_bus(bus: &EventBus) -> Option<Bus> {
    Some(Bus {
        name: bus.name()?.to_owned(),
        channel: Channel {
            arn: Arn::parse(bus.arn()?).ok()?,
            policy: bus
                .policy()
                .filter(|text| !text.trim().is_empty())
                .map(PolicyText::new),
            policy_unread: false,
            encryption: Encryption::None,
        },
    })
}

/// What goes from a bus to its own dead-letter queue, if it has one.
async fn dead_letters(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    name: String,
    bus: Arn,
) -> Option<Delivery> {
    let request = client.describe_event_bus().name(name).send();
    let answer = scan
        .reader
        .call(&DESCRIBE_EVENT_BUS, Some(region), request)
        .await;
    let to = match answer {
        Ok(answer) => followed(answer.dead_letter_config()?.arn()?)?,
        Err(failure) => {
            let name = bus.as_str();
            scan.reader
                .still_exists(&DESCRIBE_EVENT_BUS, Some(region), name, &failure);
            return None;
        }
    };
    Some(Delivery {
        kind: DeliveryKind::EventBus,
        configured_by: bus.clone(),
        from: Some(bus.clone()),
        to,
        sender: Sender::Service {
            name: "events.amazonaws.com".to_owned(),
            source: bus,
        },
        enabled: true,
        failures_only: true,
        filter: None,
    })
}

async fn rules_of(scan: &Scan<'_>, client: &Client, region: &str, bus: &Bus) -> Vec<Rule> {
    let mut rules = Vec::new();
    scan.reader
        .pages_of(
            &LIST_RULES,
            Some(region),
            bus.channel.arn.as_str(),
            |token| {
                client
                    .list_rules()
                    .event_bus_name(&bus.name)
                    .limit(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListRulesOutput::next_token,
            |page| {
                for rule in page.rules() {
                    match read_rule(rule, bus) {
                        Some(rule) => rules.push(rule),
                        None => scan.reader.failed(
                            &LIST_RULES,
                            Some(region),
                            rule.name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    rules
}

fn read_rule(rule: &aws_sdk_eventbridge::types::Rule, bus: &Bus) -> Option<Rule> {
    let filter = pattern(rule.event_pattern());
    Some(Rule {
        arn: Arn::parse(rule.arn()?).ok()?,
        name: rule.name()?.to_owned(),
        bus: bus.name.clone(),
        from: filter.as_ref().map(|_| bus.channel.arn.clone()),
        filter,
        enabled: !matches!(rule.state(), Some(RuleState::Disabled)),
    })
}

/// What a rule delivers to its targets and their dead-letter queues.
async fn deliveries(scan: &Scan<'_>, client: &Client, region: &str, rule: Rule) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    scan.reader
        .pages_of(
            &LIST_TARGETS_BY_RULE,
            Some(region),
            rule.arn.as_str(),
            |token| {
                client
                    .list_targets_by_rule()
                    .rule(&rule.name)
                    .event_bus_name(&rule.bus)
                    .limit(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListTargetsByRuleOutput::next_token,
            |page| {
                for target in page.targets() {
                    match read_target(target, &rule) {
                        Some(target) => deliveries.extend(target),
                        None => scan.reader.failed(
                            &LIST_TARGETS_BY_RULE,
                            Some(region),
                            Some(rule.arn.as_str()),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    deliveries
}

/// The deliveries to a target and to its dead-letter queue, as far as messages are followed there.
fn read_target(target: &Target, rule: &Rule) -> Option<Vec<Delivery>> {
    let service = Sender::Service {
        name: "events.amazonaws.com".to_owned(),
        source: rule.arn.clone(),
    };
    let sender = match target.role_arn() {
        Some(own) => Sender::Role(Arn::parse(own).ok()?),
        None => service.clone(),
    };
    let delivery = |to, sender, failures_only| Delivery {
        kind: DeliveryKind::EventRule,
        configured_by: rule.arn.clone(),
        from: rule.from.clone(),
        to,
        sender,
        enabled: rule.enabled,
        failures_only,
        filter: rule.filter.clone(),
    };
    let dead_letters = target
        .dead_letter_config()
        .and_then(|config| config.arn())
        .and_then(followed);
    let events = followed(target.arn()).map(|to| delivery(to, sender, false));
    // Whatever role the target has, dead letters come from the service.
    let dead_letters = dead_letters.map(|to| delivery(to, service, true));
    Some(events.into_iter().chain(dead_letters).collect())
}
