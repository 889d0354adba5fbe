#!/usr/bin/env python3
"""A unique token, searched for wherever it must not be: output, traces, arguments and environment of children, stray files.

canary.py --bin DIR. git's side is tested with the real git: a token reaches its helpers, leaves them, and comes out of ours.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hub import Hub, clean_environment  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
options = parser.parse_args()
hf = str(options.bin.resolve() / "hf")
TOKEN = "hf_cAnArY9f27c1d0e8b34a56"
problems = []
where = pathlib.Path(tempfile.mkdtemp(prefix="hf-canary-"))
real_git = shutil.which("git")

SPY = f"""#!/bin/sh
{{ tr '\\0' ' ' < /proc/$$/cmdline; echo; tr '\\0' '\\n' < /proc/$$/environ; }} >> {where}/spy.txt
exec {real_git} "$@"
"""


def expect(condition, text):
    if not condition:
        problems.append(text)


def run(command, hub, code=0, typed="", **more):
    env = clean_environment(where, hub.url, TMPDIR=where / "tmp", HF_TRACE=where / "trace.txt", HF_DEBUG="1", **more)
    env["PATH"] = f"{where / 'bin'}:{env['PATH']}"
    done = subprocess.run(command, env=env, cwd=where, capture_output=True, text=True, timeout=60, input=typed)
    expect(done.returncode == code, f"{command}: exit {done.returncode}, not {code}: {done.stderr}")
    return done.stdout, done.stderr


def hidden(outputs, what):
    for text in outputs:
        expect(TOKEN not in text, f"{what} shows the token: {text}")


def search(*allowed):
    for path in where.rglob("*"):
        if path.is_file() and path.name not in allowed:
            expect(TOKEN.encode() not in path.read_bytes(), f"the token is in {path.relative_to(where)}")


def main():
    for folder in ("bin", "tmp"):
        (where / folder).mkdir()
    spy = where / "bin" / "git"
    spy.write_text(SPY)
    spy.chmod(0o755)
    with Hub(options.bin.resolve(), extra=["--token", f"me:{TOKEN}"]) as hub:
        run([real_git, "config", "--global", "credential.helper", "store"], hub)
        login = [hf, "auth", "login", "--add-to-git-credential"]
        hidden(run([*login, "--token", TOKEN], hub), "login")
        expect(TOKEN in (where / ".git-credentials").read_text(), "git's helper did not get the token")
        search("token", "stored_tokens", ".git-credentials")
        hidden(run([*login, "--token", TOKEN + "x"], hub, code=1), "a failed login")
        for words in (["auth", "whoami"], ["auth", "list"], ["auth", "list", "--json"], ["repos", "create", "c"],
                      ["repos", "settings", "me/c"], ["models", "info", "me/nope"], ["auth", "switch", "--token-name", "me"]):
            code = 0 if words[1] in ("whoami", "list", "create", "switch") else 1
            hidden(run([hf, *words], hub, code), " ".join(words))
            if words[1] != "create":
                hidden(run([hf, *words], hub, code, HF_TOKEN=TOKEN), " ".join(words))
        out, err = run([hf, "auth", "git-credential", "get"], hub, typed=f"protocol=http\nhost={hub.url[7:]}\n\n")
        expect(out == f"username=hf_user\npassword={TOKEN}\n", f"our helper answered {out!r}")
        hidden([err], "our helper")
        for typed in ("protocol=https\nhost=example.org\n\n", "protocol=https\nhost=" + hub.url[7:] + "\n\n", "host=\n\n", ""):
            expect(run([hf, "auth", "git-credential", "get"], hub, typed=typed)[0] == "", f"our helper answered {typed!r}")
        expect(run([hf, "auth", "git-credential", "erase"], hub, typed=f"url={hub.url}\n\n") == ("", ""), "erase said something")
        hidden(run([hf, "auth", "logout"], hub, code=1, HF_TOKEN=TOKEN), "logout")
        search()  # it is gone from every file, git's too
        run([real_git, "config", "--global", "--replace-all", "credential.helper", f"!{hf} auth git-credential"], hub)
        out, _ = run([real_git, "credential", "fill"], hub, typed=f"url={hub.url}\n\n", HF_TOKEN=TOKEN, GIT_TERMINAL_PROMPT="0")
        expect(f"password={TOKEN}\n" in out, f"git was told {out!r}")
        seen = (where / "spy.txt").read_text()
        expect(seen.count("credential approve") == 1 and seen.count("credential reject") == 1, f"git was run otherwise: {seen}")


try:
    if not real_git:
        print("SKIPPED: there is no git")
        sys.exit(77)
    main()
finally:
    shutil.rmtree(where, ignore_errors=True)
for line in problems:
    print(line)
print(f"canary: {'FAILED' if problems else 'ok'}")
sys.exit(1 if problems else 0)
