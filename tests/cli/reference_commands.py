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
    c = c.materialize() if hasattr(c, "materialize") else c  # loaded when it is first used
    row = {"name": name, "aliases": sorted(aliases), "hidden": c.hidden, "kind": "group" if isinstance(c, click.Group) else "command"}
    if isinstance(c, click.Group):
        context = click.Context(c, info_name=name)
        below = [(n, c.get_command(context, n)) for n in c.list_commands(context)]
        also = c._alias_map()
        return row | {"commands": [command(n, k, also.get(n, ())) for n, k in below]}
    return row | {"params": [param(p) for p in c.params]}


print(json.dumps({"root": command("hf", app)}))
