#!/usr/bin/env python3
"""OpenAI's own Python client against `hf inference serve`: chat, streams, tools, structured output, vectors, models, errors.

openai_client.py BUILD. HF_OPENAI_PYTHON names an interpreter that has the package; else it is installed into a virtual environment of
the build folder. Where it cannot be had, the test is skipped visibly (exit 77).
"""
import json
import os
import pathlib
import subprocess
import sys
import time


def has_it(python):
    return subprocess.run([str(python), "-c", "import openai"], capture_output=True).returncode == 0


def find(folder):
    named = os.environ.get("HF_OPENAI_PYTHON")
    if named:
        return named if has_it(named) else None
    venv, missing = pathlib.Path(folder) / "openai-client", pathlib.Path(folder) / "openai-client.missing"
    python = venv / "bin/python"
    if python.exists() and has_it(python):
        return python
    if missing.exists() and time.time() - missing.stat().st_mtime < 1800:
        return None  # tried just now
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, capture_output=True, timeout=120)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "openai"], check=True, capture_output=True, timeout=200)
    except (OSError, subprocess.SubprocessError):
        missing.touch()
        return None
    return python if has_it(python) else None


if "HF_BUILD" not in os.environ:
    found = find(sys.argv[1])
    if found is None:
        print("SKIPPED: the openai package is not here and could not be installed (HF_OPENAI_PYTHON names an interpreter that has it)")
        sys.exit(77)
    sys.exit(subprocess.run([str(found), __file__], env={**os.environ, "HF_BUILD": sys.argv[1]}).returncode)

import unittest  # noqa: E402

import openai  # noqa: E402

from gateway import Gateway, Hub, gone_early, until  # noqa: E402

SAY = [{"role": "user", "content": "Which river crosses Lyon?"}]


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.hub.add("demo/talker", "--generate", "tiny-model")
        cls.hub.add("demo/vectors", "--generate", "tiny-model")
        cls.mapping("demo/vectors", {"together": {"status": "live", "providerId": "them/v", "task": "feature-extraction"}})
        cls.gateway = Gateway(cls.hub, "--key-env", "DOOR", DOOR="sk-door")
        cls.client = openai.OpenAI(base_url=cls.gateway.url, api_key="sk-door", max_retries=0, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.gateway.close() == 0
        assert cls.hub.close() == 0

    @classmethod
    def mapping(cls, repo, mapping):
        assert cls.hub.request("/_devhub/mapping", method="POST", body=json.dumps({"repo": repo, "mapping": mapping})).status == 200

    def tearDown(self):
        self.hub.reset()

    def fault(self, **rule):
        match = {"path": "*/chat/completions"}
        self.assertEqual(self.hub.request("/_devhub/faults", method="POST", body=json.dumps([{**rule, "match": match}])).status, 200)

    def test_chat(self):
        answer = self.client.chat.completions.create(model="demo/talker:groq", messages=SAY, max_tokens=3, temperature=0)
        self.assertEqual(answer.choices[0].message.content, "Which river crosses")
        self.assertEqual((answer.choices[0].finish_reason, answer.usage.total_tokens), ("length", 7))

    def test_stream(self):
        stream = self.client.chat.completions.create(model="demo/talker", messages=SAY, stream=True, stream_options={"include_usage": True})
        items = list(stream)
        self.assertEqual("".join(i.choices[0].delta.content or "" for i in items if i.choices), SAY[0]["content"])
        self.assertEqual((items[-1].choices, items[-1].usage.completion_tokens), ([], 4))

    def test_stream_comes_as_it_is_made(self):
        self.fault(kind="stall", after=700, seconds=3)
        begin, times = time.monotonic(), []
        for _ in self.client.chat.completions.create(model="demo/talker", messages=[{"role": "user", "content": "word " * 20}], stream=True):
            times.append(time.monotonic() - begin)
        self.assertGreater(times[-1] - times[0], 2, "the first item waited for the last")

    def test_tools(self):
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
        ask = [{"role": "user", "content": "weather in Lyon"}]
        answer = self.client.chat.completions.create(model="demo/talker", messages=ask, tools=tools)
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("weather", {"city": "weather in Lyon"}))
        follow = ask + [answer.choices[0].message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "it rains"}]
        self.assertEqual(self.client.chat.completions.create(model="demo/talker", messages=follow, tools=tools).choices[0].message.content, "it rains")
        parts = [i.choices[0].delta.tool_calls for i in self.client.chat.completions.create(model="demo/talker", messages=ask, tools=tools, stream=True)]
        self.assertEqual([p[0].function.name for p in parts if p], ["weather"])
        forced = self.client.chat.completions.create(model="demo/talker", messages=SAY, tools=tools, tool_choice={"type": "function", "function": {"name": "weather"}})
        self.assertEqual(forced.choices[0].finish_reason, "tool_calls")

    def test_structured_output(self):
        form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object", "properties": {"name": {"type": "string"}}}}}
        answer = self.client.chat.completions.create(model="demo/talker:together", messages=[{"role": "user", "content": "Ada"}], response_format=form)
        self.assertEqual(json.loads(answer.choices[0].message.content), {"name": "Ada"})

    def test_vectors(self):
        one = self.client.embeddings.create(model="demo/vectors:together", input="a kettle")  # base64, as the client asks by itself
        plain = self.client.embeddings.create(model="demo/vectors:together", input=["a kettle", "a pot"], encoding_format="float", dimensions=5)
        again = self.client.embeddings.create(model="demo/vectors:together", input="a kettle", encoding_format="float")
        self.assertEqual((len(one.data[0].embedding), [len(d.embedding) for d in plain.data]), (16, [5, 5]))
        for a, b in zip(one.data[0].embedding, again.data[0].embedding):
            self.assertAlmostEqual(a, b, places=6)
        self.assertEqual([d.index for d in plain.data], [0, 1])

    def test_models(self):
        self.assertEqual(sorted(m.id for m in self.client.models.list()), ["demo/talker", "demo/vectors"])
        self.assertEqual(self.client.models.retrieve("demo/talker").owned_by, "demo")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("demo/nothing")

    def test_errors(self):
        for rule, cls, words in ((dict(kind="status", status=429, message="slow down", retry_after="61"), openai.RateLimitError, "slow down"),
                                 (dict(kind="status", status=500, message="it broke"), openai.InternalServerError, "it broke"),
                                 (dict(kind="status", status=401, message="who are you"), openai.AuthenticationError, ""),
                                 (dict(kind="body", status=400, body='{"error":{"message":"no kettles"}}'), openai.BadRequestError, "no kettles")):
            self.fault(**rule)
            with self.assertRaises(cls) as caught:
                self.client.chat.completions.create(model="demo/talker", messages=SAY)
            self.assertIn(words, caught.exception.message)
            self.assertTrue(caught.exception.type)
        self.fault(kind="body", type="text/event-stream", body='data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"out of luck"}}\n\n')
        with self.assertRaises(openai.APIError) as caught:
            list(self.client.chat.completions.create(model="demo/talker", messages=SAY, stream=True))
        self.assertIn("out of luck", caught.exception.message)

    def test_wrong_key_host_origin_type(self):
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="sk-other").models.list()
        for header in ({"Host": "evil.test"}, {"Origin": "https://evil.test"}):
            with self.assertRaises(openai.PermissionDeniedError):
                self.client.chat.completions.create(model="demo/talker", messages=SAY, extra_headers=header)
        with self.assertRaises(openai.APIStatusError) as caught:
            self.client.chat.completions.create(model="demo/talker", messages=SAY, extra_headers={"Content-Type": "text/plain"})
        self.assertEqual(caught.exception.status_code, 415)

    def test_a_stream_that_is_closed(self):
        self.fault(kind="slow", rate=300)
        stream = self.client.chat.completions.create(model="demo/talker", messages=[{"role": "user", "content": "word " * 300}], stream=True)
        next(iter(stream))
        stream.close()
        self.assertTrue(until(lambda: gone_early(self.hub, "/chat/completions")), "the provider still sends")

    def test_at_once(self):
        import asyncio

        async def main():
            async with openai.AsyncOpenAI(base_url=self.gateway.url, api_key="sk-door", max_retries=0, timeout=60) as client:
                return await asyncio.gather(*(client.chat.completions.create(model="demo/talker", messages=[{"role": "user", "content": f"n {i}"}])
                                              for i in range(12)))
        self.assertEqual([a.choices[0].message.content for a in asyncio.run(main())], [f"n {i}" for i in range(12)])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
