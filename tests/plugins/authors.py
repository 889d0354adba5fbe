#!/usr/bin/env python3
"""Does what a plugin author does, with what is installed and nothing else.

authors.py BUILD: installs into a scratch prefix, lets `hf plugin new` begin one plugin of each kind there, builds them with
make, with CMake and with the guide's one line, and uses them through --plugin-path, also to download with them.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub  # noqa: E402

build = pathlib.Path(sys.argv[1]).resolve()
problems = []


def run(*command, cwd=None, want=0):
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, env=environment)
    if done.returncode != want:
        problems.append(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout[-600:]}{done.stderr[-600:]}")
    return done.stdout


with tempfile.TemporaryDirectory(prefix="hf-authors-") as scratch:
    scratch = pathlib.Path(scratch)
    prefix = scratch / "prefix"
    environment = {**os.environ, "HOME": str(scratch), "HF_HOME": str(scratch / "home"), "NO_COLOR": "1",
                   "PATH": f"{prefix}/bin:{os.environ['PATH']}"}
    run("cmake", "--install", build, "--prefix", prefix)
    pkgconfig = next(prefix.rglob("libhf.pc")).parent
    environment["PKG_CONFIG_PATH"] = str(pkgconfig)
    everything = scratch / "all"
    everything.mkdir()

    for kind in ("storage", "transfer", "provider", "tasks"):
        name = f"my-{kind}"
        made = json.loads(run("hf", "plugin", "new", kind, name, "--json", cwd=scratch))
        folder = scratch / made["path"]
        if "example" in "".join(p.read_text().lower().replace("examples", "") for p in folder.iterdir()):
            problems.append(f"{name}: the template's own name is left in it")
        run("make", "-s", cwd=folder)
        shutil.copy(folder / f"hf-{name}.so", everything)
        run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=folder)
        run("cmake", "--build", "build", cwd=folder)
        if not (folder / "build" / f"hf-{name}.so").is_file():
            problems.append(f"{name}: CMake built no hf-{name}.so")
        run("sh", "-c", f"cc -std=c17 -O2 -Wall -Wextra -Werror $(pkg-config --cflags libhf) -shared -fPIC "
                        f"-fvisibility=hidden {name}.c -o by-hand.so", cwd=folder)
        only = ("--only", "abi/") if kind in ("storage", "transfer") else ()
        run("hf-plugin-check", *only, folder / f"hf-{name}.so")
        run("hf", "plugin", "new", kind, name, cwd=scratch, want=1)  # nothing is overwritten

    listed = json.loads(run("hf", "--plugin-path", everything, "plugin", "list", "--json"))
    mine = {(row["kind"], row["name"]) for row in listed if row["file"] and row["file"].startswith(str(everything))}
    if mine != {(k, f"my-{k}") for k in ("storage", "transfer", "provider", "tasks")}:
        problems.append(f"listed: {mine}")
    said = json.loads(run("hf", "--plugin-path", everything, "my-tasks", "greet", "world", "--times", "2", "--json"))
    if said != [{"round": 1, "greeting": "hello", "who": "world"}, {"round": 2, "greeting": "hello", "who": "world"}]:
        problems.append(f"greet: {said}")
    info = json.loads(run("hf", "--plugin-path", everything, "plugin", "info", "my-storage", "--json"))
    if info["modules"][0]["threads"] != "any" or info["modules"][0]["config"][0]["name"] != "root":
        problems.append(f"info: {info}")
    verdicts = json.loads(run("hf", "plugin", "check", scratch / "hf-my-provider/hf-my-provider.so", "--json"))
    if not verdicts or {v["rule"] for v in verdicts if v["result"] != "ok"} != {"provider/jobs-are-watched"}:
        problems.append(f"check: {verdicts}")
    if (prefix / "bin/hf-devhub").exists():
        with Hub(prefix / "bin") as hub:
            commit = hub.add_files("me/tiny", {"config.json": "{}\n", "sub/big.bin": {"text": "0123456", "repeat": 428572, "size": 3000000}})
            environment.update(HF_ENDPOINT=hub.url, NO_PROXY="127.0.0.1")
            get = ("hf", "--plugin-path", everything, "--store", f"my-storage:{scratch}/kept", "--transfer", "my-transfer",
                   "download", "me/tiny", "--revision", commit, "-q")
            run(*get)
            sizes = sorted(p.stat().st_size for p in (scratch / "kept").rglob("*") if p.is_file())
            if sizes != [3, 3000000]:
                problems.append(f"the store holds files of {sizes} bytes")
            hub.reset()
            run(*get)
            if again := [r["path"] for r in hub.log() if "/resolve/" in r["path"]]:
                problems.append(f"a backend without adopt: fetched again what it has: {again}")
    run("hf", "plugin", "check", build / "tests/plugins/bad-export/hf-bad-export.so", want=1)
    run("hf", "plugin", "info", "nobody", want=1)
    run("hf", "plugin", "new", "storage", "Not/Legal", want=2, cwd=scratch)
    run("hf", "plugin", "new", "nonsense", "x", want=2, cwd=scratch)
for problem in problems:
    print(problem)
sys.exit(bool(problems))
