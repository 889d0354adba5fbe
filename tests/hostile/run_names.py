#!/usr/bin/env python3
"""Downloads repos whose files have hostile names, over the cache and over a folder; nothing may appear outside of the target.

run_names.py --bin DIR [--sample N] [--seed N] [--jobs N]. Every run has folders of its own around its target; what lies in
them is compared before and after, and a file that was published must be the right one, under its very name.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata

import names
from mock import COMMIT, CONTENT, Mock, differences, entry, environment, file, info, picture, run, tree

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
parser.add_argument("--sample", type=int, default=0, help="so many names, 0: all")
parser.add_argument("--seed", type=int, default=int(os.environ.get("HF_TEST_SEED") or int.from_bytes(os.urandom(4), "big")))
parser.add_argument("--jobs", type=int, default=3)
parser.add_argument("--one-store", action="store_true", help="each name over the cache or over a folder, in turn")
parser.add_argument("--only", help="label")
options = parser.parse_args()
options.bin = options.bin.resolve()
WORD = "escaped-%08x" % options.seed
table = [row for row in names.rows(WORD) if not options.only or row[0] == options.only]
if options.sample and options.sample < len(table):
    table = random.Random(options.seed).sample(table, options.sample)
print(f"names: {len(table)}, seed {options.seed}")
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-names-"))
problems = []
LEVELS = 9


def folded(path):
    """What a file system that is loose about names takes this path for: case, ignorable characters, trailing dots and spaces, streams."""
    text = path.decode("utf-8", "replace")
    text = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf" and c != "\u034f")
    return [part.split(":")[0].rstrip(". ").lower() for part in text.replace("\\", "/").split("/") if part not in ("", ".")]


def is_ours(path):
    parts = folded(path)
    return ".git" in parts or "git~1" in parts or parts[:2] == [".cache", "huggingface"]


def surroundings(number, store):
    """.../1/2/.../9/target with a canary in every folder on the way."""
    top = work / f"{number}-{store}"
    at = top
    for level in range(LEVELS):
        at = at / f"l{level}"
        at.mkdir(parents=True)
        (at / "canary").write_text(f"canary {level}\n")
    out = top / "out"
    out.mkdir()
    (out / "canary").write_text("canary\n")
    target = at / "target"
    (target / "home").mkdir(parents=True)
    return top, out, target


def judge(label, body, path, store, target, result, top, before):
    def say(text):
        problems.append(f"{label} {body[:120]!r} in {store}: {text}")

    if result.timed_out:
        say("still running after 30 s")
    if result.code not in (0, 1):
        say(f"exit {result.code}: {result.err[-300:]!r}")
    for name in differences(before, picture(top, target)):
        say(f"touched {name!r}")
    told = result.out + result.err
    if b"\x1b]0" in told or b"\x1b[2J" in told or any(b < 32 and b not in (9, 10, 13, 27) for b in told):
        say(f"control characters reach the terminal: {told[-200:]!r}")
    base = os.fsencode(str(target / "files" if store == "local-dir" else target / "cache" / "models--evil--repo" / "snapshots" / COMMIT))
    if result.code == 1 and not result.err.strip():
        say("failed without a word")
    if result.code == 0:
        full = base + b"/" + path if path is not None else None
        try:
            right = full is not None and open(full, "rb").read() == CONTENT
        except OSError:
            right = False
        if not right:
            say("exit 0 without the file")
        if full and not os.path.realpath(full).startswith(os.path.realpath(os.fsencode(str(target)))):
            say("a link leads out of the target")
        if store == "local-dir" and path is not None and is_ours(path):
            say("a place that other programs or we ourselves trust was written to")
    for name, what in picture(target).items():
        if what[0] == "link" and (os.path.isabs(what[1]) or not os.path.realpath(name).startswith(os.path.realpath(os.fsencode(str(target))))):
            say(f"link {name!r} leads to {what[1]!r}")
        if store == "local-dir" and result.code and name.startswith(base + b"/"):
            rest = name[len(base) + 1:]
            if what[0] == "file" and what[2] == __import__("hashlib").sha256(CONTENT).hexdigest() and rest != path:
                say(f"the file is published as {rest!r}")


def one(number):
    label, body, path = table[number]
    for store in (("cache", "local-dir")[number % 2],) if options.one_store else ("cache", "local-dir"):
        top, out, target = surroundings(number, store)
        mine = body.replace(b"{OUT}", os.fsencode(str(out)))
        at = path.replace(b"{OUT}", os.fsencode(str(out))) if path is not None else None
        server.server.bodies[number] = mine
        before = picture(top, target)
        env = environment(target / "home", f"{server.url}/{number}")
        where = ["--local-dir", target / "files"] if store == "local-dir" else ["--cache-dir", target / "cache"]
        result = run([options.bin / "hf", "download", "evil/repo", *where], env, timeout=30)
        judge(label, mine, at, store, target, result, top, before)
        codes[store][result.code] = codes[store].get(result.code, 0) + 1
        subprocess.run(["rm", "-rf", "--", str(top)], check=False)  # deeper than rmtree goes


def listed(handler):
    number = int(handler.path.split("/")[1])
    return tree(entry(server.server.bodies[number]))


codes = {"cache": {}, "local-dir": {}}
outside = [pathlib.Path(p) for p in ("/", "/tmp", "/etc", "/dev/shm", os.path.expanduser("~"), os.getcwd())]
with Mock([(r"/api/models/evil/repo/revision/", info()), (r"/tree/", listed), (r"/resolve/", file())]) as server:
    server.server.bodies = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(one, i) for i in range(len(table))]:
            done.result()
if sorted(os.listdir(work)):
    problems.append(f"left beside the runs: {os.listdir(work)}")
for place in outside:
    if place.is_dir():
        problems += [f"{place}/{n} appeared" for n in os.listdir(place) if WORD in n]
shutil.rmtree(work, ignore_errors=True)
print("exit codes:", json.dumps(codes))
# A table that every server refuses would prove nothing: some of these names are fine.
if not options.only and min(codes[s].get(0, 0) for s in codes) * 40 < len(table):
    problems.append("hardly any name was accepted: the test is not testing")
for line in problems[:60]:
    print(line)
print(f"hostile.names: {len(problems)} problems")
sys.exit(1 if problems else 0)
