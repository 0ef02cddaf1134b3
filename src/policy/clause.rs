//! One line of a `Condition` block: an operator, a key and its values, evaluated against a request (C1 to C8, A.8).

use std::fmt;

use super::assumption::{Assumption, Assumptions};
use super::condition::{Base, Operator, Quantifier, Test, Value};
use super::context::{ContextKeys, Domain, Lookup, is_multivalued};
use super::document::Version;
use super::formula::{Formula, OpenReason};
use super::glob::Glob;
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
    operands: Operands,
    assumed: Assumptions,
}

/// The values, as far as they can be made ready before a request is there.
#[derive(Debug, Clone, PartialEq)]
enum Operands {
    /// They hold no variables: the test is complete. With what was assumed in reading them.
    Fixed(Test, Assumptions),
    /// Their texts as written, with the variables found in them.
    Templates(Vec<(String, Template)>),
}

impl Operands {
    fn new(operator: Option<Operator>, key: &str, texts: Vec<String>, version: Version) -> Self {
        // Where an operator takes no variables, `${…}` is plain text, as in the older version.
        let takes_variables = version == Version::V2012
            && operator.is_some_and(Operator::takes_variables)
            && texts.iter().any(|text| text.contains("${"));
        match operator {
            Some(operator) if !takes_variables => {
                let mut assumed = Assumptions::default();
                let values = texts
                    .into_iter()
                    .map(|text| {
                        let pattern = if operator.has_wildcards() {
                            Glob::new(&text)
                        } else {
                            Glob::literal(&text)
                        };
                        Value::new(operator.base, text, pattern, &mut assumed)
                    })
                    .collect();
                let test = Test {
                    operator,
                    key: key.to_owned(),
                    values,
                    domain: Domain::ANYTHING,
                };
                Self::Fixed(test, assumed)
            }
            _ => Self::Templates(
                texts
                    .into_iter()
                    .map(|text| {
                        let template = Template::new(&text, version);
                        (text, template)
                    })
                    .collect(),
            ),
        }
    }
}

impl Clause {
    pub(super) fn new(operator: &str, key: &str, values: Vec<String>, version: Version) -> Self {
        let mut assumed = Assumptions::default();
        let parsed = Operator::parse(operator, &mut assumed);
        if values.is_empty() {
            assumed.insert(Assumption::EmptyValues);
        }
        Self {
            operator: parsed,
            operator_text: operator.to_owned(),
            key: key.to_owned(),
            key_lower: key.to_lowercase(),
            operands: Operands::new(parsed, key, values, version),
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
        let (fixed, templates) = match &self.operands {
            Operands::Fixed(test, _) => (test.values.as_slice(), &[][..]),
            Operands::Templates(templates) => (&[][..], templates.as_slice()),
        };
        let fixed = fixed.iter().map(|value| value.text.as_str());
        fixed.chain(templates.iter().map(|(text, _)| text.as_str()))
    }

    /// The keys of the variables in its values, in lower case.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let templates = match &self.operands {
            Operands::Fixed(..) => &[][..],
            Operands::Templates(templates) => templates,
        };
        templates
            .iter()
            .flat_map(|(_, template)| template.variables())
    }

    /// When the clause holds in requests with these keys.
    pub fn when(&self, keys: &dyn ContextKeys) -> Formula {
        self.evaluate(keys, &mut Assumptions::default())
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
            return match &lookup {
                _ if operator.negated => Formula::open(
                    OpenReason::Undocumented(Assumption::NoSetOperator),
                    format!("{} {operator} without a set operator", self.key),
                ),
                // No value satisfies it, absence may.
                Lookup::Open(domain) if operator.when_absent() => absence(&self.key, domain),
                _ => Formula::Never,
            };
        }
        let templates = match &self.operands {
            Operands::Fixed(test, values_assumed) => {
                assumed.extend(*values_assumed);
                return match outcome(test, &lookup) {
                    Ok(holds) => Formula::constant(holds),
                    Err(domain) => open_test(test.clone(), domain),
                };
            }
            Operands::Templates(templates) => templates,
        };
        let (values, open_variables) = self.resolve(templates, operator, keys, assumed);
        let test = Test {
            operator,
            key: self.key.clone(),
            values,
            domain: Domain::ANYTHING,
        };
        let known = outcome(&test, &lookup);
        if !open_variables.is_empty() {
            return self.with_open_variables(operator, &lookup, known.ok(), &open_variables);
        }
        match known {
            Ok(holds) => Formula::constant(holds),
            Err(domain) => open_test(test, domain),
        }
    }

    /// The values after substitution, and the texts of those that hang on an unknown variable. A value whose variable is
    /// missing is left out: nothing equals it (V6).
    fn resolve(
        &self,
        templates: &[(String, Template)],
        operator: Operator,
        keys: &dyn ContextKeys,
        assumed: &mut Assumptions,
    ) -> (Vec<Value>, Vec<String>) {
        let mut values = Vec::with_capacity(templates.len());
        let mut open = Vec::new();
        for (text, template) in templates {
            match template.resolve(keys, operator.has_wildcards(), assumed) {
                Resolved::Fixed(glob) => {
                    let shown = if template.has_variables() {
                        glob.to_string()
                    } else {
                        text.clone()
                    };
                    values.push(Value::new(operator.base, shown, glob, assumed));
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

/// The outcome of a test for what is known of its key; otherwise what the key could be.
fn outcome<'a>(test: &Test, lookup: &'a Lookup<'_>) -> Result<bool, &'a Domain> {
    match lookup {
        Lookup::Absent => Ok(test.holds_when_absent()),
        Lookup::One(value) => Ok(test.holds_for_all(&[value])),
        Lookup::Many(values) => Ok(test.holds_for_all(values)),
        Lookup::Open(domain) => Err(domain),
    }
}

/// The request does not carry the key.
fn absence(key: &str, domain: &Domain) -> Formula {
    let base = Base::Null;
    let test = Test {
        operator: Operator {
            quantifier: Quantifier::Single,
            base,
            negated: false,
            if_exists: false,
        },
        key: key.to_owned(),
        values: vec![Value::new(
            base,
            "true",
            Glob::literal("true"),
            &mut Assumptions::default(),
        )],
        domain: domain.clone(),
    };
    open_test(test, domain)
}

fn open_test(test: Test, domain: &Domain) -> Formula {
    Formula::test(Test {
        domain: domain.clone(),
        ..test
    })
    .settled_condition()
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.key, self.operator_text)?;
        let texts: Vec<&str> = self.values().collect();
        match texts.as_slice() {
            [text] => f.write_str(text),
            texts => write!(f, "[{}]", texts.join(", ")),
        }
    }
}
