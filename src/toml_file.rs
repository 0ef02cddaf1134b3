//! Files that people write, in TOML: read into a type, with every mistake told by line and with what would be right.
//!
//! The type's JSON Schema says which keys there are, so that a misspelt one is answered by the nearest that exists.

use std::io;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::input;
use crate::nearest::nearest_first;

/// Larger files are refused: nobody writes one by hand, and what is read is held in memory.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TomlFileError {
    /// The file is missing or cannot be read.
    #[error("cannot read `{}`: {}; check the path", .path.display(), why(.source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than any that a person wrote.
    #[error("`{}` is larger than {} MiB; is it the right file?", .0.display(), MOST_BYTES / 1024 / 1024)]
    TooLarge(PathBuf),
    /// The file is not TOML, or a value is of the wrong type.
    #[error("`{}` line {line}: {message}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A key that does not exist.
    #[error("`{}` line {line}: there is no key `{key}`{place}; {advice}", .path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key as written.
        key: String,
        /// ` in [TABLE]`, empty at the top.
        place: String,
        /// The key that was probably meant, or those that exist.
        advice: String,
    },
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::InvalidData => "it is not text (UTF-8)".to_owned(),
        _ => error.to_string(),
    }
}

/// Reads a file.
///
/// # Errors
/// [`TomlFileError`] names the file and the line.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(path: &Path) -> Result<T, TomlFileError> {
    let unreadable = |source| TomlFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = match input::read(path, MOST_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(TomlFileError::TooLarge(path.to_owned()));
        }
        text => text.map_err(unreadable)?,
    };
    let text = String::from_utf8(text)
        .map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    parse(&text, path)
}

/// Reads the text of a file.
///
/// # Errors
/// [`TomlFileError`] names the file and the line.
pub(crate) fn parse<T: DeserializeOwned + JsonSchema>(
    text: &str,
    path: &Path,
) -> Result<T, TomlFileError> {
    let invalid = |error: toml::de::Error| TomlFileError::Invalid {
        path: path.to_owned(),
        line: line(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    };
    let table = DeTable::parse(text).map_err(invalid)?;
    let schema = schema::<T>();
    let mut place = Vec::new();
    if let Some(unknown) = unknown_key(table.get_ref(), schema.as_value(), &mut place) {
        let key = unknown.key.get_ref();
        return Err(TomlFileError::UnknownKey {
            path: path.to_owned(),
            line: line(text, unknown.key.span().start),
            key: key.to_string(),
            place: if place.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", place.join("."))
            },
            advice: advice(key, &unknown.known),
        });
    }
    toml::from_str(text).map_err(invalid)
}

/// The JSON Schema of a type, without references.
pub(crate) fn schema<T: JsonSchema>() -> Schema {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<T>()
}

fn line(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

struct UnknownKey<'t, 'i> {
    key: &'t Spanned<toml::de::DeString<'i>>,
    known: Vec<String>,
}

/// The first key, in the order of the file, that the schema does not know. `place` ends as the tables that lead to it.
fn unknown_key<'t, 'i>(
    table: &'t DeTable<'i>,
    schema: &Value,
    place: &mut Vec<String>,
) -> Option<UnknownKey<'t, 'i>> {
    let properties = properties(schema)?;
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let Some(schema) = properties.get(key.get_ref().as_ref()) else {
            return Some(UnknownKey {
                key,
                known: properties.keys().cloned().collect(),
            });
        };
        place.push(key.get_ref().to_string());
        if let Some(unknown) = unknown_inside(value.get_ref(), schema, place) {
            return Some(unknown);
        }
        place.pop();
    }
    None
}

fn unknown_inside<'t, 'i>(
    value: &'t DeValue<'i>,
    schema: &Value,
    place: &mut Vec<String>,
) -> Option<UnknownKey<'t, 'i>> {
    match value {
        DeValue::Table(table) => unknown_key(table, schema, place),
        DeValue::Array(items) => {
            let schema = alternatives(schema).find_map(|schema| schema.get("items"))?;
            items
                .iter()
                .find_map(|item| unknown_inside(item.get_ref(), schema, place))
        }
        _ => None,
    }
}

/// The keys of an object that takes no others.
fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    alternatives(schema)
        .filter(|schema| schema.get("additionalProperties") == Some(&Value::Bool(false)))
        .find_map(|schema| schema.get("properties")?.as_object())
}

/// A schema, and what it may be instead: an optional value is "this or null".
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let any_of = schema.get("anyOf").and_then(Value::as_array);
    std::iter::once(schema).chain(any_of.into_iter().flatten())
}

fn advice(key: &str, known: &[String]) -> String {
    match nearest_first(key, known.iter().map(String::as_str)).as_slice() {
        [] => "remove it".to_owned(),
        [only] => format!("use `{only}`"),
        [nearest, others @ ..] => {
            let mut others = others.to_vec();
            others.sort();
            format!(
                "did you mean `{nearest}`? There are also {}",
                others.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
    struct Garden {
        name: String,
        bed: Option<Bed>,
        beds: Vec<Bed>,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
    struct Bed {
        fits_in_rows: u32,
        width: u32,
    }

    fn mistake(text: &str) -> String {
        parse::<Garden>(text, Path::new("garden.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_file_is_read() {
        let garden: Garden = parse(
            "name = \"back\"\n[[beds]]\nwidth = 2",
            Path::new("garden.toml"),
        )
        .unwrap();
        assert_eq!(garden.name, "back");
        assert_eq!(garden.beds[0].width, 2);
    }

    #[test]
    fn a_key_that_does_not_exist_is_answered_by_the_nearest() {
        assert_eq!(
            mistake("\nnme = \"back\""),
            "`garden.toml` line 2: there is no key `nme`; did you mean `name`? There are also bed, beds"
        );
        assert_eq!(
            mistake("name = \"back\"\n[bed]\nfits-in-row = 3"),
            "`garden.toml` line 3: there is no key `fits-in-row` in [bed]; did you mean `fits-in-rows`? There are also width"
        );
        assert_eq!(
            mistake("[[beds]]\nwidth = 1\n[[beds]]\nwidht = 1"),
            "`garden.toml` line 4: there is no key `widht` in [beds]; did you mean `width`? There are also fits-in-rows"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_and_a_broken_file_are_told_by_line() {
        assert!(mistake("\n\nname = 3").starts_with("`garden.toml` line 3: "));
        assert!(mistake("name = \"a\"\nname = \"b\"").starts_with("`garden.toml` line 2: "));
        assert!(mistake("name =").starts_with("`garden.toml` line 1: "));
    }

    #[test]
    fn a_file_that_is_not_there_is_said_so() {
        let error = read::<Garden>(Path::new("/nonexistent/garden.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read `/nonexistent/garden.toml`: there is no such file; check the path"
        );
    }
}
