//! The report as one page for people: to search, filter and sort, each finding with its proof, its way out and its own small
//! picture.
//!
//! The page loads nothing and may run nothing but its own style sheet and script, which its policy names by their hashes; the
//! script may not turn text into markup. What came from AWS stands in it as escaped text, and as data that the script only ever
//! sets as text. What is read first (what was scanned, what was not, what matters most) is there without the script, too.

mod data;
mod frame;
mod interned;
mod pages;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use self::data::Data;
use super::Report;
use super::markup::{escaped, source_hash};
use super::name::Names;

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

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let names = Names::of(report);
    head(report, out)?;
    frame::header(report, out)?;
    frame::sections(report, &names, out)?;
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
        escaped(&super::sanitise(&about))
    )?;
    writeln!(out, "<style>{STYLE}</style>\n</head>\n<body>")
}
