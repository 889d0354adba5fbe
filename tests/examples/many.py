#!/usr/bin/env python3
"""Runs many (100,000 operations in one hf_create_commit) against hf-devhub and checks what the repo holds afterwards.

many.py --build DIR; exit 1 and the difference when something is wrong.
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--build", type=pathlib.Path, required=True)
build = parser.parse_args().build.resolve()
AUTH = {"authorization": "Bearer hf_many"}


def entries(hub):
    """Path and object id of every file."""
    found, url = {}, hub.url + "/api/models/me/many/tree/main?recursive=true&limit=1000"
    while url:
        with urllib.request.urlopen(urllib.request.Request(url, headers=AUTH), timeout=60) as answer:
            found.update((row["path"], row["oid"]) for row in json.load(answer) if row["type"] == "file")
            link = answer.headers.get("link")
        url = link[1:].split(">")[0] if link else None
    return found


def git_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


with tempfile.TemporaryDirectory() as home, Hub(build / "bin", extra=["--token", "me:hf_many:write"]) as hub:
    env = clean_environment(pathlib.Path(home), hub.url, LD_LIBRARY_PATH=build / "lib", HF_TOKEN="hf_many")
    hub.call("POST", "/api/repos/create", {"name": "many", "organization": "me", "type": "model"}, AUTH)
    done = subprocess.run([build / "tests/many", "me/many"], env=env, capture_output=True, text=True, timeout=400)
    if done.returncode:
        sys.exit(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    have = entries(hub)
    have.pop(".gitattributes", None)
    want = {f"d{i % 100:02}/f{i}.txt": git_oid(b"text %d" % i) for i in range(60000, 100000)}
    commits = [c["title"] for c in json.loads(hub.call("GET", "/api/models/me/many/commits/main", None, AUTH))]
    kib = int(done.stdout.split()[-1])
    if have != want:
        sys.exit(f"{len(have)} files, expected {len(want)}; {sorted(set(have) ^ set(want))[:5]}")
    if commits[:2] != ["second", "first"]:
        sys.exit(f"commits {commits}")
    if kib > 256 << 10 and not any(k.endswith("SAN_OPTIONS") for k in os.environ):
        sys.exit(f"{kib} KiB of memory")
    print(f"100000 operations, {kib} KiB")
