//! A page of a given width: every line that the table format prints goes through here.
//!
//! This is the one place where text is made safe and where lines are broken, so that no caller can forget either.

use std::io::{self, Write};

use tabled::builder::Builder;

use crate::finding::Severity;
use crate::report::Style;
use crate::report::text::{sanitise, shorten, split, width, wrap, wrap_list};

const NARROWEST: usize = 60;
/// Lines longer than this are hard to follow by eye, however wide the terminal.
const WIDEST: usize = 160;
/// Columns that the labels of rows take, with the indent before and the space after them.
const LABEL: usize = 11;
const BOLD: &str = "1";
const ALARM: &str = "1;31";

pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    width: usize,
    color: bool,
}

/// What a heading is about; colour repeats what its words say.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Plain,
    Alarm,
    Severity(Severity),
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => BOLD,
            Self::Alarm | Self::Severity(Severity::Critical) => ALARM,
            Self::Severity(Severity::High) => "31",
            Self::Severity(Severity::Medium) => "33",
            Self::Severity(Severity::Low) => "36",
            Self::Severity(Severity::Info) => "34",
        }
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, style: Style) -> Self {
        Self {
            out,
            width: style.width.clamp(NARROWEST, WIDEST),
            color: style.color,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// `── HIGH · 3 findings ─────` over the whole width. `word` and `rest` are short and ours.
    pub(super) fn heading(&mut self, tone: Tone, word: &str, rest: &str) -> io::Result<()> {
        let used = 3 + width(word) + width(rest) + 1;
        let fill = "─".repeat(self.width.saturating_sub(used));
        let word = self.paint(tone, word);
        writeln!(self.out, "── {word}{rest} {fill}")
    }

    /// `word` in its colour, then prose that runs on under it.
    pub(super) fn announce(&mut self, tone: Tone, word: &str, prose: &str) -> io::Result<()> {
        let indent = width(word) + 2;
        let painted = self.paint(tone, word);
        let lines = wrap(&sanitise(prose), self.width.saturating_sub(indent));
        for (number, line) in lines.iter().enumerate() {
            if number == 0 {
                writeln!(self.out, "{painted}  {line}")?;
            } else {
                writeln!(self.out, "{:indent$}{line}", "")?;
            }
        }
        Ok(())
    }

    /// One line that is cut in the middle if it must be, with `right` at the right edge (below, if there is no room).
    pub(super) fn title(&mut self, left: &str, right: &str) -> io::Result<()> {
        let (left, right) = (sanitise(left), sanitise(right));
        let (left, right) = (shorten(&left, self.width), shorten(&right, self.width));
        if right.is_empty() {
            return writeln!(self.out, "{left}");
        }
        let room = self.width.saturating_sub(width(&right));
        let used = width(&left);
        if used + 2 <= room {
            writeln!(self.out, "{left}{:1$}{right}", "", room - used)
        } else {
            writeln!(self.out, "{left}\n{:room$}{right}", "")
        }
    }

    /// Prose, indented.
    pub(super) fn prose(&mut self, indent: usize, text: &str) -> io::Result<()> {
        for line in wrap(&sanitise(text), self.width.saturating_sub(indent)) {
            writeln!(self.out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    /// Prose behind a lead such as `1. `, which is ours, under which it runs on.
    pub(super) fn item(&mut self, indent: usize, lead: &str, text: &str) -> io::Result<()> {
        let hanging = indent + width(lead);
        let lines = wrap(&sanitise(text), self.width.saturating_sub(hanging));
        for (number, line) in lines.iter().enumerate() {
            if number == 0 {
                writeln!(self.out, "{:indent$}{lead}{line}", "")?;
            } else {
                writeln!(self.out, "{:hanging$}{line}", "")?;
            }
        }
        Ok(())
    }

    /// A line to be copied: it is never broken, whatever the width.
    pub(super) fn verbatim(&mut self, indent: usize, line: &str) -> io::Result<()> {
        writeln!(self.out, "{:indent$}{}", "", sanitise(line))
    }

    /// A line of a text that is quoted, with a mark in the margin where it matters. What is too long goes on below.
    pub(super) fn quoted(&mut self, marked: bool, line: &str) -> io::Result<()> {
        const MARGIN: usize = 6;
        let line = sanitise(line);
        let room = self.width.saturating_sub(MARGIN);
        // Of what is nested deeper than any policy the indent is cut, so that each line has room for some of the text.
        let inside = (line.len() - line.trim_start().len()).min(room / 3);
        let mut rest = line.into_owned();
        let mut mark = if marked { "▶" } else { " " };
        loop {
            let (first, after) = split(&rest, room);
            writeln!(self.out, "   {mark}  {first}")?;
            if after.is_empty() {
                return Ok(());
            }
            mark = " ";
            rest = format!("{:1$}{after}", "", inside + 4);
        }
    }

    /// The first `most` items as `show` shows them, then how many more there are.
    pub(super) fn listed<T>(
        &mut self,
        items: &[T],
        most: usize,
        show: impl Fn(&T, &mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        for item in items.iter().take(most) {
            show(item, self)?;
        }
        let more = items.len().saturating_sub(most);
        if more > 0 {
            self.prose(0, &format!("and {more} more; `-f json` has them all"))?;
        }
        Ok(())
    }

    /// A label and prose beside it.
    pub(super) fn row(&mut self, label: &str, text: &str) -> io::Result<()> {
        let lines = wrap(&sanitise(text), self.width.saturating_sub(LABEL));
        self.labelled(label, &lines)
    }

    /// A label and a list of names beside it: the first `most`, then how many more; a last one is named, not counted.
    pub(super) fn list<T>(
        &mut self,
        label: &str,
        items: &[T],
        most: usize,
        name: impl Fn(&T) -> String,
    ) -> io::Result<()> {
        self.list_of(label, items, 0, most, name)
    }

    /// The same where there are `besides` more items that are not at hand.
    pub(super) fn list_of<T>(
        &mut self,
        label: &str,
        items: &[T],
        besides: u64,
        most: usize,
        name: impl Fn(&T) -> String,
    ) -> io::Result<()> {
        let most = if items.len() == most + 1 && besides == 0 {
            items.len()
        } else {
            most
        };
        let mut shown: Vec<String> = items
            .iter()
            .take(most)
            .map(|item| sanitise(&name(item)).into_owned())
            .collect();
        let more = items.len().saturating_sub(most) as u64 + besides;
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        self.labelled(label, &wrap_list(&shown, self.width.saturating_sub(LABEL)))
    }

    fn labelled(&mut self, label: &str, lines: &[String]) -> io::Result<()> {
        let mut label = label;
        for line in lines {
            writeln!(self.out, "  {label:<8} {line}")?;
            label = "";
        }
        Ok(())
    }

    /// A table with borders: a head, then rows of cells of lines. No column is wider than its limit.
    pub(super) fn table<const N: usize>(
        &mut self,
        limits: [usize; N],
        head: [&str; N],
        rows: impl IntoIterator<Item = [Vec<String>; N]>,
    ) -> io::Result<()> {
        let mut builder = Builder::default();
        builder.push_record(head);
        for row in rows {
            builder.push_record(row.iter().zip(limits).map(|(cell, limit)| {
                let lines: Vec<String> = cell
                    .iter()
                    .flat_map(|line| fold(&sanitise(line), limit))
                    .collect();
                lines.join("\n")
            }));
        }
        let mut table = builder.build();
        table.with(tabled::settings::Style::modern_rounded());
        writeln!(self.out, "{table}")
    }

    /// A word in the colour of its tone, where there is colour.
    fn paint(&self, tone: Tone, word: &str) -> String {
        if self.color {
            format!("\u{1b}[{}m{word}\u{1b}[0m", tone.code())
        } else {
            word.to_owned()
        }
    }

    /// `lead`, which is ours, then how many of each severity, wrapped between them.
    pub(super) fn tally(&mut self, lead: &str, parts: &[(usize, Severity)]) -> io::Result<()> {
        write!(self.out, "{lead}")?;
        let mut used = width(lead);
        for (number, (count, severity)) in parts.iter().enumerate() {
            let comma = if number + 1 < parts.len() { "," } else { "" };
            let part = width(&format!(" {count} {severity}{comma}"));
            if used + part > self.width {
                write!(self.out, "\n ")?;
                used = 1;
            }
            used += part;
            let word = self.paint(Tone::Severity(*severity), severity.as_str());
            write!(self.out, " {count} {word}{comma}")?;
        }
        writeln!(self.out)
    }
}

/// At most two lines, the second one indented: what needs more loses its middle.
fn fold(text: &str, limit: usize) -> Vec<String> {
    let lines = wrap(text, limit);
    match lines.as_slice() {
        [_] => lines,
        [first, second] if width(second) < limit => vec![first.clone(), format!(" {second}")],
        _ => {
            // One column for the indent, one for a wide character that the first line cannot hold.
            let short = shorten(text, (2 * limit).saturating_sub(2));
            let (first, second) = split(&short, limit);
            vec![first, format!(" {second}")]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize, print: impl FnOnce(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        let style = Style {
            color: false,
            width,
        };
        print(&mut Page::new(&mut out, style)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_quoted_line_goes_on_below_and_is_marked_once() {
        let line = format!("    {}\u{1b}", "x".repeat(70));
        let text = page(60, |page| page.quoted(true, &line));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| width(line) <= 60), "{text}");
        assert!(
            lines.first().unwrap().starts_with("   ▶      xxx"),
            "{text}"
        );
        assert!(lines.last().unwrap().ends_with("x\\u{1b}"), "{text}");
        assert_eq!(text.matches('▶').count(), 1);
    }

    #[test]
    fn a_line_of_nothing_but_indent_ends() {
        let line = format!("{}x", " ".repeat(500));
        let text = page(60, |page| page.quoted(false, &line));
        assert!(text.trim_end().ends_with('x'), "{text}");
    }

    #[test]
    fn an_item_runs_on_under_its_text_and_what_is_copied_is_never_broken() {
        let long = "word ".repeat(30);
        let text = page(60, |page| page.item(2, "1. ", &long));
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.len() > 2
                && lines
                    .iter()
                    .all(|line| line.starts_with("     ") || line.starts_with("  1. word"))
        );
        let text = page(60, |page| page.verbatim(2, &long.replace(' ', "-")));
        assert_eq!(text.lines().count(), 1);
    }
}
