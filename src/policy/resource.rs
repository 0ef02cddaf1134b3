//! `Resource` patterns against concrete ARNs. Implements "IAM JSON policy elements: Resource" and rules R1 to R12.

use std::borrow::Cow;

use super::assumption::{Assumption, Assumptions};
use super::context::ContextKeys;
use super::document::{PolicyKind, Version};
use super::formula::{Formula, OpenReason};
use super::glob::{Glob, Letters, Token};
use super::template::{Resolved, Template};

/// One entry of a `Resource` or `NotResource` element.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourcePattern {
    text: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Everything,
    Fixed(ArnPattern),
    /// Holds policy variables after the fifth colon.
    Variable {
        head: String,
        resource: Template,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ArnPattern {
    whole: Glob,
    /// None are needed for a complete ARN without wildcards, which is one text and nothing else.
    fields: Vec<Glob>,
    /// Whether there were six fields before padding.
    complete: bool,
    /// Whether a `*` stands before a colon or at the end: it may reach into later fields (R4).
    expands: bool,
    /// Whether the partition or the service holds a wildcard (R9).
    wild_service: bool,
}

/// What an entry says of a resource.
pub(super) enum EntryResult {
    Decided(Formula),
    /// A variable in it has no value: the entry matches no resource (V4, V5).
    Unresolved,
}

impl ResourcePattern {
    pub(super) fn new(text: &str, version: Version, kind: PolicyKind) -> Self {
        let form = if text == "*" {
            Form::Everything
        } else if !text.contains("${") {
            Form::Fixed(ArnPattern::plain(text, kind))
        } else if let Some(variable) = Self::with_variables(text, version) {
            variable
        } else {
            // Escapes such as `${*}` and variables before the fifth colon end here: the latter are plain text (V2).
            let template = Template::new(last_field(text), version);
            let resource = match template.resolve(&NoKeys, true, &mut Assumptions::default()) {
                Resolved::Fixed(glob) => glob.tokens(),
                Resolved::Missing | Resolved::Open { .. } => Glob::new(last_field(text)).tokens(),
            };
            Form::Fixed(ArnPattern::new(head(text), resource, kind))
        };
        Self {
            text: text.to_owned(),
            form,
        }
    }

    fn with_variables(text: &str, version: Version) -> Option<Form> {
        let resource = Template::new(last_field(text), version);
        (text.splitn(6, ':').count() == 6 && resource.has_variables()).then(|| Form::Variable {
            head: head(text).to_owned(),
            resource,
        })
    }

    /// The pattern as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is `*`.
    pub fn is_everything(&self) -> bool {
        self.form == Form::Everything
    }

    /// The keys of its variables, in lower case.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let template = match &self.form {
            Form::Variable { resource, .. } => Some(resource),
            Form::Everything | Form::Fixed(_) => None,
        };
        template.into_iter().flat_map(Template::variables)
    }

    /// Whether it holds policy variables.
    pub fn has_variables(&self) -> bool {
        matches!(self.form, Form::Variable { .. })
    }

    /// The service that the pattern spells out, and so the only one of whose ARNs it can mean any; none where it is open.
    pub fn service(&self) -> Option<&str> {
        let mut fields = self.text.strip_prefix("arn:")?.split(':');
        let (partition, service) = (fields.next()?, fields.next()?);
        let is_open = |field: &str| field.contains(['*', '?', '$']);
        (!is_open(partition) && !is_open(service)).then_some(service)
    }

    /// Whether it could mean anything of a service, by how its ARNs begin: false only where the pattern spells out another.
    pub fn could_mean(&self, service: &str) -> bool {
        self.service()
            .is_none_or(|named| named.eq_ignore_ascii_case(service))
    }

    /// The pattern without regard to any request, variables taken as "anything": does it reach this resource?
    pub fn could_match(&self, resource: &str, kind: PolicyKind) -> bool {
        match &self.form {
            Form::Everything => true,
            Form::Fixed(pattern) => !matches!(
                pattern.matches(resource, kind, &mut Assumptions::default()),
                Formula::Never
            ),
            Form::Variable {
                head,
                resource: template,
            } => match template.resolve(&AllOpen, true, &mut Assumptions::default()) {
                Resolved::Fixed(glob) | Resolved::Open { widest: glob, .. } => {
                    !ArnPattern::new(head, glob.tokens(), kind)
                        .matches(resource, kind, &mut Assumptions::default())
                        .is_never()
                }
                Resolved::Missing => false,
            },
        }
    }

    /// What the pattern reaches in requests with these keys; the same for every resource, so that many can be looked at.
    pub fn reach(&self, kind: PolicyKind, keys: &dyn ContextKeys) -> Reach<'_> {
        let form = match &self.form {
            Form::Everything => ReachForm::Everything,
            Form::Fixed(pattern) => ReachForm::Arn {
                pattern: Cow::Borrowed(pattern),
                open: false,
            },
            Form::Variable { head, resource } => {
                match resource.resolve(keys, true, &mut Assumptions::default()) {
                    Resolved::Missing => ReachForm::Nothing,
                    Resolved::Fixed(glob) => ReachForm::Arn {
                        pattern: Cow::Owned(ArnPattern::new(head, glob.tokens(), kind)),
                        open: false,
                    },
                    Resolved::Open { widest, .. } => ReachForm::Arn {
                        pattern: Cow::Owned(ArnPattern::new(head, widest.tokens(), kind)),
                        open: true,
                    },
                }
            }
        };
        Reach { form, kind }
    }

    /// What the pattern could reach, whatever its variables hold.
    pub fn widest_reach(&self, kind: PolicyKind) -> Reach<'_> {
        self.reach(kind, &AllOpen)
    }

    pub(super) fn matches(
        &self,
        resource: &str,
        kind: PolicyKind,
        keys: &dyn ContextKeys,
        assumed: &mut Assumptions,
    ) -> EntryResult {
        EntryResult::Decided(match &self.form {
            Form::Everything => Formula::Always,
            Form::Fixed(pattern) => pattern.matches(resource, kind, assumed),
            Form::Variable {
                head,
                resource: template,
            } => match template.resolve(keys, true, assumed) {
                Resolved::Missing => return EntryResult::Unresolved,
                Resolved::Fixed(glob) => {
                    ArnPattern::new(head, glob.tokens(), kind).matches(resource, kind, assumed)
                }
                Resolved::Open { widest, keys, call } => {
                    let widest = ArnPattern::new(head, widest.tokens(), kind);
                    if widest.matches(resource, kind, assumed).is_never() {
                        Formula::Never
                    } else {
                        Formula::open(
                            OpenReason::Variable,
                            format!(
                                "{} names {resource} (by {}){call}",
                                self.text,
                                keys.join(", ")
                            ),
                        )
                    }
                }
            },
        })
    }
}

/// What a pattern reaches once its variables are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reach<'p> {
    form: ReachForm<'p>,
    kind: PolicyKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ReachForm<'p> {
    Everything,
    /// A variable has no value.
    Nothing,
    Arn {
        pattern: Cow<'p, ArnPattern>,
        /// Whether a variable's value is not known: then the pattern is the widest that it can be.
        open: bool,
    },
}

impl Reach<'_> {
    /// The same without what it borrows.
    pub fn into_owned(self) -> Reach<'static> {
        let form = match self.form {
            ReachForm::Everything => ReachForm::Everything,
            ReachForm::Nothing => ReachForm::Nothing,
            ReachForm::Arn { pattern, open } => ReachForm::Arn {
                pattern: Cow::Owned(pattern.into_owned()),
                open,
            },
        };
        Reach {
            form,
            kind: self.kind,
        }
    }

    /// Whether it is every resource.
    pub fn is_everything(&self) -> bool {
        matches!(self.form, ReachForm::Everything)
    }

    /// Whether the resource is reached; `None` when that is open.
    pub fn contains(&self, resource: &str) -> Option<bool> {
        match &self.form {
            ReachForm::Everything => Some(true),
            ReachForm::Nothing => Some(false),
            ReachForm::Arn { pattern, open } => {
                match pattern.matches(resource, self.kind, &mut Assumptions::default()) {
                    Formula::Never => Some(false),
                    Formula::Always if !open => Some(true),
                    _ => None,
                }
            }
        }
    }

    /// The same for many ARNs whose last fields have no colon, where the fields can be asked one by one. None where they cannot,
    /// as the pattern does not have as many colons as such an ARN: where it has, each of its colons stands for one of the ARN,
    /// so that no wildcard reaches over one.
    pub fn by_field(&self) -> Option<FieldReach<'_>> {
        let ReachForm::Arn { pattern, open } = &self.form else {
            return None;
        };
        let [head @ .., name] = &*pattern.fields else {
            return None;
        };
        let is_told = pattern.complete && !pattern.wild_service && !name.holds(':');
        is_told.then_some(FieldReach {
            head,
            name,
            open: *open,
        })
    }

    /// What the ARN of everything that is reached begins with.
    pub fn prefix(&self) -> String {
        match &self.form {
            ReachForm::Everything | ReachForm::Nothing => String::new(),
            ReachForm::Arn { pattern, .. } => pattern.whole.literal_prefix(),
        }
    }

    /// What the last field of every ARN that is reached begins with, ARNs taken that have no colon there.
    pub fn name_prefix(&self) -> String {
        match &self.form {
            ReachForm::Arn { pattern, .. } if pattern.complete => pattern
                .fields
                .get(5)
                .map(Glob::literal_prefix)
                .unwrap_or_default(),
            _ => String::new(),
        }
    }
}

/// What a pattern reaches, told by the fields of an ARN: of many ARNs the first five are the same.
#[derive(Debug, Clone, Copy)]
pub struct FieldReach<'r> {
    head: &'r [Glob],
    name: &'r Glob,
    open: bool,
}

impl FieldReach<'_> {
    /// Whether ARNs that begin with these five fields are reached, if their last field is.
    pub fn has_head(&self, head: &str) -> bool {
        let mut fields = head.split(':');
        let all = |pattern: &Glob| fields.next().is_some_and(|field| pattern.matches(field));
        self.head.iter().all(all)
    }

    /// Whether ARNs with this last field are reached, if their first five fields are.
    pub fn has_name(&self, name: &str) -> bool {
        self.name.matches(name)
    }

    /// What stands in the last field of every ARN that is reached.
    pub fn letters(&self) -> Letters {
        self.name.letters()
    }

    /// Whether it is open if what it seems to reach is reached.
    pub fn is_open(&self) -> bool {
        self.open
    }
}

/// The fields up to and without the fifth colon.
fn head(text: &str) -> &str {
    match text.match_indices(':').nth(4) {
        Some((at, _)) => text.get(..at).unwrap_or(text),
        None => text,
    }
}

/// What stands after the fifth colon; empty when there is none.
fn last_field(text: &str) -> &str {
    text.splitn(6, ':').nth(5).unwrap_or_default()
}

impl ArnPattern {
    /// The pattern of a text without variables and escapes.
    fn plain(text: &str, kind: PolicyKind) -> Self {
        let (head, resource) = (head(text), last_field(text));
        let complete = !resource.is_empty();
        if complete && !text.contains(['*', '?']) {
            return Self {
                whole: Glob::literal(text),
                fields: Vec::new(),
                complete,
                expands: false,
                wild_service: false,
            };
        }
        let mut fields = Vec::with_capacity(6);
        fields.extend(head.split(':').map(Glob::new));
        if complete {
            fields.push(Glob::new(resource));
        }
        let text = if complete { text } else { head };
        let expands = text.ends_with('*') || text.contains("*:");
        Self::of(Glob::new(text), fields, complete, expands, kind)
    }

    /// `resource` is empty when `head` has fewer than five fields.
    fn new(head: &str, resource: Vec<Token>, kind: PolicyKind) -> Self {
        let mut fields: Vec<Glob> = head.split(':').map(Glob::new).collect();
        let complete = fields.len() == 5 && !resource.is_empty();
        let mut whole = Glob::new(head).tokens();
        if complete {
            whole.push(Token::Char(':'));
            whole.extend(resource.iter().copied());
            fields.push(Glob::from_tokens(resource));
        }
        let expands = whole.last() == Some(&Token::Run)
            || whole
                .windows(2)
                .any(|pair| pair == [Token::Run, Token::Char(':')]);
        Self::of(Glob::from_tokens(whole), fields, complete, expands, kind)
    }

    fn of(
        whole: Glob,
        mut fields: Vec<Glob>,
        complete: bool,
        expands: bool,
        kind: PolicyKind,
    ) -> Self {
        if !complete && kind == PolicyKind::Identity {
            fields.resize(6, Glob::any());
        }
        let wild_service = fields
            .get(1..3)
            .is_some_and(|fields| fields.iter().any(|field| field.as_literal().is_none()));
        Self {
            whole,
            fields,
            complete,
            expands,
            wild_service,
        }
    }

    /// The algorithm of A.6.1: field by field, and as one text where a `*` may reach past a colon.
    fn matches(&self, resource: &str, kind: PolicyKind, assumed: &mut Assumptions) -> Formula {
        if resource == "*" {
            return self.matches_no_resource(assumed);
        }
        if !self.complete && kind != PolicyKind::Identity {
            assumed.insert(Assumption::ShortResource);
            let trailing = self.whole.tokens().last() == Some(&Token::Run);
            return Formula::constant(trailing && self.whole.matches(resource));
        }
        // Fields that match one by one match as one text too; where that is as good, only it is asked.
        let as_text = self.complete && self.expands;
        let by_field = !as_text && self.matches_by_field(resource);
        let matched = by_field || self.whole.matches(resource);
        if !matched {
            Formula::Never
        } else if self.wild_service {
            assumed.insert(Assumption::ServiceWildcard);
            Formula::open(
                OpenReason::Undocumented(Assumption::ServiceWildcard),
                format!("AWS honours the pattern {}", self.whole),
            )
        } else if by_field || self.expands || self.fields.is_empty() {
            Formula::Always
        } else {
            Formula::open(
                OpenReason::Variable,
                format!("arn-segment-ambiguity in {}", self.whole),
            )
        }
    }

    fn matches_by_field(&self, resource: &str) -> bool {
        let mut fields = resource.splitn(6, ':');
        self.fields.len() == 6
            && self
                .fields
                .iter()
                .all(|pattern| fields.next().is_some_and(|field| pattern.matches(field)))
    }

    /// Actions without resource-level support are evaluated against `*` (R11): an ARN pattern does not allow them, unless
    /// it covers every resource of an account, which the SQS documentation shows for `ListQueues`.
    fn matches_no_resource(&self, assumed: &mut Assumptions) -> Formula {
        let covers_account = self.fields.get(5).is_some_and(Glob::matches_everything);
        let service = match self.whole.as_literal() {
            Some(text) => text.split(':').nth(2),
            None => self.fields.get(2).and_then(Glob::as_literal),
        };
        if service == Some("sqs") {
            assumed.insert(Assumption::ListQueuesResource);
        }
        Formula::constant(covers_account)
    }
}

/// No key has a value; used where a template is known to hold no variable.
struct NoKeys;

impl ContextKeys for NoKeys {
    fn lookup(&self, _: &str) -> super::context::Lookup<'_> {
        super::context::Lookup::Absent
    }
}

/// Every key could be anything.
struct AllOpen;

impl ContextKeys for AllOpen {
    fn lookup(&self, _: &str) -> super::context::Lookup<'_> {
        super::context::Lookup::Open(super::context::Domain::ANYTHING)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";

    fn matched(text: &str, resource: &str, kind: PolicyKind) -> Formula {
        let pattern = ResourcePattern::new(text, Version::V2012, kind);
        match pattern.matches(resource, kind, &NoKeys, &mut Assumptions::default()) {
            EntryResult::Decided(formula) => formula,
            EntryResult::Unresolved => Formula::Never,
        }
    }

    #[test]
    fn a_pattern_that_could_not_mean_a_service_matches_nothing_of_it() {
        let patterns = [
            "*",
            "arn",
            "arn:*",
            "arn:aws:*",
            "arn:aws:sqs",
            "arn:aws:SQS:*",
            "arn:aws:sqs:*:*:*",
            "arn:aws:s?s:*:*:*",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:${aws:username}:*",
            "arn:*:iam::*:user/${aws:username}",
            "?rn:aws:sqs:*:*:*",
        ];
        let resources = [
            ("sqs", QUEUE),
            ("iam", "arn:aws:iam::111122223333:role/worker"),
        ];
        let mut ruled_out = 0;
        for text in patterns {
            let pattern = ResourcePattern::new(text, Version::V2012, PolicyKind::Identity);
            for (service, resource) in resources {
                if !pattern.could_mean(service) {
                    ruled_out += 1;
                    let matches = matched(text, resource, PolicyKind::Identity);
                    assert_eq!(matches, Formula::Never, "{text} and {resource}");
                }
            }
        }
        // Those that spell out a service do not mean the other.
        assert_eq!(ruled_out, 4);
    }

    #[test]
    fn identity_policy_patterns_match_as_the_table_of_a_6_1_says() {
        for (pattern, expected) in [
            ("*", true),
            ("arn:aws:sqs:*:*:*", true),
            ("arn:aws:sqs", true),
            ("arn:aws:sqs:*", true),
            ("arn:aws:sqs:eu-west-1:111122223333:ord*", true),
            ("arn:aws:sqs:eu-west-1:*:orders", true),
            ("arn:aws:sqs:eu-west-?:111122223333:orders", true),
            ("arn:aws:sqs:*:orders", true),
            ("arn:aws:sqs:*:111122223333:Orders", false),
            ("arn:aws:sqs:us-*:111122223333:orders", false),
            ("arn:aws:sns:*:*:*", false),
            ("arn:aws:sqs:eu-west-1:111122223333:orders.fifo", false),
            ("arn:aws-cn:sqs:*:*:*", false),
            ("arn:aws:sqs:eu-west-1:111122223333:order", false),
        ] {
            assert_eq!(
                matched(pattern, QUEUE, PolicyKind::Identity),
                Formula::constant(expected),
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_plain_text_is_the_pattern_that_its_parts_are() {
        for text in [
            QUEUE,
            "arn:aws:sqs:*:111122223333:*",
            "arn:aws:sqs:eu-west-1:111122223333:",
            "arn:aws:sqs:eu-west-1:111122223333:a:b*",
            "arn:aws:sqs:eu-west-1",
            "arn:aws:sqs:**",
            "arn:aws:s?s:*",
            "orders",
            "",
            "::::::",
        ] {
            for kind in [PolicyKind::Identity, PolicyKind::Resource] {
                let plain = ArnPattern::plain(text, kind);
                let parts = ArnPattern::new(head(text), Glob::new(last_field(text)).tokens(), kind);
                for resource in [QUEUE, "arn:aws:sqs:eu-west-1:111122223333:a:b", "*", ""] {
                    let outcome = |pattern: &ArnPattern| {
                        let mut assumed = Assumptions::default();
                        let formula = pattern.matches(resource, kind, &mut assumed);
                        (formula, assumed)
                    };
                    assert_eq!(outcome(&plain), outcome(&parts), "{text} {resource}");
                }
            }
        }
    }

    #[test]
    fn a_short_arn_outside_identity_policies_needs_a_trailing_star() {
        assert_eq!(
            matched("arn:aws:sqs", QUEUE, PolicyKind::Resource),
            Formula::Never
        );
        assert_eq!(
            matched("arn:aws:sqs:*", QUEUE, PolicyKind::Resource),
            Formula::Always
        );
    }

    #[test]
    fn a_wildcard_in_the_service_stays_open() {
        let formula = matched("arn:*:sqs:*:*:orders", QUEUE, PolicyKind::Identity);
        assert!(matches!(formula, Formula::Literal(_)), "{formula:?}");
    }

    #[test]
    fn an_escaped_star_is_a_literal_star() {
        let pattern = "arn:aws:sqs:eu-west-1:111122223333:pre${*}";
        assert_eq!(
            matched(
                pattern,
                "arn:aws:sqs:eu-west-1:111122223333:prefix",
                PolicyKind::Identity
            ),
            Formula::Never
        );
    }

    #[test]
    fn a_variable_before_the_fifth_colon_is_plain_text() {
        let pattern = "arn:aws:sqs:${aws:RequestedRegion}:111122223333:orders";
        assert_eq!(
            matched(pattern, QUEUE, PolicyKind::Identity),
            Formula::Never
        );
    }

    proptest! {
        #[test]
        fn asked_field_by_field_a_pattern_reaches_the_same(
            head in "arn:aws:(sqs|s?s|\\*):[ab*?]{0,3}:[ab*?]{0,3}",
            name in "[ab*?]{0,5}(:[ab*?]{0,2})?",
            arn_head in "arn:aws:sqs:[ab]{0,3}:[ab]{0,3}",
            arn_name in "[ab]{1,5}",
            kind in prop::sample::select(vec![PolicyKind::Identity, PolicyKind::Resource]),
        ) {
            let pattern = ResourcePattern::new(&format!("{head}:{name}"), Version::V2012, kind);
            let reach = pattern.widest_reach(kind);
            let whole = reach.contains(&format!("{arn_head}:{arn_name}"));
            if let Some(by_field) = reach.by_field() {
                let is_reached = by_field.has_head(&arn_head) && by_field.has_name(&arn_name);
                prop_assert_eq!(Some(is_reached), whole);
                prop_assert!(!by_field.is_open());
            }
        }
    }

    #[test]
    fn fields_are_asked_where_that_tells_all() {
        for (text, is_told) in [
            ("arn:aws:sqs:*:*:*a*", true),
            ("arn:aws:sqs:*:*:a${aws:username}", true),
            ("arn:aws:sqs:*:*:a*:b", false),
            ("arn:aws:s?s:*:*:*", false),
            ("arn:aws:sqs:*", false),
            ("arn:aws:sqs:*:*a", false),
            ("*", false),
        ] {
            let pattern = ResourcePattern::new(text, Version::V2012, PolicyKind::Identity);
            let reach = pattern.widest_reach(PolicyKind::Identity);
            assert_eq!(reach.by_field().is_some(), is_told, "{text}");
            let is_open = reach.by_field().is_some_and(|by_field| by_field.is_open());
            assert_eq!(is_open, text.contains('$'), "{text}");
        }
    }
}
