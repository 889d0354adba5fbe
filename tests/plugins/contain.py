#!/usr/bin/env python3
"""Asks a provider whose hooks do not behave (bad_provider.c), through `hf inference`: every call must end in time, with an error in words or
a result, never by a signal.

contain.py HF FOLDER: FOLDER holds hf-bad-provider.so.
"""
import concurrent.futures
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

hf, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
problems = []
CALLS = {"prepare": ["--task", "feature-extraction", "--text", "x"], "parse": ["--task", "summarization", "--text", "x"],
         "poll_next": ["--task", "text-to-image", "--text", "x"],
         "event": ["--task", "conversational", "--messages", '[{"role":"user","content":"x"}]', "--stream"]}
HANGS = ("loops", "reads", "sleeps", "asks", "asks-host")
ERRORS = {"positive": "answered 77", "negative": "answered -12345"}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        events = self.path.endswith("/event")
        data = {"prepare": b"[[1, 2]]", "parse": b'[{"summary_text": "x"}]', "poll": b'{"a": "aGVsbG8="}',
                "event": b'data: {"choices":[{"delta":{"content":"H"}}]}\n\ndata: [DONE]\n\n'}[self.path.rsplit("/", 1)[1]]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if events else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
sanitizer = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}


def ask(home, bad, hook, patience="1", signal_after=None):
    env = {**sanitizer, "PATH": os.environ["PATH"], "HOME": home, "HF_HOME": home, "NO_COLOR": "1", "HF_BAD": bad, "BAD_API_KEY": "k",
           "HF_URL_REWRITE": f"https://=!http://127.0.0.1:{server.server_port}/", "HF_HOOK_TIMEOUT": patience}
    begun = time.monotonic()
    p = subprocess.Popen([hf, "--plugin-path", folder, "inference", "--provider", "bad", "--model", "m", "--json", *CALLS[hook]],
                         env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home)
    try:
        if signal_after:
            time.sleep(signal_after)
            p.send_signal(2)
        out, err = p.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        return f"{bad} in {hook}: does not end"
    took, said = time.monotonic() - begun, f"{bad} in {hook}: exit {p.returncode}: {out[-200:]}{err[-300:]}"
    print(f"{took:.1f} s: {said.strip()}")
    if p.returncode < 0 and not signal_after:
        return f"{said}: ended by a signal"
    if bad in HANGS and not signal_after and (p.returncode != 1 or f"its {hook}() has not come back" not in err):
        return f"{said}: not told"
    if signal_after and took > signal_after + 15:
        return f"{said}: took {took:.0f} s"
    if bad in ERRORS and (p.returncode != 1 or ERRORS[bad] not in err):
        return f"{said}: not told"
    if bad == "good" and p.returncode:
        return f"{said}: fails"
    if p.returncode and not err.strip():
        return f"{said}: fails without a word"
    return None


def serve(home, requests=96, most=64):
    """A server is asked for what hangs again and again: it does not keep a thread for each of them."""
    env = {**sanitizer, "PATH": os.environ["PATH"], "HOME": home, "HF_HOME": home, "HF_BAD": "sleeps", "BAD_API_KEY": "k", "HF_HOOK_TIMEOUT": "0.05",
           "HF_URL_REWRITE": f"https://=!http://127.0.0.1:{server.server_port}/"}
    p = subprocess.Popen([hf, "--plugin-path", folder, "inference", "serve", "--port", "0", "--provider", "bad"], env=env,
                         stdout=subprocess.PIPE, text=True, cwd=home)
    try:
        url = re.search(r"http://\S+/v1", p.stdout.readline()).group()

        def embed(_):
            body = json.dumps({"model": "m", "input": "x"}).encode()
            try:
                urllib.request.urlopen(urllib.request.Request(url + "/embeddings", body, {"Content-Type": "application/json"}), timeout=60)
            except urllib.error.HTTPError as e:
                return json.loads(e.read())["error"]["message"]
            return "an answer"

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            said = list(pool.map(embed, range(requests)))
        threads = len(os.listdir(f"/proc/{p.pid}/task"))
    finally:
        p.terminate()
        code = p.wait(60)
        p.stdout.close()
    fine = threads <= most and code == 0 and "has not come back" in said[0] and "is not begun" in said[-1]
    return None if fine else f"serve: {threads} threads, exit {code}: {said[0]} ... {said[-1]}"


with tempfile.TemporaryDirectory(prefix="hf-contain-") as home:
    problems += [p for p in [serve(home)] if p]
    work = [(bad, hook) for bad in ("good", *HANGS, *ERRORS, "silent", "descriptors", "odd-path", "odd-json") for hook in CALLS]
    work += [(bad, "poll_next") for bad in ("no-url", "odd-url", "pending")]
    work += [("reads", "event")] * 4  # it shows only when the thread gets its turn before the end
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        problems += [p for p in pool.map(lambda w: ask(home, *w), work) if p]
        # a hook that hangs does not keep Ctrl-C from ending the call, however long it may take
        problems += [p for p in pool.map(lambda h: ask(home, "sleeps", h, patience="600", signal_after=3), CALLS) if p]
for line in problems:
    print(line)
print(json.dumps({"calls": len(work) + len(CALLS), "problems": len(problems)}))
sys.exit(bool(problems))
