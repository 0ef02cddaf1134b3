//! `patscan who-can`: everyone who can do one thing with one queue, each with its proof.

use std::io;

use anyhow::{Context as _, Result, bail};

use super::reporting::terminal_style;
use super::{Outcome, accounts, meant};
use crate::access::Access;
use crate::audit::coverage;
use crate::cli::WhoCanArgs;
use crate::config::{Output, Settings, Source, Verbosity};
use crate::entity::{Entity, Kind};
use crate::nearest::nearest_first;
use crate::report::{AnswerFormat, Deed, Style, WhoCan};

pub(super) fn run(args: WhoCanArgs, settings: &Settings) -> Result<Outcome> {
    let deed = deed(&args.capability, &args.queue)?;
    let output = args.format.parse::<Output<AnswerFormat>>()?;
    let verbosity: Verbosity = args.verbosity.into();
    let source = Source::resolve(args.source, settings)?;
    source.keeps_apart_from(output.path.as_deref())?;
    let file = output.path.as_deref().map(super::open_file).transpose()?;

    let accounts = accounts::load(source, verbosity)?;
    let (access, queue) =
        Access::of_one_queue(&accounts, |access| meant::queue(access, &args.queue))?;
    if deed == Deed::Redrive && access.moved_from(queue).is_empty() {
        bail!(
            "no queue of what was read moves its messages to `{}`, so that there is nothing to redrive; name a dead-letter queue",
            args.queue
        );
    }
    let who_can = WhoCan {
        queue: access
            .queues
            .get(queue)
            .map(|audited| Entity::new(Kind::Queue, audited.queue.arn.shared()))
            .context("the queue is gone")?,
        deed,
        holders: match deed {
            Deed::Capability(capability) => access.holders(queue, capability),
            Deed::Redrive => access.redrivers(queue),
        },
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

fn named(text: &str) -> Option<Deed> {
    Deed::ALL
        .into_iter()
        .find(|deed| deed.as_str().eq_ignore_ascii_case(text))
}

fn deed(text: &str, queue: &str) -> Result<Deed> {
    if let Some(deed) = named(text) {
        return Ok(deed);
    }
    if named(queue).is_some() {
        bail!("the capability comes first; write `patscan who-can {queue} {text}`");
    }
    let words = Deed::ALL.map(Deed::as_str);
    let nearest = nearest_first(text, words);
    bail!(
        "there is no capability `{text}`; use {}",
        nearest.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_the_wrong_order_are_put_right() {
        let error = deed("orders", "send").unwrap_err().to_string();
        assert_eq!(
            error,
            "the capability comes first; write `patscan who-can send orders`"
        );
        let error = deed("recieve", "orders").unwrap_err().to_string();
        assert!(error.contains("use receive, "), "{error}");
    }
}
