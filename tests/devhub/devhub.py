# devhub.py - starts an hf-devhub for a test and talks to it with the standard library alone.
# A Hub is started with Hub(...), filled with hub.add(...), asked with hub.get(...) and friends, and stopped by close().
# Answers keep status, headers (lower case) and body; nothing follows redirects by itself.
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

PROGRAM = os.environ["HF_DEVHUB"]


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = body

    def json(self):
        return json.loads(self.body)


def request(url, method="GET", headers=None, body=None, timeout=20):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


class Hub:
    def __init__(self, *options, data=None):
        self.folder = tempfile.mkdtemp(prefix="devhub-test-")
        ready = os.path.join(self.folder, "ready")
        place = ["--data", data] if data else ["--memory"]
        self.process = subprocess.Popen(
            [PROGRAM, "serve", *place, "--ready-file", ready, *options], stdout=subprocess.PIPE, text=True
        )
        for _ in range(400):
            if os.path.exists(ready) or self.process.poll() is not None:
                break
            time.sleep(0.025)
        with open(ready) as file:
            self.url, self.cdn = file.read().split()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.process.stdout.close()
        shutil.rmtree(self.folder)
        return code

    def run(self, command, *arguments, code=0):
        done = subprocess.run(
            [PROGRAM, command, "--url", self.url, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert done.returncode == code, (done.returncode, done.stderr)
        return done.stdout

    def add(self, *arguments):
        return self.run("add", *arguments).strip()

    def request(self, path, **rest):
        return request(path if path.startswith("http") else self.url + path, **rest)

    def get(self, path, **headers):
        return self.request(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def head(self, path, **headers):
        return self.request(path, method="HEAD", headers={k.replace("_", "-"): v for k, v in headers.items()})

    def log(self):
        return [json.loads(line) for line in self.run("log").splitlines()]

    def reset(self):
        self.run("reset")


def write(folder, path, content):
    whole = os.path.join(folder, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    with open(whole, "wb") as file:
        file.write(content)
