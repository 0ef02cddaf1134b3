//! `PATSCAN_*`: what the options of the same names say, for where nobody types them.

use std::ffi::OsString;

use super::ConfigError;
use super::file::{ConfigFile, Word};
use super::publishing::WEBHOOK_SECRET;
use crate::collect::InvalidRate;
use crate::nearest::nearest_first;

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// The configuration file.
    pub(super) config: Option<String>,
    /// Everything that the file can say as well.
    pub(super) values: ConfigFile,
    /// Variables that mean nothing, each with the one that was probably meant.
    pub(super) unknown: Vec<(String, String)>,
}

const PREFIX: &str = "PATSCAN_";

const NAMES: [&str; 18] = [
    "PATSCAN_ASSUME_ROLE",
    "PATSCAN_BASELINE",
    "PATSCAN_CONFIG",
    "PATSCAN_ENDPOINT_URL",
    "PATSCAN_EXCLUDE_REGION",
    "PATSCAN_EXTERNAL_ID",
    "PATSCAN_FAIL_ON",
    "PATSCAN_FORMAT",
    "PATSCAN_GENTLE",
    "PATSCAN_MAX_RATE",
    "PATSCAN_OCSF_CLASS",
    "PATSCAN_PERSONA",
    "PATSCAN_PROFILE",
    "PATSCAN_REGION",
    "PATSCAN_SKIP",
    "PATSCAN_TRUSTED_ACCOUNT",
    "PATSCAN_WAIVERS",
    WEBHOOK_SECRET,
];

impl Environment {
    /// Reads the variables. One without a value says nothing; lists are separated by commas.
    ///
    /// # Errors
    /// [`ConfigError::Variable`] names the variable and what it takes.
    pub(super) fn read(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut environment = Self::default();
        let mut variables: Vec<(String, OsString)> = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
            .collect();
        variables.sort();
        for (name, value) in variables {
            let Ok(value) = value.into_string() else {
                return Err(ConfigError::Variable {
                    name,
                    why: "it is not text (UTF-8)".to_owned(),
                });
            };
            environment
                .take(&name, value)
                .map_err(|why| ConfigError::Variable { name, why })?;
        }
        Ok(environment)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        let source = &mut self.values.source;
        let output = &mut self.values.output;
        match name {
            "PATSCAN_CONFIG" => self.config = Some(value),
            "PATSCAN_PROFILE" => source.profile = Some(value),
            "PATSCAN_REGION" => source.regions = Some(texts(&value)),
            "PATSCAN_EXCLUDE_REGION" => source.exclude_regions = Some(texts(&value)),
            "PATSCAN_SKIP" => source.skip = Some(words(&value)?),
            "PATSCAN_ENDPOINT_URL" => source.endpoint_url = Some(value),
            "PATSCAN_ASSUME_ROLE" => source.assume_role = Some(value),
            "PATSCAN_EXTERNAL_ID" => source.external_id = Some(value),
            "PATSCAN_MAX_RATE" => {
                source.max_rate = Some(
                    value
                        .parse()
                        .map_err(|error: InvalidRate| error.to_string())?,
                );
            }
            "PATSCAN_GENTLE" => source.gentle = Some(truth(&value)?),
            "PATSCAN_FORMAT" => output.formats = Some(words(&value)?),
            "PATSCAN_FAIL_ON" => output.fail_on = words(&value)?.pop(),
            "PATSCAN_OCSF_CLASS" => output.ocsf_class = words(&value)?.pop(),
            "PATSCAN_PERSONA" => output.persona = words(&value)?.pop(),
            "PATSCAN_BASELINE" => self.values.baseline = Some(value.into()),
            "PATSCAN_WAIVERS" => self.values.waivers.file = Some(value.into()),
            "PATSCAN_TRUSTED_ACCOUNT" => self.values.trusted_accounts = Some(words(&value)?),
            // Read where it is used, so that it is kept nowhere else.
            WEBHOOK_SECRET => {}
            _ => {
                let mut nearest = nearest_first(name, NAMES);
                nearest.truncate(1);
                self.unknown.push((name.to_owned(), nearest.concat()));
            }
        }
        Ok(())
    }
}

fn truth(value: &str) -> Result<bool, String> {
    value
        .to_ascii_lowercase()
        .parse()
        .map_err(|_| format!("`{value}` is neither true nor false"))
}

fn texts(list: &str) -> Vec<String> {
    let items = list.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn words<T>(list: &str) -> Result<Vec<Word<T>>, String>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let read = |text: String| {
        text.parse()
            .map(Word)
            .map_err(|error: T::Err| error.to_string())
    };
    texts(list).into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, ConfigError> {
        let pairs = variables.iter();
        Environment::read(pairs.map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn every_name_says_something() {
        for name in NAMES {
            let value = match name {
                "PATSCAN_SKIP" => "ec2",
                "PATSCAN_MAX_RATE" => "2.5",
                "PATSCAN_GENTLE" => "true",
                "PATSCAN_FORMAT" => "json",
                "PATSCAN_FAIL_ON" => "low",
                "PATSCAN_PERSONA" => "auditor",
                "PATSCAN_OCSF_CLASS" => "detection",
                "PATSCAN_TRUSTED_ACCOUNT" => "444455556666",
                _ => "text",
            };
            let read = read(&[(name, value)]).unwrap();
            assert!(read.unknown.is_empty(), "{name}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas_and_empty_variables_say_nothing() {
        let environment = read(&[
            ("PATSCAN_REGION", "eu-west-1, us-east-1,"),
            ("PATSCAN_FAIL_ON", "HIGH"),
            ("PATSCAN_PROFILE", ""),
            ("PATH", "/bin"),
        ])
        .unwrap();
        let ConfigFile { source, output, .. } = environment.values;
        assert_eq!(source.regions.unwrap(), ["eu-west-1", "us-east-1"]);
        assert_eq!(output.fail_on, Some(Word(Severity::High)));
        assert_eq!(source.profile, None);
    }

    #[test]
    fn a_wrong_value_and_an_unknown_name_are_told() {
        let error = read(&[("PATSCAN_FAIL_ON", "urgent")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "PATSCAN_FAIL_ON: there is no severity `urgent`; use critical, high, medium, low or info"
        );
        let environment = read(&[("PATSCAN_FAILON", "high")]).unwrap();
        assert_eq!(
            environment.unknown,
            [("PATSCAN_FAILON".to_owned(), "PATSCAN_FAIL_ON".to_owned())]
        );
    }
}
