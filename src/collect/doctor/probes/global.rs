//! Who the caller is, IAM, the organization and keys.

use aws_sdk_iam::Client as Iam;
use aws_sdk_kms::Client as Kms;
use aws_sdk_organizations::Client as Organizations;
use aws_sdk_organizations::types::PolicyType;

use super::{Ground, NOBODY, about, standing, untried};
use crate::collect::calls::{
    DESCRIBE_KEY, DESCRIBE_ORGANIZATION, DESCRIBE_POLICY, GET_ACCOUNT_AUTHORIZATION_DETAILS,
    GET_KEY_POLICY, GET_POLICY, GET_POLICY_VERSION, LIST_ACCESS_KEYS, LIST_ACCOUNT_ALIASES,
    LIST_ALIASES, LIST_GRANTS, LIST_PARENTS, LIST_POLICIES_FOR_TARGET, LIST_ROOTS,
};
use crate::collect::doctor::Standing;

/// What IAM says of what is not there (API reference, `GetPolicy`, `GetPolicyVersion` and `ListAccessKeys`).
const NO_SUCH_ENTITY: &[&str] = &["NoSuchEntity"];
/// The policy that every organization has.
const FULL_ACCESS: &str = "p-FullAWSAccess";
/// The largest page of aliases: the first of them may be names that AWS keeps for keys to come.
const ALIASES: i32 = 100;

/// Nothing else would be asked had it failed.
pub(super) async fn caller_identity(_: &Ground<'_>) -> Standing {
    Standing::Allowed
}

/// Asked before, to know which regions there are.
pub(super) async fn regions(ground: &Ground<'_>) -> Standing {
    ground.enabled.clone()
}

fn iam(ground: &Ground<'_>) -> Iam {
    Iam::new(ground.scan.session.global())
}

pub(super) async fn account_aliases(ground: &Ground<'_>) -> Standing {
    let request = iam(ground).list_account_aliases().max_items(1).send();
    ground.ask(&LIST_ACCOUNT_ALIASES, request, &[]).await
}

pub(super) async fn authorization_details(ground: &Ground<'_>) -> Standing {
    let client = iam(ground);
    let request = client.get_account_authorization_details().max_items(1);
    ground
        .ask(&GET_ACCOUNT_AUTHORIZATION_DETAILS, request.send(), &[])
        .await
}

/// A policy of AWS is there for everyone, so it is found, or is not where there is only an emulator.
fn policy_of_aws(ground: &Ground<'_>) -> String {
    format!("arn:{}:iam::aws:policy/AWSDenyAll", ground.scan.partition)
}

pub(super) async fn policy(ground: &Ground<'_>) -> Standing {
    let request = iam(ground).get_policy().policy_arn(policy_of_aws(ground));
    ground
        .ask(&GET_POLICY, request.send(), NO_SUCH_ENTITY)
        .await
}

pub(super) async fn policy_version(ground: &Ground<'_>) -> Standing {
    let request = iam(ground)
        .get_policy_version()
        .policy_arn(policy_of_aws(ground))
        .version_id("v1");
    ground
        .ask(&GET_POLICY_VERSION, request.send(), NO_SUCH_ENTITY)
        .await
}

pub(super) async fn access_keys(ground: &Ground<'_>) -> Standing {
    let request = iam(ground)
        .list_access_keys()
        .user_name(NOBODY)
        .max_items(1);
    ground
        .ask(&LIST_ACCESS_KEYS, request.send(), NO_SUCH_ENTITY)
        .await
}

fn organizations(ground: &Ground<'_>) -> Organizations {
    Organizations::new(ground.scan.session.global())
}

/// In no organization there is nothing further to ask.
fn without_organization(ground: &Ground<'_>) -> Option<Standing> {
    let alone = ground.named().without_organization;
    alone.then(|| untried("the account belongs to no organization"))
}

pub(super) async fn organization(ground: &Ground<'_>) -> Standing {
    let request = organizations(ground).describe_organization().send();
    let answer = ground.answer(&DESCRIBE_ORGANIZATION, request).await;
    if let Err(failure) = &answer
        && failure.is_without_organization()
    {
        ground.name(|named| named.without_organization = true);
        return Standing::Allowed;
    }
    standing(answer, &[])
}

pub(super) async fn roots(ground: &Ground<'_>) -> Standing {
    if let Some(alone) = without_organization(ground) {
        return alone;
    }
    let request = organizations(ground).list_roots().max_results(1).send();
    ground.ask(&LIST_ROOTS, request, &[]).await
}

pub(super) async fn parents(ground: &Ground<'_>) -> Standing {
    if let Some(alone) = without_organization(ground) {
        return alone;
    }
    let request = organizations(ground)
        .list_parents()
        .child_id(ground.scan.account.as_str());
    ground.ask(&LIST_PARENTS, request.send(), &[]).await
}

pub(super) async fn control_policies(ground: &Ground<'_>) -> Standing {
    if let Some(alone) = without_organization(ground) {
        return alone;
    }
    let request = organizations(ground)
        .list_policies_for_target()
        .target_id(ground.scan.account.as_str())
        .filter(PolicyType::ServiceControlPolicy)
        .max_results(1);
    ground
        .ask(&LIST_POLICIES_FOR_TARGET, request.send(), &[])
        .await
}

/// An organization without control policies does not have this one either.
pub(super) async fn control_policy(ground: &Ground<'_>) -> Standing {
    if let Some(alone) = without_organization(ground) {
        return alone;
    }
    let request = organizations(ground)
        .describe_policy()
        .policy_id(FULL_ACCESS);
    ground
        .ask(
            &DESCRIBE_POLICY,
            request.send(),
            &["PolicyNotFoundException"],
        )
        .await
}

fn kms(ground: &Ground<'_>) -> Kms {
    Kms::new(&ground.config())
}

/// The key of an alias of the account, of its own rather than one that AWS manages. Its policy has a say in what is asked of
/// it: the default one leaves that to IAM.
async fn a_key(ground: &Ground<'_>) -> Result<String, Standing> {
    let none = || untried("no key has an alias to ask by");
    if let Some(key) = ground.named().key {
        return Ok(key);
    }
    // Listing them is an operation of its own, which reports its own failure.
    let request = kms(ground).list_aliases().limit(ALIASES).send();
    let page = ground.answer(&LIST_ALIASES, request).await;
    let page = page.map_err(|failure| match standing::<()>(Err(failure), &[]) {
        Standing::Denied { .. } => Standing::Unknown {
            why: "no key to ask about could be listed".to_owned(),
        },
        other => other,
    })?;
    let mut aliases = page.aliases.unwrap_or_default();
    aliases.sort_by_key(|alias| {
        let name = alias.alias_name.clone().unwrap_or_default();
        (name.starts_with("alias/aws/"), name)
    });
    let key = aliases.into_iter().find_map(|alias| alias.target_key_id);
    let key = key.ok_or_else(none)?;
    ground.name(|named| named.key = Some(key.clone()));
    Ok(key)
}

pub(super) async fn key(ground: &Ground<'_>) -> Standing {
    let key = match a_key(ground).await {
        Ok(key) => key,
        Err(standing) => return standing,
    };
    let request = kms(ground).describe_key().key_id(&key).send();
    about(ground.ask(&DESCRIBE_KEY, request, &[]).await, &key)
}

pub(super) async fn key_policy(ground: &Ground<'_>) -> Standing {
    let key = match a_key(ground).await {
        Ok(key) => key,
        Err(standing) => return standing,
    };
    let request = kms(ground)
        .get_key_policy()
        .key_id(&key)
        .policy_name("default")
        .send();
    about(ground.ask(&GET_KEY_POLICY, request, &[]).await, &key)
}

pub(super) async fn grants(ground: &Ground<'_>) -> Standing {
    let key = match a_key(ground).await {
        Ok(key) => key,
        Err(standing) => return standing,
    };
    let request = kms(ground).list_grants().key_id(&key).limit(1).send();
    about(ground.ask(&LIST_GRANTS, request, &[]).await, &key)
}

pub(super) async fn aliases(ground: &Ground<'_>) -> Standing {
    let request = kms(ground).list_aliases().limit(1).send();
    ground.ask(&LIST_ALIASES, request, &[]).await
}
