"""An account with one of nearly everything that a scan asks about, and users who may do what a policy says and nothing else.

Takes the file of the policy and the number of users. Prints their keys as JSON.
"""

import io
import json
import os
import sys
import zipfile

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

ACCOUNT = "123456789012"
REGION = "us-east-1"
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
session = botocore.session.get_session()
failed = {}


def client(service):
    # A key of twelve digits is that account's root user.
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=ENDPOINT,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="root",
    )


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, action, resource):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}


def attempt(what, make):
    """Makes something that not every emulator can; all that is missing is told at once."""
    try:
        return make()
    except (ClientError, BotoCoreError) as error:
        failed[what] = str(error)
        return None


iam = client("iam")


def role(name, service):
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]


# A policy of AWS: its document is not in the account's own list, so a scan asks for it.
worker = role("worker", "lambda.amazonaws.com")
iam.create_user(UserName="deployer")
iam.create_access_key(UserName="deployer")
attempt(
    "policy of AWS",
    lambda: iam.attach_role_policy(RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"),
)
by_tag = {
    "Effect": "Allow",
    "Action": "sqs:SendMessage",
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/team": "shop"}},
}
iam.put_role_policy(RoleName="worker", PolicyName="by-tag", PolicyDocument=document(by_tag))

key = client("kms").create_key()["KeyMetadata"]["KeyId"]
attempt("alias", lambda: client("kms").create_alias(AliasName="alias/orders", TargetKeyId=key))

sqs = client("sqs")
dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
orders = sqs.create_queue(
    QueueName="orders",
    Attributes={
        "KmsMasterKeyId": key,
        "Policy": document(
            allow(
                {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]},
                "sqs:SendMessage",
                f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders",
            )
        ),
        "RedrivePolicy": json.dumps(
            {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", "maxReceiveCount": "3"}
        ),
    },
    tags={"team": "shop"},
)["QueueUrl"]
ORDERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("main.py", "def handler(event, context): pass")
functions = client("lambda")
WORKER = functions.create_function(
    FunctionName="worker",
    Role=worker,
    Runtime="python3.12",
    Handler="main.handler",
    Code={"ZipFile": code.getvalue()},
)["FunctionArn"]
attempt(
    "permission of function",
    lambda: functions.add_permission(
        FunctionName="worker", StatementId="topic", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    ),
)
sns = client("sns")
topic = sns.create_topic(Name="placed")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ORDERS)
sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=WORKER)

events = client("events")
sender = role("sender", "events.amazonaws.com")
events.create_event_bus(Name="shop")
events.put_rule(Name="to-orders", EventBusName="shop", EventPattern='{"source": ["shop"]}')
events.put_targets(
    Rule="to-orders", EventBusName="shop", Targets=[{"Id": "1", "Arn": ORDERS, "RoleArn": sender}]
)

s3 = client("s3")
s3.create_bucket(Bucket="example-inbox")
attempt(
    "bucket policy",
    lambda: s3.put_bucket_policy(
        Bucket="example-inbox",
        Policy=document(
            allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "s3:PutObject", "arn:aws:s3:::example-inbox/*")
        ),
    ),
)
attempt(
    "notification",
    lambda: s3.put_bucket_notification_configuration(
        Bucket="example-inbox",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": ORDERS, "Events": ["s3:ObjectCreated:*"]}]
        },
    ),
)

attempt(
    "pipe",
    lambda: client("pipes").create_pipe(
        Name="again", RoleArn=role("piper", "pipes.amazonaws.com"), Source=DEAD, Target=ORDERS
    ),
)
attempt(
    "schedule",
    lambda: client("scheduler").create_schedule(
        Name="hourly",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED",
        Target={"Arn": ORDERS, "RoleArn": role("clock", "scheduler.amazonaws.com")},
    ),
)
attempt(
    "state machine",
    lambda: client("stepfunctions").create_state_machine(
        name="flow",
        roleArn=role("flow", "states.amazonaws.com"),
        definition=json.dumps(
            {
                "StartAt": "send",
                "States": {
                    "send": {
                        "Type": "Task",
                        "End": True,
                        "Resource": "arn:aws:states:::sqs:sendMessage",
                        "Parameters": {"QueueUrl": orders, "MessageBody.$": "$"},
                    }
                },
            }
        ),
    ),
)


def scaled():
    ec2 = client("ec2")
    template = ec2.create_launch_template(
        LaunchTemplateName="hosts", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    autoscaling = client("autoscaling")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="hosts",
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=[f"{REGION}a"],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Default"},
    )
    autoscaling.create_launch_configuration(
        LaunchConfigurationName="older", ImageId="ami-12345678", InstanceType="t3.micro"
    )
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="older",
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=[f"{REGION}a"],
        LaunchConfigurationName="older",
    )


attempt("Auto Scaling", scaled)


def tasks():
    ecs = client("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(
        family="worker", taskRoleArn=worker, containerDefinitions=[{"name": "a", "image": "a", "memory": 64}]
    )
    ecs.create_service(cluster="shop", serviceName="worker", taskDefinition="worker", desiredCount=0)


attempt("ECS", tasks)


def pods():
    eks = client("eks")
    eks.create_cluster(name="shop", roleArn=worker, resourcesVpcConfig={"subnetIds": ["subnet-12345678"]})
    eks.create_pod_identity_association(
        clusterName="shop", namespace="shop", serviceAccount="worker", roleArn=worker
    )


attempt("EKS", pods)


def rest():
    gateway = client("apigateway")
    gateway.create_rest_api(name="shop")


attempt("REST API", rest)
attempt("HTTP API", lambda: client("apigatewayv2").create_api(Name="shop", ProtocolType="HTTP"))
attempt(
    "crawler",
    lambda: client("glue").create_crawler(
        Name="crawler", Role=worker, DatabaseName="d", Targets={"S3Targets": [{"Path": "s3://example-inbox"}]}
    ),
)
attempt(
    "IoT rule",
    lambda: client("iot").create_topic_rule(
        ruleName="measured",
        topicRulePayload={
            "sql": "SELECT * FROM 'measured'",
            "actions": [{"sqs": {"queueUrl": orders, "roleArn": worker}}],
        },
    ),
)

# What is not there cannot be asked about: the test that needs it should not go on.
assert not failed, failed

with open(sys.argv[1]) as file:
    policy = file.read()
keys = []
for number in range(int(sys.argv[2])):
    name = f"auditor-{number}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="patscan", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys.append({"user": name, "id": key["AccessKeyId"], "secret": key["SecretAccessKey"]})
print(json.dumps(keys))
