# test_packs.py - commits of many small files: their contents go to one pack, come back byte for byte, and are kept once.
# Every length of base64 that is decoded by wide steps and by the rest, good and bad; a commit that fails leaves no pack;
# a server that is killed after the answer, and one that is killed before it.
import base64
import hashlib
import json
import pathlib
import random
import shutil
import tempfile
import unittest

from devhub import Hub


def commit_text(files, title="many", **header):
    lines = [{"key": "header", "value": {"summary": title, **header}}]
    lines += [{"key": "file", "value": {"content": base64.b64encode(data).decode(), "path": path, "encoding": "base64"}} for path, data in files.items()]
    return "".join(json.dumps(line) + "\n" for line in lines)


class Packs:
    """The same checks for a folder and for memory."""

    def start(self):
        self.hub = Hub(data=self.data)

    def commit(self, text):
        return self.hub.request("/api/models/devhub/r/commit/main", method="POST", body=text, headers={"Content-Type": "application/x-ndjson"})

    def many(self, seed, count=600, sizes=(0, 3000)):
        chance = random.Random(seed)
        return {f"{seed}/d{i % 7}/{i}.bin": chance.randbytes(chance.randint(*sizes)) for i in range(count)}

    def check(self, files):
        for path, data in files.items():
            self.assertEqual(self.hub.get("/devhub/r/resolve/main/" + path).body, data, path)

    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="devhub-packs-") if self.folder else None
        self.start()
        self.hub.request("/api/repos/create", method="POST", body=json.dumps({"name": "r"}))

    def tearDown(self):
        self.assertEqual(self.hub.close(), 0)
        if self.data:
            shutil.rmtree(self.data)

    def packs(self):
        return sorted((pathlib.Path(self.data) / "packs").glob("*")) if self.data else []

    def test_contents(self):
        files = self.many(1)
        files.update({f"len/{n}": random.Random(n).randbytes(n) for n in range(0, 140)})
        files.update({f"large/{n}": random.Random(n).randbytes(n) for n in (32767, 32768, 32769, 32771, 32772, 50000, 1 << 20, 3 << 20)})
        files["range"] = bytes(range(256)) * 100
        answer = self.commit(commit_text(files))
        self.assertEqual(answer.status, 200, answer.body)
        self.check(files)
        rows = {}
        url = "/api/models/devhub/r/tree/main?recursive=true"
        while url:
            page = self.hub.get(url)
            rows.update((row["path"], row) for row in page.json() if row["type"] == "file")
            link = page.headers.get("link")
            url = link[1:].split(">")[0] if link else None
        for path, data in files.items():
            oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            self.assertEqual((rows[path]["oid"], rows[path]["size"]), (oid, len(data)), path)
        if self.data:
            self.assertEqual(len(self.packs()), 1)

    def test_ranges(self):
        files = self.many(2)
        self.assertEqual(self.commit(commit_text(files)).status, 200)
        path, data = max(files.items(), key=lambda item: len(item[1]))
        self.assertEqual(self.hub.get("/devhub/r/resolve/main/" + path, Range="bytes=5-20").body, data[5:21])

    def test_same_again(self):
        files = self.many(3)
        self.assertEqual(self.commit(commit_text(files)).status, 200)
        moved = {"again/" + path: data for path, data in files.items()}
        new = self.many(4)
        self.assertEqual(self.commit(commit_text({**moved, **new})).status, 200)
        self.check({**files, **moved, **new})
        if self.data:  # what was there before took no room the second time
            used = [p.stat().st_blocks * 512 for p in self.packs()]
            self.assertEqual(len(used), 2)
            self.assertLess(sum(used), 1.2 * sum(len(data) for data in [*files.values(), *new.values()]) + (64 << 10))

    def test_bad_digit(self):
        files = self.many(5, count=300)
        text = commit_text(files)
        line = json.dumps({"key": "file", "value": {"content": "%s", "path": "bad", "encoding": "base64"}})
        good = base64.b64encode(random.Random(6).randbytes(300)).decode()
        for place in (0, 1, 31, 32, 40, 63, 64, 200, len(good) - 33, len(good) - 1):
            for digit in ("\0", "-", "_", "=", " ", "\u007f", "\u00e9", "@", "[", "`", "{", ":", "."):
                spoilt = json.dumps(good[:place] + digit + good[place + 1:])[1:-1]
                if digit == "=" and place == len(good) - 1:
                    continue
                answer = self.commit(text + line % spoilt + "\n" if place == 40 else commit_text({}) + line % spoilt + "\n")
                self.assertEqual(answer.status, 400, (place, digit))
                self.assertIn("not base64" if digit != "\0" else "Each line", answer.json()["error"])
        self.assertEqual(self.packs(), [])
        self.assertEqual(self.hub.request("/devhub/r/resolve/main/bad").status, 404)

    def test_refused(self):
        files = self.many(7)
        answer = self.commit(commit_text(files, parentCommit="0" * 40))
        self.assertEqual(answer.status, 412, answer.body)
        self.assertEqual(self.packs(), [])
        self.assertEqual(self.commit(commit_text(files)).status, 200)
        self.check(files)

    def test_two_of_a_name(self):
        files = self.many(8)
        first, last = commit_text(files), commit_text({path: data + b"!" for path, data in files.items()})
        self.assertEqual(self.commit(first + last.split("\n", 1)[1]).status, 200)
        self.check({path: data + b"!" for path, data in files.items()})


class Folder(Packs, unittest.TestCase):
    folder = True

    def test_killed(self):
        files = self.many(9)
        self.assertEqual(self.commit(commit_text(files)).status, 200)
        self.hub.process.kill()
        self.hub.process.wait()
        self.hub.process.stdout.close()
        shutil.rmtree(self.hub.folder)
        self.start()
        self.check(files)
        more = self.many(10)
        self.assertEqual(self.commit(commit_text(more)).status, 200)
        self.check({**files, **more})


class Memory(Packs, unittest.TestCase):
    folder = False


if __name__ == "__main__":
    unittest.main()
