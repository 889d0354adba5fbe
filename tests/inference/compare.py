#!/usr/bin/env python3
"""Plays thousands of generated calls with Python's inference client and with `hf inference`, and compares what both send and say.

compare.py HF --build DIR [--every N] [--only GLOB]... [--provider NAME]... [--python INTERPRETER] [--jobs N]: the calls are
generate.py's, the reference runs in record.py. Where we mean to be different, a row of DIFFERENT says how.
"""
import argparse
import base64
import collections
import concurrent.futures
import email
import fnmatch
import http.server
import json
import os
import pathlib
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import urllib.parse

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "interop")]
import generate  # noqa: E402
import reference  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("hf", type=pathlib.Path)
parser.add_argument("--build", default=".")
parser.add_argument("--every", type=int, default=1)
parser.add_argument("--only", action="append", default=[])
parser.add_argument("--provider", action="append", default=[])
parser.add_argument("--python", help="interpreter that has the reference client; default: the one the other tests use")
parser.add_argument("--jobs", type=int, default=4)
parser.add_argument("--limit", type=int, default=40, help="differences that are printed")
parser.add_argument("--show", action="store_true", help="both sides of what differs")
options = parser.parse_args()

HEADERS = ["authorization", "content-type", "prefer", "accept-language", "x-source-channel", "accept", "x-hf-bill-to", "x-key", "cookie", "x-own"]
MEDIA_TASKS = {"text-to-image", "image-to-image", "text-to-video", "image-to-video", "text-to-speech"}

# ---- our side -------------------------------------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def any(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        run, _, rest = self.path[1:].partition("/")
        scheme, _, rest = rest.partition("/")
        run = runs.get(run)
        if run is None or "agent-harnesses" in rest:
            return self.send({"status": 404})
        with run.lock:
            run.requests.append({"method": self.command, "url": f"{scheme}://{rest}", "headers": [[k.lower(), v] for k, v in self.headers.items()],
                                 "body": base64.b64encode(body).decode()})
            answer = run.answers.pop(0) if run.answers else {"status": 404, "text": "nothing more is known"}
        self.send(answer)

    def send(self, answer):
        headers = dict(answer.get("headers", {}))
        if "json" in answer:
            headers.setdefault("content-type", "application/json")
            data = json.dumps(answer["json"]).encode()
        else:
            data = base64.b64decode(answer["b64"]) if "b64" in answer else answer.get("text", "").encode()
        self.send_response(answer.get("status", 200))
        for name, value in headers.items():
            self.send_header(name, value)
        if "chunks" not in answer:
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in map(base64.b64decode, answer["chunks"]):
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = any


class Run:
    def __init__(self, answers):
        self.lock, self.requests, self.answers = threading.Lock(), [], list(answers)


runs = {}
server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
BASE = f"http://127.0.0.1:{server.server_address[1]}/"


def given(value, folder, name):
    if isinstance(value, dict) and "$bytes" in value:
        path = folder / f"bytes-{name}"
        path.write_bytes(base64.b64decode(value["$bytes"]))
        return f"@@{path}"
    if isinstance(value, dict) and "$file" in value:
        path = folder / value["$file"]
        path.write_bytes(base64.b64decode(value["content"]))
        return f"@{path}"
    return value


def command(call, folder):
    client, task = call["client"], call["task"]
    args = {k: given(v, folder, k) if k in ("image", "audio") else v for k, v in call["args"].items()}
    line = ["--task", task, "--json"]
    for option, key in (("--provider", "provider"), ("--model", "model"), ("--base-url", "base_url"), ("--bill-to", "bill_to")):
        if client.get(key):
            line += [option, client[key]]
    if args.pop("stream", None):
        line += ["--stream"]
    for name, value in client.get("headers", {}).items():
        line += ["--header", f"{name}: {value}"]
    if client.get("cookies"):
        line += ["--header", "Cookie: " + "; ".join(f"{k}={v}" for k, v in client["cookies"].items())]
    if task in MEDIA_TASKS:
        line += ["--output", str(folder / "out")]
    return line + ["--api-key-env", "KEY", "--args", json.dumps(args)]


def ours(number, call):
    run = runs[str(number)] = Run(call["answers"])
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home)
        line = command(call, folder)
        env = {"PATH": os.environ["PATH"], "HOME": home, "HF_HOME": home + "/hf", "NO_PROXY": "*", "HF_HUB_DISABLE_TELEMETRY": "1",
               "HF_INFERENCE_POLL_SCALE": "0.001", "KEY": call["client"]["api_key"],
               "HF_URL_REWRITE": f"https://={BASE}{number}/https/;http://={BASE}{number}/http/"}
        env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "LD_LIBRARY_PATH"})
        try:
            result = subprocess.run([options.hf.resolve(), "inference", *line], env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            return {"error": {"class": "(timeout)", "message": "it did not end"}, "requests": run.requests, "line": line}
        record = {"requests": run.requests, "line": line}
        del runs[str(number)]
        text = result.stdout.decode(errors="replace")
        if "--stream" in line:
            record["items"] = [json.loads(x) for x in text.split("\n") if x]
        if result.returncode:
            try:
                record["error"] = json.loads(result.stderr.decode(errors="replace").strip().split("\n")[-1])["error"]
            except (ValueError, KeyError):
                record["error"] = {"class": "(no document)", "message": result.stderr.decode(errors="replace")}
            if (folder / "out").exists():
                record["error"]["message"] += " (AND A FILE IS LEFT)"
        elif call["task"] in MEDIA_TASKS:
            record["result"] = {"$media": generate.b64((folder / "out").read_bytes())}
        elif "--stream" not in line:
            try:
                record["result"] = json.loads(text)
            except ValueError:
                record["error"] = {"class": "(stdout)", "message": text}
    return record


# ---- comparing -------------------------------------------------------------------------------------------------------------


def same(want, have, record=True):
    """None is the same as absent in records; numbers are compared by value."""
    if isinstance(want, dict) and "$b64" in want:
        return isinstance(have, str) and base64.b64decode(have) == base64.b64decode(want["$b64"])
    if isinstance(want, dict) and isinstance(have, dict):
        keys = want.keys() | have.keys()
        return all(same(want.get(k), have.get(k), record) and (record or (k in want) == (k in have)) for k in keys)
    if isinstance(want, list) and isinstance(have, list):
        return len(want) == len(have) and all(same(a, b, record) for a, b in zip(want, have))
    if isinstance(want, (int, float)) and isinstance(have, (int, float)):
        return isinstance(want, bool) == isinstance(have, bool) and (abs(want - have) <= 1e-6 * abs(want) or want == have)
    return type(want) is type(have) and want == have


def plain_url(url):
    p = urllib.parse.urlsplit(url)
    return f"{p.scheme}://{p.netloc.lower()}{p.path or '/'}" + (f"?{p.query}" if p.query else "")


def parts(headers, body):
    kind = dict(headers).get("content-type", "")
    if not kind.startswith("multipart/"):
        return None
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    return [(p.get("content-disposition"), p.get("content-type"), p.get_payload(decode=True)) for p in message.get_payload()]


def requests_differ(call, want, have):
    for n, (a, b) in enumerate(zip(want, have)):
        where = f"request {n + 1}"
        if a["method"] != b["method"] or plain_url(a["url"]) != plain_url(b["url"]):
            yield f"{where}: {b['method']} {b['url']}, expected {a['method']} {a['url']}"
            return
        posts = a["method"] == "POST"
        ah, bh = dict(a["headers"]), dict(b["headers"])
        hub = a["url"].startswith(("https://huggingface.co/api/models/", "https://huggingface.co/api/tasks"))
        if hub:  # with the key of the call when it is the Hub's: see docs/providers.md
            if bh.get("authorization") not in (None, f"Bearer {generate.KEY}"):
                yield f"{where}: header authorization {bh.get('authorization')!r} on a look-up"
            continue
        for name in HEADERS if posts else ["authorization", "x-hf-bill-to", "x-key"]:
            if name == "accept" and ah.get(name) == "*/*":
                continue
            if name == "content-type" and (ah.get(name) or "").startswith("multipart/"):
                continue
            if ah.get(name) != bh.get(name):
                yield f"{where}: header {name} {bh.get(name)!r}, expected {ah.get(name)!r}"
        x, y = base64.b64decode(a["body"]), base64.b64decode(b["body"])
        if parts(a["headers"], x) is not None:
            if parts(a["headers"], x) != parts(b["headers"], y):
                yield f"{where}: parts {parts(b['headers'], y)}, expected {parts(a['headers'], x)}"
            continue
        try:
            left, right = json.loads(x), json.loads(y)
        except ValueError:
            if x != y:
                yield f"{where}: body {y[:200]!r}, expected {x[:200]!r}"
            continue
        if not same(left, right, record=False):
            yield f"{where}: body {y.decode(errors='replace')[:600]}, expected {x.decode(errors='replace')[:600]}"
        if call["task"] == "conversational" and posts and list(left)[:1] == ["model"] and list(right)[:1] != ["model"]:
            yield f"{where}: model is not first"
    if len(want) != len(have):
        yield f"{len(have)} requests, expected {len(want)}: {[b['url'] for b in have[len(want):]] or [a['url'] for a in want[len(have):]]}"


def differences(call, want, have):
    yield from requests_differ(call, want["requests"], have["requests"])
    if "error" in want:
        if "error" not in have:
            yield f"no error, expected {want['error']['class']}: {want['error']['message'][:200]}; result {str(have.get('result'))[:200]}"
        elif have["error"]["class"] not in classes(want["error"]):
            yield f"error {have['error']['class']}: {have['error']['message'][:200]!r}, expected {want['error']['class']}: {want['error']['message'][:200]!r}"
        else:
            for said in words(call):
                if said in want["error"]["message"] and said not in have["error"]["message"]:
                    yield f"the message lost {said!r}: {have['error']['message'][:300]!r}"
    elif "error" in have:
        yield f"error {have['error']['class']}: {have['error']['message'][:300]!r}, expected {str(want.get('result', want.get('items')))[:200]}"
    if "items" in want and not same(want["items"], have.get("items")):
        yield f"items {str(have.get('items'))[:500]}, expected {str(want['items'])[:500]}"
    if "result" in want and "error" not in have and not same(want["result"], have.get("result")):
        yield f"result {str(have.get('result'))[:500]}, expected {str(want['result'])[:500]}"


def classes(error):
    """What counts as the same: the class, or where Python's own slipped through, ValueError."""
    slipped = {"KeyError", "IndexError", "TypeError", "AttributeError", "JSONDecodeError", "StopIteration", "RuntimeError"}
    name = error["class"]
    return {name, "ValueError"} if name in slipped or "ValueError" in error.get("classes", []) and "HTTPError" not in str(error["classes"]) else {name}


def words(call):
    """What the server said in its last answers, and must be shown."""
    for answer in call["answers"]:
        if answer.get("status", 200) >= 400 and "x-error-code" not in answer.get("headers", {}):
            text = json.dumps(answer.get("json", answer.get("text", "")))
            yield from re.findall(r'"([a-z]+ (?:[a-z0-9]+ ?)+)"', text)
            yield from answer.get("headers", {}).get("x-request-id", "").split()


# ---- where we mean to be different -------------------------------------------------------------------------------------------

# glob of the id, pattern of the difference, why
STEP = "what a job, its result or a download answers with a status of 400 and above is an HTTP error (Q7)"
DATA = "media may be data: URLs everywhere"
DIFFERENT = [
    ("*__headers-*-own-key", r"header x-hf-bill-to (None|'a'), expected", "organizations are not told to providers; what the caller says as a header is"),
    ("openai__*__headers-*", r"header x-hf-bill-to (None|'a'), expected", "organizations are not told to providers; what the caller says as a header is"),
    ("*__odd-answer-*", r"answered with application/json instead of media", "a document is no media"),
    ("*__step-*", r"error HfHubHTTPError: .*expected (KeyError|ValueError|HTTPStatusError|\{'\$media'|AttributeError)", STEP),
    ("*__step-*", r"requests, expected", STEP),
    ("*__data-url", r"requests, expected|no error, expected FileNotFoundError", DATA),
    ("*__lora", r"sub%20folder/w%2B1.safetensors.*sub folder/w\+1.safetensors", "paths are percent-encoded in URLs (Q4)"),
    ("*__file-clip.ogg", r"audio\.ogg.*audio\.oga", "the usual extension of a type"),
    ("deepinfra__*__url-0*", r"audio\.webp.*audio\.wav", "parameters of a type do not hide its extension"),
    ("wavespeed__*__file-*", r"data:image/\w+;base64,.*data:image/jpeg", "the type of the file"),
    ("zai-org__*", r"async-result/job%2F1%202", "ids are percent-encoded in URLs (Q4)"),
    ("*hf-inference__conversational__format-[25]", r".", "a format without a schema is passed on"),
    ("replicate__*__odd-answer-*", r"error TimeoutError: .*expected AttributeError", "an answer without output is one without output"),
    ("hf-inference__sentence-similarity__*", r"not a list", "what is no list is an error"),
    ("hf-inference__tabular-classification__*", r"not a list", "what is no list is an error"),
    ("hf-inference__*__odd-answer-8", r"not a list of records", "a list of lists is no record"),
    ("replicate__text-to-speech__extra-body-1", r"request 2: body", "a member of extra_body does not replace the input"),
    ("hyperbolic__text-generation__*", r".", "the reference never had it working"),
    ("hf-inference__visual-question-answering__url-*", r".", "a picture at a URL is fetched once"),
]


def meant(call, difference):
    return next((why for glob, pattern, why in DIFFERENT if fnmatch.fnmatchcase(call["id"], glob) and re.search(pattern, difference, re.S)), None)


def main():
    python = options.python or reference.need(options.build)
    home = tempfile.mkdtemp(prefix="hf-record-")
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | {"HF_HOME": home, "HF_HUB_DISABLE_TELEMETRY": "1"}

    def recorder():
        return subprocess.Popen([str(python), str(here / "record.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)

    def ask(process, call):
        process.stdin.write(json.dumps(call) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    first = recorder()
    calls = generate.Calls(ask(first, {"registry": True}), options.provider).make()
    if options.only:
        calls = [c for c in calls if any(fnmatch.fnmatchcase(c["id"], g) for g in options.only)]
    calls = calls[::options.every]
    wanted = [ask(first, c) for c in calls]
    first.stdin.close()
    first.wait()
    found, reasons, printed = 0, collections.Counter(), 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for call, want, have in zip(calls, wanted, pool.map(ours, range(len(calls)), calls)):
            for difference in differences(call, want, have):
                why = meant(call, difference)
                if why:
                    reasons[why] += 1
                    continue
                found += 1
                if found <= options.limit:
                    print(f"{call['id']}: {difference}")
                    if options.show:
                        print("   ", " ".join(have["line"]), "\n   ", json.dumps(want)[:3000], "\n   ", json.dumps(have)[:3000])
    for why, count in reasons.most_common():
        print(f"meant, {count} times: {why}")
    print(f"{len(calls)} calls, {found} differences")
    sys.exit(bool(found) or not calls)


main()
