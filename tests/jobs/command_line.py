#!/usr/bin/env python3
"""Gives job files to the AWS command line itself, offline: it checks a request that it is not to send.

Each `*job.json` in the given folders, with its placeholders filled in, must be accepted by

    aws s3control create-job --cli-input-json file://JOB --generate-cli-skeleton output

and the same job with a mistake must be refused: the first job of each operation, with each mistake. The command line runs
in this process, because a process of its own for each file takes too long.

    python3 -m venv venv && venv/bin/pip install awscli==1.46.3
    venv/bin/python tests/jobs/command_line.py samples/*
"""

import argparse
import contextlib
import copy
import io
import json
import os
import pathlib
import sys
import tempfile

import awscli
from awscli.clidriver import create_clidriver

VALUES = {
    "REPLACE-WITH-ACCOUNT-ID": "111122223333",
    "REPLACE-WITH-ROLE-ARN": "arn:aws:iam::111122223333:role/batch",
    "REPLACE-WITH-MANIFEST-LOCATION": "org-batch/manifests",
    "REPLACE-WITH-REPORT-BUCKET": "org-batch",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path, metavar="FOLDER")
    options = parser.parse_args()
    # No settings of whoever runs this, and no host to send anything to.
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"}

    paths = [path for folder in options.folders for path in sorted(folder.rglob("*job.json"))]
    wrongs, operations, mistakes = [] if paths else ["there is no job file"], set(), 0
    with tempfile.TemporaryDirectory() as folder:
        accepts = CommandLine(pathlib.Path(folder, "job.json"))
        for path in paths:
            job = json.loads(filled(path.read_text(encoding="utf-8")))
            why = accepts(job)
            if why:
                wrongs.append(f"{path}: {why}")
                continue
            operation, = job["Operation"]
            if operation not in operations:
                operations.add(operation)
                for name, broken in broken_jobs(job, operation):
                    mistakes += 1
                    if not accepts(broken):
                        wrongs.append(f"{path}: a mistake that is not found: {name}")
    print("\n".join(wrongs), end="\n" if wrongs else "")
    print(f"awscli {awscli.__version__}: {len(paths)} job files, {mistakes} mistakes, {len(wrongs)} wrong")
    sys.exit(1 if wrongs else 0)


class CommandLine:
    """Says why the command line refuses a job; nothing if it takes it."""

    def __init__(self, path):
        self.path, self.driver = path, create_clidriver()

    def __call__(self, job):
        self.path.write_text(json.dumps(job), encoding="utf-8")
        command = ["s3control", "create-job", "--cli-input-json", f"file://{self.path}"]
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                code = self.driver.main([*command, "--generate-cli-skeleton", "output"])
            except SystemExit as exit_:
                code = exit_.code
        if code == 0 and json.loads(out.getvalue()).keys() == {"JobId"}:
            return ""
        return f"exit code {code}: {' '.join(error.getvalue().split())}"


def filled(text):
    for placeholder, value in VALUES.items():
        text = text.replace(placeholder, value)
    return text


def broken_jobs(job, operation):
    def broken(change):
        other = copy.deepcopy(job)
        change(other)
        return other

    yield "an unknown member", broken(lambda job: job.update(Colour="blue"))
    yield "no Priority", broken(lambda job: job.pop("Priority"))
    yield "a Priority of letters", broken(lambda job: job.update(Priority="ten"))
    yield "an unknown operation", broken(lambda job: job.update(Operation={"S3Encrypt": {}}))
    yield "an unknown parameter", broken(lambda job: job["Operation"][operation].update(Colour="blue"))
    yield "a manifest without ETag", broken(lambda job: job["Manifest"]["Location"].pop("ETag"))
    yield "a token of 0 characters", broken(lambda job: job.update(ClientRequestToken=""))


if __name__ == "__main__":
    main()
