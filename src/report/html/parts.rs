//! The parts of the page: causes, what could not be read, who sends and who receives, what is known of earlier. They are there
//! without the script, which only fills the table of findings.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::name::Names;
use super::super::table::{many, minute};
use super::super::{FlowEnd, Report};
use super::{MOST_ENTRIES, and_more, grouped, text};
use crate::account::GapEffect;
use crate::arn::{AccountId, Arn};
use crate::finding::{Certainty, Severity};
use crate::triage::{Cause, OldFinding};

/// Causes that are told, the largest first.
const MOST_CAUSES: usize = 200;
/// Causes that are printed; `print.css` hides the others.
const MOST_ON_PAPER: usize = 20;
/// Principals in one cell of who sends and who receives.
const MOST_ENDS: usize = 8;

/// The parts of the page, and the way to each.
pub(super) fn parts(report: &Report, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    let coverage = &report.coverage;
    let unread = coverage.gaps.len() + coverage.notes.len() + coverage.skipped.len();
    let notes = report.waiver_notes.as_deref().unwrap_or_default();
    let earlier = report.since.as_ref();
    let earlier = earlier.map_or(0, |since| since.gone.len() + since.not_covered.len());
    writeln!(out, "<nav aria-label=\"Parts of the report\">")?;
    let mut link = |id: &str, name: &str, number: Option<usize>| {
        let number = number.map_or_else(String::new, |number| {
            format!(" <span>{}</span>", grouped(number))
        });
        writeln!(out, "<a href=\"#{id}\">{name}{number}</a>")
    };
    link("findings", "Findings", Some(report.findings.len()))?;
    if !report.causes.is_empty() {
        link("causes", "Causes", Some(report.causes.len()))?;
    }
    if unread > 0 {
        link("gaps", "What was not read", Some(unread))?;
    }
    if !report.flows.is_empty() {
        link("queues", "Who sends, who receives", None)?;
    }
    if !notes.is_empty() || report.since.is_some() {
        link("known", "Waivers and changes", Some(notes.len() + earlier))?;
    }
    writeln!(out, "</nav>\n<main>")?;
    causes(report, names, out)?;
    writeln!(out, "<section id=\"print\" aria-hidden=\"true\"></section>")?;
    out.write_all(FINDINGS.as_bytes())?;
    gaps(report, names, out)?;
    flows(report, names, out)?;
    waivers_and_changes(report, out)?;
    writeln!(out, "</main>")?;
    writeln!(
        out,
        "<footer>patscan {}, report made {}. What a rule means: <code>patscan rules RULE</code>. What is behind a finding, and \
         what to change: <code>patscan explain ID</code>.</footer>",
        env!("CARGO_PKG_VERSION"),
        minute(report.generated_at)
    )
}

/// Where the script puts the findings.
const FINDINGS: &str = r#"<section id="findings" aria-label="Findings">
<noscript><p class="alarm">The table of findings needs JavaScript, which is switched off here. <code>-f markdown</code>, <code>-f csv</code> and <code>-f json</code> do without.</p></noscript>
<form class="tools" role="search">
<input id="search" type="search" placeholder="Search titles, names, ARNs, policies, ids" aria-label="Search titles, names, ARNs, policies and ids" autocomplete="off" spellcheck="false">
<select id="by-rule" aria-label="Rule"></select>
<select id="by-account" aria-label="Account"></select>
<select id="by-region" aria-label="Region"></select>
<select id="by-state" aria-label="Status"></select>
<select id="by-change" aria-label="Change"></select>
<select id="sort" aria-label="Order"></select>
<button type="button" id="chosen-cause" hidden></button>
<button type="button" id="clear" hidden>Show all</button>
<output id="count" aria-live="polite"></output>
</form>
<div class="split">
<div id="list" role="grid" tabindex="0" aria-label="Findings: arrow keys move, Enter opens"><div id="rows" role="presentation"></div></div>
<article id="detail" tabindex="-1" aria-label="The chosen finding"></article>
</div>
</section>
"#;

fn causes(report: &Report, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.causes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<section id=\"causes\">\n<h2>One statement, many findings</h2>\n<p>Begin here: each of these statements is behind \
         several findings, and mending it mends them together. A finding is counted under one of them.</p>\n<ol class=\"causes\">"
    )?;
    for (number, cause) in report.causes.iter().take(MOST_CAUSES).enumerate() {
        writeln!(
            out,
            "<li><button type=\"button\" data-cause=\"{number}\"><b>{}</b> statement {}</button> <span class=\"quiet\">{}</span></li>",
            text(&names.policy(&cause.policy)),
            text(&cause.statement),
            reach(cause, report)
        )?;
    }
    writeln!(
        out,
        "{}</ol>\n{}</section>",
        and_more(report.causes.len(), MOST_CAUSES),
        match report.causes.len().saturating_sub(MOST_ON_PAPER) {
            0 => String::new(),
            more => format!(
                "<p class=\"on-paper\">and {} more, which are not printed</p>\n",
                grouped(more)
            ),
        }
    )
}

/// `12 findings (2 critical, 10 high), 3 principals, up to 40 queues`.
fn reach(cause: &Cause, report: &Report) -> String {
    let of = |severity: Severity| {
        let places = cause.findings.iter();
        let findings = places.filter_map(|place| report.findings.get(*place));
        findings.filter(|one| one.severity == severity).count()
    };
    let by_severity: Vec<String> = Severity::ALL
        .into_iter()
        .map(|severity| (severity, of(severity)))
        .filter(|(_, number)| *number > 0)
        .map(|(severity, number)| format!("{number} {severity}"))
        .collect();
    format!(
        "{}: {}; {}, up to {}",
        many(cause.findings.len(), "finding"),
        by_severity.join(", "),
        many(cause.principals, "principal"),
        many(
            usize::try_from(cause.most_queues).unwrap_or(usize::MAX),
            "queue"
        )
    )
}

fn gaps(report: &Report, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    let coverage = &report.coverage;
    if coverage.gaps.is_empty() && coverage.notes.is_empty() && coverage.skipped.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section id=\"gaps\">\n<h2>What was not read</h2>")?;
    for (effect, meaning) in [
        (
            GapEffect::MayHide,
            "<p class=\"alarm\"><b>Findings may be missing</b> because of these. Mend them and scan again.</p>",
        ),
        (
            GapEffect::MayOverstate,
            "<p>Access can only be smaller than shown: some policies that restrict could not be read.</p>",
        ),
    ] {
        let gaps = coverage.gaps.iter();
        let gaps: Vec<_> = gaps
            .filter(|missing| missing.gap.effect == effect)
            .collect();
        if gaps.is_empty() {
            continue;
        }
        writeln!(
            out,
            "{meaning}\n<table><thead><tr><th>Call</th><th>Where</th><th>On</th><th>Error</th><th>What that means</th></tr></thead><tbody>"
        )?;
        for missing in gaps.iter().take(MOST_ENTRIES) {
            let gap = &missing.gap;
            let place = gap.region.as_deref().unwrap_or("global");
            let account = if names.single_account() {
                String::new()
            } else {
                format!(" of {}", missing.account)
            };
            let resource = gap.resource.as_deref();
            writeln!(
                out,
                "<tr><td>{}:{}</td><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&gap.service),
                text(&gap.operation),
                text(place),
                text(&account),
                resource.map_or_else(String::new, |arn| text(&names.resource(arn))),
                text(&gap.error),
                text(&gap.detail)
            )?;
        }
        writeln!(out, "</tbody></table>")?;
        write_more(gaps.len(), out)?;
    }
    let mut skipped: Vec<&str> = coverage
        .skipped
        .iter()
        .map(|one| one.service.as_str())
        .collect();
    skipped.sort_unstable();
    skipped.dedup();
    if !skipped.is_empty() {
        writeln!(
            out,
            "<p>Left out on request, so not judged: {}.</p>",
            text(&skipped.join(", "))
        )?;
    }
    if !coverage.notes.is_empty() {
        writeln!(out, "<h3>By the way</h3>\n<ul>")?;
        for about in coverage.notes.iter().take(MOST_ENTRIES) {
            let note = &about.note;
            let place = match (&note.resource, &note.region) {
                (Some(resource), _) => names.resource(resource),
                (None, Some(region)) => region.clone(),
                (None, None) => String::new(),
            };
            writeln!(
                out,
                "<li>{} {}: {}</li>",
                text(&note.service),
                text(&place),
                text(&note.detail)
            )?;
        }
        writeln!(out, "{}</ul>", and_more(coverage.notes.len(), MOST_ENTRIES))?;
    }
    writeln!(out, "</section>")
}

fn write_more(number: usize, out: &mut dyn Write) -> io::Result<()> {
    let more = and_more(number, MOST_ENTRIES);
    if more.is_empty() {
        return Ok(());
    }
    writeln!(out, "<ul>{more}</ul>")
}

fn flows(report: &Report, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.flows.is_empty() {
        return Ok(());
    }
    // An incomplete scan has seen nobody; that does not mean that there is nobody.
    let nobody = if report.complete() {
        "nobody"
    } else {
        "none seen"
    };
    writeln!(
        out,
        "<section id=\"queues\">\n<h2>Who can send, who can receive</h2>\n<p>⟲ on both sides: can feed itself; ? only under \
         conditions.</p>\n<table class=\"flows\"><thead><tr><th>Can send →</th><th>Queue</th><th>→ Can receive</th></tr></thead><tbody>"
    )?;
    let has_loop = |ends: &[FlowEnd]| ends.iter().any(|end| end.both);
    let (loops, others): (Vec<_>, Vec<_>) = report
        .flows
        .iter()
        .partition(|flow| has_loop(&flow.generators));
    for flow in loops.into_iter().chain(others) {
        // The account of the queue stands with the queue: the others are told from it.
        let home = Arn::parse(&flow.queue.arn)
            .ok()
            .and_then(|queue| AccountId::parse(queue.account()).ok());
        let around = Names::around(home.as_ref());
        let administrators = match flow.administrators {
            0 => String::new(),
            number => format!(
                "<div class=\"quiet\">and {}</div>",
                many(number, "administrator")
            ),
        };
        writeln!(
            out,
            "<tr><td>{}</td><th scope=\"row\">{}{administrators}</th><td>{}</td></tr>",
            ends(&flow.generators, &around, nobody),
            text(&names.bare(&flow.queue)),
            ends(&flow.consumers, &around, nobody)
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    if report.more_flows > 0 {
        writeln!(
            out,
            "<p class=\"quiet\">and {}; <code>patscan who-can send QUEUE</code> tells who sends to any, \
             <code>patscan graph -f html=graph.html</code> draws all</p>",
            many(report.more_flows, "more queue")
        )?;
    }
    writeln!(out, "</section>")
}

fn ends(ends: &[FlowEnd], names: &Names<'_>, nobody: &str) -> String {
    if ends.is_empty() {
        return format!("<span class=\"quiet\">{nobody}</span>");
    }
    let (both, others): (Vec<&FlowEnd>, Vec<&FlowEnd>) = ends.iter().partition(|end| end.both);
    let mut cell = String::new();
    for end in both.into_iter().chain(others).take(MOST_ENDS) {
        let (class, mark) = if end.both {
            ("end loop", "⟲ ")
        } else {
            ("end", "")
        };
        let condition = if end.certainty == Certainty::Conditional {
            " ?"
        } else {
            ""
        };
        let name = text(&names.full(&end.entity));
        // Writing to a `String` cannot fail.
        let _ = write!(cell, "<div class=\"{class}\">{mark}{name}{condition}</div>");
    }
    let more = ends.len().saturating_sub(MOST_ENDS);
    if more > 0 {
        let _ = write!(cell, "<div class=\"quiet\">and {more} more</div>");
    }
    cell
}

fn waivers_and_changes(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let notes = report.waiver_notes.as_deref().unwrap_or_default();
    if notes.is_empty() && report.since.is_none() {
        return Ok(());
    }
    writeln!(out, "<section id=\"known\">\n<h2>Waivers and changes</h2>")?;
    if !notes.is_empty() {
        writeln!(out, "<h3>Waivers</h3>\n<ul>")?;
        let (alarms, others): (Vec<_>, Vec<_>) = notes.iter().partition(|note| note.is_alarm);
        for note in alarms.into_iter().chain(others).take(MOST_ENTRIES) {
            let class = if note.is_alarm {
                " class=\"alarm\""
            } else {
                ""
            };
            writeln!(
                out,
                "<li{class}>waiver {}: {}</li>",
                note.number,
                text(&note.text)
            )?;
        }
        writeln!(out, "{}</ul>", and_more(notes.len(), MOST_ENTRIES))?;
    }
    if let Some(since) = &report.since {
        for (findings, title, why) in [
            (&since.gone, "Gone", "In the earlier report, and no more:"),
            (
                &since.not_covered,
                "Not looked at",
                "In the earlier report; this scan could not have found these again:",
            ),
        ] {
            writeln!(out, "<h3>{title}: {}</h3>", many(findings.len(), "finding"))?;
            if findings.is_empty() {
                continue;
            }
            writeln!(out, "<p>{why}</p>\n<ul>")?;
            for old in findings.iter().take(MOST_ENTRIES) {
                writeln!(out, "<li>{}</li>", old_finding(old))?;
            }
            writeln!(out, "{}</ul>", and_more(findings.len(), MOST_ENTRIES))?;
        }
    }
    writeln!(out, "</section>")
}

fn old_finding(old: &OldFinding) -> String {
    format!(
        "<b>{}</b> {} <span class=\"quiet\">{}</span>",
        text(&old.severity),
        text(&old.title),
        text(&old.id)
    )
}
