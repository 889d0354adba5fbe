#!/usr/bin/env python3
"""Plays calls of `hf inference` against a loopback server and compares requests and results.

run.py HF [--only TEXT]: cases are in calls.py and quirks.py; each says the command, the answers in order, and what must have
been asked.
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
import time

import calls
import quirks

parser = argparse.ArgumentParser()
parser.add_argument("hf", type=pathlib.Path)
parser.add_argument("--only", default="")
options = parser.parse_args()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that has seen enough goes away


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
                             "body": body, "accepts": self.headers.get_all("accept")})
            reply = run.replies.pop(0) if run.replies else {"status": 404, "text": "nothing more is known"}
        headers = dict(reply.get("headers", {}))
        time.sleep(reply.get("delay", 0))
        if "zeros" in reply:
            return self.send_zeros(headers, reply["zeros"])
        if "json" in reply:
            data = json.dumps(reply["json"]).encode()
            headers.setdefault("content-type", "application/json")
        elif "events" in reply:
            data = reply["events"].encode() if isinstance(reply["events"], str) else reply["events"]
            headers.setdefault("content-type", "text/event-stream")
        else:
            data = reply.get("bytes", reply.get("text", "").encode())
        self.send(reply.get("status", 200), headers, data, reply.get("cut", 0))

    def send_zeros(self, headers, left):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(left))
        self.end_headers()
        zeros = bytes(1 << 20)
        try:
            while left > 0:
                self.wfile.write(zeros[:left])
                left -= len(zeros)
        except ConnectionError:
            self.close_connection = True

    def send(self, status, headers, data, cut=0):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data[:len(data) - cut])
        except ConnectionError:
            cut = 1
        self.close_connection = self.close_connection or bool(cut)

    do_GET = do_POST = do_PUT = answer


class Run:
    def __init__(self, replies):
        self.lock, self.seen, self.replies = threading.Lock(), [], list(replies)


def differences(case, run, result, folder):
    want = [x.split(" ", 1) for x in case.get("asked", [])]
    have = [[s["method"], s["url"]] for s in run.seen]
    if have != want and not case.get("any_requests"):
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
    if "check" in case and case["check"](run):
        yield case["check"](run)
    if case.get("rss_mib", 1 << 20) < result.rss_mib and not any(k.endswith("SAN_OPTIONS") for k in os.environ):
        yield f"{result.rss_mib:.0f} MiB of memory, at most {case['rss_mib']} are expected"
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
        if "lines" in case and [json.loads(x) for x in result.stdout.decode().split("\n") if x] != case["lines"]:
            yield f"lines {result.stdout!r}, expected {case['lines']}"
        return
    if "size" in case and (folder / "out").stat().st_size != case["size"]:
        yield f"{(folder / 'out').stat().st_size} bytes, expected {case['size']}"
    if "lines" in case:
        lines = [json.loads(x) for x in result.stdout.decode().split("\n") if x]
        if lines != case["lines"]:
            yield f"lines {lines}, expected {case['lines']}"
    if "result" in case and json.loads(result.stdout) != case["result"]:
        yield f"result {result.stdout!r}, expected {case['result']}"
    if "media" in case and (folder / "out").read_bytes() != case["media"]:
        yield f"media {(folder / 'out').read_bytes()[:80]!r}, expected {case['media'][:80]!r}"


class Result:
    pass


def run_program(command, env, folder):
    """As subprocess.run, and with the memory that the process needed at most."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        guard = threading.Timer(120, process.kill)
        guard.start()
        _, status, usage = os.wait4(process.pid, 0)
        guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        result = Result()
        out.seek(0)
        err.seek(0)
        result.stdout, result.stderr, result.returncode, result.rss_mib = out.read(), err.read(), process.returncode, usage.ru_maxrss / 1024
        return result


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
        result = run_program([options.hf.resolve(), "inference", *case["command"]], env, folder)
        found = list(differences(case, run, result, folder))
    server.shutdown()
    server.server_close()
    return found


failed = 0
cases = calls.calls() | quirks.quirks()
for number in range(1, 26):
    for shown in quirks.QUIRKS[number][2]:
        if shown not in cases and not shown.startswith("unit."):
            failed += 1
            print(f"Q{number} is shown by '{shown}', which is no case")
chosen = {k: v for k, v in cases.items() if options.only in k}
for name, case in chosen.items():
    for what in play(name, case):
        failed += 1
        print(f"{name}: {what}")
print(f"{len(chosen)} calls, {failed} differences")
sys.exit(bool(failed) or not chosen)
