//! One message a run for a Slack channel, through an incoming webhook: how much is new, and the gravest of it.
//!
//! Follows "Sending messages using incoming webhooks" and "Formatting text for app surfaces": in `mrkdwn` the characters `&`, `<`
//! and `>` are control characters and are escaped. Everything from the account besides goes into `plain_text`, where nothing is a
//! link, a mention or markup, so no name can call a channel.

use serde_json::{Value, json};

use super::batch::Broken;
use super::destination::Address;
use super::http::Poster;
use super::notice::{Notice, text};
use super::{Outcome, count};
use crate::finding::Severity;
use crate::report::{Report, sanitise};

/// Findings that are named; Slack takes 50 blocks a message.
const MOST: usize = 20;
/// Characters of a line about one finding; Slack takes 3,000 in a text.
const LONGEST: usize = 300;

/// Sends the message, if there is anything to tell; gives back what was told of.
pub(super) async fn send<'n>(
    poster: &Poster,
    address: &Address,
    report: &Report,
    tell: &'n [Notice<'n>],
    outcome: &mut Outcome,
) -> Vec<&'n Notice<'n>> {
    if tell.is_empty() {
        outcome.done.push("nothing new to tell".to_owned());
        return Vec::new();
    }
    let body = text(&message(report, tell));
    match poster.post(address, body.as_bytes(), Vec::new).await {
        Ok(()) => {
            outcome
                .done
                .push(format!("told of {}", count(tell.len(), "finding")));
            tell.iter().collect()
        }
        Err(Broken { why, .. }) => {
            outcome.fail(format!("the message did not arrive: {why}"));
            Vec::new()
        }
    }
}

fn message(report: &Report, tell: &[Notice<'_>]) -> Value {
    let accounts = report.accounts.iter().map(|account| match &account.alias {
        Some(alias) => format!("{} ({})", account.id, shown(alias, 64)),
        None => account.id.to_string(),
    });
    let accounts: Vec<String> = accounts.take(5).collect();
    let mut more_accounts = String::new();
    if report.accounts.len() > accounts.len() {
        more_accounts = format!(" and {} more", report.accounts.len() - accounts.len());
    }
    let mut counts = Vec::new();
    for change in ["new", "changed", "gone"] {
        let number = tell.iter().filter(|notice| notice.change == change).count();
        if number > 0 {
            counts.push(format!("{number} {change}"));
        }
    }
    let summary = format!(
        "patscan: {} of {}{more_accounts}",
        counts.join(", "),
        accounts.join(", ")
    );
    let plain = |text: &str| json!({"type": "section", "text": {"type": "plain_text", "text": text, "emoji": false}});
    let mut blocks = vec![plain(&summary)];
    if !report.complete() {
        let scan =
            "The scan is incomplete: something could not be read, and findings may be missing.";
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": format!(":warning: *{scan}*")}}));
    }
    let mut gravest: Vec<&Notice<'_>> = tell.iter().collect();
    // A stable sort: within one severity the order of the report stays. What is gone comes last.
    gravest.sort_by_key(|notice| {
        let severity = notice.severity().parse().unwrap_or(Severity::Critical);
        (notice.change == "gone", std::cmp::Reverse(severity))
    });
    blocks.extend(gravest.iter().take(MOST).map(|notice| {
        let severity = shown(&notice.severity().to_uppercase(), 16);
        let title = shown(notice.title(), LONGEST);
        let place = format!("{} {}", notice.region(), notice.account());
        let id = shown(notice.finding(), 128);
        plain(&format!(
            "{severity} · {} · {title}\n{} · {id}",
            notice.change,
            shown(&place, 64)
        ))
    }));
    if let Some(more) = gravest.len().checked_sub(MOST).filter(|more| *more > 0) {
        blocks.push(plain(&format!("and {}", count(more, "more finding"))));
    }
    // The notification on a phone is made of this one, which is `mrkdwn`.
    json!({"text": escaped(&summary), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// What Slack takes for control characters, as it wants them written.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A text from the account on one line, no longer than this.
fn shown(text: &str, most: usize) -> String {
    let text = sanitise(text);
    let mut short: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}
