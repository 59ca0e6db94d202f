"""S3 for the walk: moto's server, and what moto does not have.

moto knows no jobs of S3 Batch Operations and no UpdateObjectEncryption. A job is answered here: its manifest is fetched
from moto and read as AWS documents it, each row is one call to moto, and the report is written to moto.
"""

import csv
import hashlib
import io
import json
import re
import threading
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timezone

import boto3
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import RestXMLParser
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "us-east-1"
REPORT_SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
JOBS = re.compile(r"/v20180820/jobs(?:/([^/]+))?(/status)?")


class Server:
    """Listens on a free port of the loopback address until the program ends."""

    def __init__(self):
        moto, jobs = DomainDispatcherApplication(create_backend_app), Jobs()

        def application(environ, start_response):
            is_job = JOBS.fullmatch(environ["PATH_INFO"])
            return (jobs if is_job else moto)(environ, start_response)

        server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        jobs.s3 = self.client("s3")

    def client(self, service):
        return boto3.client(
            service, REGION, endpoint_url=self.url, aws_access_key_id="walk", aws_secret_access_key="walk"
        )


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class Refused(Exception):
    """What a task or a job fails with: status and code of S3."""


class Jobs:
    """S3 Batch Operations."""

    def __init__(self):
        self.s3, self.jobs, self.tokens = None, {}, {}
        model = ServiceModel(Loader().load_service_model("s3control", "service-2"))
        self.request = model.operation_model("CreateJob").input_shape

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        job_id, is_status = JOBS.fullmatch(environ["PATH_INFO"]).groups()
        if not job_id:
            name, answer = "CreateJobResult", {"JobId": self.create(body)}
        elif is_status:
            wanted = urllib.parse.parse_qs(environ["QUERY_STRING"])["requestedJobStatus"]
            name, answer = "UpdateJobStatusResult", self.confirm(job_id, wanted)
        else:
            name, answer = "DescribeJobResult", {"Job": self.described(job_id)}
        start_response("200 OK", [("Content-Type", "application/xml")])
        return [ElementTree.tostring(element(name, answer))]

    def create(self, body):
        request = RestXMLParser()._parse_shape(self.request, ElementTree.fromstring(body))
        token = request["ClientRequestToken"]
        if token not in self.tokens:
            self.tokens[token] = str(uuid.uuid4())
            job = {"request": request, "failed": 0, "told": told(body), "created": datetime.now(timezone.utc)}
            try:
                job |= {"rows": self.manifest(request), "status": "Suspended"}
            except (Refused, ClientError) as why:
                job |= {"rows": [], "status": "Failed", "why": str(why)}
            self.jobs[self.tokens[token]] = job
        return self.tokens[token]

    def manifest(self, request):
        """The rows of a manifest, which must be the very file that the request names."""
        spec, location = request["Manifest"]["Spec"], request["Manifest"]["Location"]
        bucket, key = location["ObjectArn"].split(":::")[1].split("/", 1)
        found = self.s3.get_object(Bucket=bucket, Key=key)
        if found["ETag"].strip('"') != location["ETag"]:
            raise Refused("the manifest has another ETag")
        if found.get("ServerSideEncryption") != "AES256":
            raise Refused(f"the manifest's encryption: {found.get('ServerSideEncryption')}")
        rows = list(csv.reader(io.StringIO(found["Body"].read().decode("utf-8"), newline="")))
        if not rows or any(len(row) != len(spec["Fields"]) or not all(row) for row in rows):
            raise Refused("a row does not have a cell for each field")
        # AWS does not say whether a plus sign is a space here.
        if any("+" in cell for row in rows for cell in row):
            raise Refused("a key can be read in two ways")
        return rows

    def described(self, job_id):
        job = self.jobs[job_id]
        progress = {"TotalNumberOfTasks": len(job["rows"]), "NumberOfTasksFailed": job["failed"]}
        status = {"Status": job["status"], "ProgressSummary": progress}
        about = {"JobId": job_id, "Description": job["request"]["Description"] + job.get("why", "")}
        return about | status | job["told"] | {"CreationTime": job["created"].isoformat(timespec="milliseconds")}

    def confirm(self, job_id, wanted):
        job = self.jobs[job_id]
        if job["status"] == "Suspended" and wanted == ["Ready"]:
            self.run(job_id, job)
        return {"JobId": job_id, "Status": job["status"]}

    def run(self, job_id, job):
        (name, parameters), = job["request"]["Operation"].items()
        operation = {
            "S3UpdateObjectEncryption": self.update,
            "S3PutObjectCopy": self.copy,
            "S3InitiateRestoreObject": self.restore,
        }[name]
        results = {"succeeded": [], "failed": []}
        for row in job["rows"]:
            bucket, key, version = [urllib.parse.unquote(cell, errors="strict") for cell in [*row, "null"][:3]]
            source = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if len(row) == 3 else {})
            # The order of the last cells but one is that of AWS's samples, not that of their schema.
            try:
                operation(source, parameters)
                results["succeeded"].append([*row, *[""] * (3 - len(row)), "succeeded", "200", "", "Successful"])
            except Refused as why:
                status, code = why.args
                results["failed"].append([*row, *[""] * (3 - len(row)), "failed", str(status), code, "Failed"])
        job |= {"status": "Complete", "failed": len(results["failed"])}
        self.report(job_id, job["request"]["Report"], results)

    def update(self, source, parameters):
        wanted = parameters["ObjectEncryption"]["SSEKMS"]
        self.answer("head_object", source)
        # moto cannot be asked to, so its memory is changed.
        found = s3_backends[ACCOUNT]["aws"].get_object(source["Bucket"], source["Key"], source.get("VersionId"))
        if found.encryption not in ("AES256", "aws:kms"):
            raise Refused(400, "InvalidRequest")
        found.encryption, found.kms_key_id = "aws:kms", wanted["KMSKeyArn"]
        found.bucket_key_enabled = wanted.get("BucketKeyEnabled", False)

    def copy(self, source, parameters):
        found = self.answer("head_object", source)
        if found["LastModified"] > parameters["UnModifiedSinceConstraint"]:
            raise Refused(412, "PreconditionFailed")
        algorithm = parameters.get("NewObjectMetadata", {}).get("SSEAlgorithm")
        wanted = {
            "CopySource": source,
            "MetadataDirective": parameters["MetadataDirective"],
            "StorageClass": parameters.get("StorageClass", "STANDARD"),
            "ServerSideEncryption": {"KMS": "aws:kms", None: None}.get(algorithm, algorithm),
            "SSEKMSKeyId": parameters.get("SSEAwsKmsKeyId"),
            "BucketKeyEnabled": parameters.get("BucketKeyEnabled"),
        }
        place = {"Bucket": parameters["TargetResource"].split(":::")[1], "Key": source["Key"]}
        self.answer("copy_object", place | {name: value for name, value in wanted.items() if value is not None})

    def restore(self, source, parameters):
        request = {"GlacierJobParameters": {"Tier": parameters["GlacierJobTier"].capitalize()}}
        if "ExpirationInDays" in parameters:
            request["Days"] = parameters["ExpirationInDays"]
        self.answer("restore_object", source | {"RestoreRequest": request})

    def answer(self, call, parameters):
        try:
            return getattr(self.s3, call)(**parameters)
        except ClientError as error:
            answer = error.response
            raise Refused(answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) from error

    def report(self, job_id, request, results):
        """One file for each state that occurs, and a manifest that names them."""
        bucket = request["Bucket"].split(":::")[1]
        folder = "/".join(filter(None, [request.get("Prefix"), f"job-{job_id}"]))
        files = []
        for status, rows in results.items():
            if not rows:
                continue
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            body = text.getvalue().encode()
            key = f"{folder}/results/{hashlib.sha1(body).hexdigest()}.csv"
            self.s3.put_object(Bucket=bucket, Key=key, Body=body)
            md5 = hashlib.md5(body).hexdigest()
            files.append({"TaskExecutionStatus": status, "Bucket": bucket, "MD5Checksum": md5, "Key": key})
        manifest = {
            "Format": request["Format"],
            "ReportCreationDate": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "Results": files,
            "ReportSchema": REPORT_SCHEMA,
        }
        self.s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode())


def told(body):
    """What a description repeats of a request, as it stands there."""
    request = ElementTree.fromstring(body)
    for part in request.iter():
        part.tag = part.tag.rsplit("}", 1)[-1]
    return {part.tag: part for part in request if part.tag in ("Operation", "Manifest")}


def element(name, value):
    if isinstance(value, ElementTree.Element):
        return value
    found = ElementTree.Element(name)
    if isinstance(value, dict):
        found.extend(element(*item) for item in value.items())
    else:
        found.text = str(value)
    return found
