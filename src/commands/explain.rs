//! `patscan explain`: everything behind one finding, for somebody who has to mend it.

use std::io;

use anyhow::{Context as _, Result};
use chrono::{SubsecRound, Utc};

use super::reporting::terminal_style;
use super::{Outcome, accounts, demo, meant};
use crate::access::Access;
use crate::audit;
use crate::cli::ExplainArgs;
use crate::config::{Output, Settings, Source, Verbosity};
use crate::explain::explain;
use crate::finding::Finding;
use crate::graph::Graph;
use crate::remedy::Ground;
use crate::report::{AnswerFormat, Style};
use crate::triage::PolicyTexts;

pub(super) fn run(args: ExplainArgs, settings: &Settings) -> Result<Outcome> {
    let output = args.format.parse::<Output<AnswerFormat>>()?;
    let verbosity: Verbosity = args.verbosity.into();
    let source = if args.demo {
        None
    } else {
        let source = Source::resolve(args.source, settings)?;
        source.keeps_apart_from(output.path.as_deref())?;
        Some(source)
    };
    let baseline = settings.baseline(args.baseline);
    let known = settings
        .waiving(args.waivers)
        .read_known(baseline.as_deref())?;
    let file = output.path.as_deref().map(super::open_file).transpose()?;

    let accounts = match source {
        Some(source) => accounts::load(source, verbosity)?,
        None => vec![demo::example()?],
    };
    let rules = settings.rules();
    let access = Access::compute(&accounts);
    let mut report = audit::report(&access, &rules, Utc::now().trunc_subsecs(0));
    audit::know(&mut report, &known);
    let findings: Vec<Finding> = report
        .findings
        .iter()
        .map(|triaged| triaged.finding.clone())
        .collect();
    let wanted = &meant::finding(&findings, &args.finding)?.id;
    let triaged = report
        .findings
        .iter()
        .find(|triaged| triaged.id == *wanted)
        .context("the finding is gone")?;
    let graph = Graph::new(&access);
    let ground = Ground {
        access: &access,
        graph: &graph,
        settings: &rules,
        findings: &findings,
    };
    let policies = PolicyTexts::of(&accounts);
    let explanation = explain(&ground, triaged, &policies, report.coverage.clone());

    match file {
        None => {
            let mut stdout = io::stdout().lock();
            let written = explanation.write(output.format, terminal_style(), &mut stdout);
            super::written_to_stdout(written)?;
        }
        Some(mut file) => explanation
            .write(output.format, Style::default(), file.file())
            .and_then(|()| file.commit())
            .map_err(|error| super::cannot_write(&output.path.unwrap_or_default(), &error))?,
    }
    if report.complete() || args.allow_incomplete {
        return Ok(Outcome::Clean);
    }
    if verbosity >= Verbosity::Normal {
        super::explain("exit 3: the source is incomplete (--allow-incomplete lifts this)");
    }
    Ok(Outcome::Incomplete)
}
