"""A small world around one command: a local Hub, a home that can be set back in a moment, and what must hold afterwards.

The checks know nothing of the client but its layout on disk: every visible file has the content that the Hub lists for it,
what a ref or a listing names is there, nothing lies outside the target, nothing is left over. Used by fault, power, oom,
disk, net and crowd.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

SCENARIOS = pathlib.Path(__file__).resolve().parent / "scenarios"
UPLOADS = SCENARIOS.with_name("uploads")  # outbound.py
JOURNAL_HEAD, JOURNAL_RECORD = 128, 24
LEFT_OVER = re.compile(r"(\.incomplete|\.libhf|\.tmp|\.old|\.shared)$|^(tmp_|gone\.|lease\.|p\.)")
CRASH = re.compile(r"AddressSanitizer|runtime error:|ThreadSanitizer|Assertion|stack smashing|double free|corrupted (size|double|unsorted)|malloc\(\)|free\(\)|Traceback")


def load(name):
    path = pathlib.Path(name)
    if path.suffix != ".json":
        path = next((d / f"{name}.json" for d in (SCENARIOS, UPLOADS) if (d / f"{name}.json").exists()), path)
    return dict(json.loads(path.read_text()), name=path.stem)


def hash_of(path, want):
    """The hash of a file in the kind that `want` is: SHA-256 for 64 digits, git's for 40."""
    content = path.read_bytes()
    if len(want) == 40:
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


class Outcome:
    def __init__(self, code, out, err, hang=False):
        self.code, self.out, self.err, self.hang = code, out, err, hang

    @property
    def crashed(self):
        return self.code < 0 or 128 < self.code <= 159 or CRASH.search(self.err) is not None


class World:
    """One Hub and one home for one scenario."""

    def __init__(self, scenario, bin_dir, hub_options=(), root=None):
        self.scenario, self.bin = scenario, pathlib.Path(bin_dir).resolve()
        self.work = pathlib.Path(root or tempfile.mkdtemp(prefix=f"hf-{scenario['name']}-"))
        self.hub = Hub(self.bin, extra=hub_options)
        self.home, self.pristine, self.temp = self.work / "home", self.work / "pristine", self.work / "temp"
        self.expect = scenario["expect"]
        self.trees = {}
        self.temp.mkdir(exist_ok=True)
        self.home.mkdir()
        try:
            self.fill(scenario.get("hub", []))
            for step in scenario.get("before", []):
                if "add" in step:
                    self.fill([step])
                    continue
                for name, text in step.get("write", {}).items():
                    path = self.home / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
                if "run" in step:
                    self.hub.faults(step.get("faults", []))
                    done = self.run(step["run"], step.get("env", {}))
                    if done.code != step.get("exit", 0):
                        raise RuntimeError(f"preparing {scenario['name']}: exit {done.code}\n{done.out}{done.err}")
                    self.hub.reset()
            self.before = self.links()
        except BaseException:
            self.close()
            raise
        self.home.rename(self.pristine)

    def fill(self, entries):
        for entry in entries:
            more = entry.get("options", [])
            if "files" in entry:
                commit = self.hub.add_files(entry["add"], entry["files"], *more)
            else:
                commit = self.hub.add(entry["add"], "--generate", entry["generate"], *more)
            kind = more[more.index("--type") + 1] if "--type" in more else "model"
            rows = json.loads(self.hub.call("GET", f"/api/{kind}s/{entry['add']}/tree/{commit}?recursive=true"))
            self.trees[commit] = {row["path"]: (row["size"], row["lfs"]["oid"] if row.get("lfs") else row["oid"], row["oid"])
                                  for row in rows if row["type"] == "file"}
            self.latest = commit

    def restore(self, home=None):
        shutil.rmtree(home or self.home, ignore_errors=True)
        shutil.copytree(self.pristine, home or self.home, symlinks=True)

    def environment(self, more=None):
        env = clean_environment(self.home, self.hub.url, TMPDIR=str(self.temp), HF_TEST_BACKOFF_MS="2", HF_HUB_DISABLE_PROGRESS_BARS="1")
        env.pop("XDG_CACHE_HOME")
        for key, value in {**self.scenario.get("env", {}), **(more or {})}.items():
            env[key] = value.replace("${HUB}", self.hub.url).replace("${HOME}", str(self.home))
        return env

    def command(self, words):
        words = [w.replace("${HOME}", str(self.home)) for w in words]
        return [str(self.bin / words[0]), *words[1:]] if words[0] == "hf" else words

    def run(self, words, more=None, front=(), timeout=60, preexec=None):
        """Runs a command to its end; `front` is what stands before it, such as strace."""
        process = subprocess.Popen([*front, *self.command(words)], env=self.environment(more), cwd=self.work, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=preexec)
        try:
            out, err = process.communicate(timeout=timeout)
            hang = False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # its own group: the command and what it started
            out, err = process.communicate()
            hang = True
        return Outcome(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), hang)

    # ---- what the disk says

    @property
    def hf_home(self):
        return self.home / "hf"

    def repo_folders(self):
        cache = self.hf_home / "hub"
        return [p for p in cache.glob("*--*") if p.is_dir()] if cache.is_dir() else []

    def links(self):
        """Every file that a snapshot or a local folder shows: path below home -> hash of its content."""
        found = {}
        for top in [*(f / "snapshots" for f in self.repo_folders()), self.home / "folder"]:
            for path in sorted(top.rglob("*")) if top.is_dir() else []:
                if ".cache" not in path.parts and path.is_file():
                    found[path.relative_to(self.home).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def check_visible(self):
        """What nobody may ever see: wrong bytes under a name, a ref or a listing of what is not there."""
        bad = []
        for folder in self.repo_folders():
            for blob in sorted((folder / "blobs").glob("*")) if (folder / "blobs").is_dir() else []:
                if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name) and hash_of(blob, blob.name) != blob.name:
                    bad.append(f"blob {blob.name[:12]} has other content ({blob.stat().st_size} bytes)")
            for top in sorted((folder / "snapshots").glob("*")) if (folder / "snapshots").is_dir() else []:
                tree = self.trees.get(top.name)
                if tree is None:
                    bad.append(f"a snapshot of a commit that the Hub does not have: {top.name}")
                    continue
                for path in sorted(top.rglob("*")):
                    name = path.relative_to(top).as_posix()
                    if path.is_dir() and not path.is_symlink():
                        continue
                    if name not in tree:
                        bad.append(f"a snapshot shows {name}, which is not in the commit")
                    elif not path.is_file():
                        bad.append(f"{name} is shown without its bytes")
                    elif hash_of(path, tree[name][1]) != tree[name][1]:
                        bad.append(f"{name} is shown with wrong bytes")
            for ref in sorted((folder / "refs").rglob("*")) if (folder / "refs").is_dir() else []:
                if ref.is_dir():
                    continue
                text = ref.read_text(errors="replace")
                if text not in self.trees:
                    bad.append(f"ref {ref.name} holds {text[:50]!r}")
                elif self.expect.get("whole"):
                    bad += [f"ref {ref.name} names a commit without {name}" for name in self.trees[text]
                            if not (folder / "snapshots" / text / name).is_file()]
            for listing in sorted((folder / "trees").glob("*.json")) if (folder / "trees").is_dir() else []:
                try:
                    names = json.loads(listing.read_text())["files"]
                except (ValueError, KeyError):
                    bad.append(f"listing {listing.name} is no JSON")
                    continue
                if set(names) != set(self.trees.get(listing.stem, {})):
                    bad.append(f"listing {listing.name} is not the commit's")
        top = self.home / "folder"
        for path in sorted(top.rglob("*")) if top.is_dir() else []:
            name = path.relative_to(top).as_posix()
            if not path.is_file() or name.startswith(".cache"):
                continue
            have = hashlib.sha256(path.read_bytes()).hexdigest()
            ok = any(name in tree and hash_of(path, tree[name][1]) == tree[name][1] for tree in self.trees.values())
            if not ok and self.before.get(f"folder/{name}") != have:
                bad.append(f"folder/{name} has wrong bytes")
        return bad

    def check_outside(self):
        allowed = {"hf", "folder", *(p.name for p in self.pristine.iterdir())} if self.pristine.exists() else {"hf", "folder"}
        bad = [f"{p} lies outside the target" for p in self.home.iterdir() if p.name not in allowed]
        bad += [f"{p} was left in the folder for temporary files" for p in self.temp.iterdir()]
        for p in self.temp.iterdir():
            shutil.rmtree(p) if p.is_dir() else p.unlink()
        return bad

    def check_success(self, outcome):
        """Exit 0 is a promise: every file of the command is there, and its path was printed."""
        if "gone" in self.expect: # what could not be looked at is told of, and is not the command's to remove
            return [] if re.search(r" cannot be read: |a download is using it", outcome.err) else self.check_deletion()
        bad = self.check_commit(self.latest)
        # Without a connection the snapshot that is there is the answer, as with the reference client; it is named.
        if bad and self.expect.get("fallback") and self.expect["where"] == "folder":
            bad = bad if "Returning existing local_dir" not in outcome.err else self.check_visible()
        for older in self.trees if bad and self.expect.get("fallback") else []:
            if older in outcome.out and not self.check_commit(older):
                bad = []
        if self.expect.get("prints", True) and not outcome.out.strip():
            bad.append("exit 0 without saying where")
        return bad

    def check_deletion(self):
        """What was to be deleted is gone, and nothing else: paths below the cache, globs."""
        cache = self.hf_home / "hub"
        bad = [f"exit 0, and {path.relative_to(cache)} is still there" for glob in self.expect["gone"] for path in cache.glob(glob)]
        return bad + [f"exit 0, and {glob} is gone too" for glob in self.expect.get("kept", []) if not any(cache.glob(glob))]

    def check_commit(self, commit):
        bad = []
        for name, (size, digest, _) in self.trees[commit].items():
            if "files" in self.expect and name not in self.expect["files"]:
                continue
            if self.expect["where"] == "folder":
                path = self.home / "folder" / name
            else:
                found = [f / "snapshots" / commit / name for f in self.repo_folders()]
                path = found[0] if found else self.home / "missing"
            if not path.is_file():
                bad.append(f"exit 0 without {name}")
            elif hash_of(path, digest) != digest:
                bad.append(f"exit 0 with wrong bytes in {name}")
        return bad

    def check_failure(self, outcome, message=True):
        if outcome.hang:
            return ["still running after the time limit"]
        if outcome.crashed:
            return [f"crashed: exit {outcome.code}: {outcome.err[-300:]!r}"]
        if outcome.code and message and not outcome.err.strip():
            return [f"exit {outcome.code} without a message"]
        return []

    def check_tidy(self):
        bad = []
        for path in self.hf_home.rglob("*"):
            if LEFT_OVER.search(path.name) and "snapshots" not in path.parts:
                bad.append(f"left over: {path.relative_to(self.home)}")
        book = self.home / "folder/.cache/huggingface"
        if book.is_dir():
            bad += [f"left over: {p.relative_to(self.home)}" for p in book.rglob("*") if LEFT_OVER.search(p.name)]
        return bad

    def owned_bytes(self):
        """Content that is safe on disk: hash -> bytes of it that need not be fetched again."""
        owned = {}
        for folder in self.repo_folders():
            for blob in (folder / "blobs").glob("*") if (folder / "blobs").is_dir() else []:
                if blob.is_file():
                    owned[blob.name] = blob.stat().st_size
        for note in [*self.hf_home.rglob("note"), *(self.home / "folder/.cache").rglob("note")]:
            if note.parent.name.startswith("p.") and note.parent.parent.name.endswith(".libhf"):
                data, blocks = note.read_bytes(), {}
                for at in range(JOURNAL_HEAD, len(data) - JOURNAL_RECORD + 1, JOURNAL_RECORD):
                    block, length = struct.unpack_from("<II", data, at)
                    blocks[block] = length
                key = note.parent.parent.name[: -len(".libhf")]
                if note.parent.name == "p.kept" or not (note.parent.parent / "p.kept").exists():  # that one is continued
                    owned[key] = max(owned.get(key, 0), sum(blocks.values()))
        return owned

    def content_sent(self, who=""):
        """Bytes of file content that the Hub has sent to `who` since the last reset: a dead process's requests may come in late."""
        return sum(row.get("sent", 0) for row in self.hub.log() if who in (row.get("user_agent") or "")
                   and row["method"] == "GET" and row.get("status") in (200, 206)
                   and (row["origin"] == "cdn" or "/resolve" in row["path"]))

    def fetch_limit(self):
        """How much the next run may fetch, given what lies on the disk now."""
        owned = self.owned_bytes()
        tree = self.trees[self.latest]
        named = {d: s for n, (s, d, _) in tree.items() if "files" not in self.expect or n in self.expect["files"]}
        if self.expect["where"] == "folder":
            for name, (size, digest, _) in tree.items():
                path = self.home / "folder" / name
                if path.is_file() and hash_of(path, digest) == digest:
                    owned[digest] = size
        return sum(size - min(size, owned.get(digest, 0)) for digest, size in named.items())

    def check_again(self, limited=True):
        """The same command without fault: it succeeds, fetches at most what was not there, and cleans up."""
        limit = 0 if "gone" in self.expect else self.fetch_limit()
        self.hub.reset()
        again = self.run(self.scenario["run"], {"HF_HUB_USER_AGENT_ORIGIN": "second-run"})
        if again.code:
            return [f"the second run failed: exit {again.code}: {again.err[-400:]!r}"]
        bad = self.check_visible() + self.check_success(again) + self.check_tidy() + self.check_outside()
        sent = self.content_sent("origin/second-run")
        if limited and sent > limit:
            bad.append(f"the second run fetched {sent} bytes, {limit} were missing")
        return ["second run: " + text for text in bad]

    def close(self, keep=False):
        self.hub.close()
        if not keep:
            shutil.rmtree(self.work, ignore_errors=True)
