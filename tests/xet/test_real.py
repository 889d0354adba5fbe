"""Both directions with a content-addressed storage of another make: `local_cas_server` of the Rust client's own sources.

HF_XET_SERVER names the program; without it the test is skipped (exit 77). It has no Hub: tokens, repos and commits are
hf-devhub's, and requests to its storage are rewritten to the other server.
"""
import os
import pathlib
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_xet  # noqa: E402
from test_xet import MIB, noise  # noqa: E402

SERVER = os.environ.get("HF_XET_SERVER")
KNOBS = (None, "disable_v2_endpoints=404", "disable_v2_endpoints=501", "max_ranges_per_fetch=1", "url_expiration=1", "xorb_upload_grants=off")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Real(test_xet.Xet):
    def with_knob(self, knob):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        server = subprocess.Popen([SERVER, "--host", "127.0.0.1", "--port", str(port), "--in-memory"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(url + "/health", timeout=5)
                    break
                except OSError:
                    time.sleep(0.05)
            if knob:
                name, value = knob.split("=")
                urllib.request.urlopen(urllib.request.Request(f"{url}/simulation/set_config?config={name}&value={value}", method="POST"))
            self.there_and_back({"HF_URL_REWRITE": f"{self.hub.cdn}/cas/={url}/", "HF_TRANSFER": "xet"})
            urllib.request.urlopen(urllib.request.Request(url + "/simulation/verify_integrity", method="POST"))
        finally:
            server.kill()
            server.wait()

    def there_and_back(self, rewrite):
        content = noise("real", 9 * MIB) + b"".join(b"%d lines\n" % i for i in range(100000))
        edited = content[: 5 * MIB] + noise("edit", 100000) + content[5 * MIB :]
        files = {"a.bin": content, "b.bin": edited}
        self.put(files)  # the Hub knows the files by now
        self.put({f"real/{name}": data for name, data in files.items()}, **{k: v for k, v in rewrite.items() if k != "HF_TRANSFER"})
        self.get({f"real/{name}": data for name, data in files.items()}, **rewrite)
        self.assertEqual(self.seen("/cas/"), [])
        self.assertEqual(self.seen("/resolve/", "GET"), [])

    def test_there_and_back(self):
        for knob in KNOBS:
            with self.subTest(knob):
                self.with_knob(knob)


if __name__ == "__main__":
    if not SERVER or not os.access(SERVER, os.X_OK):
        print("SKIPPED: HF_XET_SERVER names no local_cas_server")
        sys.exit(77)
    unittest.TextTestRunner(verbosity=1).run(Real("test_there_and_back")).wasSuccessful() or sys.exit(1)
