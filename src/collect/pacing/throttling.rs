//! What AWS answers when requests come too often.

use serde::Deserialize;

/// The codes by which services say that requests come too often, as the AWS SDKs know them. `LimitExceededException` is not
/// among them: for what only reads it is no matter of time.
const CODES: [&str; 12] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// An error of a JSON protocol.
#[derive(Deserialize)]
struct JsonError {
    #[serde(rename = "__type", alias = "code")]
    code: Option<String>,
}

/// Whether an answer says that requests come too often. `error_type` is its header `x-amzn-errortype`, where it has one.
pub(super) fn is_throttled(status: u16, error_type: Option<&str>, body: &[u8]) -> bool {
    status == 429
        || status >= 400
            && match error_type {
                // What follows a colon is an address for people.
                Some(text) => CODES.contains(&text.split(':').next().unwrap_or_default()),
                None => is_named(body),
            }
}

/// Whether the code in a body is one of them: nothing else of it is looked at, since it repeats names of resources.
fn is_named(body: &[u8]) -> bool {
    if let Ok(JsonError { code: Some(code) }) = serde_json::from_slice(body) {
        let code = code.rsplit('#').next().unwrap_or_default();
        return CODES.contains(&code);
    }
    CODES.iter().any(|code| {
        let element = format!("<Code>{code}</Code>");
        body.windows(element.len())
            .any(|part| part == element.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_is_understood() {
        for (status, error_type, body) in [
            (
                403,
                None,
                r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow"}"#,
            ),
            (
                400,
                None,
                "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
            ),
            (
                503,
                None,
                "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>",
            ),
            (429, None, ""),
            (
                400,
                Some("ThrottlingException:http://internal.amazon.com/"),
                "{}",
            ),
            (400, None, r#"{"__type":"ThrottlingException"}"#),
            (503, None, "<Error><Code>SlowDown</Code></Error>"),
        ] {
            assert!(is_throttled(status, error_type, body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for (status, body) in [
            (200, r#"{"QueueUrls":["https://sqs/1/Throttling"]}"#),
            (400, r#"{"__type":"LimitExceededException"}"#),
            (403, "<Code>AccessDenied</Code>"),
            (500, "<Code>InternalFailure</Code>"),
            (503, "ServiceUnavailable"),
            (
                404,
                "<Code>NoSuchEntity</Code><Message>no queue Throttling</Message>",
            ),
            (
                404,
                r#"{"__type":"QueueDoesNotExist","message":"SlowDown"}"#,
            ),
        ] {
            assert!(!is_throttled(status, None, body.as_bytes()), "{body}");
        }
    }
}
