//! One line of input as a request: the words of the contract, borrowed from the line.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::arn::Arn;
use crate::policy::{ContextKeys, Domain, Lookup, Requester, RequesterKind, is_multivalued};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestLine<'a> {
    #[serde(default)]
    pub(super) id: Value,
    #[serde(borrow)]
    pub(super) principal: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) resource: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) resource_account: Option<Text<'a>>,
    #[serde(default, borrow)]
    pub(super) context: Context<'a>,
    #[serde(default, borrow)]
    pub(super) unknown: Vec<Text<'a>>,
    #[serde(default, borrow)]
    pub(super) identity_policies: Vec<Policy<'a>>,
    #[serde(default, borrow)]
    pub(super) permissions_boundaries: Option<Vec<Policy<'a>>>,
    #[serde(default, borrow)]
    pub(super) session_policies: Option<Vec<Policy<'a>>>,
    #[serde(default, borrow)]
    pub(super) resource_policy: Option<Policy<'a>>,
    #[serde(default, borrow)]
    pub(super) scps: Vec<Vec<Policy<'a>>>,
    #[serde(default, borrow)]
    pub(super) rcps: Vec<Vec<Policy<'a>>>,
    #[serde(default, borrow)]
    pub(super) endpoint_policies: Option<Vec<Policy<'a>>>,
}

impl<'a> RequestLine<'a> {
    /// Reads a line.
    pub(super) fn read(line: &'a [u8]) -> serde_json::Result<Self> {
        match std::str::from_utf8(line) {
            Ok(line) => serde_json::from_str(line),
            // Reading byte by byte says where the line is no text.
            Err(_) => serde_json::from_slice(line),
        }
    }
}

/// A text of the line, borrowed where it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The text of a policy: a document in place, or in a JSON string as AWS hands it out.
pub(super) struct Policy<'a>(Cow<'a, str>);

impl Policy<'_> {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Policy<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'a RawValue>::deserialize(deserializer)?.get();
        if text.starts_with('"') {
            let Text(text) = serde_json::from_str(text).map_err(D::Error::custom)?;
            Ok(Self(text))
        } else {
            Ok(Self(Cow::Borrowed(text)))
        }
    }
}

/// The `context` of a request, as written.
#[derive(Default)]
pub(super) struct Context<'a>(Vec<(Cow<'a, str>, Values<'a>)>);

enum Values<'a> {
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Context<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;

        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Context<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Context<'de>, A::Error> {
                let mut keys = Vec::new();
                while let Some((Text(key), values)) = map.next_entry()? {
                    keys.push((key, values));
                }
                Ok(Context(keys))
            }
        }

        deserializer.deserialize_map(KeysVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;

        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Values<'de>, E> {
                Ok(Values::One(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Values<'de>, E> {
                Ok(Values::One(Cow::Owned(value.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values<'de>, A::Error> {
                let Some(Text(first)) = seq.next_element()? else {
                    return Ok(Values::Many(Vec::new()));
                };
                let Some(Text(second)) = seq.next_element()? else {
                    return Ok(Values::One(first));
                };
                let mut values = vec![first, second];
                while let Some(Text(value)) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Values::Many(values))
            }
        }

        deserializer.deserialize_any(ValuesVisitor)
    }
}

/// The context keys of a request, by name in lower case.
pub(super) struct Keys<'a> {
    /// In the order of the names, each once.
    known: Vec<Key<'a>>,
    /// In order.
    unknown: Vec<Cow<'a, str>>,
}

struct Key<'a> {
    name: Cow<'a, str>,
    /// None when it is given twice in different letter case: present, but which value counts is unpredictable (E6).
    values: Option<Values<'a>>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(context: Context<'a>, unknown: Vec<Text<'a>>) -> Self {
        let mut unknown: Vec<Cow<'a, str>> = unknown
            .into_iter()
            .map(|Text(key)| lower_case(key))
            .collect();
        unknown.sort_unstable();

        let mut written: Vec<(Cow<'a, str>, Cow<'a, str>, Values<'a>)> = context
            .0
            .into_iter()
            .map(|(key, values)| (lower_case(key.clone()), key, values))
            .collect();
        // Stable, so that of one key written twice the last stays last.
        written.sort_by(|(left, ..), (right, ..)| left.cmp(right));
        let mut known: Vec<Key<'a>> = Vec::with_capacity(written.len());
        let mut last_written: Option<Cow<'a, str>> = None;
        for (name, key, values) in written {
            match known.last_mut() {
                Some(last) if last.name == name => {
                    let same_case = last_written.as_ref() == Some(&key);
                    last.values = last.values.take().filter(|_| same_case).map(|_| values);
                }
                _ => known.push(Key {
                    name,
                    values: Some(values),
                }),
            }
            last_written = Some(key);
        }
        Self { known, unknown }
    }
}

fn lower_case(key: Cow<'_, str>) -> Cow<'_, str> {
    if key
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        key
    } else {
        Cow::Owned(key.to_lowercase())
    }
}

impl ContextKeys for Keys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if self
            .unknown
            .binary_search_by(|unknown| (**unknown).cmp(key))
            .is_ok()
        {
            return Lookup::Open(Domain::ANYTHING);
        }
        let known = self
            .known
            .binary_search_by(|known| (*known.name).cmp(key))
            .ok()
            .and_then(|index| self.known.get(index));
        match known.map(|known| &known.values) {
            None => Lookup::Absent,
            Some(None) => Lookup::Open(Domain::PRESENT),
            Some(Some(Values::One(value))) if !is_multivalued(key) => {
                Lookup::One(Cow::Borrowed(value))
            }
            Some(Some(Values::One(value))) => Lookup::Many(vec![Cow::Borrowed(value)]),
            Some(Some(Values::Many(values))) => {
                Lookup::Many(values.iter().map(|value| Cow::Borrowed(&**value)).collect())
            }
        }
    }
}

/// Reads the `principal` of a request: an ARN, a service name, or `*`.
pub(super) fn requester(
    text: &str,
    keys: &Keys<'_>,
    has_boundary: bool,
) -> std::result::Result<Requester, String> {
    let plain = |kind: RequesterKind| Requester {
        kind,
        partition: Arc::from(""),
        account: None,
        unique_id: None,
        has_boundary,
    };
    if text == "*" {
        return Ok(plain(RequesterKind::Anonymous));
    }
    let Ok(arn) = Arn::parse(text) else {
        let is_host = text.contains('.')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-/".contains(&byte));
        if text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") {
            return Ok(plain(if text.starts_with("cognito-identity.") {
                RequesterKind::Federated(text.to_owned())
            } else {
                RequesterKind::Service(text.to_owned())
            }));
        }
        if is_host {
            return Ok(plain(RequesterKind::Federated(text.to_owned())));
        }
        return Err(format!(
            "`{text}` is no principal: give an ARN of a user, role, session or root, a service name, or `*`"
        ));
    };
    let kind = match (
        arn.service(),
        arn.resource().split('/').collect::<Vec<_>>().as_slice(),
    ) {
        ("iam", ["root"]) => RequesterKind::Root,
        ("iam", ["user", .., _]) => RequesterKind::User(arn.clone()),
        ("iam", ["role", .., name]) => RequesterKind::Role {
            name: (*name).to_owned(),
            session: None,
            service_linked: arn.resource().starts_with("role/aws-service-role/"),
        },
        ("sts", ["assumed-role", name, session]) => RequesterKind::Role {
            name: (*name).to_owned(),
            session: Some((*session).to_owned()),
            // Only the role's ARN has the path that tells a service-linked role.
            service_linked: matches!(
                keys.lookup("aws:principalarn"),
                Lookup::One(role) if role.contains(":role/aws-service-role/")
            ),
        },
        ("sts", ["federated-user", _]) => RequesterKind::FederatedUser { arn: arn.clone() },
        ("iam", ["oidc-provider" | "saml-provider", ..]) => {
            return Ok(plain(RequesterKind::Federated(text.to_owned())));
        }
        _ => {
            return Err(format!(
                "`{text}` is no principal: give the ARN of a user, role, session or root"
            ));
        }
    };
    let unique_id = match keys.lookup("aws:userid") {
        Lookup::One(id) => id.split(':').next().map(str::to_owned),
        _ => None,
    };
    Ok(Requester {
        kind,
        partition: Arc::from(arn.partition()),
        account: Some(Arc::from(arn.account())),
        unique_id,
        has_boundary,
    })
}
