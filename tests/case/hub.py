"""Starts hf-devhub for a test, fills it, reads its request log, sets its faults.

Used by the scenario runner, the interop tests and the benchmarks; standard library only.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


class Hub:
    """One hf-devhub process on a free loopback port, in memory unless a data folder is given."""

    def __init__(self, bin_dir, data=None, extra=()):
        self.bin = pathlib.Path(bin_dir)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hf-hub-"))
        ready = self.scratch / "ready"
        where = ["--data", str(data)] if data else ["--memory"]
        self.errors = open(self.scratch / "stderr", "wb")
        self.process = subprocess.Popen(
            [str(self.bin / "hf-devhub"), "serve", *where, "--ready-file", str(ready), *extra],
            stdout=subprocess.DEVNULL, stderr=self.errors, stdin=subprocess.DEVNULL)
        for _ in range(400):
            if ready.exists() and ready.read_text().strip():
                break
            if self.process.poll() is not None:
                raise RuntimeError("hf-devhub ended: " + (self.scratch / "stderr").read_text())
            time.sleep(0.02)
        else:
            self.close()
            raise RuntimeError("hf-devhub did not become ready")
        self.url = ready.read_text().split()[0].split("=")[-1].rstrip("/")

    def add(self, repo, *arguments):
        """Runs `hf-devhub add` against this hub; answers the commit."""
        done = subprocess.run([str(self.bin / "hf-devhub"), "add", "--url", self.url, repo, *map(str, arguments)],
                              capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"hf-devhub add {repo} {arguments}: {done.stdout}{done.stderr}")
        return done.stdout.split()[-1]

    def add_files(self, repo, files, *arguments):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, dict):
                content = (content.get("text", "x").encode() * content.get("repeat", 1))[: content.get("size")]
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.add(repo, folder, *arguments)

    def call(self, method, path, body=None, headers=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        if data is not None:
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def log(self):
        """The requests since the last reset, oldest first, without those of the tests themselves."""
        text = self.call("GET", "/_devhub/log").decode()
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(l) for l in text.splitlines() if l.strip()]
        return [row for row in rows if not row["path"].startswith("/_devhub/")]

    def reset(self):
        self.call("POST", "/_devhub/reset", {})

    def faults(self, rules):
        self.call("POST", "/_devhub/faults", rules)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def clean_environment(home, hub_url=None, **more):
    """An environment for a client under test: nothing of the user's, everything below `home`."""
    keep = ("PATH", "LANG", "LC_ALL", "TMPDIR", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH")
    env = {k: v for k, v in os.environ.items() if k in keep}
    env.update(HOME=str(home), HF_HOME=str(home / "hf"), XDG_CACHE_HOME=str(home / "cache"), NO_PROXY="127.0.0.1,localhost",
               HF_HUB_DISABLE_UPDATE_CHECK="1", HF_HUB_DISABLE_TELEMETRY="1", COLUMNS="120")
    if hub_url:
        env["HF_ENDPOINT"] = hub_url
    env.update({k: str(v) for k, v in more.items()})
    return env
