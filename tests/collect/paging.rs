//! Every list is read to its end, and a list that has none does not hang the scan.

use patscan::account::GapEffect;

use super::{REGION, gaps, queues_page, scan, user_with_policy};
use crate::emulator::{ACCOUNT, Answer, Canned, Request};

/// The number of the page that is asked for: the first carries no token.
fn page(request: &Request) -> usize {
    (2..10)
        .find(|page| request.mentions(&format!("page-{page}")))
        .unwrap_or(1)
}

#[tokio::test]
async fn authorization_details_are_read_to_the_last_page() {
    let aws = Canned::start(|request| {
        if request.operation != "GetAccountAuthorizationDetails" {
            return None;
        }
        assert!(request.mentions("MaxItems=1000"));
        let user = |name| user_with_policy(name, "arn:aws:iam::aws:policy/InUse");
        let policies = format!(
            "<Policies><member><Arn>arn:aws:iam::aws:policy/InUse</Arn><PolicyVersionList><member>\
             <Document>%7B%7D</Document><IsDefaultVersion>true</IsDefaultVersion></member></PolicyVersionList></member>\
             <member><Arn>arn:aws:iam::aws:policy/Unused</Arn></member>\
             <member><Arn>arn:aws:iam::{ACCOUNT}:policy/own</Arn><DefaultVersionId>v2</DefaultVersionId><PolicyVersionList>\
             <member><Document>%7B%221%22%7D</Document><VersionId>v1</VersionId></member>\
             <member><Document>%7B%222%22%7D</Document><VersionId>v2</VersionId></member>\
             </PolicyVersionList></member></Policies>"
        );
        Some(match page(request) {
            1 => Answer::authorization_details(&user("alice"), Some("page-2")),
            2 => Answer::authorization_details(&user("bob"), Some("page-3")),
            _ => Answer::authorization_details(&policies, None),
        })
    });
    let account = scan(&aws).await.unwrap();
    let users: Vec<_> = account.users.iter().map(|user| user.arn.name()).collect();
    assert_eq!(users, ["alice", "bob"]);
    // AWS managed policies stay only where they are in use; the default version is the one that counts.
    let policies: Vec<_> = account
        .policies
        .iter()
        .map(|policy| {
            (
                policy.arn.name(),
                policy.document.as_ref().unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(policies, [("own", r#"{"2"}"#), ("InUse", "{}")]);
    assert_eq!(aws.count("iam:GetAccountAuthorizationDetails"), 3);
    assert_eq!(aws.count("iam:GetPolicy"), 0);
}

#[tokio::test]
async fn more_queues_than_fit_on_one_page_are_all_read() {
    let names: Vec<String> = (0..1205).map(|number| format!("q{number:04}")).collect();
    let aws = Canned::start(move |request| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (request.operation == "ListQueues").then(|| {
            assert!(request.mentions(r#""MaxResults":1000"#));
            match page(request) {
                1 => queues_page(&names[..1000], Some("page-2")),
                _ => queues_page(&names[1000..], None),
            }
        })
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.queues.len(), 1205);
    assert!(
        account
            .queues
            .iter()
            .all(|queue| queue.attributes.is_some())
    );
    assert_eq!(aws.count("sqs:ListQueues"), 2);
    assert_eq!(aws.count("sqs:GetQueueAttributes"), 1205);
}

#[tokio::test]
async fn functions_mappings_and_instances_are_read_to_the_last_page() {
    let aws = Canned::start(|request| {
        let page = page(request);
        let next = (page < 3).then(|| format!("page-{}", page + 1));
        let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:f{page}");
        Some(match request.operation.as_str() {
            "ListFunctions" => Answer::ok(
                serde_json::json!({"NextMarker": next, "Functions": [{
                    "FunctionName": format!("f{page}"), "FunctionArn": function,
                    "Role": format!("arn:aws:iam::{ACCOUNT}:role/r"),
                    "DeadLetterConfig": {"TargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:dead")}}]})
                .to_string(),
            ),
            "ListEventSourceMappings" => Answer::ok(
                serde_json::json!({"NextMarker": next, "EventSourceMappings": [
                    {"UUID": format!("{page}"), "FunctionArn": format!("{function}:live"),
                     "State": if page == 1 { "Disabled" } else { "Enabled" },
                     "EventSourceArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:q")},
                    {"UUID": "self-managed kafka", "FunctionArn": function}]})
                .to_string(),
            ),
            "DescribeInstances" => Answer::ok(format!(
                "<DescribeInstancesResponse><reservationSet><item><ownerId>{ACCOUNT}</ownerId><instancesSet><item>\
                 <instanceId>i-{page}</instanceId><instanceState><code>0</code><name>{}</name></instanceState>\
                 </item></instancesSet></item></reservationSet>{}</DescribeInstancesResponse>",
                if page == 2 { "shutting-down" } else { "running" },
                next.map_or(String::new(), |next| format!("<nextToken>{next}</nextToken>"))
            )),
            _ => return None,
        })
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.functions.len(), 3);
    assert_eq!(
        account.functions[0]
            .dead_letter_target
            .as_ref()
            .unwrap()
            .name(),
        "dead"
    );
    let polled: Vec<_> = account
        .event_source_mappings
        .iter()
        .map(|mapping| mapping.enabled)
        .collect();
    assert_eq!(polled, [false, true, true]);
    let instances: Vec<_> = account
        .instances
        .iter()
        .map(|instance| instance.arn.resource())
        .collect();
    assert_eq!(instances, ["instance/i-1", "instance/i-3"]);
    assert!(gaps(&account).is_empty(), "{:?}", account.coverage.gaps);
}

#[tokio::test]
async fn a_page_token_that_comes_twice_ends_the_list_with_a_gap() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" => Some(queues_page(&["orders"], Some("again"))),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.queues.len(), 1);
    assert_eq!(aws.count("sqs:ListQueues"), 2);
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].error, "RepeatedPageToken");
    assert_eq!(gaps[0].effect, GapEffect::MayHide);
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_list_keeps_what_was_read() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" if page(request) == 1 => Some(queues_page(&["orders"], Some("page-2"))),
        "ListQueues" => Some(Answer::denied(request)),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.queues[0].arn.name(), "orders");
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        gaps[0].detail,
        "some queues of eu-west-1 are unknown: findings about them are missing; allow sqs:ListQueues"
    );
    assert!(!account.coverage.is_complete());
}
