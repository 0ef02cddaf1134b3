//! Patterns with `*` and `?`, matched in linear space and without backtracking blow-up.

use std::fmt;

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// This character.
    Char(char),
    /// Exactly one character: `?`.
    One,
    /// Any run of characters, also an empty one: `*`.
    Run,
}

/// A pattern over a whole text: `*` is any run of characters, `?` exactly one; everything else is literal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob(Form);

/// The usual forms are told apart, since they decide most matches by one comparison.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    Exact(Box<str>),
    /// The text, then `*`.
    Prefix(Box<str>),
    /// Several texts with a `*` between each two.
    Runs(Box<Runs>),
    General(Box<[Token]>),
}

/// What stands before the first `*`, between each two, and behind the last.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Runs {
    first: Box<str>,
    between: Box<[Box<str>]>,
    last: Box<str>,
}

impl Runs {
    /// The texts of a pattern that has a `*` and no `?`.
    fn of(tokens: &[Token]) -> Option<Self> {
        let mut texts = vec![String::new()];
        for token in tokens {
            match token {
                Token::Char(character) => texts.last_mut()?.push(*character),
                Token::Run => texts.push(String::new()),
                Token::One => return None,
            }
        }
        let mut texts = texts.into_iter().map(String::into_boxed_str);
        let (first, last) = (texts.next()?, texts.next_back()?);
        Some(Self {
            first,
            between: texts.collect(),
            last,
        })
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let between = self.between.iter().map(|text| &**text);
        std::iter::once(&*self.first)
            .chain(between)
            .chain([&*self.last])
    }

    /// Whether the whole text matches: of the texts between, each may stand where it is found first, which leaves most to those
    /// behind it.
    fn matches(&self, text: &str) -> bool {
        let rest = behind_start(text.as_bytes(), self.first.as_bytes());
        let between = rest.and_then(|rest| {
            let (rest, end) = rest.split_at_checked(rest.len().checked_sub(self.last.len())?)?;
            behind_start(end, self.last.as_bytes())?;
            Some(rest)
        });
        let Some(mut rest) = between else {
            return false;
        };
        self.between.iter().all(|wanted| {
            let behind = behind_first(rest, wanted.as_bytes());
            rest = behind.unwrap_or_default();
            behind.is_some()
        })
    }
}

/// What comes behind `start`, if the text begins so. Byte by byte: most texts are short and differ in the first, which is told
/// sooner than a function for long ones is called.
fn behind_start<'t>(text: &'t [u8], start: &[u8]) -> Option<&'t [u8]> {
    let (begin, rest) = text.split_at_checked(start.len())?;
    let is_same = begin.iter().zip(start).all(|(one, other)| one == other);
    is_same.then_some(rest)
}

/// What comes behind the first place where `wanted` stands, which is not empty.
fn behind_first<'t>(text: &'t [u8], wanted: &[u8]) -> Option<&'t [u8]> {
    let (first, others) = wanted.split_first()?;
    let mut rest = text;
    loop {
        let at = rest.iter().position(|byte| byte == first)?;
        rest = rest.get(at + 1..)?;
        if let Some(behind) = behind_start(rest, others) {
            return Some(behind);
        }
    }
}

/// The ASCII characters that stand in a text. What lacks one that a pattern has need not be compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letters(u128);

impl Letters {
    /// Those of a text.
    pub fn of(text: &str) -> Self {
        Self::of_each(text.bytes())
    }

    fn of_each(bytes: impl Iterator<Item = u8>) -> Self {
        Self(
            bytes
                .filter(u8::is_ascii)
                .fold(0, |letters, byte| letters | 1 << byte),
        )
    }

    /// Whether every other is among them.
    pub fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl Glob {
    /// A pattern in which `*` and `?` are wildcards.
    pub fn new(pattern: &str) -> Self {
        if !has_wildcards(pattern) {
            return Self::literal(pattern);
        }
        if let Some(prefix) = pattern.strip_suffix('*')
            && !has_wildcards(prefix)
        {
            return Self(Form::Prefix(prefix.into()));
        }
        let mut tokens = Vec::with_capacity(pattern.len());
        tokens.extend(pattern.chars().map(|character| match character {
            '*' => Token::Run,
            '?' => Token::One,
            literal => Token::Char(literal),
        }));
        Self::from_tokens(tokens)
    }

    /// A pattern that matches this text only.
    pub fn literal(text: &str) -> Self {
        Self(Form::Exact(text.into()))
    }

    /// The pattern that matches every text.
    pub fn any() -> Self {
        Self::new("*")
    }

    /// What every text that matches begins with.
    pub fn literal_prefix(&self) -> String {
        match &self.0 {
            Form::Exact(text) | Form::Prefix(text) => text.to_string(),
            Form::Runs(runs) => runs.first.to_string(),
            Form::General(tokens) => tokens
                .iter()
                .map_while(|token| match token {
                    Token::Char(character) => Some(*character),
                    Token::One | Token::Run => None,
                })
                .collect(),
        }
    }

    pub(super) fn from_tokens(mut tokens: Vec<Token>) -> Self {
        tokens.dedup_by(|next, previous| *next == Token::Run && *previous == Token::Run);
        let wildcard = tokens
            .iter()
            .position(|token| !matches!(token, Token::Char(_)));
        let text = || {
            let characters = tokens.iter().filter_map(|token| match token {
                Token::Char(character) => Some(*character),
                Token::One | Token::Run => None,
            });
            characters.collect::<String>().into()
        };
        match wildcard {
            None => return Self(Form::Exact(text())),
            Some(at) if at + 1 == tokens.len() && tokens.last() == Some(&Token::Run) => {
                return Self(Form::Prefix(text()));
            }
            Some(_) => {}
        }
        Self(match Runs::of(&tokens) {
            Some(runs) => Form::Runs(Box::new(runs)),
            None => Form::General(tokens.into()),
        })
    }

    pub(super) fn tokens(&self) -> Vec<Token> {
        match &self.0 {
            Form::Exact(text) => text.chars().map(Token::Char).collect(),
            Form::Prefix(text) => text.chars().map(Token::Char).chain([Token::Run]).collect(),
            Form::Runs(runs) => {
                let mut tokens = Vec::new();
                for (place, text) in runs.texts().enumerate() {
                    if place > 0 {
                        tokens.push(Token::Run);
                    }
                    tokens.extend(text.chars().map(Token::Char));
                }
                tokens
            }
            Form::General(tokens) => tokens.to_vec(),
        }
    }

    /// The one text that matches, when there is only one.
    pub fn as_literal(&self) -> Option<&str> {
        match &self.0 {
            Form::Exact(text) => Some(text),
            Form::Prefix(_) | Form::Runs(_) | Form::General(_) => None,
        }
    }

    /// Whether the character stands in it.
    pub(super) fn holds(&self, character: char) -> bool {
        match &self.0 {
            Form::Exact(text) | Form::Prefix(text) => text.contains(character),
            Form::Runs(runs) => runs.texts().any(|text| text.contains(character)),
            Form::General(tokens) => tokens.contains(&Token::Char(character)),
        }
    }

    /// What stands in every text that matches.
    pub fn letters(&self) -> Letters {
        match &self.0 {
            Form::Exact(text) | Form::Prefix(text) => Letters::of(text),
            Form::Runs(runs) => Letters::of_each(runs.texts().flat_map(str::bytes)),
            Form::General(tokens) => {
                let bytes = tokens.iter().filter_map(|token| match token {
                    Token::Char(character) => u8::try_from(*character).ok(),
                    Token::One | Token::Run => None,
                });
                Letters::of_each(bytes)
            }
        }
    }

    /// Whether every text matches.
    pub fn matches_everything(&self) -> bool {
        matches!(&self.0, Form::Prefix(prefix) if prefix.is_empty())
    }

    /// How many characters are compared at most to match a text.
    pub(super) fn most_comparisons(&self, text: &str) -> usize {
        match &self.0 {
            Form::Exact(_) | Form::Prefix(_) => text.len(),
            Form::Runs(runs) => {
                let wanted: usize = runs.texts().map(str::len).sum();
                wanted.saturating_mul(text.len())
            }
            Form::General(tokens) => tokens.len().saturating_mul(text.len()),
        }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Form::Exact(exact) => **exact == *text,
            Form::Prefix(prefix) => behind_start(text.as_bytes(), prefix.as_bytes()).is_some(),
            Form::Runs(runs) => runs.matches(text),
            Form::General(tokens) if text.is_ascii() => matches_ascii(tokens, text.as_bytes()),
            Form::General(tokens) => matches_tokens(tokens, text),
        }
    }
}

fn has_wildcards(pattern: &str) -> bool {
    pattern.bytes().any(|byte| matches!(byte, b'*' | b'?'))
}

/// The two-pointer match: on a mismatch only the latest `*` is asked to take one character more, since an earlier one
/// taking more could never help. Time is at most tokens × characters, space constant.
fn matches_tokens(tokens: &[Token], text: &str) -> bool {
    let mut pattern = tokens.iter();
    let mut rest = text.chars();
    let mut retry: Option<(std::slice::Iter<'_, Token>, std::str::Chars<'_>)> = None;
    loop {
        let pattern_before = pattern.clone();
        let matched = match pattern.next() {
            Some(Token::Run) => {
                retry = Some((pattern.clone(), rest.clone()));
                continue;
            }
            Some(Token::One) => rest.next().is_some(),
            Some(Token::Char(expected)) => {
                let mut ahead = rest.clone();
                if ahead.next() == Some(*expected) {
                    rest = ahead;
                    true
                } else {
                    false
                }
            }
            None if rest.as_str().is_empty() => return true,
            None => {
                pattern = pattern_before;
                false
            }
        };
        if !matched {
            let Some((after_run, from)) = &mut retry else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            pattern = after_run.clone();
            rest = from.clone();
        }
    }
}

/// The same for a text of which every byte is a character, which nearly all are: after a `*` it goes straight to where the
/// next character of the pattern stands.
fn matches_ascii(tokens: &[Token], text: &[u8]) -> bool {
    let (mut pattern, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let matched = match (tokens.get(pattern), text.get(at)) {
            (Some(Token::Run), _) => {
                pattern += 1;
                let Some(from) = next_start(tokens, pattern, text, at) else {
                    return false;
                };
                at = from;
                retry = Some((pattern, at));
                continue;
            }
            (None, None) => return true,
            (Some(Token::One), Some(_)) => true,
            (Some(Token::Char(expected)), Some(byte)) => *expected == char::from(*byte),
            _ => false,
        };
        if matched {
            pattern += 1;
            at += 1;
            continue;
        }
        let Some((after_run, before)) = retry else {
            return false;
        };
        let Some(from) = next_start(tokens, after_run, text, before + 1) else {
            return false;
        };
        (pattern, at) = (after_run, from);
        retry = Some((after_run, from));
    }
}

/// The first place at or after `from` where what stands after a `*` could begin.
fn next_start(tokens: &[Token], after_run: usize, text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    match tokens.get(after_run) {
        // Nothing comes after it: it takes all.
        None => Some(text.len()),
        Some(Token::Char(wanted)) => {
            let found = rest.iter().position(|byte| char::from(*byte) == *wanted);
            found.map(|offset| from + offset)
        }
        Some(Token::One | Token::Run) => Some(from),
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Exact(text) => f.write_str(text),
            Form::Prefix(text) => write!(f, "{text}*"),
            Form::Runs(runs) => {
                let mut texts = runs.texts();
                let first = texts.next().unwrap_or_default();
                f.write_str(first)?;
                texts.try_for_each(|text| write!(f, "*{text}"))
            }
            Form::General(tokens) => tokens.iter().try_for_each(|token| match token {
                Token::Char(character) => write!(f, "{character}"),
                Token::One => f.write_str("?"),
                Token::Run => f.write_str("*"),
            }),
        }
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition itself, exponential and obviously right.
    fn by_definition(tokens: &[Token], text: &[char]) -> bool {
        match (tokens.split_first(), text.split_first()) {
            (None, None) => true,
            (None, Some(_)) | (Some((Token::One | Token::Char(_), _)), None) => false,
            (Some((Token::Run, rest)), None) => by_definition(rest, text),
            (Some((Token::Run, rest)), Some((_, text_rest))) => {
                by_definition(rest, text) || by_definition(tokens, text_rest)
            }
            (Some((Token::One, rest)), Some((_, text_rest))) => by_definition(rest, text_rest),
            (Some((Token::Char(c), rest)), Some((t, text_rest))) => {
                c == t && by_definition(rest, text_rest)
            }
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(
            pattern in "[abé*?]{0,8}",
            text in prop_oneof!["[ab]{0,8}", "[abé]{0,8}"],
        ) {
            let glob = Glob::new(&pattern);
            let characters: Vec<char> = text.chars().collect();
            prop_assert_eq!(glob.matches(&text), by_definition(&glob.tokens(), &characters));
            prop_assert!(!glob.matches(&text) || Letters::of(&text).contain(glob.letters()));
        }

        #[test]
        fn a_pattern_survives_its_tokens(pattern in "[ab*?]{0,8}") {
            let glob = Glob::new(&pattern);
            let again = Glob::from_tokens(glob.tokens());
            prop_assert_eq!(&Glob::new(&again.to_string()), &again);
            prop_assert_eq!(&glob, &again);
            for character in ['a', 'b'] {
                prop_assert_eq!(glob.holds(character), pattern.contains(character));
            }
            prop_assert_eq!(glob.literal_prefix(), pattern.split(['*', '?']).next().unwrap());
        }
    }

    #[test]
    fn a_question_mark_is_one_character_even_when_it_is_several_bytes() {
        assert!(Glob::new("sqs:?x").matches("sqs:éx"));
        assert!(!Glob::new("Send?Message").matches("SendMessage"));
    }

    #[test]
    fn a_pattern_full_of_stars_is_decided_at_once() {
        let glob = Glob::new(&"*a".repeat(2_000));
        assert!(!glob.matches(&"a".repeat(1_999)));
        assert!(glob.matches(&"ba".repeat(2_000)));
    }
}
