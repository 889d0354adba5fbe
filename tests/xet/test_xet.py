"""Xet from end to end: hf uploads to hf-devhub's content-addressed storage and downloads from it, whole, again, damaged, refused.

What goes over the wire is read from the Hub's log. With HF_REFERENCE (the reference client's `hf`, its hf_xet installed) both
directions are tried with it too. HF_PROGRAM is the hf under test, HF_DEVHUB the Hub.
"""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "devhub"))
import devhub  # noqa: E402

HF = os.environ["HF_PROGRAM"]
REFERENCE = os.environ.get("HF_REFERENCE")
MIB = 1 << 20


def noise(seed, size):
    """Bytes that no compressor helps with, the same every time."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


class Xet(unittest.TestCase):
    def setUp(self):
        self.hub = devhub.Hub()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xet-test-"))
        self.count = 0

    def tearDown(self):
        self.assertEqual(self.hub.close(), 0)
        shutil.rmtree(self.folder)

    def environment(self, home=None, **more):
        if home is None:
            self.count += 1
            home = f"home{self.count}"
        base = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_"))}
        where = str(self.folder / home)
        return {**base, "HOME": where, "HF_HOME": where, "HF_ENDPOINT": self.hub.url, "HF_TOKEN": "hf_aaaaaaaaaaaaaaaa", "HF_TEST_BACKOFF_MS": "5",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **more}

    def hf(self, *arguments, program=HF, code=0, home=None, **more):
        done = subprocess.run([program, *map(str, arguments)], env=self.environment(home, **more), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def put(self, files, repo="u/r", **more):
        source = self.folder / f"source{self.count}"
        shutil.rmtree(source, ignore_errors=True)
        for name, content in files.items():
            devhub.write(str(source), name, content)
        self.hf("repos", "create", repo, "--exist-ok")
        self.hub.reset()
        return self.hf("upload", repo, source, ".", **more)

    def get(self, files, repo="u/r", **more):
        self.count += 1
        target = self.folder / f"target{self.count}"
        self.hub.reset()
        done = self.hf("download", repo, *files, "--local-dir", target, **more)
        for name, content in files.items():
            self.assertEqual((target / name).read_bytes(), content, name)
        return done

    def seen(self, word, method=None):
        return [r for r in self.hub.log() if word in r["path"] and (method is None or r["method"] == method)]

    def test_there_and_back(self):
        text = b"".join(b"%d lines of the same kind\n" % i for i in range(200000))
        shared = noise(1, 3 * MIB)
        files = {"a.bin": shared + noise(2, MIB), "b.bin": noise(3, MIB) + shared, "small.bin": noise(4, 12000), "t.bin": text}
        self.put(files)
        self.assertEqual(len(self.seen("/cas/v2/shards")), 1)
        sent = sum(r["body_size"] for r in self.seen("/xorb-uploads/", "PUT"))
        self.assertLess(sent, 6.5 * MIB)  # the shared part once, the text packed
        self.assertEqual(self.seen("/objects/"), [])
        self.get(files)
        self.assertEqual(self.seen("/resolve/", "GET"), [])
        fetched = self.seen("/xorbs/default/")
        self.assertTrue(fetched)
        tree = self.hub.get("/api/models/u/r/tree/main").json()
        for entry in tree:
            if entry["path"] in files:
                local = self.folder / "one"
                local.write_bytes(files[entry["path"]])
                [row] = json.loads(self.hf("xet", "hash", local, "--json").stdout)
                self.assertEqual(entry["xetHash"], row["hash"])

    def test_same_content_is_not_sent_again(self):
        content = noise(5, 4 * MIB)
        self.put({"a.bin": content})
        self.put({"a.bin": content, "b.bin": content[: 2 * MIB] + noise(6, MIB)}, repo="u/other")
        sent = sum(r["body_size"] for r in self.seen("/xorb-uploads/", "PUT"))
        self.assertLess(sent, 1.4 * MIB)
        self.get({"b.bin": content[: 2 * MIB] + noise(6, MIB)}, repo="u/other")

    def test_a_flipped_byte_is_never_published(self):
        content = noise(7, 3 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=flip;path=/xorbs/*;origin=cdn;offset=100000")
        target = self.folder / "flipped"
        self.hf("download", "u/r", "a.bin", "--local-dir", target)
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertTrue(self.seen("/xorbs/"))
        self.assertEqual(len(self.seen("/resolve/", "GET")), 1)  # fetched once more, another way

    def test_broken_answers_fall_back(self):
        content = noise(8, 2 * MIB)
        self.put({"a.bin": content})
        for rule in ("kind=status;status=403;path=*xet-read-token*", "kind=html;path=*xet-read-token*", "kind=status;status=500;path=/cas/*;origin=cdn",
                     "kind=html;path=/cas/*;origin=cdn", "kind=truncate;path=/cas/v2/*;origin=cdn", "kind=status;status=404;path=/xorbs/*;origin=cdn"):
            with self.subTest(rule):
                self.hub.run("fault", rule)
                began = time.monotonic()
                target = self.folder / f"t{began}"
                self.hf("download", "u/r", "a.bin", "--local-dir", target)
                self.assertEqual((target / "a.bin").read_bytes(), content)
                self.assertLess(time.monotonic() - began, 15)
                self.hub.reset()

    def test_refused_addresses_are_renewed_once(self):
        content = noise(9, 2 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=status;status=403;path=/xorbs/*;origin=cdn;count=1")
        target = self.folder / "renewed"
        self.hf("download", "u/r", "a.bin", "--local-dir", target)
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertEqual(len(self.seen("/cas/v2/reconstructions/")), 2)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    def test_cut_connections_go_on(self):
        content = noise(10, 6 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=cut;path=/xorbs/*;origin=cdn;after=1000000;count=2")
        target = self.folder / "cut"
        self.hf("download", "u/r", "a.bin", "--local-dir", target)
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    def test_older_servers(self):
        content = noise(11, 2 * MIB)
        for rule in ("kind=status;status=404;path=/cas/v1/xorb-grants/*;origin=cdn", "kind=status;status=501;path=/cas/v2/*;origin=cdn"):
            self.hf("repos", "create", "u/old", "--exist-ok")
            self.hub.reset()
            self.hub.run("fault", rule)
            source = self.folder / "old.bin"
            source.write_bytes(content)
            self.hf("upload", "u/old", source, "a.bin")
            self.assertEqual(self.seen("/objects/"), [])
            target = self.folder / f"old{self.count}"
            self.hf("download", "u/old", "a.bin", "--local-dir", target)
            self.assertEqual((target / "a.bin").read_bytes(), content)
            self.assertEqual(self.seen("/resolve/", "GET"), [])
            self.hub.reset()
            content += b"more"

    def test_uploads_fall_back_to_lfs(self):
        content = noise(12, MIB)
        self.hf("repos", "create", "u/r")
        self.hub.run("fault", "kind=status;status=403;path=*xet-write-token*")
        source = self.folder / "lfs.bin"
        source.write_bytes(content)
        self.hf("upload", "u/r", source, "a.bin")
        self.assertEqual(len(self.seen("/objects/", "PUT")), 1)
        self.hub.reset()
        self.get({"a.bin": content})

    def test_switched_off(self):
        content = noise(13, 2 * MIB)
        self.put({"a.bin": content}, HF_HUB_DISABLE_XET="1")
        self.assertEqual(self.seen("xet-write-token"), [])
        self.put({"a.bin": content + b"x"})
        self.get({"a.bin": content + b"x"}, HF_HUB_DISABLE_XET="yes")
        self.assertEqual(self.seen("xet-read-token"), [])

    def test_cp(self):
        """hf cp streams by Xet in both directions, files and pipes."""
        content = noise("cp", 9 * MIB)
        source = self.folder / "cp.bin"
        source.write_bytes(content)
        self.hf("repos", "create", "u/r")
        self.hub.reset()
        self.hf("cp", source, "hf://u/r/a.bin")
        piped = subprocess.run([HF, "cp", "-", "hf://u/r/b.bin"], env=self.environment(), input=content[::-1], capture_output=True, timeout=120)
        self.assertEqual(piped.returncode, 0, piped.stderr)
        self.assertEqual(len(self.seen("/xorb-uploads/", "PUT")), 2)
        for name, want in (("a.bin", content), ("b.bin", content[::-1])):
            piped = subprocess.run([HF, "cp", f"hf://u/r/{name}", "-"], env=self.environment(), capture_output=True, timeout=120)
            self.assertEqual((piped.returncode, piped.stdout == want), (0, True), piped.stderr)
            self.hf("cp", f"hf://u/r/{name}", self.folder / f"back-{name}")
            self.assertEqual((self.folder / f"back-{name}").read_bytes(), want)
        self.assertEqual(self.seen("/objects/") + self.seen("/parts/") + self.seen("/resolve/", "GET"), [])

    def test_killed_in_the_middle(self):
        content = noise(14, 24 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=slow;path=/xorbs/*;origin=cdn;rate=8000000")
        target = self.folder / "killed"
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--local-dir", str(target)], env=self.environment("kill"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1.5)
        running.send_signal(signal.SIGKILL)
        running.wait()
        self.hub.reset()
        self.hf("download", "u/r", "a.bin", "--local-dir", target, home="kill")
        self.assertEqual((target / "a.bin").read_bytes(), content)

    def test_many_small_files(self):
        files = {f"f{i:03}.bin": noise(100 + i, 12000) for i in range(300)}
        self.put(files)
        self.assertLessEqual(len(self.seen("/cas/v1/chunks/")), 64)
        self.assertLessEqual(len(self.seen("/cas/v1/xorb-grants/")), 2)
        self.assertLessEqual(len(self.seen("/cas/v2/shards")), 2)
        self.get(files)

    @unittest.skipUnless(REFERENCE, "HF_REFERENCE names no reference client")
    def test_with_the_reference(self):
        content = {"a.bin": noise(15, 5 * MIB), "b.bin": bytes(MIB) + noise(16, 20000)}
        self.put(content)
        target = self.folder / "by-reference"
        self.hf("download", "u/r", "--local-dir", target, program=REFERENCE)
        for name, data in content.items():
            self.assertEqual((target / name).read_bytes(), data)
        self.assertTrue(self.seen("/xorbs/default/"))
        source = self.folder / "for-reference"
        devhub.write(str(source), "c.bin", noise(17, 5 * MIB) + content["a.bin"])
        self.hub.reset()
        self.hf("upload", "u/r", source, ".", program=REFERENCE)
        self.assertEqual(len(self.seen("/cas/v2/shards")), 1)
        self.get({"c.bin": noise(17, 5 * MIB) + content["a.bin"]})
        self.assertEqual(self.seen("/resolve/", "GET"), [])


if __name__ == "__main__":
    unittest.main(verbosity=1)
