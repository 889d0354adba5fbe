#!/usr/bin/env python3
"""Runs the reference client and ours with the same command lines and compares what they ask for: method, address, query, token, headers
and body of every request, with exit codes, output and the files that are left.

compare_requests.py --bin build/bin [--reference /path/to/hf] [--only WORD] [--every N --seed S] [--show] [--lines FILE]; HF_REFERENCE names the
reference's hf too. Exit 1: differences, 77: the reference is not there. Lines of requests.txt are asked of a server with a
table of answers (answers.json), with them the "pair" lines of lines.txt of hf-devhub, each client on its own.
"""
import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from canned import Canned
from clients import TOKEN, Clients, Pair, arguments, clean_environment, no_commits, normal, split

options = arguments("requests.txt")
clients = Clients(options)


# Hosts beside the Hub; both programs find them at the server with the canned answers.
HOSTS = ("https://api.endpoints.huggingface.cloud", "https://endpoints.huggingface.co", "https://datasets-server.huggingface.co")


class Answers:
    """Two servers of canned answers."""

    def __init__(self):
        answers = json.loads(pathlib.Path(__file__).with_name("answers.json").read_text())
        self.hubs = [Canned(answers, TOKEN) for _ in range(2)]

    def close(self):
        for hub in self.hubs:
            hub.close()


# Headers that say who asks or how the library works, and are listed in docs/differences.md.
OWN_HEADERS = {"host", "connection", "accept-encoding", "x-amzn-trace-id", "content-length", "transfer-encoding"}


def asked(row, url):
    """A request in one line: what both must send alike."""
    headers = {k: v.replace(url, "{hub}") for k, v in row["headers"].items() if k not in OWN_HEADERS}
    headers["user-agent"] = re.sub(r"; (python|libhf|torch)/[^;]*", "", headers.get("user-agent", ""))
    if row["path"].startswith(("/oauth/", "/papers/", "/api/papers/")): # where the reference says nothing but its HTTP library
        headers.pop("user-agent")
    body = row.get("body", "").replace(url, "{hub}")
    return f"{row['method']} {row['path']} token={row['token']} {json.dumps(headers, sort_keys=True)} {body}"


def left(where):
    """Every file that a session leaves behind, with mode, and content where it is short text."""
    found = {}
    for path in sorted(where.rglob("*")):
        name = str(path.relative_to(where))
        if path.name in (".agent_harnesses.json", "CACHEDIR.TAG") or path.is_dir() and not path.is_symlink() or name.endswith(".lock") \
                or name.startswith(("cache/", "hf/xet/logs/")):
            continue
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        else:
            data = path.read_bytes()
            found[name] = f"{path.stat().st_mode & 0o777:o} {len(data)}" + (
                " " + repr(data.decode("utf-8", "replace")) if len(data) < 4096 else "")
    return found


def session(program, hub, line):
    """What each command of a line ends with, prints and asks for, and what they leave behind."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="hf-compare-"))
    for folder in ("work", "hf"):
        (where / folder).mkdir()
    hub.reset()
    done, seen = [], 0
    for part in line.split(" && "):
        words, extra = split(part)
        moved = {"HF_URL_REWRITE": ";".join(f"{host}={hub.url}" for host in HOSTS)} if words[0] == "endpoints" else {}
        extra = {"HF_TOKEN": TOKEN, **moved, **{k: v.replace("{hub}", hub.url) for k, v in extra.items()}}
        if words[0] == "sh": # makes what the next commands find
            subprocess.run(words[1], shell=True, cwd=where / "work", check=True,
                           env=clean_environment(where, hub.url, PYTHON=sys.executable, **extra))
            continue
        typed = extra.pop("STDIN", "").replace("\\n", "\n")
        code, *texts = clients.run(program, words, where / "work", clean_environment(where, hub.url, **extra), typed)
        for host in HOSTS:
            texts = [text.replace(host, hub.url) for text in texts]
        rows = hub.log()
        requests = [no_commits(asked(r, hub.url)).replace(str(where), "{where}") for r in rows[seen:] if r["path"] != "/api/agent-harnesses"]
        seen = len(rows)
        done.append((part, {"exit code": code, "requests": requests,
                            **{what: no_commits(normal(text, where, hub.url)) for what, text in zip(("stdout", "stderr"), texts)}}))
    files = {n: re.sub(r"expires_at = \d{10}", "expires_at = (time)", t).replace(hub.url, "{hub}").replace(str(where), "{where}") for n, t in left(where).items()}
    shutil.rmtree(where, ignore_errors=True)
    return done + [("(files left)", files)]


def changes(mine, its):
    """Where two lists of requests differ."""
    for line in difflib.unified_diff(its, mine, "reference", "ours", lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            yield "    " + line


def compare_pair(line, pair):
    theirs = session(clients.theirs, pair.hubs[0], line)
    ours = session(clients.ours, pair.hubs[1], line)
    different = False
    for (part, its), (_, mine) in zip(theirs, ours):
        if mine == its and not options.show:
            continue
        different = different or mine != its
        print(f"$ hf {part}")
        for what in sorted({**its, **mine}):
            if mine.get(what) == its.get(what) and not options.show:
                continue
            if what == "requests":
                print("  requests\n" + "\n".join(changes(mine[what], its[what]) if mine != its else ["    " + r for r in mine[what]]))
            else:
                print(f"  {what}\n    reference {its.get(what)!r}\n    ours      {mine.get(what)!r}", flush=True)
    if different:
        print(f"in: {line}", flush=True)
    return different


def lines():
    """What to compare, by kind."""
    for text in options.lines.read_text().splitlines():
        if text and not text.startswith("#"):
            yield "canned", text
    pairs = pathlib.Path(__file__).with_name("lines.txt") if options.lines.name == "requests.txt" else None
    for text in pairs.read_text().splitlines() if pairs else ():
        if text.startswith("pair "):
            yield "pair", text.partition(" ")[2]


def main():
    servers, counts = {}, [0, 0]
    try:
        for number, (kind, line) in enumerate(lines()):
            if (number + options.seed) % options.every or options.only not in line:
                continue
            if kind == "pair" and not (options.bin / "hf-devhub").exists():
                continue
            servers[kind] = servers.get(kind) or (Pair(options) if kind == "pair" else Answers())
            counts[0] += 1
            counts[1] += compare_pair(line, servers[kind])
    finally:
        for each in servers.values():
            each.close()
    print(f"{counts[0]} command lines, {counts[1]} different")
    return 1 if counts[1] and not options.show else 0


sys.exit(main())
