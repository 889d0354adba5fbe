#!/usr/bin/env python3
"""Runs the reference client and ours with the same command lines and compares what they ask for: method, address, query, token, headers
and body of every request, with exit codes, output and the files that are left.

compare_requests.py --bin build/bin [--reference /path/to/hf] [--only WORD] [--every N --seed S] [--show] [--lines FILE]; HF_REFERENCE names the
reference's hf too. Exit 1: differences, 77: the reference is not there. Lines of requests.txt are asked of a server with a
table of answers (answers.json), the "pair" lines of lines.txt of hf-devhub, each client on its own.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402
from canned import Canned  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True, help="where hf and hf-devhub are")
parser.add_argument("--reference", default=os.environ.get("HF_REFERENCE"))
parser.add_argument("--lines", type=pathlib.Path, default=pathlib.Path(__file__).with_name("requests.txt"))
parser.add_argument("--only", default="", help="only lines that contain this")
parser.add_argument("--every", type=int, default=1, help="only every Nth line, starting where --seed says")
parser.add_argument("--seed", type=int, default=int(os.environ.get("HF_TEST_SEED") or time.time()))
parser.add_argument("--show", action="store_true", help="print what both wrote, equal or not")
options = parser.parse_args()
options.bin = options.bin.resolve()
if not options.reference: # the one that the interop tests installed
    options.reference = str(options.bin.parent / "reference/bin/hf")
if not shutil.which(options.reference):
    print("SKIPPED: no reference client (HF_REFERENCE or --reference names its hf)")
    sys.exit(77)

class Reference:
    """Starts the reference's command lines from one process that has its libraries loaded; they read their environment themselves."""

    def __init__(self):
        python = pathlib.Path(options.reference).parent / "python"
        forked = pathlib.Path(__file__).resolve().parent.parent / "cache/forked.py"
        self.process = subprocess.Popen([str(python), str(forked), "--fresh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=clean_environment(pathlib.Path(tempfile.gettempdir()))) if python.exists() else None

    def run(self, words, cwd, env, typed):
        row = {"argv": words, "cwd": str(cwd), "env": env, "stdin": typed, "program": options.reference}
        self.process.stdin.write(json.dumps(row) + "\n")
        self.process.stdin.flush()
        row = json.loads(self.process.stdout.readline())
        return row["code"], row["out"], row["err"]


reference = Reference()


def started(program, words, cwd, env, typed):
    if program == options.reference and reference.process:
        return reference.run(words, cwd, env, typed)
    done = subprocess.run([program, *words], cwd=cwd, env=env, capture_output=True, timeout=120, input=typed.encode())
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


TINY = {"config.json": '{"model_type": "tiny"}\n', "README.md": "---\nlicense: mit\n---\n# Tiny\n", "sub/a.txt": "a\n",
        "sub/deep/b.bin": {"text": "0123456789", "size": 20000}, "model.safetensors": {"text": "x", "repeat": 300000}}


def fill(hub):
    hub.add_files("me/tiny", TINY)
    hub.add_files("me/data", {"README.md": "# Data\n", "data/train.csv": "a,b\n1,2\n"}, "--type", "dataset")
    hub.add_files("me/app", {"README.md": "---\nsdk: static\n---\n", "app.py": "print(1)\n"}, "--type", "space")
    hub.add_files("me/secret", {"config.json": "{}\n"}, "--private")
    hub.add_files("me/gated", {"config.json": "{}\n"}, "--gated")


def normal(text, where, url):
    """What may differ: scratch folders, times of bars, request ids, help sentences, where a Python warning comes from."""
    text = text.replace(str(where), "{where}")
    if url:
        text = text.replace(url, "{hub}")
    text = re.sub(r"\(Request ID: [^)]*\)", "(Request ID)", text)
    text = re.sub(r"(\n\nAvailable (?:options|commands) for '[^']*':\n)(?:  .*\n)+", r"\1  ...\n", text)
    text = re.sub(r"\r([^\r\n]*?): +\d+(?:%\||it \[)[^\r\n]*", r"\r\1: ...", text)
    text = re.sub(r"(\r[^\r\n]*)(?:\1)+", r"\1", text)
    text = re.sub(r"^\S+\.py:\d+: UserWarning: (.*)\n(?:  .*\n)?", r"UserWarning: \1\n", text, flags=re.M)
    text = re.sub(r"^Traceback \(most recent call last\):\n(?:.*\n)*", "Traceback\n", text, flags=re.M)
    return text


TOKEN = "hf_compare_token_0001"


class Pair:
    """Two hubs with the same content, one for each client; started when the first line needs them."""

    def __init__(self):
        tokens = ["--token", f"me:{TOKEN}", "--token", "ro:hf_compare_reader_1:read", "--log-bodies", "64KiB"]
        self.hubs = [Hub(options.bin, extra=tokens) for _ in range(2)]
        for hub in self.hubs:
            fill(hub)

    def close(self):
        for hub in self.hubs:
            hub.close()


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
                or name.startswith("cache/"):
            continue
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        else:
            data = path.read_bytes()
            found[name] = f"{path.stat().st_mode & 0o777:o} {len(data)}" + (
                " " + repr(data.decode("utf-8", "replace")) if len(data) < 4096 else "")
    return found


def session(program, hub, line):
    """What the commands of a line print, ask for and leave behind."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="hf-compare-"))
    for folder in ("work", "hf"):
        (where / folder).mkdir()
    hub.reset()
    codes, outs, errs = [], [], []
    for part in line.split(" && "):
        words, extra = shlex.split(part), {"HF_TOKEN": TOKEN}
        while words and re.match(r"[A-Z_]+=", words[0]):
            key, value = words.pop(0).split("=", 1)
            extra[key] = value.replace("{hub}", hub.url)
        if words[0] == "sh": # makes what the next commands find
            subprocess.run(words[1], shell=True, cwd=where / "work", check=True,
                           env=clean_environment(where, hub.url, PYTHON=sys.executable, **extra))
            continue
        typed = extra.pop("STDIN", "").replace("\\n", "\n")
        code, *texts = started(program, words, where / "work", clean_environment(where, hub.url, **extra), typed)
        codes.append(code)
        for all_of, text in zip((outs, errs), texts):
            all_of.append(re.sub(r"\b[0-9a-f]{40}\b", "{commit}", normal(text, where, hub.url)))
    files = {n: re.sub(r"expires_at = \d{10}", "expires_at = (time)", t).replace(hub.url, "{hub}").replace(str(where), "{where}") for n, t in left(where).items()}
    requests = [re.sub(r"\b[0-9a-f]{40}\b", "{commit}", asked(r, hub.url)).replace(str(where), "{where}") for r in hub.log() if r["path"] != "/api/agent-harnesses"]
    shutil.rmtree(where, ignore_errors=True)
    return codes, outs, errs, requests, files


def changed(mine, its):
    """Of two lists or mappings, only what is not in both."""
    if isinstance(mine, dict):
        return ({k: v for k, v in mine.items() if its.get(k) != v}, {k: v for k, v in its.items() if mine.get(k) != v})
    if len(mine) == len(its):
        at = [i for i, (a, b) in enumerate(zip(mine, its)) if a != b]
        return [f"{i + 1}: {mine[i]!r}" for i in at], [f"{i + 1}: {its[i]!r}" for i in at]
    only = [line for line in difflib.ndiff(list(map(str, its)), list(map(str, mine))) if line[0] in "+-"]
    return [line[2:] for line in only if line[0] == "+"], [line[2:] for line in only if line[0] == "-"]


def compare_pair(line, pair):
    theirs = session(options.reference, pair.hubs[0], line)
    ours = session(str(options.bin / "hf"), pair.hubs[1], line)
    problems = []
    for what, mine, its in zip(("exit codes", "stdout", "stderr", "requests", "files"), ours, theirs):
        if mine == its and not options.show:
            continue
        mine, its = (mine, its) if options.show else changed(mine, its)
        if isinstance(mine, list):
            mine, its = ("\n      ".join(map(str, m)) for m in (mine, its))
            problems.append(f"  {what}\n    reference\n      {its}\n    ours\n      {mine}")
        else:
            problems.append(f"  {what}\n    reference {its!r}\n    ours      {mine!r}")
    if problems:
        print(f"$ hf {line}\n" + "\n".join(problems), flush=True)
    return bool(problems)


def lines():
    """What to compare, by kind."""
    for text in options.lines.read_text().splitlines():
        if text and not text.startswith("#"):
            yield "canned", text
    for text in pathlib.Path(__file__).with_name("lines.txt").read_text().splitlines():
        if text.startswith("pair "):
            yield "pair", text.partition(" ")[2]


def main():
    servers, counts = {}, [0, 0]
    try:
        print(f"seed {options.seed}: every {options.every}. line")
        for number, (kind, line) in enumerate(lines()):
            if (number + options.seed) % options.every or options.only not in line:
                continue
            if kind == "pair" and not (options.bin / "hf-devhub").exists():
                continue
            servers[kind] = servers.get(kind) or (Pair if kind == "pair" else Answers)()
            counts[0] += 1
            counts[1] += compare_pair(line, servers[kind])
    finally:
        for each in servers.values():
            each.close()
    print(f"{counts[0]} command lines, {counts[1]} different")
    return 1 if counts[1] and not options.show else 0


sys.exit(main())
