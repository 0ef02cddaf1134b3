//! What a scan has read so far, kept on disk part by part, so that an interrupted scan can go on instead of beginning anew.
//!
//! The journal (`patscan.parts/v1`) stands beside the snapshot that the scan is to become: a line of JSON for its head, and one
//! for each part, a service of a region say, that was read without a gap. A line that was cut off by the end of the program or
//! of the machine is left out on reading. Like a snapshot it tells of the account, so it is readable by its owner only, and it
//! is removed when the snapshot is complete.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_smithy_types::base64;
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::account::Note;
use crate::arn::AccountId;
use crate::file::{PendingFile, why_not_written};

const SCHEMA: &str = "patscan.parts/v1";
const SCHEMA_FAMILY: &str = "patscan.parts/";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where a scan keeps what it reads while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The file.
    pub path: PathBuf,
    /// Whether what an earlier scan kept there is used.
    pub resume: Option<Resume>,
}

impl Keep {
    /// The file beside a snapshot. Beside a device or a pipe there is no place for one.
    pub fn beside(snapshot: &Path, resume: Option<Resume>) -> Option<Self> {
        if std::fs::metadata(snapshot).is_ok_and(|metadata| !metadata.is_file()) {
            return None;
        }
        let mut name = snapshot.as_os_str().to_owned();
        name.push(".parts");
        Some(Self {
            path: name.into(),
            resume,
        })
    }
}

/// How an earlier scan is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// What was read longer ago is read again.
    pub max_age: TimeDelta,
}

impl Default for Resume {
    fn default() -> Self {
        Self {
            max_age: TimeDelta::days(1),
        }
    }
}

/// Why a scan cannot keep what it reads, or not go on with an earlier one.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("cannot read `{}`, which an interrupted scan left: {source}; run without --resume to begin anew", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`, which keeps what is read: {}", path.display(), why_not_written(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another scan is at it.
    #[error("another patscan is writing `{}`; wait for it, or save the snapshot elsewhere", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// What stands there is no journal.
    #[error("`{}` is in the way: what a scan has read is kept there until the snapshot is complete; move it, or save the snapshot elsewhere", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// What stands there is of another account.
    #[error("`{}` was left by a scan of account {earlier}, and these credentials are for {now}; save the snapshot elsewhere, or run without --resume", path.display())]
    OtherAccount {
        /// The file.
        path: PathBuf,
        /// The account of the earlier scan.
        earlier: String,
        /// The account of this scan.
        now: AccountId,
    },
}

#[derive(Serialize, Deserialize)]
struct Head {
    schema: String,
    version: String,
    account: String,
}

/// What a part is, and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Key {
    name: String,
    region: Option<String>,
    /// A hash over what the part was asked with besides, such as the queues whose keys are read.
    given: String,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    part: Key,
    read_at: DateTime<Utc>,
    notes: Vec<Note>,
    value: T,
}

/// A part that was kept.
pub(super) struct Kept<T> {
    pub(super) value: T,
    pub(super) notes: Vec<Note>,
    pub(super) read_at: DateTime<Utc>,
}

/// The journal of a scan.
pub(super) struct Journal {
    path: PathBuf,
    earlier: HashMap<Key, Place>,
    file: Mutex<Writer>,
}

struct Writer {
    file: File,
    /// The first part that could not be kept; nothing is written after it.
    problem: Option<io::Error>,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    length: usize,
}

/// What was found of an earlier scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody asked for it.
    NotAsked,
    /// There is nothing.
    Nothing,
    /// It is of another version of patscan, which may have read the same by other means.
    OtherVersion,
    /// So many parts, so many of them too old.
    Parts { fresh: usize, old: usize },
}

impl Found {
    /// What a person who waits should know of it.
    pub(super) fn in_words(&self) -> Option<String> {
        match self {
            Self::NotAsked => None,
            Self::Nothing => {
                Some("no interrupted scan to go on with; reading everything".to_owned())
            }
            Self::OtherVersion => Some(
                "the interrupted scan was made by another version of patscan; reading everything"
                    .to_owned(),
            ),
            Self::Parts { fresh, old } => {
                let parts = |number: usize| match number {
                    1 => "1 part".to_owned(),
                    _ => format!("{number} parts"),
                };
                let again = match old {
                    0 => String::new(),
                    _ => format!("; {} too old and read again", parts(*old)),
                };
                Some(format!(
                    "going on with an interrupted scan: {} read already{again}",
                    parts(*fresh)
                ))
            }
        }
    }
}

impl Journal {
    /// Begins the journal of a scan of an account, with what an earlier scan left there.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(super) fn open(
        keep: &Keep,
        account: &AccountId,
        now: DateTime<Utc>,
    ) -> Result<(Self, Found), JournalError> {
        let path = &keep.path;
        let earlier = Earlier::open(path, keep.resume.is_some())?;
        let writing = |source| JournalError::Write {
            path: path.clone(),
            source,
        };
        let mut pending = PendingFile::create(path).map_err(writing)?;
        let head = Head {
            schema: SCHEMA.to_owned(),
            version: VERSION.to_owned(),
            account: account.to_string(),
        };
        write_line(pending.file(), &head).map_err(writing)?;
        let (kept, found) = match (keep.resume, earlier) {
            (None, _) => (HashMap::new(), Found::NotAsked),
            (Some(_), None) => (HashMap::new(), Found::Nothing),
            (Some(_), Some(earlier)) if earlier.head.account != account.as_str() => {
                return Err(JournalError::OtherAccount {
                    path: path.clone(),
                    earlier: earlier.head.account.chars().take(12).collect(),
                    now: account.clone(),
                });
            }
            (Some(_), Some(earlier)) if earlier.head.version != VERSION => {
                (HashMap::new(), Found::OtherVersion)
            }
            (Some(resume), Some(earlier)) => {
                let is_fresh = |read_at| {
                    let age = now.signed_duration_since(read_at);
                    // What was read in the future says only that a clock was set back, not how old it is.
                    (TimeDelta::zero()..=resume.max_age).contains(&age)
                };
                earlier.copy(pending.file(), is_fresh).map_err(writing)?
            }
        };
        let file = pending.commit_open().map_err(writing)?;
        let journal = Self {
            path: path.clone(),
            earlier: kept,
            file: Mutex::new(Writer {
                file,
                problem: None,
            }),
        };
        Ok((journal, found))
    }

    /// A part as an earlier scan read it, when that read all of it and with the same in hand.
    pub(super) fn take<T: DeserializeOwned>(
        &self,
        part: &str,
        region: Option<&str>,
        given: &impl Serialize,
    ) -> Option<Kept<T>> {
        let place = *self.earlier.get(&key(part, region, given))?;
        let mut line = vec![0; place.length];
        {
            let mut writer = self.writer();
            writer.file.seek(SeekFrom::Start(place.offset)).ok()?;
            writer.file.read_exact(&mut line).ok()?;
        }
        read_part(&line)
    }

    /// Keeps a part that was read as a whole. That it cannot be kept is no reason to stop; [`Journal::problem`] tells of it.
    pub(super) fn keep<T: Serialize>(
        &self,
        part: &str,
        region: Option<&str>,
        given: &impl Serialize,
        kept: Kept<&T>,
    ) {
        let mut writer = self.writer();
        if writer.problem.is_some() {
            return;
        }
        let line = Line {
            part: key(part, region, given),
            read_at: kept.read_at,
            notes: kept.notes,
            value: kept.value,
        };
        let written = write_line(&mut writer.file, &line).and_then(|()| writer.file.sync_data());
        if let Err(error) = written {
            writer.problem = Some(error);
        }
    }

    /// Why not everything was kept, in words.
    pub(super) fn problem(&self) -> Option<String> {
        let writer = self.writer();
        let problem = writer.problem.as_ref()?;
        Some(format!(
            "not all that was read is kept in `{}`: {problem}",
            self.path.display()
        ))
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, Writer> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(part: &str, region: Option<&str>, given: &impl Serialize) -> Key {
    let mut hash = Sha256::new();
    // What is given are lists of names and the like, which always can be written.
    hash.update(serde_json::to_vec(given).unwrap_or_default());
    Key {
        name: part.to_owned(),
        region: region.map(str::to_owned),
        given: base64::encode(hash.finalize()),
    }
}

/// Reads the line of a part. What cannot be read any more is asked again.
fn read_part<T: DeserializeOwned>(line: &[u8]) -> Option<Kept<T>> {
    let line: Line<T> = serde_json::from_slice(line).ok()?;
    Some(Kept {
        value: line.value,
        notes: line.notes,
        read_at: line.read_at,
    })
}

/// Reads a journal of parts of one kind as a scan does that goes on, and gives how many of them it can use.
pub(super) fn read_all<T: DeserializeOwned>(journal: &[u8]) -> usize {
    let mut copy = io::Cursor::new(Vec::new());
    let Ok(Some(earlier)) = Earlier::read(journal) else {
        return 0;
    };
    let Ok((places, _)) = earlier.copy(&mut copy, |_| true) else {
        return 0;
    };
    let copy = copy.into_inner();
    let lines = places.into_values().filter_map(|place| {
        let offset = usize::try_from(place.offset).ok()?;
        copy.get(offset..offset + place.length)
    });
    lines.filter_map(read_part::<T>).count()
}

/// Writes a line to the end of the file.
fn write_line(file: &mut File, content: &impl Serialize) -> io::Result<()> {
    file.seek(SeekFrom::End(0))?;
    // A part can be large: it is not made in memory first.
    let mut out = BufWriter::new(file);
    serde_json::to_writer(&mut out, content)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// What an earlier scan left.
struct Earlier<R = BufReader<File>> {
    head: Head,
    lines: R,
}

impl Earlier {
    /// Opens it; none when nothing is there. What is no journal, or is being written, is in the way whether it is wanted or not.
    fn open(path: &Path, wanted: bool) -> Result<Option<Self>, JournalError> {
        let path = || path.to_owned();
        let reading = |source| JournalError::Read {
            path: path(),
            source,
        };
        match std::fs::symlink_metadata(path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(reading(error)),
            // A link is somebody's attempt to have something else read, or written.
            Ok(metadata) if !metadata.is_file() => {
                return Err(JournalError::InTheWay { path: path() });
            }
            Ok(_) => {}
        }
        let file = match File::open(path()) {
            Ok(file) => file,
            Err(_) if !wanted => return Err(JournalError::InTheWay { path: path() }),
            Err(error) => return Err(reading(error)),
        };
        if matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
            return Err(JournalError::Busy { path: path() });
        }
        let earlier = Self::read(BufReader::new(file)).map_err(reading)?;
        earlier
            .ok_or_else(|| JournalError::InTheWay { path: path() })
            .map(Some)
    }
}

impl<R: BufRead> Earlier<R> {
    /// Reads the head; none when this is no journal.
    fn read(mut lines: R) -> io::Result<Option<Self>> {
        // A head is short; what goes on without an end of line is something else.
        let mut head = Vec::new();
        lines.by_ref().take(4096).read_until(b'\n', &mut head)?;
        let head: Option<Head> = serde_json::from_slice(&head).ok();
        Ok(head
            .filter(|head| head.schema.starts_with(SCHEMA_FAMILY))
            .map(|head| Self { head, lines }))
    }

    /// Copies the parts that are whole and fresh to the end of a file: where they stand there, and how many they are.
    fn copy(
        mut self,
        file: &mut (impl Write + Seek),
        is_fresh: impl Fn(DateTime<Utc>) -> bool,
    ) -> io::Result<(HashMap<Key, Place>, Found)> {
        let mut places = HashMap::new();
        let (mut fresh, mut old) = (0, 0);
        let mut offset = file.seek(SeekFrom::End(0))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            self.lines.read_until(b'\n', &mut line)?;
            let whole = line.ends_with(b"\n");
            let Some(part) = whole.then(|| serde_json::from_slice(&line).ok()).flatten() else {
                return Ok((places, Found::Parts { fresh, old }));
            };
            let part: Line<IgnoredAny> = part;
            if !is_fresh(part.read_at) {
                old += 1;
                continue;
            }
            fresh += 1;
            file.write_all(&line)?;
            let length = line.len();
            places.insert(part.part, Place { offset, length });
            offset += length as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        AccountId::parse("111122223333").unwrap()
    }

    fn keep(path: &Path, resume: bool) -> Keep {
        Keep {
            path: path.to_owned(),
            resume: resume.then_some(Resume {
                max_age: TimeDelta::hours(1),
            }),
        }
    }

    fn open(path: &Path, resume: bool) -> (Journal, Found) {
        Journal::open(&keep(path, resume), &account(), Utc::now()).unwrap()
    }

    fn note() -> Note {
        Note {
            region: None,
            service: "sqs".to_owned(),
            resource: None,
            detail: "deleted".to_owned(),
        }
    }

    fn put(journal: &Journal, part: &str, value: &str, read_at: DateTime<Utc>) {
        let kept = Kept {
            value: &value,
            notes: vec![note()],
            read_at,
        };
        journal.keep(part, Some("eu-west-1"), &["q"], kept);
        assert_eq!(journal.problem(), None);
    }

    fn taken(journal: &Journal, part: &str) -> Option<String> {
        let kept = journal.take::<String>(part, Some("eu-west-1"), &["q"])?;
        assert_eq!(kept.notes, [note()]);
        Some(kept.value)
    }

    #[test]
    fn what_was_kept_is_there_after_the_end_of_the_scan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json.parts");
        let (journal, found) = open(&path, false);
        assert_eq!(found, Found::NotAsked);
        put(&journal, "queues", "a", Utc::now());
        put(&journal, "keys", "b", Utc::now());
        drop(journal);
        let (journal, found) = open(&path, true);
        assert_eq!(found, Found::Parts { fresh: 2, old: 0 });
        assert_eq!(taken(&journal, "queues").as_deref(), Some("a"));
        assert_eq!(taken(&journal, "keys").as_deref(), Some("b"));
        // And after being gone on with twice.
        put(&journal, "roles", "c", Utc::now());
        drop(journal);
        let (journal, found) = open(&path, true);
        assert_eq!(found, Found::Parts { fresh: 3, old: 0 });
        assert_eq!(taken(&journal, "roles").as_deref(), Some("c"));
    }

    #[test]
    fn a_journal_is_read_in_memory_as_on_disk() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fuzz/corpus/journal/three-parts"
        );
        let text = std::fs::read(path).unwrap();
        assert_eq!(read_all::<Vec<crate::account::Queue>>(&text), 3);
        assert_eq!(read_all::<String>(&text), 0);
        assert_eq!(read_all::<IgnoredAny>(&text[..text.len() - 1]), 2);
        assert_eq!(read_all::<IgnoredAny>(&text[1..]), 0);
    }

    #[test]
    fn a_part_answers_only_for_its_region_and_for_what_it_was_asked_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        put(&open(&path, false).0, "queues", "a", Utc::now());
        let (journal, _) = open(&path, true);
        let take = |region, given: &[&str]| journal.take::<String>("queues", region, &given);
        assert!(take(Some("eu-west-1"), &["q"]).is_some());
        assert!(take(Some("eu-west-1"), &["q", "r"]).is_none());
        assert!(take(Some("eu-west-2"), &["q"]).is_none());
        assert!(take(None, &["q"]).is_none());
    }

    #[test]
    fn a_scan_that_does_not_go_on_begins_with_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        put(&open(&path, false).0, "queues", "a", Utc::now());
        let (journal, _) = open(&path, false);
        assert!(taken(&journal, "queues").is_none());
        drop(journal);
        assert_eq!(open(&path, true).1, Found::Parts { fresh: 0, old: 0 });
    }

    #[test]
    fn parts_that_are_too_old_or_from_the_future_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        let (journal, _) = open(&path, false);
        put(&journal, "old", "a", Utc::now() - TimeDelta::minutes(61));
        put(&journal, "young", "b", Utc::now() - TimeDelta::minutes(59));
        put(&journal, "future", "c", Utc::now() + TimeDelta::minutes(5));
        drop(journal);
        let (journal, found) = open(&path, true);
        assert_eq!(found, Found::Parts { fresh: 1, old: 2 });
        assert_eq!(taken(&journal, "young").as_deref(), Some("b"));
        assert!(taken(&journal, "old").is_none());
    }

    #[test]
    fn wherever_the_end_is_cut_off_the_parts_before_it_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        let (journal, _) = open(&path, false);
        put(&journal, "queues", "a", Utc::now());
        let first = std::fs::metadata(&path).unwrap().len();
        put(&journal, "keys", "b", Utc::now());
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for end in usize::try_from(first).unwrap()..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let (journal, found) = open(&path, true);
            assert_eq!(found, Found::Parts { fresh: 1, old: 0 }, "cut at {end}");
            assert_eq!(taken(&journal, "queues").as_deref(), Some("a"));
            put(&journal, "keys", "c", Utc::now());
            drop(journal);
            assert_eq!(open(&path, true).1, Found::Parts { fresh: 2, old: 0 });
        }
    }

    #[test]
    fn another_account_and_another_version_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        put(&open(&path, false).0, "queues", "a", Utc::now());
        let other = AccountId::parse("444455556666").unwrap();
        let error = Journal::open(&keep(&path, true), &other, Utc::now()).err();
        assert!(matches!(error, Some(JournalError::OtherAccount { .. })));
        // Nothing was lost by trying.
        assert_eq!(open(&path, true).1, Found::Parts { fresh: 1, old: 0 });
        let text = std::fs::read_to_string(&path).unwrap();
        let elsewhere = text.replace(&format!(r#""version":"{VERSION}""#), r#""version":"0.0.0""#);
        std::fs::write(&path, elsewhere).unwrap();
        assert_eq!(open(&path, true).1, Found::OtherVersion);
    }

    #[test]
    fn what_is_no_journal_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        for content in ["", "my notes\n", r#"{"schema":"patscan.snapshot/v1"}"#] {
            std::fs::write(&path, content).unwrap();
            for resume in [false, true] {
                let error = Journal::open(&keep(&path, resume), &account(), Utc::now()).err();
                assert!(
                    matches!(error, Some(JournalError::InTheWay { .. })),
                    "{content}"
                );
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn two_scans_do_not_share_a_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        let (_first, _) = open(&path, false);
        for resume in [false, true] {
            let error = Journal::open(&keep(&path, resume), &account(), Utc::now()).err();
            assert!(matches!(error, Some(JournalError::Busy { .. })));
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_journal_is_for_its_owner_and_no_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts");
        drop(open(&path, false));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        for resume in [false, true] {
            let error = Journal::open(&keep(&link, resume), &account(), Utc::now()).err();
            assert!(matches!(error, Some(JournalError::InTheWay { .. })));
        }
    }
}
