"""An organization: the account manages it, and has one member two units below the root. Prints the ids as JSON."""

import json

import boto3

client = boto3.client("organizations", region_name="us-east-1")
organization = client.create_organization(FeatureSet="ALL")["Organization"]["Id"]
root = client.list_roots()["Roots"][0]["Id"]
for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
    client.enable_policy_type(RootId=root, PolicyType=kind)

outer = client.create_organizational_unit(ParentId=root, Name="outer")["OrganizationalUnit"]["Id"]
inner = client.create_organizational_unit(ParentId=outer, Name="inner")["OrganizationalUnit"]["Id"]
member = client.create_account(AccountName="member", Email="member@example.com")
member = member["CreateAccountStatus"]["AccountId"]
client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=inner)


def attach(name, kind, target, statement):
    content = json.dumps({"Version": "2012-10-17", "Statement": statement})
    policy = client.create_policy(Name=name, Description=name, Type=kind, Content=content)
    client.attach_policy(PolicyId=policy["Policy"]["PolicySummary"]["Id"], TargetId=target)


attach(
    "no-purge",
    "SERVICE_CONTROL_POLICY",
    outer,
    {"Effect": "Deny", "Action": "sqs:PurgeQueue", "Resource": "*"},
)
attach(
    "own-organization",
    "RESOURCE_CONTROL_POLICY",
    root,
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": "*",
        "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": organization}},
    },
)
print(
    json.dumps(
        {
            "organization": organization,
            "root": root,
            "outer": outer,
            "inner": inner,
            "member": member,
        }
    )
)
