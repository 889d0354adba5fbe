#!/usr/bin/env python3
"""Runs a campaign and keeps what it said: result.py PART BUILD COMMAND... writes tests/PART/RESULT.md.

The result holds date, machine, commit, command, seed and numbers; the command's exit code is the program's.
"""
import datetime
import os
import pathlib
import platform
import re
import subprocess
import sys

part, build, command = sys.argv[1], sys.argv[2], sys.argv[3:]
top = pathlib.Path(__file__).resolve().parent.parent.parent
commit = subprocess.run(["git", "-C", str(top), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
process = subprocess.Popen([*command, "--build", build], cwd=top, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
lines = []
for line in process.stdout:
    print(line, end="", flush=True)
    lines.append(re.sub(r"/\S*/(hf-\w+)-\w+", r"\1", line.rstrip())[:300])
code = process.wait()
path = top / "tests" / part / "RESULT.md"
old = path.read_text() if path.exists() else f"# Results of tests/{part}\n\nNewest first; `tests/{part}/full BUILD` adds one.\n"
head, _, rest = old.partition("\n## ")
memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
text = (f"{head.rstrip()}\n\n## {datetime.date.today()}, {' '.join([f'tests/{part}/run', *command[1:]])}\n\n"
        f"commit {commit or '?'}; {platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores, {memory} GiB; "
        f"{'passed' if code == 0 else 'FAILED'}\n\n```\n" + "\n".join(lines[-60:]) + "\n```\n")
older = ("\n## " + rest).split("\n## ")[1:][:4] if rest else []
path.write_text(text + "".join("\n## " + o for o in older))
sys.exit(code)
