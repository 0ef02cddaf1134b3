"""Takes what arrived behind the topic and the event bus, and prints it."""

import json

import boto3

sqs = boto3.client("sqs", region_name="eu-west-1")
arrived = {}
for name in ["all", "critical", "events"]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    arrived[name] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            arrived[name].append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
print(json.dumps(arrived))
