#!/usr/bin/env python3
"""Runs hf-plugin-check and looks at its verdicts.

judge.py CHECK FILE --passes MIN [--struck MIN] [OPTION...]  every rule holds, at least MIN were tried, and MIN struck by faults
judge.py CHECK TABLE FOLDER --breaks PREFIX                 each rule of the group is broken by a plugin: one of the table
    (RULE<TAB>FILE), else a mutant (HF_MUTANT); the judge finds it by that rule, says why, and exits with 1
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

LEAST = {"storage/": 60, "transfer/": 30, "provider/": 8, "abi/": 9, "tasks/": 1}

parser = argparse.ArgumentParser()
parser.add_argument("check")
parser.add_argument("file", type=pathlib.Path)
parser.add_argument("folder", nargs="?", type=pathlib.Path)
parser.add_argument("--passes", type=int)
parser.add_argument("--struck", type=int)
parser.add_argument("--breaks")
options, more = parser.parse_known_args()
problems = []


def verdicts(file, *more, mutant=None):
    env = {**os.environ, **({"HF_MUTANT": mutant} if mutant else {})}
    done = subprocess.run([options.check, "--json", *more, str(file)], capture_output=True, text=True, env=env)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def passes():
    if "--faults" in more:
        more.extend(["--seed", os.environ.get("HF_TEST_SEED") or str(random.randrange(1, 100000))])
    code, rows, err = verdicts(options.file, *more)
    problems.extend(f"{r['rule']}: {r['detail']}" for r in rows if r["result"] == "failed")
    tried = sum(r["result"] == "ok" for r in rows)
    struck = sum(bool(re.match(r"\d+ fault", r["detail"])) for r in rows if r["result"] == "ok")
    print(f"{tried} rules held, {struck} of them struck by faults; {err}")
    for row in rows:
        if row["result"] == "skipped":
            print(f"skipped: {row['rule']}: {row['detail']}")
    err = re.sub(r"^hf-plugin-check: faults with seed \d+\n", "", err)
    if code or err or tried < options.passes:
        problems.append(f"exit {code}, {tried} rules held, stderr: {err}")
    if options.struck is not None and struck < options.struck:
        problems.append(f"{struck} rules were struck by faults, at least {options.struck} expected")


def broken_files(place):
    """The rules of the file: made here, since some are about where a file lies."""
    good = (options.folder / "good/hf-good.so").read_bytes()

    def file(name, content, mode=0o755):
        path = place / name / "hf-good.so"
        path.parent.mkdir()
        path.write_bytes(content)
        path.chmod(mode)
        return path
    made = lambda name: options.folder / name / f"hf-{name}.so"  # noqa: E731
    return {"abi/trusted-place": file("open", good, 0o777), "abi/shared-object": file("head", good[:40]),
            "abi/whole-file": made("bad-execstack"),
            "abi/note": made("bad-no-note"), "abi/nothing-foreign": made("bad-rpath"), "abi/no-constructors": made("bad-constructor"),
            "abi/one-symbol": made("bad-export"), "abi/no-resolvers": made("bad-ifunc"), "abi/free-names": made("bad-command")}


def one(rule, file, mutant):
    if not file.is_file():
        return f"{rule}: {file} is not there", ""
    code, rows, err = verdicts(file, "--only", rule, "--timeout", "8", *more, mutant=mutant)
    result = [r for r in rows if r["rule"] == rule]
    said = f"{mutant and 'mutant' or file.parent.name}: {rule}: {result and result[0]['detail']}"
    if code != 1 or [r["result"] for r in result] != ["failed"] or not result[0]["detail"]:
        return f"{said}: did not find it (exit {code}, {result}, {err})", said
    return None, said


def breaks():
    listed = subprocess.run([options.check, "--list"], capture_output=True, text=True, check=True).stdout.split()
    rules = [r for r in listed if r.startswith(options.breaks)]
    kind = options.breaks.rstrip("/")
    table = [line.split("\t") for line in options.file.read_text().splitlines()]
    work = [(rule, options.folder / name / f"hf-{name}.so", None) for rule, name in table if rule.startswith(options.breaks)]
    problems.extend(f"{rule} in the table is no rule" for rule, _, _ in work if rule not in listed)
    if len(set(rules)) != len(rules) or len(rules) < LEAST[options.breaks]:
        problems.append(f"{len(rules)} rules, {len(set(rules))} names, at least {LEAST[options.breaks]} expected")
    with tempfile.TemporaryDirectory(prefix="hf-judge-", dir="/var/tmp") as place:
        files = broken_files(pathlib.Path(place)) if kind == "abi" else {}
        for rule in sorted(set(rules) - {r for r, _, _ in work}):
            mutant = options.folder / f"mutant-{kind}" / f"hf-mutant-{kind}.so"
            work.append((rule, files.get(rule, mutant), None if rule in files else rule))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for problem, said in pool.map(lambda w: one(*w), work):
                print(said)
                if problem:
                    problems.append(problem)
    print(f"{kind}: {len(rules)} rules, {len(work)} plugins that break one")


breaks() if options.breaks else passes()
for problem in problems:
    print(problem)
sys.exit(bool(problems))
