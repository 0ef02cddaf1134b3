//! What each service tells of, beyond what the emulator with state knows.

use std::collections::BTreeSet;

use patscan::account::{Account, DeliveryKind};
use serde_json::json;

use super::super::{REGION, gaps, queues_page, scan};
use super::{arn, lines, lines_of, of_everything, queue, set, short, sns_attributes};
use crate::emulator::{ACCOUNT, Answer, Canned};

#[tokio::test]
async fn subscriptions_that_lead_to_no_queue_or_are_not_confirmed_are_left_out() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" => Some(queues_page(&["orders"], None)),
        "ListSubscriptions" => {
            let subscription = |arn: &str, protocol: &str, endpoint: &str, owner: &str| {
                format!(
                    "<member><SubscriptionArn>{arn}</SubscriptionArn><Protocol>{protocol}</Protocol>\
                     <Endpoint>{endpoint}</Endpoint><TopicArn>arn:aws:sns:{REGION}:{owner}:t</TopicArn></member>"
                )
            };
            let foreign = format!("arn:aws:sns:{REGION}:210987654321:t:1");
            let own = arn("sns", "t:2");
            let all = [
                subscription(&foreign, "sqs", &queue("orders"), "210987654321"),
                subscription("PendingConfirmation", "sqs", &queue("orders"), ACCOUNT),
                subscription("Deleted", "lambda", &arn("lambda", "function:f"), ACCOUNT),
                subscription(&own, "email", "a@example.com", ACCOUNT),
                subscription(&own, "sqs", "not an ARN", ACCOUNT),
            ];
            Some(Answer::ok(format!(
                "<ListSubscriptionsResponse><ListSubscriptionsResult><Subscriptions>{}</Subscriptions>\
                 </ListSubscriptionsResult></ListSubscriptionsResponse>",
                all.concat()
            )))
        }
        "GetSubscriptionAttributes" => Some(sns_attributes(
            "GetSubscriptionAttributes",
            &[("FilterPolicy", ""), ("RedrivePolicy", "{}")],
        )),
        _ => None,
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(
        lines(&account),
        set([
            "Subscription sns:210987654321/t -> sqs:orders as sns.amazonaws.com for sns:210987654321/t"
        ])
    );
    assert_eq!(
        account.channels,
        [],
        "a foreign topic shows its policy to its owner only"
    );
    assert_eq!(aws.count("sns:GetTopicAttributes"), 0);
    let errors: Vec<_> = gaps(&account)
        .iter()
        .map(|gap| (gap.operation.as_str(), gap.error.as_str()))
        .collect();
    assert_eq!(
        errors,
        [
            ("GetSubscriptionAttributes", "MalformedResponse"),
            ("ListSubscriptions", "MalformedResponse"),
        ],
        "an endpoint and a redrive policy that cannot be read"
    );
}

#[tokio::test]
async fn buckets_notify_topics_functions_and_the_default_bus() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "s3:GetBucketNotificationConfiguration" => {
            let events = "<Event>s3:ObjectRemoved:*</Event><Event>s3:ObjectCreated:Put</Event>";
            let rule = "<Filter><S3Key><FilterRule><Name>Prefix</Name><Value>in/</Value></FilterRule></S3Key></Filter>";
            Some(Answer::ok(format!(
                "<NotificationConfiguration>\
                 <TopicConfiguration><Topic>{}</Topic>{events}{rule}</TopicConfiguration>\
                 <CloudFunctionConfiguration><CloudFunction>{}</CloudFunction>{events}</CloudFunctionConfiguration>\
                 <EventBridgeConfiguration/></NotificationConfiguration>",
                arn("sns", "t"),
                arn("lambda", "function:f:live")
            )))
        }
        "s3:ListBuckets" => Some(Answer::ok(
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name><BucketRegion>eu-west-1</BucketRegion></Bucket>\
             <Bucket><Name>far</Name><BucketRegion>eu-north-1</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>",
        )),
        _ => of_everything(request),
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(
        lines_of(&account, DeliveryKind::Notification),
        [
            "Notification s3:b -> events:event-bus/default as nobody",
            "Notification s3:b -> lambda:function:f:live as s3.amazonaws.com for s3:b, only s3:ObjectCreated:Put s3:ObjectRemoved:*",
            "Notification s3:b -> sns:t as s3.amazonaws.com for s3:b, only in/ s3:ObjectCreated:Put s3:ObjectRemoved:*",
        ]
    );
    assert_eq!(aws.count("s3:GetBucketLocation"), 0);
    assert_eq!(
        aws.count("s3:GetBucketNotificationConfiguration"),
        1,
        "a bucket in a region that is not scanned is not asked"
    );
}

#[tokio::test]
async fn functions_deliver_what_failed_as_their_role() {
    let aws = Canned::start(|request| {
        match request.call().as_str() {
        "lambda:ListEventSourceMappings" => Some(Answer::ok(
            json!({"EventSourceMappings": [
                {"UUID": "u", "FunctionArn": arn("lambda", "function:f:live"), "State": "Disabled",
                 "EventSourceArn": arn("kinesis", "stream/s"),
                 "DestinationConfig": {"OnFailure": {"Destination": queue("stream-dead")}}},
                {"UUID": "v", "FunctionArn": arn("lambda", "function:f"), "State": "Enabled",
                 "DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}},
                {"UUID": "w", "FunctionArn": arn("lambda", "function:f"), "State": "Enabled",
                 "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}}]})
            .to_string(),
        )),
        "lambda:ListFunctionEventInvokeConfigs" => Some(Answer::ok(
            json!({"FunctionEventInvokeConfigs": [
                {"FunctionArn": arn("lambda", "function:f:$LATEST"), "DestinationConfig": {
                    "OnSuccess": {"Destination": queue("done")}, "OnFailure": {"Destination": arn("events", "event-bus/b")}}},
                {"FunctionArn": arn("lambda", "function:f:live"), "DestinationConfig": {
                    "OnSuccess": {}, "OnFailure": {"Destination": arn("sqs", "failed")}}},
                {"FunctionArn": arn("lambda", "function:f:2"), "MaximumRetryAttempts": 0}]})
            .to_string(),
        )),
        _ => of_everything(request),
    }
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.coverage.gaps, []);
    assert_eq!(
        lines_of(&account, DeliveryKind::Destination),
        [
            "Destination lambda:function:f -> events:event-bus/b as role r, failures",
            "Destination lambda:function:f -> s3:failed as role r, failures",
            "Destination lambda:function:f -> sqs:dead as role r, failures",
            "Destination lambda:function:f -> sqs:done as role r",
            "Destination lambda:function:f -> sqs:failed as role r, failures",
            "Destination lambda:function:f -> sqs:stream-dead as role r, off, failures",
        ]
    );
    let configured: BTreeSet<_> = account
        .deliveries
        .iter()
        .filter(|delivery| delivery.kind == DeliveryKind::Destination)
        .map(|delivery| short(&delivery.configured_by))
        .collect();
    assert_eq!(
        configured,
        set([
            "lambda:event-source-mapping:u",
            "lambda:event-source-mapping:w",
            "lambda:function:f",
            "lambda:function:f:$LATEST",
            "lambda:function:f:live",
        ])
    );
}

/// A pipe that `DescribePipe` tells this of.
async fn with_pipe(pipe: serde_json::Value) -> Account {
    let aws = Canned::start(move |request| match request.call().as_str() {
        "pipes:ListPipes" => Some(Answer::ok(
            json!({"Pipes": [{"Name": "p", "Arn": arn("pipes", "pipe/p"), "Source": pipe["Source"],
                "Target": pipe["Target"]}]})
            .to_string(),
        )),
        "pipes:DescribePipe" => {
            let mut pipe = pipe.clone();
            pipe["RoleArn"] = format!("arn:aws:iam::{ACCOUNT}:role/piper").into();
            Some(Answer::ok(pipe.to_string()))
        }
        _ => of_everything(request),
    });
    scan(&aws).await.unwrap()
}

#[tokio::test]
async fn a_pipe_polls_filters_enriches_and_sends() {
    let account = with_pipe(json!({
        "Source": queue("orders"), "Target": arn("kinesis", "stream/s"), "Enrichment": arn("lambda", "function:f"),
        "DesiredState": "STOPPED", "CurrentState": "STOPPING",
        "SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": "{\"a\":[1]}"}, {"Pattern": "{\"b\":[2]}"}]}}}))
    .await;
    assert_eq!(
        lines_of(&account, DeliveryKind::Pipe),
        [
            "Pipe pipes:pipe/p -> lambda:function:f as role piper, off",
            r#"Pipe sqs:orders -> pipes:pipe/p as role piper, off, only [{"a":[1]},{"b":[2]}]"#,
        ]
    );
}

#[tokio::test]
async fn a_pipe_that_reads_a_stream_polls_it_and_sends_its_dead_letters_to_a_queue() {
    for (service, parameters) in [
        ("kinesis", "KinesisStreamParameters"),
        ("dynamodb", "DynamoDBStreamParameters"),
    ] {
        let account = with_pipe(json!({
            "Source": arn(service, "stream/s"), "Target": arn("logs", "log-group:g"), "DesiredState": "RUNNING",
            "SourceParameters": {parameters: {"StartingPosition": "LATEST", "DeadLetterConfig": {"Arn": queue("dead")}}}}))
        .await;
        assert_eq!(
            lines_of(&account, DeliveryKind::Pipe),
            [
                format!("Pipe {service}:stream/s -> pipes:pipe/p as role piper"),
                "Pipe pipes:pipe/p -> sqs:dead as role piper, failures".to_owned(),
            ]
        );
    }
}

#[tokio::test]
async fn a_schedule_may_send_by_an_api_call() {
    for (call, input, to) in [
        (
            "sqs:sendMessage",
            json!({"QueueUrl": format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders")}),
            "sqs:orders",
        ),
        ("sns:publish", json!({"TopicArn": arn("sns", "t")}), "sns:t"),
        (
            "lambda:invoke",
            json!({"FunctionName": "f"}),
            "lambda:function:f",
        ),
        (
            "lambda:invoke",
            json!({"FunctionName": arn("lambda", "function:f")}),
            "lambda:function:f",
        ),
        (
            "sfn:startExecution",
            json!({"StateMachineArn": arn("states", "stateMachine:s")}),
            "states:stateMachine:s",
        ),
        (
            "sqs:sendMessage",
            json!({"QueueUrl": "<aws.scheduler.execution-id>"}),
            "",
        ),
    ] {
        let target = format!("arn:aws:scheduler:::aws-sdk:{call}");
        let aws = Canned::start(move |request| {
            match request.operation.as_str() {
            "ListSchedules" => Some(Answer::ok(
                json!({"Schedules": [{"Name": "s", "GroupName": "g", "Arn": arn("scheduler", "schedule/g/s"),
                    "Target": {"Arn": target}}]})
                .to_string(),
            )),
            "GetSchedule" => Some(Answer::ok(
                json!({"Target": {"Arn": target, "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/clock"),
                    "Input": input.to_string()}})
                .to_string(),
            )),
            _ => of_everything(request),
        }
        });
        let account = scan(&aws).await.unwrap();
        let sent = lines_of(&account, DeliveryKind::Schedule);
        if to.is_empty() {
            assert!(sent.is_empty(), "{sent:?}");
            let [note] = account.coverage.notes.as_slice() else {
                panic!("{:?}", account.coverage.notes);
            };
            assert!(note.detail.contains("cannot be told from its input"));
        } else {
            assert_eq!(sent, [format!("Schedule - -> {to} as role clock")]);
        }
    }
}

#[tokio::test]
async fn a_bus_hands_dead_letters_to_its_own_queue_as_the_service() {
    for (config, expected) in [
        (
            json!({"Arn": queue("dead")}),
            vec![
                "EventBus events:event-bus/n1 -> sqs:dead as events.amazonaws.com for events:event-bus/n1, failures",
            ],
        ),
        (json!({}), vec![]),
        (json!(null), vec![]),
    ] {
        let aws = Canned::start(move |request| match request.call().as_str() {
            "events:ListEventBuses" => Some(Answer::ok(
                json!({"EventBuses": [{"Name": "n1", "Arn": arn("events", "event-bus/n1")}]})
                    .to_string(),
            )),
            "events:DescribeEventBus" => {
                assert!(request.mentions(r#""Name":"n1""#));
                Some(Answer::ok(json!({"DeadLetterConfig": config}).to_string()))
            }
            "events:ListRules" => None,
            _ => of_everything(request),
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(lines_of(&account, DeliveryKind::EventBus), expected);
        assert_eq!(account.coverage.gaps, []);
    }
}
