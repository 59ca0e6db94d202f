"""What is done to a tree in each case, and what both tools must say of every object then.

A case expects `valid` of aws-cli and `verified` of logseal for each object of its tree, and exit code 0 of both, except for
what it lists: `both` where the two agree that something is wrong, `differs` where they do not, with the reason. `a or b`
leaves open what of two things logseal says.
"""

import functools
from typing import Callable, NamedTuple, Optional

from trees import (
    BEGIN, BUCKET, DAY, HOUR, Chain, Key, Tree, append_bytes, append_member, change_digest, change_log, compact, cut,
    damage_checksum, follow_change, listed_log, move_bucket, overwrite, plant_backfill, plant_digest, plant_log,
    relist_log, set_metadata, sign_with, store_plain, zip_again, zipped,
)

# What aws-cli says of an object, shortened, and the status that says the same.
SAME = {
    "valid": "verified",
    "not found": "missing",
    "moved": "misplaced",
    "invalid format": "malformed",
    "other error": "malformed",
    "signature verification failed": "invalid_signature",
    "public key not found": "key_unknown",
    "hash value doesn't match": "hash_mismatch",
    "unexpected data": "trailing_data",
    "notice": "gap",
    # Neither says anything.
    "-": "-",
    "0": "0",
    "1": "1",
}


class Expected(NamedTuple):
    name: str
    aws: str
    ours: str
    why: str


class Case(NamedTuple):
    name: str
    make: Callable
    tamper: Callable
    expected: list
    # Whose head-object output is at hand: of "tails", of "all", of "none", of "all, in one file", or of a list of names.
    heads: object = "tails"
    # How the tree is stored: in a folder for each "bucket", "bare", or as a "tar" or "tar.gz".
    layout: str = "bucket"
    since: object = BEGIN
    until: object = BEGIN + 6 * HOUR
    # aws-cli finds keys and digests of this time on.
    aws_since: object = None
    # Where aws-cli is told that the digests are.
    aws_bucket: str = ""
    aws_prefix: str = ""
    # logseal is not told what must be covered.
    has_window: bool = True
    # What is done to another export of the same tree, which logseal is given as well.
    second: Optional[Callable] = None
    relocated: int = 0


def both(names, aws):
    return [Expected(name, aws, SAME[aws], "") for name in listed(names)]


def differs(names, aws, ours, why):
    return [Expected(name, aws, ours, why) for name in listed(names)]


def listed(names):
    return [names] if isinstance(names, str) else names


def exits(aws, ours, why):
    return differs("exit code", aws, ours, why)


def logs(*numbers):
    return [f"log {number}.{log}" for number in numbers for log in (0, 1)]


FAILED = both("exit code", "1")
UNCOVERED = differs("window", "-", "window_not_covered", "aws-cli tells what it has found, and compares with nothing")

SKIPPED = "aws-cli does not look at the logs of a digest that it does not accept"
UNLISTED = "aws-cli looks at digests and at what they list, and at nothing else"
UNTRUSTED = "a log is as good as the digest that lists it"
NO_JUDGEMENT = "what cannot be examined is not proven wrong"
UNREAD = "what a digest says that cannot be read is not said"
HOLE = "the contract leaves open whether a bad digest fills its hour"
CARRIED = "the next digest carries the signature, whatever became of the metadata"
MISTAKEN = "aws-cli takes one trail for the other"
ONE_EXPORT = "aws-cli knows one bucket, not two exports of it"
COMPLETE = "without anything wrong, what is not proven decides"


@functools.cache
def key(name, **properties):
    """Pairs of keys take a while to make, so cases share them."""
    return Key(**properties)


def first():
    return key("first")


def second():
    return key("second")


def forger():
    return key("forger")


# The trees.

def day(early=None, late=None):
    """Six hours, one of them without logs, a change of keys, and a chain of two backfill digests."""
    early, late = early or first(), late or second()
    tree = Tree(early, late)
    Chain(tree).extend(early, 2, 2, 0).extend(late, 2, 2, 2)
    Chain(tree, "backfill", is_backfill=True).extend(late, 1, 1)
    return tree


def small_key():
    return day(early=key("small", bits=1024))


def other_form():
    return day(early=key("SPKI", is_spki=True))


def ended_key():
    """Signed a day after the end of the key's validity and later."""
    return day(early=key("ended", ends=BEGIN - DAY))


def later_key():
    """Backfill digests are signed when they are made, a day after the hour that they are of."""
    tree = day()
    tree.keys.append(key("later", starts=BEGIN + 20 * HOUR))
    Chain(tree, "late", trail="late", is_backfill=True).extend(tree.keys[-1], 1, 1)
    Chain(tree, "own", trail="late").extend(second(), 1, 1, 1, 1, 1, 1)
    return tree


def restart(hours):
    tree = Tree(first())
    Chain(tree).extend(first(), 2, 2, 2).skip(hours).extend(first(), 2, 2, 2)
    return tree


def hole():
    return restart(3)


def no_hole():
    return restart(0)


def capital_letters():
    """The signed text has the predecessor's signature as it stands there."""
    tree = Tree(first())
    chain = Chain(tree).extend(first(), 2, 2)
    chain.previous = chain.previous._replace(signature=chain.previous.signature.upper())
    chain.extend(first(), 2, 2, 2, 2)
    return tree


def two_buckets():
    """The trail got another bucket in the middle of an hour, of which the logs are still in the old one."""
    tree = Tree(first())
    chain = Chain(tree, bucket="first-logs").extend(first(), 2, 2)
    hour = [chain.put_log(number, chain.clock) for number in (0, 1)]
    chain.bucket = "later-logs"
    chain.put_digest(first(), chain.clock, chain.clock + HOUR, hour)
    chain.clock += HOUR
    return chain.extend(first(), 2, 2, 2).tree


def two_trails():
    """The name of one begins with that of the other, and goes on as a key would."""
    tree = Tree(first())
    Chain(tree, trail="logs").extend(first(), 2, 2, 2, 2, 2, 2)
    Chain(tree, "other", trail="logs_us-east-1_b").extend(first(), 1, 1, 1, 1, 1, 1)
    return tree


def organisation():
    """Two accounts and two Regions of an organisation's trail, one of them with backfill; two trails of other accounts."""
    europe = key("Europe", region="eu-west-1")
    tree = Tree(first(), europe)
    theirs = {"home": "us-east-1", "organisation": tree.organisation}
    for account, name in [("111122223333", "one"), ("444455556666", "two")]:
        Chain(tree, f"{name} us", account=account, **theirs).extend(first(), 2, 0, 1, 1, 1, 1)
        Chain(tree, f"{name} eu", account=account, region="eu-west-1", **theirs).extend(europe, 0, 1, 1, 1, 1, 2)
    Chain(tree, "two backfill", account="444455556666", is_backfill=True, **theirs).extend(first(), 1, 1, 1)
    deep = {"account": "777788889999", "prefix": "a/b c/AWSLogs.old", "bucket": "team-logs"}
    Chain(tree, "team", trail="team", **deep).extend(first(), 1, 1, 1, 1, 1, 1)
    Chain(tree, "second", trail="second_trail", **deep).extend(first(), 0, 0, 0, 0, 0, 1)
    return tree


def conflict():
    """A backfill digest has another hash for a log than the digest of its hour."""
    tree = day()
    chain = Chain(tree, "twice", trail="twice", is_backfill=True)
    chain.put_digest(second(), BEGIN, BEGIN + HOUR, [listed_log(tree.places["log 1.0"], b"another text", BEGIN)])
    return tree


def listed_twice():
    """A backfill digest has the same hash for a log as the digest of its hour."""
    tree = day()
    again = tree.document("digest 1")["logFiles"]
    Chain(tree, "twice", trail="twice", is_backfill=True).put_digest(second(), BEGIN, BEGIN + HOUR, again)
    return tree


# Tampering that needs more than one step.

def nothing(tree):
    pass


def change_digest_and_log(tree):
    change_digest(tree, "digest 3")
    change_log(tree, "log 3.0")


def relist_without_signature(tree, digest, log):
    relist_log(tree, digest, log)
    set_metadata(tree, digest, signature=None, signature_algorithm=None)


def relist_and_follow(tree):
    relist_without_signature(tree, "digest 3", "log 3.0")
    follow_change(tree, "digest 3", "digest 4")


def sign_as_forger(tree):
    relist_log(tree, "digest 3", "log 3.0")
    sign_with(tree, "digest 3", forger())


def swap_key(tree):
    """The forger's key in the list, under the fingerprint of the true one, and a log that was changed to fit."""
    posing = forger().under(first().fingerprint)
    tree.keys[0] = posing
    relist_log(tree, "digest 1", "log 1.0")
    sign_with(tree, "digest 1", posing)


def plant_newest(tree):
    """One more hour with a log of the forger's, under the fingerprint of the true key."""
    tree.chains[0].extend(forger().under(second().fingerprint), 1)


def rename_log(tree):
    plant_log(tree, "planted", "log 1.0")
    tree.delete("log 1.0")


def leave_first_out(tree):
    tree.delete("digest 0", *logs(0))


def drop_field(tree, name, field):
    document = tree.document(name)
    del document[field]
    tree.set_document(name, document)


def tamper_organisation(tree):
    change_log(tree, "one eu log 1.0")
    tree.delete("two us digest 3")
    change_digest(tree, "team digest 2")
    change_digest(tree, "two backfill digest 1")


def use_keys(*keys):
    def tamper(tree):
        tree.keys = [one() for one in keys]
    return tamper


def on(tamper, *arguments, **named):
    """A step of tampering with its arguments, to be done later."""
    return lambda tree: tamper(tree, *arguments, **named)


EARLY = ["digest 0", "digest 1", "digest 2"]
LATE = ["digest 3", "digest 4", "digest 5", "backfill digest 0", "backfill digest 1"]
EARLY_LOGS = logs(0, 1)
LATE_LOGS = [*logs(3, 4, 5), "backfill log 0.0", "backfill log 1.0"]
NEWEST = ["digest 5", "backfill digest 1"]
NEWEST_LOGS = [*logs(5), "backfill log 1.0"]


def not_accepted(aws):
    """Digest 3 is wrong for both."""
    return both("digest 3", aws) + differs(logs(3), "-", "unverified_digest", SKIPPED) + FAILED


def unreadable(aws, *, lists=("unreferenced",)):
    """Digest 3 cannot be read, so nobody knows what it listed."""
    said = " or ".join(lists)
    return (both("digest 3", aws) + differs(logs(3), "-", said, UNREAD)
            + differs("gap 4", "-", "- or gap", HOLE) + FAILED)


# A copy of the whole bucket.
COPIED = (
    differs(EARLY + LATE, "moved", "verified", "the signature is over the first name, and a copy is as good")
    + differs(EARLY_LOGS + LATE_LOGS, "-", "verified", SKIPPED) + exits("1", "0", "a copy is told, and no failure")
)

UNTOUCHED = [
    Case("untouched, metadata of the newest digests", day, nothing, []),
    Case("untouched, metadata of all digests", day, nothing, [], heads="all"),
    Case("untouched, metadata in one file", day, nothing, [], heads="all, in one file"),
    Case("untouched, no metadata", day, nothing,
         differs(NEWEST, "valid", "unsigned", "only S3 has the signature of the newest digest")
         + differs(NEWEST_LOGS, "valid", "unverified_digest", UNTRUSTED) + exits("0", "3", COMPLETE),
         heads="none"),
    Case("untouched, no folder for the bucket", day, nothing, [], layout="bare"),
    Case("untouched, nothing that must be covered", day, nothing, [], has_window=False),
    Case("untouched, in a tar", day, nothing, [], layout="tar"),
    Case("untouched, in a tar.gz", day, nothing, [], layout="tar.gz"),
    Case("an organisation", organisation, nothing, []),
    Case("an organisation, in a tar, metadata of all", organisation, nothing, [], heads="all", layout="tar"),
    Case("another bucket since noon", two_buckets, nothing, []),
    Case("a backfill digest of a later key, metadata of all", later_key, nothing, [], heads="all"),
    Case("a backfill digest of a later key", later_key, nothing, []),
    Case("a log listed twice", listed_twice, nothing, []),
    Case("the predecessor's signature in capital letters", capital_letters, nothing, []),
    Case("the export begins with the second digest", day, leave_first_out,
         differs("digest 0", "not found", "-", "it ended when the period began")
         + differs(logs(0), "-", "-", "neither there nor listed") + exits("1", "0", "nothing is missing from the period"),
         since=BEGIN + HOUR),
    Case("two exports", day, nothing, [], second=nothing),
    Case("the bucket copied under another name", day, on(move_bucket, BUCKET, "copied-logs"), COPIED,
         aws_bucket="copied-logs", relocated=8),
    Case("the bucket copied below a prefix, metadata in one file", day,
         on(move_bucket, BUCKET, "copied-logs", "2026/old logs/"), COPIED,
         heads="all, in one file", aws_bucket="copied-logs", aws_prefix="2026/old logs", relocated=8),
]

LOGS = [
    Case("log changed", day, on(change_log, "log 1.0"), both("log 1.0", "hash value doesn't match") + FAILED),
    Case("log deleted", day, lambda tree: tree.delete("log 1.0"), both("log 1.0", "not found") + FAILED),
    Case("log under another name", day, rename_log,
         both("log 1.0", "not found") + differs("planted", "-", "unreferenced", UNLISTED) + FAILED),
    Case("log planted", day, on(plant_log, "planted", "log 1.0"),
         differs("planted", "-", "unreferenced", UNLISTED)
         + exits("0", "3", "what no digest lists is not proven to be CloudTrail's")),
    Case("log with a second gzip member", day, on(append_member, "log 1.0"),
         both("log 1.0", "unexpected data") + FAILED),
    Case("log with four more bytes", day, on(append_bytes, "log 1.0"), both("log 1.0", "unexpected data") + FAILED),
    Case("log compressed again", day, on(zip_again, "log 1.0"), []),
    Case("log stored decompressed", day, on(store_plain, "log 1.0"),
         differs("log 1.0", "invalid format", "verified", "the hash is over the text, which is the same")
         + exits("1", "0", "nothing is wrong")),
    Case("log without its gzip trailer", day, on(cut, "log 1.0", 8),
         differs("log 1.0", "valid", "malformed", "aws-cli does not ask for the end of the stream")
         + exits("0", "1", "a file that is cut off")),
    Case("log cut off", day, on(cut, "log 1.0", 60),
         differs("log 1.0", "hash value doesn't match", "malformed", "aws-cli hashes what there is") + FAILED),
    Case("log with a wrong checksum", day, on(damage_checksum, "log 1.0"), both("log 1.0", "invalid format") + FAILED),
    Case("log empty", day, lambda tree: tree.replace("log 1.0", b""),
         differs("log 1.0", "hash value doesn't match", "malformed", "aws-cli hashes nothing") + FAILED),
    Case("log that is no gzip", day, lambda tree: tree.replace("log 1.0", b"more"),
         both("log 1.0", "invalid format") + FAILED),
    Case("log with two hashes", conflict, nothing,
         differs("log 1.0", "hash value doesn't match and valid", "conflict", "aws-cli looks at one digest at a time")
         + FAILED),
    Case("log changed in another export", day, nothing,
         differs("log 1.0", "valid", "conflict", ONE_EXPORT) + exits("0", "1", ONE_EXPORT),
         second=on(change_log, "log 1.0")),
]

DIGESTS = [
    Case("digest changed", day, on(change_digest, "digest 3"), not_accepted("signature verification failed")),
    Case("newest digest changed", day, on(change_digest, "digest 5"),
         both("digest 5", "signature verification failed")
         + differs(logs(5), "-", "unverified_digest", SKIPPED) + UNCOVERED + FAILED),
    Case("digest and log changed", day, change_digest_and_log,
         both("digest 3", "signature verification failed")
         + differs("log 3.0", "-", "hash_mismatch", SKIPPED)
         + differs("log 3.1", "-", "unverified_digest", SKIPPED) + FAILED),
    Case("forged log listed", day, on(relist_log, "digest 3", "log 3.0"), not_accepted("signature verification failed")),
    Case("forged log listed, signature removed", day, on(relist_without_signature, "digest 3", "log 3.0"),
         not_accepted("signature verification failed")),
    Case("forged log listed, signature removed, next digest changed to fit", day, relist_and_follow,
         both(["digest 3", "digest 4"], "signature verification failed")
         + differs(logs(3, 4), "-", "unverified_digest", SKIPPED) + FAILED),
    Case("forged log listed by the newest digest, signature removed", day,
         on(relist_without_signature, "digest 5", "log 5.0"),
         differs("digest 5", "signature verification failed", "unsigned", NO_JUDGEMENT)
         + differs(logs(5), "-", "unverified_digest", SKIPPED) + exits("1", "3", NO_JUDGEMENT)),
    Case("forged log listed, signed with a key of the forger's", day, sign_as_forger,
         differs("digest 3", "public key not found", "invalid_hash", "the next digest names another hash")
         + differs(logs(3), "-", "unverified_digest", SKIPPED) + FAILED),
    Case("forged digest after the newest", day, plant_newest,
         both("digest 6", "signature verification failed")
         + differs("log 6.0", "-", "unverified_digest", SKIPPED) + FAILED),
    Case("digest deleted", day, lambda tree: tree.delete("digest 4"),
         both("digest 4", "not found") + differs(logs(4), "-", "unreferenced", UNLISTED) + FAILED),
    Case("two digests deleted", day, lambda tree: tree.delete("digest 3", "digest 4"),
         both("digest 4", "not found")
         + differs("digest 3", "-", "-", "no digest names it, and its hour is in the gap")
         + differs("gap 5", "-", "gap", "aws-cli goes on with the next digest that is there")
         + differs(logs(3, 4), "-", "unreferenced", UNLISTED) + FAILED),
    Case("newest digests deleted", day, lambda tree: tree.delete("digest 4", "digest 5"),
         differs(["digest 4", "digest 5"], "-", "-", "no digest names them")
         + differs(logs(4, 5), "-", "unreferenced", UNLISTED) + UNCOVERED
         + exits("0", "3", "the end of the period is not covered")),
    Case("oldest digest deleted", day, lambda tree: tree.delete("digest 0"),
         both("digest 0", "not found") + differs(logs(0), "-", "unreferenced", UNLISTED) + UNCOVERED + FAILED),
    Case("all digests deleted", day, lambda tree: tree.delete(*EARLY, *LATE),
         differs(EARLY + LATE, "-", "-", "no digest names them; the period is not covered")
         + differs(EARLY_LOGS + LATE_LOGS, "-", "unreferenced", UNLISTED)
         + differs("no chain", "-", "no_chain", "aws-cli is told of a trail, and looks at no logs that it does not list")
         + exits("0", "3", "aws-cli says that there is no digest, and is content"),
         heads="none"),
    Case("digest with a second gzip member", day, on(append_member, "digest 3"),
         differs("digest 3", "valid", "trailing_data", "aws-cli stops after the first member")
         + differs(logs(3), "valid", "unverified_digest", UNTRUSTED)
         + exits("0", "1", "other readers see what was not signed")),
    Case("digest compressed again", day, on(zip_again, "digest 3"), []),
    Case("digest stored decompressed", day, on(store_plain, "digest 3"),
         differs("digest 3", "invalid format", "verified", "the signature is over the text, which is the same")
         + differs(logs(3), "-", "verified", SKIPPED) + exits("1", "0", "nothing is wrong")),
    Case("digest in the place of another", day, on(overwrite, "digest 3", "digest 4"),
         both("digest 4", "moved") + differs(logs(4), "-", "unreferenced", UNLISTED)
         + differs("gap 5", "-", "- or gap", HOLE) + FAILED),
    Case("digest copied to another time", day, on(plant_digest, "planted", "digest 3"),
         differs("planted", "-", "misplaced", "aws-cli goes from digest to digest and does not come by")
         + exits("0", "1", "a digest where none should be")),
    Case("digest copied to a backfill digest's name", day, on(plant_backfill, "planted", "digest 3"),
         differs("planted", "invalid format", "misplaced", "aws-cli wants the time of its making first") + FAILED),
    Case("digest that is no gzip", day, lambda tree: tree.replace("digest 3", b"more"), unreadable("invalid format")),
    Case("digest empty", day, lambda tree: tree.replace("digest 3", b""), unreadable("invalid format")),
    Case("digest cut off", day, on(cut, "digest 3", 60), unreadable("invalid format")),
    Case("digest without its gzip trailer", day, on(cut, "digest 3", 8), unreadable("invalid format")),
    Case("digest with a wrong checksum", day, on(damage_checksum, "digest 3"), unreadable("invalid format")),
    Case("digest without its start", day, on(drop_field, "digest 3", "digestStartTime"),
         unreadable("invalid format", lists=["unreferenced", "unverified_digest"]), heads="all"),
    Case("digest that is a list", day, lambda tree: tree.replace("digest 3", zipped(compact([1]))),
         unreadable("other error")),
    Case("three hours without digests", hole, nothing,
         both("gap 3", "notice") + exits("0", "3", "nothing proves what was delivered meanwhile"),
         until=BEGIN + 9 * HOUR),
    Case("chain begun again without a hole", no_hole, nothing,
         differs("gap 3", "notice", "-", "the digests follow each other to the second")),
    Case("chain begun again, no metadata of the digest before", no_hole, nothing,
         differs("gap 3", "notice", "-", "the digests follow each other to the second")
         + differs("digest 2", "valid", "unsigned", "only S3 has the signature of the last digest of a chain")
         + differs(logs(2), "valid", "unverified_digest", UNTRUSTED) + exits("0", "3", COMPLETE),
         heads=["digest 5"]),
    Case("digest changed, in a trail whose name begins another's", two_trails, on(change_digest, "digest 3"),
         differs([f"digest {number}" for number in (0, 1, 2, 4, 5)], "-", "verified", MISTAKEN)
         + differs(logs(0, 1, 2, 4, 5), "-", "verified", MISTAKEN)
         + differs("digest 3", "-", "invalid_signature", MISTAKEN)
         + differs(logs(3), "-", "unverified_digest", UNTRUSTED) + exits("0", "1", "a changed digest")),
    Case("digest changed in another export", day, nothing,
         differs("digest 3", "valid", "conflict", ONE_EXPORT)
         + differs(logs(3), "valid", "verified or unverified_digest", "the contract leaves open which digest counts")
         + exits("0", "1", ONE_EXPORT),
         second=on(change_digest, "digest 3")),
    Case("backfill digest changed", day, on(change_digest, "backfill digest 0"),
         both("backfill digest 0", "signature verification failed")
         + differs("backfill log 0.0", "-", "unverified_digest", SKIPPED) + FAILED),
    Case("backfill digest deleted", day, lambda tree: tree.delete("backfill digest 0"),
         both("backfill digest 0", "not found") + differs("backfill log 0.0", "-", "unreferenced", UNLISTED) + FAILED),
    Case("an organisation, tampered with in four places", organisation, tamper_organisation,
         both("one eu log 1.0", "hash value doesn't match") + both("two us digest 3", "not found")
         + differs("two us log 3.0", "-", "unreferenced", UNLISTED)
         + both(["team digest 2", "two backfill digest 1"], "signature verification failed")
         + differs(["team log 2.0", "two backfill log 1.0"], "-", "unverified_digest", SKIPPED) + FAILED),
]

METADATA = [
    Case("signature in capital letters", day,
         lambda tree: set_metadata(tree, "digest 5", signature=tree.object("digest 5").metadata["signature"].upper()), []),
    Case("another algorithm named", day, on(set_metadata, "digest 5", signature_algorithm="BOGUS"), []),
    Case("metadata of a digest lost", day, on(set_metadata, "digest 3", signature=None, signature_algorithm=None),
         differs("digest 3", "signature verification failed", "verified", CARRIED)
         + differs(logs(3), "-", "verified", SKIPPED) + exits("1", "0", CARRIED),
         heads="all"),
    Case("metadata of the newest digest lost", day, on(set_metadata, "digest 5", signature=None, signature_algorithm=None),
         differs("digest 5", "signature verification failed", "unsigned", NO_JUDGEMENT)
         + differs(logs(5), "-", "unverified_digest", SKIPPED) + exits("1", "3", NO_JUDGEMENT)),
    Case("signature of another digest", day,
         lambda tree: set_metadata(tree, "digest 3", signature=tree.object("digest 4").metadata["signature"]),
         differs("digest 3", "signature verification failed", "verified", CARRIED)
         + differs(logs(3), "-", "verified", SKIPPED) + exits("1", "0", CARRIED),
         heads="all"),
    Case("newest digest with the signature of another", day,
         lambda tree: set_metadata(tree, "digest 5", signature=tree.object("digest 4").metadata["signature"]),
         both("digest 5", "signature verification failed")
         + differs(logs(5), "-", "unverified_digest", SKIPPED) + UNCOVERED + FAILED),
    Case("half of a signature", day,
         lambda tree: set_metadata(tree, "digest 5", signature=tree.object("digest 5").metadata["signature"][:256]),
         both("digest 5", "signature verification failed")
         + differs(logs(5), "-", "unverified_digest", SKIPPED) + UNCOVERED + FAILED),
    Case("backfill digest without the time of its making", day,
         on(set_metadata, "backfill digest 1", backfill_generation_timestamp=None),
         differs("backfill digest 1", "invalid format", "verified", "the signature does not cover it")
         + differs("backfill log 1.0", "-", "verified", SKIPPED) + exits("1", "0", "nothing is wrong")),
]

KEYS = [
    Case("a list of other keys", day, use_keys(forger),
         both(EARLY + LATE, "public key not found")
         + differs(EARLY_LOGS + LATE_LOGS, "-", "unverified_digest", SKIPPED) + exits("1", "3", NO_JUDGEMENT)),
    Case("a list without one of the keys", day, use_keys(second),
         both(EARLY, "public key not found") + differs(EARLY_LOGS, "-", "unverified_digest", SKIPPED)
         + exits("1", "3", NO_JUDGEMENT)),
    Case("a list without keys", day, use_keys(),
         differs(EARLY + LATE, "-", "key_unknown", "aws-cli gives up")
         + differs(EARLY_LOGS + LATE_LOGS, "-", "unverified_digest", "aws-cli gives up")
         + exits("255", "3", NO_JUDGEMENT)),
    Case("a list with a forger's key under a true fingerprint", day, swap_key,
         differs(["digest 0", "digest 2"], "signature verification failed", "key_unknown", "it is another key's fingerprint")
         + differs("digest 1", "valid", "invalid_hash", "it is another key's fingerprint, and the next digest tells")
         + differs(logs(1), "valid", "unverified_digest", UNTRUSTED)
         + differs(logs(0), "-", "unverified_digest", SKIPPED) + FAILED),
    Case("a key as SubjectPublicKeyInfo", other_form, nothing,
         differs(EARLY, "unable to load key", "verified", "one of the keys that AWS has published has this form")
         + differs(EARLY_LOGS, "-", "verified", SKIPPED) + exits("1", "0", "nothing is wrong")),
    Case("a key of 1024 bits", small_key, nothing,
         differs(EARLY, "valid", "key_unknown", "keys below 2048 bits are not CloudTrail's")
         + differs(EARLY_LOGS, "valid", "unverified_digest", UNTRUSTED) + exits("0", "3", NO_JUDGEMENT)),
    Case("signed after the end of the key", ended_key, nothing,
         differs(EARLY, "valid", "key_out_of_validity", "aws-cli compares no times, it only asks for the keys of its own")
         + differs(EARLY_LOGS, "valid", "unverified_digest", UNTRUSTED) + exits("0", "3", NO_JUDGEMENT),
         aws_since=BEGIN - 5 * DAY),
    Case("signed after the end of the key, which AWS lists no more", ended_key, nothing,
         differs(EARLY, "public key not found", "key_out_of_validity", "our list still has the key")
         + differs(EARLY_LOGS, "-", "unverified_digest", SKIPPED) + exits("1", "3", NO_JUDGEMENT)),
]

CASES = [*UNTOUCHED, *LOGS, *DIGESTS, *METADATA, *KEYS]
