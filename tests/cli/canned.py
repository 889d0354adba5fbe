"""A server that answers from a table and keeps what it was asked: for routes that the local Hub does not have.

The table is a list of {"method", "path", "status", "json" or "text", "headers"}; the first row whose method fits and whose path,
a glob over path and query, and "match", one over these and the body, match is taken. "once" rows are used up, reset() brings them back. {hub} is this server's address.
"""
import fnmatch
import http.server
import json
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self):
        canned = self.server.canned
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {k.lower(): v for k, v in self.headers.items()}
        auth = headers.pop("authorization", None)
        token = None if auth is None else "me" if auth == "Bearer " + canned.token else "(unknown)"
        row = {"method": self.command, "path": self.path, "token": token, "headers": headers}
        if body:
            row["body"] = body.decode("utf-8", "backslashreplace")
        found = canned.take(self.command, self.path, row)
        status, kind, text = found.get("status", 200), "application/json", ""
        if "json" in found:
            text = json.dumps(found["json"])
        elif "text" in found:
            kind, text = found.get("type", "text/plain; charset=utf-8"), found["text"]
        data = text.replace("{hub}", canned.url).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in found.get("headers", {}).items():
            self.send_header(name, value.replace("{hub}", canned.url))
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer


class Canned:
    def __init__(self, rows, token):
        self.rows, self.token, self.used, self.seen, self.lock = rows, token, set(), [], threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.canned = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, method, path, row):
        with self.lock:
            self.seen.append(row)
            for number, each in enumerate(self.rows):
                text = path + " " + row.get("body", "")
                if number in self.used or each.get("method", "GET") not in (method, "*") \
                        or not fnmatch.fnmatchcase(path, each.get("path", "*")) or not fnmatch.fnmatchcase(text, each.get("match", "*")):
                    continue
                if each.get("once"):
                    self.used.add(number)
                return each
        return {"status": 404, "json": {"error": "Not found"}}

    def reset(self):
        with self.lock:
            self.used.clear()
            self.seen.clear()

    def log(self):
        with self.lock:
            return list(self.seen)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
