# test_api.py - the JSON side: info, lists with search, filters, sort and pages, trees by pages, paths-info, commits, access.
# Link targets are followed as a client does: as they are.
# Errors are checked with their code, message and request id.
import re
import tempfile
import unittest
import urllib.parse

from devhub import Hub, write


def next_link(answer):
    found = re.match(r'<(.+)>; rel="next"$', answer.headers.get("link", ""))
    return found and found.group(1)


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub("--token", "me:hf_secret_me", "--token", "guest:hf_secret_guest:read", "--token",
                      "friend:hf_secret_friend:read,private=acme/hid*,gated=acme/gated")
        cls.commit = cls.hub.add("acme/tiny", "--generate", "tiny-model", "--downloads", "50", "--likes", "3")
        cls.hub.add("acme/other-tiny", "--generate", "tiny-model,seed=2", "--downloads", "70", "--likes", "2")
        cls.hub.add("zed/big", "--generate", "files=25,size=10,dirs=3,ext=txt", "--downloads", "60", "--likes", "1")
        cls.hub.add("acme/hidden", "--generate", "tiny-model", "--private", "--downloads", "99")
        cls.hub.add("acme/gated", "--generate", "tiny-model", "--gated", "manual", "--downloads", "1")
        cls.hub.add("acme/words", "--type", "dataset", "--generate", "tiny-dataset")
        cls.hub.add("acme/demo", "--type", "space", "--generate", "tiny-space")
        cls.hub.add("acme/kern", "--type", "kernel", "--generate", "files=1,size=3")
        cls.hub.add("bare", "--generate", "tiny-model,seed=9", "--downloads", "2")

    @classmethod
    def tearDownClass(cls):
        cls.hub.close()

    def ids(self, query, **headers):
        return [m["id"] for m in self.hub.get("/api/models?" + query, **headers).json()]

    def test_info(self):
        info = self.hub.get("/api/models/acme/tiny").json()
        for key, value in {"id": "acme/tiny", "modelId": "acme/tiny", "author": "acme", "sha": self.commit, "private": False,
                           "gated": False, "disabled": False, "downloads": 50, "likes": 3, "pipeline_tag": "text-generation",
                           "library_name": "transformers"}.items():
            self.assertEqual(info[key], value, key)
        self.assertEqual(info["cardData"]["tags"], ["devhub", "tiny"])
        self.assertEqual(info["config"], {"architectures": ["LlamaForCausalLM"], "model_type": "llama"})
        self.assertEqual(info["safetensors"]["total"], info["safetensors"]["parameters"]["F32"])
        self.assertLess({"license:apache-2.0", "safetensors", "en", "text-generation"}, set(info["tags"]))
        self.assertIn({"rfilename": "model.safetensors"}, info["siblings"])
        sizes = {s["rfilename"]: s for s in self.hub.get("/api/models/acme/tiny?blobs=true").json()["siblings"]}
        self.assertEqual(sum(s["size"] for s in sizes.values()), info["usedStorage"])
        self.assertEqual(set(sizes["model.safetensors"]["lfs"]), {"sha256", "size", "pointerSize"})

    def card(self, text):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "README.md", text.encode())
            self.hub.add("acme/card", "--type", "space", folder, "--private")
        return self.hub.get("/api/spaces/acme/card?expand=cardData", authorization="Bearer hf_secret_me").json().get("cardData")

    def test_cards(self):
        whole = """---
# comment
license: "apache-2.0"   # why
language:
  - en
  - 'it''s'
tags: [a, "b, c", 3, {k: v}]
n: 3
f: -1.5e3
yes: true
nothing:
tilde: ~
version: 1.2.3
date: 2024-01-02
url: https://example.com/a:b
text: |
  line one
    indented

  line three
folded: >-
  joined
  words
long: words that
  go on
model-index:
- name: m
  results:
  - task:
      type: t
    metrics:
    - {type: acc, value: 0.5}
    - type: f1
      value: 7
emoji: "\\U0001F331\\u00e9\\n"
---
# Body
key: not yaml
"""
        self.assertEqual(self.card(whole), {
            "license": "apache-2.0", "language": ["en", "it's"], "tags": ["a", "b, c", 3, {"k": "v"}], "n": 3, "f": -1500.0, "yes": True,
            "nothing": None, "tilde": None, "version": "1.2.3", "date": "2024-01-02", "url": "https://example.com/a:b",
            "text": "line one\n  indented\n\nline three\n", "folded": "joined words", "long": "words that go on",
            "model-index": [{"name": "m", "results": [{"task": {"type": "t"}, "metrics": [{"type": "acc", "value": 0.5},
                                                                                            {"type": "f1", "value": 7}]}]}],
            "emoji": "\U0001F331\u00e9\n"})
        deep = "---\n" + "".join(" " * i + "a:\n" for i in range(40)) + "---\n"
        for broken in ("no front matter", "---\na: 1\n", "---\n- a\n---\n", "---\na: [1, 2\n---\n", "---\na: 'x\n---\n", deep,
                       "---\na: " + "[" * 5000 + "\n---\n", "---\na: 1\n  b: 2\n---\n"):
            self.assertIsNone(self.card(broken), broken[:60])
        self.assertEqual(self.card("---\r\na: 1\r\n---\r\n"), {"a": 1})

    def test_other_types(self):
        self.assertIn("task_categories:text-classification", self.hub.get("/api/datasets/acme/words").json()["tags"])
        space = self.hub.get("/api/spaces/acme/demo").json()
        self.assertEqual((space["sdk"], space["subdomain"], space["runtime"]["stage"]), ("gradio", "acme-demo", "RUNNING"))
        self.assertEqual(self.hub.get("/api/kernels/acme/kern").json()["id"], "acme/kern")
        self.assertEqual(self.hub.get("/api/models/bare/revision/main").json()["id"], "bare")

    def test_expand(self):
        info = self.hub.get("/api/models/acme/tiny?expand=sha&expand[]=likes").json()
        self.assertEqual(set(info), {"_id", "id", "sha", "likes"})
        self.assertEqual(self.hub.get("/api/models/acme/tiny?expand=nonsense").status, 400)
        self.assertEqual(self.hub.get("/api/models?expand=sdk").status, 400)

    def test_list_search_filter_sort(self):
        self.assertEqual(self.ids("sort=downloads"), ["acme/other-tiny", "zed/big", "acme/tiny", "bare", "acme/gated"])
        self.assertEqual(self.ids("sort=downloads&direction=1")[0], "acme/gated")
        self.assertEqual(self.ids("search=TINY&sort=downloads"), ["acme/other-tiny", "acme/tiny"])
        self.assertEqual(self.ids("author=zed"), ["zed/big"])
        self.assertEqual(self.ids("author=ze"), [])
        self.assertEqual(set(self.ids("filter=llama&filter=license:apache-2.0")), {"acme/tiny", "acme/other-tiny", "acme/gated", "bare"})
        self.assertEqual(self.ids("filter=llama,nothing"), [])
        self.assertEqual(self.ids("gated=true"), ["acme/gated"])
        self.assertNotIn("acme/gated", self.ids("gated=false"))
        self.assertEqual(len(self.ids("pipeline_tag=text-generation")), 4)
        self.assertIn("acme/hidden", self.ids("sort=downloads", authorization="Bearer hf_secret_me"))
        self.assertEqual(self.hub.get("/api/models?sort=nonsense").status, 400)
        plain, full = (self.hub.get("/api/models?search=bare" + q).json()[0] for q in ("", "&full=true"))
        self.assertNotIn("siblings", plain)
        self.assertLess({"siblings", "sha", "lastModified", "cardData"}, set(full))

    def test_list_pages(self):
        seen, url = [], self.hub.url + "/api/models?sort=likes&limit=2"
        while url:
            answer = self.hub.get(url)
            self.assertLessEqual(len(answer.json()), 2)
            seen += [m["id"] for m in answer.json()]
            url = next_link(answer)
            self.assertTrue(url is None or url.startswith(self.hub.url + "/api/models?sort=likes&limit=2&cursor="))
        self.assertEqual(seen, self.ids("sort=likes"))
        self.assertEqual(len(seen), 5)
        self.assertEqual(self.hub.get("/api/models?cursor=zzz").status, 400)

    def test_tree_pages(self):
        for query in ("recursive=true", "recursive=false", "recursive=true&expand=true"):
            whole = self.hub.get("/api/models/zed/big/tree/main?" + query).json()
            for limit in (1, 2, 7):
                seen, url = [], f"/api/models/zed/big/tree/main?{query}&limit={limit}"
                while url:
                    answer = self.hub.get(url)
                    seen += answer.json()
                    url = next_link(answer)
                self.assertEqual(seen, whole)
        self.assertEqual(len(self.hub.get("/api/models/zed/big/tree/main?recursive=true").json()), 28)
        below = self.hub.get("/api/models/zed/big/tree/main/dir-0001?recursive=true").json()
        self.assertEqual({e["path"].split("/")[0] for e in below}, {"dir-0001"})
        self.assertEqual(self.hub.get("/api/models/zed/big/tree/main/dir-0001").json(), below)

    def test_paths_info(self):
        form = urllib.parse.urlencode([("paths", "README.md"), ("paths", "nope"), ("expand", "True")])
        answer = self.hub.request("/api/models/acme/tiny/paths-info/main", method="POST", body=form,
                                  headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual([(e["path"], e["type"], e["lastCommit"]["id"]) for e in answer.json()], [("README.md", "file", self.commit)])
        answer = self.hub.request("/api/models/zed/big/paths-info/main", method="POST", body='{"paths":["dir-0002"],"expand":false}',
                                  headers={"Content-Type": "application/json"})
        self.assertEqual([(e["path"], e["type"]) for e in answer.json()], [("dir-0002", "directory")])

    def test_commits(self):
        for i in range(4):
            self.hub.add("acme/history", "--type", "dataset", "--generate", f"files=1,size={i + 1}", "--title", f"step <{i}>")
        first = self.hub.get("/api/datasets/acme/history/commits/main?limit=3&expand[]=formatted")
        self.assertEqual(first.headers["x-total-count"], "4")
        self.assertEqual([c["title"] for c in first.json()], ["step <3>", "step <2>", "step <1>"])
        self.assertEqual(first.json()[0]["formatted"]["title"], "step &lt;3>")
        self.assertEqual([c["title"] for c in self.hub.get(next_link(first)).json()], ["step <0>"])

    def test_small_answers(self):
        me = self.hub.get("/api/whoami-v2", authorization="Bearer hf_secret_guest").json()
        self.assertEqual((me["name"], me["auth"]["accessToken"]["role"]), ("guest", "read"))
        self.assertEqual(self.hub.get("/api/whoami-v2").status, 401)
        self.assertEqual(set(self.hub.get("/api/agent-harnesses").json()), {"standardEnvVars", "harnesses"})
        tags = self.hub.get("/api/models-tags-by-type").json()
        self.assertEqual(tags["pipeline_tag"], [{"id": "text-generation", "label": "text-generation", "type": "pipeline_tag"}])

    def check_error(self, answer, status, code, message):
        self.assertEqual((answer.status, answer.headers.get("x-error-code")), (status, code))
        self.assertIn(message, answer.headers["x-error-message"])
        self.assertTrue(answer.headers["x-request-id"])
        self.assertEqual(answer.json(), {"error": answer.headers["x-error-message"]})

    def test_errors(self):
        guest = {"authorization": "Bearer hf_secret_guest"}
        for path in ("/api/models/acme/nope", "/acme/nope/resolve/main/x", "/api/models/acme/hidden", "/acme/hidden/resolve/main/x"):
            self.check_error(self.hub.get(path), 401, "RepoNotFound", "Invalid username or password.")
            self.check_error(self.hub.get(path, **guest), 404, "RepoNotFound", "Repository not found")
        self.check_error(self.hub.get("/api/models/acme/tiny/revision/nope"), 404, "RevisionNotFound", "nope")
        self.check_error(self.hub.get("/acme/tiny/resolve/nope/x"), 404, "RevisionNotFound", "nope")
        missing = self.hub.get("/acme/tiny/resolve/main/nope")
        self.check_error(missing, 404, "EntryNotFound", "Entry not found")
        self.assertEqual(missing.headers["x-repo-commit"], self.commit)
        self.check_error(self.hub.get("/api/models/acme/tiny/tree/main/nope"), 404, "EntryNotFound", "nope does not exist")
        self.check_error(self.hub.get("/acme/gated/resolve/main/config.json"), 401, "GatedRepo", "restricted")
        self.check_error(self.hub.get("/acme/gated/resolve/main/config.json", **guest), 403, "GatedRepo", "not in the authorized list")
        self.check_error(self.hub.get("/api/models/acme/tiny", authorization="Bearer wrong"), 401, None,
                         "Invalid credentials in Authorization header")

    def test_access(self):
        friend = {"authorization": "Bearer hf_secret_friend"}
        self.assertEqual(self.hub.get("/acme/gated/resolve/main/config.json", **friend).status, 200)
        self.assertEqual(self.hub.get("/acme/hidden/resolve/main/config.json", **friend).status, 200)
        self.assertEqual(self.hub.get("/api/models/acme/gated").json()["gated"], "manual")
        self.assertEqual(self.hub.get("/acme/hidden/resolve/main/config.json", authorization="Bearer hf_secret_me").status, 200)

    def test_renamed(self):
        self.hub.add("acme/old-name", "--private", "--generate", "tiny-model")
        self.hub.run("rename", "acme/old-name", "acme/new-name")
        answer = self.hub.get("/acme/old-name/resolve/main/config.json?download=true")
        self.assertEqual((answer.status, answer.headers["location"]), (307, "/acme/new-name/resolve/main/config.json?download=true"))
        answer = self.hub.get("/api/models/acme/old-name/tree/main")
        self.assertEqual((answer.status, answer.headers["location"]), (307, "/api/models/acme/new-name/tree/main"))
        self.assertEqual(self.hub.get(answer.headers["location"], authorization="Bearer hf_secret_me").status, 200)


if __name__ == "__main__":
    unittest.main()
