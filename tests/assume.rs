//! Who can become which role: the worked cases of section I.9 over whole accounts, paths of several steps, and that asking
//! about few roles gives what asking about all of them does.

use std::path::Path;

use patscan::access::{Access, Becoming};
use patscan::account::{Account, from_slice};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::generated::cases;
use crate::random_account::accounts;

const A: &str = "111122223333";
const B: &str = "444455556666";

/// A policy of these statements.
fn policy(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(action: &str, resource: &str) -> Value {
    json!([{"Sid": "May", "Effect": "Allow", "Action": action, "Resource": resource}])
}

/// A trust statement for principals under `AWS`.
fn trusts(who: &Value) -> Value {
    json!([{"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}])
}

/// A principal by its name, with what its identity policy says.
fn principal(account: &str, kind: &str, name: &str, says: &Value) -> Value {
    let prefix = if kind == "user" { "AIDA" } else { "AROA" };
    json!({
        "arn": format!("arn:aws:iam::{account}:{kind}/{name}"),
        "id": format!("{prefix}{}", name.to_uppercase()),
        "inline": [{"name": "own", "document": policy(says)}],
    })
}

fn role(account: &str, name: &str, trust: &Value, says: &Value) -> Value {
    let mut role = principal(account, "role", name, says);
    role["trust"] = policy(trust);
    role
}

fn account(id: &str, users: &[Value], roles: &[Value]) -> Account {
    account_with(id, users, roles, &json!({}))
}

fn account_with(id: &str, users: &[Value], roles: &[Value], more: &Value) -> Account {
    let mut account = json!({
        "id": id, "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-11-01T08:00:00Z",
        "organization": {"membership": "none"}, "users": users, "roles": roles,
    });
    for (key, value) in more.as_object().unwrap() {
        account[key] = value.clone();
    }
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": account});
    from_slice(snapshot.to_string().as_bytes(), Path::new("assume")).unwrap()
}

/// Who can assume what in one step: `alice → R` for sure, `alice → R if …` under conditions.
fn steps(accounts: &[Account]) -> Vec<String> {
    let access = Access::prepare(accounts);
    let becoming = access.becoming();
    let mut steps = Vec::new();
    for (index, principal) in access.principals.iter().enumerate() {
        for step in becoming.steps(index) {
            let role = access.principals[step.role].arn.name();
            let mut text = format!("{} → {role}", principal.arn.name());
            let conditions = step.when.conditions();
            if !conditions.is_empty() {
                text += " if ";
                text += &conditions.join(" and ");
            }
            steps.push(text);
        }
    }
    steps
}

/// The paths of a principal, role by role.
fn paths(accounts: &[Account], from: &str) -> Vec<String> {
    let access = Access::prepare(accounts);
    let becoming = access.becoming();
    let index = access
        .principals
        .iter()
        .position(|principal| principal.arn.name() == from)
        .unwrap();
    let name = |role: &usize| access.principals[*role].arn.name();
    becoming
        .paths(index, |_| true)
        .iter()
        .map(|path| {
            let roles: Vec<&str> = path.roles.iter().map(name).collect();
            let sure = if path.when.is_always() { "" } else { "?" };
            roles.join(" → ") + sure
        })
        .collect()
}

fn alice(says: &Value) -> Value {
    principal(A, "user", "alice", says)
}

fn root(account: &str) -> Value {
    json!(format!("arn:aws:iam::{account}:root"))
}

fn user(name: &str) -> Value {
    json!(format!("arn:aws:iam::{A}:user/{name}"))
}

#[test]
fn a_trust_policy_that_names_the_user_is_enough_in_the_own_account() {
    // T200
    let account = account(
        A,
        &[alice(&json!([]))],
        &[role(A, "R", &trusts(&user("alice")), &json!([]))],
    );
    assert_eq!(steps(&[account]), ["alice → R"]);
}

#[test]
fn a_trust_policy_that_names_the_account_needs_an_identity_policy() {
    // T201, T202
    let role = role(A, "R", &trusts(&root(A)), &json!([]));
    let without = account(A, &[alice(&json!([]))], std::slice::from_ref(&role));
    assert!(steps(&[without]).is_empty());
    for resource in [
        "*",
        "arn:aws:iam::111122223333:role/R",
        "arn:aws:iam::*:role/?",
    ] {
        let says = allow("sts:AssumeRole", resource);
        let with = account(A, &[alice(&says)], std::slice::from_ref(&role));
        assert_eq!(steps(&[with]), ["alice → R"], "{resource}");
    }
    let elsewhere = allow("sts:AssumeRole", "arn:aws:iam::111122223333:role/S");
    let with = account(A, &[alice(&elsewhere)], &[role]);
    assert!(steps(&[with]).is_empty());
}

#[test]
fn trust_is_mandatory() {
    // T203
    let account = account(
        A,
        &[alice(&allow("sts:*", "*"))],
        &[role(A, "R", &trusts(&root(B)), &json!([]))],
    );
    assert!(steps(&[account]).is_empty());
}

#[test]
fn across_accounts_both_sides_must_allow() {
    // T204
    let trust = trusts(&json!("arn:aws:iam::444455556666:role/x"));
    let target = account(A, &[], &[role(A, "R", &trust, &json!([]))]);
    let lambda = json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    let silent = account(B, &[], &[role(B, "x", &lambda, &json!([]))]);
    assert!(steps(&[target.clone(), silent]).is_empty());
    let asking = account(
        B,
        &[],
        &[role(B, "x", &lambda, &allow("sts:AssumeRole", "*"))],
    );
    assert_eq!(steps(&[target, asking]), ["x → R"]);
}

#[test]
fn an_external_id_is_the_callers_choice() {
    // T205
    let trust = json!([{
        "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "abc"}},
    }]);
    let target = account(A, &[], &[role(A, "R", &trust, &json!([]))]);
    let lambda = json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    let asking = account(
        B,
        &[],
        &[role(B, "x", &lambda, &allow("sts:AssumeRole", "*"))],
    );
    assert_eq!(steps(&[target, asking]), ["x → R"]);
}

#[test]
fn a_deleted_principal_or_a_service_is_nobody_here() {
    // T206, T207
    for principal in [
        json!({"AWS": "AROAEXAMPLEDELETED"}),
        json!({"Service": "lambda.amazonaws.com"}),
    ] {
        let trust =
            json!([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]);
        let account = account(
            A,
            &[alice(&allow("sts:AssumeRole", "*"))],
            &[role(A, "R", &trust, &json!([]))],
        );
        assert!(steps(&[account]).is_empty());
    }
}

#[test]
fn the_wrong_action_for_the_kind_of_principal_grants_nothing() {
    // T208, the other way round
    let trust = json!([{"Effect": "Allow", "Principal": {"AWS": user("alice")}, "Action": "sts:AssumeRoleWithSAML"}]);
    let account = account(A, &[alice(&json!([]))], &[role(A, "R", &trust, &json!([]))]);
    assert!(steps(&[account]).is_empty());
}

#[test]
fn mfa_asks_for_a_session_and_stays_a_condition() {
    // T211
    let trust = json!([{
        "Effect": "Allow", "Principal": {"AWS": user("alice")}, "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }]);
    let account = account(A, &[alice(&json!([]))], &[role(A, "R", &trust, &json!([]))]);
    assert_eq!(
        steps(&[account]),
        ["alice → R if aws:MultiFactorAuthPresent Bool true (in the call to STS)"]
    );
}

#[test]
fn a_role_that_only_machines_run_as_never_brings_mfa() {
    let lambda = json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    let trust = json!([{
        "Effect": "Allow", "Principal": {"AWS": root(A)}, "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }]);
    let account = account(
        A,
        &[],
        &[
            role(A, "worker", &lambda, &allow("sts:AssumeRole", "*")),
            role(A, "R", &trust, &json!([])),
        ],
    );
    assert!(steps(&[account]).is_empty());
}

#[test]
fn a_source_identity_must_be_allowed_to_be_brought() {
    let condition = json!({"StringLike": {"sts:SourceIdentity": "al*"}});
    for (actions, expected) in [
        (json!("sts:AssumeRole"), &[][..]),
        (
            json!(["sts:AssumeRole", "sts:SetSourceIdentity"]),
            &["alice → R"][..],
        ),
    ] {
        let trust = json!([{"Effect": "Allow", "Principal": {"AWS": user("alice")}, "Action": actions, "Condition": condition}]);
        let account = account(A, &[alice(&json!([]))], &[role(A, "R", &trust, &json!([]))]);
        assert_eq!(steps(&[account]), expected);
    }
}

#[test]
fn the_organization_of_the_caller_decides_where_the_trust_policy_asks_for_it() {
    // T212, as a condition of the trust policy
    let trust = json!([{
        "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-x"}},
    }]);
    let member = |id: &str| json!({"organization": {"membership": "member", "id": id, "path": null, "management_account": "999988887777", "service_controls": null, "resource_controls": null}});
    let roles = [role(A, "R", &trust, &json!([]))];
    let inside = account_with(A, &[alice(&json!([]))], &roles, &member("o-x"));
    assert_eq!(steps(&[inside]), ["alice → R"]);
    let outside = account_with(A, &[alice(&json!([]))], &roles, &member("o-y"));
    assert!(steps(&[outside]).is_empty());
}

#[test]
fn a_deny_of_any_layer_closes_the_door() {
    let trust = trusts(&user("alice"));
    let deny = json!([{"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]);
    let denied = account(A, &[alice(&deny)], &[role(A, "R", &trust, &json!([]))]);
    assert!(steps(&[denied]).is_empty());

    let both = json!([
        trust[0],
        {"Effect": "Deny", "Principal": {"AWS": user("alice")}, "Action": "sts:*"},
    ]);
    let refused = account(A, &[alice(&json!([]))], &[role(A, "R", &both, &json!([]))]);
    assert!(steps(&[refused]).is_empty());
}

#[test]
fn a_boundary_binds_a_role_that_is_named_and_not_a_user() {
    let boundary = "arn:aws:iam::111122223333:policy/QueuesOnly";
    let policies =
        json!({"policies": [{"arn": boundary, "document": policy(&allow("sqs:*", "*"))}]});
    let mut user_in_bounds = alice(&json!([]));
    user_in_bounds["boundary"] = json!(boundary);
    let nobody = trusts(&json!("AROADELETEDELETED"));
    let mut role_in_bounds = role(A, "bound", &nobody, &json!([]));
    role_in_bounds["boundary"] = json!(boundary);
    let trust = trusts(&json!([
        user("alice"),
        "arn:aws:iam::111122223333:role/bound"
    ]));
    let target = role(A, "R", &trust, &json!([]));
    let account = account_with(A, &[user_in_bounds], &[role_in_bounds, target], &policies);
    assert_eq!(steps(&[account]), ["alice → R"]);
}

#[test]
fn a_path_goes_over_several_roles_and_takes_the_shortest_way() {
    let via = |name: &str| json!(format!("arn:aws:iam::{A}:role/{name}"));
    let account = account(
        A,
        &[alice(&json!([]))],
        &[
            role(A, "one", &trusts(&user("alice")), &json!([])),
            role(A, "two", &trusts(&via("one")), &json!([])),
            role(
                A,
                "three",
                &trusts(&json!([via("two"), via("one")])),
                &json!([]),
            ),
            role(A, "back", &trusts(&json!([via("three")])), &json!([])),
        ],
    );
    assert_eq!(
        paths(&[account], "alice"),
        ["one → three → back", "one", "one → three", "one → two"]
    );
}

#[test]
fn a_path_without_conditions_is_followed_to_its_end() {
    let names: Vec<String> = (1..=9).map(|number| format!("r{number}")).collect();
    let before = |place: usize| match place.checked_sub(1) {
        None => user("alice"),
        Some(before) => json!(format!("arn:aws:iam::{A}:role/{}", names[before])),
    };
    let roles: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(place, name)| role(A, name, &trusts(&before(place)), &json!([])))
        .collect();
    let account = account(A, &[alice(&json!([]))], &roles);
    let paths = paths(&[account], "alice");
    assert_eq!(paths.last().unwrap(), &names.join(" → "));
}

#[test]
fn what_the_caller_chooses_cannot_be_two_things_at_once() {
    let assume = |effect: &str, condition: &Value| {
        json!({
            "Effect": effect, "Principal": {"AWS": user("alice")}, "Action": "sts:AssumeRole",
            "Condition": condition,
        })
    };
    let is = |id: &str| json!({"StringEquals": {"sts:ExternalId": id}});
    let office = json!({
        "StringEquals": {"sts:ExternalId": "b"},
        "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
    });
    let with = |trust: Value| account(A, &[alice(&json!([]))], &[role(A, "R", &trust, &json!([]))]);
    let open = with(json!([assume("Allow", &is("a")), assume("Allow", &office)]));
    assert_eq!(steps(&[open]), ["alice → R"]);
    // The id that needs no network is refused, so the other one has to be given.
    let refused = with(json!([
        assume("Allow", &is("a")),
        assume("Allow", &office),
        assume("Deny", &is("a")),
    ]));
    let found = steps(&[refused]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("203.0.113.0/24") && !found[0].contains("ExternalId"),
        "{found:?}"
    );
    let closed = with(json!([assume("Allow", &is("a")), assume("Deny", &is("a"))]));
    assert!(steps(&[closed]).is_empty());
}

#[test]
fn a_longer_path_without_conditions_is_told_before_a_short_one_with() {
    let via = |name: &str| json!(format!("arn:aws:iam::{A}:role/{name}"));
    let office = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    let both = json!([
        {"Effect": "Allow", "Principal": {"AWS": user("alice")}, "Action": "sts:AssumeRole", "Condition": office},
        {"Effect": "Allow", "Principal": {"AWS": via("one")}, "Action": "sts:AssumeRole"},
    ]);
    let account = account(
        A,
        &[alice(&json!([]))],
        &[
            role(A, "one", &trusts(&user("alice")), &json!([])),
            role(A, "R", &both, &json!([])),
        ],
    );
    assert_eq!(paths(&[account], "alice"), ["one → R", "one"]);
}

#[test]
fn steps_whose_conditions_exclude_each_other_make_no_path() {
    let from = |who: Value, range: &str| {
        json!([{
            "Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole",
            "Condition": {"IpAddress": {"aws:SourceIp": range}},
        }])
    };
    let one = || json!(format!("arn:aws:iam::{A}:role/one"));
    let account = |range: &str| {
        account(
            A,
            &[alice(&json!([]))],
            &[
                role(A, "one", &from(user("alice"), "203.0.113.0/24"), &json!([])),
                role(A, "two", &from(one(), range), &json!([])),
            ],
        )
    };
    assert_eq!(paths(&[account("198.51.100.0/24")], "alice"), ["one?"]);
    assert_eq!(
        paths(&[account("203.0.113.7/32")], "alice"),
        ["one?", "one → two?"]
    );
}

#[test]
fn a_step_is_proved_by_trust_and_identity_policy() {
    let account = account(
        A,
        &[alice(&allow("sts:AssumeRole", "*"))],
        &[role(A, "R", &trusts(&root(A)), &json!([]))],
    );
    let accounts = [account];
    let access = Access::prepare(&accounts);
    let becoming = access.becoming();
    let index = |name: &str| {
        let mut principals = access.principals.iter();
        principals
            .position(|principal| principal.arn.name() == name)
            .unwrap()
    };
    let proofs: Vec<String> = becoming
        .prove(index("alice"), index("R"))
        .iter()
        .map(|proof| {
            format!(
                "{}: {} {} {}",
                proof.layer.as_str(),
                proof.effect.as_str(),
                proof.policy,
                proof.statement
            )
        })
        .collect();
    assert_eq!(
        proofs,
        [
            "resource: Allow trust policy of role R #1",
            "identity: Allow inline policy own of user alice May",
        ]
    );
}

/// Makes the roles and users of random accounts trust and reach each other.
fn entangled() -> impl Strategy<Value = Vec<Account>> {
    let who = prop_oneof![
        Just(json!({"AWS": A})),
        Just(json!({"AWS": "444455556666"})),
        Just(json!("*")),
        (0..4_usize).prop_map(|number| json!({"AWS": format!("arn:aws:iam::{A}:user/u{number}")})),
        (0..6_usize).prop_map(|number| json!({"AWS": format!("arn:aws:iam::{A}:role/r{number}")})),
        (0..6_usize).prop_map(
            |number| json!({"AWS": format!("arn:aws:sts::{A}:assumed-role/r{number}/s")})
        ),
        Just(json!({"AWS": "AROAR3"})),
    ];
    let conditions = prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({"StringEquals": {"sts:ExternalId": "abc"}})),
        1 => Just(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        1 => Just(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r*"}})),
        1 => Just(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
    ];
    let statement = (prop_oneof![5 => Just("Allow"), 1 => Just("Deny")], who, conditions, any::<bool>())
        .prop_map(|(effect, who, condition, negated)| {
            let element = if negated && effect == "Deny" { "NotPrincipal" } else { "Principal" };
            json!({"Effect": effect, element: who, "Action": "sts:AssumeRole", "Condition": condition})
        });
    let trust = prop::collection::vec(statement, 1..3);
    let resource = prop_oneof![
        Just("*".to_owned()),
        Just(format!("arn:aws:iam::{A}:role/*")),
        Just("arn:aws:iam::*:role/r?".to_owned()),
        (0..6_usize).prop_map(|number| format!("arn:aws:iam::{A}:role/r{number}")),
    ];
    let own = (
        prop_oneof![3 => Just("Allow"), 1 => Just("Deny")],
        any::<bool>(),
        resource,
    )
        .prop_map(|(effect, all, resource)| {
            let element = if all && effect == "Deny" {
                "NotResource"
            } else {
                "Resource"
            };
            json!({"Effect": effect, "Action": "sts:Assume*", element: resource})
        });
    let says = || prop::collection::vec(own.clone(), 0..3);
    let users = prop::collection::vec(says(), 0..4);
    let roles = prop::collection::vec((trust, says()), 0..6);
    let members = (users, roles);
    (members.clone(), members).prop_map(|(own, other)| {
        [(A, own), (B, other)]
            .into_iter()
            .map(|(id, (users, roles))| {
                let users: Vec<Value> = (0..)
                    .zip(users)
                    .map(|(number, says)| {
                        principal(id, "user", &format!("u{number}"), &json!(says))
                    })
                    .collect();
                let roles: Vec<Value> = (0..)
                    .zip(roles)
                    .map(|(number, (trust, says))| {
                        role(id, &format!("r{number}"), &json!(trust), &json!(says))
                    })
                    .collect();
                account(id, &users, &roles)
            })
            .collect()
    })
}

fn same_in_either_way(access: &Access<'_>, becoming: &Becoming<'_>) -> Result<(), TestCaseError> {
    for index in 0..access.principals.len() {
        prop_assert_eq!(becoming.steps(index), becoming.steps_pair_by_pair(index));
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn asking_about_few_roles_gives_what_asking_about_all_does(accounts in prop_oneof![entangled(), accounts()]) {
        let access = Access::prepare(&accounts);
        same_in_either_way(&access, &access.becoming())?;
    }

    #[test]
    fn a_path_is_made_of_steps_and_every_step_is_a_path(accounts in entangled()) {
        let access = Access::prepare(&accounts);
        let becoming = access.becoming();
        for index in 0..access.principals.len() {
            let paths = becoming.paths(index, |_| true);
            for path in &paths {
                let mut from = index;
                for role in &path.roles {
                    prop_assert!(becoming.steps(from).iter().any(|step| step.role == *role));
                    from = *role;
                }
                prop_assert!(path.when.is_satisfiable());
            }
            for step in becoming.steps(index) {
                prop_assert!(paths.iter().any(|path| path.role() == Some(step.role)));
            }
        }
    }

    #[test]
    fn another_deny_opens_no_door(accounts in entangled()) {
        let before = steps(&accounts).len();
        let mut denied = accounts;
        for account in &mut denied {
            for role in &mut account.roles {
                let text = role.trust.as_str().replacen(
                    "\"Statement\":[",
                    "\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:user/u0\"},\"Action\":\"sts:*\"},",
                    1,
                );
                role.trust = patscan::account::PolicyText::new(&text);
            }
        }
        let after = steps(&denied);
        prop_assert!(after.len() <= before);
        prop_assert!(!after.iter().any(|step| step.starts_with("u0 →") && !denied[1].users.iter().any(|user| user.arn.name() == "u0")));
    }
}
