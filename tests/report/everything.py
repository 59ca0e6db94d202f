"""Makes one result that has everything: `everything.py BINARY FOLDER`.

An inventory, a policy and evidence are written to FOLDER and audited there, so that every verdict, reason, lane, state of an exception
and hostile name is in the result, and faults and assumptions of several kinds. What is missing ends it with exit code 1. The audits
are FOLDER/audit and, since a policy either lets objects go that no rule is about or does not, FOLDER/strict.
"""

import gzip
import hashlib
import json
import pathlib
import subprocess
import sys
import urllib.parse

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = "arn:aws:kms:us-east-1:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab"
COLUMNS = [
    "Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "StorageClass", "EncryptionStatus",
    "BucketKeyStatus", "IntelligentTieringAccessTier", "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus",
]
GIB = 1 << 30
HOSTILE = [
    "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "\u202egpj.exe", "\x1b[31mred\x1b[0m", "=1+1", "@SUM(A1)", "]]>", "&amp;",
    "a\u200bb", "a,\"b\"", "x" * 900, "\u2028line", "`rm -rf`", "| table |", "[link](javascript:alert(1))",
]
POLICY = f"""
name = "Everything <b>&"
version = "1"
unmatched = "UNMATCHED"
statement = "Says <i>this</i> \\u202e and that."
[labels]
environment = "<production>"
owner = "=cmd()"
[keys]
good = "{KEY}"
[evidence]
max_age = "7d"
[[rule]]
id = "keys"
severity = "critical"
controls = ["CIS AWS Foundations 5.0 3.5", "<b>"]
where = {{ key = ["keys/*"] }}
encryption = ["SSE-KMS"]
keys = ["good"]
bucket_key = "required"
[[rule]]
id = "method"
where = {{ key = ["method/*"] }}
encryption = ["SSE-KMS", "DSSE-KMS"]
[[rule]]
id = "customer"
where = {{ key = ["customer/*"] }}
encryption = ["SSE-C"]
[[rule]]
id = "class"
where = {{ key = ["class/*"], storage_class = ["STANDARD"] }}
encryption = ["SSE-KMS"]
[[exception]]
id = "EX-active"
rule = "method"
where = {{ key = ["method/excepted/*"] }}
reason = "</td><script>x</script>"
owner = "@me"
expires = 2026-01-20
[[exception]]
id = "EX-expired"
rule = "method"
where = {{ key = ["method/*"] }}
reason = "long ago"
owner = ""
expires = 2025-01-01
[[exception]]
id = "EX-unused"
rule = "method"
where = {{ key = ["method/nothing/*"] }}
reason = "nothing"
owner = "x"
expires = 2027-01-01
[remediation]
key = "good"
bucket_key = true
"""


def row(key, status="SSE-KMS", **more):
    cells = {
        "Key": key, "VersionId": "v" + hashlib.md5(key.encode()).hexdigest(), "IsLatest": "true", "IsDeleteMarker": "false", "Size": "10",
        "LastModifiedDate": "2025-12-30T00:00:00.000Z", "StorageClass": "STANDARD", "EncryptionStatus": status, "BucketKeyStatus": "ENABLED",
    }
    return {**cells, **{name: str(value) for name, value in more.items()}}


def rows():
    """Rows of the first bucket: the verdict of each follows from its key and its status."""
    made = [
        row("keys/good"), row("keys/other"), row("keys/unknown"), row("keys/stale"), row("keys/conflict"),
        row("keys/disabled", BucketKeyStatus="DISABLED"), row("keys/no-bucket-key", BucketKeyStatus=""),
        row("method/none", "NOT-SSE"), row("method/s3", "SSE-S3"), row("method/sse-c", "SSE-C"), row("method/blank", ""),
        row("method/new", "SSE-NEW"), row("method/fine", "DSSE-KMS"), row("customer/none", "NOT-SSE"),
        row("method/cold", "NOT-SSE", StorageClass="GLACIER"), row("method/large", "NOT-SSE", Size=6 * GIB),
        row("method/locked", "NOT-SSE", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate="2030-01-01T00:00:00.000Z"),
        row("method/held", "NOT-SSE", ObjectLockLegalHoldStatus="ON"), row("method/class-new", "NOT-SSE", StorageClass="SNOW"),
        row("method/excepted/one", "NOT-SSE"), row("out/of/scope", "NOT-SSE"),
        row("gone", "", IsDeleteMarker="true", Size="", StorageClass="", BucketKeyStatus=""),
        row("class/standard", "SSE-S3"), row("class/cold", "SSE-S3", StorageClass="GLACIER"),
    ]
    for at, name in enumerate(HOSTILE):
        made.append(row(f"method/{at}/{name}", "NOT-SSE"))
        made.append(row(f"AWSLogs/{111111111111 + at}/CloudTrail/eu-west-1/2025/{name}", "SSE-KMS"))
    for account in range(3):
        made += [row(f"method/AWSLogs/{222222222220 + account}/CloudTrail/us-east-1/{month}", "NOT-SSE", LastModifiedDate=f"2024-{month:02}-01T00:00:00.000Z")
                 for month in range(1, 13)]
    return made


def deliver(folder, bucket, rows, columns, files=2, made=1767488400000, spoil=None):
    """An inventory as S3 delivers it."""
    run, data = folder / "2026-01-04T01-00Z", folder / "data"
    run.mkdir(parents=True), data.mkdir()
    entries = []
    for number in range(files):
        text = ""
        for cells in rows[number::files]:
            cells = {**cells, "Bucket": bucket, "Key": urllib.parse.quote_plus(cells["Key"], safe="/")}
            text += ",".join('"' + cells.get(column, "").replace('"', '""') + '"' for column in columns) + "\n"
        if spoil == "rows" and number == 0:
            text += '"only","two"\n'
            text += ",".join('"x"' for _ in columns) + "\n"
        stored = gzip.compress(text.encode(), mtime=0)
        name = f"{bucket}-{number}.csv.gz"
        md5 = hashlib.md5(stored).hexdigest()
        if not (spoil == "missing" and number == 1):
            (data / name).write_bytes(stored[:-1] + b"x" if spoil == "damaged" and number == 1 else stored)
        entries.append({"key": f"inventory/{bucket}/all/data/{name}", "size": len(stored), "MD5checksum": md5})
    manifest = {
        "sourceBucket": bucket, "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30", "fileFormat": "CSV",
        "fileSchema": ", ".join(columns), "files": entries,
    }
    if made:
        manifest["creationTimestamp"] = str(made)
    text = json.dumps(manifest).encode()
    (run / "manifest.json").write_bytes(text)
    (run / "manifest.checksum").write_text(hashlib.md5(text).hexdigest() + "\n")
    return folder


def evidence(folder, bucket):
    """Answers of HeadObject; a second file contradicts one of them."""
    def head(key, kms, at="2026-01-04T01:00:00Z"):
        version = row(key)["VersionId"]
        return json.dumps({"Bucket": bucket, "Key": key, "VersionId": version, "EvidenceAsOf": at, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms}) + "\n"
    (folder / "heads.ndjson").write_text(
        head("keys/good", KEY) + head("keys/other", OTHER_KEY) + head("keys/stale", KEY, "2026-02-28T01:00:00Z") + head("keys/conflict", KEY)
        + head("keys/disabled", KEY) + head("keys/no-bucket-key", KEY))
    (folder / "more.ndjson").write_text(head("keys/conflict", OTHER_KEY))
    (folder / "odd.json").write_text("{ no evidence")
    return folder


def main(binary, folder):
    folder.mkdir(parents=True)
    bucket = "everything"
    sources = [
        deliver(folder / "first", bucket, rows(), COLUMNS, spoil="rows"),
        deliver(folder / "second", bucket, [row("method/again", "NOT-SSE"), row("lost", "NOT-SSE")], COLUMNS, spoil="missing"),
        deliver(folder / "third", "no-status", [row("method/a"), row("method/b")], [c for c in COLUMNS if c != "EncryptionStatus"], made=None),
        deliver(folder / "fourth", "no-class", [row("class/a"), row("class/b")], [c for c in COLUMNS if c != "StorageClass"], spoil="damaged"),
    ]
    (folder / "heads").mkdir()
    accounts = [{"Id": str(111111111111 + at), "Name": name[:50], "Status": "ACTIVE"} for at, name in enumerate(HOSTILE)]
    accounts += [{"Id": "222222222220", "Name": "asleep", "Status": "ACTIVE"}]
    accounts += [{"Id": "999999999999", "Name": "not seen", "Status": "ACTIVE"}, {"Id": "888888888888", "Name": "left", "Status": "SUSPENDED"}]
    (folder / "accounts.json").write_text(json.dumps({"Accounts": accounts}))
    configuration = {
        "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::reports", "Format": "CSV", "Prefix": "inventory"}}, "IsEnabled": True, "Id": "all",
        "IncludedObjectVersions": "All", "Filter": {"Prefix": "method/<b>"}, "OptionalFields": ["Size"], "Schedule": {"Frequency": "Daily"},
    }
    (folder / "inventory.json").write_text(json.dumps({"InventoryConfiguration": configuration}))
    found = {}
    for name, unmatched in [("audit", "out_of_scope"), ("strict", "violation")]:
        policy = folder / f"{name}.toml"
        policy.write_text(POLICY.replace("UNMATCHED", unmatched))
        ran = subprocess.run(
            [binary, "audit", *sources, "--policy", policy, "--out", folder / name, "--force", "--no-progress", "--as-of", "2026-01-05", "--accept-overlap",
             "--accept-manifest-time", "--key-evidence", evidence(folder / "heads", bucket), "--accounts", folder / "accounts.json",
             "--inventory-config", f"no-class={folder / 'inventory.json'}", "--expect-objects", f"{bucket}=100", "--sample", "10"],
            capture_output=True, text=True)
        if ran.returncode != 1:
            sys.exit(f"exit code {ran.returncode}: {ran.stdout}{ran.stderr}")
        found[name] = json.loads((folder / name / "summary.json").read_text())
    missing = lacking(found["audit"], found["strict"])
    for what in missing:
        print("missing:", what)
    print(f"{len(missing)} missing")
    return 1 if missing else 0


def lacking(audit, strict):
    both = [audit, strict]
    counted = {
        "verdict": [audit["counts"], ["compliant", "violation", "undetermined", "excepted", "out_of_scope"]],
        "reason": [{name: sum(it["by_reason"][name] for it in both) for name in audit["by_reason"]}, list(audit["by_reason"])],
        "lane": [{name: sum(it["remediation"][name]["objects"] for it in both) for name in audit["remediation"]}, list(audit["remediation"])],
    }
    missing = [f"{what} {name}" for what, (counts, names) in counted.items() for name in names if not counts[name]]
    states = {line["state"] for line in audit["exceptions"]}
    missing += [f"exception {state}" for state in ["active", "expired", "unused"] if state not in states]
    faults = ["unit_missing", "unit_wrong_checksum", "row_ragged", "inventory_configuration", "evidence_unrecognised"]
    missing += [f"fault {name} (there are {sorted(audit['faults'])})" for name in faults if name not in audit["faults"]]
    assumed = {line["name"] for line in audit["assumptions"]}
    missing += [f"assumption {name}" for name in ["no_overlap", "manifest_time_accepted", "evidence_max_age"] if name not in assumed]
    states = audit["organization_accounts"]["states"]
    missing += [f"account {state}" for state in ["seen", "not_seen", "nothing_new", "not_listed", "not_active"] if state not in states]
    return missing


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
