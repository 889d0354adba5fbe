#!/usr/bin/env python3
"""Runs `hf cache ...` of the reference client and ours on equal caches and compares what they print, how they end and what they
leave on disk.

compare.py --bin build/bin [--reference /path/to/hf] [--only WORD] [--every N --seed S] [--show]; HF_REFERENCE names the reference's hf too.
Exit 1: differences, 77: the reference is not there. --every N --seed S compare a part. json, quiet and agent output must be equal byte for byte, human output
but for colours.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "case")]
from hub import Hub, clean_environment  # noqa: E402
import world  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
parser.add_argument("--reference", default=os.environ.get("HF_REFERENCE"))
parser.add_argument("--only", default="")
parser.add_argument("--every", type=int, default=1, help="only every Nth line, starting where --seed says")
parser.add_argument("--seed", type=int, default=int(os.environ.get("HF_TEST_SEED") or time.time()))
parser.add_argument("--show", action="store_true")
options = parser.parse_args()
options.bin = options.bin.resolve()
if not options.reference:
    options.reference = str(options.bin.parent / "reference/bin/hf")
python = pathlib.Path(options.reference).parent / "python"
if not shutil.which(options.reference) or not python.exists():
    print("SKIPPED: no reference client (HF_REFERENCE or --reference names its hf)")
    sys.exit(77)

MODES = ("human", "agent", "json", "quiet")
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-cache-compare-"))
C = {n: str(n) * 40 for n in range(1, 10)}
E64, F64 = "e" * 64, "f" * 64

LISTS = [
    "", "--revisions", "--show-warnings", "--limit 2", "--limit 0", "--limit 1 --revisions", "--limit -1", "--sort size",
    "--sort size:asc", "--sort name", "--sort name:desc", "--sort accessed", "--sort accessed:asc", "--sort modified",
    "--sort modified:asc", "--sort size --revisions", "--sort modified:asc --revisions", "--sort name:desc --revisions",
    "--sort accessed --revisions --limit 3", "--filter size>1k", "--filter size>=1KB", "--filter size<5", "--filter size=0",
    "--filter size!=0", "--filter type=model", "--filter TYPE=Dataset", "--filter type=model --filter size<100",
    "--filter refs=main", "--filter refs=MAIN --revisions", "--filter refs=refs/pr/7 --revisions", "--filter accessed>1d",
    "--filter modified<2mo", "--filter modified>1y", "--filter accessed<=10h --revisions", "--filter modified>30",
    "-f size>1k -f refs=main", "--filter 'size > 1k'", "--filter ' size>1_000 '", "--filter size>-1", "--filter size>x",
    "--filter size>1zb", "--filter size>=", "--filter size>", "--filter size==5", "--filter size", "--filter foo=1",
    "--filter =1", "--filter type!=model", "--filter refs>main", "--filter modified>1q", "--filter accessed=", "--filter ''",
    "--filter size=>5", "--sort nope", "--limit x", "--revisions --no-revisions", "ls-extra",
]
DELETES = [
    "model/org/detached", "MODEL/ORG/Detached", C[1], C[2], C[3].upper(), f"{C[1]} {C[3]}", "model/gpt2 dataset/all-detached",
    f"model/gpt2 {C[1]}", "gpt2", "model/nobody/x", f"model/gpt2 model/nobody/x {'0' * 40}", "model/org/Empty", "model/org/norevisions",
    "model/org/name/more/-odd", "hf://models/org/detached", "hf://org/detached", "hf://org/detached/", "hf://org/detached/a.txt",
    "hf://org/detached/same.txt", "hf://org/detached/d/e/f.txt", "hf://org/detached/d", "hf://org/detached/nope.txt",
    "hf://org/detached/a.txt hf://org/detached/same.txt hf://org/detached/a.txt", "hf://org/detached/a.txt model/gpt2",
    "hf://nobody/x/a.txt", "hf://org/detached@main", "hf://org/detached@main/a.txt", "hf://buckets/a/b", "hf://", "hf://gpt2",
    "hf://datasets/sh/three/shared-0.bin", "hf://sh/one/shared-0.bin", "hf://sh/two/shared-1.bin hf://datasets/sh/three/shared-0.bin",
    "model/sh/one", "model/sh/one model/sh/two", "model/sh/two dataset/sh/three", "model/sh/one model/sh/two dataset/sh/three",
    "model/odd/inside", "model/odd/copies", "b" * 40, "hf://odd/inside/real.txt", "hf://odd/copies/plain.txt",
    "hf://odd/inside/absolute.txt", "model/org/cut", "model/only/cut", "''", "' model/gpt2 '",
]


class Reference:
    def __init__(self, env):
        self.process = subprocess.Popen([str(python), str(here / "forked.py")], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def run(self, argv, cwd, stdin):
        self.process.stdin.write(json.dumps({"argv": argv, "cwd": str(cwd), "stdin": stdin}) + "\n")
        self.process.stdin.flush()
        row = json.loads(self.process.stdout.readline())
        return row["code"], row["out"], row["err"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ours(argv, cwd, stdin, env):
    done = subprocess.run([str(options.bin / "hf"), *argv], cwd=cwd, env=env, input=stdin.encode(), capture_output=True, timeout=120)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def words(line):
    import shlex
    return shlex.split(line)


def normal(text, folder, mode):
    text = text.replace(str(folder), "{cache}")
    text = re.sub(r"Must be one of \[([^\]]*)\]", lambda m: "Must be one of " + str(sorted(m[1].split(", "))), text)
    text = re.sub(r"Usage: hf cache (?:ls|list)", "Usage: hf cache list", text)
    text = re.sub(r"Try 'hf cache (?:ls|list)", "Try 'hf cache list", text)
    text = re.sub(r"(\n\nAvailable (?:options|commands) for '[^']*':\n)(?:  .*\n)+", r"\1  ...\n", text)
    text = re.sub(r"^Warning: Found \d+ incomplete.*", "", text)
    text = re.sub(r"Traceback \(most recent call last\):\n(?:.*\n)*", "Traceback\n", text)
    if mode == "human":
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return text


differences = lines = asked = 0


def judge(name, mode, theirs, mine, left_theirs=None, left_mine=None):
    global differences, lines
    lines += 1
    parts = [(what, a, b) for what, a, b in (("exit code", theirs[0], mine[0]), ("stdout", theirs[1], mine[1]),
                                             ("stderr", theirs[2], mine[2])) if a != b]
    if left_theirs is not None and left_theirs != left_mine:
        gone = {k: v for k, v in left_theirs.items() if left_mine.get(k) != v}
        more = {k: v for k, v in left_mine.items() if left_theirs.get(k) != v}
        parts.append(("files left", f"only the reference's: {gone}", f"only ours: {more}"))
    if parts:
        differences += 1
        print(f"--- {name} [{mode}]")
        for what, a, b in parts:
            print(f"  {what}\n    reference: {a!r}\n    ours:      {b!r}")
    elif options.show:
        print(f"=== {name} [{mode}]\n{mine[1]}{mine[2]}")


def build(fill, folder, now):
    if folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    fill(folder)
    if folder.is_dir():
        world.age(folder, now)


def both(reference, env, name, fill, argv, modes=MODES, stdin="", reads_only=False):
    global asked
    asked += 1
    if options.only not in name or (asked + options.seed) % options.every:
        return
    now = time.time()
    for mode in modes:
        left, answers = [], []
        for who in ("reference", "ours"):
            folder = work / who / "hub"
            if not reads_only or not folder.exists() or both.last is not fill:
                build(fill, folder, now)
            command = ["cache", *argv, "--cache-dir", str(folder), "--format", mode]
            done = reference.run(command, work, stdin) if who == "reference" else ours(command, work, stdin, env)
            answers.append((done[0], normal(done[1], folder, mode), normal(done[2], folder, mode)))
            if not reads_only:
                there = world.listing(folder) if folder.is_dir() else {}
                # bytes that nothing shows go with a prune, here; the reference leaves them for ever
                left.append({k: v.replace(str(folder), "{cache}") for k, v in there.items() if argv[0] != "prune" or not k.endswith("/blobs/orphan")})
        both.last = fill if reads_only else None
        judge(name, mode, *answers, *(left or [None, None]))


both.last = None


def everything(folder):
    world.made(folder)
    world.broken(folder)


def one_commit_each(folder):
    """The same as made(), with commits that are of one repo only: which repo a doubled one means is not the reference's to say."""
    world.made(folder)
    for repo in folder.iterdir():
        if "--" not in repo.name or not (repo / "snapshots").is_dir():
            continue
        for commit in list((repo / "snapshots").iterdir()):
            if not commit.is_dir() or repo.name == "models--org--detached":
                continue
            other = world.hashlib.sha1((repo.name + commit.name).encode()).hexdigest()
            if commit.name == "b" * 40:
                other = commit.name
            commit.rename(commit.with_name(other))
            for ref in (repo / "refs").rglob("*") if (repo / "refs").is_dir() else ():
                if ref.is_file() and ref.read_text() == commit.name:
                    ref.write_text(other)


def local(reference, env):
    for line in LISTS:
        for name, fill in (("made", world.made), ("everything", everything)):
            if name == "everything" and line not in ("", "--revisions", "--show-warnings"):
                continue
            modes = MODES if "Invalid" not in line else ("human", "json")
            both(reference, env, f"list {line} ({name})", fill, ["ls", *words(line)], modes, reads_only=True)
    for rule in ("badref", "brokenlink"):
        both(reference, env, f"rm among broken ({rule})", everything, ["rm", f"model/bad/{rule}", "-y"])
    for line in DELETES:
        both(reference, env, f"rm {line} --dry-run", one_commit_each, ["rm", *words(line), "--dry-run"], reads_only=True)
    for line in DELETES:
        if line not in ("model/org/norevisions", "model/only/cut"): # folders without revisions go, which the reference leaves for ever
            both(reference, env, f"rm {line} -y", one_commit_each, ["rm", *words(line), "-y"], ("json", "human"))
    for stdin in ("", "n\n", "y\n", "YES\n", "maybe\ny\n"):
        both(reference, env, f"rm model/gpt2 < {stdin!r}", one_commit_each, ["rm", "model/gpt2"], stdin=stdin)
        both(reference, env, f"prune < {stdin!r}", one_commit_each, ["prune"], stdin=stdin)
    for fill in (one_commit_each, everything, world.incomplete, lambda f: f.mkdir(parents=True)):
        both(reference, env, f"prune --dry-run {fill.__name__}", fill, ["prune", "--dry-run"], reads_only=True)
        if fill is not everything:
            both(reference, env, f"prune -y {fill.__name__}", fill, ["prune", "-y"])
    both.last = None
    for argv in (["ls"], ["rm", "x"], ["prune"]):
        both(reference, env, f"no cache: {argv}", lambda f: None, argv)
        both(reference, env, f"a file: {argv}", lambda f: (f.parent.mkdir(parents=True, exist_ok=True), f.write_text("x")), argv)


def spoil(repo, *names):
    for name in names:
        for at in (repo / "snapshots").glob("*/" + name):
            blob = at.resolve()
            blob.chmod(0o644)
            blob.write_bytes(b"spoilt" + blob.read_bytes()[6:])


def verify(reference, env, hub, commits, source):
    def as_is(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        world.copy(source, folder)

    def spoilt(folder):
        as_is(folder)
        spoil(folder / "models--me--one", "w.bin", "config.json")

    def more_and_less(folder):
        as_is(folder)
        for at in (folder / "models--me--one/snapshots").iterdir():
            (at / "extra.txt").write_text("x")
            (at / "config.json").unlink()
            (at / ".git").mkdir()
            (at / ".git/HEAD").write_text("x")

    lines = ["me/one", "models/me/one", f"me/one --revision {commits['m1']}", "me/one --revision main", "me/one --revision nope",
             "me/one --fail-on-missing-files", "me/one --fail-on-extra-files", "me/one --fail-on-missing-files --fail-on-extra-files",
             "me/data --type dataset", "datasets/me/data", "me/app --repo-type space", "me/kern --type kernel", "me/nobody",
             f"me/one --revision {'0' * 40}", "me/two"]
    for name, fill in (("as is", as_is), ("spoilt", spoilt), ("more and less", more_and_less)):
        for line in lines:
            if fill is not as_is and "me/one" not in line:
                continue
            both(reference, env, f"verify {line} ({name})", fill, ["verify", *words(line)], reads_only=True)
    both.last = None
    both(reference, env, "verify both places", as_is, ["verify", "me/one", "--local-dir", "x"])


def main():
    hub = Hub(options.bin)
    try:
        env = clean_environment(work / "home", hub.url, HF_HUB_DISABLE_XET="1", HF_HUB_OFFLINE="0")
        (work / "home").mkdir(parents=True)
        commits = world.fill_hub(hub)
        for repo, kind, revisions in (("me/one", "model", [commits["m1"], "main"]), ("me/two", "model", ["main"]),
                                      ("me/data", "dataset", ["main"]), ("me/app", "space", ["main"]), ("me/kern", "kernel", ["main"])):
            for revision in revisions:
                subprocess.run([str(options.bin / "hf"), "download", repo, "--type", kind, "--revision", revision, "--cache-dir",
                                str(work / "source/hub"), "-q"], env=env, check=True, capture_output=True, timeout=120)

        def downloaded(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            world.copy(work / "source/hub", folder)

        reference = Reference(env)
        local(reference, env)
        for line in ("", "--revisions", "--sort size", "--show-warnings"):
            both(reference, env, f"list {line} (downloaded)", downloaded, ["ls", *words(line)], reads_only=True)
        for line in ("model/me/one", commits["m1"], commits["m2"], "dataset/me/data space/me/app kernel/me/kern",
                     "hf://me/one/w.bin", "hf://kernels/me/kern/build.toml"):
            both(reference, env, f"rm {line} (downloaded)", downloaded, ["rm", line.split()[0], *line.split()[1:], "-y"], ("json",))
        both(reference, env, "prune (downloaded)", downloaded, ["prune", "-y"])
        verify(reference, env, hub, commits, work / "source/hub")
        reference.close()
    finally:
        hub.close()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{lines} lines compared, {differences} differ")
    return 1 if differences else 0


sys.exit(main())
