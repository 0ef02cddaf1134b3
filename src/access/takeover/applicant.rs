//! What one principal may ask other services and IAM for, so far as a way to act as another takes it.
//!
//! A name that the caller chooses is tried where its own statements could mean it: those patterns say which names matter. What
//! the caller puts into a request as it likes stands in nobody's way; where it calls from is a condition, and says nothing of
//! where that which it starts will call from.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::super::Access;
use super::super::assume::StepProof;
use super::super::candidates::Candidates;
use super::super::choices::without_choices;
use super::super::context::{Caller, RequestContext, Target};
use super::super::control::ControlsAbout;
use super::super::decide::{Layers, Matched, when_allowed};
use super::super::iam_request::{controls_about, of_controls};
use super::super::principal::Principal;
use super::super::sides::Own;
use super::plan::{Action, Plan};
use super::trust::in_partition;
use super::way::{FUNCTION, Need, PASS_ROLE};
use crate::account::Tag;
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{ContextKeys, Domain, Formula, Lookup, PolicyKind, Request, Statement};

/// Names, and regions, that are tried at most; policies have room for few more.
const MOST_TRIED: usize = 128;
/// The name of what is made, where no statement asks for another.
const ANY_NAME: &str = "x";

/// One principal with what it has to say about each action, read when asked for.
pub(super) struct Applicant<'s> {
    access: &'s Access<'s>,
    pub(super) principal: &'s Principal<'s>,
    actions: &'s [Action],
    says: Vec<OnceCell<Says<'s>>>,
    /// The names that matter for a thing of a way, once they were asked for: they are the same at every place.
    names: RefCell<Names>,
}

/// Names by plan and thing.
type Names = HashMap<(*const Plan, u8), Rc<BTreeSet<String>>>;

/// The statements about one action.
struct Says<'s> {
    own: Own<'s>,
    above: ControlsAbout<'s>,
}

/// Where something is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) region: &'p str,
    /// What is taken over, or changed to that end; none where everything is made anew.
    pub(super) target: Option<&'p Arn>,
    /// Its tags, where they are known.
    pub(super) tags: Option<&'p [Tag]>,
}

/// When everything of a way but passing the role may be done, and what each action is then about.
pub(super) struct Call {
    pub(super) when: Formula,
    pub(super) about: Vec<About>,
}

/// What one action of a way is about.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// The place of the action among the needs of the way.
    pub(super) need: usize,
    pub(super) resource: String,
    region: String,
    name: String,
}

impl<'s> Applicant<'s> {
    pub(super) fn new(
        access: &'s Access<'s>,
        principal: &'s Principal<'s>,
        actions: &'s [Action],
    ) -> Self {
        Self {
            access,
            principal,
            actions,
            says: actions.iter().map(|_| OnceCell::new()).collect(),
            names: RefCell::default(),
        }
    }

    /// The ways in which it can come; what any of them may do, it may (E.3).
    pub(super) fn callers(&self) -> Vec<Caller<'s>> {
        match self.principal.kind {
            Kind::User => vec![
                Caller::UserWithKey(self.principal),
                Caller::UserWithSession(self.principal),
            ],
            _ => vec![Caller::Role(self.principal)],
        }
    }

    fn says(&self, action: usize) -> Option<&Says<'s>> {
        let asked = self.actions.get(action)?;
        let says = self.says.get(action)?;
        Some(says.get_or_init(|| {
            let mut own = Own::of(self.principal, &self.principal.policies, &asked.lower);
            own.keep(|statement| asked.is_meant_by(statement));
            Says {
                own,
                above: controls_about(self.access, self.principal.account, &asked.lower),
            }
        }))
    }

    /// Every statement that has a say about an action, with the kind of its policy.
    pub(super) fn statements(&self, action: usize) -> Vec<(&Statement, PolicyKind)> {
        let Some(Says { own, above }) = self.says(action) else {
            return Vec::new();
        };
        let boundary = own.boundary.iter().flat_map(Candidates::statements);
        let of_its_own = own.identity.statements().chain(boundary);
        of_its_own
            .map(|statement| (statement, PolicyKind::Identity))
            .chain(of_controls(above))
            .collect()
    }

    /// The addresses of the statements that have a say about actions, those of each layer by themselves.
    pub(super) fn addresses(&self, actions: &[usize]) -> Vec<usize> {
        let mut all = Vec::new();
        for says in actions.iter().filter_map(|action| self.says(*action)) {
            let address = |statement| std::ptr::from_ref::<Statement>(statement).addr();
            all.extend(says.own.identity.statements().map(address));
            // No statement stands there, so that the layers stay apart.
            all.push(0);
            let boundary = says.own.boundary.iter().flat_map(Candidates::statements);
            all.extend(boundary.map(address));
            all.push(usize::from(says.own.boundary.is_some()));
            all.extend(of_controls(&says.above).map(|(statement, _)| address(statement)));
        }
        all
    }

    /// The statements of its own about an action.
    pub(super) fn identity(&self, action: usize) -> impl Iterator<Item = &Statement> {
        self.says(action)
            .into_iter()
            .flat_map(|says| says.own.identity.statements())
    }

    /// When it may pass a role to a service.
    pub(super) fn when_passing(
        &self,
        plan: &Plan,
        caller: Caller<'_>,
        role: &Principal<'_>,
        record: Option<&mut dyn FnMut(Matched<'_>)>,
    ) -> Formula {
        let Some(service) = plan.way.passes_to() else {
            return Formula::Always;
        };
        let Some(action) = self
            .actions
            .iter()
            .position(|action| action.name == PASS_ROLE)
        else {
            return Formula::Never;
        };
        let service = in_partition(service, role.arn.partition());
        let keys = CallKeys {
            request: self.context(
                caller,
                Target::Identity {
                    arn: role.arn,
                    tags: Some(role.tags),
                },
                false,
            ),
            called: plan.way.called(),
            asked: "iam",
            passed_to: Some(&service),
            function: None,
        };
        self.ask(action, role.arn.as_str(), &keys, record)
    }

    /// The call of a way that may be made most surely in one of the regions.
    pub(super) fn surest_call(
        &self,
        plan: &Plan,
        caller: Caller<'_>,
        regions: &BTreeSet<String>,
    ) -> Call {
        let mut best = Call {
            when: Formula::Never,
            about: Vec::new(),
        };
        for region in regions {
            let place = Place {
                region,
                target: None,
                tags: None,
            };
            let call = self.call(plan, caller, place);
            if call.when.is_always() {
                return call;
            }
            if best.when.is_never() {
                best.about = call.about;
            }
            best.when = best.when.or(call.when);
        }
        best
    }

    /// The regions that make a difference to what a way takes, the first audited one among them.
    pub(super) fn regions(&self, plan: &Plan) -> BTreeSet<String> {
        let account = self.access.account(self.principal.account);
        let audited = account.map_or(&[][..], |account| &account.regions);
        let mut regions: BTreeSet<String> = BTreeSet::new();
        regions.insert(
            audited
                .first()
                .map_or("us-east-1", String::as_str)
                .to_owned(),
        );
        for action in &plan.needs {
            for (statement, _) in self.statements(*action) {
                if statement
                    .context_keys()
                    .any(|key| matches!(key, "aws:requestedregion" | "ec2:region"))
                {
                    regions.extend(audited.iter().cloned());
                }
                let patterns = statement.resources.iter().flat_map(|set| &set.patterns);
                let named = patterns.filter_map(|pattern| pattern.text().split(':').nth(3));
                let named = named
                    .filter(|region| !region.is_empty() && !region.contains(['*', '?', '$', '/']));
                regions.extend(named.map(str::to_owned));
            }
            if regions.len() >= MOST_TRIED {
                break;
            }
        }
        regions
    }

    /// When everything of a way but passing the role may be done at a place: for each thing under some name.
    pub(super) fn call(&self, plan: &Plan, caller: Caller<'_>, place: Place<'_>) -> Call {
        let things: BTreeSet<u8> = plan.way.needs.iter().map(|need| need.thing).collect();
        let mut all = Call {
            when: Formula::Always,
            about: Vec::new(),
        };
        for thing in things {
            let needs = plan.way.needs.iter().zip(&plan.needs).enumerate();
            let of_thing: Vec<(usize, &Need, usize)> = needs
                .filter(|(_, (need, _))| need.thing == thing)
                .map(|(number, (need, action))| (number, need, *action))
                .collect();
            let mut when = Formula::Never;
            let mut about: Option<Vec<About>> = None;
            let names = self.names_once((std::ptr::from_ref(plan), thing), &of_thing);
            for name in &*names {
                let mut together = Formula::Always;
                let mut tried = Vec::new();
                for (number, need, action) in &of_thing {
                    let Some(resource) = self.fill(need.on, place, name) else {
                        together = Formula::Never;
                        break;
                    };
                    let one = About {
                        need: *number,
                        resource,
                        region: place.region.to_owned(),
                        name: name.clone(),
                    };
                    let when = self.when(plan, (need, *action), caller, place, &one, None);
                    together = together.and(when);
                    tried.push(one);
                    if together.is_never() {
                        break;
                    }
                }
                if about.is_none() && together.is_satisfiable() || together.is_always() {
                    about = Some(tried);
                }
                when = when.or(together);
                if when.is_always() {
                    break;
                }
            }
            all.when = all.when.and(when);
            all.about.extend(about.into_iter().flatten());
            if all.when.is_never() {
                break;
            }
        }
        all
    }

    /// When it may do one thing of a way, `record` being told of the statements that have a part in it.
    fn when(
        &self,
        plan: &Plan,
        (need, action): (&Need, usize),
        caller: Caller<'_>,
        place: Place<'_>,
        About { resource, name, .. }: &About,
        record: Option<&mut dyn FnMut(Matched<'_>)>,
    ) -> Formula {
        let function = self.fill(FUNCTION, place, name);
        let Some(arn) = Arn::parse(resource)
            .ok()
            .or_else(|| Arn::parse(function.as_deref()?).ok())
        else {
            return Formula::Never;
        };
        let asked = need.action.split(':').next().unwrap_or_default();
        let of_identity = arn.service() == "iam" && place.target.is_some();
        let target = if of_identity {
            Target::Identity {
                arn: &arn,
                tags: place.tags,
            }
        } else {
            Target::Channel {
                arn: &arn,
                account: self.principal.arn.account(),
            }
        };
        let keys = CallKeys {
            request: self.context(caller, target, need.makes),
            called: plan.way.called(),
            asked,
            passed_to: None,
            function: function.as_deref(),
        };
        let when = self.ask(action, resource, &keys, record);
        // What describes an instance that is there is not the caller's to choose.
        let describes = place.target.is_some() && asked.starts_with("ec2");
        without_choices(&when, |key| {
            let of_service = key.split_once(':').is_some_and(|(service, _)| {
                (service == asked || service == arn.service()) && service != "iam"
            });
            key.starts_with("aws:requesttag/")
                || key == "aws:tagkeys"
                || (of_service && !describes && !key.contains("resourcetag/"))
        })
    }

    /// When it may do something to a thing that is there, without more ado.
    pub(super) fn when_plainly(&self, action: usize, caller: Caller<'_>, thing: &Arn) -> Formula {
        let target = Target::Channel {
            arn: thing,
            account: thing.account(),
        };
        let keys = CallKeys {
            request: self.context(caller, target, false),
            called: "ssm",
            asked: "ssm",
            passed_to: None,
            function: None,
        };
        self.ask(action, thing.as_str(), &keys, None)
    }

    /// The statements that have a part in one action of a way.
    pub(super) fn prove(
        &self,
        plan: &Plan,
        caller: Caller<'_>,
        target: Option<(&Arn, Option<&[Tag]>)>,
        about: &About,
    ) -> Vec<StepProof> {
        let (Some(need), Some(action)) =
            (plan.way.needs.get(about.need), plan.needs.get(about.need))
        else {
            return Vec::new();
        };
        let place = Place {
            region: &about.region,
            target: target.map(|(arn, _)| arn),
            tags: target.and_then(|(_, tags)| tags),
        };
        let mut proofs = Vec::new();
        self.when(
            plan,
            (need, *action),
            caller,
            place,
            about,
            Some(&mut |matched| {
                proofs.push(StepProof::of(&matched));
            }),
        );
        StepProof::once_each(proofs)
    }

    fn context<'c>(
        &'c self,
        caller: Caller<'c>,
        target: Target<'c>,
        carries_tags: bool,
    ) -> RequestContext<'c> {
        let organization = self.access.organization(self.principal.account);
        RequestContext {
            caller,
            target,
            callers_organization: organization,
            targets_organization: organization,
            now: self.access.scanned_at(self.principal.account),
            carries_tags,
        }
    }

    fn ask(
        &self,
        action: usize,
        resource: &str,
        keys: &CallKeys<'_>,
        record: Option<&mut dyn FnMut(Matched<'_>)>,
    ) -> Formula {
        let (Some(says), Some(Action { lower, .. })) =
            (self.says(action), self.actions.get(action))
        else {
            return Formula::Never;
        };
        let nothing = Candidates::default();
        let request = Request {
            requester: &self.principal.requester,
            action: lower,
            resource,
            keys,
        };
        let layers = Layers {
            identity: &says.own.identity,
            boundary: says.own.boundary.as_ref(),
            session: None,
            // Nothing that is made has a policy yet, and users and roles have none that lets anybody make keys for them.
            resource: &nothing,
            scps: &says.above.scps,
            // None of the services called knows resource control policies.
            rcps: &[],
            endpoint: None,
        };
        let account = self.principal.arn.account();
        match record {
            Some(record) => when_allowed(
                &request,
                account,
                &layers,
                Some(&mut |matched| record(matched)),
            ),
            None => when_allowed(&request, account, &layers, None),
        }
    }

    /// What stands for a resource of a way at a place; none where it has no such part.
    fn fill(&self, template: &str, place: Place<'_>, name: &str) -> Option<String> {
        let own = self.principal.arn;
        let mut filled = template
            .replace("{p}", own.partition())
            .replace("{r}", place.region)
            .replace("{a}", own.account());
        if filled.contains("{t}") {
            filled = filled.replace("{t}", place.target?.as_str());
        }
        if filled.contains("{c}") {
            // Only the longer form of an ECS ARN tells the cluster.
            let mut parts = place.target?.resource().split('/');
            let cluster = parts.nth(1)?;
            parts.next()?;
            filled = filled.replace("{c}", cluster);
        }
        if let Some((before, rest)) = filled.split_once("{n")
            && let Some((_, after)) = rest.split_once('}')
        {
            filled = format!("{before}{name}{after}");
        }
        Some(filled)
    }

    fn names_once(
        &self,
        key: (*const Plan, u8),
        of_thing: &[(usize, &Need, usize)],
    ) -> Rc<BTreeSet<String>> {
        if let Some(known) = self.names.borrow().get(&key) {
            return Rc::clone(known);
        }
        let names = Rc::new(self.names(of_thing));
        self.names.borrow_mut().insert(key, Rc::clone(&names));
        names
    }

    /// The names under which a thing may be allowed: those that statements could mean, and any other.
    fn names(&self, of_thing: &[(usize, &Need, usize)]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (_, need, _) in of_thing {
            let Some(chosen) = Chosen::of(need.on) else {
                continue;
            };
            names.insert(chosen.without_wish.to_owned());
            for (_, _, action) in of_thing {
                for (statement, _) in self.statements(*action) {
                    let patterns = statement.resources.iter().flat_map(|set| &set.patterns);
                    let wishes = patterns
                        .filter_map(|pattern| chosen.wish(&self.without_variables(pattern.text())));
                    names.extend(wishes.take(MOST_TRIED.saturating_sub(names.len())));
                }
            }
        }
        if names.is_empty() {
            names.insert(ANY_NAME.to_owned());
        }
        names
    }

    /// A pattern with what it is known to say for this caller.
    fn without_variables(&self, pattern: &str) -> String {
        let mut known = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, after)) = after.split_once('}') else {
                break;
            };
            known.push_str(before);
            let variable = variable.split(',').next().unwrap_or_default().trim();
            let lower = variable.to_ascii_lowercase();
            let value = if lower == "aws:username" && self.principal.kind == Kind::User {
                Some(self.principal.arn.name())
            } else {
                lower.strip_prefix("aws:principaltag/").and_then(|key| {
                    let tags = self.principal.tags.iter();
                    let mut of_key = tags.filter(|tag| tag.key.to_ascii_lowercase() == key);
                    of_key.next().map(|tag| tag.value.as_str())
                })
            };
            known.push_str(value.unwrap_or(ANY_NAME));
            rest = after;
        }
        known + rest
    }
}

/// The part of a resource that the caller chooses.
struct Chosen<'t> {
    /// What stands before it from the last colon on, and that colon.
    before: &'t str,
    /// What stands behind it, if anything does.
    after: Option<char>,
    /// The name where nothing asks for another.
    without_wish: &'t str,
}

impl<'t> Chosen<'t> {
    fn of(template: &'t str) -> Option<Self> {
        let (head, rest) = template.split_once("{n")?;
        let (preset, after) = rest.split_once('}')?;
        let kind = head.trim_end_matches([':', '/']).rfind(':')?;
        Some(Self {
            before: head.get(kind..)?,
            after: after.chars().next(),
            without_wish: preset.strip_prefix('=').unwrap_or(ANY_NAME),
        })
    }

    /// A name that a pattern could mean.
    fn wish(&self, pattern: &str) -> Option<String> {
        let named = match pattern.rsplit_once(self.before) {
            Some((_, named)) => named,
            None => pattern.rsplit([':', '/']).next()?,
        };
        let named = match self.after {
            Some(after) => named.split(after).next()?,
            None => named,
        };
        let name = named.replace(['*', '?'], ANY_NAME);
        // A schedule is named with its group, a service with its cluster.
        let is_whole = self.without_wish.contains('/') == name.contains('/');
        (!name.is_empty() && is_whole).then_some(name)
    }
}

/// The context of one request of a way.
struct CallKeys<'k> {
    request: RequestContext<'k>,
    /// The service that the way calls: passing a role is part of that call.
    called: &'static str,
    /// The service whose action is asked for.
    asked: &'k str,
    passed_to: Option<&'k str>,
    /// The function that the request is for.
    function: Option<&'k str>,
}

impl ContextKeys for CallKeys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        let known = match key {
            "iam:passedtoservice" => match self.passed_to {
                Some(service) => Lookup::One(service.into()),
                None => Lookup::Absent,
            },
            "lambda:functionarn" => match self.function {
                Some(function) => Lookup::One(function.into()),
                None => Lookup::Open(Domain::ANYTHING),
            },
            _ if is_of(key, self.asked) && !key.starts_with("iam:resourcetag/") => {
                Lookup::Open(Domain::ANYTHING)
            }
            _ => self.request.lookup(key),
        };
        match known {
            // The call is not that to SQS which follows as somebody else.
            Lookup::Open(domain) => Lookup::Open(domain.in_call_to(self.called)),
            known => known,
        }
    }
}

fn is_of(key: &str, service: &str) -> bool {
    key.split_once(':')
        .is_some_and(|(prefix, _)| prefix == service)
}
