"""The chunk cache of Xet downloads, and files to a pipe: what is at hand is not fetched, what is damaged is not used, the limit holds.

XET_CRAFT is the program that makes entries that lie.
"""
import hashlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_down  # noqa: E402
import test_xet  # noqa: E402
from test_xet import HF, MIB, noise  # noqa: E402

CRAFT = os.environ["XET_CRAFT"]
ON = {"HF_XET_CHUNK_CACHE_SIZE_BYTES": "1gb"}


class Cache(test_down.Down):
    def environment(self, home=None, **more):
        return super().environment(home, HF_XET_CACHE=str(self.folder / "xet"), **more)

    def entries(self):
        return sorted(p for p in (self.folder / "xet/libhf/chunks").glob("??/*") if not p.name.startswith("tmp-"))

    def check(self, name, content, wire=None, **more):
        """Downloads it with the cache; answers the bytes of xorbs that went over the wire."""
        self.hub.reset()
        _, target = self.fetch(name, **{**ON, **more})
        self.assertEqual((target / name).read_bytes(), content)
        self.assertEqual(self.seen("/resolve/", "GET"), [])
        if wire is not None:
            self.assertEqual(self.wire(), wire)
        return self.wire()

    def test_off_by_default(self):
        content = noise("off", MIB)
        self.put({"a.bin": content})
        self.fetch("a.bin")
        self.fetch("a.bin", HF_XET_CHUNK_CACHE_SIZE_BYTES="0")
        self.assertFalse((self.folder / "xet/libhf/chunks").exists())

    def test_what_is_shared_is_not_fetched(self):
        one, two, three = noise("one", 3 * MIB), noise("two", 3 * MIB), noise("three", 3 * MIB)
        files = {"a.bin": one + two, "b.bin": two + one + three, "c.bin": three + one + two, "d.bin": two}
        for name, content in files.items():
            self.put({name: content}, home="uploader")
        self.assertGreater(self.check("a.bin", files["a.bin"]), 6 * MIB)
        self.check("a.bin", files["a.bin"], wire=0)
        self.check("b.bin", files["b.bin"])
        for name in ("b.bin", "a.bin", "d.bin"):
            self.check(name, files[name], wire=0)
        self.assertLess(self.check("c.bin", files["c.bin"]), MIB)  # where the parts meet, chunks differ
        self.check("c.bin", files["c.bin"], wire=0)
        self.hub.reset()
        self.assertEqual(self.stream("u/r", "c.bin", "--stdout", **ON).stdout, files["c.bin"])
        self.assertEqual(self.wire(), 0)

    def test_a_pipe_fills_it_too(self):
        content = noise("pipe", 11 * MIB)
        self.put({"a.bin": content})
        self.assertEqual(self.stream("u/r", "a.bin", "--stdout", **ON).stdout, content)
        self.check("a.bin", content, wire=0)

    def test_private(self):
        self.put({"a.bin": noise("private", MIB)})
        self.fetch("a.bin", **ON)
        folder = self.folder / "xet/libhf/chunks"
        rows = [folder, *folder.rglob("*")]
        self.assertGreater(len(rows), 2)
        for p in rows:
            self.assertEqual(stat.S_IMODE(p.stat().st_mode), 0o700 if p.is_dir() else 0o600, p)

    def test_damaged_entries(self):
        content = noise("damaged", 3 * MIB)
        self.put({"a.bin": content})
        self.fetch("a.bin", **ON)
        [entry] = self.entries()
        good = entry.read_bytes()
        whole = len(content)
        for at in (0, 1000000, whole - 1, whole, whole + 33, whole + 36 * 5, len(good) - 56, len(good) - 48, len(good) - 1):
            with self.subTest(at=at):
                damaged = bytearray(good)
                damaged[at] ^= 0x10
                entry.write_bytes(damaged)
                self.assertGreater(self.check("a.bin", content), 3 * MIB - 100000)
                self.assertEqual(self.entries(), [entry])
                self.assertEqual(entry.read_bytes(), good)  # the damaged one went, a sound one came
        for length in (0, 10, 1000, whole, len(good) - 1):
            with self.subTest(length=length):
                entry.write_bytes(good[:length])
                self.assertGreater(self.check("a.bin", content), 3 * MIB - 100000)
                self.assertEqual(entry.read_bytes(), good)
        entry.write_bytes(good + b"more")
        self.check("a.bin", content)
        damaged = bytearray(good)
        damaged[2000000] ^= 1
        entry.write_bytes(damaged)
        done = self.stream("u/r", "a.bin", "--stdout", **ON)  # the damage is behind what was written
        self.assertEqual(done.stdout, content)

    def test_hostile_entries(self):
        content = noise("hostile", 3 * MIB)
        self.put({"a.bin": content})
        self.fetch("a.bin", **ON)
        [entry] = self.entries()
        good = entry.read_bytes()
        elsewhere = self.folder / "elsewhere"
        elsewhere.write_bytes(good)

        def link():
            entry.symlink_to(elsewhere)

        def folder():
            (entry / "inside").mkdir(parents=True)

        def open_to_all():
            entry.write_bytes(good)
            entry.chmod(0o666)

        for make in (link, folder, lambda: os.mkfifo(entry), open_to_all, lambda: entry.symlink_to("/dev/zero")):
            entry.unlink()
            make()
            self.check("a.bin", content)
            if entry.is_dir():
                (entry / "inside").rmdir()
                entry.rmdir()
                entry.write_bytes(good)
        self.assertEqual(elsewhere.read_bytes(), good)
        # An entry with a table for other bytes: chunk by chunk it is sound. The file's hash finds it out.
        entry.write_bytes(good)
        subprocess.run([CRAFT, "--lie", entry], check=True)
        self.assertNotEqual(entry.read_bytes(), good)
        self.check("a.bin", content)
        self.assertNotIn(entry, [p for p in self.entries() if p.read_bytes() != good])

    def test_names_without_end(self):
        content = noise("names", MIB)
        self.put({"a.bin": content})
        self.fetch("a.bin", **ON)
        [entry] = self.entries()
        for name in (entry.name[:64] + "-0-99999999999999999999-x", entry.name[:64] + "-5-2-" + "y" * 16, "z" * 200, entry.name + "0"):
            (entry.parent / name).write_bytes(b"?")
        self.check("a.bin", content, wire=0)

    # ---- the limit

    def by_inode(self):
        seen = {}
        for p in (self.folder / "xet/libhf/chunks").glob("??/*"):
            try:
                st = p.stat()
                seen[st.st_ino] = st.st_size
            except FileNotFoundError:
                pass
        return seen

    def size(self):
        """What is there at one moment; None while it changes: a file that went and one that came would both count."""
        seen = self.by_inode()
        return sum(seen.values()) if seen == self.by_inode() else None

    def test_the_limit_holds_with_two_processes(self):
        files = {f"{i}.bin": noise(f"limit{i}", 3 * MIB) for i in range(6)}
        for name, content in files.items():
            self.put({name: content}, home="uploader")
        most, sizes, end = 20 * MIB, [], threading.Event()

        def watch():
            while not end.is_set():
                size = self.size()
                if size is not None:
                    sizes.append(size)
                time.sleep(0.002)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for turn in range(3):
            running = [subprocess.Popen([HF, "download", "u/r", "--include", "*.bin", "--local-dir", self.folder / f"limit{turn}{k}"],
                                        env=self.environment(HF_XET_CHUNK_CACHE_SIZE_BYTES=str(most)), stdout=subprocess.DEVNULL) for k in range(2)]
            for k, p in enumerate(running):
                self.assertEqual(p.wait(120), 0)
                for name, content in files.items():
                    self.assertEqual((self.folder / f"limit{turn}{k}" / name).read_bytes(), content)
        end.set()
        watcher.join()
        self.assertLessEqual(max(sizes), most)
        self.assertGreater(max(sizes), most // 4)
        self.assertEqual([p for p in (self.folder / "xet/libhf/chunks").glob("??/tmp-*")], [])
        # A smaller limit applies from then on.
        self.put({"more.bin": noise("more", MIB)}, home="uploader")
        self.check("more.bin", noise("more", MIB), HF_XET_CHUNK_CACHE_SIZE_BYTES="3mb")
        self.assertLessEqual(self.size(), 3000000)
        self.check("more.bin", noise("more", MIB), wire=0)

    def test_who_was_used_last_stays(self):
        files = {f"{i}.bin": noise(f"use{i}", 3 * MIB) for i in range(3)}
        for name, content in files.items():
            self.put({name: content}, home="uploader")
        size = {"HF_XET_CHUNK_CACHE_SIZE_BYTES": str(12 * MIB)}
        for name in ("0.bin", "1.bin"):
            self.check(name, files[name], **size)
            time.sleep(0.05)
        self.check("0.bin", files["0.bin"], wire=0, **size)
        self.check("2.bin", files["2.bin"], **size)
        self.check("0.bin", files["0.bin"], wire=0, **size)
        self.assertGreater(self.check("1.bin", files["1.bin"], **size), 0)

    def test_what_a_crash_leaves_goes(self):
        content = noise("crash", 16 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=slow;path=/xorbs/*;origin=cdn;rate=4000000")
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--local-dir", self.folder / "crash"], env=self.environment(**ON),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        left = self.folder / "xet/libhf/chunks"
        for _ in range(400):
            if list(left.glob("??/tmp-*")):
                break
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.wait()
        self.assertTrue(list(left.glob("??/tmp-*")))
        self.assertEqual(self.entries(), [])
        self.check("a.bin", content, HF_XET_CHUNK_CACHE_SIZE_BYTES=str(24 * MIB))
        self.assertEqual(list(left.glob("??/tmp-*")), [])
        self.assertTrue(self.entries())

    def test_a_full_disk_costs_only_the_cache(self):
        content = noise("full", 12 * MIB)
        self.put({"a.bin": content})
        place = self.folder / "xet"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True)
        if done.returncode != 0:
            os.symlink("/dev/full", place / "libhf")
        try:
            self.check("a.bin", content)
            self.assertEqual(self.entries(), [])
        finally:
            if done.returncode == 0:
                subprocess.run(["umount", place], check=True)

    # ---- to a pipe

    def test_a_range_that_is_used_again_is_fetched_once(self):
        one, two = noise("again1", 3 * MIB), noise("again2", 2 * MIB)
        content = one + two + one + two + one + one
        self.put({"a.bin": content})
        for more in ({}, {"HF_MEMORY": "24MiB"}):
            self.hub.reset()
            self.assertEqual(self.stream("u/r", "a.bin", "--stdout", **more).stdout, content)
            self.assertLess(self.wire(), 6 * MIB)
        self.hub.reset()
        done = self.stream("u/r", "a.bin", "--stdout", HF_MEMORY="6MiB")  # memory wins, and it ends
        self.assertEqual(done.stdout, content)

    def test_one_chunk_many_times(self):
        block = noise("many", 1200000)
        content = b"".join(block + noise(f"many{i}", 200000) for i in range(20))
        self.put({"a.bin": content})
        self.assertEqual(self.stream("u/r", "a.bin", "--stdout").stdout, content)
        self.assertLess(self.wire(), len(content) // 2)

    def test_more_than_one_connection(self):
        content = noise("wide", 40 * MIB)
        self.put({"a.bin": content})
        took = {}
        for n in ("1", "8"):
            self.hub.reset()
            self.hub.run("fault", "kind=delay;seconds=0.5;path=/xorbs/*;origin=cdn")
            began = time.monotonic()
            self.assertEqual(self.stream("u/r", "a.bin", "--stdout", HF_XET_FIXED_DOWNLOAD_CONCURRENCY=n).stdout, content)
            took[n] = time.monotonic() - began
            self.assertLess(self.wire(), 41 * MIB)
        self.assertGreaterEqual(took["1"], 5)
        self.assertLess(took["8"], took["1"] * 0.7)

    def test_a_pipe_takes_from_an_older_version(self):
        old, new = self.two_versions()
        self.assertEqual(self.stream("u/r", "a.bin", "--stdout", home="reader").stdout, new)
        self.assertLess(self.wire(), 8 * MIB)

    def test_trouble_in_the_middle_of_a_pipe(self):
        content = noise("middle", 30 * MIB)
        self.put({"a.bin": content})
        for rule in ("kind=cut;path=/xorbs/*;origin=cdn;after=1000000;count=3", "kind=status;status=403;path=/xorbs/*;origin=cdn;nth=3;count=1",
                     "kind=status;status=404;path=/xorbs/*;origin=cdn;nth=4"):
            with self.subTest(rule):
                self.hub.reset()
                self.hub.run("fault", rule)
                self.assertEqual(self.stream("u/r", "a.bin", "--stdout").stdout, content)
        self.hub.reset()
        self.hub.run("fault", "kind=flip;path=/xorbs/*;origin=cdn;offset=1000000")
        done = self.stream("u/r", "a.bin", "--stdout", code=1)
        self.assertNotEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(content).digest())
        self.assertIn(b"a.bin", done.stderr)


def load_tests(loader, _, __):
    return unittest.TestSuite(Cache(name) for name in loader.getTestCaseNames(Cache) if name not in dir(test_down.Down))


if __name__ == "__main__":
    unittest.main(verbosity=1)
