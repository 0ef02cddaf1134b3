//! The file of waivers: what people write when they accept a finding.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Fingerprint;
use super::waiver::{Selector, Waiver};
use crate::nearest::nearest_first;
use crate::rules::RULES;
use crate::toml_file::{self, TomlFileError};

/// A file of waivers that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WaiverError {
    /// It is missing, or not what such a file looks like.
    #[error(transparent)]
    File(#[from] TomlFileError),
    /// A waiver that lacks something or says something impossible.
    #[error("`{}` waiver {number}: {problem}", .path.display())]
    Waiver {
        /// The file.
        path: PathBuf,
        /// Which waiver, counted from 1.
        number: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// The whole file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[schemars(title = "patscan waivers")]
struct WaiverFile {
    /// Findings that are accepted.
    waiver: Vec<Entry>,
}

/// One waiver as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
struct Entry {
    /// The id of the finding.
    id: Option<String>,
    /// Instead of an id: the rule of the findings.
    rule: Option<String>,
    /// With a rule: the name or ARN of their subjects, with `*` and `?`.
    subject: Option<String>,
    /// With a rule: the name or ARN of all their queues, with `*` and `?`.
    queue: Option<String>,
    /// What the findings rest on, as reports and `patscan explain` show it. When that changes the waiver lapses.
    evidence: Option<OneOrMany>,
    /// Who answers for it.
    owner: Option<String>,
    /// Why it is accepted.
    reason: Option<String>,
    /// The last day on which it holds.
    expires: Option<Day>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A day, as a TOML date or as text.
#[derive(Debug, Clone, Copy)]
struct Day(NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Date(toml::value::Datetime),
            Text(String),
        }
        let text = match Written::deserialize(deserializer) {
            Ok(Written::Date(date)) => date.to_string(),
            Ok(Written::Text(text)) => text,
            Err(_) => return Err(D::Error::custom("a day is written as 2027-03-31")),
        };
        NaiveDate::parse_from_str(&text, "%Y-%m-%d")
            .map(Self)
            .map_err(|_| D::Error::custom(format!("`{text}` is no day; write it as 2027-03-31")))
    }
}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date"})
    }
}

/// The JSON Schema of a file of waivers.
pub fn waiver_schema() -> Schema {
    toml_file::schema::<WaiverFile>()
}

/// Reads a file of waivers. `must_expire` refuses those without a last day.
///
/// # Errors
/// [`WaiverError`] names the waiver and what it lacks.
pub fn read_waivers(path: &Path, must_expire: bool) -> Result<Vec<Waiver>, WaiverError> {
    checked(toml_file::read(path)?, path, must_expire)
}

/// Reads the text of a file of waivers.
///
/// # Errors
/// [`WaiverError`] names the waiver and what it lacks.
pub fn parse_waivers(
    text: &str,
    path: &Path,
    must_expire: bool,
) -> Result<Vec<Waiver>, WaiverError> {
    checked(toml_file::parse(text, path)?, path, must_expire)
}

fn checked(file: WaiverFile, path: &Path, must_expire: bool) -> Result<Vec<Waiver>, WaiverError> {
    let entries = file.waiver.into_iter().enumerate();
    entries
        .map(|(index, entry)| {
            entry
                .check(index + 1, must_expire)
                .map_err(|problem| WaiverError::Waiver {
                    path: path.to_owned(),
                    number: index + 1,
                    problem,
                })
        })
        .collect()
}

impl Entry {
    fn check(self, number: usize, must_expire: bool) -> Result<Waiver, String> {
        let selector = match (self.id, self.rule) {
            (Some(_), Some(_)) => {
                return Err("it has an `id` and a `rule`; an id says the rule already".to_owned());
            }
            (Some(_), None) if self.subject.is_some() || self.queue.is_some() => {
                return Err(
                    "`subject` and `queue` belong to a `rule`; an id names one finding".to_owned(),
                );
            }
            (Some(id), None) => Selector::Finding(id),
            (None, Some(rule)) => {
                let rule = known_rule(&rule)?;
                if self.subject.is_none() && self.queue.is_none() {
                    return Err(format!(
                        "it would accept every finding of {rule}; name them by `subject` or `queue`, or switch the rule \
                         off in patscan.toml"
                    ));
                }
                Selector::Rule {
                    rule,
                    subject: self.subject,
                    queue: self.queue,
                }
            }
            (None, None) => {
                return Err(
                    "it names no finding; give its `id`, or a `rule` with `subject` or `queue`"
                        .to_owned(),
                );
            }
        };
        let said = |text: Option<String>, key: &str, what: &str| {
            text.filter(|text| !text.trim().is_empty())
                .ok_or_else(|| format!("`{key}` is missing; say {what}"))
        };
        let owner = said(self.owner, "owner", "who answers for it")?;
        let reason = said(self.reason, "reason", "why the finding is accepted")?;
        if must_expire && self.expires.is_none() {
            return Err(
                "`expires` is missing; give the last day on which it holds, as 2027-03-31, or set `must-expire = false` \
                 under [waivers] in patscan.toml"
                    .to_owned(),
            );
        }
        let evidence = match self.evidence {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        };
        let evidence = evidence
            .iter()
            .map(|text| {
                text.parse::<Fingerprint>()
                    .map_err(|error| error.to_string())
            })
            .collect::<Result<_, _>>()?;
        Ok(Waiver {
            number,
            selector,
            evidence,
            owner,
            reason,
            expires: self.expires.map(|Day(day)| day),
        })
    }
}

fn known_rule(id: &str) -> Result<&'static str, String> {
    if let Some(rule) = RULES.iter().find(|rule| rule.id == id) {
        return Ok(rule.id);
    }
    let nearest = nearest_first(id, RULES.iter().map(|rule| rule.id));
    let nearest = nearest.first().map_or("", String::as_str);
    Err(format!(
        "there is no rule `{id}`; did you mean `{nearest}`?"
    ))
}
