//! What feeds queues besides the roles that send to them: topics with their subscriptions, buckets with their notifications,
//! rules on event buses, pipes and schedules; and now and then a way back to where messages came from.
//!
//! Messages go from services to those after them, so that what comes back does so because it was put in here: one cycle for
//! every fifty channels, over a bucket, over a topic, or between two services that fill each other's queues.

use std::collections::{BTreeMap, BTreeSet};

use patscan::account::{
    Channel, Delivery, DeliveryKind, Encryption, EventSourceMapping, Filter, Function,
    InlinePolicy, PolicyText, Queue, Role, Sender, Workload, WorkloadKind,
};
use patscan::arn::Arn;
use serde_json::{Value, json};

use super::document::{Statement, text};
use super::landscape::Landscape;
use super::random::Random;
use super::roles::{PlannedRole, Trusted};
use super::{ACCOUNT, arn};

/// Channels for each cycle, pipe and schedule.
const PER_CYCLE: usize = 50;
const PER_PIPE: usize = 20;
const PER_SCHEDULE: usize = 30;

/// What a channel is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Topic,
    Bucket,
    Rule,
}

/// Of ten channels.
const SORTS: [Sort; 10] = [
    Sort::Topic,
    Sort::Rule,
    Sort::Topic,
    Sort::Bucket,
    Sort::Topic,
    Sort::Rule,
    Sort::Topic,
    Sort::Bucket,
    Sort::Rule,
    Sort::Topic,
];

/// What is added to an account.
#[derive(Default)]
#[expect(
    clippy::struct_field_names,
    reason = "the lists are named as those of an account"
)]
pub(super) struct Channels {
    pub(super) channels: Vec<Channel>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) workloads: Vec<Workload>,
    pub(super) roles: Vec<Role>,
    /// A queue or bucket of each cycle that was put in.
    pub(super) cycles: Vec<Arn>,
}

/// What channels are added to.
pub(super) struct Surroundings<'s> {
    pub(super) land: &'s Landscape,
    pub(super) roles: &'s mut [PlannedRole],
    pub(super) queues: &'s mut [Queue],
    pub(super) functions: &'s [Function],
    pub(super) mappings: &'s [EventSourceMapping],
}

/// Adds so many channels, with what belongs to them.
pub(super) fn channels(count: usize, around: &mut Surroundings<'_>) -> Channels {
    let mut added = Channels::default();
    if count == 0 || around.queues.is_empty() {
        return added;
    }
    for number in 0..count {
        added.add(number, around);
    }
    let buses: BTreeSet<Arn> = added
        .deliveries
        .iter()
        .filter_map(|delivery| delivery.from.clone())
        .filter(|from| from.service() == "events")
        .collect();
    added
        .channels
        .extend(buses.into_iter().map(|bus| channel(bus, None)));
    added.channels.sort_by(|a, b| a.arn.cmp(&b.arn));
    added.channels.dedup_by(|a, b| a.arn == b.arn);
    added
}

fn channel(arn: Arn, policy: Option<PolicyText>) -> Channel {
    Channel {
        encryption: Encryption::None,
        arn,
        policy,
        policy_unread: false,
    }
}

fn service(name: &str, source: &Arn) -> Sender {
    Sender::Service {
        name: name.to_owned(),
        source: source.clone(),
    }
}

fn delivery(kind: DeliveryKind, from: Option<&Arn>, to: &Arn, sender: Sender) -> Delivery {
    let configured_by = from.unwrap_or(to).clone();
    Delivery {
        kind,
        configured_by,
        from: from.cloned(),
        to: to.clone(),
        sender,
        enabled: true,
        failures_only: false,
        filter: None,
    }
}

impl Channels {
    fn add(&mut self, number: usize, around: &mut Surroundings<'_>) {
        let land = around.land;
        let mut random = land.random("channel", number);
        let place = number % land.components.len();
        if number % PER_CYCLE == PER_CYCLE - 1 {
            self.add_cycle(number, around);
            return;
        }
        let name = match number / land.components.len() {
            0 => land.component(place).name.clone(),
            again => format!("{}-{}", land.component(place).name, again + 1),
        };
        let region = land.component(place).region;
        match SORTS.get(number % SORTS.len()) {
            Some(Sort::Bucket) => {
                let bucket = arn_of_bucket(&format!("acme-{name}"));
                self.channels.push(channel(bucket.clone(), None));
                self.notify(&bucket, place, &mut random, around);
                let objects = format!("{bucket}/*");
                give_publisher(around, place, "s3:PutObject", &objects, number, &mut random);
            }
            Some(Sort::Rule) => {
                let bus = if random.chance(300) {
                    format!("event-bus/{}", land.component(place).team)
                } else {
                    "event-bus/default".to_owned()
                };
                let bus = arn("events", region, &bus);
                let rule = arn("events", region, &format!("rule/{name}-rule"));
                self.add_rule(&bus, &rule, place, &mut random, around);
                let action = "events:PutEvents";
                give_publisher(around, place, action, bus.as_str(), number, &mut random);
            }
            _ => {
                let topic = arn("sns", region, &format!("{name}-topic"));
                self.channels.push(channel(topic.clone(), None));
                self.subscribe(&topic, place, &mut random, around);
                let action = "sns:Publish";
                give_publisher(around, place, action, topic.as_str(), number, &mut random);
            }
        }
        if number.is_multiple_of(PER_PIPE) {
            self.add_pipe(&name, place, &mut random, around);
        }
        if number % PER_SCHEDULE == 7 {
            self.add_schedule(&name, place, &mut random, around);
        }
    }

    /// One to three queues, and now and then a function.
    fn subscribe(
        &mut self,
        topic: &Arn,
        place: usize,
        random: &mut Random,
        around: &mut Surroundings<'_>,
    ) {
        for _ in 0..=random.below(3) {
            let Some(queue) = queue_from(around, place, topic.region(), random) else {
                continue;
            };
            let mut subscription =
                delivered_by_service(topic, queue, "sns.amazonaws.com", random, around);
            subscription.kind = DeliveryKind::Subscription;
            if random.chance(300) {
                let pattern = json!({"kind": [random.pick(&["created", "changed", "closed"])]});
                subscription.filter = Some(Filter {
                    pattern: Some(pattern.to_string()),
                    ..Filter::default()
                });
            }
            if random.chance(150)
                && let Some(dead_letters) = dead_letters(around, queue)
            {
                let target =
                    delivered_by_service(topic, dead_letters, "sns.amazonaws.com", random, around);
                self.deliveries.push(Delivery {
                    kind: DeliveryKind::Subscription,
                    failures_only: true,
                    ..target
                });
            }
            self.deliveries.push(subscription);
        }
        let of_region = around
            .functions
            .iter()
            .filter(|function| function.arn.region() == topic.region());
        let functions: Vec<&Arn> = of_region.map(|function| &function.arn).collect();
        if random.chance(150) && !functions.is_empty() {
            let function = random.pick(&functions);
            // What one subscribes to must not lead back: a function that takes from no queue begins nothing.
            if around
                .mappings
                .iter()
                .all(|mapping| mapping.function != *function)
            {
                let sender = service("sns.amazonaws.com", topic);
                let kind = DeliveryKind::Subscription;
                self.deliveries
                    .push(delivery(kind, Some(topic), function, sender));
                let statement = Statement::allow(&["lambda:InvokeFunction"])
                    .sid("topic")
                    .for_principal(json!({"Service": "sns.amazonaws.com"}))
                    .on(&[function.as_str()])
                    .when(json!({"ArnLike": {"AWS:SourceArn": topic.as_str()}}));
                self.channels
                    .push(channel(function.clone(), Some(text(&[statement]))));
            }
        }
    }

    fn notify(
        &mut self,
        bucket: &Arn,
        place: usize,
        random: &mut Random,
        around: &mut Surroundings<'_>,
    ) {
        let region = around.land.component(place).region;
        let Some(queue) = queue_from(around, place, region, random) else {
            return;
        };
        let mut notification =
            delivered_by_service(bucket, queue, "s3.amazonaws.com", random, around);
        notification.kind = DeliveryKind::Notification;
        notification.filter = Some(Filter {
            events: vec!["s3:ObjectCreated:*".to_owned()],
            prefix: random.chance(400).then(|| "incoming/".to_owned()),
            suffix: random.chance(200).then(|| ".csv".to_owned()),
            ..Filter::default()
        });
        self.deliveries.push(notification);
    }

    /// With a role of its own, or let in by the policy of the queue.
    fn add_rule(
        &mut self,
        bus: &Arn,
        rule: &Arn,
        place: usize,
        random: &mut Random,
        around: &mut Surroundings<'_>,
    ) {
        let Some(queue) = queue_from(around, place, rule.region(), random) else {
            return;
        };
        let mut target = if random.chance(300) {
            let sender = self.role(
                &format!("{}-target", rule.name()),
                "events.amazonaws.com",
                &[send_to(around, queue)],
                random,
            );
            let to = arn_of_queue(around, queue);
            delivery(
                DeliveryKind::EventRule,
                Some(bus),
                &to,
                Sender::Role(sender),
            )
        } else {
            delivered_by_service(rule, queue, "events.amazonaws.com", random, around)
        };
        target.kind = DeliveryKind::EventRule;
        target.from = Some(bus.clone());
        target.configured_by = rule.clone();
        target.enabled = random.chance(950);
        target.filter = Some(Filter {
            pattern: Some(json!({"source": [format!("acme.{}", rule.name())]}).to_string()),
            ..Filter::default()
        });
        self.deliveries.push(target);
    }

    /// From a queue of the service into one of a service after it.
    fn add_pipe(
        &mut self,
        name: &str,
        place: usize,
        random: &mut Random,
        around: &mut Surroundings<'_>,
    ) {
        let own = around.land.component(place).queues.first().copied();
        let region = around.land.component(place).region;
        let (Some(from), Some(to)) = (own, queue_from(around, place + 1, region, random)) else {
            return;
        };
        if from == to {
            return;
        }
        let pipe = arn("pipes", region, &format!("pipe/{name}"));
        let (source, target) = (arn_of_queue(around, from), arn_of_queue(around, to));
        let receive = Statement::allow(&[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ])
        .on(&[source.as_str()]);
        let role = self.role(
            &format!("{name}-pipe"),
            "pipes.amazonaws.com",
            &[receive, send_to(around, to)],
            random,
        );
        self.workloads.push(Workload {
            kind: WorkloadKind::Pipe,
            arn: pipe.clone(),
            runs_as: role.clone(),
            session_tags: Vec::new(),
        });
        for (from, to) in [(&source, &pipe), (&pipe, &target)] {
            let sender = Sender::Role(role.clone());
            self.deliveries.push(Delivery {
                configured_by: pipe.clone(),
                ..delivery(DeliveryKind::Pipe, Some(from), to, sender)
            });
        }
    }

    fn add_schedule(
        &mut self,
        name: &str,
        place: usize,
        random: &mut Random,
        around: &mut Surroundings<'_>,
    ) {
        let region = around.land.component(place).region;
        let Some(queue) = queue_from(around, place, region, random) else {
            return;
        };
        let schedule = arn("scheduler", region, &format!("schedule/default/{name}"));
        let role = self.role(
            &format!("{name}-schedule"),
            "scheduler.amazonaws.com",
            &[send_to(around, queue)],
            random,
        );
        self.workloads.push(Workload {
            kind: WorkloadKind::Schedule,
            arn: schedule.clone(),
            runs_as: role.clone(),
            session_tags: Vec::new(),
        });
        let to = arn_of_queue(around, queue);
        self.deliveries.push(Delivery {
            configured_by: schedule,
            ..delivery(DeliveryKind::Schedule, None, &to, Sender::Role(role))
        });
    }

    /// A role for one delivery.
    fn role(
        &mut self,
        name: &str,
        service: &str,
        statements: &[Statement],
        random: &mut Random,
    ) -> Arn {
        let role = arn("iam", "", &format!("role/service-role/{name}"));
        let trust = Statement::allow(&["sts:AssumeRole"])
            .for_principal(json!({ "Service": service }))
            .when(json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}}));
        self.roles.push(Role {
            arn: role.clone(),
            id: format!("AROA{}", random.letters(17)),
            trust: text(&[trust]),
            tags: Vec::new(),
            inline: vec![InlinePolicy {
                name: "delivery".to_owned(),
                document: text(statements),
            }],
            attached: Vec::new(),
            boundary: None,
            instance_profiles: Vec::new(),
        });
        role
    }

    /// Over a bucket, over a topic, or between two services.
    fn add_cycle(&mut self, number: usize, around: &mut Surroundings<'_>) {
        let mut random = around.land.random("cycle", number);
        // Of each queue the first role that a function takes from it as, unless something is in the way.
        let mut consumers: BTreeMap<usize, usize> = BTreeMap::new();
        for (place, planned) in around.roles.iter().enumerate() {
            let is_plain = planned.role.boundary.is_none() && !planned.is_narrow_loop;
            if let Some(queue) = planned.consumes
                && is_plain
                && planned.trusted == Trusted::Functions
                && around
                    .land
                    .queues
                    .get(queue)
                    .is_some_and(|queue| queue.key.is_none() && !queue.fifo)
            {
                consumers.entry(queue).or_insert(place);
            }
        }
        let consumers: Vec<(usize, usize)> = consumers.into_iter().collect();
        if consumers.is_empty() {
            return;
        }
        let (queue, role) = random.pick(&consumers);
        let to = arn_of_queue(around, queue);
        match number / PER_CYCLE % 3 {
            0 => {
                let bucket = arn_of_bucket(&format!("acme-results-{number}"));
                self.channels.push(channel(bucket.clone(), None));
                let_in(
                    around,
                    queue,
                    &from_service("s3.amazonaws.com", &bucket, &to),
                );
                self.deliveries.push(Delivery {
                    filter: Some(Filter {
                        events: vec!["s3:ObjectCreated:*".to_owned()],
                        ..Filter::default()
                    }),
                    ..delivery(
                        DeliveryKind::Notification,
                        Some(&bucket),
                        &to,
                        service("s3.amazonaws.com", &bucket),
                    )
                });
                give(around, role, number, "s3:PutObject", &format!("{bucket}/*"));
                self.cycles.push(bucket);
            }
            1 => {
                let topic = arn("sns", to.region(), &format!("results-{number}"));
                self.channels.push(channel(topic.clone(), None));
                let_in(
                    around,
                    queue,
                    &from_service("sns.amazonaws.com", &topic, &to),
                );
                self.deliveries.push(delivery(
                    DeliveryKind::Subscription,
                    Some(&topic),
                    &to,
                    service("sns.amazonaws.com", &topic),
                ));
                give(around, role, number, "sns:Publish", topic.as_str());
                self.cycles.push(topic);
            }
            _ => {
                let others = consumers.iter().filter(|(_, other)| *other != role);
                let others: Vec<(usize, usize)> = others.copied().collect();
                if others.is_empty() {
                    return;
                }
                let (other_queue, other) = random.pick(&others);
                let back = arn_of_queue(around, other_queue);
                give(around, role, number, "sqs:SendMessage", back.as_str());
                give(around, other, number, "sqs:SendMessage", to.as_str());
                self.cycles.push(to);
            }
        }
    }
}

/// To a queue whose policy lets the service in; one in twenty was forgotten.
fn delivered_by_service(
    source: &Arn,
    queue: usize,
    name: &str,
    random: &mut Random,
    around: &mut Surroundings<'_>,
) -> Delivery {
    let to = arn_of_queue(around, queue);
    if random.chance(950) {
        let_in(around, queue, &from_service(name, source, &to));
    }
    delivery(
        DeliveryKind::Subscription,
        Some(source),
        &to,
        service(name, source),
    )
}

fn from_service(name: &str, source: &Arn, queue: &Arn) -> Statement {
    Statement::allow(&["sqs:SendMessage"])
        .for_principal(json!({ "Service": name }))
        .on(&[queue.as_str()])
        .when(json!({
            "ArnLike": {"aws:SourceArn": source.as_str()},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }))
}

fn send_to(around: &Surroundings<'_>, queue: usize) -> Statement {
    let queue = arn_of_queue(around, queue);
    Statement::allow(&["sqs:SendMessage"]).on(&[queue.as_str()])
}

/// Gives a role a right in a policy of its own.
fn give(around: &mut Surroundings<'_>, role: usize, number: usize, action: &str, resource: &str) {
    if let Some(planned) = around.roles.get_mut(role) {
        planned.role.inline.push(InlinePolicy {
            name: format!("channel-{number}"),
            document: text(&[Statement::allow(&[action]).on(&[resource])]),
        });
    }
}

/// Lets one or two roles put something in that take from no queue, or only from those of services before this one.
fn give_publisher(
    around: &mut Surroundings<'_>,
    place: usize,
    action: &str,
    resource: &str,
    number: usize,
    random: &mut Random,
) {
    let components = around.land.components.len();
    let roles = around.roles.iter().enumerate();
    let candidates: Vec<usize> = roles
        .filter(|(index, planned)| {
            let comes_before = index % components < place;
            matches!(planned.trusted, Trusted::Functions | Trusted::Tasks)
                && (comes_before || planned.consumes.is_none())
        })
        .map(|(index, _)| index)
        .collect();
    if candidates.is_empty() {
        return;
    }
    let mut chosen: Vec<usize> = (0..=random.below(2))
        .map(|_| random.pick(&candidates))
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    for role in chosen {
        give(around, role, number, action, resource);
    }
}

/// Adds a statement to the policy of a queue.
fn let_in(around: &mut Surroundings<'_>, queue: usize, statement: &Statement) {
    let Some(attributes) = around
        .queues
        .get_mut(queue)
        .and_then(|queue| queue.attributes.as_mut())
    else {
        return;
    };
    let own = text(std::slice::from_ref(statement));
    let Some(policy) = &attributes.policy else {
        attributes.policy = Some(own);
        return;
    };
    let read = |text: &PolicyText| serde_json::from_str::<Value>(text.as_str()).ok();
    let (Some(mut document), Some(added)) = (read(policy), read(&own)) else {
        return;
    };
    let statements = document.get_mut("Statement").and_then(Value::as_array_mut);
    let added = added.get("Statement").and_then(Value::as_array);
    if let (Some(statements), Some(added)) = (statements, added) {
        statements.extend(added.iter().cloned());
    }
    attributes.policy = Some(PolicyText::new(&document.to_string()));
}

/// A queue of a region that belongs to a service at this place or one of the five after it.
fn queue_from(
    around: &Surroundings<'_>,
    place: usize,
    region: &str,
    random: &mut Random,
) -> Option<usize> {
    let last = around.land.components.len().checked_sub(1)?;
    let place = (place + random.below(6)).min(last);
    let queues = &around.land.component(place).queues;
    let of_region = queues.iter().copied().filter(|queue| {
        let planned = around.land.queues.get(*queue);
        planned.is_some_and(|planned| planned.arn.region() == region && !planned.fifo)
    });
    let of_region: Vec<usize> = of_region.collect();
    (!of_region.is_empty()).then(|| random.pick(&of_region))
}

fn dead_letters(around: &Surroundings<'_>, queue: usize) -> Option<usize> {
    around.land.queues.get(queue)?.dead_letters
}

#[expect(
    clippy::indexing_slicing,
    reason = "the numbers of queues are those of the landscape"
)]
fn arn_of_queue(around: &Surroundings<'_>, queue: usize) -> Arn {
    around.land.queues[queue].arn.clone()
}

/// Buckets have neither region nor account.
#[expect(clippy::expect_used, reason = "the parts are written here")]
fn arn_of_bucket(name: &str) -> Arn {
    Arn::build("aws", "s3", "", "", name).expect("parts without colons")
}
