#!/usr/bin/env python3
"""Runs examples/models against a server on loopback: questions at the same time, a picture, and an answer that is an error.

models.py --build DIR; exit 1 and the difference when something is wrong.
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

parser = argparse.ArgumentParser()
parser.add_argument("--build", type=pathlib.Path, required=True)
build = parser.parse_args().build.resolve()
QUESTIONS = [f"question {i}" for i in range(20)]
all_here = threading.Barrier(len(QUESTIONS))
bodies = []


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        bodies.append((self.path, self.headers.get("content-type"), body))
        if not self.path.endswith("/chat/completions"):
            return self.reply("application/json", b'[{"generated_text": "a kettle", "own": 1}]')
        request = json.loads(body)
        asked = request["messages"][0]["content"]
        if asked == "bad":
            return self.reply("application/json", b'{"error": {"message": "out of order"}}', 500)
        all_here.wait(timeout=60)  # nobody is answered before all are being asked
        events = [{"choices": [{"delta": {"content": piece}}]} for piece in ("answer to ", asked)]
        self.reply("text/event-stream", "".join(f"data: {json.dumps(e)}\n\n" for e in events).encode() + b"data: [DONE]\n\n")

    def reply(self, kind, data, status=200):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def check(condition, text):
    if not condition:
        print(text)
        sys.exit(1)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_address[1]}"
with tempfile.TemporaryDirectory() as home:
    picture = pathlib.Path(home, "p.png")
    picture.write_bytes(b"pixels")
    env = {"PATH": os.environ["PATH"], "HOME": home, "HF_HOME": home + "/hf", "NO_PROXY": "*", "LD_LIBRARY_PATH": str(build / "lib")}
    env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})

    def run(*arguments, **more):
        return subprocess.run([build / "examples/models", url, *arguments], env={**env, **more}, capture_output=True, text=True, timeout=100)
    done = run(*QUESTIONS, PICTURE=str(picture))
    lines = done.stdout.splitlines()
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    check(lines[:-1] == [f"answer to {q}" for q in QUESTIONS], f"other answers: {lines}")
    check(json.loads(lines[-1]) == {"generated_text": "a kettle", "own": 1}, f"another record: {lines[-1]}")
    check(bodies[-1][1:] == ("image/png", b"pixels"), f"another picture was sent: {bodies[-1]}")
    done = run("bad")
    check(done.returncode == 1 and "out of order" in done.stderr, f"exit {done.returncode}: {done.stderr}")
