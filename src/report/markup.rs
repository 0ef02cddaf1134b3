//! What pages and pictures for browsers have in common: text that stays text, data that is never run, and a policy that
//! names by its hash the one script that may run.

use std::io::{self, Write};

use aws_smithy_types::base64;
use serde::Serialize;
use serde_json::ser::Formatter;
use sha2::{Digest, Sha256};

/// Text for XML and HTML, as content or attribute. XML allows two characters nowhere, not even by number.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The source of a policy that allows exactly this text.
pub(super) fn source_hash(text: &str) -> String {
    format!("sha256-{}", base64::encode(Sha256::digest(text.as_bytes())))
}

/// Writes JSON on one line in which no character can end the script element that it stands in, or begin another.
pub(super) fn write_data(data: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, InertFormatter);
    data.serialize(&mut serializer)?;
    Ok(())
}

/// JSON in whose strings every character with a meaning in HTML is an escape.
struct InertFormatter;

impl Formatter for InertFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&']) {
            let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.write_all(plain.as_bytes())?;
            let mut tail = tail.chars();
            if let Some(character) = tail.next() {
                write!(out, "\\u{:04x}", u32::from(character))?;
            }
            rest = tail.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element_and_reads_back_the_same() {
        let text = "a</script><!--<script>&amp;\u{2028}é\"\\";
        let mut out = Vec::new();
        write_data(&[text, ""], &mut out).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert!(!written.contains(['<', '>', '&']), "{written}");
        let read: Vec<String> = serde_json::from_str(&written).unwrap();
        assert_eq!(read, [text, ""]);
    }

    #[test]
    fn a_source_is_named_as_browsers_name_it() {
        // The example of the specification of Content Security Policy.
        assert_eq!(
            source_hash("alert('Hello, world.');"),
            "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
        );
    }
}
