"""A local Hub and `hf inference serve` in front of it, for the tests of this folder."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "devhub"))
from devhub import Hub, request  # noqa: E402,F401

BUILD = pathlib.Path(os.environ.get("HF_BUILD") or sys.argv[1]).resolve()
HF = BUILD / "bin/hf"


def environment(home, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and not k.endswith("_API_KEY") and k != "HUGGING_FACE_HUB_TOKEN"}
    return {**env, "HOME": home, "HF_HOME": home + "/hf", "NO_PROXY": "*", "NO_COLOR": "1", **more}


class Gateway:
    def __init__(self, hub, *options, home=None, stdin=None, **env):
        self.home = home or tempfile.mkdtemp(prefix="gateway-test-")
        self.env = environment(self.home, HF_ENDPOINT=hub.url, HF_INFERENCE_ENDPOINT=hub.url, HF_TOKEN="hf_demo", **env)
        self.process = subprocess.Popen([HF, "inference", "serve", "--port", "0", *options], env=self.env, text=True,
                                        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if stdin:
            self.process.stdin.write(stdin)
            self.process.stdin.close()
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+/v1", line)
        assert found, (line, self.process.stderr.read() if self.process.poll() is not None else "")
        self.url = found.group()
        self.port = int(re.search(r":(\d+)/v1", self.url).group(1))

    def post(self, path, body, **headers):
        return request(self.url + path, method="POST", body=body if isinstance(body, (str, bytes)) else json.dumps(body),
                       headers={"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})

    def chat(self, text, model="demo/talker", **more):
        return self.post("/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}], **more})

    def close(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        code = self.process.wait(30)
        said = self.process.stdout.read() + self.process.stderr.read()
        self.said = "".join(line for line in said.splitlines(True) if "ASan doesn't fully support makecontext" not in line)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def until(what, seconds=30):
    """True once it is; a loaded machine gets its time."""
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def gone_early(hub, path):
    """Requests to this path whose client left before the answer was whole."""
    return [r for r in hub.log() if r["path"].endswith(path) and r.get("done") and not r.get("complete")]
