//! Policy documents on their way to text, with the fields in the order in which people write them.

use patscan::account::PolicyText;
use serde::Serialize;
use serde_json::{Value, json};

/// One statement; what it does not have is not written.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_action: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_resource: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

impl Statement {
    /// A statement that allows actions.
    pub(super) fn allow(actions: &[&str]) -> Self {
        Self {
            effect: "Allow",
            action: Some(one_or_list(actions)),
            ..Self::default()
        }
    }

    /// A statement that denies actions.
    pub(super) fn deny(actions: &[&str]) -> Self {
        Self {
            effect: "Deny",
            ..Self::allow(actions)
        }
    }

    /// The same for every action but these.
    pub(super) fn but(mut self, actions: &[&str]) -> Self {
        self.action = None;
        self.not_action = Some(one_or_list(actions));
        self
    }

    pub(super) fn sid(mut self, sid: impl Into<String>) -> Self {
        self.sid = Some(sid.into());
        self
    }

    pub(super) fn on(mut self, resources: &[impl AsRef<str>]) -> Self {
        self.resource = Some(one_or_list(resources));
        self
    }

    pub(super) fn everywhere_but(mut self, resources: &[impl AsRef<str>]) -> Self {
        self.not_resource = Some(one_or_list(resources));
        self
    }

    pub(super) fn for_principal(mut self, principal: Value) -> Self {
        self.principal = Some(principal);
        self
    }

    pub(super) fn when(mut self, condition: Value) -> Self {
        self.condition = Some(condition);
        self
    }
}

/// AWS takes one value as well as a list, and people write both.
fn one_or_list(values: &[impl AsRef<str>]) -> Value {
    match values {
        [one] => json!(one.as_ref()),
        values => values.iter().map(AsRef::as_ref).collect(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'static str>,
    statement: &'a [Statement],
}

impl Document<'_> {
    fn text(&self, indented: bool) -> PolicyText {
        let text = if indented {
            serde_json::to_string_pretty(self)
        } else {
            serde_json::to_string(self)
        };
        PolicyText::new(&text.unwrap_or_default())
    }
}

/// The text of a document without spaces, as tools send it.
pub(super) fn text(statements: &[Statement]) -> PolicyText {
    let document = Document {
        version: "2012-10-17",
        id: None,
        statement: statements,
    };
    document.text(false)
}

/// The text of a document as it is typed in the console; IAM keeps the spaces.
pub(super) fn typed(statements: &[Statement]) -> PolicyText {
    let document = Document {
        version: "2012-10-17",
        id: None,
        statement: statements,
    };
    document.text(true)
}

/// The text of a queue policy as the console begins it.
pub(super) fn console(statements: &[Statement]) -> PolicyText {
    let document = Document {
        version: "2008-10-17",
        id: Some("__default_policy_ID"),
        statement: statements,
    };
    document.text(true)
}
