//! Numbers as policies and requests write them, compared exactly: a `f64` takes two large integers for one, and has no room
//! for `1e400`. Infinities and `NaN` are no numbers of the policy language.

use std::cmp::Ordering;
use std::fmt;

/// The largest exponent that is told apart from larger ones; far beyond any number that a request could hold.
const LARGEST_EXPONENT: i64 = i64::MAX / 4;

/// A decimal number: its sign, times 0.`digits`, times ten to the power of `exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    exponent: i64,
    /// Without zeros at either end, so that equal numbers have equal parts; empty for zero.
    digits: String,
}

impl Number {
    pub(super) const ZERO: Self = Self {
        negative: false,
        exponent: 0,
        digits: String::new(),
    };

    /// Reads an integer or a decimal, also with an exponent; white space around it is ignored.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, exponent(power)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self::ZERO);
        }
        let leading = digits.len() - significant.len();
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self {
            negative,
            exponent: power.saturating_add(point),
            digits: significant.trim_end_matches('0').to_owned(),
        })
    }

    /// How many digits it is written with.
    pub(super) fn precision(&self) -> usize {
        self.digits.len()
    }

    /// A number just above it: below every greater number of at most `precision` digits and an exponent of `least` or more.
    pub(super) fn just_above(&self, precision: usize, least: i64) -> Self {
        if self.digits.is_empty() {
            return Self {
                negative: false,
                exponent: least.saturating_sub(1),
                digits: "1".to_owned(),
            };
        }
        let mut digits = self.digits.clone();
        let wanted = precision.max(digits.len());
        if self.negative {
            // Towards zero: one less in the last digit, then nines.
            if let Some(last) = digits.pop() {
                digits.push(char::from(u8::try_from(last).unwrap_or(b'1') - 1));
            }
            // One nine more than `precision`, whether or not the borrow has eaten the first digit.
            digits.extend(std::iter::repeat_n('9', wanted + 2 - digits.len()));
            let significant = digits.trim_start_matches('0');
            // Only a leading 1 can have become a zero.
            let dropped = i64::try_from(digits.len() - significant.len()).unwrap_or(0);
            return Self {
                negative: true,
                exponent: self.exponent.saturating_sub(dropped),
                digits: significant.to_owned(),
            };
        }
        digits.extend(std::iter::repeat_n('0', wanted - digits.len()));
        digits.push('1');
        Self {
            negative: false,
            exponent: self.exponent,
            digits,
        }
    }

    pub(super) fn exponent(&self) -> i64 {
        self.exponent
    }

    pub(super) fn negated(&self) -> Self {
        Self {
            negative: !self.negative && !self.digits.is_empty(),
            ..self.clone()
        }
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Digits without leading zeros after the point compare as texts do.
            (false, false) => self
                .exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

fn exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits
        .parse()
        .unwrap_or(LARGEST_EXPONENT)
        .min(LARGEST_EXPONENT);
    Some(if negative { -size } else { size })
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}0.{}e{}", self.digits, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn one_number_has_many_spellings() {
        for text in [
            "10", "+10", "10.0", "1e1", "0.1E+2", "100e-1", " 010 ", "10.",
        ] {
            assert_eq!(number(text), number("10"), "{text}");
        }
        assert_eq!(number("-0"), number("0.000e99"));
        assert_eq!(number(".5"), number("5e-1"));
    }

    #[test]
    fn words_for_what_is_not_a_number_are_not_numbers() {
        for text in [
            "",
            " ",
            ".",
            "e5",
            "1e",
            "NaN",
            "inf",
            "-infinity",
            "0x10",
            "1_0",
            "1.2.3",
            "--1",
            "1e5.5",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn neither_large_integers_nor_huge_exponents_lose_their_order() {
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(number("1e400") > number("9e399"));
        assert!(number("-1e400") < number("-9e399"));
        assert!(number("1e-400") > number("0"));
        assert!(number("1e99999999999999999999") > number("1e400"));
        assert!(number("1e-99999999999999999999") < number("1e-400"));
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_numbers(left in -1000_i32..1000, right in -1000_i32..1000, shift in 0..4_i32) {
            let text = |value: i32| format!("{value}e-{shift}");
            prop_assert_eq!(number(&text(left)).cmp(&number(&text(right))), left.cmp(&right));
        }

        #[test]
        fn just_above_is_between_a_number_and_the_next(left in -200_i32..200, right in -200_i32..200) {
            let (left, right) = (number(&left.to_string()), number(&right.to_string()));
            let above = left.just_above(3, 0);
            prop_assert!(above > left);
            prop_assert!(right <= left || above < right, "{left} {above} {right}");
            prop_assert_eq!(number(&above.to_string()), above);
        }
    }
}
