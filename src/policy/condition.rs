//! Condition operators, and tests of one context key. Implements "IAM JSON policy elements: Condition operators".

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::assumption::{Assumption, Assumptions};
use super::context::Domain;
use super::glob::{Glob, Token};
use super::letter_case::{equals_folded, folded};
use super::number::Number;

/// How the values of a multivalued key are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// No set operator.
    Single,
    /// `ForAllValues:`.
    ForAllValues,
    /// `ForAnyValue:`.
    ForAnyValue,
}

/// How two ordered values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Equals,
    /// Less.
    LessThan,
    /// Less or equal.
    LessThanEquals,
    /// Greater.
    GreaterThan,
    /// Greater or equal.
    GreaterThanEquals,
}

/// What an operator compares, before any negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// Exact text.
    StringEquals,
    /// Exact text, letter case ignored.
    StringEqualsIgnoreCase,
    /// A pattern over the whole text.
    StringLike,
    /// Numbers.
    Numeric(Comparison),
    /// Instants.
    Date(Comparison),
    /// `true` or `false`.
    Bool,
    /// Bytes, as base64.
    Binary,
    /// Addresses in a CIDR range.
    IpAddress,
    /// ARN components, each a pattern. `ArnEquals` and `ArnLike` are the same.
    Arn,
    /// Presence of the key.
    Null,
}

const OPERATORS: [(&str, Base, bool); 27] = {
    use Comparison::{Equals, GreaterThan, GreaterThanEquals, LessThan, LessThanEquals};
    [
        ("StringEquals", Base::StringEquals, false),
        ("StringNotEquals", Base::StringEquals, true),
        (
            "StringEqualsIgnoreCase",
            Base::StringEqualsIgnoreCase,
            false,
        ),
        (
            "StringNotEqualsIgnoreCase",
            Base::StringEqualsIgnoreCase,
            true,
        ),
        ("StringLike", Base::StringLike, false),
        ("StringNotLike", Base::StringLike, true),
        ("NumericEquals", Base::Numeric(Equals), false),
        ("NumericNotEquals", Base::Numeric(Equals), true),
        ("NumericLessThan", Base::Numeric(LessThan), false),
        (
            "NumericLessThanEquals",
            Base::Numeric(LessThanEquals),
            false,
        ),
        ("NumericGreaterThan", Base::Numeric(GreaterThan), false),
        (
            "NumericGreaterThanEquals",
            Base::Numeric(GreaterThanEquals),
            false,
        ),
        ("DateEquals", Base::Date(Equals), false),
        ("DateNotEquals", Base::Date(Equals), true),
        ("DateLessThan", Base::Date(LessThan), false),
        ("DateLessThanEquals", Base::Date(LessThanEquals), false),
        ("DateGreaterThan", Base::Date(GreaterThan), false),
        (
            "DateGreaterThanEquals",
            Base::Date(GreaterThanEquals),
            false,
        ),
        ("Bool", Base::Bool, false),
        ("BinaryEquals", Base::Binary, false),
        ("IpAddress", Base::IpAddress, false),
        ("NotIpAddress", Base::IpAddress, true),
        ("ArnLike", Base::Arn, false),
        ("ArnNotLike", Base::Arn, true),
        ("ArnEquals", Base::Arn, false),
        ("ArnNotEquals", Base::Arn, true),
        ("Null", Base::Null, false),
    ]
};

/// A condition operator with its set prefix and its `IfExists` suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operator {
    /// The set prefix.
    pub quantifier: Quantifier,
    /// What is compared.
    pub base: Base,
    /// Whether the comparison is negated (`…Not…`).
    pub negated: bool,
    /// Whether an absent key makes the test true.
    pub if_exists: bool,
}

impl Operator {
    /// Reads an operator, letter case ignored (assumption C-OPCASE); `None` when there is no such operator.
    pub(super) fn parse(text: &str, assumed: &mut Assumptions) -> Option<Self> {
        if let Some((_, base, negated)) = OPERATORS.iter().find(|(name, ..)| *name == text) {
            return Some(Self {
                quantifier: Quantifier::Single,
                base: *base,
                negated: *negated,
                if_exists: false,
            });
        }
        let lower = text.to_ascii_lowercase();
        let (prefix, quantifier, rest) = if let Some(rest) = lower.strip_prefix("forallvalues:") {
            ("ForAllValues:", Quantifier::ForAllValues, rest)
        } else if let Some(rest) = lower.strip_prefix("foranyvalue:") {
            ("ForAnyValue:", Quantifier::ForAnyValue, rest)
        } else {
            ("", Quantifier::Single, lower.as_str())
        };
        let (name, suffix) = match rest.strip_suffix("ifexists") {
            Some(name) => (name, "IfExists"),
            None => (rest, ""),
        };
        let if_exists = !suffix.is_empty();
        let (canonical, base, negated) = OPERATORS
            .iter()
            .find(|(operator, ..)| operator.eq_ignore_ascii_case(name))?;
        if *base == Base::Null && (if_exists || quantifier != Quantifier::Single) {
            return None;
        }
        if text != format!("{prefix}{canonical}{suffix}") {
            assumed.insert(Assumption::OperatorCase);
        }
        Some(Self {
            quantifier,
            base: *base,
            negated: *negated,
            if_exists,
        })
    }

    /// The result when the request does not carry the key. Not for `Null`.
    pub(super) fn when_absent(self) -> bool {
        self.if_exists
            || match self.quantifier {
                Quantifier::ForAllValues => true,
                Quantifier::ForAnyValue => false,
                Quantifier::Single => self.negated,
            }
    }

    /// Whether `*` and `?` in its values are wildcards.
    pub(super) fn has_wildcards(self) -> bool {
        matches!(self.base, Base::StringLike | Base::Arn)
    }

    /// Whether policy variables in its values are replaced (V2).
    pub(super) fn takes_variables(self) -> bool {
        matches!(
            self.base,
            Base::StringEquals
                | Base::StringEqualsIgnoreCase
                | Base::StringLike
                | Base::Arn
                | Base::Bool
        )
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = OPERATORS
            .iter()
            .find(|(_, base, negated)| *base == self.base && *negated == self.negated)
            .map_or("?", |(name, ..)| name);
        let prefix = match self.quantifier {
            Quantifier::Single => "",
            Quantifier::ForAllValues => "ForAllValues:",
            Quantifier::ForAnyValue => "ForAnyValue:",
        };
        let suffix = if self.if_exists { "IfExists" } else { "" };
        write!(f, "{prefix}{name}{suffix}")
    }
}

/// One policy value, made ready for comparing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) matcher: Matcher,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Matcher {
    Text(Glob),
    /// Folded ([`folded`]).
    TextIgnoringCase(String),
    Arn(Vec<Glob>),
    Number(Number),
    /// Milliseconds since 1970.
    Instant(i64),
    Bool(bool),
    Binary(String),
    Range(AddressRange),
    /// A value of the wrong form: nothing equals it.
    Nothing,
}

/// A CIDR range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AddressRange {
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
}

impl AddressRange {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        match address.parse().ok()? {
            // A range of mapped addresses is one of IPv4, as the addresses in it are.
            IpAddr::V6(mapped)
                if let Some(address) = mapped.to_ipv4_mapped()
                    && let Some(prefix) = prefix.unwrap_or(128).checked_sub(96) =>
            {
                Self::parse(&format!("{address}/{prefix}"))
            }
            IpAddr::V4(address) => {
                let prefix = prefix.unwrap_or(32);
                let mask = u32::MAX
                    .checked_shl(32_u32.checked_sub(prefix)?)
                    .unwrap_or(0);
                let first = u32::from(address) & mask;
                Some(Self {
                    first: IpAddr::V4(first.into()),
                    last: IpAddr::V4((first | !mask).into()),
                })
            }
            IpAddr::V6(address) => {
                let prefix = prefix.unwrap_or(128);
                let mask = u128::MAX
                    .checked_shl(128_u32.checked_sub(prefix)?)
                    .unwrap_or(0);
                let first = u128::from(address) & mask;
                Some(Self {
                    first: IpAddr::V6(first.into()),
                    last: IpAddr::V6((first | !mask).into()),
                })
            }
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

impl Value {
    /// Makes a policy value ready; `pattern` is the text after substitution of variables.
    pub(super) fn new(
        base: Base,
        text: impl Into<String>,
        pattern: Glob,
        assumed: &mut Assumptions,
    ) -> Self {
        let plain = || match pattern.as_literal() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(pattern.to_string()),
        };
        let matcher = match base {
            Base::StringEquals | Base::StringLike => Matcher::Text(pattern),
            Base::StringEqualsIgnoreCase => {
                Matcher::TextIgnoringCase(plain().chars().map(folded).collect())
            }
            Base::Arn => {
                if let Some(fields) = arn_fields(&pattern) {
                    Matcher::Arn(fields)
                } else {
                    assumed.insert(Assumption::ShortArnValue);
                    Matcher::Nothing
                }
            }
            Base::Numeric(_) => Number::parse(&plain()).map_or(Matcher::Nothing, Matcher::Number),
            Base::Date(_) => instant(&plain()).map_or(Matcher::Nothing, Matcher::Instant),
            Base::Bool | Base::Null => {
                let plain = plain();
                if plain.eq_ignore_ascii_case("true") {
                    Matcher::Bool(true)
                } else if plain.eq_ignore_ascii_case("false") {
                    Matcher::Bool(false)
                } else {
                    Matcher::Nothing
                }
            }
            Base::Binary => Matcher::Binary(plain().trim_end_matches('=').to_owned()),
            Base::IpAddress => {
                AddressRange::parse(&plain()).map_or(Matcher::Nothing, Matcher::Range)
            }
        };
        Self {
            text: text.into(),
            matcher,
        }
    }

    /// Whether the request's value equals, matches or compares as the operator's base says.
    fn accepts(&self, base: Base, value: &str) -> bool {
        match &self.matcher {
            Matcher::Text(glob) => glob.matches(value),
            Matcher::TextIgnoringCase(text) => equals_folded(value, text),
            Matcher::Arn(fields) => {
                value.splitn(6, ':').count() == 6
                    && fields
                        .iter()
                        .zip(value.splitn(6, ':'))
                        .all(|(pattern, field)| pattern.matches(field))
            }
            Matcher::Bool(wanted) => {
                value.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
            }
            Matcher::Binary(bytes) => value.trim_end_matches('=') == bytes,
            Matcher::Number(_) | Matcher::Instant(_) | Matcher::Range(_) => {
                Point::parse(base, value).is_some_and(|point| self.accepts_point(base, &point))
            }
            Matcher::Nothing => false,
        }
    }

    /// The same for a value that is already read as a number, an instant or an address.
    fn accepts_point(&self, base: Base, point: &Point) -> bool {
        match (&self.matcher, base, point) {
            (Matcher::Number(bound), Base::Numeric(comparison), Point::Number(number)) => {
                compares(comparison, number.cmp(bound))
            }
            (Matcher::Instant(bound), Base::Date(comparison), Point::Instant(instant)) => {
                compares(comparison, instant.cmp(bound))
            }
            (Matcher::Range(range), Base::IpAddress, Point::Address(address)) => {
                range.contains(*address)
            }
            _ => false,
        }
    }
}

/// A value that is no text: a point on a line, of which policies name ranges.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Point {
    Number(Number),
    /// Milliseconds since 1970.
    Instant(i64),
    Address(IpAddr),
    /// What none of the others can be read from; no comparison holds for it.
    Other,
}

impl Point {
    /// Reads a value as what an operator with this base compares; `None` when it cannot be read so.
    pub(super) fn parse(base: Base, value: &str) -> Option<Self> {
        match base {
            Base::Numeric(_) => Number::parse(value).map(Self::Number),
            Base::Date(_) => instant(value).map(Self::Instant),
            // An IPv4 address is the same in its IPv6 spelling, `::ffff:192.0.2.1`.
            Base::IpAddress => value
                .parse()
                .ok()
                .map(|address: IpAddr| Self::Address(address.to_canonical())),
            _ => None,
        }
    }
}

fn compares(comparison: Comparison, ordering: std::cmp::Ordering) -> bool {
    match comparison {
        Comparison::Equals => ordering.is_eq(),
        Comparison::LessThan => ordering.is_lt(),
        Comparison::LessThanEquals => ordering.is_le(),
        Comparison::GreaterThan => ordering.is_gt(),
        Comparison::GreaterThanEquals => ordering.is_ge(),
    }
}

/// The six components of an ARN pattern, split at the first five colons; `None` when there are fewer (rule O3).
fn arn_fields(pattern: &Glob) -> Option<Vec<Glob>> {
    let mut fields: Vec<Vec<Token>> = vec![Vec::new()];
    for token in pattern.tokens() {
        if token == Token::Char(':') && fields.len() < 6 {
            fields.push(Vec::new());
        } else if let Some(field) = fields.last_mut() {
            field.push(token);
        }
    }
    (fields.len() == 6).then(|| fields.into_iter().map(Glob::from_tokens).collect())
}

/// Milliseconds since 1970 of a date in the W3C profile of ISO 8601, or of epoch seconds. An instant before or after all that
/// can be counted is the first or the last.
pub(super) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > 4
        && let Ok(seconds) = text.parse::<i128>()
    {
        let milliseconds = seconds.saturating_mul(1000);
        let limit = if seconds < 0 { i64::MIN } else { i64::MAX };
        return Some(i64::try_from(milliseconds).unwrap_or(limit));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let minutes = text.strip_suffix('Z').unwrap_or(text);
    if let Ok(time) = NaiveDateTime::parse_from_str(minutes, "%Y-%m-%dT%H:%M") {
        return Some(time.and_utc().timestamp_millis());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z") {
        return Some(time.timestamp_millis());
    }
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let day = NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

/// A test of one context key whose outcome is not known, with what is known of the key.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub(super) operator: Operator,
    /// As written in the policy.
    pub(super) key: String,
    pub(super) values: Vec<Value>,
    pub(super) domain: Domain,
}

impl Test {
    /// The key in lower case.
    pub fn key(&self) -> String {
        self.key.to_lowercase()
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// Whether the request may come without the key.
    pub fn may_be_absent(&self) -> bool {
        self.domain.may_be_absent
    }

    /// The call whose key it is; none when it is the request's own ([`Domain::call`]).
    pub fn call(&self) -> Option<&'static str> {
        self.domain.call
    }

    /// The values of the policy, as written there.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| value.text.as_str())
    }

    /// The outcome for a request that carries the key with this one value.
    pub(super) fn holds_for(&self, value: &str) -> bool {
        if self.operator.base == Base::Null {
            return self.wants_presence(true);
        }
        self.values
            .iter()
            .any(|candidate| candidate.accepts(self.operator.base, value))
            != self.operator.negated
    }

    /// The outcome for a request that carries the key with one value, which reads as this point.
    pub(super) fn holds_for_point(&self, point: &Point) -> bool {
        self.values
            .iter()
            .any(|candidate| candidate.accepts_point(self.operator.base, point))
            != self.operator.negated
    }

    /// The outcome for a request that carries the key with these values.
    pub(super) fn holds_for_all(&self, values: &[impl AsRef<str>]) -> bool {
        if self.operator.base == Base::Null {
            return self.wants_presence(!values.is_empty());
        }
        if values.is_empty() {
            return self.operator.when_absent();
        }
        let mut outcomes = values.iter().map(|value| self.holds_for(value.as_ref()));
        match self.operator.quantifier {
            Quantifier::ForAllValues => outcomes.all(|holds| holds),
            Quantifier::Single | Quantifier::ForAnyValue => outcomes.any(|holds| holds),
        }
    }

    /// The outcome for a request that does not carry the key.
    pub fn holds_when_absent(&self) -> bool {
        if self.operator.base == Base::Null {
            self.wants_presence(false)
        } else {
            self.operator.when_absent()
        }
    }

    fn wants_presence(&self, present: bool) -> bool {
        self.values
            .iter()
            .any(|value| value.matcher == Matcher::Bool(!present))
    }

    /// The test that holds exactly when this one does not, when one operator says so.
    pub(super) fn inverse(&self) -> Option<Self> {
        let operator = self.operator;
        if operator.quantifier != Quantifier::Single || operator.if_exists {
            return None;
        }
        if operator.base == Base::Null {
            let [value] = self.values.as_slice() else {
                return None;
            };
            let Matcher::Bool(absent) = value.matcher else {
                return None;
            };
            return Some(Self {
                values: vec![Value {
                    text: (!absent).to_string(),
                    matcher: Matcher::Bool(!absent),
                }],
                ..self.clone()
            });
        }
        OPERATORS
            .iter()
            .any(|(_, base, negated)| *base == operator.base && *negated != operator.negated)
            .then(|| Self {
                operator: Operator {
                    negated: !operator.negated,
                    ..operator
                },
                ..self.clone()
            })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.key, self.operator)?;
        match self.values.as_slice() {
            [value] => f.write_str(&value.text)?,
            values => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(&value.text)?;
                }
                f.write_str("]")?;
            }
        }
        f.write_str(&self.domain.which_call())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_read_with_prefix_and_suffix() {
        let mut assumed = Assumptions::default();
        let operator = Operator::parse("ForAnyValue:StringNotLikeIfExists", &mut assumed).unwrap();
        assert_eq!(operator.quantifier, Quantifier::ForAnyValue);
        assert_eq!(operator.base, Base::StringLike);
        assert!(operator.negated && operator.if_exists);
        assert_eq!(operator.to_string(), "ForAnyValue:StringNotLikeIfExists");
        assert_eq!(assumed.iter().count(), 0);
        assert!(Operator::parse("stringequals", &mut assumed).is_some());
        assert_eq!(assumed.iter().next(), Some(Assumption::OperatorCase));
        assert!(Operator::parse("NullIfExists", &mut assumed).is_none());
        assert!(Operator::parse("StringMatches", &mut assumed).is_none());
    }

    #[test]
    fn dates_are_read_in_every_form_of_the_profile() {
        let day = instant("2020-01-01").unwrap();
        for text in [
            "2020",
            "2020-01",
            "2020-01-01T00:00Z",
            "2020-01-01T00:00:00Z",
            "2020-01-01T01:00:00+01:00",
            "2020-01-01T01:00+01:00",
            "2020-01-01T00:00:00.000Z",
            "1577836800",
        ] {
            assert_eq!(instant(text), Some(day), "{text}");
        }
        assert_eq!(instant("yesterday"), None);
        assert_eq!(instant(""), None);
        assert_eq!(instant("2020-13-01"), None);
        // Later than all that can be counted, yet later than today.
        assert_eq!(instant("99999999999999999999"), Some(i64::MAX));
        assert_eq!(instant("-99999999999999999999"), Some(i64::MIN));
    }

    #[test]
    fn address_ranges_hold_their_own_family_only() {
        let range = AddressRange::parse("203.0.113.0/24").unwrap();
        assert!(range.contains("203.0.113.255".parse().unwrap()));
        assert!(!range.contains("203.0.114.0".parse().unwrap()));
        assert!(!range.contains("::1".parse().unwrap()));
        let all = AddressRange::parse("0.0.0.0/0").unwrap();
        assert!(all.contains("255.1.2.3".parse().unwrap()));
        let six = AddressRange::parse("2001:db8::/32").unwrap();
        assert!(six.contains("2001:db8:ffff::1".parse().unwrap()));
        assert!(AddressRange::parse("10.0.0.0/33").is_none());
        assert!(AddressRange::parse("").is_none());
        assert!(AddressRange::parse("10.0.0.0/").is_none());
        assert_eq!(
            AddressRange::parse("::ffff:10.0.0.0/104"),
            AddressRange::parse("10.0.0.0/8")
        );
    }
}
