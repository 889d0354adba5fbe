#!/usr/bin/env python3
"""Compares `hf commands --json` with a dump of the reference client's command tree in the same shape.

compare_commands.py --hf build/bin/hf cli.json [command ...]; prints every difference, exit 1 if there is one, 77 (skipped)
when the dump is not there. Without commands: all that both have. Where a parameter was dropped by the reference
("gone"), having it is optional.
"""
import argparse
import json
import pathlib
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--hf", required=True)
parser.add_argument("dump", nargs="?", type=pathlib.Path)
parser.add_argument("commands", nargs="*", help='"models list", "download"')
options = parser.parse_args()

# What is not part of how a command is called: places in the source, notes about other versions, our own additions.
NOT_COMPARED = {"source", "changed_from", "context_settings", "validated_by_callback", "summary", "ours", "commands",
                "params", "since", "hidden_by_parent"}


def leaves(command, words=()):
    words = words + (command["name"],)
    if command["kind"] == "command":
        yield " ".join(words[1:]), command
    for child in command.get("commands", []):
        yield from leaves(child, words)


def differences(ours, theirs):
    for key in sorted(set(ours) | set(theirs) - NOT_COMPARED):
        if key not in NOT_COMPARED and ours.get(key) != theirs.get(key):
            yield f"{key}: {ours.get(key)!r}, reference {theirs.get(key)!r}"
    mine = {p["name"]: p for p in ours["params"]}
    its = {p["name"]: p for p in theirs["params"]}
    for name, param in its.items():
        if name not in mine:
            if not param.get("gone"):
                yield f"parameter {name} is missing"
            continue
        for key in sorted((set(mine[name]) | set(param)) - NOT_COMPARED):
            if mine[name].get(key) != param.get(key):
                yield f"parameter {name}: {key} {mine[name].get(key)!r}, reference {param.get(key)!r}"
    for name in mine:
        if name not in its and not mine[name].get("ours"):
            yield f"parameter {name} is not in the reference"
    order = [n for n in its if n in mine]
    if order != [n for n in mine if n in its]:
        yield f"order of parameters: {[n for n in mine if n in its]}, reference {order}"


if not options.dump or not options.dump.is_file():
    print("SKIPPED: no dump of the reference's commands")
    sys.exit(77)
run = subprocess.run([options.hf, "commands", "--json"], capture_output=True, text=True)
if run.returncode:
    sys.exit(f"hf commands --json: exit {run.returncode}: {run.stderr}")
ours = dict(leaves(json.loads(run.stdout)))
theirs = dict(leaves(json.loads(options.dump.read_text())["root"]))
wanted = options.commands or sorted(set(ours) & set(theirs))
count = 0
for name in wanted:
    if name not in ours or name not in theirs:
        print(f"{name}: not in {'ours' if name not in ours else 'the reference'}")
        count += 1
        continue
    for difference in differences(ours[name], theirs[name]):
        print(f"{name}: {difference}")
        count += 1
for name, command in ours.items():
    if name not in theirs and not command.get("ours") and not command.get("hidden"):
        print(f"{name}: not a command of the reference, and not marked as ours")
        count += 1
print(f"{len(wanted)} commands compared, {count} differences")
sys.exit(1 if count else 0)
