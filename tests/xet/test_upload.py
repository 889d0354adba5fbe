"""Uploads by Xet: one read of each file, what is sent and what is not, files that change, a CAS in trouble, kill -9.

Every figure comes from the Hub's request log. HF_PROGRAM is the hf under test, HF_DEVHUB the Hub. XET_FULL=1 adds the cases that
take long: each fault of the table against every request, a CAS that is away for long, ten thousand small files.
"""
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "devhub"))
import devhub  # noqa: E402

HF = os.environ["HF_PROGRAM"]
FULL = bool(os.environ.get("XET_FULL"))
MIB = 1 << 20
# What an upload asks of the CAS: path, origin, method.
GRANT, PUT, COMMIT, CHUNK, SHARD = "/cas/v1/xorb-grants/*", "/xorb-uploads/*", "/cas/v1/xorb-commits/*", "/cas/v1/chunks/*", "/cas/v2/shards*"


def noise(seed, size):
    """Bytes that no compressor helps with, the same every time."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


class Uploads(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xet-upload-"))
        self.data = self.folder / "hub"
        self.hub = devhub.Hub(data=str(self.data))
        self.hf("repos", "create", "u/r")

    def tearDown(self):
        self.assertEqual(self.hub.close(), 0)
        shutil.rmtree(self.folder)

    def environment(self, home="home", **more):
        base = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_"))}
        where = str(self.folder / home)
        base.update({"HOME": where, "HF_HOME": where, "HF_ENDPOINT": self.hub.url, "HF_TOKEN": "hf_aaaaaaaaaaaaaaaa",
                     "HF_TEST_BACKOFF_MS": "5", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **more})
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                base[name] = os.environ[name]
        return base

    def start(self, *arguments, **more):
        return subprocess.Popen([HF, *map(str, arguments)], env=self.environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def hf(self, *arguments, code=0, **more):
        running = self.start(*arguments, **more)
        out, err = running.communicate(timeout=300)
        self.assertEqual(running.returncode, code, err + out)
        return err + out

    def source(self, content, name="source.bin"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def seen(self, word, method=None):
        return [r for r in self.hub.log() if word in r["path"] and (method is None or r["method"] == method)]

    def sent(self):
        return sum(r["body_size"] for r in self.seen("/xorb-uploads/", "PUT"))

    def by_lfs(self):
        return self.seen("/objects/", "PUT") + self.seen("/parts/", "PUT")

    def holds(self, path, content, repo="u/r"):
        """What the Hub gives for the path, without Xet."""
        answer = self.hub.get(f"/{repo}/resolve/main/{path}")
        while answer.status in (301, 302, 307):
            answer = self.hub.get(answer.headers["location"])
        self.assertEqual(answer.status, 200)
        self.assertEqual(hashlib.sha256(answer.body).hexdigest(), hashlib.sha256(content).hexdigest())

    def commits(self):
        return len(self.hub.get("/api/models/u/r/commits/main").json())

    # ---- one read ----

    def test_a_file_is_read_once(self):
        content = noise(1, 20 * MIB)
        path = self.source(content)
        trace = self.folder / "trace"
        strace = shutil.which("strace")
        if not strace:
            self.skipTest("strace is not there")
        subprocess.run([strace, "-f", "-qq", "-y", "-e", "trace=pread64,read,openat", "-o", str(trace), HF, "upload", "u/r", str(path), "a.bin"],
                       env=self.environment(), check=True, capture_output=True, timeout=300)
        read, begun = 0, set()
        for line in trace.read_text().splitlines():
            pid, rest = line.split(None, 1)
            ours = f"<{path}>" in rest and rest.startswith(("pread64(", "read(")) or pid in begun and " resumed>" in rest
            begun.discard(pid)
            if ours and "<unfinished" in rest:
                begun.add(pid)
            elif ours and rest.rsplit("=", 1)[-1].strip().isdigit():
                read += int(rest.rsplit("=", 1)[1])
        self.assertGreaterEqual(read, len(content))
        self.assertLessEqual(read, len(content) + 4096)
        self.holds("a.bin", content)
        self.assertEqual(self.by_lfs(), [])

    def test_unchanged_files_are_left_out(self):
        content = noise(2, 11 * MIB)
        path = self.source(content)
        self.hf("upload", "u/r", path, "a.bin")
        commits = self.commits()
        for home in ("home", "another"):  # with the journal of digests, and without
            self.assertIn("No files have been modified", self.hf("upload", "u/r", path, "a.bin", home=home))
        self.assertEqual(self.commits(), commits)

    # ---- files that change ----

    def changing(self, change, size=80 * MIB):
        path = self.source(noise(3, size))
        commits = self.commits()
        self.hub.run("fault", f"kind=delay;seconds=1;path={PUT};origin=cdn")
        running = self.start("upload", "u/r", path, "a.bin")
        while not self.seen("/xorb-uploads/"):
            time.sleep(0.02)
            self.assertIsNone(running.poll())
        change(path)
        out, err = running.communicate(timeout=120)
        self.assertNotEqual(running.returncode, 0)
        self.assertIn("changed while", err + out)
        self.assertEqual(self.commits(), commits)
        self.assertEqual(self.by_lfs(), [])
        self.assertEqual(self.seen("/cas/v2/shards"), [])

    def test_a_file_that_is_overwritten_meanwhile(self):
        def change(path):
            with open(path, "r+b") as f:
                f.seek(79 * MIB)
                f.write(b"x")
        self.changing(change)

    def test_a_file_that_is_overwritten_with_its_time_kept(self):
        def change(path):
            before = path.stat()
            with open(path, "r+b") as f:
                f.write(b"x")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.changing(change)

    def test_a_file_that_becomes_shorter(self):
        self.changing(lambda path: os.truncate(path, 20 * MIB))

    def test_a_file_that_grows(self):
        def change(path):
            with open(path, "ab") as f:
                f.write(b"more")
        self.changing(change)

    # ---- what is not sent again ----

    def test_an_edited_file_sends_what_changed(self):
        size = 64 * MIB
        content = bytearray(noise(4, size))
        path = self.source(content)
        self.hf("upload", "u/r", path, "a.bin")
        self.hub.reset()
        for i in range(16):
            at = i * (size // 16) + 1000
            content[at : at + 100] = b"y" * 100
        path.write_bytes(content)
        self.hub.run("fault", f"kind=status;status=404;path={CHUNK};origin=cdn")  # only what this machine knows
        self.hf("upload", "u/r", path, "a.bin")
        self.assertGreater(self.sent(), 0)
        self.assertLess(self.sent(), 16 * 3 * 131072)
        self.holds("a.bin", bytes(content))
        [shard] = self.seen("/cas/v2/shards")
        self.assertLess(shard["body_size"], 20000)

    def test_answers_of_the_index_are_remembered(self):
        content = noise(5, 16 * MIB)
        self.hf("upload", "u/r", self.source(content), "a.bin")
        self.hub.reset()
        self.hf("upload", "u/r", self.source(content + b"1", "b.bin"), "b.bin", home="another")
        self.assertTrue(self.seen("/cas/v1/chunks/"))
        self.assertLess(self.sent(), 300000)
        self.hub.reset()
        self.hub.run("fault", f"kind=status;status=404;path={CHUNK};origin=cdn")
        self.hf("upload", "u/r", self.source(content + b"2", "c.bin"), "c.bin", home="another")
        self.assertLess(self.sent(), 300000)
        self.holds("c.bin", content + b"2")

    def memory(self, home="home"):
        return list((self.folder / home / "xet/libhf").glob("*.known"))

    def test_the_memory_is_private_and_can_be_switched_off(self):
        path = self.source(noise(6, 11 * MIB))
        self.hf("upload", "u/r", path, "a.bin", HF_XET_SHARD_CACHE_SIZE_LIMIT="0")
        self.assertEqual(self.memory(), [])
        self.hf("upload", "u/r", path, "b.bin", home="two", HF_XET_CACHE=str(self.folder / "elsewhere"))
        [file] = (self.folder / "elsewhere/libhf").glob("*.known")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(file.parent.stat().st_mode & 0o777, 0o700)

    def test_a_damaged_memory_is_no_memory(self):
        content = noise(7, 24 * MIB)
        path = self.source(content)
        self.hf("upload", "u/r", path, "a.bin")
        [file] = self.memory()
        whole = file.read_bytes()
        for n, damage in enumerate((whole[:-7], whole + b"\0" * 50, whole[:50], whole[: len(whole) // 2] + b"Z" + whole[len(whole) // 2 + 1 :], noise(8, 5000),
                                    b"", whole[:4] + b"\xff\xff\xff\x7f" + whole[8:])):
            with self.subTest(n):
                file.write_bytes(damage)
                changed = content + bytes([n])
                self.hf("upload", "u/r", self.source(changed), "a.bin")
                self.holds("a.bin", changed)
                self.hub.reset()  # and what was added behind the damage is found
                self.hub.run("fault", f"kind=status;status=404;path={CHUNK};origin=cdn")
                self.hf("upload", "u/r", self.source(changed + b"z"), "b.bin")
                self.assertLess(self.sent(), 400000)
                self.hub.reset()

    def test_a_memory_of_another_server_is_dropped(self):
        content = noise(9, 12 * MIB)
        path = self.source(content)
        self.hf("upload", "u/r", path, "a.bin")
        self.hub.close()
        shutil.rmtree(self.data)
        url = self.hub.url.rsplit(":", 1)[1]
        self.hub = devhub.Hub("--port", url, data=str(self.data))  # the same address, and nothing there
        self.hf("repos", "create", "u/r")
        self.hf("upload", "u/r", self.source(content + b"more"), "a.bin")
        self.holds("a.bin", content + b"more")
        self.assertEqual(self.by_lfs(), [])

    def test_the_memory_stays_small(self):
        limit = 400000
        for i in range(6):
            self.hf("upload", "u/r", self.source(noise(20 + i, 14 * MIB)), f"{i}.bin", HF_XET_SHARD_CACHE_SIZE_LIMIT=str(limit), HF_MEMORY="200MiB")
        [file] = self.memory()
        self.assertLessEqual(file.stat().st_size, limit)
        self.assertGreater(file.stat().st_size, 7000)

    def test_killed_uploads_go_on(self):
        content = noise(10, 60 * MIB)
        path = self.source(content)
        self.hub.run("fault", f"kind=delay;seconds=0.4;path={PUT};origin=cdn")
        running = self.start("upload", "u/r", path, "a.bin")
        while len([r for r in self.seen("/xorb-commits/") if r["done"]]) < 2:
            time.sleep(0.02)
            self.assertIsNone(running.poll())
        time.sleep(0.1)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        acknowledged = {r["path"].split("/")[5]: r for r in self.seen("/xorb-commits/") if r["done"] and r["status"] == 200}
        self.assertGreaterEqual(len(acknowledged), 2)
        [file] = self.memory()
        remembered = file.read_bytes().count(b"XKN1")
        kept = sum(r["body_size"] for r in self.seen("/xorb-uploads/", "PUT") if r["done"])
        self.hub.run("fault", "--clear")
        self.hub.run("fault", f"kind=status;status=404;path={CHUNK};origin=cdn")
        self.hub.reset()
        self.hf("upload", "u/r", path, "a.bin")
        self.holds("a.bin", content)
        again = {r["path"].split("/")[5] for r in self.seen("/xorb-grants/")}
        self.assertEqual(again & set(acknowledged), set())
        self.assertGreaterEqual(remembered, len(acknowledged) - 1)
        self.assertLess(self.sent(), len(content) - remembered * 8 * MIB + 2 * MIB, kept)

    def test_a_full_disk_costs_only_the_memory(self):
        content = noise(11, 12 * MIB)
        elsewhere = self.folder / "full"
        elsewhere.mkdir()
        os.symlink("/dev/full", elsewhere / "libhf")  # no folder can be made, nothing written
        self.hf("upload", "u/r", self.source(content), "a.bin", HF_XET_CACHE=str(elsewhere))
        self.holds("a.bin", content)
        self.assertEqual(self.by_lfs(), [])

    def test_settings(self):
        text = b"the same line of text, more or less: %d\n"
        content = b"".join(text % i for i in range(400000))
        path = self.source(content)
        self.hf("upload", "u/r", path, "a.bin", HF_XET_XORB_COMPRESSION_POLICY="none", HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD="1",
                HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED="0")
        self.assertEqual(self.seen("/xorb-grants/") + self.seen("/cas/v1/chunks/"), [])
        self.assertGreater(sum(r["body_size"] for r in self.seen("/cas/v1/xorbs/")), len(content))
        self.holds("a.bin", content)
        self.hub.reset()
        self.hf("upload", "u/r", self.source(content[1000000:]), "b.bin", home="another", HF_XET_XORB_COMPRESSION_POLICY="lz4",
                HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED="0")
        self.assertGreater(self.sent(), 0)
        self.assertLess(self.sent(), len(content) // 2)
        self.holds("b.bin", content[1000000:])

    # ---- very large sets, made small ----

    def config(self, home, text):
        (self.folder / home).mkdir(exist_ok=True)
        (self.folder / home / "hf.conf").write_text(text)
        return {"home": home}

    def test_shards_go_up_while_the_upload_goes_on(self):
        """What a shard has said is not needed any more: a small limit stands for the 24 MiB that a few hundred GB fill."""
        content = noise(20, 90 * MIB)
        self.hf("upload", "u/r", self.source(content), "a.bin", HF_MEMORY="24MiB", **self.config("early", "xet.shard_size = 8kb\n"))
        self.holds("a.bin", content)
        self.assertEqual(self.by_lfs(), [])
        shards, xorbs = self.seen("/cas/v2/shards"), self.seen("/xorb-commits/")
        self.assertGreaterEqual(len(shards), 4)
        self.assertGreater(len([x for x in xorbs if x["time"] > min(s["time"] for s in shards)]), 2)
        self.assertLess(max(s["body_size"] for s in shards), 64 * 1024)
        self.assertLess(sum(s["body_size"] for s in shards), 2 * 48 * len(content) // 65536 + 4096)  # each xorb once

    def test_the_index_keeps_the_newest(self):
        """An index of 2048 chunks: what came lately is sent once, what came long ago again, and every file is right."""
        one, two, many = noise(21, 20 * MIB), noise(22, 20 * MIB), noise(23, 190 * MIB)
        more = {"HF_XET_SHARD_CHUNK_INDEX_TABLE_MAX_SIZE": "2048", "HF_XET_SHARD_CACHE_SIZE_LIMIT": "0",
                "HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED": "0", **self.config("newest", "xet.shard_size = 16kb\n")}
        content = one + many + two + one + two
        self.hf("upload", "u/r", self.source(content), "a.bin", **more)
        self.holds("a.bin", content)
        self.assertEqual(self.by_lfs(), [])
        self.assertTrue(248 * MIB < self.sent() < 256 * MIB, self.sent())  # one, many, two, and one again

    # ---- small files ----

    def small(self, count):
        folder = self.folder / "many"
        for i in range(count):
            devhub.write(str(folder), f"d{i % 50:02}/f{i}.bin", noise(1000 + i, 10240))
        self.hub.reset()
        self.hf("upload", "u/r", folder, ".")
        xorbs = len({r["path"].split("/")[5] for r in self.seen("/xorb-grants/")})
        asked = [(r["method"], r["path"], r["status"]) for r in self.seen("/xorb")]
        self.assertLessEqual(len(asked), 3 * xorbs, asked)
        self.assertLessEqual(xorbs, count * 10240 // (8 * MIB) + 4)
        shards = len(self.seen("/cas/v2/shards"))
        self.assertLessEqual(shards, xorbs + 2)
        self.assertLessEqual(len(self.seen("/preupload/")), (count + 255) // 256)
        self.assertLessEqual(len(self.seen("/cas/v1/chunks/")), 64)
        self.assertEqual(self.by_lfs(), [])
        self.assertEqual(len([e for e in self.tree() if e["type"] == "file" and e["path"].endswith(".bin")]), count)
        self.holds("d03/f3.bin", noise(1003, 10240))
        self.holds(f"d{(count - 1) % 50:02}/f{count - 1}.bin", noise(1000 + count - 1, 10240))

    def tree(self):
        rows, url = [], "/api/models/u/r/tree/main?recursive=true"
        while url:
            answer = self.hub.get(url)
            rows += answer.json()
            link = answer.headers.get("link", "")
            url = link.split("<")[1].split(">")[0] if 'rel="next"' in link else None
        return rows

    def test_a_thousand_small_files(self):
        self.small(1000)

    @unittest.skipUnless(FULL, "takes long; XET_FULL=1")
    def test_ten_thousand_small_files(self):
        self.small(10000)

    # ---- trouble ----

    def trouble(self, rules, content, lfs=False, seconds=None):
        self.hub.reset()
        self.hub.run("fault", *rules)
        began = time.monotonic()
        self.hf("upload", "u/r", self.source(content), "a.bin")
        took = time.monotonic() - began
        self.hub.run("fault", "--clear")
        self.assertEqual(bool(self.by_lfs()), lfs, rules)
        self.holds("a.bin", content)
        if seconds:
            self.assertLess(took, seconds, rules)

    def test_passing_trouble_is_endured(self):
        faults = ["kind=status;status=503", "kind=status;status=429;retry_after=1", "kind=empty", "kind=status;status=500;done=1"]
        places = [GRANT, PUT, COMMIT, SHARD] if FULL else [PUT, SHARD]
        n = 0
        for place in places:
            for fault in faults if FULL else faults[n % 2 :: 2]:
                n += 1
                with self.subTest(place=place, fault=fault):
                    self.trouble([f"{fault};path={place};origin=cdn;count=2"], noise(200 + n, 11 * MIB))

    def test_a_server_that_thinks_about_a_xorb(self):
        """Nothing is asked or sent twice, neither of the first xorb nor of later ones."""
        self.trouble([f"kind=delay;seconds=5.5;path={COMMIT};origin=cdn"], noise(236, 11 * MIB))
        self.assertEqual(len(self.seen("/xorb-commits/")), len({r["path"].split("/grant/")[0] for r in self.seen("/xorb-commits/")}))
        self.assertLess(self.sent(), 11 * MIB + 65536)

    def test_one_connection_that_stalls(self):
        """The others get through: it is sent again, and that is all."""
        self.trouble([f"kind=hold;path={PUT};origin=cdn;nth=3;count=1"], noise(237, 40 * MIB))
        self.assertEqual(len(self.seen("/xorb-commits/")), 5)

    def test_the_same_over_and_over(self):
        """A xorb that comes out twice is sent once, and once in the shard."""
        self.hf("upload", "u/r", self.source(bytes(80 * MIB)), "a.bin")
        self.holds("a.bin", bytes(80 * MIB))
        self.assertLess(self.sent(), 2 * MIB)
        [shard] = self.seen("/cas/v2/shards")
        self.assertLess(shard["body_size"], 25000)

    def test_several_xorbs_at_once(self):
        """As many as memory holds, and reading goes on meanwhile."""
        self.trouble([f"kind=delay;seconds=1.5;path={PUT};origin=cdn"], noise(239, 56 * MIB))
        began = sorted(r["time"] for r in self.seen("/xorb-uploads/", "PUT"))
        self.assertEqual(len(began), 7)
        self.assertGreaterEqual(max(len([t for t in began if at <= t < at + 1.5]) for at in began), 3)

    def test_bodies_that_break_are_sent_again(self):
        self.trouble([f"kind=break;path={PUT};origin=cdn;after=3MiB;count=2"], noise(240, 11 * MIB))
        self.assertLessEqual(len(self.seen("/xorb-grants/")), 6)

    def test_refused_targets_are_asked_for_again(self):
        for n, (status, count) in enumerate(((400, 1), (403, 2), (409, 2))):
            with self.subTest(status):
                self.trouble([f"kind=status;status={status};path={PUT};origin=cdn;count={count}"], noise(250 + n, 11 * MIB))
        self.trouble([f"kind=status;status=403;path={PUT};origin=cdn"], noise(255, 11 * MIB))  # directly, then
        self.assertTrue(self.seen("/cas/v1/xorbs/", "POST"))
        self.trouble([f"kind=status;status=404;path={COMMIT};origin=cdn;count=1"], noise(256, 11 * MIB))

    def test_shards_that_are_not_taken(self):
        retryable = '[{"kind":"body","body":"{\\"type\\":\\"error\\",\\"message\\":\\"busy\\",\\"retryable\\":true}","type":"application/x-ndjson","count":2,"match":{"path":"/cas/v2/shards*"}}]'
        fatal = retryable.replace("true", "false").replace('"count":2,', "")
        content = noise(260, 11 * MIB)
        self.hub.reset()
        self.hub.request("/_devhub/faults", method="POST", body=retryable)
        self.hf("upload", "u/r", self.source(content), "a.bin")
        self.assertEqual(len(self.seen("/cas/v2/shards")), 3)
        self.assertEqual(self.by_lfs(), [])
        self.hub.reset()
        self.hub.request("/_devhub/faults", method="POST", body=fatal)
        said = self.hf("upload", "u/r", self.source(content + b"x"), "a.bin")
        self.assertIn("busy", said)
        self.assertTrue(self.by_lfs())
        self.trouble(["kind=status;status=404;path=/cas/v2/*;origin=cdn"], noise(261, 11 * MIB))
        self.assertTrue(self.seen("/cas/v1/shards", "POST"))

    def test_a_cas_that_never_works_is_left_soon(self):
        rules = ["kind=status;status=403;path=*xet-write-token*", "kind=html;path=/cas/*;origin=cdn",
                 "kind=status;status=401;path=/cas/*;origin=cdn", "kind=status;status=500;path=/cas/*;origin=cdn", "kind=stall;after=0;path=/cas/*;origin=cdn",
                 "kind=hold;after=100000;path=" + PUT + ";origin=cdn", "kind=status;status=503;retry_after=600;path=/cas/*;origin=cdn"]
        for n, rule in enumerate(rules if FULL else rules[:2] + rules[4:5]):
            with self.subTest(rule):
                self.trouble([rule], noise(270 + n, 11 * MIB), lfs=True, seconds=25)

    @unittest.skipUnless(FULL, "takes five minutes; XET_FULL=1")
    def test_who_always_asks_for_patience_is_left(self):
        """Every shard is put off by what Retry-After allows, although xorbs were taken."""
        self.trouble([f"kind=status;status=503;retry_after=100;path={SHARD};origin=cdn"], noise(280, 11 * MIB), lfs=True)
        self.assertLessEqual(len(self.seen("/cas/v2/shards", "POST")), 6)

    def test_the_least_memory(self):
        """Xorbs do not fit into it; there are two at a time then, however many files go up."""
        files = self.folder / "many"
        for n in range(8):
            self.source(noise(290 + n, 24 * MIB), f"many/{n}.bin")
        self.hub.reset()
        self.hub.run("fault", f"kind=slowhead;rate=300;path={PUT};origin=cdn")
        with open(self.folder / "said", "w") as said:
            running = subprocess.Popen([HF, "upload", "u/r", str(files)], env=self.environment(HF_MEMORY="16MiB"), stdout=said, stderr=said)
            most = 0  # of the program alone: what wait4() says begins with the memory of the process that forked
            while running.poll() is None:
                try:
                    peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{running.pid}/status").read_text())
                    if peak and os.readlink(f"/proc/{running.pid}/exe") == str(pathlib.Path(HF).resolve()):
                        most = max(most, int(peak[1]))
                except OSError:
                    continue  # it has just ended
                time.sleep(0.02)
        self.assertEqual(running.returncode, 0, (self.folder / "said").read_text())
        self.assertEqual(self.by_lfs(), [])
        self.assertTrue(0 < most < 110 * 1024, most)

    def test_the_bad_host_is_remembered(self):
        folder = self.folder / "several"
        for i in range(300):
            devhub.write(str(folder), f"f{i}.bin", noise(2000 + i, 3000))
        self.hub.run("fault", "kind=empty;path=/cas/*;origin=cdn")
        self.hf("upload", "u/r", folder, ".")
        first = [r["time"] for r in self.seen("/cas/")]
        lfs = [r["time"] for r in self.seen("/info/lfs/objects/batch")]
        self.assertTrue(first and lfs)
        self.assertLessEqual(max(first), min(lfs) + 12)
        self.holds("f299.bin", noise(2299, 3000))

    def away(self, seconds, size):
        content = noise(300, size)
        self.hub.reset()
        self.hub.run("fault", f"kind=delay;seconds=0.3;path={PUT};origin=cdn")
        running = self.start("upload", "u/r", self.source(content), "a.bin", HF_TEST_BACKOFF_MS="300")
        while len([r for r in self.seen("/xorb-commits/") if r["done"]]) < 2:
            time.sleep(0.02)
            self.assertIsNone(running.poll())
        self.hub.run("fault", "kind=empty;path=/cas/*;origin=cdn", "kind=empty;path=/xorb-uploads/*;origin=cdn")
        timer = threading.Timer(seconds, lambda: self.hub.run("fault", "--clear"))
        timer.start()
        out, err = running.communicate(timeout=300)
        timer.join()
        self.assertEqual(running.returncode, 0, out + err)
        self.holds("a.bin", content)

    def test_a_cas_that_is_away_for_a_moment(self):
        self.away(3, 50 * MIB)
        self.assertEqual(self.by_lfs(), [])

    @unittest.skipUnless(FULL, "takes long; XET_FULL=1")
    def test_a_cas_that_is_away_for_a_minute(self):
        self.away(60, 60 * MIB)  # little was there: LFS has it by then

    def test_refused_tokens_are_renewed(self):
        content = noise(400, 60 * MIB)
        self.hub.reset()
        self.hub.run("fault", f"kind=status;status=401;path={GRANT};origin=cdn;nth=2;count=1")
        self.hf("upload", "u/r", self.source(content), "a.bin")
        self.assertEqual(self.by_lfs(), [])
        self.assertEqual(len(self.seen("xet-write-token")), 2)
        self.holds("a.bin", content)


if __name__ == "__main__":
    unittest.main(verbosity=1)
