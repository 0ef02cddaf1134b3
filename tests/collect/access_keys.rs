//! Access keys are counted, never named, and a user whose keys are unknown is not one without.

use patscan::account::{Account, GapEffect};

use super::{gaps, scan, user_with_policy};
use crate::emulator::{Answer, Canned, Request};

/// Alice and bob, and what `answer` says of the keys of each.
async fn two_users(answer: fn(&Request) -> Option<Answer>) -> (Account, Canned) {
    let aws = Canned::start(move |request| match request.operation.as_str() {
        "GetAccountAuthorizationDetails" => {
            let user = |name| user_with_policy(name, "arn:aws:iam::aws:policy/InUse");
            let lists = format!("{}{}", user("alice"), user("bob"))
                .replace("</UserDetailList><UserDetailList>", "");
            let policies = "<Policies><member><Arn>arn:aws:iam::aws:policy/InUse</Arn><PolicyVersionList><member>\
                            <Document>%7B%7D</Document><IsDefaultVersion>true</IsDefaultVersion></member>\
                            </PolicyVersionList></member></Policies>";
            Some(Answer::authorization_details(&(lists + policies), None))
        }
        "ListAccessKeys" => answer(request),
        _ => None,
    });
    (scan(&aws).await.unwrap(), aws)
}

#[tokio::test]
async fn active_keys_are_counted_to_the_last_page() {
    let (account, aws) = two_users(|request| {
        if request.mentions("UserName=bob") {
            return None;
        }
        Some(if request.mentions("Marker=page-2") {
            Answer::access_keys(&[("Active", "2019-05-06")], None)
        } else {
            let keys = [("Active", "2024-01-02"), ("Inactive", "2015-01-01")];
            Answer::access_keys(&keys, Some("page-2"))
        })
    })
    .await;
    let [alice, bob] = account.users.as_slice() else {
        panic!("{:?}", account.users);
    };
    let keys = alice.access_keys.as_ref().unwrap();
    assert_eq!(keys.active, 2);
    assert_eq!(
        keys.oldest.unwrap().to_rfc3339(),
        "2019-05-06T10:00:00+00:00"
    );
    assert_eq!(
        keys.newest.unwrap().to_rfc3339(),
        "2024-01-02T10:00:00+00:00"
    );
    let keys = bob.access_keys.as_ref().unwrap();
    assert_eq!((keys.active, keys.oldest, keys.newest), (0, None, None));
    assert_eq!(aws.count("iam:ListAccessKeys"), 3);
    assert!(gaps(&account).is_empty(), "{:?}", account.coverage.gaps);
    let text = serde_json::to_string(&account).unwrap();
    assert!(!text.contains("AKIA"), "ids of keys are not kept");
}

#[tokio::test]
async fn keys_that_may_not_be_read_are_unknown_and_a_gap() {
    let (account, _) = two_users(|request| {
        request
            .mentions("UserName=bob")
            .then(|| Answer::denied(request))
    })
    .await;
    let [alice, bob] = account.users.as_slice() else {
        panic!("{:?}", account.users);
    };
    assert!(alice.access_keys.is_some());
    assert_eq!(bob.access_keys, None);
    let [gap] = gaps(&account)[..] else {
        panic!("{:?}", account.coverage.gaps);
    };
    assert_eq!(gap.operation, "ListAccessKeys");
    assert_eq!(gap.resource.as_deref(), Some(bob.arn.as_str()));
    assert_eq!(gap.effect, GapEffect::MayHide);
    assert!(gap.detail.ends_with("allow iam:ListAccessKeys"), "{gap:?}");
    assert!(account.coverage.principals_were_read());
}

#[tokio::test]
async fn a_list_of_keys_that_breaks_off_is_unknown() {
    let (account, _) = two_users(|request| {
        Some(if request.mentions("Marker=page-2") {
            Answer::denied(request)
        } else {
            Answer::access_keys(&[("Active", "2024-01-02")], Some("page-2"))
        })
    })
    .await;
    assert!(account.users.iter().all(|user| user.access_keys.is_none()));
    assert_eq!(gaps(&account).len(), 2);
}

#[tokio::test]
async fn a_user_deleted_while_the_scan_runs_is_a_note() {
    let (account, _) = two_users(|request| {
        request
            .mentions("UserName=bob")
            .then(|| Answer::error(request, 404, "NoSuchEntity"))
    })
    .await;
    let names: Vec<_> = account.users.iter().map(|user| user.arn.name()).collect();
    assert_eq!(names, ["alice"]);
    assert!(gaps(&account).is_empty());
    assert_eq!(account.coverage.notes.len(), 1);
}
