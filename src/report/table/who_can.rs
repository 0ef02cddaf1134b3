//! Who can do one thing with one queue: a card for each, with the statements behind it.

use std::io::{self, Write};

use super::super::name::Names;
use super::page::Page;
use super::{coverage, many};
use crate::access::{Capability, Holder, Proof};
use crate::arn::{AccountId, Arn};
use crate::entity::Certainty;
use crate::policy::Effect;
use crate::report::{Deed, Style, WhoCan};

const MOST_WORKLOADS: usize = 5;
const MOST_CONDITIONS: usize = 6;

/// Writes the answer.
pub(in crate::report) fn write(
    who_can: &WhoCan,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let home = Arn::parse(&who_can.queue.arn)
        .ok()
        .and_then(|queue| AccountId::parse(queue.account()).ok());
    let names = Names::around(home.as_ref());
    let mut page = Page::new(out, style);
    let (can, queue) = (words(who_can.deed), names.full(&who_can.queue));
    page.title(&format!("Who can {can} {queue}"), "")?;
    page.row("arn", &who_can.queue.arn)?;
    page.blank()?;
    let meaning = "Somebody may be missing: who is not named below is not known to be kept out.";
    coverage::what_may_be_missing(&who_can.coverage, meaning, &names, &mut page)?;
    for holder in &who_can.holders {
        card(holder, &names, &mut page)?;
        page.blank()?;
    }
    coverage::what_else_to_know(&who_can.coverage, &names, &mut page)?;
    page.prose(0, &conclusion(who_can))
}

fn words(deed: Deed) -> &'static str {
    match deed {
        Deed::Capability(Capability::Send) => "send to",
        Deed::Capability(Capability::Receive) => "receive from",
        Deed::Capability(Capability::Delete) => "delete from",
        Deed::Capability(Capability::Purge) => "purge",
        Deed::Capability(Capability::Administer) => "administer",
        Deed::Redrive => "redrive",
    }
}

fn card(holder: &Holder, names: &Names, page: &mut Page) -> io::Result<()> {
    let certainty = Certainty::of(&holder.when);
    page.title(&names.full(&holder.entity), certainty.as_str())?;
    page.list("used by", &holder.workloads, MOST_WORKLOADS, |workload| {
        names.full(workload)
    })?;
    let conditions = holder.when.conditions();
    for (number, condition) in conditions.iter().take(MOST_CONDITIONS).enumerate() {
        page.row(if number == 0 { "only if" } else { "and" }, condition)?;
    }
    let more = conditions.len().saturating_sub(MOST_CONDITIONS);
    if more > 0 {
        page.row("and", &format!("{more} more; `-f json` has them all"))?;
    }
    for (effect, label) in [(Effect::Allow, "because"), (Effect::Deny, "unless")] {
        let mut label = label;
        // Boundaries and control policies allow without giving; only what they deny is worth a line.
        let statements = holder.because.iter().filter(|proof| {
            proof.effect == effect && (effect == Effect::Deny || proof.layer.gives())
        });
        for proof in statements {
            page.row(label, &statement(proof, names))?;
            label = "";
        }
    }
    Ok(())
}

/// `kms: key eu-west-1/key/…, statement Consumers`.
fn statement(proof: &Proof, names: &Names) -> String {
    format!(
        "{}: {}, statement {}",
        proof.layer.as_str(),
        names.policy(&proof.policy),
        proof.statement
    )
}

fn conclusion(who_can: &WhoCan) -> String {
    let can = words(who_can.deed);
    let number = who_can.holders.len();
    let sure = who_can
        .holders
        .iter()
        .filter(|holder| holder.when.is_always())
        .count();
    let complete = who_can.coverage.complete();
    match (number, complete) {
        (0, true) => format!("Nobody can {can} it."),
        (0, false) => format!("Nobody was seen who can {can} it, but not everything was read."),
        _ => {
            let at_least = if complete { "" } else { "At least " };
            let who = many(number, "principal");
            let how = match number - sure {
                0 => String::new(),
                open if open == number => ", under conditions".to_owned(),
                open => format!(", {open} of them under conditions"),
            };
            format!("{at_least}{who} can {can} it{how}.")
        }
    }
}
