"""Prints what Terraform made for the scheduled job: the roles with their policies, the task, the schedule, the queue and the bucket."""

import json

import boto3

REGION = "eu-west-1"
BUCKET = "patscan-123456789012-eu-west-1"
iam = boto3.client("iam", region_name=REGION)
ecs = boto3.client("ecs", region_name=REGION)
scheduler = boto3.client("scheduler", region_name=REGION)
sqs = boto3.client("sqs", region_name=REGION)
s3 = boto3.client("s3", region_name=REGION)

roles = {}
for name in ("patscan-scan", "patscan-execution", "patscan-schedule"):
    role = iam.get_role(RoleName=name)["Role"]
    policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    roles[name] = {
        "arn": role["Arn"],
        "trust": role["AssumeRolePolicyDocument"],
        "policies": [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in policies],
        "attached": iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
    }

schedule = scheduler.get_schedule(Name="scan", GroupName="patscan")
task = ecs.describe_task_definition(taskDefinition="patscan-scan")["taskDefinition"]
queue = sqs.get_queue_attributes(
    QueueUrl=sqs.get_queue_url(QueueName="patscan-not-started")["QueueUrl"], AttributeNames=["All"]
)["Attributes"]
bucket = {
    "policy": json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]),
    "versioning": s3.get_bucket_versioning(Bucket=BUCKET).get("Status"),
    "public": s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"],
    "encryption": s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"],
}
# For a bucket that never notified the emulator answers without a document, unlike S3.
s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}})

print(
    json.dumps(
        {"roles": roles, "schedule": schedule, "task": task, "queue": queue, "bucket": bucket}, default=str
    )
)
