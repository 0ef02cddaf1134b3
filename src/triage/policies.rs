//! The texts of policies by the names under which findings show them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};

use crate::access::inline_name;
use crate::account::{Account, InlinePolicy};
use crate::arn::{AccountId, Arn};
use crate::finding::Kind;

/// The texts of every policy, by name. Two accounts can have inline policies of one name.
#[derive(Debug, Default)]
pub struct PolicyTexts<'a> {
    by_name: HashMap<String, Named<'a>, RandomState>,
}

/// A text, and the account that has it.
type Text<'a> = (&'a AccountId, &'a str);

/// The policies of one name: one nearly always, and there are tens of thousands of names.
#[derive(Debug)]
struct Named<'a> {
    first: Text<'a>,
    others: Vec<Text<'a>>,
    /// Made when somebody asks: most policies stand in no finding, and to hash them all takes longer than the findings do.
    digests: OnceLock<Box<Digests<'a>>>,
}

impl<'a> Named<'a> {
    fn texts(&self) -> impl Iterator<Item = Text<'a>> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

/// Hashes over what the policies of a name say in each account, and last over all of them.
type Digests<'a> = (BTreeMap<&'a AccountId, [u8; 32]>, [u8; 32]);

impl<'a> PolicyTexts<'a> {
    /// The policies of accounts: managed, inline, trust, of queues, keys and channels, and control policies.
    pub fn of(accounts: &'a [Account]) -> Self {
        let mut policies = Self::default();
        for account in accounts {
            policies.add_account(account);
        }
        policies
    }

    fn add_account(&mut self, account: &'a Account) {
        for policy in &account.policies {
            if let Some(text) = &policy.document {
                self.add(account, policy.arn.to_string(), text.as_str());
            }
        }
        for user in &account.users {
            self.add_inline(account, Kind::User, &user.arn, &user.inline);
        }
        for group in &account.groups {
            self.add_inline(account, Kind::Group, &group.arn, &group.inline);
        }
        for role in &account.roles {
            self.add_inline(account, Kind::Role, &role.arn, &role.inline);
            let name = format!("trust policy of role {}", role.arn.name());
            self.add(account, name, role.trust.as_str());
        }
        for queue in &account.queues {
            let attributes = queue.attributes.as_ref();
            if let Some(text) = attributes.and_then(|attributes| attributes.policy.as_ref()) {
                self.add(account, queue.arn.to_string(), text.as_str());
            }
        }
        for channel in &account.channels {
            if let Some(text) = &channel.policy {
                self.add(account, channel.arn.to_string(), text.as_str());
            }
        }
        for key in &account.keys {
            if let Some(text) = &key.policy {
                self.add(account, key.arn.to_string(), text.as_str());
            }
        }
    }

    fn add_inline(
        &mut self,
        account: &'a Account,
        kind: Kind,
        owner: &Arn,
        policies: &'a [InlinePolicy],
    ) {
        for policy in policies {
            let name = inline_name(kind, owner, &policy.name);
            self.add(account, name, policy.document.as_str());
        }
    }

    fn add(&mut self, account: &'a Account, name: String, text: &'a str) {
        let text = (&account.id, text);
        match self.by_name.entry(name) {
            Entry::Occupied(known) => known.into_mut().others.push(text),
            Entry::Vacant(new) => {
                new.insert(Named {
                    first: text,
                    others: Vec::new(),
                    digests: OnceLock::new(),
                });
            }
        }
    }

    /// The names of every policy.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The texts of the policies of a name, sorted by account; empty when there is none.
    pub fn texts(&self, name: &str) -> Vec<&'a str> {
        let named = self.by_name.get(name);
        let mut texts: Vec<Text<'_>> = named.into_iter().flat_map(Named::texts).collect();
        texts.sort();
        texts.into_iter().map(|(_, text)| text).collect()
    }

    /// A hash over what the policy of a name says, the one of `account` where several accounts have it; none when there is none.
    pub(super) fn digest(&self, name: &str, account: &AccountId) -> Option<&[u8; 32]> {
        let named = self.by_name.get(name)?;
        let digests = named
            .digests
            .get_or_init(|| Box::new(digests(named.texts())));
        let (by_account, all) = &**digests;
        Some(by_account.get(account).unwrap_or(all))
    }
}

fn digests<'a>(texts: impl Iterator<Item = Text<'a>>) -> Digests<'a> {
    let mut by_account: BTreeMap<&AccountId, Vec<&str>> = BTreeMap::new();
    for (account, text) in texts {
        by_account.entry(account).or_default().push(text);
    }
    for texts in by_account.values_mut() {
        texts.sort_unstable();
    }
    let all: Vec<&str> = by_account.values().flatten().copied().collect();
    let all = digest(&all);
    let by_account = by_account.into_iter();
    (
        by_account
            .map(|(account, texts)| (account, digest(&texts)))
            .collect(),
        all,
    )
}

/// A hash over texts that sees neither how they are laid out nor in which order their accounts came.
fn digest(texts: &[&str]) -> [u8; 32] {
    let mut texts: Vec<Vec<u8>> = texts.iter().map(|text| compact(text)).collect();
    texts.sort_unstable();
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
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

    #[test]
    fn the_order_of_texts_does_not_count() {
        assert_eq!(digest(&["{}", "[]"]), digest(&["[]", "{}"]));
    }
}
