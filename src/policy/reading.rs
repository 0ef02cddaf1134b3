//! What the JSON of a policy document says, statement by statement: what AWS would accept becomes statements, what it would not is
//! named (sections A.1 to A.3). Implements "IAM JSON policy elements reference" of the IAM user guide.

use std::collections::HashSet;
use std::sync::Arc;

use super::assumption::{Assumption, Assumptions};
use super::clause::Clause;
use super::document::{
    ActionSet, Effect, PolicyKind, PrincipalElement, Problem, ResourceSet, Statement, Version,
};
use super::json::{Json, Member};
use super::principal::PrincipalEntry;
use super::resource::ResourcePattern;

/// The statements of a document, with what is wrong with each; an error where it cannot be told what its statements are.
pub(super) fn read_document(
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

/// The elements of a statement, in the order in which people read them.
pub(crate) const ELEMENTS: [&str; 9] = [
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
