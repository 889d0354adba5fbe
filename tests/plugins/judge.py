#!/usr/bin/env python3
"""Runs hf-plugin-check and looks at its verdicts.

judge.py CHECK FILE --passes MIN            every rule holds, at least MIN were tried
judge.py CHECK TABLE FOLDER --breaks PREFIX each file of the table (RULE<TAB>FILE) breaks its rule, and exit is 1
"""
import argparse
import json
import pathlib
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("check")
parser.add_argument("file", type=pathlib.Path)
parser.add_argument("folder", nargs="?", type=pathlib.Path)
parser.add_argument("--passes", type=int)
parser.add_argument("--breaks")
options = parser.parse_args()


def verdicts(file, *more):
    done = subprocess.run([options.check, "--json", *more, str(file)], capture_output=True, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


problems = []
if options.passes is not None:
    code, rows, err = verdicts(options.file)
    problems = [f"{r['rule']}: {r['detail']}" for r in rows if r["result"] == "failed"]
    tried = sum(r["result"] == "ok" for r in rows)
    if code or err or tried < options.passes:
        problems.append(f"exit {code}, {tried} rules held, stderr: {err}")
else:
    judged = 0
    for line in options.file.read_text().splitlines():
        rule, name = line.split("\t")
        if not rule.startswith(options.breaks):
            continue
        judged += 1
        code, rows, err = verdicts(options.folder / name / f"hf-{name}.so", "--only", rule, "--timeout", "8")
        result = [r for r in rows if r["rule"] == rule]
        if code != 1 or [r["result"] for r in result] != ["failed"] or not result[0]["detail"]:
            problems.append(f"{name}: {rule} did not find it (exit {code}, {result}, {err})")
        else:
            print(f"{name}: {rule}: {result[0]['detail']}")
    if not judged:
        problems.append("nothing was judged")
for problem in problems:
    print(problem)
sys.exit(bool(problems))
