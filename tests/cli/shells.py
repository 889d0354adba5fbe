#!/usr/bin/env python3
"""Completion in real shells: bash, zsh and fish load the script of `hf completion SHELL` and complete command lines.

shells.py --hf build/bin/hf; shells that are not installed are named and left out, without any of them exit 77.
zsh is driven through a pseudo terminal, since its completion exists in interactive shells only.
"""
import argparse
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--hf", type=pathlib.Path, required=True)
hf = parser.parse_args().hf.resolve()
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-shells-"))
(work / "plugins-here").mkdir()
env = dict(os.environ, PATH=f"{hf.parent}:{os.environ['PATH']}", HOME=str(work), HF_HOME=str(work / "hf"), TERM="dumb")
failures = []

# line -> candidates that must be there, candidates that must not
CASES = [
    ("hf mod", {"models"}, {"datasets"}),
    ("hf models l", {"list", "ls"}, {"info"}),
    ("hf models list --s", {"--search", "--sort"}, {"--limit"}),
    ("hf models list --sort ", {"downloads", "likes"}, set()),
    ("hf models list --sort l", {"last_modified", "likes"}, {"downloads"}),
    ("hf version --format j", {"json"}, {"human"}),
    ("hf completion ", {"bash", "zsh", "fish"}, set()),
    ("hf --plugin-path plug", {"plugins-here"}, set()),
]


def check(shell, line, got, must, must_not):
    got = {word.rstrip("/ ") for word in got}
    if not must <= got or must_not & got:
        failures.append(f"{shell}: {line!r} gave {sorted(got)}, expected {sorted(must)} and not {sorted(must_not)}")


def script(shell):
    path = work / f"hf.{shell}"
    path.write_text(subprocess.run([hf, "completion", shell], check=True, capture_output=True, text=True, env=env).stdout)
    return path


def bash():
    loaded = script("bash")
    for line, must, must_not in CASES + [("hf models list --sort=l", {"last_modified", "likes"}, {"downloads"})]:
        words = line.replace("=", " = ").split(" ") if "=" in line else line.split(" ")
        quoted = " ".join(f"'{w}'" for w in words)
        program = (f"source {loaded}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _hf_completion; "
                   'printf "%s\\n" "${COMPREPLY[@]}"')
        run = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, env=env, cwd=work)
        check("bash", line, run.stdout.splitlines(), must, must_not)


def fish():
    loaded = script("fish")
    for line, must, must_not in CASES + [("hf models list --sort=l", {"--sort=likes"}, {"--sort=downloads"})]:
        run = subprocess.run(["fish", "--no-config", "-c", f"source {loaded}; complete -C '{line}'"], capture_output=True,
                             text=True, env=env, cwd=work)
        check("fish", line, [l.split("\t")[0] for l in run.stdout.splitlines()], must, must_not)


def zsh():
    folder = work / "zsh"
    folder.mkdir()
    shutil.copy(script("zsh"), folder / "_hf")
    # the candidates are written to a file by a wrapper around compadd
    trace = work / "trace"
    setup = (f"PS1='ready> '; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -d {work}/dump; "
             f"compadd() {{ builtin compadd -O hits -D hits \"$@\"; builtin compadd -A hits \"$@\"; "
             f"print -l -- $hits >> {trace}; builtin compadd \"$@\"; }}; unsetopt beep\n")
    for line, must, must_not in CASES:
        trace.write_text("")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(work)
            os.execvpe("zsh", ["zsh", "-f", "-i"], env)
        wait(terminal, 0.3)
        os.write(terminal, setup.encode())
        wait(terminal, 0.8, b"ready> ")
        os.write(terminal, (line + "\t").encode())
        for _ in range(40):
            wait(terminal, 0.1)
            if trace.read_text().strip():
                break
        wait(terminal, 0.2)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)
        check("zsh", line, trace.read_text().splitlines(), must, must_not)


def wait(terminal, seconds, until=None):
    end, seen = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                seen += os.read(terminal, 4096)
            except OSError:
                return
            if until and until in seen.split(b"compinit", 1)[-1]:
                end = min(end, time.monotonic() + 0.2)


ran = 0
for shell in (bash, zsh, fish):
    if shutil.which(shell.__name__):
        shell()
        ran += 1
    else:
        print(f"SKIPPED: {shell.__name__} is not installed")
shutil.rmtree(work, ignore_errors=True)
print("\n".join(failures) or f"{ran} shells complete")
sys.exit(1 if failures else 0 if ran else 77)
