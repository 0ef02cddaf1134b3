"""An encrypted queue and everyone who can send to it, each for another reason; who lacks one thing cannot."""

import io
import json
import zipfile

import boto3

ACCOUNT = "123456789012"
REGION = "eu-west-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
USE = ["kms:GenerateDataKey", "kms:Decrypt"]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(sid, action, resource="*", **more):
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


def iam_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:{name}"


iam = boto3.client("iam", region_name=REGION)
through_sqs = {"StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}}


def role(name, *statements, **more):
    trust = document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)
    if statements:
        iam.put_role_policy(
            RoleName=name, PolicyName="queues", PolicyDocument=document(*statements)
        )


def policy(name, *statements):
    return iam.create_policy(PolicyName=name, PolicyDocument=document(*statements))["Policy"]["Arn"]


# Can: the key policy names the role.
role("generator", allow("Send", "sqs:SendMessage", QUEUE))
# Can: the queue policy names the role, and a grant lets it use the key for this queue.
role("granted")
# Can: a group gives both, the key through SQS only.
iam.create_group(GroupName="senders")
iam.put_group_policy(
    GroupName="senders",
    PolicyName="queues",
    PolicyDocument=document(allow("Send", "sqs:SendMessage", QUEUE)),
)
use_key = policy("use-key", allow("Key", USE, Condition=through_sqs))
iam.attach_group_policy(GroupName="senders", PolicyArn=use_key)
iam.create_user(UserName="alice")
iam.add_user_to_group(GroupName="senders", UserName="alice")
# Can: within a boundary that has the key.
limit = policy("limit", allow("Limit", ["sqs:*", "kms:*"]))
role("bounded", allow("Send", ["sqs:SendMessage", *USE]), PermissionsBoundary=limit)
# Cannot: the boundary has no key.
queues_only = policy("queues-only", allow("Limit", "sqs:*"))
role("keyless-boundary", allow("Send", ["sqs:SendMessage", *USE]), PermissionsBoundary=queues_only)
# Cannot: no key at all.
role("keyless", allow("Send", "sqs:SendMessage"))
# Cannot: the queue policy denies it.
role("denied", allow("Send", ["sqs:SendMessage", *USE]))
# Cannot: its grant is for the messages of another queue.
role("elsewhere", allow("Send", "sqs:SendMessage"))

keys = boto3.client("kms", region_name=REGION)
key = keys.create_key(
    Policy=document(
        allow("Account", "kms:*", Principal={"AWS": iam_arn("root")}),
        allow(
            "Generators", USE, Principal={"AWS": iam_arn("role/generator")}, Condition=through_sqs
        ),
        allow("Topics", USE, Principal={"Service": "sns.amazonaws.com"}),
    )
)["KeyMetadata"]
keys.create_alias(AliasName="alias/orders", TargetKeyId=key["KeyId"])


def grant(grantee, queue):
    return keys.create_grant(
        KeyId=key["KeyId"],
        GranteePrincipal=iam_arn(grantee),
        Operations=["GenerateDataKey", "Decrypt"],
        Constraints={"EncryptionContextSubset": {"aws:sqs:arn": queue}},
    )["GrantId"]


granted = grant("role/granted", QUEUE)
grant("role/elsewhere", f"arn:aws:sqs:{REGION}:{ACCOUNT}:invoices")

queues = boto3.client("sqs", region_name=REGION)
url = queues.create_queue(QueueName="orders", Attributes={"KmsMasterKeyId": "alias/orders"})[
    "QueueUrl"
]
queues.set_queue_attributes(
    QueueUrl=url,
    Attributes={
        "Policy": document(
            allow("Granted", "sqs:SendMessage", QUEUE, Principal={"AWS": iam_arn("role/granted")}),
            allow(
                "Topic",
                "sqs:SendMessage",
                QUEUE,
                Principal={"Service": "sns.amazonaws.com"},
                Condition={"ArnEquals": {"aws:SourceArn": TOPIC}},
            ),
            {
                "Sid": "NotThisOne",
                "Effect": "Deny",
                "Principal": {"AWS": iam_arn("role/denied")},
                "Action": "sqs:SendMessage",
                "Resource": QUEUE,
            },
        )
    },
)

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("main.py", "def handler(event, context): pass")
boto3.client("lambda", region_name=REGION).create_function(
    FunctionName="generator",
    Role=iam_arn("role/generator"),
    Runtime="python3.12",
    Handler="main.handler",
    Code={"ZipFile": code.getvalue()},
)

print(json.dumps({"key": key["Arn"], "grant": granted}))
