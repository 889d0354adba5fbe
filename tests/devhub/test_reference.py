# test_reference.py - the reference client against hf-devhub: download, list, info, errors, as a user types them.
# Its `hf` program is the one HF_REFERENCE names, else that of tests/interop; without it the test is skipped (exit code 77).
# What it downloads is compared with what the server has.
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

from devhub import Hub

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import reference  # noqa: E402

REFERENCE = os.environ.get("HF_REFERENCE")
if not REFERENCE and os.environ.get("HF_DEVHUB") and (found := reference.find(os.path.dirname(os.path.dirname(os.environ["HF_DEVHUB"])))):
    REFERENCE = str(found.parent / "hf")


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub("--token", "me:hf_me", "--token", "guest:hf_guest:read")
        cls.home = tempfile.TemporaryDirectory()
        cls.commit = cls.hub.add("acme/tiny", "--generate", "tiny-model", "--tag", "v1")
        cls.hub.add("acme/many", "--generate", "files=1200,size=100,dirs=7,ext=txt")
        cls.hub.add("acme/words", "--type", "dataset", "--generate", "tiny-dataset")
        cls.hub.add("acme/demo", "--type", "space", "--generate", "tiny-space")
        cls.hub.add("acme/secret", "--private", "--generate", "tiny-model")
        cls.hub.add("acme/gated", "--gated", "--generate", "tiny-model")
        cls.hub.add("acme/old", "--generate", "tiny-model,seed=3")
        cls.hub.run("rename", "acme/old", "acme/new")

    @classmethod
    def tearDownClass(cls):
        cls.hub.close()
        cls.home.cleanup()

    def hf(self, *arguments, token=None, code=0):
        environment = {"PATH": os.environ["PATH"], "HF_ENDPOINT": self.hub.url, "HF_HOME": self.home.name, "HF_HUB_DISABLE_XET": "1",
                       "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HOME": self.home.name}
        if token:
            environment["HF_TOKEN"] = token
        done = subprocess.run([REFERENCE, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_download(self):
        path = json.loads(self.hf("download", "acme/tiny", "--json"))["path"]
        tree = self.hub.get("/api/models/acme/tiny/tree/main?recursive=true").json()
        self.assertEqual(sorted(os.listdir(path)), sorted(e["path"] for e in tree))
        for entry in tree:
            with open(os.path.join(path, entry["path"]), "rb") as file:
                content = file.read()
            self.assertEqual(len(content), entry["size"])
            if "lfs" in entry:
                self.assertEqual(hashlib.sha256(content).hexdigest(), entry["lfs"]["oid"])
        self.assertEqual(self.hf("download", "acme/tiny", "config.json", "--revision", "v1", "-q").split("/")[-2], self.commit)
        self.assertIn("README.md", os.listdir(self.hf("download", "acme/words", "--type", "dataset", "-q").strip()))
        self.assertTrue(self.hf("download", "acme/old", "config.json", "-q"))

    def test_large_tree(self):
        self.assertEqual(len(json.loads(self.hf("models", "ls", "acme/many", "-R", "--json"))), 1207)
        path = self.hf("download", "acme/many", "--include", "dir-0003/*", "-q").strip()
        self.assertEqual(len(os.listdir(os.path.join(path, "dir-0003"))), 171)

    def test_info_and_lists(self):
        info = json.loads(self.hf("models", "info", "acme/tiny"))
        self.assertEqual((info["sha"], info["card_data"]["license"], info["safetensors"]["total"]), (self.commit, "apache-2.0", 10320))
        self.assertIn("acme/tiny", self.hf("models", "ls", "-q"))
        self.assertNotIn("acme/secret", self.hf("models", "ls", "-q"))
        self.assertIn("acme/secret", self.hf("models", "ls", "-q", token="hf_me"))
        self.assertEqual(self.hf("datasets", "ls", "-q").split(), ["acme/words"])
        self.assertEqual(self.hf("spaces", "ls", "--filter", "gradio", "-q").split(), ["acme/demo"])
        self.assertEqual(json.loads(self.hf("spaces", "info", "acme/demo"))["sdk"], "gradio")
        self.assertEqual(json.loads(self.hf("datasets", "info", "acme/words"))["id"], "acme/words")
        self.assertEqual(set(json.loads(self.hf("models", "info", "acme/tiny", "--expand", "likes,sha"))) - {"id"}, {"likes", "sha"})
        self.assertIn("config.json", self.hf("models", "ls", "acme/tiny", "--tree"))
        self.assertEqual(json.loads(self.hf("repos", "tag", "ls", "acme/tiny", "--json"))[0]["name"], "v1")
        self.assertEqual(json.loads(self.hf("auth", "whoami", "--json", token="hf_guest"))["user"], "guest")

    def test_errors(self):
        self.assertIn("Model 'acme/secret' not found", self.hf("download", "acme/secret", code=1))
        self.hf("download", "acme/secret", "config.json", token="hf_me")
        self.assertIn("requires approval", self.hf("download", "acme/gated", "config.json", token="hf_guest", code=1))
        self.assertIn("Revision not found", self.hf("download", "acme/tiny", "--revision", "nope", code=1))
        self.assertIn("File not found", self.hf("download", "acme/tiny", "nope", code=1))


if __name__ == "__main__":
    if not REFERENCE:
        print("SKIPPED: the reference is not here and could not be installed (HF_REFERENCE names its hf program)")
        sys.exit(77)
    unittest.main()
