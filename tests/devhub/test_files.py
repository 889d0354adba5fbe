# test_files.py - files on the wire: headers, ranges, conditions, the redirect to the CDN origin and its signed URLs, the log.
# Generated content must be the same bytes at every offset and must have the hash the tree names.
# The log must know every request and no token.
import hashlib
import os
import shutil
import tempfile
import time
import unittest

from devhub import Hub, request, write


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub("--token", "me:hf_secret_me")
        cls.source = tempfile.mkdtemp()
        cls.small = b"0123456789" * 10
        cls.large = os.urandom(300001)
        write(cls.source, "small.txt", cls.small)
        write(cls.source, "empty.txt", b"")
        write(cls.source, "plain.dat", cls.large)
        write(cls.source, "dir/\u00fc \"x\".bin", cls.large)
        cls.commit = cls.hub.add("acme/files", cls.source)
        cls.hub.add("acme/files", cls.source, "--type", "dataset")
        cls.hub.add("acme/made", "--generate", "size=40MiB,name=made,seed=11")

    @classmethod
    def tearDownClass(cls):
        cls.hub.close()
        shutil.rmtree(cls.source)

    def test_headers(self):
        oid = hashlib.sha1(b"blob 100\0" + self.small).hexdigest()
        for method in ("HEAD", "GET"):
            answer = self.hub.request("/acme/files/resolve/main/small.txt", method=method)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.body, self.small if method == "GET" else b"")
            for name, value in {"x-repo-commit": self.commit, "etag": f'"{oid}"', "content-length": "100", "accept-ranges": "bytes",
                                "content-type": "text/plain; charset=utf-8",
                                "content-disposition": "inline; filename*=UTF-8''small.txt; filename=\"small.txt\";"}.items():
                self.assertEqual(answer.headers[name], value, name)
        self.assertEqual(self.hub.get("/acme/files/resolve/main/empty.txt").headers["content-length"], "0")
        self.assertEqual(self.hub.get("/datasets/acme/files/resolve/main/small.txt").body, self.small)

    def test_ranges(self):
        for path, content in (("small.txt", self.small), ("plain.dat", self.large)):
            url, size = f"/acme/files/resolve/main/{path}", len(content)
            for spec, first, last in [("0-0", 0, 0), ("5-9", 5, 9), (f"{size - 3}-", size - 3, size - 1), ("-4", size - 4, size - 1),
                                      (f"2-{size + 50}", 2, size - 1), (f"-{size + 9}", 0, size - 1)]:
                answer = self.hub.get(url, range="bytes=" + spec)
                self.assertEqual((answer.status, answer.headers["content-range"]), (206, f"bytes {first}-{last}/{size}"), spec)
                self.assertEqual(answer.body, content[first : last + 1], spec)
            for spec in (f"{size}-", f"{size + 5}-{size + 6}", "0-1,3-4", "-0"):
                answer = self.hub.get(url, range="bytes=" + spec)
                self.assertEqual((answer.status, answer.headers["content-range"]), (416, f"bytes */{size}"), spec)
            for spec in ("lines=0-1", "bytes=9-5", "bytes=x-y"):
                self.assertEqual(self.hub.get(url, range=spec).status, 200, spec)

    def test_conditions(self):
        url = "/acme/files/resolve/main/small.txt"
        etag = self.hub.head(url).headers["etag"]
        answer = self.hub.get(url, if_none_match=etag)
        self.assertEqual((answer.status, answer.body, answer.headers["etag"]), (304, b"", etag))
        self.assertEqual(self.hub.get(url, if_none_match='"other"').status, 200)
        self.assertEqual(self.hub.get(url, if_match='"other"').status, 412)
        self.assertEqual(self.hub.get(url, if_range=etag, range="bytes=0-1").status, 206)
        self.assertEqual(self.hub.get(url, if_range='"other"', range="bytes=0-1").body, self.small)

    def test_large_files_are_on_the_cdn(self):
        url = "/acme/files/resolve/main/dir/%C3%BC%20%22x%22.bin"
        sha256 = hashlib.sha256(self.large).hexdigest()
        for method in ("HEAD", "GET"):
            answer = self.hub.request(url, method=method)
            self.assertEqual((answer.status, answer.headers["x-repo-commit"]), (302, self.commit))
            self.assertEqual((answer.headers["x-linked-etag"], answer.headers["x-linked-size"]), (f'"{sha256}"', "300001"))
            self.assertTrue(answer.headers["location"].startswith(self.hub.cdn + "/"))
        location = answer.headers["location"]
        answer = request(location, headers={"Range": "bytes=100000-200000"})
        self.assertEqual((answer.status, answer.body), (206, self.large[100000:200001]))
        self.assertEqual(request(location, method="HEAD").headers["content-length"], "300001")
        self.assertIn("UTF-8''%C3%BC%20%22x%22.bin", request(location).headers["content-disposition"])
        self.assertEqual(request(location.replace("Signature=", "Signature=0")).status, 403)
        self.assertEqual(request(location.replace("Expires=", "Expires=9")).status, 403)
        self.assertEqual(request(location.split("?")[0]).status, 403)
        self.assertEqual(request(self.hub.cdn + "/api/models").status, 404)
        self.assertEqual(self.hub.get("/repos/" + location.split("/repos/")[1]).status, 404)
        self.assertIn(b"oid sha256:" + sha256.encode(), self.hub.get(url.replace("resolve", "raw")).body)

    def test_signed_urls_expire(self):
        hub = Hub("--cdn-seconds", "1")
        hub.add("acme/made", "--generate", "size=10,seed=11")
        location = hub.get("/acme/made/resolve/main/file.bin").headers["location"]
        self.assertEqual(request(location).status, 200)
        time.sleep(2.1)
        self.assertEqual(request(location).status, 403)
        hub.close()

    def test_generated_content(self):
        entry = self.hub.get("/api/models/acme/made/tree/main").json()[0]
        location = self.hub.get("/acme/made/resolve/main/made.bin").headers["location"]
        whole = request(location).body
        self.assertEqual((len(whole), hashlib.sha256(whole).hexdigest()), (40 << 20, entry["lfs"]["oid"]))
        for first, last in [(0, 0), (4090, 4100), (1 << 20, (1 << 20) + 70000), ((40 << 20) - 5, (40 << 20) - 1)]:
            self.assertEqual(request(location, headers={"Range": f"bytes={first}-{last}"}).body, whole[first : last + 1])
        self.assertEqual(len({whole[i : i + 4096] for i in range(0, len(whole), 4096)}), (40 << 20) // 4096)

    def test_resolve_cache(self):
        hub = Hub("--resolve-cache")
        commit = hub.add("acme/files", self.source)
        answer = hub.get("/acme/files/resolve/main/small.txt")
        self.assertEqual(answer.status, 307)
        self.assertTrue(answer.headers["location"].startswith(f"/api/resolve-cache/models/acme/files/{commit}/small.txt?"))
        self.assertEqual(hub.get(answer.headers["location"]).body, self.small)
        hub.close()

    def test_a_server_on_every_address(self):
        hub = Hub("--host", "0.0.0.0")
        url = hub.url.replace("0.0.0.0", "127.0.0.1")
        hub.url = url
        hub.add("acme/made", "--generate", "size=10")
        location = hub.get("/acme/made/resolve/main/file.bin").headers["location"]
        self.assertTrue(location.startswith("http://127.0.0.1:" + hub.cdn.split(":")[2] + "/"))
        self.assertEqual(len(request(location).body), 10)
        hub.close()

    def test_log(self):
        self.hub.reset()
        self.hub.get("/acme/files/resolve/main/small.txt?download=true", range="bytes=1-3", authorization="Bearer hf_secret_me",
                     user_agent="tester/1", x_extra="seen")
        request(self.hub.get("/acme/made/resolve/main/made.bin", authorization="Bearer unknown_secret").headers.get("location", self.hub.cdn + "/x"))
        rows = self.hub.log()
        first = rows[0]
        self.assertEqual((first["method"], first["path"], first["status"], first["range"], first["user_agent"], first["token"]),
                         ("GET", "/acme/files/resolve/main/small.txt?download=true", 206, "bytes=1-3", "tester/1", "me"))
        self.assertEqual((first["sent"], first["length"], first["complete"], first["origin"]), (3, 3, True, "hub"))
        self.assertEqual(first["headers"]["x-extra"], "seen")
        self.assertEqual((rows[1]["status"], rows[1]["token"], rows[2]["origin"]), (401, "(unknown)", "cdn"))
        text = self.hub.run("log")
        self.assertNotIn("hf_secret_me", text)
        self.assertNotIn("unknown_secret", text)
        self.assertEqual(len(self.hub.run("log", "--after", str(first["n"])).splitlines()), 2)
        self.hub.reset()
        self.assertEqual(self.hub.log(), [])


if __name__ == "__main__":
    unittest.main()
