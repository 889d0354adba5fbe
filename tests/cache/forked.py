"""Runs the reference client's command lines without starting Python for each: imports it once, then forks per line.

Started with the reference's own interpreter; reads {"argv", "cwd", "stdin"} a line, answers {"code", "out", "err"}. With --fresh
only what the client itself imports is there beforehand: rows have an "env" too, which the client reads when it is imported.
"""
import json
import os
import sys
import tempfile

FRESH = "--fresh" in sys.argv
if FRESH:
    import click, filelock, httpx2, packaging.version, tqdm.auto, truststore, typing_extensions, yaml  # noqa: E401, F401
    import asyncio, concurrent.futures, importlib.metadata, shlex, shutil, subprocess, urllib.parse, uuid  # noqa: E401, F401
else:
    from huggingface_hub.cli.hf import main
    import huggingface_hub.cli.cache  # noqa: F401


def child(row, out, err):
    with tempfile.TemporaryFile() as source:
        source.write(row.get("stdin", "").encode())
        source.seek(0)
        os.dup2(source.fileno(), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    os.chdir(row["cwd"])
    sys.argv = [row.get("program", "hf"), *row["argv"]]
    code = 0
    try:
        if FRESH:
            os.environ.clear()
            os.environ.update(row["env"])
            from huggingface_hub import constants
            for rule in filter(None, row["env"].get("HF_URL_REWRITE", "").split(";")): # ours; the reference has these hosts as constants
                host, _, there = rule.partition("=")
                for name, value in vars(constants).items():
                    if isinstance(value, str) and (value + "/").startswith(host + "/"):
                        setattr(constants, name, there + value[len(host):])
            from huggingface_hub.cli.hf import main as start
        else:
            start = main
        start()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for line in sys.stdin:
    row = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if not pid:
            child(row, out, err)
        status = os.waitpid(pid, 0)[1]
        for f in (out, err):
            f.seek(0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "out": out.read().decode("utf-8", "replace"),
                          "err": err.read().decode("utf-8", "replace")}), flush=True)
