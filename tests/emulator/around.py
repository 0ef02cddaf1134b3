"""Queues, and around them one of each workload and sender that the emulator knows: pod identities it does not."""

import json

import boto3

ACCOUNT = "123456789012"
NORTH, SOUTH = "eu-west-1", "us-east-1"
QUEUE = f"arn:aws:sqs:{NORTH}:{ACCOUNT}:orders"


def client(service, region=NORTH):
    return boto3.client(service, region_name=region)


def role(name, service):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        ],
    }
    return client("iam").create_role(
        RoleName=name, Path="/around/", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]


# In the south there is a state machine, and no queue: nothing there is asked for.
url = client("sqs").create_queue(QueueName="orders")["QueueUrl"]

flow = role("flow", "states.amazonaws.com")
for region in (NORTH, SOUTH):
    client("stepfunctions", region).create_state_machine(
        name="flow",
        roleArn=flow,
        definition=json.dumps(
            {
                "StartAt": "each",
                "States": {
                    "each": {
                        "Type": "Map",
                        "End": True,
                        "ItemProcessor": {
                            "StartAt": "send",
                            "States": {
                                "send": {
                                    "Type": "Task",
                                    "End": True,
                                    "Resource": "arn:aws:states:::sqs:sendMessage",
                                    "Parameters": {"QueueUrl": url, "MessageBody.$": "$"},
                                }
                            },
                        },
                    }
                },
            }
        ),
    )

role("web", "ec2.amazonaws.com")
client("iam").create_instance_profile(InstanceProfileName="web", Path="/around/")
client("iam").add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
image = client("ec2").describe_images()["Images"][0]["ImageId"]
template = client("ec2").create_launch_template(
    LaunchTemplateName="web",
    LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"},
)["LaunchTemplate"]["LaunchTemplateId"]
# The first version has no role: the one that counts is the latest.
client("ec2").create_launch_template_version(
    LaunchTemplateId=template,
    LaunchTemplateData={
        "ImageId": image,
        "InstanceType": "t3.micro",
        "IamInstanceProfile": {"Name": "web"},
    },
)
groups = client("autoscaling")
groups.create_auto_scaling_group(
    AutoScalingGroupName="web",
    MinSize=0,
    MaxSize=0,
    AvailabilityZones=[f"{NORTH}a"],
    LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
)
groups.create_launch_configuration(
    LaunchConfigurationName="old",
    ImageId=image,
    InstanceType="t3.micro",
    IamInstanceProfile=f"arn:aws:iam::{ACCOUNT}:instance-profile/around/web",
)
groups.create_auto_scaling_group(
    AutoScalingGroupName="old",
    MinSize=0,
    MaxSize=0,
    AvailabilityZones=[f"{NORTH}a"],
    LaunchConfigurationName="old",
)
# The emulator keeps that there is a hook, but makes up where and as whom it sends.
groups.put_lifecycle_hook(
    AutoScalingGroupName="web",
    LifecycleHookName="drain",
    LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    NotificationTargetARN=QUEUE,
    RoleARN=role("hook", "autoscaling.amazonaws.com"),
)

tasks = client("ecs")
for number in (1, 2):
    tasks.register_task_definition(
        family="worker",
        taskRoleArn=role(f"worker-{number}", "ecs-tasks.amazonaws.com"),
        executionRoleArn=flow,
        containerDefinitions=[{"name": "worker", "image": "worker", "memory": 64}],
    )
tasks.register_task_definition(
    family="without-role",
    containerDefinitions=[{"name": "plain", "image": "plain", "memory": 64}],
)
tasks.create_cluster(clusterName="main")
tasks.create_service(
    cluster="main", serviceName="worker", taskDefinition="worker:1", desiredCount=0
)

lake = client("glue")
lake.create_database(DatabaseInput={"Name": "lake"})
role("crawler", "glue.amazonaws.com")
for name, more in (("lake", {"EventQueueArn": QUEUE}), ("plain", {})):
    lake.create_crawler(
        Name=name,
        Role="crawler",
        DatabaseName="lake",
        Targets={"S3Targets": [{"Path": "s3://lake", **more}]},
    )

api_role = role("api", "apigateway.amazonaws.com")
rest = client("apigateway")
api = rest.create_rest_api(name="orders")["id"]
root = rest.get_resources(restApiId=api)["items"][0]["id"]
rest.put_method(restApiId=api, resourceId=root, httpMethod="POST", authorizationType="NONE")
rest.put_integration(
    restApiId=api,
    resourceId=root,
    httpMethod="POST",
    type="AWS",
    integrationHttpMethod="POST",
    uri=f"arn:aws:apigateway:{NORTH}:sqs:path/{ACCOUNT}/orders",
    credentials=api_role,
    requestTemplates={"application/json": "Action=SendMessage&MessageBody=$input.body"},
)
http = client("apigatewayv2")
http.create_integration(
    ApiId=http.create_api(Name="orders", ProtocolType="HTTP")["ApiId"],
    IntegrationType="AWS_PROXY",
    IntegrationSubtype="SQS-SendMessage",
    PayloadFormatVersion="1.0",
    CredentialsArn=api_role,
    RequestParameters={"QueueUrl": url, "MessageBody": "$request.body"},
)

client("iot").create_topic_rule(
    ruleName="sensors",
    topicRulePayload={
        "sql": "SELECT * FROM 'sensors'",
        "actions": [
            {"sqs": {"roleArn": role("iot", "iot.amazonaws.com"), "queueUrl": url}},
        ],
    },
)
