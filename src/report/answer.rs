//! How a command answers that does not report findings: for people, or as the JSON of its own contract.
//!
//! A type of its own, so that such a command cannot be asked for a format that only findings have.

use std::str::FromStr;

use super::{Format, choice, sanitise};

/// A way to write an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerFormat {
    /// For people, at a terminal.
    Table,
    /// For programs.
    Json,
}

impl AnswerFormat {
    /// Every format, the default first.
    pub const ALL: [Self; 2] = [Self::Table, Self::Json];

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => Format::Table.as_str(),
            Self::Json => Format::Json.as_str(),
        }
    }
}

/// A word that names no format of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownAnswerFormat {
    /// Findings have it.
    #[error("only an audit writes `{0}`; choose {choice}", choice = choices())]
    OfFindings(Format),
    /// Nothing has it.
    #[error("there is no format `{0}`; choose {choice}", choice = choices())]
    OfNothing(String),
}

fn choices() -> String {
    choice(&AnswerFormat::ALL.map(AnswerFormat::as_str))
}

impl FromStr for AnswerFormat {
    type Err = UnknownAnswerFormat;

    fn from_str(word: &str) -> Result<Self, UnknownAnswerFormat> {
        let named = Self::ALL.into_iter().find(|format| format.as_str() == word);
        named.ok_or_else(|| match word.parse() {
            Ok(format) => UnknownAnswerFormat::OfFindings(format),
            Err(_) => UnknownAnswerFormat::OfNothing(sanitise(word).into_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_formats_that_they_name_and_no_others() {
        for format in AnswerFormat::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        for format in Format::ALL {
            let read = format.as_str().parse::<AnswerFormat>();
            let is_answer = matches!(format, Format::Table | Format::Json);
            assert_eq!(read.is_ok(), is_answer, "{format}");
        }
        let refused = |word: &str| word.parse::<AnswerFormat>().unwrap_err().to_string();
        assert_eq!(
            refused("csv"),
            "only an audit writes `csv`; choose `table` or `json`"
        );
        assert_eq!(
            refused("c\u{1b}v"),
            "there is no format `c\\u{1b}v`; choose `table` or `json`"
        );
    }
}
