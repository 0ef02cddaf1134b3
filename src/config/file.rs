//! `patscan.toml`: what a team settles once instead of typing it every time.
//!
//! The file is looked for in the working directory and upwards from it, or named with `--config`. What the command line or a
//! `PATSCAN_*` variable says outranks it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::Output;
use crate::arn::AccountId;
use crate::collect::{MaxRate, Skippable};
use crate::finding::Severity;
use crate::policy::Glob;
use crate::report::{Format, OcsfClass};
use crate::rules::{Choice, NamePattern, NamedKind, Names, NamesError, RULES};
use crate::toml_file::{self, TomlFileError};
use crate::triage::Audience;

/// The name of the file.
pub const FILE_NAME: &str = "patscan.toml";

/// The whole file. Paths in it are relative to its folder.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[schemars(title = "patscan.toml")]
pub struct ConfigFile {
    /// Accounts that may have access to queues without being reported.
    pub trusted_accounts: Option<Vec<Word<AccountId>>>,
    /// Where accounts come from.
    pub source: SourceSection,
    /// What comes out.
    pub output: OutputSection,
    /// What a run compares with, and what is accepted.
    pub baseline: Option<PathBuf>,
    /// Findings that are accepted.
    pub waivers: WaiversSection,
    /// How roles, users, groups, queues and functions are named.
    #[serde(deserialize_with = "checked_names")]
    pub names: Option<NamesSection>,
    /// Rules that are switched off, or graver or less grave than usual.
    #[schemars(schema_with = "rules_schema")]
    pub rules: BTreeMap<String, RuleSection>,
}

/// `[source]`: what the options of the same names say when they are not given.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SourceSection {
    /// Profile of the AWS config files.
    pub profile: Option<String>,
    /// Regions to scan; every enabled one when not given.
    pub regions: Option<Vec<String>>,
    /// Regions to leave out.
    pub exclude_regions: Option<Vec<String>>,
    /// Services to leave out.
    pub skip: Option<Vec<Word<Skippable>>>,
    /// Endpoint to use for every service, instead of AWS.
    pub endpoint_url: Option<String>,
    /// ARN of the role to assume before scanning.
    pub assume_role: Option<String>,
    /// External id for that role.
    pub external_id: Option<String>,
    /// At most so many requests in a second to one service of one region.
    #[schemars(schema_with = "rate_schema")]
    pub max_rate: Option<MaxRate>,
    /// Whether AWS is asked at a quarter of the usual pace.
    pub gentle: Option<bool>,
}

/// `[output]`: formats, and what makes a run fail.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct OutputSection {
    /// Formats, each with a path to write to a file: `table`, `json=report.json`.
    pub formats: Option<Vec<Word<Output>>>,
    /// Least severity that makes the exit code 1.
    pub fail_on: Option<Word<Severity>>,
    /// For whom the report is: `team` leaves out what only AWS can act on.
    pub persona: Option<Word<Audience>>,
    /// What an event of `ocsf` is: `compliance`, a Compliance Finding, or `detection`, a Detection Finding.
    pub ocsf_class: Option<Word<OcsfClass>>,
}

/// `[waivers]`: where accepted findings stand, and what a waiver needs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct WaiversSection {
    /// The file of waivers.
    pub file: Option<PathBuf>,
    /// Whether a waiver must say until when it holds; true when not given.
    pub must_expire: Option<bool>,
    /// Days before its last day from which on a waiver is told of; 14 when not given.
    pub warn_days: Option<u64>,
}

/// `[names]`: what `name-pattern` and `cross-environment` go by.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct NamesSection {
    /// What names look like: `<env>-<service>[-<part>]`.
    pub pattern: Option<Word<NamePattern>>,
    /// What `<env>` stands for.
    pub environments: Option<Vec<String>>,
    /// Names that need not fit and belong to no environment; `*` and `?` are wildcards.
    pub exceptions: Option<Vec<String>>,
    /// IAM paths under which users, groups and roles stand: `/apps/`.
    pub paths: Option<Vec<String>>,
    /// What the pattern and the paths are for; everything when not given.
    pub kinds: Option<Vec<Word<NamedKind>>>,
}

impl NamesSection {
    /// What the rules are told.
    pub(super) fn names(&self) -> Names {
        let texts = |texts: &Option<Vec<String>>| texts.clone().unwrap_or_default();
        let exceptions = self.exceptions.iter().flatten();
        let kinds = self.kinds.iter().flatten();
        Names {
            pattern: self.pattern.as_ref().map(|Word(pattern)| pattern.clone()),
            environments: texts(&self.environments),
            exceptions: exceptions.map(|text| Glob::new(text)).collect(),
            paths: texts(&self.paths),
            kinds: kinds.map(|Word(kind)| *kind).collect(),
        }
    }
}

/// Keys that make no sense together are a mistake of the section.
fn checked_names<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NamesSection>, D::Error> {
    let section = Option::<NamesSection>::deserialize(deserializer)?;
    if let Some(section) = &section {
        let checked: Result<(), NamesError> = section.names().check();
        checked.map_err(D::Error::custom)?;
    }
    Ok(section)
}

/// `[rules.RULE]`: what is chosen for one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleSection {
    /// Whether the rule is checked.
    enabled: Option<bool>,
    /// The severity of each of its findings.
    severity: Option<Word<Severity>>,
    /// The rule's parameters; the schema says which it has.
    #[serde(flatten)]
    parameters: BTreeMap<String, u64>,
}

impl From<RuleSection> for Choice {
    fn from(section: RuleSection) -> Self {
        Self {
            off: section.enabled == Some(false),
            severity: section.severity.map(|Word(severity)| severity),
            parameters: section.parameters,
        }
    }
}

/// A value that is written as a word and read as something narrower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<'de, T> Deserialize<'de> for Word<T>
where
    T: FromStr,
    T::Err: Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// The words that stand for a value, as a schema says them.
pub trait Worded {
    /// The name of the schema.
    const NAME: &'static str;

    /// The schema of one word.
    fn words() -> Schema;
}

impl<T: Worded> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::words()
    }
}

impl Worded for Severity {
    const NAME: &'static str = "Severity";

    fn words() -> Schema {
        json_schema!({"type": "string", "enum": Self::ALL.map(Self::as_str)})
    }
}

impl Worded for Skippable {
    const NAME: &'static str = "Service";

    fn words() -> Schema {
        let words: Vec<&str> = Self::ALL.iter().map(|service| service.as_str()).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

impl Worded for Audience {
    const NAME: &'static str = "Persona";

    fn words() -> Schema {
        json_schema!({"type": "string", "enum": Self::ALL.map(Self::as_str)})
    }
}

impl Worded for OcsfClass {
    const NAME: &'static str = "OcsfClass";

    fn words() -> Schema {
        json_schema!({"type": "string", "enum": Self::ALL.map(Self::as_str)})
    }
}

impl Worded for AccountId {
    const NAME: &'static str = "AccountId";

    fn words() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]{12}$"})
    }
}

impl Worded for NamePattern {
    const NAME: &'static str = "NamePattern";

    fn words() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

impl Worded for NamedKind {
    const NAME: &'static str = "NamedKind";

    fn words() -> Schema {
        json_schema!({"type": "string", "enum": Self::ALL.map(Self::as_str)})
    }
}

impl Worded for Output {
    const NAME: &'static str = "Format";

    fn words() -> Schema {
        let words = Format::ALL.map(Format::as_str).join("|");
        json_schema!({"type": "string", "pattern": format!("^({words})(=.+)?$")})
    }
}

fn rate_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "number", "minimum": MaxRate::LOWEST, "maximum": MaxRate::HIGHEST})
}

/// Every rule by its id, each with what can be said of it.
fn rules_schema(_: &mut SchemaGenerator) -> Schema {
    let rules: Map<String, Value> = RULES
        .iter()
        .map(|rule| {
            let usual = json!({
                "enabled": {"type": "boolean", "default": true, "description": "Whether the rule is checked."},
                "severity": {
                    "type": "string",
                    "enum": Severity::ALL.map(Severity::as_str),
                    "description": "The severity of each of its findings, whatever its page says.",
                },
            });
            let mut keys = usual.as_object().cloned().unwrap_or_default();
            keys.extend(rule.parameters.iter().map(|parameter| {
                let schema = json!({
                    "type": "integer",
                    "minimum": 0,
                    "default": parameter.usual,
                    "description": parameter.meaning,
                });
                (parameter.name.to_owned(), schema)
            }));
            let schema = json!({
                "type": "object",
                "description": rule.title(),
                "properties": keys,
                "additionalProperties": false,
            });
            (rule.id.to_owned(), schema)
        })
        .collect();
    json_schema!({"type": "object", "properties": rules, "additionalProperties": false})
}

impl ConfigFile {
    /// Reads a file. Paths in it become relative to its folder.
    ///
    /// # Errors
    /// [`TomlFileError`] names the line and what would be right.
    pub fn read(path: &Path) -> Result<Self, TomlFileError> {
        Ok(toml_file::read::<Self>(path)?.beside(path))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`TomlFileError`] names the line and what would be right.
    pub fn parse(text: &str, path: &Path) -> Result<Self, TomlFileError> {
        Ok(toml_file::parse::<Self>(text, path)?.beside(path))
    }

    fn beside(mut self, path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        for Word(output) in self.output.formats.iter_mut().flatten() {
            if let Some(path) = &mut output.path {
                *path = folder.join(&*path);
            }
        }
        for path in [&mut self.baseline, &mut self.waivers.file]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
        self
    }

    /// What this says, and where it says nothing, what `below` says.
    #[must_use]
    pub(super) fn over(self, below: Self) -> Self {
        let (source, usual) = (self.source, below.source);
        Self {
            trusted_accounts: self.trusted_accounts.or(below.trusted_accounts),
            source: SourceSection {
                profile: source.profile.or(usual.profile),
                regions: source.regions.or(usual.regions),
                exclude_regions: source.exclude_regions.or(usual.exclude_regions),
                skip: source.skip.or(usual.skip),
                endpoint_url: source.endpoint_url.or(usual.endpoint_url),
                assume_role: source.assume_role.or(usual.assume_role),
                external_id: source.external_id.or(usual.external_id),
                max_rate: source.max_rate.or(usual.max_rate),
                gentle: source.gentle.or(usual.gentle),
            },
            output: OutputSection {
                formats: self.output.formats.or(below.output.formats),
                fail_on: self.output.fail_on.or(below.output.fail_on),
                persona: self.output.persona.or(below.output.persona),
                ocsf_class: self.output.ocsf_class.or(below.output.ocsf_class),
            },
            baseline: self.baseline.or(below.baseline),
            waivers: WaiversSection {
                file: self.waivers.file.or(below.waivers.file),
                ..below.waivers
            },
            // The environment says nothing of names and rules.
            names: below.names,
            rules: below.rules,
        }
    }

    /// The file of a folder, or of the nearest folder above it that has one.
    pub fn find(folder: &Path) -> Option<PathBuf> {
        folder
            .ancestors()
            .map(|folder| folder.join(FILE_NAME))
            .find(|path| path.is_file())
    }

    /// The JSON Schema of the file, for editors and checks.
    pub fn schema() -> Schema {
        toml_file::schema::<Self>()
    }
}
