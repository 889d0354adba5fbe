#!/usr/bin/env python3
"""`hf inference` and `hf inference serve` against a real OpenAI-compatible engine (llama.cpp's server, vLLM ...).

engine.py BUILD. HF_TEST_OPENAI_SCRIPT names a start script (`up DIR` prints exports of OPENAI_BASE_URL, OPENAI_API_KEY and
OPENAI_TEST_MODEL; `down DIR`); or these three are set for an engine that runs. Without either the test is skipped visibly (exit 77).
Nothing is assumed about what the model says: only that it speaks.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
hf = build / "bin/hf"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gateway"))
os.environ.setdefault("HF_DEVHUB", str(build / "bin/hf-devhub"))
from gateway import Gateway  # noqa: E402


class NoHub:
    url = "http://127.0.0.1:1"


script = os.environ.get("HF_TEST_OPENAI_SCRIPT")
work = tempfile.TemporaryDirectory(prefix="engine-test-")
problems = []


def up(folder, **more):
    done = subprocess.run([script, "up", folder], env={**os.environ, **more}, capture_output=True, text=True, timeout=300)
    if done.returncode:
        print(f"SKIPPED: {script} cannot start its engine: {done.stderr[-300:]}")
        sys.exit(77)
    return dict(re.findall(r"export (\w+)='?([^'\n]*)'?", done.stdout))


def down(folder):
    subprocess.run([script, "down", folder], capture_output=True, timeout=100)


def run(at, *words, stdin=None, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "OPENAI_")) and not k.endswith("_API_KEY")}
    env.update({"HOME": work.name, "HF_HOME": work.name + "/hf", "NO_COLOR": "1", "HF_TOKEN": "hf_never", "ENGINE": at.get("OPENAI_API_KEY", ""), **more})
    return subprocess.run([hf, "inference", *words], env=env, input=stdin, capture_output=True, text=True, timeout=200)


def expect(what, fine, done=None):
    if not fine:
        problems.append(what)
        print(f"WRONG: {what}" + (f": exit {done.returncode}, {done.stdout[-300:]!r}, {done.stderr[-300:]!r}" if done else ""))


def talk(at):
    model = at["OPENAI_TEST_MODEL"]
    way = ["--base-url", at["OPENAI_BASE_URL"], "--model", model, "--api-key-env", "ENGINE"]
    messages = json.dumps([{"role": "system", "content": "Be short."}, {"role": "user", "content": "Say hello."}])
    done = run(at, "--messages", messages, *way, "--args", '{"max_tokens":8,"temperature":0}', "--json")
    said = json.loads(done.stdout) if done.returncode == 0 else {}
    expect("chat", said.get("choices") and said["usage"]["completion_tokens"] <= 8, done)
    done = run(at, "--messages", messages, *way, "--args", '{"max_tokens":8,"temperature":0,"stream_options":{"include_usage":true}}', "--stream", "--json")
    items = [json.loads(x) for x in done.stdout.splitlines()]
    text = "".join(c["delta"].get("content") or "" for i in items for c in i["choices"])
    expect("stream", done.returncode == 0 and len(items) > 2 and any(i.get("usage") for i in items), done)
    expect("the same words streamed", said and text == said["choices"][0]["message"]["content"])
    done = run(at, "chat", *way, "--max-tokens", "8", stdin="Say hello.\n")
    expect("chat from stdin", done.returncode == 0 and done.stdout.strip(), done)
    done = run(at, "conversational", "--messages", messages, *way, "--max-tokens", "4", "--logprobs", "--json")
    expect("options", done.returncode == 0 and json.loads(done.stdout)["choices"][0].get("logprobs"), done)
    completions = at["OPENAI_BASE_URL"] + "/completions"
    once = ["--text", "once upon", "--base-url", completions, "--model", model, "--api-key-env", "ENGINE", "--args", '{"max_new_tokens":6,"temperature":0.0}']
    done, flow = run(at, "text-generation", *once), run(at, "text-generation", *once, "--stream")
    expect("completions by URL", done.returncode == 0 and done.stdout.strip(), done)
    expect("completions by URL, streamed", flow.returncode == 0 and flow.stdout.strip() == done.stdout.strip(), flow)
    done = run(at, "--messages", messages, *way, "--args", '{"messages":[],"temperature":"hot"}', "--json")
    expect("an error of the engine", done.returncode == 1 and json.loads(done.stderr.splitlines()[-1])["error"]["status"] in (400, 422, 500), done)
    if at.get("OPENAI_API_KEY"):
        done = run({**at, "OPENAI_API_KEY": "sk-wrong"}, "--messages", messages, *way, "--json")
        expect("a wrong key", done.returncode == 1 and json.loads(done.stderr.splitlines()[-1])["error"]["status"] == 401, done)
        expect("the wrong key is not shown", "sk-wrong" not in done.stdout + done.stderr)
        done = run(at, "--messages", messages, *way[:-2], "--json")
        expect("a token of the Hub was sent", done.returncode == 1 and "401" in done.stderr, done)
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
    done = run(at, "--messages", messages, *way, "--args", json.dumps({"response_format": schema, "max_tokens": 60}), "--json")
    fine = done.returncode == 0 or json.loads(done.stderr.splitlines()[-1])["error"]["status"] == 400
    expect("a JSON schema: an answer, or the engine's refusal", fine, done)
    root = at["OPENAI_BASE_URL"].removesuffix("/v1")
    expect("health", run(at, "health", root).stdout.strip() == "true")


def through_the_gateway(at):
    gateway = Gateway(NoHub, "--base-url", at["OPENAI_BASE_URL"], "--api-key-env", "ENGINE", ENGINE=at.get("OPENAI_API_KEY", "none"))
    body = {"model": at["OPENAI_TEST_MODEL"], "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 6}
    answer = gateway.post("/chat/completions", body)
    expect(f"the gateway's chat {answer.body[-200:]}", answer.status == 200 and answer.json()["choices"])
    lines = gateway.post("/chat/completions", {**body, "stream": True}).body.decode().split("\n")
    expect("the gateway's stream", "data: [DONE]" in lines and len([x for x in lines if x.startswith("data: {")]) > 1)
    expect("the gateway's end", gateway.close() == 0)


def vectors(at):
    done = run(at, "feature-extraction", "--text", "a kettle", "--model", at["OPENAI_BASE_URL"] + "/embeddings", "--api-key-env", "ENGINE", "--json")
    rows = json.loads(done.stdout) if done.returncode == 0 else [[]]
    expect("vectors by URL", len(rows) == 1 and len(rows[0]) > 8 and all(isinstance(x, float) for x in rows[0]), done)
    gateway = Gateway(NoHub, "--base-url", at["OPENAI_BASE_URL"], "--api-key-env", "ENGINE", ENGINE=at.get("OPENAI_API_KEY", "none"))
    answer = gateway.post("/embeddings", {"model": at["OPENAI_TEST_MODEL"], "input": ["a kettle", "a pot"]})
    expect(f"the gateway's vectors {answer.body[-200:]}", answer.status == 200 and [len(d["embedding"]) for d in answer.json()["data"]] == [len(rows[0])] * 2)
    expect("the gateway's end", gateway.close() == 0)


if script:
    at = up(work.name + "/engine")
elif os.environ.get("OPENAI_BASE_URL") and os.environ.get("OPENAI_TEST_MODEL"):
    at = {k: os.environ.get(k, "") for k in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_TEST_MODEL")}
else:
    print("SKIPPED: no engine (HF_TEST_OPENAI_SCRIPT names a start script, or OPENAI_BASE_URL and OPENAI_TEST_MODEL a running one)")
    sys.exit(77)
try:
    talk(at)
    through_the_gateway(at)
    if script:
        down(work.name + "/engine")
        vectors(up(work.name + "/vectors", OPENAI_EMBED="1"))
finally:
    for folder in ("engine", "vectors") if script else ():
        down(f"{work.name}/{folder}")
print(f"{len(problems)} problems with {at['OPENAI_BASE_URL']}")
sys.exit(bool(problems))
