#!/usr/bin/env python3
"""Plays calls of `hf inference` against a loopback server and compares requests and results.

run.py HF [--only TEXT]: cases are in calls.py; each says the command, the answers in order, and what must have been asked.
"""
import argparse
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import calls

parser = argparse.ArgumentParser()
parser.add_argument("hf", type=pathlib.Path)
parser.add_argument("--only", default="")
options = parser.parse_args()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        host, _, rest = self.path.lstrip("/").partition("/")
        url = f"{host}/{rest}"
        if "agent-harnesses" in url:
            return self.send(404, {}, b"")
        run = self.server.run
        with run.lock:
            run.seen.append({"method": self.command, "url": url, "headers": {k.lower(): v for k, v in self.headers.items()},
                             "body": body})
            reply = run.replies.pop(0) if run.replies else {"status": 404, "text": "nothing more is known"}
        headers = dict(reply.get("headers", {}))
        if "json" in reply:
            data = json.dumps(reply["json"]).encode()
            headers.setdefault("content-type", "application/json")
        elif "events" in reply:
            data = reply["events"].encode() if isinstance(reply["events"], str) else reply["events"]
            headers.setdefault("content-type", "text/event-stream")
        else:
            data = reply.get("bytes", reply.get("text", "").encode())
        self.send(reply.get("status", 200), headers, data)

    def send(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = answer


class Run:
    def __init__(self, replies):
        self.lock, self.seen, self.replies = threading.Lock(), [], list(replies)


def differences(case, run, result, folder):
    want = [x.split(" ", 1) for x in case["asked"]]
    have = [[s["method"], s["url"]] for s in run.seen]
    if have != want:
        yield f"asked {have}, expected {want}"
    keys = case.get("keys")
    if keys is not None:
        sent = [s["headers"].get("authorization") or s["headers"].get("x-key") for s in run.seen]
        if sent != keys:
            yield f"keys {sent}, expected {keys}"
    for secret in case.get("secrets", []):
        if secret in result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace"):
            yield f"the output shows {secret}"
    if "body" in case:
        posts = [s for s in run.seen if s["method"] == "POST"]
        body = json.loads(posts[-1]["body"]) if posts else None
        if body != case["body"]:
            yield f"body {body}, expected {case['body']}"
    error = case.get("error")
    if error is None and result.returncode:
        yield f"exit {result.returncode}: {result.stderr.decode()[-300:]}"
        return
    if error is not None:
        if not result.returncode:
            yield "it did not fail"
            return
        said = json.loads(result.stderr.decode().strip().split("\n")[-1])["error"]
        for key, value in error.items():
            found = said.get(key, "")
            if (key == "message" and value not in found) or (key != "message" and found != value):
                yield f"error {key} is {found!r}, expected {value!r}"
        if any(folder.iterdir()):
            yield f"left behind: {[p.name for p in folder.iterdir()]}"
        return
    if "lines" in case:
        lines = [json.loads(x) for x in result.stdout.decode().splitlines()]
        if lines != case["lines"]:
            yield f"lines {lines}, expected {case['lines']}"
    if "result" in case and json.loads(result.stdout) != case["result"]:
        yield f"result {result.stdout!r}, expected {case['result']}"
    if "media" in case and (folder / "out").read_bytes() != case["media"]:
        yield f"media {(folder / 'out').read_bytes()[:80]!r}, expected {case['media'][:80]!r}"


def play(name, case):
    run = Run(case["replies"])
    server = Server(("127.0.0.1", 0), Handler)
    server.run = run
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home, "work")
        folder.mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": home, "HF_HOME": home + "/hf", "NO_PROXY": "*", "NO_COLOR": "1",
               "HF_INFERENCE_POLL_SCALE": "0.001", "HF_HUB_DISABLE_TELEMETRY": "1",
               "HF_URL_REWRITE": f"https://={base};http://model.test/={base}model.test/"}
        for name_ in ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name_ in os.environ:
                env[name_] = os.environ[name_]
        env.update(case.get("env", {}))
        if case.get("saved"):
            pathlib.Path(home, "hf").mkdir()
            pathlib.Path(home, "hf", "token").write_text(case["saved"])
        result = subprocess.run([options.hf.resolve(), "inference", *case["command"]], env=env, cwd=folder, timeout=90,
                                stdin=subprocess.DEVNULL, capture_output=True)
        found = list(differences(case, run, result, folder))
    server.shutdown()
    server.server_close()
    return found


failed = 0
chosen = {k: v for k, v in calls.calls().items() if options.only in k}
for name, case in chosen.items():
    for what in play(name, case):
        failed += 1
        print(f"{name}: {what}")
print(f"{len(chosen)} calls, {failed} differences")
sys.exit(bool(failed) or not chosen)
