#!/usr/bin/env python3
"""Redirects and pages from a Hub to other origins: scheme, host, port, user info and number of hops; who gets to see the token?

redirects.py --bin DIR. Servers stand on 127.0.0.1, localhost and 127.0.0.2, with and without TLS (an authority of the test's own).
Only the Hub's own origin may be sent the token; nothing at all may go from https to http.
"""
import argparse
import base64
import itertools
import os
import pathlib
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "hostile"))
from mock import COMMIT, CONTENT, Answer, Mock, environment, file, git_blob, info, run, tree, entry  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--bin", type=pathlib.Path, required=True)
options = parser.parse_args()
options.bin = options.bin.resolve()
TOKEN = "hf_" + secrets.token_hex(17)
TRACES = [TOKEN, base64.b64encode(TOKEN.encode()).decode().rstrip("=")]
work = pathlib.Path(tempfile.mkdtemp(prefix="hf-redirects-"))


def certificates():
    key, ca, cert, chain = (work / n for n in ("key.pem", "ca.pem", "cert.pem", "chain.pem"))
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work / "ca.key", "-out", ca, "-days", "30", "-subj", "/CN=Test Authority"], **quiet)
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", work / "req.pem", "-subj", "/CN=localhost"], **quiet)
    (work / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2\n")
    subprocess.run(["openssl", "x509", "-req", "-in", work / "req.pem", "-CA", ca, "-CAkey", work / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", work / "names", "-out", cert], **quiet)
    chain.write_text(cert.read_text() + ca.read_text())
    return ca, chain, key


ca, chain, key = certificates()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)


def server(scheme, address):
    m = Mock(host=address)
    if scheme == "https":
        m.server.socket = context.wrap_socket(m.server.socket, server_side=True, do_handshake_on_connect=False)
    m.port = m.server.server_address[1]
    return m


# one hub and one foreign server per scheme on 127.0.0.1, one foreign on 127.0.0.2
hubs = {s: server(s, "127.0.0.1") for s in ("http", "https")}
others = {(s, a): server(s, a) for s in ("http", "https") for a in ("127.0.0.1", "127.0.0.2")}
everybody = {**{("hub", s): m for s, m in hubs.items()}, **{("other",) + k: m for k, m in others.items()}}


def targets(scheme):
    """Where a redirect of this Hub may lead: label, origin, server, and whether that is the Hub itself."""
    hub, down = hubs[scheme], "http" if scheme == "https" else "https"
    return [("same origin", f"{scheme}://127.0.0.1:{hub.port}"), ("same origin, other spelling", f"{scheme.upper()}://127.0.0.1:{hub.port}"),
            ("other name, same server", f"{scheme}://localhost:{hub.port}"), ("other port", f"{scheme}://127.0.0.1:{others[scheme, '127.0.0.1'].port}"),
            ("other name and port", f"{scheme}://localhost:{others[scheme, '127.0.0.1'].port}"), ("other address", f"{scheme}://127.0.0.2:{others[scheme, '127.0.0.2'].port}"),
            ("other scheme", f"{down}://127.0.0.1:{others[down, '127.0.0.1'].port}"), ("other scheme of the Hub", f"{down}://127.0.0.1:{hubs[down].port}"),
            ("user info", f"{scheme}://hub:secret@127.0.0.1:{others[scheme, '127.0.0.1'].port}"), ("user info that looks like the Hub", f"{scheme}://127.0.0.1:{hub.port}@127.0.0.2:{others[scheme, '127.0.0.2'].port}"),
            ("name that begins like it", f"{scheme}://127.0.0.1:{hub.port}.evil.localhost:{others[scheme, '127.0.0.1'].port}"), ("no scheme", f"//127.0.0.2:{others[scheme, '127.0.0.2'].port}")]


ROUTES = {"file": (r"/resolve/", ["f.txt"]), "snapshot file": (r"/resolve/", []), "revision": (r"/revision/", []), "listing": (r"/tree/", []), "next page": ("page", [])}


def serve(scheme, route, origin, hops):
    """Every server answers as the Hub does; the Hub's own answer on this route leads elsewhere, once per hop."""
    pattern = ROUTES[route][0]

    def away(handler):
        at = handler.path.count("hop=")
        if at >= hops or not (handler.server is hubs[scheme].server or at):
            return None
        path = handler.path + ("&" if "?" in handler.path else "?") + f"hop={at + 1}"
        # every second hop leads back to the Hub, where the token may be sent again
        to = origin + path if at % 2 == 0 else f"{scheme}://127.0.0.1:{hubs[scheme].port}{path}"
        extra = [("ETag", f'"{git_blob(CONTENT)}"'), ("X-Repo-Commit", COMMIT), ("X-Linked-Size", str(len(CONTENT))), ("X-Linked-ETag", f'"{git_blob(CONTENT)}"')]
        return Answer((301, 302, 303, 307, 308)[(at + hops) % 5], headers=[("Location", to)] + (extra if "resolve" in path else []))

    def either(plain):
        return lambda handler: away(handler) or (plain(handler) if callable(plain) else plain)

    def paged(handler):
        listing = tree(entry(b'"f.txt"'))
        if "hop=" not in handler.path:
            listing.headers.append(("Link", f'<{origin}{handler.path}&hop=1>; rel="next"'))
        return listing

    page = route == "next page"
    rows = [(r"/revision/", either(info()) if pattern == r"/revision/" else info()),
            (r"/tree/", paged if page else either(tree(entry(b'"f.txt"'))) if pattern == r"/tree/" else tree(entry(b'"f.txt"'))),
            (r"/resolve/", either(file()) if pattern == r"/resolve/" else file())]
    for m in everybody.values():
        m.set(rows)


problems, tried, sent = [], 0, 0
cases = [(s, r, t, h) for s in ("http", "https") for r in ROUTES for t in range(12) for h in ((1, 2, 3) if r in ("file", "revision") else (1, ))]
for scheme, route, target, hops in cases:
    label, origin = targets(scheme)[target]
    if hops > 1 and label in ("same origin", "same origin, other spelling"):
        continue
    serve(scheme, route, origin, hops)
    home = work / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    env = environment(home, f"{scheme}://127.0.0.1:{hubs[scheme].port}", HF_TOKEN=TOKEN, SSL_CERT_FILE=str(ca), HF_TRIES="1")
    result = run([options.bin / "hf", "download", "evil/repo", *ROUTES[route][1]], env, timeout=40)
    tried += 1
    name = f"{scheme} {route}, {hops} hops to {label}"
    if result.code not in (0, 1) or result.timed_out:
        problems.append(f"{name}: exit {result.code}")
    if TOKEN.encode() in result.out + result.err:
        problems.append(f"{name}: the token is shown")
    for who, m in everybody.items():
        own = who == ("hub", scheme)
        for row in m.requests:
            method, path, headers = row
            host = headers.get("Host", "")
            at_hub = own and host == f"127.0.0.1:{m.port}"
            text = path + "".join(f"{k}: {v}\n" for k, v in headers.items())
            leak = any(t in text for t in TRACES) or "authorization" in (k.lower() for k in headers)
            if leak and not at_hub:
                problems.append(f"{name}: {method} {path[:60]} with the token at {who}, Host {host}")
            sent += leak and at_hub
            if scheme == "https" and who[1] == "http":
                problems.append(f"{name}: {method} {path[:60]} went from https to http at {who}")
    if not any(r for r in hubs[scheme].requests):
        problems.append(f"{name}: the Hub was not asked at all: {result.err[-200:]!r}")
for m in everybody.values():
    m.close()
shutil.rmtree(work, ignore_errors=True)
if sent < tried:
    problems.append(f"the token reached the Hub only {sent} times: the test is not testing")
for line in problems[:40]:
    print(line)
print(f"secrets.redirects: {tried} redirects, token at the Hub {sent} times, {len(problems)} problems")
sys.exit(1 if problems else 0)
