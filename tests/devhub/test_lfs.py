# test_lfs.py - Git LFS: batch, one PUT, parts in any order, completion, verify, and what must be refused.
# Also Debian's git-lfs itself, pushing and pulling, when it is there; without it that test says so and is skipped.
# Contents are compared by hash with what is downloaded afterwards.
import hashlib
import http.client
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from devhub import Hub, request

PART = 100_000


def content(size, seed):
    return random.Random(seed).randbytes(size)


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Lfs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp(prefix="devhub-lfs-")
        cls.hubs = [Hub("--part-size", str(PART)), Hub("--part-size", str(PART), data=cls.data)]

    @classmethod
    def tearDownClass(cls):
        codes = [hub.close() for hub in cls.hubs]
        shutil.rmtree(cls.data)
        assert codes == [0, 0]

    def each(self):
        for hub in self.hubs:
            with self.subTest(hub=hub.url):
                self.hub = hub
                yield hub

    def post(self, url, body, **headers):
        return self.hub.request(url, method="POST", body=json.dumps(body), headers={"Content-Type": "application/vnd.git-lfs+json", **headers})

    def create(self, name):
        self.hub.request("/api/repos/create", method="POST", body=json.dumps({"name": name}))
        return f"/devhub/{name}"

    def batch(self, repo, objects, operation="upload", transfers=("basic", "multipart"), **headers):
        answer = self.post(repo + ".git/info/lfs/objects/batch", {"operation": operation, "transfers": list(transfers), "hash_algo": "sha256",
                           "objects": [{"oid": o, "size": s} for o, s in objects]}, **headers)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["content-type"], "application/vnd.git-lfs+json")
        return answer.json()

    def put(self, url, data, **headers):
        return request(url, method="PUT", body=data, headers=headers)

    def parts(self, action, data, numbers, size=PART):
        tags = {}
        for n in numbers:
            answer = self.put(action["header"][str(n)], data[(n - 1) * size:n * size])
            self.assertEqual(answer.status, 200, answer.body)
            tags[n] = answer.headers["etag"]
        return tags

    def complete(self, action, oid, tags):
        return self.post(action["href"], {"oid": oid, "parts": [{"partNumber": n, "etag": tags[n]} for n in sorted(tags)]})

    def fetch(self, repo, oid, size):
        action = self.batch(repo, [(oid, size)], "download")["objects"][0]["actions"]["download"]
        return request(action["href"]).body

    def test_basic(self):
        for hub in self.each():
            repo = self.create("basic")
            for size in (0, 1, 1000, 40_000, PART):
                data = content(size, size)
                found = self.batch(repo, [(sha(data), size)])["objects"][0]
                actions = found["actions"]
                self.assertTrue(actions["upload"]["href"].startswith(hub.cdn + "/"))
                self.assertNotIn("header", actions["upload"])
                self.assertEqual(self.post(actions["verify"]["href"], {"oid": sha(data), "size": size}).status, 404)
                self.assertEqual(self.put(actions["upload"]["href"], data + b"x").status, 400)
                if size:
                    self.assertEqual(self.put(actions["upload"]["href"], bytes(size)).status, 400)
                self.assertEqual(self.post(actions["verify"]["href"], {"oid": sha(data), "size": size}).status, 404)
                for _ in range(2):
                    self.assertEqual(self.put(actions["upload"]["href"], data).status, 200)
                self.assertEqual(self.post(actions["verify"]["href"], {"oid": sha(data), "size": size}).status, 200)
                self.assertEqual(self.post(actions["verify"]["href"], {"oid": sha(data), "size": size + 1}).status, 422)
                self.assertNotIn("actions", self.batch(repo, [(sha(data), size)])["objects"][0])
                self.assertEqual(self.fetch(repo, sha(data), size), data)

    def test_multipart(self):
        for hub in self.each():
            repo = self.create("multi")
            data = content(5 * PART + 17, 5)
            oid = sha(data)
            answer = self.batch(repo, [(oid, len(data)), (sha(b"s"), 1)])
            self.assertEqual(answer["transfer"], "multipart")
            self.assertNotIn("header", answer["objects"][1]["actions"]["upload"])
            action = answer["objects"][0]["actions"]["upload"]
            self.assertEqual(sorted(k for k in action["header"] if k.isdigit()), list("123456"))
            self.assertEqual(action["header"]["chunk_size"], str(PART))
            tags = self.parts(action, data, [4, 6, 1])
            self.assertEqual(self.complete(action, oid, tags).status, 400)
            tags.update(self.parts(action, data, [3, 2, 5]))
            tags.update(self.parts(action, data, [2]))
            self.assertEqual(self.complete(action, oid, {**tags, 3: '"' + "0" * 32 + '"'}).status, 400)
            self.assertEqual(self.put(action["header"]["1"], data[:PART - 1]).status, 400)
            self.assertEqual(self.complete(action, sha(b"other"), tags).status, 400)
            for _ in range(2):
                self.assertEqual(self.complete(action, oid, tags).json(), {"success": True})
            self.assertEqual(self.put(action["header"]["1"], data[:PART]).status, 404)
            self.assertEqual(self.fetch(repo, oid, len(data)), data)
            self.assertNotIn("actions", self.batch(repo, [(oid, len(data))])["objects"][0])
            single = self.batch(self.create("single"), [(oid, len(data))], transfers=["basic"])
            self.assertEqual((single["transfer"], "header" in single["objects"][0]["actions"]["upload"]), ("basic", False))

    def test_wrong_content(self):
        for hub in self.each():
            repo = self.create("wrong")
            data = content(3 * PART, 9)
            other = data[:-1] + bytes([data[-1] ^ 1])
            action = self.batch(repo, [(sha(data), len(data))])["objects"][0]["actions"]["upload"]
            tags = self.parts(action, other, [1, 2, 3])
            answer = self.complete(action, sha(data), tags)
            self.assertEqual(answer.status, 400)
            self.assertIn("another SHA-256", answer.json()["error"])
            self.assertIn("actions", self.batch(repo, [(sha(data), len(data))])["objects"][0])
            # A part that is sent again, right this time, after the wrong one was already looked at.
            action = self.batch(repo, [(sha(data), len(data))])["objects"][0]["actions"]["upload"]
            tags = self.parts(action, other, [1, 2, 3])
            time.sleep(0.1)
            tags.update(self.parts(action, data, [3]))
            self.assertEqual(self.complete(action, sha(data), tags).status, 200)
            self.assertEqual(self.fetch(repo, sha(data), len(data)), data)

    def test_part_given_up(self):
        """Large parts are hashed while they come: what a writer leaves behind that gives up does not count."""
        part = 24 << 20
        data = bytes(part) + content(1 << 20, 10)
        with tempfile.TemporaryDirectory(prefix="devhub-lfs-") as folder:
            for where in (None, folder):
                self.hub = Hub("--part-size", str(part), data=where)
                try:
                    repo = self.create("cut")
                    action = self.batch(repo, [(sha(data), len(data))])["objects"][0]["actions"]["upload"]
                    url = urllib.parse.urlsplit(action["header"]["1"])
                    lines = [http.client.HTTPConnection(url.netloc) for _ in range(2)]
                    for line in lines:
                        line.putrequest("PUT", f"{url.path}?{url.query}")
                        line.putheader("Content-Length", str(part))
                        line.endheaders()
                        line.send(b"wrong" * (3 << 20))
                    time.sleep(0.3)
                    lines[0].close()
                    tags = self.parts(action, data, [2, 1], part)
                    lines[1].close()
                    self.assertEqual(self.complete(action, sha(data), tags).status, 200)
                    self.assertEqual(sha(self.fetch(repo, sha(data), len(data))), sha(data))
                finally:
                    self.assertEqual(self.hub.close(), 0)

    def test_parallel(self):
        for hub in self.each():
            repo = self.create("parallel")
            datas = [content(12 * PART + 1 + i, 100 + i) for i in range(4)]
            def work(data):
                action = self.batch(repo, [(sha(data), len(data))])["objects"][0]["actions"]["upload"]
                order, tags = list(range(1, 14)), {}
                random.Random(len(data)).shuffle(order)
                threads = [threading.Thread(target=lambda n=order[k::3]: tags.update(self.parts(action, data, n))) for k in range(3)]
                [t.start() for t in threads]
                [t.join() for t in threads]
                done = []
                threads = [threading.Thread(target=lambda: done.append(self.complete(action, sha(data), tags).status)) for _ in range(3)]
                [t.start() for t in threads]
                [t.join() for t in threads]
                results.append(done)
            results = []
            threads = [threading.Thread(target=work, args=(d,)) for d in datas]
            [t.start() for t in threads]
            [t.join() for t in threads]
            self.assertEqual(results, [[200] * 3] * 4)
            for data in datas:
                self.assertEqual(sha(self.fetch(repo, sha(data), len(data))), sha(data))

    def test_refused(self):
        for hub in self.each():
            repo = self.create("no")
            good = sha(b"abc")
            rows = self.batch(repo, [(good, -1), ("zz", 1), (good.upper(), 3), (good, 3)])["objects"]
            self.assertEqual([row.get("error", {}).get("code") for row in rows], [422, 422, 422, None])
            self.assertEqual(self.batch(repo, [(good, 3)], "download")["objects"][0]["error"]["code"], 404)
            answer = self.post(repo + ".git/info/lfs/objects/batch", {"operation": "explode", "objects": []})
            self.assertEqual((answer.status, "message" in answer.json()), (422, True))
            url = self.batch(repo, [(good, 3)])["objects"][0]["actions"]["upload"]["href"]
            self.assertEqual(self.put(url.replace(good, sha(b"abd")), b"abd").status, 403)
            self.assertEqual(self.put(url.replace("size=3", "size=4"), b"abcd").status, 403)
            self.assertEqual(self.put(url.split("?")[0], b"abc").status, 403)
            self.assertEqual(self.post("/devhub/none.git/info/lfs/objects/batch", {"operation": "upload", "objects": []}).status, 401)
            # An object belongs to the repo it was uploaded to.
            self.assertEqual(self.put(url, b"abc").status, 200)
            other = self.create("elsewhere")
            self.assertIn("actions", self.batch(other, [(good, 3)])["objects"][0])
            self.assertEqual(self.batch(other, [(good, 3)], "download")["objects"][0]["error"]["code"], 404)
            answer = self.post("/api/models" + repo + "/lfs-files/duplicate", {"target": {"type": "model", "name": "devhub/elsewhere"},
                               "files": [{"sha256": good, "filename": "a"}, {"sha256": "0" * 64, "filename": "b"}]})
            self.assertEqual([f["filename"] for f in answer.json()["failed"]], ["b"])
            self.assertEqual(self.fetch(other, good, 3), b"abc")

    def test_expired(self):
        hub = self.hub = Hub("--upload-seconds", "1", "--part-size", "10")
        try:
            repo = self.create("late")
            basic = self.batch(repo, [(sha(b"abc"), 3)])["objects"][0]["actions"]["upload"]
            multi = self.batch(repo, [(sha(b"x" * 20), 20)])["objects"][0]["actions"]["upload"]
            time.sleep(2.1)
            self.assertIn(b"expired", self.put(basic["href"], b"abc").body)
            self.assertEqual(self.put(multi["header"]["1"], b"x" * 10).status, 403)
            self.assertEqual(self.complete(multi, sha(b"x" * 20), {}).status, 403)
        finally:
            hub.close()

    def test_a_broken_part_is_no_part(self):
        for hub in self.each():
            repo = self.create("broken")
            data = content(2 * PART, 77)
            action = self.batch(repo, [(sha(data), len(data))])["objects"][0]["actions"]["upload"]
            tags = self.parts(action, data, [1])
            hub.run("fault", "kind=break;method=PUT;origin=cdn;count=1;after=50000")
            with self.assertRaises(Exception):
                self.put(action["header"]["2"], data[PART:])
            self.assertEqual(self.complete(action, sha(data), {**tags, 2: tags[1]}).status, 400)
            tags.update(self.parts(action, data, [2]))
            hub.run("fault", "kind=status;status=504;done=1;path=/api/complete_multipart;count=1")
            self.assertEqual(self.complete(action, sha(data), tags).status, 504)
            self.assertEqual(self.complete(action, sha(data), tags).status, 200)
            hub.run("fault", "--clear")

    def test_tokens(self):
        hub = self.hub = Hub("--token", "me:hf_me:write", "--token", "ro:hf_ro:read")
        try:
            me = {"Authorization": "Bearer hf_me"}
            hub.request("/api/repos/create", method="POST", headers=me, body='{"name":"t"}')
            body = {"operation": "upload", "objects": [{"oid": sha(b"a"), "size": 1}]}
            path = "/me/t.git/info/lfs/objects/batch"
            self.assertEqual(self.post(path, body, **me).status, 200)
            self.assertEqual(self.post(path, body, Authorization="Basic bWU6aGZfbWU=").status, 200)
            self.assertEqual(self.post(path, body, Authorization="Bearer hf_ro").status, 403)
            answer = self.post(path, body)
            self.assertEqual((answer.status, answer.headers["lfs-authenticate"][:5]), (401, "Basic"))
            action = self.post(path, body, **me).json()["objects"][0]["actions"]["upload"]
            self.assertEqual(self.put(action["href"], b"a").status, 200)
        finally:
            hub.close()

    @unittest.skipUnless(shutil.which("git-lfs"), "git-lfs is not installed")
    def test_git_lfs(self):
        for hub in self.each():
            self.create("git")
            with tempfile.TemporaryDirectory() as folder:
                environment = {**os.environ, "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
                def git(*arguments, cwd):
                    done = subprocess.run(["git", *arguments], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                    self.assertEqual(done.returncode, 0, done.stdout)
                bare, work, other = (os.path.join(folder, n) for n in ("bare", "work", "other"))
                git("init", "-q", "--bare", bare, cwd=folder)
                git("config", "--global", "user.email", "a@b", cwd=folder)
                git("config", "--global", "user.name", "a", cwd=folder)
                git("lfs", "install", "--skip-repo", cwd=folder)
                git("config", "--global", "lfs.url", hub.url + "/devhub/git.git/info/lfs", cwd=folder)
                git("clone", "-q", bare, work, cwd=folder)
                git("lfs", "track", "*.bin", cwd=work)
                files = {f"f{i}.bin": content(50_000 * i + 1, i) for i in range(5)}
                for name, data in files.items():
                    with open(os.path.join(work, name), "wb") as file:
                        file.write(data)
                git("add", "-A", cwd=work)
                git("commit", "-qm", "x", cwd=work)
                git("push", "-q", "origin", "HEAD:main", cwd=work)
                git("clone", "-q", "-b", "main", bare, other, cwd=folder)
                for name, data in files.items():
                    with open(os.path.join(other, name), "rb") as file:
                        self.assertEqual(sha(file.read()), sha(data))
                self.assertEqual(self.fetch("/devhub/git", sha(files["f3.bin"]), len(files["f3.bin"])), files["f3.bin"])


if __name__ == "__main__":
    unittest.main()
