#!/usr/bin/env python3
"""What `hf cache rm` and `prune` must never remove: bytes outside the cache, another repo's, a running download's.

safe.py --bin build/bin; exit 1 and what went wrong.
"""
import argparse
import fcntl
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "case")]
from hub import clean_environment  # noqa: E402
import world  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
options = parser.parse_args()
hf = options.bin.resolve() / "hf"
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-cache-safe-"))
cache = work / "hub"
problems = []
A, B = "1" * 40, "2" * 40


def run(*arguments, code=0):
    env = clean_environment(work / "home", None, HF_HUB_CACHE=cache)
    done = subprocess.run([hf, "cache", *arguments], env=env, capture_output=True, text=True, timeout=60)
    expect(code is None or done.returncode == code, f"{arguments}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def expect(condition, text):
    if not condition:
        problems.append(text)


def fresh():
    shutil.rmtree(work, ignore_errors=True)
    cache.mkdir(parents=True)


def same_commit_in_two_repos():
    for target in ("model/a/one", "model/b/two", "dataset/a/one"):
        fresh()
        for folder in ("models--a--one", "models--b--two", "datasets--a--one"):
            world.made_repo(cache, folder, {A: ({"x.txt": folder}, ["main"])})
        run("rm", target, "-y")
        left = {p.name for p in cache.iterdir() if p.name != ".locks"}
        gone = target.split("/")[0] + "s--" + target.split("/", 1)[1].replace("/", "--")
        expect(left == {"models--a--one", "models--b--two", "datasets--a--one"} - {gone}, f"rm {target} left {left}")
    fresh()
    world.made_repo(cache, "models--a--one", {A: ({"x.txt": "1"}, ["main"])})
    world.made_repo(cache, "models--b--two", {A: ({"x.txt": "2"}, []), B: ({"x.txt": "3"}, ["main"])})
    run("prune", "-y")
    expect((cache / "models--a--one/snapshots" / A / "x.txt").exists(), "prune took the referenced twin of a detached revision")
    expect(not (cache / "models--b--two/snapshots" / A).exists(), "prune left the detached revision")
    done = json.loads(run("rm", A, "--dry-run", "--json").stdout)
    expect(done["revisions"] == 1, f"a commit of one repo: {done}")


def canary():
    fresh()
    outside = work / "outside"
    for name in ("deep/file.txt", "blob", "ref", "repo/snapshots/" + A + "/x.txt", "repo/blobs/b", "repo/refs/main", "locks/x.lock"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("canary " + name)
    (outside / "repo/refs/main").write_text(A)
    (outside / "ref").write_text(A)
    before = world.listing(outside)
    repo = world.made_repo(cache, "models--evil--one", {A: ({"x.txt": "x"}, ["main"]), B: ({"y.txt": "y"}, ["other"])})
    at = repo / "snapshots" / A
    (at / "file-out").symlink_to(outside / "blob")
    (at / "relative-out").symlink_to("../../../../outside/blob")
    (at / "folder-out").symlink_to(outside / "deep")
    (at / "parent").symlink_to("../../blobs/..")
    os.mkfifo(at / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(at)
    listener.bind("socket")
    os.chdir("/")
    (repo / "blobs/out").symlink_to(outside / "blob")
    world.point(repo, A, "via-blob", "out")
    (repo / "refs/linked").symlink_to(outside / "ref")
    (repo / "refs/folder").symlink_to(outside / "deep")
    (repo / "blobs/a-folder").mkdir()
    (repo / "blobs/a-folder/f").write_text("inside")
    (repo / "snapshots" / ("3" * 40)).symlink_to(outside / "deep")
    (repo / ".no_exist").symlink_to(outside)
    linked = cache / "models--linked--repo"
    linked.symlink_to(outside / "repo")
    half = world.made_repo(cache, "models--half--linked", {A: ({"x.txt": "x"}, ["main"])})
    shutil.move(str(half / "blobs"), str(outside / "moved-blobs"))
    (half / "blobs").symlink_to(outside / "moved-blobs")
    (cache / ".locks").mkdir()
    (cache / ".locks/models--evil--one").symlink_to(outside / "locks")
    (cache / "blobs").symlink_to(outside)
    before = world.listing(outside)
    copy = work / "copy"
    world.copy(cache, copy)
    for arguments in (["rm", A, "-y"], ["rm", "3" * 40, "-y"], ["rm", "hf://evil/one/file-out", "-y"], ["rm", "hf://evil/one/via-blob", "-y"],
                      ["rm", "hf://evil/one/deep/file.txt", "-y"], ["rm", "hf://linked/repo/x.txt", "-y"],
                      ["rm", "model/linked/repo", "-y"], ["rm", "model/half/linked", "-y"], ["rm", "model/evil/one", "-y"],
                      ["prune", "-y"]):
        shutil.rmtree(cache)
        world.copy(copy, cache)
        run(*arguments, code=None)
        after = world.listing(outside)
        expect(after == before, f"{arguments} changed what lies outside: {set(before.items()) ^ set(after.items())}")
        if arguments[1] == "model/evil/one":
            expect(not (cache / "models--evil--one").exists(), f"the repo itself stayed: {world.listing(cache)}")
        if arguments[1] == "model/linked/repo":
            expect(not linked.is_symlink(), "the link to a repo elsewhere stayed")
    listener.close()


def running_download():
    fresh()
    repo = world.made_repo(cache, "models--org--live", {A: ({"x.txt": "held", "y.txt": "free"}, ["main"]), B: ({}, ["other"])})
    held = world.hashlib.sha1(b"held").hexdigest()
    part = held + ".0a1b2c3d.incomplete"
    (repo / "blobs" / part).write_text("being written")
    locks = cache / ".locks/models--org--live"
    locks.mkdir(parents=True)
    with open(locks / (held + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = json.loads(run("prune", "-y", "--json").stdout or "null")
        expect(done is None, f"prune counts a file that is being written: {done}")
        expect((repo / "blobs" / part).exists(), "prune removed a file that is being written")
        run("rm", "hf://org/live/x.txt", "-y")
        expect((repo / "blobs" / held).exists(), "rm of a file removed a blob that is in use")
        run("rm", "model/org/live", "-y")
        expect((repo / "blobs" / held).exists() and (repo / "blobs" / part).exists(), "rm of a repo removed blobs that are in use")
        expect(not (repo / "snapshots" / A).exists(), "rm of a repo left a revision")
        free = world.hashlib.sha1(b"free").hexdigest()
        expect(not (repo / "blobs" / free).exists(), "rm of a repo left a blob that nobody uses")
    world.point(repo, A, "x.txt", held)
    run("rm", "model/org/live", "-y")
    expect(not repo.exists(), f"rm after the download left {world.listing(cache)}")


def what_others_show():
    fresh()
    repo = world.made_repo(cache, "models--org--many", {A: ({"x.txt": "same", "only.txt": "only"}, ["main"]),
                                                        B: ({"x.txt": "same"}, ["other"])})
    run("rm", A, "-y")
    expect((repo / "snapshots" / B / "x.txt").read_text() == "same", "a blob of another revision is gone")
    expect(not (repo / "blobs" / world.hashlib.sha1(b"only").hexdigest()).exists(), "a blob of the revision alone stayed")
    expect(not (repo / "refs/main").exists() and (repo / "refs/other").exists(), "refs are not those of what is left")


def our_partials():
    fresh()
    world.made_repo(cache, "models--org--part", {A: ({"x.txt": "x"}, ["main"])})
    part = cache / ".locks/models--org--part" / ("e" * 64 + ".libhf") / "p.kept"
    part.mkdir(parents=True)
    (part / "data").write_bytes(b"z" * 8192)
    expect("Found 1 incomplete download(s)" in run("ls").stderr, "our unfinished file is not mentioned")
    done = json.loads(run("prune", "-y", "--json").stdout)
    expect(done["incomplete_deleted"] == 1 and not part.exists(), f"our unfinished file stayed: {done} {world.listing(cache)}")


for test in (same_commit_in_two_repos, canary, running_download, what_others_show, our_partials):
    test()
shutil.rmtree(work, ignore_errors=True)
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
