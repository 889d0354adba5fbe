# test_lists.py - collections and webhooks: what `hf collections` and `hf webhooks` of this project do with them, request by
# request over plain HTTP and by the program itself, on disk and over a restart.
# Who may not see or change something is told so, and nothing changes.
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from devhub import Hub


class Lists(unittest.TestCase):
    options = ("--token", "me:hf_me:write", "--token", "bob:hf_bob:write", "--token", "ro:hf_ro:read")

    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="devhub-lists-")
        self.hub = Hub(*self.options, data=self.data)

    def tearDown(self):
        self.assertEqual(self.hub.close(), 0)
        shutil.rmtree(self.data)

    def call(self, method, path, body=None, token="hf_me", status=200):
        headers = {"Authorization": "Bearer " + token} if token else {}
        answer = self.hub.request(path, method=method, headers=headers, body=None if body is None else json.dumps(body))
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def test_collections(self):
        for name in ("one", "two", "three"):
            self.call("POST", "/api/repos/create", {"name": name})
        made = self.call("POST", "/api/collections", {"title": "My First!", "namespace": "me", "description": "d"})
        slug = made["slug"]
        self.assertRegex(slug, "^me/my-first-[0-9a-f]{24}$")
        self.assertEqual((made["title"], made["owner"]["name"], made["private"], made["items"]), ("My First!", "me", False, []))
        again = self.call("POST", "/api/collections", {"title": "My First!", "namespace": "me"}, status=409)
        self.assertEqual(again["slug"], slug)
        self.call("POST", "/api/collections", {"title": "x", "namespace": "bob"}, status=403)
        self.call("POST", "/api/collections", {"title": "x", "namespace": "ro"}, token="hf_ro", status=403)
        self.call("POST", "/api/collections", {"namespace": "me"}, status=400)
        place = "/api/collections/" + slug
        for name in ("one", "two", "three"):
            got = self.call("POST", place + "/items", {"item": {"id": "me/" + name, "type": "model"}, "note": "n " + name})
        self.assertEqual([(i["id"], i["position"], i["note"]["text"]) for i in got["items"]], [(f"me/{n}", k, "n " + n) for k, n in enumerate(("one", "two", "three"))])
        self.call("POST", place + "/items", {"item": {"id": "me/one", "type": "model"}}, status=409)
        self.call("POST", place + "/items", {"item": {"id": "me/none", "type": "model"}}, status=404)
        self.call("POST", place + "/items", {"item": {"id": "me/one", "type": "model"}}, token="hf_bob", status=403)
        third = got["items"][2]["_id"]
        self.call("PATCH", f"{place}/items/{third}", {"position": 0, "note": "first now"})
        self.call("PATCH", f"{place}/items/{'0' * 24}", {"position": 0}, status=404)
        got = self.call("GET", place)
        self.assertEqual([(i["id"], i["position"]) for i in got["items"]], [("me/three", 0), ("me/one", 1), ("me/two", 2)])
        self.assertEqual(got["items"][0]["note"]["text"], "first now")
        self.call("DELETE", f"{place}/items/{third}")
        self.call("PATCH", place, {"title": "Other", "private": True})
        self.hub.close()
        self.hub = Hub(*self.options, data=self.data)
        got = self.call("GET", place)
        self.assertEqual((got["title"], got["private"], [i["id"] for i in got["items"]]), ("Other", True, ["me/one", "me/two"]))
        self.call("GET", place, token="hf_bob", status=404)
        self.assertEqual(self.call("GET", "/api/collections?owner=me", token="hf_bob"), [])
        self.assertEqual([c["slug"] for c in self.call("GET", "/api/collections?owner=me")], [slug])
        self.assertEqual([c["slug"] for c in self.call("GET", "/api/collections?item=models/me/two")], [slug])
        self.assertEqual(self.call("GET", "/api/collections?item=models/me/three"), [])
        self.call("DELETE", place, token="hf_bob", status=404)
        self.call("DELETE", place)
        self.call("GET", place, status=404)

    def test_webhooks(self):
        watched = [{"type": "user", "name": "me"}]
        self.assertEqual(self.call("GET", "/api/settings/webhooks"), [])
        hook = self.call("POST", "/api/settings/webhooks", {"watched": watched, "url": "https://example.test/x", "domains": ["repo"], "secret": "s"})["webhook"]
        self.assertEqual((hook["watched"], hook["url"], hook["domains"], hook["disabled"]), (watched, "https://example.test/x", ["repo"], False))
        self.call("POST", "/api/settings/webhooks", {"watched": [], "url": "https://example.test/x"}, status=400)
        self.call("POST", "/api/settings/webhooks", {"watched": watched}, status=400)
        self.call("GET", "/api/settings/webhooks", token=None, status=401)
        place = "/api/settings/webhooks/" + hook["id"]
        self.assertTrue(self.call("POST", place + "/disable")["webhook"]["disabled"])
        self.assertFalse(self.call("POST", place + "/enable")["webhook"]["disabled"])
        self.assertEqual(self.call("POST", place, {"domains": ["repo", "discussion"]})["webhook"]["domains"], ["repo", "discussion"])
        for method, where in (("GET", ""), ("POST", "/disable"), ("DELETE", "")):
            self.call(method, place + where, token="hf_bob", status=404)
        self.assertEqual(self.call("GET", place)["webhook"]["url"], "https://example.test/x")
        self.assertEqual([h["id"] for h in self.call("GET", "/api/settings/webhooks")], [hook["id"]])
        self.call("DELETE", place)
        self.call("GET", place, status=404)

    def test_commands(self):
        """The program's own commands against them."""
        program = os.environ.get("HF_PROGRAM")
        if not program:
            self.skipTest("HF_PROGRAM names no hf")
        home = tempfile.mkdtemp(prefix="devhub-lists-home-")
        env = {**os.environ, "HOME": home, "HF_HOME": home + "/hf", "HF_ENDPOINT": self.hub.url, "HF_TOKEN": "hf_me"}

        def hf(*words):
            done = subprocess.run([program, *words], env=env, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, (words, done.stderr))
            return done.stdout

        hf("repos", "create", "me/one")
        slug = json.loads(hf("collections", "create", "A title", "--json"))["slug"]
        hf("collections", "add-item", slug, "me/one", "model", "--note", "a note")
        got = json.loads(hf("collections", "info", slug, "--json"))
        self.assertEqual(got["items"][0]["note"], "a note")
        hf("collections", "update-item", slug, got["items"][0]["item_object_id"], "--note", "another")
        self.assertEqual(json.loads(hf("collections", "info", slug, "--json"))["items"][0]["note"], "another")
        self.assertIn(slug, hf("collections", "ls", "--owner", "me", "-q"))
        hf("collections", "delete", slug)
        hook = json.loads(hf("webhooks", "create", "--watch", "user:me", "--url", "https://example.test", "--json"))["id"]
        hf("webhooks", "disable", hook)
        self.assertTrue(json.loads(hf("webhooks", "info", hook, "--json"))["disabled"])
        self.assertIn(hook, hf("webhooks", "ls", "-q"))
        hf("webhooks", "delete", hook, "--yes")
        shutil.rmtree(home)


if __name__ == "__main__":
    unittest.main()
