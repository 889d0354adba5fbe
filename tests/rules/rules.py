#!/usr/bin/env python3
"""Checks the rules of the house on the source tree and on what was built.

rules.py includes|headers|words|symbols|hardening --source DIR --build DIR; prints every breach, exit 1 if there is one.
"""
import argparse
import pathlib
import re
import subprocess
import sys

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
                 ("sdk/check", {"jansson"}), ("sdk/devhub", {"jansson", "microhttpd", "sqlite", "openssl", "lz4"}),
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
    net = [line.split()[-1] for line in tool("nm", "-D", "--defined-only", build / "lib/hf/hf-net.so").splitlines()]
    if net != ["hf_net_v1"]:
        breach("hf-net.so", f"exports {net}")
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
    files = [build / "bin/hf", build / "lib/libhf.so", build / "lib/hf/hf-net.so"]
    files += sorted((build / "lib/hf/plugins").glob("hf-*.so"))
    for path in files:
        dynamic, program = tool("readelf", "-dW", path), tool("readelf", "-lW", path)
        if not re.search(r"\(FLAGS\).*BIND_NOW|\(BIND_NOW\)|FLAGS_1.*NOW", dynamic):
            breach(path.name, "not bound at start (-z now)")
        if "GNU_RELRO" not in program:
            breach(path.name, "no RELRO")
        if re.search(r"GNU_STACK.*RWE", program):
            breach(path.name, "executable stack")
        if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
            breach(path.name, "has an RPATH")
    if "DYN" not in tool("readelf", "-hW", build / "bin/hf"):
        breach("hf", "not position independent")
    names = tool("nm", "-D", "--undefined-only", build / "bin/hf")
    if "__stack_chk_fail" not in names:
        breach("hf", "no stack protector")
    if not re.search(r"__\w+_chk\b", names.replace("__stack_chk_fail", "")):
        breach("hf", "not fortified")


rules = {"includes": includes, "headers": headers, "words": words, "symbols": symbols, "hardening": hardening}
if options.rule not in rules:
    sys.exit(f"unknown rule {options.rule}")
rules[options.rule]()
for line in breaches:
    print(line)
print(f"rules.{options.rule}: {len(breaches)} breaches")
sys.exit(1 if breaches else 0)
