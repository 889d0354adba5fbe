"""Caches for the tests of the cache commands: filled by downloads from a local Hub, then bent into every shape that the scan
knows. make(folder) fills one; the same content may be copied with copy(), which keeps links and times.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess

A = "a" * 40


def copy(source, target):
    """A copy with links, modes and times; each test has its own."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def listing(folder):
    """What lies in a folder: kind, link target, content; without times."""
    rows = {}
    for path in sorted(folder.rglob("*")):
        rel = path.relative_to(folder).as_posix()
        if path.is_symlink():
            rows[rel] = "-> " + os.readlink(path)
        elif path.is_dir():
            rows[rel] = "dir"
        else:
            rows[rel] = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "special"
    return rows


def fill_hub(hub):
    """Several repos of every type; answers the commits by repo."""
    commits = {}
    commits["m1"] = hub.add_files("me/one", {"config.json": "{}\n", "w.bin": {"text": "0123456789", "repeat": 20000},
                                             "sub/deep/a.txt": "a\n"})
    commits["m2"] = hub.add_files("me/one", {"config.json": '{"v": 2}\n', "w.bin": {"text": "0123456789", "repeat": 20000},
                                             "sub/deep/b.txt": "b\n"})
    commits["n1"] = hub.add_files("me/two", {"config.json": "two\n", "x.txt": "same"})
    commits["d1"] = hub.add_files("me/data", {"train.csv": "a,b\n1,2\n", "big.bin": {"text": "z", "repeat": 1500000}},
                                  "--type", "dataset")
    commits["s1"] = hub.add_files("me/app", {"app.py": "print(1)\n"}, "--type", "space")
    commits["k1"] = hub.add_files("me/kern", {"build.toml": "[general]\n"}, "--type", "kernel")
    return commits


def blob(repo, name, content):
    (repo / "blobs").mkdir(parents=True, exist_ok=True)
    (repo / "blobs" / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def point(repo, commit, path, name):
    at = repo / "snapshots" / commit / path
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to("../" * (2 + path.count("/")) + "blobs/" + name)


def ref(repo, name, commit):
    at = repo / "refs" / name
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(commit)


def made_repo(cache, folder, revisions):
    """revisions: {commit: ({path: content}, [refs])}."""
    repo = cache / folder
    (repo / "snapshots").mkdir(parents=True, exist_ok=True)
    for commit, (files, refs) in revisions.items():
        (repo / "snapshots" / commit).mkdir(exist_ok=True)
        for path, content in files.items():
            name = hashlib.sha1(content.encode()).hexdigest()
            blob(repo, name, content)
            point(repo, commit, path, name)
        for name in refs:
            ref(repo, name, commit)
    return repo


def share(cache, xet, content, users, extra_lines=""):
    """An entry of the shared store, and blobs of repos that are links to it: users is [(folder, etag)]."""
    store = cache / "blobs"
    store.mkdir(exist_ok=True)
    (store / ".huggingface-shared-blobs").write_text("1\n")
    (store / xet[:2]).mkdir(exist_ok=True)
    (store / xet[:2] / xet).write_text(content)
    (store / xet[:2] / xet).chmod(0o444)
    (store / xet[:2] / (xet + ".lock")).touch()
    with open(store / xet[:2] / (xet + ".refs"), "a") as lines:
        for folder, etag in users:
            (cache / folder / "blobs").mkdir(parents=True, exist_ok=True)
            (cache / folder / "blobs" / etag).symlink_to(f"../../blobs/{xet[:2]}/{xet}")
            lines.write(f"{folder}/blobs/{etag}\n")
        lines.write(extra_lines)


def detached(cache):
    c1, c2, c3 = "1" * 40, "2" * 40, "3" * 40
    made_repo(cache, "models--org--detached", {
        c1: ({"a.txt": "one", "same.txt": "same", "d/e/f.txt": "deep"}, []),
        c2: ({"a.txt": "two", "same.txt": "same"}, ["main", "v1.0", "refs/pr/7"]), c3: ({"z.txt": "three" * 500}, [])})
    made_repo(cache, "datasets--all-detached", {c1: ({"t.txt": "gone"}, [])})
    made_repo(cache, "models--gpt2", {c2: ({"m.txt": "canonical"}, ["main"])})
    made_repo(cache, "models--org--name--more---odd", {c3: ({"m.txt": "odd name"}, ["main"])})
    made_repo(cache, "models--org--Empty", {c1: ({}, ["main"]), c2: ({}, [])})
    made_repo(cache, "models--org--norevisions", {})


def shared(cache):
    x1, x2, x3, x4 = ("%064x" % n for n in (0xAB, 0xCD << 240, 0xEF << 200, 0x99 << 248))
    e1, e2 = "e" * 64, "f" * 64
    c1, c2 = "4" * 40, "5" * 40
    for folder, names in (("models--sh--one", [e1]), ("models--sh--two", [e1, e2]), ("datasets--sh--three", [e2])):
        repo = made_repo(cache, folder, {c1: ({"own.txt": folder}, ["main"]), c2: ({}, [])})
        for i, name in enumerate(names):
            point(repo, c1, f"shared-{i}.bin", name)
        point(repo, c2, "first.bin", names[0])
    share(cache, x1, "shared one" * 1000, [("models--sh--one", e1), ("models--sh--two", e1)], "models--gone--x/blobs/abc\n../../etc\n")
    share(cache, x2, "shared two" * 300, [("models--sh--two", e2), ("datasets--sh--three", e2)])
    share(cache, x3, "nobody" * 77, [], "models--sh--one/blobs/" + "9" * 64 + "\n")
    share(cache, x4, "no manifest" * 10, [])
    (cache / "blobs" / x4[:2] / (x4 + ".refs")).unlink()


def incomplete(cache):
    repo = made_repo(cache, "models--org--cut", {"6" * 40: ({"a.txt": "cut"}, ["main"])})
    blob(repo, "abc.incomplete", "old")
    blob(repo, "d" * 40 + ".0a1b2c3d.incomplete", "x" * 1234)
    blob(cache / "models--only--cut", "e" * 40 + ".0a1b2c3d.incomplete", "y" * 99)
    (cache / "other/blobs").mkdir(parents=True)
    (cache / "other/blobs/z.incomplete").write_text("elsewhere")


BROKEN = ("file", "noname", "wrongtype", "nosnapshots", "snapshotfile", "brokenlink", "refsfile", "badref")


def broken(cache):
    """One repo per rule of the scan; each is left out with a warning."""
    c = "7" * 40
    (cache / "models--bad--file").write_text("a file")
    (cache / "nodashes").mkdir()
    (cache / "stuff--bad--type").mkdir()
    (cache / "models--bad--nosnapshots/refs").mkdir(parents=True)
    made_repo(cache, "models--bad--snapshotfile", {c: ({"a": "a"}, ["main"])})
    (cache / "models--bad--snapshotfile/snapshots/file.txt").write_text("x")
    made_repo(cache, "models--bad--brokenlink", {c: ({"a": "a", "sub/b": "b"}, ["main"])})
    shutil.rmtree(cache / "models--bad--brokenlink/blobs")
    (cache / "models--bad--refsfile/snapshots").mkdir(parents=True)
    (cache / "models--bad--refsfile/refs").write_text("x")
    ref(made_repo(cache, "models--bad--badref", {c: ({"a": "a"}, ["main"])}), "tag'd", "8" * 40)
    ref(made_repo(cache, "models--bad--newline", {c: ({"a": "a"}, [])}), "main", c + "\n")


def oddities(cache):
    """Proper repos with unusual insides."""
    c = "9" * 40
    repo = made_repo(cache, "models--odd--inside", {c: ({"a.txt": "a"}, ["main"])})
    (repo / ".DS_Store").write_text("x")
    (repo / "snapshots/.DS_Store").write_text("x")
    (repo / "refs/.DS_Store").write_text("x")
    (repo / "snapshots" / c / "real.txt").write_text("a file of its own" * 9)
    (repo / "snapshots" / c / "empty/folder").mkdir(parents=True)
    (repo / "snapshots" / c / "link-to-folder").symlink_to("empty")
    (repo / "snapshots" / c / "absolute.txt").symlink_to(repo / "blobs" / hashlib.sha1(b"a").hexdigest())
    (repo / ".no_exist" / c).mkdir(parents=True)
    (repo / ".no_exist" / c / "nope").touch()
    (repo / "trees").mkdir()
    (repo / "trees" / (c + ".json")).write_text("{}")
    blob(repo, "orphan", "nobody shows this")
    (cache / ".DS_Store").write_text("x")
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    (cache / ".locks/models--odd--inside").mkdir(parents=True)
    (cache / ".locks/models--odd--inside/orphan.lock").touch()
    copied = made_repo(cache, "models--odd--copies", {c: ({}, ["main"]), "b" * 40: ({}, [])})
    for commit in (c, "b" * 40):
        (copied / "snapshots" / commit / "plain.txt").write_text("no links here" * 5)
    (copied / "blobs").mkdir(exist_ok=True)


def made(cache):
    """Everything that needs no Hub."""
    cache.mkdir(parents=True, exist_ok=True)
    for fill in (detached, shared, incomplete, oddities):
        fill(cache)


def age(cache, now):
    """Old times, different ones, so that sorting and filters have something to do."""
    days = 0
    for path in sorted(cache.rglob("*")):
        if path.is_symlink():
            continue
        if path.is_dir():
            os.utime(path, (now - 3 * 86400, now - 4 * 86400))
            continue
        days = days * 5 % 97 + 1
        os.utime(path, (now - days * 3600 * 7, now - days * 86400 - 100))
