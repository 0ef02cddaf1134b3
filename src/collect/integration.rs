//! What an API Gateway integration with an AWS service sends to, as far as the integration itself says it.
//!
//! A queue or topic that comes from the request or from a stage variable is known only when a request comes; the rights of
//! the integration's role tell what it may be.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::attributes::queue_of_url;
use crate::arn::{AccountId, Arn};

const QUERY: &str = "integration.request.querystring.";
const HEADER: &str = "integration.request.header.";
/// The subtype of HTTP APIs that sends to a queue.
const SEND_SUBTYPE: &str = "SQS-SendMessage";
/// The actions of Amazon SQS that send.
const SEND: &[&str] = &["SendMessage", "SendMessageBatch"];
/// The actions of Amazon SNS that send.
const PUBLISH: &[&str] = &["Publish", "PublishBatch"];

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
    /// The queue or topic that it sends to.
    pub(super) fn target(&self) -> Option<Arn> {
        let uri = Arn::parse(self.uri).ok()?;
        // Where other ARNs have the account, this one has the service.
        let (service, region) = (uri.account(), uri.region());
        let sends = match service {
            "sqs" => SEND,
            "sns" => PUBLISH,
            _ => return None,
        };
        let path = match uri.resource().split_once('/')? {
            ("path", path) => path.trim_matches('/'),
            ("action", action) if sends.contains(&action) => "",
            _ => return None,
        };
        if !self.may_ask_for(sends) {
            return None;
        }
        if service == "sns" {
            let topic = Arn::parse(&self.fixed(QUERY, "TopicArn")?).ok()?;
            return Some(topic).filter(|topic| topic.service() == "sns");
        }
        if path.is_empty() {
            let url = self.fixed(QUERY, "QueueUrl")?;
            return queue_of_url(&url, uri.partition(), region);
        }
        let (account, queue) = path.split_once('/')?;
        let account = AccountId::parse(account).ok()?;
        is_queue_name(queue)
            .then(|| Arn::build(uri.partition(), "sqs", region, account.as_str(), queue).ok())?
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
            .chain(
                self.templates
                    .into_iter()
                    .flat_map(HashMap::values)
                    .flat_map(|template| actions_in(template)),
            )
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

/// The queue that an integration of an HTTP API sends to. `region` is that of the API.
pub(super) fn target_of_subtype(
    subtype: &str,
    parameters: Option<&HashMap<String, String>>,
    partition: &str,
    region: &str,
) -> Option<Arn> {
    if subtype != SEND_SUBTYPE {
        return None;
    }
    let fixed = |name: &str| {
        parameters?
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.contains('$'))
    };
    let url = fixed("QueueUrl")?;
    queue_of_url(url, partition, fixed("Region").unwrap_or(region))
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
        .target()
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
            target_of_subtype(subtype, Some(&map(parameters)), "aws", "eu-west-1")
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
}
