//! The list of what was sent to whom, in a file (`--publish-state`): it makes publishing the same twice say nothing twice.
//!
//! Without it what is new is told by the baseline alone, and a report that is published twice, or a run that failed half way and
//! is repeated, tells again what it told. Receivers could drop what has the same message id, but a chat and a mailbox do not. The
//! baseline cannot do it either: it says what an earlier run found, not what arrived. So the list is kept per destination, is
//! written as soon as a destination is done, and holds ids and digests only: no name of an account, no address. It is readable by
//! its owner only, all the same, and replaced as a whole, so that a run that is killed leaves the old one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{PendingFile, why_not_written};
use crate::input::{self, LARGEST_REPORT};

const SCHEMA: &str = "patscan.published/v1";

/// A list that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SentError {
    /// The file is something else.
    #[error("`{}` does not list what was published: {why}; give another path, or remove the file to begin anew", .path.display())]
    NotAList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be read or written.
    #[error("cannot keep what was published in `{}`: {why}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says, and what to do.
        why: String,
    },
}

/// What was sent, to every destination.
#[derive(Debug)]
pub struct Sent {
    path: PathBuf,
    list: List,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct List {
    schema: String,
    /// By destination the findings, and by finding the id of the last message about it.
    destinations: BTreeMap<String, BTreeMap<String, String>>,
}

/// What one destination was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a>(Option<&'a BTreeMap<String, String>>);

impl Known<'_> {
    /// Whether it was told nothing yet.
    pub(super) fn is_first(self) -> bool {
        self.0.is_none()
    }

    /// The last message about a finding.
    pub(super) fn of(&self, finding: &str) -> Option<&str> {
        self.0?.get(finding).map(String::as_str)
    }
}

impl Sent {
    /// Reads a list; a file that is not there yet is an empty one. That it can be written is seen at once: to find out after
    /// everything was sent would be too late.
    ///
    /// # Errors
    /// [`SentError`] tells a file that is something else from one that cannot be used.
    pub fn open(path: &Path) -> Result<Self, SentError> {
        let unusable = |why: String| SentError::Unusable {
            path: path.to_owned(),
            why,
        };
        PendingFile::create(path).map_err(|error| unusable(why_not_written(&error)))?;
        let list = match input::read(path, LARGEST_REPORT) {
            Ok(text) => {
                let not_a_list = |why: String| SentError::NotAList {
                    path: path.to_owned(),
                    why,
                };
                let list: List =
                    serde_json::from_slice(&text).map_err(|error| not_a_list(error.to_string()))?;
                if list.schema != SCHEMA {
                    return Err(not_a_list(format!("its schema is `{}`", list.schema)));
                }
                list
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => List {
                schema: SCHEMA.to_owned(),
                destinations: BTreeMap::new(),
            },
            Err(error) => return Err(unusable(format!("{error}; check the path"))),
        };
        Ok(Self {
            path: path.to_owned(),
            list,
        })
    }

    pub(super) fn to(&self, destination: &str) -> Known<'_> {
        Known(self.list.destinations.get(destination))
    }

    /// Notes what a destination was told, and that it accepts hearing of some findings again.
    pub(super) fn note(
        &mut self,
        destination: &str,
        told: impl IntoIterator<Item = (String, String)>,
        forget: &[&str],
    ) {
        let list = self
            .list
            .destinations
            .entry(destination.to_owned())
            .or_default();
        list.extend(told);
        for finding in forget {
            list.remove(*finding);
        }
    }

    /// Writes the list, readable by its owner only.
    ///
    /// # Errors
    /// [`SentError::Unusable`]: what was sent will be sent again.
    pub(super) fn save(&self) -> Result<(), SentError> {
        let save = || {
            let mut file = PendingFile::create(&self.path)?;
            let mut text = serde_json::to_vec_pretty(&self.list)?;
            text.push(b'\n');
            file.file().write_all(&text)?;
            file.commit()
        };
        save().map_err(|error| SentError::Unusable {
            path: self.path.clone(),
            why: why_not_written(&error),
        })
    }
}
