"""Prints every object of the bucket that is published to."""

import json

import boto3

s3 = boto3.client("s3", region_name="us-east-1")
objects = []
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="audits"):
    for entry in page.get("Contents", []):
        found = s3.get_object(Bucket="audits", Key=entry["Key"])
        objects.append(
            {
                "name": entry["Key"],
                "body": found["Body"].read().decode(),
                "encryption": found.get("ServerSideEncryption"),
                "key": found.get("SSEKMSKeyId"),
                "metadata": found["Metadata"],
            }
        )
print(json.dumps(objects))
