//! Reading what somebody else may have written: never more of it than there may be.
//!
//! A path may lead to a device that has no end, or to a file that was made to fill the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any report of ours holds.
pub(crate) const LARGEST_REPORT: u64 = 1 << 30;
/// More than a secret, an address or another single word takes.
pub(crate) const LARGEST_WORD: u64 = 1 << 16;

/// The content of a file that may have so many bytes. One that is larger is not read at all where its length is known.
///
/// # Errors
/// Those of the file system, and [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_large(most));
    }
    // A large file that grows into its place moves several times on the way.
    let content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    read_into(content, file, most)
}

/// What a reader gives, where that may have so many bytes.
///
/// # Errors
/// Those of the reader, and [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read_from(reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    read_into(Vec::new(), reader, most)
}

fn read_into(mut content: Vec<u8>, reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    reader
        .take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(content)
}

fn too_large(most: u64) -> io::Error {
    let (amount, unit) = match most {
        0..0x10_0000 => (most >> 10, "KiB"),
        0x10_0000..0x4000_0000 => (most >> 20, "MiB"),
        _ => (most >> 30, "GiB"),
    };
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it is larger than {amount} {unit}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_read_whole_and_what_does_not_is_an_error() {
        assert_eq!(read_from(&b"four"[..], 4).unwrap(), b"four");
        for most in [3, 0] {
            let error = read_from(&b"four"[..], most).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        }
        let endless = read_from(io::repeat(b' '), LARGEST_WORD).unwrap_err();
        assert_eq!(endless.to_string(), "it is larger than 64 KiB");
    }

    #[test]
    fn a_file_that_is_larger_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // It takes no room: nothing was written to it.
        file.as_file().set_len(1 << 40).unwrap();
        let error = read(file.path(), LARGEST_REPORT).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 GiB");
    }
}
