"""Benchmarks of inference: calls of tests/bench/run, against bare libcurl, curl, Python's client and (where it is) litellm.

A model on loopback (bench-model) answers at once; ours and theirs take turns.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys

MESSAGES = json.dumps([{"role": "user", "content": "Which rivers meet in Lyon?"}])
PYTHON = """
import json, sys, time
from huggingface_hub import InferenceClient
client = InferenceClient(base_url=sys.argv[1], api_key="x")
took = []
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter()
    client.chat_completion(json.loads(sys.argv[3]), model="m")
    took.append((time.perf_counter() - begin) * 1e6)
print(json.dumps(took))
"""
LITELLM = """
import json, sys, time
import litellm
took = []
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter()
    litellm.completion(model="openai/m", api_base=sys.argv[1] + "/v1", api_key="x", messages=json.loads(sys.argv[3]))
    took.append((time.perf_counter() - begin) * 1e6)
print(json.dumps(took))
"""


def on(processor):
    """For subprocess: the child stays on this processor; None: wherever it is put."""
    return (lambda: os.sched_setaffinity(0, {processor})) if processor is not None else None


class Model:
    def __init__(self, b, events=20, every_ms=100, processor=None):
        self.process = subprocess.Popen([b.build / "tests/bench-model", str(events), str(every_ms)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=on(processor))
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def calls(b, mode, url, count, processor=None):
    env = {**os.environ, "LD_LIBRARY_PATH": str(b.build / "lib"), "HF_HOME": str(b.work / "inference"), "NO_PROXY": "*"}
    out = subprocess.run([b.build / "tests/bench-calls", mode, url, str(count)], env=env, capture_output=True, text=True, timeout=300,
                         preexec_fn=on(processor))
    if not out.stdout:
        raise RuntimeError(f"bench-calls {mode}: {out.stderr[-500:]}")
    return json.loads(out.stdout)


def python_calls(python, text, url, count, processor=None):
    env = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    out = subprocess.run([str(python), "-c", text, url, str(count), MESSAGES], env=env, capture_output=True, text=True, timeout=300,
                         preexec_fn=on(processor))
    return statistics.median(json.loads(out.stdout.splitlines()[-1])) if out.returncode == 0 else None


def show(name, **row):
    print(json.dumps({"id": name, **row, "load": round(os.getloadavg()[0], 2)}), flush=True)


def chat_row(b, placement, client, server):
    took = {}
    peers = {"python": (b.python, PYTHON), "litellm": (os.environ.get("HF_LITELLM_PYTHON"), LITELLM)}
    with Model(b, processor=server) as m:
        for _ in range(max(b.runs, 5)):
            for name, mode in (("curl", "curl"), ("ours", "chat")):
                took.setdefault(name, []).append(calls(b, mode, m.url, 3000, client)["median_us"])
            for name, (python, text) in peers.items():
                us = python_calls(python, text, m.url, 300, client) if python else None
                if us:
                    took.setdefault(name, []).append(us)
    us = {name: statistics.median(all_of) for name, all_of in took.items()}
    over = {name: us[name] - us["curl"] for name in us}
    row = {"placement": placement, "ours_us": us["ours"], "curl_us": us["curl"], "over_curl_us": round(over["ours"], 1)}
    for name in peers:
        if name in us:
            row[f"{name}_us"] = round(us[name], 1)
            row[f"{name}_over_curl_us"] = round(over[name], 1)
            row[f"{name}_over_ours"] = round(over[name] / max(over["ours"], 0.1), 1)
            row[f"{name}_time_ratio"] = round(us[name] / us["ours"], 1)
    show("infer-chat", **row)


def add(measure, timed):
    @measure
    def infer_chat(b):
        """Microseconds of a blocking chat over a kept connection: medians of libhf, bare libcurl, Python's InferenceClient, litellm.

        The overhead of a client is its median minus that of the bare libcurl program, which sends the same body with one header
        and throws the answer away: over_curl_us is ours, python_over_curl_us Python's. python_over_ours is Python's overhead
        divided by ours, python_time_ratio its whole time by our whole time; litellm's are called alike. Measured twice: "apart"
        with the server on one processor and every client, whichever it is, on another one; "free" as the system places them.
        All take turns in each round, at the same server; the median of the rounds' medians counts.
        """
        processors = sorted(os.sched_getaffinity(0))
        for placement in ("apart", "free"):
            if placement == "apart" and len(processors) < 2:
                continue
            client, server = processors[:2] if placement == "apart" else (None, None)
            chat_row(b, placement, client, server)

    @measure
    def infer_cli(b):
        """hf inference --model URL --text, against curl with the same POST."""
        curl = shutil.which("curl")
        with Model(b) as m:
            env = b.env("infer-cli")
            url = m.url + "/v1/chat/completions"
            body = json.dumps({"model": "m", "messages": json.loads(MESSAGES), "stream": False})
            ours = [b.hf, "inference", "--base-url", m.url, "-m", "m", "--messages", MESSAGES]
            post = [curl, "-s", "-H", "content-type: application/json", "-d", body, url]
            mine, theirs = b.alternate(lambda: timed(ours, env), lambda: timed(post, env), runs=max(b.runs, 15))
            show("infer-cli", ours_ms=round(mine["wall"] * 1000, 2), curl_ms=round(theirs["wall"] * 1000, 2),
                 over_curl_ms=round((mine["wall"] - theirs["wall"]) * 1000, 2), ours_cpu_ms=round(mine["cpu"] * 1000, 2), curl_cpu_ms=round(theirs["cpu"] * 1000, 2))

    @measure
    def infer_sse(b):
        """100 MB of events as payloads, and how long an event of one stream is under way to the callback."""
        rates = [json.loads(subprocess.check_output([b.build / "tests/bench-sse"]))["mb_s"] for _ in range(max(b.runs, 3))]
        with Model(b, events=300, every_ms=5) as m:
            one = calls(b, "streams", m.url, 1)
        show("infer-sse", mb_s=max(rates), event_median_us=one["median_us"], event_p90_us=one["p90_us"], event_p99_us=one["p99_us"])

    @measure
    def infer_streams_1000(b):
        """A thousand streams at once in one process: memory, threads, and how long events are under way."""
        with Model(b, events=20, every_ms=200) as m:
            row = calls(b, "streams", m.url, 1000)
        show("infer-streams-1000", **row)
        if row["failed"]:
            sys.exit("infer-streams-1000: some failed")
