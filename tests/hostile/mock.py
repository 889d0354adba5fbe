"""A Hub made of a table of answers: what a hostile server sends is written down, not computed by a well-behaved one.

A test gives a function per route; everything else answers 404. Standard library only.
"""
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import clean_environment  # noqa: E402

COMMIT = "1234567890abcdef1234567890abcdef12345678"
CONTENT = b"the content of a file that somebody else named\n"


def git_blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Answer:
    """Status, headers and body of one answer; body: bytes, or an iterator of pieces that are sent as long as one listens."""

    def __init__(self, status=200, headers=(), body=b"", length=True):
        self.status, self.headers, self.body, self.length = status, list(headers), body, length


def info(sha=COMMIT, **more):
    return Answer(headers=[("Content-Type", "application/json")],
                  body=json.dumps({"id": "evil/repo", "sha": sha, "siblings": [], **more}).encode())


def tree(*entries):
    """Entries: dictionaries, or bytes that are JSON already (names that no encoder would write)."""
    body = b"[" + b",".join(e if isinstance(e, bytes) else json.dumps(e).encode() for e in entries) + b"]"
    return Answer(headers=[("Content-Type", "application/json")], body=body)


def entry(name_json, content=CONTENT):
    return b'{"type":"file","oid":"%s","size":%d,"path":%s}' % (git_blob(content).encode(), len(content), name_json)


def file(content=CONTENT, **headers):
    rows = {"ETag": '"%s"' % git_blob(content), "X-Repo-Commit": COMMIT, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Answer(headers=[(k, v) for k, v in rows.items() if v is not None], body=content)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        self.server.requests.append((self.command, self.path[:4096], dict(self.headers)) if len(self.server.requests) < 2000
                                    else None)
        found = None
        for pattern, make in self.server.routes:
            if re.search(pattern, self.path):
                found = make(self) if callable(make) else make
                break
        if found is None:
            found = Answer(404, body=b"{}")
        if found == "done":
            self.close_connection = True
            return
        head = "HTTP/1.1 %d X\r\n" % found.status
        for name, value in found.headers:
            head += "%s: %s\r\n" % (name, value)
        whole = isinstance(found.body, (bytes, bytearray))
        if whole and found.length:
            head += "Content-Length: %d\r\n" % len(found.body)
        elif not whole and not any(n.lower() in ("transfer-encoding", "content-length") for n, _ in found.headers):
            head += "Connection: close\r\n"
        try:
            self.wfile.write(head.encode("latin-1", "replace") + b"\r\n")
            if self.command != "HEAD":
                for piece in [found.body] if whole else found.body:
                    self.wfile.write(piece)
        except (OSError, ValueError):
            self.close_connection = True
            return
        if not whole:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


class Mock:
    def __init__(self, routes=(), host="127.0.0.1"):
        self.server = Server((host, 0), Handler)
        self.server.routes, self.server.requests = list(routes), []
        self.url = "http://%s:%d" % self.server.server_address[:2]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def requests(self):
        return self.server.requests

    def set(self, routes):
        self.server.routes, self.server.requests = list(routes), []

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Result:
    pass


def run(command, env, timeout=60, stdin=b""):
    """One process to its end: exit code (negative: signal), output, seconds, CPU seconds and peak memory in bytes."""
    r = Result()
    began = time.monotonic()
    with open(os.devnull) as null, __import__("tempfile").TemporaryFile() as out, \
            __import__("tempfile").TemporaryFile() as err:
        process = subprocess.Popen([str(c) if not isinstance(c, bytes) else c for c in command], env=env, stdin=null,
                                   stdout=out, stderr=err, start_new_session=True)
        killer = threading.Timer(timeout, lambda: os.killpg(process.pid, signal.SIGKILL))
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        alive = killer.is_alive()
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        r.out, r.err = out.read(), err.read()
    r.code, r.timed_out = process.returncode, not alive
    r.seconds, r.cpu, r.rss = time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return r


def picture(folder, leave_out=None):
    """Everything below a folder: name, kind, mode, content or target. Links are not followed."""
    rows = {}
    stack = [os.fsencode(str(folder))]
    skip = os.fsencode(str(leave_out)) if leave_out else None
    while stack:
        at = stack.pop()
        for item in os.scandir(at):
            if item.path == skip:
                continue
            st = item.stat(follow_symlinks=False)
            if item.is_symlink():
                rows[item.path] = ("link", os.readlink(item.path))
            elif item.is_dir(follow_symlinks=False):
                rows[item.path] = ("dir", st.st_mode)
                stack.append(item.path)
            elif item.is_file(follow_symlinks=False):
                with open(item.path, "rb") as f:
                    rows[item.path] = ("file", st.st_mode, hashlib.sha256(f.read()).hexdigest())
            else:
                rows[item.path] = ("other", st.st_mode)
    return rows


def differences(before, after):
    return sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))


def environment(home, url, **more):
    env = clean_environment(pathlib.Path(home), url, HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_XET="1", **more)
    env.pop("TMPDIR", None)
    return env
