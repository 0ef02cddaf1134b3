"""An account with three circles of messages, and a pipeline that is none."""

import io
import json
import zipfile

import boto3

ACCOUNT = "123456789012"
REGION = "eu-west-1"

sqs = boto3.client("sqs", region_name=REGION)
sns = boto3.client("sns", region_name=REGION)
s3 = boto3.client("s3", region_name=REGION)
iam = boto3.client("iam", region_name=REGION)
functions = boto3.client("lambda", region_name=REGION)

TAKE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("main.py", "def handler(event, context): pass")


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def arn(queue):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def consumer(name, queue, action, resource):
    """A function that takes from a queue and may do one thing besides."""
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="Rights",
        PolicyDocument=document(
            {"Sid": "Take", "Effect": "Allow", "Action": TAKE, "Resource": arn(queue)},
            {"Sid": "Pass", "Effect": "Allow", "Action": action, "Resource": resource},
        ),
    )
    functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.12",
        Handler="main.handler",
        Code={"ZipFile": code.getvalue()},
    )
    functions.create_event_source_mapping(EventSourceArn=arn(queue), FunctionName=name, BatchSize=1)


def queue(name, *sources):
    """A queue, filled by services on behalf of topics or buckets: those that are named."""
    statements = [
        {
            "Sid": f"Source{number}",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": arn(name),
            "Condition": {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
        for number, (service, source) in enumerate(sources)
    ]
    attributes = {"Policy": document(*statements)} if statements else {}
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def notify(bucket, to, *events):
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn(to), "Events": list(events)}]},
    )


# A consumer stores an object in the bucket whose notifications fill its queue.
s3.create_bucket(Bucket="example-uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
queue("uploads", ("s3.amazonaws.com", "arn:aws:s3:::example-uploads"))
notify("example-uploads", "uploads", "s3:ObjectCreated:*")
consumer("thumbnailer", "uploads", "s3:PutObject", "arn:aws:s3:::example-uploads/*")

# A consumer publishes to the topic that fans out to its own queue and another.
topic = sns.create_topic(Name="image-events")["TopicArn"]
queue("images", ("sns.amazonaws.com", topic))
queue("archive", ("sns.amazonaws.com", topic), ("s3.amazonaws.com", "arn:aws:s3:::example-archive"))
for name in ("images", "archive"):
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(name))
consumer("resizer", "images", "sns:Publish", topic)

# Two services write to each other's queues.
queue("ping")
queue("pong")
consumer("ping", "ping", "sqs:SendMessage", arn("pong"))
consumer("pong", "pong", "sqs:SendMessage", arn("ping"))

# The other queue of the topic ends in a bucket that tells of removals only, even though it tells the same queue: storing an
# object starts nothing. (A bucket without notifications would be a gap: moto answers for it without a body, unlike S3.)
s3.create_bucket(Bucket="example-archive", CreateBucketConfiguration={"LocationConstraint": REGION})
notify("example-archive", "archive", "s3:ObjectRemoved:*")
consumer("archiver", "archive", "s3:PutObject", "arn:aws:s3:::example-archive/*")
