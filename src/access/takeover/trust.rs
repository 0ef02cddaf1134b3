//! Which roles trust a service to which they would be passed.

use super::super::candidates::Candidates;
use super::super::context::{Caller, RequestContext, Target};
use super::super::decide::{Layers, decide};
use super::super::iam_request::controls_about;
use super::super::principal::Principal;
use super::way::EC2;
use super::{Numbers, TakeoverFinder};
use crate::policy::{
    ContextKeys, Domain, Formula, Glob, Lookup, Request, Requester, RequesterKind,
};

/// The name of a service in a partition: that of EC2 ends otherwise in China.
pub(super) fn in_partition(service: &str, partition: &str) -> String {
    if service == EC2 && partition == "aws-cn" {
        format!("{service}.cn")
    } else {
        service.to_owned()
    }
}

impl TakeoverFinder<'_> {
    /// The roles that trust a service, by when they do.
    pub(super) fn trusting(&self, service: &'static str) -> &[(Numbers, Formula)] {
        let Some(known) = self.trusting.get(service) else {
            return &[];
        };
        known.get_or_init(|| {
            let mut by_when: Vec<(Numbers, Formula)> = Vec::new();
            for (number, role) in (0..).zip(&self.access.principals) {
                let name = in_partition(service, role.arn.partition());
                if !role.trust.services.contains(&name) || role.is_service_linked() {
                    continue;
                }
                let when = self.when_trusting(role, &name);
                if !when.is_satisfiable() {
                    continue;
                }
                match by_when.iter_mut().find(|(_, known)| *known == when) {
                    Some((roles, _)) => {
                        roles.insert(number);
                    }
                    None => by_when.push((Numbers::from_iter([number]), when)),
                }
            }
            by_when
        })
    }

    /// When a service may assume a role for something in its account.
    fn when_trusting(&self, role: &Principal<'_>, service: &str) -> Formula {
        const ASSUME: &str = "sts:assumerole";
        let requester = Requester {
            kind: RequesterKind::Service(service.to_owned()),
            partition: "".into(),
            account: None,
            unique_id: None,
            has_boundary: false,
        };
        let keys = ServiceKeys {
            request: RequestContext {
                caller: Caller::Service {
                    name: service,
                    source: None,
                },
                target: Target::Identity {
                    arn: role.arn,
                    tags: Some(role.tags),
                },
                callers_organization: None,
                targets_organization: self.access.organization(role.account),
                now: self.access.scanned_at(role.account),
                carries_tags: false,
            },
            account: role.arn.account(),
        };
        let nothing = Candidates::default();
        let trust = Candidates::of(&role.trust_policy, ASSUME);
        let above = controls_about(self.access, role.account, ASSUME);
        let request = Request {
            requester: &requester,
            action: ASSUME,
            resource: role.arn.as_str(),
            keys: &keys,
        };
        let layers = Layers {
            identity: &nothing,
            boundary: None,
            session: None,
            resource: &trust,
            scps: &[],
            rcps: &above.rcps,
            endpoint: None,
        };
        decide(&request, role.arn.account(), &layers, &mut |_| ())
            .verdict
            .formula()
    }
}

/// The context in which a service assumes a role: for something in the role's account, which not every service tells.
struct ServiceKeys<'k> {
    request: RequestContext<'k>,
    account: &'k str,
}

impl ContextKeys for ServiceKeys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        let maybe = |shape: Glob| {
            Lookup::Open(Domain {
                may_be_absent: true,
                shape: Some(shape),
                call: Some("sts"),
            })
        };
        match key {
            "aws:sourceaccount" => maybe(Glob::literal(self.account)),
            "aws:sourcearn" => maybe(Glob::new(&format!("arn:*:*:*:{}:*", self.account))),
            _ if key.starts_with("sts:") => Lookup::Absent,
            _ => self.request.lookup(key),
        }
    }
}
