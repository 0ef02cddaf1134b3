//! What is told of: findings that are new, changed or gone, each as one message with an id of its own.
//!
//! A message is about one state of one finding. Its id is a digest over what the baseline compares (what the finding rests on,
//! how grave and how sure it is, whom and what it reaches), so that the same state always has the same id: whoever receives it
//! twice can tell, and a list of what was sent tells before it is sent again.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::hex;
use super::sent::Known;
use crate::finding::Severity;
use crate::report::{self, Report};
use crate::triage::{Change, OldFinding, Status, Triaged};

const SCHEMA: &str = "patscan.notification/v1";

/// Something to tell.
#[derive(Debug, Clone)]
pub(super) struct Notice<'a> {
    /// The id of the message.
    pub(super) id: String,
    /// `new`, `changed` or `gone`.
    pub(super) change: &'static str,
    pub(super) about: About<'a>,
}

/// What it is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    Found(&'a Triaged),
    Gone(&'a OldFinding),
}

/// What a destination is to be told, and what is to be noted without telling it.
#[derive(Debug, Default)]
pub(super) struct Notices<'a> {
    pub(super) tell: Vec<Notice<'a>>,
    /// Findings that the destination knows, by the baseline: id of the finding and of the message.
    pub(super) seed: Vec<(&'a str, String)>,
    /// Findings that were accepted: told anew when they are open again.
    pub(super) forget: Vec<&'a str>,
}

impl Notice<'_> {
    pub(super) fn finding(&self) -> &str {
        match self.about {
            About::Found(triaged) => &triaged.id,
            About::Gone(old) => &old.id,
        }
    }

    pub(super) fn rule(&self) -> &str {
        match self.about {
            About::Found(triaged) => triaged.rule,
            About::Gone(old) => &old.rule,
        }
    }

    pub(super) fn severity(&self) -> &str {
        match self.about {
            About::Found(triaged) => triaged.severity.as_str(),
            About::Gone(old) => &old.severity,
        }
    }

    pub(super) fn title(&self) -> &str {
        match self.about {
            About::Found(triaged) => &triaged.title,
            About::Gone(old) => &old.title,
        }
    }

    pub(super) fn account(&self) -> &str {
        match self.about {
            About::Found(triaged) => triaged.account.as_str(),
            About::Gone(old) => &old.account,
        }
    }

    pub(super) fn region(&self) -> &str {
        match self.about {
            About::Found(triaged) => &triaged.region,
            About::Gone(old) => &old.region,
        }
    }

    pub(super) fn subject(&self) -> &str {
        match self.about {
            About::Found(triaged) => &triaged.subject.arn,
            About::Gone(old) => &old.subject.arn,
        }
    }

    /// The message as JSON of at most `room` bytes. What makes it too long is left out, the proof first, and named.
    ///
    /// # Errors
    /// A finding that is too long even so.
    pub(super) fn message(&self, report: &Report, room: usize) -> Result<Value, String> {
        let finding = match self.about {
            About::Found(triaged) => report::finding_value(report, triaged),
            About::Gone(old) => Ok(json!({
                "id": old.id, "rule": old.rule, "severity": old.severity, "title": old.title,
                "account": old.account, "region": old.region,
                "subject": {"kind": old.subject.kind, "arn": old.subject.arn},
            })),
        };
        let mut message = json!({
            "schema": SCHEMA,
            "message_id": self.id,
            "change": self.change,
            "generated_at": report::time(report.generated_at),
            "complete": report.complete(),
            "finding": finding.map_err(|error| error.to_string())?,
        });
        let mut left_out = Vec::new();
        for long in [
            "evidence",
            "resources",
            "principals",
            "conditions",
            "detail",
        ] {
            if text(&message).len() <= room {
                return Ok(message);
            }
            let finding = message.get_mut("finding").and_then(Value::as_object_mut);
            if finding.and_then(|finding| finding.remove(long)).is_some() {
                left_out.push(long);
            }
            if let Some(fields) = message.as_object_mut() {
                fields.insert("left_out".to_owned(), json!(left_out));
            }
        }
        if text(&message).len() <= room {
            return Ok(message);
        }
        Err(format!("it is longer than {room} bytes"))
    }
}

/// JSON on one line in which nothing is invisible.
pub(super) fn text(value: &Value) -> String {
    let mut line = Vec::new();
    // Writing to memory does not fail, and the keys of a value are texts.
    let _ = report::write_json_line(value, &mut line);
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// What a destination is told of a report: what is open, new or changed, and at least so grave; and of the same what is gone.
///
/// By what was `sent` before, if somebody keeps that; by the baseline otherwise. A destination that is told for the first time
/// by a report with a baseline is taken to know what the baseline has: who adds a channel does not want the past.
pub(super) fn notices<'a>(
    report: &'a Report,
    least: Severity,
    sent: Option<&Known>,
) -> Notices<'a> {
    let mut notices = Notices::default();
    for triaged in &report.findings {
        if triaged.status == Status::Waived {
            notices.forget.push(&triaged.id);
        }
        if !report.is_open(triaged) || triaged.severity < least {
            continue;
        }
        let id = id_of(triaged);
        let change = match sent {
            None => triaged.change,
            Some(known) => match known.of(&triaged.id) {
                Some(told) if told == id => Change::Unchanged,
                Some(told) if told == GONE => Change::New,
                Some(_) => Change::Changed,
                None if known.is_first() && triaged.change == Change::Unchanged => {
                    notices.seed.push((&triaged.id, id.clone()));
                    Change::Unchanged
                }
                None => Change::New,
            },
        };
        if change != Change::Unchanged {
            notices.tell.push(Notice {
                id,
                change: change.as_str(),
                about: About::Found(triaged),
            });
        }
    }
    for old in report.since.iter().flat_map(|since| &since.gone) {
        // A severity that this version does not know may be a grave one.
        let severity = old.severity.parse::<Severity>();
        let is_grave = severity.map_or(true, |severity| severity >= least);
        let is_news = match sent {
            None => true,
            Some(known) if known.is_first() => {
                notices.seed.push((&old.id, BEFORE.to_owned()));
                true
            }
            // What was never told of is not told to be gone.
            Some(known) => known.of(&old.id).is_some_and(|told| told != GONE),
        };
        if is_grave && is_news {
            let baseline = report.since.as_ref().map(|since| &since.made_at);
            notices.tell.push(Notice {
                id: digest(&json!([GONE, old.id, baseline])),
                change: GONE,
                about: About::Gone(old),
            });
        }
    }
    notices
}

/// What stands for the message in a list of what was sent when the finding is no more.
pub(super) const GONE: &str = "gone";
/// The same for one that is no more and that the destination was not told so yet.
const BEFORE: &str = "before";

/// The id of the message about a finding as it is.
fn id_of(triaged: &Triaged) -> String {
    let principals = triaged.principals.iter().map(|one| {
        let workloads: Vec<&str> = one.workloads.iter().map(|entity| &*entity.arn).collect();
        json!([one.entity.kind.as_str(), one.entity.arn, workloads])
    });
    let resources = triaged.resources.iter().map(|one| {
        let grade = one.grade.map(crate::finding::Grade::as_str);
        json!([
            one.entity.kind.as_str(),
            one.entity.arn,
            one.certainty.as_str(),
            grade
        ])
    });
    digest(&json!([
        triaged.id,
        triaged.fingerprint.to_string(),
        triaged.severity.as_str(),
        triaged.certainty.as_str(),
        triaged.conditions,
        principals.collect::<Vec<_>>(),
        resources.collect::<Vec<_>>(),
        triaged.more_resources,
    ]))
}

fn digest(value: &Value) -> String {
    hex(Sha256::digest(value.to_string().as_bytes()).iter().take(16))
}

/// One id for several messages that go together.
pub(super) fn together<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.into_iter().collect();
    digest(&json!(ids))
}
