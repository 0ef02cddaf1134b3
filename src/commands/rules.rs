//! `patscan rules [RULE]`: the catalogue, for people and for programs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::Outcome;
use crate::cli::RulesArgs;
use crate::config::Output;
use crate::nearest::nearest_first;
use crate::report::{AnswerFormat, write_json};
use crate::rules::{RULES, Rule};

const SCHEMA: &str = "patscan.rules/v1";

pub(super) fn run(args: &RulesArgs) -> Result<Outcome> {
    let output: Output<AnswerFormat> = args.format.parse()?;
    let file = output.path.as_deref().map(super::open_file).transpose()?;
    let rules: Vec<&Rule> = match &args.rule {
        None => RULES.iter().collect(),
        Some(id) => vec![named(id)?],
    };
    let mut text = Vec::new();
    match (output.format, args.rule.is_some()) {
        (AnswerFormat::Json, _) => write_json(&Catalogue::of(&rules)?, &mut text)?,
        (AnswerFormat::Table, true) => text.extend(rules.iter().flat_map(|rule| rule.page.bytes())),
        (AnswerFormat::Table, false) => text.extend(list(&rules).bytes()),
    }
    super::write_to(file, output.path, &text)?;
    Ok(Outcome::Clean)
}

fn named(id: &str) -> Result<&'static Rule> {
    if let Some(rule) = RULES.iter().find(|rule| rule.id == id) {
        return Ok(rule);
    }
    let nearest = nearest_first(id, RULES.iter().map(|rule| rule.id));
    let nearest = nearest.first().map_or("", String::as_str);
    bail!("there is no rule `{id}`; did you mean `{nearest}`? `patscan rules` lists them");
}

fn list(rules: &[&Rule]) -> String {
    let widths = rules.iter().map(|rule| rule.id.len());
    let width = widths.max().unwrap_or_default();
    let lines: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "{:width$}  {:8}  {}\n",
                rule.id,
                rule.severity(),
                rule.title()
            )
        })
        .collect();
    format!("{}\nThe page of one: patscan rules RULE\n", lines.concat())
}

/// `patscan.rules/v1`.
#[derive(Serialize)]
struct Catalogue {
    schema: &'static str,
    rules: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: &'static str,
    title: &'static str,
    severity: &'static str,
    tags: Vec<&'static str>,
    controls: BTreeMap<&'static str, Vec<&'static str>>,
    parameters: Vec<ParameterEntry>,
    /// The page below its front matter, Markdown.
    page: &'static str,
}

#[derive(Serialize)]
struct ParameterEntry {
    name: &'static str,
    meaning: &'static str,
    default: u64,
}

impl Catalogue {
    fn of(rules: &[&Rule]) -> Result<Self> {
        let entry = |rule: &&Rule| {
            let front = rule.front_matter()?;
            Some(Entry {
                id: rule.id,
                title: front.title,
                severity: front.severity.as_str(),
                tags: front.tags,
                controls: front.controls.into_iter().collect(),
                parameters: rule
                    .parameters
                    .iter()
                    .map(|parameter| ParameterEntry {
                        name: parameter.name,
                        meaning: parameter.meaning,
                        default: parameter.usual,
                    })
                    .collect(),
                page: rule.text(),
            })
        };
        let rules = rules.iter().map(entry).collect::<Option<_>>();
        Ok(Self {
            schema: SCHEMA,
            rules: rules.context("a page of the catalogue cannot be read; please report this")?,
        })
    }
}
