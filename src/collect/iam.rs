//! Users, groups, roles and policies: `GetAccountAuthorizationDetails` of the AWS IAM API, with `GetPolicy` and
//! `GetPolicyVersion` for the documents that it leaves out, `ListAccessKeys` of each user, and `ListAccountAliases`.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};
use chrono::DateTime;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::Scan;
use super::calls::{
    GET_ACCOUNT_AUTHORIZATION_DETAILS, GET_POLICY, GET_POLICY_VERSION, LIST_ACCESS_KEYS,
    LIST_ACCOUNT_ALIASES,
};
use super::failure::Failure;
use super::identity::{Malformed, decoded, group, managed_policy, role, user};
use super::reader::{Unfinished, next_page};
use crate::account::{AccessKeys, Group, ManagedPolicy, PolicyText, Role, User};
use crate::arn::Arn;

/// A page of `GetAccountAuthorizationDetails`, the largest that IAM allows.
const PAGE: i32 = 1000;
/// Calls at once; IAM has one endpoint for the whole account.
const AT_ONCE: usize = 4;

/// What IAM holds that decides about access.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Identities {
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
    pub(super) roles: Vec<Role>,
    pub(super) policies: Vec<ManagedPolicy>,
}

/// The alias of the account. Only its name in reports depends on it.
pub(super) async fn alias(scan: &Scan<'_>) -> Option<String> {
    let request = Client::new(scan.session.global())
        .list_account_aliases()
        .send();
    match scan.reader.call(&LIST_ACCOUNT_ALIASES, None, request).await {
        Ok(answer) => answer.account_aliases.into_iter().next(),
        Err(failure) => {
            scan.reader
                .failed(&LIST_ACCOUNT_ALIASES, None, None, &failure);
            None
        }
    }
}

/// Every user, group and role; every customer managed policy, and the AWS managed ones that are in use.
pub(super) async fn identities(scan: &Scan<'_>) -> Identities {
    let client = Client::new(scan.session.global());
    let unit = scan.reader.unit("iam", None);
    let mut found = Identities::default();
    let mut policies = BTreeMap::new();
    scan.reader
        .pages(
            &GET_ACCOUNT_AUTHORIZATION_DETAILS,
            None,
            |marker| {
                client
                    .get_account_authorization_details()
                    .max_items(PAGE)
                    .set_marker(marker)
                    .send()
            },
            |page| next_page(page.is_truncated(), page.marker()),
            |page| {
                let before = found.count();
                found.add(&page, &mut policies, scan);
                unit.advanced(found.count() - before);
            },
        )
        .await;
    let used = found.policies_in_use();
    policies.retain(|arn: &Arn, _| arn.account() != "aws" || used.contains(arn));
    for arn in used {
        policies.entry(arn).or_insert(None);
    }
    found.policies = stream::iter(policies)
        .map(|(arn, document)| async {
            let document = match document {
                Some(document) => Some(document),
                None => default_document(scan, &client, &arn).await,
            };
            ManagedPolicy { arn, document }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    found.users = stream::iter(found.users)
        .map(|user| with_access_keys(scan, &client, user))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    found
}

/// The user with what its access keys say; none when it was deleted meanwhile.
async fn with_access_keys(scan: &Scan<'_>, client: &Client, mut user: User) -> Option<User> {
    let mut keys = AccessKeys::default();
    // A list that changes while it is paged through can name a key twice.
    let mut seen = BTreeSet::new();
    let read = scan
        .reader
        .every_page(
            &LIST_ACCESS_KEYS,
            None,
            |marker| {
                client
                    .list_access_keys()
                    .user_name(user.arn.name())
                    .set_marker(marker)
                    .send()
            },
            |page| next_page(page.is_truncated(), page.marker()),
            |page| {
                for key in page.access_key_metadata() {
                    if seen.insert(key.access_key_id().map(str::to_owned)) {
                        keys.add(key);
                    }
                }
            },
        )
        .await;
    match read {
        Ok(()) => user.access_keys = Some(keys),
        Err(Unfinished { failure, .. }) => {
            let arn = user.arn.as_str();
            if !scan
                .reader
                .still_exists(&LIST_ACCESS_KEYS, None, arn, &failure)
            {
                return None;
            }
        }
    }
    Some(user)
}

impl AccessKeys {
    fn add(&mut self, key: &AccessKeyMetadata) {
        if key.status() != Some(&StatusType::Active) {
            return;
        }
        self.active += 1;
        let made = key
            .create_date()
            .and_then(|made| DateTime::from_timestamp(made.secs(), 0));
        self.oldest = [self.oldest, made].into_iter().flatten().min();
        self.newest = [self.newest, made].into_iter().flatten().max();
    }
}

impl Identities {
    fn count(&self) -> usize {
        self.users.len() + self.groups.len() + self.roles.len()
    }

    fn add(
        &mut self,
        page: &GetAccountAuthorizationDetailsOutput,
        policies: &mut BTreeMap<Arn, Option<PolicyText>>,
        scan: &Scan<'_>,
    ) {
        keep(page.user_detail_list(), user, &mut self.users, scan);
        keep(page.group_detail_list(), group, &mut self.groups, scan);
        keep(page.role_detail_list(), role, &mut self.roles, scan);
        let mut managed = Vec::new();
        keep(page.policies(), managed_policy, &mut managed, scan);
        policies.extend(managed);
    }

    /// The managed policies that are attached to someone or are someone's boundary.
    fn policies_in_use(&self) -> BTreeSet<Arn> {
        let users = self
            .users
            .iter()
            .flat_map(|user| user.attached.iter().chain(&user.boundary));
        let groups = self.groups.iter().flat_map(|group| &group.attached);
        let roles = self
            .roles
            .iter()
            .flat_map(|role| role.attached.iter().chain(&role.boundary));
        users.chain(groups).chain(roles).cloned().collect()
    }
}

/// Keeps the items that can be read; each that cannot becomes a gap.
fn keep<From, To>(
    items: &[From],
    read: impl Fn(&From) -> Result<To, Malformed>,
    into: &mut Vec<To>,
    scan: &Scan<'_>,
) {
    for item in items {
        match read(item) {
            Ok(item) => into.push(item),
            Err(Malformed { name }) => scan.reader.failed(
                &GET_ACCOUNT_AUTHORIZATION_DETAILS,
                None,
                name.as_deref(),
                &Failure::word("MalformedResponse"),
            ),
        }
    }
}

/// The document of a policy's default version.
async fn default_document(scan: &Scan<'_>, client: &Client, arn: &Arn) -> Option<PolicyText> {
    let failed = |call, failure: &Failure| {
        scan.reader.failed(call, None, Some(arn.as_str()), failure);
    };
    let request = client.get_policy().policy_arn(arn.as_str()).send();
    let version = match scan.reader.call(&GET_POLICY, None, request).await {
        Ok(answer) => answer
            .policy
            .and_then(|policy| policy.default_version_id)
            .ok_or_else(|| Failure::word("MalformedResponse")),
        Err(failure) => Err(failure),
    };
    let version = version
        .inspect_err(|failure| failed(&GET_POLICY, failure))
        .ok()?;
    let request = client
        .get_policy_version()
        .policy_arn(arn.as_str())
        .version_id(version)
        .send();
    let document = match scan.reader.call(&GET_POLICY_VERSION, None, request).await {
        Ok(answer) => answer
            .policy_version
            .and_then(|version| version.document)
            .map(|text| decoded(&text))
            .ok_or_else(|| Failure::word("MalformedResponse")),
        Err(failure) => Err(failure),
    };
    document
        .inspect_err(|failure| failed(&GET_POLICY_VERSION, failure))
        .ok()
}
