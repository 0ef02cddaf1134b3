//! Letter case ignored, character by character: what `equalsIgnoreCase` means in most languages.
//!
//! Lower-casing whole texts is no comparison: it turns one character into two (`İ`) and looks at neighbours (`Σ`), so that
//! equal lengths become unequal and a pattern cannot be walked character by character.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The character that stands for every spelling of a letter: the small form of its capital.
pub(super) fn folded(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let mut upper = character.to_uppercase();
    let upper = match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        // `ß` has no capital of one character.
        _ => character,
    };
    // The one letter with two small characters is `İ`; the first of them is its simple form.
    upper.to_lowercase().next().unwrap_or(upper)
}

/// Whether two texts differ in letter case only. `right` is already folded.
pub(super) fn equals_folded(left: &str, right: &str) -> bool {
    left.chars().map(folded).eq(right.chars())
}

/// Every character that folds to this one, itself among them.
pub(super) fn spellings(character: char) -> impl Iterator<Item = char> {
    static OTHERS: OnceLock<HashMap<char, Vec<char>>> = OnceLock::new();
    /// Behind the last script that has capitals.
    const END: char = '\u{1f000}';
    let others = OTHERS.get_or_init(|| {
        let mut others: HashMap<char, Vec<char>> = HashMap::new();
        for character in '\0'..END {
            let form = folded(character);
            if form != character {
                others.entry(form).or_default().push(character);
            }
        }
        others
    });
    std::iter::once(character).chain(others.get(&character).into_iter().flatten().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_equals_its_other_spellings_whatever_stands_beside_it() {
        let equal = |left: &str, right: &str| {
            let folded: String = right.chars().map(folded).collect();
            equals_folded(left, &folded)
        };
        assert!(equal("Prod", "pROD"));
        assert!(equal("ΣΑΣ", "σας"));
        assert!(equal("İx", "ix"));
        assert!(equal("straße", "STRAßE"));
        assert!(!equal("straße", "STRASSE"));
        assert!(!equal("prod", "pro"));
    }

    #[test]
    fn folding_twice_changes_nothing_and_every_spelling_is_known() {
        for character in '\0'..=char::MAX {
            let form = folded(character);
            assert_eq!(folded(form), form, "{character:?}");
            if form != character {
                assert!(
                    spellings(form).any(|spelling| spelling == character),
                    "{character:?}"
                );
            }
        }
        assert_eq!(spellings('k').collect::<String>(), "kK\u{212a}");
    }
}
