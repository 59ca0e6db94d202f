"""An organisation of three accounts in moto's server: a trail of all accounts and Regions, its bucket and its key.

What moto lacks is left to it: such calls are refused, and `LACKS` names them. It does not know `account list-regions`,
so Regions have to be named. Copies of an organisation's trail in its member accounts are put there by hand.
"""

import json
import threading

import boto3
from moto.cloudtrail.models import cloudtrail_backends
from moto.core import DEFAULT_ACCOUNT_ID as OWN
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import WSGIRequestHandler, make_server

REGIONS = ["us-east-1", "eu-west-1"]
MAIN, HOME = REGIONS
BUCKET = "org-audit-logs"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAWALKWALKWALKWALK", "AWS_SECRET_ACCESS_KEY": "walk-walk-walk"}
# Policies that every organisation has.
ALL_ALLOWED = ("p-FullAWSAccess", "p-RCPFullAWSAccess")
POLICY = {"Version": "2012-10-17", "Statement": []}
# What moto 5.2.5 refuses, and how: nothing is set; and s3control puts the account before the name of the server,
# which has none then.
LACKS = {
    "s3api/get-bucket-ownership-controls": "OwnershipControlsNotFoundError",
    "s3api/get-bucket-tagging": "NoSuchTagSet",
    "s3api/get-object-lock-configuration": "ObjectLockConfigurationNotFoundError",
    "s3api/get-public-access-block": "NoSuchPublicAccessBlockConfiguration",
    "s3control/get-public-access-block": "-",
}


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class World:
    def __init__(self):
        moto = DomainDispatcherApplication(create_backend_app)
        server = make_server("127.0.0.1", 0, moto, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        organizations = self.client(OWN, "organizations")
        organizations.create_organization(FeatureSet="ALL")
        self.root = organizations.list_roots()["Roots"][0]["Id"]
        # Policies bind nobody before their type is switched on.
        organizations.enable_policy_type(RootId=self.root, PolicyType="SERVICE_CONTROL_POLICY")
        self.unit = organizations.create_organizational_unit(ParentId=self.root, Name="security")["OrganizationalUnit"][
            "Id"
        ]
        self.archive, self.member = [
            organizations.create_account(Email=f"{name}@example.com", AccountName=name)["CreateAccountStatus"][
                "AccountId"
            ]
            for name in ("archive", "member")
        ]
        organizations.move_account(AccountId=self.archive, SourceParentId=self.root, DestinationParentId=self.unit)
        text = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*"}]}'
        made = organizations.create_policy(Name="keep", Description="x", Content=text, Type="SERVICE_CONTROL_POLICY")
        self.policy = made["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=self.policy, TargetId=self.unit)
        self.make_key()
        self.make_bucket()
        self.make_trail()

    def client(self, account, service, region=MAIN):
        keys = {name.lower(): value for name, value in CREDENTIALS.items()}
        if account != OWN:
            role = f"arn:aws:iam::{account}:role/setup"
            answer = self.client(OWN, "sts").assume_role(RoleArn=role, RoleSessionName="setup")["Credentials"]
            names = {"AccessKeyId": "aws_access_key_id", "SecretAccessKey": "aws_secret_access_key"}
            keys = {name: answer[given] for given, name in names.items()}
            keys["aws_session_token"] = answer["SessionToken"]
        return boto3.client(service, region, endpoint_url=self.url, **keys)

    def make_key(self):
        kms = self.client(self.archive, "kms", HOME)
        self.key = kms.create_key(Policy=json.dumps(POLICY), Tags=[{"TagKey": "Owner", "TagValue": "x"}])["KeyMetadata"]
        kms.enable_key_rotation(KeyId=self.key["KeyId"])
        kms.create_alias(AliasName="alias/audit", TargetKeyId=self.key["KeyId"])

    def make_bucket(self):
        s3 = self.client(self.archive, "s3", HOME)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HOME})
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(POLICY))
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        # By its alias: the same key as the trail's.
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"arn:aws:kms:{HOME}:{self.archive}:alias/audit"}
        rules = [{"ApplyServerSideEncryptionByDefault": default}]
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": rules})

    def make_trail(self):
        # moto wants the bucket in the same account when a trail is made, and not when it is changed.
        self.client(OWN, "s3").create_bucket(Bucket="for-a-moment")
        cloudtrail = self.client(OWN, "cloudtrail", HOME)
        cloudtrail.create_trail(
            Name="org-trail",
            S3BucketName="for-a-moment",
            IsMultiRegionTrail=True,
            IsOrganizationTrail=True,
            EnableLogFileValidation=True,
            KmsKeyId=self.key["Arn"],
        )
        cloudtrail.update_trail(Name="org-trail", S3BucketName=BUCKET)
        cloudtrail.start_logging(Name="org-trail")
        for account in (self.archive, self.member):
            cloudtrail_backends[account][HOME].trails["org-trail"] = cloudtrail_backends[OWN][HOME].trails["org-trail"]
        self.trail = f"arn:aws:cloudtrail:{HOME}:{OWN}:trail/org-trail"

    def environment(self):
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def secrets(self):
        """What the server gave out: none of it may be found anywhere."""
        roles = [
            role
            for backends in sts_backends.values()
            for backend in backends.values()
            for role in backend.assumed_roles
        ]
        keys = [key for role in roles for key in (role.access_key_id, role.secret_access_key, role.session_token)]
        return [*keys, CREDENTIALS["AWS_SECRET_ACCESS_KEY"]]

    def names(self, name_of):
        """The files that an export of it has."""
        names = [name_of(OWN, MAIN, "sts get-caller-identity")]
        for command in ("describe-organization", "list-accounts", "list-delegated-administrators", "list-roots"):
            names.append(name_of(OWN, MAIN, f"organizations {command}"))
        for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
            names.append(name_of(OWN, MAIN, "organizations list-policies", kind))
        for command in ("describe-policy", "list-targets-for-policy"):
            names += [name_of(OWN, MAIN, f"organizations {command}", id) for id in (self.policy, *ALL_ALLOWED)]
        for child in (OWN, self.archive, self.member, self.unit):
            names.append(name_of(OWN, MAIN, "organizations list-parents", child))
        for account in (OWN, self.archive, self.member):
            names.append(name_of(account, MAIN, "s3api list-buckets"))
            for region in REGIONS:
                names += [
                    name_of(account, region, command) for command in ("cloudtrail describe-trails", "kms list-aliases")
                ]
        for command in ("get-trail-status", "get-event-selectors"):
            names.append(name_of(OWN, HOME, f"cloudtrail {command}", self.trail))
        names.append(name_of(self.archive, MAIN, "s3api get-bucket-location", BUCKET))
        for what in "encryption policy policy-status versioning acl ownership-controls logging request-payment tagging".split():
            names.append(name_of(self.archive, HOME, f"s3api get-bucket-{what}", BUCKET))
        for command in ("get-public-access-block", "get-object-lock-configuration"):
            names.append(name_of(self.archive, HOME, f"s3api {command}", BUCKET))
        names.append(name_of(self.archive, MAIN, "s3control get-public-access-block", self.archive))
        for command in (
            "describe-key",
            "get-key-policy",
            "get-key-rotation-status",
            "list-grants",
            "list-resource-tags",
        ):
            names.append(name_of(self.archive, HOME, f"kms {command}", self.key["KeyId"]))
        return [*names, name_of(self.archive, MAIN, "iam get-account-authorization-details")]

    def check(self, answers, name_of, expect):
        """Some of what the answers have to say."""

        def answer(account, region, command, parameter=None):
            return answers[name_of(account, region, command, parameter)]

        key = self.key["KeyId"]
        accounts = {row["Id"] for row in answer(OWN, MAIN, "organizations list-accounts")["Accounts"]}
        expect(accounts, {OWN, self.archive, self.member}, "accounts")
        for account in sorted(accounts):
            for region in REGIONS:
                trails = answer(account, region, "cloudtrail describe-trails")["trailList"]
                found = [(row["TrailARN"], row["S3BucketName"], row["KmsKeyId"], row["HomeRegion"]) for row in trails]
                wanted = [(self.trail, BUCKET, self.key["Arn"], HOME)]
                expect(found, wanted, f"trails of {account} in {region}")
        expect(answer(OWN, HOME, "cloudtrail get-trail-status", self.trail)["IsLogging"], True, "logging")
        described = answer(self.archive, HOME, "kms describe-key", key)["KeyMetadata"]
        expect((described["AWSAccountId"], described["KeyId"]), (self.archive, key), "key")
        rotation = answer(self.archive, HOME, "kms get-key-rotation-status", key)
        expect(rotation["KeyRotationEnabled"], True, "rotation")
        expect(json.loads(answer(self.archive, HOME, "kms get-key-policy", key)["Policy"]), POLICY, "policy of the key")
        tags = answer(self.archive, HOME, "kms list-resource-tags", key)["Tags"]
        expect(tags, [{"TagKey": "Owner", "TagValue": "x"}], "tags of the key")
        location = answer(self.archive, MAIN, "s3api get-bucket-location", BUCKET)["LocationConstraint"]
        expect(location, HOME, "Region of the bucket")
        policy = answer(self.archive, HOME, "s3api get-bucket-policy", BUCKET)["Policy"]
        expect(json.loads(policy), POLICY, "policy of the bucket")
        versioning = answer(self.archive, HOME, "s3api get-bucket-versioning", BUCKET)
        expect(versioning["Status"], "Enabled", "versioning")
        expect(answer(self.archive, HOME, "s3api get-bucket-logging", BUCKET), {}, "an empty answer")
