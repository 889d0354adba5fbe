#!/usr/bin/env python3
"""Downloads through an adapter and into a store that change the process around them (meddle.h), and calls a provider that does.

meddle.py BUILD. What load() changes is put back, so the download is as ever. What is changed while work goes on may end it, but the cache
never holds a wrong file, and the next download completes it.
"""
import concurrent.futures
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

build = pathlib.Path(sys.argv[1]).resolve()
here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "case"))
from hub import Hub, clean_environment  # noqa: E402

hf, plugins = build / "bin/hf", build / "tests/plugins"
WAYS = ("nothing", "umask-open", "umask-closed", "folder", "locale", "standard-descriptors", "our-descriptors", "all-descriptors", "pipe-kills",
        "signals-blocked", "raises-pipe", "raises-term", "no-environment", "other-environment")
LIMITS = {"our-descriptors", "all-descriptors", "raises-term"}          # may end the work wherever they happen
MAY_FAIL_AT_WORK = LIMITS | {"umask-closed", "raises-pipe", "standard-descriptors"}
FILES = {"config.json": b'{"a": 1}', "small.txt": b"small\n" * 50, "large.bin": bytes(range(256)) * 14000, "other.bin": b"xyz" * 700001,
         "folder/deep.bin": b"deep" * 30000}
problems, hub = [], None
sanitizer = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}


def german(folder):
    """A locale with a decimal comma, made here; None where the system has no sources of it."""
    target = folder / "locales/de_DE.UTF-8"
    target.parent.mkdir()
    made = shutil.which("localedef") and subprocess.run(["localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8", target], capture_output=True)
    return target.parent if target.is_dir() and made else None


def run(command, env, **more):
    try:
        return subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: os.umask(0o022), **more)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(e.cmd, "does not end", "", "")


def wrong_blobs(cache):
    """Files of the cache whose content is not what their name says, partial ones aside."""
    for blob in cache.glob("models--*/blobs/*"):
        if not blob.is_file() or blob.name.endswith(".incomplete"):
            continue
        data = blob.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if blob.name not in (git, hashlib.sha256(data).hexdigest()):
            yield f"{blob.name} holds {len(data)} other bytes"


def incomplete(cache):
    for name, data in FILES.items():
        found = list(cache.glob(f"models--*/snapshots/*/{name}"))
        if len(found) != 1 or found[0].read_bytes() != data:
            yield f"{name} is missing or wrong"


def download(work, kind, way, at, locales, jumps=False):
    name = f"{kind} {'longjmp' if jumps else way} at {at}"
    home = work / name.replace(" ", "-")
    home.mkdir()
    cache = home / "hub"
    env = clean_environment(home, hub.url, HF_HUB_DISABLE_XET="1", HF_HUB_CACHE=str(cache), HF_HUB_DISABLE_PROGRESS_BARS="1")
    bad = dict(env, HF_MEDDLE=way, HF_MEDDLE_AT=at, HF_PLUGIN_PATH=str(plugins / f"mutant-{kind}"))
    bad.update({"HF_TRANSFER": "mutant"} if kind == "transfer" else {"HF_STORE": f"mutant:{cache}"})
    if locales:
        bad["LOCPATH"] = str(locales)
    if jumps:
        bad["HF_MEDDLE_JUMPS"] = "1"
    p = run([hf, "download", "m/meddle"], bad)
    said = f"{name}: exit {p.returncode}: {p.stdout[-200:]}{p.stderr[-300:]}"
    yield from (f"{name}: {w}" for w in wrong_blobs(cache))
    if p.returncode == 0:
        yield from (f"{name}: {w}" for w in incomplete(cache))
    fine = not jumps and (way not in LIMITS if at == "load" else way not in MAY_FAIL_AT_WORK)
    if way == "raises-pipe" and at == "load":
        fine = True  # the program ignores it: nobody may take that away
    if fine and p.returncode != 0:
        yield f"{said}: fails"
    if fine and "snapshots" not in p.stdout:
        yield f"{said}: does not say where"
    if at == "load" and way.startswith("umask"):
        modes = {oct(b.stat().st_mode & 0o777) for b in cache.glob("models--*/blobs/*")}
        if modes != {"0o644"}:
            yield f"{name}: files have {modes}"
    if p.returncode == "does not end":
        yield f"{name}: does not end"
    again = run([hf, "download", "m/meddle"], env)
    if again.returncode:
        yield f"{name}, then without: exit {again.returncode}: {again.stderr[-300:]}"
    yield from (f"{name}, then without: {w}" for w in [*wrong_blobs(cache), *incomplete(cache)])
    if way == "locale" and locales:
        plain, meant = (run([hf, "cache", "list"], e) for e in (env, bad))
        if plain.stdout != meant.stdout:
            yield f"{name}: hf cache list says\n{meant.stdout}and not\n{plain.stdout}"


def without_descriptors(work):
    """Started without standard descriptors, the program prints into no file of the cache."""
    for closed in ((1,), (2,), (0, 1, 2)):
        home = work / f"closed-{len(closed)}-{closed[0]}"
        home.mkdir()
        env = clean_environment(home, hub.url, HF_HUB_DISABLE_XET="1", HF_HUB_CACHE=str(home / "hub"), HF_HUB_VERBOSITY="debug")
        code = subprocess.run([str(hf), "download", "m/meddle"], env=env, timeout=120, preexec_fn=lambda: [os.close(fd) for fd in closed],
                              **{("stdin", "stdout", "stderr")[fd]: subprocess.DEVNULL for fd in range(3) if fd not in closed}).returncode
        yield from (f"without {closed}: {w}" for w in [*wrong_blobs(home / "hub"), *incomplete(home / "hub")])
        if code:
            yield f"without {closed}: exit {code}"


class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "16")
        self.end_headers()
        self.wfile.write(b"[[0.25,1.5,-75]]")


def infer(work, way, at, locales, port):
    name = f"provider {way} at {at}"
    home = work / name.replace(" ", "-")
    home.mkdir()
    env = {**sanitizer, "PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home), "NO_COLOR": "1", "BAD_API_KEY": "k", "HF_MEDDLE": way,
           "HF_MEDDLE_AT": at, "HF_URL_REWRITE": f"https://=!http://127.0.0.1:{port}/"}
    if locales:
        env["LOCPATH"] = str(locales)
    p = run([hf, "--plugin-path", plugins / "bad-provider", "inference", "--provider", "bad", "--model", "m", "--json", "--task", "feature-extraction",
             "--text", "x"], env, cwd=home)
    said = f"{name}: exit {p.returncode}: {p.stdout[-200:]}{p.stderr[-300:]}"
    may_fail = LIMITS if at == "load" else MAY_FAIL_AT_WORK
    if p.returncode == "does not end" or (p.returncode and way not in may_fail):
        yield f"{said}: fails"
    elif p.returncode == 0 and way not in MAY_FAIL_AT_WORK and "0.25" not in p.stdout:
        yield f"{said}: another answer"


def main():
    global hub
    hub = Hub(build / "bin")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="hf-meddle-") as folder:
        work = pathlib.Path(folder)
        locales = german(work)
        if not locales:
            print("no sources of locales here: the decimal comma is not looked at")
        hub.add_files("m/meddle", FILES, "--lfs-threshold", "100000")
        jobs = [(download, kind, way, at, locales) for kind, place in (("transfer", "run"), ("storage", "ingest"), ("storage", "publish"))
                for way in WAYS for at in ("load", place) if not (at == "load" and place == "publish")]
        jobs += [(download, "transfer", "nothing", "run", locales, True)]
        jobs += [(infer, way, at, locales, server.server_port) for way in WAYS for at in ("load", "hook")]
        jobs += [(without_descriptors,)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda job: list(job[0](work, *job[1:])), jobs):
                problems.extend(found)
    hub.close()
    for line in problems:
        print(line)
    print(json.dumps({"runs": len(jobs), "problems": len(problems)}))
    sys.exit(bool(problems))


main()
