#!/usr/bin/env python3
"""Lets a server do its worst: bombs, endless answers, headers, redirects and pages, and values that are none.

run_servers.py --bin DIR [--only NAME]. Each must end with a typed error (or the right file) within 64 MiB over what an
ordinary download takes, within 5 CPU seconds, within a minute, and with nothing wrong on disk.
"""
import argparse
import gzip
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import struct
import sys
import tempfile
import zlib

from mock import COMMIT, CONTENT, Answer, Mock, entry, environment, file, git_blob, info, run, tree

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
parser.add_argument("--only")
options = parser.parse_args()
options.bin = options.bin.resolve()
MEMORY, CPU, WALL = 64 << 20, 5.0, 60
SANITIZED = any(k.endswith("SAN_OPTIONS") for k in os.environ)  # keeps freed memory for a while
JSON = ("Content-Type", "application/json")


def gzip_bomb(piece, times, begin=b"", end=b""):
    """A valid deflate stream of begin + piece * times + end that costs the sender next to nothing."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = z.compress(begin) + z.flush(zlib.Z_FULL_FLUSH)
    block = z.compress(piece) + z.flush(zlib.Z_FULL_FLUSH)
    tail = z.compress(end) + z.flush()
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + head
    for _ in range(times):
        yield block
    yield tail + struct.pack("<II", 0, 0)


def chunks(pieces):
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def endless(piece):
    return itertools.repeat(piece)


CHUNKED = ("Transfer-Encoding", "chunked")
SPACES = b" " * (1 << 20)
ONE = entry(b'"f.txt"')
GZ = ("Content-Encoding", "gzip")


def lots(n):
    yield b'{"id":"evil/repo","sha":"%s","siblings":[' % COMMIT.encode()
    piece = b'{"rfilename":"some/folder/with/a/file"},' * 1000
    for _ in range(n // 1000):
        yield piece
    yield b'{"rfilename":"z"}]}'


def wide_tree(n):
    yield b"["
    for i in range(0, n, 1000):
        yield b"".join(b'{"type":"file","oid":"%040x","size":1,"path":"d/%09d"},' % (j, j) for j in range(i, i + 1000))
    yield ONE + b"]"


def raw(handler, *pieces, forever=None):
    try:
        for piece in pieces:
            handler.wfile.write(piece)
        while forever:
            handler.wfile.write(forever)
    except OSError:
        pass
    return "done"


def pages(kind):
    def make(handler):
        number = int((re.search(r"cursor=(\d+)", handler.path) or [0, 0])[1])
        here = handler.path.split("?")[0]
        follow = {"same": f"<http://{handler.headers['Host']}{here}?cursor=1>", "new": f"<http://{handler.headers['Host']}{here}?cursor={number + 1}>",
                  "foreign": "<http://127.0.0.2:9/steal>", "file": "<file:///etc/passwd>", "long": f"<{here}?cursor={'9' * 60000}>",
                  "relative": "<?cursor=1>"}[kind]
        body = b"[]" if kind != "same" else b"[" + ONE + b"]"
        return Answer(headers=[JSON, ("Link", follow + '; rel="next"')], body=body)
    return make


def redirects(kind):
    def make(handler):
        n = len(handler.server.requests)
        to = {"loop": handler.path, "longer": handler.path + "x" * 100, "count": f"/hop/resolve/{n}", "none": None, "file": "file:///etc/passwd",
              "gopher": "gopher://127.0.0.1:1/x", "bad": "http://[::1", "huge": "/resolve/" + "a" * 60000, "port": "http://127.0.0.1:99999/x",
              "control": "/resolve/a\x01b", "empty": ""}[kind]
        return Answer(302, headers=[("Location", to)] if to is not None else [])
    return make


def routes(revision=None, listing=None, resolve=None):
    return [(r"/api/models/.*/revision/", revision or info()), (r"/tree/", listing or tree(ONE)), (r"resolve/|/hop/", resolve or file())]


# name -> (routes, command after "download evil/repo", may it succeed)
CASES = {
    "plain": (routes(), [], True),
    "gzip bomb as revision": (routes(revision=lambda h: Answer(headers=[JSON, GZ], body=gzip_bomb(SPACES, 1024, b'{"sha":"%s"' % COMMIT.encode(), b"}"))), [], False),
    "gzip bomb as listing": (routes(listing=lambda h: Answer(headers=[JSON, GZ], body=gzip_bomb(SPACES, 1024, b"[", b"]"))), [], False),
    "gzip bomb as error": (routes(revision=lambda h: Answer(500, headers=[JSON, GZ], body=gzip_bomb(SPACES, 1024, b'{"error":"', b'"}'))), [], False),
    "gzip bomb as file": (routes(resolve=lambda h: Answer(headers=[GZ, ("ETag", '"%s"' % git_blob(CONTENT)), ("X-Repo-Commit", COMMIT)], body=gzip_bomb(SPACES, 1024))), [], False),
    "twice gzipped": (routes(revision=lambda h: Answer(headers=[JSON, ("Content-Encoding", "gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip")], body=gzip.compress(b"".join(gzip_bomb(SPACES, 64))))), [], False),
    "broken gzip": (routes(revision=lambda h: Answer(headers=[JSON, GZ], body=b"\x1f\x8b\x08\x00" + b"\xff" * 1000)), [], False),
    "unknown encoding": (routes(revision=lambda h: Answer(headers=[JSON, ("Content-Encoding", "evil")], body=info().body)), [], False),
    "deep arrays": (routes(revision=Answer(headers=[JSON], body=b"[" * 1000000)), [], False),
    "deep arrays that close": (routes(listing=Answer(headers=[JSON], body=b"[" * 1000000 + b"]" * 1000000)), [], False),
    "deep objects": (routes(revision=Answer(headers=[JSON], body=b'{"a":' * 500000)), [], False),
    "deep in an entry": (routes(listing=tree(b'{"type":"file","x":' + b"[" * 300000 + b"]" * 300000 + b"}")), [], False),
    "million siblings": (routes(revision=lambda h: Answer(headers=[JSON], body=lots(1000000))), [], True),
    "siblings without end": (routes(revision=lambda h: Answer(headers=[JSON], body=itertools.chain([b'{"sha":"%s","siblings":[' % COMMIT.encode()], endless(b'{"rfilename":"a"},' * 1000)))), [], False),
    "wide listing": (routes(listing=lambda h: Answer(headers=[JSON], body=wide_tree(300000))), ["f.txt", "--include", "f.txt"], True),
    "huge string": (routes(revision=lambda h: Answer(headers=[JSON], body=itertools.chain([b'{"sha":"'], endless(b"a" * 65536)))), [], False),
    "huge number": (routes(revision=Answer(headers=[JSON], body=b'{"sha":' + b"9" * 1000000 + b"}")), [], False),
    "many keys": (routes(revision=Answer(headers=[JSON], body=b'{"sha":"%s"' % COMMIT.encode() + b"".join(b',"k%d":0' % i for i in range(200000)) + b"}")), [], True),
    "same key": (routes(revision=Answer(headers=[JSON], body=b'{"sha":"%s"' % COMMIT.encode() + b',"k":0' * 500000 + b"}")), [], True),
    "megabyte header": (routes(revision=Answer(headers=[JSON, ("X-Big", "a" * (1 << 20))], body=info().body)), [], False),
    "megabyte header on a file": (routes(resolve=Answer(headers=[("ETag", '"%s"' % git_blob(CONTENT)), ("X-Big", "a" * (1 << 20))], body=CONTENT)), [], False),
    "hundred thousand headers": (routes(revision=Answer(headers=[JSON] + [("X-%d" % i, "a") for i in range(100000)], body=info().body)), [], False),
    "header line without end": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nX-A: ", forever=b"a" * 65536)), [], False),
    "headers without end": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\n", forever=b"X-A: b\r\n" * 4096)), [], False),
    "status line without end": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 ", forever=b"a" * 65536)), [], False),
    "only 100s": (routes(revision=lambda h: raw(h, forever=b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)), [], False),
    "only 103s": (routes(revision=lambda h: raw(h, forever=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000)), [], False),
    "no HTTP": (routes(revision=lambda h: raw(h, b"SSH-2.0-OpenSSH_9.2\r\n")), [], False),
    "HTTP/0.9": (routes(revision=lambda h: raw(h, info().body)), [], False),
    "NUL in a header": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\n{}")), [], False),
    "two lengths": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 100\r\n\r\n{}")), [], False),
    "negative length": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}")), [], False),
    "absurd length": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}")), [], False),
    "absurd chunk": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}")), [], False),
    "chunk extensions without end": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", forever=b"a" * 65536)), [], False),
    "trailers without end": (routes(revision=lambda h: raw(h, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", forever=b"X-A: b\r\n" * 4096)), [], False),
    "chunks without end as revision": (routes(revision=lambda h: Answer(headers=[JSON, CHUNKED], body=chunks(endless(b" " * 65536)))), [], False),
    "tiny chunks without end": (routes(revision=lambda h: Answer(headers=[JSON, CHUNKED], body=endless(b"1\r\n \r\n" * 8192))), [], False),
    "chunks without end as error": (routes(revision=lambda h: Answer(404, headers=[JSON, CHUNKED], body=chunks(endless(b" " * 65536)))), [], False),
    "chunks without end as file": (routes(resolve=lambda h: Answer(headers=[CHUNKED, ("ETag", '"%s"' % git_blob(CONTENT)), ("X-Repo-Commit", COMMIT)], body=chunks(endless(b" " * 65536)))), [], False),
    "chunks without end as one file": (routes(resolve=lambda h: Answer(headers=[CHUNKED, ("ETag", '"%s"' % git_blob(CONTENT)), ("X-Repo-Commit", COMMIT)], body=chunks(endless(b" " * 65536)))), ["f.txt", "--include", "f.txt"], False),
    "chunks without end as redirect": (routes(resolve=lambda h: Answer(302, headers=[CHUNKED, ("Location", "/x")], body=chunks(endless(b" " * 65536)))), [], False),
    "another file": (routes(resolve=lambda h: file(CONTENT.upper(), ETag='"%s"' % git_blob(CONTENT))), [], False),
    "longer file": (routes(resolve=lambda h: file(CONTENT * 2, ETag='"%s"' % git_blob(CONTENT))), [], False),
    **{f"pages: {kind}": (routes(listing=pages(kind)), [], kind == "x") for kind in ("same", "new", "foreign", "file", "long", "relative")},
    **{f"redirect: {kind}": (routes(resolve=redirects(kind)), [], False)
       for kind in ("loop", "longer", "count", "none", "file", "gopher", "bad", "huge", "port", "control", "empty")},
    **{f"one file, redirect: {kind}": (routes(resolve=redirects(kind)), ["f.txt"], False) for kind in ("loop", "longer", "count", "bad", "control")},
    **{f"sha: {json.dumps(sha)[:40]}": (routes(revision=info(sha=sha)), [], False)
       for sha in ("../../../../x", "", None, 1, [], "A" * 40, "0" * 39, "0" * 41, "0" * 39 + "\0", "0" * 39 + "/", "..", "a" * 100000)},
    **{f"X-Repo-Commit: {sha[:20]!r}": (routes(resolve=file(X_Repo_Commit=sha)), ["f.txt"], None)
       for sha in ("../../../../x", "..", "x/../../..", "0" * 39, "A" * 40, "a" * 5000)},
    **{f"ETag: {etag[:24]!r}": (routes(resolve=file(ETag=etag, X_Linked_ETag=etag)), ["f.txt"], None)
       for etag in ("../../../../x", '"../../../../x"', '"/etc/passwd"', '".."', '"."', '""', "", 'W/"../x"', '"a\\..\\b"', '"C:x"', '"' + "a" * 300 + '"', '"a.lock"',
                    '"a.incomplete"', '"x.libhf"', '"%2e%2e%2fx"', '"a b"', '"\x80\xff"', '"' + "a" * 5000 + '"', '"*"', '"-rf"', '".git"')},
    **{f"entry: {str(i)[:40]}": (routes(listing=tree(e)), [], False) for i, e in (
        ("size -1", {"type": "file", "oid": git_blob(CONTENT), "size": -1, "path": "f"}), ("size 2**70", b'{"type":"file","oid":"%s","size":1180591620717411303424,"path":"f"}' % git_blob(CONTENT).encode()),
        ("size text", {"type": "file", "oid": git_blob(CONTENT), "size": "1", "path": "f"}), ("size float", {"type": "file", "oid": git_blob(CONTENT), "size": 1e300, "path": "f"}),
        ("size 2**62", {"type": "file", "oid": git_blob(CONTENT), "size": 1 << 62, "path": "f"}), ("no oid", {"type": "file", "size": 1, "path": "f"}),
        ("oid climbs", {"type": "file", "oid": "../../../x", "size": len(CONTENT), "path": "f"}), ("oid long", {"type": "file", "oid": "a" * 5000, "size": len(CONTENT), "path": "f"}),
        ("lfs climbs", {"type": "file", "oid": git_blob(CONTENT), "size": 1, "path": "f", "lfs": {"oid": "../" * 20 + "xxxx", "size": 1}}),
        ("lfs wrong", {"type": "file", "oid": git_blob(CONTENT), "size": len(CONTENT), "path": "f", "lfs": {"oid": "0" * 64, "size": len(CONTENT)}}),
        ("both a file and a folder", b'{"type":"file","oid":"%s","size":%d,"path":"a"},' % (git_blob(CONTENT).encode(), len(CONTENT)) + entry(b'"a/b"')),
        ("wrong hash", {"type": "file", "oid": "0" * 40, "size": len(CONTENT), "path": "f"}))},
    "listing is an object": (routes(listing=Answer(headers=[JSON], body=b'{"error":"x"}')), [], False),
    "listing of numbers": (routes(listing=Answer(headers=[JSON], body=b"[1,2,3]")), [], None),
    "html": (routes(revision=Answer(headers=[("Content-Type", "text/html")], body=b"<html>login</html>")), [], False),
}


def blobs_are_true(target):
    """Every published blob that is named by a hash has it."""
    for blob in target.glob("cache/*/blobs/*"):
        content = blob.read_bytes()
        want = {40: git_blob(content), 64: hashlib.sha256(content).hexdigest()}.get(len(blob.name))
        if want and re.fullmatch("[0-9a-f]+", blob.name) and want != blob.name:
            return f"blob {blob.name} has other content"
    return None


problems, base = [], None
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-servers-"))
with Mock() as server:
    for name, (table, arguments, may) in CASES.items():
        if options.only and name != "plain" and options.only not in name:
            continue
        target = work / "l1/l2/l3/l4/target"
        (target / "home").mkdir(parents=True)
        server.set(table)
        r = run([options.bin.parent / "tests/bench-spawn", options.bin / "hf", "download", "evil/repo", *arguments, "--cache-dir", target / "cache"],
                environment(target / "home", server.url), timeout=WALL + 15)
        base = base or r.rss
        over = (r.rss - base) / 2**20
        print(f"{name}: exit {r.code}, {r.seconds:.2f} s, cpu {r.cpu:.2f} s, {over:+.1f} MiB, {len(server.requests)} requests: "
              f"{r.err.decode('utf-8', 'backslashreplace').strip().splitlines()[0][:110] if r.err.strip() else ''}")
        for bad, text in ((r.code not in (0, 1), f"exit {r.code}"), (may is True and r.code != 0, "failed: " + r.err[-200:].decode(errors="replace")),
                          (may is False and r.code == 0, "succeeded"), (r.code == 1 and b"Error" not in r.err, "failed without a word"),
                          (r.rss - base > MEMORY and not SANITIZED, f"{over:.0f} MiB over the base line"), (r.cpu > CPU, f"{r.cpu:.1f} CPU seconds"),
                          (r.seconds > WALL, f"took {r.seconds:.0f} s"), (len(server.requests) > 1100, f"{len(server.requests)} requests"),
                          (b"\0" in r.err, "NUL in the message")):
            if bad:
                problems.append(f"{name}: {text}")
        wrong = blobs_are_true(target)
        if wrong:
            problems.append(f"{name}: {wrong}")
        around = sorted(str(p.relative_to(work)) for p in work.rglob("*") if target not in p.parents and p != target and p not in target.parents)
        if around:
            problems.append(f"{name}: outside of the target: {around}")
        for link in target.rglob("*"):
            if link.is_symlink() and not os.path.realpath(link).startswith(str(target)):
                problems.append(f"{name}: {link} leads to {os.readlink(link)}")
        shutil.rmtree(work / "l1")
shutil.rmtree(work, ignore_errors=True)
for line in problems:
    print("PROBLEM", line)
print(f"hostile.servers: {len(CASES)} cases, {len(problems)} problems")
sys.exit(1 if problems else 0)
