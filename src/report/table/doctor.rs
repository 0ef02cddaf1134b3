//! What a scan would be able to read: first the way to AWS, then what is missing and what that would hide, then what is not known.

use std::io::{self, Write};

use super::page::{Page, Tone};
use super::{Style, many};
use crate::account::GapEffect;
use crate::collect::doctor::{
    Answering, AskedRegion, Clock, Examination, Network, Permission, Standing,
};
use crate::collect::{Call, IfDenied};

/// Permissions that are told one by one; the rest is counted.
const MOST: usize = 30;
const MOST_REGIONS: usize = 40;
const MOST_LEFT_OUT: usize = 6;

pub(in crate::report) fn write(
    found: &Examination,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, style);
    let page = &mut page;
    head(found, page)?;
    if found.stopped.is_some() {
        return page.prose(0, "Nothing else could be found out.");
    }
    let with = |is: fn(&Standing) -> bool| -> Vec<&Permission> {
        let mut chosen: Vec<&Permission> = found
            .permissions
            .iter()
            .filter(|permission| is(&permission.standing))
            .collect();
        // What may hide findings first; the order of the table else.
        chosen.sort_by_key(|permission| gravity(permission.effect));
        chosen
    };
    let denied = with(|standing| matches!(standing, Standing::Denied { .. }));
    let unknown = with(|standing| matches!(standing, Standing::Unknown { .. }));
    let untried = with(|standing| matches!(standing, Standing::Untried { .. }));
    one_by_one("MISSING", &denied, page)?;
    one_by_one("NOT KNOWN", &unknown, page)?;
    not_tried(&untried, page)?;
    foot(found, &denied, &unknown, &untried, page)
}

fn head(found: &Examination, page: &mut Page) -> io::Result<()> {
    let time = found.examined_at.format("examined %Y-%m-%d %H:%M UTC");
    let account = match &found.caller {
        Some(caller) => format!("Account {}", caller.account.as_str()),
        None => "Account unknown".to_owned(),
    };
    page.title(&account, &time.to_string())?;
    if let Some(caller) = &found.caller {
        page.row("caller", caller.arn.as_str())?;
    }
    page.row("key", &credentials(found))?;
    page.row("clock", &clock(found.clock))?;
    network(&found.network, page)?;
    regions(&found.regions, page)?;
    if let Some(region) = &found.asked_in {
        page.row("asked in", region)?;
    }
    page.blank()
}

fn credentials(found: &Examination) -> String {
    let held = &found.credentials;
    let origin = if held.origin.is_empty() {
        "from a source that is not told".to_owned()
    } else {
        held.origin.join(", ")
    };
    let end = match held.expires_at {
        None => "no end is told".to_owned(),
        Some(end) if end <= found.examined_at => {
            format!("expired {}: log in again", end.format("%Y-%m-%d %H:%M UTC"))
        }
        Some(end) => {
            let left = (end - found.examined_at).num_minutes();
            format!(
                "expires {}, in {}",
                end.format("%Y-%m-%d %H:%M UTC"),
                duration(left)
            )
        }
    };
    format!("{}, {origin}; {end}", held.access_key)
}

/// Minutes in words, in the largest unit that says enough.
fn duration(minutes: i64) -> String {
    let in_words = |number: i64, noun| many(usize::try_from(number).unwrap_or_default(), noun);
    match minutes {
        ..120 => in_words(minutes, "minute"),
        120..2880 => in_words(minutes / 60, "hour"),
        _ => in_words(minutes / 1440, "day"),
    }
}

fn clock(clock: Option<Clock>) -> String {
    let Some(clock) = clock else {
        return "unknown: the answer of AWS had no date".to_owned();
    };
    let seconds = many(
        usize::try_from(clock.ahead.unsigned_abs()).unwrap_or(usize::MAX),
        "second",
    );
    let off = match clock.ahead {
        0 => return "right".to_owned(),
        1.. => format!("{seconds} ahead of AWS"),
        _ => format!("{seconds} behind AWS"),
    };
    if clock.breaks_signatures() {
        format!("WRONG: {off}. AWS refuses signatures that are five minutes off: set the clock")
    } else if clock.is_off() {
        format!("OFF: {off}. From five minutes on AWS refuses signatures: set the clock")
    } else {
        format!("{off}, which does no harm")
    }
}

fn network(network: &Network, page: &mut Page) -> io::Result<()> {
    let mut way = match &network.endpoint {
        Some(url) => format!("{url} in place of AWS"),
        None => "the endpoints of AWS".to_owned(),
    };
    if network.fips {
        way.push_str(", those with FIPS");
    }
    if network.dual_stack {
        way.push_str(", those with IPv6 as well");
    }
    page.row("network", &way)?;
    for setting in &network.settings {
        page.row("", &format!("{} = {}", setting.name, setting.value))?;
    }
    Ok(())
}

fn regions(regions: &[AskedRegion], page: &mut Page) -> io::Result<()> {
    let mut answer = Vec::new();
    let mut refuse = Vec::new();
    let mut fail = Vec::new();
    let mut others = Vec::new();
    for region in regions {
        let name = &region.name;
        match &region.answering {
            Some(Answering::Answers { milliseconds }) => {
                answer.push(format!("{name} ({milliseconds} ms)"));
            }
            Some(Answering::Refuses { milliseconds, code }) => {
                refuse.push(format!("{name} ({code}, {milliseconds} ms)"));
            }
            Some(Answering::Fails { code }) => fail.push(format!("{name} ({code})")),
            None => others.push(name.clone()),
        }
    }
    for (label, named, most) in [
        ("regions", answer, MOST_REGIONS),
        ("REFUSED", refuse, MOST_REGIONS),
        ("SILENT", fail, MOST_REGIONS),
        ("left out", others, MOST_LEFT_OUT),
    ] {
        if !named.is_empty() {
            page.list(label, &named, most, String::clone)?;
        }
    }
    Ok(())
}

fn gravity(effect: IfDenied) -> u8 {
    match effect {
        IfDenied::Fatal | IfDenied::Gap(GapEffect::MayHide) => 0,
        IfDenied::Gap(GapEffect::MayOverstate) => 1,
        IfDenied::Note => 2,
    }
}

fn consequence(effect: IfDenied) -> &'static str {
    match effect {
        IfDenied::Fatal => "no scan",
        IfDenied::Gap(GapEffect::MayHide) => "incomplete",
        IfDenied::Gap(GapEffect::MayOverstate) => "may overstate",
        IfDenied::Note => "a detail",
    }
}

fn one_by_one(word: &str, permissions: &[&Permission], page: &mut Page) -> io::Result<()> {
    if permissions.is_empty() {
        return Ok(());
    }
    let hides = permissions.iter().any(|permission| permission.hides());
    let tone = if hides { Tone::Alarm } else { Tone::Plain };
    let count = many(permissions.len(), "permission");
    page.heading(tone, word, &format!(" · {count}"))?;
    page.listed(permissions, MOST, |permission, page| one(permission, page))?;
    page.blank()
}

fn one(permission: &Permission, page: &mut Page) -> io::Result<()> {
    let call = permission.call;
    let (what, on) = match &permission.standing {
        Standing::Denied { code, on } => (code.as_str(), on.as_deref()),
        Standing::Unknown { why } | Standing::Untried { why } => (why.as_str(), None),
        Standing::Allowed => ("", None),
    };
    let left = format!("{}: {what}", name(call));
    page.title(&left, consequence(permission.effect))?;
    if let Some(on) = on {
        page.row("on", on)?;
    }
    page.row(
        "without",
        &format!("{} are unknown: {}", call.tells, call.without),
    )?;
    if matches!(permission.standing, Standing::Denied { .. }) && needs_the_management_account(call)
    {
        page.row(
            "note",
            "AWS answers it only to the management account and to delegated administrators, whatever else is allowed",
        )?;
    }
    Ok(())
}

/// The action that allows a call, which is what one looks for in policies.
fn name(call: &Call) -> String {
    match call.iam_action {
        Some(action) => action.to_owned(),
        None => format!("{}:{}", call.service, call.operation),
    }
}

fn needs_the_management_account(call: &Call) -> bool {
    call.service == "organizations" && call.operation != "DescribeOrganization"
}

fn not_tried(permissions: &[&Permission], page: &mut Page) -> io::Result<()> {
    if permissions.is_empty() {
        return Ok(());
    }
    let count = many(permissions.len(), "permission");
    page.heading(Tone::Plain, "Not tried", &format!(" · {count}"))?;
    let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
    for permission in permissions {
        let Standing::Untried { why } = &permission.standing else {
            continue;
        };
        let action = name(permission.call);
        match by_reason.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, actions)) if actions.contains(&action) => {}
            Some((_, actions)) => actions.push(action),
            None => by_reason.push((why, vec![action])),
        }
    }
    for (why, actions) in by_reason {
        page.prose(0, &format!("{why}: {}", actions.join(", ")))?;
    }
    page.blank()
}

fn foot(
    found: &Examination,
    denied: &[&Permission],
    unknown: &[&Permission],
    untried: &[&Permission],
    page: &mut Page,
) -> io::Result<()> {
    let all = found.permissions.len();
    let allowed = all.saturating_sub(denied.len() + unknown.len() + untried.len());
    page.prose(
        0,
        &format!(
            "{allowed} of {} allowed, {} missing, {} not known, {} not tried",
            many(all, "call"),
            denied.len(),
            unknown.len(),
            untried.len()
        ),
    )?;
    if found.is_complete() {
        let reach = if untried.is_empty() {
            ""
        } else {
            ", as far as can be told"
        };
        page.prose(0, &format!("A scan would be complete{reach}."))?;
    } else {
        let sure = if found.is_surely_incomplete() {
            "would"
        } else {
            "might"
        };
        page.prose(
            0,
            &format!("A scan {sure} be incomplete: findings may be missing."),
        )?;
    }
    if !denied.is_empty() {
        page.prose(0, "The policy for a whole scan: patscan iam-policy")?;
    }
    Ok(())
}
