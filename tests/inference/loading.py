#!/usr/bin/env python3
"""Which plugins are opened, and whose code runs: the chosen provider's and no other; listing runs nothing.

loading.py HF LOUD: LOUD is a folder with a provider whose load() writes a line to stderr. Files that are opened are seen with strace
where it works; what is loaded, with the dynamic linker's own report (LD_DEBUG=files). With --matrix FILE the list of providers is compared to a table of providers and tasks.
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

hf, loud = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
problems = []


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.reply({"inferenceProviderMapping": {p: {"status": "live", "providerId": "x", "task": "conversational"} for p in ("groq", "loud")}})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.reply({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]})

    def reply(self, json_body):
        data = json.dumps(json_body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_address[1]}/"


def tracer():
    command = ["strace", "-f", "-e", "trace=openat,open"]
    if not shutil.which("strace") or subprocess.run([*command, "-o", "/dev/null", "true"], capture_output=True).returncode:
        print("strace does not work here: only what is loaded is looked at, not what is opened")
        return None
    return command


TRACER = tracer()


def run(*words, debug=True, **more):
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "HF_HOME": home, "NO_PROXY": "*", "NO_COLOR": "1", "HF_TOKEN": "hf_x",
               "HF_URL_REWRITE": f"https://={base}", **more}
        plain = {**env, "LD_DEBUG": "files"} if debug else env
        done = subprocess.run([hf, *words], env=plain, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
        loaded = set(re.findall(r"file=(/proc/self/fd/[./]*\d+|\S*/hf-[\w-]+\.so) \[\d+\];  generating link map", done.stderr))
        opened = None
        if debug and TRACER:
            subprocess.run([*TRACER, "-o", home + "/calls", hf, *words], env=env, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
            opened = set(re.findall(r'"[^"]*/(hf-[\w-]+\.so)", [^)]*\) = \d', pathlib.Path(home, "calls").read_text()))
    return done, loaded, opened


def expect(what, fine):
    if not fine:
        problems.append(what)


done, loaded, opened = run("inference", "chat", "-m", "me/m", "-p", "groq", "--text", "x")
expect(f"a call loaded {sorted(loaded)}", done.returncode == 0 and done.stdout == "Hi\n" and len([f for f in loaded if "hf-net" not in f]) == 1)
expect(f"a call opened {opened}", opened is None or opened == {"hf-net.so", "hf-groq.so"})
done, loaded, opened = run("inference", "chat", "-m", "me/m", "-p", "loud", "--text", "x", debug=False, HF_PLUGIN_PATH=str(loud))
expect(f"the loud provider did not work, or is not loud: {done.stderr[-300:]}", done.returncode == 0 and "loud: load() ran" in done.stderr)
done, loaded, opened = run("inference", "providers", "--json", debug=False, HF_PLUGIN_PATH=str(loud))
expect("listing ran load()", "loud: load() ran" not in done.stderr)
rows = {r["name"]: r for r in json.loads(done.stdout)}
expect("the loud provider is not listed", rows.get("loud", {}).get("tasks") == ["conversational"])
expect("a provider has no key variable", all(r["key_env"] for r in rows.values()))
done, loaded, opened = run("inference", "providers", "--task", "text-to-video", "--quiet", debug=False)
expect(f"for text-to-video: {done.stdout!r}", {"fal-ai", "together"} <= set(done.stdout.split()) and "groq" not in done.stdout.split())
done, loaded, opened = run("inference", "--help")
expect(f"help loaded {sorted(loaded)}", not loaded)
done, loaded, opened = run("version")
expect(f"a command that is not about inference loaded {sorted(loaded)}, opened {opened}", not loaded and not opened)

CELLS = {  # what must be there, task by task; a provider may serve more
    "conversational": "auto baseten cerebras clarifai cohere deepinfra featherless-ai fireworks-ai groq hf-inference hyperbolic nebius novita "
                      "nscale nvidia openai ovhcloud publicai sambanova scaleway together zai-org",
    "text-generation": "deepinfra featherless-ai hf-inference hyperbolic nebius novita together",
    "feature-extraction": "deepinfra hf-inference nebius sambanova scaleway together",
    "text-to-image": "black-forest-labs fal-ai hf-inference hyperbolic nebius nscale replicate together wavespeed zai-org",
    "text-to-video": "fal-ai novita replicate together wavespeed", "image-to-video": "fal-ai together wavespeed",
    "image-to-image": "fal-ai hf-inference replicate together wavespeed", "image-segmentation": "fal-ai hf-inference",
    "text-to-speech": "deepinfra fal-ai hf-inference replicate together",
    "automatic-speech-recognition": "deepinfra fal-ai hf-inference replicate",
    **{t: "hf-inference" for t in ("text-classification question-answering audio-classification fill-mask image-classification image-to-text "
                                   "document-question-answering object-detection audio-to-audio zero-shot-image-classification "
                                   "zero-shot-classification sentence-similarity table-question-answering tabular-classification "
                                   "token-classification translation summarization visual-question-answering").split()}}
for task, names in CELLS.items():
    for name in names.split():
        expect(f"{name} does not serve {task}", task in rows.get(name, {}).get("tasks", []))
if "--matrix" in sys.argv:
    table = [line.split("\t") for line in pathlib.Path(sys.argv[sys.argv.index("--matrix") + 1]).read_text().splitlines()[1:]]
    cells = [(r[0], r[1]) for r in table if not r[2].startswith("js-only")]
    for name, task in cells:
        expect(f"the table has {name} for {task}", task in rows.get(name, {}).get("tasks", []))
    print(f"{len(cells)} cells of the table")
server.shutdown()
for what in problems:
    print(what)
print(f"{len(problems)} problems")
sys.exit(bool(problems))
