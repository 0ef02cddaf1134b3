//! The command line as users meet it: everything through the real binary.

mod account;
mod catalogue;
mod circles;
mod config;
pub(crate) mod contract;
mod diff;
mod doctor;
mod exit_codes;
mod explain;
mod exports;
mod formats;
mod graph;
mod hostile;
mod iam_policy;
mod interrupted;
mod killed;
mod known;
mod large;
mod limits;
mod malformed;
mod mistakes;
mod page;
mod refusals;
mod schema;
mod simulate;
mod snapshots;
mod terminal;
mod traffic;
mod who_can;
mod written;

/// Nothing in the text acts on a terminal or hides: no escape, no C1 control, no bidirectional or zero-width mark.
fn assert_harmless(text: &str) {
    let harmful = text.chars().find(|&character| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    });
    assert!(harmful.is_none(), "{harmful:?} in {text:?}");
}

/// A report without the time at which it was made.
fn without_time(report: &str) -> String {
    report
        .lines()
        .filter(|line| !line.starts_with(r#"  "generated_at": "#))
        .collect::<Vec<_>>()
        .join("\n")
}
