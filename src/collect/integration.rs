//! What an API Gateway integration with an AWS service sends to or starts, as far as the integration itself says it.
//!
//! A target that comes from the request or from a stage variable is known only when a request comes; the rights of the
//! integration's role tell what it may be. Streams, tables and whatever else messages are not followed to is left out.

use std::collections::{BTreeSet, HashMap};

use percent_encoding::percent_decode_str;

use super::attributes::queue_of_url;
use super::flow::followed;
use crate::arn::{AccountId, Arn};

const QUERY: &str = "integration.request.querystring.";
const HEADER: &str = "integration.request.header.";
/// The actions of Amazon SQS that send.
const SEND: &[&str] = &["SendMessage", "SendMessageBatch"];
/// The actions of Amazon SNS that send.
const PUBLISH: &[&str] = &["Publish", "PublishBatch"];
/// The actions of Step Functions that start something.
const START: &[&str] = &["StartExecution", "StartSyncExecution"];
/// The action of EventBridge that puts events on a bus.
const PUT_EVENTS: &[&str] = &["PutEvents"];
/// What stands around a function in the path of the Lambda API.
const FUNCTIONS: (&str, &str) = ("functions/", "/invocations");

/// An integration of a REST or WebSocket API.
pub(super) struct Integration<'a> {
    /// `arn:aws:apigateway:REGION:SERVICE:path/…` or `…:action/…`.
    pub(super) uri: &'a str,
    /// What is put into the request, by place and name.
    pub(super) parameters: Option<&'a HashMap<String, String>>,
    /// The bodies of the request, by content type.
    pub(super) templates: Option<&'a HashMap<String, String>>,
}

impl Integration<'_> {
    /// The queues, topics, functions, state machines and buses that it sends to, sorted. `account` is that of the API.
    pub(super) fn targets(&self, account: &str) -> Vec<Arn> {
        // An HTTP API names the function itself.
        if let Some(function) = function(self.uri) {
            return vec![function];
        }
        let Ok(uri) = Arn::parse(self.uri) else {
            return Vec::new();
        };
        // Where other ARNs have the account, this one has the service.
        match uri.account() {
            "sqs" => self.queue(&uri).into_iter().collect(),
            "sns" => self.topic(&uri).into_iter().collect(),
            "lambda" => invoked(&uri).into_iter().collect(),
            "states" if self.place(&uri, START).is_some() => self
                .named("stateMachineArn", |text| {
                    Arn::parse(text).ok().filter(is_state_machine)
                }),
            "events" if self.place(&uri, PUT_EVENTS).is_some() => self.buses(&uri, account),
            _ => Vec::new(),
        }
    }

    fn queue(&self, uri: &Arn) -> Option<Arn> {
        let path = self.place(uri, SEND)?;
        if path.is_empty() {
            let url = self.fixed(QUERY, "QueueUrl")?;
            return queue_of_url(&url, uri.partition(), uri.region());
        }
        let (account, queue) = path.split_once('/')?;
        let account = AccountId::parse(account).ok()?;
        is_queue_name(queue).then(|| {
            Arn::build(
                uri.partition(),
                "sqs",
                uri.region(),
                account.as_str(),
                queue,
            )
            .ok()
        })?
    }

    fn topic(&self, uri: &Arn) -> Option<Arn> {
        self.place(uri, PUBLISH)?;
        let topic = Arn::parse(&self.fixed(QUERY, "TopicArn")?).ok()?;
        Some(topic).filter(|topic| topic.service() == "sns")
    }

    /// The buses that the entries of the request name; without a name it is the default one.
    fn buses(&self, uri: &Arn, account: &str) -> Vec<Arn> {
        let bus = |text: &str| {
            if text.starts_with("arn:") {
                return Arn::parse(text)
                    .ok()
                    .filter(|arn| arn.service() == "events");
            }
            let name = format!("event-bus/{text}");
            Arn::build(uri.partition(), "events", uri.region(), account, &name).ok()
        };
        let mut buses = self.named("EventBusName", bus);
        let unnamed = |template: &String| {
            template.contains("\"Entries\"") && !template.contains("\"EventBusName\"")
        };
        if self.bodies().any(unnamed) {
            buses.extend(bus("default"));
            buses.sort();
            buses.dedup();
        }
        buses
    }

    /// The path behind the service, when one of these actions is asked for or may be; empty where it stands in its place.
    fn place<'u>(&self, uri: &'u Arn, actions: &[&str]) -> Option<&'u str> {
        let path = match uri.resource().split_once('/')? {
            ("path", path) => path.trim_matches('/'),
            ("action", action) if actions.contains(&action) => "",
            _ => return None,
        };
        self.may_ask_for(actions).then_some(path)
    }

    fn bodies(&self) -> impl Iterator<Item = &String> {
        self.templates.into_iter().flat_map(HashMap::values)
    }

    /// What the bodies of the request give a field of this name, where it is the same in every request.
    fn named(&self, field: &str, read: impl Fn(&str) -> Option<Arn>) -> Vec<Arn> {
        let found: BTreeSet<Arn> = self
            .bodies()
            .flat_map(|template| texts_of(template, field))
            .filter_map(read)
            .collect();
        found.into_iter().collect()
    }

    /// Whether it asks for one of the actions, or leaves it to the caller which.
    fn may_ask_for(&self, actions: &[&str]) -> bool {
        let named: Vec<String> = self
            .fixed(QUERY, "Action")
            .into_iter()
            .chain(
                self.fixed(HEADER, "X-Amz-Target")
                    .and_then(|target| Some(target.split_once('.')?.1.to_owned())),
            )
            .chain(self.bodies().flat_map(|template| actions_in(template)))
            .collect();
        named.is_empty() || named.iter().any(|name| actions.contains(&name.as_str()))
    }

    /// A parameter that is the same in every request: those stand in single quotes.
    fn fixed(&self, place: &str, name: &str) -> Option<String> {
        let text = self.parameters?.get(&format!("{place}{name}"))?;
        let text = text.strip_prefix('\'')?.strip_suffix('\'')?;
        Some(percent_decode_str(text).decode_utf8_lossy().into_owned())
    }
}

/// What an integration of an HTTP API with an AWS service sends to. `region` and `account` are those of the API.
pub(super) fn target_of_subtype(
    subtype: &str,
    parameters: Option<&HashMap<String, String>>,
    partition: &str,
    (region, account): (&str, &str),
) -> Option<Arn> {
    let fixed = |name: &str| {
        parameters?
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.contains('$'))
    };
    let region = fixed("Region").unwrap_or(region);
    match subtype {
        "SQS-SendMessage" => queue_of_url(fixed("QueueUrl")?, partition, region),
        "StepFunctions-StartExecution" | "StepFunctions-StartSyncExecution" => {
            Arn::parse(fixed("StateMachineArn")?)
                .ok()
                .filter(is_state_machine)
        }
        "EventBridge-PutEvents" => {
            let is_named = parameters.is_some_and(|all| all.contains_key("EventBusName"));
            let bus = if is_named {
                fixed("EventBusName")?
            } else {
                "default"
            };
            if bus.starts_with("arn:") {
                return Arn::parse(bus).ok().filter(|arn| arn.service() == "events");
            }
            let name = format!("event-bus/{bus}");
            Arn::build(partition, "events", region, account, &name).ok()
        }
        // What receives or deletes sends nothing; messages are not followed into streams.
        _ => None,
    }
}

/// A function by its ARN, unless its name or version is told by the request.
fn function(text: &str) -> Option<Arn> {
    followed(text).filter(|arn| arn.service() == "lambda" && !arn.resource().contains(['$', '{']))
}

/// The function of `path/2015-03-31/functions/ARN/invocations`.
fn invoked(uri: &Arn) -> Option<Arn> {
    let path = uri.resource().strip_prefix("path/")?;
    let (_, rest) = path.split_once(FUNCTIONS.0)?;
    function(rest.strip_suffix(FUNCTIONS.1)?)
}

fn is_state_machine(arn: &Arn) -> bool {
    arn.service() == "states" && arn.resource().starts_with("stateMachine:")
}

/// The texts that a field has in JSON that is mixed with a template language, but for those that the template makes.
fn texts_of<'t>(template: &'t str, field: &str) -> impl Iterator<Item = &'t str> {
    let name = format!("\"{field}\"");
    let places: Vec<usize> = template
        .match_indices(&name)
        .map(|(place, found)| place + found.len())
        .collect();
    places.into_iter().filter_map(|place| {
        let value = template.get(place..)?.trim_start().strip_prefix(':')?;
        let (text, _) = value.trim_start().strip_prefix('"')?.split_once('"')?;
        (!text.contains(['$', '\\'])).then_some(text)
    })
}

/// The actions that the body of a request names in the query protocol: `Action=SendMessage&MessageBody=…`.
fn actions_in(template: &str) -> impl Iterator<Item = String> {
    template.split("Action=").skip(1).map(|rest| {
        rest.chars()
            .take_while(char::is_ascii_alphabetic)
            .collect::<String>()
    })
}

fn is_queue_name(text: &str) -> bool {
    let name = text.strip_suffix(".fifo").unwrap_or(text);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";
    const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";
    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/orders";

    fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn target(uri: &str, parameters: &[(&str, &str)], template: &str) -> Option<String> {
        let (parameters, templates) = (map(parameters), map(&[("application/json", template)]));
        Integration {
            uri,
            parameters: Some(&parameters),
            templates: Some(&templates),
        }
        .targets(ACCOUNT)
        .first()
        .map(|arn| arn.as_str().to_owned())
    }

    #[test]
    fn a_queue_in_the_path_is_the_target_of_what_sends() {
        let uri = "arn:aws:apigateway:eu-west-1:sqs:path/111122223333/orders";
        let body = "Action=SendMessage&MessageBody=$input.body";
        assert_eq!(target(uri, &[], body).as_deref(), Some(QUEUE));
        assert_eq!(
            target(
                uri,
                &[(
                    "integration.request.header.X-Amz-Target",
                    "'AmazonSQS.SendMessage'"
                )],
                "{}"
            )
            .as_deref(),
            Some(QUEUE)
        );
        // The caller says what is to be done.
        assert_eq!(target(uri, &[], "").as_deref(), Some(QUEUE));
        assert_eq!(target(uri, &[], "Action=ReceiveMessage"), None);
        assert_eq!(
            target(
                uri,
                &[("integration.request.querystring.Action", "'PurgeQueue'")],
                ""
            ),
            None
        );
    }

    #[test]
    fn a_queue_in_the_query_is_the_target_when_it_is_fixed() {
        let uri = "arn:aws:apigateway:eu-west-1:sqs:action/SendMessage";
        let of = |text: &str| {
            target(
                uri,
                &[("integration.request.querystring.QueueUrl", text)],
                "",
            )
        };
        assert_eq!(of(&format!("'{URL}'")).as_deref(), Some(QUEUE));
        let encoded = URL.replace(':', "%3A").replace('/', "%2F");
        assert_eq!(of(&format!("'{encoded}'")).as_deref(), Some(QUEUE));
        assert_eq!(of("method.request.querystring.queue"), None);
        assert_eq!(target(uri, &[], ""), None);
    }

    #[test]
    fn a_topic_is_named_in_the_query() {
        let topic = "arn:aws:sns:eu-west-1:111122223333:news";
        let parameter = format!("'{topic}'");
        let of = |action: &str| {
            let uri = format!("arn:aws:apigateway:eu-west-1:sns:action/{action}");
            target(
                &uri,
                &[("integration.request.querystring.TopicArn", &parameter)],
                "",
            )
        };
        assert_eq!(of("Publish").as_deref(), Some(topic));
        assert_eq!(of("DeleteTopic"), None);
    }

    #[test]
    fn what_depends_on_the_request_or_is_no_queue_has_no_target() {
        for uri in [
            "arn:aws:apigateway:eu-west-1:sqs:path/111122223333/${stageVariables.queue}",
            "arn:aws:apigateway:eu-west-1:sqs:path/{account}/orders",
            "arn:aws:apigateway:eu-west-1:sqs:path/orders",
            "arn:aws:apigateway:eu-west-1:sqs:action/ReceiveMessage",
            "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem",
            "https://example.com/",
            "",
        ] {
            assert_eq!(target(uri, &[], ""), None, "{uri}");
        }
    }

    #[test]
    fn http_apis_name_the_queue_by_its_url() {
        let of = |subtype: &str, parameters: &[(&str, &str)]| {
            let here = ("eu-west-1", ACCOUNT);
            target_of_subtype(subtype, Some(&map(parameters)), "aws", here)
                .map(|arn| arn.as_str().to_owned())
        };
        assert_eq!(
            of("SQS-SendMessage", &[("QueueUrl", URL)]).as_deref(),
            Some(QUEUE)
        );
        let elsewhere = [
            (
                "QueueUrl",
                "https://queue.amazonaws.com/111122223333/orders",
            ),
            ("Region", "us-east-1"),
        ];
        assert_eq!(
            of("SQS-SendMessage", &elsewhere).as_deref(),
            Some("arn:aws:sqs:us-east-1:111122223333:orders")
        );
        assert_eq!(of("SQS-ReceiveMessage", &[("QueueUrl", URL)]), None);
        assert_eq!(
            of("SQS-SendMessage", &[("QueueUrl", "$request.header.queue")]),
            None
        );
        assert_eq!(of("SQS-SendMessage", &[]), None);
    }

    #[test]
    fn a_function_stands_in_the_path_or_alone() {
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:worker:live";
        let invoke = |function: &str| {
            format!(
                "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations"
            )
        };
        assert_eq!(
            target(&invoke(function), &[], "").as_deref(),
            Some(function)
        );
        assert_eq!(target(function, &[], "").as_deref(), Some(function));
        for unknown in [
            "arn:aws:lambda:eu-west-1:111122223333:function:${stageVariables.name}",
            "arn:aws:lambda:eu-west-1:111122223333:function:worker:${stageVariables.alias}",
        ] {
            assert_eq!(target(&invoke(unknown), &[], ""), None);
            assert_eq!(target(unknown, &[], ""), None);
        }
    }

    #[test]
    fn a_state_machine_stands_in_the_body_of_the_request() {
        let machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:flow";
        let of = |action: &str, machine: &str| {
            let uri = format!("arn:aws:apigateway:eu-west-1:states:action/{action}");
            let body = format!(
                r#"{{"input": "$util.escapeJavaScript($input.body)", "stateMachineArn" : "{machine}"}}"#
            );
            target(&uri, &[], &body)
        };
        assert_eq!(of("StartExecution", machine).as_deref(), Some(machine));
        assert_eq!(of("StartSyncExecution", machine).as_deref(), Some(machine));
        assert_eq!(of("StopExecution", machine), None);
        assert_eq!(of("StartExecution", "$stageVariables.machine"), None);
        assert_eq!(
            of(
                "StartExecution",
                "arn:aws:states:eu-west-1:111122223333:activity:a"
            ),
            None
        );
    }

    #[test]
    fn an_event_bus_stands_in_each_entry_and_is_the_default_one_otherwise() {
        let uri = "arn:aws:apigateway:eu-west-1:events:action/PutEvents";
        let bus = |name: &str| format!("arn:aws:events:eu-west-1:111122223333:event-bus/{name}");
        let entry = |rest: &str| format!(r#"{{"Entries": [{{"Source": "shop"{rest}}}]}}"#);
        assert_eq!(target(uri, &[], &entry("")), Some(bus("default")));
        assert_eq!(
            target(uri, &[], &entry(r#", "EventBusName": "shop""#)),
            Some(bus("shop"))
        );
        assert_eq!(
            target(
                uri,
                &[],
                &entry(&format!(r#", "EventBusName": "{}""#, bus("shop")))
            ),
            Some(bus("shop"))
        );
        assert_eq!(
            target(
                uri,
                &[],
                &entry(r#", "EventBusName": "$input.params('bus')""#)
            ),
            None
        );
        // The caller sends the entries.
        assert_eq!(target(uri, &[], ""), None);
    }

    #[test]
    fn http_apis_name_state_machines_and_buses_by_parameters() {
        let of = |subtype: &str, parameters: &[(&str, &str)]| {
            let here = ("eu-west-1", ACCOUNT);
            target_of_subtype(subtype, Some(&map(parameters)), "aws", here)
                .map(|arn| arn.as_str().to_owned())
        };
        let machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:flow";
        for subtype in [
            "StepFunctions-StartExecution",
            "StepFunctions-StartSyncExecution",
        ] {
            assert_eq!(
                of(subtype, &[("StateMachineArn", machine)]).as_deref(),
                Some(machine)
            );
        }
        assert_eq!(
            of(
                "StepFunctions-StopExecution",
                &[("StateMachineArn", machine)]
            ),
            None
        );
        let bus = |name: &str| {
            Some(format!(
                "arn:aws:events:eu-west-1:111122223333:event-bus/{name}"
            ))
        };
        assert_eq!(
            of("EventBridge-PutEvents", &[("Detail", "{}")]),
            bus("default")
        );
        assert_eq!(
            of("EventBridge-PutEvents", &[("EventBusName", "shop")]),
            bus("shop")
        );
        assert_eq!(
            of(
                "EventBridge-PutEvents",
                &[("EventBusName", "$request.header.bus")]
            ),
            None
        );
        assert_eq!(of("Kinesis-PutRecord", &[("StreamName", "clicks")]), None);
    }
}
