"""Makes a bucket whose notifications cannot be read: for one that never had any the emulator answers without a document."""

import boto3

boto3.client("s3", region_name="eu-west-1").create_bucket(
    Bucket="unreadable", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
)
