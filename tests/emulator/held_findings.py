"""Prints the findings that Security Hub holds in eu-west-1."""

import json

import boto3

hub = boto3.client("securityhub", region_name="eu-west-1")
findings = []
for page in hub.get_paginator("get_findings").paginate():
    findings.extend(page["Findings"])
print(json.dumps(findings, default=str))
