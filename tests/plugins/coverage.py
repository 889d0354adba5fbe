#!/usr/bin/env python3
"""Compares the rules that hf-plugin-check tries with the table of plugins that break one rule each.

coverage.py CHECK BROKEN.tsv STORAGE.so TRANSFER.so. At least 60 storage and 30 transfer rules; a rule without a breaking plugin must
stand in unbroken.txt, and one that has one must not: the list only shrinks.
"""
import json
import pathlib
import subprocess
import sys

check, table, *plugins = sys.argv[1:]
broken = {line.split("\t")[0] for line in pathlib.Path(table).read_text().splitlines()}
waived = set((pathlib.Path(__file__).parent / "unbroken.txt").read_text().split())
rules = []
for plugin in plugins:
    done = subprocess.run([check, "--json", plugin], capture_output=True, text=True, timeout=200)
    rules += [json.loads(line)["rule"] for line in done.stdout.splitlines()]
    if done.returncode:
        sys.exit(f"{plugin}: exit {done.returncode}: {done.stderr}")
problems = []
for kind, least in (("storage", 60), ("transfer", 30), ("provider", 4)):
    own = {r for r in rules if r.startswith(kind + "/")}
    print(f"{kind}: {len(own)} rules, {len(own & broken)} shown to fail")
    if len(own) < least:
        problems.append(f"{kind}: {len(own)} rules, at least {least} expected")
    problems += [f"{r}: no plugin breaks it" for r in sorted(own - broken - waived)]
    problems += [f"{r}: take it off unbroken.txt" for r in sorted(own & broken & waived)]
problems += [f"{r} in the table is no rule" for r in sorted(broken - set(rules)) if not r.startswith("abi/")]
for line in problems:
    print(line)
sys.exit(1 if problems else 0)
