"""The world of an upload: a Hub on disk that can be set back like the home, and what must hold on it afterwards.

A commit names only what the Hub can give, and is whole or not there; whoever runs the command again gets it, once, and after a
kill sends at most one part of each file again that the Hub had. Secrets are in no file. Used by the fault runner.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.parse

from world import LEFT_OVER, Hub, World

TOKEN = "hf_canary_of_uploads"
REPO = "me/u"
PART = re.compile(r"/parts/([^/]+)/(\d+)")


def free_ports(n):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in taken]
    for s in taken:
        s.close()
    return ports


class Outbound(World):
    def __init__(self, scenario, bin_dir, root=None):
        self.scenario, self.bin = scenario, pathlib.Path(bin_dir).resolve()
        memory = pathlib.Path("/dev/shm")
        self.work = pathlib.Path(root or tempfile.mkdtemp(prefix=f"hf-{scenario['name']}-", dir=memory if os.access(memory, os.W_OK) else None))
        self.home, self.pristine, self.temp = self.work / "home", self.work / "pristine", self.work / "temp"
        self.data, self.pristine_data, self.source = self.work / "data", self.work / "pristine-data", self.work / "source"
        self.expect, self.hub = scenario["expect"], None
        self.ports = free_ports(2)
        self.home.mkdir()
        self.temp.mkdir()
        self.files = {}
        for name, content in scenario["source"].items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((content["text"].encode() * content.get("repeat", 1))[: content.get("size")])
            self.files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        time.sleep(0.1)  # younger files are not remembered
        try:
            self.start()
            for repo, files in scenario.get("hub", {}).items():
                self.hub.add_files(repo, files)
            for step in scenario.get("before", []):
                self.hub.faults(step.get("faults", []))
                done = self.run(step["run"], step.get("env", {}))
                if done.code != step.get("exit", 0):
                    raise RuntimeError(f"preparing {scenario['name']}: exit {done.code}\n{done.out}{done.err}")
                self.hub.reset()
            self.had = self.tree()
            self.commits_before = len(self.commits())
        except BaseException:
            self.close()
            raise
        self.stop()
        self.home.rename(self.pristine)
        self.data.rename(self.pristine_data)

    # ---- the Hub

    def start(self):
        options = ["--token", f"me:{TOKEN}:write", "--port", str(self.ports[0]), "--cdn-port", str(self.ports[1])]
        self.hub = Hub(self.bin, data=self.data, extra=options + self.scenario.get("hub_options", []))

    def stop(self):
        if self.hub:
            self.hub.close()
        self.hub = None

    def restore(self, home=None):
        super().restore(home)
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.pristine_data, self.data)
        self.start()
        self.hub.faults(self.scenario.get("faults", []))
        self.killed = False

    def environment(self, more=None):
        env = super().environment({"HF_TOKEN": TOKEN, **self.scenario.get("env", {}), **(more or {})})
        return env

    def command(self, words):
        return super().command([w.replace("${SOURCE}", str(self.source)) for w in words])

    def ask(self, path):
        return self.hub.call("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})

    def tree(self):
        try:
            rows = json.loads(self.ask(f"/api/models/{REPO}/tree/main?recursive=true"))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {}
            raise
        return {r["path"]: (r["lfs"]["oid"] if r.get("lfs") else r["oid"]) for r in rows if r["type"] == "file"}

    def commits(self):
        try:
            return json.loads(self.ask(f"/api/models/{REPO}/commits/main"))
        except urllib.error.HTTPError:
            return []

    def parts(self):
        """Which parts the Hub took in whole, by upload and number."""
        return {PART.search(r["path"]).groups() for r in self.hub.log()
                if r["method"] == "PUT" and r["status"] == 200 and PART.search(r["path"])}

    # ---- what must hold

    def wanted(self):
        prefix = self.expect.get("below", "")
        return {prefix + n: h for n, h in self.files.items() if n not in self.expect.get("without", [])}

    def check_visible(self):
        """The branch is as it was, or has all of it; with "split", some whole files of it. Every byte can be had."""
        bad, tree = [], self.tree()
        new = {n for n in tree if tree[n] != self.had.get(n)} - {".gitattributes"}
        wanted = self.wanted()
        for name in sorted(new):
            if name not in wanted:
                bad.append(f"the commit has {name}, which was not uploaded")
                continue
            try:
                content = self.ask(f"/{REPO}/resolve/main/{urllib.parse.quote(name)}")
            except (urllib.error.URLError, ConnectionError, OSError) as error:
                bad.append(f"the commit names {name}, which the Hub cannot give: {error}")
                continue
            if hashlib.sha256(content).hexdigest() != wanted[name]:
                bad.append(f"the commit has other bytes as {name}")
        missing = set(wanted) - set(tree)
        if new and missing and not self.expect.get("split"):
            bad.append(f"half a commit: without {sorted(missing)[:3]}")
        gone = [n for n in self.expect.get("deleted", []) if n in tree]
        if new and gone and not self.expect.get("split"):
            bad.append(f"half a commit: {gone[:3]} should be deleted")
        made = len(self.commits()) - self.commits_before
        most = self.expect.get("commits", 1) + (0 if self.had else 1)  # a new repo begins with one
        if made > most:
            bad.append(f"{made} commits where {most} are enough")
        return bad + self.check_secrets()

    def check_success(self, outcome):
        tree = self.tree()
        missing = set(self.wanted()) - set(tree)
        return ([f"exit 0 without {sorted(missing)[:3]}"] if missing else []) + self.check_visible()

    def check_secrets(self):
        bad = []
        for path in [p for p in self.home.rglob("*") if p.is_file()] + [p for p in self.temp.rglob("*") if p.is_file()]:
            content = path.read_bytes()
            if TOKEN.encode() in content:
                bad.append(f"the token is in {path.relative_to(self.work)}")
            if b"Signature=" in content and path.stat().st_mode & 0o77:
                bad.append(f"{path.relative_to(self.work)} has signed addresses and may be read by others")
        return bad

    def check_tidy(self):
        upload = self.hf_home / ".upload"
        return [f"left over: {p.relative_to(self.home)}" for p in upload.rglob("*") if p.is_file() and (p.parent.name == "parts" or LEFT_OVER.search(p.name)
                                                                                                  or p.suffix == ".new")] if upload.is_dir() else []

    def check_again(self, limited=True):
        first = self.parts()
        self.hub.reset()
        again = self.run(self.scenario["run"])
        if again.code:
            return [f"the second run failed: exit {again.code}: {again.err[-400:]!r}"]
        bad = self.check_success(again) + self.check_tidy() + self.check_outside()
        second, most = self.parts(), self.expect.get("parts", 0) + self.expect.get("large", 1)
        if self.killed and first and len(first) + len(second) > most:
            bad.append(f"{len(first)} parts were there, and {len(second)} were sent again or for the first time: at most {most} in all")
        return ["second run: " + text for text in bad]

    def close(self, keep=False):
        self.stop()
        if not keep:
            shutil.rmtree(self.work, ignore_errors=True)
