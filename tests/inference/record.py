"""Runs calls of Python's inference client against answers in memory and says what it sent and what came of it.

Under an interpreter with huggingface_hub: one call as JSON on a line of stdin, one record as JSON on a line of stdout.
The request {"registry": true} answers with the providers, their tasks and the parameters of every method.
"""
import base64
import inspect
import json
import os
import pathlib
import sys
import tempfile
import time
import warnings

import huggingface_hub
from huggingface_hub import InferenceClient, set_client_factory
from huggingface_hub.inference import _client, _common
from huggingface_hub.inference._providers import PROVIDERS
from huggingface_hub.inference._providers import _common as provider_common
from huggingface_hub.inference._providers import hf_inference

try:
    import httpx2 as httpx
except ImportError:
    import httpx

warnings.simplefilter("ignore")
time.sleep = lambda seconds: None


class Numbers:
    @staticmethod
    def array(values, dtype=None):
        def plain(value):
            return [plain(v) for v in value] if isinstance(value, list) else float(value)
        return plain(values)


class Encoded(bytes):
    """A picture inside of a record: its bytes."""


# What the client makes of pictures and vectors is not compared: their bytes and numbers are.
_client._import_numpy = lambda: Numbers
_client._bytes_to_image = bytes
_client._b64_to_image = lambda text: Encoded(base64.b64decode(text))


class Pieces(httpx.SyncByteStream):
    def __init__(self, pieces):
        self.pieces = pieces

    def __iter__(self):
        yield from self.pieces


class Script:
    def __init__(self):
        self.begin([])

    def begin(self, answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request):
        self.requests.append({"method": request.method, "url": str(request.url),
                              "headers": [[k.lower(), v] for k, v in request.headers.items()],
                              "body": base64.b64encode(request.read()).decode()})
        answer = self.answers.pop(0) if self.answers else {"status": 404, "text": "nothing more is known"}
        if "fails" in answer:
            raise getattr(httpx, answer["fails"])(answer["fails"], request=request)
        headers = dict(answer.get("headers", {}))
        if "chunks" in answer:
            return httpx.Response(answer.get("status", 200), headers=headers,
                                  stream=Pieces([base64.b64decode(c) for c in answer["chunks"]]))
        if "json" in answer:
            headers.setdefault("content-type", "application/json")
            return httpx.Response(answer.get("status", 200), headers=headers, content=json.dumps(answer["json"]).encode())
        data = base64.b64decode(answer["b64"]) if "b64" in answer else answer.get("text", "").encode()
        return httpx.Response(answer.get("status", 200), headers=headers, content=data)


script = Script()
set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(script), follow_redirects=True, timeout=None))


def forget():
    provider_common._fetch_inference_provider_mapping.cache_clear()
    hf_inference._fetch_recommended_models.cache_clear()
    hf_inference._check_supported_task.cache_clear()
    _common._UNSUPPORTED_TEXT_GENERATION_KWARGS.clear()


def given(value, folder):
    """Media of a call, as the method takes it."""
    if isinstance(value, dict) and "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if isinstance(value, dict) and "$file" in value:
        path = pathlib.Path(folder, value["$file"])
        path.write_bytes(base64.b64decode(value["content"]))
        return str(path)
    return value


def shown(value):
    if isinstance(value, Encoded):
        return {"$b64": base64.b64encode(value).decode()}
    if isinstance(value, bytes):
        return {"$media": base64.b64encode(value).decode()}
    if hasattr(value, "__dict__") and not isinstance(value, (str, int, float)):
        return {k: shown(v) for k, v in vars(value).items()}
    if isinstance(value, dict):
        return {k: shown(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(v) for v in value]
    return value


def play(call):
    script.begin(call["answers"])
    forget()
    record = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            client = InferenceClient(**call["client"])
            arguments = {k: given(v, folder) for k, v in call["args"].items()}
            method = getattr(client, call["method"])
            if call["method"] in ("audio_to_audio",):
                result = [{**shown(r), "blob": {"$b64": base64.b64encode(r.blob).decode()}} for r in method(**arguments)]
            else:
                result = method(**arguments)
            if inspect.isgenerator(result):
                record["items"] = []
                for item in result:
                    record["items"].append(shown(item))
            else:
                record["result"] = shown(result)
        except Exception as error:  # whatever the client raises is the record
            record["error"] = {"class": type(error).__name__, "classes": [c.__name__ for c in type(error).__mro__],
                               "message": str(error)}
    record["requests"] = script.requests
    return record


def registry():
    methods = {}
    for name, method in inspect.getmembers(InferenceClient, inspect.isfunction):
        if not name.startswith("_"):
            methods[name] = list(inspect.signature(method).parameters)[1:]
    return {"version": huggingface_hub.__version__, "providers": {p: list(t) for p, t in PROVIDERS.items()}, "methods": methods}


for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps(registry() if call.get("registry") else play(call)), flush=True)
