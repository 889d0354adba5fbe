#!/usr/bin/env python3
"""Gives a token that is unique to this run to the program in every way it can be given, and looks for it everywhere else.

canary.py --bin DIR. Looked into: stdout, stderr, the trace, logs at the highest level, every file that was written, the command line in
/proc while the program runs, its children's environment, and what a crash leaves behind.
"""
import argparse
import base64
import os
import pathlib
import resource
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "hostile"))
from mock import COMMIT, CONTENT, Answer, Mock, entry, environment, file, info, run, tree  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
options = parser.parse_args()
options.bin = options.bin.resolve()
TOKEN = "hf_" + secrets.token_hex(17)
SIGNATURE = secrets.token_hex(20)  # of a signed address: as good as a token
PASSWORD = secrets.token_hex(12)   # of a proxy
VALUE = secrets.token_hex(16)      # of a secret variable
SHAPES = {"token": [TOKEN, base64.b64encode(TOKEN.encode()).decode().rstrip("="), TOKEN[3:20], urllib.parse.quote(TOKEN[::-1])],
          "signature": [SIGNATURE], "secret": [VALUE], "password": [PASSWORD, base64.b64encode(f"user:{PASSWORD}".encode()).decode().rstrip("=")]}
problems, looked = [], 0
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-canary-"))


def look(where, data, kinds=SHAPES):
    global looked
    looked += 1
    for kind in kinds:
        for shape in SHAPES[kind]:
            if shape.encode() in data:
                at = data.index(shape.encode())
                problems.append(f"{where}: the {kind} is in {data[max(0, at - 60):at + 10]!r}...")


def look_at_files(name, home, allowed=()):
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in allowed:
            look(f"{name}: file {path.relative_to(work)}", path.read_bytes())


def away(handler):
    to = f"{other.url}/cdn/f?X-Amz-Signature={SIGNATURE}&Signature={SIGNATURE}&Key-Pair-Id=K"
    return Answer(302, headers=[("Location", to), ("ETag", '"x"'), ("X-Linked-ETag", f'"{"0" * 64}"'), ("X-Linked-Size", "5"), ("X-Repo-Commit", COMMIT)])


def echo(status):
    """A server that sends back what it got, as some do in their errors."""
    return lambda handler: Answer(status, headers=[("X-Error-Message", f"bad {handler.headers.get('Authorization')}"), ("WWW-Authenticate", f"x {handler.headers.get('Authorization')}")],
                                  body=f'{{"error":"you sent {handler.headers.get("Authorization")}"}}'.encode())


ROUTES = {
    "fine": [(r"/whoami", Answer(body=b'{"type":"user","name":"me","auth":{"accessToken":{"displayName":"x","role":"read"}}}')), (r"/revision/", info()), (r"/tree/", tree(entry(b'"f.txt"'))), (r"/resolve/", file())],
    "signed": [(r"/revision/", info()), (r"/tree/", tree(entry(b'"f.txt"'))), (r"/resolve/", away)],
    **{f"echo {s}": [(r".", echo(s))] for s in (400, 401, 403, 404, 429, 500)},
    "loop": [(r".", lambda h: Answer(302, headers=[("Location", h.path)]))],
    "token in the target": [(r".", lambda h: Answer(302, headers=[("Location", f"http://user:{TOKEN}@127.0.0.1:9/x?token={TOKEN}")]))],
    "no answer": [(r".", lambda h: "done")],
}
COMMANDS = [["download", "a/b"], ["download", "a/b", "f.txt"], ["models", "info", "a/b"], ["models", "list"], ["auth", "whoami"], ["download", "a/b", "--format", "json"], ["env"]]
WAYS = ["environment", "option", "option=", "file"]
LOUD = {"HF_DEBUG": "1", "HF_HUB_VERBOSITY": "debug", "HF_LOG": "trace", "HF_LOG_LEVEL": "trace"}

with Mock() as hub, Mock() as other:
    other.set([(r"/cdn/", Answer(body=b"12345"))])
    number = 0
    for situation, rows in ROUTES.items():
        hub.set(rows)
        for k, command in enumerate(COMMANDS):
            if situation not in ("fine", "echo 401", "signed") and k > 3:
                continue
            number += 1
            way = WAYS[number % 4]
            home = work / f"home{number}"
            (home / "hf").mkdir(parents=True)
            trace = home / "trace.jsonl"
            env = environment(home, hub.url, HF_TRACE=str(trace), HF_TRIES="1", TMPDIR=str(home), **LOUD)
            words, allowed = list(command), []
            if way == "environment":
                env["HF_TOKEN"] = TOKEN
            elif way == "file" or command == ["env"]:
                (home / "hf/token").write_text(TOKEN)
                os.chmod(home / "hf/token", 0o600)
                allowed.append(home / "hf/token")
            elif way == "option":
                words += ["--token", TOKEN]
            else:
                words += [f"--token={TOKEN}"]
            name = f"{situation}: {' '.join(command)} ({way})"
            r = run([options.bin / "hf", *words, "--trace", home / "trace2.jsonl"], env, timeout=40)
            if r.code not in (0, 1, 2):
                problems.append(f"{name}: exit {r.code}")
            look(f"{name}: stdout", r.out)
            look(f"{name}: stderr", r.err)
            look_at_files(name, home, allowed)

    # commands that change something, with secrets of their own: typed, from a file, from the environment
    for situation in ("fine", "echo 400", "echo 403"):
        hub.set([(r"/(repos/create|secrets|webhooks)", Answer(body=b'{"url":"http://x/a/b","webhook":{"id":"w"}}')), (r"/collections", Answer(body=b'{"slug":"a/b"}')), *ROUTES[situation]]
                if situation == "fine" else ROUTES[situation])
        for k, command in enumerate((["repos", "create", "a/b", "--type", "space", "--sdk", "static", "-s", f"K={VALUE}"], ["spaces", "secrets", "add", "a/b", "-s", f"K={VALUE}"],
                                     ["spaces", "secrets", "add", "a/b", "--secrets-file", "secrets.env"], ["spaces", "secrets", "add", "a/b", "-s", "KEPT"],
                                     ["webhooks", "create", "--watch", "model:a/b", "--url", "http://x", "--secret", VALUE], ["webhooks", "create", "--watch", "model:a/b", "--job-id", "j", "-s", f"K={VALUE}"],
                                     ["repos", "delete", "a/b", "-y"], ["discussions", "create", "a/b", "--title", "t"], ["collections", "create", "t"], ["repos", "tag", "list", "a/b"], ["cache", "prune", "-y"],
                                     ["auth", "login", "--token", TOKEN], ["auth", "list"], ["auth", "switch", "--token-name", "x"], ["auth", "logout"])):
            number += 1
            home = work / f"write{number}"
            (home / "hf").mkdir(parents=True)
            note = home / "secrets.env"
            note.write_text(f"K={VALUE}\n")
            note.chmod(0o600)
            env = environment(home, hub.url, HF_TRACE=str(home / "trace.jsonl"), HF_TRIES="1", TMPDIR=str(home), KEPT=VALUE, **LOUD)
            allowed = [note, home / "hf/token", home / "hf/stored_tokens"]
            if command[0] != "auth":
                env["HF_TOKEN"] = TOKEN
            elif k % 2:
                (home / "hf/stored_tokens").write_text(f"[x]\nhf_token = {TOKEN}\n\n")
            name = f"{situation}: {' '.join(command)}".replace(VALUE, "(secret)").replace(TOKEN, "(token)")
            r = run([options.bin / "hf", *(str(note) if w == "secrets.env" else w for w in command)], env, timeout=40)
            if r.code not in (0, 1, 2):
                problems.append(f"{name}: exit {r.code}")
            look(f"{name}: stdout", r.out)
            look(f"{name}: stderr", r.err)
            look_at_files(name, home, allowed)
            for path in allowed[1:]:
                if path.exists() and path.name == "token" and stat.S_IMODE(path.stat().st_mode) & 0o077:
                    problems.append(f"{name}: {path.name} may be read by others")

    # a proxy with a password, which fails
    home = work / "proxy"
    home.mkdir()
    for variable in ("HTTP_PROXY", "HF_PROXY", "ALL_PROXY"):
        env = environment(home, "http://hub.example", HF_TOKEN=TOKEN, HF_TRIES="1", **LOUD, **{variable: f"http://user:{PASSWORD}@127.0.0.1:9"})
        env.pop("NO_PROXY")
        r = run([options.bin / "hf", "download", "a/b"], env, timeout=40)
        look(f"{variable}: stdout", r.out)
        look(f"{variable}: stderr", r.err)

    # while it runs: the command line, the children, a crash
    hub.set([(r".", lambda h: (time.sleep(0.5 if "harness" in h.path else 4), Answer(500))[1])])
    core = work / "core"
    core.mkdir()

    def unlimited():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    for words in (["--token", TOKEN], [f"--token={TOKEN}"]):
        env = environment(core, hub.url, HF_TRIES="1")
        process = subprocess.Popen([str(options.bin / "hf"), "download", "a/b", "f.txt", *words], env=env, cwd=core, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=unlimited)
        for _ in range(2000):
            if any(TOKEN in str(r[2]) for r in list(hub.requests) if r):
                break
            time.sleep(0.01)
        look("/proc/PID/cmdline", pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes())
        look("/proc/PID/environ", pathlib.Path(f"/proc/{process.pid}/environ").read_bytes())
        process.send_signal(signal.SIGSEGV)
        process.wait()
        if process.returncode != -signal.SIGSEGV:
            problems.append(f"the crash did not happen: {process.returncode}")
        if not [r for r in hub.requests if r and TOKEN in str(r[2])]:
            problems.append("the token that was given was not sent: the test is not testing")
        hub.requests.clear()
    for left in core.rglob("*"):
        if left.is_file():
            look(f"after a crash: {left}", left.read_bytes())
        if left.name.startswith("core"):
            problems.append(f"a crash wrote {left}")

    # children: git's helper and the judge of plugins
    home = work / "children"
    (home / "bin").mkdir(parents=True)
    seen = home / "seen"
    for program in ("git", "hf-plugin-check"):
        tool = home / "bin" / program
        tool.write_text(f"#!/bin/sh\n{{ echo \"$0 $*\"; tr '\\0' '\\n' < /proc/$$/environ; }} >> {seen}\nexit 1\n")
        tool.chmod(0o755)
    hub.set(ROUTES["fine"])
    env = environment(home, hub.url, HF_TOKEN=TOKEN, HF_TRIES="1", PATH=f"{home}/bin:{os.environ['PATH']}")
    for command in (["auth", "login", "--token", TOKEN, "--add-to-git-credential"], ["auth", "login", "--add-to-git-credential"], ["plugin", "check", "/nowhere.so"]):
        r = run([options.bin / "hf", *command], env, timeout=40)
        look(f"{command}: output", r.out + r.err)
    if seen.exists():
        look("what a child was given", seen.read_bytes())
    for name in ("token", "stored_tokens"):
        path = home / "hf" / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            problems.append(f"{path} may be read by others: {oct(path.stat().st_mode)}")
shutil.rmtree(work, ignore_errors=True)
for line in problems[:40]:
    print(line)
print(f"secrets.canary: {number} commands, {looked} places, {len(problems)} problems")
sys.exit(1 if problems else 0)
