"""Checks packs with tools that we did not write: `packs.py BINARY AUDIT`, AUDIT being a finished audit.

bagit, sha256sum, ssh-keygen, openssl (a time stamp by a throw-away authority), in-toto-attestation and securesystemslib look at the
unpacked pack, without our binary; then each is shown to refuse what was spoilt, and our binary to agree.
"""

import base64
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import duckdb
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

FAILED = []


def run(*command, cwd=None, stdin=None):
    return subprocess.run([str(part) for part in command], cwd=cwd, input=stdin, capture_output=True)


def holds(what, is_so):
    print(f"{'ok   ' if is_so else 'WRONG'} {what}")
    if not is_so:
        FAILED.append(what)


def bag_is_valid(bag):
    script = "import bagit, sys; sys.exit(not bagit.Bag(sys.argv[1]).is_valid())"
    return run(sys.executable, "-c", script, bag).returncode == 0


def sums_hold(bag):
    return all(run("sha256sum", "-c", "--quiet", name, cwd=bag).returncode == 0 for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"))


def verified(binary, pack, *args):
    ran = run(binary, "verify-pack", pack, *args)
    return ran.returncode, ran.stdout.decode()


def signed_by_ssh(binary, bag, folder, kind, bits):
    key = folder / f"key-{kind}"
    run("ssh-keygen", "-q", "-t", kind, *(("-b", bits) if bits else ()), "-N", "", "-f", key)
    allowed = folder / f"allowed-{kind}"
    public = pathlib.Path(f"{key}.pub").read_text()
    allowed.write_text(f'auditor@example.org namespaces="logseal-evidence" {public}')
    signature = bag / "tagmanifest-sha256.txt.sig"
    signature.unlink(missing_ok=True)
    run("ssh-keygen", "-Y", "sign", "-f", key, "-n", "logseal-evidence", bag / "tagmanifest-sha256.txt")
    text = (bag / "tagmanifest-sha256.txt").read_bytes()
    check = ("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "auditor@example.org", "-n", "logseal-evidence", "-s", signature)
    asked = ("--allowed-signers", allowed, "--identity", "auditor@example.org")
    holds(f"{kind}: ssh-keygen verifies", run(*check, stdin=text).returncode == 0)
    holds(f"{kind}: so do we", verified(binary, bag, *asked)[0] == 0)
    holds(f"{kind}: ssh-keygen refuses another text", run(*check, stdin=text + b"x").returncode != 0)
    holds(f"{kind}: another name is refused", verified(binary, bag, *asked[:3], "somebody@example.org")[0] == 1)
    for name, option in (("expired", 'valid-before="20200101Z"'), ("not yet", 'valid-after="20990101Z"'), ("elsewhere", 'namespaces="git"'), ("an authority", "cert-authority")):
        other = folder / "other"
        other.write_text(f"auditor@example.org {option} {public}")
        theirs = run("ssh-keygen", "-Y", "verify", "-f", other, "-I", "auditor@example.org", "-n", "logseal-evidence", "-s", signature, stdin=text)
        ours = verified(binary, bag, "--allowed-signers", other, "--identity", "auditor@example.org")
        holds(f"{kind}: {name} is refused by both", theirs.returncode != 0 and ours[0] == 1)
    signature.unlink()
    run("ssh-keygen", "-Y", "sign", "-f", key, "-n", "file", bag / "tagmanifest-sha256.txt")
    holds(f"{kind}: a signature for something else is refused", verified(binary, bag, *asked)[0] == 1)
    signature.unlink()
    holds(f"{kind}: unsigned where a signer was asked for", verified(binary, bag, *asked)[0] == 3)


def time_stamped(bag, folder):
    """A token of an authority that exists for this test only."""
    config = folder / "tsa.cnf"
    config.write_text(
        "[tsa]\ndefault_tsa=t\n[t]\nserial=%s/serial\nsigner_cert=%s/tsa.pem\nsigner_key=%s/tsa.key\ncerts=%s/tsa.pem\nsigner_digest=sha256\n"
        "default_policy=1.2.3.4.1\ndigests=sha256\nordering=no\ntsa_name=no\ness_cert_id_chain=no\n" % ((folder,) * 4)
    )
    (folder / "serial").write_text("01\n")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "tsa.key", "-out", folder / "tsa.pem", "-days", "2", "-subj", "/CN=throw-away", "-addext", "extendedKeyUsage=critical,timeStamping")
    query, token = folder / "request.tsq", bag / "tagmanifest-sha256.txt.tsr"
    run("openssl", "ts", "-query", "-data", bag / "tagmanifest-sha256.txt", "-sha256", "-cert", "-out", query)
    run("openssl", "ts", "-reply", "-config", config, "-queryfile", query, "-out", token)
    check = ("openssl", "ts", "-verify", "-in", token, "-CAfile", folder / "tsa.pem", "-data")
    holds("openssl verifies the time stamp", run(*check, bag / "tagmanifest-sha256.txt").returncode == 0)
    holds("openssl refuses it for another file", run(*check, bag / "manifest-sha256.txt").returncode != 0)


def attested(binary, audit, folder, kind):
    """The statement in an envelope, verified by securesystemslib."""
    key, public, pack = folder / f"{kind}.pem", folder / f"{kind}.pub.pem", folder / f"{kind}.zip"
    options = ("-pkeyopt", "ec_paramgen_curve:P-256") if kind == "EC" else ()
    run("openssl", "genpkey", "-algorithm", kind, *options, "-out", key)
    run("openssl", "pkey", "-in", key, "-pubout", "-out", public)
    holds(f"{kind}: packed", run(binary, "pack", audit, "--out", pack, "--attest", key).returncode == 0)
    shutil.unpack_archive(pack, folder / kind)
    bag = folder / kind / "evidence"
    envelope = Envelope.from_dict(json.loads((bag / "attestation.dsse.json").read_text()))
    own = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes()), keyid=next(iter(envelope.signatures)))
    try:
        envelope.verify([own], 1)
        is_verified = True
    except VerificationError:
        is_verified = False
    holds(f"{kind}: securesystemslib verifies", is_verified)
    holds(f"{kind}: it holds the statement", envelope.payload == (bag / "data/attestation.json").read_bytes())
    envelope.payload += b" "
    try:
        envelope.verify([own], 1)
        is_refused = False
    except VerificationError:
        is_refused = True
    holds(f"{kind}: securesystemslib refuses another statement", is_refused)
    holds(f"{kind}: so do we", verified(binary, pack, "--attestation-key", public)[0] == 0)
    spoilt = json.loads((bag / "attestation.dsse.json").read_text())
    sig = bytearray(base64.b64decode(spoilt["signatures"][0]["sig"]))
    sig[-1] ^= 1
    spoilt["signatures"][0]["sig"] = base64.b64encode(sig).decode()
    (bag / "attestation.dsse.json").write_text(json.dumps(spoilt))
    holds(f"{kind}: we refuse another signature", verified(binary, bag, "--attestation-key", public)[0] == 1)


def statement_is_understood(bag):
    text = (bag / "data/attestation.json").read_text()
    statement = Statement.copy_from_pb(json_format.Parse(text, statement_pb2.Statement()))
    statement.validate()
    predicate = json.loads(text)["predicate"]
    parsed = json_format.ParseDict(predicate, test_result_pb2.TestResult())
    outcome = json.loads((bag / "data/summary.json").read_text())["outcome"]
    holds("in-toto-attestation understands the statement", parsed.result == ("PASSED" if outcome == "pass" else "FAILED"))
    try:
        json_format.ParseDict({**predicate, "mood": "good"}, test_result_pb2.TestResult())
        is_refused = False
    except json_format.ParseError:
        is_refused = True
    holds("and refuses what the predicate has not", is_refused)


def table_is_the_list(binary, audit, folder):
    """DuckDB reads both forms of findings and finds the same rows."""
    both = folder / "both.zip"
    holds("packed in both forms", run(binary, "pack", audit, "--findings", "both", "--out", both).returncode == 0)
    shutil.unpack_archive(both, folder / "both")
    data = folder / "both/evidence/data"
    texts = ["bucket", "key", "version_id", "storage_class", "encryption_status", "bucket_key_status", "kms_key_arn"]
    texts += ["verdict", "reason", "rule", "lane", "exception"]
    # As in the list: nothing for what is not there, and a sign before what a spreadsheet would take for a formula.
    of_list = [f"regexp_replace(coalesce({name}, ''), '^''', '')" for name in texts]
    of_list += ["try_cast(size as bigint)", "try_cast(last_modified as timestamptz)", "try_cast(is_latest as boolean)"]
    list_rows = f"read_csv('{data / 'findings.csv.gz'}', all_varchar=true, header=true, quote='\"', escape='\"')"
    table_rows = f"read_parquet('{data / 'findings.parquet'}')"
    one = f"select {', '.join(of_list)} from {list_rows}"
    other = f"select {', '.join([*texts, 'size', 'last_modified', 'is_latest'])} from {table_rows}"
    database = duckdb.connect()
    count = database.sql(f"select count(*) from {table_rows}").fetchall()[0][0]
    differing = database.sql(f"({one} except all {other}) union all ({other} except all {one})").fetchall()
    holds(f"{count} findings are the same as a table", count > 0 and not differing)
    for row in differing[:3]:
        print("  ", row)


def main():
    binary, audit = map(pathlib.Path, sys.argv[1:3])
    binary, audit = binary.resolve(), audit.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pack = folder / "pack.zip"
        holds("packed", run(binary, "pack", audit, "--out", pack).returncode == 0)
        shutil.unpack_archive(pack, folder / "unpacked")
        bag = folder / "unpacked/evidence"
        holds("bagit takes it", bag_is_valid(bag))
        holds("sha256sum takes it", sums_hold(bag))
        holds("we take it", verified(binary, bag)[0] == 0)
        statement_is_understood(bag)
        table_is_the_list(binary, audit, folder)
        for kind, bits in (("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("rsa", 3072)):
            signed_by_ssh(binary, bag, pathlib.Path(tempfile.mkdtemp(dir=folder)), kind, bits)
        time_stamped(bag, folder)
        holds("signatures beside it do no harm", bag_is_valid(bag) and verified(binary, bag)[0] == 0)
        for kind in ("ED25519", "EC"):
            attested(binary, audit, folder, kind)
        # What each of them notices.
        units = bag / "data/units.csv"
        kept = units.read_bytes()
        units.write_bytes(kept.replace(b"1", b"2", 1))
        holds("a changed file is noticed by all", not bag_is_valid(bag) and not sums_hold(bag) and verified(binary, bag)[0] == 1)
        units.unlink()
        holds("a missing one, too", not bag_is_valid(bag) and not sums_hold(bag) and verified(binary, bag)[0] == 1)
        units.write_bytes(kept)
        (bag / "data/more.txt").write_text("x")
        holds("one more by bagit and us", not bag_is_valid(bag) and verified(binary, bag)[0] == 1)
        (bag / "data/more.txt").unlink()
        (bag / "stray.txt").write_text("x")
        holds("a stray file beside data/ by us only", bag_is_valid(bag) and verified(binary, bag)[0] == 1)
        (bag / "stray.txt").unlink()
        holds("and it is as before", bag_is_valid(bag) and verified(binary, bag)[0] == 0)
    print(f"{len(FAILED)} wrong")
    sys.exit(bool(FAILED))


main()
