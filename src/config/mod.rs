//! From arguments, `PATSCAN_*` variables and `patscan.toml` to settings, once: every value checked, every mistake answered by
//! what would be right. The command line outranks the environment, which outranks the file.

mod environment;
mod file;
mod policy_format;
mod publishing;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::TimeDelta;

pub use self::file::{
    ConfigFile, FILE_NAME, NamesSection, OutputSection, SourceSection, Word, Worded,
};

pub use self::policy_format::{PolicyFormat, UnknownPolicyFormat};
pub use self::publishing::{Asked, credentials};

use self::environment::Environment;
use crate::arn::AccountId;
use crate::cli::{OutputArgs, SourceArgs, VerbosityArgs};
use crate::collect::{AssumeRole, InvalidRate, Keep, Options, Pace, Resume, UnknownService};
use crate::finding::{Severity, UnknownSeverity};
use crate::report::{
    Format, Ocsf, OcsfClass, UnknownAnswerFormat, UnknownFormat, UnknownOcsfClass,
};
use crate::rules;
use crate::toml_file::TomlFileError;
use crate::triage::{Audience, Baseline, Known, UnknownAudience, read_waivers};

/// A mistake on the command line, in the environment or in the configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A format that does not exist.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// A format that an answer does not have.
    #[error(transparent)]
    AnswerFormat(#[from] UnknownAnswerFormat),
    /// A format that a policy does not have.
    #[error(transparent)]
    PolicyFormat(#[from] UnknownPolicyFormat),
    /// An OCSF class that does not exist.
    #[error(transparent)]
    OcsfClass(#[from] UnknownOcsfClass),
    /// A format with `=` and nothing behind it.
    #[error("`{0}` names no file; write `-f FORMAT=PATH`, or `-f FORMAT` for standard output")]
    EmptyPath(String),
    /// Two formats for one place.
    #[error("two formats go to {0}; give one of them a path of its own with `-f FORMAT=PATH`")]
    SamePlace(String),
    /// A report and the snapshot for one place.
    #[error(
        "a report and the snapshot both go to `{}`; give one of them a path of its own",
        .0.display()
    )]
    SnapshotPlace(PathBuf),
    /// A report in the place of a file that it is made from.
    #[error(
        "what comes out would take the place of `{}`, which it is made from; give it a path of its own",
        .0.display()
    )]
    InputPlace(PathBuf),
    /// The list of what was published in the place of another file.
    #[error(
        "the list of what was published would take the place of `{}`; give it a path of its own",
        .0.display()
    )]
    StatePlace(PathBuf),
    /// A severity that does not exist.
    #[error(transparent)]
    Severity(#[from] UnknownSeverity),
    /// A persona that does not exist.
    #[error(transparent)]
    Persona(#[from] UnknownAudience),
    /// A service that cannot be skipped.
    #[error(transparent)]
    Skip(#[from] UnknownService),
    /// A rate that patscan cannot keep.
    #[error("--max-rate: {0}")]
    MaxRate(#[from] InvalidRate),
    /// Something that is no length of time.
    #[error("--max-age: `{0}` is no length of time; write it as `30m`, `6h` or `2days`")]
    MaxAge(String),
    /// A variable of the environment with a value that it does not take.
    #[error("{name}: {why}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A configuration file that cannot be used.
    #[error(transparent)]
    File(#[from] TomlFileError),
    /// An external id without a role.
    #[error(
        "an external id belongs to a role that is assumed; give the role with --assume-role ARN"
    )]
    ExternalId,
    /// Something that is not an account id.
    #[error(
        "--trusted-account takes an account id, and `{0}` is none; an account id has twelve digits"
    )]
    TrustedAccount(String),
    /// The role to assume is not an ARN.
    #[error("`{0}` is not the ARN of a role; write it as `arn:aws:iam::ACCOUNT:role/NAME`")]
    AssumeRole(String),
}

/// The path from the root without links, so that `report`, `./report` and `link-to-here/report` are seen to be one file. What is
/// no file keeps its name: standard output and standard error can be one terminal.
fn whole(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&absolute) {
        Ok(metadata) if !metadata.is_file() => return absolute,
        Ok(_) => {
            if let Ok(canonical) = absolute.canonicalize() {
                return canonical;
            }
        }
        Err(_) => {}
    }
    let folder = absolute
        .parent()
        .and_then(|folder| folder.canonicalize().ok());
    match (folder, absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

/// What is settled before the command line: by the environment, and by a file.
#[derive(Debug, Default)]
pub struct Settings {
    /// The values.
    pub values: ConfigFile,
    /// The file that some of them are from.
    pub file: Option<PathBuf>,
    /// Variables that mean nothing, each with the one that was probably meant.
    pub unknown_variables: Vec<(String, String)>,
}

impl Settings {
    /// Where findings are accepted: in the file that is named, or else in the usual one.
    pub fn waiving(&self, named: Option<PathBuf>) -> Waiving {
        let usual = &self.values.waivers;
        Waiving {
            file: named.or_else(|| usual.file.clone()),
            must_expire: usual.must_expire.unwrap_or(true),
            warn_days: usual.warn_days.unwrap_or(14),
        }
    }

    /// The earlier report that findings are compared with: the one that is named, or else the usual one.
    pub fn baseline(&self, named: Option<PathBuf>) -> Option<PathBuf> {
        named.or_else(|| self.values.baseline.clone())
    }

    /// Reads the environment and the configuration file: the one that is named, or else, when `search` says so, the one that
    /// the working directory or a folder above it has.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable, or the line of the file, and what would be right.
    pub fn load(named: Option<&Path>, search: bool) -> Result<Self, ConfigError> {
        let environment = Environment::read(std::env::vars_os())?;
        let named = named
            .map(Path::to_owned)
            .or_else(|| environment.config.map(PathBuf::from));
        let file = named.or_else(|| {
            let folder = search.then(std::env::current_dir)?.ok()?;
            ConfigFile::find(&folder)
        });
        let values = match &file {
            Some(path) => ConfigFile::read(path)?,
            None => ConfigFile::default(),
        };
        Ok(Self {
            values: environment.values.over(values),
            file,
            unknown_variables: environment.unknown,
        })
    }

    /// The least severity that makes a run fail, when the command line does not say.
    pub fn fail_on(&self) -> Severity {
        let chosen = self.values.output.fail_on.as_ref();
        chosen.map_or(Severity::Medium, |word| word.0)
    }

    /// What the rules are told.
    pub fn rules(&self) -> rules::Settings {
        let trusted = self.values.trusted_accounts.iter().flatten();
        let sections = self.values.rules.iter();
        rules::Settings {
            trusted: trusted.map(|Word(account)| account.clone()).collect(),
            names: self.values.names.as_ref().map(NamesSection::names),
            choices: sections
                .map(|(rule, section)| (rule.clone(), section.clone().into()))
                .collect(),
        }
    }
}

/// Where accounts come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A live account.
    Live {
        /// What to collect.
        options: Box<Options>,
        /// Where to keep what was collected.
        save_snapshot: Option<PathBuf>,
    },
    /// Files.
    Snapshots(Vec<PathBuf>),
}

/// One format and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<F = Format> {
    /// The format.
    pub format: F,
    /// The file; standard output when none.
    pub path: Option<PathBuf>,
}

/// How a run reports.
#[derive(Debug, Clone)]
pub struct Reporting {
    /// The formats, at least one.
    pub outputs: Vec<Output>,
    /// The least severity that makes a run fail.
    pub fail_on: Severity,
    /// Whether findings leave the exit code alone.
    pub exit_zero: bool,
    /// Whether gaps leave the exit code alone.
    pub allow_incomplete: bool,
    /// What the rules are told.
    pub rules: rules::Settings,
    /// For whom the report is.
    pub persona: Audience,
    /// Where findings are accepted.
    pub waiving: Waiving,
    /// The earlier report to compare with.
    pub baseline: Option<PathBuf>,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
}

/// Where findings are accepted, and what that takes.
#[derive(Debug, Clone)]
pub struct Waiving {
    /// The file of waivers.
    pub file: Option<PathBuf>,
    /// Whether a waiver must say until when it holds.
    pub must_expire: bool,
    /// Days before its last day from which on a waiver is told of.
    pub warn_days: u64,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Errors, progress, and why the exit code is what it is.
    Normal,
    /// Causes of errors too.
    Verbose,
    /// Every call to AWS too.
    Debug,
}

impl From<VerbosityArgs> for Verbosity {
    fn from(args: VerbosityArgs) -> Self {
        match (args.quiet, args.verbose) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Normal,
            (false, 1) => Self::Verbose,
            (false, _) => Self::Debug,
        }
    }
}

impl Source {
    /// Checks that an output goes neither to the file that keeps what is collected nor to one that is read.
    ///
    /// # Errors
    /// [`ConfigError::SnapshotPlace`] or [`ConfigError::InputPlace`] when it does.
    pub fn keeps_apart_from(&self, output: Option<&Path>) -> Result<(), ConfigError> {
        match (self, output) {
            (
                Self::Live {
                    save_snapshot: Some(snapshot),
                    ..
                },
                Some(output),
            ) if whole(snapshot) == whole(output) => {
                Err(ConfigError::SnapshotPlace(output.to_owned()))
            }
            (Self::Live { options, .. }, Some(output))
                if options
                    .keep
                    .as_ref()
                    .is_some_and(|keep| whole(&keep.path) == whole(output)) =>
            {
                Err(ConfigError::SnapshotPlace(output.to_owned()))
            }
            (Self::Snapshots(files), Some(output)) => {
                let place = whole(output);
                let is_read = |file: &PathBuf| file.is_file() && whole(file) == place;
                if files.iter().any(is_read) {
                    return Err(ConfigError::InputPlace(output.to_owned()));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Resolves the source arguments; what they leave open is taken from `settings`.
    ///
    /// # Errors
    /// [`ConfigError`] names the argument and what it takes.
    pub fn resolve(args: SourceArgs, settings: &Settings) -> Result<Self, ConfigError> {
        if !args.snapshots.is_empty() {
            return Ok(Self::Snapshots(args.snapshots));
        }
        let usual = settings.values.source.clone();
        let skip = if args.skip.is_empty() {
            let words = usual.skip.unwrap_or_default().into_iter();
            words.map(|Word(service)| service).collect()
        } else {
            let parsed = args.skip.iter().map(|service| service.parse());
            parsed.collect::<Result<BTreeSet<_>, _>>()?
        };
        let external_id = args.external_id.or(usual.external_id);
        let assume_role = match args.assume_role.or(usual.assume_role) {
            Some(role_arn) => {
                let is_role = crate::arn::Arn::parse(&role_arn)
                    .is_ok_and(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
                if !is_role {
                    return Err(ConfigError::AssumeRole(role_arn));
                }
                Some(AssumeRole {
                    role_arn,
                    external_id,
                })
            }
            None if external_id.is_some() => return Err(ConfigError::ExternalId),
            None => None,
        };
        let or_usual = |given: Vec<String>, usual: Option<Vec<String>>| {
            if given.is_empty() {
                usual.unwrap_or_default()
            } else {
                given
            }
        };
        let resume = args.resume.then(|| resume(args.max_age)).transpose()?;
        let keep = args.save_snapshot.as_deref();
        Ok(Self::Live {
            options: Box::new(Options {
                keep: keep.and_then(|snapshot| Keep::beside(snapshot, resume)),
                profile: args.profile.or(usual.profile),
                regions: or_usual(args.regions, usual.regions),
                exclude_regions: or_usual(args.exclude_regions, usual.exclude_regions),
                skip,
                endpoint_url: args.endpoint_url.or(usual.endpoint_url),
                assume_role,
                pace: Pace {
                    max_rate: match args.max_rate {
                        Some(text) => Some(text.parse()?),
                        None => usual.max_rate,
                    },
                    gentle: args.gentle || usual.gentle.unwrap_or(false),
                },
                ..Options::default()
            }),
            save_snapshot: args.save_snapshot,
        })
    }
}

fn resume(max_age: Option<String>) -> Result<Resume, ConfigError> {
    let Some(text) = max_age else {
        return Ok(Resume::default());
    };
    let age = humantime::parse_duration(&text).ok();
    match age.and_then(|age| TimeDelta::from_std(age).ok()) {
        Some(max_age) => Ok(Resume { max_age }),
        None => Err(ConfigError::MaxAge(text)),
    }
}

impl Waiving {
    /// What is known of findings before the run: which are accepted, and which are in an earlier report.
    ///
    /// # Errors
    /// [`crate::triage::WaiverError`] or [`crate::triage::BaselineError`] for a file that is missing or that is something else.
    pub fn read_known(&self, baseline: Option<&Path>) -> anyhow::Result<Known> {
        let waivers = self.file.as_deref();
        let waivers = waivers.map(|path| read_waivers(path, self.must_expire));
        Ok(Known {
            waivers: waivers.transpose()?,
            warn_days: self.warn_days,
            baseline: baseline.map(Baseline::read).transpose()?,
        })
    }
}

impl Reporting {
    /// The files that are read before the run.
    pub fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        self.waiving.file.iter().chain(&self.baseline)
    }

    /// What is known of findings before the run, read from the files that say it.
    ///
    /// # Errors
    /// [`crate::triage::WaiverError`] or [`crate::triage::BaselineError`] for a file that is missing or that is something else.
    pub fn read_known(&self) -> anyhow::Result<Known> {
        self.waiving.read_known(self.baseline.as_deref())
    }

    /// Resolves the output arguments; what they leave open is taken from `settings`.
    ///
    /// # Errors
    /// [`ConfigError`] names the argument and what it takes.
    pub fn resolve(args: &OutputArgs, settings: &Settings) -> Result<Self, ConfigError> {
        let usual = &settings.values;
        let mut outputs = if args.formats.is_empty() {
            let words = usual.output.formats.iter().flatten();
            words.map(|Word(output)| output.clone()).collect()
        } else {
            let parsed = args.formats.iter().map(|text| text.parse());
            parsed.collect::<Result<Vec<Output>, _>>()?
        };
        if outputs.is_empty() {
            outputs.push(Output {
                format: Format::Table,
                path: None,
            });
        }
        let class = match (&args.ocsf_class, &usual.output.ocsf_class) {
            (Some(word), _) => word.parse()?,
            (None, Some(word)) => word.0,
            (None, None) => OcsfClass::default(),
        };
        for output in &mut outputs {
            if let Format::Ocsf(how) = &mut output.format {
                // In a file of JSON Lines each event has a line of its own.
                let extension = output.path.as_deref().and_then(Path::extension);
                let lines = extension.is_some_and(|extension| extension == "jsonl");
                *how = Ocsf { class, lines };
            }
        }
        let mut places = BTreeSet::new();
        let waivers = args.waivers.as_ref().or(usual.waivers.file.as_ref());
        for output in &outputs {
            let is_same = |path: &PathBuf| Some(whole(path)) == waivers.map(|file| whole(file));
            if let Some(path) = output.path.as_ref().filter(|path| is_same(path)) {
                return Err(ConfigError::InputPlace(path.clone()));
            }
            if !places.insert(output.path.as_deref().map(whole)) {
                return Err(ConfigError::SamePlace(match &output.path {
                    Some(path) => format!("`{}`", path.display()),
                    None => "standard output".to_owned(),
                }));
            }
        }
        let fail_on = match &args.fail_on {
            Some(word) => word.parse()?,
            None => settings.fail_on(),
        };
        let mut rules = settings.rules();
        if !args.trusted_accounts.is_empty() {
            let parse = |id: &String| {
                AccountId::parse(id).map_err(|_| ConfigError::TrustedAccount(id.clone()))
            };
            let parsed = args.trusted_accounts.iter().map(parse);
            rules.trusted = parsed.collect::<Result<_, _>>()?;
        }
        Ok(Self {
            outputs,
            fail_on,
            exit_zero: args.exit_zero,
            allow_incomplete: args.allow_incomplete,
            rules,
            persona: match &args.persona {
                Some(word) => word.parse()?,
                None => usual
                    .output
                    .persona
                    .as_ref()
                    .map_or(Audience::Team, |word| word.0),
            },
            waiving: settings.waiving(args.waivers.clone()),
            baseline: settings.baseline(args.baseline.clone()),
            verbosity: args.verbosity.into(),
        })
    }
}

impl<F: FromStr> FromStr for Output<F>
where
    ConfigError: From<F::Err>,
{
    type Err = ConfigError;

    /// Reads `FORMAT` or `FORMAT=PATH`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.split_once('=') {
            None => Ok(Self {
                format: text.parse()?,
                path: None,
            }),
            Some((_, "")) => Err(ConfigError::EmptyPath(text.to_owned())),
            Some((format, path)) => Ok(Self {
                format: format.parse()?,
                path: Some(PathBuf::from(path)),
            }),
        }
    }
}
