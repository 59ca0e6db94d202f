"""The calls of AWS that `aws cloudtrail validate-logs` makes, answered from a tree on the loopback address.

ListPublicKeys, DescribeTrails, DescribeOrganization, GetBucketLocation, ListObjects and GetObject. The tree needs
`public_keys(region)`, `trails()`, `organisation`, `has_bucket(bucket)`, `sorted_keys(bucket)` and `get(bucket, key)`.
"""

import json
import re
import socketserver
import threading
import urllib.parse
from xml.sax.saxutils import escape

PAGE = 1000
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Server:
    """Listens on a free port until the program ends. `tree` may be replaced at any time between calls."""

    def __init__(self, tree=None):
        self.tree = tree
        server = Listener(("127.0.0.1", 0), Connection)
        server.stand_in = self
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True


class Connection(socketserver.StreamRequestHandler):
    """As little of HTTP as the client needs: the standard library's server takes a third of the client's time."""

    disable_nagle_algorithm = True

    def handle(self):
        while line := self.rfile.readline():
            method, target, _ = line.decode("ascii").split()
            headers = dict(self.headers())
            body = self.rfile.read(int(headers.get("content-length", 0)))
            tree = self.server.stand_in.tree
            self.wfile.write(post(tree, headers, body) if method == "POST" else get(tree, target))

    def headers(self):
        while (line := self.rfile.readline().decode("latin-1").strip()):
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()


def post(tree, headers, body):
    """The JSON protocols name the call in a header, and the Region in the signature."""
    request, call = json.loads(body), headers["x-amz-target"].rsplit(".", 1)[1]
    if call == "ListPublicKeys":
        region = re.search(r"Credential=[^/]+/\d+/([^/]+)/", headers["authorization"])[1]
        found = {"PublicKeyList": keys_of_time(tree.public_keys(region), request)}
    elif call == "DescribeTrails":
        found = {"trailList": tree.trails()}
    elif call == "DescribeOrganization":
        found = {"Organization": {"Id": tree.organisation}}
    else:
        return answer("400 Bad Request", b'{"__type": "UnknownOperationException"}')
    return answer("200 OK", json.dumps(found).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def get(tree, target):
    path, _, query = target.partition("?")
    bucket, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
    parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    if not tree.has_bucket(bucket):
        return refusal("NoSuchBucket")
    if key:
        found = tree.get(bucket, key)
        return object_answer(found) if found else refusal("NoSuchKey")
    if "location" in parameters:
        return xml(f"<LocationConstraint {NAMESPACE}/>")
    return xml(listing(tree, bucket, parameters))


def object_answer(found):
    return answer("200 OK", found.body, {f"x-amz-meta-{name}": value for name, value in found.metadata.items()})


def refusal(code):
    return xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", "404 Not Found")


def xml(text, status="200 OK"):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return answer(status, body, {"Content-Type": "application/xml"})


def answer(status, body, headers=None):
    lines = [f"{name}: {value}\r\n" for name, value in {**(headers or {}), "Content-Length": len(body)}.items()]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode("latin-1") + body


def keys_of_time(keys, request):
    """CloudTrail leaves keys out that were not valid at any time of the range."""
    return [
        key for key in keys
        if key["ValidityEndTime"] >= request["StartTime"] and key["ValidityStartTime"] <= request["EndTime"]
    ]


def listing(tree, bucket, parameters):
    """Version 1 of ListObjects, with the keys encoded as the client asks."""
    prefix, marker = parameters.get("prefix", ""), parameters.get("marker", "")
    keys = [key for key in tree.sorted_keys(bucket) if key > marker and key.startswith(prefix)]
    page = keys[:PAGE]
    quoted = urllib.parse.quote if parameters.get("encoding-type") == "url" else escape
    contents = "".join(f"<Contents><Key>{quoted(key)}</Key><Size>0</Size></Contents>" for key in page)
    truncated = "true" if len(keys) > PAGE else "false"
    return (
        f"<ListBucketResult {NAMESPACE}><Name>{bucket}</Name><Prefix>{quoted(prefix)}</Prefix>"
        f"<Marker>{quoted(marker)}</Marker><MaxKeys>{PAGE}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{truncated}</IsTruncated>{contents}</ListBucketResult>"
    )
