"""Makes a bucket to publish to."""

import boto3

boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="audits")
