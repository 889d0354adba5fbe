#!/usr/bin/env python3
"""Runs examples/publish against hf-devhub and checks what the repo holds afterwards.

publish.py --build DIR; exit 1 and the difference when something is wrong.
"""
import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--build", type=pathlib.Path, required=True)
build = parser.parse_args().build.resolve()
LETTERS = (b"abcdefghijklmnopqrstuvwxyz" * 40000)[:1000000]


def check(condition, what, done):
    if not condition:
        print(f"{what}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
        sys.exit(1)


with tempfile.TemporaryDirectory() as home, Hub(build / "bin", extra=["--token", "me:hf_example:write"]) as hub:
    home = pathlib.Path(home)
    environment = clean_environment(home, hub.url, LD_LIBRARY_PATH=build / "lib", HF_TOKEN="hf_example")
    auth = {"authorization": "Bearer hf_example"}
    (home / "folder").mkdir()
    (home / "folder/kept.txt").write_text("kept")
    (home / "folder/scratch.tmp").write_text("not wanted")
    (home / "one.txt").write_text("one file")
    words = [build / "examples/publish", "me/published", home / "one.txt", home / "folder"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    check(done.returncode == 1 and "Model 'me/published' not found." in done.stderr, "a missing repo is not named", done)
    hub.call("POST", "/api/repos/create", {"name": "published", "organization": "me", "type": "model"}, auth)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    check(all(len(line.split()) == 3 and line.split()[1].endswith("/" + line.split()[2]) for line in done.stdout.splitlines()),
          "a commit without its id", done)
    pages = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    check(done.returncode == 0 and list(pages) == ["file", "folder", "commit"], "not all was published", done)
    tree = {e["path"]: e for e in json.loads(hub.call("GET", "/api/models/me/published/tree/main?recursive=true", headers=auth))}
    check(set(tree) == {".gitattributes", "one.txt", "copy", "copy/of-a-file", "README.md", "letters.bin"}, f"the repo holds {sorted(tree)}", done)
    check(tree["letters.bin"]["lfs"]["oid"] == hashlib.sha256(LETTERS).hexdigest(), "the letters are others", done)
    check(tree["one.txt"]["oid"] == tree["copy/of-a-file"]["oid"], "the copy differs", done)
    commits = json.loads(hub.call("GET", "/api/models/me/published/commits/main", headers=auth))
    check(pages["commit"].endswith(commits[0]["id"]) and commits[0]["title"] == "Several things at once", "another commit", done)
    earlier = pages["folder"].rsplit("/", 1)[1]
    paths = [e["path"] for e in json.loads(hub.call("GET", f"/api/models/me/published/tree/{earlier}?recursive=true", headers=auth))]
    check("data/kept.txt" in paths and "data/scratch.tmp" not in paths, f"the folder holds {paths}", done)
