"""What a network can do to a download: one row per fault. `at` is an offset that the seed chooses, `size` the file's size.

A row: name, what may come of it (ok: the file must be there; fail: it cannot; any: either, cleanly), and one of
faults: rules for the Hub (docs/devhub.md), env: the client's environment, toxic: one of toxiproxy, tls: how the front ends.
"""
GET = {"method": "GET", "origin": "cdn"}
META = {"method": "GET", "path": "/api/models/*/tree/*"}


def body(kind, count=1, **more):
    return [dict(GET, kind=kind, count=count, **more)]


KINDS = [
    ("cut-first", "ok", {"faults": body("cut", after=0)}), ("cut-somewhere", "ok", {"faults": body("cut", after="at")}),
    ("cut-last", "ok", {"faults": body("cut", after="size-1")}), ("cut-reset", "ok", {"faults": body("cut", after="at", reset=1)}),
    ("cut-thrice", "ok", {"faults": body("cut", count=3, after="at")}), ("cut-always", "any", {"faults": body("cut", count=999, after="at")}),
    ("cut-nothing-always", "fail", {"faults": body("cut", count=999, after=0)}),
    ("stall", "ok", {"faults": body("stall", after="at")}), ("stall-first", "ok", {"faults": body("stall", after=0)}),
    ("slow", "ok", {"faults": body("slow", rate="6MiB")}), ("flip", "ok", {"faults": body("flip", offset="at", mask="mask")}),
    ("flip-always", "fail", {"faults": body("flip", count=999, offset="at", mask="mask")}),
    ("truncate", "any", {"faults": body("truncate", after="at")}), ("truncate-one", "any", {"faults": body("truncate", by=1)}),
    ("truncate-always", "any", {"faults": body("truncate", count=999, by=1)}),
    ("length-more", "any", {"faults": body("length", by=10)}), ("length-less", "any", {"faults": body("length", length="at")}),
    ("extra", "any", {"faults": body("extra", by=16)}), ("extra-always", "any", {"faults": body("extra", count=999, by=4096)}),
    ("chunked", "ok", {"faults": body("chunked", count=999)}), ("nolength", "ok", {"faults": body("nolength", count=999)}),
    ("gzip", "any", {"faults": body("gzip", count=999)}), ("etag", "any", {"faults": body("etag")}),
    ("range-later", "any", {"faults": body("range", by=1)}), ("range-far", "any", {"faults": body("range", count=999, by=65536)}),
    ("norange", "ok", {"faults": [dict(GET, kind="cut", count=1, after="at"), dict(GET, kind="norange")]}),
    ("range200", "any", {"faults": [dict(GET, kind="cut", count=1, after="at"), dict(GET, kind="range200")]}),
    *[(f"status-{code}", "ok", {"faults": body("status", count=2, status=code)}) for code in (408, 429, 500, 502, 503, 504)],
    *[(f"status-{code}-wait", "ok", {"faults": body("status", status=code, retry_after="1")}) for code in (429, 503)],
    ("ratelimit", "ok", {"faults": body("status", status=429, ratelimit='"resolvers";r=0;t=1')}),
    ("wait-for-ever", "fail", {"faults": body("status", count=999, status=503, retry_after="0")}),
    ("status-403-once", "ok", {"faults": body("status", status=403)}), ("status-403", "fail", {"faults": body("status", count=999, status=403)}),
    ("status-404", "fail", {"faults": body("status", count=999, status=404)}),
    ("meta-429", "ok", {"faults": [dict(META, kind="status", status=429, count=2)]}),
    ("meta-500", "any", {"faults": [dict(META, kind="status", status=500, count=999)]}),
    ("meta-cut", "any", {"faults": [dict(META, kind="cut", count=1)]}), ("meta-garbage", "fail", {"faults": [dict(META, kind="body", body="[{")]}),
    ("meta-html", "fail", {"faults": [dict(META, kind="html")]}), ("loop", "fail", {"faults": [{"kind": "loop", "path": "*/resolve/*"}]}),
    ("redirect-nowhere", "fail", {"faults": [{"kind": "redirect", "path": "*/resolve/*", "location": "http://127.0.0.1:9/x"}]}),
    ("redirect-foreign", "fail", {"faults": [{"kind": "redirect", "path": "*/resolve/*", "location": "http://foreign.invalid/x"}]}),
    ("redirect-scheme", "fail", {"faults": [{"kind": "redirect", "path": "*/resolve/*", "location": "file:///etc/passwd"}]}),
    ("html", "any", {"faults": body("html")}), ("html-always", "fail", {"faults": body("html", count=999)}),
    ("bighead", "any", {"faults": body("bighead", count=1)}), ("slowhead", "any", {"faults": body("slowhead", count=1, rate=4000)}),
    ("empty", "ok", {"faults": body("empty", count=2)}), ("empty-reset", "ok", {"faults": body("empty", count=2, reset=1)}),
    ("delay", "ok", {"faults": body("delay", seconds=0.5)}),
    ("dns", "fail", {"env": {"HF_ENDPOINT": "http://hub.invalid"}}), ("refused", "fail", {"env": {"HF_ENDPOINT": "http://127.0.0.1:9"}}),
    ("proxy-refused", "fail", {"env": {"HF_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "HF_NO_PROXY": "none.invalid"}}),
    ("tls", "ok", {"tls": "whole"}), ("tls-cut", "ok", {"tls": "cut"}), ("tls-cut-always", "any", {"tls": "cut-always"}),
    ("tls-garbage", "ok", {"tls": "garbage"}), ("tls-unknown-ca", "fail", {"tls": "whole", "env": {"SSL_CERT_FILE": ""}}),
    ("toxic-latency", "ok", {"toxic": {"type": "latency", "attributes": {"latency": 80, "jitter": 40}}}),
    ("toxic-bandwidth", "ok", {"toxic": {"type": "bandwidth", "attributes": {"rate": 6000}}}),
    ("toxic-slicer", "ok", {"toxic": {"type": "slicer", "attributes": {"average_size": 9000, "size_variation": 4000, "delay": 5}}}),
    ("toxic-limit", "any", {"toxic": {"type": "limit_data", "attributes": {"bytes": "at"}}}),
    ("toxic-reset", "any", {"toxic": {"type": "reset_peer", "attributes": {"timeout": 5}}}),
    ("toxic-hole", "fail", {"toxic": {"type": "timeout", "attributes": {"timeout": 0}}}),
]
