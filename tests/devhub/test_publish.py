# test_publish.py - the reference client publishes to hf-devhub: its Python functions and its `hf` program.
# The `hf` program is the one HF_REFERENCE names, else that of tests/interop; the python beside it runs this file. Skipped without it.
# What was uploaded is downloaded again and compared. The server keeps its data in a folder.
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import reference  # noqa: E402

REFERENCE = os.environ.get("HF_REFERENCE")
if not REFERENCE and os.environ.get("HF_DEVHUB") and (found := reference.find(os.path.dirname(os.path.dirname(os.environ["HF_DEVHUB"])))):
    REFERENCE = str(found.parent / "hf")
if __name__ == "__main__":
    if not REFERENCE:
        print("SKIPPED: the reference is not here and could not be installed (HF_REFERENCE names its hf program)")
        sys.exit(77)
    python = os.path.join(os.path.dirname(REFERENCE), "python")
    if not os.environ.get("HF_PUBLISH_CHILD"):
        os.execve(python, [python, *sys.argv], {**os.environ, "HF_PUBLISH_CHILD": "1", "HF_REFERENCE": REFERENCE, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
                  "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HOME": tempfile.mkdtemp(prefix="devhub-home-")})

from devhub import Hub, write


def setUpModule():
    global hub, hubfile, folder, api, bob
    folder = tempfile.mkdtemp(prefix="devhub-publish-")
    hub = Hub("--token", "me:hf_me", "--token", "bob:hf_bob:write", "--token", "ro:hf_ro:read", "--part-size", "1MB", data=os.path.join(folder, "data"))
    os.environ["HF_ENDPOINT"] = hub.url
    import huggingface_hub
    globals().update({name: getattr(huggingface_hub, name) for name in ("HfApi", "CommitOperationAdd", "CommitOperationCopy", "CommitOperationDelete")})
    globals().update(vars(__import__("huggingface_hub.errors", fromlist=["x"])))
    api, bob = HfApi(endpoint=hub.url, token="hf_me"), HfApi(endpoint=hub.url, token="hf_bob")


def tearDownModule():
    code = hub.close()
    shutil.rmtree(folder)
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)
    assert code == 0


def hf(*arguments, token="hf_me", code=0, home=None, **more):
    environment = {k: v for k, v in os.environ.items() if k != "HF_TOKEN"}
    environment.update({"HF_ENDPOINT": hub.url, **({"HF_TOKEN": token} if token else {}), **({"HF_HOME": home, "HOME": home} if home else {}), **more})
    done = subprocess.run([REFERENCE, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


class Publish(unittest.TestCase):
    def repo(self, name, **rest):
        api.create_repo("me/" + name, **rest)
        return "me/" + name

    def files(self, repo, **rest):
        return sorted(f for f in api.list_repo_files(repo, **rest) if f != ".gitattributes")

    def content(self, repo, path, **rest):
        with open(api.hf_hub_download(repo, path, **rest), "rb") as file:
            return file.read()

    def make(self):
        place = tempfile.mkdtemp(dir=folder)
        contents = {"README.md": b"---\nlicense: mit\n---\n# x\n", "big.bin": os.urandom(3_500_000), "small.bin": os.urandom(100), "empty.bin": b"",
                    "sub/dir/text.txt": b"text\n", "sub/no.log": b"log", ".gitignore": b"*.log\n", "sub/empty": b"", "日本 é#?.txt": b"name"}
        for path, data in contents.items():
            write(place, path, data)
        del contents["sub/no.log"]
        return place, contents

    def test_create_repo(self):
        repo = self.repo("made")
        self.assertEqual(api.create_repo(repo, exist_ok=True).repo_id, repo)
        with self.assertRaises(HfHubHTTPError) as e:
            api.create_repo(repo)
        self.assertEqual(e.exception.response.status_code, 409)
        api.create_repo("me/data", repo_type="dataset", private=True)
        self.assertTrue(api.dataset_info("me/data").private)
        with self.assertRaises(RepositoryNotFoundError):
            bob.dataset_info("me/data")
        self.assertEqual(api.create_repo("me/app", repo_type="space", space_sdk="docker").repo_type, "space")
        with self.assertRaises(HfHubHTTPError) as e:
            HfApi(endpoint=hub.url, token="hf_ro").create_repo("ro/x")
        self.assertIn("You don't have the rights to create a model", str(e.exception))
        api.delete_repo("me/data", repo_type="dataset")
        with self.assertRaises(RepositoryNotFoundError):
            api.delete_repo("me/data", repo_type="dataset")
        api.delete_repo("me/data", repo_type="dataset", missing_ok=True)

    def test_upload_folder(self):
        repo = self.repo("folder")
        place, contents = self.make()
        info = api.upload_folder(repo_id=repo, folder_path=place, commit_message="all", commit_description="because")
        self.assertEqual(self.files(repo), sorted(contents))
        for path, data in contents.items():
            self.assertEqual(self.content(repo, path), data)
        rows = {f.path: f for f in api.list_repo_tree(repo, recursive=True)}
        self.assertEqual([p for p in contents if rows[p].lfs], ["big.bin", "small.bin"])
        commit = api.list_repo_commits(repo)[0]
        self.assertEqual((commit.commit_id, commit.title, commit.message, commit.authors), (info.oid, "all", "because", ["me"]))
        hub.reset()
        os.remove(os.path.join(place, "sub/no.log"))
        self.assertEqual(api.upload_folder(repo_id=repo, folder_path=place).oid, info.oid)
        self.assertEqual([r["path"] for r in hub.log() if "/commit/" in r["path"] or r["origin"] == "cdn"], [])
        api.upload_folder(repo_id=repo, folder_path=place, path_in_repo="copy", allow_patterns=["*.txt"], delete_patterns="*.bin")
        self.assertIn("copy/sub/dir/text.txt", self.files(repo))
        hub.reset()
        api.upload_folder(repo_id=self.repo("again"), folder_path=place)
        parts = [r for r in hub.log() if r["origin"] == "cdn" and r["path"].startswith("/parts/")]
        self.assertEqual([r["body_size"] for r in parts], [1_000_000] * 3 + [500_000])

    def test_operations(self):
        repo = self.repo("ops")
        api.create_commit(repo, [CommitOperationAdd("a/x.bin", b"lfs"), CommitOperationAdd("a/y.txt", b"plain"), CommitOperationAdd("b.txt", b"b")], commit_message="1")
        head = api.model_info(repo).sha
        api.create_commit(repo, [CommitOperationCopy("a/x.bin", "c/x.bin"), CommitOperationCopy("a/y.txt", "c/y.txt"), CommitOperationDelete("b.txt")], commit_message="2", parent_commit=head)
        api.create_commit(repo, [CommitOperationDelete("a/"), CommitOperationAdd("d.txt", b"d")], commit_message="3")
        self.assertEqual(self.files(repo), ["c/x.bin", "c/y.txt", "d.txt"])
        self.assertEqual((self.content(repo, "c/x.bin"), self.content(repo, "c/y.txt")), (b"lfs", b"plain"))
        other = self.repo("ops-copy")
        api.create_commit(other, [CommitOperationCopy("c/x.bin", "far.bin", src_repo_id=repo, src_repo_type="model"), CommitOperationCopy("c/y.txt", "far.txt", src_repo_id=repo, src_repo_type="model")], commit_message="from " + repo)
        self.assertEqual((self.content(other, "far.bin"), self.content(other, "far.txt")), (b"lfs", b"plain"))
        with self.assertRaises(HfHubHTTPError) as e:
            api.create_commit(repo, [CommitOperationAdd("e", b"e")], commit_message="4", parent_commit=head)
        self.assertEqual(e.exception.response.status_code, 412)
        with self.assertRaises(EntryNotFoundError):
            api.delete_file("nope", repo)
        api.delete_folder("c", repo)
        api.delete_files(repo, delete_patterns=["d.*"])
        self.assertEqual(self.files(repo), [])
        with self.assertRaises(ValueError):
            api.upload_file(repo_id=repo, path_in_repo="README.md", path_or_fileobj=b"---\nlicense: [x\n---\n")

    def test_pull_requests(self):
        repo = self.repo("pulls")
        with self.assertRaises(HfHubHTTPError):
            bob.upload_file(repo_id=repo, path_in_repo="x", path_or_fileobj=b"x")
        info = bob.upload_file(repo_id=repo, path_in_repo="x.bin", path_or_fileobj=b"x", create_pr=True, commit_message="Add x")
        self.assertEqual((info.pr_num, info.pr_revision), (1, "refs/pr/1"))
        bob.upload_file(repo_id=repo, path_in_repo="y.txt", path_or_fileobj=b"y", revision=info.pr_revision)
        self.assertEqual(self.files(repo), [])
        details = api.get_discussion_details(repo, 1)
        self.assertEqual((details.title, details.author, details.is_pull_request, len(details.events)), ("Add x", "bob", True, 3))
        api.comment_discussion(repo, 1, "fine")
        api.merge_pull_request(repo, 1, comment="thanks")
        self.assertEqual(self.files(repo), ["x.bin", "y.txt"])
        empty = bob.create_pull_request(repo, "Nothing yet")
        self.assertEqual((empty.num, empty.status), (2, "draft"))
        api.rename_discussion(repo, 2, "Still nothing")
        api.change_discussion_status(repo, 2, "closed")
        self.assertEqual([(d.num, d.title, d.status) for d in api.get_repo_discussions(repo)], [(2, "Still nothing", "closed"), (1, "Add x", "merged")])
        self.assertEqual([r.ref for r in api.list_repo_refs(repo, include_pull_requests=True).pull_requests], ["refs/pr/1", "refs/pr/2"])

    def test_refs_and_history(self):
        repo = self.repo("refs")
        api.upload_file(repo_id=repo, path_in_repo="a", path_or_fileobj=b"1")
        api.create_branch(repo, branch="dev/1")
        api.create_branch(repo, branch="dev/1", exist_ok=True)
        api.upload_file(repo_id=repo, path_in_repo="a", path_or_fileobj=b"2", revision="dev/1")
        api.create_tag(repo, tag="v1", tag_message="first")
        api.create_tag(repo, tag="v1", exist_ok=True)
        with self.assertRaises(HfHubHTTPError):
            api.create_tag(repo, tag="v1")
        refs = api.list_repo_refs(repo)
        self.assertEqual(([b.name for b in refs.branches], [t.name for t in refs.tags]), (["dev/1", "main"], ["v1"]))
        self.assertEqual((self.content(repo, "a"), self.content(repo, "a", revision="dev/1")), (b"1", b"2"))
        api.super_squash_history(repo, branch="dev/1", commit_message="one")
        self.assertEqual([c.title for c in api.list_repo_commits(repo, revision="dev/1")], ["one"])
        api.delete_branch(repo, branch="dev/1")
        api.delete_tag(repo, tag="v1")
        with self.assertRaises(RevisionNotFoundError):
            api.delete_tag(repo, tag="v1")

    def test_move_duplicate_settings(self):
        repo = self.repo("from")
        api.upload_file(repo_id=repo, path_in_repo="w.bin", path_or_fileobj=b"weights")
        api.move_repo(repo, "me/to")
        self.assertEqual((api.model_info(repo).id, self.content(repo, "w.bin")), ("me/to", b"weights"))
        self.assertEqual(api.duplicate_repo("me/to", "me/twin").repo_id, "me/twin")
        self.assertEqual(self.content("me/twin", "w.bin"), b"weights")
        api.update_repo_settings("me/to", private=True, gated="auto")
        info = api.model_info("me/to")
        self.assertEqual((info.private, info.gated), (True, "auto"))
        mine = {r.id: r for r in api.list_user_repos()}
        self.assertEqual((mine["me/to"].visibility, mine["me/twin"].visibility), ("private", "public"))
        bob.whoami()
        api.update_repo_settings("me/twin", gated="manual")
        with self.assertRaises(GatedRepoError):
            bob.auth_check("me/twin")
        hub.request("/me/twin/ask-access", method="POST", headers={"Authorization": "Bearer hf_bob"})
        self.assertEqual([r.username for r in api.list_pending_access_requests("me/twin")], ["bob"])
        api.accept_access_request("me/twin", "bob")
        bob.auth_check("me/twin")
        api.reject_access_request("me/twin", "bob", rejection_reason="no")
        api.grant_access("me/twin", "ro")
        self.assertEqual([r.username for r in api.list_accepted_access_requests("me/twin")], ["ro"])
        files = list(api.list_lfs_files("me/twin"))
        self.assertEqual([f.filename for f in files], ["w.bin"])

    def test_command_line(self):
        place, contents = self.make()
        self.assertIn("me/cli", hf("repos", "create", "me/cli"))
        hf("repos", "create", "me/cli", "--exist-ok")
        hf("upload", "me/cli", place, ".", "--commit-message", "by hand")
        self.assertEqual(self.files("me/cli"), sorted(contents))
        hf("upload", "me/cli", os.path.join(place, "small.bin"), "pr.bin", "--create-pr")
        self.assertEqual(self.content("me/cli", "pr.bin", revision="refs/pr/1"), contents["small.bin"])
        hf("repos", "branch", "create", "me/cli", "next")
        hf("repos", "tag", "create", "me/cli", "v2")
        hf("repos", "delete-files", "me/cli", "*.bin")
        self.assertNotIn("big.bin", self.files("me/cli"))
        self.assertIn("me/cli", hf("repos", "ls", "-q"))
        hf("repos", "settings", "me/cli", "--gated", "auto")
        hf("repos", "move", "me/cli", "me/cli2")
        hf("repos", "delete", "me/cli2", "--yes")
        self.assertIn("You don't have the rights", hf("repos", "create", "me/nope", token="hf_ro", code=1))

    def test_sign_in(self):
        home = tempfile.mkdtemp(dir=folder)
        hf("auth", "login", "--token", "hf_bob", token=None, home=home)
        self.assertEqual(json.loads(hf("auth", "whoami", "--json", token=None, home=home))["user"], "bob")
        hub.request("/_devhub/oauth", method="POST", body='{"automatic":"approve","user":"bob","interval":1,"token_seconds":2}')
        home = tempfile.mkdtemp(dir=folder)
        hf("auth", "login", "--format", "agent", token=None, home=home)
        hub.reset()
        self.assertEqual(json.loads(hf("auth", "whoami", "--json", token=None, home=home))["user"], "bob")
        self.assertIn("/oauth/token", [r["path"] for r in hub.log()])
        hub.request("/_devhub/oauth", method="POST", body='{"automatic":"deny"}')
        self.assertIn("denied", hf("auth", "login", "--format", "agent", token=None, home=tempfile.mkdtemp(dir=folder), code=1))


if __name__ == "__main__":
    unittest.main()
