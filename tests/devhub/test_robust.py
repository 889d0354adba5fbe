# test_robust.py - hostile and heavy use: broken requests, odd paths, oversized bodies, hundreds of connections, web pages.
# After each of them the server must answer as before.
# Wrong use of the command line ends with code 2 and a sentence.
import concurrent.futures
import os
import socket
import subprocess
import threading
import unittest
import urllib.parse

from devhub import PROGRAM, Hub, request


class Robust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.hub.add("acme/r", "--generate", "tiny-model")
        cls.hub.add("acme/r", "--generate", "files=20,size=64KiB,ext=txt", "--lfs", "none")
        cls.address = urllib.parse.urlsplit(cls.hub.url)

    @classmethod
    def tearDownClass(cls):
        assert cls.hub.close() == 0

    def tearDown(self):
        self.assertEqual(self.hub.get("/acme/r/resolve/main/config.json").status, 200)

    def raw(self, data):
        with socket.create_connection((self.address.hostname, self.address.port), timeout=5) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                return s.recv(65536)
            except OSError:
                return b""

    def test_odd_paths(self):
        for path in ("/acme/r/resolve/main/..%2F..%2Fetc%2Fpasswd", "/acme/r/resolve/main/../../x", "/acme/r/resolve/main/a%00b",
                     "/acme/r/resolve/main/%zz", "/acme/r/resolve/main/", "/acme/r/resolve//x", "//", "/%2e%2e/x/resolve/main/y",
                     "/a/b/c/d", "/api/models/a/b/tree/main/" + "d/" * 100, "/acme/r/resolve/main/" + "x" * 3000,
                     "/api/models/acme%2Fr%2Fx/tree/main", "/api/models/acme/r/revision/" + "r" * 300,
                     "/api/models/acme/r/tree/main?cursor=f" + "z" * 4000, "/api/models?" + "&".join(f"a{i}=1" for i in range(500)),
                     "/acme/r/resolve/main/%ff%fe"):
            self.assertIn(self.hub.get(path).status // 100, (2, 4), path)
        self.assertEqual(self.hub.request("/api/models", method="DELETE").status, 404)

    def test_broken_requests(self):
        for data in (b"\0\1\2\3", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n", os.urandom(5000),
                     b"PUT /_devhub/blobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999\r\n\r\nabc",
                     b"PUT /_devhub/blobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\nabc",
                     b"POST /_devhub/commits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n{"):
            self.raw(data)
            self.assertEqual(self.hub.get("/api/models").status, 200, data[:40])

    def test_bodies_are_bounded(self):
        answer = self.hub.request("/_devhub/rename", method="POST", body=b"{" * 100000)
        self.assertEqual(answer.status, 413)
        answer = self.hub.request("/_devhub/commits", method="POST", body=b"[" * 100000)
        self.assertEqual(answer.status, 400)

    def test_web_pages_cannot_drive_it(self):
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            answer = self.hub.request("/_devhub/reset", method="POST", headers=headers)
            self.assertEqual(answer.status, 403, headers)

    def test_many_connections(self):
        barrier = threading.Barrier(300)

        def one(i):
            with socket.create_connection((self.address.hostname, self.address.port), timeout=30) as s:
                barrier.wait(30)
                file = s.makefile("rb")
                for k in range(3):
                    s.sendall(f"GET /acme/r/resolve/main/file-{(i + k) % 20:06}.txt HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    status, length = file.readline(), 0
                    while (line := file.readline()) != b"\r\n":
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    if b" 200 " not in status or len(file.read(length)) != 65536:
                        return False
                return True

        with concurrent.futures.ThreadPoolExecutor(300) as pool:
            self.assertTrue(all(pool.map(one, range(300))))

    def test_stopping_while_answers_hang(self):
        hub = Hub()
        hub.add("acme/r", "--generate", "tiny-model")
        hub.run("fault", "kind=stall;after=1")
        address = urllib.parse.urlsplit(hub.url)
        sockets = [socket.create_connection((address.hostname, address.port)) for _ in range(20)]
        for s in sockets:
            s.sendall(b"GET /acme/r/resolve/main/config.json HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(s.recv(100))
        self.assertEqual(hub.close(), 0)
        for s in sockets:
            s.close()

    def test_wrong_use(self):
        for arguments, word in ((["serve", "--nope"], "--nope"), (["serve", "--port", "99999"], "port"), (["serve", "--token", "x"], "NAME:TOKEN"),
                                (["serve", "--memory", "--data", "/tmp/x"], "either"), (["add", "a/b"], "--data"), (["log"], "--url"), ([], "Usage")):
            done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(word, done.stderr)
        done = subprocess.run([PROGRAM, "log", "--url", "http://127.0.0.1:1"], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
