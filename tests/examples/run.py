#!/usr/bin/env python3
"""Runs examples/hub_tour against hf-devhub and checks what it prints and leaves on disk.

run.py --build DIR; exit 1 and the difference when something is wrong.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--build", type=pathlib.Path, required=True)
options = parser.parse_args()
build = options.build.resolve()
FILES = {"config.json": '{"a": 1}\n', "sub/notes.txt": "one\ntwo\n", "model.safetensors": {"text": "w", "repeat": 200000}}


def tour(hub, home, *arguments):
    environment = clean_environment(pathlib.Path(home), hub.url, HF_HOME=home, LD_LIBRARY_PATH=build / "lib")
    return subprocess.run([build / "examples/hub_tour", *arguments], env=environment, capture_output=True, text=True, timeout=60)


def check(condition, what, done):
    if not condition:
        print(f"{what}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
        sys.exit(1)


with tempfile.TemporaryDirectory() as home:
    hub = Hub(build / "bin")
    try:
        commit = hub.add_files("me/tour", FILES)
        done = tour(hub, home, "me/tour", "config.json")
        lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        snapshot = pathlib.Path(home) / "hub/models--me--tour/snapshots" / commit
        check(done.returncode == 0, "the tour failed", done)
        check(lines.get("repo") == f"me/tour commit {commit}", "another repo or commit", done)
        check({e["path"] for e in json.loads(lines["tree"])} >= set(FILES) | {"sub"}, "the tree lacks something", done)
        check(lines.get("file") == str(snapshot / "config.json"), "the file is elsewhere", done)
        check(lines.get("snapshot") == str(snapshot), "the snapshot is elsewhere", done)
        check(lines.get("range") == '4 a": ', "another range", done)
        check((snapshot / "config.json").read_text() == FILES["config.json"], "config.json differs", done)
        check((snapshot / "model.safetensors").stat().st_size == 200000, "model.safetensors differs", done)
        done = tour(hub, home, "me/nobody", "config.json")
        check(done.returncode == 1 and "Model 'me/nobody' not found." in done.stderr, "an unknown repo is not named", done)
        check("hf repos create me/nobody" in done.stderr, "no way out is named", done)
    finally:
        hub.close()
