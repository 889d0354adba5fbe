"""hf xet hash, chunks, inspect: what they print of files, pipes, xorbs and shards, and what they say of what is none.

The xorbs and shards are made here, byte by byte; hashes of files are those of vectors-made.txt. HF_PROGRAM is the hf under test.
"""
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HF = os.environ["HF_PROGRAM"]
HERE = pathlib.Path(__file__).resolve().parent
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
BOOKEND = b"\xff" * 32 + bytes(16)


def chunk(data, scheme=0, raw=None):
    return struct.pack("<I", len(data) << 8) + struct.pack("<I", (len(data) if raw is None else raw) << 8 | scheme) + data


def text(raw):
    return b"".join(raw[i:i + 8][::-1] for i in range(0, 32, 8)).hex()


class Tasks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="xet-tasks-")
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)

    def hf(self, *arguments, code=0, stdin=b"", limit=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | {"HOME": self.folder.name, "HF_HOME": self.folder.name, "COLUMNS": "60"}
        before = (lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) if limit else None
        done = subprocess.run([HF, "xet", *map(str, arguments)], input=stdin, capture_output=True, env=env, timeout=120, preexec_fn=before)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        if code:
            self.assertEqual(done.stdout, b"")
            return done.stderr.decode()
        return done.stdout.decode()

    def write(self, name, data):
        (self.at / name).write_bytes(data)
        return self.at / name

    def test_files_and_pipes(self):
        zeros = bytes(1048577)
        want = next(line.split()[2] for line in (HERE / "vectors-made.txt").read_text().splitlines() if line.startswith("file const:1048577:0 "))
        path = self.write("zeros", zeros)
        rows = json.loads(self.hf("hash", path, "-", self.write("empty", b""), "--json", stdin=zeros))
        self.assertEqual([(r["hash"], r["size"], r["chunks"]) for r in rows], [(want, 1048577, 9)] * 2 + [("0" * 64, 0, 0)])
        self.assertIn(want, self.hf("hash", path))  # whole, however narrow the terminal is
        self.assertEqual(self.hf("hash", "-q", path), want + "\n")
        rows = json.loads(self.hf("chunks", "-", "--json", stdin=zeros))
        self.assertEqual([(r["offset"], r["length"]) for r in rows], [(i * 131072, 131072) for i in range(8)] + [(1048576, 1)])
        self.assertEqual(len({r["hash"] for r in rows}), 2)
        self.assertIn(rows[0]["hash"], self.hf("chunks", path))

    def test_chunks_are_shown_as_they_come(self):
        """Who lists the chunks of a pipe sees the first before the pipe ends."""
        running = subprocess.Popen([HF, "xet", "chunks", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(64):
            running.stdin.write(bytes(1 << 20))
        running.stdin.flush()
        first = os.read(running.stdout.fileno(), 60)  # with nothing shown this would wait for ever
        self.assertTrue(first.startswith(b"[{"), first)
        threading.Thread(target=running.stdin.close).start()
        rest = running.stdout.read()
        running.stdout.close()
        self.assertEqual(running.wait(60), 0)
        self.assertEqual(len(json.loads(first + rest)), 512)

    def test_sparse(self):
        with open(self.at / "sparse", "wb") as f:
            f.truncate(1 << 30)
        limit = None if os.environ.get("HF_TEST_SANITIZED") else 512 << 20
        [row] = json.loads(self.hf("hash", self.at / "sparse", "--json", limit=limit))
        self.assertEqual((row["size"], row["chunks"]), (1 << 30, 8192))

    def test_no_file(self):
        self.assertIn("No such file", self.hf("hash", self.at / "nothing", code=1))
        self.assertIn("Is a directory", self.hf("chunks", self.at, code=1))
        self.assertIn("No such file", self.hf("inspect", self.at / "nothing", code=1))
        self.assertIn("empty", self.hf("inspect", self.write("empty", b""), code=1))
        self.hf("hash", "--nothing", code=2)
        self.hf("chunks", "a", "b", code=2)

    def test_xorb(self):
        parts = [b"a" * 9000, bytes(range(256)) * 40, b"z"]
        xorb = b"".join(map(chunk, parts))
        got = json.loads(self.hf("inspect", self.write("xorb", xorb), "--json"))
        self.assertEqual((got["kind"], got["chunk_count"], got["size"], got["stored"], got["footer"]), ("xorb", 3, 19241, len(xorb), False))
        self.assertEqual([(c["offset"], c["length"], c["at"], c["stored"], c["scheme"]) for c in got["chunks"]],
                         [(0, 9000, 0, 9000, "none"), (9000, 10240, 9008, 10240, "none"), (19240, 1, 19256, 1, "none")])
        self.assertEqual(got, json.loads(self.hf("inspect", "-", "--json", stdin=xorb)))
        self.assertTrue(json.loads(self.hf("inspect", "-", "--json", stdin=xorb + b"XETBLOB\1"))["footer"])
        self.assertIn(got["hash"], self.hf("inspect", self.at / "xorb"))
        for size in (1, 7, 8, 9, 9007, 9010, len(xorb) - 1):
            self.assertIn("no sound xorb", self.hf("inspect", "-", code=1, stdin=xorb[:size]))
        for at, byte in ((0, 1), (3, 255), (4, 3), (4, 1), (5, 0), (7, 2)):
            bad = bytearray(xorb)
            bad[at] = byte
            self.assertIn("no sound xorb", self.hf("inspect", "-", code=1, stdin=bytes(bad)))
        self.assertIn("no sound xorb", self.hf("inspect", "-", code=1, stdin=chunk(b"", raw=5)))
        self.assertIn("at most 64 MiB", self.hf("inspect", "-", code=1, stdin=bytes(70 << 20)))

    def test_shard(self):
        name, xorb, sha = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
        swapped = b"".join(sha[i:i + 8][::-1] for i in range(0, 32, 8))
        rows = [TAG + struct.pack("<QQ", 2, 0), name + struct.pack("<IIQ", 0xC0000000, 1, 0), xorb + struct.pack("<IIII", 0, 20000, 0, 2),
                name + bytes(16), swapped + bytes(16), BOOKEND, xorb + struct.pack("<IIII", 0, 2, 20000, 0),
                name + struct.pack("<IIII", 0, 9000, 1 << 31, 0), xorb + struct.pack("<IIII", 9000, 11000, 0, 0), BOOKEND]
        shard = b"".join(rows)
        got = json.loads(self.hf("inspect", self.write("shard", shard), "--json"))
        self.assertEqual(got["files"], [{"hash": text(name), "sha256": sha.hex(), "terms": [
            {"xorb": text(xorb), "start": 0, "end": 2, "length": 20000, "range_hash": text(name)}]}])
        self.assertEqual(got["xorbs"], [{"hash": text(xorb), "size": 20000, "stored": 0, "chunks": [
            {"offset": 0, "length": 9000, "hash": text(name), "global": True}, {"offset": 9000, "length": 11000, "hash": text(xorb), "global": False}]}])
        self.assertFalse(got["footer"])
        self.assertIn(text(xorb), self.hf("inspect", self.at / "shard"))
        footer = struct.pack("<QQQ", 1, 48, 48 * 6) + bytes(48) + b"\1" * 32 + struct.pack("<QQ", 7, 9) + bytes(72) + struct.pack("<Q", len(shard))
        whole = TAG + struct.pack("<QQ", 2, 200) + shard[48:] + footer
        got = json.loads(self.hf("inspect", "-", "--json", stdin=whole))
        self.assertEqual((got["footer"], got["keyed"], got["created"], got["expires"]), (True, True, 7, 9))
        for size in [48 * k for k in range(1, 10)] + [47, 49, len(shard) - 1]:
            self.assertIn("no sound", self.hf("inspect", "-", code=1, stdin=shard[:size]))
        for size in (len(whole) - 1, len(whole) - 200):
            self.assertIn("no sound shard", self.hf("inspect", "-", code=1, stdin=whole[:size]))
        for row, at, value in ((0, 32, 3), (1, 36, 1 << 30), (2, 40, 5), (2, 36, 0), (6, 36, 1 << 31), (6, 40, 1), (7, 36, 0), (8, 32, 1)):
            bad = bytearray(shard)
            struct.pack_into("<I", bad, 48 * row + at, value)
            self.assertIn("no sound shard", self.hf("inspect", "-", code=1, stdin=bytes(bad)), (row, at, value))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
