//! Keys are read where a queue names one, each once, and what is refused is said.

use std::collections::BTreeMap;

use patscan::account::{Account, Encryption, GapEffect, Key, KeyManager};
use serde_json::{Value, json};

use super::messaging::{of_everything, sns_attributes};
use super::{REGION, attributes, gaps, queues_page, scan};
use crate::emulator::{ACCOUNT, Answer, Canned, Request};

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER_ACCOUNT: &str = "210987654321";
const UNKNOWN: &str = "access to what the key encrypts can only be smaller than shown";

fn arn(account: &str) -> String {
    format!("arn:aws:kms:{REGION}:{account}:key/{ID}")
}

/// The answer of `DescribeKey`.
fn key(arn: &str, manager: &str) -> Answer {
    let metadata =
        json!({"KeyId": ID, "Arn": arn, "KeyManager": manager, "KeyState": "PendingDeletion"});
    Answer::ok(json!({ "KeyMetadata": metadata }).to_string())
}

/// One queue for each name of a key; every name is one customer key of the account.
pub(super) fn queues_with(names: &'static [&'static str], request: &Request) -> Option<Answer> {
    let queues: Vec<String> = (0..names.len())
        .map(|number| format!("q{number}"))
        .collect();
    match request.operation.as_str() {
        "ListQueues" => Some(queues_page(
            &queues.iter().map(String::as_str).collect::<Vec<_>>(),
            None,
        )),
        "GetQueueAttributes" => {
            let number = (0..names.len())
                .find(|number| request.mentions(&format!("/q{number}\"")))
                .unwrap();
            let key = json!({"KmsMasterKeyId": names[number]});
            Some(attributes(&queues[number], key))
        }
        "DescribeKey" => Some(key(&arn(ACCOUNT), "CUSTOMER")),
        _ => None,
    }
}

fn only_key(account: &Account) -> &Key {
    let [key] = account.keys.as_slice() else {
        panic!("{:?}", account.keys);
    };
    key
}

#[tokio::test]
async fn several_names_of_one_key_are_one_key() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetKeyPolicy" => {
            assert!(request.mentions(r#""PolicyName":"default""#));
            Some(Answer::ok(r#"{"Policy":"{\"Version\":\"2012-10-17\"}"}"#))
        }
        _ => queues_with(
            &[
                "alias/orders",
                "arn:aws:kms:eu-west-1:123456789012:alias/orders",
                "1234abcd-12ab-34cd-56ef-1234567890ab",
                "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "alias/orders",
            ],
            request,
        ),
    });
    let account = scan(&aws).await.unwrap();
    let key = only_key(&account);
    assert_eq!(key.arn.as_str(), arn(ACCOUNT));
    assert_eq!(key.manager, KeyManager::Customer);
    assert_eq!(key.state, "PendingDeletion");
    assert_eq!(
        key.policy.as_ref().unwrap().as_str(),
        r#"{"Version":"2012-10-17"}"#
    );
    assert_eq!(key.grants, Some(Vec::new()));
    assert_eq!(key.aliases, Some(Vec::new()));
    assert!(gaps(&account).is_empty(), "{:?}", account.coverage.gaps);
    assert_eq!(
        aws.count("kms:DescribeKey"),
        4,
        "once for each way to write it"
    );
    for call in ["GetKeyPolicy", "ListGrants", "ListAliases"] {
        assert_eq!(aws.count(&format!("kms:{call}")), 1, "{call}");
    }
}

#[tokio::test]
async fn nothing_is_asked_of_kms_where_no_queue_uses_a_customer_key() {
    let aws = Canned::start(|request| {
        queues_with(
            &[
                "alias/aws/sqs",
                "arn:aws:kms:eu-west-1:123456789012:alias/aws/sqs",
                "",
            ],
            request,
        )
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.queues.len(), 3);
    assert!(account.keys.is_empty());
    assert!(
        aws.received()
            .iter()
            .all(|request| request.service != "kms")
    );
    assert!(gaps(&account).is_empty());
}

#[tokio::test]
async fn a_key_of_aws_is_recognised_by_its_id_and_has_nothing_more_to_read() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeKey" => Some(key(&arn(ACCOUNT), "AWS")),
        _ => queues_with(&[ID], request),
    });
    let account = scan(&aws).await.unwrap();
    let key = only_key(&account);
    assert_eq!(key.manager, KeyManager::Aws);
    assert_eq!((&key.policy, &key.grants), (&None, &None));
    let asked: Vec<_> = aws
        .received()
        .into_iter()
        .filter(|request| request.service == "kms")
        .map(|request| request.operation)
        .collect();
    assert_eq!(asked, ["DescribeKey"]);
    assert!(gaps(&account).is_empty());
}

fn page(request: &Request) -> usize {
    (2..10)
        .find(|page| request.mentions(&format!("page-{page}")))
        .unwrap_or(1)
}

/// A page of three; the second is empty.
fn page_of(list: &str, page: usize, items: &[Value]) -> Answer {
    let items = if page == 2 { &[] } else { items };
    let mut answer = json!({"Truncated": page < 3, list: items});
    if page < 3 {
        answer["NextMarker"] = format!("page-{}", page + 1).into();
    }
    Answer::ok(answer.to_string())
}

#[tokio::test]
async fn grants_and_aliases_are_read_to_the_last_page() {
    let aws = Canned::start(|request| {
        let page = page(request);
        match request.operation.as_str() {
            "ListGrants" => {
                assert!(request.mentions(r#""Limit":100"#));
                let grant = json!({"GrantId": format!("g{}", 4 - page), "Operations": ["GenerateDataKey", "Decrypt"],
                    "GranteePrincipal": "arn:aws:iam::123456789012:role/worker"});
                Some(page_of("Grants", page, &[grant]))
            }
            "ListAliases" => {
                assert!(!request.mentions("KeyId"));
                let aliases = [
                    json!({"AliasName": format!("alias/a{}", 4 - page), "TargetKeyId": ID}),
                    json!({"AliasName": "alias/of-another", "TargetKeyId": "another"}),
                    json!({"AliasName": "alias/aws/not-yet"}),
                ];
                Some(page_of("Aliases", page, &aliases))
            }
            _ => queues_with(&["alias/a1"], request),
        }
    });
    let account = scan(&aws).await.unwrap();
    let key = only_key(&account);
    assert_eq!(key.aliases.as_ref().unwrap(), &["alias/a1", "alias/a3"]);
    let grants = key.grants.as_ref().unwrap();
    let ids: Vec<_> = grants.iter().map(|grant| grant.id.as_str()).collect();
    assert_eq!(ids, ["g1", "g3"]);
    assert_eq!(grants[0].operations, ["Decrypt", "GenerateDataKey"]);
    assert_eq!(aws.count("kms:ListGrants"), 3);
    assert_eq!(aws.count("kms:ListAliases"), 3);
    assert!(gaps(&account).is_empty());
}

#[tokio::test]
async fn grants_keep_their_constraints() {
    let aws = Canned::start(|request| {
        match request.operation.as_str() {
        "ListGrants" => Some(Answer::ok(
            json!({"Truncated": false, "Grants": [
                {"GrantId": "a", "GranteePrincipal": "r", "Operations": ["Decrypt"],
                 "Constraints": {"EncryptionContextSubset": {"aws:sqs:arn": "q", "b": "1"}}},
                {"GrantId": "b", "GranteePrincipal": "r", "Operations": ["Decrypt"],
                 "Constraints": {"EncryptionContextEquals": {"aws:sqs:arn": "q"}}},
                {"GrantId": "c", "GranteeServicePrincipal": "sns.amazonaws.com", "Operations": ["Decrypt"],
                 "Constraints": {"SourceArn": "arn:aws:sns:eu-west-1:123456789012:t"}},
                {"GrantId": "d", "GranteePrincipal": "r", "Operations": []},
            ]})
            .to_string(),
        )),
        _ => queues_with(&[ID], request),
    }
    });
    let account = scan(&aws).await.unwrap();
    let [subset, equals, source, free] = only_key(&account).grants.as_ref().unwrap().as_slice()
    else {
        panic!("{:?}", account.keys);
    };
    let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(
        subset.context_subset,
        pairs(&[("aws:sqs:arn", "q"), ("b", "1")])
    );
    assert_eq!(subset.context_equals, None);
    assert_eq!(equals.context_equals, Some(pairs(&[("aws:sqs:arn", "q")])));
    assert!(equals.context_subset.is_empty());
    assert_eq!(source.grantee, "sns.amazonaws.com");
    assert!(free.operations.is_empty());
    assert_eq!(
        source.source_arn.as_deref(),
        Some("arn:aws:sns:eu-west-1:123456789012:t")
    );
    assert!(gaps(&account).is_empty());
}

#[tokio::test]
async fn each_refused_read_of_a_key_is_a_gap_of_its_own() {
    for (refused, resource, detail) in [
        (
            "DescribeKey",
            Some("alias/orders".to_owned()),
            format!("manager and state of alias/orders are unknown: {UNKNOWN}"),
        ),
        (
            "GetKeyPolicy",
            Some(arn(ACCOUNT)),
            format!(
                "key policy statements of {} are unknown: {UNKNOWN}",
                arn(ACCOUNT)
            ),
        ),
        (
            "ListGrants",
            Some(arn(ACCOUNT)),
            format!("grants of {} are unknown: {UNKNOWN}", arn(ACCOUNT)),
        ),
        (
            "ListAliases",
            None,
            "key aliases of eu-west-1 are unknown: access to queues that name their key by an alias can only be \
             smaller than shown"
                .to_owned(),
        ),
    ] {
        let aws = Canned::start(move |request| {
            if request.operation == refused {
                Some(Answer::denied(request))
            } else {
                queues_with(&["alias/orders"], request)
            }
        });
        let account = scan(&aws).await.unwrap();
        let gaps = gaps(&account);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let gap = gaps[0];
        assert_eq!(
            (gap.service.as_str(), gap.operation.as_str()),
            ("kms", refused)
        );
        assert_eq!(gap.region.as_deref(), Some(REGION));
        assert_eq!(gap.resource, resource);
        assert_eq!(gap.error, "AccessDeniedException");
        assert_eq!(gap.effect, GapEffect::MayOverstate);
        assert_eq!(gap.detail, format!("{detail}; allow kms:{refused}"));
        assert!(account.coverage.is_complete());
        if refused == "DescribeKey" {
            assert!(account.keys.is_empty());
            continue;
        }
        let key = only_key(&account);
        assert_eq!(key.policy.is_none(), refused == "GetKeyPolicy");
        assert_eq!(key.grants.is_none(), refused == "ListGrants");
        assert_eq!(key.aliases.is_none(), refused == "ListAliases");
    }
}

#[tokio::test]
async fn grants_that_break_off_are_none_at_all() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListGrants" if page(request) == 1 => Some(page_of(
            "Grants",
            1,
            &[json!({"GrantId": "g", "GranteePrincipal": "r"})],
        )),
        "ListGrants" => Some(Answer::denied(request)),
        _ => queues_with(&[ID], request),
    });
    let account = scan(&aws).await.unwrap();
    // A part beside the key policy would look like the whole, and hide access.
    assert_eq!(only_key(&account).grants, None);
    assert_eq!(gaps(&account).len(), 1);
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_a_gap() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeKey" => Some(Answer::error(request, 400, "NotFoundException")),
        _ => queues_with(&["alias/gone"], request),
    });
    let account = scan(&aws).await.unwrap();
    assert!(account.keys.is_empty());
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].resource.as_deref(), Some("alias/gone"));
    assert_eq!(gaps[0].error, "NotFoundException");
    assert_eq!(gaps[0].effect, GapEffect::MayOverstate);
    assert!(gaps[0].detail.starts_with("there is no key alias/gone: "));
    assert_eq!(aws.count("kms:ListAliases"), 0);
}

#[tokio::test]
async fn a_key_of_another_account_is_described_and_no_more() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeKey" => Some(key(&arn(OTHER_ACCOUNT), "CUSTOMER")),
        _ => queues_with(
            &["arn:aws:kms:eu-west-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
            request,
        ),
    });
    let account = scan(&aws).await.unwrap();
    let key = only_key(&account);
    assert_eq!(
        (&key.aliases, &key.policy, &key.grants),
        (&None, &None, &None)
    );
    let gaps = gaps(&account);
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].operation.as_str(), gaps[0].error.as_str()),
        ("GetKeyPolicy", "OtherAccount")
    );
    assert_eq!(
        gaps[0].resource.as_deref(),
        Some(arn(OTHER_ACCOUNT).as_str())
    );
    assert_eq!(gaps[0].effect, GapEffect::MayOverstate);
    let asked = aws
        .received()
        .into_iter()
        .filter(|request| request.service == "kms");
    assert_eq!(asked.count(), 1);
}

#[tokio::test]
async fn a_key_without_a_state_is_not_taken_for_a_disabled_one() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeKey" => Some(Answer::ok(
            json!({"KeyMetadata": {"KeyId": ID, "Arn": arn(ACCOUNT), "KeyManager": "CUSTOMER"}})
                .to_string(),
        )),
        _ => queues_with(&[ID], request),
    });
    let account = scan(&aws).await.unwrap();
    assert!(account.keys.is_empty());
    assert_eq!(gaps(&account)[0].error, "MalformedResponse");
}

/// The default encryption of a bucket with this key, or with the one that AWS manages for S3.
fn encrypted_bucket(key: Option<&str>) -> Answer {
    let key = key.map_or(String::new(), |key| {
        format!("<KMSMasterKeyID>{key}</KMSMasterKeyID>")
    });
    Answer::ok(format!(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
         <SSEAlgorithm>aws:kms</SSEAlgorithm>{key}</ApplyServerSideEncryptionByDefault></Rule>\
         </ServerSideEncryptionConfiguration>"
    ))
}

/// A topic and a bucket on the way to a queue, encrypted with keys of these names.
fn channels_with(
    topic: &'static str,
    bucket: Option<&'static str>,
    request: &Request,
) -> Option<Answer> {
    match request.call().as_str() {
        "sns:ListSubscriptions" | "s3:ListBuckets" if request.mentions("page-") => None,
        "sns:GetTopicAttributes" => Some(sns_attributes(
            "GetTopicAttributes",
            &[("Policy", "{}"), ("KmsMasterKeyId", topic)],
        )),
        "s3:GetBucketEncryption" => Some(encrypted_bucket(bucket)),
        "kms:DescribeKey" => Some(key(&arn(ACCOUNT), "CUSTOMER")),
        _ => of_everything(request),
    }
}

/// How topics and buckets are encrypted, each setting once.
fn settings(account: &Account) -> Vec<(String, Encryption)> {
    let channels = account.channels.iter();
    let mut settings: Vec<_> = channels
        .filter(|channel| ["s3", "sns"].contains(&channel.arn.service()))
        .map(|channel| (channel.arn.service().to_owned(), channel.encryption.clone()))
        .collect();
    settings.dedup();
    settings
}

fn kms(key: &str) -> Encryption {
    Encryption::Kms {
        key: key.to_owned(),
    }
}

#[tokio::test]
async fn topics_and_buckets_name_keys_as_well_and_one_key_is_read_once() {
    let aws = Canned::start(|request| channels_with("alias/orders", Some(ID), request));
    let account = scan(&aws).await.unwrap();
    assert_eq!(only_key(&account).arn.as_str(), arn(ACCOUNT));
    assert_eq!(
        settings(&account),
        [
            // The ARN of a bucket does not tell where an id means a key.
            ("s3".to_owned(), kms(&arn(ACCOUNT))),
            ("sns".to_owned(), kms("alias/orders")),
        ]
    );
    assert_eq!(aws.count("kms:DescribeKey"), 2, "once for each name");
    assert_eq!(aws.count("kms:GetKeyPolicy"), 1);
    assert!(gaps(&account).is_empty(), "{:?}", account.coverage.gaps);
}

#[tokio::test]
async fn a_key_that_a_queue_names_too_is_not_read_again() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetQueueAttributes" => Some(attributes(
            "orders",
            json!({"KmsMasterKeyId": "alias/orders"}),
        )),
        _ => channels_with("alias/orders", Some(ID), request),
    });
    let account = scan(&aws).await.unwrap();
    only_key(&account);
    for call in ["GetKeyPolicy", "ListGrants"] {
        assert_eq!(aws.count(&format!("kms:{call}")), 1, "{call}");
    }
}

#[tokio::test]
async fn of_the_keys_that_aws_manages_nothing_is_asked() {
    let aws = Canned::start(|request| channels_with("alias/aws/sns", None, request));
    let account = scan(&aws).await.unwrap();
    assert_eq!(
        settings(&account),
        [
            (
                "s3".to_owned(),
                kms("arn:aws:kms:eu-west-1:123456789012:alias/aws/s3")
            ),
            ("sns".to_owned(), kms("alias/aws/sns")),
        ]
    );
    let asked = aws.received();
    assert!(asked.iter().all(|request| request.service != "kms"));
}

#[tokio::test]
async fn a_key_of_a_topic_that_is_refused_is_a_gap_that_only_overstates() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetKeyPolicy" => Some(Answer::denied(request)),
        _ => channels_with("alias/orders", None, request),
    });
    let account = scan(&aws).await.unwrap();
    let [gap] = gaps(&account)[..] else {
        panic!("{:?}", account.coverage.gaps);
    };
    assert_eq!(gap.operation, "GetKeyPolicy");
    assert_eq!(gap.effect, GapEffect::MayOverstate);
    assert!(gap.detail.contains(UNKNOWN), "{gap:?}");
}

#[tokio::test]
async fn the_encryption_of_a_bucket_is_none_where_it_has_no_configuration() {
    for (answer, expected) in [
        (None, Encryption::SqsManaged),
        (
            Some("ServerSideEncryptionConfigurationNotFoundError"),
            Encryption::None,
        ),
    ] {
        let aws = Canned::start(move |request| match (request.operation.as_str(), answer) {
            ("GetBucketEncryption", Some(code)) => Some(Answer::error(request, 404, code)),
            _ => of_everything(request),
        });
        let account = scan(&aws).await.unwrap();
        assert!(settings(&account).contains(&("s3".to_owned(), expected)));
        assert!(gaps(&account).is_empty());
    }
}
