#!/usr/bin/env python3
"""Our Git LFS adapters against a server that others wrote (giftless): upload with verify, download where ranges are ignored.

thirdparty.py --build DIR. hf-devhub is the Hub, giftless holds the objects, a proxy here joins them. Exit 77 where giftless is not
installed and cannot be (HF_GIFTLESS names the bin folder of its virtual environment).
"""
import argparse
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

PACKAGES = ("giftless==0.6.2 flask==3.0.3 werkzeug==3.0.6 flask-classful==0.16.0 flask-marshmallow==1.2.1 marshmallow==3.22.0 "
            "webargs==8.6.0 pyjwt==2.9.0 python-dotenv==1.0.1 pyyaml==6.0.2 figcan==0.0.4 cachetools==5.5.0 python-dateutil==2.9.0.post0 "
            "typing-extensions==4.12.2 cryptography==43.0.3 gunicorn==23.0.0").split()
SETTINGS = """AUTH_PROVIDERS: ['giftless.auth.allow_anon:read_write']
LEGACY_ENDPOINTS: false
PRE_AUTHORIZED_ACTION_PROVIDER:
  options: {algorithm: HS256, private_key: a-test-key-of-more-than-32-bytes-long}
TRANSFER_ADAPTERS:
  basic:
    factory: giftless.transfer.basic_streaming:factory
    options: {storage_class: 'giftless.storage.local_storage:LocalStorage', storage_options: {path: 'DATA'}, action_lifetime: 900}
"""
parser = argparse.ArgumentParser()
parser.add_argument("--build", type=pathlib.Path, required=True)
build = parser.parse_args().build.resolve()
problems = []


def expect(condition, text):
    if not condition:
        problems.append(text)


def giftless():
    """The folder of its programs; installs it where that works."""
    named = os.environ.get("HF_GIFTLESS")
    venv = pathlib.Path(named).parent if named else build / "giftless"
    if not (venv / "bin/gunicorn").exists() and not named:
        done = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True)
        if done.returncode == 0:
            done = subprocess.run([venv / "bin/pip", "install", "-q", "--no-deps", "flask-cors", "importlib-metadata", "jinja2",
                                   "itsdangerous", "click", "blinker", "markupsafe", "packaging", "cffi", "pycparser", "six", "zipp", *PACKAGES],
                                  capture_output=True, timeout=240)
    works = (venv / "bin/python").exists() and subprocess.run([venv / "bin/python", "-c", "import giftless.app, gunicorn"], capture_output=True)
    if not works or works.returncode:
        print("SKIPPED: giftless is not installed" + (": " + works.stderr.decode()[-200:] if works else ""))
        sys.exit(77)
    return venv / "bin"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Joined(http.server.BaseHTTPRequestHandler):
    """What is about LFS goes to giftless, the commit ends here, a large file leads to giftless; all else goes to hf-devhub."""
    protocol_version = "HTTP/1.1"
    hub = lfs = None
    log, commits = [], []

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self, url, body):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")}
        if url == self.lfs:
            headers.pop("Authorization", None)  # everybody may write there
        connection.request(self.command, self.path, body=body, headers={**headers, "Host": parts.netloc})
        reply = connection.getresponse()
        content = reply.read()
        self.answer(reply.status, reply.getheaders(), content.replace(self.hub.encode(), self.own().encode()))

    def own(self):
        return f"http://{self.headers['Host']}"

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.log.append((self.command, self.path))
        if "/info/lfs/" in self.path:
            return self.pass_on(self.lfs, body)
        if "/commit/" in self.path:
            self.commits.append(body)
            return self.answer(200, [("Content-Type", "application/json")],
                               json.dumps({"commitUrl": self.own() + "/me/r/commit/" + "c" * 40, "commitOid": "c" * 40}).encode())
        if "/resolve/" in self.path and self.path.endswith(".bin"):
            oid = self.server.oids[self.path.rsplit("/", 1)[1]]
            asked = {"operation": "download", "transfers": ["basic"], "objects": [{"oid": oid[0], "size": oid[1]}]}
            request = urllib.request.Request(self.lfs + "/me/r.git/info/lfs/objects/batch", json.dumps(asked).encode(),
                                             {"Content-Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json"})
            [item] = json.loads(urllib.request.urlopen(request, timeout=30).read())["objects"]
            href = item["actions"]["download"]["href"]
            return self.answer(302, [("Location", href), ("X-Linked-Etag", f'"{oid[0]}"'), ("X-Linked-Size", str(oid[1])),
                                     ("X-Repo-Commit", self.server.commit)], b"")
        return self.pass_on(self.hub, body)

    do_GET = do_POST = do_PUT = do_HEAD = handle_one


programs = giftless()
with tempfile.TemporaryDirectory() as name, Hub(build / "bin", extra=["--lfs-threshold", "100KB"]) as hub:
    work = pathlib.Path(name)
    (work / "data").mkdir()
    (work / "giftless.yaml").write_text(SETTINGS.replace("DATA", str(work / "data")))
    port = free_port()
    with open(work / "giftless.log", "wb") as log:
        server = subprocess.Popen([programs / "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "8", "--timeout", "120",
                                   "--access-logfile", "-", "giftless.wsgi_entrypoint:app"], cwd=work, stdout=log, stderr=log,
                                  env={**os.environ, "GIFTLESS_CONFIG_FILE": str(work / "giftless.yaml")})
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        Joined.hub, Joined.lfs = hub.url, f"http://127.0.0.1:{port}"
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Joined)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        env = clean_environment(work / "home", f"http://127.0.0.1:{proxy.server_address[1]}", HF_HUB_DISABLE_XET="1")
        folder, chance = work / "folder", random.Random(5)
        folder.mkdir()
        files = {"one.bin": chance.randbytes(150000), "two.bin": chance.randbytes(9000001), "a.txt": b"small\n"}
        for file, content in files.items():
            (folder / file).write_bytes(content)
        time.sleep(0.2)

        def hf(*words, code=0):
            done = subprocess.run([build / "bin/hf", *words], env=env, cwd=work, capture_output=True, text=True, timeout=120)
            expect(done.returncode == code, f"hf {words}: exit {done.returncode}: {done.stderr[-800:]} {(work / 'giftless.log').read_text()[-800:]}")
            return done

        hf("repos", "create", "me/r")
        hf("upload", "me/r", "folder", ".", "-q")
        oids = {n: (hashlib.sha256(c).hexdigest(), len(c)) for n, c in files.items() if n.endswith(".bin")}
        stored = {p.name: p for p in (work / "data").rglob("*") if p.is_file()}
        for file, (oid, size) in oids.items():
            expect(oid in stored and stored[oid].read_bytes() == files[file], f"{file} is not in the store: {sorted(stored)}")
            expect(any(f'"oid": "{oid}", "size": {size}' in c.decode() for c in Joined.commits), f"{file} is not in the commit")
        lines = (work / "giftless.log").read_text().splitlines()
        verified = [line for line in lines if "/verify" in line and '" 200 ' in line]
        expect(len(verified) == 2, f"verified: {verified or lines[-20:]}")
        before = len([1 for method, path in Joined.log if path.endswith("/batch")])
        hf("upload", "me/r", "folder", ".", "-q")
        expect(len([1 for method, path in Joined.log if path.endswith("/batch")]) == before + 1, "what is there was not asked for once")

        proxy.oids, proxy.commit = oids, hub.add("me/r", folder, "--lfs", "*.bin")
        hf("download", "me/r", "--local-dir", "back", "-q")
        for file, content in files.items():
            have = work / "back" / file
            expect(have.is_file() and have.read_bytes() == content, f"{file} came back different")
        stored[oids["one.bin"][0]].write_bytes(b"x" * 150000)
        shutil.rmtree(work / "back")
        hf("download", "me/r", "one.bin", "--local-dir", "back", "-q", code=1)
        expect(not (work / "back/one.bin").exists(), "wrong bytes were published")
        proxy.shutdown()
    finally:
        server.terminate()
        server.wait()
for line in problems:
    print(line)
print(f"lfs.thirdparty: {'FAILED' if problems else 'ok'}")
sys.exit(1 if problems else 0)
