//! The report as one page for people: to search, filter and sort, each finding with its proof, its way out and its own small
//! picture.
//!
//! The page loads nothing and may run nothing but its own style sheet and script, which its policy names by their hashes; the
//! script may not turn text into markup. What came from AWS stands in it as escaped text, and as data that the script only ever
//! sets as text. What is read first (what was scanned, what was not, what matters most) is there without the script, too.

mod data;
mod header;
mod interned;
mod pages;
mod parts;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use self::data::Data;
use super::markup::{escaped, source_hash};
use super::name::Names;
use super::{Report, sanitise};

const STYLE: &str = concat!(
    "\n",
    include_str!("page.css"),
    include_str!("picture.css"),
    include_str!("print.css")
);
/// One function, so that nothing of it is reachable from outside.
const SCRIPT: &str = concat!(
    "\n\"use strict\";\n(() => {\n",
    include_str!("words.js"),
    include_str!("data.js"),
    include_str!("filter.js"),
    include_str!("table.js"),
    include_str!("picture.js"),
    include_str!("detail.js"),
    include_str!("page.js"),
    "})();\n"
);

/// Entries of any list outside of the table: as many as anybody reads. JSON has all.
const MOST_ENTRIES: usize = 1000;

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let names = Names::of(report);
    head(report, out)?;
    header::header(report, out)?;
    parts::parts(report, &names, out)?;
    pages::templates(report, out)?;
    Data::of(report, &names).write(out)?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn head(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
    )?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'\">",
        source_hash(STYLE),
        source_hash(SCRIPT)
    )?;
    writeln!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">"
    )?;
    let about = match report.accounts.as_slice() {
        [only] => super::table::account_title(only),
        accounts => super::table::many(accounts.len(), "account"),
    };
    writeln!(
        out,
        "<title>patscan: {}</title>",
        escaped(&sanitise(&about))
    )?;
    writeln!(out, "<style>{STYLE}</style>\n</head>\n<body>")
}

/// Text from anywhere, to be shown as it is.
fn text(text: &str) -> String {
    escaped(&sanitise(text))
}

/// A last entry that says how many are left out.
fn and_more(number: usize, most: usize) -> String {
    let more = number.saturating_sub(most);
    if more == 0 {
        return String::new();
    }
    format!("<li class=\"quiet\">and {more} more; <code>-f json</code> has them all</li>\n")
}

/// A number as people read it: `100,000`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
