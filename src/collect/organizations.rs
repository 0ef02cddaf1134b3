//! The organization around the account: `DescribeOrganization`, `ListRoots`, `ListParents`, `ListPoliciesForTarget` and
//! `DescribePolicy` of the AWS Organizations API.
//!
//! Every account may learn which organization it is in. The rest is for the management account and delegated administrators:
//! the first call of it that fails ends the reading, with one gap.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_parents::ListParentsOutput;
use aws_sdk_organizations::operation::list_policies_for_target::ListPoliciesForTargetOutput;
use aws_sdk_organizations::operation::list_roots::ListRootsOutput;
use aws_sdk_organizations::types::{
    Organization as Description, Parent, ParentType, PolicySummary, PolicyType, PolicyTypeStatus,
    Root,
};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Scan;
use super::calls::{
    Call, DESCRIBE_ORGANIZATION, DESCRIBE_POLICY, LIST_PARENTS, LIST_POLICIES_FOR_TARGET,
    LIST_ROOTS,
};
use super::failure::{Failure, Kind};
use super::reader::{RunningUnit, Unfinished};
use crate::account::{
    ControlLevel, ControlPolicy, Gap, GapEffect, Membership, Organization, PolicyText,
};
use crate::arn::AccountId;

/// Calls at once; Organizations has one endpoint for the whole organization.
const AT_ONCE: usize = 4;
/// Parents that an account is followed up through. AWS nests units five deep below the root; more is an answer that goes in
/// circles.
const MOST_PARENTS: usize = 16;

/// What ended the reading.
struct Stopped {
    call: &'static Call,
    failure: Failure,
}

impl Stopped {
    fn at(call: &'static Call) -> impl Fn(Unfinished) -> Self {
        move |unfinished| Self {
            call,
            failure: unfinished.failure,
        }
    }

    fn malformed(call: &'static Call) -> Self {
        Self {
            call,
            failure: Failure::word("MalformedResponse"),
        }
    }
}

/// The account's organization, as far as it can be read.
pub(super) async fn organization(scan: &Scan<'_>) -> Option<Organization> {
    let client = Client::new(scan.session.global());
    let unit = scan.reader.unit("organizations", None);
    let request = client.describe_organization().send();
    let answer = scan
        .reader
        .call(&DESCRIBE_ORGANIZATION, None, request)
        .await
        .and_then(|answer| {
            answer
                .organization
                .and_then(membership)
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    let mut membership = match answer {
        Ok(membership) => membership,
        Err(failure) if failure.is_without_organization() => return Some(Organization::None),
        Err(failure) => {
            scan.reader
                .failed(&DESCRIBE_ORGANIZATION, None, None, &failure);
            return None;
        }
    };
    if let Err(stopped) = fill(scan, &client, &unit, &mut membership).await {
        scan.reader.gap(unread(&membership, &stopped));
    }
    Some(Organization::Member(membership))
}

fn membership(description: Description) -> Option<Membership> {
    Some(Membership {
        id: description.id?,
        management_account: AccountId::parse(&description.master_account_id?).ok()?,
        path: None,
        service_controls: None,
        resource_controls: None,
    })
}

/// Reads what is above the account, until something fails; what was read by then stays.
async fn fill(
    scan: &Scan<'_>,
    client: &Client,
    unit: &RunningUnit<'_>,
    membership: &mut Membership,
) -> Result<(), Stopped> {
    // Control policies do not bind the management account.
    let in_force = if membership.management_account == scan.account {
        Vec::new()
    } else {
        enabled_types(scan, client).await?
    };
    let binds = |kind: PolicyType| in_force.contains(&kind);
    if !binds(PolicyType::ServiceControlPolicy) {
        membership.service_controls = Some(Vec::new());
    }
    if !binds(PolicyType::ResourceControlPolicy) {
        membership.resource_controls = Some(Vec::new());
    }
    let mut levels = parents(scan, client).await?;
    membership.path = Some(format!("{}/{}/", membership.id, levels.join("/")));
    levels.push(scan.account.as_str().to_owned());
    if membership.service_controls.is_none() {
        let kind = PolicyType::ServiceControlPolicy;
        membership.service_controls = Some(controls(scan, client, unit, kind, &levels).await?);
    }
    if membership.resource_controls.is_none() {
        let kind = PolicyType::ResourceControlPolicy;
        membership.resource_controls = Some(controls(scan, client, unit, kind, &levels).await?);
    }
    Ok(())
}

/// The policy types that are in force: disabling a type takes its policies off everything (SCP7).
async fn enabled_types(scan: &Scan<'_>, client: &Client) -> Result<Vec<PolicyType>, Stopped> {
    let mut roots: Vec<Root> = Vec::new();
    scan.reader
        .every_page(
            &LIST_ROOTS,
            None,
            |token| client.list_roots().set_next_token(token).send(),
            ListRootsOutput::next_token,
            |page| roots.extend(page.roots.unwrap_or_default()),
        )
        .await
        .map_err(Stopped::at(&LIST_ROOTS))?;
    // An organization has a root. Without one, nothing says that a type is not enabled.
    if roots.is_empty() {
        return Err(Stopped::malformed(&LIST_ROOTS));
    }
    Ok(roots
        .into_iter()
        .flat_map(|root| root.policy_types.unwrap_or_default())
        .filter(|summary| summary.status == Some(PolicyTypeStatus::Enabled))
        .filter_map(|summary| summary.r#type)
        .collect())
}

/// The ids of the root and the organizational units above the account, root first.
async fn parents(scan: &Scan<'_>, client: &Client) -> Result<Vec<String>, Stopped> {
    let mut child = scan.account.as_str().to_owned();
    let mut above = Vec::new();
    while above.len() < MOST_PARENTS {
        let mut parents: Vec<Parent> = Vec::new();
        scan.reader
            .every_page(
                &LIST_PARENTS,
                None,
                |token| {
                    client
                        .list_parents()
                        .child_id(&child)
                        .set_next_token(token)
                        .send()
                },
                ListParentsOutput::next_token,
                |page| parents.extend(page.parents.unwrap_or_default()),
            )
            .await
            .map_err(Stopped::at(&LIST_PARENTS))?;
        let parent = parents
            .into_iter()
            .next()
            .and_then(|parent| Some((parent.id?, parent.r#type?)));
        match parent {
            Some((root, ParentType::Root)) => {
                above.push(root);
                above.reverse();
                return Ok(above);
            }
            Some((unit, ParentType::OrganizationalUnit)) => {
                above.push(unit.clone());
                child = unit;
            }
            _ => break,
        }
    }
    Err(Stopped::malformed(&LIST_PARENTS))
}

/// The policies of one type at every level.
async fn controls(
    scan: &Scan<'_>,
    client: &Client,
    unit: &RunningUnit<'_>,
    kind: PolicyType,
    levels: &[String],
) -> Result<Vec<ControlLevel>, Stopped> {
    let mut listed: Vec<(&String, BTreeMap<String, String>)> = Vec::new();
    for target in levels {
        listed.push((target, attached(scan, client, &kind, target).await?));
    }
    let distinct: BTreeSet<String> = listed
        .iter()
        .flat_map(|(_, policies)| policies.keys().cloned())
        .collect();
    unit.known(distinct.len());
    let documents: BTreeMap<String, Option<PolicyText>> = stream::iter(distinct)
        .map(|id| async {
            let document = document(scan, client, &id).await;
            unit.advanced(1);
            (id, document)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let level = |(target, policies): (&String, BTreeMap<String, String>)| ControlLevel {
        target: target.clone(),
        policies: policies
            .into_iter()
            .map(|(id, name)| ControlPolicy {
                document: documents.get(&id).cloned().flatten(),
                id,
                name,
            })
            .collect(),
    };
    Ok(listed.into_iter().map(level).collect())
}

/// The policies of one type that are attached to a root, a unit or an account: their names by id.
async fn attached(
    scan: &Scan<'_>,
    client: &Client,
    kind: &PolicyType,
    target: &str,
) -> Result<BTreeMap<String, String>, Stopped> {
    let mut summaries: Vec<PolicySummary> = Vec::new();
    scan.reader
        .every_page(
            &LIST_POLICIES_FOR_TARGET,
            None,
            |token| {
                client
                    .list_policies_for_target()
                    .target_id(target)
                    .filter(kind.clone())
                    .set_next_token(token)
                    .send()
            },
            ListPoliciesForTargetOutput::next_token,
            |page| summaries.extend(page.policies.unwrap_or_default()),
        )
        .await
        .map_err(Stopped::at(&LIST_POLICIES_FOR_TARGET))?;
    summaries
        .into_iter()
        .map(|summary| {
            let id = summary.id?;
            let name = summary.name.unwrap_or_else(|| id.clone());
            Some((id, name))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| Stopped::malformed(&LIST_POLICIES_FOR_TARGET))
}

async fn document(scan: &Scan<'_>, client: &Client, id: &str) -> Option<PolicyText> {
    let request = client.describe_policy().policy_id(id).send();
    scan.reader
        .call(&DESCRIBE_POLICY, None, request)
        .await
        .and_then(|answer| {
            answer
                .policy
                .and_then(|policy| policy.content)
                .map(|text| PolicyText::new(&text))
                .ok_or_else(|| Failure::word("MalformedResponse"))
        })
        .inspect_err(|failure| {
            scan.reader
                .failed(&DESCRIBE_POLICY, None, Some(id), failure);
        })
        .ok()
}

/// The one gap for everything that was not read after a call failed.
fn unread(membership: &Membership, stopped: &Stopped) -> Gap {
    let Stopped { call, failure } = stopped;
    let controls = (&membership.service_controls, &membership.resource_controls);
    let missing = match controls {
        (None, None) => "service and resource control policies are not read",
        (None, Some(_)) => "service control policies are not read",
        (Some(_), None) => "resource control policies are not read",
        (Some(_), Some(_)) => "the account's path in its organization is not read",
    };
    let advice = match (failure.kind, call.iam_action) {
        (Kind::Refused, Some(action)) => format!(
            "AWS shows this only to the management account and to delegated administrators, and they need {action}"
        ),
        _ => failure.advice().to_owned(),
    };
    Gap {
        region: None,
        service: call.service.to_owned(),
        operation: call.operation.to_owned(),
        resource: None,
        error: failure.code.clone(),
        effect: GapEffect::MayOverstate,
        detail: format!("{missing}: access can only be smaller than shown; {advice}"),
    }
}
