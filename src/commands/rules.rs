//! `patscan rules [RULE]`: the catalogue.

use anyhow::{Result, bail};

use super::Outcome;
use crate::cli::RulesArgs;
use crate::rules::RULES;

pub(super) fn run(args: RulesArgs) -> Result<Outcome> {
    let text = match args.rule {
        None => {
            let width = RULES
                .iter()
                .map(|rule| rule.id.len())
                .max()
                .unwrap_or_default();
            let lines: Vec<String> = RULES
                .iter()
                .map(|rule| {
                    format!(
                        "{:width$}  {:8}  {}\n",
                        rule.id,
                        rule.severity(),
                        rule.title()
                    )
                })
                .collect();
            format!("{}\nThe page of one: patscan rules RULE\n", lines.concat())
        }
        Some(id) => {
            let Some(rule) = RULES.iter().find(|rule| rule.id == id) else {
                bail!("there is no rule `{id}`; `patscan rules` lists them");
            };
            rule.page.to_owned()
        }
    };
    super::write_stdout(text.as_bytes())?;
    Ok(Outcome::Clean)
}
