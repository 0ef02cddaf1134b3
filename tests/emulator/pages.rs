//! Lists that do not end as lists should: what comes of page tokens that repeat or go round, and of pages that come twice.
//!
//! A page is given a token of ours; a request with that token is answered from what was held back, and never reaches the
//! server behind.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::Value;

use super::{Answer, Fault, Request};

/// How our tokens begin.
const TOKEN: &str = "page-held-back-";

/// The pages that were held back, by the token that asks for them.
#[derive(Default)]
pub(super) struct Pages(Mutex<HashMap<String, Answer>>);

impl Pages {
    /// The page that a request asks for with a token of ours.
    pub(super) fn held(&self, request: &Request) -> Option<Answer> {
        let begin = request.input.find(TOKEN)?;
        let token: String = request.input[begin..]
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
            .collect();
        self.0.lock().unwrap().get(&token).cloned()
    }

    /// The page with the fault in it; the page itself where the call is no list.
    pub(super) fn tampered(&self, request: &Request, page: Answer, fault: Fault) -> Answer {
        // A page that was tampered with once stays as it is.
        if page.status != 200 || request.input.contains(TOKEN) {
            return page;
        }
        let Some(list) = List::of(request) else {
            return page;
        };
        let mut held = self.0.lock().unwrap();
        let number = held.len();
        let token = |letter: char| format!("{TOKEN}{number}{letter}");
        let first = match fault {
            Fault::EmptyPage => list.empty(request),
            _ => page.clone(),
        };
        let first = list.with_token(first, &token('a'));
        match fault {
            Fault::RepeatedToken => {
                held.insert(token('a'), first.clone());
            }
            Fault::CycledTokens => {
                held.insert(token('a'), list.with_token(page, &token('b')));
                held.insert(token('b'), first.clone());
            }
            _ => {
                held.insert(token('a'), page);
            }
        }
        first
    }
}

/// How an operation tells that its list goes on.
struct List {
    /// The element that holds the list, where the answer is XML.
    element: Option<String>,
    token: &'static str,
    /// The field that says so once more.
    flag: Option<&'static str>,
}

impl List {
    fn of(request: &Request) -> Option<Self> {
        let operation = request.operation.as_str();
        let result = || Some(format!("{operation}Result"));
        let (element, token, flag) = match (request.service.as_str(), operation) {
            ("iam", "ListAccountAliases" | "GetAccountAuthorizationDetails" | "ListAccessKeys") => {
                (result(), "Marker", Some("IsTruncated"))
            }
            ("ec2", "DescribeInstances" | "DescribeLaunchTemplateVersions") => {
                (Some(format!("{operation}Response")), "nextToken", None)
            }
            ("autoscaling", "DescribeAutoScalingGroups" | "DescribeLaunchConfigurations")
            | ("sns", "ListSubscriptions") => (result(), "NextToken", None),
            ("s3", "ListBuckets") => (
                Some("ListAllMyBucketsResult".to_owned()),
                "ContinuationToken",
                None,
            ),
            ("kms", "ListGrants" | "ListAliases") => (None, "NextMarker", Some("Truncated")),
            ("apigateway", "GetRestApis" | "GetResources") => (None, "position", None),
            ("apigateway", "GetApis" | "GetIntegrations") => (None, "nextToken", None),
            ("glue", "GetCrawlers") => (None, "NextToken", None),
            (service, operation) if operation.starts_with("List") => match service {
                "lambda" => (None, "NextMarker", None),
                "ecs" | "eks" | "iot" | "states" => (None, "nextToken", None),
                "events" | "organizations" | "pipes" | "scheduler" => (None, "NextToken", None),
                "sqs" if operation == "ListQueues" => (None, "NextToken", None),
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            element,
            token,
            flag,
        })
    }

    fn empty(&self, request: &Request) -> Answer {
        let operation = &request.operation;
        Answer::ok(match &self.element {
            None => "{}".to_owned(),
            Some(element) if element.starts_with(operation) && element.ends_with("Result") => {
                format!("<{operation}Response><{element}></{element}></{operation}Response>")
            }
            Some(element) => format!("<{element}></{element}>"),
        })
    }

    fn with_token(&self, mut page: Answer, token: &str) -> Answer {
        let Some(element) = &self.element else {
            let mut body: Value = serde_json::from_str(&page.body).unwrap();
            body[self.token] = token.into();
            if let Some(flag) = self.flag {
                body[flag] = true.into();
            }
            page.body = body.to_string();
            return page;
        };
        let mut more = format!("<{0}>{token}</{0}>", self.token);
        without(&mut page.body, self.token);
        if let Some(flag) = self.flag {
            without(&mut page.body, flag);
            more.extend(["<", flag, ">true</", flag, ">"]);
        }
        let begin = page.body.find(&format!("<{element}")).unwrap();
        let inside = begin + page.body[begin..].find('>').unwrap() + 1;
        page.body.insert_str(inside, &more);
        page
    }
}

/// Takes an element without children out of a document.
fn without(document: &mut String, element: &str) {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    if let (Some(begin), Some(end)) = (document.find(&open), document.find(&close)) {
        document.replace_range(begin..end + close.len(), "");
    }
}
