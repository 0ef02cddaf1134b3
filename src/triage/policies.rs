//! The texts of policies by the names under which findings show them.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::access::inline_name;
use crate::account::{Account, InlinePolicy};
use crate::arn::Arn;
use crate::finding::Kind;

/// The texts of every policy, by name. Two accounts can have inline policies of one name; both count then.
#[derive(Debug, Default)]
pub struct PolicyTexts<'a> {
    texts: HashMap<String, Vec<&'a str>>,
    digests: HashMap<String, [u8; 32]>,
}

impl<'a> PolicyTexts<'a> {
    /// The policies of accounts: managed, inline, trust, of queues, keys and channels, and control policies.
    pub fn of(accounts: &'a [Account]) -> Self {
        let mut policies = Self::default();
        for account in accounts {
            policies.add_account(account);
        }
        policies.digests = policies
            .texts
            .iter()
            .map(|(name, texts)| (name.clone(), digest(texts)))
            .collect();
        policies
    }

    fn add_account(&mut self, account: &'a Account) {
        for policy in &account.policies {
            if let Some(text) = &policy.document {
                self.add(policy.arn.as_str(), text.as_str());
            }
        }
        for user in &account.users {
            self.add_inline(Kind::User, &user.arn, &user.inline);
        }
        for group in &account.groups {
            self.add_inline(Kind::Group, &group.arn, &group.inline);
        }
        for role in &account.roles {
            self.add_inline(Kind::Role, &role.arn, &role.inline);
            let name = format!("trust policy of role {}", role.arn.name());
            self.add(&name, role.trust.as_str());
        }
        for queue in &account.queues {
            let attributes = queue.attributes.as_ref();
            if let Some(text) = attributes.and_then(|attributes| attributes.policy.as_ref()) {
                self.add(queue.arn.as_str(), text.as_str());
            }
        }
        for channel in &account.channels {
            if let Some(text) = &channel.policy {
                self.add(channel.arn.as_str(), text.as_str());
            }
        }
        for key in &account.keys {
            if let Some(text) = &key.policy {
                self.add(key.arn.as_str(), text.as_str());
            }
        }
    }

    fn add_inline(&mut self, kind: Kind, owner: &Arn, policies: &'a [InlinePolicy]) {
        for policy in policies {
            let name = inline_name(kind, owner, &policy.name);
            self.add(&name, policy.document.as_str());
        }
    }

    fn add(&mut self, name: &str, text: &'a str) {
        self.texts.entry(name.to_owned()).or_default().push(text);
    }

    /// Every policy with its texts.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &[&'a str])> {
        let texts = self.texts.iter();
        texts.map(|(name, texts)| (name.as_str(), texts.as_slice()))
    }

    /// The texts of the policies of a name; empty when there is none.
    pub fn texts(&self, name: &str) -> &[&'a str] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }

    /// A hash over what the policies of a name say; none when there is none.
    pub(super) fn digest(&self, name: &str) -> Option<&[u8; 32]> {
        self.digests.get(name)
    }
}

/// A hash over texts that does not see how they are laid out.
fn digest(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(compact(text));
        hash.update([0]);
    }
    hash.finalize().into()
}

/// JSON without the blanks between its parts.
fn compact(text: &str) -> Vec<u8> {
    let mut inside = false;
    let mut escaped = false;
    text.bytes()
        .filter(|&byte| {
            let keep = inside || !byte.is_ascii_whitespace();
            if inside {
                inside = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
            } else {
                inside = byte == b'"';
            }
            keep
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_count_inside_of_texts_only() {
        assert_eq!(compact("{ \"a b\" :\n1 }"), b"{\"a b\":1}");
        assert_eq!(compact(r#"["\\" , "\" ,"]"#), br#"["\\","\" ,"]"#);
        assert_eq!(digest(&["{ }"]), digest(&["{}"]));
        assert_ne!(digest(&["\" \""]), digest(&["\"\""]));
    }
}
