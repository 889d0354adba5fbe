#!/usr/bin/env python3
"""Who may use `hf inference serve`, what it refuses and in which words, and what happens when a client goes away.

rules.py BUILD. Raw sockets where an HTTP library would not send what is tested.
"""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import unittest

from gateway import HF, Gateway, Hub, environment, gone_early, request, until


def raw(port, head, body=b"", address="127.0.0.1"):
    """Sends the lines as they are; answers status and body."""
    with socket.create_connection((address, port), timeout=30) as s:
        s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        s.shutdown(socket.SHUT_WR) if not body else None
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
            if b"\r\n\r\n" in got:
                length = [x for x in got.split(b"\r\n") if x.lower().startswith(b"content-length:")]
                if length and len(got.split(b"\r\n\r\n", 1)[1]) >= int(length[0].split(b":")[1]):
                    break
    return (int(got.split()[1]), got.split(b"\r\n\r\n", 1)[1]) if got else (0, b"")


CHAT = json.dumps({"model": "demo/talker", "messages": [{"role": "user", "content": "hi"}]}).encode()


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.hub.add("demo/talker", "--generate", "tiny-model")
        cls.gateway = Gateway(cls.hub)

    @classmethod
    def tearDownClass(cls):
        assert cls.gateway.close() == 0
        assert cls.hub.close() == 0

    def tearDown(self):
        self.hub.reset()

    def head(self, *lines, host=None, length=len(CHAT), method="POST", path="/v1/chat/completions", kind="application/json"):
        head = [f"{method} {path} HTTP/1.1"]
        head += [f"Host: {host}"] if host is not None else [f"Host: 127.0.0.1:{self.gateway.port}"]
        head += [f"Content-Type: {kind}"] if kind else []
        return head + ([f"Content-Length: {length}"] if method == "POST" else []) + list(lines)

    def refused(self, status, code, head, body=CHAT):
        got = raw(self.gateway.port, head, body)
        self.assertEqual(got[0], status, (head, got))
        error = json.loads(got[1])["error"]
        self.assertEqual((error["code"], sorted(error)), (code, ["code", "message", "param", "type"]))
        self.assertEqual([r for r in self.hub.log() if r["method"] == "POST"], [], "something was asked of the provider")

    def test_hosts(self):
        for host in ("localhost", "LOCALHOST:1", f"127.0.0.1:{self.gateway.port}", "127.8.9.10", "[::1]:99"):
            self.assertEqual(raw(self.gateway.port, self.head(host=host), CHAT)[0], 200, host)
        self.hub.reset()
        for host in ("evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "10.0.0.1", "[::2]", "", "localhost@evil.test", "evil.test:80",
                     "0.0.0.0", "127.0.0.1:80:80", "[::1", "localhost/"):
            self.refused(403, "forbidden_host", self.head(host=host))
        self.refused(403, "forbidden_host", self.head("Host: evil.test"))

    def test_origins(self):
        for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"):
            self.assertEqual(raw(self.gateway.port, self.head(f"Origin: {origin}"), CHAT)[0], 200, origin)
        self.hub.reset()
        for origin in ("https://evil.test", "null", "http://localhost.evil.test", "file://", "http://localhost@evil.test", "chrome-extension://localhost",
                       "http://10.0.0.1"):
            self.refused(403, "forbidden_origin", self.head(f"Origin: {origin}"))
        answer = request(self.gateway.url + "/chat/completions", method="OPTIONS", headers={"Origin": "http://localhost:3000",
                         "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
        self.assertEqual([h for h in answer.headers if h.startswith("access-control")], [], "a page must not be let in")
        self.assertEqual(answer.status, 405)

    def test_content_types(self):
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
            self.assertEqual(raw(self.gateway.port, self.head(kind=kind), CHAT)[0], 200, kind)
        self.hub.reset()
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp",
                     "text/plain; application/json"):
            self.refused(415, "unsupported_media_type", self.head(kind=kind))

    def test_routes(self):
        self.refused(404, "not_found", self.head(path="/v1/nothing"))
        self.refused(404, "not_found", self.head(path="/chat/completions"))
        self.refused(405, "method_not_allowed", self.head(method="GET"), b"")
        self.refused(405, "method_not_allowed", self.head(path="/v1/models"))
        self.assertEqual(request(self.gateway.url[:-3] + "/health").json(), {"status": "ok"})

    def test_bodies(self):
        for body in (b"", b"{", b"[]", b'"x"', b'{"model":"demo/talker"}', b'{"messages":[{}]}', b'{"model":"x","messages":[]}',
                     b'{"model":"http://127.0.0.1:1/v1","messages":[{}]}', b"\xff\xfe", b"[" * 100000):
            answer = self.gateway.post("/chat/completions", body)
            self.assertEqual((answer.status, answer.json()["error"]["type"]), (400, "invalid_request_error"), body[:80])
        self.assertEqual([r for r in self.hub.log() if r["method"] == "POST"], [])

    def test_errors_keep_the_providers_words(self):
        for fault, status, words in (("kind=status;status=402;message=Pay first", 402, "Pay first"),
                                     ("kind=body;status=400;body={\"error\":{\"message\":\"too many kettles\"}}", 400, "too many kettles"),
                                     ("kind=html", 502, ""), ("kind=body;body={\"broken", 502, "broken"), ("kind=empty", 502, "")):
            rule = dict(p.split("=", 1) for p in fault.split(";"))
            for stream in (False, True):
                for key in ("status",):
                    if key in rule:
                        rule[key] = int(rule[key])
                self.hub.request("/_devhub/faults", method="POST", body=json.dumps([{**rule, "match": {"path": "*/chat/completions"}}]))
                answer = self.gateway.chat("x", stream=stream)
                self.assertEqual(answer.status, status, (fault, stream, answer.body))
                self.assertIn(words, answer.json()["error"]["message"])
                self.assertNotIn("hf_demo", answer.body.decode())

    def test_an_error_within_a_stream(self):
        body = 'data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"out of luck"}}\n\n'
        self.hub.request("/_devhub/faults", method="POST", body=json.dumps([{"kind": "body", "type": "text/event-stream", "body": body,
                                                                             "match": {"path": "*/chat/completions"}}]))
        answer = self.gateway.chat("x", stream=True)
        events = [x[6:] for x in answer.body.decode().split("\n") if x.startswith("data: ")]
        self.assertEqual((answer.status, len(events)), (200, 2))
        self.assertIn("out of luck", json.loads(events[1])["error"]["message"])
        self.assertNotIn("[DONE]", events)

    def test_providers_by_name(self):
        for model, path in (("demo/talker", "/v1/chat/completions"), ("demo/talker:groq", "/groq/openai/v1/chat/completions"),
                            ("demo/talker:hf-inference", "/hf-inference/models/demo/talker/v1/chat/completions"),
                            ("demo/talker:fastest", "/v1/chat/completions"), ("demo/talker:nobody", "/v1/chat/completions")):
            self.hub.reset()
            self.assertEqual(self.gateway.chat("x", model).status, 200, model)
            self.assertEqual([r["path"] for r in self.hub.log() if r["method"] == "POST"], [path])
        other = Gateway(self.hub, "--provider", "groq", "--model", "demo/talker")
        try:
            self.hub.reset()
            self.assertEqual(other.post("/chat/completions", {"messages": [{"role": "user", "content": "x"}]}).status, 200)
            self.assertEqual(other.chat("x", "demo/talker:together").status, 200)
            self.assertEqual([r["path"] for r in self.hub.log() if r["method"] == "POST"],
                             ["/groq/openai/v1/chat/completions", "/together/v1/chat/completions"])
            self.assertEqual([m["id"] for m in request(other.url + "/models").json()["data"]], ["demo/talker"])
        finally:
            self.assertEqual(other.close(), 0)

    def test_an_endpoint(self):
        other = Gateway(self.hub, "--base-url", self.hub.url + "/v1")
        try:
            self.hub.reset()
            self.assertEqual(other.chat("x", "any:thing").json()["model"], "any:thing")
            self.assertEqual([(r["path"], r["token"]) for r in self.hub.log() if r["method"] == "POST"], [("/v1/chat/completions", None)])
        finally:
            self.assertEqual(other.close(), 0)

    def test_a_client_that_goes_away(self):
        """Before anything of the answer came, or after its first words; politely, or with a reset."""
        for stream, version, after, reset in ((True, "1.1", 30, False), (False, "1.1", 30, False), (False, "1.0", 30, True), (True, "1.0", 30, True),
                                              (True, "1.1", 1500, False), (True, "1.1", 1500, True), (True, "1.0", 1500, False)):
            what = f"stream={stream} HTTP/{version} after={after} reset={reset}"
            self.hub.reset()
            self.hub.run("fault", f"kind=stall;after={after};path=*/chat/completions")
            body = json.dumps({"model": "demo/talker", "stream": stream, "messages": [{"role": "user", "content": "word " * 200}]}).encode()
            head = [line.replace("HTTP/1.1", f"HTTP/{version}") for line in self.head(length=len(body))]
            with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30) as s:
                s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
                self.assertTrue(until(lambda: [r for r in self.hub.log() if r["method"] == "POST"]), what)
                got = b""
                while after > 1000 and b"word" not in got:
                    piece = s.recv(65536)
                    self.assertTrue(piece, (what, got))
                    got += piece
                self.assertEqual(gone_early(self.hub, "/chat/completions"), [], what)
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.assertTrue(until(lambda: gone_early(self.hub, "/chat/completions")), f"{what}: the provider still sends")

    def test_a_client_that_only_stops_sending(self):
        """It closed its sending side and waits for what it asked for."""
        for stream, version in ((False, "1.1"), (True, "1.1"), (False, "1.0"), (True, "1.0")):
            self.hub.reset()
            self.hub.run("fault", "kind=delay;seconds=1;path=*/chat/completions")
            body = json.dumps({"model": "demo/talker", "stream": stream, "messages": [{"role": "user", "content": "kettle"}]}).encode()
            head = [line.replace("HTTP/1.1", f"HTTP/{version}") for line in self.head("Connection: close", length=len(body))]
            with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30) as s:
                s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
                s.shutdown(socket.SHUT_WR)
                got = b"".join(iter(lambda: s.recv(65536), b""))
            self.assertIn(b" 200 ", got.replace(b"100 Continue\r\n\r\nHTTP/1.1", b"").split(b"\r\n")[0], (stream, version, got))
            self.assertIn(b"kettle", got, (stream, version))
            self.assertEqual(b"[DONE]" in got, stream)

    def test_what_an_endpoint_has(self):
        first = Gateway(self.hub, "--model", "demo/talker")
        second = Gateway(self.hub, "--base-url", first.url)
        nobody = Gateway(self.hub, "--base-url", self.hub.url + "/nothing")
        try:
            self.assertEqual([m["id"] for m in request(second.url + "/models").json()["data"]], ["demo/talker"])
            self.assertEqual(request(second.url + "/models/demo/talker").json()["id"], "demo/talker")
            self.assertEqual(request(second.url + "/models/other").status, 404)
            self.assertEqual(request(nobody.url + "/models").status, 404, "no list is no empty list")
        finally:
            self.assertEqual([g.close() for g in (second, first, nobody)], [0, 0, 0])

    def test_usage_of_vectors(self):
        self.hub.reset()
        said = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}}
        self.hub.request("/_devhub/faults", method="POST", body=json.dumps([{"kind": "body", "body": json.dumps(said), "match": {"path": "*/embeddings"}}]))
        other = Gateway(self.hub, "--base-url", self.hub.url + "/v1")
        try:
            answer = other.post("/embeddings", {"model": "m", "input": "kettle"}).json()
            self.assertEqual((answer["usage"], answer["data"][0]["embedding"]), (said["usage"], [0.5]))
        finally:
            self.assertEqual(other.close(), 0)

    def test_too_large_and_too_many(self):
        small = Gateway(self.hub, "--max-body", "4096", "--max-requests", "1")
        try:
            self.hub.reset()
            big = json.dumps({"model": "demo/talker", "messages": [{"role": "user", "content": "x" * 5000}]})
            answer = small.post("/chat/completions", big)
            self.assertEqual((answer.status, answer.json()["error"]["code"]), (413, "request_too_large"))
            head = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Transfer-Encoding: chunked"]
            chunks = b"".join(b"400\r\n" + b"x" * 1024 + b"\r\n" for _ in range(8)) + b"0\r\n\r\n"
            self.assertEqual(raw(small.port, head, chunks)[0], 413)
            self.assertEqual([r for r in self.hub.log() if r["method"] == "POST"], [])
            self.hub.run("fault", "kind=stall;after=30;path=*/chat/completions;count=1")
            body = json.dumps({"model": "demo/talker", "messages": [{"role": "user", "content": "x" * 500}]}).encode()
            with socket.create_connection(("127.0.0.1", small.port), timeout=30) as s:
                s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                self.assertTrue(until(lambda: [r for r in self.hub.log() if r["method"] == "POST"]))
                answer = small.chat("y")
                self.assertEqual((answer.status, answer.json()["error"]["code"], answer.headers["retry-after"]), (429, "too_many_requests", "1"))
            self.assertTrue(until(lambda: small.chat("y").status == 200), "the place of the one who left stays taken")
        finally:
            self.assertEqual(small.close(), 0)

    def test_answers_that_wait_hold_no_thread(self):
        busy = Gateway(self.hub, HF_THREADS="2")
        self.hub.reset()
        self.hub.run("fault", "kind=stall;after=30;path=*/chat/completions")
        body = json.dumps({"model": "demo/talker", "stream": True, "messages": [{"role": "user", "content": "word " * 200}]}).encode()
        waiting = []
        try:
            for _ in range(6):
                s = socket.create_connection(("127.0.0.1", busy.port), timeout=30)
                s.sendall("\r\n".join(self.head(length=len(body))).encode() + b"\r\n\r\n" + body)
                waiting.append(s)
            self.assertTrue(until(lambda: len([r for r in self.hub.log() if r["method"] == "POST"]) == 6), "some wait for others")
            self.assertEqual(request(busy.url[:-3] + "/health").json(), {"status": "ok"})
        finally:
            for s in waiting:
                s.close()
            self.assertEqual(busy.close(), 0)

    def test_a_model_is_no_path(self):
        self.assertEqual(request(self.gateway.url + "/models/demo/talker").json()["id"], "demo/talker")
        self.hub.reset()
        for path in ("..%2Fwhoami-v2", "demo/..%2F..%2Fwhoami-v2", "a/b/c"):
            self.assertEqual(request(self.gateway.url + "/models/" + path).status, 400, path)
        self.assertEqual(self.hub.log(), [])

    def test_keys_of_clients(self):
        for options, extra in ((("--key-env", "DOOR"), {"DOOR": "sk-door"}), (("--key-file", "-"), {})):
            closed = Gateway(self.hub, *options, stdin=None if extra else "sk-door\n", **extra)
            try:
                self.hub.reset()
                for key in (None, "", "sk-doo", "sk-door1", "SK-DOOR", "x" * 10000):
                    answer = closed.post("/chat/completions", CHAT, **({"Authorization": f"Bearer {key}"} if key is not None else {}))
                    self.assertEqual((answer.status, answer.json()["error"]["code"]), (401, "invalid_api_key"), key)
                self.assertEqual([r for r in self.hub.log() if r["method"] == "POST"], [])
                self.assertEqual(closed.post("/chat/completions", CHAT, Authorization="Bearer sk-door").status, 200)
                self.assertNotIn("sk-door", pathlib.Path(f"/proc/{closed.process.pid}/cmdline").read_text())
                tokens = {r["token"] for r in self.hub.log() if r["method"] == "POST"}
                self.assertEqual(tokens, {"devhub"}, "the client's key must not be what goes to the provider")
            finally:
                self.assertEqual(closed.close(), 0)
                self.assertNotIn("sk-door", closed.said)

    def test_where_it_listens(self):
        table = [line.split()[1] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines() if f":{self.gateway.port:04X} " in line.split()[1] + " "]
        self.assertIn(f"0100007F:{self.gateway.port:04X}", table)
        env = environment(self.gateway.home, HF_ENDPOINT=self.hub.url)
        for host in ("0.0.0.0", "::", "192.0.2.1"):
            done = subprocess.run([HF, "inference", "serve", "--port", "0", "--host", host], env=env, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, (host, done.stderr))
            self.assertIn("key", done.stderr)
        busy = subprocess.run([HF, "inference", "serve", "--port", str(self.gateway.port)], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(busy.returncode, 1)
        self.assertIn("cannot be listened on", busy.stderr)
        self.assertEqual(subprocess.run([HF, "inference", "serve", "--key-env", "NOT_THERE"], env=env, capture_output=True, timeout=60).returncode, 1)

    def test_its_end(self):
        for sig in (signal.SIGINT, signal.SIGTERM):
            one = Gateway(self.hub)
            self.hub.reset()
            self.hub.run("fault", "kind=stall;after=30;path=*/chat/completions")
            body = json.dumps({"model": "demo/talker", "stream": True, "messages": [{"role": "user", "content": "word " * 200}]}).encode()
            with socket.create_connection(("127.0.0.1", one.port), timeout=30) as s:
                s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                self.assertTrue(until(lambda: [r for r in self.hub.log() if r["method"] == "POST"]))
                self.assertEqual(one.close(sig), 0)
            self.assertEqual(one.said.strip(), "")
            self.assertTrue(until(lambda: gone_early(self.hub, "/chat/completions")), "the provider still sends")

    def test_the_program_does_not_link_the_server(self):
        maps = subprocess.run(["ldd", HF], capture_output=True, text=True).stdout
        self.assertNotIn("microhttpd", maps)
        files = pathlib.Path(f"/proc/{self.gateway.process.pid}/maps").read_text()
        self.assertIn("hf-serve.so", files)

    def test_many_at_once(self):
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda n: self.gateway.chat(f"number {n}", stream=n % 2 == 0), range(120)))
        for n, answer in enumerate(answers):
            self.assertEqual(answer.status, 200)
            text = answer.json()["choices"][0]["message"]["content"] if n % 2 else "".join(
                json.loads(x[6:])["choices"][0]["delta"].get("content", "") for x in answer.body.decode().split("\n") if x.startswith("data: {"))
            self.assertEqual(text, f"number {n}")
        threads = len(os.listdir(f"/proc/{self.gateway.process.pid}/task"))
        self.assertLess(threads, 100)


if __name__ == "__main__":
    import sys
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
