//! Input line by line, of which no line can take more memory than it is worth.

use std::io::{self, BufRead, Read as _};

/// Bytes of a line that are kept. What AWS stores of every policy that takes part in one request is far less.
pub(super) const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// Memory held on to between lines; a long line gives back what it took.
const USUAL_LINE: usize = 64 * 1024;

/// What reading gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A line is in the buffer, perhaps with its line end.
    Whole,
    /// There was one, longer than [`LONGEST_LINE`]; the buffer is empty.
    TooLong,
    /// The input has ended.
    End,
}

/// Reads the next line into `line`, which is cleared first. The rest of a line that is too long is read and forgotten.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    line.shrink_to(USUAL_LINE);
    input
        .take(LONGEST_LINE as u64 + 1)
        .read_until(b'\n', line)?;
    if line.is_empty() {
        Ok(Line::End)
    } else if line.len() <= LONGEST_LINE || line.ends_with(b"\n") {
        Ok(Line::Whole)
    } else {
        line.clear();
        line.shrink_to(USUAL_LINE);
        input.skip_until(b'\n')?;
        Ok(Line::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, repeat};

    fn read(text: &str, capacity: usize) -> Vec<String> {
        let mut input = BufReader::with_capacity(capacity, text.as_bytes());
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while read_line(&mut input, &mut line).unwrap() == Line::Whole {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        lines
    }

    #[test]
    fn lines_are_the_same_however_the_input_comes_in_pieces() {
        for capacity in 1..8 {
            assert_eq!(
                read("ab\n\ncde\r\nf", capacity),
                ["ab\n", "\n", "cde\r\n", "f"]
            );
            assert_eq!(read("ab\n", capacity), ["ab\n"]);
            assert_eq!(read("\n", capacity), ["\n"]);
            assert!(read("", capacity).is_empty());
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_forgotten_and_the_next_is_read() {
        let long = repeat(b'x').take(LONGEST_LINE as u64 + 1);
        let mut input = BufReader::new(long.chain(&b"\nshort"[..]));
        let mut line = Vec::new();
        assert_eq!(read_line(&mut input, &mut line).unwrap(), Line::TooLong);
        assert!(line.is_empty() && line.capacity() <= USUAL_LINE);
        assert_eq!(read_line(&mut input, &mut line).unwrap(), Line::Whole);
        assert_eq!(line, b"short");
        assert_eq!(read_line(&mut input, &mut line).unwrap(), Line::End);
    }
}
