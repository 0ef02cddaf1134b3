//! Who can send, who can receive: one row per queue, messages running from left to right.

use std::io;

use super::super::name::Names;
use super::many;
use super::page::{Page, Tone};
use crate::arn::{AccountId, Arn};
use crate::finding::Certainty;
use crate::report::{FlowEnd, QueueFlow, Report};

/// Names in one cell.
const MOST_ENDS: usize = 4;
/// Columns that the borders and paddings of three cells take.
const BORDERS: usize = 10;
const BOTH: &str = "⟲";
const CONDITIONAL: &str = "?";

pub(super) fn flows(report: &Report, names: &Names, page: &mut Page) -> io::Result<()> {
    if report.flows.is_empty() {
        return Ok(());
    }
    let (loops, others): (Vec<&QueueFlow>, Vec<&QueueFlow>) =
        report.flows.iter().partition(|flow| has_loop(flow));
    let shown: Vec<&QueueFlow> = loops.into_iter().chain(others).collect();

    // An incomplete scan has seen nobody; that does not mean that there is nobody.
    let nobody = if report.complete() {
        "nobody"
    } else {
        "none seen"
    };
    let administrators = Administrators::of(&shown);
    let inner = page.width().saturating_sub(BORDERS);
    let side = inner * 7 / 20;
    page.heading(Tone::Plain, "Who can send, who can receive", "")?;
    page.table(
        [side, inner.saturating_sub(2 * side), side],
        ["Can send →", "Queue", "→ Can receive"],
        shown.iter().map(|flow| {
            // The account of the queue stands with the queue: the others are told from it.
            let home = Arn::parse(&flow.queue.arn)
                .ok()
                .and_then(|queue| AccountId::parse(queue.account()).ok());
            let around = home.as_ref().map(Names::within);
            let around = around.as_ref().unwrap_or(names);
            [
                cell(&flow.generators, around, nobody),
                queue(flow, names, &administrators),
                cell(&flow.consumers, around, nobody),
            ]
        }),
    )?;
    if report.more_flows > 0 {
        let more = many(report.more_flows, "more queue");
        let advice = "`patscan who-can send QUEUE` tells who sends to any";
        page.prose(0, &format!("… and {more}; {advice}"))?;
    }
    legend(&shown, &administrators, page)?;
    page.blank()
}

/// Principals that hold everything, mostly the same on every queue and then told once.
enum Administrators {
    Everywhere(usize),
    Varying,
}

impl Administrators {
    fn of(flows: &[&QueueFlow]) -> Self {
        match flows {
            [first, rest @ ..]
                if rest
                    .iter()
                    .all(|flow| flow.administrators == first.administrators) =>
            {
                Self::Everywhere(first.administrators)
            }
            _ => Self::Varying,
        }
    }
}

fn queue(flow: &QueueFlow, names: &Names, administrators: &Administrators) -> Vec<String> {
    let mut lines = vec![names.bare(&flow.queue)];
    if matches!(administrators, Administrators::Varying) && flow.administrators > 0 {
        lines.push(format!("+{}", many(flow.administrators, "administrator")));
    }
    lines
}

fn cell(ends: &[FlowEnd], names: &Names, nobody: &str) -> Vec<String> {
    if ends.is_empty() {
        return vec![nobody.to_owned()];
    }
    // A last one is named, not counted.
    let shown = if ends.len() == MOST_ENDS + 1 {
        ends.len()
    } else {
        MOST_ENDS
    };
    let (both, others): (Vec<&FlowEnd>, Vec<&FlowEnd>) = ends.iter().partition(|end| end.both);
    let mut lines: Vec<String> = both
        .into_iter()
        .chain(others)
        .take(shown)
        .map(|end| {
            let mut line = String::new();
            if end.both {
                line.push_str(BOTH);
                line.push(' ');
            }
            line.push_str(&names.full(&end.entity));
            if end.certainty == Certainty::Conditional {
                line.push(' ');
                line.push_str(CONDITIONAL);
            }
            line
        })
        .collect();
    let more = ends.len().saturating_sub(shown);
    if more > 0 {
        lines.push(format!("+{more}"));
    }
    lines
}

fn legend(
    shown: &[&QueueFlow],
    administrators: &Administrators,
    page: &mut Page,
) -> io::Result<()> {
    let mut ends = shown
        .iter()
        .flat_map(|flow| flow.generators.iter().chain(&flow.consumers));
    let conditional = ends.any(|end| end.certainty == Certainty::Conditional);
    let mut marks = Vec::new();
    if shown.iter().any(|flow| has_loop(flow)) {
        marks.push(format!("{BOTH} on both sides: can feed itself"));
    }
    if conditional {
        marks.push(format!("{CONDITIONAL} only under conditions"));
    }
    if !marks.is_empty() {
        page.prose(0, &marks.join("; "))?;
    }
    match administrators {
        Administrators::Everywhere(0) => Ok(()),
        Administrators::Everywhere(number) => page.prose(
            0,
            &format!(
                "Not listed: {} of each queue, with every right on it.",
                many(*number, "administrator")
            ),
        ),
        Administrators::Varying => page.prose(
            0,
            "Administrators hold every right on the queue; they are counted, not listed.",
        ),
    }
}

fn has_loop(flow: &QueueFlow) -> bool {
    flow.generators
        .iter()
        .chain(&flow.consumers)
        .any(|end| end.both)
}
