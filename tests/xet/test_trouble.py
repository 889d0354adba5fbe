"""Xet when this machine is in trouble, or the CAS for long: full disks, clocks that jump, digests that nobody knows, settings of patience.

XET_JUMP is a library with a clock that jumps, to be preloaded. XET_FULL=1 adds what takes minutes.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import front  # noqa: E402
import relay  # noqa: E402
import test_down  # noqa: E402
from test_xet import HF, MIB, noise  # noqa: E402

JUMP = os.environ["XET_JUMP"]
FULL = os.environ.get("XET_FULL")
SANITIZED = os.environ.get("HF_TEST_SANITIZED")


class Trouble(test_down.Down):
    # ---- a file of which nobody but Xet knows what it must be

    def nameless(self, flipped):
        """Downloads half of a file by HTTP, a byte of it damaged or not, then the rest by Xet, where the Hub says no digest."""
        content = noise("nameless", 24 * MIB)
        self.put({"a.bin": content})

        def without_digest(path, status, headers, body):
            return status, {k: '"no-digest"' if k.lower() in ("etag", "x-linked-etag") else v for k, v in headers.items()}, body

        def damage(path, status, headers, body):
            if flipped and len(body) > 5 * MIB:
                body = body[: 3 * MIB] + bytes([body[3 * MIB] ^ 1]) + body[3 * MIB + 1 :]
            return status, headers, body

        hub, cdn = front.Front(self.hub.url, without_digest), front.Front(self.hub.cdn, damage)
        self.addCleanup(hub.close)
        self.addCleanup(cdn.close)
        cdn.pace = 0.05
        target, more = self.folder / "nameless", {"HF_ENDPOINT": hub.url}
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--local-dir", str(target)],
                                   env=self.environment("nameless", HF_HUB_DISABLE_XET="1", HF_TRANSFER="basic", HF_URL_REWRITE=f"{self.hub.cdn}={cdn.url}", **more),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            partial = [p for p in target.rglob("*") if p.is_file() and p.stat().st_size > MIB]
            if partial and partial[0].read_bytes()[10 * MIB : 10 * MIB + 8] == content[10 * MIB : 10 * MIB + 8]:
                break
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.wait()
        [partial] = [p for p in target.rglob("*") if p.is_file() and p.stat().st_size > MIB]
        self.assertEqual(partial.read_bytes()[: 5 * MIB] == content[: 5 * MIB], not flipped)
        self.hub.reset()
        self.hf("download", "u/r", "a.bin", "--local-dir", target, home="nameless", **more)
        self.assertEqual((target / "a.bin").read_bytes() == content, True)
        self.assertEqual(self.seen("/resolve/", "GET"), [])
        return self.wire()

    def test_without_a_digest_what_lies_there_is_hashed(self):
        self.assertLess(self.nameless(False), 17 * MIB)

    def test_without_a_digest_damage_is_found(self):
        self.assertGreaterEqual(self.nameless(True), 24 * MIB)

    # ---- clocks

    @unittest.skipIf(SANITIZED, "nothing can be preloaded before the sanitizer")
    def test_a_clock_that_jumps(self):
        content = noise("clock", 24 * MIB)
        source = self.folder / "clock.bin"
        source.write_bytes(content)
        self.hf("repos", "create", "u/r")
        self.hub.reset()
        self.hub.run("fault", "kind=delay;seconds=0.4;path=/xorb-uploads/*;origin=cdn")
        self.hf("upload", "u/r", source, "a.bin", LD_PRELOAD=JUMP, HF_MEMORY="24MiB")
        self.assertEqual(self.seen("/objects/", "PUT"), [])
        self.assertLessEqual(len(self.seen("xet-write-token")), 2)
        self.hub.reset()
        self.hub.run("fault", "kind=slow;path=/xorbs/*;origin=cdn;rate=6000000")
        began = time.monotonic()
        _, target = self.fetch("a.bin", LD_PRELOAD=JUMP)
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertEqual(self.seen("/resolve/", "GET"), [])
        self.assertLessEqual(len(self.seen("xet-read-token")), 2)
        self.assertLess(time.monotonic() - began, 60)

    # ---- disks

    def test_a_full_disk(self):
        """It fills while the file comes: nothing is published, the CAS is not blamed, and the next run goes on."""
        content = noise("disk", 24 * MIB)
        self.put({"a.bin": content})
        place = self.folder / "disk"
        place.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", place], capture_output=True).returncode != 0:
            self.skipTest("nothing can be mounted here")
        try:
            self.hub.run("fault", "kind=slow;path=/xorbs/*;origin=cdn;rate=4000000")
            running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--local-dir", str(place / "t")],
                                       env=self.environment("disk"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(600):
                if any(p.stat().st_size > MIB for p in place.rglob("*") if p.is_file()):
                    break
                time.sleep(0.01)
            try:
                with open(place / "filler", "wb", buffering=0) as filler:
                    while filler.write(bytes(65536)) == 65536:
                        pass
            except OSError:
                pass
            said = running.communicate(timeout=120)[0]
            self.assertEqual(self.seen("/resolve/", "GET"), [], said)
            if running.returncode == 0:  # its room had been kept for it
                self.assertEqual((place / "t/a.bin").read_bytes(), content)
                return
            self.assertIn("space", said)
            if (place / "t/a.bin").exists():  # all of it had come; there was no room for what is written about it
                self.assertEqual((place / "t/a.bin").read_bytes(), content)
            (place / "filler").unlink()
            self.hub.reset()
            self.hf("download", "u/r", "a.bin", "--local-dir", place / "t", home="disk")
            self.assertEqual((place / "t/a.bin").read_bytes(), content)
            self.assertEqual(self.seen("/resolve/", "GET"), [])
        finally:
            subprocess.run(["umount", place], check=True)

    def test_a_reader_that_stops_is_no_fault_of_the_cas(self):
        """Two files to pipes by one program would be needed to see the blame; the words show it: no other way is tried."""
        self.put({"a.bin": noise("reader", 12 * MIB)})
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--stdout"], env=self.environment(HF_VERBOSITY="info"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.read(1000)
        running.stdout.close()
        said = running.stderr.read()
        running.stderr.close()
        self.assertEqual(running.wait(60), 1)
        self.assertNotIn(b"does not come by Xet", said)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    # ---- a CAS that is away

    def away(self, seconds, **more):
        """The CAS and its storage vanish while a file comes, for so long; answers the requests by HTTP."""
        content = noise("away", 40 * MIB)
        self.put({"a.bin": content})
        cas = relay.Relay(self.hub.cdn, 0.02)
        target, cdn = self.folder / "away", self.hub.cdn
        rules = f"{cdn}/cas/={cas.url}/cas/;{cdn}/xorbs/={cas.url}/xorbs/"
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--local-dir", str(target)],
                                   env=self.environment(**{"HF_TEST_BACKOFF_MS": "300", "HF_URL_REWRITE": rules, "HF_XET_FIXED_DOWNLOAD_CONCURRENCY": "2", **more}),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while len(self.seen("/xorbs/default/")) < 2:
            time.sleep(0.02)
            self.assertIsNone(running.poll())
        time.sleep(0.5)
        cas.down()
        timer = threading.Timer(seconds, cas.up)
        timer.start()
        time.sleep(min(seconds, 3) - 0.5)
        self.assertIsNone(running.poll())  # it was in the middle
        said = running.communicate(timeout=300)[0]
        timer.join()
        cas.down()
        self.assertEqual(running.returncode, 0, said)
        self.assertEqual((target / "a.bin").read_bytes(), content)
        return self.seen("/resolve/", "GET")

    def test_a_cas_that_is_away_for_a_moment(self):
        self.assertEqual(self.away(3), [])

    @unittest.skipUnless(FULL, "takes long; XET_FULL=1")
    def test_a_cas_that_is_away_for_a_minute(self):
        self.assertTrue(self.away(60))  # by HTTP meanwhile

    @unittest.skipUnless(FULL, "takes long; XET_FULL=1")
    def test_a_cas_that_is_away_for_a_minute_and_no_other_way(self):
        self.assertEqual(self.away(60, HF_TRANSFER="xet", HF_TEST_BACKOFF_MS="2000"), [])

    # ---- what people set

    def at_once(self, name="a.bin", **more):
        """How many requests for xorbs begin before the first of them is answered."""
        self.hub.reset()
        self.hub.run("fault", "kind=delay;seconds=1.2;path=/xorbs/*;origin=cdn")
        self.fetch(*name.split(), **more)
        began = sorted(r["time"] for r in self.seen("/xorbs/default/"))
        return len([t for t in began if t < began[0] + 0.9])

    def test_how_many_at_once(self):
        content = noise("width", 72 * MIB)
        self.put({"a.bin": content}, HF_MEMORY="24MiB")  # 10 xorbs
        self.assertEqual(self.at_once(), 4)
        for name, value, want in (("HF_XET_HIGH_PERFORMANCE", "1", 10), ("HF_XET_HP", "1", 10), ("HF_XET_FIXED_DOWNLOAD_CONCURRENCY", "6", 6),
                                  ("HF_XET_CLIENT_AC_INITIAL_DOWNLOAD_CONCURRENCY", "2", 2), ("HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY", "3", 3),
                                  ("HF_XET_CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY", "7", 7), ("HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_SIZE", "7mb", 2),
                                  ("HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT", "3mb", 1)):
            with self.subTest(name):
                self.assertEqual(self.at_once(**{name: value}), want)

    def test_memory_for_files_at_once(self):
        for i in range(3):
            self.put({f"{i}.bin": noise(f"file{i}", MIB)}, home="uploader")
        names = "0.bin 1.bin 2.bin"
        size = {"HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_SIZE": "4mb", "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_PERFILE_SIZE": "1mb"}
        self.assertEqual(self.at_once(names), 3)
        self.assertEqual(self.at_once(names, **size), 1)
        self.assertEqual(self.at_once(names, **{**size, "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_PERFILE_SIZE": "4mb"}), 3)
        self.assertEqual(self.at_once(names, HF_XET_DATA_MAX_CONCURRENT_FILE_DOWNLOADS="2"), 2)

    def test_files_at_once_on_upload(self):
        folder = self.folder / "several"
        folder.mkdir()
        for i in range(3):
            (folder / f"{i}.bin").write_bytes(noise(f"up{i}", 300000))
        self.hf("repos", "create", "u/r")
        for name, want in ((None, 3), ("HF_XET_DATA_MAX_CONCURRENT_FILE_INGESTION", 1), ("HF_XET_MAX_CONCURRENT_FILE_INGESTION", 1)):
            with self.subTest(name):
                self.hub.reset()
                self.hub.run("fault", "kind=delay;seconds=1;path=/cas/v1/chunks/*;origin=cdn")
                for i in range(3):  # other content each time, or nothing is sent
                    (folder / f"{i}.bin").write_bytes(noise(f"up{name}{i}", 300000))
                self.hf("upload", "u/r", folder, ".", **({name: "1"} if name else {}))
                asked = sorted(r["time"] for r in self.seen("/cas/v1/chunks/"))
                self.assertEqual(len(asked), 3)
                self.assertEqual(len([t for t in asked if t < asked[0] + 0.7]), want)

    def test_how_long(self):
        content = noise("long", 2 * MIB)
        self.put({"a.bin": content})
        for more, least, most in (({}, 4, 12), ({"HF_XET_CLIENT_RETRY_MAX_DURATION": "1s"}, 0, 4), ({"HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "1"}, 0, 4)):
            with self.subTest(more):
                self.hub.reset()
                self.hub.run("fault", "kind=status;status=503;path=/cas/*;origin=cdn")
                _, target = self.fetch("a.bin", HF_TEST_BACKOFF_MS="1500", **more)
                self.assertEqual((target / "a.bin").read_bytes(), content)
                first = min(r["time"] for r in self.seen("xet-read-token"))
                [other] = self.seen("/resolve/", "GET")
                self.assertTrue(least <= other["time"] - first <= most, other["time"] - first)

    # ---- more than 50 GB

    @unittest.skipUnless(FULL, "takes long; XET_FULL=1")
    def test_more_than_fifty_gigabytes(self):
        """Such a file comes by HTTP as any other does where the CAS does not know it; its first bytes show that it was begun."""
        self.hub.add("u/large", "--generate", "files=1,size=51GB,name=large.bin")
        [entry] = [e for e in self.hub.get("/api/models/u/large/tree/main").json() if e["size"] > 50_000_000_000]
        self.hub.reset()
        running = subprocess.Popen([HF, "download", "u/large", entry["path"], "--stdout"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = running.stdout.read(2 * MIB)
        running.stdout.close()
        running.wait(60)
        answer = self.hub.get(f"/u/large/resolve/main/{entry['path']}")
        want = self.hub.get(answer.headers["location"], Range=f"bytes=0-{2 * MIB - 1}")
        self.assertEqual(first, want.body)


def load_tests(loader, _, __):
    return unittest.TestSuite(Trouble(name) for name in loader.getTestCaseNames(Trouble) if name not in dir(test_down.Down) or name in vars(Trouble))


if __name__ == "__main__":
    unittest.main(verbosity=1)
