//! Any text as a policy document of every kind, every statement of it against a few requests.
//!
//! Looks for panics, stack overflow and hangs, and for formulas that contradict themselves.

#![no_main]

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use patscan::arn::Arn;
use patscan::policy::{
    Assumptions, ContextKeys, Document, Domain, Formula, Glob, Lookup, PolicyKind, Request,
    Requester, RequesterKind, is_multivalued,
};

const KINDS: [PolicyKind; 7] = [
    PolicyKind::Identity,
    PolicyKind::Session,
    PolicyKind::Resource,
    PolicyKind::Trust,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
    PolicyKind::Endpoint,
];

/// Some keys known, some absent, some open in every way that there is.
struct Keys;

impl ContextKeys for Keys {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        match key {
            "aws:principalaccount" => Lookup::One(Cow::Borrowed("111122223333")),
            "aws:userid" => Lookup::Open(Domain::like(Glob::new("AROAEXAMPLE:*"))),
            "aws:securetransport" => Lookup::Open(Domain::PRESENT),
            "aws:principalorgpaths" => Lookup::Many(vec![Cow::Borrowed("o-a/r-b/ou-c/")]),
            "aws:username" => Lookup::Absent,
            "aws:sourcevpce" => Lookup::Open(Domain::ANYTHING.in_call_to("kms")),
            key if is_multivalued(key) || key.len() % 2 == 0 => Lookup::Open(Domain::ANYTHING),
            _ => Lookup::One(Cow::Borrowed("value")),
        }
    }
}

static REQUESTERS: LazyLock<Vec<Requester>> = LazyLock::new(|| {
    let user = Arn::parse("arn:aws:iam::111122223333:user/team/alice").expect("an ARN");
    let of_account = |kind| Requester {
        kind,
        partition: Arc::from("aws"),
        account: Some(Arc::from("111122223333")),
        unique_id: Some("AROAEXAMPLE".to_owned()),
        has_boundary: true,
    };
    let role = |session| RequesterKind::Role {
        name: "app".to_owned(),
        session,
        service_linked: false,
    };
    let outside = |kind| Requester {
        kind,
        partition: Arc::from(""),
        account: None,
        unique_id: None,
        has_boundary: false,
    };
    vec![
        of_account(RequesterKind::User(user)),
        of_account(role(None)),
        of_account(role(Some("s1".to_owned()))),
        of_account(RequesterKind::Root),
        outside(RequesterKind::Service("sns.amazonaws.com".to_owned())),
        outside(RequesterKind::Anonymous),
    ]
});

fn check(formula: &Formula) {
    let negated = formula.clone().negated();
    assert!(
        formula.is_satisfiable() || negated.is_satisfiable(),
        "neither {formula} nor its negation can hold"
    );
    assert_eq!(formula.is_valid(), !negated.is_satisfiable());
    let _ = formula.conditions();
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for kind in KINDS {
        let document = Document::parse(&text, kind);
        for statement in document.readings.iter().flatten() {
            let _ = statement.is_unlimited();
            let _ = statement.actions.contains("sqs:sendmessage");
            for requester in REQUESTERS.iter() {
                let mut assumed = Assumptions::default();
                let who = statement.matches_principal(requester, &mut assumed).any();
                for resource in ["arn:aws:sqs:eu-west-1:111122223333:orders", "*"] {
                    let request = Request {
                        requester,
                        action: "sqs:sendmessage",
                        resource,
                        keys: &Keys,
                    };
                    let what = statement.matches(&request, kind, &mut assumed);
                    let formula = who.clone().and(what);
                    // Solving does not depend on the kind.
                    if kind == PolicyKind::Resource {
                        check(&formula);
                    }
                }
            }
        }
        for problem in &document.problems {
            let _ = problem.to_string();
        }
    }
});
