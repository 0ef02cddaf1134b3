//! Statements as they stand in their policies, with the parts marked that matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::Capability;
use crate::entity::Kind;
use crate::finding::{Evidence, Finding};
use crate::policy::{Document, Json, PolicyKind, Statement};
use crate::remedy::{as_text, label};
use crate::triage::PolicyTexts;

/// What is asked of a key: both to put messages in, the second to read them.
const KEY_USES: [&str; 2] = ["kms:generatedatakey", "kms:decrypt"];

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The layer of its policy.
    pub layer: &'static str,
    /// The name of the policy.
    pub policy: Arc<str>,
    /// Its `Sid`, or `#index` counted from 1.
    pub statement: Arc<str>,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
    /// What it gives or denies.
    pub gives: Vec<Gives>,
    /// The statement line by line; empty where it is not written down, as of deliveries and grants.
    pub lines: Vec<Line>,
    /// The action patterns, resource patterns and principals that matter, as they are written.
    pub matched: Vec<String>,
}

/// One capability, and on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gives {
    /// The capability or action.
    pub capability: String,
    /// The ARNs.
    pub resources: Vec<Arc<str>>,
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line.
    pub text: String,
    /// Whether it is one of those that matter.
    pub marked: bool,
}

/// The statements behind a finding, those that give first. Boundaries and control policies that allow give nothing, and are
/// told as what was checked.
pub(super) fn quotes(finding: &Finding, policies: &PolicyTexts<'_>) -> Vec<Quote> {
    type Key<'a> = (&'a str, &'a str, &'a str, &'a str);
    let mut grouped: BTreeMap<Key<'_>, Vec<&Evidence>> = BTreeMap::new();
    for evidence in finding.evidence.iter() {
        let limits = matches!(
            evidence.layer,
            "boundary" | "scp" | "rcp" | "session" | "endpoint"
        );
        if evidence.effect == "Deny" || !limits {
            let key = (
                evidence.effect,
                evidence.layer,
                &*evidence.policy,
                &*evidence.statement,
            );
            grouped.entry(key).or_default().push(evidence);
        }
    }
    grouped
        .into_values()
        .filter_map(|evidence| quote(finding, &evidence, policies))
        .collect()
}

fn quote(finding: &Finding, evidence: &[&Evidence], policies: &PolicyTexts<'_>) -> Option<Quote> {
    let first = *evidence.first()?;
    let mut gives: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
    for one in evidence {
        let resources = gives.entry(&one.capability).or_default();
        resources.push(Arc::clone(&one.resource));
    }
    let quoted = policies
        .texts(&first.policy)
        .iter()
        .find_map(|text| written(finding, evidence, first, text));
    let (lines, matched) = quoted.unwrap_or_default();
    Some(Quote {
        layer: first.layer,
        policy: Arc::clone(&first.policy),
        statement: Arc::clone(&first.statement),
        effect: first.effect,
        gives: gives
            .into_iter()
            .map(|(capability, resources)| Gives {
                capability: capability.to_owned(),
                resources,
            })
            .collect(),
        lines,
        matched,
    })
}

/// The statement of a name in a policy, line by line.
fn written(
    finding: &Finding,
    evidence: &[&Evidence],
    first: &Evidence,
    text: &str,
) -> Option<(Vec<Line>, Vec<String>)> {
    let Ok(Json::Object(members)) = Json::parse(text) else {
        return None;
    };
    let statements = members
        .into_iter()
        .find(|(key, _)| key == "Statement")
        .map(|(_, value)| match value {
            Json::Array(items) => items,
            single => vec![single],
        })?;
    let mut numbered = statements.iter().zip(1..);
    let (statement, _) = numbered.find(|(one, number)| label(one, *number) == *first.statement)?;
    let kind = match first.layer {
        "resource" | "kms" if !first.policy.starts_with("inline policy ") => PolicyKind::Resource,
        _ if first.policy.starts_with("trust policy ") => PolicyKind::Trust,
        _ => PolicyKind::Identity,
    };
    let document = Document::parse(text, kind);
    let mut readings = document.readings.iter().flatten();
    let parsed = readings.find(|one| one.label == first.statement);
    let marker = Marker {
        finding,
        evidence,
        parsed,
        kind,
    };
    let mut lines = Vec::new();
    let mut matched = Vec::new();
    marker.object(statement, &mut lines, &mut matched);
    Some((lines, matched))
}

/// Tells which parts of a statement matter.
struct Marker<'a> {
    finding: &'a Finding,
    evidence: &'a [&'a Evidence],
    parsed: Option<&'a Statement>,
    kind: PolicyKind,
}

impl Marker<'_> {
    fn object(&self, statement: &Json<'_>, lines: &mut Vec<Line>, matched: &mut Vec<String>) {
        let plain = |text: String| Line {
            text,
            marked: false,
        };
        let Json::Object(members) = statement else {
            lines.push(plain(one_line(statement)));
            return;
        };
        lines.push(plain("{".to_owned()));
        for (place, (key, value)) in members.iter().enumerate() {
            let comma = if place + 1 < members.len() { "," } else { "" };
            let key = key.as_ref();
            let lead = format!("  {}: ", quoted(key));
            self.member(key, value, &lead, "  ", comma, lines, matched);
        }
        lines.push(plain("}".to_owned()));
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one member of an object, and the two lists that it adds to"
    )]
    fn member(
        &self,
        element: &str,
        value: &Json<'_>,
        lead: &str,
        indent: &str,
        comma: &str,
        lines: &mut Vec<Line>,
        matched: &mut Vec<String>,
    ) {
        let mut add = |text: String, marked: Option<&str>| {
            if let Some(part) = marked
                && !matched.iter().any(|known| known == part)
            {
                matched.push(part.to_owned());
            }
            lines.push(Line {
                text,
                marked: marked.is_some(),
            });
        };
        match value {
            Json::Array(items) if !items.is_empty() => {
                add(format!("{lead}["), None);
                for (place, item) in items.iter().enumerate() {
                    let comma = if place + 1 < items.len() { "," } else { "" };
                    let part = as_text(item).filter(|text| self.matters(element, place, text));
                    add(format!("{indent}  {}{comma}", one_line(item)), part);
                }
                add(format!("{indent}]{comma}"), None);
            }
            Json::Object(members) if !members.is_empty() => {
                add(format!("{lead}{{"), None);
                let inner = format!("{indent}  ");
                for (place, (key, value)) in members.iter().enumerate() {
                    let comma = if place + 1 < members.len() { "," } else { "" };
                    let lead = format!("{inner}{}: ", quoted(key));
                    let element = match element {
                        // The kinds of principals.
                        "Principal" | "NotPrincipal" => element,
                        _ => "",
                    };
                    self.member(element, value, &lead, &inner, comma, lines, matched);
                }
                lines.push(Line {
                    text: format!("{indent}}}{comma}"),
                    marked: false,
                });
            }
            single => {
                let part = as_text(single).filter(|text| self.matters(element, 0, text));
                add(format!("{lead}{}{comma}", one_line(single)), part);
            }
        }
    }

    /// The actions, in lower case, that the statement is evidence for: of what needs a key, those on the key where it gives these.
    fn actions(&self, evidence: &Evidence) -> Vec<String> {
        let capability = Capability::ALL
            .into_iter()
            .find(|capability| capability.as_str() == evidence.capability);
        let sends = !matches!(capability, Some(capability) if capability != Capability::Send);
        match capability {
            _ if self.is_about_a_key(evidence) => {
                let first = usize::from(!sends);
                let uses = KEY_USES.iter().skip(first);
                uses.map(|action| (*action).to_owned()).collect()
            }
            Some(capability) => {
                let actions = capability.actions(true).iter();
                actions.map(|action| (*action).to_owned()).collect()
            }
            None => vec![evidence.capability.to_lowercase()],
        }
    }

    /// Whether the statement lets a key be used by which the resource is encrypted.
    fn is_about_a_key(&self, evidence: &Evidence) -> bool {
        let gives = |action: &str| {
            self.parsed
                .is_some_and(|parsed| parsed.actions.contains(action))
        };
        evidence.layer == "kms"
            || (evidence.capability.contains(':')
                && !gives(&evidence.capability.to_lowercase())
                && KEY_USES.iter().any(|action| gives(action)))
    }

    /// Whether one text of an element takes part in what the statement is evidence for.
    fn matters(&self, element: &str, place: usize, text: &str) -> bool {
        match element {
            "Action" => self.evidence.iter().any(|one| {
                let pattern_of_evidence = one.capability.split(", ").any(|part| part == text);
                let gives = |action: &str| {
                    self.parsed
                        .is_some_and(|parsed| parsed.actions.pattern_matches(place, action))
                };
                pattern_of_evidence || self.actions(one).iter().any(|action| gives(action))
            }),
            "Resource" => self.evidence.iter().any(|one| {
                let is_named = one.resource.split(", ").any(|part| part == text);
                // Of a key's policy the resource is the key, whatever it is evidence for.
                let resources = self.parsed.and_then(|parsed| parsed.resources.as_ref());
                let pattern = resources.and_then(|resources| resources.patterns.get(place));
                let reaches = pattern.is_some_and(|pattern| {
                    self.is_about_a_key(one) || pattern.could_match(&one.resource, self.kind)
                });
                is_named || reaches
            }),
            "Principal" => {
                let mut holders = self.finding.principals.iter();
                text == "*"
                    || holders.any(|holder| {
                        let arn = &*holder.entity.arn;
                        let account = arn.split(':').nth(4).filter(|one| !one.is_empty());
                        let is_account = account.is_some_and(|account| {
                            text == account || text.ends_with(&format!("::{account}:root"))
                        });
                        text == arn
                            || is_account
                            || (holder.entity.kind == Kind::Anyone && text.contains('*'))
                    })
            }
            _ => false,
        }
    }
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn one_line(value: &Json<'_>) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
