//! How things are named: the patterns that a team settled, and the environment that a name tells.
//!
//! A pattern is text with placeholders. `<env>` stands for one of the environments, any other `<word>` for one or more letters
//! and digits; `[…]` may be left out, `[…]...` may be left out or repeated. Everything else stands for itself.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::Glob;

/// The placeholder of the environment.
const ENVIRONMENT: &str = "env";

/// What was settled about names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// What names look like; anything when none.
    pub pattern: Option<NamePattern>,
    /// The environments, such as `dev` and `prod`.
    pub environments: Vec<String>,
    /// Names that need not fit and belong to no environment, with `*` and `?`.
    pub exceptions: Vec<Glob>,
    /// The IAM paths under which users, groups and roles stand; any when empty.
    pub paths: Vec<String>,
    /// What the pattern is for; everything when empty.
    pub kinds: Vec<NamedKind>,
}

/// What has a name that a team chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedKind {
    /// IAM roles.
    Role,
    /// IAM users.
    User,
    /// IAM groups.
    Group,
    /// SQS queues.
    Queue,
    /// Lambda functions.
    Function,
}

impl NamedKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Role,
        Self::User,
        Self::Group,
        Self::Queue,
        Self::Function,
    ];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        self.kind().as_str()
    }

    /// As findings name it.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Role => Kind::Role,
            Self::User => Kind::User,
            Self::Group => Kind::Group,
            Self::Queue => Kind::Queue,
            Self::Function => Kind::Function,
        }
    }
}

/// A word that names no such kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("names of `{0}` are not looked at; use role, user, group, queue or function")]
pub struct UnknownNamedKind(String);

impl FromStr for NamedKind {
    type Err = UnknownNamedKind;

    fn from_str(word: &str) -> Result<Self, UnknownNamedKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownNamedKind(word.to_owned()))
    }
}

/// A mistake in what is settled about names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// A pattern without anything.
    #[error("the pattern is empty; write one such as `<env>-<service>`, or leave it out")]
    Empty,
    /// A mark that is not closed.
    #[error(
        "`{0}` is not closed in the pattern; write `<word>`, or `[-<word>]` for what may be left out"
    )]
    Unclosed(char),
    /// A mark that closes nothing.
    #[error(
        "`{0}` closes nothing in the pattern; write `<word>`, or `[-<word>]` for what may be left out"
    )]
    Unopened(char),
    /// One optional part in another.
    #[error(
        "`[` stands inside `[` in the pattern; write optional parts one after the other, or repeat one with `[…]...`"
    )]
    Nested,
    /// Brackets with nothing that must be there.
    #[error("`[]` holds nothing in the pattern; write what may be left out between the brackets")]
    EmptyGroup,
    /// Something between `<` and `>` that is no word.
    #[error(
        "`<{0}>` is no placeholder; a word of letters, digits, `-` and `_` stands between `<` and `>`"
    )]
    Placeholder(String),
    /// A character that no name can have.
    #[error(
        "no name can have `{0}`, so no name would fit the pattern; names have letters, digits and `+=,.@_-`"
    )]
    Character(char),
    /// `<env>` without environments.
    #[error(
        "the pattern has `<env>`, and no environments are named; add `environments = [\"dev\", \"prod\"]`"
    )]
    NoEnvironments,
    /// An environment that no name can tell.
    #[error("`{0}` is no environment; it is a word of letters, digits, `-` and `_`")]
    Environment(String),
    /// A path that is none.
    #[error("`{0}` is no IAM path; write it between slashes, as `/apps/`")]
    Path(String),
}

/// A pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Environment,
    Word,
    Optional { parts: Vec<Part>, repeats: bool },
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
}

impl FromStr for NamePattern {
    type Err = NamesError;

    fn from_str(text: &str) -> Result<Self, NamesError> {
        let mut rest = text;
        let mut parts = Vec::new();
        // The parts before a `[` that is open.
        let mut outside: Option<Vec<Part>> = None;
        while let Some(character) = rest.chars().next() {
            let after = rest.get(character.len_utf8()..).unwrap_or_default();
            rest = after;
            match character {
                '<' => {
                    let (word, after) = after.split_once('>').ok_or(NamesError::Unclosed('<'))?;
                    rest = after;
                    parts.push(match word {
                        ENVIRONMENT => Part::Environment,
                        word if is_word(word) => Part::Word,
                        other => return Err(NamesError::Placeholder(other.to_owned())),
                    });
                }
                '[' if outside.is_some() => return Err(NamesError::Nested),
                '[' => outside = Some(std::mem::take(&mut parts)),
                ']' => {
                    let before = outside.take().ok_or(NamesError::Unopened(']'))?;
                    let optional = std::mem::replace(&mut parts, before);
                    if optional.is_empty() {
                        return Err(NamesError::EmptyGroup);
                    }
                    let repeated = after.strip_prefix("...");
                    rest = repeated.unwrap_or(after);
                    parts.push(Part::Optional {
                        parts: optional,
                        repeats: repeated.is_some(),
                    });
                }
                '>' => return Err(NamesError::Unopened('>')),
                literal if literal.is_ascii_alphanumeric() || "+=,.@_-".contains(literal) => {
                    match parts.last_mut() {
                        Some(Part::Text(text)) => text.push(literal),
                        _ => parts.push(Part::Text(literal.to_string())),
                    }
                }
                other => return Err(NamesError::Character(other)),
            }
        }
        if outside.is_some() {
            return Err(NamesError::Unclosed('['));
        }
        if parts.is_empty() {
            return Err(NamesError::Empty);
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

impl NamePattern {
    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn has_environment(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Environment => true,
            Part::Optional { parts, .. } => parts.contains(&Part::Environment),
            Part::Text(_) | Part::Word => false,
        })
    }

    fn fits(&self, name: &str, environments: &[&str]) -> bool {
        let ends = ends(&self.parts, name, BTreeSet::from([0]), environments);
        ends.contains(&name.len())
    }
}

/// Where parts can end in a name when they begin at any of the starts.
fn ends(
    parts: &[Part],
    name: &str,
    starts: BTreeSet<usize>,
    environments: &[&str],
) -> BTreeSet<usize> {
    parts
        .iter()
        .fold(starts, |starts, part| part.ends(name, starts, environments))
}

impl Part {
    fn ends(&self, name: &str, starts: BTreeSet<usize>, environments: &[&str]) -> BTreeSet<usize> {
        let after = |start: usize, text: &str| {
            let rest = name.get(start..)?;
            rest.starts_with(text).then_some(start + text.len())
        };
        match self {
            Self::Text(text) => starts
                .into_iter()
                .filter_map(|start| after(start, text))
                .collect(),
            Self::Environment => starts
                .into_iter()
                .flat_map(|start| {
                    environments
                        .iter()
                        .filter_map(move |word| after(start, word))
                })
                .collect(),
            Self::Word => starts
                .into_iter()
                .flat_map(|start| {
                    let rest = name.get(start..).unwrap_or_default().bytes();
                    let length = rest.take_while(u8::is_ascii_alphanumeric).count();
                    start + 1..=start + length
                })
                .collect(),
            Self::Optional { parts, repeats } => {
                let mut reached = starts.clone();
                let mut from = starts;
                loop {
                    let mut to = ends(parts, name, from, environments);
                    to.retain(|end| !reached.contains(end));
                    if to.is_empty() {
                        return reached;
                    }
                    reached.extend(&to);
                    if !repeats {
                        return reached;
                    }
                    from = to;
                }
            }
        }
    }
}

impl Names {
    /// Tells whether what was settled makes sense as a whole.
    ///
    /// # Errors
    /// [`NamesError`] names what does not.
    pub fn check(&self) -> Result<(), NamesError> {
        if let Some(wrong) = self.environments.iter().find(|word| !is_word(word)) {
            return Err(NamesError::Environment(wrong.clone()));
        }
        let is_path = |path: &String| path.starts_with('/') && path.ends_with('/');
        if let Some(wrong) = self.paths.iter().find(|path| !is_path(path)) {
            return Err(NamesError::Path(wrong.clone()));
        }
        match &self.pattern {
            Some(pattern) if pattern.has_environment() && self.environments.is_empty() => {
                Err(NamesError::NoEnvironments)
            }
            _ => Ok(()),
        }
    }

    /// Whether the names of such things are looked at.
    pub(super) fn are_for(&self, kind: NamedKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Whether a name need not fit.
    pub(super) fn is_exception(&self, name: &str) -> bool {
        self.exceptions.iter().any(|glob| glob.matches(name))
    }

    /// Whether a name fits the pattern.
    pub(super) fn fits(&self, name: &str) -> bool {
        let environments: Vec<&str> = self.environments.iter().map(String::as_str).collect();
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.fits(name, &environments))
    }

    /// Whether users, groups and roles may stand under an IAM path.
    pub(super) fn allow_path(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|allowed| path.starts_with(allowed))
    }

    /// The environment that a name tells: where the pattern says where it stands, by that alone, else by the words of the name.
    /// None when it tells none, or several.
    pub(super) fn environment(&self, name: &str) -> Option<&str> {
        if self.is_exception(name) {
            return None;
        }
        let pattern = self
            .pattern
            .as_ref()
            .filter(|pattern| pattern.has_environment());
        let tells = |environment: &str| match pattern {
            Some(pattern) => pattern.fits(name, &[environment]) && !pattern.fits(name, &[]),
            None => has_word(name, environment),
        };
        let mut told = self
            .environments
            .iter()
            .map(String::as_str)
            .filter(|environment| tells(environment));
        let first = told.next()?;
        told.all(|other| other == first).then_some(first)
    }
}

/// Whether a word stands in a name, with the ends of the name or of other words around it.
fn has_word(name: &str, word: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    name.match_indices(word).any(|(start, _)| {
        let bytes = name.as_bytes();
        let before = start.checked_sub(1).and_then(|place| bytes.get(place));
        is_end(before) && is_end(bytes.get(start + word.len()))
    })
}

/// The name that a team gave to a user, group, role, queue or function: without the `.fifo` that SQS demands. None of what AWS
/// names itself.
pub(super) fn given_name(kind: NamedKind, arn: &Arn) -> Option<&str> {
    let name = match kind {
        NamedKind::Queue => {
            let name = arn.resource();
            name.strip_suffix(".fifo").unwrap_or(name)
        }
        NamedKind::Function => arn.resource().split(':').nth(1)?,
        NamedKind::Role | NamedKind::User | NamedKind::Group => arn.name(),
    };
    let path = iam_path(arn);
    let is_by_aws = kind == NamedKind::Role
        && (path.starts_with("/aws-service-role/")
            || path.starts_with("/aws-reserved/")
            || BY_AWS.iter().any(|start| name.starts_with(start)));
    (!is_by_aws).then_some(name)
}

/// What roles begin with that AWS services make in accounts: Identity Center, Organizations, Control Tower, stack sets.
const BY_AWS: [&str; 6] = [
    "AWSReservedSSO_",
    "OrganizationAccountAccessRole",
    "AWSControlTower",
    "aws-controltower-",
    "AWSCloudFormationStackSet",
    "stacksets-exec-",
];

/// The IAM path: `/team/x/` of `role/team/x/App`, `/` of `role/App`.
pub(super) fn iam_path(arn: &Arn) -> String {
    let resource = arn.resource();
    let path = resource
        .split_once('/')
        .and_then(|(_, path)| Some(path.rsplit_once('/')?.0));
    match path {
        Some(path) => format!("/{path}/"),
        None => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Names {
        Names {
            pattern: Some(pattern.parse().unwrap()),
            environments: vec!["dev".into(), "prod".into(), "prod-eu".into()],
            exceptions: vec![Glob::new("admin-*")],
            ..Names::default()
        }
    }

    #[test]
    fn placeholders_stand_for_one_word() {
        let names = names("<env>-<service>[-<part>]");
        for name in [
            "dev-orders",
            "prod-orders-api",
            "prod-eu-orders",
            "prod-eu-orders-api",
        ] {
            assert!(names.fits(name), "{name}");
        }
        for name in [
            "orders",
            "dev",
            "dev-",
            "test-orders",
            "dev-orders-api-v2",
            "dev-orders_api",
            "Dev-orders",
            "",
        ] {
            assert!(!names.fits(name), "{name}");
        }
    }

    #[test]
    fn an_optional_part_repeats_where_dots_follow() {
        let names = names("<service>[-<part>]...-q");
        for name in ["orders-q", "orders-api-q", "a-b-c-d-q"] {
            assert!(names.fits(name), "{name}");
        }
        assert!(!names.fits("orders"));
        assert!(!names.fits("orders--q"));
    }

    #[test]
    fn the_environment_is_read_where_the_pattern_has_it() {
        let names = names("<env>-<service>[-<part>]...");
        assert_eq!(names.environment("dev-prod"), Some("dev"));
        assert_eq!(names.environment("orders-dev"), None);
        // Both readings fit: prod with eu-orders, prod-eu with orders.
        assert_eq!(names.environment("prod-eu-orders"), None);
        assert_eq!(names.environment("admin-dev"), None);
    }

    #[test]
    fn without_a_place_in_the_pattern_a_whole_word_tells_it() {
        let mut names = names("<env>-<service>");
        names.pattern = None;
        assert_eq!(names.environment("orders-dev"), Some("dev"));
        assert_eq!(names.environment("orders.dev.queue"), Some("dev"));
        assert_eq!(names.environment("developers"), None);
        assert_eq!(names.environment("dev-to-prod"), None);
    }

    #[test]
    fn mistakes_are_told() {
        let mistake = |text: &str| text.parse::<NamePattern>().unwrap_err();
        assert_eq!(mistake(""), NamesError::Empty);
        assert_eq!(mistake("<env"), NamesError::Unclosed('<'));
        assert_eq!(mistake("a[-<b>"), NamesError::Unclosed('['));
        assert_eq!(mistake("a]"), NamesError::Unopened(']'));
        assert_eq!(mistake("a>"), NamesError::Unopened('>'));
        assert_eq!(mistake("a[b[c]]"), NamesError::Nested);
        assert_eq!(mistake("a[]"), NamesError::EmptyGroup);
        assert_eq!(mistake("<a b>"), NamesError::Placeholder("a b".into()));
        assert_eq!(mistake("a*"), NamesError::Character('*'));
        let mut without = names("<env>-a");
        without.environments.clear();
        assert_eq!(without.check(), Err(NamesError::NoEnvironments));
        let mut path = names("a");
        path.paths = vec!["apps".into()];
        assert_eq!(path.check(), Err(NamesError::Path("apps".into())));
    }

    #[test]
    fn what_aws_names_has_no_given_name() {
        let given =
            |kind, arn: &str| given_name(kind, &Arn::parse(arn).unwrap()).map(str::to_owned);
        let role = |name: &str| {
            given(
                NamedKind::Role,
                &format!("arn:aws:iam::111122223333:role/{name}"),
            )
        };
        assert_eq!(
            role("aws-service-role/sqs.amazonaws.com/AWSServiceRoleForX"),
            None
        );
        assert_eq!(
            role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0"),
            None
        );
        assert_eq!(role("apps/dev-orders").as_deref(), Some("dev-orders"));
        let queue = given(
            NamedKind::Queue,
            "arn:aws:sqs:eu-west-1:111122223333:dev-orders.fifo",
        );
        assert_eq!(queue.as_deref(), Some("dev-orders"));
        let function = given(
            NamedKind::Function,
            "arn:aws:lambda:eu-west-1:111122223333:function:dev-orders",
        );
        assert_eq!(function.as_deref(), Some("dev-orders"));
    }
}
