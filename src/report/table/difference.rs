//! What changed between two readings: what was done, what that made of access, and what became of findings.

use std::io::{self, Write};

use super::super::name::Names;
use super::many;
use super::page::{Page, Tone};
use crate::access::Capability;
use crate::finding::{Entity, Kind, Severity};
use crate::report::Style;
use crate::report::diff::Difference;
use crate::triage::{AccessChange, OldFinding, Turn};

/// Entries of one list that are shown; the rest is counted.
const MOST_ENTRIES: usize = 40;
const MOST_QUEUES: usize = 5;
const MOST_CAUSES: usize = 4;

/// Writes the difference.
pub(in crate::report) fn write(
    difference: &Difference,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, style);
    for (account, now) in &difference.new.accounts {
        page.title(&format!("Account {account}"), "")?;
        let then = difference.old.accounts.get(account);
        let then = then.map_or("not scanned", |then| &then.at);
        page.row("from", then)?;
        page.row("to", &now.at)?;
    }
    page.blank()?;
    if !difference.complete {
        page.announce(
            Tone::Alarm,
            "INCOMPLETE",
            "One of the two did not read everything: there may be differences that are not listed.",
        )?;
        page.blank()?;
    }
    if difference.is_empty() {
        return page.prose(0, "No difference.");
    }
    let names = Names::around(None);
    if let Some(accounts) = &difference.accounts {
        let rest = format!(" · {}", many(accounts.changes.len(), "change"));
        page.heading(Tone::Plain, "What was changed", &rest)?;
        page.listed(&accounts.changes, MOST_ENTRIES, |change, page| {
            page.prose(0, &format!("{change}"))
        })?;
        page.blank()?;
        let rest = format!(" · {}", many(accounts.access.len(), "difference"));
        page.heading(Tone::Plain, "Who can do what", &rest)?;
        page.listed(&accounts.access, MOST_ENTRIES, |change, page| {
            access(change, &names, page)
        })?;
        page.blank()?;
    }
    let lists = [
        (&difference.findings.appeared, "NEW FINDINGS"),
        (&difference.findings.changed, "CHANGED FINDINGS"),
        (&difference.findings.gone, "FINDINGS THAT ARE GONE"),
        (
            &difference.findings.not_covered,
            "FINDINGS THAT WERE NOT LOOKED FOR",
        ),
    ];
    for (findings, title) in lists {
        if !findings.is_empty() {
            page.heading(Tone::Plain, title, &format!(" · {}", findings.len()))?;
            page.listed(findings, MOST_ENTRIES, finding)?;
            page.blank()?;
        }
    }
    page.prose(
        0,
        "Everything in full, for programs: the same with -f json=diff.json",
    )
}

fn finding(finding: &OldFinding, page: &mut Page) -> io::Result<()> {
    let known = finding.severity.parse::<Severity>();
    page.title(&finding.id, known.map_or("", Severity::as_str))?;
    page.prose(2, &finding.title)
}

fn access(change: &AccessChange, names: &Names, page: &mut Page) -> io::Result<()> {
    let who = bare(&change.principal, names);
    let deed = deed(change.capability);
    let sentence = match change.turn {
        Turn::Gained => format!("+ {who} can now {deed}"),
        Turn::Firmer => format!("+ {who} no longer needs conditions to {deed}"),
        Turn::OtherConditions => format!("~ {who} needs other conditions to {deed}"),
        Turn::Weaker => format!("- {who} now needs conditions to {deed}"),
        Turn::Lost => format!("- {who} can no longer {deed}"),
    };
    page.prose(0, &sentence)?;
    let queues = change.queues.iter();
    let queues: Vec<Entity> = queues
        .map(|arn| Entity::new(Kind::Queue, arn.clone()))
        .collect();
    let label = if queues.len() == 1 && change.more_queues == 0 {
        "queue"
    } else {
        "queues"
    };
    page.list_of(label, &queues, change.more_queues, MOST_QUEUES, |queue| {
        names.resource(&queue.arn)
    })?;
    for (number, cause) in change.causes.iter().take(MOST_CAUSES).enumerate() {
        let label = match (number, change.certain) {
            (0, true) => "because",
            (0, false) => "perhaps",
            (_, true) => "and",
            (_, false) => "or",
        };
        page.row(label, &cause.to_string())?;
    }
    let more = change.causes.len().saturating_sub(MOST_CAUSES);
    if more > 0 {
        page.row("", &format!("{} more", many(more, "change")))?;
    }
    if change.causes.is_empty() {
        page.row("because", "of nothing that was compared")?;
    }
    Ok(())
}

fn deed(capability: Capability) -> &'static str {
    match capability {
        Capability::Send => "send",
        Capability::Receive => "receive",
        Capability::Delete => "delete messages",
        Capability::Purge => "purge",
        Capability::Administer => "administer",
    }
}

fn bare(entity: &Entity, names: &Names) -> String {
    match entity.kind {
        Kind::Role | Kind::User => {
            let name = entity.arn.rsplit('/').next().unwrap_or(&entity.arn);
            format!("{} {name}", entity.kind.words())
        }
        _ => names.full(entity),
    }
}
