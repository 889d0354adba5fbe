"""What the comparisons with the reference client have in common: their arguments, how each client is started, Hubs with the same
content for both, the words of a command line, and what may differ in what they print.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

TOKEN = "hf_compare_token_0001"
TINY = {"config.json": '{"model_type": "tiny"}\n', "README.md": "---\nlicense: mit\n---\n# Tiny\n", "sub/a.txt": "a\n",
        "sub/deep/b.bin": {"text": "0123456789", "size": 20000}, "model.safetensors": {"text": "x", "repeat": 300000}}


def arguments(lines):
    """The options of a comparison; ends with 77 where the reference is not installed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="where hf and hf-devhub are")
    parser.add_argument("--reference", default=os.environ.get("HF_REFERENCE"))
    parser.add_argument("--lines", type=pathlib.Path, default=pathlib.Path(__file__).with_name(lines))
    parser.add_argument("--only", default="", help="only lines that contain this")
    parser.add_argument("--every", type=int, default=1, help="only every Nth line, starting where --seed says")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HF_TEST_SEED") or time.time()))
    parser.add_argument("--show", action="store_true", help="print what both wrote, equal or not")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    if not options.reference: # the one that the interop tests installed
        options.reference = str(options.bin.parent / "reference/bin/hf")
    if not shutil.which(options.reference):
        print("SKIPPED: no reference client (HF_REFERENCE or --reference names its hf)")
        sys.exit(77)
    print(f"seed {options.seed}: every {options.every}. line")
    return options


class Clients:
    """Both programs. The reference's command lines are run by one process that has its libraries loaded; the client itself is imported
    for each, as it reads its environment then. What concerns Python alone (LC_ALL) is read by a Python of its own."""

    def __init__(self, options):
        self.theirs, self.ours = options.reference, str(options.bin / "hf")
        python = pathlib.Path(options.reference).parent / "python"
        forked = pathlib.Path(__file__).resolve().parent.parent / "cache/forked.py"
        self.process = subprocess.Popen([str(python), str(forked), "--fresh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=clean_environment(pathlib.Path(tempfile.gettempdir()))) if python.exists() else None

    def run(self, program, words, cwd, env, typed=""):
        """What a command line ends with and prints."""
        plain = all(env.get(name) == os.environ.get(name) for name in ("LANG", "LC_ALL"))
        if program == self.theirs and self.process and plain:
            row = {"argv": words, "cwd": str(cwd), "env": env, "stdin": typed, "program": program}
            self.process.stdin.write(json.dumps(row) + "\n")
            self.process.stdin.flush()
            row = json.loads(self.process.stdout.readline())
            return row["code"], row["out"], row["err"]
        done = subprocess.run([program, *words], cwd=cwd, env=env, capture_output=True, timeout=120, input=typed.encode())
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def fill(hub):
    hub.add_files("me/tiny", TINY)
    hub.add_files("me/data", {"README.md": "# Data\n", "data/train.csv": "a,b\n1,2\n"}, "--type", "dataset")
    hub.add_files("me/app", {"README.md": "---\nsdk: static\n---\n", "app.py": "print(1)\n"}, "--type", "space")
    hub.add_files("me/secret", {"config.json": "{}\n"}, "--private")
    hub.add_files("me/gated", {"config.json": "{}\n"}, "--gated")


class Pair:
    """Two hubs with the same content, one for each client."""

    def __init__(self, options):
        more = ["--token", f"me:{TOKEN}", "--token", "ro:hf_compare_reader_1:read", "--token", "me:hf_compare_expired_1:expired",
                "--token", "me:hf_compare_fine_1:repo=me/other", "--token", "me:hf_compare_limited:read", "--log-bodies", "1MiB"]
        self.hubs = [Hub(options.bin, extra=more) for _ in range(2)]
        for hub in self.hubs:
            fill(hub)

    def close(self):
        for hub in self.hubs:
            hub.close()


def split(text):
    """The words of a command line, and the environment in front of them."""
    words, extra = shlex.split(text), {}
    while words and re.match(r"[A-Z_]+=", words[0]):
        key, value = words.pop(0).split("=", 1)
        extra[key] = value
    return words, extra


def normal(text, where, url):
    """What may differ: scratch folders, times of bars, request ids, help sentences, where a Python warning comes from."""
    text = text.replace(str(where), "{where}")
    if url:
        text = text.replace(url, "{hub}")
    text = re.sub(r"\(Request ID: [^)]*\)", "(Request ID)", text)
    text = re.sub(r"\A(Usage: .*\n)[^\0]*\nOptions:\n[^\0]*", r"\1(help)\n", text)
    text = re.sub(r"(\n\nAvailable (?:options|commands) for '[^']*':\n)(?:  .*\n)+", r"\1  ...\n", text)
    text = re.sub(r"\r([^\r\n]*?): +\d+(?:%\||it \[)[^\r\n]*", r"\r\1: ...", text)
    text = re.sub(r"(\r[^\r\n]*)(?:\1)+", r"\1", text)
    text = re.sub(r"^\S+\.py:\d+: UserWarning: (.*)\n(?:  .*\n)?", r"UserWarning: \1\n", text, flags=re.M)
    text = re.sub(r"^  warnings\.warn\(.*\n", "", text, flags=re.M)
    text = re.sub(r"^Traceback \(most recent call last\):\n(?:.*\n)*", "Traceback\n", text, flags=re.M)
    return text


def no_commits(text):
    return re.sub(r"\b[0-9a-f]{40}\b", "{commit}", text)
