#!/usr/bin/env python3
"""Runs one scenario: fills a local Hub, runs commands, checks exit codes, output, requests and files.

run.py SCENARIO.json --bin DIR. The format is described in tests/case/README.md.
"""
import argparse
import fnmatch
import glob
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("scenario", type=pathlib.Path)
parser.add_argument("--bin", type=pathlib.Path, required=True)
parser.add_argument("--keep", action="store_true")
options = parser.parse_args()
scenario = json.loads(options.scenario.read_text())
problems = []
variables = {}


def fill(value):
    """Replaces ${NAME} in every string of a JSON value."""
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda m: str(variables.get(m.group(1), m.group(0))), value)
    if isinstance(value, list):
        return [fill(v) for v in value]
    if isinstance(value, dict):
        return {fill(k): fill(v) for k, v in value.items()}
    return value


def problem(step, text):
    problems.append(f"step {step}: {text}")


def subset(want, have, path="$"):
    """Is every member of `want` in `have`? Answers the first difference, or None."""
    if isinstance(want, dict) and isinstance(have, dict):
        for key, value in want.items():
            if key not in have:
                return f"{path}.{key} is missing"
            found = subset(value, have[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(want, list) and isinstance(have, list):
        if len(want) != len(have):
            return f"{path} has {len(have)} elements, expected {len(want)}"
        for i, (a, b) in enumerate(zip(want, have)):
            found = subset(a, b, f"{path}[{i}]")
            if found:
                return found
        return None
    if isinstance(want, str) and want.startswith("re:"):
        return None if re.fullmatch(want[3:], str(have), re.S) else f"{path} is {have!r}, expected {want!r}"
    return None if want == have else f"{path} is {have!r}, expected {want!r}"


def check_text(number, name, step, text):
    if name in step and fill(step[name]) != text:
        problem(number, f"{name} is {text!r}, expected {fill(step[name])!r}")
    for pattern in step.get(name + "_match", []):
        if not re.search(fill(pattern), text, re.M):
            problem(number, f"{name} does not match {fill(pattern)!r}: {text!r}")
    for pattern in step.get(name + "_not", []):
        if re.search(fill(pattern), text, re.M):
            problem(number, f"{name} must not match {fill(pattern)!r}: {text!r}")
    if name + "_json" in step:
        try:
            have = json.loads(text)
        except ValueError:
            problem(number, f"{name} is no JSON: {text!r}")
            return
        found = subset(fill(step[name + "_json"]), have)
        if found:
            problem(number, f"{name}: {found}")


def check_files(number, wanted):
    for pattern, rule in wanted.items():
        found = sorted(glob.glob(pattern, recursive=True, include_hidden=True) if sys.version_info >= (3, 11)
                       else glob.glob(pattern, recursive=True))
        if rule is None or rule is False:
            if found:
                problem(number, f"{pattern} must not exist: {found[:3]}")
            continue
        if isinstance(rule, str):
            rule = {"text": rule}
        if rule is True:
            rule = {}
        if "count" in rule:
            if len(found) != rule["count"]:
                problem(number, f"{pattern}: {len(found)} files, expected {rule['count']}: {found[:5]}")
            continue
        if not found:
            problem(number, f"{pattern} is missing")
        for name in found:
            if "link" in rule:
                have = os.readlink(name) if os.path.islink(name) else None
                if have is None or not fnmatch.fnmatchcase(have, rule["link"]):
                    problem(number, f"{name} links to {have!r}, expected {rule['link']!r}")
            if os.path.isfile(name):
                content = open(name, "rb").read()
                if "text" in rule and content != rule["text"].encode():
                    problem(number, f"{name} holds {content[:80]!r}, expected {rule['text'][:80]!r}")
                if "size" in rule and len(content) != rule["size"]:
                    problem(number, f"{name} has {len(content)} bytes, expected {rule['size']}")
                if "sha256" in rule and hashlib.sha256(content).hexdigest() != rule["sha256"]:
                    problem(number, f"{name} has the wrong sha256")
                if "mode" in rule and oct(os.stat(name).st_mode & 0o7777) != oct(int(rule["mode"], 8)):
                    problem(number, f"{name} has mode {oct(os.stat(name).st_mode & 0o7777)}, expected {rule['mode']}")


def check_requests(number, step, hub):
    log = hub.log()
    lines = [f"{row['method']} {row['path']}" for row in log]
    if "requests" in step:
        want = fill(step["requests"])
        if isinstance(want, int):
            if len(lines) != want:
                problem(number, f"{len(lines)} requests, expected {want}: {lines}")
        else:
            ok = len(lines) == len(want) and all(fnmatch.fnmatchcase(a, b) for a, b in zip(sorted(lines), sorted(want)))
            if not ok:
                problem(number, f"requests {lines}, expected {want}")
    if "requests_max" in step and len(lines) > step["requests_max"]:
        problem(number, f"{len(lines)} requests, at most {step['requests_max']}: {lines}")
    sent = sum(row["sent"] for row in log)
    if sent > step.get("bytes_max", sent):
        problem(number, f"{sent} bytes sent, at most {step['bytes_max']}")


work = pathlib.Path(tempfile.mkdtemp(prefix="hf-case-"))
home = work / "home"
(home / "hf").mkdir(parents=True)
variables.update(TMP=str(work), HOME=str(home), HF_HOME=str(home / "hf"), CACHE=str(home / "hf/hub"), BIN=str(options.bin))
hub = None
try:
    if "hub" in scenario:
        hub = Hub(options.bin, extra=scenario.get("hub_options", ()))
        variables["HUB"] = hub.url
        for entry in scenario["hub"]:
            arguments = entry.get("options", [])
            if "files" in entry:
                commit = hub.add_files(entry["add"], entry["files"], *arguments)
            else:
                commit = hub.add(entry["add"], "--generate", entry["generate"], *arguments)
            variables["commit:" + entry.get("name", entry["add"])] = commit
    for number, step in enumerate(scenario["steps"], 1):
        for name, content in fill(step.get("write", {})).items():
            path = pathlib.Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for command in fill(step.get("before", [])):
            subprocess.run(["sh", "-ec", command], check=True, cwd=work)
        if "run" not in step:
            check_files(number, fill(step.get("files", {})))
            continue
        if hub:
            hub.reset()
            hub.faults(fill(step.get("faults", [])))
        command = fill(step["run"])
        if command[0] in ("hf", "hf-plugin-check"):
            command[0] = str(options.bin / command[0])
        env = clean_environment(home, hub.url if hub else None, **fill({**scenario.get("env", {}), **step.get("env", {})}))
        for name in step.get("unset", []):
            env.pop(name, None)
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=step.get("cwd", work), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        if "kill_after" in step:
            time.sleep(step["kill_after"])
            process.send_signal(getattr(signal, step.get("signal", "SIGKILL")))
        try:
            out, err = process.communicate(fill(step.get("stdin", "")).encode(), timeout=step.get("timeout", 60))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            problem(number, f"still running after {step.get('timeout', 60)} s")
        seconds = time.monotonic() - began
        out, err = out.decode(errors="backslashreplace"), err.decode(errors="backslashreplace")
        if "exit" in step and process.returncode != step["exit"]:
            problem(number, f"exit {process.returncode}, expected {step['exit']}: {out[-600:]!r} {err[-1200:]!r}")
        if "seconds_max" in step and seconds > step["seconds_max"]:
            problem(number, f"took {seconds:.2f} s, at most {step['seconds_max']}")
        check_text(number, "stdout", step, out)
        check_text(number, "stderr", step, err)
        if hub:
            check_requests(number, step, hub)
        check_files(number, fill(step.get("files", {})))
finally:
    if hub:
        hub.close()
    if options.keep:
        print("kept", work)
    else:
        shutil.rmtree(work, ignore_errors=True)
for line in problems:
    print(line)
print(f"{options.scenario.stem}: {'FAILED' if problems else 'ok'}")
sys.exit(1 if problems else 0)
