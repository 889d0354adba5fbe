"""Prints the reference client's command tree, as its own parser knows it, in the shape of `hf commands --json`.

Run by the interpreter that has the reference: reference_commands.py > tree.json.
"""
import json

import click
from huggingface_hub.cli.hf import app

TYPES = {"text": "string", "integer": "int", "integer range": "int", "float": "float", "float range": "float", "boolean": "bool", "choice": "choice"}


def param(p):
    row = {"name": p.name, "kind": "argument" if isinstance(p, click.Argument) else "option", "required": p.required}
    if isinstance(p, click.Argument):
        return row | {"variadic": p.nargs == -1}
    row |= {"spellings": list(p.opts), "repeatable": bool(p.multiple), "hidden": p.hidden or None}
    if p.secondary_opts:
        row["negative_spellings"] = list(p.secondary_opts)
    if p.is_flag:
        row["type"] = "flag"
    elif isinstance(p.type, click.Choice):
        row |= {"type": "softchoice" if "soft" in type(p.type).__name__.lower() else "choice", "choices": [getattr(c, "value", c) for c in p.type.choices]}
    else:
        row["type"] = TYPES.get(p.type.name, p.type.name)
    return row


def command(name, c, aliases=()):
    row = {"name": name, "aliases": sorted(aliases), "hidden": c.hidden, "kind": "group" if isinstance(c, click.Group) else "command"}
    if isinstance(c, click.Group):
        context = click.Context(c, info_name=name)
        also = {n: [a for a, of in getattr(c, "_alias_map", {}).items() if of == n] for n in c.list_commands(context)}
        return row | {"commands": [command(n, c.get_command(context, n), also[n]) for n in also]}
    return row | {"params": [param(p) for p in c.params]}


print(json.dumps({"root": command("hf", app)}))
