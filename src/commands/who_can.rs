//! `patscan who-can`: everyone who can do one thing with one queue, each with its proof.

use std::io;

use anyhow::{Context as _, Result, bail};

use super::reporting::terminal_style;
use super::{Outcome, accounts};
use crate::access::{Access, Capability};
use crate::account::Queue;
use crate::arn::Arn;
use crate::audit::coverage;
use crate::cli::WhoCanArgs;
use crate::config::{Output, Source, Verbosity};
use crate::entity::{Entity, Kind};
use crate::nearest::nearest_first;
use crate::report::{Style, WhoCan};

/// Candidates that are named when a queue is not found, or not only one.
const MOST_CANDIDATES: usize = 10;
/// Names that are suggested for one that does not exist.
const MOST_SUGGESTIONS: usize = 5;

pub(super) fn run(args: WhoCanArgs) -> Result<Outcome> {
    let capability = capability(&args.capability, &args.queue)?;
    let output = Output::parse(&args.format)?;
    let verbosity: Verbosity = args.verbosity.into();
    let source = Source::resolve(args.source)?;
    source.keeps_apart_from(output.path.as_deref())?;
    let file = output.path.as_deref().map(super::open_file).transpose()?;

    let accounts = accounts::load(source, verbosity)?;
    let (access, queue) = Access::of_one_queue(&accounts, |access| find(access, &args.queue))?;
    let who_can = WhoCan {
        queue: access
            .queues
            .get(queue)
            .map(|audited| Entity::new(Kind::Queue, audited.queue.arn.shared()))
            .context("the queue is gone")?,
        capability,
        holders: access.holders(queue, capability),
        coverage: coverage(&access),
    };

    match file {
        None => {
            let mut stdout = io::stdout().lock();
            let written = who_can.write(output.format, terminal_style(), &mut stdout);
            super::written_to_stdout(written)?;
        }
        Some(mut file) => who_can
            .write(output.format, Style::default(), file.file())
            .and_then(|()| file.commit())
            .map_err(|error| super::cannot_write(&output.path.unwrap_or_default(), &error))?,
    }
    if who_can.coverage.complete() || args.allow_incomplete {
        return Ok(Outcome::Clean);
    }
    if verbosity >= Verbosity::Normal {
        super::explain("exit 3: the answer is incomplete (--allow-incomplete lifts this)");
    }
    Ok(Outcome::Incomplete)
}

fn named(text: &str) -> Option<Capability> {
    Capability::ALL
        .into_iter()
        .find(|capability| capability.as_str().eq_ignore_ascii_case(text))
}

fn capability(text: &str, queue: &str) -> Result<Capability> {
    if let Some(capability) = named(text) {
        return Ok(capability);
    }
    if named(queue).is_some() {
        bail!("the capability comes first; write `patscan who-can {queue} {text}`");
    }
    let words = Capability::ALL.map(Capability::as_str);
    let nearest = nearest_first(text, words);
    bail!(
        "there is no capability `{text}`; use {}",
        nearest.join(", ")
    )
}

/// The one queue that is meant by an ARN, a URL, a name, or `region/name` as reports write it.
fn find(access: &Access<'_>, wanted: &str) -> Result<usize> {
    let all = || {
        access
            .queues
            .iter()
            .enumerate()
            .map(|(index, audited)| (index, audited.queue))
    };
    let meant: Vec<(usize, &Queue)> = all()
        .filter(|(_, queue)| is_meant(wanted, &queue.arn, &queue.url))
        .collect();
    if let [(only, _)] = meant.as_slice() {
        return Ok(*only);
    }
    if !meant.is_empty() {
        let arns: Vec<String> = meant
            .iter()
            .map(|(_, queue)| queue.arn.to_string())
            .collect();
        bail!(
            "`{wanted}` is the name of {} queues; name one by its ARN: {}",
            meant.len(),
            listed(&arns)
        );
    }
    if access.queues.is_empty() {
        bail!(
            "there is no queue at all in what was read; name the right regions with --region, or audit the account to see \
             what it holds"
        );
    }
    let name = wanted.rsplit(['/', ':']).next().unwrap_or(wanted);
    let names: Vec<&str> = all().map(|(_, queue)| queue.arn.name()).collect();
    let mut nearest = nearest_first(name, names);
    nearest.dedup();
    nearest.truncate(MOST_SUGGESTIONS);
    let unread = if coverage(access).complete() {
        ""
    } else {
        " (not everything could be read)"
    };
    bail!(
        "there is no queue `{wanted}`{unread}; the nearest names are {}",
        listed(&nearest)
    )
}

fn listed(items: &[String]) -> String {
    let shown: Vec<String> = items
        .iter()
        .take(MOST_CANDIDATES)
        .map(|item| format!("`{item}`"))
        .collect();
    let more = items.len().saturating_sub(MOST_CANDIDATES);
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

/// Whether the text means the queue. Hosts of URLs differ between endpoints; the last two segments of the path are account
/// and name, and a host that names a region means that one.
fn is_meant(wanted: &str, arn: &Arn, url: &str) -> bool {
    if wanted.starts_with("arn:") {
        return wanted == arn.as_str();
    }
    if let Some((_, address)) = wanted.split_once("://") {
        let address = address.trim_end_matches('/');
        if url
            .split_once("://")
            .is_some_and(|(_, own)| own.trim_end_matches('/') == address)
        {
            return true;
        }
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let mut segments = path.rsplit('/');
        let region = host.split('.').find(|part| part.matches('-').count() >= 2);
        return segments.next() == Some(arn.resource())
            && segments.next() == Some(arn.account())
            && region.is_none_or(|region| region == arn.region());
    }
    match wanted.split_once('/') {
        Some((region, name)) => region == arn.region() && name == arn.resource(),
        None => wanted == arn.resource(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_meant_by_every_name_that_people_have_for_it() {
        let arn = Arn::parse("arn:aws:sqs:eu-west-1:111122223333:orders").unwrap();
        let url = "http://127.0.0.1:4566/111122223333/orders";
        for wanted in [
            "orders",
            "eu-west-1/orders",
            arn.as_str(),
            url,
            "https://127.0.0.1:4566/111122223333/orders/",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/orders",
            "https://queue.amazonaws.com/111122223333/orders",
            "https://eu-west-1.queue.amazonaws.com/111122223333/orders",
        ] {
            assert!(is_meant(wanted, &arn, url), "{wanted}");
        }
        for wanted in [
            "Orders",
            "order",
            "us-east-1/orders",
            "arn:aws:sqs:eu-west-2:111122223333:orders",
            "https://sqs.eu-west-2.amazonaws.com/111122223333/orders",
            "https://sqs.eu-west-1.amazonaws.com/444455556666/orders",
        ] {
            assert!(!is_meant(wanted, &arn, url), "{wanted}");
        }
    }

    #[test]
    fn words_in_the_wrong_order_are_put_right() {
        let error = capability("orders", "send").unwrap_err().to_string();
        assert_eq!(
            error,
            "the capability comes first; write `patscan who-can send orders`"
        );
        let error = capability("recieve", "orders").unwrap_err().to_string();
        assert!(error.contains("use receive, "), "{error}");
    }
}
