#!/usr/bin/env python3
"""Proves that nothing of a refused file runs: its constructor would make a marker file, however the rest of it is broken.

early.py BUILD SOURCE. One plugin with a constructor is compiled and then broken in every way a file can show: cut at each boundary of its
headers, another class, machine, byte order, type or ABI, no note; then it lies in places that are not to be trusted. Each is listed,
read, judged and asked for; the marker must never appear, and each must be refused in words.
"""
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-early-", dir="/var/tmp" if os.geteuid() == 0 else None))
os.chmod(work, 0o755)
marker = work / "marker"
problems, tried = [], 0

code = work / "early.c"
code.write_text(f'''#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor, visibility("hidden"))) void early(void); void early(void) {{ int fd = open("{marker}", O_CREAT | O_WRONLY, 0600); if (fd >= 0) close(fd); }}
#include "{source}/tests/plugins/good.c"
''')


def compile_to(out, *more):
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", f"-I{source}/core/include", f"-I{source}/sdk/templates", *more, "-o", out, code], check=True)
    return out.read_bytes()


plain = compile_to(work / "hf-good.so")
# The marker must be able to appear: a loader that looks at nothing runs the constructor.
subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL('{work}/hf-good.so')"], check=True)
if not marker.exists():
    sys.exit("the constructor does not run even when the file is opened: the test is not testing")
marker.unlink()
(work / "hf-good.so").unlink()

phoff, shoff = struct.unpack_from("<QQ", plain, 32)
phentsize, phnum, shentsize, shnum = struct.unpack_from("<HHHH", plain, 54)
bounds = {0, 1, 4, 16, 20, 24, 32, 40, 52, 63, 64, phoff, phoff + phentsize - 1, len(plain) - 1, shoff, shoff + shentsize, shoff + shentsize * shnum - 1}
for i in range(phnum):
    kind, flags, offset, vaddr, paddr, filesz, memsz, align = struct.unpack_from("<IIQQQQQQ", plain, phoff + i * phentsize)
    bounds |= {phoff + i * phentsize, offset, offset + filesz // 2, max(0, offset + filesz - 1)}


def patched(at, value):
    return plain[:at] + bytes(value) + plain[at + len(value):]


note = plain.index(b"HFPL\0")
files = {f"cut at {n}": plain[:n] for n in sorted(b for b in bounds if b < len(plain))}
files |= {"as it is": plain, "class 32": patched(4, [1]), "big endian": patched(5, [2]), "version 0": patched(6, [0]), "OS ABI 9": patched(7, [9]), "type REL": patched(16, [1, 0]),
          "type EXEC": patched(16, [2, 0]), "type CORE": patched(16, [4, 0]), "machine ARM": patched(18, [183, 0]), "machine 386": patched(18, [3, 0]), "no program headers": patched(56, [0, 0]),
          "65535 program headers": patched(56, [255, 255]), "header size 1": patched(54, [1, 0]), "program headers beyond": patched(32, [255] * 8), "sections beyond": patched(40, [255] * 7 + [127]),
          "note of another": patched(note, b"XXPL"), "note type 9": patched(note - 4, [9]), "note of huge name": patched(note - 12, [255] * 4), "note of huge size": patched(note - 8, [255] * 4),
          "another ABI": patched(note + 8, [9, 0]), "another data model": patched(note + 12, [255] * 4), "text": b"#!/bin/sh\ntouch marker\n", "empty": b"",
          "program": pathlib.Path(build / "bin/hf").read_bytes(), "archive": b"!<arch>\n" + bytes(500)}
files |= {"row size 1": patched(note + 16, [1, 0, 0, 0]), "row size huge": patched(note + 16, [255] * 4), "no rows in the note": patched(note + 20, [0] * 4),
          "a billion rows in the note": patched(note + 20, [0, 0, 0, 64]), "plugin name without an end": patched(note + 24, b"a" * 32), "version without an end": patched(note + 56, b"1" * 24),
          "module name without an end": patched(note + 96, b"a" * 32), "module name with a slash": patched(note + 96, b"../x\0"), "module of unknown kind": patched(note + 80, [99]),
          "no section headers": plain[:40] + bytes(8) + plain[48:60] + bytes(4) + plain[64:], "section headers of size 0": patched(58, [0, 0])}
compile_to(work / "x.so", "-nostartfiles")
files["a constructor and nothing of the compiler's"] = (work / "x.so").read_bytes()
compile_to(work / "x.so", "-nostartfiles", "-Wl,-init=early")
files["a constructor and an initialiser"] = (work / "x.so").read_bytes()
compile_to(work / "x.so", "-Wl,-z,execstack")
files["executable stack"] = (work / "x.so").read_bytes()
compile_to(work / "x.so", "-DBAD_NO_NOTE")
files["no note"] = (work / "x.so").read_bytes()
compile_to(work / "x.so", "-DBAD_EXPORT")
files["two symbols"] = (work / "x.so").read_bytes()
compile_to(work / "x.so", "-Wl,-rpath,.")
files["relative search path"] = (work / "x.so").read_bytes()
(work / "x.so").unlink()
base_env = {"PATH": os.environ["PATH"], "HOME": str(work / "home"), "HF_HOME": str(work / "home"), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
(work / "home").mkdir()


def ask(name, folder, file, expect_listed=True):
    global tried
    tried += 1
    env = {**base_env, "HF_PLUGIN_PATH": str(folder)}
    words = ""
    for command in (["plugin", "list"], ["plugin", "list", "--json"], ["download", "a/b", "--transfer", "good"], ["good", "echo"], ["plugin", "info", "good"]):
        r = subprocess.run([build / "bin/hf", *command], env=env, capture_output=True, timeout=30)
        if r.returncode < 0:
            problems.append(f"{name}: {command} ended by signal {-r.returncode}")
        if command == ["plugin", "list", "--json"]:
            words = (r.stdout + r.stderr).decode(errors="replace")
    r = subprocess.run([build / "bin/hf-plugin-check", "--json", file], env=env, capture_output=True, timeout=60)
    if r.returncode == 0:
        problems.append(f"{name}: the judge is content")
    if marker.exists():
        problems.append(f"{name}: its code ran")
        marker.unlink()
    if expect_listed and "refused" not in words and file.name not in words:
        problems.append(f"{name}: not listed as refused: {words[:200]}")


for name, content in files.items():
    folder = work / "place"
    folder.mkdir(mode=0o755)
    file = folder / "hf-good.so"
    file.write_bytes(content)
    file.chmod(0o755)
    ask(name, folder, file)
    shutil.rmtree(folder)

# a good file (no constructor) in places that others can change, and names that lead in circles
for name, prepare in {"world-writable file": lambda d, f: f.chmod(0o777), "world-writable folder": lambda d, f: d.chmod(0o777), "link to itself": lambda d, f: (f.unlink(), os.symlink(f.name, f)),
                      "links in a circle": lambda d, f: (f.unlink(), os.symlink("hf-b.so", f), os.symlink(f.name, d / "hf-b.so")), "link to nothing": lambda d, f: (f.unlink(), os.symlink("/nowhere", f)),
                      "FIFO": lambda d, f: (f.unlink(), os.mkfifo(f)), "folder": lambda d, f: (f.unlink(), f.mkdir()), "link to a device": lambda d, f: (f.unlink(), os.symlink("/dev/zero", f)),
                      "link out to a writable place": lambda d, f: (shutil.move(f, work / "open.so"), (work / "open.so").chmod(0o777), os.symlink(work / "open.so", f))}.items():
    folder = work / "place"
    folder.mkdir(mode=0o755)
    file = folder / "hf-good.so"
    file.write_bytes(plain)
    file.chmod(0o755)
    prepare(folder, file)
    ask(name, folder, file, expect_listed=False)
    shutil.rmtree(folder)
    (work / "open.so").unlink(missing_ok=True)
shutil.rmtree(work, ignore_errors=True)
for line in problems:
    print(line)
print(f"plugin.early: {tried} files, {len(problems)} problems")
sys.exit(1 if problems or tried < 25 else 0)
