#!/usr/bin/env python3
"""One interop check between libhf's client and Python's: same Hub, same cache, both directions.

run.py NAME --build DIR; NAME is a function below with dashes for underscores. Exit 77 where the reference is missing.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "case"), str(here)]
from hub import Hub, clean_environment  # noqa: E402
import reference  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("--build", type=pathlib.Path, required=True)
options = parser.parse_args()
build = options.build.resolve()
python = reference.need(build)
hf = build / "bin/hf"
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-interop-"))
problems = []

FILES = {
    "config.json": '{"model_type": "tiny"}\n', "README.md": "---\nlicense: mit\ntags:\n- a\n---\n# Tiny\n", ".gitattributes": "",
    "empty.txt": "", "sub/deep/er/file.txt": "deep\n", "sub/ünïcode näme.txt": "ü\n", "weights.bin": {"text": "0123456789", "size": 300000,
                                                                                                  "repeat": 30000},
    "same-1.txt": "same", "same-2.txt": "same", "with space.txt": "space",
}


def expect(condition, text):
    if not condition:
        problems.append(text)


def run(command, env, code=0, stdin=None):
    done = subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, timeout=240, input=stdin)
    if code is not None and done.returncode != code:
        raise SystemExit(f"{[str(c) for c in command]}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def py(code, env, **values):
    """Runs a snippet with the reference client; what it assigns to `result` comes back."""
    prelude = "import json, sys\nV = json.loads(sys.argv[1])\nresult = None\n"
    done = run([python, "-c", prelude + code + "\nprint('RESULT ' + json.dumps(result))", json.dumps(values)], env)
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("RESULT ")][-1][7:])


def tree(folder):
    """Everything in a folder that matters: kind, link target, size, mode; without locks and times."""
    rows = {}
    for path in sorted(folder.rglob("*")):
        rel = path.relative_to(folder).as_posix()
        if rel.startswith(".locks") or rel.endswith(".lock"):
            continue
        if path.is_symlink():
            rows[rel] = ["link", os.readlink(path)]
        elif path.is_dir():
            rows[rel] = ["dir", oct(path.stat().st_mode & 0o7777)]
        else:
            mode = oct(path.stat().st_mode & 0o7777)
            if "/trees/" in "/" + rel:
                mode = "*"  # the reference leaves 600 in shared caches, which is a defect that we fix
            rows[rel] = ["file", path.stat().st_size, mode]
    return rows


def fill(hub, repo="me/tiny", kind="model"):
    return hub.add_files(repo, FILES, "--type", kind, "--lfs", "*.bin")


def env_of(name, hub, **more):
    home = work / name
    home.mkdir(exist_ok=True)
    return clean_environment(home, hub.url, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", **more)


def cache_ours_to_python():
    """Python finds everything that we downloaded, and needs no request for it."""
    with Hub(build / "bin") as hub:
        commits = {kind: fill(hub, kind=kind) for kind in ("model", "dataset", "space")}
        env = env_of("home", hub)
        for kind, commit in commits.items():
            path = run([hf, "download", "me/tiny", "--type", kind, "-q"], env).stdout.strip()
            found = py("""
import huggingface_hub as h
result = {"cached": [h.try_to_load_from_cache("me/tiny", f, repo_type=V["kind"]) for f in V["files"]],
          "snapshot": h.snapshot_download("me/tiny", repo_type=V["kind"], local_files_only=True),
          "warnings": [str(w) for w in h.scan_cache_dir().warnings],
          "repos": [[r.repo_id, r.repo_type, r.nb_files, [x.commit_hash for x in r.revisions], sorted(r.refs)] for r in h.scan_cache_dir().repos]}
""", env, kind=kind, files=list(FILES))
            expect(all(isinstance(p, str) and os.path.exists(p) for p in found["cached"]), f"{kind}: not found: {found['cached']}")
            expect(found["snapshot"] == path, f"{kind}: {found['snapshot']} is not {path}")
            expect(not found["warnings"], f"scan_cache_dir warns: {found['warnings']}")
            distinct = len({os.path.realpath(p) for p in found["cached"]})
            expect(["me/tiny", kind, distinct, [commit], ["main"]] in found["repos"], f"{found['repos']}")
        hub.reset()
        py("import huggingface_hub as h\nresult = h.snapshot_download('me/tiny', revision=V['c'])", env, c=commits["model"])
        expect(hub.log() == [], f"Python still asked: {[r['path'] for r in hub.log()]}")


def cache_python_to_ours():
    """We find everything that Python downloaded: offline, without a request, the same path."""
    with Hub(build / "bin") as hub:
        commit = fill(hub)
        env = env_of("home", hub)
        path = py("import huggingface_hub as h\nresult = h.snapshot_download('me/tiny')", env)
        hub.reset()
        for arguments in (["me/tiny"], ["me/tiny", "--revision", commit]):
            done = run([hf, "download", *arguments, "-q"], dict(env, HF_HUB_OFFLINE="1"))
            expect(done.stdout.strip() == path, f"{arguments}: {done.stdout!r} is not {path!r}")
        one = run([hf, "download", "me/tiny", "sub/deep/er/file.txt", "--revision", commit, "-q"], env).stdout.strip()
        expect(one == path + "/sub/deep/er/file.txt", one)
        expect(hub.log() == [], f"requests: {[r['path'] for r in hub.log()]}")
        run([hf, "models", "info", "me/tiny", "-q"], env)  # the first command of a day also asks for the agents' registry
        hub.reset()
        run([hf, "download", "me/tiny", "-q"], env)
        expect(len(hub.log()) == 1, f"warm by branch: {[r['path'] for r in hub.log()]}")
        done = run([hf, "download", "me/tiny", "nope.txt", "-q"], dict(env, HF_HUB_OFFLINE="1"), code=1)
        expect("Local entry not found" in done.stderr, done.stderr)


def cache_same_layout():
    """After the same downloads both caches hold the same names, links, sizes and modes."""
    with Hub(build / "bin") as hub:
        fill(hub)
        fill(hub, "me/data", "dataset")
        ours, theirs = env_of("ours", hub), env_of("theirs", hub)
        for command in (["download", "me/tiny"], ["download", "me/tiny", "config.json"], ["download", "me/tiny", "nope.bin"],
                        ["download", "me/data", "--type", "dataset", "--include", "*.txt"],
                        ["download", "me/data", "weights.bin", "--type", "dataset"]):
            code = 1 if "nope.bin" in command else 0
            run([hf, *command], ours, code=code)
            run([python.parent / "hf", *command], theirs, code=code)
        a, b = tree(work / "ours/hf/hub"), tree(work / "theirs/hf/hub")
        for name in sorted(set(a) | set(b)):
            expect(a.get(name) == b.get(name), f"{name}: ours {a.get(name)}, theirs {b.get(name)}")
        for path in (work / "ours/hf/hub").rglob("trees/*.json"):
            other = work / "theirs/hf/hub" / path.relative_to(work / "ours/hf/hub")
            expect(other.exists() and path.read_bytes() == other.read_bytes(), f"{path.name}: tree listings differ")


def local_dir(first, second):
    with Hub(build / "bin") as hub:
        fill(hub)
        env = env_of("home", hub)
        folder = work / "folder"
        programs = {"ours": hf, "python": python.parent / "hf"}
        run([programs[first], "download", "me/tiny", "--local-dir", folder], env)
        for name, content in FILES.items():
            if isinstance(content, str):
                expect((folder / name).read_bytes() == content.encode(), f"{name} differs")
        before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts}
        hub.reset()
        run([programs[second], "download", "me/tiny", "--local-dir", folder], env)
        gets = [r["path"] for r in hub.log() if r["method"] == "GET" and "/resolve/" in r["path"]]
        expect(gets == [], f"{second} fetched again: {gets}")
        after = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts}
        expect(before == after, "files were rewritten")
        (folder / "config.json").write_text("changed by hand\n")
        os.utime(folder / "config.json", (time.time() + 60, time.time() + 60))
        run([programs[second], "download", "me/tiny", "--local-dir", folder], env)
        expect((folder / "config.json").read_text() == FILES["config.json"], "a changed file was not restored")
        metadata = (folder / ".cache/huggingface/download/config.json.metadata").read_text().split("\n")
        expect(len(metadata) == 4 and len(metadata[0]) == 40 and len(metadata[1]) == 40, f"metadata {metadata}")
        expect((folder / ".cache/huggingface/.gitignore").read_text() == "*", ".gitignore")


def local_dir_ours_to_python():
    """Python trusts the metadata that we wrote beside a local folder."""
    local_dir("ours", "python")


def local_dir_python_to_ours():
    """And the other way round."""
    local_dir("python", "ours")


def shared_store():
    """A blob that Python put into the shared store is linked, not fetched; what links to it stays readable for Python."""
    with Hub(build / "bin") as hub:
        fill(hub)
        env = env_of("home", hub)
        env.pop("HF_HUB_DISABLE_XET")
        xet_hash = "ab" + "0" * 62
        path = py("""
import huggingface_hub as h, os, inspect
from huggingface_hub.utils import _shared_blobs as s
p = h.hf_hub_download("me/tiny", "weights.bin")
result = {"path": p, "names": [n for n in dir(s) if not n.startswith("__")], "blob": os.path.realpath(p)}
""", env)
        expect(os.path.getsize(path["blob"]) == 300000, "size")
        hub_dir = pathlib.Path(env["HF_HOME"]) / "hub"
        store = hub_dir / "blobs"
        store.mkdir()
        (store / ".huggingface-shared-blobs").write_text("1\n")
        entry = store / "ab" / xet_hash
        entry.parent.mkdir()
        etag = pathlib.Path(path["blob"]).name
        shutil.move(path["blob"], entry)
        os.symlink(f"../../blobs/ab/{xet_hash}", hub_dir / f"models--me--tiny/blobs/{etag}")
        (entry.parent / (xet_hash + ".refs")).write_text(f"models--me--tiny/blobs/{etag}\n")
        hub.reset()
        again = run([hf, "download", "me/tiny", "weights.bin", "-q"], env).stdout.strip()
        expect(again == path["path"], again)
        gets = [r["path"] for r in hub.log() if r["method"] == "GET" and "resolve" in r["path"]]
        expect(gets == [], f"fetched again: {gets}")
        found = py("import huggingface_hub as h\nr = h.scan_cache_dir()\nresult = [[str(w) for w in r.warnings], r.size_on_disk]", env)
        expect(found[0] == [], f"{found}")


def offline_both():
    """Both clients say the same of an empty cache without network."""
    with Hub(build / "bin") as hub:
        fill(hub)
        env = env_of("home", hub, HF_HUB_OFFLINE="1")
        for arguments in (["me/tiny"], ["me/tiny", "config.json"]):
            ours = run([hf, "download", *arguments], env, code=None)
            theirs = run([python.parent / "hf", "download", *arguments], env, code=None)
            expect(ours.returncode == theirs.returncode, f"{arguments}: exit {ours.returncode}, Python's {theirs.returncode}")
            a, b = ours.stderr.splitlines()[:1], theirs.stderr.splitlines()[:1]
            expect(a == b, f"{arguments}: {a} is not {b}")


TOKENS = {"me": "hf_interop_token_0001", "zoë [x]": "hf_interop_token_0002"}


def auth_hub():
    return Hub(build / "bin", extra=[w for name, token in TOKENS.items() for w in ("--token", f"{name}:{token}")])


def token_files(env):
    folder = pathlib.Path(env["HF_HOME"])
    return {n: (folder / n).read_bytes() for n in ("token", "stored_tokens") if (folder / n).exists()}


def auth_both_ways():
    """Tokens that one signs in with, the other lists, switches to, adds to and removes: the files stay the same bytes."""
    clients = [hf, python.parent / "hf"]
    with auth_hub() as hub:
        seen = []
        for first, second in (clients, clients[::-1]):
            env = env_of(f"auth-{len(seen)}", hub)
            for client, name in ((first, "zoë [x]"), (second, "me")):
                run([client, "auth", "login", "--token", TOKENS[name]], env)
            states = [token_files(env)]
            expect(run([first, "auth", "list"], env).stdout == run([second, "auth", "list"], env).stdout, "the lists differ")
            run([first, "auth", "switch", "--token-name", "zoë [x]"], env)
            expect(run([second, "auth", "token"], env).stdout == TOKENS["zoë [x]"] + "\n", "the switch was not seen")
            states.append(token_files(env))
            run([second, "auth", "logout", "--token-name", "zoë [x]"], env)
            states.append(token_files(env))
            run([first, "auth", "logout"], env)
            expect(token_files(env) == {}, "something is left after logout")
            seen.append(states)
        expect(seen[0] == seen[1], f"{seen[0]} is not {seen[1]}")
        expect(seen[0][0]["token"].decode() == TOKENS["me"], "the last login is not the active one")


def auth_refresh():
    """A browser token that one client got is refreshed by the other; the refresh token is good once."""
    clients = [hf, python.parent / "hf"]
    with auth_hub() as hub:
        hub.call("POST", "/_devhub/oauth", {"automatic": "approve", "user": "me", "interval": 0, "token_seconds": 3600})
        for first, second in (clients, clients[::-1]):
            env = env_of(f"refresh-{first == hf}", hub)
            run([first, "auth", "login"], env)
            for client in (second, first, second):
                before = token_files(env)
                done = run([client, "auth", "whoami", "-q"], env)
                expect(done.stdout == "me\n" and "has been refreshed" in done.stderr, f"{client}: {done.stdout}{done.stderr}")
                after = token_files(env)
                expect(before["token"] != after["token"] and after["token"] in after["stored_tokens"], "the token is the old one")


def crowd():
    """Ten of ours and ten of Python's on one cold cache: all resolve, one blob, a clean scan."""
    with Hub(build / "bin") as hub:
        hub.add("me/crowd", "--generate", "files=1,size=20MiB,seed=9", "--lfs-threshold", "1")
        tree_json = json.loads(hub.call("GET", "/api/models/me/crowd/tree/main?recursive=true"))
        name = max(tree_json, key=lambda e: e.get("size", 0))["path"]
        for _ in range(2):
            env = env_of("home", hub)
            shutil.rmtree(env["HF_HOME"], ignore_errors=True)
            hub.reset()
            command = ["download", "me/crowd", name, "-q"]
            crowd = [subprocess.Popen([str(program), *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                     for _ in range(10) for program in (hf, python.parent / "hf")]
            outs = [p.communicate(timeout=200) + (p.returncode,) for p in crowd]
            expect(all(code == 0 for _, _, code in outs), f"{[e for _, e, c in outs if c][:2]}")
            expect(len({o.strip() for o, _, _ in outs}) == 1, f"{ {o for o, _, _ in outs} }")
            full = [r for r in hub.log() if r["method"] == "GET" and r["sent"] >= 20 << 20]
            expect(len(full) <= 2, f"{len(full)} whole downloads")
            found = py("import huggingface_hub as h\nr = h.scan_cache_dir()\nresult = [[str(w) for w in r.warnings], r.size_on_disk]", env)
            expect(found == [[], 20 << 20], f"{found}")


SCAN = """
import huggingface_hub as h
i = h.scan_cache_dir()
result = {"total": i.size_on_disk, "warnings": sorted(map(str, i.warnings)), "incomplete": len(i.incomplete_files),
          "repos": {r.cache_id: [r.size_on_disk, r.nb_files, {v.commit_hash: [v.size_on_disk, sorted(v.refs),
                    sorted(str(f.file_path.relative_to(v.snapshot_path)) for f in v.files)] for v in r.revisions}]
                    for r in i.repos}}
"""


def cache_delete():
    """Python's scan before and after our deletions: what we say we removed is what it no longer sees, and nothing else."""
    with Hub(build / "bin") as hub:
        first = fill(hub)
        hub.add_files("me/tiny", {"config.json": '{"v": 2}\n', "same-1.txt": "same"})
        hub.add_files("me/other", {"x.txt": "other"}, "--type", "dataset")
        env = env_of("delete", hub)
        run([hf, "download", "me/tiny", "--revision", first], env)
        run([hf, "download", "me/tiny"], env)
        py("import huggingface_hub as h\nh.snapshot_download('me/other', repo_type='dataset')", env)
        before = py(SCAN, env)
        mine = json.loads(run([hf, "cache", "list", "--revisions", "--json"], env).stdout)
        expect({(r["id"], r["revision"]) for r in mine} == {(i, v) for i, r in before["repos"].items() for v in r[2]}, f"{mine}")
        expect(not before["warnings"], f"warnings before: {before['warnings']}")
        run([hf, "cache", "rm", "hf://me/tiny/same-1.txt", "-y"], env)
        after = py(SCAN, env)
        for commit, (_, refs, files) in before["repos"]["model/me/tiny"][2].items():
            want = [commit, refs, [f for f in files if f != "same-1.txt"]]
            got = after["repos"]["model/me/tiny"][2].get(commit, [0, 0, 0])
            expect([commit, *got[1:]] == want, f"after one file: {got} instead of {want}")
        run([hf, "cache", "prune", "-y"], env)
        after = py(SCAN, env)
        expect(first not in after["repos"]["model/me/tiny"][2] and not after["warnings"], f"after prune: {after}")
        blobs = {p.name for p in (pathlib.Path(env["HF_HOME"]) / "hub/models--me--tiny/blobs").iterdir()}
        expect(len(blobs) == after["repos"]["model/me/tiny"][1], f"blobs left that nothing shows: {blobs}")
        run([hf, "cache", "rm", "model/me/tiny", "-y"], env)
        after = py(SCAN, env)
        expect(set(after["repos"]) == {"dataset/me/other"} and not after["warnings"], f"after rm: {after}")
        expect(after["repos"]["dataset/me/other"] == before["repos"]["dataset/me/other"], "another repo changed")
        run([hf, "download", "me/tiny"], env)
        expect("model/me/tiny" in py(SCAN, env)["repos"], "a download after rm is not seen")


def cache_verify():
    """What is spoilt is found by both, repaired by us, and right for Python afterwards."""
    with Hub(build / "bin") as hub:
        fill(hub)
        env = env_of("verify", hub)
        py("import huggingface_hub as h\nh.snapshot_download('me/tiny')", env)
        blob = max((pathlib.Path(env["HF_HOME"]) / "hub/models--me--tiny/blobs").iterdir(), key=lambda p: p.stat().st_size)
        good = blob.read_bytes()
        blob.write_bytes(b"spoilt" + good[6:])
        check = "import huggingface_hub as h\nresult = [m['path'] for m in h.HfApi().verify_repo_checksums('me/tiny').mismatches]"
        expect(py(check, env) == ["weights.bin"], "the reference does not see the damage")
        expect(run([hf, "cache", "verify", "me/tiny"], env, code=1).stdout.count("  - ") == 1, "we see other damage")
        hub.reset()
        done = json.loads(run([hf, "cache", "verify", "me/tiny", "--repair", "--json"], env).stdout)
        expect(done["repaired"] == 1, f"{done}")
        sent = [r["path"] for r in hub.log() if "/resolve/" in r["path"]]
        expect(sent and all("weights.bin" in p for p in sent), f"more than what is bad was fetched: {sent}")
        expect(py(check, env) == [], "still damaged for the reference")


def write_files(folder):
    for name, content in {**FILES, "big.bin": {"text": "abcdefg", "repeat": 900000}}.items():
        path = folder / name
        if name == ".gitattributes":  # the Hub writes lines of its own into it
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = (content["text"] * content["repeat"])[: content.get("size")]
        path.write_text(content)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and ".cache/" not in path.relative_to(folder).as_posix()}


def writable_hub():
    return Hub(build / "bin", extra=["--token", "me:hf_interop:write", "--part-size", "2MiB"])


def python_writes():
    """Python's own functions that write work against hf-devhub, with Xet and without; what they wrote arrives here."""
    hub = Hub(build / "bin", extra=["--token", "me:hf_writer:write", "--token", "ro:hf_reader:read", "--part-size", "1MiB", "--lfs-threshold", "1MB"])
    with hub:
        for name, off in (("lfs", "1"), ("xet", "0")):
            (work / name).mkdir()
            env = clean_environment(work / name, hub.url, HF_TOKEN="hf_writer", HF_HUB_DISABLE_XET=off, HF_HUB_DISABLE_PROGRESS_BARS="1")
            done = run([python, here / "operations.py", work / name, name], env)
            expect(done.stdout.endswith("all right\n"), f"{name}: {done.stdout}{done.stderr[-1500:]}")
            run([hf, "download", f"me/{name}d", "--repo-type", "dataset", "--local-dir", work / name / "ours"], env)
            expect((work / name / "ours/l2.bin").read_bytes() == (work / name / "folder/l.bin").read_bytes(), f"{name}: other bytes")


def upload_both_ways():
    """What one client uploads, the other downloads byte for byte; the other finds it unchanged."""
    source = work / "source"
    write_files(source)
    time.sleep(0.2)
    with writable_hub() as hub:
        env = {"HF_TOKEN": "hf_interop", "HF_HUB_DISABLE_XET": "1"}
        ours, theirs = clean_environment(work / "a", hub.url, **env), clean_environment(work / "b", hub.url, **env)
        run([hf, "upload", "me/ours", source, ".", "-q"], ours)
        run([python.parent / "hf", "upload", "me/theirs", source, ".", "-q"], theirs)
        for repo, client, environment in (("me/ours", python.parent / "hf", theirs), ("me/theirs", hf, ours)):
            target = work / repo.replace("/", "-")
            run([client, "download", repo, "--local-dir", target, "-q"], environment)
            have, want = contents(target), contents(source)
            have.pop(".gitattributes", None)
            expect(have == want, f"{repo}: {sorted(set(have) ^ set(want)) or 'contents differ'}")
        hub.reset()
        for client, repo, environment in ((hf, "me/theirs", ours), (python.parent / "hf", "me/ours", theirs)):
            run([client, "upload", repo, source, ".", "-q"], environment)
        commits = [row["path"] for row in hub.log() if "/commit/" in row["path"]]
        expect(not commits, f"something was committed again: {commits}")
        trees = [json.loads(hub.call("GET", f"/api/models/{repo}/tree/main?recursive=true", headers={"authorization": "Bearer hf_interop"}))
                 for repo in ("me/ours", "me/theirs")]
        same = [{e["path"]: (e["oid"], e.get("lfs", {}).get("oid")) for e in tree if e["type"] == "file"} for tree in trees]
        expect(same[0] == same[1], "the two repos hold different objects")


def commits_both_ways():
    """Python's create_commit, branches and pull requests and ours, on one repo."""
    with writable_hub() as hub:
        env = {"HF_TOKEN": "hf_interop", "HF_HUB_DISABLE_XET": "1"}
        ours, theirs = clean_environment(work / "a", hub.url, **env), clean_environment(work / "b", hub.url, **env)
        first = py("""
from huggingface_hub import HfApi, CommitOperationAdd
api = HfApi()
api.create_repo("me/c")
info = api.create_commit("me/c", [CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("b/big.bin", b"B" * 5000000)], commit_message="one")
api.create_branch("me/c", branch="dev")
result = info.oid
""", theirs)
        (work / "new.txt").write_text("new")
        run([hf, "upload", "me/c", work / "new.txt", "new.txt", "--revision", "dev", "-q"], ours)
        run([hf, "cp", "hf://me/c/b/big.bin", "hf://me/c@dev/copied.bin", "-q"], ours)
        run([hf, "upload", "me/c", work / "new.txt", "pr.txt", "--create-pr", "-q"], ours)
        seen = py("""
from huggingface_hub import HfApi
api = HfApi()
files = lambda revision: sorted(api.list_repo_files("me/c", revision=revision))
big = api.hf_hub_download("me/c", "copied.bin", revision="dev")
result = {"main": files("main"), "dev": files("dev"), "pr": files("refs/pr/1"), "big": len(open(big, "rb").read()),
          "titles": [c.title for c in api.list_repo_commits("me/c")], "pulls": [d.num for d in api.get_repo_discussions("me/c")]}
""", theirs)
        expect({"a.txt", "b/big.bin"} <= set(seen["main"]) and "new.txt" not in seen["main"], f"main is {seen['main']}")
        expect({"a.txt", "b/big.bin", "new.txt", "copied.bin"} <= set(seen["dev"]), f"dev is {seen['dev']}")
        expect("pr.txt" in seen["pr"] and "pr.txt" not in seen["main"], f"the pull request is {seen['pr']}")
        expect(seen["big"] == 5000000 and seen["titles"][0] == "one" and seen["pulls"] == [1], f"seen {seen}")
        run([hf, "repos", "delete-files", "me/c", "*.bin", "--revision", "dev", "-q"], ours)
        left = py("from huggingface_hub import HfApi\nresult = HfApi().list_repo_files('me/c', revision='dev')", theirs)
        expect(not [name for name in left if name.endswith(".bin")] and len(first) == 40, f"left on dev: {left}")


try:
    globals()[options.name.replace("-", "_")]()
finally:
    shutil.rmtree(work, ignore_errors=True)
for line in problems:
    print(line)
print(f"interop.{options.name}: {'FAILED' if problems else 'ok'}")
sys.exit(1 if problems else 0)
