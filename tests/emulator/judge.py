"""Asks an emulator that enforces policies: one case per line of JSON in, one answer per line out.

A case names the caller (`account`, `role`), its `tags`, policies (`identity`, `boundary`, `session`, `queue_policy`) and the
`actions` to try on a new `queue` of the first account. The answer says of each action whether it got past authorization.
Needs botocore for signing; the endpoint and the accounts come from the environment.
"""

import http.client
import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ACCOUNTS = os.environ["ACCOUNTS"].split(",")
REGION = "us-east-1"
EVERYONE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
REFUSALS = ("AccessDenied", "AccessDeniedException", "AuthorizationError")

connection = http.client.HTTPConnection(ENDPOINT.removeprefix("http://"), timeout=20)


def send(credentials, service, headers, body):
    request = AWSRequest("POST", ENDPOINT + "/", headers=headers, data=body)
    SigV4Auth(credentials, service, REGION).add_auth(request)
    connection.request("POST", "/", body, dict(request.headers))
    response = connection.getresponse()
    return response.status, response.read()


def query(credentials, service, version, action, **parameters):
    """A call of a query protocol that must succeed; the parsed answer."""
    body = urllib.parse.urlencode({"Action": action, "Version": version, **parameters})
    status, answer = send(credentials, service, {"Content-Type": "application/x-www-form-urlencoded"}, body)
    if status != 200:
        raise RuntimeError(f"{action}: {status} {answer.decode()}")
    return ElementTree.fromstring(answer)


def text(tree, name):
    return next(element.text for element in tree.iter() if element.tag.rsplit("}", 1)[-1] == name)


def sqs(credentials, action, **parameters):
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
    return send(credentials, "sqs", headers, json.dumps(parameters))


class Principal:
    """A user or a role, and what is attached to it now."""

    def __init__(self, account, kind, name):
        self.root = Credentials(account, "root")
        self.account, self.kind, self.name = account, kind, name
        self.policies, self.tags, self.boundaries = 0, {}, 0
        if kind == "User":
            self.iam("CreateUser")
            key = self.iam("CreateAccessKey")
            self.credentials = Credentials(text(key, "AccessKeyId"), text(key, "SecretAccessKey"))
        else:
            self.iam("CreateRole", AssumeRolePolicyDocument=json.dumps(EVERYONE))

    def iam(self, action, **parameters):
        return query(self.root, "iam", "2010-05-08", action, **{f"{self.kind}Name": self.name}, **parameters)

    def become(self, case):
        for index, policy in enumerate(case["identity"]):
            self.iam(f"Put{self.kind}Policy", PolicyName=f"p{index}", PolicyDocument=json.dumps(policy))
        for index in range(len(case["identity"]), self.policies):
            self.iam(f"Delete{self.kind}Policy", PolicyName=f"p{index}")
        self.policies = len(case["identity"])
        if self.tags != case["tags"]:
            for key in self.tags:
                self.iam(f"Untag{self.kind}", **{"TagKeys.member.1": key})
            for key, value in case["tags"].items():
                self.iam(f"Tag{self.kind}", **{"Tags.member.1.Key": key, "Tags.member.1.Value": value})
            self.tags = case["tags"]
        if case["boundary"]:
            self.boundaries += 1
            policy = query(self.root, "iam", "2010-05-08", "CreatePolicy", PolicyName=f"{self.name}{self.boundaries}",
                           PolicyDocument=json.dumps(case["boundary"]))
            self.iam(f"Put{self.kind}PermissionsBoundary", PermissionsBoundary=text(policy, "Arn"))
            self.bounded = True
        elif getattr(self, "bounded", False):
            self.iam(f"Delete{self.kind}PermissionsBoundary")
            self.bounded = False

    def session(self, policy):
        if self.kind == "User":
            return self.credentials
        parameters = {"Policy": json.dumps(policy)} if policy else {}
        answer = query(self.root, "sts", "2011-06-15", "AssumeRole", RoleSessionName="s1",
                       RoleArn=f"arn:aws:iam::{self.account}:role/{self.name}", **parameters)
        return Credentials(text(answer, "AccessKeyId"), text(answer, "SecretAccessKey"), text(answer, "SessionToken"))


def passes(credentials, action, queue):
    parameters = {"QueueUrl": f"{ENDPOINT}/{ACCOUNTS[0]}/{queue}"}
    if action == "SendMessage":
        parameters["MessageBody"] = "m"
    elif action == "GetQueueAttributes":
        parameters["AttributeNames"] = ["QueueArn"]
    elif action in ("DeleteMessage", "ChangeMessageVisibility"):
        # No such message: who gets that far is told so, others are refused first.
        parameters |= {"ReceiptHandle": "none", "VisibilityTimeout": 0}
    status, answer = sqs(credentials, action, **parameters)
    if status == 200:
        return True
    kind = str(json.loads(answer).get("__type", "")).rsplit("#", 1)[-1]
    if kind in REFUSALS:
        return False
    if status == 400 and ("Receipt" in kind or "Purge" in kind or "Invalid" in kind):
        return True
    raise RuntimeError(f"{action}: {status} {answer.decode()}")


def main():
    owner = Credentials(ACCOUNTS[0], "root")
    principals = {
        (account, kind): Principal(account, kind, name)
        for account in ACCOUNTS
        for kind, name in (("User", "alice"), ("Role", "app"))
    }
    for line in sys.stdin:
        case = json.loads(line)
        try:
            principal = principals[case["account"], "Role" if case["role"] else "User"]
            principal.become(case)
            # A queue of its own: a policy that denies everyone keeps even its owner from changing it.
            attributes = {"Policy": json.dumps(case["queue_policy"])} if case["queue_policy"] else {}
            status, answer = sqs(owner, "CreateQueue", QueueName=case["queue"], Attributes=attributes)
            if status != 200:
                raise RuntimeError(f"CreateQueue: {status} {answer.decode()}")
            credentials = principal.session(case["session"])
            result = {"allowed": [passes(credentials, action, case["queue"]) for action in case["actions"]]}
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
