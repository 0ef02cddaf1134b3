//! Policy documents taken apart and put together again: statement by statement, with everything that is not touched as it was.

use std::borrow::Cow;

use crate::access::SQS_ACTIONS;
use crate::policy::{Document, ELEMENTS, Effect, Json, PolicyKind, Statement};

/// The version of the policy language in which documents of our own are written.
const VERSION: &str = "2012-10-17";

/// The actions of other services that statements of our own are about.
const OTHERS: [&str; 13] = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "sts:AssumeRole",
    "sns:Publish",
    "events:PutEvents",
    "kinesis:PutRecord",
    "kinesis:PutRecords",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
    "lambda:InvokeFunction",
    "states:StartExecution",
    "states:StartSyncExecution",
];

/// Why a document or a statement cannot be rewritten, in words that end a sentence.
pub(super) type Obstacle = String;

/// A document whose statements can be changed one by one.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    /// Everything beside the statements.
    frame: Vec<(Cow<'a, str>, Json<'a>)>,
    pub(super) statements: Vec<Said<'a>>,
}

/// A statement as it is written, and as it is understood.
#[derive(Debug, Clone)]
pub(super) struct Said<'a> {
    pub(super) json: Json<'a>,
    /// None where AWS would not accept it, so that it gives nothing.
    pub(super) parsed: Option<Statement>,
    /// Its `Sid`, or `#index` counted from 1.
    pub(super) label: String,
}

impl<'a> Draft<'a> {
    /// Takes a document apart.
    pub(super) fn read(text: &'a str, kind: PolicyKind) -> Result<Self, Obstacle> {
        let tree = Json::parse(text).map_err(|_| "its text is not JSON".to_owned())?;
        if tree.has_duplicate_keys() {
            return Err("an element stands twice in it".to_owned());
        }
        let Json::Object(members) = tree else {
            return Err("its text is not a JSON object".to_owned());
        };
        let mut frame = Vec::new();
        let mut list = Vec::new();
        for (key, value) in members {
            match (&*key, value) {
                ("Statement", Json::Array(items)) => list = items,
                ("Statement", item) => list = vec![item],
                (_, value) => frame.push((key, value)),
            }
        }
        let version = frame.iter().find(|(key, _)| key == "Version").cloned();
        let statements = list
            .into_iter()
            .zip(1..)
            .map(|(json, number)| Said {
                parsed: understood(&json, version.as_ref(), kind),
                label: label(&json, number),
                json,
            })
            .collect();
        Ok(Self { frame, statements })
    }

    /// Whether policy variables mean something in it: they do not in the older version of the language.
    pub(super) fn has_variables(&self) -> bool {
        self.frame
            .iter()
            .any(|(key, value)| key == "Version" && as_text(value) == Some(VERSION))
    }

    /// The document with these statements.
    pub(super) fn write(&self, statements: Vec<Json<'a>>) -> String {
        let mut members = self.frame.clone();
        members.push(("Statement".into(), Json::Array(statements)));
        text(&Json::Object(members))
    }
}

/// A document of these statements.
pub(super) fn document(statements: Vec<Json<'_>>) -> String {
    text(&Json::Object(vec![
        ("Version".into(), Json::String(VERSION.into())),
        ("Statement".into(), Json::Array(statements)),
    ]))
}

/// A JSON value as people read it.
pub(super) fn text(value: &Json<'_>) -> String {
    // Neither a `String` nor texts as keys can fail to be written.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The characters of a document as IAM counts them against its limits: without blanks.
pub(super) fn size(document: &str) -> usize {
    let compact = Json::parse(document)
        .ok()
        .and_then(|tree| serde_json::to_string(&tree).ok());
    compact.map_or(document.len(), |text| text.chars().count())
}

fn understood<'a>(
    json: &Json<'a>,
    version: Option<&(Cow<'a, str>, Json<'a>)>,
    kind: PolicyKind,
) -> Option<Statement> {
    let mut members: Vec<(Cow<'a, str>, Json<'a>)> = version.cloned().into_iter().collect();
    members.push(("Statement".into(), Json::Array(vec![json.clone()])));
    let alone = Document::parse(&text(&Json::Object(members)), kind);
    alone.statements().first().cloned()
}

/// The name of a statement as evidence has it.
pub(crate) fn label(statement: &Json<'_>, number: usize) -> String {
    match member(statement, "Sid").and_then(as_text) {
        Some(sid) if !sid.is_empty() => sid.to_owned(),
        _ => format!("#{number}"),
    }
}

pub(crate) fn member<'j, 'a>(json: &'j Json<'a>, name: &str) -> Option<&'j Json<'a>> {
    match json {
        Json::Object(members) => members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value),
        _ => None,
    }
}

pub(crate) fn as_text<'j>(json: &'j Json<'_>) -> Option<&'j str> {
    match json {
        Json::String(text) => Some(text),
        _ => None,
    }
}

/// The statement with one element changed, given or, by `None`, taken away.
pub(super) fn with<'a>(
    statement: &Json<'a>,
    name: &'static str,
    value: Option<Json<'a>>,
) -> Json<'a> {
    let Json::Object(members) = statement else {
        return statement.clone();
    };
    let mut members = members.clone();
    let known = members.iter().position(|(key, _)| key == name);
    match (known, value) {
        (Some(place), Some(value)) => {
            if let Some((_, old)) = members.get_mut(place) {
                *old = value;
            }
        }
        (Some(place), None) => {
            members.remove(place);
        }
        (None, Some(value)) => {
            let rank = |key: &str| ELEMENTS.iter().position(|element| *element == key);
            let place = members.iter().position(|(key, _)| rank(key) > rank(name));
            let place = place.unwrap_or(members.len());
            members.insert(place, (name.into(), value));
        }
        (None, None) => {}
    }
    Json::Object(members)
}

/// One text, or a list of them.
pub(super) fn texts<'a>(texts: impl IntoIterator<Item = String>) -> Json<'a> {
    let mut all: Vec<Json<'a>> = texts
        .into_iter()
        .map(|text| Json::String(text.into()))
        .collect();
    if all.len() == 1
        && let Some(only) = all.pop()
    {
        return only;
    }
    Json::Array(all)
}

/// A statement of our own.
pub(super) fn statement<'a>(
    sid: &str,
    effect: Effect,
    actions: impl IntoIterator<Item = String>,
    resources: impl IntoIterator<Item = String>,
    condition: Option<Json<'a>>,
) -> Json<'a> {
    let mut members: Vec<(Cow<'a, str>, Json<'a>)> = vec![
        ("Sid".into(), Json::String(sid.to_owned().into())),
        ("Effect".into(), Json::String(effect.as_str().into())),
        ("Action".into(), texts(actions)),
        ("Resource".into(), texts(resources)),
    ];
    members.extend(condition.map(|condition| ("Condition".into(), condition)));
    Json::Object(members)
}

/// The name of an action as AWS writes it; of one that is not known, as it stands.
pub(super) fn written(action: &str) -> String {
    SQS_ACTIONS
        .iter()
        .map(|known| known.name)
        .chain(OTHERS)
        .find(|name| name.eq_ignore_ascii_case(action))
        .unwrap_or(action)
        .to_owned()
}

/// What is left of an Allow statement of an identity policy when it no longer gives `taken` (lower case) on `queues`;
/// `existing` are all queues, which stand for a pattern of which some are taken out. None where it gives none of that.
pub(super) fn without<'a>(
    said: &Said<'a>,
    taken: &[&str],
    queues: &[&str],
    existing: &[&str],
) -> Result<Option<Vec<Json<'a>>>, Obstacle> {
    let Some(parsed) = &said.parsed else {
        return Ok(None);
    };
    let given: Vec<&str> = taken
        .iter()
        .copied()
        .filter(|action| parsed.actions.contains(action))
        .collect();
    let Some(resources) = &parsed.resources else {
        return Ok(None);
    };
    let reaches = |pattern: &crate::policy::ResourcePattern, queue: &str| {
        pattern.could_match(queue, PolicyKind::Identity)
    };
    let concerned: Vec<&str> = queues
        .iter()
        .copied()
        .filter(|queue| {
            let named = resources.patterns.iter().any(|one| reaches(one, queue));
            // A variable in `NotResource` may hold anything, so that the queue may be among the others.
            named != resources.negated || (resources.negated && parsed.has_variable_resources())
        })
        .collect();
    if parsed.effect != Effect::Allow || given.is_empty() || concerned.is_empty() {
        return Ok(None);
    }
    let mut left = Vec::new();
    if parsed.actions.negated {
        let others = parsed.actions.texts.iter().cloned();
        let none_of = texts(others.chain(given.iter().map(|action| written(action))));
        left.push(with(&said.json, "NotAction", Some(none_of)));
    } else {
        let actions = actions_without(said, parsed, &given)?;
        if !actions.is_empty() {
            left.push(with(&said.json, "Action", Some(texts(actions))));
        }
    }
    let mut elsewhere = Vec::new();
    if resources.negated {
        let named = resources.patterns.iter().map(|one| one.text().to_owned());
        elsewhere.extend(named.chain(concerned.iter().map(|&queue| queue.to_owned())));
    } else {
        for pattern in &resources.patterns {
            if !concerned.iter().any(|queue| reaches(pattern, queue)) {
                elsewhere.push(pattern.text().to_owned());
            } else if pattern.has_variables() {
                return Err(format!(
                    "statement {} names queues by a variable ({})",
                    said.label,
                    pattern.text()
                ));
            } else {
                let others = existing.iter().copied().filter(|queue| {
                    !concerned.contains(queue)
                        && reaches(pattern, queue)
                        && !elsewhere.iter().any(|known| known == queue)
                });
                let others: Vec<String> = others.map(str::to_owned).collect();
                elsewhere.extend(others);
            }
        }
    }
    if !elsewhere.is_empty() {
        let element = if resources.negated {
            "NotResource"
        } else {
            "Resource"
        };
        let name = member(&said.json, "Sid").and_then(as_text);
        let name = name.map(|name| Json::String(format!("{name}Elsewhere").into()));
        let part = with(&said.json, "Sid", name);
        let part = with(&part, "NotAction", None);
        let given = texts(given.iter().map(|action| written(action)));
        let part = with(&part, "Action", Some(given));
        left.push(with(&part, element, Some(texts(elsewhere))));
    }
    Ok(Some(left))
}

/// The actions of a statement without some of them. A pattern that gives one of them becomes the actions of SQS that it
/// gives besides, by name.
pub(super) fn actions_without(
    said: &Said<'_>,
    parsed: &Statement,
    taken: &[&str],
) -> Result<Vec<String>, Obstacle> {
    let mut left: Vec<String> = Vec::new();
    for (index, text) in parsed.actions.texts.iter().enumerate() {
        let gives = |action: &str| parsed.actions.pattern_matches(index, action);
        if !taken.iter().any(|action| gives(action)) {
            left.push(text.clone());
            continue;
        }
        if !text.contains(['*', '?']) {
            continue;
        }
        if !text.to_lowercase().starts_with("sqs:") {
            return Err(format!(
                "statement {} gives actions of every service ({text}), which cannot be written out",
                said.label
            ));
        }
        for action in SQS_ACTIONS {
            let lower = action.name.to_lowercase();
            let known = left.iter().any(|one| one == action.name);
            if gives(&lower) && !taken.contains(&lower.as_str()) && !known {
                left.push(action.name.to_owned());
            }
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";
    const BILLS: &str = "arn:aws:sqs:eu-west-1:111122223333:bills";

    fn left(statement: &str) -> Result<Option<String>, Obstacle> {
        let document = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
        let draft = Draft::read(&document, PolicyKind::Identity)?;
        let said = draft.statements.first().unwrap();
        let left = without(said, &["sqs:sendmessage"], &[ORDERS], &[BILLS, ORDERS])?;
        Ok(left.map(|left| serde_json::to_string(&Json::Array(left)).unwrap()))
    }

    #[test]
    fn an_action_that_is_written_out_is_taken_out_and_the_rest_stays() {
        let statement = format!(
            r#"{{"Sid": "Both", "Effect": "Allow", "Action": ["sqs:ReceiveMessage", "SQS:SendMessage"], "Resource": "{ORDERS}"}}"#
        );
        let expected = format!(
            r#"[{{"Sid":"Both","Effect":"Allow","Action":"sqs:ReceiveMessage","Resource":"{ORDERS}"}}]"#
        );
        assert_eq!(left(&statement), Ok(Some(expected)));
    }

    #[test]
    fn other_resources_keep_the_action_under_the_same_conditions() {
        let condition = r#"{"Bool": {"aws:SecureTransport": "true"}}"#;
        let statement = format!(
            r#"{{"Sid": "Put", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": {condition}}}"#
        );
        let expected = format!(
            r#"[{{"Sid":"PutElsewhere","Effect":"Allow","Action":"sqs:SendMessage","Resource":"{BILLS}","Condition":{{"Bool":{{"aws:SecureTransport":"true"}}}}}}]"#
        );
        assert_eq!(left(&statement), Ok(Some(expected)));
    }

    #[test]
    fn a_pattern_of_actions_becomes_what_it_gives_besides() {
        let statement = format!(
            r#"{{"Effect": "Allow", "Action": ["sqs:*Message", "s3:*"], "Resource": "{ORDERS}"}}"#
        );
        let expected = format!(
            r#"[{{"Effect":"Allow","Action":["sqs:ReceiveMessage","sqs:DeleteMessage","s3:*"],"Resource":"{ORDERS}"}}]"#
        );
        assert_eq!(left(&statement), Ok(Some(expected)));
    }

    #[test]
    fn negations_are_extended() {
        let statement =
            r#"{"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b"}"#;
        let expected = format!(
            r#"[{{"Effect":"Allow","NotAction":["iam:*","sqs:SendMessage"],"NotResource":"arn:aws:s3:::b"}},{{"Effect":"Allow","Action":"sqs:SendMessage","NotResource":["arn:aws:s3:::b","{ORDERS}"]}}]"#
        );
        assert_eq!(left(statement), Ok(Some(expected)));
    }

    #[test]
    fn what_cannot_be_written_out_is_an_obstacle_and_what_is_not_concerned_is_left_alone() {
        for statement in [
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#,
            r#"{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:*:${aws:username}"}"#,
        ] {
            assert!(left(statement).is_err(), "{statement}");
        }
        for statement in [
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#,
            r#"{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}"#,
            r#"{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:*:bills"}"#,
            r#"{"Effect": "Allow", "Action": "sqs:SendMessage"}"#,
        ] {
            assert_eq!(left(statement), Ok(None), "{statement}");
        }
        let twice = r#"{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}"#;
        assert!(Draft::read(twice, PolicyKind::Identity).is_err());
    }
}
