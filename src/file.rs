//! Writing a file so that a reader sees the old content or the new, never half.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::NamedTempFile;

/// How the names of temporary files begin, and how many letters and digits follow.
const PREFIX: &str = ".patscan-";
const RANDOM: usize = 6;
/// A temporary file younger than this may be one that another run has just made and not locked yet.
const YOUNGEST_ORPHAN: Duration = Duration::from_mins(1);
/// Bytes after which what was written begins its way to the disk.
const AHEAD: u64 = 32 << 20;
/// Bytes that are handed to the system at once. For more it looks for larger pieces of memory, and where memory is in small ones moves
/// it about for that, which takes several times as long as to write.
const AT_ONCE: usize = 128 << 10;

/// A file being written: a temporary one (mode 0600) beside its target, which [`PendingFile::commit`] renames over it.
///
/// Dropped without a commit, it leaves the target as it was. A run that is killed leaves its temporary file behind, which may be
/// large and tells of the account: the next run that writes to the folder removes it. Whoever writes one holds a lock on it. A symbolic link at the target is replaced, not followed. A
/// target that is a device or a pipe cannot be replaced and is written to directly; behind a link only where the system keeps
/// such links (`/dev/stdout`), since elsewhere somebody else may have put the link there.
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

/// Whether a path is among those of the system's devices, of which some are links.
fn is_device(target: &Path) -> bool {
    let is_direct = !target
        .components()
        .any(|part| matches!(part, Component::ParentDir));
    is_direct
        && (target.starts_with("/dev") || target.starts_with("/proc"))
        && !target.starts_with("/dev/shm")
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
        let is_link = std::fs::symlink_metadata(target).is_ok_and(|link| link.is_symlink());
        if existing.is_ok_and(|metadata| !metadata.is_file()) && (!is_link || is_device(target)) {
            let device = File::options().write(true).open(target)?;
            return Ok(Self {
                target: target.to_owned(),
                content: Content::Device(device),
            });
        }
        let folder = folder_of(target);
        remove_orphans(folder);
        let temporary = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .tempfile_in(folder)
            // The error of `tempfile` repeats the temporary name, which means nothing to the user.
            .map_err(|error| io::Error::from(error.kind()))?;
        // A file system without locks takes no harm: what cannot be locked is not removed.
        let _ = temporary.as_file().try_lock();
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

    /// Writes the content, by what `write` does with the file. What is large is on its way to the disk while more of it is made:
    /// left to the commit, all of it would have to go there when nothing else is left to do.
    pub(crate) fn write<T>(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<T> {
        match &mut self.content {
            Content::Temporary(temporary) => {
                let mut ahead = Ahead {
                    file: temporary.as_file(),
                    waiting: 0,
                    syncing: None,
                };
                let written = write(&mut ahead)?;
                ahead.end_sync()?;
                Ok(written)
            }
            Content::Device(device) => write(device),
        }
    }

    /// Puts the content in the target's place.
    pub(crate) fn commit(self) -> io::Result<()> {
        self.commit_open().map(drop)
    }

    /// Puts the content in the target's place, and leaves it open to be written on.
    pub(crate) fn commit_open(self) -> io::Result<File> {
        match self.content {
            Content::Temporary(temporary) => {
                temporary.as_file().sync_all()?;
                let file = temporary
                    .persist(&self.target)
                    .map_err(|error| error.error)?;
                // The new name outlives a loss of power as well. Folders that cannot be synced still have the file.
                let _ = File::open(folder_of(&self.target)).and_then(|folder| folder.sync_all());
                Ok(file)
            }
            Content::Device(device) => Ok(device),
        }
    }
}

/// A file that goes to the disk while it is written.
struct Ahead<'f> {
    file: &'f File,
    /// Bytes that nobody brings to the disk yet.
    waiting: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
}

impl Ahead<'_> {
    fn begin_sync(&mut self) -> io::Result<()> {
        let file = self.file.try_clone()?;
        let thread = std::thread::Builder::new();
        // Where no thread is to be had, the commit brings everything to the disk.
        self.syncing = thread.spawn(move || file.sync_data()).ok();
        self.waiting = 0;
        Ok(())
    }

    /// Waits for what goes to the disk. The system tells an error once, so that it must not be lost here.
    fn end_sync(&mut self) -> io::Result<()> {
        match self.syncing.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(synced)) => synced,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Write for Ahead<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes.get(..AT_ONCE).unwrap_or(bytes))?;
        self.waiting += written as u64;
        if self.waiting >= AHEAD && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            self.end_sync()?;
            self.begin_sync()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes temporary files of runs that were killed. Whatever stands in the way of that is no reason not to write.
fn remove_orphans(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = random.is_some_and(|random| {
            random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if is_ours && is_orphan(&entry) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody writes to a temporary file any more. What its name points to elsewhere is not looked at.
fn is_orphan(entry: &std::fs::DirEntry) -> bool {
    let Ok(metadata) = entry.metadata() else {
        return false;
    };
    let age = metadata
        .modified()
        .ok()
        .and_then(|time| time.elapsed().ok());
    metadata.is_file()
        && age.is_some_and(|age| age >= YOUNGEST_ORPHAN)
        && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use super::*;

    fn aged(path: &Path) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - YOUNGEST_ORPHAN * 2)
            .unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let others = [
            ".patscan-notes",
            ".patscan-abcdefg",
            ".patscan-ab.def",
            "patscan-abcdef",
        ];
        for name in others.iter().chain(&[".patscan-AbC123"]) {
            fs::write(at(name), "half").unwrap();
            aged(&at(name));
        }
        fs::write(at(".patscan-yoUng1"), "just begun").unwrap();
        fs::create_dir(at(".patscan-foldeR")).unwrap();
        let kept = ["report", ".patscan-yoUng1", ".patscan-foldeR"];
        let mut file = PendingFile::create(&at("report")).unwrap();
        file.file().write_all(b"whole").unwrap();
        file.commit().unwrap();
        let mut wanted: Vec<&str> = others.into_iter().chain(kept).collect();
        wanted.sort_unstable();
        assert_eq!(names(folder.path()), wanted);
    }

    #[test]
    fn what_another_run_is_writing_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report");
        let mut slow = PendingFile::create(&target).unwrap();
        slow.file().write_all(b"slow").unwrap();
        let temporary = names(folder.path());
        aged(&folder.path().join(&temporary[0]));
        let mut fast = PendingFile::create(&target).unwrap();
        fast.file().write_all(b"fast").unwrap();
        fast.commit().unwrap();
        slow.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"slow");
        assert_eq!(names(folder.path()), ["report"]);
    }

    #[test]
    fn a_run_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report");
        fs::write(&target, "old").unwrap();
        let mut file = PendingFile::create(&target).unwrap();
        file.file().write_all(b"half of the n").unwrap();
        drop(file);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["report"]);
    }

    #[test]
    fn large_content_is_whole_though_it_goes_to_the_disk_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report");
        let pieces: Vec<Vec<u8>> = (0..80_u8).map(|piece| vec![piece; 1 << 20]).collect();
        let mut file = PendingFile::create(&target).unwrap();
        let written = file.write(|out| {
            pieces.iter().try_for_each(|piece| out.write_all(piece))?;
            Ok(pieces.len())
        });
        assert_eq!(written.unwrap(), 80);
        file.commit().unwrap();
        assert!(fs::read(&target).unwrap() == pieces.concat());
    }

    #[test]
    fn an_error_of_whoever_writes_is_told_and_the_old_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report");
        fs::write(&target, "old").unwrap();
        let mut file = PendingFile::create(&target).unwrap();
        let written: io::Result<()> = file.write(|out| {
            out.write_all(&vec![0; 40 << 20])?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(written.unwrap_err().to_string(), "no more");
        drop(file);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["report"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_what_it_names_stays() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (link, named) = (folder.path().join("report"), folder.path().join("named"));
        fs::write(&named, "somebody's").unwrap();
        symlink(&named, &link).unwrap();
        let mut file = PendingFile::create(&link).unwrap();
        file.file().write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&named).unwrap(), b"somebody's");
        let metadata = fs::symlink_metadata(&link).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&link).unwrap(), b"new");
    }
}
