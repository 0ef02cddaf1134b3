//! Names as people say them: `role orders-worker` for an ARN, no longer than it takes to tell things apart.

use crate::arn::{AccountId, Arn};
use crate::finding::{Entity, Kind};
use crate::report::Report;

/// Shortens names within one report.
pub(super) struct Names<'a> {
    /// The account that needs no mention: the only one that was scanned, or the one that is being talked about.
    home: Option<&'a AccountId>,
}

impl<'a> Names<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let home = match report.accounts.as_slice() {
            [only] => Some(&only.id),
            _ => None,
        };
        Self { home }
    }

    /// Shortens names where it is clear which account is meant.
    pub(super) fn within(home: &'a AccountId) -> Self {
        Self { home: Some(home) }
    }

    /// The same, where the account may not be known.
    pub(super) fn around(home: Option<&'a AccountId>) -> Self {
        Self { home }
    }

    /// Whether the report is about one account only.
    pub(super) fn single_account(&self) -> bool {
        self.home.is_some()
    }

    /// Kind and name: `role orders-worker`, `queue eu-west-1/orders`, `policy ReadEverything`.
    pub(super) fn full(&self, entity: &Entity) -> String {
        let name = self.bare(entity);
        match entity.kind {
            Kind::Anyone | Kind::Service => name,
            Kind::Policy if Arn::parse(&entity.arn).is_ok_and(|arn| arn.account() == "aws") => {
                format!("AWS policy {name}")
            }
            kind => format!("{} {name}", kind.words()),
        }
    }

    /// The name alone. Paths of IAM are left out, as names are unique without them.
    pub(super) fn bare(&self, entity: &Entity) -> String {
        if entity.kind == Kind::Anyone {
            return "anyone".to_owned();
        }
        let Ok(arn) = Arn::parse(&entity.arn) else {
            return entity.arn.to_string();
        };
        match entity.kind {
            Kind::Account => arn.account().to_owned(),
            Kind::Queue => self.placed(&arn, arn.resource()),
            Kind::Function => {
                let resource = arn.resource();
                self.placed(&arn, resource.strip_prefix("function:").unwrap_or(resource))
            }
            Kind::StateMachine => {
                let resource = arn.resource();
                let name = resource.strip_prefix("stateMachine:");
                self.placed(&arn, name.unwrap_or(resource))
            }
            _ => match arn.resource().strip_prefix("assumed-role/") {
                Some(session) => self.placed(&arn, session),
                None => self.placed(&arn, arn.name()),
            },
        }
    }

    /// The name of a resource whose kind is not known.
    pub(super) fn resource(&self, arn: &str) -> String {
        match Arn::parse(arn) {
            Ok(arn) => self.placed(&arn, arn.resource()),
            Err(_) => arn.to_owned(),
        }
    }

    /// A policy as evidence names it: `AWS policy ReadOnlyAccess`, `policy of eu-west-1/orders`, `inline policy A of role b`.
    pub(super) fn policy(&self, name: &str) -> String {
        match Arn::parse(name) {
            Ok(arn) if arn.service() == "iam" && arn.resource().starts_with("policy/") => {
                self.full(&Entity::new(Kind::Policy, arn.shared()))
            }
            Ok(arn) => format!("policy of {}", self.resource(arn.as_str())),
            Err(_) => name.to_owned(),
        }
    }

    fn placed(&self, arn: &Arn, name: &str) -> String {
        let region = arn.region();
        let account = arn.account();
        let slash = if region.is_empty() { "" } else { "/" };
        let foreign =
            !matches!(account, "" | "aws") && self.home.is_none_or(|home| home.as_str() != account);
        if foreign {
            format!("{region}{slash}{name} ({account})")
        } else {
            format!("{region}{slash}{name}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_it_takes_to_tell_things_apart() {
        let home = AccountId::parse("111122223333").unwrap();
        let names = Names { home: Some(&home) };
        for (kind, arn, name) in [
            (
                Kind::Role,
                "arn:aws:iam::111122223333:role/team/x/app",
                "role app",
            ),
            (
                Kind::Role,
                "arn:aws:iam::444455556666:role/app",
                "role app (444455556666)",
            ),
            (
                Kind::Role,
                "arn:aws:sts::111122223333:assumed-role/app/me",
                "role app/me",
            ),
            (Kind::Role, "AROAEXAMPLE", "role AROAEXAMPLE"),
            (
                Kind::User,
                "arn:aws:iam::111122223333:user/alice",
                "user alice",
            ),
            (
                Kind::Policy,
                "arn:aws:iam::aws:policy/job/ReadOnly",
                "AWS policy ReadOnly",
            ),
            (
                Kind::Policy,
                "arn:aws:iam::111122223333:policy/ReadOnly",
                "policy ReadOnly",
            ),
            (
                Kind::Account,
                "arn:aws:iam::444455556666:root",
                "account 444455556666",
            ),
            (Kind::Service, "sns.amazonaws.com", "sns.amazonaws.com"),
            (Kind::Organization, "o-abc123", "organization o-abc123"),
            (Kind::Anyone, "*", "anyone"),
            (
                Kind::Queue,
                "arn:aws:sqs:eu-west-1:111122223333:orders",
                "queue eu-west-1/orders",
            ),
            (
                Kind::Function,
                "arn:aws:lambda:eu-west-1:111122223333:function:f",
                "function eu-west-1/f",
            ),
            (
                Kind::Instance,
                "arn:aws:ec2:eu-west-1:111122223333:instance/i-0",
                "instance eu-west-1/i-0",
            ),
        ] {
            assert_eq!(names.full(&Entity::new(kind, arn)), name);
        }
    }

    #[test]
    fn several_accounts_are_told_apart() {
        let names = Names { home: None };
        let queue = Entity::new(Kind::Queue, "arn:aws:sqs:eu-west-1:111122223333:orders");
        assert_eq!(names.bare(&queue), "eu-west-1/orders (111122223333)");
    }
}
