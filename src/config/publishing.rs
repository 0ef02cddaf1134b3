//! Where a report is published: from arguments to what publishing is done with. Everything that can be wrong about it is told
//! before the work begins; secrets come from files and the environment and go nowhere but into it.

use std::path::PathBuf;

use anyhow::Result;

use super::{ConfigError, Output, Settings, Source, whole};
use crate::cli::{CredentialArgs, PublishingArgs, SourceArgs};
use crate::collect::Options;
use crate::finding::Severity;
use crate::publish::{Destination, Publishing, Secret, Sent};

/// The variable that holds the secret of webhooks.
pub(super) const WEBHOOK_SECRET: &str = "PATSCAN_WEBHOOK_SECRET";

/// Where to publish, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The destinations.
    pub to: Vec<String>,
    /// The least severity that is told of.
    pub min_severity: Option<String>,
    /// The file that lists what was sent.
    pub state: Option<PathBuf>,
    /// The file with the secret of webhooks.
    pub webhook_secret_file: Option<PathBuf>,
}

impl From<&PublishingArgs> for Asked {
    fn from(args: &PublishingArgs) -> Self {
        Self {
            to: args.publish.clone(),
            min_severity: args.publish_min_severity.clone(),
            state: args.publish_state.clone(),
            webhook_secret_file: args.webhook_secret_file.clone(),
        }
    }
}

impl Asked {
    /// Checks that the list of what was sent takes the place of nothing else.
    ///
    /// # Errors
    /// [`ConfigError::InputPlace`] where it would.
    pub fn keeps_apart_from<'a>(
        &self,
        outputs: &'a [Output],
        inputs: impl IntoIterator<Item = &'a PathBuf>,
    ) -> Result<(), ConfigError> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        let written = outputs.iter().filter_map(|output| output.path.as_ref());
        let mut others = written.chain(inputs);
        if others.any(|other| whole(other) == whole(state)) {
            return Err(ConfigError::StatePlace(state.clone()));
        }
        Ok(())
    }

    /// What to publish with; none where nothing was asked for.
    ///
    /// # Errors
    /// Whatever cannot be used, in a sentence that says what would be right.
    pub fn resolve(&self, options: Options) -> Result<Option<Publishing>> {
        if self.to.is_empty() {
            return Ok(None);
        }
        let destinations: Vec<Destination> = self
            .to
            .iter()
            .map(|text| Destination::resolve(text))
            .collect::<Result<_, _>>()?;
        let variable = std::env::var_os(WEBHOOK_SECRET).filter(|secret| !secret.is_empty());
        let secret = match (&self.webhook_secret_file, variable) {
            (Some(file), _) => Some(Secret::read(file)?),
            (None, Some(secret)) => Some(Secret::new(secret.as_encoded_bytes())?),
            (None, None) => None,
        };
        Ok(Some(Publishing {
            destinations,
            least: match &self.min_severity {
                Some(word) => word.parse().map_err(ConfigError::from)?,
                None => Severity::Medium,
            },
            options,
            secret,
            sent: self.state.as_deref().map(Sent::open).transpose()?,
        }))
    }
}

/// The credentials of the arguments, and where they say nothing, of the settings.
///
/// # Errors
/// [`ConfigError`] names the argument and what it takes.
pub fn credentials(args: CredentialArgs, settings: &Settings) -> Result<Options, ConfigError> {
    let source = SourceArgs {
        profile: args.profile,
        regions: Vec::new(),
        exclude_regions: Vec::new(),
        skip: Vec::new(),
        endpoint_url: args.endpoint_url,
        assume_role: args.assume_role,
        external_id: args.external_id,
        snapshots: Vec::new(),
        max_rate: None,
        gentle: false,
        save_snapshot: None,
        resume: false,
        max_age: None,
    };
    match Source::resolve(source, settings)? {
        Source::Live { options, .. } => Ok(*options),
        Source::Snapshots(_) => Ok(Options::default()),
    }
}
