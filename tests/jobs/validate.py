#!/usr/bin/env python3
"""Checks job files against the service model of S3 Batch Operations, offline.

Each `*job.json` in the given folders must be a request that the AWS command line accepts (botocore's own check of
parameters) and that S3 accepts as far as its model says: members of enums, patterns, lengths and ranges, one operation,
manifest or generator but not both. Placeholders stand for what their readers fill in; no length or pattern is asked of
them. Each `README.md` beside them must have shell that parses and documents that are JSON. Each `*.sh` must parse, and the
requests of those that copy in parts must have members that the model of S3 knows.

    python3 -m venv venv && venv/bin/pip install botocore==1.44.5
    LOGSEAL_JOB_SAMPLES=$PWD/samples cargo test --lib campaign::samples
    venv/bin/python tests/jobs/validate.py --mistakes samples/*
"""

import argparse
import copy
import json
import pathlib
import re
import subprocess
import sys
import unicodedata

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

PLACEHOLDER = "REPLACE-WITH-"
KNOWN_PLACEHOLDERS = {"ACCOUNT-ID", "ROLE-ARN", "MANIFEST-LOCATION", "REPORT-BUCKET"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--no-placeholders", action="store_true", help="everything must be filled in")
    parser.add_argument("--mistakes", action="store_true", help="also make mistakes, each of which must be found")
    options = parser.parse_args()
    model = ServiceModel(Loader().load_service_model("s3control", "service-2"))
    request = model.operation_model("CreateJob").input_shape
    if "S3UpdateObjectEncryption" not in request.members["Operation"].members:
        sys.exit(f"botocore {botocore.__version__} is older than S3UpdateObjectEncryption")

    s3 = ServiceModel(Loader().load_service_model("s3", "service-2"))

    wrongs, jobs, readmes, scripts, tokens = [], 0, 0, 0, {}
    for folder in options.folders:
        # A path that does not exist would look like a folder in which all is well.
        found = sorted(folder.rglob("*job.json"))
        if not found:
            wrongs.append((folder, "there is no job file"))
        for path in found:
            jobs += 1
            wrongs += [(path, why) for why in check_job(path, request, options.no_placeholders)]
            wrongs += [(path, why) for why in check_token(path, folder, tokens)]
            if options.mistakes:
                wrongs += [(path, why) for why in overlooked(path, request)]
        for path in sorted(folder.rglob("README.md")):
            readmes += 1
            wrongs += [(path, why) for why in check_readme(path)]
        for path in sorted(folder.rglob("*.sh")):
            wrongs += [(path, why) for why in check_shell(path)]
        for path in sorted(folder.glob("multipart-copy/*/*.sh")):
            scripts += 1
            wrongs += [(path, why) for why in check_script(path, s3)]
    if not scripts:
        wrongs.append((options.folders[0], "there is no script"))
    for path, why in wrongs:
        print(f"{path}: {why}")
    print(f"botocore {botocore.__version__}: {jobs} job files, {readmes} readmes, {scripts} scripts, {len(wrongs)} wrong")
    sys.exit(1 if wrongs else 0)


def check_job(path, request, no_placeholders):
    try:
        job = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        yield f"no JSON: {error}"
        return
    yield from check_request(job, path, request, no_placeholders)


def check_request(job, path, request, no_placeholders):
    report = ParamValidator().validate(job, request)
    if report.has_errors():
        yield from report.generate_report().splitlines()
        return
    yield from check_value(job, request, "", no_placeholders)
    yield from check_sense(job, path)


def check_value(value, shape, where, no_placeholders):
    """What the model says of a value, beyond what botocore's validator looks at."""
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            yield from check_value(member, shape.members[name], f"{where}.{name}", no_placeholders)
    elif kind == "list":
        yield from check_range(len(value), shape, where)
        for at, member in enumerate(value):
            yield from check_value(member, shape.member, f"{where}[{at}]", no_placeholders)
    elif kind == "map":
        yield from check_range(len(value), shape, where)
        for name, member in value.items():
            yield from check_value(name, shape.key, f"{where} (key)", no_placeholders)
            yield from check_value(member, shape.value, f"{where}.{name}", no_placeholders)
    elif kind in ("integer", "long"):
        yield from check_range(value, shape, where)
    elif kind == "string":
        yield from check_string(value, shape, where, no_placeholders)


def check_string(value, shape, where, no_placeholders):
    if shape.enum and value not in shape.enum:
        yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"
    if PLACEHOLDER in value:
        unknown = set(re.findall(PLACEHOLDER + r"([A-Z]+(?:-[A-Z]+)*)", value)) - KNOWN_PLACEHOLDERS
        if unknown or no_placeholders:
            yield f"{where}: a placeholder: {value}"
        return
    yield from check_range(len(value), shape, where)
    pattern = shape.metadata.get("pattern")
    if pattern and not matches(pattern, value):
        yield f"{where}: {value!r} does not match {pattern}"


def check_range(number, shape, where):
    if number < shape.metadata.get("min", number) or number > shape.metadata.get("max", number):
        yield f"{where}: {number} is not within {shape.metadata.get('min')} and {shape.metadata.get('max')}"


def matches(pattern, value):
    r"""Whether the whole value matches. Python has no `\p{...}`: each such character is checked by its category."""
    classes = set(re.findall(r"\\p\{(\w)\}", pattern))
    if classes:
        # Inside a bracket: a letter stands for every character of the category.
        value = "".join("a" if unicodedata.category(c)[0] in classes else c for c in value)
        pattern = re.sub(r"\\p\{\w\}", "a", pattern)
    return re.fullmatch(pattern, value) is not None


def check_sense(job, path):
    """What no model says and S3 refuses all the same."""
    if ("Manifest" in job) == ("ManifestGenerator" in job):
        yield "a job has either a manifest or a generator"
        return
    operation = job["Operation"]
    if len(operation) != 1:
        yield f"a job has one operation: {', '.join(operation) or 'none'}"
    manifest = path.name.split(".", 1)[0] + ".csv"
    spec, location = job["Manifest"]["Spec"], job["Manifest"]["Location"]
    if spec.get("Fields", [])[:2] != ["Bucket", "Key"]:
        yield f"the manifest's fields: {spec.get('Fields')}"
    if not re.fullmatch(r"[0-9a-f]{32}", location["ETag"]):
        yield f"the ETag is no MD5: {location['ETag']}"
    if not location["ObjectArn"].endswith(f"/{manifest}"):
        yield f"the manifest is not the one beside it ({manifest}): {location['ObjectArn']}"
    parameters = operation.get("S3PutObjectCopy", {})
    metadata = parameters.get("NewObjectMetadata", {})
    if (metadata.get("SSEAlgorithm") == "KMS") != ("SSEAwsKmsKeyId" in parameters):
        yield "a key goes with the algorithm KMS, and only with that"
    if parameters and (parameters.get("MetadataDirective") != "COPY" or "NewObjectTagging" in parameters):
        yield "the copy does not keep metadata and tags"
    if set(metadata) - {"SSEAlgorithm"}:
        yield "the copy sets metadata"


def check_token(path, folder, tokens):
    """S3 takes a second request with the token of another one for a repetition. Each folder given is one campaign."""
    try:
        token = json.loads(path.read_text(encoding="utf-8")).get("ClientRequestToken")
    except (ValueError, AttributeError):
        return
    first = tokens.setdefault((folder, token), path)
    if first != path:
        yield f"the token is that of {first}"


# Where in a request, and what is put there; nothing takes the member away.
MISTAKES = [
    ("RoleArn", None),
    ("RoleArn", "arn:aws:iam::1111:role/batch"),
    ("RoleArn", "REPLACE-WITH-SOMETHING"),
    ("AccountId", "11112222333"),
    ("Priority", "10"),
    ("Priority", -1),
    ("Colour", "blue"),
    ("Description", "d" * 257),
    ("ClientRequestToken", "t" * 65),
    ("Tags.0.Value", "a*b"),
    ("Manifest", None),
    ("Manifest.Spec.Format", "CSV"),
    ("Manifest.Spec.Fields", ["Key", "Bucket"]),
    ("Manifest.Location.ETag", "etag"),
    ("Manifest.Location.ObjectArn", "s3://batch/x.csv"),
    ("Report.ReportScope", "Everything"),
    ("Operation.S3PutObjectTagging", {"TagSet": []}),
    ("Operation.S3PutObjectCopy.StorageClass", "REDUCED_REDUNDANCY"),
    ("Operation.S3PutObjectCopy.UnModifiedSinceConstraint", "soon"),
    ("Operation.S3PutObjectCopy.MetadataDirective", "REPLACE"),
    ("Operation.S3PutObjectCopy.NewObjectMetadata", {"SSEAlgorithm": "aws:kms"}),
    ("Operation.S3UpdateObjectEncryption.ObjectEncryption.SSEKMS.KMSKeyArn", "alias/archive"),
    ("Operation.S3InitiateRestoreObject.GlacierJobTier", "EXPEDITED"),
]


def overlooked(path, request):
    """The mistakes that would not be found in this request: none, if this program is worth anything."""
    good = json.loads(path.read_text(encoding="utf-8"))
    for where, what in MISTAKES:
        job = copy.deepcopy(good)
        *parents, name = where.split(".")
        place = job
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.get(parent, {})
        if not place:
            continue
        if what is None:
            del place[name]
        else:
            place[name] = what
        if not list(check_request(job, path, request, no_placeholders=False)):
            yield f"a mistake that is not found: {where} = {what!r}"


# The requests of scripts, by the operation of the command line. Members of members are left out.
OPERATIONS = {
    "head-object": "HeadObject",
    "get-bucket-versioning": "GetBucketVersioning",
    "get-object-tagging": "GetObjectTagging",
    "copy-object": "CopyObject",
    "create-multipart-upload": "CreateMultipartUpload",
    "upload-part-copy": "UploadPartCopy",
    "complete-multipart-upload": "CompleteMultipartUpload",
    "abort-multipart-upload": "AbortMultipartUpload",
}


def check_shell(path):
    shell = subprocess.run(["bash", "-n", path], text=True, capture_output=True, check=False)
    return [shell.stderr.strip()] if shell.returncode else []


def check_script(path, s3):
    text = path.read_text(encoding="ascii")
    found = re.findall(r"\b(?:run|change) ([a-z]+(?:-[a-z]+)+) \"", text)
    if set(found) != set(OPERATIONS):
        yield f"the operations: {', '.join(sorted(set(found) ^ set(OPERATIONS)))}"
    # Whatever the script puts into a request is some operation's; wholes are checked by the test suite.
    known = {name for operation in OPERATIONS.values() for name in members(s3.operation_model(operation).input_shape)}
    for name in re.findall(r'\\"([A-Z][A-Za-z]+)\\":', text):
        if name not in known:
            yield f"no request has a member {name}"
    for name in re.findall(r"^ +keep ((?:[A-Z]\w+ ?|\\\n +)+)", text, re.M):
        yield from (f"no request has a member {word}" for word in re.findall(r"[A-Z]\w+", name) if word not in known)


def members(shape, depth=5):
    """The names of all members, and of theirs. A source may be given in parts, as the command line takes it."""
    yield from ("VersionId",) if shape.name == "CopySource" else ()
    if depth and shape.type_name == "list":
        yield from members(shape.member, depth - 1)
    if depth and shape.type_name == "structure":
        for name, member in shape.members.items():
            yield name
            yield from members(member, depth - 1)


def check_readme(path):
    text = path.read_text(encoding="utf-8")
    for number, block in enumerate(re.findall(r"^```sh\n(.*?)^```$", text, re.S | re.M), 1):
        shell = subprocess.run(["sh", "-n"], input=block, text=True, capture_output=True, check=False)
        if shell.returncode:
            yield f"shell block {number}: {shell.stderr.strip()}"
        for name, document in re.findall(r"^cat > (\S+) <<'EOF'\n(.*?)^EOF$", block, re.S | re.M):
            try:
                json.loads(document)
            except ValueError as error:
                yield f"{name}: no JSON: {error}"


if __name__ == "__main__":
    main()
