"""From strace's record of one command to the file system operations that a power cut can tear apart.

Directories, files and links are numbered nodes; an operation on names is a list of (folder, name, node or None), an operation
on content belongs to a node. Both carry when they began and ended, because only what ended before a flush began is flushed.
"""
import os
import pathlib
import re

CALLS = ("openat,openat2,open,creat,close,dup,dup2,dup3,fcntl,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,"
         "copy_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,"
         "fsync,fdatasync,sync,syncfs,ioctl")
STRACE = ["strace", "-f", "-qq", "--seccomp-bpf", "-xx", "-y", "-s", "8388608", "-e", "trace=" + CALLS]
LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(?:<((?:\\x[0-9a-f]{2})*)>)?.*$", re.S)
HEAD = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$", re.S)
TAIL = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$", re.S)
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
FD = re.compile(r"^(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*)>)?")


def plain(text):
    return bytes.fromhex(text.replace("\\x", "")) if text is not None else None


def name_of(text):
    return os.fsdecode(plain(text)) if text is not None else None


class Node:
    def __init__(self, kind, target=None, content=b""):
        self.kind, self.target = kind, target  # "dir", "file", "link"
        self.entries = {}  # of a dir: name -> node, as they are on the live system
        self.content = bytearray(content)  # of a file, live
        self.start = bytes(content)  # what is durable from before
        self.data = []  # (ended, offset, bytes) or (ended, size, None) for a truncation


class Recording:
    """What happened below `top`. names: [(ended, [(dir, name, node|None)...])]; flushes: [(began, ended, node|None, whole)]."""

    def __init__(self, top, trace):
        self.top = pathlib.Path(top)
        self.names, self.flushes, self.fds = [], [], {}
        self.root = self.scan(self.top)
        self.first = {id(n): dict(n.entries) for n in self.walk(self.root)}
        begun, self.end = {}, 0
        for at, line in enumerate(pathlib.Path(trace).read_text().splitlines()):
            self.end = at + 1
            head, tail = HEAD.match(line), TAIL.match(line)
            began = at
            if head:
                begun[head.group(1)] = (at, head.group(2))
                closing = re.match(r"close\((\d+)", head.group(2))
                if closing:  # its number may be given to another thread before this one is told
                    self.fds.pop(int(closing.group(1)), None)
                continue
            if tail:
                began, text = begun.pop(tail.group(1))
                if text.startswith("close("):
                    continue
                line = f"{tail.group(1)} {text}{tail.group(2)}"
            found = LINE.match(line)
            if found and found.group(4) not in ("?",) and int(found.group(4)) >= 0:
                self.call(began, at, found.group(2), found.group(3), int(found.group(4)), name_of(found.group(5)))

    def scan(self, path):
        if path.is_symlink():
            return Node("link", os.readlink(path))
        if path.is_dir():
            node = Node("dir")
            node.entries = {p.name: self.scan(p) for p in path.iterdir()}
            return node
        return Node("file", content=path.read_bytes())

    def walk(self, node):
        yield node
        for child in node.entries.values():
            yield from self.walk(child)

    # ---- names

    def look(self, path):
        """(folder, name, node) of an absolute path below top; None when it is not below."""
        try:
            parts = pathlib.PurePosixPath(path).relative_to(self.top).parts
        except ValueError:
            return None
        node = self.root
        for part in parts[:-1]:
            node = node.entries.get(part)
            if node is None or node.kind != "dir":
                return None
        return (node, parts[-1], node.entries.get(parts[-1])) if parts else (None, "", self.root)

    def at(self, args, i):
        """The path that the arguments i (a folder's descriptor) and i+1 (a name) spell."""
        fd, name = FD.match(args[i]), name_of(STRING.match(args[i + 1]).group(1))
        return os.path.normpath(os.path.join(name_of(fd.group(2)) or "/", name))

    def change(self, ended, *changes):
        for folder, name, node in changes:
            if node is None:
                folder.entries.pop(name, None)
            else:
                folder.entries[name] = node
        self.names.append((ended, list(changes)))

    def add(self, ended, path, node):
        found = self.look(path)
        if found and found[0] is not None:
            self.change(ended, (found[0], found[1], node))

    def move(self, ended, a, b, keep=False):
        source, target = self.look(a), self.look(b)
        if source and target and source[2] is not None and source[2] is not target[2]:
            drop = [] if keep else [(source[0], source[1], None)]
            self.change(ended, (target[0], target[1], source[2]), *drop)

    # ---- content

    def put(self, ended, node, offset, data):
        if len(node.content) < offset + len(data):
            node.content.extend(bytes(offset + len(data) - len(node.content)))
        node.content[offset:offset + len(data)] = data
        node.data.append((ended, offset, bytes(data)))

    def cut(self, ended, node, size):
        del node.content[size:]
        node.content.extend(bytes(size - len(node.content)))
        node.data.append((ended, size, None))

    def node_of(self, arg):
        fd = FD.match(arg)
        return self.fds.get(int(fd.group(1)), (None, 0))[0] if fd and fd.group(1) != "AT_FDCWD" else None

    def call(self, began, ended, call, text, result, path):
        args = re.split(r", (?![^\[{]*[\]}])", text)
        if call in ("open", "openat", "openat2", "creat"):
            found = self.look(path) if path else None
            node = found[2] if found else None
            if found and found[0] is not None and node is None and ("O_CREAT" in text or call == "creat"):
                node = Node("file")
                self.change(ended, (found[0], found[1], node))
            elif node is not None and node.kind == "file" and "O_TRUNC" in text and node.content:
                self.cut(ended, node, 0)
            self.fds[result] = [node, len(node.content) if node and "O_APPEND" in text else 0]
        elif call in ("dup", "dup2", "dup3") or (call == "fcntl" and "F_DUPFD" in text):
            self.fds[result] = self.fds.get(int(FD.match(args[0]).group(1)), [None, 0])
        elif call == "close":
            self.fds.pop(int(FD.match(args[0]).group(1)), None)
        elif call in ("write", "writev", "pwrite64", "pwritev", "pwritev2"):
            node = self.node_of(args[0])
            if node is None or node.kind != "file":
                return
            data = b"".join(plain(s) for s in STRING.findall(text))[:result]
            entry = self.fds[int(FD.match(args[0]).group(1))]
            if call.startswith("p"):
                offset = int(args[-1] if call != "pwritev2" else args[-2])
            else:
                offset = entry[1]
                entry[1] += result
            self.put(ended, node, offset, data)
        elif call == "ftruncate":
            node = self.node_of(args[0])
            if node is not None and int(args[1]) != len(node.content):
                self.cut(ended, node, int(args[1]))
        elif call == "copy_file_range" or (call == "ioctl" and "FICLONE" in text):
            source, target = (self.node_of(args[0]), self.node_of(args[2])) if call != "ioctl" else (self.node_of(args[2]),
                                                                                                self.node_of(args[0]))
            if target is not None and source is not None:
                self.put(ended, target, 0, source.content)
        elif call == "rename":
            self.move(ended, *(name_of(s) for s in STRING.findall(text)))
        elif call in ("renameat", "renameat2"):
            self.move(ended, self.at(args, 0), self.at(args, 2))
        elif call == "linkat":
            self.move(ended, self.at(args, 0), self.at(args, 2), keep=True)
        elif call == "symlinkat":
            self.add(ended, self.at(args, 1), Node("link", name_of(STRING.match(args[0]).group(1))))
        elif call == "symlink":
            target, where = (name_of(s) for s in STRING.findall(text))
            self.add(ended, where, Node("link", target))
        elif call in ("mkdir", "mkdirat", "unlink", "rmdir", "unlinkat"):
            where = self.at(args, 0) if call.endswith("at") else name_of(STRING.match(args[0]).group(1))
            self.add(ended, where, Node("dir") if call.startswith("mkdir") else None)
        elif call in ("fsync", "fdatasync"):
            node = self.node_of(args[0])
            if node is not None:
                self.flushes.append((began, ended, node, call == "fsync"))
        elif call in ("sync", "syncfs"):
            self.flushes.append((began, ended, None, True))
