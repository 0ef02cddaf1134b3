"""Imports a file of ASFF findings into Security Hub and prints what it then has, without what it adds itself.

boto3 checks every finding against the model of the API before it is sent: an unknown attribute, a missing one or one of
another type ends the script.
"""

import json
import sys

import boto3

with open(sys.argv[1], encoding="utf-8") as file:
    findings = json.load(file)

regions = sorted({finding["Region"] for finding in findings})
kept = []
for region in regions:
    hub = boto3.client("securityhub", region_name=region)
    own = [finding for finding in findings if finding["Region"] == region]
    for start in range(0, len(own), 100):
        answer = hub.batch_import_findings(Findings=own[start : start + 100])
        assert answer["FailedCount"] == 0, answer
    for page in hub.get_paginator("get_findings").paginate():
        kept.extend(page["Findings"])

print(json.dumps(kept, default=str))
