# test_durable.py - a server that is killed while it is written to: nothing that was acknowledged is lost.
# Commits, objects, parts of an upload and repos are written by several threads; the server gets SIGKILL at a random moment,
# starts again on the same folder, and everything it has acknowledged is looked for. Several rounds on one folder.
import base64
import hashlib
import json
import os
import random
import shutil
import tempfile
import threading
import time
import unittest

from devhub import Hub, request

ROUNDS = 6
PART = 70_000


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Durable(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="devhub-durable-")
        self.files, self.objects, self.parts, self.repos, self.oids = {}, {}, {}, [], []

    def tearDown(self):
        shutil.rmtree(self.data)

    def start(self):
        self.hub = Hub("--part-size", str(PART), data=self.data)
        self.stop = threading.Event()

    def post(self, path, body):
        return self.hub.request(path, method="POST", body=body if isinstance(body, str) else json.dumps(body))

    def batch(self, size, oid):
        answer = self.post("/devhub/r.git/info/lfs/objects/batch", {"operation": "upload", "transfers": ["basic", "multipart"], "objects": [{"oid": oid, "size": size}]})
        return answer.json()["objects"][0]

    def move(self, url):
        """The same URL on the origin as it is now."""
        path = "/" + url.split("/", 3)[3]
        return (self.hub.url if path.startswith("/api/") else self.hub.cdn) + path

    def write_commits(self, seed):
        chance = random.Random(seed)
        for i in range(10**6):
            path, data = f"{seed}/{i}.txt", chance.randbytes(chance.choice([10, 5_000, 50_000]))
            lines = [{"key": "header", "value": {"summary": path}}, {"key": "file", "value": {"path": path, "content": base64.b64encode(data).decode()}}]
            answer = self.post("/api/models/devhub/r/commit/main", "".join(json.dumps(x) + "\n" for x in lines))
            if answer.status != 200:
                return
            self.files[path] = data
            self.oids.append(answer.json()["commitOid"])

    def write_objects(self, seed):
        chance = random.Random(seed)
        while True:
            data = chance.randbytes(chance.choice([100, 40_000, 65_000]))
            if request(self.batch(len(data), sha(data))["actions"]["upload"]["href"], method="PUT", body=data).status != 200:
                return
            self.objects[sha(data)] = data

    def write_parts(self, seed):
        chance = random.Random(seed)
        while True:
            data = chance.randbytes(4 * PART + 5)
            action = self.batch(len(data), sha(data))["actions"]["upload"]
            tags = {}
            self.parts[sha(data)] = (data, action, tags)
            for n in range(1, 6):
                answer = request(action["header"][str(n)], method="PUT", body=data[(n - 1) * PART:n * PART])
                if answer.status != 200:
                    return
                tags[n] = answer.headers["etag"]

    def write_repos(self, seed):
        for i in range(10**6):
            if self.post("/api/repos/create", {"name": f"x{seed}-{i}"}).status != 200:
                return
            self.repos.append(f"devhub/x{seed}-{i}")

    def until_killed(self, work, seed):
        try:
            work(seed)
        except (OSError, ValueError, KeyError) as problem:
            self.assertTrue(self.stop.is_set(), problem)
        except Exception as problem:  # http.client's errors of a connection that ended
            if not self.stop.is_set():
                raise problem

    def test_kill(self):
        chance = random.Random(11)
        self.start()
        self.post("/api/repos/create", {"name": "r"})
        for turn in range(ROUNDS):
            works = (self.write_commits, self.write_commits, self.write_objects, self.write_parts, self.write_repos)
            threads = [threading.Thread(target=self.until_killed, args=(w, turn * 10 + i)) for i, w in enumerate(works)]
            [t.start() for t in threads]
            time.sleep(chance.uniform(0.3, 1.2))
            self.stop.set()
            self.hub.process.kill()
            [t.join() for t in threads]
            self.hub.process.wait()
            self.hub.process.stdout.close()
            shutil.rmtree(self.hub.folder)
            self.start()
            self.check()
        self.assertGreater(min(len(self.files), len(self.objects), len(self.parts), len(self.repos)), ROUNDS)
        self.assertEqual(self.hub.close(), 0)

    def check(self):
        history, url = set(), "/api/models/devhub/r/commits/main?limit=1000"
        while url:
            answer = self.hub.get(url)
            history.update(row["id"] for row in answer.json())
            link = answer.headers.get("link")
            url = link[1:].split(">")[0] if link else None
        self.assertEqual(set(self.oids) - history, set())
        for path, data in self.files.items():
            self.assertEqual(self.hub.get("/devhub/r/resolve/main/" + path).body, data)
        for oid, data in self.objects.items():
            self.assertNotIn("actions", self.batch(len(data), oid))
            lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "lfsFile", "value": {"path": "o/" + oid, "algo": "sha256", "oid": oid, "size": len(data)}}]
            self.assertEqual(self.post("/api/models/devhub/r/commit/main", "".join(json.dumps(x) + "\n" for x in lines)).status, 200)
            where = self.hub.get("/devhub/r/resolve/main/o/" + oid).headers["location"]
            self.assertEqual(sha(request(where).body), oid)
        for name in self.repos:
            self.assertEqual(self.hub.get("/api/models/" + name).status, 200, name)
        for oid, (data, action, tags) in list(self.parts.items()):
            for n in set(range(1, 6)) - set(tags):
                answer = request(self.move(action["header"][str(n)]), method="PUT", body=data[(n - 1) * PART:n * PART])
                self.assertEqual(answer.status, 200, answer.body)
                tags[n] = answer.headers["etag"]
            done = request(self.move(action["href"]), method="POST", body=json.dumps({"oid": oid, "parts": [{"partNumber": n, "etag": tags[n]} for n in sorted(tags)]}))
            self.assertEqual(done.status, 200, done.body)
            self.objects[oid] = data
            self.parts[oid] = (data, action, tags)
        self.objects = dict(list(self.objects.items())[-40:])
        self.files = dict(list(self.files.items())[-400:])


if __name__ == "__main__":
    unittest.main()
