//! One finding for somebody who never saw the tool: what it is, how it works, where it stands, what to change.

use std::io::{self, Write};
use std::sync::Arc;

use super::super::name::Names;
use super::page::{Page, Tone};
use super::{coverage, known, minute};
use crate::arn::Arn;
use crate::entity::{Certainty, Entity, Kind};
use crate::explain::{Age, Explanation, Gives, Quote};
use crate::finding::Finding;
use crate::remedy::{Change, Plan, Proof};
use crate::report::Style;
use crate::triage::Standing;

const MOST_NAMES: usize = 5;
const MOST_WORKLOADS: usize = 10;

/// Writes the explanation.
pub(in crate::report) fn write(
    explanation: &Explanation,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::within(&explanation.finding.account);
    let mut page = Page::new(out, style);
    story(explanation, &names, &mut page)?;
    let meaning = "The finding holds; more than it says may be there, and not all of it was read.";
    coverage::what_may_be_missing(&explanation.coverage, meaning, &names, &mut page)?;
    path(explanation, &mut page)?;
    statements(explanation, &names, &mut page)?;
    checked(explanation, &mut page)?;
    remedy(explanation, &names, &mut page)?;
    waiver(explanation, &mut page)
}

fn story(explanation: &Explanation, names: &Names, page: &mut Page) -> io::Result<()> {
    let finding: &Finding = &explanation.finding;
    page.title(&names.full(&finding.subject), finding.rule)?;
    page.prose(2, &sentence(&finding.title))?;
    if !finding.detail.is_empty() && finding.detail != finding.title {
        page.prose(2, &finding.detail)?;
    }
    if !explanation.why.is_empty() {
        page.blank()?;
        page.row("why", &explanation.why)?;
    }
    page.row("severity", finding.severity.as_str())?;
    page.row("account", finding.account.as_str())?;
    match explanation.age {
        Some(Age::New) => page.row("age", "new since the baseline")?,
        Some(Age::Since(time)) => page.row("age", &format!("first seen {}", minute(time)))?,
        None => {}
    }
    known::waiver(&explanation.finding, page)?;
    let subject = &finding.subject;
    let mut holders = finding.principals.iter().map(|one| &one.entity);
    if holders.any(|holder| holder != subject) {
        let holders: Vec<&Entity> = finding
            .principals
            .iter()
            .map(|one| &one.entity)
            .filter(|holder| *holder != subject)
            .collect();
        page.list("held by", &holders, MOST_NAMES, |one| names.full(one))?;
    }
    let resources: Vec<&Entity> = finding.resources.iter().map(|one| &one.entity).collect();
    let besides = finding.more_resources;
    page.list_of("on", &resources, besides, MOST_NAMES, |one| names.full(one))?;
    let workloads = &explanation.workloads;
    page.list(
        "used by",
        workloads,
        MOST_WORKLOADS,
        |(workload, holder)| {
            if holder == subject {
                names.full(workload)
            } else {
                format!("{} (as {})", names.full(workload), names.full(holder))
            }
        },
    )?;
    conditions(finding, page)?;
    page.row("id", &finding.id)?;
    let fingerprint = explanation.finding.fingerprint.to_string();
    page.row(
        "evidence",
        &format!("{fingerprint} (what a waiver is bound to)"),
    )?;
    page.blank()
}

fn conditions(finding: &Finding, page: &mut Page) -> io::Result<()> {
    if finding.certainty == Certainty::Conditional && finding.conditions.is_empty() {
        return page.row("only if", "conditions hold that are not known at scan time");
    }
    for (number, condition) in finding.conditions.iter().enumerate() {
        page.row(if number == 0 { "only if" } else { "and" }, condition)?;
    }
    Ok(())
}

fn path(explanation: &Explanation, page: &mut Page) -> io::Result<()> {
    if explanation.path.is_empty() {
        return Ok(());
    }
    page.heading(Tone::Plain, "How it works", "")?;
    for (step, number) in explanation.path.iter().zip(1..) {
        page.item(0, &format!("{number}. "), &capital(step))?;
    }
    page.blank()
}

fn statements(explanation: &Explanation, names: &Names, page: &mut Page) -> io::Result<()> {
    if explanation.statements.is_empty() {
        return Ok(());
    }
    page.heading(Tone::Plain, "Where it stands", " · ▶ marks what matters")?;
    for quote in &explanation.statements {
        page.prose(0, &capital(&where_it_stands(quote, names)))?;
        let alike = quote
            .gives
            .chunk_by(|one, next| one.resources == next.resources);
        for gives in alike {
            page.prose(2, &what_it_gives(quote, gives, names))?;
        }
        for line in &quote.lines {
            page.quoted(line.marked, &line.text)?;
        }
        page.blank()?;
    }
    let more = explanation.finding.more_evidence;
    if more > 0 {
        page.prose(0, &format!("{more} more statements give the same."))?;
        page.blank()?;
    }
    Ok(())
}

/// `statement ReadOrders of inline policy Orders of role orders-processor`.
fn where_it_stands(quote: &Quote, names: &Names) -> String {
    if quote.layer == "delivery" {
        return format!("{} {}", quote.statement, quote.policy);
    }
    let policy = match Arn::parse(&quote.policy) {
        Ok(arn) if arn.service() == "iam" && arn.resource().starts_with("policy/") => {
            names.full(&Entity::new(Kind::Policy, arn.shared()))
        }
        Ok(arn) => format!("the policy of {}", names.resource(arn.as_str())),
        Err(_) => quote.policy.to_string(),
    };
    format!("statement {} of {policy}", quote.statement)
}

/// `gives delete, receive on eu-west-1/orders`: capabilities that are given on the same resources.
fn what_it_gives(quote: &Quote, gives: &[Gives], names: &Names) -> String {
    let verb = match quote.effect {
        "Deny" => "denies",
        _ => "gives",
    };
    let capabilities: Vec<&str> = gives.iter().map(|one| one.capability.as_str()).collect();
    let on: &[Arc<str>] = gives.first().map_or(&[], |first| &first.resources);
    let mut resources: Vec<String> = on
        .iter()
        .take(MOST_NAMES)
        .map(|arn| match Arn::parse(arn) {
            Ok(arn) if !arn.resource().contains(['*', '?', '$']) => names.resource(arn.as_str()),
            _ => arn.to_string(),
        })
        .collect();
    let more = on.len().saturating_sub(MOST_NAMES);
    if more > 0 {
        resources.push(format!("{more} more"));
    }
    format!(
        "{verb} {} on {}",
        capabilities.join(" and "),
        resources.join(", ")
    )
}

fn checked(explanation: &Explanation, page: &mut Page) -> io::Result<()> {
    if explanation.checked.is_empty() {
        return Ok(());
    }
    page.heading(Tone::Plain, "Checked as well", "")?;
    for sentence in &explanation.checked {
        page.item(0, "· ", &capital(sentence))?;
    }
    page.blank()
}

fn remedy(explanation: &Explanation, names: &Names, page: &mut Page) -> io::Result<()> {
    page.heading(Tone::Plain, "What to change", "")?;
    page.prose(0, &explanation.remedy.summary)?;
    page.blank()?;
    let proof = &explanation.remedy.proof;
    let Some(plan) = &explanation.remedy.plan else {
        let reasons = match proof {
            Proof::Proved(sentences) | Proof::Unproved(sentences) => sentences.join("; "),
        };
        page.prose(
            0,
            &format!("There is no remedy ready that is proved: {reasons}."),
        )?;
        let rule = explanation.finding.rule;
        page.prose(0, &format!("All ways to mend it: patscan rules {rule}"))?;
        return page.blank();
    };
    if !plan.gist.is_empty() {
        page.item(0, "In short: ", &plan.gist)?;
        page.blank()?;
    }
    match proof {
        Proof::Proved(shown) => {
            page.announce(
                Tone::Plain,
                "PROVED",
                "The changes were made to a copy of the account in memory, and everything was decided again: the finding is gone, and no other comes in its place.",
            )?;
            for sentence in shown {
                page.item(8, "· ", sentence)?;
            }
        }
        Proof::Unproved(reasons) => {
            page.announce(
                Tone::Alarm,
                "NOT PROVED",
                "The changes were made to a copy of the account in memory, and everything was decided again. Read this before using them:",
            )?;
            for reason in reasons {
                page.item(12, "· ", reason)?;
            }
        }
    }
    page.blank()?;
    steps(plan, page)?;
    placements(plan, names, page)?;
    for note in &plan.notes {
        page.item(0, "· ", note)?;
    }
    page.blank()?;
    documents(plan, page)?;
    page.heading(Tone::Plain, "The same as Terraform", "")?;
    for line in plan.terraform().lines() {
        page.verbatim(0, line)?;
    }
    page.blank()
}

fn steps(plan: &Plan, page: &mut Page) -> io::Result<()> {
    page.prose(
        0,
        "patscan changes nothing in AWS. To be done in this order, the files are below:",
    )?;
    let commands = plan.commands();
    for ((change, command), number) in plan.changes.iter().zip(&commands).zip(1..) {
        page.item(0, &format!("{number}. "), &capital(&Change::words(change)))?;
        page.verbatim(3, command)?;
    }
    page.blank()
}

fn placements(plan: &Plan, names: &Names, page: &mut Page) -> io::Result<()> {
    if plan.placements.is_empty() {
        return Ok(());
    }
    page.prose(0, "What runs as which role then:")?;
    for placement in plan.placements.iter().take(MOST_WORKLOADS) {
        let workload = names.full(&placement.workload);
        let role = match &placement.role {
            Some(role) => format!("{workload}: role {role}, because {}", placement.why),
            None => format!("{workload}: {}", placement.why),
        };
        page.item(0, "· ", &role)?;
    }
    let more = plan.placements.len().saturating_sub(MOST_WORKLOADS);
    if more > 0 {
        page.item(0, "· ", &format!("{more} more; `-f json` has them all"))?;
    }
    page.blank()
}

fn documents(plan: &Plan, page: &mut Page) -> io::Result<()> {
    for written in plan.documents() {
        page.heading(Tone::Plain, &written.file, "")?;
        page.prose(0, &format!("The {}:", written.title))?;
        for line in written.text.lines() {
            page.verbatim(0, line)?;
        }
        page.blank()?;
    }
    Ok(())
}

fn waiver(explanation: &Explanation, page: &mut Page) -> io::Result<()> {
    let waiver = &explanation.finding.waiver;
    if waiver
        .as_ref()
        .is_some_and(|one| one.standing == Standing::Holds)
    {
        // It is accepted already: the lines would be there twice.
        return Ok(());
    }
    page.heading(Tone::Plain, "If it is intended", "")?;
    let what = if waiver.is_some() {
        "The waiver that is meant for it does not hold. These lines in its place accept it for a time, and only as long as its evidence \
         stays what it is:"
    } else {
        "A waiver that accepts it for a time, and only as long as its evidence stays what it is:"
    };
    page.prose(0, what)?;
    for line in explanation.waiver() {
        page.verbatim(0, &line)?;
    }
    Ok(())
}

/// A title as a sentence.
fn sentence(title: &str) -> String {
    format!("{}.", capital(title).trim_end_matches('.'))
}

/// The same with a capital letter, where it begins with a word and not with a name.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
