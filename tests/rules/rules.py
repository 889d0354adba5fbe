#!/usr/bin/env python3
"""Checks the rules of the house on the source tree and on what was built.

rules.py includes|headers|words|symbols|hardening|suppressions|clang|twice --source DIR --build DIR; prints every breach, exit 1 if there is one.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

parser = argparse.ArgumentParser()
parser.add_argument("rule")
parser.add_argument("--source", type=pathlib.Path, required=True)
parser.add_argument("--build", type=pathlib.Path, required=True)
options = parser.parse_args()
source, build = options.source.resolve(), options.build.resolve()
breaches = []


def breach(where, what):
    breaches.append(f"{where}: {what}")


def tracked(*suffixes):
    """Source files of the project, whether or not this is a git checkout."""
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if any(p.startswith("build") or p in (".git", "__pycache__", "out", ".cache") for p in parts):
            continue
        if path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path


# folder -> what its files may include in quotes or angle brackets, beside the C library and its own folder
PUBLIC = re.compile(r"^hf/[a-z]+\.h$")
SYSTEM_ONLY_CORE = {"dlfcn.h", "pthread.h"}
THIRD = {"jansson.h": "jansson", "curl/curl.h": "curl", "microhttpd.h": "microhttpd", "sqlite3.h": "sqlite",
         "lz4.h": "lz4", "lz4frame.h": "lz4", "check.h": "check"}
ALLOWED_THIRD = [("core/src", set()), ("core/net", {"curl", "openssl"}), ("core/include", set()),
                 ("plugins", {"jansson", "lz4", "openssl"}), ("sdk/hub", {"jansson"}), ("sdk/cli", {"jansson"}),
                 ("sdk/check", {"jansson"}), ("sdk/serve", {"microhttpd"}), ("sdk/devhub", {"jansson", "microhttpd", "sqlite", "openssl", "lz4"}),
                 ("examples", set()), ("sdk/include", set()), ("sdk/templates", {"jansson"})]


def includes():
    pattern = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)
    core_private = {p.name for p in (source / "core/src").glob("*.h")}
    for path in tracked(".c", ".h"):
        rel = path.relative_to(source).as_posix()
        area = next((a for a, _ in ALLOWED_THIRD if rel.startswith(a + "/")), None)
        if area is None:
            continue
        allowed = dict(ALLOWED_THIRD)[area]
        for kind, name in pattern.findall(path.read_text(errors="replace")):
            third = THIRD.get(name) or ("openssl" if name.startswith("openssl/") else None)
            if third and third not in allowed:
                breach(rel, f"includes {name}: {area} may not use {third}")
            if ".." in name:
                breach(rel, f"includes {name}: no way out of the folder")
            if area == "plugins":
                if name == "hfcore.h" or (kind == "<" and name.startswith("hf_")) or name in core_private:
                    breach(rel, f"includes {name}: a plugin sees core/include/hf/* only")
                if kind == '"' and not any((d / name).is_file() for d in (path.parent, source / "plugins/storage/posix")):
                    breach(rel, f"includes {name}: not in its own folder")
            if area == "core/include" and kind == '"':
                breach(rel, f"includes {name} in quotes")
            if area in ("sdk/hub", "sdk/cli", "sdk/check", "examples") and name in core_private:
                breach(rel, f"includes {name}: private to core/src")
            if area == "core/src" and name in ("hf_hub.h", "hub.h", "cli.h"):
                breach(rel, f"includes {name}: the core knows nothing of the Hub")
            if area == "examples" and (kind == '"' or PUBLIC.match(name)):
                breach(rel, f"includes {name}: an example uses the embedder's headers")


def headers():
    for path in tracked(".c", ".h"):
        rel = path.relative_to(source).as_posix()
        if rel.startswith("tests/abi/") or rel.startswith("tests/plugins/"):
            continue
        text = path.read_text(errors="replace")
        first = text.split("\n", 3)
        if not text.startswith("/*") or not (first[1].startswith(" *") and first[2].startswith(" *")):
            breach(rel, "does not open with three lines that say what it is")
        lines = text.count("\n")
        if lines > 900 and not rel.startswith("core/include"):
            breach(rel, f"{lines} lines: look for the second thing inside")


BANNED_CALLS = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|tmpnam|mktemp|system|popen)\s*\(")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def words():
    for path in tracked(".c", ".h"):
        rel = path.relative_to(source).as_posix()
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), path.read_text(errors="replace"), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            plain = re.sub(r'"(\\.|[^"\\])*"', '""', line)
            found = BANNED_CALLS.search(plain)
            if found:
                breach(f"{rel}:{number}", f"{found.group(1)}() has no bounds or no errors")
    for path in tracked(".c", ".h", ".py", ".sh", ".txt", ".cmake"):
        rel = path.relative_to(source).as_posix()
        if rel == "tests/rules/rules.py":
            continue
        text = path.read_text(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line):
                breach(f"{rel}:{number}", "unfinished mark")
        if rel.startswith("core/") and re.search(r"huggingface\.co|<jansson\.h>", text):
            breach(rel, "the core knows the Hub or Jansson")


def tool(*command):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        print(f"SKIPPED: {command[0]} is not installed")
        sys.exit(77)


def symbols():
    plugins = sorted((build / "lib/hf/plugins").glob("hf-*.so"))
    if len(plugins) < 5:
        breach(build / "lib/hf/plugins", f"{len(plugins)} plugins, expected five at least")
    for path in plugins:
        defined = [line.split()[-1] for line in tool("nm", "-D", "--defined-only", path).splitlines()]
        if defined != ["hf_plugin_v1"]:
            breach(path.name, f"exports {defined}")
        for line in tool("nm", "-D", "--undefined-only", path).splitlines():
            name = line.split()[-1]
            if name.startswith("hf_"):
                breach(path.name, f"leaves {name} undefined: plugins link nothing of ours")
    library = build / "lib/libhf.so"
    for line in tool("nm", "-D", "--defined-only", library).splitlines():
        name = line.split()[-1]
        if not name.startswith("hf_"):
            breach(library.name, f"exports {name}")
    for module, symbol in (("hf-net.so", "hf_net_v1"), ("hf-serve.so", "hf_front_v1")):
        found = [line.split()[-1] for line in tool("nm", "-D", "--defined-only", build / "lib/hf" / module).splitlines()]
        if found != [symbol]:
            breach(module, f"exports {found}")
    for path in (build / "bin/hf", library):
        needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", tool("readelf", "-dW", path))
        alien = [n for n in needed if not re.match(r"lib(c|m|dl|pthread|jansson|asan|ubsan|tsan|gcc_s|rt)\.so|ld-linux", n)]
        if alien:
            breach(path.name, f"links {alien}: the core links libc only, hf adds Jansson")


def hardening():
    cache = (build / "CMakeCache.txt").read_text()
    if re.search(r"^HF_SANITIZE:\w+=\w+", cache, re.M):
        print("SKIPPED: sanitizer build")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="hf-install-") as place:
        done = subprocess.run(["cmake", "--install", build, "--prefix", place], capture_output=True, text=True)
        if done.returncode:
            breach("cmake --install", done.stderr[-300:])
        installed = [p for p in sorted(pathlib.Path(place).rglob("*")) if p.is_file() and not p.is_symlink() and p.read_bytes()[:4] == b"\x7fELF"]
        kinds = {p.name: p for p in installed}
        for name in ("hf", "hf-net.so", "hf-serve.so", "hf-hub-cache.so", "hf-local-dir.so", "hf-basic.so", "hf-multipart.so", "hf-memory.so", "hf-plugin-check"):
            if name not in kinds:
                breach(name, "is not installed")
        for path in installed:
            hardened(path)
        for path in pathlib.Path(place).rglob("*"):
            if not path.is_symlink() and path.stat().st_mode & 0o022:
                breach(path.relative_to(place), "is installed writable by others")


def hardened(path):
    """One installed program or library. Small plugins may have nothing to fortify; what has buffers on the stack is guarded."""
    dynamic, program = tool("readelf", "-dW", path), tool("readelf", "-lW", path)
    if not re.search(r"\(FLAGS\).*BIND_NOW|\(BIND_NOW\)|FLAGS_1.*NOW", dynamic) or "GNU_RELRO" not in program:
        breach(path.name, "no full RELRO")
    if re.search(r"GNU_STACK.*RWE", program) or "GNU_STACK" not in program:
        breach(path.name, "executable stack")
    if re.search(r"LOAD.*RWE", program):
        breach(path.name, "a segment is writable and executable")
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        breach(path.name, "has an RPATH")
    if "TEXTREL" in dynamic:
        breach(path.name, "has text relocations")
    if "DYN" not in tool("readelf", "-hW", path):
        breach(path.name, "not position independent")
    names = tool("nm", "-D", "--undefined-only", path)
    large = path.stat().st_size > 60000
    if large and "__stack_chk_fail" not in names:
        breach(path.name, "no stack protector")
    buffers = path.name in ("hf", "hf-net.so", "hf-plugin-check") or path.name.startswith("libhf.so")
    if buffers and not re.search(r"__\w+_chk\b", names.replace("__stack_chk_fail", "")):
        breach(path.name, "not fortified")
    commands = (build / "compile_commands.json").read_text()
    for flag in ("_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-fPIC", "-ffile-prefix-map=") + (("-fstack-clash-protection",) if "clang" not in commands[:400] else ()):
        if path.name == "hf" and commands.count(flag) < 100:
            breach("compile_commands.json", f"{flag} is not given")
    if source.as_posix().encode() in path.read_bytes():
        breach(path.name, "holds the path of the source folder")


def twice():
    """The same source in two folders gives the same bytes."""
    cache = (build / "CMakeCache.txt").read_text()
    if re.search(r"^HF_SANITIZE:\w+=\w+", cache, re.M):
        print("SKIPPED: sanitizer build")
        sys.exit(77)
    sums = []
    with tempfile.TemporaryDirectory(prefix="hf-twice-") as place:
        trees = [pathlib.Path(place, name, "src") for name in ("one", "another/deeper")]
        for tree in trees:  # both before the first is built: somebody may be editing
            shutil.copytree(source, tree, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__", "out"), symlinks=True)
        for tree in trees:
            out = tree.parent / "out"
            for command in (["cmake", "-G", "Ninja", "-S", tree, "-B", out, "-DHF_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Release"],
                            ["cmake", "--build", out, "--parallel", "2"], ["cmake", "--install", out, "--prefix", tree.parent / "usr"]):
                done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CCACHE_DISABLE": "1", "SOURCE_DATE_EPOCH": "1700000000"})
                if done.returncode:
                    breach(tree, (done.stdout + done.stderr)[-800:])
                    return
            root = tree.parent / "usr"
            sums.append({p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file() and not p.is_symlink()})
    print(f"{len(sums[0])} installed files")
    for name in sorted(sums[0].keys() | sums[1].keys()):
        if sums[0].get(name) != sums[1].get(name):
            breach(name, "differs between two build folders")


def suppressions():
    """No report of a sanitizer about our own code is waved through."""
    for path in tracked():
        rel = path.relative_to(source).as_posix()
        if path.name.endswith(".supp") or "suppressions" in path.name:
            for line in path.read_text(errors="replace").splitlines():
                if re.search(r"\bhf_|hf-|libhf|core/|sdk/|plugins/", line) and not line.lstrip().startswith("#"):
                    breach(rel, f"waves our own code through: {line.strip()}")
        elif path.suffix in (".c", ".h") and re.search(r"no_sanitize|__tsan_default_suppressions|NOLINT", path.read_text(errors="replace")):
            breach(rel, "switches a sanitizer off")


def clang():
    """The other compiler has nothing to say about what gcc builds: every file, without code being made."""
    compiler = next((c for c in ("clang", "clang-14", "clang-16", "clang-19") if shutil.which(c)), None)
    if not compiler:
        print("SKIPPED: no clang")
        sys.exit(77)
    known = subprocess.run([compiler, "-fsyntax-only", "-fstack-clash-protection", "-Werror", "-x", "c", "/dev/null"], capture_output=True)

    def check(entry):
        words = [w.replace("\\$", "$") for w in shlex.split(entry["command"]) if not w.endswith("ccache")][1:]
        if known.returncode:
            words = [w for w in words if w != "-fstack-clash-protection"]
        words = words[:words.index("-o")] + words[words.index("-c"):]
        run = subprocess.run([compiler, "-fsyntax-only", "-Wno-unused-command-line-argument", *words], cwd=entry["directory"], capture_output=True, text=True)
        return entry["file"], run
    entries = json.loads((build / "compile_commands.json").read_text())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, run in pool.map(check, entries):
            if run.returncode:
                breach(path, run.stderr.strip().splitlines()[0] if run.stderr else f"exit {run.returncode}")
    print(f"{len(entries)} files")


rules = {"includes": includes, "headers": headers, "words": words, "symbols": symbols, "hardening": hardening, "twice": twice,
         "suppressions": suppressions, "clang": clang}
if options.rule not in rules:
    sys.exit(f"unknown rule {options.rule}")
rules[options.rule]()
for line in breaches:
    print(line)
print(f"rules.{options.rule}: {len(breaches)} breaches")
sys.exit(1 if breaches else 0)
