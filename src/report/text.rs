//! Text from AWS or a file, made fit for a terminal: nothing in it can move the cursor, reorder a line or hide.
//!
//! Widths are counted in columns, so that a wide character takes two. They are an upper bound: characters that a terminal
//! joins into one are counted one by one.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Makes control, bidirectional and invisible characters visible as escapes such as `\u{1b}`; the rest is unchanged.
///
/// For anything that came from AWS, a file or an argument, on its way to a terminal.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    Cow::Owned(visible)
}

/// Whether a character acts on a terminal or shows nothing: C0, DEL, C1, line and paragraph separators, and Unicode's
/// `Default_Ignorable_Code_Point` and `Cf` (bidirectional controls, zero width, variation selectors, tags, fillers).
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The columns that sanitised text takes at most.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// Sanitised text of at most `limit` columns: what does not fit is taken out of the middle, where ARNs say least.
pub(super) fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let room = limit.saturating_sub(1);
    let mut shortened = String::from_iter(fitting(text.chars(), room / 2));
    shortened.push('…');
    let tail = fitting(text.chars().rev(), room - room / 2);
    shortened.extend(tail.into_iter().rev());
    Cow::Owned(shortened)
}

fn fitting(characters: impl Iterator<Item = char>, limit: usize) -> Vec<char> {
    let mut used = 0;
    characters
        .take_while(|character| {
            used += columns(*character);
            used <= limit
        })
        .collect()
}

/// The first columns of sanitised text, `limit` at most, and the rest.
pub(super) fn split(text: &str, limit: usize) -> (String, String) {
    let first = fitting(text.chars(), limit);
    let rest = text.chars().skip(first.len()).collect();
    (first.into_iter().collect(), rest)
}

/// Breaks sanitised text into lines of at most `limit` columns, at least one line.
///
/// Lines break at spaces. A word that no line can hold breaks where it may, best after a separator of names and ARNs.
pub(super) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = width(word);
        if used > 0 && used + 1 + wide > limit && (wide <= limit || used + 1 >= limit) {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for character in word.chars() {
            if used + columns(character) > limit {
                let rest = break_off(&mut line).trim_start_matches(' ').to_owned();
                used = width(&rest);
                lines.push(std::mem::replace(&mut line, rest));
                // What moved to the next line can leave no room for a wide character either.
                if used + columns(character) > limit {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
            }
            line.push(character);
            used += columns(character);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Takes off a full line what follows its last separator, if that leaves the line at least a third full.
fn break_off(line: &mut String) -> String {
    let third = line.len() / 3;
    line.char_indices()
        .rfind(|(at, character)| *at >= third && "/:-_.,=@+".contains(*character))
        .map(|(at, separator)| line.split_off(at + separator.len_utf8()))
        .unwrap_or_default()
}

/// Lines of at most `limit` columns that list `items` with commas, no item broken over two lines.
pub(super) fn wrap_list(items: &[String], limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for (number, item) in items.iter().enumerate() {
        let item = shorten(item, limit.saturating_sub(1));
        let wide = width(&item) + usize::from(number + 1 < items.len());
        match lines.last_mut() {
            Some(line) if used + 1 + wide <= limit => {
                line.push(' ');
                line.push_str(&item);
                used += 1 + wide;
            }
            _ => {
                lines.push(item.into_owned());
                used = wide;
            }
        }
        if number + 1 < items.len()
            && let Some(line) = lines.last_mut()
        {
            line.push(',');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn plain_text_is_left_alone() {
        for text in [
            "",
            "role/orders-worker",
            "Zürich",
            "注文キュー",
            "مرحبا",
            "🦀 a\\b",
        ] {
            assert!(matches!(sanitise(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_acts_on_a_terminal_or_hides_becomes_visible() {
        for (raw, visible) in [
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{7f}\u{9b}31m", r"\u{7f}\u{9b}31m"),
            ("\u{202e}nimda", r"\u{202e}nimda"),
            ("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("x\u{e0041}\u{fe0f}\u{3164}", r"x\u{e0041}\u{fe0f}\u{3164}"),
            ("\u{2028}\u{2066}\u{ad}", r"\u{2028}\u{2066}\u{ad}"),
        ] {
            assert_eq!(sanitise(raw), visible);
        }
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(width("注文"), 4);
        assert_eq!(shorten("注文注文注文", 7), "注…文");
        assert_eq!(wrap("注文注文", 5), ["注文", "注文"]);
    }

    #[test]
    fn arns_lose_their_middle() {
        let arn = "arn:aws:iam::111122223333:role/orders-worker";
        assert_eq!(shorten(arn, 44), arn);
        assert_eq!(shorten(arn, 21), "arn:aws:ia…ers-worker");
        assert_eq!(shorten(arn, 1), "…");
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_at_separators() {
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("one two  three", 9), ["one two", "three"]);
        assert_eq!(
            wrap("role orders-worker-production", 16),
            ["role orders-", "worker-", "production"]
        );
        assert_eq!(wrap("a,b, ccccccccc", 7), ["a,b,", "ccccccc", "cc"]);
        assert_eq!(wrap("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
    }

    #[test]
    fn lists_keep_their_items_whole() {
        let items = ["role a".to_owned(), "role b".to_owned(), "x".repeat(40)];
        assert_eq!(wrap_list(&items, 15), ["role a, role b,", "xxxxxx…xxxxxxx"]);
        assert!(wrap_list(&[], 15).is_empty());
    }

    #[test]
    fn a_wide_character_after_a_broken_word_has_a_line_of_its_own() {
        assert_eq!(wrap("+a\u{2ff0}", 2), ["+", "a", "\u{2ff0}"]);
    }

    proptest! {
        #[test]
        fn sanitised_text_has_no_hidden_character_and_stays_as_it_is(text in any::<String>()) {
            let visible = sanitise(&text);
            prop_assert!(!visible.chars().any(char::is_control));
            prop_assert!(!visible.chars().any(is_hidden));
            prop_assert_eq!(sanitise(&visible), &*visible);
        }

        #[test]
        fn nothing_is_wider_than_its_limit(text in any::<String>(), limit in 2_usize..90) {
            let text = sanitise(&text);
            prop_assert!(UnicodeWidthStr::width(&*shorten(&text, limit)) <= limit);
            let items: Vec<String> = text.split('a').map(str::to_owned).collect();
            for line in wrap(&text, limit).iter().chain(&wrap_list(&items, limit)) {
                prop_assert!(UnicodeWidthStr::width(&**line) <= limit, "{line}");
            }
        }

        #[test]
        fn wrapping_loses_nothing_but_spaces(text in any::<String>(), limit in 4_usize..90) {
            let text = sanitise(&text);
            let solid = |text: &str| text.replace(' ', "");
            prop_assert_eq!(solid(&wrap(&text, limit).concat()), solid(&text));
        }
    }
}
