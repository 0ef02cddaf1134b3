//! Texts with policy variables, `${key}` and `${key, 'default'}`, and their resolution against a request (rules V1 to V9).

use std::borrow::Cow;

use super::assumption::{Assumption, Assumptions};
use super::context::{ContextKeys, Lookup, is_multivalued};
use super::document::Version;
use super::glob::{Glob, Token};

/// A text that may hold wildcards and policy variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    /// `${*}`, `${?}`, `${$}`: the character itself.
    Escaped(char),
    Variable {
        /// In lower case.
        key: String,
        default: Option<String>,
    },
}

/// A template after substitution.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Fixed(Glob),
    /// A variable has no value and no default (V4, V6).
    Missing,
    /// A variable's value is unknown: the pattern with `*` in its place, the keys concerned, and in which call, in words
    /// (empty for the request itself).
    Open {
        widest: Glob,
        keys: Vec<String>,
        call: String,
    },
}

impl Template {
    /// Reads a text; only version 2012-10-17 knows variables (A3).
    pub(super) fn new(text: &str, version: Version) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        if version == Version::V2012 {
            while let Some((before, after)) = rest.split_once("${") {
                let Some((inside, behind)) = after.split_once('}') else {
                    break;
                };
                if !before.is_empty() {
                    pieces.push(Piece::Text(before.to_owned()));
                }
                pieces.push(variable(inside));
                rest = behind;
            }
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Self { pieces }
    }

    pub(super) fn has_variables(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Variable { .. }))
    }

    /// The keys of its variables, in lower case.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(key.as_str()),
            Piece::Text(_) | Piece::Escaped(_) => None,
        })
    }

    /// Puts values in place of variables. With `wildcards`, `*` and `?` of the text itself are live; a value put in never is.
    pub(super) fn resolve(
        &self,
        keys: &dyn ContextKeys,
        wildcards: bool,
        assumed: &mut Assumptions,
    ) -> Resolved {
        let mut tokens: Vec<Token> = Vec::new();
        let mut open = Vec::new();
        let mut call = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => tokens.extend(text.chars().map(|character| match character {
                    '*' if wildcards => Token::Run,
                    '?' if wildcards => Token::One,
                    literal => Token::Char(literal),
                })),
                Piece::Escaped(character) => tokens.push(Token::Char(*character)),
                Piece::Variable { key, default } => {
                    let value = match keys.lookup(key) {
                        Lookup::One(value) if !is_multivalued(key) => Some(value),
                        Lookup::Open(domain) if !is_multivalued(key) => {
                            // A default is one more possibility; the run covers it.
                            match &domain.shape {
                                Some(shape) if !domain.may_be_absent => {
                                    tokens.extend(shape.tokens());
                                }
                                _ => tokens.push(Token::Run),
                            }
                            call = domain.which_call();
                            open.push(key.clone());
                            continue;
                        }
                        Lookup::Absent | Lookup::One(_) | Lookup::Many(_) | Lookup::Open(_) => None,
                    };
                    let Some(value) = value.or(default.as_deref().map(Cow::Borrowed)) else {
                        return Resolved::Missing;
                    };
                    if value.contains(['*', '?']) {
                        assumed.insert(Assumption::VariableIsLiteral);
                    }
                    tokens.extend(value.chars().map(Token::Char));
                }
            }
        }
        let glob = Glob::from_tokens(tokens);
        if open.is_empty() {
            Resolved::Fixed(glob)
        } else {
            Resolved::Open {
                widest: glob,
                keys: open,
                call,
            }
        }
    }
}

fn variable(inside: &str) -> Piece {
    if let ("*" | "?" | "$", Some(character)) = (inside, inside.chars().next()) {
        return Piece::Escaped(character);
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let quoted = default
                .strip_prefix('\'')
                .and_then(|default| default.strip_suffix('\''));
            (key, Some(quoted.unwrap_or(default).to_owned()))
        }
        None => (inside, None),
    };
    Piece::Variable {
        key: key.trim().to_lowercase(),
        default,
    }
}
