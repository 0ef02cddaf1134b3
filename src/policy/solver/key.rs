//! One context key: whether it can have values, or be absent, so that every test of it comes out as wanted.
//!
//! A single-valued key has exactly one value. A multivalued key has a set of them, and each wanted outcome is either a demand
//! on every value or a demand on some value (S2, S3); since values are free of each other, a set exists when each demand on
//! some value can be met by a value that meets the demands on every value as well.

use std::net::IpAddr;

use super::super::condition::{Base, Matcher, Point, Quantifier, Test};
use super::super::context::{KeyType, is_multivalued};
use super::super::glob::Glob;
use super::super::number::Number;
use super::budget::Budget;
use super::walk::{Constraint, some_text};

/// A test and the outcome that is wanted of it.
type Wanted<'a> = (&'a Test, bool);

/// Whether the key can be such that every test of it has the outcome wanted; also true when the budget ends, or the question
/// is one that cannot be solved. `key` is in lower case.
pub(super) fn can_satisfy(key: &str, group: &[Wanted<'_>], budget: &mut Budget) -> bool {
    let may_be_absent = group.iter().all(|(test, _)| test.domain.may_be_absent);
    if may_be_absent
        && group
            .iter()
            .all(|(test, wanted)| test.holds_when_absent() == *wanted)
    {
        return true;
    }
    // Tests of presence are settled once the key is present.
    let (presence, demands): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) = group
        .iter()
        .copied()
        .partition(|(test, _)| test.operator.base == Base::Null);
    if presence
        .iter()
        .any(|(test, wanted)| test.holds_for("") != *wanted)
    {
        return false;
    }
    let value = OneValue {
        key_type: KeyType::of(key),
        shapes: group
            .iter()
            .filter_map(|(test, _)| test.domain.shape.as_ref())
            .collect(),
    };
    if !may_hold_several(key, &demands) {
        return value.can_meet(&demands, budget);
    }
    let (of_every, of_some): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) =
        demands.into_iter().partition(|&demand| is_of_every(demand));
    if of_some.is_empty() {
        return value.can_meet(&of_every, budget);
    }
    of_some.into_iter().all(|demand| {
        let mut demands = of_every.clone();
        demands.push(demand);
        value.can_meet(&demands, budget)
    })
}

/// Whether the key may hold several values: by its type, or because a policy treats a key of some service so, whose type is
/// not known here.
fn may_hold_several(key: &str, demands: &[Wanted<'_>]) -> bool {
    is_multivalued(key)
        || (!key.starts_with("aws:")
            && demands
                .iter()
                .any(|(test, _)| test.operator.quantifier != Quantifier::Single))
}

/// Whether the outcome is about every value of the key, not about some value.
fn is_of_every((test, wanted): Wanted<'_>) -> bool {
    match test.operator.quantifier {
        Quantifier::ForAllValues => wanted,
        // Without a set operator one value is enough, as for `ForAnyValue`.
        Quantifier::ForAnyValue | Quantifier::Single => !wanted,
    }
}

/// Whether one of the policy's values must accept, or none may.
fn must_accept((test, wanted): Wanted<'_>) -> bool {
    wanted != test.operator.negated
}

/// What an operator reads a value as; a value is often only one of these.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Number,
    Date,
    Address,
}

impl Family {
    fn of(base: Base) -> Self {
        match base {
            Base::Numeric(_) => Self::Number,
            Base::Date(_) => Self::Date,
            Base::IpAddress => Self::Address,
            Base::StringEquals
            | Base::StringEqualsIgnoreCase
            | Base::StringLike
            | Base::Arn
            | Base::Bool
            | Base::Binary
            | Base::Null => Self::Text,
        }
    }
}

/// What is known of one value, apart from what tests say.
struct OneValue<'a> {
    key_type: KeyType,
    shapes: Vec<&'a Glob>,
}

impl OneValue<'_> {
    /// Whether one value can give every test its wanted outcome.
    fn can_meet(&self, demands: &[Wanted<'_>], budget: &mut Budget) -> bool {
        if let Some(candidates) = self.candidates(demands) {
            return candidates
                .iter()
                .any(|text| self.fits(text, demands, budget));
        }
        let of = |family: Family| {
            let belongs = move |&(test, _): &Wanted<'_>| Family::of(test.operator.base) == family;
            demands.iter().copied().filter(belongs).collect::<Vec<_>>()
        };
        let texts = of(Family::Text);
        let points =
            [Family::Number, Family::Date, Family::Address].map(|family| (family, of(family)));
        let asks_for_bool = self.key_type == KeyType::Boolean
            || texts
                .iter()
                .any(|demand| demand.0.operator.base == Base::Bool && must_accept(*demand));
        if asks_for_bool {
            // `true` and `false` are neither numbers nor dates nor addresses.
            let no_point = |demand: &Wanted<'_>| !must_accept(*demand);
            return points
                .iter()
                .all(|(_, demands)| demands.iter().all(no_point))
                && self.some_text(&texts, budget);
        }
        let asked = |family: usize| {
            points
                .get(family)
                .is_some_and(|(_, demands)| demands.iter().any(|demand| must_accept(*demand)))
        };
        if asked(2) && (asked(0) || asked(1)) {
            // No text is both an address and a number or a date.
            return false;
        }
        // Exact for tests of one family. For several, each must be possible by itself; whether one value can be all of it
        // stays open.
        points
            .iter()
            .all(|(family, demands)| self.some_point(*family, demands, budget))
            && (texts.is_empty() && self.shapes.is_empty() || self.some_text(&texts, budget))
    }

    /// All texts that are possible, when a demand or a shape leaves only a few.
    fn candidates(&self, demands: &[Wanted<'_>]) -> Option<Vec<String>> {
        if let Some(shape) = self.shapes.iter().find_map(|shape| shape.as_literal()) {
            return Some(vec![shape.to_owned()]);
        }
        demands
            .iter()
            .filter(|demand| must_accept(**demand))
            .find_map(|(test, _)| accepted_texts(test))
    }

    fn fits(&self, text: &str, demands: &[Wanted<'_>], budget: &mut Budget) -> bool {
        let values = demands.iter().flat_map(|(test, _)| &test.values);
        if !budget.spend(
            values
                .map(|value| matching_work(&value.matcher, text))
                .sum(),
        ) {
            return true;
        }
        self.shapes.iter().all(|shape| shape.matches(text))
            && (self.key_type != KeyType::Boolean
                || text.eq_ignore_ascii_case("true")
                || text.eq_ignore_ascii_case("false"))
            && demands
                .iter()
                .all(|(test, wanted)| test.holds_for(text) == *wanted)
    }

    fn some_text(&self, demands: &[Wanted<'_>], budget: &mut Budget) -> bool {
        const BOOLEANS: [Matcher; 2] = [Matcher::Bool(true), Matcher::Bool(false)];
        let mut constraints: Vec<Constraint<'_>> = demands
            .iter()
            .map(|demand| {
                let values = demand.0.values.iter().map(|value| &value.matcher);
                Constraint::new(values, must_accept(*demand))
            })
            .collect();
        constraints.extend(self.shapes.iter().map(|shape| Constraint::shape(shape)));
        if self.key_type == KeyType::Boolean {
            constraints.push(Constraint::new(&BOOLEANS, true));
        }
        some_text(&constraints, budget)
    }

    /// Whether some value of the family, or one that is none of the family, meets the demands.
    fn some_point(&self, family: Family, demands: &[Wanted<'_>], budget: &mut Budget) -> bool {
        if demands.is_empty() {
            return true;
        }
        let bounds = || {
            demands
                .iter()
                .flat_map(|(test, _)| test.values.iter().map(|value| &value.matcher))
        };
        // What the candidates are made of: a number is as long as it is written.
        let length: usize = demands
            .iter()
            .flat_map(|(test, _)| test.values())
            .map(|text| 1 + text.len() / 8)
            .sum();
        let longest = demands
            .iter()
            .flat_map(|(test, _)| test.values())
            .map(str::len)
            .max();
        let values: usize = bounds().count();
        if !budget.spend(length + values * longest.unwrap_or(0) / 32) {
            return true;
        }
        let mut candidates = match family {
            Family::Number => numbers(bounds()),
            Family::Date => instants(bounds()),
            Family::Address => addresses(bounds()),
            Family::Text => return true,
        };
        let always = matches!(
            (family, self.key_type),
            (Family::Number, KeyType::Number)
                | (Family::Date, KeyType::Date)
                | (Family::Address, KeyType::Address)
        );
        if !always {
            candidates.push(Point::Other);
        }
        candidates.iter().any(|candidate| {
            // Points compare at once.
            !budget.spend(1 + values / 4)
                || demands
                    .iter()
                    .all(|(test, wanted)| test.holds_for_point(candidate) == *wanted)
        })
    }
}

/// The texts that a test accepts, when they are few: all its values are plain texts, compared with regard to letter case.
fn accepted_texts(test: &Test) -> Option<Vec<String>> {
    test.values
        .iter()
        .filter(|value| value.matcher != Matcher::Nothing)
        .map(|value| match &value.matcher {
            Matcher::Text(glob) => glob.as_literal().map(str::to_owned),
            Matcher::Arn(fields) => fields
                .iter()
                .map(Glob::as_literal)
                .collect::<Option<Vec<_>>>()
                .map(|fields| fields.join(":")),
            _ => None,
        })
        .collect()
}

/// The work of matching a text; patterns may go over it many times.
fn matching_work(matcher: &Matcher, text: &str) -> usize {
    1 + match matcher {
        Matcher::Text(glob) => glob.most_comparisons(text) / 32,
        Matcher::Arn(fields) => {
            let comparisons = fields.iter().map(|field| field.most_comparisons(text));
            comparisons.sum::<usize>() / 32
        }
        _ => text.len() / 32,
    }
}

// Outcomes change at the bounds only: a point at each bound and one behind it stand for all others.

fn numbers<'a>(bounds: impl Iterator<Item = &'a Matcher>) -> Vec<Point> {
    let bounds: Vec<&Number> = bounds
        .filter_map(|matcher| match matcher {
            Matcher::Number(bound) => Some(bound),
            _ => None,
        })
        .collect();
    let precision = bounds.iter().map(|bound| bound.precision()).max();
    let least = bounds.iter().map(|bound| bound.exponent()).min();
    let (precision, least) = (precision.unwrap_or(0), least.unwrap_or(0));
    let mut candidates = vec![Number::ZERO];
    for bound in bounds {
        candidates.push(bound.clone());
        candidates.push(bound.just_above(precision, least));
        candidates.push(bound.negated().just_above(precision, least).negated());
    }
    candidates.into_iter().map(Point::Number).collect()
}

fn instants<'a>(bounds: impl Iterator<Item = &'a Matcher>) -> Vec<Point> {
    let mut candidates = vec![0];
    for matcher in bounds {
        if let Matcher::Instant(bound) = matcher {
            candidates.extend([bound.saturating_sub(1), *bound, bound.saturating_add(1)]);
        }
    }
    candidates.into_iter().map(Point::Instant).collect()
}

fn addresses<'a>(bounds: impl Iterator<Item = &'a Matcher>) -> Vec<Point> {
    let behind = |address: IpAddr| -> Option<IpAddr> {
        match address {
            IpAddr::V4(v4) => Some(IpAddr::V4(u32::from(v4).checked_add(1)?.into())),
            IpAddr::V6(v6) => Some(IpAddr::V6(u128::from(v6).checked_add(1)?.into())),
        }
    };
    // Every stretch between bounds begins at the first address of its family, at a range, or behind one.
    let mut candidates = vec![
        IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    ];
    for matcher in bounds {
        if let Matcher::Range(range) = matcher {
            candidates.push(range.first);
            candidates.extend(behind(range.last));
        }
    }
    candidates
        .into_iter()
        .map(|address| match address.to_canonical() {
            // The mapped addresses are IPv4; the stretch goes on behind the last of them.
            IpAddr::V4(_) if address.is_ipv6() => IpAddr::V6(LAST_MAPPED_NEXT),
            _ => address,
        })
        .map(Point::Address)
        .collect()
}

/// The address behind `::ffff:255.255.255.255`.
const LAST_MAPPED_NEXT: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0, 0, 0, 0, 1, 0, 0, 0);
