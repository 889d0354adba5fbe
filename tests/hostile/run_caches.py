#!/usr/bin/env python3
"""Downloads into caches and folders that somebody else prepared; nothing outside may change, nothing may hang or be believed.

run_caches.py --bin DIR [--only NAME]. Each case plants something, then runs downloads online and offline. What lies outside
is compared before and after; whatever is answered as the file must have its content.
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from mock import COMMIT, CONTENT, Mock, differences, entry, environment, file, git_blob, info, picture, run, tree

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
parser.add_argument("--only")
parser.add_argument("--sample", type=int, default=0, help="so many cases, 0: all")
parser.add_argument("--seed", type=int, default=int(os.environ.get("HF_TEST_SEED") or int.from_bytes(os.urandom(4), "big")))
options = parser.parse_args()
options.bin = options.bin.resolve()
LARGE = bytes(range(256)) * 12288  # 3 MiB: kept over an interruption
SHA = hashlib.sha256(LARGE).hexdigest()
BLOB = git_blob(CONTENT)
WRONG = b"not what the Hub has" + b"." * (len(CONTENT) - 20)
REPO = "models--evil--repo"


def make(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)


def link(path, to):
    path.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(to, path)


def fifo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def device(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        link(path, "/dev/zero")


def listing(**files):
    return json.dumps({"format_version": 1, "files": {name: {"size": len(CONTENT), "blob_id": BLOB, "lfs_sha256": None, "lfs_size": None, "xet_hash": None, **more}
                                                      for name, more in files.items()}})


CASES = {}


def case(name):
    def add(plant):
        CASES[name] = plant
        return plant
    return add


# ---- links out of the tree, at every level -----------------------------------------------------------------------------
LEVELS = ["", ".locks", f".locks/{REPO}", REPO, f"{REPO}/blobs", f"{REPO}/refs", f"{REPO}/snapshots", f"{REPO}/snapshots/{COMMIT}", f"{REPO}/snapshots/{COMMIT}/d",
          f"{REPO}/trees", f"{REPO}/.no_exist", f".locks/{REPO}/.libhf", f".locks/{REPO}/{SHA}.libhf"]
FILES = [f"{REPO}/blobs/{BLOB}", f"{REPO}/blobs/{SHA}", f"{REPO}/refs/main", f"{REPO}/snapshots/{COMMIT}/f.txt", f"{REPO}/snapshots/{COMMIT}/d/large.bin",
         f"{REPO}/trees/{COMMIT}.json", f".locks/{REPO}/{BLOB}.lock", f".locks/{REPO}/{SHA}.lock", "CACHEDIR.TAG", f".locks/{REPO}/{SHA}.libhf/lease",
         f".locks/{REPO}/{SHA}.libhf/p.kept/data", f".locks/{REPO}/{SHA}.libhf/p.kept/note"]
for level in LEVELS:
    case(f"cache: folder {level or '(top)'} is a link")(lambda c, f, out, level=level: link(c / level if level else c, out / "folder"))
    if level:
        case(f"cache: folder {level} is a file")(lambda c, f, out, level=level: make(c / level, b"x"))
for name in FILES:
    case(f"cache: {name} is a link to a file")(lambda c, f, out, name=name: link(c / name, out / "canary"))
    case(f"cache: {name} is a link to nothing")(lambda c, f, out, name=name: link(c / name, out / "new"))
    case(f"cache: {name} is a relative link out")(lambda c, f, out, name=name: link(c / name, os.path.relpath(out / "canary", (c / name).parent)))
    case(f"cache: {name} is a link to itself")(lambda c, f, out, name=name: link(c / name, os.path.basename(name)))
    case(f"cache: {name} is a FIFO")(lambda c, f, out, name=name: fifo(c / name))
    case(f"cache: {name} is a device")(lambda c, f, out, name=name: device(c / name))
    case(f"cache: {name} is a folder")(lambda c, f, out, name=name: make(c / name / "inside", b"x"))

BOOK = ".cache/huggingface"
for level in ("", ".cache", BOOK, f"{BOOK}/download", f"{BOOK}/trees", f"{BOOK}/libhf", "d", f"{BOOK}/download/d"):
    case(f"folder: {level or '(top)'} is a link")(lambda c, f, out, level=level: link(f / level if level else f, out / "folder"))
for name in ("f.txt", "d/large.bin", f"{BOOK}/download/f.txt.metadata", f"{BOOK}/download/f.txt.lock", f"{BOOK}/trees/{COMMIT}.json", f"{BOOK}/.gitignore",
             f"{BOOK}/CACHEDIR.TAG", f"{BOOK}/libhf/{SHA}.libhf/p.kept/data", f"{BOOK}/libhf/{SHA}.lock"):
    case(f"folder: {name} is a link to a file")(lambda c, f, out, name=name: link(f / name, out / "canary"))
    case(f"folder: {name} is a link to nothing")(lambda c, f, out, name=name: link(f / name, out / "new"))
    case(f"folder: {name} is a FIFO")(lambda c, f, out, name=name: fifo(f / name))
    case(f"folder: {name} is a folder")(lambda c, f, out, name=name: make(f / name / "inside", b"x"))

# ---- refs and listings that lie ----------------------------------------------------------------------------------------
for text in ("../../../../out", "../" * 20 + "etc", "/etc", COMMIT + "/../..", COMMIT + "\n../..", "", "\0" * 40, "A" * 40, "x" * (1 << 20), COMMIT[:39] + "/"):
    case(f"ref: {text[:30]!r}")(lambda c, f, out, text=text: make(c / REPO / "refs/main", text))
for label, text in {"no JSON": "{", "deep": "[" * 1000000, "deep inside": '{"format_version":1,"files":{"f.txt":{"x":' + "[" * 500000, "wrong version": '{"format_version":99,"files":{}}',
                    "names climb": listing(**{"../../../out/new": {}}), "absolute": listing(**{"/tmp/new": {}}), "size": listing(**{"f.txt": {"size": -1}}),
                    "huge size": listing(**{"f.txt": {"size": 1 << 70}}), "blob climbs": listing(**{"f.txt": {"blob_id": "../../../out/canary"}}),
                    "sha climbs": listing(**{"f.txt": {"lfs_sha256": "../../../../out/canary", "lfs_size": 7}}), "large": " " * (65 << 20), "zeros": "\0" * 1000,
                    "twice": '{"format_version":1,"files":{"f.txt":{"size":1,"blob_id":"a"},"f.txt":{"size":1,"blob_id":"b"}}}'}.items():
    case(f"listing: {label}")(lambda c, f, out, text=text: (make(c / REPO / f"trees/{COMMIT}.json", text), make(c / REPO / "refs/main", COMMIT),
                                                            make(f / BOOK / f"trees/{COMMIT}.json", text)))

# ---- partials and notes that somebody wrote --------------------------------------------------------------------------------
for label, data, note in (("wrong bytes, no note", b"\1" * len(LARGE), None), ("wrong bytes, odd note", b"\1" * len(LARGE), b"HFJRNL1\n" + b"\0" * 5000),
                          ("longer", LARGE * 2, b""), ("short", LARGE[:1000000], b"\xff" * 100000), ("sparse and huge", None, b"x")):
    def plant(c, f, out, data=data, note=note):
        for base in (c / ".locks" / REPO, f / BOOK / "libhf"):
            part = base / f"{SHA}.libhf/p.kept"
            make(part / "data", data if data is not None else b"")
            if data is None:
                os.truncate(part / "data", 1 << 40)
            if note is not None:
                make(part / "note", note)
            make(base.parent.parent / REPO / "blobs" / f"{SHA}.incomplete" if base.name == REPO else part / "extra", b"x")
    case(f"partial: {label}")(plant)

# ---- content that is not the file's -----------------------------------------------------------------------------------------
@case("folder: a file of the right size, notes that vouch for it")
def vouched(c, f, out):
    make(f / "f.txt", WRONG)
    make(f / BOOK / "download/f.txt.metadata", f"{COMMIT}\n{'0' * 40}\n99999999999.0\n")


@case("folder: a file of the right size without notes")
def unvouched(c, f, out):
    make(f / "f.txt", WRONG)


for label, text in (("empty", ""), ("one line", "x"), ("huge", "a" * 10000000), ("zeros", "\0" * 100), ("no number", f"{COMMIT}\n{BLOB}\nnever\n"),
                    ("infinite", f"{COMMIT}\n{BLOB}\ninf\n"), ("long etag", f"{COMMIT}\n{'e' * 4000}\n9e99\n"), ("negative", f"{COMMIT}\n{BLOB}\n-1\n")):
    case(f"folder: metadata {label}")(lambda c, f, out, text=text: (make(f / "f.txt", WRONG), make(f / BOOK / "download/f.txt.metadata", text)))
case("cache: blob with a link to it that is not a hash")(lambda c, f, out: (make(c / REPO / "blobs/evil", WRONG), link(c / REPO / f"snapshots/{COMMIT}/f.txt", "../../blobs/evil"),
                                                                            make(c / REPO / "refs/main", COMMIT)))
case("cache: a deep tree of folders")(lambda c, f, out: (c / REPO / "refs" / "/".join(["d"] * 300)).mkdir(parents=True))
case("cache: many partials")(lambda c, f, out: [make(c / ".locks" / REPO / f"{SHA}.libhf/p.{i}/data", b"x") for i in range(500)])


# A cache is trusted as its own user's notes are (SECURITY.md): who may write blobs may change them. These plant exactly that.
def trusted(name):
    return name.startswith("cache: blob") or "vouch" in name


problems = []
chosen = list(CASES)
if options.sample and options.sample < len(chosen):
    chosen = random.Random(options.seed).sample(chosen, options.sample)
print(f"caches: {len(chosen)} of {len(CASES)} cases, seed {options.seed}")
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-caches-"))
with Mock() as server:
    server.set([(r"/api/models/evil/repo/revision/", info()),
                (r"/tree/", tree(entry(b'"f.txt"'), {"type": "file", "oid": "1" * 40, "size": len(LARGE), "path": "d/large.bin", "lfs": {"oid": SHA, "size": len(LARGE), "pointerSize": 130}})),
                (r"/resolve/.*large", lambda h: ranged(h)), (r"/resolve/", file())])

    def ranged(handler):
        answer = file(LARGE, ETag=f'"{SHA}"', X_Linked_Size=str(len(LARGE)))
        wanted = handler.headers.get("Range")
        if wanted:
            first, last = wanted.split("=")[1].split("-")
            first, last = int(first), min(int(last or len(LARGE) - 1), len(LARGE) - 1)
            answer.status, answer.body = 206, LARGE[first:last + 1]
            answer.headers.append(("Content-Range", f"bytes {first}-{last}/{len(LARGE)}"))
        return answer

    codes = {}
    for name in chosen:
        plant = CASES[name]
        if options.only and options.only not in name:
            continue
        top = work / "case"
        out, cache, folder, home = top / "out", top / "in/cache", top / "in/folder", top / "home"
        for made in (out / "folder", top / "in", home):
            made.mkdir(parents=True)
        make(out / "canary", b"canary\n")
        make(out / "folder/canary", b"canary\n")
        plant(cache, folder, out)
        before = picture(out)
        env = environment(home, server.url)
        runs = []
        for command in (["--cache-dir", cache], ["--cache-dir", cache, "--revision", "main"], ["--local-dir", folder]):
            runs.append((command, run([options.bin / "hf", "download", "evil/repo", *command], env, timeout=30)))
        runs.append((["offline", "--cache-dir", cache], run([options.bin / "hf", "download", "evil/repo", "f.txt", "--cache-dir", cache], {**env, "HF_HUB_OFFLINE": "1"}, timeout=30)))
        own_link = name in ("cache: folder (top) is a link", "folder: (top) is a link")  # the user named that folder
        for changed in [] if own_link else differences(before, picture(out)):
            problems.append(f"{name}: {changed!r} changed")
        for command, r in runs:
            codes[r.code] = codes.get(r.code, 0) + 1
            if r.timed_out:
                problems.append(f"{name}: {command[0]}: still running after 30 s")
            elif r.code not in (0, 1):
                problems.append(f"{name}: {command[0]}: exit {r.code}: {r.err[-200:]!r}")
            elif r.code == 1 and not r.err.strip():
                problems.append(f"{name}: {command[0]}: failed without a word")
            if r.rss > 200 << 20:
                problems.append(f"{name}: {command[0]}: {r.rss >> 20} MiB")
        online = {"cache": (runs[1][1], cache / REPO / "snapshots" / COMMIT), "folder": (runs[2][1], folder)}
        for what, (r, base) in online.items():
            if r.code or trusted(name):
                continue
            for path, content in ((base / "f.txt", CONTENT), (base / "d/large.bin", LARGE)):
                try:
                    have = path.read_bytes() if path.is_file() else b"(no file)"
                except OSError as e:
                    have = str(e).encode()
                if have != content:
                    problems.append(f"{name}: exit 0, and {what} {path.name} is {have[:40]!r}")
        subprocess.run(["rm", "-rf", top], check=True)
shutil.rmtree(work, ignore_errors=True)
for line in problems:
    print(line)
print(f"hostile.caches: {len(chosen)} cases, exit codes {codes}, {len(problems)} problems")
sys.exit(1 if problems else 0)
