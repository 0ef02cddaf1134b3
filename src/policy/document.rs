//! Policy documents as types: what AWS would accept becomes statements, what it would not is named (sections A.1 to A.3).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::assumption::{Assumption, Assumptions};
use super::clause::Clause;
use super::glob::Glob;
use super::json::{Json, Keep, Member};
use super::principal::PrincipalEntry;
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
    fn new(negated: bool, texts: &[&str], assumed: &mut Assumptions) -> Self {
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

fn read_document(
    tree: &Json<'_>,
    kind: PolicyKind,
    problems: &mut Vec<Problem>,
    assumed: &mut Assumptions,
) -> Result<Vec<Statement>, String> {
    let Json::Object(members) = tree else {
        return Err("it is not a JSON object".to_owned());
    };
    let member = |name: &str| {
        members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    };
    let version = match member("Version") {
        None => Version::V2008,
        Some(Json::String(text)) if text == "2012-10-17" => Version::V2012,
        Some(Json::String(text)) if text == "2008-10-17" => Version::V2008,
        Some(_) => {
            problems.push(Problem {
                statement: None,
                text: "its `Version` is not one that AWS has".to_owned(),
            });
            Version::V2008
        }
    };
    let statements = match member("Statement") {
        Some(Json::Array(items)) => items.iter().collect(),
        Some(item @ Json::Object(_)) => vec![item],
        Some(_) => return Err("its `Statement` is neither an object nor a list".to_owned()),
        // Nothing else in it that could have been meant as one.
        None if members
            .iter()
            .all(|(key, _)| key == "Version" || key == "Id") =>
        {
            Vec::new()
        }
        None => return Err("it has no `Statement`".to_owned()),
    };
    Ok(statements
        .into_iter()
        .enumerate()
        .filter_map(|(index, item)| {
            read_statement(item, index + 1, version, kind, problems, assumed)
        })
        .collect())
}

/// The elements of a statement while it is read, and what is wrong with them.
struct StatementReader<'a> {
    members: &'a [Member<'a>],
    wrong: Vec<String>,
    assumed: Assumptions,
}

fn read_statement(
    item: &Json<'_>,
    number: usize,
    version: Version,
    kind: PolicyKind,
    problems: &mut Vec<Problem>,
    assumed: &mut Assumptions,
) -> Option<Statement> {
    let Json::Object(members) = item else {
        problems.push(Problem {
            statement: Some(format!("#{number}")),
            text: "it is not an object".to_owned(),
        });
        return None;
    };
    let mut reader = StatementReader {
        members,
        wrong: Vec::new(),
        assumed: Assumptions::default(),
    };
    let label: Arc<str> = match reader.member("Sid") {
        Some(Json::String(sid)) if !sid.is_empty() => Arc::from(&**sid),
        _ => Arc::from(format!("#{number}")),
    };
    reader.check_names();
    let effect = match reader.member("Effect") {
        Some(Json::String(text)) if text == "Allow" => Some(Effect::Allow),
        Some(Json::String(text)) if text == "Deny" => Some(Effect::Deny),
        Some(_) => reader.invalid("its `Effect` is neither `Allow` nor `Deny`"),
        None => reader.invalid("it has no `Effect`"),
    };
    let principal = reader.principal(kind);
    let actions = reader.actions();
    let resources = reader.resources(version, kind);
    let conditions = reader.conditions(version);
    let valid = reader.wrong.is_empty();
    problems.extend(reader.wrong.into_iter().map(|text| Problem {
        statement: Some(label.to_string()),
        text,
    }));
    // An invalid Allow contributes nothing; an invalid Deny may block (A.3).
    if !valid {
        assumed.extend(reader.assumed);
    }
    let effect = effect?;
    (valid || effect == Effect::Deny).then_some(Statement {
        label,
        effect,
        principal,
        actions,
        resources,
        conditions,
        valid,
        assumed: reader.assumed,
    })
}

const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl<'a> StatementReader<'a> {
    fn member(&self, name: &str) -> Option<&'a Json<'a>> {
        self.members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    fn invalid<T>(&mut self, text: &str) -> Option<T> {
        self.wrong.push(text.to_owned());
        None
    }

    fn check_names(&mut self) {
        for (key, _) in self.members {
            if ELEMENTS.contains(&&**key) {
                continue;
            }
            if ELEMENTS
                .iter()
                .any(|element| element.eq_ignore_ascii_case(key))
            {
                self.assumed.insert(Assumption::ElementCase);
            }
            self.wrong.push(format!("AWS has no element `{key}`"));
        }
    }

    /// A text or a list of texts.
    fn texts(&mut self, name: &str) -> Option<Vec<&'a str>> {
        let text = |value: &'a Json<'a>| match value {
            Json::String(text) => Some(&**text),
            _ => None,
        };
        let texts = match self.member(name)? {
            Json::Array(items) => items.iter().map(text).collect(),
            single => text(single).map(|text| vec![text]),
        };
        if texts.is_none() {
            self.wrong.push(format!(
                "its `{name}` is neither a text nor a list of texts"
            ));
        }
        texts
    }

    /// Which of an element and its negation is there; exactly one must be.
    fn one_of(
        &mut self,
        plain: &'static str,
        negated: &'static str,
    ) -> Option<(&'static str, bool)> {
        match (self.member(plain), self.member(negated)) {
            (Some(_), None) => Some((plain, false)),
            (None, Some(_)) => Some((negated, true)),
            (Some(_), Some(_)) => {
                self.wrong
                    .push(format!("it has both `{plain}` and `{negated}`"));
                None
            }
            (None, None) => {
                self.wrong
                    .push(format!("it has neither `{plain}` nor `{negated}`"));
                None
            }
        }
    }

    /// Where the element is missing or wrong the statement is invalid, and taken to be about every action.
    fn actions(&mut self) -> ActionSet {
        let read = self
            .one_of("Action", "NotAction")
            .and_then(|(name, negated)| Some((negated, self.texts(name)?)));
        let (negated, texts) = read.unwrap_or_else(|| (false, vec!["*"]));
        ActionSet::new(negated, &texts, &mut self.assumed)
    }

    fn resources(&mut self, version: Version, kind: PolicyKind) -> Option<ResourceSet> {
        if kind == PolicyKind::Trust {
            return None;
        }
        let (name, negated) = self.one_of("Resource", "NotResource")?;
        let texts = self.texts(name)?;
        Some(ResourceSet {
            negated,
            patterns: texts
                .iter()
                .map(|text| ResourcePattern::new(text, version, kind))
                .collect(),
        })
    }

    fn principal(&mut self, kind: PolicyKind) -> Option<PrincipalElement> {
        let (plain, negated) = (self.member("Principal"), self.member("NotPrincipal"));
        match kind {
            PolicyKind::Identity | PolicyKind::Session | PolicyKind::ServiceControl => {
                if plain.is_some() || negated.is_some() {
                    self.wrong
                        .push("a policy of this kind names no principal".to_owned());
                }
                return None;
            }
            PolicyKind::Resource
            | PolicyKind::Trust
            | PolicyKind::ResourceControl
            | PolicyKind::Endpoint => {}
        }
        match (plain, negated) {
            (Some(element), None) => self.entries(element, false),
            (None, Some(element)) => {
                if matches!(kind, PolicyKind::Trust | PolicyKind::ResourceControl) {
                    self.wrong
                        .push("a policy of this kind may not use `NotPrincipal`".to_owned());
                }
                self.entries(element, true)
            }
            (Some(_), Some(_)) => self.invalid("it has both `Principal` and `NotPrincipal`"),
            (None, None) => {
                // Stored by SQS long ago; nobody is meant (A-NOPRIN).
                self.assumed.insert(Assumption::NoPrincipal);
                Some(PrincipalElement {
                    negated: false,
                    entries: Vec::new(),
                })
            }
        }
    }

    fn entries(&mut self, element: &Json<'_>, negated: bool) -> Option<PrincipalElement> {
        let mut entries = Vec::new();
        match element {
            Json::String(text) if text == "*" => entries.push(PrincipalEntry::Everyone),
            Json::Object(members) => {
                for (key, value) in members {
                    let values: Vec<&Json<'_>> = match value {
                        Json::Array(items) => items.iter().collect(),
                        single => vec![single],
                    };
                    for value in values {
                        let Json::String(text) = value else {
                            return self.invalid("a principal in it is not a text");
                        };
                        entries.push(match &**key {
                            "AWS" => PrincipalEntry::aws(text),
                            "Service" => PrincipalEntry::Service(text.to_string()),
                            "Federated" => PrincipalEntry::Federated(text.to_string()),
                            "CanonicalUser" => PrincipalEntry::Unmatchable(text.to_string()),
                            _ => return self.invalid("AWS has no such type of principal"),
                        });
                    }
                }
            }
            _ => return self.invalid("its principal is neither `*` nor an object"),
        }
        Some(PrincipalElement { negated, entries })
    }

    fn conditions(&mut self, version: Version) -> Vec<Clause> {
        let mut clauses = Vec::new();
        let operators = match self.member("Condition") {
            None => return clauses,
            Some(Json::Object(operators)) => operators,
            Some(_) => {
                self.wrong
                    .push("its `Condition` is not an object".to_owned());
                return clauses;
            }
        };
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else {
                self.wrong
                    .push(format!("its condition `{operator}` is not an object"));
                continue;
            };
            let mut seen = HashSet::with_capacity(keys.len());
            for (key, values) in keys {
                if !seen.insert(key.to_lowercase()) {
                    self.assumed.insert(Assumption::DuplicateKeyCase);
                }
                match condition_values(values) {
                    Some(values) => clauses.push(Clause::new(operator, key, values, version)),
                    None => self
                        .wrong
                        .push(format!("a value of its condition on `{key}` is not a text")),
                }
            }
        }
        clauses
    }
}

/// Texts, numbers and booleans are values; a single one and a list of one are the same.
fn condition_values(values: &Json<'_>) -> Option<Vec<String>> {
    let text = |value: &Json<'_>| match value {
        Json::String(text) => Some(text.to_string()),
        Json::Number(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    match values {
        Json::Array(items) => items.iter().map(text).collect(),
        single => Some(vec![text(single)?]),
    }
}
