#!/usr/bin/env python3
"""Compares `hf commands --json` with the command tree of the reference client, as its own parser knows it.

compare_commands.py --hf build/bin/hf [--tree FILE] [command ...]; --tree is a tree in the same shape, else the reference is asked
(reference_commands.py); it may say less than ours, what it says is compared. Prints every difference, exit 1 if there is one, 77
(skipped) when the reference is not there. Without commands: all that both have.
"""
import argparse
import json
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "interop"))
import reference  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--hf", required=True)
parser.add_argument("--tree", type=pathlib.Path)
parser.add_argument("commands", nargs="*", help='"models list", "download"')
options = parser.parse_args()

# What is not part of how a command is called: places in the source, notes about other versions, our own additions.
NOT_COMPARED = {"source", "changed_from", "context_settings", "validated_by_callback", "summary", "ours", "commands",
                "params", "since", "hidden_by_parent", "default", "tristate"}
# Commands that the reference had once (hidden ones need no row here); parameters that we have beyond its own (docs/differences.md).
KEPT = {"upload-large-folder"}
OURS = {"auth login": {"provider"}, "auth logout": {"provider"}, "cache verify": {"repair", "workers"}, "download": {"stdout", "output"}}


def leaves(command, words=()):
    words = words + (command["name"],)
    if command["kind"] == "command":
        yield " ".join(words[1:]), command
    for child in command.get("commands", []):
        yield from leaves(child, words)


def unlike(ours, theirs):
    for key in sorted(set(theirs) - NOT_COMPARED):
        if (ours.get(key) or None) != (theirs[key] or None):
            yield f"{key} {ours.get(key)!r}, reference {theirs[key]!r}"


def differences(command, ours, theirs):
    yield from unlike(ours, theirs)
    mine = {p["name"]: p for p in ours["params"]}
    its = {p["name"]: p for p in theirs["params"]}
    for name, param in its.items():
        if name not in mine:
            if not param.get("gone"):
                yield f"parameter {name} is missing"
            continue
        yield from (f"parameter {name}: {word}" for word in unlike(mine[name], param))
    for name in sorted(set(mine) - set(its) - OURS.get(command, set())):
        yield f"parameter {name} is not in the reference"
    order = [n for n in its if n in mine]
    if order != [n for n in mine if n in its]:
        yield f"order of parameters: {[n for n in mine if n in its]}, reference {order}"


python = None if options.tree else reference.need(pathlib.Path(options.hf).resolve().parent.parent)
tree = options.tree.read_text() if options.tree else subprocess.run([python, here / "reference_commands.py"], capture_output=True, text=True, check=True).stdout
run = subprocess.run([options.hf, "commands", "--json"], capture_output=True, text=True)
if run.returncode:
    sys.exit(f"hf commands --json: exit {run.returncode}: {run.stderr}")
ours = dict(leaves(json.loads(run.stdout)))
theirs = dict(leaves(json.loads(tree)["root"]))
wanted = options.commands or sorted(set(ours) & set(theirs))
count = 0
for name in wanted:
    if name not in ours or name not in theirs:
        print(f"{name}: not in {'ours' if name not in ours else 'the reference'}")
        count += 1
        continue
    for difference in differences(name, ours[name], theirs[name]):
        print(f"{name}: {difference}")
        count += 1
for name, command in ours.items():
    if name not in theirs and not command.get("ours") and not command.get("hidden") and name not in KEPT:
        print(f"{name}: not a command of the reference, and not marked as ours")
        count += 1
print(f"{len(wanted)} commands compared, {count} differences; not here: {', '.join(sorted(set(theirs) - set(ours)))}")
sys.exit(1 if count else 0)
