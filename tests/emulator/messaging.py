"""An account whose queues are filled by topics, rules, a bucket, a pipe and schedules."""

import io
import json
import zipfile

import boto3

ACCOUNT = "123456789012"
NORTH, SOUTH = "eu-west-1", "us-east-1"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def role(name, service):
    iam = boto3.client("iam", region_name=SOUTH)
    return iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        ),
    )["Role"]["Arn"]


sqs = boto3.client("sqs", region_name=NORTH)
ORDERS, DEAD = (f"arn:aws:sqs:{NORTH}:{ACCOUNT}:{name}" for name in ("orders", "dead"))
for name in ("orders", "dead"):
    sqs.create_queue(QueueName=name)

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("main.py", "def handler(event, context): pass")
functions = boto3.client("lambda", region_name=NORTH)
WORKER = functions.create_function(
    FunctionName="worker",
    Role=role("worker", "lambda.amazonaws.com"),
    Runtime="python3.12",
    Handler="main.handler",
    Code={"ZipFile": code.getvalue()},
)["FunctionArn"]
# No destinations: moto tells of them with a date that is text, which the SDK does not read.
functions.add_permission(
    FunctionName="worker",
    StatementId="the-topic-invokes",
    Action="lambda:InvokeFunction",
    Principal="sns.amazonaws.com",
)

sns = boto3.client("sns", region_name=NORTH)
topic = sns.create_topic(
    Name="placed",
    Attributes={
        "Policy": document(
            {
                "Sid": "the-account-publishes",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sns:Publish",
                "Resource": f"arn:aws:sns:{NORTH}:{ACCOUNT}:placed",
            }
        )
    },
)["TopicArn"]
sns.subscribe(
    TopicArn=topic,
    Protocol="sqs",
    Endpoint=ORDERS,
    Attributes={
        "FilterPolicy": '{"country": ["is"]}',
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD}),
        "RawMessageDelivery": "true",
    },
)
sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=WORKER)
# Leads back to no queue.
sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://example.com/orders")
# No queue is in that region, but the topic fills one elsewhere.
far = boto3.client("sns", region_name=SOUTH)
far.subscribe(
    TopicArn=far.create_topic(Name="far")["TopicArn"], Protocol="sqs", Endpoint=ORDERS
)

events = boto3.client("events", region_name=NORTH)
sender = role("rule-sender", "events.amazonaws.com")
events.create_event_bus(Name="shop")
events.put_permission(
    EventBusName="shop",
    Policy=document(
        {
            "Sid": "a-partner-puts-events",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
            "Action": "events:PutEvents",
            "Resource": f"arn:aws:events:{NORTH}:{ACCOUNT}:event-bus/shop",
        }
    ),
)
events.put_rule(Name="with-role", EventBusName="shop", EventPattern='{"source": ["shop"]}')
events.put_targets(
    Rule="with-role",
    EventBusName="shop",
    Targets=[{"Id": "1", "Arn": ORDERS, "RoleArn": sender, "DeadLetterConfig": {"Arn": DEAD}}],
)
events.put_rule(Name="without-role", EventPattern='{"source": ["aws.s3"]}', State="DISABLED")
events.put_targets(
    Rule="without-role",
    Targets=[
        {"Id": "1", "Arn": topic},
        # Not followed: messages end there.
        {"Id": "2", "Arn": f"arn:aws:logs:{NORTH}:{ACCOUNT}:log-group:/aws/events/orders"},
    ],
)
events.put_rule(Name="clock", ScheduleExpression="rate(1 hour)")
events.put_targets(Rule="clock", Targets=[{"Id": "1", "Arn": WORKER}])

s3 = boto3.client("s3", region_name=NORTH)
s3.create_bucket(
    Bucket="example-inbox", CreateBucketConfiguration={"LocationConstraint": NORTH}
)
s3.put_bucket_policy(
    Bucket="example-inbox",
    Policy=document(
        {
            "Sid": "a-partner-puts-objects",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::example-inbox/*",
        }
    ),
)
s3.put_bucket_notification_configuration(
    Bucket="example-inbox",
    NotificationConfiguration={
        "QueueConfigurations": [
            {
                "QueueArn": ORDERS,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {
                    "Key": {
                        "FilterRules": [
                            {"Name": "prefix", "Value": "in/"},
                            {"Name": "suffix", "Value": ".json"},
                        ]
                    }
                },
            }
        ]
    },
)
# Not asked: no queue is in that region. (One without notifications moto answers with no document at all, unlike S3.)
boto3.client("s3", region_name=SOUTH).create_bucket(Bucket="example-elsewhere")

pipes = boto3.client("pipes", region_name=NORTH)
piper = role("piper", "pipes.amazonaws.com")
pipes.create_pipe(
    Name="again",
    RoleArn=piper,
    Source=DEAD,
    SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"retry": [true]}}'}]}},
    Target=ORDERS,
)
# Not followed at either end.
pipes.create_pipe(
    Name="elsewhere",
    RoleArn=piper,
    Source=f"arn:aws:mq:{NORTH}:{ACCOUNT}:broker:b:1",
    Target=f"arn:aws:logs:{NORTH}:{ACCOUNT}:log-group:orders",
)

scheduler = boto3.client("scheduler", region_name=NORTH)
clock = role("clock", "scheduler.amazonaws.com")
for name, target in (
    ("hourly", {"Arn": ORDERS, "DeadLetterConfig": {"Arn": DEAD}}),
    (
        "by-call",
        {
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "Input": json.dumps(
                {"QueueUrl": f"https://sqs.{NORTH}.amazonaws.com/{ACCOUNT}/orders", "MessageBody": "m"}
            ),
        },
    ),
    ("stop", {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:stopInstances", "Input": "{}"}),
):
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED" if name == "by-call" else "ENABLED",
        Target={"RoleArn": clock, **target},
    )
