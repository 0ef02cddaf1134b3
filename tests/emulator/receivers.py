"""Makes a topic and an event bus to publish to, with queues behind them that show what arrives."""

import json

import boto3

REGION = "eu-west-1"
sqs = boto3.client("sqs", region_name=REGION)
sns = boto3.client("sns", region_name=REGION)
events = boto3.client("events", region_name=REGION)


def queue(name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


topic = sns.create_topic(Name="findings")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue("all"))
sns.subscribe(
    TopicArn=topic,
    Protocol="sqs",
    Endpoint=queue("critical"),
    Attributes={"FilterPolicy": json.dumps({"severity": ["critical"], "change": ["new"]})},
)
events.create_event_bus(Name="audit")
pattern = {"source": ["patscan"], "detail": {"finding": {"severity": ["critical"]}}}
events.put_rule(Name="grave", EventBusName="audit", EventPattern=json.dumps(pattern))
events.put_targets(Rule="grave", EventBusName="audit", Targets=[{"Id": "q", "Arn": queue("events")}])
