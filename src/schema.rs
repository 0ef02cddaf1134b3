//! JSON Schemas (draft 2020-12) of our own formats, made from the types that write and read them.
//!
//! Objects take fields that a schema does not know: formats grow by adding, and a reader of today must not refuse what is
//! written tomorrow. Only files that people write are closed, so that a misspelt key is found; see [`crate::toml_file`].

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// The schema of what is written by serializing a type.
pub(crate) fn of_what_is_written<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// The schema of what is read into a type.
pub(crate) fn of_what_is_read<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>()
}
