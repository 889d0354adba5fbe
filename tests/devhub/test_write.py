# test_write.py - writing over the Hub's routes with plain HTTP: repos, commits, pull requests, refs, access, sign-in, limits.
# Every refusal is checked with the status and the message a client would see, and that nothing was changed by it.
# What the reference client does with the same routes is in test_publish.py.
import base64
import json
import threading
import time
import unittest
import urllib.parse

from devhub import Hub


def b64(content):
    return base64.b64encode(content).decode()


class Write(unittest.TestCase):
    options = ("--token", "me:hf_me:write,org=team", "--token", "bob:hf_bob:write", "--token", "ro:hf_ro:read",
               "--token", "me:hf_fine:repo=me/fine*,display=ci", "--token", "old:hf_old:expired", "--log-bodies", "4096")

    @classmethod
    def setUpClass(cls):
        cls.hub = Hub(*cls.options)

    @classmethod
    def tearDownClass(cls):
        assert cls.hub.close() == 0

    def call(self, method, path, body=None, token="hf_me", headers=None, form=None):
        h = dict(headers or {})
        if token:
            h["Authorization"] = "Bearer " + token
        if form is not None:
            body = urllib.parse.urlencode(form)
            h.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            h.setdefault("Content-Type", "application/json")
        return self.hub.request(path, method=method, headers=h, body=body)

    def create(self, name, token="hf_me", **rest):
        space, _, bare = name.rpartition("/")
        return self.call("POST", "/api/repos/create", {"name": bare, "organization": space or None, **rest}, token)

    def commit(self, repo, *lines, rev="main", token="hf_me", query="", header=None, kind="models"):
        first = {"summary": "a title", "description": "", **(header or {})}
        text = "".join(json.dumps(x) + "\n" for x in [{"key": "header", "value": first}, *lines])
        return self.call("POST", f"/api/{kind}/{repo}/commit/{rev}{query}", text, token, {"Content-Type": "application/x-ndjson"})

    def file(self, path, content):
        return {"key": "file", "value": {"path": path, "content": b64(content), "encoding": "base64"}}

    def tree(self, repo, rev="main", token="hf_me"):
        rows = self.call("GET", f"/api/models/{repo}/tree/{rev}?recursive=true", token=token).json()
        return {row["path"]: row for row in rows if row["type"] == "file"}

    def refused(self, answer, status, words):
        self.assertEqual(answer.status, status, answer.body)
        self.assertIn(words, answer.json()["error"])
        self.assertIn("x-request-id", answer.headers)

    def test_create(self):
        answer = self.create("c1")
        self.assertEqual((answer.status, answer.json()["url"]), (200, self.hub.url + "/me/c1"))
        self.assertIn("*.safetensors filter=lfs", self.call("GET", "/me/c1/raw/main/.gitattributes").body.decode())
        again = self.create("me/c1")
        self.refused(again, 409, "You already created this model repo")
        self.assertEqual(again.json()["url"], self.hub.url + "/me/c1")
        self.assertEqual(self.create("team/data", type="dataset").json()["url"], self.hub.url + "/datasets/team/data")
        self.assertEqual(self.create("me/hidden", visibility="private").status, 200)
        self.assertEqual(self.call("GET", "/api/models/me/hidden", token=None).status, 401)
        self.assertTrue(self.call("GET", "/api/models/me/hidden").json()["private"])
        self.refused(self.create("me/s", type="space"), 400, "sdk")
        self.assertEqual(self.create("me/s", type="space", sdk="gradio").status, 200)
        self.assertEqual(self.call("GET", "/api/spaces/me/s").json()["sdk"], "gradio")
        for name in ("me/..", "me/a b", "me/-x", "a/b/c", "", "me/" + "x" * 97):
            self.assertEqual(self.create(name).status, 400, name)
        self.refused(self.create("me/x", type="engine"), 400, "type")
        self.refused(self.create("other/x"), 403, 'under the namespace "other"')
        self.refused(self.create("ro/x", token="hf_ro"), 403, "namespace")
        self.refused(self.create("me/x", token="hf_fine"), 403, "namespace")
        self.assertEqual(self.create("me/fine-1", token="hf_fine").status, 200)
        self.refused(self.create("me/x", token=None), 401, "Invalid username or password")
        self.refused(self.create("me/x", token="hf_wrong"), 401, "Invalid credentials")
        self.refused(self.create("old/x", token="hf_old"), 401, 'User Access Token "old" is expired')

    def test_move_delete_settings_list(self):
        self.create("m1")
        self.create("m2")
        self.refused(self.call("POST", "/api/repos/move", {"fromRepo": "me/m1", "toRepo": "me/m2"}), 409, "already")
        self.refused(self.call("POST", "/api/repos/move", {"fromRepo": "me/m1", "toRepo": "me/m3"}, "hf_bob"), 403, "write access")
        self.assertEqual(self.call("POST", "/api/repos/move", {"fromRepo": "me/m1", "toRepo": "team/m1"}).status, 200)
        self.assertEqual(self.call("GET", "/api/models/me/m1").status, 307)
        self.refused(self.call("POST", "/api/repos/move", {"fromRepo": "me/gone", "toRepo": "me/m9"}), 404, "not found")
        answer = self.call("PUT", "/api/models/me/m2/settings", {"gated": "manual", "visibility": "private"})
        self.assertEqual(answer.json(), {"private": True, "gated": "manual"})
        self.assertEqual(self.call("PUT", "/api/models/me/m2/settings", {"gated": False}).json(), {"private": True, "gated": False})
        self.refused(self.call("PUT", "/api/models/me/m2/settings", {"gated": "maybe"}), 400, "gated")
        rows = {row["id"]: row for row in self.call("GET", "/api/settings/repositories").json()}
        self.assertEqual((rows["me/m2"]["visibility"], rows["me/m2"]["type"]), ("private", "model"))
        self.assertIn("team/m1", [row["id"] for row in self.call("GET", "/api/organizations/team/settings/repositories").json()])
        self.refused(self.call("GET", "/api/organizations/acme/settings/repositories"), 403, "member")
        self.refused(self.call("DELETE", "/api/repos/delete", {"name": "m2", "organization": "me"}, "hf_bob"), 404, "not found")
        self.assertEqual(self.call("DELETE", "/api/repos/delete", {"name": "m2", "organization": "me"}).status, 200)
        self.assertEqual(self.call("GET", "/api/models/me/m2").status, 404)
        self.assertEqual(self.create("me/m2").status, 200)
        self.assertEqual(list(self.tree("me/m2")), [".gitattributes"])

    def test_commit(self):
        self.create("k1")
        answer = self.commit("me/k1", self.file("a/b.txt", b"one"), self.file("empty", b""), self.file("big.txt", b"x" * 100000))
        self.assertEqual(answer.status, 200, answer.body)
        oid = answer.json()["commitOid"]
        self.assertEqual(answer.json()["commitUrl"], f"{self.hub.url}/me/k1/commit/{oid}")
        self.assertNotIn("pullRequestUrl", answer.json())
        self.assertEqual(self.call("GET", "/me/k1/raw/main/a/b.txt").body, b"one")
        self.assertEqual(self.tree("me/k1")["big.txt"]["size"], 100000)
        answer = self.commit("me/k1", {"key": "deletedFolder", "value": {"path": "a/"}}, {"key": "deletedFile", "value": {"path": "empty"}},
                             self.file("a/c.txt", b"c"), header={"description": "why", "parentCommit": oid})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(sorted(self.tree("me/k1")), [".gitattributes", "a/c.txt", "big.txt"])
        head = self.call("GET", "/api/models/me/k1/commits/main").json()[0]
        self.assertEqual((head["title"], head["message"], head["authors"][0]["user"]), ("a title", "why", "me"))
        before = self.tree("me/k1")
        self.assertEqual(self.commit("me/k1").status, 200)  # nothing to do is a commit all the same
        self.assertEqual(self.commit("me/k1", self.file("a/c.txt", b"c")).status, 200)
        self.assertEqual(len(self.call("GET", "/api/models/me/k1/commits/main").json()), 5)
        self.assertEqual(self.tree("me/k1"), before)
        cases = [
            (412, "A commit has happened since", dict(header={"parentCommit": oid}), [self.file("x", b"x")]),
            (400, "parentCommit", dict(header={"parentCommit": "nothex"}), [self.file("x", b"x")]),
            (404, "Invalid rev id", dict(rev="nope"), [self.file("x", b"x")]),
            (404, "Invalid rev id", dict(rev=oid), [self.file("x", b"x")]),
            (400, "summary", dict(header={"summary": ""}), [self.file("x", b"x")]),
            (400, "base64", {}, [{"key": "file", "value": {"path": "x", "content": "a"}}]),
            (400, "both a file and a folder", {}, [self.file("big.txt/x", b"x")]),
            (404, "does not exist", {}, [{"key": "deletedFile", "value": {"path": "nope"}}]),
            (404, "does not exist", {}, [{"key": "deletedFolder", "value": {"path": "big.txt"}}]),
            (400, "LFS pointer", {}, [{"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": "a" * 64, "size": 3}}]),
            (400, "larger than 10 MiB", {}, [self.file("l.txt", b"x" * (10 * 1024 * 1024 + 1))]),
            (400, "key", {}, [self.file("a\0b", b"x")]),
            (400, "key", {}, [{"key": "rename", "value": {"path": "x"}}]),
        ]
        for path in ("", "/x", "x/", "a//b", "../x", "a/./b", ".git/config", "a/.GIT/x", "x" * 256):
            cases.append((400, "Invalid path", {}, [self.file("good", b"g"), self.file(path, b"x")]))
        for status, words, options, lines in cases:
            with self.subTest(words=words, lines=lines[-1:] and str(lines[-1])[:80]):
                self.refused(self.commit("me/k1", *lines, **options), status, words)
        self.refused(self.call("POST", "/api/models/me/k1/commit/main", "not json\n"), 400, "line")
        self.refused(self.call("POST", "/api/models/me/k1/commit/main", json.dumps(self.file("x", b"x"))), 400, "header")
        self.assertEqual(self.tree("me/k1"), before)
        for path in ("ünïcode/日本 .txt", "a b#?%25.txt", "quote'\"\\.txt", "-x", "a/...", "x" * 255):
            self.assertEqual(self.commit("me/k1", self.file(path, path.encode())).status, 200, path)
            self.assertEqual(self.call("GET", "/me/k1/resolve/main/" + urllib.parse.quote(path)).body, path.encode())

    def test_permissions(self):
        self.create("p1")
        line = self.file("x", b"x")
        self.refused(self.commit("me/p1", line, token="hf_bob"), 403, "pass `create_pr=1`")
        self.refused(self.commit("me/p1", line, token="hf_ro"), 403, "you must use a write token")
        self.refused(self.commit("me/p1", line, token="hf_fine"), 403, "fine-grained")
        self.refused(self.commit("me/p1", line, token=None), 401, "Invalid username")
        for path, body in (("preupload/main", {"files": []}), ("branch/b", {}), ("tag/main", {"tag": "t"}), ("super-squash/main", {})):
            self.refused(self.call("POST", "/api/models/me/p1/" + path, body, "hf_ro"), 403, "write token")
        self.refused(self.call("GET", "/api/models/me/p1/auth-check/write", token="hf_bob"), 403, "write access")
        self.assertEqual(self.call("GET", "/api/models/me/p1/auth-check/write").status, 200)
        me = self.call("GET", "/api/whoami-v2").json()
        self.assertEqual((me["name"], me["orgs"][0]["name"], me["auth"]["accessToken"]["role"]), ("me", "team", "write"))
        fine = self.call("GET", "/api/whoami-v2", token="hf_fine").json()["auth"]["accessToken"]
        self.assertEqual((fine["role"], fine["displayName"], fine["fineGrained"]["scoped"][0]["entity"]["name"]), ("fineGrained", "ci", "me/fine*"))

    def test_preupload(self):
        self.create("u1")
        self.commit("me/u1", self.file("a.txt", b"a"), self.file(".gitignore", b"*.log\n!keep.log\n/top\nbuild/\n"))
        names = {"a.txt": 1, "w.safetensors": 5, "big.txt": 20_000_000, "x.log": 1, "keep.log": 1, "sub/top": 1, "top": 1,
                 "build/x/y": 1, "saved_model/a/b": 9, "events.tfevents.1": 2}
        rows = self.call("POST", "/api/models/me/u1/preupload/main", {"files": [{"path": p, "size": s, "sample": ""} for p, s in names.items()]})
        rows = {row["path"]: row for row in rows.json()["files"]}
        self.assertEqual([p for p in names if rows[p]["uploadMode"] == "lfs"], ["w.safetensors", "big.txt", "saved_model/a/b", "events.tfevents.1"])
        self.assertEqual([p for p in names if rows[p]["shouldIgnore"]], ["x.log", "top", "build/x/y"])
        self.assertEqual(rows["a.txt"]["oid"], self.tree("me/u1")["a.txt"]["oid"])
        self.assertNotIn("oid", rows["top"])
        rows = self.call("POST", "/api/models/me/u1/preupload/main", {"files": [{"path": "x.log", "size": 1}], "gitIgnore": ""}).json()
        self.assertFalse(rows["files"][0]["shouldIgnore"])
        self.refused(self.call("POST", "/api/models/me/u1/preupload/main", {"files": [{"path": "../x", "size": 1}]}), 400, "path")
        self.refused(self.call("POST", "/api/models/me/u1/preupload/nope", {"files": []}), 404, "Invalid rev id")

    def test_pull_requests(self):
        self.create("pr")
        base = self.commit("me/pr", self.file("a", b"a"), self.file("b", b"b")).json()["commitOid"]
        answer = self.commit("me/pr", self.file("a", b"A"), token="hf_bob", query="?create_pr=1").json()
        self.assertEqual(answer["pullRequestUrl"], self.hub.url + "/me/pr/discussions/1")
        self.assertEqual(self.call("GET", "/me/pr/raw/main/a").body, b"a")
        self.assertEqual(self.call("GET", "/me/pr/raw/refs%2Fpr%2F1/a").body, b"A")
        self.assertEqual(self.commit("me/pr", self.file("c", b"c"), token="hf_bob", rev="refs%2Fpr%2F1").status, 200)
        self.commit("me/pr", self.file("b", b"B"))
        refs = self.call("GET", "/api/models/me/pr/refs?include_prs=1").json()
        self.assertEqual(refs["pullRequests"][0]["ref"], "refs/pr/1")
        details = self.call("GET", "/api/models/me/pr/discussions/1").json()
        self.assertEqual([e["type"] for e in details["events"]], ["comment", "commit", "commit"])
        self.refused(self.call("POST", "/api/models/me/pr/discussions/1/merge", "null", "hf_bob"), 403, "write access")
        self.assertEqual(self.call("POST", "/api/models/me/pr/discussions/1/merge", "null").status, 200)
        self.assertEqual({p: self.call("GET", "/me/pr/raw/main/" + p).body for p in "abc"}, {"a": b"A", "b": b"B", "c": b"c"})
        self.assertEqual(self.call("GET", "/api/models/me/pr/discussions/1").json()["status"], "merged")
        self.refused(self.call("POST", "/api/models/me/pr/discussions/1/merge", "null"), 400, "open pull request")
        # From an older commit, and in conflict with what happened since.
        answer = self.commit("me/pr", self.file("b", b"other"), query="?create_pr=1", header={"parentCommit": base})
        self.assertEqual(answer.json()["pullRequestUrl"][-1], "2")
        self.assertEqual(self.call("GET", "/me/pr/raw/refs%2Fpr%2F2/a").body, b"a")
        self.refused(self.call("POST", "/api/models/me/pr/discussions/2/merge", {}), 409, "conflicts")
        self.assertEqual(self.call("GET", "/me/pr/raw/main/b").body, b"B")
        self.assertEqual(self.call("POST", "/api/models/me/pr/discussions/2/status", {"status": "closed"}).json()["newStatus"]["data"]["status"], "closed")
        rows = self.call("GET", "/api/models/me/pr/discussions?status=closed").json()
        self.assertEqual([(d["num"], d["status"]) for d in rows["discussions"]], [(2, "closed"), (1, "merged")])
        opened = self.call("POST", "/api/models/me/pr/discussions", {"title": "Talk", "description": "text", "pullRequest": False}, "hf_bob")
        self.assertEqual(opened.json()["num"], 3)
        comment = self.call("POST", "/api/models/me/pr/discussions/3/comment", {"comment": "hello"}).json()["newMessage"]
        edited = self.call("POST", f"/api/models/me/pr/discussions/3/comment/{comment['id']}/edit", {"content": "bye"}).json()["updatedComment"]
        self.assertEqual((edited["data"]["latest"]["raw"], edited["data"]["edited"], len(edited["data"]["history"])), ("bye", True, 1))
        hidden = self.call("POST", f"/api/models/me/pr/discussions/3/comment/{comment['id']}/hide").json()["updatedComment"]
        self.assertTrue(hidden["data"]["hidden"])

    def test_refs(self):
        self.create("r1")
        first = self.commit("me/r1", self.file("a", b"1")).json()["commitOid"]
        self.commit("me/r1", self.file("a", b"2"))
        self.assertEqual(self.call("POST", "/api/models/me/r1/branch/dev%2Fx", {"startingPoint": first}).status, 200)
        self.assertEqual(self.call("GET", "/me/r1/raw/dev%2Fx/a").body, b"1")
        self.refused(self.call("POST", "/api/models/me/r1/branch/dev%2Fx", {}), 409, "already exists")
        self.refused(self.call("POST", "/api/models/me/r1/branch/y", {"startingPoint": "nope"}), 404, "Invalid rev id")
        self.refused(self.call("POST", "/api/models/me/r1/branch/a..b", {}), 400, "Invalid branch name")
        self.refused(self.call("DELETE", "/api/models/me/r1/branch/main"), 403, "main")
        self.assertEqual(self.call("POST", f"/api/models/me/r1/tag/{first}", {"tag": "v1"}).status, 200)
        self.refused(self.call("POST", "/api/models/me/r1/tag/main", {"tag": "v1"}), 409, "already exists")
        self.assertEqual(self.call("DELETE", "/api/models/me/r1/tag/v1").status, 200)
        self.refused(self.call("DELETE", "/api/models/me/r1/tag/v1"), 404, "Invalid rev id")
        self.assertEqual(self.call("DELETE", "/api/models/me/r1/branch/dev%2Fx").status, 200)
        self.assertEqual(self.call("POST", "/api/models/me/r1/super-squash/main", {"message": "all"}).status, 200)
        log = self.call("GET", "/api/models/me/r1/commits/main").json()
        self.assertEqual([c["title"] for c in log], ["all"])
        self.assertEqual(self.call("GET", "/me/r1/raw/main/a").body, b"2")

    def test_access_and_likes(self):
        self.create("g1")
        self.commit("me/g1", self.file("a", b"a"))
        self.call("PUT", "/api/models/me/g1/settings", {"gated": "manual"})
        self.assertEqual(self.call("GET", "/me/g1/resolve/main/a", token="hf_bob").status, 403)
        self.assertEqual(self.call("POST", "/me/g1/ask-access", "", "hf_bob").status, 200)
        pending = self.call("GET", "/api/models/me/g1/user-access-request/pending").json()
        self.assertEqual([p["user"]["user"] for p in pending], ["bob"])
        handle = "/api/models/me/g1/user-access-request/handle"
        self.assertEqual(self.call("POST", handle, {"requestId": pending[0]["requestId"], "status": "accepted"}).status, 200)
        self.assertEqual(self.call("GET", "/me/g1/resolve/main/a", token="hf_bob").status, 200)
        self.assertEqual(self.call("POST", handle, {"user": "bob", "status": "rejected", "rejectionReason": "no"}).status, 200)
        self.assertEqual(self.call("GET", "/me/g1/resolve/main/a", token="hf_bob").status, 403)
        self.refused(self.call("POST", handle, {"user": "nobody", "status": "accepted"}), 404, "not found")
        self.assertEqual(self.call("POST", "/api/models/me/g1/user-access-request/grant", {"user": "ro"}).status, 200)
        self.assertEqual(self.call("GET", "/me/g1/resolve/main/a", token="hf_ro").status, 200)
        for _ in range(2):
            self.assertEqual(self.call("POST", "/api/models/me/g1/like", "", "hf_bob").status, 200)
        self.assertEqual(self.call("GET", "/api/models/me/g1").json()["likes"], 1)
        self.assertEqual(self.call("GET", "/api/users/bob/likes").json()[0]["repo"], {"name": "me/g1", "type": "model"})
        self.assertEqual(self.call("GET", "/api/models/me/g1/likers").json()[0]["user"], "bob")
        self.call("DELETE", "/api/models/me/g1/like", token="hf_bob")
        self.assertEqual(self.call("GET", "/api/models/me/g1").json()["likes"], 0)

    def test_yaml(self):
        def validate(text, kind="model"):
            answer = self.call("POST", "/api/validate-yaml", {"content": text, "repoType": kind})
            return answer.status, len(answer.json()["errors"]), len(answer.json()["warnings"])
        self.assertEqual(validate("---\nlicense: mit\ntags: [a]\n---\n# x"), (200, 0, 0))
        self.assertEqual(validate("# nothing"), (200, 0, 1))
        self.assertEqual(validate("---\nlicense: [a\n---\n"), (400, 1, 0))
        self.assertEqual(validate("---\nmodel-index: x\nlicense: {a: b}\n---\n"), (400, 2, 0))
        self.assertEqual(validate("---\nsdk: cobol\n---\n", "space"), (400, 1, 0))

    def test_device_login(self):
        def poll(code):
            return self.call("POST", "/oauth/token", form={"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code, "client_id": "x"}, token=None)
        def device():
            return self.call("POST", "/oauth/device", form={"client_id": "x"}, token=None).json()
        control = lambda **settings: self.hub.request("/_devhub/oauth", method="POST", body=json.dumps(settings))
        control(interval=1, token_seconds=60)
        code = device()
        self.assertTrue(code["verification_uri_complete"].endswith(code["user_code"]))
        self.assertEqual((poll(code["device_code"]).json()["error"], poll(code["device_code"]).json()["error"]), ("authorization_pending", "slow_down"))
        self.assertEqual(control(user_code=code["user_code"], action="approve", user="bob").status, 200)
        self.assertEqual(poll(code["device_code"]).json()["error"], "slow_down")
        code = device()
        control(user_code=code["user_code"], action="approve", user="bob")
        tokens = poll(code["device_code"]).json()
        self.assertEqual((tokens["token_type"], tokens["expires_in"]), ("bearer", 60))
        self.assertEqual(poll(code["device_code"]).json()["error"], "invalid_grant")
        self.assertEqual(self.call("GET", "/api/whoami-v2", token=tokens["access_token"]).json()["name"], "bob")
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "x"}
        control(token_seconds=1)
        short = self.call("POST", "/oauth/token", form=refresh, token=None).json()
        self.assertEqual(self.call("POST", "/oauth/token", form=refresh, token=None).json()["error"], "invalid_grant")
        time.sleep(1.1)
        self.refused(self.call("GET", "/api/whoami-v2", token=short["access_token"]), 401, "expired")
        for action, error in (("deny", "access_denied"), ("expire", "expired_token")):
            code = device()
            control(user_code=code["user_code"], action=action)
            self.assertEqual(poll(code["device_code"]).json()["error"], error)
        exchange = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": "x", "subject_token": "jwt", "resource": "datasets/me/data"}
        self.assertEqual(self.call("POST", "/oauth/token", exchange, None).json()["access_token"][:7], "hf_jwt_")
        control(exchange_denied=True)
        self.assertEqual(self.call("POST", "/oauth/token", exchange, None).json()["error"], "invalid_grant")
        log = self.hub.run("log")
        for secret in (tokens["access_token"], tokens["refresh_token"], code["device_code"], "hf_me"):
            self.assertNotIn(secret, log)

    def test_garbage(self):
        """Whatever a body is, the answer is a refusal or a success, never a failure of the server."""
        self.create("junk")
        self.call("PUT", "/api/models/me/junk/settings", {"gated": "auto"})
        opened = self.call("POST", "/api/models/me/junk/discussions", {"title": "Talk", "pullRequest": True}).json()["num"]
        routes = ["POST /api/repos/create", "DELETE /api/repos/delete", "POST /api/repos/move", "POST /api/validate-yaml", "POST /oauth/device", "POST /oauth/token",
                  "POST /api/complete_multipart?uploadId=x", "PUT /api/models/me/junk/settings", "POST /me/junk.git/info/lfs/objects/batch",
                  "POST /me/junk.git/info/lfs/objects/verify", "POST /me/junk.git/info/lfs/locks", "POST /me/junk.git/info/lfs/locks/verify"]
        routes += ["POST /api/models/me/junk/" + tail for tail in (
            "preupload/main", "commit/main", "commit/main?create_pr=1", "branch/x", "tag/main", "super-squash/nope", "duplicate", "discussions",
            f"discussions/{opened}/comment", f"discussions/{opened}/title", f"discussions/{opened}/status", f"discussions/{opened}/comment/zz/edit",
            "discussions/999/merge", "user-access-request/handle", "user-access-request/grant", "lfs-files/batch", "lfs-files/duplicate", "paths-info/main")]
        deep = "[" * 5000
        bodies = ["", "null", "[]", "{", '{"a":', deep, '{"name":{}}', '{"name":"\\ud800"}', "\xff\xfe", "a=b&c", "%", '{"files":[1,null,{"path":5,"size":"x"}]}',
                  '{"operation":"upload","objects":[1,{},{"oid":5,"size":-1},{"oid":"' + "a" * 64 + '","size":9223372036854775807}]}', '{"key":"header"}\n{"key":"file","value":{"content":"\\',
                  '{"key":"header","value":{"summary":"x"}}\n{"key":"file","value":{"content":"QQ==","path":"a","content":"!"}}\n{"key":"lfsFile","value":{"path":"b","oid":"zz"}}',
                  '{"user_code":"x","action":[]}', '{"type":"space","name":"a/b/c","sdk":7}', '{"deletions":{"sha":[1,{}]}}', '{"title":7,"status":7,"comment":7,"user":7}']
        for route in routes:
            method, path = route.split(" ")
            for body in bodies:
                with self.subTest(route=route, body=body[:40]):
                    answer = self.call(method, path, body.encode("latin-1"))
                    self.assertLess(answer.status, 500, answer.body)
        self.assertEqual(self.call("GET", "/api/models/me/junk").status, 200)

    def test_log_of_bodies(self):
        self.create("logged")
        row = [r for r in self.hub.log() if r["path"] == "/api/repos/create" and "logged" in r.get("body", "")][-1]
        self.assertEqual(json.loads(row["body"]), {"name": "logged", "organization": None})
        self.assertEqual(row["body_size"], len(row["body"]))

    def test_concurrent_commits(self):
        self.create("many")
        results = []
        def work(i):
            for k in range(5):
                results.append(self.commit("me/many", self.file(f"f-{i}-{k}", b"x")).status)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(results, [200] * 30)
        self.assertEqual(len(self.tree("me/many")), 31)
        self.assertEqual(len(self.call("GET", "/api/models/me/many/commits/main").json()), 31)
        head = self.call("GET", "/api/models/me/many").json()["sha"]
        race = []
        threads = [threading.Thread(target=lambda i=i: race.append(self.commit("me/many", self.file(f"r{i}", b"x"), header={"parentCommit": head}).status)) for i in range(6)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(sorted(race), [200] + [412] * 5)

    def test_faults_of_writes(self):
        self.create("f1")
        before = self.tree("me/f1")
        self.assertEqual(self.hub_fault("kind=status;status=503;method=POST;path=*/commit/*;count=1"), 503)
        self.assertEqual(self.tree("me/f1"), before)
        self.assertEqual(self.hub_fault("kind=status;status=504;method=POST;path=*/commit/*;count=1;done=1"), 504)
        self.assertIn("x", self.tree("me/f1"))
        for text, there in (("kind=break;after=10", False), ("kind=break;after=10;reset=1", False), ("kind=empty", False), ("kind=empty;done=1", True)):
            with self.subTest(fault=text):
                self.commit("me/f1", {"key": "deletedFile", "value": {"path": "x"}})
                with self.assertRaises(OSError if "reset" in text else Exception):
                    self.hub_fault(text + ";method=POST;path=*/commit/*;count=1")
                self.assertEqual("x" in self.tree("me/f1"), there)
                self.commit("me/f1", self.file("x", b"again"))
        start = time.monotonic()
        self.assertEqual(self.hub_fault("kind=hold;after=1;seconds=0.5;path=*/commit/*;count=1"), 200)
        self.assertGreater(time.monotonic() - start, 0.4)

    def hub_fault(self, text):
        self.hub.run("fault", text)
        try:
            return self.commit("me/f1", self.file("x", b"x")).status
        finally:
            self.hub.run("fault", "--clear")


class Limits(unittest.TestCase):
    def test_rate_limit(self):
        hub = Hub("--rate-limit", "3/60")
        try:
            answers = [hub.get("/api/models") for _ in range(5)]
            self.assertEqual([a.status for a in answers], [200, 200, 200, 429, 429])
            self.assertRegex(answers[0].headers["ratelimit"], r'^"api";r=2;t=\d+$')
            self.assertEqual(answers[3].headers["ratelimit-policy"], '"fixed window";"api";q=3;w=60')
            self.assertTrue(0 < int(answers[3].headers["retry-after"]) <= 60)
            self.assertEqual(hub.get("/_devhub").status, 200)
        finally:
            hub.close()
        hub = Hub("--rate-limit", "1/60", "--rate-headers", "retry-after")
        try:
            hub.get("/api/models")
            headers = hub.get("/api/models").headers
            self.assertIn("retry-after", headers)
            self.assertNotIn("ratelimit", headers)
        finally:
            hub.close()

    def test_open_server(self):
        hub = Hub()
        try:
            answer = hub.request("/api/repos/create", method="POST", body='{"name":"x"}')
            self.assertEqual(answer.json()["url"], hub.url + "/devhub/x")
            self.assertEqual(hub.get("/api/whoami-v2", Authorization="Bearer anything").json()["name"], "devhub")
            self.assertEqual(hub.get("/api/whoami-v2").status, 401)
        finally:
            hub.close()


if __name__ == "__main__":
    unittest.main()
