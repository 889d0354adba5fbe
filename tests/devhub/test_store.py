# test_store.py - what `hf-devhub add` makes: real git and LFS ids, deterministic commits, branches, tags, replacing, deleting.
# The ids are computed here again from the content, with hashlib alone.
# Also: a data folder survives its server, and takes additions while one runs.
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest

from devhub import PROGRAM, Hub, write


def git_oid(kind, content):
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content).hexdigest()


def tree_oid(entries):
    return git_oid(b"tree", b"".join(b"%s %s\0" % (mode, name) + bytes.fromhex(oid) for mode, name, oid in entries))


class Store(unittest.TestCase):
    def setUp(self):
        self.hub = Hub()
        self.source = tempfile.mkdtemp()

    def tearDown(self):
        self.assertEqual(self.hub.close(), 0)
        shutil.rmtree(self.source)

    def tree(self, repo, revision="main"):
        return {e["path"]: e for e in self.hub.get(f"/api/models/{repo}/tree/{revision}?recursive=true").json()}

    def test_ids_are_those_of_git_and_lfs(self):
        big = bytes(range(256)) * 400
        write(self.source, "a.txt", b"hello\n")
        write(self.source, "a/b/c.json", b"{}")
        write(self.source, "a/weights.safetensors", big)
        write(self.source, "empty", b"")
        commit = self.hub.add("org/ids", self.source, "--title", "First")
        tree = self.tree("org/ids")
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
            hashlib.sha256(big).hexdigest().encode(), len(big))
        self.assertEqual(tree["a.txt"]["oid"], git_oid(b"blob", b"hello\n"))
        self.assertEqual(tree["empty"]["oid"], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        self.assertNotIn("lfs", tree["a.txt"])
        weights = tree["a/weights.safetensors"]
        self.assertEqual(weights["oid"], git_oid(b"blob", pointer))
        self.assertEqual(weights["lfs"], {"oid": hashlib.sha256(big).hexdigest(), "size": len(big), "pointerSize": len(pointer)})
        b = tree_oid([(b"100644", b"c.json", git_oid(b"blob", b"{}"))])
        a = tree_oid([(b"40000", b"b", b), (b"100644", b"weights.safetensors", git_oid(b"blob", pointer))])
        self.assertEqual(tree["a/b"]["oid"], b)
        self.assertEqual(tree["a"], {"type": "directory", "oid": a, "size": 0, "path": "a"})
        root = tree_oid([(b"100644", b"a.txt", tree["a.txt"]["oid"]), (b"40000", b"a", a), (b"100644", b"empty", tree["empty"]["oid"])])
        person = "devhub <devhub@users.noreply.localhost> %d +0000"
        import datetime
        made = self.hub.get("/api/models/org/ids/commits/main").json()[0]["date"]
        when = int(datetime.datetime.fromisoformat(made.replace("Z", "+00:00")).timestamp())
        text = f"tree {root}\nauthor {person % when}\ncommitter {person % when}\n\nFirst\n"
        self.assertEqual(commit, git_oid(b"commit", text.encode()))

    def test_the_same_steps_give_the_same_commits(self):
        other = Hub()
        steps = [("org/same", "--generate", "tiny-model,seed=5"), ("org/same", "--generate", "files=3,size=100", "--tag", "v1")]
        self.assertEqual([self.hub.add(*s) for s in steps], [other.add(*s) for s in steps])
        other.close()

    def test_nothing_changed_makes_no_commit(self):
        first = self.hub.add("org/twice", "--generate", "tiny-model")
        self.assertEqual(self.hub.add("org/twice", "--generate", "tiny-model"), first)
        self.assertEqual(self.hub.get("/api/models/org/twice/commits/main").headers["x-total-count"], "1")

    def test_overlay_replace_delete(self):
        write(self.source, "one", b"1")
        write(self.source, "d/two", b"2")
        first = self.hub.add("org/steps", self.source)
        write(self.source, "d/two", b"changed")
        os.unlink(os.path.join(self.source, "one"))
        second = self.hub.add("org/steps", self.source, "--title", "second")
        self.assertEqual(set(self.tree("org/steps")), {"one", "d", "d/two"})
        page = self.hub.get("/api/models/org/steps/tree/main?recursive=true&expand=true").json()
        touched = {e["path"]: e["lastCommit"]["id"] for e in page}
        self.assertEqual(touched, {"one": first, "d": second, "d/two": second})
        self.hub.add("org/steps", "--delete", "d")
        self.assertEqual(set(self.tree("org/steps")), {"one"})
        self.hub.add("org/steps", self.source, "--replace")
        self.assertEqual(set(self.tree("org/steps")), {"d", "d/two"})
        self.assertEqual(set(self.tree("org/steps", first)), {"one", "d", "d/two"})

    def test_branches_tags_and_pull_requests(self):
        first = self.hub.add("org/refs", "--generate", "tiny-model", "--tag", "v1")
        second = self.hub.add("org/refs", "--generate", "files=1,size=5", "--revision", "dev/x")
        third = self.hub.add("org/refs", "--generate", "files=1,size=6", "--revision", "refs/pr/1")
        refs = self.hub.get("/api/models/org/refs/refs?include_prs=1").json()
        self.assertEqual({b["name"]: b["targetCommit"] for b in refs["branches"]}, {"main": first, "dev/x": second})
        self.assertEqual(refs["tags"], [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": first}])
        self.assertEqual([(p["ref"], p["targetCommit"]) for p in refs["pullRequests"]], [("refs/pr/1", third)])
        self.assertNotIn("pullRequests", self.hub.get("/api/models/org/refs/refs").json())
        for revision, commit in [("v1", first), ("dev%2Fx", second), ("refs%2Fpr%2F1", third), ("refs/pr/1", third), (second, second),
                                 (second[:8], second)]:
            self.assertEqual(self.hub.get(f"/api/models/org/refs/revision/{revision}").json()["sha"], commit, revision)

    def test_bad_documents_are_refused(self):
        for body, word in [('{"repo":"a/b","files":[{"path":"../x","sha256":"' + "0" * 64 + '"}]}', "path"),
                           ('{"repo":"a/b","files":[{"path":"x","sha256":"' + "0" * 64 + '"}]}', "blob"),
                           ('{"repo":"a//b"}', "repo id"), ('{"repo":"a/b","revision":"x..y"}', "revision"), ("[]", "object"), ("{", "JSON")]:
            answer = self.hub.request("/_devhub/commits", method="POST", body=body)
            self.assertEqual(answer.status, 400, body)
            self.assertIn(word, answer.json()["error"])
        write(self.source, "a/b", b"1")
        self.hub.add("org/clash", self.source)
        shutil.rmtree(os.path.join(self.source, "a"))
        write(self.source, "a", b"2")
        self.hub.run("add", "org/clash", self.source, code=1)
        self.assertEqual(set(self.tree("org/clash")), {"a", "a/b"})

    def test_a_data_folder(self):
        data = os.path.join(self.source, "data")
        hub = Hub(data=data)
        first = hub.add("org/kept", "--generate", "files=2,size=100KiB")
        done = subprocess.run([PROGRAM, "add", "--data", data, "org/late", "--generate", "tiny-model"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(hub.get("/api/models/org/late").json()["sha"], done.stdout.strip())
        write(self.source, "in/big", os.urandom(100000))
        hub.add("org/kept", os.path.join(self.source, "in"), "--revision", "side")
        hub.close()
        hub = Hub(data=data)
        self.assertEqual(hub.get("/api/models/org/kept").json()["sha"], first)
        with open(os.path.join(self.source, "in/big"), "rb") as file:
            self.assertEqual(hub.get("/org/kept/resolve/side/big").body, file.read())
        hub.close()


if __name__ == "__main__":
    unittest.main()
