//! `name-pattern`: something is not named as the configuration says.

use super::names::{NamedKind, Names, given_name, iam_path};
use super::{Audit, Parameter, count, list, region};
use crate::account::Account;
use crate::arn::Arn;
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};

const RULE: &str = "name-pattern";

pub(super) const ONE_BY_ONE: Parameter = Parameter {
    name: "one-by-one",
    meaning: "names of an account that are told one by one; more are one finding",
    usual: 20,
};

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let Some(names) = &audit.settings.names else {
        return Vec::new();
    };
    let one_by_one = audit.settings.parameter(RULE, &ONE_BY_ONE);
    audit
        .accounts
        .iter()
        .flat_map(|account| {
            let misfits = misfits(account, names);
            if misfits.len() as u64 > one_by_one {
                vec![together(account, names, &misfits)]
            } else {
                let each = misfits.iter();
                each.map(|misfit| single(account, names, misfit)).collect()
            }
        })
        .collect()
}

/// Something whose name, or path, is not what was settled.
struct Misfit<'a> {
    kind: NamedKind,
    arn: &'a Arn,
    name: &'a str,
    fits_pattern: bool,
    /// The path, where it is not one of those allowed.
    wrong_path: Option<String>,
}

fn misfits<'a>(account: &'a Account, names: &Names) -> Vec<Misfit<'a>> {
    let users = account
        .users
        .iter()
        .map(|user| (NamedKind::User, &user.arn));
    let groups = account
        .groups
        .iter()
        .map(|group| (NamedKind::Group, &group.arn));
    let roles = account
        .roles
        .iter()
        .map(|role| (NamedKind::Role, &role.arn));
    let queues = account
        .queues
        .iter()
        .map(|queue| (NamedKind::Queue, &queue.arn));
    let functions = account
        .functions
        .iter()
        .map(|function| (NamedKind::Function, &function.arn));
    users
        .chain(groups)
        .chain(roles)
        .chain(queues)
        .chain(functions)
        .filter(|(kind, _)| names.are_for(*kind))
        .filter_map(|(kind, arn)| {
            let name = given_name(kind, arn).filter(|name| !names.is_exception(name))?;
            let is_of_iam = !matches!(kind, NamedKind::Queue | NamedKind::Function);
            let path = is_of_iam.then(|| iam_path(arn));
            let misfit = Misfit {
                kind,
                arn,
                name,
                fits_pattern: names.fits(name),
                wrong_path: path.filter(|path| !names.allow_path(path)),
            };
            (!misfit.fits_pattern || misfit.wrong_path.is_some()).then_some(misfit)
        })
        .collect()
}

/// `the pattern <env>-<service>`, and the paths, as far as they are settled.
fn settled(names: &Names) -> String {
    let pattern = names.pattern.as_ref();
    let pattern = pattern.map(|pattern| format!("the pattern {}", pattern.text()));
    let paths = match names.paths.as_slice() {
        [] => None,
        [only] => Some(format!("the IAM path {only}")),
        several => Some(format!("the IAM paths {}", list(several))),
    };
    list(&pattern.into_iter().chain(paths).collect::<Vec<_>>())
}

fn single(account: &Account, names: &Names, misfit: &Misfit<'_>) -> Finding {
    let subject = Entity::new(misfit.kind.kind(), misfit.arn.shared());
    let wrong = match (&misfit.wrong_path, misfit.fits_pattern) {
        (None, _) => "does not fit the pattern of names".to_owned(),
        (Some(path), true) => format!("stands under the IAM path {path}"),
        (Some(path), false) => {
            format!("does not fit the pattern of names and stands under the IAM path {path}")
        }
    };
    let title = format!("{} {} {wrong}", misfit.kind.as_str(), misfit.name);
    finding(account, names, subject, title, Vec::new(), 0)
}

fn together(account: &Account, names: &Names, misfits: &[Misfit<'_>]) -> Finding {
    let subject = Entity::new(
        Kind::Account,
        format!("arn:{}:iam::{}:root", account.partition, account.id),
    );
    let of_kind = |kind: NamedKind| {
        let number = misfits.iter().filter(|misfit| misfit.kind == kind).count();
        (number > 0).then(|| count(number, kind.as_str()))
    };
    let counted: Vec<String> = NamedKind::ALL.into_iter().filter_map(of_kind).collect();
    let title = format!("{} are not named as settled", list(&counted));
    let mut listed: Vec<ResourceRef> = misfits
        .iter()
        .map(|misfit| ResourceRef {
            entity: Entity::new(misfit.kind.kind(), misfit.arn.shared()),
            certainty: Certainty::Allowed,
            grade: None,
        })
        .collect();
    listed.sort();
    listed.truncate(MOST_RESOURCES);
    let more = misfits.len().saturating_sub(listed.len()) as u64;
    finding(account, names, subject, title, listed, more)
}

fn finding(
    account: &Account,
    names: &Names,
    subject: Entity,
    title: String,
    resources: Vec<ResourceRef>,
    more_resources: u64,
) -> Finding {
    Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: Severity::Info,
        title,
        detail: format!(
            "The configuration settles {}. A name that does not fit tells nobody which service and environment it belongs to, \
             and policies that go by names miss it or reach too far.",
            settled(names)
        ),
        account: account.id.clone(),
        region: region(&subject.arn),
        subject,
        principals: Vec::new(),
        resources: resources.into(),
        more_resources,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: [].into(),
        more_evidence: 0,
        remedy: "Make it anew under a name that fits, since none of these can be renamed in place but users and groups; or add \
                 the name to `exceptions` in [names] of patscan.toml."
            .to_owned(),
    }
}
