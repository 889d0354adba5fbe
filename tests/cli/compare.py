#!/usr/bin/env python3
"""Runs the reference client and ours with the same command lines against one local Hub and prints what differs.

compare.py --bin build/bin [--reference /path/to/hf] [--only WORD] [--every N --seed S] [--show] [--lines FILE]; HF_REFERENCE names the
reference's hf too. Exit 1: differences, 77: the reference is not there. Command lines are in lines.txt: those marked
"local" need no Hub, "hub" ones run against hf-devhub with a few small repos, "pair" ones against a Hub for each client: several
commands joined by "&&", signed in, whose requests and token files are compared too. "send" ones are pairs on hubs of their own and a
folder with things to upload; there bodies, some headers and what is left in the folder are compared as well, without Xet.
Each line starts in a folder of its own.
"""
import difflib
import json
import pathlib
import re
import shutil
import sys
import tempfile

from clients import TINY, TOKEN, Clients, Hub, Pair, arguments, clean_environment, fill, no_commits, normal, split

options = arguments("lines.txt")
clients = Clients(options)


def run(program, words, extra, url):
    where = pathlib.Path(tempfile.mkdtemp(prefix="hf-compare-"))
    (where / "work").mkdir()
    env = clean_environment(where, url or "http://127.0.0.1:9", **extra)
    if "COLUMNS" not in extra:
        env.pop("COLUMNS")
    code, *texts = clients.run(program, words, where / "work", env)
    out, err = (normal(text, where, url) for text in texts)
    shutil.rmtree(where, ignore_errors=True)
    return code, out, err


def things(folder):
    """Something of every kind that can be uploaded, or not."""
    files = {"w/README.md": "---\nlicense: mit\n---\n# W\n", "w/a.txt": "a\n", "w/sub/b.txt": "b\n", "w/sub/deep/c.bin": "0123456789" * 2000,
             "w/empty.txt": "", "w/big.safetensors": "x" * 300000, "g/.gitignore": "*.log\nout/\n", "g/keep.txt": "k", "g/x.log": "l",
             "g/out/y.bin": "y" * 3000, "g/.git/config": "c", "g/.cache/huggingface/z": "z", "g/sub/.cache/huggingface/z": "z",
             "l/real.txt": "r", "l/to/in.txt": "i", "names/a b.txt": "1", "names/\u00fc.txt": "2", "names/q?.txt": "3", "names/x%20y": "4",
             "names/it's \"x\".txt": "5", "names/new\nline": "6", "names/tab\t": "7", "bad/README.md": "---\nlicense: [\n---\n", "bad/x.txt": "x",
             "warn/README.md": "# No metadata\n", "d.parquet": "PAR1", "one.txt": "one\n", "tiny/t.txt": "t", "git/.git/x": "x",
             "same/config.json": TINY["config.json"], "same/sub/a.txt": "a\n", "star[1].txt": "s", "logs/1.log": "1", "logs/2.txt": "2"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "none").mkdir()
    (folder / "l/link.txt").symlink_to("real.txt")
    (folder / "l/folder").symlink_to("to")
    (folder / "broken").mkdir()
    (folder / "broken/link").symlink_to("nothing")
    (folder / "link").symlink_to("w")


def told(row):
    """What a request said, as far as both should say the same."""
    path, _, query = row["path"].partition("?")
    kept = {k: row["headers"].get(k) for k in ("accept", "content-type", "range") if row["headers"].get(k) not in (None, "*/*")}
    if row["origin"] == "cdn":
        query = "signed"
    try:
        body = [json.loads(text) for text in row.get("body", "").splitlines()]
    except ValueError:
        body = row.get("body")
    return [row["method"], path, query, row["token"], row["status"], kept, body or row["body_size"]]


def left(folder):
    return sorted((str(p.relative_to(folder)), p.is_symlink() or (p.read_bytes() if p.is_file() else "")) for p in folder.rglob("*"))


def without_bars(result):
    """What docs/differences.md tells of: bars of single files, a card that is judged twice. Files at once come in any order."""
    codes, out, err, asked, files = result
    err = "\n".join(t for t in re.split(r"[\r\n]+", err) if not re.search(r"(: \.\.\.|B/s\])$", t))
    rows = [r for i, r in enumerate(asked) if not (r[1] == "/api/validate-yaml" and r in asked[:i])]
    at = [i for i, r in enumerate(rows) if r[2] == "signed" or r[1].endswith("/verify")]
    for i, row in zip(at, sorted((rows[i] for i in at), key=json.dumps)):
        rows[i] = row
    return codes, out, err, rows, files


def changes(theirs, ours):
    """Where two lists of requests differ, long rows cut around the first difference."""
    texts = [[json.dumps(r) for r in rows] for rows in (theirs, ours)]
    for line in difflib.unified_diff(*texts, "reference", "ours", lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            yield "    " + (line if len(line) < 700 else line[:500] + " ... " + line[-200:])


def session(program, hub, line, send=False):
    """What the commands of a line print, ask for and leave behind."""
    where = pathlib.Path(tempfile.mkdtemp(prefix="hf-compare-"))
    (where / "work").mkdir()
    hub.reset()
    codes, outs, errs = [], [], []
    if send:
        things(where / "work")
    for part in line.split(" && "):
        words, extra = split(part)
        extra = {"HF_TOKEN": TOKEN, **({"HF_HUB_DISABLE_XET": "1"} if send else {}), **extra}
        typed = extra.pop("STDIN", "").replace("\\n", "\n")
        code, *texts = clients.run(program, words, where / "work", clean_environment(where, hub.url, **extra), typed)
        codes.append(code)
        for all_of, text in zip((outs, errs), texts):
            all_of.append(no_commits(normal(text, where, hub.url)))
    files = {n: (oct(p.stat().st_mode & 0o777), p.read_text().replace(hub.url, "{hub}"))
             for n in ("token", "stored_tokens") if (p := where / "hf" / n).exists()}
    rows = [r for r in hub.log() if r["path"] != "/api/agent-harnesses"]
    asked = [f"{r['method']} {r['path']}" for r in rows]
    if send:
        asked = no_commits(json.dumps([told(r) for r in rows])).replace(hub.url, "{hub}")
        asked = json.loads(asked)
        files.update(left=left(where / "work"))
    shutil.rmtree(where, ignore_errors=True)
    return codes, "".join(outs), "".join(errs), asked, files


def compare_pair(line, pair, send=False):
    theirs = session(clients.theirs, pair.hubs[0], line, send)
    ours = session(clients.ours, pair.hubs[1], line, send)
    if send:
        theirs, ours = without_bars(theirs), without_bars(ours)
    problems = [f"  {what}\n    reference {its!r}\n    ours      {mine!r}"
                for what, mine, its in zip(("exit codes", "stdout", "stderr", "requests", "files"), ours, theirs)
                if (mine != its or options.show) and not (send and what == "requests")]
    if send and theirs[3] != ours[3]:
        problems.append("  requests\n" + "\n".join(changes(theirs[3], ours[3])))
    if problems:
        print(f"$ hf {line}\n" + "\n".join(problems))
    return bool(problems)


def compare(line, words, extra, url):
    theirs = run(clients.theirs, words, extra, url)
    ours = run(clients.ours, words, extra, url)
    problems = []
    for what, mine, its in zip(("exit code", "stdout", "stderr"), ours, theirs):
        if what == "stdout" and ("version" in line or line.startswith("-v")):
            mine, its = (re.sub(r"\d+\.\d+\.\d+", "VERSION", t) for t in (mine, its))
        if mine != its or options.show:
            problems.append(f"  {what}\n    reference {its!r}\n    ours      {mine!r}")
    if problems:
        print(f"$ hf {line}\n" + "\n".join(problems))
    return bool(problems)


def main():
    hub = pair = None
    if (options.bin / "hf-devhub").exists():
        hub = Hub(options.bin)
        fill(hub)
    else:
        print("SKIPPED: the lines that need hf-devhub, which is not built")
    counts = [0, 0]
    try:
        for number, text in enumerate(options.lines.read_text().splitlines()):
            if (number + options.seed) % options.every:
                continue
            kind, _, line = text.partition(" ")
            if not kind or kind.startswith("#") or options.only not in text or (kind != "local" and not hub):
                continue
            counts[0] += 1
            if kind == "send":
                own = Pair(options)
                counts[1] += compare_pair(line, own, True)
                own.close()
                continue
            if kind == "pair":
                pair = pair or Pair(options)
                counts[1] += compare_pair(line, pair)
                continue
            words, extra = split(line)
            counts[1] += compare(line, words, extra, hub.url if kind == "hub" else None)
    finally:
        for each in (hub, pair):
            if each:
                each.close()
    print(f"{counts[0]} command lines, {counts[1]} different")
    return 1 if counts[1] and not options.show else 0


sys.exit(main())
