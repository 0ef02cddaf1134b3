//! The keys that queues, topics and buckets are encrypted with: who may use one decides who may send and receive (C.4), publish
//! and put objects.
//!
//! Implements "Configure KMS permissions for producers and consumers" of the Amazon SQS developer guide, "Managing Amazon SNS
//! encryption keys", "Using server-side encryption with AWS KMS keys" of Amazon S3, and "Grants in AWS KMS". A grant is read as the statement that it amounts to, so that one procedure decides key policies and grants alike.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Map, json};

use super::context::{ENCRYPTION_CONTEXTS, Sealed};
use super::decide::Policy;
use crate::account::{Account, Encryption, Grant, Key, KeyManager, Queue};
use crate::arn::Arn;
use crate::policy::PolicyKind;

/// What stands between a caller and the messages of a queue or topic, besides the service itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    /// Nothing: no encryption, or keys that the service manages.
    Open,
    /// The key that AWS manages for the service: callers of the own account pass, nobody else.
    AwsManaged,
    /// A key that encrypts and decrypts nothing now: disabled, or about to be deleted (K8).
    Unusable,
    /// A key that is not known, or not well enough to refuse anybody. A gap says so once.
    Unread,
    /// A key with its policy, by its place in [`super::Access::keys`].
    Key(usize),
}

/// A customer managed key with its policies parsed.
#[derive(Debug)]
pub(super) struct AuditedKey<'a> {
    pub(super) key: &'a Key,
    /// The key policy, then the grants.
    pub(super) policies: Vec<Policy>,
    /// The index of its account among those audited.
    pub(super) account: usize,
}

/// The customer managed keys whose policy was read.
pub(super) fn audited_keys(accounts: &[Account]) -> Vec<AuditedKey<'_>> {
    let all = accounts
        .iter()
        .enumerate()
        .flat_map(|(index, account)| account.keys.iter().map(move |key| (index, key)));
    all.filter(|(_, key)| key.manager == KeyManager::Customer)
        .filter_map(|(account, key)| {
            let document = key.policy.as_ref()?;
            // Without the grants it is not known whom the key lets in: it cannot refuse anybody.
            let grants = key.grants.as_ref()?;
            let name = key.arn.shared();
            let policy = Policy::parse(
                Arc::clone(&name),
                name,
                document.as_str(),
                PolicyKind::Resource,
            );
            let grants = grants
                .iter()
                .filter_map(|grant| policy_of_grant(key, grant));
            Some(AuditedKey {
                key,
                policies: std::iter::once(policy).chain(grants).collect(),
                account,
            })
        })
        .collect()
}

/// The keys by everything that a setting may name them by.
pub(super) struct NamedKeys<'k> {
    /// By id, ARN and alias.
    by_name: HashMap<&'k str, Vec<&'k Key>, RandomState>,
    /// The places of those whose policy was read.
    places: HashMap<&'k Arn, usize, RandomState>,
}

impl<'k> NamedKeys<'k> {
    pub(super) fn new(accounts: &'k [Account], audited: &[AuditedKey<'k>]) -> Self {
        let mut by_name: HashMap<&str, Vec<&Key>, RandomState> = HashMap::default();
        for key in accounts.iter().flat_map(|account| &account.keys) {
            let id = key.arn.resource().strip_prefix("key/");
            let aliases = key.aliases.iter().flatten().map(String::as_str);
            for name in id.into_iter().chain([key.arn.as_str()]).chain(aliases) {
                by_name.entry(name).or_default().push(key);
            }
        }
        let mut places = HashMap::default();
        for (place, audited) in audited.iter().enumerate() {
            places.entry(&audited.key.arn).or_insert(place);
        }
        Self { by_name, places }
    }

    /// The keys that a setting means, each once.
    fn meant(&self, setting: &str, sealed: Sealed<'_>) -> Vec<&'k Key> {
        let arn = Arn::parse(setting).ok();
        let alias = arn.as_ref().map(Arn::resource);
        let candidates = [Some(setting), alias].into_iter().flatten();
        let candidates = candidates.filter_map(|name| self.by_name.get(name));
        let mut meant: Vec<&Key> = Vec::new();
        for key in candidates.flatten() {
            let is_known = meant.iter().any(|known| std::ptr::eq(*known, *key));
            if !is_known && names(setting, sealed, key) {
                meant.push(key);
            }
        }
        meant
    }
}

/// What encrypts the messages of a queue.
pub(super) fn lock(queue: &Queue, keys: &NamedKeys<'_>) -> Lock {
    let sealed = Sealed {
        arn: &queue.arn,
        account: queue.arn.account(),
    };
    match &queue.attributes {
        Some(attributes) => lock_of(&attributes.encryption, sealed, keys),
        None => Lock::Unread,
    }
}

/// What encrypts what is sent to something that is encrypted so.
pub(super) fn lock_of(encryption: &Encryption, sealed: Sealed<'_>, keys: &NamedKeys<'_>) -> Lock {
    let Encryption::Kms { key: name } = encryption else {
        return Lock::Open;
    };
    if encryption.is_aws_managed_key() {
        return Lock::AwsManaged;
    }
    // The ARN of a bucket does not tell its region, and each region may have a key of that alias.
    let [key] = *keys.meant(name, sealed) else {
        return Lock::Unread;
    };
    if !key.is_enabled() {
        Lock::Unusable
    } else if key.manager == KeyManager::Aws {
        Lock::AwsManaged
    } else {
        let place = keys.places.get(&key.arn);
        place.copied().map_or(Lock::Unread, Lock::Key)
    }
}

/// Whether a setting, which is a key id, a key ARN, an alias or an alias ARN, means this key. Ids and aliases mean keys of the
/// account and region of what is encrypted.
pub(super) fn names(setting: &str, sealed: Sealed<'_>, key: &Key) -> bool {
    if setting == key.arn.as_str() {
        return true;
    }
    let is_alias = |alias: &str| {
        key.aliases
            .as_ref()
            .is_some_and(|aliases| aliases.iter().any(|known| known == alias))
    };
    let beside =
        |region: &str, account: &str| key.arn.region() == region && key.arn.account() == account;
    if let Ok(arn) = Arn::parse(setting) {
        return beside(arn.region(), arn.account()) && is_alias(arn.resource());
    }
    let region = match sealed.arn.region() {
        "" => key.arn.region(),
        region => region,
    };
    beside(region, sealed.account)
        && (key.arn.resource().strip_prefix("key/") == Some(setting) || is_alias(setting))
}

/// The key that a queue's messages are encrypted with; none when it is not among those that were read, or not a key of KMS.
pub(crate) fn of_queue<'a>(accounts: &'a [Account], queue: &Queue) -> Option<&'a Key> {
    let Encryption::Kms { key: setting } = &queue.attributes.as_ref()?.encryption else {
        return None;
    };
    let sealed = Sealed {
        arn: &queue.arn,
        account: queue.arn.account(),
    };
    accounts
        .iter()
        .flat_map(|account| &account.keys)
        .find(|key| names(setting, sealed, key))
}

/// Which messages a grant is for.
#[derive(Debug, PartialEq, Eq)]
enum Bound<'a> {
    /// All that the key encrypts.
    Any,
    /// Those of one queue, topic or bucket, by the name of its pair of the encryption context.
    One(&'a str, &'a str),
    /// None.
    Nothing,
}

/// The statement that a grant amounts to: its operations for its grantee. None when it is for no message.
fn policy_of_grant(key: &Key, grant: &Grant) -> Option<Policy> {
    let mut keys = Map::new();
    match bound_to(grant) {
        Bound::Nothing => return None,
        Bound::Any => {}
        Bound::One(pair, arn) => {
            keys.insert(format!("kms:EncryptionContext:{pair}"), arn.into());
        }
    }
    if let Some(source) = &grant.source_arn {
        keys.insert("aws:SourceArn".to_owned(), source.as_str().into());
    }
    let actions: Vec<String> = grant
        .operations
        .iter()
        .map(|operation| format!("kms:{operation}"))
        .collect();
    let is_service =
        grant.grantee.ends_with(".amazonaws.com") || grant.grantee.ends_with(".amazonaws.com.cn");
    let kind = if is_service { "Service" } else { "AWS" };
    let document = json!({
        // The older version, in which nothing that stands in a grant could be taken for a variable.
        "Version": "2008-10-17",
        "Statement": {
            "Sid": grant.id,
            "Effect": "Allow",
            "Principal": { kind: grant.grantee },
            "Action": actions,
            "Resource": "*",
            "Condition": { "StringEquals": keys },
        },
    });
    Some(Policy::parse(
        format!("grants of {}", key.arn),
        key.arn.shared(),
        &document.to_string(),
        PolicyKind::Resource,
    ))
}

/// The messages that a grant is for. The encryption context of a message is one pair, the ARN of its queue, topic or bucket (K7);
/// names of pairs are case-sensitive.
fn bound_to(grant: &Grant) -> Bound<'_> {
    let of_message = |pairs: &BTreeMap<String, String>| {
        pairs
            .keys()
            .all(|name| ENCRYPTION_CONTEXTS.contains(&name.as_str()))
    };
    let equals = grant.context_equals.as_ref();
    if !of_message(&grant.context_subset)
        || equals.is_some_and(|pairs| pairs.is_empty() || !of_message(pairs))
    {
        return Bound::Nothing;
    }
    let mut pairs = grant
        .context_subset
        .iter()
        .chain(equals.into_iter().flatten());
    match pairs.next() {
        None => Bound::Any,
        Some(pair) if pairs.all(|other| other == pair) => Bound::One(pair.0, pair.1),
        Some(_) => Bound::Nothing,
    }
}
