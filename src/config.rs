//! From arguments to settings, once: every value checked, every mistake answered by what would be right.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::arn::AccountId;
use crate::cli::{OutputArgs, SourceArgs, VerbosityArgs};
use crate::collect::{AssumeRole, Options, Skippable};
use crate::finding::Severity;
use crate::report::{Format, UnknownFormat};

/// A mistake on the command line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A format that does not exist.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
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
    /// A report in the place of the snapshot that it is made from.
    #[error(
        "what comes out would take the place of `{}`, which it is made from; give it a path of its own",
        .0.display()
    )]
    InputPlace(PathBuf),
    /// A severity that does not exist.
    #[error("there is no severity `{0}`; use critical, high, medium, low or info")]
    Severity(String),
    /// A service that cannot be skipped.
    #[error("`{0}` cannot be skipped: {reason}; --skip takes {services}", reason = skip_reason(.0), services = Skippable::listed())]
    Skip(String),
    /// Something that is not an account id.
    #[error(
        "--trusted-account takes an account id, and `{0}` is none; an account id has twelve digits"
    )]
    TrustedAccount(String),
    /// The role to assume is not an ARN.
    #[error("`{0}` is not the ARN of a role; write it as `arn:aws:iam::ACCOUNT:role/NAME`")]
    AssumeRole(String),
}

fn skip_reason(service: &str) -> &'static str {
    match service {
        "iam" | "sqs" => "without it there is nothing to audit",
        _ => "a scan does not read it",
    }
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
pub struct Output {
    /// The format.
    pub format: Format,
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
    /// Accounts that may have access.
    pub trusted: BTreeSet<AccountId>,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
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

    /// Resolves the source arguments.
    ///
    /// # Errors
    /// [`ConfigError`] names the argument and what it takes.
    pub fn resolve(args: SourceArgs) -> Result<Self, ConfigError> {
        if !args.snapshots.is_empty() {
            return Ok(Self::Snapshots(args.snapshots));
        }
        let skip = args
            .skip
            .iter()
            .map(|service| {
                Skippable::ALL
                    .iter()
                    .copied()
                    .find(|skippable| skippable.as_str().eq_ignore_ascii_case(service))
                    .ok_or_else(|| ConfigError::Skip(service.clone()))
            })
            .collect::<Result<BTreeSet<_>, _>>()?;
        let assume_role = match args.assume_role {
            Some(role_arn) => {
                let is_role = crate::arn::Arn::parse(&role_arn)
                    .is_ok_and(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
                if !is_role {
                    return Err(ConfigError::AssumeRole(role_arn));
                }
                Some(AssumeRole {
                    role_arn,
                    external_id: args.external_id,
                })
            }
            None => None,
        };
        Ok(Self::Live {
            options: Box::new(Options {
                profile: args.profile,
                regions: args.regions,
                exclude_regions: args.exclude_regions,
                skip,
                endpoint_url: args.endpoint_url,
                assume_role,
                ..Options::default()
            }),
            save_snapshot: args.save_snapshot,
        })
    }
}

impl Reporting {
    /// Resolves the output arguments.
    ///
    /// # Errors
    /// [`ConfigError`] names the argument and what it takes.
    pub fn resolve(args: &OutputArgs) -> Result<Self, ConfigError> {
        let mut outputs = args
            .formats
            .iter()
            .map(|text| Output::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        if outputs.is_empty() {
            outputs.push(Output {
                format: Format::Table,
                path: None,
            });
        }
        let mut places = BTreeSet::new();
        for output in &outputs {
            if !places.insert(output.path.as_deref().map(whole)) {
                return Err(ConfigError::SamePlace(match &output.path {
                    Some(path) => format!("`{}`", path.display()),
                    None => "standard output".to_owned(),
                }));
            }
        }
        let fail_on = Severity::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(&args.fail_on))
            .ok_or_else(|| ConfigError::Severity(args.fail_on.clone()))?;
        let trusted = args
            .trusted_accounts
            .iter()
            .map(|id| AccountId::parse(id).map_err(|_| ConfigError::TrustedAccount(id.clone())))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            outputs,
            fail_on,
            exit_zero: args.exit_zero,
            allow_incomplete: args.allow_incomplete,
            trusted,
            verbosity: args.verbosity.into(),
        })
    }
}

impl Output {
    /// Reads `FORMAT` or `FORMAT=PATH`.
    ///
    /// # Errors
    /// When the format does not exist or the path is empty.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
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
