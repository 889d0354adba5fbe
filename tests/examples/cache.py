#!/usr/bin/env python3
"""Runs examples/cache_tour on a made-up cache and checks what it prints and what it leaves on disk.

cache.py --build DIR; exit 1 and the difference when something is wrong.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "case"), str(here.parent / "cache")]
from hub import clean_environment  # noqa: E402
import world  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--build", type=pathlib.Path, required=True)
build = parser.parse_args().build.resolve()


def tour(cache, *arguments, code=0, **more):
    env = clean_environment(cache.parent, None, HF_HUB_CACHE=cache, LD_LIBRARY_PATH=build / "lib", **more)
    done = subprocess.run([build / "examples/cache_tour", *arguments], env=env, capture_output=True, text=True, timeout=60)
    check(done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if not code else done.stderr


def check(condition, text):
    if not condition:
        print(text)
        sys.exit(1)


with tempfile.TemporaryDirectory() as home:
    cache = pathlib.Path(home) / "hub"
    check("Cache directory not found" in tour(cache, code=1), "a missing cache is not named")
    cache.mkdir()
    world.detached(cache)
    before = world.listing(cache)
    found = tour(cache)
    repos = {r["repo_type"] + "/" + r["repo_id"]: r for r in found["repos"]}
    check(set(repos) == {"model/org/detached", "dataset/all-detached", "model/gpt2", "model/org/name/more/-odd", "model/org/Empty",
                         "model/org/norevisions"}, f"other repos: {sorted(repos)}")
    one = {v["commit_hash"]: v for v in repos["model/org/detached"]["revisions"]}["1" * 40]
    check({f["path"]: f["size_on_disk"] for f in one["files"]} == {"a.txt": 3, "same.txt": 4, "d/e/f.txt": 4}, f"other files: {one}")
    check(one["size_on_disk"] == 11 and one["refs"] == [], f"another size: {one}")
    plan = tour(cache, "model/gpt2", "model/nobody/x")
    check(plan == {"repos": 1, "revisions": 1, "files": 0, "freed": 9, "missing": ["model/nobody/x"]}, f"another plan: {plan}")
    check(world.listing(cache) == before, "a dry run changed the cache")
    check(tour(cache, "hf://org/detached/same.txt", HF_CACHE_TOUR_DELETE=1)["files"] == 2, "not both pointers")
    check(not list(cache.glob("models--org--detached/snapshots/*/same.txt")), "a file is still there")
    tour(cache, "model/gpt2", HF_CACHE_TOUR_DELETE=1)
    check(not (cache / "models--gpt2").exists(), "the repo is still there")
    check((cache / "models--org--Empty").exists(), "another repo is gone")
