"""Makes the bucket that the examples of deploy/ publish to."""

import boto3

boto3.client("s3", region_name="eu-west-1").create_bucket(
    Bucket="patscan-123456789012-eu-west-1",
    CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
)
