//! `patscan graph`: who sends to and receives from which queue, as pictures and as `patscan.graph/v1`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::{Outcome, accounts, meant};
use crate::access::Access;
use crate::account::Account;
use crate::audit::coverage;
use crate::cli::{GraphArgs, PartArgs};
use crate::config::{Settings, Source, Verbosity};
use crate::graph::Graph;
use crate::graph::picture::Picture;
use crate::report::{GraphFormat, write_picture};
use crate::rules::{self, Audit};

pub(super) fn run(args: GraphArgs, settings: &Settings) -> Result<Outcome> {
    let (format, path) = output(&args.format)?;
    let verbosity: Verbosity = args.verbosity.into();
    let source = Source::resolve(args.source, settings)?;
    source.keeps_apart_from(path.as_deref())?;
    let file = path.as_deref().map(super::open_file).transpose()?;

    let accounts = accounts::load(source, verbosity)?;
    let access = Access::compute(&accounts);
    let complete = coverage(&access).complete();
    let mut picture = part(&args.part, &settings.rules(), &accounts, &access)?;
    picture.incomplete = !complete;

    match file {
        None => {
            let mut stdout = io::stdout().lock();
            super::written_to_stdout(write_picture(&picture, format, &mut stdout))?;
        }
        Some(mut file) => write_picture(&picture, format, file.file())
            .and_then(|()| file.commit())
            .map_err(|error| super::cannot_write(&path.unwrap_or_default(), &error))?,
    }
    if complete || args.allow_incomplete {
        return Ok(Outcome::Clean);
    }
    if verbosity >= Verbosity::Normal {
        super::explain(
            "exit 3: the graph is incomplete (an audit of the same source says what is missing; --allow-incomplete lifts this)",
        );
    }
    Ok(Outcome::Incomplete)
}

/// Reads `FORMAT` or `FORMAT=PATH`.
fn output(text: &str) -> Result<(GraphFormat, Option<PathBuf>)> {
    match text.split_once('=') {
        Some((format, "")) => bail!("`{text}` names no file; write `-f {format}=PATH`"),
        Some((format, path)) => Ok((format.parse()?, Some(PathBuf::from(path)))),
        None => Ok((text.parse()?, None)),
    }
}

/// The part of the graph that was asked for.
fn part(
    args: &PartArgs,
    settings: &rules::Settings,
    accounts: &[Account],
    access: &Access<'_>,
) -> Result<Picture> {
    let graph = Graph::new(access);
    let mut is_cycle = false;
    let (chosen, depth) = if let Some(queue) = &args.queue {
        (BTreeSet::from([meant::place(&graph, queue)?]), 1)
    } else if let Some(principal) = &args.principal {
        (BTreeSet::from([meant::principal(access, principal)?]), 1)
    } else if let Some(id) = &args.finding {
        let concerned = concerned(id, settings, accounts, &graph)?;
        is_cycle = concerned.rule == "message-cycle";
        (concerned.ids, 0)
    } else {
        return Ok(Picture::new(&graph, &BTreeSet::new()));
    };
    let mut picture = Picture::new(&graph, &chosen);
    if is_cycle {
        picture.choose_whole_loops();
    }
    if picture.chosen.is_empty() {
        if let Some(place) = &args.queue {
            bail!("nothing that the graph shows has to do with `{place}`");
        }
        bail!(
            "nothing that the finding is about is a part of the graph; an audit of the same source tells what it is about"
        );
    }
    Ok(picture.around_the_chosen(args.depth.unwrap_or(depth)))
}

/// The rule of a finding, and what it is about.
struct Concerned {
    rule: &'static str,
    ids: BTreeSet<Arc<str>>,
}

/// What a finding is about, by id: its subject, its principals with what runs as them, and its resources.
fn concerned(
    id: &str,
    settings: &rules::Settings,
    accounts: &[Account],
    graph: &Graph<'_>,
) -> Result<Concerned> {
    let findings = rules::check_all(&Audit {
        accounts,
        access: graph.access,
        graph,
        settings,
    });
    let finding = meant::finding(&findings, id)?;
    let principals = finding.principals.iter().map(|principal| &principal.entity);
    let resources = finding.resources.iter().map(|resource| &resource.entity);
    // A refused delivery has two ends, of which the finding is about the one to be mended.
    let broken = graph.channels.wires.iter().filter(|wire| {
        let subject = Some(&finding.subject);
        finding.rule == "broken-delivery"
            && !wire.lacks.is_empty()
            && (subject == wire.asker.as_ref() || subject == Some(&wire.to))
    });
    Ok(Concerned {
        rule: finding.rule,
        ids: [&finding.subject]
            .into_iter()
            .chain(principals)
            .chain(resources)
            .chain(broken.flat_map(|wire| [&wire.from, &wire.to]))
            .map(|entity| Arc::clone(&entity.arn))
            .collect(),
    })
}
