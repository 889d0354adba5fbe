"""A CAS that lies, byte by byte and field by field: each row of a table changes one answer on its way to the client.

Whatever it is, the file that is published is the right one (a fresh copy, or another way), and where Xet is the only way the
command fails and publishes nothing. Memory stays within its bound in every case. HF_LIES_ALL=1: every byte of a range, not a sample.
"""
import copy
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_xet  # noqa: E402
from front import Front  # noqa: E402
from test_xet import MIB, noise  # noqa: E402

TEXT = b"".join(b"%d lines of the same kind, and %d more\n" % (i, i * i) for i in range(30000))
MEMORY_MOST = 256 * MIB


def records(body):
    """(offset, stored, scheme, raw) of each chunk."""
    at, rows = 0, []
    while at < len(body):
        stored, scheme, raw = int.from_bytes(body[at + 1 : at + 4], "little"), body[at + 4], int.from_bytes(body[at + 5 : at + 8], "little")
        rows.append((at, stored, scheme, raw))
        at += 8 + stored
    return rows


def record(scheme, payload, raw):
    return bytes([0]) + len(payload).to_bytes(3, "little") + bytes([scheme]) + raw.to_bytes(3, "little") + payload


def flip(at):
    return lambda b: b[: at % len(b)] + bytes([b[at % len(b)] ^ (1 << at % 8)]) + b[at % len(b) + 1 :]


def set_byte(at, value):
    return lambda b: b[:at] + bytes([value]) + b[at + 1 :]


def swap_chunks(b):
    rows = records(b)
    parts = [b[at : at + 8 + stored] for at, stored, _, _ in rows]
    parts[0], parts[1] = parts[1], parts[0]
    return b"".join(parts)


def other_chunk(b):
    """A valid chunk of the same lengths, and other bytes."""
    at, stored, _, raw = max(records(b), key=lambda r: r[1])
    if stored < raw:
        return b[:at] + record(0, noise("other", raw)[:stored], stored) + b[at + 8 + stored :]
    return b[:at] + record(0, noise("other", raw), raw) + b[at + 8 + stored :]


def lz4_bomb(raw):
    """A frame whose one match of the same byte expands beyond every limit."""
    def change(b):
        at, stored, _, _ = records(b)[0]
        block = bytes([0x1F]) + b"A" + struct.pack("<H", 1) + b"\xff" * max(0, stored - 40) + b"\x00"
        frame = b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(block)) + block + b"\0\0\0\0"
        return b[:at] + record(1, frame, raw) + b[at + 8 + stored :]
    return change


# What happens to the bytes of a xorb's range.
BYTES = {
    "a byte in the middle": flip(150000), "the first byte of a chunk": flip(8), "the last byte": flip(-1),
    "version": set_byte(0, 1), "scheme": set_byte(4, 7), "raw length 0": lambda b: b[:5] + b"\0\0\0" + b[8:],
    "raw length too large": lambda b: b[:5] + b"\xff\xff\xff" + b[8:], "stored length too large": lambda b: b[:1] + b"\xff\xff\xff" + b[4:],
    "stored length 0": lambda b: b[:1] + b"\0\0\0" + b[4:], "cut": lambda b: b[:-1], "cut in half": lambda b: b[: len(b) // 2],
    "cut at a chunk": lambda b: b[: records(b)[-1][0]], "empty": lambda b: b"", "a byte too many": lambda b: b + b"x",
    "a chunk too many": lambda b: b + b[: 8 + records(b)[0][1]], "a byte repeated": lambda b: b[:5000] + b[4999:-1],
    "a chunk repeated": lambda b: b[: 8 + records(b)[0][1]] + b[: records(b)[-1][0]], "two chunks exchanged": swap_chunks,
    "another valid chunk": other_chunk, "zeros": lambda b: bytes(len(b)), "noise": lambda b: noise("lies", len(b)),
    "LZ4 bomb": lz4_bomb(131072), "small LZ4 bomb": lz4_bomb(10), "a web page": lambda b: b"<!DOCTYPE html><html>Sign in</html>",
}


def in_chunk(change):
    """Of a chunk in the middle, its place."""
    def of(b):
        rows = records(b)
        return change(rows[len(rows) // 2][0])(b)
    return of


def packed(offset):
    """A byte of the first LZ4 frame: its magic, its descriptor, a block's length, a block, its end."""
    def change(b):
        at, stored, _, _ = next((r for r in records(b) if r[2] == 1), records(b)[0])
        return flip(at + 8 + offset % stored)(b)
    return change


BYTES.update({f"byte {i} of a chunk's head": in_chunk(lambda at, i=i: flip(at + i)) for i in range(8)})
BYTES.update({f"byte {i} of an LZ4 frame": packed(i) for i in (0, 4, 6, 7, 11, -1, -4)})
BYTES.update({
    "a byte between two chunks": in_chunk(lambda at: lambda b: b[:at] + b"\0" + b[at:]), "a byte less between two chunks": in_chunk(lambda at: lambda b: b[: at - 1] + b[at:]),
    "a whole chunk less": in_chunk(lambda at: lambda b: b[:at] + b[at + 8 + int.from_bytes(b[at + 1 : at + 4], "little") :]),
    "a head of zeros": in_chunk(lambda at: lambda b: b[:at] + bytes(8) + b[at + 8 :]), "a footer": lambda b: b + b"XETBLOB" + bytes(89) + struct.pack("<I", 92),
})


def term(i, **more):
    def change(r):
        r["terms"][i].update(more)
    return change


def length(i, by):
    def change(r):
        r["terms"][i]["unpacked_length"] += by
    return change


def chunks(**more):
    def change(r):
        r["terms"][0]["range"].update(more)
    return change


def fetch(**more):
    def change(r):
        for rows in r["xorbs"].values():
            rows[0]["ranges"][0]["bytes"].update({k: v(rows[0]["ranges"][0]["bytes"][k]) for k, v in more.items()})
    return change


def drop(name):
    return lambda r: r.pop(name)


def deep(_):
    return "[" * 200000


# What happens to a reconstruction (parsed; an answer that is text replaces it).
ANSWERS = {
    "a term longer by one": length(0, 1), "a term shorter by one": length(0, -1), "a term of no bytes": term(0, unpacked_length=0),
    "a term of 2^63 bytes": term(0, unpacked_length=2**63), "a term of 2^64-1 bytes": term(0, unpacked_length=2**64 - 1),
    "a negative length": term(0, unpacked_length=-5), "a fraction": term(0, unpacked_length=1.5), "a length in words": term(0, unpacked_length="many"),
    "no chunks": chunks(end=0), "chunks backwards": chunks(start=5, end=2), "chunks without end": chunks(end=2**32), "one chunk less": chunks(start=1),
    "the last term missing": lambda r: r["terms"].pop(), "the first term missing": lambda r: r["terms"].pop(0),
    "a term twice": lambda r: r["terms"].append(r["terms"][0]), "terms overlap": lambda r: r["terms"].insert(0, copy.deepcopy(r["terms"][0])),
    "terms exchanged": lambda r: r["terms"].reverse(), "no terms": lambda r: r["terms"].clear(), "terms missing": drop("terms"),
    "xorbs missing": drop("xorbs"), "no xorbs": lambda r: r["xorbs"].clear(), "skips a byte": lambda r: r.update(offset_into_first_range=1),
    "skips everything": lambda r: r.update(offset_into_first_range=2**62), "bytes begin later": fetch(start=lambda v: v + 1),
    "bytes end earlier": fetch(end=lambda v: v - 1), "bytes end later": fetch(end=lambda v: v + 9), "bytes without end": fetch(end=lambda v: 2**63),
    "bytes backwards": fetch(start=lambda v: 2**40), "another xorb": term(0, hash="00" * 32), "no hash": term(0, hash="x"),
    "text": lambda r: "Sign in", "nothing": lambda r: "", "a list": lambda r: "[]", "deep": deep, "half": lambda r: json.dumps(r)[:-20],
}


def old_fetch(**more):
    def change(r):
        for rows in r["fetch_info"].values():
            for where, by in more.items():
                place, side = where.split("_")
                rows[0]["url_range" if place == "bytes" else "range"][side] = by(rows[0]["url_range" if place == "bytes" else "range"][side])
    return change


# The same for the older form of the answer, which servers without the newer one give.
OLD_ANSWERS = {name: lie for name, lie in ANSWERS.items() if name in (
    "a term longer by one", "a term of 2^63 bytes", "chunks backwards", "the last term missing", "terms overlap", "another xorb", "skips a byte", "half", "deep")}
OLD_ANSWERS.update({
    "no places": drop("fetch_info"), "empty places": lambda r: r["fetch_info"].clear(), "bytes begin later": old_fetch(bytes_start=lambda v: v + 1),
    "bytes end earlier": old_fetch(bytes_end=lambda v: v - 1), "bytes without end": old_fetch(bytes_end=lambda v: 2**63), "bytes backwards": old_fetch(bytes_start=lambda v: 2**40),
    "other chunks": old_fetch(chunks_start=lambda v: v + 1), "chunks without end": old_fetch(chunks_end=lambda v: 2**32), "no address": lambda r: [row[0].pop("url") for row in r["fetch_info"].values()],
})


class Lies(test_xet.Xet):
    """Runs the table; tests of the base class stay where they are."""

    def setUp(self):
        super().setUp()
        shared = noise("lie", 1000000)
        self.files = {"z.bin": shared, "a.bin": shared + TEXT + noise("lie2", 300000), "b.bin": noise("another", 400000) + TEXT[::-1]}
        for name, content in self.files.items():
            self.put({name: content})
            self.count += 1
        self.front = Front(self.hub.cdn, self.answer)
        self.change = lambda *answer: answer

    def tearDown(self):
        self.front.close()
        super().tearDown()

    def answer(self, path, status, headers, body):
        return self.change(path, status, headers, body) if status < 300 else (status, headers, body)

    def rows(self, chosen, change):
        for name, lie in chosen.items():
            self.change = change(lie)
            with self.subTest(name):
                self.once(name)

    def once(self, name):
        self.count += 1
        rewrite = {"HF_URL_REWRITE": f"{self.hub.cdn}/cas/={self.front.url}/cas/;{self.hub.cdn}/xorbs/={self.front.url}/xorbs/"}
        target = self.folder / f"lie{self.count}"
        self.front.asked.clear()
        self.hf("download", "u/r", "a.bin", "--local-dir", target, **rewrite)
        self.assertEqual((target / "a.bin").read_bytes(), self.files["a.bin"])
        self.assertTrue(self.front.asked)
        shutil.rmtree(target)
        self.hf("download", "u/r", "a.bin", "--local-dir", target, code=1, HF_TRANSFER="xet", **rewrite)
        self.assertFalse((target / "a.bin").exists())
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, MEMORY_MOST)

    def of_xorbs(self, lie):
        def change(path, status, headers, body):
            if not path.startswith("/xorbs/"):
                return status, headers, body
            body, kept = lie(body), dict(headers)
            return status, kept, body
        return change

    def of_answers(self, lie):
        def change(path, status, headers, body):
            if not path.startswith("/cas/"):
                return status, headers, body
            recon = json.loads(body)
            new = lie(recon)
            return status, headers, new.encode() if isinstance(new, str) else json.dumps(recon).encode()
        return change

    def of_old_answers(self, lie):
        newer = self.of_answers(lie)

        def change(path, status, headers, body):
            return (404, headers, b"") if "/v2/reconstructions/" in path else newer(path, status, headers, body)
        return change

    def test_old_answers(self):
        self.rows(OLD_ANSWERS, self.of_old_answers)

    def test_bytes(self):
        self.rows(BYTES, self.of_xorbs)

    def test_answers(self):
        self.rows(ANSWERS, self.of_answers)

    def test_bytes_anywhere(self):
        """Flips, cuts and repetitions all over the range; all of them with HF_LIES_ALL."""
        size = len(self.files["a.bin"])
        every = range(0, size, 1) if os.environ.get("HF_LIES_ALL") else random.Random(3).sample(range(size), 6)
        kinds = {"flip": flip, "cut": lambda n: lambda b: b[: n % len(b)], "repeat": lambda n: lambda b: b[: n % len(b) + 1] + b[n % len(b) : -1]}
        self.rows({f"{kind} {n}": make(n) for i, n in enumerate(every) for kind, make in [list(kinds.items())[i % 3]]}, self.of_xorbs)

    def test_another_file(self):
        """The reconstruction of another file, and one of the same size."""
        tree = {e["path"]: e for e in self.hub.get("/api/models/u/r/tree/main").json() if e["type"] == "file"}
        mine, other = tree["a.bin"]["xetHash"], tree["b.bin"]["xetHash"]
        token = self.hub.get("/api/models/u/r/xet-read-token/main", Authorization="Bearer hf_aaaaaaaaaaaaaaaa").json()
        answer = self.hub.request(f"{token['casUrl']}/v2/reconstructions/{other}", headers={"Authorization": "Bearer " + token["accessToken"]})

        def change(path, status, headers, body):
            return status, headers, answer.body if mine in path else body
        self.change = change
        self.once("another file")
        changed = bytearray(self.files["a.bin"])
        changed[350000] ^= 1
        self.put({"c.bin": bytes(changed)})
        tree = {e["path"]: e for e in self.hub.get("/api/models/u/r/tree/main").json() if e["type"] == "file"}
        answer = self.hub.request(f"{token['casUrl']}/v2/reconstructions/{tree['c.bin']['xetHash']}",
                                  headers={"Authorization": "Bearer " + token["accessToken"]})
        self.assertEqual(answer.status, 200)
        self.once("another file of the same size")

    def test_more_chunks_than_a_file_can_have(self):
        """Room for hashes of chunks is a matter of the file's size, not of what an answer names."""
        size = 300 * 8192
        self.put({"large.bin": noise("large", size)})

        def change(path, status, headers, body):
            if not path.startswith("/cas/"):
                return status, headers, body
            names = [f"{i + 1:064x}" for i in range(300)]
            xorbs = {n: [{"url": f"{self.hub.cdn}/xorbs/{n}", "ranges": [{"chunks": {"start": 0, "end": 8192}, "bytes": {"start": 0, "end": 99999}}]}] for n in names}
            terms = [{"hash": n, "unpacked_length": 8192, "range": {"start": 0, "end": 8192}} for n in names]
            return status, headers, json.dumps({"offset_into_first_range": 0, "terms": terms, "xorbs": xorbs}).encode()
        self.change = change
        said = self.hf("download", "u/r", "large.bin", "--local-dir", self.folder / "large", code=1, HF_TRANSFER="xet",
                       HF_URL_REWRITE=f"{self.hub.cdn}/cas/={self.front.url}/cas/")
        self.assertIn("more chunks than it can need", said.stderr + said.stdout)

    def test_a_whole_xorb_is_known_by_its_name(self):
        """A chunk exchanged for another valid one is found at once, and fetched once more: no byte comes another way."""
        turns = []

        def change(path, status, headers, body):
            if path.startswith("/xorbs/") and not turns:
                turns.append(path)
                return status, headers, other_chunk(body)
            return status, headers, body
        self.change = change
        self.hub.reset()
        target = self.folder / "named"
        self.hf("download", "u/r", "a.bin", "--local-dir", target, HF_TRANSFER="xet",
                HF_URL_REWRITE=f"{self.hub.cdn}/xorbs/={self.front.url}/xorbs/")
        self.assertEqual(hashlib.sha256((target / "a.bin").read_bytes()).digest(), hashlib.sha256(self.files["a.bin"]).digest())
        self.assertEqual(len(turns), 1)
        self.assertEqual(self.seen("/resolve/", "GET"), [])


def load_tests(loader, _, __):
    suite = unittest.TestSuite()
    for name in ("test_bytes", "test_answers", "test_old_answers", "test_bytes_anywhere", "test_another_file", "test_more_chunks_than_a_file_can_have", "test_a_whole_xorb_is_known_by_its_name"):
        suite.addTest(Lies(name))
    return suite


if __name__ == "__main__":
    unittest.main(verbosity=1)
