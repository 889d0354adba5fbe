"""A global index that lies to an upload: each row of a table changes its answer, which is a shard, on its way to the client.

Whatever it says, the Hub has the right bytes in the end, in files of which most was known before, and memory stays in its bound.
"""
import os
import pathlib
import resource
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import front  # noqa: E402
import test_upload  # noqa: E402
from test_upload import MIB, noise  # noqa: E402

ROW, FOOTER, MEMORY_MOST = 48, 200, 256 * MIB
KEY, EXPIRES = -FOOTER + 72, -FOOTER + 112
HEAD = ROW  # the file section begins here: its bookend, then the xorbs, as hf-devhub answers


def put(at, form, value):
    """Sets a field; from the end where `at` is negative."""
    def change(b):
        start = at % len(b)
        return b[:start] + struct.pack(form, value) + b[start + struct.calcsize(form) :]
    return change


def xorb_at(b):
    at = HEAD
    while b[at : at + 32] != b"\xff" * 32:
        flags, terms = struct.unpack_from("<II", b, at + 32)
        at += ROW * (1 + terms * (1 + (flags >> 31)) + (flags >> 30 & 1))
    return at + ROW


def in_xorb(row, offset, form, value):
    """Sets a field of the first xorb's row, or of a chunk of it."""
    return lambda b: put(xorb_at(b) + row * ROW + offset, form, value)(b)


def flip(row, offset):
    def change(b):
        at = xorb_at(b) + row * ROW + offset
        return b[:at] + bytes([b[at] ^ 1]) + b[at + 1 :]
    return change


def exchanged(b):
    """Two chunks' hashes."""
    x, y = xorb_at(b) + ROW, xorb_at(b) + 2 * ROW
    return b[:x] + b[y : y + 32] + b[x + 32 : y] + b[x : x + 32] + b[y + 32 :]


def again(b):
    """The xorb names itself once more, so that reading it would never end where it began."""
    at = xorb_at(b)
    size = ROW * (1 + struct.unpack_from("<I", b, at + 36)[0])
    return b[:at] + b[at : at + size] * 40 + b[at + size :]


def page(_):
    return b"<!DOCTYPE html><html>Sign in</html>"


# What happens to the shard, and whether it may still be of use (None: it depends).
SHARDS = {
    "as it is": (lambda b: b, True), "empty": (lambda b: b"", False), "half": (lambda b: b[: len(b) // 2], False),
    "a byte less": (lambda b: b[:-1], False), "one row": (lambda b: b[:ROW], False), "a byte too many": (lambda b: b + b"x", None),
    "a web page": (page, False), "zeros": (lambda b: bytes(len(b)), False), "noise": (lambda b: noise("index", len(b)), False),
    "another tag": (put(0, "<B", 1), False), "another version": (put(32, "<Q", 99), False), "a long footer": (put(40, "<Q", 2**63), False),
    "a footer that points to the beginning": (put(-FOOTER + 8, "<Q", 0), False),
    "a footer that points to itself": (lambda b: put(-FOOTER + 16, "<Q", len(b) - FOOTER)(b), False),
    "a file of 2^32 terms": (lambda b: b[:HEAD] + b"\x07" * 32 + struct.pack("<IIQ", 0xC0000000, 2**32 - 1, 0) + b[HEAD:], False),
    "2^32 chunks": (in_xorb(0, 36, "<I", 2**32 - 1), False), "no chunks": (in_xorb(0, 36, "<I", 0), None),
    "a chunk more": (lambda b: in_xorb(0, 36, "<I", struct.unpack_from("<I", b, xorb_at(b) + 36)[0] + 1)(b), False),
    "another length in all": (in_xorb(0, 40, "<I", 5), False), "a chunk of no bytes": (in_xorb(1, 36, "<I", 0), False),
    "a chunk of 2^32 bytes": (in_xorb(1, 36, "<I", 2**32 - 1), False), "a chunk elsewhere": (in_xorb(2, 32, "<I", 1), False),
    "the same again and again": (again, None), "a xorb that is not there": (flip(0, 3), None), "another chunk's hash": (flip(1, 3), None),
    "two chunks exchanged": (exchanged, None), "another key": (put(KEY + 5, "<Q", 77), False),
    "a key that has expired": (put(EXPIRES, "<Q", 1), False),
}


class Index(test_upload.Uploads):
    def test_index(self):
        content = noise("index", 3 * MIB)
        self.hf("upload", "u/r", self.source(content), "a.bin")
        lie, answers = [None], []

        def change(path, status, headers, body):
            if status == 200:
                answers.append(len(body))
                body = lie[0](body)
            return status, headers, body

        between = front.Front(self.hub.cdn, change)
        self.addCleanup(between.close)
        rewrite = {"HF_URL_REWRITE": f"{self.hub.cdn}/cas/v1/chunks/={between.url}/cas/v1/chunks/"}
        for n, (name, (lie[0], useful)) in enumerate(SHARDS.items()):
            with self.subTest(name):
                self.hub.reset()
                answers.clear()
                mine = content + b"%d" % n
                self.hf("upload", "u/r", self.source(mine), f"{n}.bin", home=f"home-{n}", **rewrite)
                self.holds(f"{n}.bin", mine)
                self.assertTrue(answers)
                if useful is not None:
                    self.assertEqual(self.sent() < MIB, useful, self.sent())
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, MEMORY_MOST)


def load_tests(*_):
    return unittest.TestSuite([Index("test_index")])


if __name__ == "__main__":
    assert os.environ["HF_PROGRAM"]
    unittest.main(verbosity=1)
