//! The organization above an account: read by who may, said once by who may not.

use patscan::account::{Account, ControlLevel, GapEffect, Membership, Organization};
use patscan::collect::collect;
use serde_json::{Value, json};

use super::{REGION, gaps, scan};
use crate::emulator::{ACCOUNT, Answer, Canned, Moto, Request, options};

const MANAGEMENT: &str = "999988887777";

fn ok(answer: &Value) -> Answer {
    Answer::ok(answer.to_string())
}

/// What a member answers that may read everything: the account is in `ou-b`, in `ou-a`, below the root.
pub(super) fn of_member(request: &Request) -> Option<Answer> {
    of_organization(
        request,
        MANAGEMENT,
        &["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"],
    )
}

fn of_organization(request: &Request, management: &str, enabled: &[&str]) -> Option<Answer> {
    let answer = match request.operation.as_str() {
        "DescribeOrganization" => {
            json!({"Organization": {"Id": "o-example", "MasterAccountId": management}})
        }
        "ListRoots" => {
            let mut types = vec![json!({"Type": "TAG_POLICY", "Status": "ENABLED"})];
            types.push(json!({"Type": "BACKUP_POLICY", "Status": "PENDING_ENABLE"}));
            types.extend(
                enabled
                    .iter()
                    .map(|kind| json!({"Type": kind, "Status": "ENABLED"})),
            );
            json!({"Roots": [{"Id": "r-root", "PolicyTypes": types}]})
        }
        "ListParents" if request.mentions(ACCOUNT) => parent("ou-b", "ORGANIZATIONAL_UNIT"),
        "ListParents" if request.mentions("ou-b") => parent("ou-a", "ORGANIZATIONAL_UNIT"),
        "ListParents" => parent("r-root", "ROOT"),
        "ListPoliciesForTarget" => return Some(policies_for_target(request)),
        "DescribePolicy" => {
            let id = ["p-full", "p-own", "p-unit", "p-data"]
                .into_iter()
                .find(|id| request.mentions(&format!("\"{id}\"")))
                .unwrap();
            json!({"Policy": {"PolicySummary": {"Id": id}, "Content": format!(r#"{{"Id":"{id}"}}"#)}})
        }
        _ => return None,
    };
    Some(ok(&answer))
}

fn parent(id: &str, kind: &str) -> Value {
    json!({"Parents": [{"Id": id, "Type": kind}]})
}

fn named(ids: &[&str]) -> Vec<Value> {
    ids.iter()
        .map(|id| json!({"Id": id, "Name": format!("name of {id}")}))
        .collect()
}

/// Service controls: one everywhere, one more at a unit, which comes on a third page after an empty second one, and one at
/// the account. Resource controls: one at the root.
fn policies_for_target(request: &Request) -> Answer {
    let service = request.mentions("SERVICE_CONTROL_POLICY");
    assert!(service || request.mentions("RESOURCE_CONTROL_POLICY"));
    let at = |target: &str| request.mentions(&format!("\"{target}\""));
    let mut answer = match (service, request) {
        (true, request) if request.mentions("page-2") => json!({"Policies": []}),
        (true, request) if request.mentions("page-3") => json!({"Policies": named(&["p-unit"])}),
        (true, _) if at(ACCOUNT) => json!({"Policies": named(&["p-own", "p-full"])}),
        (true, _) => json!({"Policies": named(&["p-full"])}),
        (false, _) if at("r-root") => json!({"Policies": named(&["p-data"])}),
        (false, _) => json!({"Policies": []}),
    };
    if service && at("ou-a") && !request.mentions("page-3") {
        let next = if request.mentions("page-2") { 3 } else { 2 };
        answer["NextToken"] = format!("page-{next}").into();
    }
    ok(&answer)
}

fn member(account: &Account) -> &Membership {
    match &account.organization {
        Some(Organization::Member(membership)) => membership,
        other => panic!("{other:?}"),
    }
}

/// Each level as `target: policy policy`.
fn levels(levels: Option<&Vec<ControlLevel>>) -> Vec<String> {
    levels
        .unwrap()
        .iter()
        .map(|level| {
            let ids: Vec<_> = level
                .policies
                .iter()
                .map(|policy| policy.id.as_str())
                .collect();
            format!("{}: {}", level.target, ids.join(" "))
        })
        .collect()
}

fn asked(aws: &Canned) -> Vec<String> {
    aws.received()
        .into_iter()
        .filter(|request| request.service == "organizations")
        .map(|request| request.operation)
        .collect()
}

#[tokio::test]
async fn an_account_outside_every_organization_is_a_fact_and_no_gap() {
    let aws = Canned::start(|_| None);
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.organization, Some(Organization::None));
    assert!(gaps(&account).is_empty());
    assert_eq!(asked(&aws), ["DescribeOrganization"]);
}

#[tokio::test]
async fn control_policies_are_read_from_the_root_down_to_the_account() {
    let aws = Canned::start(of_member);
    let account = scan(&aws).await.unwrap();
    let membership = member(&account);
    assert_eq!(membership.id, "o-example");
    assert_eq!(membership.management_account.as_str(), MANAGEMENT);
    assert_eq!(
        membership.path.as_deref(),
        Some("o-example/r-root/ou-a/ou-b/")
    );
    assert_eq!(
        levels(membership.service_controls.as_ref()),
        [
            "r-root: p-full",
            "ou-a: p-full p-unit",
            "ou-b: p-full",
            "123456789012: p-full p-own"
        ]
    );
    assert_eq!(
        levels(membership.resource_controls.as_ref()),
        ["r-root: p-data", "ou-a: ", "ou-b: ", "123456789012: "]
    );
    let policy = &membership.service_controls.as_ref().unwrap()[1].policies[1];
    assert_eq!(policy.name, "name of p-unit");
    assert_eq!(
        policy.document.as_ref().unwrap().as_str(),
        r#"{"Id":"p-unit"}"#
    );
    assert!(gaps(&account).is_empty());
    assert_eq!(aws.count("organizations:DescribePolicy"), 4);
    assert_eq!(aws.count("organizations:ListPoliciesForTarget"), 10);
}

#[tokio::test]
async fn a_policy_type_that_is_not_enabled_controls_nothing() {
    let aws =
        Canned::start(|request| of_organization(request, MANAGEMENT, &["SERVICE_CONTROL_POLICY"]));
    let account = scan(&aws).await.unwrap();
    let membership = member(&account);
    assert_eq!(membership.resource_controls, Some(Vec::new()));
    assert_eq!(membership.service_controls.as_ref().unwrap().len(), 4);
    assert!(
        aws.received()
            .iter()
            .all(|request| !request.mentions("RESOURCE_CONTROL_POLICY"))
    );
    assert!(gaps(&account).is_empty());
}

#[tokio::test]
async fn nothing_controls_the_management_account() {
    let aws =
        Canned::start(|request| of_organization(request, ACCOUNT, &["SERVICE_CONTROL_POLICY"]));
    let account = scan(&aws).await.unwrap();
    let membership = member(&account);
    assert_eq!(membership.service_controls, Some(Vec::new()));
    assert_eq!(membership.resource_controls, Some(Vec::new()));
    assert_eq!(
        membership.path.as_deref(),
        Some("o-example/r-root/ou-a/ou-b/")
    );
    assert!(gaps(&account).is_empty());
    assert!(
        asked(&aws)
            .iter()
            .all(|operation| ["DescribeOrganization", "ListParents"].contains(&operation.as_str()))
    );
}

#[tokio::test]
async fn what_a_member_may_not_read_is_one_gap_and_ends_the_asking() {
    for (refused, path) in [
        ("ListRoots", false),
        ("ListParents", false),
        ("ListPoliciesForTarget", true),
    ] {
        let aws = Canned::start(move |request| {
            if request.operation == refused {
                Some(Answer::denied(request))
            } else {
                of_member(request)
            }
        });
        let account = scan(&aws).await.unwrap();
        let membership = member(&account);
        assert_eq!(membership.management_account.as_str(), MANAGEMENT);
        assert_eq!(membership.path.is_some(), path);
        assert_eq!(membership.service_controls, None);
        assert_eq!(membership.resource_controls, None);
        let gaps = gaps(&account);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let gap = gaps[0];
        assert_eq!(
            (gap.service.as_str(), gap.operation.as_str()),
            ("organizations", refused)
        );
        assert_eq!((&gap.region, &gap.resource), (&None, &None));
        assert_eq!(gap.error, "AccessDeniedException");
        assert_eq!(gap.effect, GapEffect::MayOverstate);
        assert_eq!(
            gap.detail,
            format!(
                "service and resource control policies are not read: access can only be smaller than shown; AWS shows this only to the management \
                 account and to delegated administrators, and they need organizations:{refused}"
            )
        );
        assert!(account.coverage.is_complete());
        assert_eq!(asked(&aws).last().unwrap(), refused, "nothing comes after");
        assert_eq!(aws.count(&format!("organizations:{refused}")), 1);
    }
}

#[tokio::test]
async fn what_was_read_before_a_refusal_is_kept() {
    let aws = Canned::start(|request| {
        if request.mentions("RESOURCE_CONTROL_POLICY") {
            Some(Answer::denied(request))
        } else {
            of_member(request)
        }
    });
    let account = scan(&aws).await.unwrap();
    let membership = member(&account);
    assert_eq!(membership.service_controls.as_ref().unwrap().len(), 4);
    assert_eq!(membership.resource_controls, None);
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert!(
        gaps[0]
            .detail
            .starts_with("resource control policies are not read: ")
    );
}

#[tokio::test]
async fn an_organization_that_cannot_be_read_is_unknown() {
    for code in ["AccessDeniedException", "ServiceException"] {
        let aws = Canned::start(move |request| {
            (request.service == "organizations").then(|| Answer::error(request, 400, code))
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.organization, None);
        let gaps = gaps(&account);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].operation, "DescribeOrganization");
        assert_eq!(gaps[0].error, code);
        assert_eq!(gaps[0].effect, GapEffect::MayOverstate);
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_kept_without_its_text() {
    let aws = Canned::start(|request| {
        if request.operation == "DescribePolicy" && request.mentions("p-unit") {
            Some(Answer::denied(request))
        } else {
            of_member(request)
        }
    });
    let account = scan(&aws).await.unwrap();
    let unread: Vec<_> = member(&account)
        .service_controls
        .iter()
        .flatten()
        .flat_map(|level| &level.policies)
        .filter(|policy| policy.document.is_none())
        .map(|policy| policy.id.as_str())
        .collect();
    assert_eq!(unread, ["p-unit"]);
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].operation, "DescribePolicy");
    assert_eq!(gaps[0].resource.as_deref(), Some("p-unit"));
    assert!(
        gaps[0]
            .detail
            .ends_with("allow organizations:DescribePolicy"),
        "{:?}",
        gaps[0]
    );
}

#[tokio::test]
async fn parents_that_go_in_circles_are_a_gap() {
    for answer in [
        parent("ou-b", "ORGANIZATIONAL_UNIT"),
        parent("x-1", "GALAXY"),
        json!({"Parents": []}),
    ] {
        let aws = Canned::start(move |request| match request.operation.as_str() {
            "ListParents" => Some(ok(&answer)),
            _ => of_member(request),
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(member(&account).path, None);
        let gaps = gaps(&account);
        assert_eq!(gaps.len(), 1);
        assert_eq!(
            (gaps[0].operation.as_str(), gaps[0].error.as_str()),
            ("ListParents", "MalformedResponse")
        );
        assert!(aws.count("organizations:ListParents") < 20);
    }
}

#[tokio::test]
async fn an_organization_in_an_emulator_is_read_whole() {
    let moto = Moto::start();
    let seeded: Value = serde_json::from_str(&moto.seed("organization.py")).unwrap();
    let text = |name: &str| seeded[name].as_str().unwrap().to_owned();

    // The emulator lets nobody but the management account read policies, and that one is bound by none. So the caller is the
    // member by its identity only, as a delegated administrator would be.
    let account_id = text("member");
    let as_delegate = {
        let url = moto.url();
        let account_id = account_id.clone();
        Canned::start(move |request| match request.service.as_str() {
            "sts" => Some(Answer::caller(&account_id)),
            "organizations" => Some(Answer::of(&url, "AWSOrganizationsV20161128", request)),
            _ => None,
        })
    };
    let account = scan(&as_delegate).await.unwrap();
    assert_eq!(account.id.as_str(), account_id);
    let membership = member(&account);
    assert_eq!(membership.management_account.as_str(), ACCOUNT);
    let [root, outer, inner] = ["root", "outer", "inner"].map(text);
    assert_eq!(
        membership.path,
        Some(format!("{}/{root}/{outer}/{inner}/", text("organization")))
    );
    let targets = |levels: &Option<Vec<ControlLevel>>| -> Vec<String> {
        let levels = levels.as_ref().unwrap();
        levels.iter().map(|level| level.target.clone()).collect()
    };
    let expected = [root, outer, inner, account_id];
    assert_eq!(targets(&membership.service_controls), expected);
    assert_eq!(targets(&membership.resource_controls), expected);
    let names = |levels: &Option<Vec<ControlLevel>>| -> Vec<Vec<String>> {
        let mut names: Vec<Vec<String>> = levels
            .iter()
            .flatten()
            .map(|level| {
                level
                    .policies
                    .iter()
                    .map(|policy| {
                        assert!(policy.document.as_ref().unwrap().as_str().starts_with('{'));
                        policy.name.clone()
                    })
                    .collect()
            })
            .collect();
        for level in &mut names {
            level.sort();
        }
        names
    };
    let full = "FullAWSAccess";
    assert_eq!(
        names(&membership.service_controls),
        [vec![full], vec![full, "no-purge"], vec![full], vec![full]]
    );
    let full = "RCPFullAWSAccess";
    assert_eq!(
        names(&membership.resource_controls),
        [
            vec![full, "own-organization"],
            vec![full],
            vec![full],
            vec![full]
        ]
    );
    assert!(gaps(&account).is_empty(), "{:?}", account.coverage.gaps);

    let management = collect(&options(&moto.url(), &[REGION]).await, &())
        .await
        .unwrap();
    let membership = member(&management);
    assert_eq!(
        membership.path,
        Some(format!("{}/{}/", text("organization"), text("root")))
    );
    assert_eq!(membership.service_controls, Some(Vec::new()));
    assert!(gaps(&management).is_empty());
}
