//! What goes wrong between a client and AWS: by plan, in the words of the service that was called.

use std::collections::HashMap;
use std::sync::Mutex;

use super::pages::Pages;
use super::{Answer, Ending, Request};

/// Something that goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The service has had enough of the caller.
    Throttled,
    /// 500, 502 or 503; the second comes from a load balancer, which speaks no protocol of AWS.
    Server(u16),
    /// The caller lacks the permission.
    Denied,
    /// The credentials have run out.
    Expired,
    /// The connection is reset before a word is said.
    ResetBefore,
    /// The connection is reset in the middle of the answer.
    ResetWithin,
    /// The connection is closed before the end that `Content-Length` announced.
    ShortBody,
    /// Good HTTP around half a document.
    CutBody,
    /// The answer comes byte by byte.
    Drip,
    /// No answer ever comes.
    Silence,
    /// Nobody takes the connection, as with a region that is cut off.
    Unreachable,
    /// The answer has no end.
    EndlessBody,
    /// A network that wants its terms accepted answers in place of AWS: 200, and a page for a browser.
    Captive,
    /// The same, by way of a redirect.
    Redirect,
    /// The token of the next page is that of this page, for ever.
    RepeatedToken,
    /// The tokens of the next pages go round: A, B, A.
    CycledTokens,
    /// A page comes twice.
    DuplicatedPage,
    /// A page without items comes before the others.
    EmptyPage,
}

impl Fault {
    /// Every kind once.
    pub(crate) const ALL: [Self; 20] = [
        Self::Throttled,
        Self::Server(500),
        Self::Server(502),
        Self::Server(503),
        Self::Denied,
        Self::Expired,
        Self::ResetBefore,
        Self::ResetWithin,
        Self::ShortBody,
        Self::CutBody,
        Self::Drip,
        Self::Silence,
        Self::Unreachable,
        Self::EndlessBody,
        Self::Captive,
        Self::Redirect,
        Self::RepeatedToken,
        Self::CycledTokens,
        Self::DuplicatedPage,
        Self::EmptyPage,
    ];
}

/// How often calls came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The very same request: 0 for a first attempt.
    pub(crate) attempts: usize,
    /// The operation in the region.
    pub(crate) calls: usize,
    /// Anything.
    pub(crate) all: usize,
}

type Plan = dyn Fn(&Request, Seen) -> Option<Fault> + Send + Sync;

/// What a plan makes of the answers to calls.
pub(super) struct Faults {
    plan: Box<Plan>,
    counts: Mutex<Counts>,
    pages: Pages,
}

#[derive(Default)]
struct Counts {
    requests: HashMap<Request, usize>,
    operations: HashMap<(String, String), usize>,
    all: usize,
}

impl Counts {
    fn next(&mut self, request: &Request) -> Seen {
        fn next(count: &mut usize) -> usize {
            *count += 1;
            *count - 1
        }
        let operation = (request.call(), request.region.clone());
        // Every attempt is signed anew.
        let same = Request {
            headers: Vec::new(),
            ..request.clone()
        };
        Seen {
            attempts: next(self.requests.entry(same).or_default()),
            calls: next(self.operations.entry(operation).or_default()),
            all: next(&mut self.all),
        }
    }
}

impl Faults {
    pub(super) fn new(
        plan: impl Fn(&Request, Seen) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            plan: Box::new(plan),
            counts: Mutex::default(),
            pages: Pages::default(),
        }
    }

    /// The answer to a call, of which `real` tells what is right, and the fault in it.
    pub(super) fn answer(
        &self,
        request: &Request,
        real: impl FnOnce() -> Answer,
    ) -> (Answer, Option<Fault>) {
        let seen = self.counts.lock().unwrap().next(request);
        let fault = (self.plan)(request, seen);
        let real = || self.pages.held(request).unwrap_or_else(real);
        let answer = match fault {
            None => real(),
            Some(Fault::Throttled) => Answer::throttled(request),
            Some(Fault::Server(502)) => page_for_browsers(502),
            Some(Fault::Server(503)) => Answer::error(request, 503, "ServiceUnavailable"),
            Some(Fault::Server(status)) => Answer::error(request, status, "InternalFailure"),
            Some(Fault::Denied) => Answer::denied(request),
            Some(Fault::Expired) => Answer::expired(request),
            Some(Fault::ResetBefore) => real().ending(Ending::ResetBefore),
            Some(Fault::ResetWithin) => real().ending(Ending::ResetWithin),
            Some(Fault::ShortBody) => real().ending(Ending::Short),
            Some(Fault::Drip) => real().ending(Ending::Dripping),
            Some(Fault::Silence) => real().ending(Ending::Silent),
            Some(Fault::Unreachable) => real().ending(Ending::Unreachable),
            Some(Fault::EndlessBody) => real().ending(Ending::Endless),
            Some(Fault::CutBody) => {
                let mut answer = real();
                answer.cut(answer.len() / 2);
                answer
            }
            Some(Fault::Captive) => page_for_browsers(200),
            Some(Fault::Redirect) => {
                page_for_browsers(302).with("location", "http://login.invalid/")
            }
            Some(
                fault @ (Fault::RepeatedToken
                | Fault::CycledTokens
                | Fault::DuplicatedPage
                | Fault::EmptyPage),
            ) => self.pages.tampered(request, real(), fault),
        };
        (answer, fault)
    }
}

fn page_for_browsers(status: u16) -> Answer {
    let mut answer = Answer::ok(
        "<!DOCTYPE html>\n<html><head><title>Welcome</title><meta charset=\"utf-8\"></head>\
         <body><p>Accept the terms & go on<br></body></html>",
    )
    .with("content-type", "text/html");
    answer.status = status;
    answer
}

impl Answer {
    /// Too many calls, as the service that was called says it.
    fn throttled(request: &Request) -> Self {
        let (status, code) = match request.service.as_str() {
            "sqs" => (403, "RequestThrottled"),
            "ec2" => (503, "RequestLimitExceeded"),
            "s3" => (503, "SlowDown"),
            "apigateway" | "lambda" | "securityhub" => (429, "TooManyRequestsException"),
            "eks" | "pipes" | "scheduler" => (429, "ThrottlingException"),
            "organizations" => (400, "TooManyRequestsException"),
            "ecs" | "events" | "glue" | "iot" | "kms" | "states" => (400, "ThrottlingException"),
            _ => (400, "Throttling"),
        };
        Self::error(request, status, code)
    }

    /// Credentials that have run out, as the service that was called says it.
    fn expired(request: &Request) -> Self {
        let (status, code) = match request.service.as_str() {
            "ec2" => (400, "RequestExpired"),
            "s3" => (400, "ExpiredToken"),
            "ecs" | "events" | "glue" | "kms" | "organizations" | "states" => {
                (400, "ExpiredTokenException")
            }
            "apigateway" | "eks" | "iot" | "lambda" | "pipes" | "scheduler" | "securityhub" => {
                (403, "ExpiredTokenException")
            }
            _ => (403, "ExpiredToken"),
        };
        Self::error(request, status, code)
    }
}
