//! Policy documents as types. What their text says, and what is wrong with it, is found by the neighbouring `reading`.

use std::fmt;
use std::sync::Arc;

use super::assumption::{Assumption, Assumptions};
use super::clause::Clause;
use super::glob::Glob;
use super::json::{Json, Keep};
use super::principal::PrincipalEntry;
use super::reading::read_document;
use super::resource::ResourcePattern;

/// The policy language version. A missing `Version` is the older one (A2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`: no policy variables.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// What a policy is attached to, which decides the elements it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Identity-based policies and permissions boundaries.
    Identity,
    /// Session policies.
    Session,
    /// Resource-based policies: of queues, keys, topics.
    Resource,
    /// Role trust policies, which name no resource.
    Trust,
    /// Service control policies.
    ServiceControl,
    /// Resource control policies.
    ResourceControl,
    /// VPC endpoint policies.
    Endpoint,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

impl Effect {
    /// The word of the policy language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// Something in a document that AWS would not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The statement concerned (its `Sid` or `#index`); none for the document as a whole.
    pub statement: Option<String>,
    /// What is wrong, in words.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(f, "statement {statement}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is attached to.
    pub kind: PolicyKind,
    /// Whether the document as a whole could be read; what an unreadable one says is unknown, not empty.
    pub readable: bool,
    /// Whether there was a text to read.
    pub collected: bool,
    /// The statements. Two readings when duplicate keys make them differ, otherwise one.
    pub readings: Vec<Vec<Statement>>,
    /// What AWS would not accept.
    pub problems: Vec<Problem>,
    /// Rules without a public page that leaving statements out relied on.
    pub assumed: Assumptions,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The `Sid`, or `#index` counted from 1.
    pub label: Arc<str>,
    /// Allow or deny.
    pub effect: Effect,
    /// Who; none in policies that belong to a principal.
    pub principal: Option<PrincipalElement>,
    /// What.
    pub actions: ActionSet,
    /// On what; none in trust policies.
    pub resources: Option<ResourceSet>,
    /// Under which conditions; all must hold.
    pub conditions: Vec<Clause>,
    /// Whether AWS would accept it. An invalid Deny may block; an invalid Allow is not kept.
    pub valid: bool,
    /// Rules without a public page that reading it relied on.
    pub assumed: Assumptions,
}

/// A `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalElement {
    /// Whether it is `NotPrincipal`.
    pub negated: bool,
    /// The entries.
    pub entries: Vec<PrincipalEntry>,
}

/// An `Action` or `NotAction` element.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSet {
    /// Whether it is `NotAction`.
    pub negated: bool,
    /// The patterns as written.
    pub texts: Vec<String>,
    patterns: Vec<ActionPattern>,
}

#[derive(Debug, Clone, PartialEq)]
enum ActionPattern {
    Everything,
    /// One action, in lower case.
    Exactly(String),
    /// Both in lower case.
    Named {
        service: Glob,
        name: Glob,
    },
    Nothing,
}

impl ActionPattern {
    fn new(text: &str, assumed: &mut Assumptions) -> Self {
        let lower = text.to_lowercase();
        if lower == "*" {
            return Self::Everything;
        }
        if lower == "*:*" {
            assumed.insert(Assumption::ActionStarStar);
            return Self::Everything;
        }
        match lower.split_once(':') {
            Some((service, name))
                if !service.is_empty()
                    && !name.is_empty()
                    && !lower.contains(char::is_whitespace) =>
            {
                if !lower.contains(['*', '?']) {
                    return Self::Exactly(lower);
                }
                if service.contains(['*', '?']) {
                    assumed.insert(Assumption::ActionPrefixWildcard);
                }
                Self::Named {
                    service: Glob::new(service),
                    name: Glob::new(name),
                }
            }
            _ => {
                assumed.insert(Assumption::Whitespace);
                Self::Nothing
            }
        }
    }

    /// `action` is `service:name` in lower case.
    fn matches(&self, action: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Exactly(text) => text == action,
            Self::Named { service, name } => {
                action
                    .split_once(':')
                    .is_some_and(|(action_service, action_name)| {
                        service.matches(action_service) && name.matches(action_name)
                    })
            }
            Self::Nothing => false,
        }
    }
}

impl ActionSet {
    pub(super) fn new(negated: bool, texts: &[&str], assumed: &mut Assumptions) -> Self {
        if texts.is_empty() {
            assumed.insert(Assumption::EmptyList);
        }
        Self {
            negated,
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
            patterns: texts
                .iter()
                .map(|text| ActionPattern::new(text, assumed))
                .collect(),
        }
    }

    /// Whether an action is in the set; `action` is `service:name` in lower case.
    pub fn contains(&self, action: &str) -> bool {
        action.contains(':')
            && self.patterns.iter().any(|pattern| pattern.matches(action)) != self.negated
    }

    /// The actions that one of its patterns matches, `texts` giving the order; `action` is in lower case.
    pub fn pattern_matches(&self, index: usize, action: &str) -> bool {
        action.contains(':')
            && self
                .patterns
                .get(index)
                .is_some_and(|pattern| pattern.matches(action))
    }

    /// Whether what it matches hangs on a rule without a public page: an empty list, a pattern with white space.
    pub fn is_undocumented(&self) -> bool {
        self.patterns.is_empty() || self.patterns.contains(&ActionPattern::Nothing)
    }

    /// Whether the set is every action of every service.
    pub fn is_everything(&self) -> bool {
        !self.negated && self.patterns.contains(&ActionPattern::Everything)
    }
}

/// A `Resource` or `NotResource` element.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSet {
    /// Whether it is `NotResource`.
    pub negated: bool,
    /// The patterns.
    pub patterns: Vec<ResourcePattern>,
}

impl ResourceSet {
    /// Whether the set is every resource.
    pub fn is_everything(&self) -> bool {
        !self.negated && self.patterns.iter().any(ResourcePattern::is_everything)
    }

    /// Whether the set could hold anything of a service, by how its ARNs begin.
    pub fn could_mean(&self, service: &str) -> bool {
        self.negated
            || self
                .patterns
                .iter()
                .any(|pattern| pattern.could_mean(service))
    }
}

impl Statement {
    /// The context keys that the statement looks at, in conditions and in variables, in lower case.
    pub fn context_keys(&self) -> impl Iterator<Item = &str> {
        let conditions = self
            .conditions
            .iter()
            .flat_map(|clause| std::iter::once(clause.key_lower()).chain(clause.variables()));
        let resources = self.resources.iter().flat_map(|set| &set.patterns);
        conditions.chain(resources.flat_map(ResourcePattern::variables))
    }

    /// Whether it could be about anything of a service, by how ARNs begin.
    pub fn could_mean(&self, service: &str) -> bool {
        self.resources
            .as_ref()
            .is_none_or(|set| set.could_mean(service))
    }

    /// Whether a variable stands in its resources.
    pub fn has_variable_resources(&self) -> bool {
        self.resources
            .iter()
            .flat_map(|set| &set.patterns)
            .any(ResourcePattern::has_variables)
    }

    /// Whether it is about every action on every resource under no condition.
    pub fn is_unlimited(&self) -> bool {
        self.valid
            && self.conditions.is_empty()
            && self.actions.is_everything()
            && self
                .resources
                .as_ref()
                .is_some_and(ResourceSet::is_everything)
    }
}

impl Document {
    /// Reads a document. Never fails: what cannot be read is said in `readable` and `problems`.
    pub fn parse(text: &str, kind: PolicyKind) -> Self {
        let tree = match Json::parse(text) {
            Ok(tree @ Json::Object(_)) => tree,
            Ok(_) => return Self::unreadable(kind, "it is not a JSON object".to_owned()),
            Err(error) => return Self::unreadable(kind, format!("it is not JSON: {error}")),
        };
        let mut problems = Vec::new();
        let mut assumed = Assumptions::default();
        let readings = if tree.has_duplicate_keys() {
            problems.push(Problem {
                statement: None,
                text: "an element stands twice in it".to_owned(),
            });
            let first = read_document(
                &tree.without_duplicates(Keep::First),
                kind,
                &mut problems,
                &mut assumed,
            );
            let last = read_document(
                &tree.without_duplicates(Keep::Last),
                kind,
                &mut Vec::new(),
                &mut assumed,
            );
            assumed.insert(Assumption::DuplicateKey);
            match (first, last) {
                (Ok(first), Ok(last)) if first == last => vec![first],
                (Ok(first), Ok(last)) => vec![first, last],
                (Err(reason), _) | (_, Err(reason)) => return Self::unreadable(kind, reason),
            }
        } else {
            match read_document(&tree, kind, &mut problems, &mut assumed) {
                Ok(statements) => vec![statements],
                Err(reason) => return Self::unreadable(kind, reason),
            }
        };
        Self {
            kind,
            readable: true,
            collected: true,
            readings,
            problems,
            assumed,
        }
    }

    /// A document whose text was never collected, so that what it says is unknown.
    pub fn uncollected(kind: PolicyKind) -> Self {
        Self {
            collected: false,
            ..Self::unreadable(kind, "its text was not collected".to_owned())
        }
    }

    fn unreadable(kind: PolicyKind, reason: String) -> Self {
        Self {
            kind,
            readable: false,
            collected: true,
            readings: Vec::new(),
            problems: vec![Problem {
                statement: None,
                text: reason,
            }],
            assumed: Assumptions::default(),
        }
    }

    /// The statements of the first reading.
    pub fn statements(&self) -> &[Statement] {
        self.readings.first().map_or(&[], Vec::as_slice)
    }
}
