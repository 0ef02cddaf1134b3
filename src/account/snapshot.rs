//! Snapshot files: an [`Account`] on disk, `patscan.snapshot/v1`, plain JSON or compressed with zstd.
//!
//! Files are written to a temporary file beside the target, readable by the owner only, and renamed: a reader sees the old
//! file or the new one. The format grows by adding fields; unknown ones are ignored on reading.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::Account;
use crate::file::{PendingFile, why_not_written};
use crate::input;
use crate::schema;

const SCHEMA: &str = "patscan.snapshot/v1";
const SCHEMA_FAMILY: &str = "patscan.snapshot/";
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The largest snapshot that is read, in bytes after decompression: far above any real account, far below memory.
const LARGEST: u64 = 4 << 30;
/// How many times smaller than itself a snapshot may be packed. Thirty times is common, for a very uniform account a hundred; what
/// is packed thousands of times is a file made to fill the memory.
const TIGHTEST: u64 = 1000;
/// What is unpacked however tightly it was packed.
const ALWAYS_UNPACKED: u64 = 64 << 20;
/// Blanks at the beginning, after which nothing is worth looking for.
const MOST_BLANKS: usize = 1 << 16;
const COMPRESSION_LEVEL: i32 = 6;

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file could not be opened or read.
    #[error("cannot read `{}`: {source}; name a file made with `patscan --save-snapshot FILE`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The content is not a snapshot.
    #[error("`{}` is not a patscan snapshot: {reason}; make one with `patscan --save-snapshot FILE`", path.display())]
    NotASnapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The content ends too early.
    #[error("`{}` is cut short ({reason}); copy it again or make a new one with `patscan --save-snapshot FILE`", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        reason: String,
    },
    /// The file was written by a newer version.
    #[error("`{}` has the format `{schema}`, which is newer than this patscan understands (`{SCHEMA}`); update patscan", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that the file names.
        schema: String,
    },
    /// The file is larger than any account that can be audited.
    #[error("`{}` is larger than {} GiB when unpacked, which no snapshot is; make one with `patscan --save-snapshot FILE`", path.display(), LARGEST >> 30)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The snapshot could not be written; what stood there before is untouched.
    #[error("cannot write `{}`: {}", path.display(), why_not_written(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

#[derive(Serialize)]
struct FileOut<'a> {
    schema: &'static str,
    tool: Tool,
    account: &'a Account,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Header {
    schema: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct FileIn {
    schema: Option<String>,
    account: Account,
}

/// One AWS account as it was read at one time. The format grows by adding fields; readers ignore those that they do not know.
#[derive(JsonSchema)]
#[schemars(title = "patscan.snapshot/v1")]
#[expect(dead_code, reason = "the schema of the file is all that is made of it")]
struct SnapshotFormat {
    /// The format.
    #[schemars(extend("const" = SCHEMA))]
    schema: String,
    /// What wrote the file.
    tool: Option<ToolFormat>,
    /// The account.
    account: Account,
}

#[derive(JsonSchema)]
#[schemars(rename = "Tool")]
#[expect(dead_code, reason = "the schema of the file is all that is made of it")]
struct ToolFormat {
    name: String,
    version: String,
}

/// The JSON Schema of snapshot files, as they are read: what is written has every field.
pub fn snapshot_schema() -> Schema {
    schema::of_what_is_read::<SnapshotFormat>()
}

/// Reads a snapshot, compressed or not (told by its content, not its name).
///
/// # Errors
/// See [`SnapshotError`]; every variant names the file and what to do.
pub fn read(path: &Path) -> Result<Account, SnapshotError> {
    let io_error = |source| SnapshotError::Read {
        path: path.to_owned(),
        source,
    };
    match input::read(path, LARGEST) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(SnapshotError::TooLarge {
            path: path.to_owned(),
        }),
        bytes => from_slice(&bytes.map_err(io_error)?, path),
    }
}

/// Reads a snapshot that is already in memory; `path` names it in errors.
///
/// # Errors
/// See [`SnapshotError`].
pub fn from_slice(bytes: &[u8], path: &Path) -> Result<Account, SnapshotError> {
    let too_large = |length: usize| length as u64 > LARGEST;
    let mut account = if bytes.starts_with(&ZSTD_MAGIC) {
        let unpacked = unpack(bytes, path)?;
        if too_large(unpacked.len()) {
            return Err(SnapshotError::TooLarge {
                path: path.to_owned(),
            });
        }
        parse(&unpacked, path)?
    } else if too_large(bytes.len()) {
        return Err(SnapshotError::TooLarge {
            path: path.to_owned(),
        });
    } else {
        parse(bytes, path)?
    };
    account.sort();
    Ok(account)
}

fn unpack(bytes: &[u8], path: &Path) -> Result<Vec<u8>, SnapshotError> {
    let mut unpacked = Vec::new();
    let most = (bytes.len() as u64)
        .saturating_mul(TIGHTEST)
        .clamp(ALWAYS_UNPACKED, LARGEST);
    zstd::Decoder::with_buffer(bytes)
        .and_then(|decoder| decoder.take(most + 1).read_to_end(&mut unpacked))
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SnapshotError::CutShort {
                path: path.to_owned(),
                reason: "the compressed data ends in the middle".to_owned(),
            },
            _ => SnapshotError::NotASnapshot {
                path: path.to_owned(),
                reason: format!("its zstd data is damaged ({error})"),
            },
        })?;
    if unpacked.len() as u64 > most && most < LARGEST {
        return Err(SnapshotError::NotASnapshot {
            path: path.to_owned(),
            reason: format!(
                "it is packed more than {TIGHTEST} times smaller than it is, as no account can be"
            ),
        });
    }
    Ok(unpacked)
}

fn parse(bytes: &[u8], path: &Path) -> Result<Account, SnapshotError> {
    let problem = |error: &serde_json::Error| {
        if error.is_eof() {
            SnapshotError::CutShort {
                path: path.to_owned(),
                reason: format!(
                    "it ends at line {}, column {}",
                    error.line(),
                    error.column()
                ),
            }
        } else {
            SnapshotError::NotASnapshot {
                path: path.to_owned(),
                reason: error.to_string(),
            }
        }
    };
    if bytes.iter().take(MOST_BLANKS).all(u8::is_ascii_whitespace) {
        return Err(SnapshotError::NotASnapshot {
            path: path.to_owned(),
            reason: if bytes.len() > MOST_BLANKS {
                "it begins with nothing but blanks".to_owned()
            } else {
                "it is empty".to_owned()
            },
        });
    }
    let file: Result<FileIn, serde_json::Error> = serde_json::from_slice(bytes);
    let schema = if let Ok(file) = &file {
        file.schema.clone()
    } else {
        // Of another format the account may be anything: what the file says of itself comes first.
        let header: Header = serde_json::from_slice(bytes).map_err(|error| problem(&error))?;
        header.schema
    };
    match schema.as_deref() {
        Some(SCHEMA) => {}
        Some(schema) if schema.starts_with(SCHEMA_FAMILY) => {
            return Err(SnapshotError::Newer {
                path: path.to_owned(),
                schema: schema.chars().take(60).collect(),
            });
        }
        Some(schema) => {
            return Err(SnapshotError::NotASnapshot {
                path: path.to_owned(),
                reason: format!(
                    "its format is `{}`",
                    schema.chars().take(60).collect::<String>()
                ),
            });
        }
        None => {
            return Err(SnapshotError::NotASnapshot {
                path: path.to_owned(),
                reason: "it names no `schema`".to_owned(),
            });
        }
    }
    let file = file.map_err(|error| problem(&error))?;
    Ok(file.account)
}

/// A snapshot file to be written: opened before a scan begins, so that a path that cannot be written to is said at once.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    pending: PendingFile,
}

impl SnapshotFile {
    /// Opens the file; it is compressed when its name ends in `.zst`.
    ///
    /// # Errors
    /// [`SnapshotError::Write`]; what stands there is as it was.
    pub fn create(path: PathBuf) -> Result<Self, SnapshotError> {
        match PendingFile::create(&path) {
            Ok(pending) => Ok(Self { path, pending }),
            Err(source) => Err(SnapshotError::Write { path, source }),
        }
    }

    /// Writes the account in the place of whatever stood there.
    ///
    /// # Errors
    /// [`SnapshotError::Write`]; what stands there is as it was.
    pub fn save(mut self, account: &Account) -> Result<(), SnapshotError> {
        let compress = self
            .path
            .extension()
            .is_some_and(|extension| extension == "zst");
        write(account, compress, self.pending.file())
            .and_then(|()| self.pending.commit())
            .map_err(|source| SnapshotError::Write {
                path: self.path,
                source,
            })
    }
}

fn write(account: &Account, compress: bool, file: &mut File) -> io::Result<()> {
    let content = FileOut {
        schema: SCHEMA,
        tool: Tool {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        },
        account,
    };
    let mut out = BufWriter::new(file);
    if compress {
        let mut encoder = zstd::Encoder::new(&mut out, COMPRESSION_LEVEL)?;
        serde_json::to_writer(&mut encoder, &content)?;
        encoder.finish()?;
    } else {
        serde_json::to_writer_pretty(&mut out, &content)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
