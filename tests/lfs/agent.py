#!/usr/bin/env python3
"""git lfs push through `hf lfs-multipart-upload`, and git lfs pull: every object there and back byte for byte.

agent.py --bin DIR. Also the agent by itself: what it answers to a wrong beginning, to a file that is not there, to the end.
"""
import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
bin_dir = parser.parse_args().bin.resolve()
TOKEN = "hf_lfs_canary_5d1c"


def expect(condition, text):
    if not condition:
        print(text)
        sys.exit(1)


def talk(lines, env):
    """One conversation: what the agent answered, and its exit code."""
    done = subprocess.run([bin_dir / "hf", "lfs-multipart-upload"], input="".join(json.dumps(line) + "\n" for line in lines),
                          env=env, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def alone(env):
    begin = {"event": "init", "operation": "upload", "remote": "origin", "concurrent": True, "concurrenttransfers": 8}
    answers, code = talk([{"event": "init", "operation": "download"}], env)
    expect(answers == [{"error": {"code": 32, "message": "Wrong lfs init operation"}}] and code == 1, f"a download: {answers} {code}")
    answers, code = talk([begin, {"event": "terminate"}], env)
    expect(answers == [{}] and code == 0, f"nothing to do: {answers} {code}")
    answers, code = talk([begin], env)
    expect(answers == [{}] and code == 0, f"git-lfs went away: {answers} {code}")
    oid = "0" * 64
    action = {"href": "http://127.0.0.1:9/complete", "header": {"chunk_size": "5", "1": "http://127.0.0.1:9/1", "2": "http://127.0.0.1:9/2"}}
    answers, code = talk([begin, {"event": "upload", "oid": oid, "size": 10, "path": "/nonexistent/file", "action": action},
                          {"event": "terminate"}], env)
    expect(answers[1] == {"event": "progress", "oid": oid, "bytesSoFar": 1, "bytesSinceLast": 0}, f"no first sign: {answers}")
    expect(answers[-1]["event"] == "complete" and answers[-1]["oid"] == oid and answers[-1]["error"]["message"] and code == 0,
           f"a missing file: {answers} {code}")


def git_lfs(hub, folder, env):
    env = {**env, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "PATH": f"{bin_dir}:{env['PATH']}"}

    def git(*words, cwd):
        done = subprocess.run(["git", *words], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        expect(done.returncode == 0, f"git {words}: {done.stdout[-2000:]}")

    hub.call("POST", "/api/repos/create", {"name": "git", "organization": "me", "type": "model"}, {"authorization": f"Bearer {TOKEN}"})
    bare, clone, other = folder / "bare", folder / "clone", folder / "other"
    git("init", "-q", "--bare", "-b", "main", bare, cwd=folder)
    for key, value in (("user.email", "a@b"), ("user.name", "a"), ("init.defaultBranch", "main"), ("lfs.locksverify", "false"),
                       ("lfs.url", hub.url.replace("//", f"//me:{TOKEN}@") + "/me/git.git/info/lfs")):
        git("config", "--global", key, value, cwd=folder)
    git("lfs", "install", "--skip-repo", cwd=folder)
    git("clone", "-q", bare, clone, cwd=folder)
    done = subprocess.run([bin_dir / "hf", "lfs-enable-largefiles", ".", "-q"], cwd=clone, env=env, capture_output=True, text=True)
    expect(done.returncode == 0 and done.stdout.strip() == str(clone), f"not enabled: {done}")
    git("lfs", "track", "*.bin", cwd=clone)
    files = {f"f{i}.bin": bytes([i]) * size for i, size in enumerate((1, 999999, 1000000, 1000001, 5300000))}
    for name, data in files.items():
        (clone / name).write_bytes(data)
    git("add", "-A", cwd=clone)
    git("commit", "-qm", "x", cwd=clone)
    hub.reset()
    git("push", "-q", "origin", "HEAD:main", cwd=clone)
    parts = [row for row in hub.log() if row["path"].startswith("/parts/")]
    expect(len(parts) == 1 + 1 + 1 + 2 + 6, f"{len(parts)} parts were sent: {[row['path'][:50] for row in parts]}")
    expect(all("authorization" not in row["headers"] for row in parts), "credentials went to the storage")
    git("clone", "-q", "-b", "main", bare, other, cwd=folder)
    for name, data in files.items():
        have = (other / name).read_bytes()
        expect(hashlib.sha256(have).digest() == hashlib.sha256(data).digest(), f"{name} came back different")
    git("lfs", "fsck", cwd=other)


with tempfile.TemporaryDirectory() as folder, Hub(bin_dir, extra=["--token", f"me:{TOKEN}:write", "--part-size", "1MB"]) as hub:
    folder = pathlib.Path(folder)
    env = clean_environment(folder, hub.url)
    alone(env)
    if not shutil.which("git-lfs"):
        print("SKIPPED: git-lfs is not installed")
        sys.exit(77)
    git_lfs(hub, folder, env)
