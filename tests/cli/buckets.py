#!/usr/bin/env python3
"""`hf sync` and `hf cp` with buckets, by ours and by the reference with hf_xet, each reading what the other has written.

buckets.py --bin build/bin [--reference /path/to/hf]; HF_REFERENCE names the reference's hf too. Exit 77: it is not there, then only ours
is looked at. The server is a table of buckets in front of hf-devhub, whose CAS keeps the bytes. What is compared: files byte for byte,
the plans of both clients, what a bucket has afterwards, and what is said where Xet is switched off.
"""
import argparse
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

TOKEN = "hf_compare_token_0001"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, value=None, headers=()):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("content-type", "application/json"), ("content-length", str(len(data))), *headers):
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def forward(self, path):
        """The token routes are the Hub's own, of a repo that stands for all buckets."""
        request = urllib.request.Request(self.server.hub.url + path, headers={"authorization": self.headers["authorization"]})
        with urllib.request.urlopen(request) as answer:
            keep = [(k, v) for k, v in answer.headers.items() if k.lower().startswith("x-xet")]
            self.reply(200, json.loads(answer.read()), keep)

    def answer(self):
        server, path = self.server, self.path.split("?")[0]
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        server.seen.append((self.command, self.path))
        if path == "/api/agent-harnesses":
            return self.reply(404, {})
        if path == "/s/far.py":
            server.tokens.append(self.headers["authorization"])
            return self.reply(200, "a script")
        if path == "/api/whoami-v2":
            return self.reply(200, {"type": "user", "name": "me"})
        if path == "/api/jobs/me":
            server.jobs.append(json.loads(body))
            return self.reply(200, {"id": "j", "createdAt": "2024-05-01T10:00:00.000Z", "owner": {"id": "1", "name": "me", "type": "user"},
                                    "status": {"stage": "RUNNING"}, "flavor": "cpu-basic", "labels": {"name": "n"}, **server.jobs[-1]})
        found = re.fullmatch(r"/api/buckets/(\w+/[\w-]+)(?:/([\w-]+))?(?:/(.*))?", path)
        if path.startswith("/buckets/"):
            name, _, file = path[len("/buckets/"):].partition("/resolve/")
            row = server.buckets[name][urllib.request.unquote(file)]
            return self.reply(200, None, [("x-xet-hash", row["xetHash"]), ("x-linked-size", str(row["size"])),
                                          ("x-xet-refresh-route", f"{server.url}/api/buckets/{name}/xet-read-token")])
        if found and not found[2] and self.command == "POST":
            server.buckets.setdefault(found[1], {})
            return self.reply(200, {"url": f"{server.url}/buckets/{found[1]}"})
        if not found or found[1] not in server.buckets:
            return self.reply(404, {"error": "Bucket not found"})
        files, what = server.buckets[found[1]], found[2]
        if what and what.endswith("-token"):
            return self.forward(f"/api/models/me/store/{what}/main")
        if what == "tree":
            prefix = urllib.request.unquote(found[3] or "")
            return self.reply(200, [row for name, row in sorted(files.items()) if name.startswith(prefix)])
        if what == "paths-info":
            return self.reply(200, [files[name] for name in json.loads(body)["paths"] if name in files])
        if what == "batch":
            for line in map(json.loads, body.decode().splitlines()):
                server.lines.append(line)
                if line["type"] == "deleteFile":
                    files.pop(line["path"], None)
                    continue
                files[line["path"]] = {"type": "file", "path": line["path"], "xetHash": line["xetHash"], "size": server.size(line),
                                       "mtime": "2024-05-01T10:00:00.000Z", "uploadedAt": "2024-05-01T10:00:00.000Z"}
            return self.reply(200, {"success": True})
        return self.reply(200, {"id": found[1], "private": False, "createdAt": "2024-05-01T10:00:00.000Z", "size": 0, "totalFiles": len(files)})

    do_GET = do_POST = do_HEAD = answer


class Buckets(http.server.ThreadingHTTPServer):
    """Buckets by name, their files by path. A size is what the client's folder says, or the file that is copied."""
    daemon_threads = True

    def __init__(self, hub):
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub, self.url = hub, f"http://127.0.0.1:{self.server_port}"
        self.buckets, self.seen, self.lines, self.sizes, self.jobs, self.tokens = {"me/b": {}, "me/other": {}}, [], [], {}, [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def size(self, line):
        known = [row["size"] for files in self.buckets.values() for row in files.values() if row["xetHash"] == line["xetHash"]]
        name = line["path"].partition("/")[2] if line["path"] not in self.sizes else line["path"] # of a job: below a folder
        return known[0] if line["type"] == "copyFile" else self.sizes[name]


parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
parser.add_argument("--reference", default=os.environ.get("HF_REFERENCE") or "")
options = parser.parse_args()
reference = options.reference or str(options.bin.parent / "reference/bin/hf")
programs = {"ours": str(options.bin.resolve() / "hf")}
if shutil.which(reference):
    programs["reference"] = reference
scratch = pathlib.Path(tempfile.mkdtemp(prefix="hf-buckets-"))
hub = Hub(options.bin, extra=["--token", f"me:{TOKEN}"])
hub.add_files("me/store", {"a": "a"})
server = Buckets(hub)
problems = 0


def check(fine, what):
    global problems
    if not fine:
        problems += 1
        print(f"WRONG: {what}", flush=True)


def run(who, *words, status=0, typed=b"", **more):
    env = clean_environment(scratch / who, server.url, HF_TOKEN=TOKEN, **more)
    done = subprocess.run([programs[who], *map(str, words)], env=env, cwd=scratch, input=typed, capture_output=True, timeout=120)
    check(done.returncode == status, f"{who} {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.decode()[-600:]}")
    return done.stdout if typed or "-" in words else done.stdout.decode(), done.stderr.decode()


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def plan(text, folder):
    rows = [json.loads(line) for line in text.splitlines()]
    rows[0].pop("timestamp")
    return [json.dumps(row).replace(str(folder), "{folder}") for row in rows]


noise = random.Random(7)
source = scratch / "source"
made = {"a.txt": b"hello\n", "sub/deep/b.bin": noise.randbytes(300000), "sub/c.json": b"{}", "d e.safetensors": noise.randbytes(2000000),
        "sub/again.bin": b"", "x.log": b"log"}
made["sub/again.bin"] = made["sub/deep/b.bin"]
for name, data in made.items():
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes(data)
server.sizes = {name: len(data) for name, data in made.items()} | {f"in/{name}": len(data) for name, data in made.items()} | {
    "one.bin": 300000, "typed.txt": 6, "in/a.txt": 6, "a.txt": 6}

for who in programs: # what one client sends the other fetches
    server.buckets["me/b"].clear()
    out, _ = run(who, "sync", source, "hf://buckets/me/b/in", "--exclude", "*.log")
    check("Uploads: 5\n" in out and out.endswith("Sync completed.\n"), f"{who} says {out}")
    check(sorted(server.buckets["me/b"]) == sorted(f"in/{n}" for n in made if n != "x.log"), f"{who}: bucket has {sorted(server.buckets['me/b'])}")
    names = {line["path"]: {k: line.get(k) for k in ("xetHash", "contentType")} for line in server.lines[-5:]}
    if who == "ours":
        first = names
    else:
        check(names == first, f"hashes and types of the reference {names}, ours {first}")
    for reader in programs:
        target = scratch / f"{who}-{reader}"
        out, _ = run(reader, "buckets", "sync", "hf://buckets/me/b/in", target)
        check(content(target) == {n: d for n, d in made.items() if n != "x.log"}, f"{reader} reads what {who} sent: {sorted(content(target))}")
        check("Downloads: 5\n" in out, f"{reader} says {out}")
        out, _ = run(reader, "sync", "hf://buckets/me/b/in", target)
        check(out.endswith("Nothing to sync.\n"), f"{reader} again: {out}")
        (target / "sub/c.json").write_bytes(b"longer")
        (target / "more/left").mkdir(parents=True)
        (target / "more/left/over").write_bytes(b"x")
        out, _ = run(reader, "sync", "hf://buckets/me/b/in", target, "--delete", "-v")
        check(content(target)["sub/c.json"] == b"{}" and not (target / "more").exists(), f"{reader} --delete leaves {sorted(content(target))}")
        check("  Downloading: sub/c.json (size differs)\n" in out and "  Deleting: more/left/over (not in source (--delete))\n" in out, f"{reader} -v: {out}")
        run(reader, "cp", "hf://buckets/me/b/in/sub/deep/b.bin", scratch / "one.bin")
        check((scratch / "one.bin").read_bytes() == made["sub/deep/b.bin"], f"{reader} cp to a file")
        out, _ = run(reader, "buckets", "cp", "hf://buckets/me/b/in/a.txt", "-")
        check(out == b"hello\n", f"{reader} cp to stdout: {out}")
        run(reader, "cp", "hf://buckets/me/b/in/nope", scratch / "nope", status=1)
    run(who, "cp", scratch / "one.bin", "hf://buckets/me/b")
    run(who, "cp", "-", "hf://buckets/me/b/typed.txt", typed=b"typed\n")
    files = server.buckets["me/b"]
    check(files["one.bin"]["xetHash"] == files["in/sub/deep/b.bin"]["xetHash"], f"{who} cp from a file")
    check("typed.txt" in files, f"{who} cp from stdin")
    server.lines.clear()
    run(who, "cp", "hf://buckets/me/b/in/sub/", "hf://buckets/me/other/to")
    run(who, "cp", "hf://buckets/me/b/in/a.txt", "hf://buckets/me/other/")
    run(who, "cp", "hf://buckets/me/b/none", "hf://buckets/me/other/", status=1)
    copied = sorted((line["type"], line["path"], line["xetHash"], line["sourceRepoType"], line["sourceRepoId"]) for line in server.lines)
    if who == "ours":
        ours_copied = copied
    else:
        check(copied == ours_copied, f"copies of the reference {copied}, ours {ours_copied}")
    check(len(copied) == 4, f"{who} copies {copied}")
    run(who, "sync", scratch / "ours-ours", "hf://buckets/me/b", "--delete", "--ignore-times", "--include", "in/*")
    check(not [n for n in files if n.startswith("in/")], f"{who}: --delete left {sorted(files)}")

# Plans: what each would do, and carrying one out that the other has made.
server.buckets["me/b"].clear()
run("ours", "sync", source, "hf://buckets/me/b", "--quiet")
local = scratch / "local"
shutil.copytree(source, local)
(local / "a.txt").write_bytes(b"longer than before\n")
(local / "new").write_bytes(b"new")
(local / "x.log").unlink()
os.utime(local / "sub/c.json", (1e9, 1e9))
(scratch / "rules").write_text("# rules\n- *.safetensors\n+ *\n")
both = ("hf://buckets/me/b", local)
for number, flags in enumerate(([], ["--delete"], ["--ignore-times"], ["--ignore-sizes"], ["--existing"], ["--ignore-existing", "--delete"], ["--include", "sub/*"],
              ["--exclude", "*.bin"], ["--filter-from", scratch / "rules"])):
    for pair in (both, both[::-1]) if number < 2 else (both[::1 if number % 2 else -1],):
        plans = {who: plan(run(who, "sync", *pair, "--dry-run", *flags)[0], scratch) for who in programs}
        check(len(set(map(str, plans.values()))) == 1, f"plans {flags} {pair}: {plans}")
for who in programs:
    run(who, "sync", *both[::-1], "--delete", "--plan", scratch / f"{who}.plan")
    check(plan((scratch / f"{who}.plan").read_text(), scratch) == plan((scratch / "ours.plan").read_text(), scratch), f"kept plan of {who}")
server.sizes.update({"a.txt": 19, "new": 3})
out, _ = run("ours", "sync", "--apply", scratch / f"{who}.plan")
check(out.endswith("Executing plan...\nSync completed.\n") and "new" in server.buckets["me/b"] and "x.log" not in server.buckets["me/b"], f"--apply: {out}")
down = scratch / "down.plan"
shutil.rmtree(local)
run("ours", "sync", *both, "--plan", down)
run("ours", "sync", "--apply", down)
check(len(content(local)) == 6, f"--apply of a download: {sorted(content(local))}")

# A script as a job: its files go into a folder of the owner's bucket, and the command names them there.
(scratch / "my script.py").write_text("print(1)\n")
(scratch / "c.yaml").write_text("x: 1\n")
(scratch / "carries.py").write_text('# /// script\n# [tool.hf-jobs]\n# flavor = "t4-small"\n# ///\n')
server.sizes.update({"my_script.py": 9, "c.yaml": 5, "far.py": 10})
far = []
for who in programs: # an address is fetched without a token, once
    run(who, "jobs", "uv", "run", "-d", f"{server.url}/s/far.py?v=1")
    far.append(re.sub(r"\d{8}T\d{6}-[0-9a-f]{6}", "(folder)", json.dumps(server.jobs.pop(), sort_keys=True)))
    check([n.partition("/")[2] for n in server.buckets.pop("me/jobs-artifacts")] == ["far.py"], f"{who}: a script from afar")
check(len(set(far)) == 1 and server.tokens == [None] * len(programs), f"{far} {server.tokens}")
for who in programs:
    out, _ = run(who, "jobs", "uv", "run", "-d", "--with", "x", "my script.py", "--config", "c.yaml", "c.yaml", "word")
    check(f"saved in this bucket: {server.url}/buckets/me/jobs-artifacts\n" in out, f"{who} says {out}")
    job = json.dumps(server.jobs[-1], sort_keys=True)
    check(re.search(r'"path": "\d{8}T\d{6}-[0-9a-f]{6}"', job), f"{who}: {job}")
    server.jobs[-1] = re.sub(r"\d{8}T\d{6}-[0-9a-f]{6}", "(folder)", job)
    files = server.buckets.pop("me/jobs-artifacts")
    check(sorted(n.partition("/")[2] for n in files) == ["c.yaml", "my_script.py"], f"{who}: {sorted(files)}")
    server.buckets["me/other"] = files
    run(who, "cp", "hf://buckets/me/other/" + next(n for n in files if n.endswith(".py")), scratch / "back.py")
    check((scratch / "back.py").read_text() == "print(1)\n", f"{who}: the script is another one")
check(len(set(server.jobs)) == 1, f"jobs: {server.jobs}")
_, err = run("ours", "jobs", "uv", "run", "-d", "carries.py", status=1)
check("tool.hf-jobs" in err, f"a script with settings: {err}")

# What leads out of the folder, and a bucket without Xet.
lines = down.read_text().splitlines()
(scratch / "bad.plan").write_text(lines[0] + "\n" + json.dumps({"type": "operation", "action": "download", "path": "../out", "reason": ""}) + "\n")
run("ours", "sync", "--apply", scratch / "bad.plan", status=1)
check(not (scratch / "out").exists(), "a plan leads out of the folder")
server.buckets["me/b"]["../out"] = dict(server.buckets["me/b"]["new"], path="../out")
run("ours", "sync", *both, status=1)
del server.buckets["me/b"]["../out"]
shutil.rmtree(local)
_, err = run("ours", "sync", *both, status=1, HF_HUB_DISABLE_XET="1")
check("by Xet only" in err, f"without Xet: {err}")
server.buckets["me/b"]["new"]["xetHash"] = "00" * 32 # another file's name: never put in place
_, err = run("ours", "sync", *both, "--include", "new", status=1)
check(not (local / "new").exists() and not [p for p in local.rglob(".tmp*")], f"a wrong hash leaves {sorted(content(local))}")

for who, words in (("ours", ("sync", "a", "b")), ("ours", ("sync", "hf://buckets/me/b", "hf://buckets/me/other")), ("ours", ("sync",)),
                   ("ours", ("sync", scratch / "nope", "hf://buckets/me/b")), ("ours", ("sync", "--apply", down, "--delete"))):
    said = {who: run(who, *words, status=1)[1] for who in programs}
    check(len(set(said.values())) == 1, f"{words}: {said}")

server.shutdown()
hub.close()
shutil.rmtree(scratch, ignore_errors=True)
print(f"{', '.join(programs)}: {problems} problems")
sys.exit(1 if problems else 0 if len(programs) == 2 else 77)
