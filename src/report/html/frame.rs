//! What stands in the page without the script: what was scanned, what could not be read, how much was found, where to begin,
//! who sends and who receives, what is known of earlier. The script fills the table of findings.

use std::io::{self, Write};

use super::super::markup::escaped;
use super::super::name::Names;
use super::super::table::{account_title, holds, many, minute, regions};
use super::super::{AccountSummary, FlowEnd, Report, sanitise};
use crate::account::GapEffect;
use crate::arn::{AccountId, Arn};
use crate::finding::{Certainty, Severity};
use crate::triage::{Cause, Change, OldFinding, Status};

/// Entries of any list here: as many as anybody reads. JSON has all.
const MOST_ENTRIES: usize = 1000;
/// Causes that are told, the largest first.
const MOST_CAUSES: usize = 200;
/// Principals in one cell of who sends and who receives.
const MOST_ENDS: usize = 8;

/// Text from anywhere, to be shown as it is.
fn text(text: &str) -> String {
    escaped(&sanitise(text))
}

/// What one sees first.
pub(super) fn header(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<header>\n<h1>patscan</h1>")?;
    scanned(report, out)?;
    warnings(report, out)?;
    severities(report, out)?;
    known(report, out)?;
    writeln!(out, "</header>")
}

fn scanned(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let line = |account: &AccountSummary| {
        format!(
            "<b>{}</b>, scanned {} <span class=\"quiet\">{}; {}</span>",
            text(&account_title(account)),
            minute(account.scanned_at),
            text(&regions(&account.regions)),
            holds(account.counts)
        )
    };
    match report.accounts.as_slice() {
        [only] => writeln!(out, "<p class=\"scanned\">{}</p>", line(only)),
        accounts => {
            writeln!(
                out,
                "<details class=\"scanned\"><summary><b>{}</b>, report made {}</summary>\n<ul>",
                many(accounts.len(), "account"),
                minute(report.generated_at)
            )?;
            for account in accounts.iter().take(MOST_ENTRIES) {
                writeln!(out, "<li>{}</li>", line(account))?;
            }
            writeln!(
                out,
                "{}</ul></details>",
                and_more(accounts.len(), MOST_ENTRIES)
            )
        }
    }
}

/// A last entry that says how many are left out.
fn and_more(number: usize, most: usize) -> String {
    let more = number.saturating_sub(most);
    if more == 0 {
        return String::new();
    }
    format!("<li class=\"quiet\">and {more} more; <code>-f json</code> has them all</li>\n")
}

/// What nobody may overlook.
fn warnings(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.accounts.is_empty() {
        writeln!(
            out,
            "<p class=\"alarm\"><b>Nothing was scanned.</b> There is no account in this report.</p>"
        )?;
    }
    let hiding = with_effect(report, GapEffect::MayHide);
    if hiding > 0 {
        writeln!(
            out,
            "<p class=\"alarm\"><b>Incomplete.</b> {} failed, so findings may be missing: what is not listed here is not \
             proved to be fine. <a href=\"#gaps\">What could not be read</a></p>",
            many(hiding, "read")
        )?;
    }
    let alarms = report.waiver_notes.iter().flatten();
    let alarms = alarms.filter(|note| note.is_alarm).count();
    if alarms > 0 {
        writeln!(
            out,
            "<p class=\"alarm\"><b>{}</b> no longer what was meant. <a href=\"#known\">Which, and why</a></p>",
            if alarms == 1 {
                "One waiver does".to_owned()
            } else {
                format!("{alarms} waivers do")
            }
        )?;
    }
    Ok(())
}

fn with_effect(report: &Report, effect: GapEffect) -> usize {
    let gaps = report.coverage.gaps.iter();
    gaps.filter(|missing| missing.gap.effect == effect).count()
}

fn severities(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut numbers = [0_usize; Severity::ALL.len()];
    for finding in report.open() {
        for (severity, number) in Severity::ALL.iter().zip(&mut numbers) {
            *number += usize::from(*severity == finding.severity);
        }
    }
    writeln!(
        out,
        "<div class=\"tiles\" role=\"group\" aria-label=\"Open findings by severity\">"
    )?;
    for (place, (severity, number)) in Severity::ALL.iter().zip(numbers).enumerate() {
        writeln!(
            out,
            "<button type=\"button\" class=\"tile {severity}\" data-severity=\"{place}\" aria-pressed=\"false\"><b>{number}</b> {severity}</button>"
        )?;
    }
    writeln!(out, "</div>")
}

fn known(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut facts = Vec::new();
    let least = if report.complete() { "" } else { "at least " };
    facts.push(format!(
        "{least}{} open",
        many(report.open().count(), "finding")
    ));
    let ours = report.findings.iter();
    let waived = ours.filter(|one| one.status == Status::Waived && one.audience <= report.persona);
    match waived.count() {
        0 => {}
        number => facts.push(format!("{number} accepted by waivers")),
    }
    let of_aws = report.findings.iter();
    match of_aws.filter(|one| one.audience > report.persona).count() {
        0 => {}
        number => facts.push(format!("{number} that only AWS can act on")),
    }
    if let Some(since) = &report.since {
        let changed = |change| report.open().filter(|one| one.change == change).count();
        facts.push(format!(
            "since {}: {} new, {} changed, {} gone",
            text(&since.made_at),
            changed(Change::New),
            changed(Change::Changed),
            since.gone.len()
        ));
    }
    if !report.rules_off.is_empty() {
        facts.push(format!(
            "switched off and not checked: {}",
            report.rules_off.join(", ")
        ));
    }
    if with_effect(report, GapEffect::MayOverstate) > 0 {
        facts.push("access can only be smaller than shown, see <a href=\"#gaps\">what could not be read</a>".to_owned());
    }
    writeln!(out, "<p class=\"facts\">{}</p>", facts.join(" · "))
}

/// The parts of the page, and the way to each.
pub(super) fn sections(report: &Report, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    let coverage = &report.coverage;
    let unread = coverage.gaps.len() + coverage.notes.len() + coverage.skipped.len();
    let notes = report.waiver_notes.as_deref().unwrap_or_default();
    let earlier = report.since.as_ref();
    let earlier = earlier.map_or(0, |since| since.gone.len() + since.not_covered.len());
    writeln!(out, "<nav aria-label=\"Parts of the report\">")?;
    let mut link = |id: &str, name: &str, number: Option<usize>| {
        let number = number.map_or_else(String::new, |number| format!(" <span>{number}</span>"));
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
        "{}</ol>\n</section>",
        and_more(report.causes.len(), MOST_CAUSES)
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
    let mut cell: String = both
        .into_iter()
        .chain(others)
        .take(MOST_ENDS)
        .map(|end| {
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
            format!(
                "<div class=\"{class}\">{mark}{}{condition}</div>",
                text(&names.full(&end.entity))
            )
        })
        .collect();
    let more = ends.len().saturating_sub(MOST_ENDS);
    if more > 0 {
        cell.push_str(&format!("<div class=\"quiet\">and {more} more</div>"));
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
