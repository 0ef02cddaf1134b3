//! The AWS config files, looked at before the SDK reads them.
//!
//! One that it cannot read the SDK takes for an empty one, and what does not end it reads to the end. Here both are errors,
//! for whoever asked for the file: by naming a profile, or by naming the file in a variable.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_types::os_shim_internal::Env;

use super::environment::non_empty;
use super::error::CollectError;

/// More than any config file holds.
const LARGEST: u64 = 8 << 20;

const FILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", "config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
];

/// Looks at both files.
///
/// # Errors
/// [`CollectError::InvalidConfigFile`] for a file that was asked for and cannot be read. That there is none is no error.
pub(super) fn check(env: &Env, a_profile_is_named: bool) -> Result<(), CollectError> {
    for (variable, name) in FILES {
        let named = non_empty(env, variable);
        let is_asked_for = a_profile_is_named || named.is_some();
        if let Some(path) = path(env, named, name).filter(|_| is_asked_for) {
            check_file(&path)?;
        }
    }
    Ok(())
}

/// What is wrong with the files, where nobody asked for them: it may be why there are no credentials.
pub(super) fn problem(env: &Env) -> Option<CollectError> {
    FILES
        .into_iter()
        .filter_map(|(variable, name)| path(env, non_empty(env, variable), name))
        .find_map(|path| check_file(&path).err())
}

fn path(env: &Env, named: Option<String>, name: &str) -> Option<PathBuf> {
    let home = || non_empty(env, "HOME").or_else(|| non_empty(env, "USERPROFILE"));
    match named {
        None => Some(Path::new(&home()?).join(".aws").join(name)),
        Some(path) => match path.strip_prefix("~/") {
            Some(rest) => Some(Path::new(&home()?).join(rest)),
            None => Some(PathBuf::from(path)),
        },
    }
}

fn check_file(path: &Path) -> Result<(), CollectError> {
    let problem = |cause: String, source: Option<io::Error>| {
        Err(CollectError::InvalidConfigFile {
            cause: format!("`{}` {cause}", path.display()),
            source: source.map(Into::into),
        })
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Below a file there is no file either.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(()),
        Err(error) => return problem(format!("cannot be opened ({error})"), Some(error)),
    };
    if metadata.is_dir() {
        return problem("is a folder".to_owned(), None);
    }
    // It would be read more than once; and opening one that nobody writes to would wait forever.
    if is_pipe(&metadata) {
        return problem("is a pipe, which can be read only once".to_owned(), None);
    }
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut content));
    match read {
        Err(error) => problem(format!("cannot be read ({error})"), Some(error)),
        Ok(length) if length as u64 > LARGEST => problem(
            format!(
                "is larger than {} MB, which no config file is",
                LARGEST >> 20
            ),
            None,
        ),
        Ok(_) if std::str::from_utf8(&content).is_err() => {
            problem("is not text (UTF-8)".to_owned(), None)
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(unix)]
fn is_pipe(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    metadata.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::Metadata) -> bool {
    false
}
