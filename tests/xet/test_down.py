"""Downloads by Xet when the network is not kind, when they are interrupted, when they go to a pipe, and when an older version is there.

What goes over the wire is counted by the server.
"""
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_xet  # noqa: E402
from test_xet import HF, MIB, noise  # noqa: E402


class Silent:
    """A port that takes no connection: its queue is full, further SYNs are dropped."""

    def __init__(self):
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(0)
        self.port = self.server.getsockname()[1]
        self.waiting = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            try:
                s.connect(("127.0.0.1", self.port))
            except BlockingIOError:
                pass
            self.waiting.append(s)

    def close(self):
        for s in self.waiting:
            s.close()
        self.server.close()


class Down(test_xet.Xet):
    def fetch(self, *names, repo="u/r", **more):
        """Downloads into a fresh folder; answers seconds and the folder."""
        self.count += 1
        target = self.folder / f"down{self.count}"
        began = time.monotonic()
        self.hf("download", repo, *names, "--local-dir", target, **more)
        return time.monotonic() - began, target

    def wire(self):
        return sum(r.get("sent") or 0 for r in self.seen("/xorbs/default/"))

    # ---- ten seconds without a byte are enough

    def check_fall_back(self, content, most, **more):
        seconds, target = self.fetch("a.bin", **more)
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertEqual(len(self.seen("/resolve/", "GET")), 1)
        self.assertLess(seconds, most)

    def test_dropped_connections(self):
        content = noise("fall", 2 * MIB)
        self.put({"a.bin": content})
        silent = Silent()
        for where in ("/cas/", "/xorbs/"):
            with self.subTest(where):
                self.hub.reset()
                self.check_fall_back(content, 14, HF_URL_REWRITE=f"{self.hub.cdn}{where}=http://127.0.0.1:{silent.port}{where}")
        silent.close()

    def test_silent_answers(self):
        """A CAS that stalls after the header, one that takes its time at every step, addresses that stall."""
        content = noise("fall", 2 * MIB)
        self.put({"a.bin": content})
        for rules in (["kind=stall;path=/cas/*;origin=cdn;after=10"], ["kind=stall;path=/xorbs/*;origin=cdn;after=0"],
                      ["kind=delay;seconds=4;path=*xet-read-token*", "kind=delay;seconds=4;path=/cas/*;origin=cdn",
                       "kind=stall;path=/xorbs/*;origin=cdn;after=0"]):
            with self.subTest(rules[0]):
                self.hub.reset()
                for rule in rules:
                    self.hub.run("fault", rule)
                self.check_fall_back(content, 16)
                first = min(r["time"] for r in self.seen("xet-read-token"))
                other = min(r["time"] for r in self.seen("/resolve/", "GET"))
                self.assertLess(other - first, 10.5)

    def test_a_bad_server_is_asked_once(self):
        files = {f"{i}.bin": noise(i, MIB) for i in range(6)}
        self.put(files)
        self.hub.reset()
        self.hub.run("fault", "kind=html;path=/cas/*;origin=cdn")
        seconds, target = self.fetch("--max-workers", "1")
        for name, content in files.items():
            self.assertEqual((target / name).read_bytes(), content)
        self.assertEqual(len(self.seen("/cas/")), 1)
        self.assertEqual(len([r for r in self.seen("/resolve/", "GET") if r["path"].endswith(".bin")]), 6)

    def test_no_other_way(self):
        self.put({"a.bin": noise("only", MIB)})
        self.hub.run("fault", "kind=status;status=404;path=/cas/*;origin=cdn")
        done = self.hf("download", "u/r", "a.bin", "--local-dir", self.folder / "only", code=1, HF_TRANSFER="xet")
        self.assertIn("a.bin", done.stderr)

    def test_held_bytes_stay_when_falling_back(self):
        content = noise("half", 40 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=status;status=404;path=/xorbs/*;origin=cdn;nth=3")
        _, target = self.fetch("a.bin", HF_XET_FIXED_DOWNLOAD_CONCURRENCY="1")
        self.assertEqual((target / "a.bin").read_bytes(), content)
        xet = self.wire()
        self.assertGreater(xet, 10 * MIB)
        rest = sum(r.get("sent") or 0 for r in self.hub.log() if "/xorbs/" not in r["path"] and "/cas/" not in r["path"])
        self.assertLess(rest, len(content) - xet + 2 * MIB)

    # ---- waiting as asked

    def test_patience_as_the_server_asks(self):
        content = noise("wait", 2 * MIB)
        self.put({"a.bin": content})
        for rule, least in (("kind=status;status=429;retry_after=2;path=/cas/*;origin=cdn;count=1", 2), ("kind=status;status=429;path=/cas/*;origin=cdn;count=2", 0),
                            ("kind=status;status=503;retry_after=1;path=/xorbs/*;origin=cdn;count=1", 1), ("kind=status;status=401;path=/cas/*;origin=cdn;count=1", 0)):
            with self.subTest(rule):
                self.hub.reset()
                self.hub.run("fault", rule)
                seconds, target = self.fetch("a.bin")
                self.assertEqual((target / "a.bin").read_bytes(), content)
                self.assertGreaterEqual(seconds, least)
                self.assertEqual(self.seen("/resolve/", "GET"), [])
        self.hub.reset()
        self.hub.run("fault", "kind=status;status=429;retry_after=600;path=/cas/*;origin=cdn")
        self.check_fall_back(content, 10)

    def test_a_new_token_when_the_old_one_ends(self):
        content = noise("token", 2 * MIB)
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=status;status=401;path=/cas/*;origin=cdn;count=1")
        _, target = self.fetch("a.bin")
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertEqual(len(self.seen("xet-read-token")), 2)

    # ---- going on

    def interrupted(self, content, home, seconds=2.5):
        self.put({"a.bin": content})
        self.hub.run("fault", "kind=slow;path=/xorbs/*;origin=cdn;rate=4000000")
        target = self.folder / "going-on"
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--local-dir", str(target)], env=self.environment(home),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        running.send_signal(signal.SIGKILL)
        running.wait()
        self.hub.reset()
        [partial] = [p for p in target.rglob("*") if p.is_file() and p.stat().st_size > MIB]
        return target, partial

    def test_killed_keeps_what_is_on_the_disk(self):
        content = noise("kill", 64 * MIB)
        target, partial = self.interrupted(content, "kill")
        on_disk, lies = partial.read_bytes(), 0
        for at in range(0, len(on_disk), 4096):
            lies += 4096 if on_disk[at : at + 4096] == content[at : at + 4096] else 0
        self.assertGreater(lies, 4 * MIB)
        self.hf("download", "u/r", "a.bin", "--local-dir", target, home="kill")
        self.assertEqual((target / "a.bin").read_bytes(), content)
        # What is fetched again are the chunks and journal blocks that were under way: at most one of each per connection.
        self.assertLess(self.wire(), len(content) - 0.99 * lies + 16 * 384 * 1024)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    def test_what_changed_on_the_disk_is_fetched_again(self):
        content = noise("rot", 48 * MIB)
        target, partial = self.interrupted(content, "rot")
        damaged = bytearray(partial.read_bytes())
        self.assertEqual(bytes(damaged[: 300000]), content[:300000])
        damaged[200000] ^= 1
        partial.write_bytes(damaged)
        self.hf("download", "u/r", "a.bin", "--local-dir", target, home="rot")
        self.assertEqual((target / "a.bin").read_bytes(), content)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    # ---- to a pipe

    def stream(self, *arguments, code=0, **more):
        done = subprocess.run([HF, "download", *arguments], env=self.environment(**more), capture_output=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_to_stdout(self):
        content, text = noise("pipe", 3 * MIB) + bytes(4 * MIB) + noise("pipe", 2 * MIB), b"{}\n"
        self.put({"a.bin": content, "small.json": text})
        for arguments in (["a.bin", "--stdout"], ["a.bin", "-o", "-"]):
            done = self.stream("u/r", *arguments)
            self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(content).digest())
            self.assertEqual(done.stderr, b"")
        self.assertEqual(self.stream("u/r", "small.json", "--stdout").stdout, text)
        self.assertTrue(self.seen("/xorbs/default/"))
        self.assertEqual(self.stream("u/r", "a.bin", "--stdout", HF_HUB_DISABLE_XET="1").stdout, content)
        self.hub.reset()
        self.hf("download", "u/r", "a.bin", home="cached")
        self.hub.reset()
        self.assertEqual(self.stream("u/r", "a.bin", "--stdout", home="cached").stdout, content)  # from the cache
        self.assertEqual(self.seen("/xorbs/default/"), [])

    def test_to_stdout_words(self):
        self.put({"a.bin": b"a", "b.bin": b"b"})
        for arguments, word in ((["--stdout"], b"exactly one"), (["a.bin", "b.bin", "--stdout"], b"exactly one"), (["a.bin", "-o", "file"], b"`-` only"),
                                (["a.bin", "--stdout", "--local-dir", "x"], b"--local-dir")):
            self.assertIn(word, self.stream("u/r", *arguments, code=1).stderr)

    def test_to_stdout_damaged(self):
        content = noise("damaged", 3 * MIB)
        self.put({"a.bin": content})
        for more in ({"HF_HUB_DISABLE_XET": "1"}, {}):
            self.hub.reset()
            path = "/xorbs/*" if not more else "/*"
            self.hub.run("fault", f"kind=flip;path={path};origin=cdn;offset=1000000")
            done = self.stream("u/r", "a.bin", "--stdout", code=1, **more)
            self.assertEqual(len(done.stdout), len(content))
            self.assertIn(b"a.bin", done.stderr)
            # Written once: what came cannot be taken back.
        self.hub.reset()
        self.hub.run("fault", "kind=status;status=404;path=/xorbs/*;origin=cdn")
        self.assertEqual(self.stream("u/r", "a.bin", "--stdout").stdout, content)  # nothing had come by Xet

    def test_to_a_pipe_that_closes(self):
        self.put({"a.bin": noise("closed", 8 * MIB)})
        running = subprocess.Popen([HF, "download", "u/r", "a.bin", "--stdout"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.read(1000)
        running.stdout.close()
        self.assertEqual(running.stderr.read(), b"")
        running.stderr.close()
        self.assertEqual(running.wait(60), 1)

    # ---- from an older version

    def two_versions(self):
        old = noise("old", 48 * MIB)
        new = bytearray(old)
        for i in range(4):
            at = (2 * i + 1) * len(old) // 9
            new[at : at + 20000] = noise(f"edit{i}", 20000)
        new = bytes(new) + b"a tail"
        self.put({"a.bin": old}, home="uploader")
        self.hf("download", "u/r", "a.bin", home="reader")
        self.first = self.hub.get("/api/models/u/r").json()["sha"]
        self.put({"a.bin": new}, home="uploader")
        self.hub.reset()
        return old, new

    def cached(self, home):
        return {hashlib.sha256(p.read_bytes()).hexdigest() for p in (self.folder / home / "hub").glob("models--*/snapshots/*/a.bin")}

    def test_only_what_differs(self):
        old, new = self.two_versions()
        self.hf("download", "u/r", "a.bin", home="reader")
        self.assertIn(hashlib.sha256(new).hexdigest(), self.cached("reader"))
        self.assertLess(self.wire(), 4 * MIB)
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    def test_an_older_version_in_a_plain_folder(self):
        """The file that is to be replaced is one; changed by its owner meanwhile, it costs no more than the bytes that are wrong then."""
        old, new = self.two_versions()
        for change in (None, 30 * MIB):
            target = self.folder / f"plain{change}"
            self.hf("download", "u/r", "a.bin", "--local-dir", target, "--revision", self.first)
            self.assertEqual((target / "a.bin").read_bytes(), old)
            if change:
                stamp = (target / "a.bin").stat()
                with open(target / "a.bin", "r+b") as file:
                    file.seek(change)
                    file.write(b"changed")
                os.utime(target / "a.bin", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            self.hub.reset()
            self.hf("download", "u/r", "a.bin", "--local-dir", target)
            self.assertEqual((target / "a.bin").read_bytes(), new)
            self.assertEqual(self.seen("/resolve/", "GET"), [])
            if not change:
                self.assertLess(self.wire(), 4 * MIB)

    def test_an_older_version_that_is_damaged(self):
        old, new = self.two_versions()
        [blob] = [p for p in (self.folder / "reader/hub").rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_size == len(old)]
        os.chmod(blob, 0o644)
        damaged = bytearray(old)
        damaged[30 * MIB] ^= 1
        blob.write_bytes(damaged)
        self.hf("download", "u/r", "a.bin", home="reader")
        self.assertIn(hashlib.sha256(new).hexdigest(), self.cached("reader"))


def load_tests(loader, _, __):
    return unittest.TestSuite(Down(name) for name in loader.getTestCaseNames(Down) if name not in dir(test_xet.Xet))


if __name__ == "__main__":
    unittest.main(verbosity=1)
