//! A whole account, as an emulator with state holds it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use patscan::account::{AccessKeys, Account, Encryption, KeyManager, Organization};
use patscan::arn::Arn;
use patscan::collect::{CALLS, Progress, Unit, collect};

use super::{
    around, keys, messaging, organization, policy, policy_version, queues_page, user_with_policy,
};
use crate::emulator::{ACCOUNT, Answer, Canned, Moto, Request, options};

async fn example_account() -> Account {
    let moto = Moto::start();
    moto.seed("account.py");
    collect(
        &options(&moto.url(), &["us-east-1", "eu-west-1"]).await,
        &(),
    )
    .await
    .unwrap()
}

fn one_encrypted_queue(request: &Request) -> Option<Answer> {
    keys::queues_with(&["alias/orders"], request)
}

fn arns<'a>(items: impl IntoIterator<Item = &'a Arn>) -> Vec<&'a str> {
    items.into_iter().map(Arn::as_str).collect()
}

#[tokio::test]
async fn an_account_is_read_whole() {
    let account = example_account().await;
    assert_eq!(account.id.as_str(), ACCOUNT);
    assert_eq!(account.alias.as_deref(), Some("example-account"));
    assert_eq!(account.partition, "aws");
    assert_eq!(account.regions, ["eu-west-1", "us-east-1"]);
    people_are_read_with_their_groups(&account);
    roles_are_read_with_boundary_and_profiles(&account);
    customer_managed_policies_are_kept_even_where_nobody_uses_them(&account);
    queues_of_both_regions_are_read(&account);
    workloads_are_read_with_their_wiring(&account);
    keys_are_read_with_policy_aliases_and_grants(&account);
    nothing_is_left_unread(&account);

    let text = serde_json::to_string(&account).unwrap();
    assert!(
        !text.contains("do-not-keep-this"),
        "environment variables stay where they are"
    );
}

fn people_are_read_with_their_groups(account: &Account) {
    let [bob, alice] = account.users.as_slice() else {
        panic!("{:?}", account.users);
    };
    assert_eq!(
        alice.arn.as_str(),
        "arn:aws:iam::123456789012:user/people/alice"
    );
    assert_eq!(alice.groups, ["operators"]);
    assert_eq!(alice.tags[0].value, "orders");
    assert!(alice.inline.is_empty());
    assert_eq!(bob.inline[0].name, "direct");
    assert_eq!(alice.access_keys, Some(AccessKeys::default()));
    let keys = bob.access_keys.as_ref().unwrap();
    assert_eq!(keys.active, 1);
    assert!(keys.oldest.is_some() && keys.oldest == keys.newest);
    let [operators] = account.groups.as_slice() else {
        panic!("{:?}", account.groups);
    };
    assert_eq!(
        arns(&operators.attached),
        ["arn:aws:iam::123456789012:policy/queues/send-orders"]
    );
    assert_eq!(operators.inline[0].name, "look");
}

fn roles_are_read_with_boundary_and_profiles(account: &Account) {
    let [web, worker] = account.roles.as_slice() else {
        panic!("{:?}", account.roles);
    };
    assert_eq!(
        web.arn.as_str(),
        "arn:aws:iam::123456789012:role/services/web"
    );
    assert_eq!(
        web.boundary.as_ref().unwrap().as_str(),
        "arn:aws:iam::123456789012:policy/boundary"
    );
    assert_eq!(
        arns(&web.instance_profiles),
        ["arn:aws:iam::123456789012:instance-profile/services/web"]
    );
    assert!(web.trust.as_str().contains("ec2.amazonaws.com"));
    assert_eq!(worker.inline[0].name, "consume");
    assert!(worker.boundary.is_none());
}

fn customer_managed_policies_are_kept_even_where_nobody_uses_them(account: &Account) {
    assert_eq!(
        arns(account.policies.iter().map(|policy| &policy.arn)),
        [
            "arn:aws:iam::123456789012:policy/boundary",
            "arn:aws:iam::123456789012:policy/queues/send-orders",
            "arn:aws:iam::123456789012:policy/unused",
        ]
    );
    let send = account.policies[1].document.as_ref().unwrap();
    assert!(send.as_str().contains(r#""a+b%20c""#), "{send:?}");
}

fn queues_of_both_regions_are_read(account: &Account) {
    let [orders, dead, audit] = account.queues.as_slice() else {
        panic!("{:?}", account.queues);
    };
    assert_eq!(
        orders.arn.as_str(),
        "arn:aws:sqs:eu-west-1:123456789012:orders"
    );
    let attributes = orders.attributes.as_ref().unwrap();
    assert!(
        attributes
            .policy
            .as_ref()
            .unwrap()
            .as_str()
            .contains("sns.amazonaws.com")
    );
    let redrive = attributes.redrive.as_ref().unwrap();
    assert_eq!(redrive.dead_letter_queue, dead.arn);
    assert_eq!(redrive.max_receive_count, 5);
    assert_eq!(
        attributes.encryption,
        Encryption::Kms {
            key: "alias/orders".to_owned()
        }
    );
    assert!(dead.attributes.as_ref().unwrap().policy.is_none());
    assert_eq!(
        audit.arn.as_str(),
        "arn:aws:sqs:us-east-1:123456789012:audit.fifo"
    );
    assert!(audit.attributes.as_ref().unwrap().fifo);

    // The worker's policy looks at tags, so they are read.
    assert_eq!(orders.tags.as_ref().unwrap()[0].value, "orders");
    assert_eq!(dead.tags, Some(Vec::new()));
}

fn workloads_are_read_with_their_wiring(account: &Account) {
    let [function] = account.functions.as_slice() else {
        panic!("{:?}", account.functions);
    };
    assert_eq!(
        function.arn.as_str(),
        "arn:aws:lambda:eu-west-1:123456789012:function:worker"
    );
    assert_eq!(function.role, account.roles[1].arn);
    let [mapping] = account.event_source_mappings.as_slice() else {
        panic!("{:?}", account.event_source_mappings);
    };
    assert_eq!(mapping.source, account.queues[0].arn);
    assert_eq!(mapping.function_arn().unwrap(), function.arn);
    assert!(mapping.enabled);
    let [instance] = account.instances.as_slice() else {
        panic!("a terminated instance is left out: {:?}", account.instances);
    };
    assert_eq!(
        instance.instance_profile.as_ref(),
        account.roles[0].instance_profiles.first()
    );
}

fn keys_are_read_with_policy_aliases_and_grants(account: &Account) {
    let [key] = account.keys.as_slice() else {
        panic!("{:?}", account.keys);
    };
    assert_eq!(key.manager, KeyManager::Customer);
    assert!(key.is_enabled());
    assert_eq!(key.aliases.as_ref().unwrap(), &["alias/orders"]);
    let policy = key.policy.as_ref().unwrap().as_str();
    assert!(policy.contains("the account decides"), "{policy}");
    let [grant] = key.grants.as_ref().unwrap().as_slice() else {
        panic!("{:?}", key.grants);
    };
    assert_eq!(grant.grantee, account.roles[1].arn.as_str());
    assert_eq!(grant.operations, ["Decrypt", "GenerateDataKey"]);
    assert_eq!(
        grant.context_subset["aws:sqs:arn"],
        account.queues[0].arn.as_str()
    );
    assert_eq!(grant.context_equals, None);
}

fn nothing_is_left_unread(account: &Account) {
    assert_eq!(account.organization, Some(Organization::None));
    // What the emulator does not know, of the one dead-letter queue.
    let unknown: Vec<_> = account
        .coverage
        .gaps
        .iter()
        .map(|gap| (gap.operation.as_str(), gap.resource.as_deref()))
        .collect();
    let dead = account.queues[1].arn.as_str();
    assert_eq!(unknown, [("ListMessageMoveTasks", Some(dead))]);
}

#[tokio::test]
async fn every_enabled_region_is_scanned_when_none_is_named() {
    let aws = Canned::start(|_| None);
    let account = collect(&options(aws.url(), &[]).await, &()).await.unwrap();
    assert_eq!(account.regions, ["eu-west-1", "us-east-1"]);
    for region in ["eu-west-1", "us-east-1"] {
        let of_region =
            |request: &&Request| request.region == region && request.operation == "ListQueues";
        assert_eq!(aws.received().iter().filter(of_region).count(), 1);
    }
    assert!(
        !aws.received()
            .iter()
            .any(|request| request.region == "me-south-1")
    );
}

#[tokio::test]
async fn two_scans_of_one_account_are_equal_but_for_their_time() {
    let scan = async || {
        let aws = Canned::start(|request| {
            (request.operation == "ListQueues").then(|| queues_page(&["c", "a", "b"], None))
        });
        collect(&options(aws.url(), &[]).await, &()).await.unwrap()
    };
    let (first, mut second) = (scan().await, scan().await);
    second.scanned_at = first.scanned_at;
    let parts = &mut second.coverage.parts;
    assert!(!parts.is_empty());
    assert_eq!(parts.len(), first.coverage.parts.len());
    for (second, first) in parts.iter_mut().zip(&first.coverage.parts) {
        second.read_at = first.read_at;
    }
    assert_eq!(first, second);
}

#[tokio::test]
async fn progress_tells_of_each_service_in_each_region() {
    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);
    impl Log {
        fn push(&self, what: &str, unit: Unit<'_>) {
            let region = unit.region.unwrap_or("global");
            let line = format!("{what} {} {region}", unit.service);
            self.0.lock().unwrap().push(line);
        }
    }
    impl Progress for Log {
        fn started(&self, unit: Unit<'_>) {
            self.push("started", unit);
        }
        fn known(&self, unit: Unit<'_>, total: usize) {
            self.push(&format!("{total} of"), unit);
        }
        fn advanced(&self, unit: Unit<'_>, by: usize) {
            self.push(&format!("{by} more of"), unit);
        }
        fn finished(&self, unit: Unit<'_>) {
            self.push("finished", unit);
        }
    }

    let aws = Canned::start(|request| {
        organization::of_member(request)
            .or_else(|| one_encrypted_queue(request))
            .or_else(|| messaging::of_everything(request))
    });
    let log = Log::default();
    collect(&options(aws.url(), &["eu-west-1"]).await, &log)
        .await
        .unwrap();
    let lines = log.0.into_inner().unwrap();
    for unit in [
        "iam global",
        "s3 global",
        "sns eu-west-1",
        "events eu-west-1",
        "pipes eu-west-1",
        "scheduler eu-west-1",
        "lambda destinations eu-west-1",
        "organizations global",
        "kms eu-west-1",
        "sqs eu-west-1",
        "lambda eu-west-1",
        "ec2 eu-west-1",
        "apigateway eu-west-1",
        "autoscaling eu-west-1",
        "ecs eu-west-1",
        "eks eu-west-1",
        "glue eu-west-1",
        "iot eu-west-1",
        "states eu-west-1",
    ] {
        for what in ["started", "finished"] {
            assert!(lines.contains(&format!("{what} {unit}")), "{lines:?}");
        }
    }
    for (number, unit) in [
        (1, "sqs eu-west-1"),
        (1, "kms eu-west-1"),
        (3, "s3 global"),
        (3, "sns eu-west-1"),
        (9, "events eu-west-1"),
        (3, "pipes eu-west-1"),
        (3, "scheduler eu-west-1"),
        (1, "lambda destinations eu-west-1"),
    ] {
        assert!(lines.contains(&format!("{number} of {unit}")), "{unit}");
        let more = format!("1 more of {unit}");
        let done = lines.iter().filter(|line| **line == more).count();
        assert_eq!(done, number, "{unit}");
    }
    assert!(lines.contains(&"1 of organizations global".to_owned()));
    assert!(lines.contains(&"1 more of organizations global".to_owned()));
}

#[tokio::test]
async fn a_scan_can_run_in_a_task_of_its_own() {
    let aws = Canned::start(|_| None);
    let options = options(aws.url(), &["eu-west-1"]).await;
    let task = tokio::spawn(async move { collect(&options, &()).await });
    assert!(task.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_scan_calls_what_the_table_of_calls_lists_and_nothing_else() {
    // A queue with a key, a policy that looks at tags, an attached policy whose document has to be fetched, an organization, one
    // of each thing around queues, and what moves messages.
    let aws = Canned::start(|request| match request.call().as_str() {
        "iam:GetAccountAuthorizationDetails" => Some(Answer::authorization_details(
            &format!(
                "{}{}",
                user_with_policy("alice", "arn:aws:iam::aws:policy/Fetched"),
                messaging::ROLE
            ),
            None,
        )),
        "iam:GetPolicy" => Some(policy("v3")),
        "iam:GetPolicyVersion" => Some(policy_version(
            r#"{"Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}"#,
        )),
        _ => organization::of_member(request)
            .or_else(|| around::one_of_each(request))
            .or_else(|| one_encrypted_queue(request))
            .or_else(|| messaging::of_everything(request)),
    });
    collect(&options(aws.url(), &["eu-west-1"]).await, &())
        .await
        .unwrap();
    let called: BTreeSet<_> = aws.received().iter().map(Request::call).collect();
    let listed: BTreeSet<_> = CALLS
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    assert_eq!(called, listed);
}
