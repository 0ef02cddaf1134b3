//! JSON whose strings are safe on a terminal: what hides or acts there is written as JSON escapes, so that a reader of JSON sees no
//! difference.

use std::io::{self, Write};

use serde_json::ser::Formatter;

use crate::report::text::is_hidden;

/// Writes a part of a string with hidden characters as `\uXXXX`.
fn write_visible<W: ?Sized + Write>(out: &mut W, fragment: &str) -> io::Result<()> {
    // Most texts hold nothing else, and bytes are told apart faster than characters: to the end of the text, so that the processor
    // takes many at a time.
    let is_plain = |plain, byte| plain & matches!(byte, b' '..=b'~');
    if fragment.bytes().fold(true, is_plain) {
        return out.write_all(fragment.as_bytes());
    }
    let mut rest = fragment;
    while let Some((at, hidden)) = rest.char_indices().find(|(_, one)| is_hidden(*one)) {
        let (visible, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.write_all(visible.as_bytes())?;
        for unit in hidden.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}")?;
        }
        rest = tail.strip_prefix(hidden).unwrap_or_default();
    }
    out.write_all(rest.as_bytes())
}

/// JSON on one line in which hidden characters are written as `\uXXXX`.
pub(in crate::report) struct VisibleLineFormatter;

impl Formatter for VisibleLineFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_visible(out, fragment)
    }
}

/// Indented JSON in which hidden characters are written as `\uXXXX`; a reader of JSON sees no difference.
pub(super) struct VisibleFormatter {
    /// In how many lists and objects the next value stands.
    depth: usize,
    /// Whether the innermost of them has a value.
    has_value: bool,
}

/// As much as most values are indented by.
const INDENT: &[u8] = b"                                ";
const STEP: usize = 2;

impl VisibleFormatter {
    /// For a value that stands in so many lists and objects.
    pub(super) fn inside(depth: usize) -> Self {
        Self {
            depth,
            has_value: false,
        }
    }

    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        out.write_all(bracket)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.has_value {
            self.begin_line(out, b"\n")?;
        }
        // What was closed is a value of what it stands in.
        self.has_value = true;
        out.write_all(bracket)
    }

    fn begin_line<W: ?Sized + Write>(&self, out: &mut W, before: &[u8]) -> io::Result<()> {
        out.write_all(before)?;
        let mut left = self.depth * STEP;
        while left > 0 {
            let part = left.min(INDENT.len());
            out.write_all(INDENT.get(..part).unwrap_or(INDENT))?;
            left -= part;
        }
        Ok(())
    }

    fn begin_item<W: ?Sized + Write>(&self, out: &mut W, first: bool) -> io::Result<()> {
        self.begin_line(out, if first { b"\n" } else { b",\n" })
    }
}

impl Formatter for VisibleFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_visible(out, fragment)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.begin_item(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.begin_item(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}
