"""An account in two regions: a web role that generates, a worker role that consumes, people in groups."""

import io
import json
import zipfile

import boto3

ACCOUNT = "123456789012"
NORTH, SOUTH = "eu-west-1", "us-east-1"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(service):
    return document(
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    )


iam = boto3.client("iam", region_name=SOUTH)
iam.create_account_alias(AccountAlias="example-account")

send = iam.create_policy(
    PolicyName="send-orders",
    Path="/queues/",
    # A plus sign and a percent sign must come through the encoding of documents unharmed.
    PolicyDocument=document(
        allow("sqs:SendMessage", f"arn:aws:sqs:{NORTH}:{ACCOUNT}:orders", Sid="a+b%20c")
    ),
)["Policy"]["Arn"]
boundary = iam.create_policy(
    PolicyName="boundary", PolicyDocument=document(allow("sqs:*"))
)["Policy"]["Arn"]
iam.create_policy(PolicyName="unused", PolicyDocument=document(allow("s3:GetObject")))

iam.create_group(GroupName="operators", Path="/people/")
iam.attach_group_policy(GroupName="operators", PolicyArn=send)
iam.put_group_policy(
    GroupName="operators", PolicyName="look", PolicyDocument=document(allow("sqs:ListQueues"))
)
iam.create_user(UserName="alice", Path="/people/", Tags=[{"Key": "team", "Value": "orders"}])
iam.add_user_to_group(GroupName="operators", UserName="alice")
iam.create_user(UserName="bob")
iam.create_access_key(UserName="bob")
retired = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
iam.update_access_key(UserName="bob", AccessKeyId=retired, Status="Inactive")
iam.put_user_policy(
    UserName="bob", PolicyName="direct", PolicyDocument=document(allow("sqs:PurgeQueue"))
)

iam.create_role(
    RoleName="web",
    Path="/services/",
    AssumeRolePolicyDocument=trust("ec2.amazonaws.com"),
    PermissionsBoundary=boundary,
    Tags=[{"Key": "team", "Value": "orders"}],
)
iam.attach_role_policy(RoleName="web", PolicyArn=send)
iam.create_instance_profile(InstanceProfileName="web", Path="/services/")
iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")

worker = iam.create_role(
    RoleName="worker", AssumeRolePolicyDocument=trust("lambda.amazonaws.com")
)["Role"]["Arn"]
iam.put_role_policy(
    RoleName="worker",
    PolicyName="consume",
    PolicyDocument=document(
        allow(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            Condition={"StringEquals": {"aws:ResourceTag/team": "orders"}},
        )
    ),
)

keys = boto3.client("kms", region_name=NORTH)
key = keys.create_key(
    Policy=document(
        {
            "Sid": "the account decides",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    )
)["KeyMetadata"]["KeyId"]
keys.create_alias(AliasName="alias/orders", TargetKeyId=key)
keys.create_grant(
    KeyId=key,
    GranteePrincipal=worker,
    Operations=["GenerateDataKey", "Decrypt"],
    Constraints={
        "EncryptionContextSubset": {"aws:sqs:arn": f"arn:aws:sqs:{NORTH}:{ACCOUNT}:orders"}
    },
)

north = boto3.client("sqs", region_name=NORTH)
dead = north.create_queue(QueueName="orders-dead")["QueueUrl"]
orders = north.create_queue(
    QueueName="orders",
    Attributes={
        "RedrivePolicy": json.dumps(
            {
                "deadLetterTargetArn": f"arn:aws:sqs:{NORTH}:{ACCOUNT}:orders-dead",
                "maxReceiveCount": 5,
            }
        ),
        "KmsMasterKeyId": "alias/orders",
    },
    tags={"team": "orders"},
)["QueueUrl"]
# Last: SetQueueAttributes of moto drops the policy whenever it is not given.
north.set_queue_attributes(
    QueueUrl=orders,
    Attributes={
        "Policy": document(
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:{NORTH}:{ACCOUNT}:orders",
            }
        )
    },
)
boto3.client("sqs", region_name=SOUTH).create_queue(
    QueueName="audit.fifo", Attributes={"FifoQueue": "true"}
)

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("main.py", "def handler(event, context): pass")
functions = boto3.client("lambda", region_name=NORTH)
functions.create_function(
    FunctionName="worker",
    Role=worker,
    Runtime="python3.12",
    Handler="main.handler",
    Code={"ZipFile": code.getvalue()},
    Environment={"Variables": {"PASSWORD": "do-not-keep-this"}},
)
functions.create_event_source_mapping(
    FunctionName="worker", EventSourceArn=f"arn:aws:sqs:{NORTH}:{ACCOUNT}:orders"
)

instances = boto3.client("ec2", region_name=NORTH)
image = instances.describe_images()["Images"][0]["ImageId"]
for _ in range(2):
    started = instances.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, IamInstanceProfile={"Name": "web"}
    )["Instances"][0]["InstanceId"]
instances.terminate_instances(InstanceIds=[started])
