//! One line of a `Condition` block: an operator, a key and its values, evaluated against a request (C1 to C8, A.8).

use std::fmt;

use super::assumption::{Assumption, Assumptions};
use super::condition::{Base, Operator, Quantifier, Test, Value};
use super::context::{ContextKeys, Domain, Lookup, is_multivalued};
use super::document::Version;
use super::formula::{Formula, OpenReason};
use super::template::{Resolved, Template};

/// One operator applied to one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// None when AWS has no such operator.
    operator: Option<Operator>,
    operator_text: String,
    /// As written.
    key: String,
    /// In lower case: names of keys are case-insensitive (C5).
    key_lower: String,
    values: Vec<(String, Template)>,
    assumed: Assumptions,
}

impl Clause {
    pub(super) fn new(operator: &str, key: &str, values: Vec<String>, version: Version) -> Self {
        let mut assumed = Assumptions::default();
        let parsed = Operator::parse(operator, &mut assumed);
        if values.is_empty() {
            assumed.insert(Assumption::EmptyValues);
        }
        let version = match parsed {
            Some(operator) if operator.takes_variables() => version,
            // Elsewhere `${…}` is plain text, as in the older version.
            _ => Version::V2008,
        };
        Self {
            operator: parsed,
            operator_text: operator.to_owned(),
            key: key.to_owned(),
            key_lower: key.to_lowercase(),
            values: values
                .into_iter()
                .map(|value| {
                    let template = Template::new(&value, version);
                    (value, template)
                })
                .collect(),
            assumed,
        }
    }

    /// The condition key as written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The condition key in lower case.
    pub fn key_lower(&self) -> &str {
        &self.key_lower
    }

    /// The operator; none when AWS has no operator of that name.
    pub fn operator(&self) -> Option<Operator> {
        self.operator
    }

    /// The values as written.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(text, _)| text.as_str())
    }

    /// The keys of the variables in its values, in lower case.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .flat_map(|(_, template)| template.variables())
    }

    /// When the clause holds.
    pub(super) fn evaluate(&self, keys: &dyn ContextKeys, assumed: &mut Assumptions) -> Formula {
        assumed.extend(self.assumed);
        let Some(operator) = self.operator else {
            return Formula::open(
                OpenReason::UnknownOperator,
                format!("{} {} (unknown operator)", self.key, self.operator_text),
            );
        };
        let lookup = keys.lookup(&self.key_lower);
        if operator.base != Base::Null
            && operator.quantifier == Quantifier::Single
            && !is_absent(&lookup)
            && is_multivalued(&self.key_lower)
        {
            assumed.insert(Assumption::NoSetOperator);
            return if operator.negated {
                Formula::open(
                    OpenReason::Undocumented(Assumption::NoSetOperator),
                    format!("{} {operator} without a set operator", self.key),
                )
            } else {
                Formula::Never
            };
        }
        let (values, open_variables) = self.resolve(operator, keys, assumed);
        let mut test = Test {
            operator,
            key: self.key.clone(),
            values,
            domain: Domain::ANYTHING,
        };
        let known = match &lookup {
            Lookup::Absent => Some(test.holds_when_absent()),
            Lookup::One(value) => Some(test.holds_for_all(&[value])),
            Lookup::Many(values) => Some(test.holds_for_all(values)),
            Lookup::Open(_) => None,
        };
        if !open_variables.is_empty() {
            return self.with_open_variables(operator, &lookup, known, &open_variables);
        }
        match (known, lookup) {
            (Some(holds), _) => Formula::constant(holds),
            (None, Lookup::Open(domain)) => {
                test.domain = domain;
                Formula::test(test).settled_condition()
            }
            (None, _) => Formula::Never,
        }
    }

    /// The values after substitution, and the texts of those that hang on an unknown variable. A value whose variable is
    /// missing is left out: nothing equals it (V6).
    fn resolve(
        &self,
        operator: Operator,
        keys: &dyn ContextKeys,
        assumed: &mut Assumptions,
    ) -> (Vec<Value>, Vec<String>) {
        let mut values = Vec::with_capacity(self.values.len());
        let mut open = Vec::new();
        for (text, template) in &self.values {
            match template.resolve(keys, operator.has_wildcards(), assumed) {
                Resolved::Fixed(glob) => {
                    let shown = if template.has_variables() {
                        glob.to_string()
                    } else {
                        text.clone()
                    };
                    values.push(Value::new(operator.base, &shown, glob, assumed));
                }
                Resolved::Missing => {}
                // In another call the same variable is another unknown.
                Resolved::Open { widest, call, .. } => open.push((format!("{text}{call}"), widest)),
            }
        }
        // A value that could not equal anything present, whatever its variable is, is decided by the widest pattern.
        if let Lookup::One(present) = keys.lookup(&self.key_lower)
            && matches!(operator.base, Base::StringEquals | Base::StringLike)
        {
            open.retain(|(_, widest)| widest.matches(&present));
        }
        (values, open.into_iter().map(|(text, _)| text).collect())
    }

    /// The result when some values hang on variables that are not known.
    fn with_open_variables(
        &self,
        operator: Operator,
        lookup: &Lookup<'_>,
        known: Option<bool>,
        open: &[String],
    ) -> Formula {
        // One more value can only make a positive test true and a negated one false.
        let decided = match (lookup, known) {
            (Lookup::Absent, Some(holds)) => Some(holds),
            (_, Some(holds)) if holds != operator.negated => Some(holds),
            _ => None,
        };
        let call = match lookup {
            Lookup::Open(domain) => domain.which_call(),
            Lookup::Absent | Lookup::One(_) | Lookup::Many(_) => String::new(),
        };
        decided.map_or_else(
            || {
                Formula::open(
                    OpenReason::Variable,
                    format!("{}{call} {operator} {}", self.key, open.join(", ")),
                )
            },
            Formula::constant,
        )
    }
}

/// Whether a request comes without the key; an empty set of values counts as that (S2, S3).
fn is_absent(lookup: &Lookup<'_>) -> bool {
    match lookup {
        Lookup::Absent => true,
        Lookup::Many(values) => values.is_empty(),
        Lookup::One(_) | Lookup::Open(_) => false,
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.key, self.operator_text)?;
        match self.values.as_slice() {
            [(value, _)] => f.write_str(value),
            values => {
                let texts: Vec<&str> = values.iter().map(|(text, _)| text.as_str()).collect();
                write!(f, "[{}]", texts.join(", "))
            }
        }
    }
}
