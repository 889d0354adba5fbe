"""Ranges of Xet files into memory (hf_read_range): only their chunks are fetched; HTTP where Xet does not work.

XET_READ_RANGE is the program that reads one. What goes over the wire is counted by the server.
"""
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_cache  # noqa: E402
from test_xet import MIB, noise  # noqa: E402

READ = os.environ["XET_READ_RANGE"]


class Ranges(test_cache.Cache):
    def read(self, off, length, name="a.bin", code=0, **more):
        self.hub.reset() if more.pop("fresh", True) else None
        done = subprocess.run([READ, "u/r", name, str(off), str(length)], env=self.environment(**more), capture_output=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def setUp(self):
        super().setUp()
        self.content = noise("range", 20 * MIB)
        self.put({"a.bin": self.content, "small.txt": b"words\n" * 100})

    def test_only_what_is_asked_for(self):
        size = len(self.content)
        for off, length in ((0, 1), (0, 100000), (5 * MIB + 17, 3 * MIB), (size - 5, 5), (size - 5, 100), (0, size), (size - MIB, 2 * MIB), (12345678, 65536)):
            with self.subTest(off=off, length=length):
                self.assertEqual(self.read(off, length), self.content[off : off + length])
                self.assertEqual(self.seen("/resolve/", "GET"), [])
                self.assertLessEqual(self.wire(), min(length, size) + 2 * 131072 + 100000)
                self.assertGreater(self.wire(), 0)
        self.assertEqual(self.read(size, 10), b"")
        self.assertEqual(self.read(size + 10, 10), b"")
        self.assertEqual(self.read(10, 0), b"")
        self.assertEqual(self.read(3, 8, "small.txt"), (b"words\n" * 2)[3:11])
        self.read(3, 8, "none.txt", code=1)
        self.read(0, 65 * MIB, code=1)

    def test_by_http_where_xet_does_not_work(self):
        want = self.content[7 * MIB : 9 * MIB]
        self.assertEqual(self.read(7 * MIB, 2 * MIB, HF_HUB_DISABLE_XET="1"), want)
        self.assertEqual(self.seen("/cas/"), [])
        for rule in ("kind=status;status=403;path=*xet-read-token*", "kind=html;path=/cas/*;origin=cdn", "kind=status;status=404;path=/xorbs/*;origin=cdn",
                     "kind=empty;path=/xorbs/*;origin=cdn"):
            with self.subTest(rule):
                self.hub.reset()
                self.hub.run("fault", rule)
                self.assertEqual(self.read(7 * MIB, 2 * MIB, fresh=False), want)
                [get] = self.seen("/resolve/", "GET")
        self.hub.reset()
        self.hub.run("fault", "kind=status;status=403;path=/xorbs/*;origin=cdn;count=1")
        self.assertEqual(self.read(7 * MIB, 2 * MIB, fresh=False), want)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    def test_from_the_chunk_cache(self):
        self.fetch("a.bin", **test_cache.ON)
        self.assertEqual(self.read(7 * MIB + 5, 2 * MIB, **test_cache.ON), self.content[7 * MIB + 5 : 9 * MIB + 5])
        self.assertEqual(self.wire(), 0)

    def test_a_whole_xorb_is_proof(self):
        """A range that was changed on its way cannot be known; a xorb that was read whole is."""
        content = noise("whole", MIB)
        self.put({"w.bin": content})
        self.hub.run("fault", "kind=flip;path=/xorbs/*;origin=cdn;offset=500000;count=1")
        self.assertEqual(self.read(0, MIB, "w.bin", fresh=False), content)
        self.assertEqual(len(self.seen("/xorbs/default/")), 2)


def load_tests(loader, _, __):
    return unittest.TestSuite(Ranges(name) for name in loader.getTestCaseNames(Ranges) if name not in dir(test_cache.Cache))


if __name__ == "__main__":
    unittest.main(verbosity=1)
