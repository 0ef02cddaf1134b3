//! What a failed read becomes: a gap that says what is missing, or an error where nothing is left to report.

use std::collections::BTreeSet;

use patscan::account::{Encryption, GapEffect, RedriveAllow};
use patscan::collect::{AssumeRole, CollectError, Skippable, collect};
use serde_json::json;

use super::{
    REGION, attributes, gaps, policy, policy_version, queues_page, scan, user_with_policy,
};
use crate::emulator::{ACCOUNT, Answer, Canned, Request, options};

#[tokio::test]
async fn each_refused_read_is_a_gap_that_names_the_action_to_allow() {
    for (operation, service, action) in [
        (
            "GetAccountAuthorizationDetails",
            "iam",
            "iam:GetAccountAuthorizationDetails",
        ),
        ("ListQueues", "sqs", "sqs:ListQueues"),
        ("ListFunctions", "lambda", "lambda:ListFunctions"),
        (
            "ListEventSourceMappings",
            "lambda",
            "lambda:ListEventSourceMappings",
        ),
        ("DescribeInstances", "ec2", "ec2:DescribeInstances"),
    ] {
        let aws = Canned::start(move |request| {
            (request.operation == operation).then(|| Answer::denied(request))
        });
        let account = scan(&aws).await.unwrap();
        let gaps = gaps(&account);
        assert_eq!(gaps.len(), 1, "{operation}: {gaps:?}");
        let gap = gaps[0];
        assert_eq!(
            (gap.service.as_str(), gap.operation.as_str()),
            (service, operation)
        );
        assert!(
            [
                "AccessDenied",
                "AccessDeniedException",
                "UnauthorizedOperation"
            ]
            .contains(&gap.error.as_str()),
            "{gap:?}"
        );
        assert_eq!(gap.effect, GapEffect::MayHide);
        assert!(gap.detail.ends_with(&format!("allow {action}")), "{gap:?}");
        let region = (service != "iam").then_some(REGION);
        assert_eq!(gap.region.as_deref(), region);
        assert_eq!(
            aws.count(&format!("{service}:{operation}")),
            1,
            "a refusal is not retried"
        );
    }
}

#[tokio::test]
async fn a_queue_whose_attributes_are_refused_is_kept_without_them() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" => Some(queues_page(&["locked", "open"], None)),
        "GetQueueAttributes" if request.mentions("locked") => Some(Answer::denied(request)),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    let [locked, open] = account.queues.as_slice() else {
        panic!("{:?}", account.queues);
    };
    assert_eq!(
        locked.arn.as_str(),
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:locked")
    );
    assert!(locked.attributes.is_none());
    assert!(open.attributes.is_some());
    let gaps = gaps(&account);
    assert_eq!(gaps[0].resource.as_deref(), Some(locked.arn.as_str()));
    assert_eq!(gaps[0].effect, GapEffect::MayHide);
}

#[tokio::test]
async fn a_queue_deleted_while_the_scan_runs_is_a_note() {
    for code in [
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    ] {
        let aws = Canned::start(move |request| match request.operation.as_str() {
            "ListQueues" => Some(queues_page(&["gone"], None)),
            "GetQueueAttributes" => Some(Answer::error(request, 400, code)),
            _ => None,
        });
        let account = scan(&aws).await.unwrap();
        assert!(account.queues.is_empty());
        assert!(gaps(&account).is_empty());
        assert_eq!(account.coverage.notes.len(), 1);
        assert!(account.coverage.is_complete());
    }
}

#[tokio::test]
async fn attributes_are_read_as_sqs_writes_them() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" => Some(queues_page(&["orders"], None)),
        "GetQueueAttributes" => Some(attributes(
            "orders",
            json!({
                "Policy": "",
                "RedrivePolicy": format!(
                    r#"{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:{ACCOUNT}:dead","maxReceiveCount":"3"}}"#),
                "RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"#,
                "KmsMasterKeyId": "alias/aws/sqs",
                "SqsManagedSseEnabled": "false",
            }),
        )),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    let attributes = account.queues[0].attributes.as_ref().unwrap();
    assert!(attributes.policy.is_none());
    assert_eq!(attributes.redrive.as_ref().unwrap().max_receive_count, 3);
    assert_eq!(attributes.redrive_allow, Some(RedriveAllow::DenyAll));
    assert!(matches!(&attributes.encryption, Encryption::Kms { key } if key == "alias/aws/sqs"));
    // Its key policy is AWS's own: nothing about it stays unread.
    assert!(account.coverage.gaps.iter().all(|gap| gap.service != "kms"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_gap() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListFunctions" => Some(Answer::ok(r#"{"Functions":[{}]}"#).truncated()),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].operation, "ListFunctions");
    assert!(gaps[0].detail.ends_with("repeat the scan"), "{:?}", gaps[0]);
}

#[tokio::test]
async fn an_answer_without_the_names_that_matter_is_a_gap() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListFunctions" => Some(Answer::ok(r#"{"Functions":[{"FunctionName":"f"}]}"#)),
        "ListQueues" => Some(queues_page(&["orders"], None)),
        "GetQueueAttributes" => Some(Answer::ok("{}")),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    let gaps = gaps(&account);
    let found: Vec<_> = gaps
        .iter()
        .map(|gap| (gap.operation.as_str(), gap.error.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("ListFunctions", "MalformedResponse"),
            ("GetQueueAttributes", "MalformedResponse"),
        ]
    );
    assert!(account.queues[0].attributes.is_none());
}

#[tokio::test]
async fn a_document_that_the_details_leave_out_is_fetched() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetAccountAuthorizationDetails" => Some(Answer::authorization_details(
            &user_with_policy("alice", "arn:aws:iam::aws:policy/Elsewhere"),
            None,
        )),
        "GetPolicy" => Some(policy("v7")),
        "GetPolicyVersion" if request.mentions("v7") => Some(policy_version(r#"{"a+b":"%"}"#)),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.policies.len(), 1);
    let document = account.policies[0].document.as_ref().unwrap();
    assert_eq!(document.as_str(), r#"{"a+b":"%"}"#);
    assert!(gaps(&account).is_empty());
}

#[tokio::test]
async fn a_document_that_cannot_be_fetched_is_a_gap_that_names_the_policy() {
    for refused in ["GetPolicy", "GetPolicyVersion"] {
        let aws = Canned::start(move |request| match request.operation.as_str() {
            "GetAccountAuthorizationDetails" => Some(Answer::authorization_details(
                &user_with_policy("alice", "arn:aws:iam::aws:policy/Elsewhere"),
                None,
            )),
            operation if operation == refused => Some(Answer::denied(request)),
            "GetPolicy" => Some(policy("v1")),
            _ => None,
        });
        let account = scan(&aws).await.unwrap();
        assert!(account.policies[0].document.is_none());
        let gaps = gaps(&account);
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].operation, refused);
        assert_eq!(
            gaps[0].resource.as_deref(),
            Some("arn:aws:iam::aws:policy/Elsewhere")
        );
        assert_eq!(gaps[0].effect, GapEffect::MayHide);
    }
}

#[tokio::test]
async fn an_alias_that_cannot_be_read_is_only_a_note() {
    let aws = Canned::start(|request| {
        (request.operation == "ListAccountAliases").then(|| Answer::denied(request))
    });
    let account = scan(&aws).await.unwrap();
    assert!(account.alias.is_none());
    assert!(gaps(&account).is_empty());
    assert_eq!(account.coverage.notes[0].service, "iam");
}

#[tokio::test]
async fn without_the_list_of_regions_only_the_base_region_is_scanned() {
    let aws = Canned::start(|request| {
        (request.operation == "DescribeRegions").then(|| Answer::denied(request))
    });
    let account = collect(&options(aws.url(), &[]).await, &()).await.unwrap();
    assert_eq!(account.regions, ["us-east-1"]);
    assert_eq!(gaps(&account)[0].operation, "DescribeRegions");
    assert!(!account.coverage.is_complete());

    let named = scan(&aws).await.unwrap();
    assert_eq!(named.regions, [REGION]);
    assert!(named.coverage.is_complete());
}

#[tokio::test]
async fn a_region_must_exist_and_be_enabled() {
    let aws = Canned::start(|_| None);
    let unknown = collect(&options(aws.url(), &["eu-wset-1"]).await, &()).await;
    assert_eq!(
        unknown.unwrap_err().to_string(),
        "there is no region `eu-wset-1` in this account's partition; did you mean `eu-west-1`?"
    );
    let disabled = collect(&options(aws.url(), &["me-south-1"]).await, &()).await;
    assert!(matches!(
        disabled,
        Err(CollectError::RegionNotEnabled { .. })
    ));
}

#[tokio::test]
async fn credentials_that_do_not_work_end_the_scan_at_once() {
    for (code, expired) in [
        ("ExpiredToken", true),
        ("ExpiredTokenException", true),
        ("RequestExpired", true),
        ("InvalidClientTokenId", false),
        ("SignatureDoesNotMatch", false),
    ] {
        let aws = Canned::start(move |request| {
            (request.service == "sts").then(|| Answer::error(request, 403, code))
        });
        let error = scan(&aws).await.unwrap_err();
        match &error {
            CollectError::ExpiredCredentials { .. } => assert!(expired, "{code}"),
            CollectError::RejectedCredentials { .. } => assert!(!expired, "{code}"),
            other => panic!("{code}: {other}"),
        }
        assert!(error.to_string().contains(code));
        assert!(
            aws.received()
                .iter()
                .all(|request| request.service == "sts")
        );
    }
}

#[tokio::test]
async fn a_caller_who_may_read_nothing_is_told_what_to_attach() {
    let aws = Canned::start(|request| (request.service != "sts").then(|| Answer::denied(request)));
    let error = scan(&aws).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`arn:aws:iam::{ACCOUNT}:user/auditor` may read nothing in this account; attach the policy that `patscan iam-policy` prints"
        )
    );
}

#[tokio::test]
async fn a_caller_who_may_read_something_gets_a_report_with_gaps() {
    let aws = Canned::start(|request| {
        (!matches!(
            request.call().as_str(),
            "sts:GetCallerIdentity" | "sqs:ListQueues"
        ))
        .then(|| Answer::denied(request))
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(gaps(&account).len(), 5);
}

#[tokio::test]
async fn an_endpoint_that_nothing_listens_on_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = collect(&options(&url, &[REGION]).await, &())
        .await
        .unwrap_err();
    assert!(matches!(error, CollectError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot reach `{url}` (sts, us-east-1): ")),
        "{text}"
    );
    assert!(!text.contains('\n'));
}

#[tokio::test]
async fn a_throttled_call_is_tried_again() {
    let throttle_once = std::sync::atomic::AtomicBool::new(true);
    let aws = Canned::start(move |request| {
        (request.operation == "ListQueues"
            && throttle_once.swap(false, std::sync::atomic::Ordering::Relaxed))
        .then(|| Answer::error(request, 403, "RequestThrottled"))
    });
    let account = scan(&aws).await.unwrap();
    assert!(gaps(&account).is_empty());
    assert_eq!(aws.count("sqs:ListQueues"), 2);
}

#[tokio::test]
async fn skipped_services_are_not_called_and_are_no_gap() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" => Some(queues_page(&["orders"], None)),
        "GetQueueAttributes" => Some(attributes(
            "orders",
            json!({"KmsMasterKeyId": "alias/orders"}),
        )),
        _ => None,
    });
    let mut options = options(aws.url(), &[REGION]).await;
    options.skip = Skippable::ALL.iter().copied().collect();
    let account = collect(&options, &()).await.unwrap();
    let names: Vec<_> = Skippable::ALL.iter().map(|one| one.as_str()).collect();
    assert!(names.is_sorted());
    assert_eq!(account.coverage.skipped, names);
    assert_eq!(account.coverage.gaps, []);
    assert_eq!(account.organization, None);
    let called: BTreeSet<_> = aws.received().iter().map(Request::call).collect();
    let left = [
        "ec2:DescribeRegions",
        "iam:GetAccountAuthorizationDetails",
        "iam:ListAccountAliases",
        "sqs:GetQueueAttributes",
        "sqs:ListQueues",
        "sts:GetCallerIdentity",
    ];
    assert_eq!(called, left.map(str::to_owned).into());
}

#[tokio::test]
async fn a_role_is_assumed_before_anything_is_read() {
    let aws = Canned::start(|request| {
        (request.operation == "AssumeRole").then(|| {
            assert!(request.mentions("RoleSessionName=patscan"));
            assert!(request.mentions("ExternalId=42"));
            Answer::ok(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                 <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            )
        })
    });
    let mut options = options(aws.url(), &[REGION]).await;
    options.assume_role = Some(AssumeRole {
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/audit"),
        external_id: Some("42".to_owned()),
    });
    collect(&options, &()).await.unwrap();
    let (assume, rest) = aws
        .received()
        .into_iter()
        .partition::<Vec<_>, _>(|request| request.operation == "AssumeRole");
    assert_eq!(assume.len(), 1, "credentials are fetched once and shared");
    assert!(rest.iter().all(|request| request.access_key == "ASIAROLE"));
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_ends_the_scan() {
    let aws = Canned::start(|request| {
        (request.operation == "AssumeRole").then(|| Answer::denied(request))
    });
    let mut options = options(aws.url(), &[REGION]).await;
    options.assume_role = Some(AssumeRole {
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/audit"),
        external_id: None,
    });
    let error = collect(&options, &()).await.unwrap_err();
    assert!(
        matches!(error, CollectError::AssumeRoleFailed { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("AccessDenied"), "{error}");
}
