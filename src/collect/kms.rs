//! Keys that queues, topics and buckets are encrypted with: `DescribeKey`, `GetKeyPolicy`, `ListGrants` and `ListAliases` of the AWS KMS API.
//!
//! Only keys that some of these name are asked for, and of the keys that AWS manages nothing is. A key of which something
//! stays unread counts later as one that lets everyone. That is why grants, which only add access, are kept all or not at all:
//! half of them beside a key policy would hide access.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::list_aliases::ListAliasesOutput;
use aws_sdk_kms::operation::list_grants::ListGrantsOutput;
use aws_sdk_kms::types::{AliasListEntry, GrantListEntry, KeyManagerType, KeyMetadata};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::calls::{Call, DESCRIBE_KEY, GET_KEY_POLICY, LIST_ALIASES, LIST_GRANTS};
use super::failure::Failure;
use super::reader::next_page;
use super::{REGIONS_AT_ONCE, Scan};
use crate::account::{
    Account, Encryption, Gap, GapEffect, Grant, Key, KeyManager, PolicyText, Queue,
};
use crate::arn::Arn;

/// A page of `ListGrants` or `ListAliases`, the largest that the API reference allows.
const PAGE: i32 = 100;
/// Calls at once for one region.
const AT_ONCE: usize = 8;
/// The only name that a key policy can have.
const POLICY_NAME: &str = "default";

/// The keys that the queues of a region name.
pub(super) async fn keys(scan: &Scan<'_>, region: &str, queues: &[Queue]) -> Vec<Key> {
    let attributes = queues.iter().filter_map(|queue| queue.attributes.as_ref());
    let names = names(attributes.map(|attributes| &attributes.encryption));
    of_names(scan, region, names, &[]).await
}

/// The keys that what messages pass through names and no queue does. A bucket does not tell its region, but its key does.
pub(super) async fn keys_of_channels(scan: &Scan<'_>, account: &Account) -> Vec<Key> {
    let mut by_region: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names(account.channels.iter().map(|channel| &channel.encryption)) {
        let region = Arn::parse(&name)
            .ok()
            .map(|key| key.region().to_owned())
            .filter(|region| account.regions.contains(region));
        let regions_of_name = account
            .channels
            .iter()
            .filter(
                |channel| matches!(&channel.encryption, Encryption::Kms { key } if *key == name),
            )
            .map(|channel| channel.arn.region().to_owned())
            .filter(|region| !region.is_empty());
        let mut regions: BTreeSet<String> = region.into_iter().collect();
        if regions.is_empty() {
            regions.extend(regions_of_name);
        }
        for region in regions {
            by_region.entry(region).or_default().insert(name.clone());
        }
    }
    stream::iter(by_region)
        .map(async |(region, names)| of_names(scan, &region, names, &account.keys).await)
        .buffer_unordered(REGIONS_AT_ONCE)
        .concat()
        .await
}

/// The keys of these names that are not known yet.
async fn of_names(
    scan: &Scan<'_>,
    region: &str,
    names: BTreeSet<String>,
    known: &[Key],
) -> Vec<Key> {
    let names: Vec<String> = names
        .into_iter()
        .filter(|name| !known.iter().any(|key| key.arn.as_str() == name))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("kms", Some(region));
    let mut keys: Vec<Key> = stream::iter(names)
        .map(|name| described(scan, &client, region, name))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    // An id, an ARN and an alias can all be names of one key.
    keys.sort_by(|a, b| a.arn.cmp(&b.arn));
    keys.dedup_by(|a, b| a.arn == b.arn);
    keys.retain(|key| !known.iter().any(|known| known.arn == key.arn));
    unit.known(keys.len());

    let aliases = if keys
        .iter()
        .any(|key| key.manager == KeyManager::Customer && is_own(scan, key))
    {
        aliases(scan, &client, region).await
    } else {
        None
    };
    stream::iter(keys)
        .map(|mut key| async {
            if let Some(aliases) = aliases.as_ref().filter(|_| is_own(scan, &key)) {
                key.aliases = Some(aliases.get(key.arn.name()).cloned().unwrap_or_default());
            }
            let key = match key.manager {
                KeyManager::Aws => key,
                KeyManager::Customer if !is_own(scan, &key) => of_other_account(scan, region, key),
                // Boxed: the state of two calls is large, and there are several keys at once.
                KeyManager::Customer => Box::pin(with_rights(scan, &client, region, key)).await,
            };
            unit.advanced(1);
            key
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

fn is_own(scan: &Scan<'_>, key: &Key) -> bool {
    key.arn.account() == scan.account.as_str()
}

/// The names of the keys that need a call, as what they encrypt spells them.
fn names<'a>(encrypted: impl Iterator<Item = &'a Encryption>) -> BTreeSet<String> {
    encrypted
        .filter(|encryption| !encryption.is_aws_managed_key())
        .filter_map(|encryption| match encryption {
            Encryption::Kms { key } => Some(key.clone()),
            Encryption::None | Encryption::SqsManaged => None,
        })
        .collect()
}

async fn described(scan: &Scan<'_>, client: &Client, region: &str, name: String) -> Option<Key> {
    let request = client.describe_key().key_id(&name).send();
    let answer = scan
        .reader
        .call(&DESCRIBE_KEY, Some(region), request)
        .await
        .and_then(|answer| {
            answer
                .key_metadata
                .as_ref()
                .and_then(key)
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    match answer {
        Ok(key) => return Some(key),
        // Nobody can use a queue whose key does not exist. But this answer is that of one moment, and too little to call access
        // denied.
        Err(failure) if failure.is_missing_key() => scan.reader.gap(gap(
            &DESCRIBE_KEY,
            region,
            &name,
            &failure.code,
            format!(
                "there is no key {name}: what names it can hardly be used, and access to it can only be smaller than \
                 shown; let it name a key that exists"
            ),
        )),
        Err(failure) => {
            scan.reader
                .failed(&DESCRIBE_KEY, Some(region), Some(&name), &failure);
        }
    }
    None
}

/// A key without its state is not read: it would look like one that is not enabled, and access to its queues like denied.
fn key(metadata: &KeyMetadata) -> Option<Key> {
    Some(Key {
        arn: Arn::parse(metadata.arn()?).ok()?,
        aliases: None,
        manager: match metadata.key_manager() {
            Some(KeyManagerType::Aws) => KeyManager::Aws,
            // Whoever manages it, its policy decides.
            _ => KeyManager::Customer,
        },
        state: metadata.key_state()?.as_str().to_owned(),
        policy: None,
        grants: None,
    })
}

/// The key with its policy and grants.
async fn with_rights(scan: &Scan<'_>, client: &Client, region: &str, key: Key) -> Key {
    let (policy, grants) = tokio::join!(
        policy(scan, client, region, &key.arn),
        grants(scan, client, region, &key.arn)
    );
    let recorded = |call, failure: Failure| {
        scan.reader
            .failed(call, Some(region), Some(key.arn.as_str()), &failure);
    };
    let policy = policy
        .map_err(|failure| recorded(&GET_KEY_POLICY, failure))
        .ok();
    let grants = grants
        .map_err(|failure| recorded(&LIST_GRANTS, failure))
        .ok();
    Key {
        policy,
        grants,
        ..key
    }
}

/// `GetKeyPolicy` answers for keys of the caller's account only, and grants decide nothing without the policy.
fn of_other_account(scan: &Scan<'_>, region: &str, key: Key) -> Key {
    let account = key.arn.account();
    let detail = format!(
        "key policy and grants of {} are not read: KMS shows them only to account {account}, which the key belongs to; access \
         to what the key encrypts can only be smaller than shown; look at the key there",
        key.arn
    );
    let name = key.arn.as_str();
    scan.reader
        .gap(gap(&GET_KEY_POLICY, region, name, "OtherAccount", detail));
    key
}

async fn policy(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    key: &Arn,
) -> Result<PolicyText, Failure> {
    let request = client
        .get_key_policy()
        .key_id(key.as_str())
        .policy_name(POLICY_NAME)
        .send();
    let answer = scan
        .reader
        .call(&GET_KEY_POLICY, Some(region), request)
        .await?;
    answer
        .policy()
        .map(PolicyText::new)
        .ok_or_else(|| Failure::word("MalformedResponse"))
}

async fn grants(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    key: &Arn,
) -> Result<Vec<Grant>, Failure> {
    let mut entries: Vec<GrantListEntry> = Vec::new();
    scan.reader
        .every_page(
            &LIST_GRANTS,
            Some(region),
            |marker| {
                client
                    .list_grants()
                    .key_id(key.as_str())
                    .limit(PAGE)
                    .set_marker(marker)
                    .send()
            },
            next_grants,
            |page| entries.extend(page.grants.unwrap_or_default()),
        )
        .await
        .map_err(|unfinished| unfinished.failure)?;
    let mut grants = entries
        .into_iter()
        .map(|entry| grant(entry).ok_or_else(|| Failure::word("MalformedResponse")))
        .collect::<Result<Vec<Grant>, Failure>>()?;
    grants.sort();
    grants.dedup();
    Ok(grants)
}

fn next_grants(page: &ListGrantsOutput) -> Option<&str> {
    next_page(page.truncated(), page.next_marker())
}

fn grant(entry: GrantListEntry) -> Option<Grant> {
    let mut operations: Vec<String> = entry
        .operations()
        .iter()
        .map(|operation| operation.as_str().to_owned())
        .collect();
    operations.sort();
    operations.dedup();
    let (subset, equals, source_arn) = entry
        .constraints
        .map(|only| {
            (
                only.encryption_context_subset,
                only.encryption_context_equals,
                only.source_arn,
            )
        })
        .unwrap_or_default();
    Some(Grant {
        id: entry.grant_id?,
        grantee: entry
            .grantee_principal
            .or(entry.grantee_service_principal)?,
        operations,
        context_subset: sorted(subset.unwrap_or_default()),
        // No pairs constrain nothing; taken as a constraint they would shut SQS out, which always sends some.
        context_equals: equals.filter(|pairs| !pairs.is_empty()).map(sorted),
        source_arn,
    })
}

fn sorted(pairs: HashMap<String, String>) -> BTreeMap<String, String> {
    pairs.into_iter().collect()
}

/// The aliases of the account's keys in a region, by key id.
async fn aliases(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
) -> Option<BTreeMap<String, Vec<String>>> {
    let mut entries: Vec<AliasListEntry> = Vec::new();
    let read = scan
        .reader
        .every_page(
            &LIST_ALIASES,
            Some(region),
            |marker| client.list_aliases().limit(PAGE).set_marker(marker).send(),
            next_aliases,
            |page| entries.extend(page.aliases.unwrap_or_default()),
        )
        .await;
    if let Err(unfinished) = read {
        scan.reader
            .failed(&LIST_ALIASES, Some(region), None, &unfinished.failure);
        return None;
    }
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries {
        // AWS reserves aliases for keys that it makes on first use: those have no target yet.
        if let (Some(name), Some(key)) = (entry.alias_name, entry.target_key_id) {
            by_key.entry(key).or_default().push(name);
        }
    }
    for names in by_key.values_mut() {
        names.sort();
        names.dedup();
    }
    Some(by_key)
}

fn next_aliases(page: &ListAliasesOutput) -> Option<&str> {
    next_page(page.truncated(), page.next_marker())
}

fn gap(call: &Call, region: &str, key: &str, error: &str, detail: String) -> Gap {
    Gap {
        region: Some(region.to_owned()),
        service: call.service.to_owned(),
        operation: call.operation.to_owned(),
        resource: Some(key.to_owned()),
        error: error.to_owned(),
        effect: GapEffect::MayOverstate,
        detail,
    }
}
