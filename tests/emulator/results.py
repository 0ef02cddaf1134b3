"""Makes the bucket and the topic that the examples of deploy/ publish to."""

import boto3

BUCKET = "patscan-123456789012-eu-west-1"
s3 = boto3.client("s3", region_name="eu-west-1")
s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
# For a bucket that never notified the emulator answers without a document, unlike S3.
s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}})
boto3.client("sns", region_name="eu-west-1").create_topic(Name="patscan")
