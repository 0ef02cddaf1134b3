//! Answers that broke off on the way and look whole to HTTP.
//!
//! The SDK reads XML as far as it goes: a list that breaks off between two items is a shorter list, and a body that got lost is
//! an empty answer. Neither may be taken for what AWS holds. JSON that breaks off is an error where the SDK reads it, but one
//! that it does not ask again for.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::de::IgnoredAny;

/// Whether the body of a successful answer to a read cannot be all of it: nothing, or a document that does not end.
pub(super) fn is_truncated(body: &[u8]) -> bool {
    match body.trim_ascii_start().first() {
        None => true,
        Some(b'<') => !is_document(body),
        Some(b'{' | b'[') => serde_json::from_slice::<IgnoredAny>(body).is_err(),
        Some(_) => false,
    }
}

/// Whether a root element begins and ends, and everything within it.
fn is_document(body: &[u8]) -> bool {
    let mut reader = Reader::from_reader(body);
    let (mut depth, mut roots) = (0_usize, 0_usize);
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                roots += usize::from(depth == 0);
            }
            Ok(Event::Empty(_)) => roots += usize::from(depth == 0),
            Ok(Event::Eof) => return depth == 0 && roots == 1,
            Ok(_) => {}
            Err(_) => return false,
        }
        buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<?xml version=\"1.0\"?>\n<List xmlns=\"x\"><Item><Name>a &amp; b</Name></Item>\
                        <Empty/><Item><Name>c</Name></Item></List>\n";

    #[test]
    fn a_document_that_breaks_off_anywhere_is_truncated() {
        assert!(!is_truncated(LIST.as_bytes()));
        let end = LIST.trim_end().len();
        for length in 0..end {
            assert!(is_truncated(&LIST.as_bytes()[..length]), "{length}");
        }
    }

    #[test]
    fn an_empty_element_is_a_document_and_a_page_for_browsers_is_none() {
        assert!(!is_truncated(b"<LocationConstraint/>"));
        for page in [
            "<!DOCTYPE html><html><body>Welcome<br></body></html>",
            "<a></a><b></b>",
            "<a></b>",
            "  ",
        ] {
            assert!(is_truncated(page.as_bytes()), "{page}");
        }
    }

    #[test]
    fn json_that_breaks_off_anywhere_is_truncated() {
        let whole = r#"{"Items":[{"Name":"a"},null],"Next":"b"}"#;
        assert!(!is_truncated(whole.as_bytes()));
        for length in 0..whole.len() {
            assert!(is_truncated(&whole.as_bytes()[..length]), "{length}");
        }
    }

    #[test]
    fn what_is_neither_is_for_others_to_judge() {
        assert!(!is_truncated(b"a word"));
    }
}
