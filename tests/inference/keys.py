#!/usr/bin/env python3
"""Where a token or key may go and where not: a table of calls, each with what every request must have carried.

keys.py HF. A loopback server stands for every host (HF_URL_REWRITE); it keeps who was asked with which authorization. A row says
what is in the environment, the store and hf.conf, what is called, what is answered, and which hosts were asked with what.
"""
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

hf = pathlib.Path(sys.argv[1]).resolve()
TOKEN, OTHER, KEY, MINE = "hf_tokenofthehub", "hf_anothertoken", "sk-keyofgroq", "sk-named"
SECRETS = (TOKEN, OTHER, KEY, MINE, "sk-ofanother", "odd-token")
CHAT = {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}]}
HUB, ROUTER, GROQ = "huggingface.co", "router.huggingface.co", "api.groq.com"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        host, _, path = self.path.lstrip("/").partition("/")
        if "agent-harnesses" in path:
            return self.reply(404, {})
        keys = [v for k, v in self.headers.items() if any(s in v for s in SECRETS)]
        self.server.seen.append((host, keys[0] if len(keys) == 1 else keys or None))
        if "inferenceProviderMapping" in path:
            tasks = self.server.row.get("task", "conversational")
            return self.reply(200, {"inferenceProviderMapping": {p: {"status": "live", "providerId": "them/m", "task": tasks}
                                                                 for p in ("groq", "fal-ai", "black-forest-labs", "together")}})
        if path.startswith("api/models/"):
            return self.reply(200, {"id": "me/m", "pipeline_tag": "text-generation", "tags": []})
        replies = self.server.row.setdefault("left", list(self.server.row.get("replies", [])))
        reply = replies.pop(0) if replies else CHAT
        if isinstance(reply, str):  # a redirect
            return self.reply(307, {}, [("location", reply)])
        if isinstance(reply, bytes):
            return self.reply(200, reply, [("content-type", "image/png")])
        self.reply(200, reply)

    def reply(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers or [("content-type", "application/json")]:
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = answer


def host_of(url):
    """As it is asked: lower case, without the port that goes without saying."""
    host = url.split("//")[1].split("/")[0].split("?")[0].split("#")[0].lower()
    return host.removesuffix(":443") if url.startswith("https") else host


def table():
    url = lambda u, *more, **rest: {"args": ["--messages", '[{"role":"user","content":"x"}]', "--model", u, *more], **rest}  # noqa: E731
    model = lambda *more, **rest: url("me/m", *more, **rest)  # noqa: E731
    sources = {"HF_TOKEN": {"env": {"HF_TOKEN": TOKEN}}, "saved": {"saved": TOKEN},
               "HUGGING_FACE_HUB_TOKEN": {"env": {"HUGGING_FACE_HUB_TOKEN": TOKEN}}}
    strangers = ["https://model.example/v1", "https://huggingface.co.evil.test/v1", "https://evil.test/huggingface.co/v1",
                 "https://evilhuggingface.co/v1", "https://huggingface.com/v1", "https://hf.co.evil.test/v1", "https://xhf.co/v1",
                 "https://endpoints.huggingface.cloud.evil.test/v1", "https://evil.endpoints.huggingface.cloud.test/v1",
                 "https://evil.test/?https://huggingface.co", "https://evil.test/v1#.huggingface.co", "https://xn--huggingface-x.co/v1",
                 "https://huggingface.co:8443/v1", "https://router.huggingface.co.evil.test/v1", "https://huggingface.co./v1",
                 "http://huggingface.co/v1", "http://router.huggingface.co/v1", "https://evil.test:443/v1", "https://huggingface.cloud/v1",
                 "https://evil.test/.endpoints.huggingface.cloud", "https://endpoints.huggingface.cloud/v1"]
    rows = {}
    for u in strangers:
        host = host_of(u)
        for name, source in sources.items() if u == strangers[0] else list(sources.items())[:2]:
            rows[f"{name} to {u}"] = url(u, **source, want=[(host, None)])
    for u in ("https://huggingface.co@evil.test/v1", "https://user:pass@evil.test/v1", "https://evil.test\\@huggingface.co/v1"):
        rows[f"user name in {u}"] = url(u, env={"HF_TOKEN": TOKEN}, never=True)
    for u in ("https://x.endpoints.huggingface.cloud/v1", "https://router.huggingface.co/v1", "https://HUGGINGFACE.co:443/v1"):
        for name, source in sources.items():
            rows[f"{name} to {u}"] = url(u, **source, want=[(host_of(u), f"Bearer {TOKEN}")])
    rows["a saved token that looks like a provider's key to a URL"] = url(strangers[0], saved="odd-token", want=[("model.example", None)])
    for name in ("GROQ_API_KEY", "OPENAI_API_KEY", "HF_INFERENCE_API_KEY", "TOGETHER_API_KEY"):
        rows[f"{name} to a URL"] = url(strangers[0], env={name: KEY}, want=[("model.example", None)])
    rows["stored keys to a URL"] = url(strangers[0], stored={"groq": KEY, "hf-inference": MINE, "openai": MINE}, want=[("model.example", None)])
    rows["named key to a URL"] = url(strangers[0], "--api-key-env", "X", env={"X": MINE, "HF_TOKEN": TOKEN}, want=[("model.example", f"Bearer {MINE}")])
    rows["named token to a URL"] = url(strangers[0], "--api-key-env", "HF_TOKEN", env={"HF_TOKEN": TOKEN}, want=[("model.example", f"Bearer {TOKEN}")])
    rows["an empty named key"] = url(strangers[0], "--api-key-env", "X", env={"X": "", "HF_TOKEN": TOKEN}, want=[], fails=True)
    rows["--base-url"] = model("--base-url", strangers[0], env={"HF_TOKEN": TOKEN}, want=[("model.example", None)])
    # sections of hf.conf
    allow = "[model.example]\ntoken = yes\n"
    rows["a section"] = url(strangers[0], env={"HF_TOKEN": TOKEN}, conf=allow, want=[("model.example", f"Bearer {TOKEN}")])
    rows["a section, saved token"] = url("https://MODEL.example/v1", saved=TOKEN, conf=allow, want=[("model.example", f"Bearer {TOKEN}")])
    rows["a section for a key"] = url(strangers[0], env={"HF_TOKEN": TOKEN, "X": MINE}, conf="[model.example]\napi_key_env = X\n",
                                      want=[("model.example", f"Bearer {MINE}")])
    for name, u in {"a host below": "https://a.model.example/v1", "another port": "https://model.example:8443/v1", "http": "http://model.example/v1",
                    "a look-alike": "https://model.example.evil.test/v1"}.items():
        rows[f"a section is not for {name}"] = url(u, env={"HF_TOKEN": TOKEN}, conf=allow, want=[(u.split("//")[1].split("/")[0], None)])
    rows["a section is not for a user name"] = url("https://model.example@evil.test/v1", env={"HF_TOKEN": TOKEN}, conf=allow, never=True)
    rows["a section with a port"] = url("https://model.example:8443/v1", env={"HF_TOKEN": TOKEN}, conf="[model.example:8443]\ntoken = 1\n",
                                        want=[("model.example:8443", f"Bearer {TOKEN}")])
    rows["a section that says no"] = url(strangers[0], env={"HF_TOKEN": TOKEN}, conf="[model.example]\ntoken = no\n", want=[("model.example", None)])
    # providers
    bearer = f"Bearer {TOKEN}"
    rows["routed"] = model("-p", "groq", env={"HF_TOKEN": TOKEN}, want=[(HUB, bearer), (ROUTER, bearer)])
    rows["routed, saved"] = model("-p", "groq", saved=TOKEN, want=[(HUB, bearer), (ROUTER, bearer)])
    rows["a saved token without hf_ is no provider's key"] = model("-p", "groq", saved="odd-token", want=[(HUB, "Bearer odd-token"), (ROUTER, "Bearer odd-token")])
    rows["a provider's key"] = model("-p", "groq", env={"GROQ_API_KEY": KEY}, want=[(HUB, None), (GROQ, f"Bearer {KEY}")])
    rows["a provider's key, and a token"] = model("-p", "groq", env={"GROQ_API_KEY": KEY, "HF_TOKEN": TOKEN}, want=[(HUB, bearer), (GROQ, f"Bearer {KEY}")])
    rows["a stored key"] = model("-p", "groq", stored={"groq": KEY, "together": MINE}, saved=TOKEN, want=[(HUB, bearer), (GROQ, f"Bearer {KEY}")])
    rows["the variable is stronger than the store"] = model("-p", "groq", stored={"groq": MINE}, env={"GROQ_API_KEY": KEY}, want=[(HUB, None), (GROQ, f"Bearer {KEY}")])
    rows["a named key is stronger than all"] = model("-p", "groq", "--api-key-env", "X", env={"X": MINE, "GROQ_API_KEY": KEY, "HF_TOKEN": TOKEN},
                                                     want=[(HUB, bearer), (GROQ, f"Bearer {MINE}")])
    rows["a named token"] = model("-p", "groq", "--api-key-env", "X", env={"X": OTHER, "HF_TOKEN": TOKEN}, want=[(HUB, f"Bearer {OTHER}"), (ROUTER, f"Bearer {OTHER}")])
    rows["another provider's key"] = model("-p", "groq", env={"TOGETHER_API_KEY": "sk-ofanother"}, stored={"together": "sk-ofanother"}, want=[], fails=True)
    rows["the next provider has its own key"] = model("-p", "groq,together", env={"GROQ_API_KEY": KEY, "HF_TOKEN": TOKEN}, replies=["http://model.example/"],
                                                      want=[(HUB, bearer), (GROQ, f"Bearer {KEY}")], fails=True)
    rows["a token is no key of openai"] = model("-p", "openai", env={"HF_TOKEN": TOKEN, "OPENAI_API_KEY": TOKEN}, want=[], fails=True)
    rows["openai has no token"] = model("-p", "openai", env={"HF_TOKEN": TOKEN}, saved=TOKEN, want=[], fails=True)
    rows["auto"] = model(env={"HF_TOKEN": TOKEN, "GROQ_API_KEY": KEY}, want=[(ROUTER, bearer)])
    rows["auto wants a token of the Hub"] = model("--api-key-env", "X", env={"X": MINE}, want=[], fails=True)
    rows["auto without any"] = model(want=[], fails=True)
    rows["hf-inference without any"] = model("-p", "hf-inference", want=[(HUB, None), (ROUTER, None)])
    rows["no implicit token"] = model("-p", "hf-inference", env={"HF_TOKEN": TOKEN, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, want=[(HUB, None), (ROUTER, None)])
    # redirects, polls, media
    for name, to, key in (("elsewhere", "https://evil.test/x", None), ("a look-alike", "https://api.groq.com.evil.test/x", None),
                          ("another port", "https://api.groq.com:8443/x", None)):
        rows[f"redirect to {name}"] = model("-p", "groq", env={"GROQ_API_KEY": KEY}, replies=[to],
                                            want=[(HUB, None), (GROQ, f"Bearer {KEY}"), (to.split("//")[1].split("/")[0], key)])
    rows["redirect of the router"] = model("-p", "groq", env={"HF_TOKEN": TOKEN}, replies=["https://evil.test/x"], want=[(HUB, bearer), (ROUTER, bearer), ("evil.test", None)])
    rows["redirect of an endpoint"] = url("https://x.endpoints.huggingface.cloud/v1", env={"HF_TOKEN": TOKEN}, replies=["https://evil.test/x"],
                                          want=[("x.endpoints.huggingface.cloud", bearer), ("evil.test", None)])
    media = lambda p, *more, **rest: {"args": ["--task", "text-to-image", "--text", "x", "-m", "me/m", "-p", p, "-o", "out", *more], "task": "text-to-image", **rest}  # noqa: E731
    rows["media elsewhere"] = media("fal-ai", env={"HF_TOKEN": TOKEN}, replies=[{"images": [{"url": "https://cdn.test/i"}]}, b"\x89PNG"],
                                    want=[(HUB, bearer), (ROUTER, bearer), ("cdn.test", None)])
    rows["media at the provider"] = media("fal-ai", env={"FAL_AI_API_KEY": KEY}, replies=[{"images": [{"url": "https://fal.run/i"}]}, b"\x89PNG"],
                                          want=[(HUB, None), ("fal.run", f"Key {KEY}"), ("fal.run", None)])
    rows["a job at another host"] = media("black-forest-labs", env={"BLACK_FOREST_LABS_API_KEY": KEY}, replies=[
        {"id": "1", "polling_url": "https://poll.test/1"}, {"status": "Ready", "result": {"sample": "https://cdn.test/i"}}, b"\x89PNG"],
        want=[(HUB, None), ("api.us1.bfl.ai", KEY), ("poll.test", None), ("cdn.test", None)])
    video = lambda **rest: {"args": ["--task", "text-to-video", "--text", "x", "-m", "me/m", "-p", "fal-ai", "-o", "out"], "task": "text-to-video", **rest}  # noqa: E731
    queue = [{"request_id": "7", "response_url": "https://evil.test/them/m/requests/7"}, {"status": "COMPLETED"}, {"video": {"url": "https://cdn.test/v"}}, b"video"]
    rows["a poll that names another host"] = video(env={"HF_TOKEN": TOKEN}, replies=queue, want=[(HUB, bearer)] + [(ROUTER, bearer)] * 3 + [("cdn.test", None)], any_media=True)
    rows["a poll that names another host, own key"] = video(env={"FAL_AI_API_KEY": KEY}, replies=queue, any_media=True,
                                                            want=[(HUB, None)] + [("queue.fal.run", f"Key {KEY}")] * 3 + [("cdn.test", None)])
    # another router
    at = {"HF_INFERENCE_ENDPOINT": "https://router.test"}
    rows["a router elsewhere gets no token"] = model("-p", "groq", env={"HF_TOKEN": TOKEN, **at}, want=[(HUB, bearer), ("router.test", None)])
    rows["a router elsewhere, saved"] = model(saved=TOKEN, env=at, want=[("router.test", None)])
    rows["a router where the Hub is"] = model("-p", "groq", env={"HF_TOKEN": TOKEN, **at, "HF_ENDPOINT": "https://router.test"},
                                              want=[("router.test", bearer), ("router.test", bearer)])
    rows["a router with a section"] = model(env={"HF_TOKEN": TOKEN, **at}, conf="[router.test]\ntoken = yes\n", want=[("router.test", bearer)])
    rows["a router that is named"] = model("--api-key-env", "HF_TOKEN", env={"HF_TOKEN": TOKEN, **at}, want=[("router.test", bearer)])
    rows["a router elsewhere and a provider's key"] = model("-p", "groq", env={"GROQ_API_KEY": KEY, **at}, want=[(HUB, None), (GROQ, f"Bearer {KEY}")])
    # looks at endpoints
    for command in ("info", "health"):
        rows[f"{command} of a stranger"] = {"args": [command, "https://model.example"], "env": {"HF_TOKEN": TOKEN}, "want": [("model.example", None)]}
        rows[f"{command} of an endpoint"] = {"args": [command, "https://x.endpoints.huggingface.cloud"], "saved": TOKEN,
                                             "want": [("x.endpoints.huggingface.cloud", bearer)]}
        rows[f"{command} of a section"] = {"args": [command, "https://model.example"], "env": {"HF_TOKEN": TOKEN}, "conf": allow,
                                           "want": [("model.example", bearer)]}
    return rows


def play(row):
    server = Server(("127.0.0.1", 0), Handler)
    server.row, server.seen = row, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    with tempfile.TemporaryDirectory() as home:
        place = pathlib.Path(home, "hf")
        place.mkdir()
        plain = [u for u in row["args"] if u.startswith("http://")]
        rules = [f"https://={base}"] + [f"{u.split('/v1')[0]}/={base}{u.split('//')[1].split('/')[0]}/" for u in plain]
        env = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if k in os.environ}
        env.update({"HOME": home, "HF_HOME": str(place), "NO_PROXY": "*", "NO_COLOR": "1", "HF_INFERENCE_POLL_SCALE": "0.001",
                    "HF_HUB_VERBOSITY": "debug", "HF_TRACE": str(place / "trace"), "HF_URL_REWRITE": ";".join(rules)})
        env.update(row.get("env", {}))
        if "saved" in row:
            (place / "token").write_text(row["saved"])
        if "conf" in row:
            (place / "hf.conf").write_text(row["conf"])
        for provider, key in row.get("stored", {}).items():
            done = subprocess.run([hf, "auth", "login", "--provider", provider], env=env, input=key + "\n", text=True, capture_output=True, timeout=60)
            assert done.returncode == 0 and key not in done.stdout + done.stderr, done
        done = subprocess.run([hf, "inference", *row["args"]], env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
        trace = (place / "trace").read_text() if (place / "trace").exists() else ""
    server.shutdown()
    server.server_close()
    if row.get("never"):
        if any(key for _, key in server.seen):
            yield f"asked {server.seen}: no key may go anywhere"
    elif server.seen != row["want"]:
        yield f"asked {server.seen}, expected {row['want']}"
    if not row.get("never") and bool(done.returncode) != bool(row.get("fails")):
        yield f"exit {done.returncode}: {done.stderr[-300:]}"
    for secret in SECRETS:
        for where, text in (("stdout", done.stdout), ("stderr", done.stderr), ("the trace", trace)):
            if secret in text:
                yield f"{secret} is in {where}"
    for line, (host, key) in zip([json.loads(x) for x in trace.splitlines() if "agent-harnesses" not in x], server.seen):
        if bool(line.get("key")) != bool(key):
            yield f"the trace says {line.get('key')!r} of the key {key!r} to {host}"


def store():
    """The file of keys: only for its owner, and never written over when it cannot be read."""
    with tempfile.TemporaryDirectory() as home:
        env = {**{k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH") if k in os.environ}, "HOME": home, "HF_HOME": home, "NO_COLOR": "1"}
        path = pathlib.Path(home, "provider_keys")

        def login(key):
            return subprocess.run([hf, "auth", "login", "--provider", "nebius"], env=env, input=key + "\n", text=True, capture_output=True, timeout=60)

        for before in (None, "", "[groq]\nkey = kept-groq-key\n"):
            if before is not None:
                path.write_text(before)
            if login("new-nebius-key").returncode or "new-nebius-key" not in path.read_text() or path.stat().st_mode & 0o777 != 0o600:
                yield f"login after {before!r}"
        if "kept-groq-key" not in path.read_text():
            yield "another provider's key is gone"
        broken = path.read_text() + "\n[to gether\nbroken\n"
        path.write_text(broken)
        done = login("other-nebius-key")
        if done.returncode != 1 or "damaged" not in done.stderr or path.read_text() != broken or "nebius-key" in done.stdout + done.stderr:
            yield f"a damaged file: exit {done.returncode}: {done.stderr}"


rows, failed = table(), 0
if len(sys.argv) <= 2:
    for what in store():
        failed += 1
        print(f"store: {what}")
for name, row in rows.items():
    if len(sys.argv) > 2 and sys.argv[2] not in name:
        continue
    for what in play(row):
        failed += 1
        print(f"{name}: {what}")
print(f"{len(rows)} rows, {failed} failures")
sys.exit(bool(failed))
