"""The content-addressed storage of hf-devhub: what it takes, what it refuses, what it serves, and that nothing which it acknowledged
is lost by kill -9.

Bytes come from xet-craft (XET_CRAFT): one right xorb and shard and every wrong one. HF_DEVHUB is the Hub.
"""
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

CRAFT = os.environ["XET_CRAFT"]


def crc64nvme(data):
    value = (1 << 64) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
    return value ^ ((1 << 64) - 1)


class Cas(unittest.TestCase):
    options = ()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xet-cas-"))
        self.hub = devhub.Hub(*self.options, data=str(self.folder / "hub"))
        self.create()
        self.craft(1)
        self.enter()

    def tearDown(self):
        self.hub.close()
        shutil.rmtree(self.folder)

    def create(self):
        self.hub.request("/api/repos/create", method="POST", body=b'{"name":"r","organization":"u","type":"model"}', headers={"authorization": "Bearer hf_a"})

    def craft(self, seed):
        made = self.folder / f"made{seed}"
        made.mkdir()
        subprocess.run([CRAFT, str(made), str(seed)], check=True)
        self.bytes = {p.name: p.read_bytes() for p in made.iterdir()}
        self.names = dict(line.split() for line in self.bytes["names"].decode().splitlines())
        chunks, at = [], 0
        for size in (9000, 20000, 8192):
            chunks.append(self.bytes["xorb"][at + 8 : at + 8 + size])
            at += 8 + size
        self.content = chunks[0] + chunks[1] + chunks[2] + chunks[1]

    def enter(self):
        self.tokens = {}
        for kind in ("read", "write"):
            answer = self.hub.get(f"/api/models/u/r/xet-{kind}-token/main", authorization="Bearer hf_a")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.json()["casUrl"], answer.headers["x-xet-cas-url"])
            self.assertGreater(answer.json()["exp"], time.time())
            self.tokens[kind], self.cas = answer.json()["accessToken"], answer.json()["casUrl"]

    def ask(self, path, method="GET", body=None, token="write", **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if token:
            headers["authorization"] = "Bearer " + self.tokens.get(token, token)
        return devhub.request(self.cas + path, method=method, body=body, headers=headers)

    def put_xorb(self, which="xorb", name="xorb", **more):
        return self.ask("/v1/xorbs/default/" + self.names[name], "POST", self.bytes[which], **more)

    def put_shard(self, which="shard", version=2, **more):
        answer = self.ask(f"/v{version}/shards", "POST", self.bytes[which], **more)
        if version == 2 and answer.status == 200:
            return json.loads(answer.body.splitlines()[-1])["type"]
        return answer.status

    def grant(self, **changes):
        body = {"length": len(self.bytes["xorb"]), "checksum": {"algo": "crc64nvme", "value": self.names["crc"]}, **changes}
        return self.ask("/v1/xorb-grants/default/" + self.names["xorb"], "POST", json.dumps(body).encode())

    # ---- tokens ----

    def test_tokens(self):
        for path, method in (("/v1/xorbs/default/" + self.names["xorb"], "POST"), ("/v2/shards", "POST"), ("/v1/xorb-grants/default/" + self.names["xorb"], "POST"),
                             ("/v2/reconstructions/" + self.names["file"], "GET"), ("/v1/chunks/default/" + self.names["chunk0"], "GET")):
            body = self.bytes["xorb"] if method == "POST" else None
            for token, status in ((None, 401), ("nonsense", 401), (self.tokens["write"][:-1] + "10"[self.tokens["write"][-1] != "0"], 401)):
                self.assertEqual(self.ask(path, method, body, token=token).status, status, (path, token))
            if method == "POST":
                self.assertEqual(self.ask(path, method, body, token="read").status, 403, path)

    # ---- xorbs ----

    def test_xorbs_are_checked(self):
        for wrong in ("xorb-cut", "xorb-flipped", "xorb-scheme", "xorb-version", "xorb-raw"):
            self.assertEqual(self.put_xorb(wrong).status, 400, wrong)
        self.assertEqual(self.put_xorb(name="other").status, 400)
        self.assertEqual(self.ask("/v1/xorbs/default/" + self.names["xorb"], "POST", b"").status, 400)
        self.assertEqual(self.ask("/v1/xorbs/default/xyz", "POST", self.bytes["xorb"]).status, 400)
        self.assertEqual(self.ask("/v1/xorbs/default/" + self.names["xorb"], "HEAD").status, 404)
        self.assertTrue(self.put_xorb("xorb-footer").json()["was_inserted"])
        self.assertFalse(self.put_xorb().json()["was_inserted"])
        self.assertEqual(self.ask("/v1/xorbs/default/" + self.names["xorb"], "HEAD").status, 200)

    def test_grants(self):
        for changes in ({"length": 0}, {"length": (64 << 20) + 8 * 8192 + 1}, {"checksum": {"algo": "crc32", "value": "1"}}, {"checksum": {"algo": "crc64nvme", "value": "x"}}):
            self.assertEqual(self.grant(**changes).status, 400, changes)
        answer = self.grant()
        self.assertEqual(answer.status, 201)
        grant = answer.json()
        commit = f"/v1/xorb-commits/default/{self.names['xorb']}/grant/{grant['id']}"
        self.assertEqual(self.ask(commit, "POST").status, 404)  # nothing is there yet

        def put(data, **headers):
            return devhub.request(grant["url"], method=grant["method"], body=data, headers={**grant["headers"], **headers}).status

        self.assertEqual(put(self.bytes["xorb"], authorization="Bearer " + self.tokens["write"]), 400)
        self.assertEqual(put(self.bytes["xorb-flipped"]), 400)
        self.assertEqual(put(self.bytes["xorb"][:-1]), 400)
        self.assertEqual(devhub.request(grant["url"].replace("Signature=", "Signature=0"), method="PUT", body=self.bytes["xorb"]).status, 403)
        self.assertEqual(put(self.bytes["xorb"]), 200)
        self.assertEqual(put(self.bytes["xorb"]), 412)
        self.assertEqual(self.ask(commit.replace(self.names["xorb"], self.names["other"]), "POST").status, 404)
        self.assertEqual(self.ask(commit, "POST", token="read").status, 403)
        self.assertEqual(self.ask(commit, "POST").status, 200)
        self.assertEqual(self.grant().status, 200)  # it is known

    def test_a_granted_xorb_has_no_footer(self):
        body = self.bytes["xorb-footer"]
        grant = self.grant(length=len(body), checksum={"algo": "crc64nvme", "value": str(crc64nvme(body))}).json()
        self.assertEqual(devhub.request(grant["url"], method="PUT", body=body, headers=grant["headers"]).status, 200)
        self.assertEqual(self.ask(f"/v1/xorb-commits/default/{self.names['xorb']}/grant/{grant['id']}", "POST").status, 400)
        self.assertEqual(self.ask("/v1/xorbs/default/" + self.names["xorb"], "HEAD").status, 404)

    # ---- shards ----

    def test_shards_are_checked(self):
        self.assertEqual(self.put_shard(), "error")  # its xorb is not here
        self.assertEqual(self.put_shard(version=1), 400)
        self.put_xorb()
        for wrong in sorted(n for n in self.bytes if n.startswith("shard-") and n not in ("shard-footer", "shard-known")):
            self.assertEqual(self.put_shard(wrong), "error", wrong)
            self.assertEqual(self.put_shard(wrong, version=1), 400, wrong)
        self.assertEqual(self.ask("/v2/reconstructions/" + self.names["file"]).status, 404)
        for right in ("shard-footer", "shard", "shard-known"):
            self.assertEqual(self.put_shard(right), "result", right)
        self.assertEqual(self.put_shard(version=1), 200)
        self.assertEqual(self.ask("/v2/reconstructions/" + self.names["file"]).status, 200)

    # ---- reading ----

    def whole(self, version, first=None, last=None):
        """What a reader puts together; only the bytes of chunks, which here are stored as they are."""
        headers = {} if first is None else {"range": f"bytes={first}-{last}"}
        answer = self.ask(f"/v{version}/reconstructions/" + self.names["file"], token="read", **headers)
        self.assertEqual(answer.status, 200)
        plan = answer.json()
        out = b""
        for term in plan["terms"]:
            start, end = term["range"]["start"], term["range"]["end"]
            if version == 2:
                rows = [(u["url"], r["chunks"], r["bytes"]) for u in plan["xorbs"][term["hash"]] for r in u["ranges"]]
            else:
                rows = [(f["url"], f["range"], f["url_range"]) for f in plan["fetch_info"][term["hash"]]]
            [(url, chunks, span)] = [r for r in rows if r[1]["start"] <= start and end <= r[1]["end"]]
            got = devhub.request(url, headers={"range": f"bytes={span['start']}-{span['end']}"})
            self.assertEqual(got.status, 206)
            at, raw = 0, b""
            for index in range(chunks["start"], chunks["end"]):
                size = int.from_bytes(got.body[at + 1 : at + 4], "little")
                if start <= index < end:
                    raw += got.body[at + 8 : at + 8 + size]
                at += 8 + size
            self.assertEqual(at, len(got.body))
            self.assertEqual(len(raw), term["unpacked_length"])
            out += raw
        skip = plan["offset_into_first_range"]
        return out[skip:] if first is None else out[skip : skip + last - first + 1]

    def test_reconstructions(self):
        self.put_xorb()
        self.assertEqual(self.put_shard(), "result")
        for version in (1, 2):
            self.assertEqual(self.whole(version), self.content)
            for first, last in ((0, 0), (8999, 9001), (9000, 28999), (37191, 37193), (50000, len(self.content) - 1), (5, 10**9)):
                self.assertEqual(self.whole(version, first, last), self.content[first : last + 1], (version, first))
            self.assertEqual(self.ask(f"/v{version}/reconstructions/{self.names['file']}", range=f"bytes={len(self.content)}-").status, 416)
            self.assertEqual(self.ask(f"/v{version}/reconstructions/{self.names['other']}").status, 404)
        self.assertEqual(self.ask("/v1/files/" + self.names["file"], "HEAD").headers["content-length"], str(len(self.content)))

    def test_addresses_are_for_their_range_only(self):
        self.put_xorb()
        self.put_shard()
        plan = self.ask("/v2/reconstructions/" + self.names["file"], range="bytes=9000-9001").json()
        [[entry]] = plan["xorbs"].values()
        span = entry["ranges"][0]["bytes"]
        for headers in ({}, {"range": f"bytes={span['start'] - 1}-{span['end']}"}, {"range": f"bytes={span['start']}-{span['end'] + 1}"}):
            self.assertEqual(devhub.request(entry["url"], headers=headers).status, 403, headers)
        self.assertEqual(devhub.request(entry["url"], headers={"range": f"bytes={span['start'] + 1}-{span['end'] - 1}"}).status, 206)
        wider = entry["url"].replace(f"{span['start']}-{span['end']}", f"0-{span['end']}")
        self.assertNotEqual(wider, entry["url"])
        self.assertEqual(devhub.request(wider, headers={"range": f"bytes=0-{span['end']}"}).status, 403)

    def test_the_global_index(self):
        self.put_xorb()
        self.assertEqual(self.ask("/v1/chunks/default/" + self.names["chunk0"]).status, 404)
        self.put_shard()
        answer = self.ask("/v1/chunks/default/" + self.names["chunk0"], token="read")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body[:14], b"HFRepoMetaData")
        footer = answer.body[-200:]
        self.assertNotEqual(footer[72:104], bytes(32))  # chunk hashes are hidden behind a key
        self.assertGreater(int.from_bytes(footer[112:120], "little"), time.time())
        self.assertEqual(self.ask("/v1/chunks/default/" + self.names["other"]).status, 404)

    # ---- kill -9 ----

    def test_what_was_acknowledged_survives(self):
        for seed in (2, 3, 4):
            self.craft(seed)
            self.assertEqual(self.put_xorb().status, 200)
            granted_first = seed == 4 and self.grant().status
            self.assertEqual(self.put_shard(), "result")
            self.hub.process.send_signal(signal.SIGKILL)
            self.hub.process.wait()
            self.hub.process.stdout.close()
            self.hub = devhub.Hub(data=str(self.folder / "hub"))
            self.enter()
            self.assertIn(granted_first, (False, 200))
            self.assertEqual(self.whole(2), self.content)
            self.assertEqual(self.ask("/v1/chunks/default/" + self.names["chunk0"]).status, 200)
            self.assertFalse(self.put_xorb().json()["was_inserted"])


class ShortAddresses(Cas):
    options = ("--cdn-seconds", "1")

    def test_addresses_expire(self):
        self.put_xorb()
        self.put_shard()
        plan = self.ask("/v2/reconstructions/" + self.names["file"]).json()
        [[entry]] = plan["xorbs"].values()
        time.sleep(2.2)
        self.assertEqual(devhub.request(entry["url"], headers={"range": "bytes=0-99"}).status, 403)


for inherited in [n for n in vars(Cas) if n.startswith("test_")]:
    setattr(ShortAddresses, inherited, None)

if __name__ == "__main__":
    unittest.main(verbosity=1)
