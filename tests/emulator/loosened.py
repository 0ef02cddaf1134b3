"""Gives the role of the schedule what somebody in a hurry would give it."""

import json

import boto3

boto3.client("iam", region_name="eu-west-1").put_role_policy(
    RoleName="patscan-schedule",
    PolicyName="in-a-hurry",
    PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    ),
)
