//! The answer of `patscan explain`: everything behind one finding. `patscan.explain/v1`.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde::ser::Serializer;

use super::json::{self, CoverageView, FindingView};
use super::{AnswerFormat, Style, table};
use crate::explain::{Age, Explanation, Gives, Quote};
use crate::policy::Json;
use crate::remedy::{Proof, Remedy};

#[derive(Serialize)]
struct ExplanationView<'a> {
    schema: &'static str,
    finding: FindingView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<AgeView>,
    why: &'a str,
    path: &'a [String],
    statements: Vec<QuoteView<'a>>,
    checked: &'a [String],
    waiver: String,
    coverage: CoverageView<'a>,
}

#[derive(Serialize)]
struct AgeView {
    new: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<String>,
}

#[derive(Serialize)]
struct QuoteView<'a> {
    layer: &'static str,
    policy: &'a str,
    statement: &'a str,
    effect: &'static str,
    gives: Vec<GivesView<'a>>,
    /// The statement as it is written; none where it stands in no document.
    text: Option<String>,
    matched: &'a [String],
}

#[derive(Serialize)]
struct GivesView<'a> {
    capability: &'a str,
    resources: Vec<&'a str>,
}

/// What a remedy tells besides its summary.
#[derive(Serialize)]
pub(super) struct PlanView<'a> {
    proved: bool,
    /// What the proof showed, or what it could not show.
    proof: &'a [String],
    /// What the plan comes to, in a sentence or two.
    #[serde(skip_serializing_if = "str::is_empty")]
    gist: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<PolicyView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    placements: Vec<PlacementView<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    terraform: Option<String>,
}

#[derive(Serialize)]
struct StepView {
    what: String,
    command: String,
}

#[derive(Serialize)]
struct PolicyView {
    file: String,
    title: String,
    owner: String,
    document: DocumentView,
}

/// A document as JSON; what is no JSON as text.
struct DocumentView(String);

#[derive(Serialize)]
struct PlacementView<'a> {
    workload: &'a str,
    role: Option<&'a str>,
    why: &'a str,
}

impl Serialize for DocumentView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Json::parse(&self.0) {
            Ok(tree) if !tree.has_duplicate_keys() => tree.serialize(serializer),
            _ => serializer.serialize_str(&self.0),
        }
    }
}

impl Explanation {
    /// Writes the explanation, buffered and flushed.
    ///
    /// # Errors
    /// Those of the writer, unchanged.
    pub fn write(&self, format: AnswerFormat, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match format {
            AnswerFormat::Table => table::write_explanation(self, style, &mut out)?,
            AnswerFormat::Json => json::write_value(&self.view(), &mut out)?,
        }
        out.flush()
    }

    fn view(&self) -> ExplanationView<'_> {
        ExplanationView {
            schema: "patscan.explain/v1",
            finding: FindingView::explained(&self.finding, PlanView::of(&self.remedy)),
            age: self.age.map(|age| match age {
                Age::New => AgeView {
                    new: true,
                    first_seen: None,
                },
                Age::Since(time) => AgeView {
                    new: false,
                    first_seen: Some(json::time(time)),
                },
            }),
            why: &self.why,
            path: &self.path,
            statements: self.statements.iter().map(QuoteView::of).collect(),
            checked: &self.checked,
            waiver: self.waiver().join("\n"),
            coverage: CoverageView::of(&self.coverage),
        }
    }
}

impl<'a> QuoteView<'a> {
    fn of(quote: &'a Quote) -> Self {
        let lines: Vec<&str> = quote.lines.iter().map(|line| line.text.as_str()).collect();
        Self {
            layer: quote.layer,
            policy: &quote.policy,
            statement: &quote.statement,
            effect: quote.effect,
            gives: quote.gives.iter().map(GivesView::of).collect(),
            text: (!lines.is_empty()).then(|| lines.join("\n")),
            matched: &quote.matched,
        }
    }
}

impl<'a> GivesView<'a> {
    fn of(gives: &'a Gives) -> Self {
        Self {
            capability: &gives.capability,
            resources: gives.resources.iter().map(|arn| &**arn).collect(),
        }
    }
}

impl<'a> PlanView<'a> {
    fn of(remedy: &'a Remedy) -> Self {
        let (Proof::Proved(proof) | Proof::Unproved(proof)) = &remedy.proof;
        let plan = remedy.plan.as_ref();
        Self {
            proved: remedy.proof.is_proved(),
            proof,
            gist: plan.map_or("", |plan| &plan.gist),
            steps: plan.map_or_else(Vec::new, |plan| {
                let changes = plan.changes.iter().map(crate::remedy::Change::words);
                let steps = changes.zip(plan.commands());
                steps
                    .map(|(what, command)| StepView { what, command })
                    .collect()
            }),
            policies: plan.map_or_else(Vec::new, |plan| {
                let documents = plan.documents().into_iter();
                documents
                    .map(|written| PolicyView {
                        file: written.file,
                        title: written.title,
                        owner: written.owner,
                        document: DocumentView(written.text),
                    })
                    .collect()
            }),
            placements: plan.map_or_else(Vec::new, |plan| {
                let placements = plan.placements.iter();
                placements
                    .map(|placement| PlacementView {
                        workload: &placement.workload.arn,
                        role: placement.role.as_deref(),
                        why: &placement.why,
                    })
                    .collect()
            }),
            notes: plan.map_or(&[], |plan| &plan.notes),
            terraform: plan.map(crate::remedy::Plan::terraform),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::DateTime;

    use super::*;
    use crate::access::Access;
    use crate::explain::explain;
    use crate::finding::Finding;
    use crate::graph::Graph;
    use crate::remedy::Ground;
    use crate::rules::Settings;
    use crate::triage::PolicyTexts;
    use crate::{account, audit};

    const DEMO: &[u8] = include_bytes!("../../fixtures/accounts/demo/snapshot.json");

    fn written(age: Option<Age>, format: AnswerFormat) -> String {
        let accounts = [account::from_slice(DEMO, Path::new("demo")).unwrap()];
        let access = Access::compute(&accounts);
        let graph = Graph::new(&access);
        let settings = Settings::default();
        let report = audit::report(&access, &settings, DateTime::UNIX_EPOCH);
        let findings: Vec<Finding> = report
            .findings
            .iter()
            .map(|triaged| triaged.finding.clone())
            .collect();
        let ground = Ground {
            access: &access,
            graph: &graph,
            settings: &settings,
            findings: &findings,
        };
        let policies = PolicyTexts::of(&accounts);
        let first = report.findings.first().unwrap();
        let mut explanation = explain(&ground, first, &policies, report.coverage.clone());
        explanation.age = age;
        let mut out = Vec::new();
        explanation
            .write(format, Style::default(), &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_age_is_told_where_it_is_known() {
        let since = Some(Age::Since(DateTime::UNIX_EPOCH));
        for (age, table, json) in [
            (
                since,
                "first seen 1970-01-01 00:00 UTC",
                "\"first_seen\": \"1970-01-01T00:00:00Z\"",
            ),
            (Some(Age::New), "new since the baseline", "\"new\": true"),
        ] {
            assert!(written(age, AnswerFormat::Table).contains(table));
            assert!(written(age, AnswerFormat::Json).contains(json));
        }
        assert!(!written(None, AnswerFormat::Table).contains("  age  "));
        assert!(!written(None, AnswerFormat::Json).contains("\"age\""));
    }
}
