//! What the formats of security teams have in common: the facts of a rule's page, things by their ARN, limits of length.
//!
//! Words for people are shown by whatever reads the file, so hidden characters in them become visible here. ARNs and ids stay as
//! they are: they name something. Both are escaped as JSON on their way out.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{Report, sanitise};
use crate::finding::{Entity, Finding};
use crate::rules::{FrontMatter, RULES};

/// What a format has no room for: the limit is in UTF-16 units, in which those who read the file count at most.
pub(super) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    let text = sanitise(text);
    if text.encode_utf16().count() <= limit {
        return text;
    }
    let mut used = 1;
    let mut short: String = text
        .chars()
        .take_while(|character| {
            used += character.len_utf16();
            used <= limit
        })
        .collect();
    short.push('…');
    Cow::Owned(short)
}

/// The first of the texts that says something.
pub(super) fn telling<'a>(texts: impl IntoIterator<Item = &'a str>) -> &'a str {
    let mut texts = texts.into_iter();
    texts.find(|text| !text.trim().is_empty()).unwrap_or("?")
}

/// A part of an ARN counted from 0, none where it is empty or where there is no ARN.
fn part(arn: &str, number: usize) -> Option<&str> {
    let rest = arn.strip_prefix("arn:")?;
    let part = rest.split(':').nth(number.checked_sub(1)?)?;
    (!part.is_empty()).then_some(part)
}

pub(super) fn partition(arn: &str) -> Option<&str> {
    part(arn, 1)
}

pub(super) fn service(arn: &str) -> Option<&str> {
    part(arn, 2)
}

pub(super) fn region(arn: &str) -> Option<&str> {
    part(arn, 3)
}

/// The last part of a name: `orders` of a queue, `alice` of `user/staff/alice`.
pub(super) fn name(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or(arn)
}

/// A moment of a report as people and other programs wrote it; none where it is something else.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

/// When the account of a finding was scanned.
pub(super) fn scanned_at(report: &Report, account: &str) -> DateTime<Utc> {
    let mut accounts = report.accounts.iter();
    accounts
        .find(|known| known.id.as_str() == account)
        .map_or(report.generated_at, |known| known.scanned_at)
}

/// What a thing is to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What one would change.
    Subject,
    /// Who holds the access.
    Principal,
    /// What the access is to.
    Resource,
}

/// Everything that a finding names, each thing once: the subject, then principals, then resources.
pub(super) fn things(finding: &Finding) -> Vec<(Part, &Entity)> {
    let principals = finding.principals.iter().map(|one| &one.entity);
    let resources = finding.resources.iter().map(|one| &one.entity);
    let mut seen = std::collections::HashSet::new();
    std::iter::once((Part::Subject, &finding.subject))
        .chain(principals.map(|entity| (Part::Principal, entity)))
        .chain(resources.map(|entity| (Part::Resource, entity)))
        .filter(|(_, entity)| seen.insert(&*entity.arn))
        .collect()
}

/// The pages of the rules, each read once.
pub(super) struct Pages(Vec<(&'static str, FrontMatter)>);

impl Pages {
    pub(super) fn read() -> Self {
        let pages = RULES.iter();
        Self(
            pages
                .filter_map(|rule| Some((rule.id, rule.front_matter()?)))
                .collect(),
        )
    }

    pub(super) fn of(&self, rule: &str) -> Option<&FrontMatter> {
        let mut pages = self.0.iter();
        pages.find(|(id, _)| *id == rule).map(|(_, front)| front)
    }

    /// The controls of one catalogue that a rule checks a part of.
    pub(super) fn controls(&self, rule: &str, catalogue: &str) -> &[&'static str] {
        let controls = self.of(rule).into_iter().flat_map(|front| &front.controls);
        controls
            .filter(|(name, _)| *name == catalogue)
            .map(|(_, ids)| ids.as_slice())
            .next()
            .unwrap_or_default()
    }

    /// The requirements of standards that a rule checks a part of, each with the standard that it is of, both as their authors
    /// call them.
    pub(super) fn requirements(&self, rule: &str) -> Vec<(String, String)> {
        let of = |catalogue| self.controls(rule, catalogue).iter();
        let nist = of("nist-800-53").map(|id| {
            let standard = "NIST.800-53.r5".to_owned();
            (format!("{standard} {id}"), standard)
        });
        // Each benchmark numbers anew: `v3.0 1.15`.
        let cis = of("cis-aws-foundations").map(|id| {
            let (version, number) = id.split_once(' ').unwrap_or(("", id));
            let standard = format!("CIS AWS Foundations Benchmark {version}");
            (format!("{standard}/{number}"), standard)
        });
        let well = of("well-architected").map(|id| {
            let standard = "AWS Well-Architected Framework".to_owned();
            (format!("{standard} {id}"), standard)
        });
        nist.chain(cis).chain(well).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("orders", 6), "orders");
        assert_eq!(cut("orders", 5), "orde…");
        assert_eq!(cut("🦀🦀🦀", 5), "🦀🦀…");
        assert_eq!(cut("🦀🦀🦀", 4), "🦀…");
        assert_eq!(cut("\u{202e}x", 99), "\\u{202e}x");
    }

    #[test]
    fn parts_of_what_is_no_arn_are_none() {
        let arn = "arn:aws-cn:sqs:cn-north-1:111122223333:orders";
        assert_eq!(partition(arn), Some("aws-cn"));
        assert_eq!(service(arn), Some("sqs"));
        assert_eq!(region(arn), Some("cn-north-1"));
        assert_eq!(region("arn:aws:iam::111122223333:role/a"), None);
        assert_eq!(service("sns.amazonaws.com"), None);
        assert_eq!(name("arn:aws:iam::111122223333:role/p/a"), "a");
        assert_eq!(name("*"), "*");
    }

    #[test]
    fn requirements_are_named_with_their_standards() {
        let pages = Pages::read();
        let requirements = pages.requirements("direct-user-policy");
        let names = |text: &str| requirements.iter().any(|(name, _)| name == text);
        assert!(names("CIS AWS Foundations Benchmark v3.0/1.15"));
        assert!(names("NIST.800-53.r5 AC-6"));
        assert_eq!(pages.requirements("no-such-rule"), []);
    }
}
