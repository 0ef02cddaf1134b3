//! Writing a file so that a reader sees the old content or the new, never half.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file being written: a temporary one (mode 0600) beside its target, which [`PendingFile::commit`] renames over it.
///
/// Dropped without a commit, it leaves the target as it was. A symbolic link at the target is replaced, not followed. A
/// target that is a device or a pipe (`/dev/stdout`) cannot be replaced and is written to directly.
#[derive(Debug)]
pub(crate) struct PendingFile {
    target: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Temporary(NamedTempFile),
    Device(File),
}

impl PendingFile {
    /// Opens the temporary file, which proves that the target's folder exists and can be written to.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        let existing = std::fs::metadata(target);
        if existing.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder",
            ));
        }
        if existing.is_ok_and(|metadata| !metadata.is_file()) {
            let device = File::options().write(true).open(target)?;
            return Ok(Self {
                target: target.to_owned(),
                content: Content::Device(device),
            });
        }
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".patscan-")
            .tempfile_in(folder)
            // The error of `tempfile` repeats the temporary name, which means nothing to the user.
            .map_err(|error| io::Error::from(error.kind()))?;
        Ok(Self {
            target: target.to_owned(),
            content: Content::Temporary(temporary),
        })
    }

    /// The file to write to.
    pub(crate) fn file(&mut self) -> &mut File {
        match &mut self.content {
            Content::Temporary(temporary) => temporary.as_file_mut(),
            Content::Device(device) => device,
        }
    }

    /// Puts the content in the target's place.
    pub(crate) fn commit(self) -> io::Result<()> {
        match self.content {
            Content::Temporary(temporary) => {
                temporary.as_file().sync_all()?;
                temporary
                    .persist(&self.target)
                    .map_err(|error| error.error)?;
                Ok(())
            }
            Content::Device(_) => Ok(()),
        }
    }
}

/// Why a file could not be written and what to do about it, in words that fit behind `cannot write …: `.
pub(crate) fn why_not_written(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::IsADirectory => "it is a folder; name a file in it".to_owned(),
        io::ErrorKind::NotFound => {
            "its folder does not exist; create it, or choose another path".to_owned()
        }
        io::ErrorKind::NotADirectory => {
            "what it names as a folder is a file; choose another path".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "you may not write there; choose another path".to_owned()
        }
        io::ErrorKind::StorageFull => {
            "the disk is full; make room, or choose another path".to_owned()
        }
        _ => format!("{error}; choose another path"),
    }
}
