#!/usr/bin/env python3
"""Signing in at a terminal: the menu is walked with arrows, a pasted token is not shown, Ctrl-C leaves the terminal as it was.

terminal.py --bin DIR.
"""
import argparse
import os
import pathlib
import pty
import select
import shutil
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
options = parser.parse_args()
hf = str(options.bin.resolve() / "hf")
TOKEN = "hf_terminal_Qx71vT0pbW"
problems = []


def talk(home, hub, script):
    """Types each answer once its prompt is there; what was on the screen, the exit code, and whether echo is on afterwards."""
    screen, pid, fd = b"", *pty.fork()
    if pid == 0:
        os.execve(hf, [hf, "auth", "login", "--force"], clean_environment(home, hub.url))
    end = time.time() + 30
    while time.time() < end:
        if script and script[0][0] in screen:
            os.write(fd, script.pop(0)[1])
        if select.select([fd], [], [], 0.05)[0]:
            try:
                screen += os.read(fd, 4096)
            except OSError:
                break
    echo = bool(termios.tcgetattr(fd)[3] & termios.ECHO)
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    return screen.decode("utf-8", "replace"), os.waitstatus_to_exitcode(status), echo


def expect(condition, text):
    if not condition:
        problems.append(text)


home = pathlib.Path(tempfile.mkdtemp(prefix="hf-terminal-"))
try:
    with Hub(options.bin.resolve(), extra=["--token", f"me:{TOKEN}"]) as hub:
        secret = b"input will not be visible): "
        screen, code, echo = talk(home, hub, [(b"  Paste an access token", b"\x1b[B"), (b"> \x1b[0m\x1b[1mPaste", b"\r"),
                                              (secret, TOKEN.encode() + b"\n")])
        expect(code == 0 and "Login successful." in screen, f"exit {code}: {screen}")
        expect(TOKEN not in screen, f"the token was shown: {screen}")
        expect((home / "hf" / "token").read_text() == TOKEN, "the token was not stored")
        expect(echo, "the terminal does not echo any more")
        screen, code, echo = talk(home, hub, [(b"Paste an access token", b"2"), (secret, b"\x03")])
        expect(code == 1 and screen.rstrip().endswith("Aborted!"), f"exit {code}: {screen}")
        expect(echo, "the terminal does not echo after Ctrl-C")
finally:
    shutil.rmtree(home, ignore_errors=True)
for line in problems:
    print(line)
print(f"terminal: {'FAILED' if problems else 'ok'}")
sys.exit(1 if problems else 0)
