"""Prints what a scheduled job is put into: the default network, a key for results, and a role that reads dead letters."""

import json

import boto3

REGION = "eu-west-1"
ec2 = boto3.client("ec2", region_name=REGION)
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
key = boto3.client("kms", region_name=REGION).create_key(Description="results")["KeyMetadata"]["Arn"]
topic = boto3.client("sns", region_name=REGION).create_topic(Name="alarms")["TopicArn"]
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
reader = boto3.client("iam", region_name=REGION).create_role(
    RoleName="dead-letter-reader", AssumeRolePolicyDocument=json.dumps(trust)
)["Role"]["Arn"]

print(
    json.dumps(
        {
            "vpc": vpc,
            "subnets": sorted(subnet["SubnetId"] for subnet in subnets),
            "key": key,
            "topic": topic,
            "reader": reader,
        }
    )
)
