# test_faults.py - every fault kind does what docs/devhub.md says, seen from a raw socket where HTTP libraries hide it.
# Rules: matching, windows, reset; the header of a request; the command line.
# A faulted answer must not disturb the next request.
import gzip
import json
import socket
import time
import unittest
import urllib.parse

from devhub import Hub, request


def raw(url, fault, extra="", timeout=10, method="GET"):
    """Sends one request and returns everything that came back, and how it ended: closed, reset or timeout."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as s:
        s.sendall(f"{method} {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-Devhub-Fault: {fault}\r\n{extra}\r\n".encode())
        got = b""
        try:
            while True:
                piece = s.recv(1 << 20)
                if not piece:
                    return got, "closed"
                got += piece
        except ConnectionResetError:
            return got, "reset"
        except socket.timeout:
            return got, "timeout"


def split(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}, body


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.hub.add("acme/f", "--generate", "files=1,size=100000,ext=txt,name=file", "--lfs-threshold", "1G", "--lfs", "none")
        cls.hub.add("acme/f", "--generate", "files=1,size=100000,name=big")
        cls.url = cls.hub.url + "/acme/f/resolve/main/file.txt"
        cls.content = request(cls.url).body

    @classmethod
    def tearDownClass(cls):
        cls.hub.close()

    def setUp(self):
        self.hub.reset()

    def tearDown(self):
        self.assertEqual(request(self.url).body, self.content)

    def fault(self, text, **headers):
        return self.hub.request(self.url, headers={"X-Devhub-Fault": text, **{k.replace("_", "-"): v for k, v in headers.items()}})

    def test_status(self):
        answer = self.fault("kind=status;status=429;retry_after=7;ratelimit=\"api\";r=0;t=5")
        self.assertEqual(answer.status, 400)  # ";" ends a value: this cannot be read, and must not pass unseen
        self.assertIn("Bad X-Devhub-Fault: there is no fault parameter r", answer.json()["error"])
        answer = self.fault("kind=status;status=429;retry_after=7;code=Busy;message=Slow down")
        self.assertEqual((answer.status, answer.headers["retry-after"], answer.headers["x-error-code"]), (429, "7", "Busy"))
        self.assertEqual(answer.json(), {"error": "Slow down"})
        rule = {"kind": "status", "status": 429, "ratelimit": '"api";r=0;t=5', "count": 1}
        self.hub.request("/_devhub/faults", method="POST", body=json.dumps(rule))
        self.assertEqual(request(self.url).headers["ratelimit"], '"api";r=0;t=5')

    def test_cut(self):
        for reset in (0, 1):
            got, end = raw(self.url, f"kind=cut;after=70000;reset={reset}")
            status, headers, body = split(got)
            self.assertEqual((status, headers["content-length"], body), (200, "100000", self.content[:70000]))
            self.assertEqual(end, "reset" if reset else "closed")
        row = [r for r in self.hub.log() if r["fault"] == "cut"][0]
        self.assertEqual((row["sent"], row["complete"]), (70000, False))

    def test_stall(self):
        begin = time.monotonic()
        got, end = raw(self.url, "kind=stall;after=5000;seconds=0.7")
        self.assertGreater(time.monotonic() - begin, 0.65)
        self.assertEqual((split(got)[2], end), (self.content, "closed"))
        got, end = raw(self.url, "kind=stall;after=5000", timeout=0.7)
        self.assertEqual((split(got)[2], end), (self.content[:5000], "timeout"))

    def test_slow(self):
        begin = time.monotonic()
        answer = self.fault("kind=slow;rate=200000")
        self.assertEqual(answer.body, self.content)
        self.assertGreater(time.monotonic() - begin, 0.4)

    def test_flip(self):
        body = self.fault("kind=flip;offset=77").body
        self.assertEqual([i for i in range(len(body)) if body[i] != self.content[i]], [77])
        self.assertEqual(self.fault("kind=flip;offset=77", range="bytes=0-50").body, self.content[:51])
        part = self.fault("kind=flip;offset=77;mask=1", range="bytes=70-80").body
        self.assertEqual(part[7], self.content[77] ^ 1)

    def test_length(self):
        answer = self.fault("kind=truncate;by=10")
        self.assertEqual((answer.headers["content-length"], answer.body), ("99990", self.content[:-10]))
        self.assertEqual(self.fault("kind=truncate;after=3").body, self.content[:3])
        got, end = raw(self.url, "kind=length;by=50")
        self.assertEqual((split(got)[1]["content-length"], split(got)[2], end), ("100050", self.content, "closed"))
        got, end = raw(self.url, "kind=length;length=5")
        self.assertEqual((split(got)[1]["content-length"], len(split(got)[2])), ("5", 100000))
        answer = self.fault("kind=extra;by=9")
        self.assertEqual((answer.headers["content-length"], answer.body), ("100009", self.content + b"x" * 9))
        for kind, header in (("chunked", "transfer-encoding"), ("nolength", "connection")):
            answer = self.fault(f"kind={kind}")
            self.assertNotIn("content-length", answer.headers)
            self.assertIn(header, answer.headers)
            self.assertEqual(answer.body, self.content)
        answer = self.fault("kind=gzip")
        self.assertEqual((answer.headers["content-encoding"], gzip.decompress(answer.body)), ("gzip", self.content))

    def test_headers(self):
        etag = request(self.url, method="HEAD").headers["etag"]
        wrong = self.fault("kind=etag").headers["etag"]
        self.assertNotEqual(wrong, etag)
        self.assertEqual(len(wrong), len(etag))
        self.assertEqual(self.fault('kind=etag;value=W/"x"').headers["etag"], 'W/"x"')
        self.assertEqual(self.fault("kind=commit").headers["x-repo-commit"], "0123456789" * 4)
        self.assertNotIn("etag", self.fault("kind=header;name=ETag").headers)
        self.assertEqual(self.fault("kind=header;name=X-New;value=1").headers["x-new"], "1")
        got, _ = raw(self.url, "kind=bighead;length=1MiB")
        self.assertGreaterEqual(len(split(got)[1]["x-padding"]), 1 << 20)
        begin = time.monotonic()
        self.assertEqual(split(raw(self.url, "kind=slowhead;rate=1000")[0])[2], self.content)
        self.assertGreater(time.monotonic() - begin, 0.25)

    def test_ranges(self):
        answer = self.fault("kind=range;by=5", range="bytes=10-19")
        self.assertEqual((answer.status, answer.headers["content-range"], answer.body), (206, "bytes 15-24/100000", self.content[15:25]))
        answer = self.fault("kind=norange", range="bytes=10-19")
        self.assertEqual((answer.status, answer.body), (200, self.content))
        self.assertNotIn("content-range", answer.headers)
        answer = self.fault("kind=range200", range="bytes=10-19")
        self.assertEqual((answer.status, answer.headers["content-range"], answer.body), (200, "bytes 10-19/100000", self.content[10:20]))

    def test_redirects_and_bodies(self):
        answer = self.fault("kind=loop")
        self.assertEqual((answer.status, answer.headers["location"]), (302, "/acme/f/resolve/main/file.txt"))
        answer = self.fault("kind=redirect;location=http://example.invalid/x;status=307")
        self.assertEqual((answer.status, answer.headers["location"]), (307, "http://example.invalid/x"))
        answer = self.fault("kind=html")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b"<html>", answer.body)
        self.assertEqual(self.fault('kind=body;body=[{"path":"../../etc/passwd"}]').json(), [{"path": "../../etc/passwd"}])

    def test_nothing_and_delay(self):
        self.assertEqual(raw(self.url, "kind=empty"), (b"", "closed"))
        self.assertEqual(raw(self.url, "kind=empty;reset=1"), (b"", "reset"))
        begin = time.monotonic()
        self.assertEqual(self.fault("kind=delay;seconds=0.4").body, self.content)
        self.assertGreater(time.monotonic() - begin, 0.35)

    def test_rules(self):
        self.hub.run("fault", "kind=status;status=503;path=*/resolve/*;method=GET;nth=2;count=2")
        self.assertEqual([request(self.url).status for _ in range(5)], [200, 503, 503, 200, 200])
        self.assertEqual(request(self.hub.url + "/api/models").status, 200)
        self.hub.reset()
        self.hub.run("fault", "kind=status;status=500;origin=cdn", "kind=cut;after=1;path=*/big.bin")
        location = request(self.hub.url + "/acme/f/resolve/main/big.bin").headers["location"]  # no body to cut
        self.assertEqual(request(location).status, 500)
        self.assertEqual(json.loads(self.hub.run("fault"))[0]["seen"], 1)
        self.hub.run("fault", "--clear")
        self.assertEqual(request(location).status, 200)

    def test_a_list_replaces_a_rule_is_added(self):
        kinds = lambda body: [r["kind"] for r in self.hub.request("/_devhub/faults", method="POST", body=json.dumps(body)).json()]
        self.assertEqual(kinds([{"kind": "cut"}, {"kind": "flip", "match": {"path": "*/x", "method": "GET"}}]), ["cut", "flip"])
        self.assertEqual(kinds({"kind": "slow", "count": 0}), ["cut", "flip", "slow"])
        self.assertEqual(self.hub.request("/_devhub/faults", method="POST", body='[{"kind":"slow"},{"kind":"bad"}]').status, 400)
        self.assertEqual(len(json.loads(self.hub.run("fault"))), 3)
        self.assertEqual(kinds([]), [])

    def test_a_fault_in_the_header_for_the_cdn_only(self):
        headers = {"X-Devhub-Fault": "kind=flip;offset=0;origin=cdn"}
        answer = request(self.hub.url + "/acme/f/resolve/main/big.bin", headers=headers)
        self.assertEqual(answer.status, 302)
        good = request(answer.headers["location"]).body
        self.assertEqual(request(answer.headers["location"], headers=headers).body, bytes([good[0] ^ 255]) + good[1:])

    def test_bad_rules_are_refused(self):
        for rule in ("kind=nonsense", "status=500", "kind=cut;after=x", "kind=cut;what=1", "kind=status;status=99", "kind=cut;path=" + "*" * 9):
            self.hub.run("fault", rule, code=1)
        self.assertEqual(json.loads(self.hub.run("fault")), [])


if __name__ == "__main__":
    unittest.main()
