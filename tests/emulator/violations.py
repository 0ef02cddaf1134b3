"""An account that breaks every rule at least once, in two regions, next to neighbours that break none."""

import io
import json
import zipfile

import boto3

ACCOUNT = "123456789012"
NORTH, SOUTH = "eu-west-1", "us-east-1"
CONSUME = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def queue(region, name):
    return f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"


def allow(action, resource, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def open_to(principal, action, resource, **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **more}


iam = boto3.client("iam", region_name=SOUTH)


def role(name, service, *statements, **more):
    trust = document(
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="queues", PolicyDocument=document(*statements))
    return arn


# Fine: one sends, the other consumes.
role("shop", "ec2.amazonaws.com", allow("sqs:SendMessage", queue(NORTH, "orders")))
packer = role("packer", "lambda.amazonaws.com", allow(CONSUME, queue(NORTH, "orders")))
# Not fine: sends into the queue that its own function is fed from (wired).
retrier = role(
    "retrier",
    "lambda.amazonaws.com",
    allow([*CONSUME, "sqs:SendMessage"], queue(NORTH, "retries"), Sid="SendsAndReceives"),
)
# Not fine: an instance in the other region with both rights (permitted).
role("mailer", "ec2.amazonaws.com", allow([*CONSUME, "sqs:SendMessage"], queue(SOUTH, "mails")))
# Fine: its boundary takes the receiving away.
boundary = iam.create_policy(
    PolicyName="senders-only", PolicyDocument=document(allow("sqs:SendMessage", queue(SOUTH, "mails")))
)["Policy"]["Arn"]
role(
    "bounded",
    "ec2.amazonaws.com",
    allow([*CONSUME, "sqs:SendMessage"], queue(SOUTH, "mails")),
    PermissionsBoundary=boundary,
)

# Not fine: a policy of the user's own. Fine: one through a group.
own = document(allow("sqs:SendMessage", queue(NORTH, "orders")))
iam.create_user(UserName="ben")
iam.put_user_policy(UserName="ben", PolicyName="own", PolicyDocument=own)
iam.create_group(GroupName="testers")
iam.put_group_policy(GroupName="testers", PolicyName="send", PolicyDocument=own)
iam.create_user(UserName="ada")
iam.add_user_to_group(GroupName="testers", UserName="ada")

# Not fine: every action of SQS on every queue, held by a group.
wide = iam.create_policy(
    PolicyName="every-queue", Path="/teams/", PolicyDocument=document(allow("sqs:Get*", "*"), allow("sqs:*", "*"))
)["Policy"]["Arn"]
iam.create_group(GroupName="operators", Path="/people/")
iam.attach_group_policy(GroupName="operators", PolicyArn=wide)

clients = {region: boto3.client("sqs", region_name=region) for region in (NORTH, SOUTH)}


def create(region, name, *statements, **attributes):
    url = clients[region].create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    if statements:
        # Last: SetQueueAttributes of moto drops the policy whenever it is not given.
        clients[region].set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(*statements)})


create(NORTH, "orders")
create(NORTH, "retries")
create(SOUTH, "mails")
# Not fine: anyone, another account, a service on behalf of whomever.
create(SOUTH, "open", open_to("*", "sqs:SendMessage", queue(SOUTH, "open")))
create(
    NORTH,
    "partner",
    open_to({"AWS": "arn:aws:iam::444455556666:root"}, "sqs:SendMessage", queue(NORTH, "partner")),
)
create(
    NORTH,
    "events",
    open_to({"Service": "sns.amazonaws.com"}, "sqs:SendMessage", queue(NORTH, "events")),
)
# Fine: the topic is named.
create(
    SOUTH,
    "scoped",
    open_to(
        {"Service": "sns.amazonaws.com"},
        "sqs:SendMessage",
        queue(SOUTH, "scoped"),
        Condition={"ArnEquals": {"aws:SourceArn": f"arn:aws:sns:{SOUTH}:{ACCOUNT}:topic"}},
    ),
)

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("main.py", "def handler(event, context): pass")
functions = boto3.client("lambda", region_name=NORTH)
for name, arn, source in (("packer", packer, "orders"), ("retrier", retrier, "retries")):
    functions.create_function(
        FunctionName=name,
        Role=arn,
        Runtime="python3.12",
        Handler="main.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"DATABASE_PASSWORD": "hunter2-do-not-keep"}},
    )
    functions.create_event_source_mapping(FunctionName=name, EventSourceArn=queue(NORTH, source))

for name in ("shop", "mailer"):
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
instances = boto3.client("ec2", region_name=SOUTH)
image = instances.describe_images()["Images"][0]["ImageId"]
instances.run_instances(
    ImageId=image,
    MinCount=1,
    MaxCount=1,
    IamInstanceProfile={"Name": "mailer"},
    UserData="export API_TOKEN=hunter2-do-not-keep",
)
