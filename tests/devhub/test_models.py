# test_models.py - the local Hub as an inference provider: chat, streams, completions, vectors, pictures, jobs, mappings,
# lists, and failures on demand.
# Answers are compared to the byte where the request alone decides them.
import base64
import json
import struct
import unittest
import zlib

from devhub import Hub


def events(body):
    return [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.hub.add("me/talker", "--generate", "tiny-model")

    @classmethod
    def tearDownClass(cls):
        assert cls.hub.close() == 0

    def post(self, path, body, **headers):
        return self.hub.request(path, method="POST", body=json.dumps(body),
                                headers={"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})

    def chat(self, text, path="/v1/chat/completions", **more):
        return self.post(path, {"model": "m", "messages": [{"role": "user", "content": text}], **more})

    def test_chat_says_what_it_was_told(self):
        for path in ("/v1/chat/completions", "/groq/openai/v1/chat/completions", "/hf-inference/models/me/talker/v1/chat/completions"):
            answer = self.chat("Which river crosses Lyon?", path)
            self.assertEqual(answer.status, 200)
            said = answer.json()
            self.assertEqual(said["choices"][0]["message"], {"role": "assistant", "content": "Which river crosses Lyon?"})
            self.assertEqual(said["choices"][0]["finish_reason"], "stop")
            self.assertEqual(said["usage"], {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8})
            self.assertEqual((said["object"], said["model"]), ("chat.completion", "m"))

    def test_parts_and_length(self):
        said = self.post("/v1/chat/completions", {"model": "m", "max_tokens": 2, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "one two"}, {"type": "image_url", "image_url": {"url": "x"}}]}]}).json()
        self.assertEqual(said["choices"][0]["message"]["content"], "one two")
        self.assertEqual(said["choices"][0]["finish_reason"], "length")

    def test_stream(self):
        answer = self.chat("a  b\nc", stream=True, stream_options={"include_usage": True})
        self.assertEqual(answer.headers["content-type"], "text/event-stream")
        self.assertEqual(answer.headers.get("transfer-encoding"), "chunked")
        lines = events(answer.body)
        self.assertEqual(lines[-1], "[DONE]")
        items = [json.loads(x) for x in lines[:-1]]
        self.assertEqual("".join(c["delta"].get("content", "") for i in items for c in i["choices"]), "a  b\nc")
        self.assertEqual([i["choices"] for i in items][-1], [])
        self.assertEqual(items[-1]["usage"]["completion_tokens"], 3)
        self.assertEqual(items[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(items[-2]["choices"][0]["finish_reason"], "stop")
        self.assertNotIn("usage", items[0])

    def test_tools(self):
        tool = {"type": "function", "function": {"name": "weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}
        said = self.chat("weather in Lyon", tools=[tool]).json()["choices"][0]
        self.assertEqual(said["finish_reason"], "tool_calls")
        call = said["message"]["tool_calls"][0]["function"]
        self.assertEqual((call["name"], json.loads(call["arguments"])), ("weather", {"city": "weather in Lyon", "days": 3}))
        self.assertEqual(self.chat("hello", tools=[tool]).json()["choices"][0]["message"]["content"], "hello")
        self.assertEqual(self.chat("hello", tools=[tool], tool_choice="required").json()["choices"][0]["finish_reason"], "tool_calls")
        self.assertEqual(self.chat("weather", tools=[tool], tool_choice="none").json()["choices"][0]["finish_reason"], "stop")
        items = [json.loads(x) for x in events(self.chat("weather", tools=[tool], stream=True).body)[:-1]]
        self.assertEqual(items[0]["choices"][0]["delta"]["tool_calls"][0]["index"], 0)

    def test_schema(self):
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {
            "name": {"type": "string"}, "list": {"type": "array", "items": {"enum": ["red"]}}, "fine": {"type": "boolean"}}}}}
        said = self.chat("Ada", response_format=form).json()["choices"][0]["message"]["content"]
        self.assertEqual(json.loads(said), {"name": "Ada", "list": ["red"], "fine": True})

    def test_completions(self):
        said = self.post("/together/v1/completions", {"model": "m", "prompt": "once upon"}).json()
        self.assertEqual((said["object"], said["choices"][0]["text"]), ("text_completion", "once upon"))
        lines = events(self.post("/v1/completions", {"prompt": "a b", "stream": True}).body)
        self.assertEqual("".join(json.loads(x)["choices"][0]["text"] for x in lines[:-1]), "a b")

    def test_vectors(self):
        said = self.post("/v1/embeddings", {"model": "m", "input": ["a", "b", "a"]}).json()
        rows = [d["embedding"] for d in said["data"]]
        self.assertEqual([d["index"] for d in said["data"]], [0, 1, 2])
        self.assertEqual((len(rows[0]), rows[0] == rows[2], rows[0] == rows[1]), (16, True, False))
        self.assertAlmostEqual(sum(x * x for x in rows[0]), 1, places=5)
        packed = self.post("/v1/embeddings", {"input": "a", "encoding_format": "base64", "dimensions": 5}).json()
        self.assertEqual(len(struct.unpack("<5f", base64.b64decode(packed["data"][0]["embedding"]))), 5)

    def test_picture(self):
        said = self.post("/nscale/v1/images/generations", {"model": "m", "prompt": "a kettle", "size": "20x10"}).json()
        png = base64.b64decode(said["data"][0]["b64_json"])
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", png[16:24]), (20, 10))
        at, size = png.index(b"IDAT"), struct.unpack(">I", png[png.index(b"IDAT") - 4:png.index(b"IDAT")])[0]
        self.assertEqual(len(zlib.decompress(png[at + 4:at + 4 + size])), 10 * (1 + 3 * 20))
        self.assertEqual(zlib.crc32(png[at:at + 4 + size]), struct.unpack(">I", png[at + 4 + size:at + 8 + size])[0])
        url = self.post("/v1/images/generations", {"prompt": "a kettle", "response_format": "url"}).json()["data"][0]["url"]
        file = self.hub.get(url)
        self.assertEqual((file.status, file.headers["content-type"], file.body[:4]), (200, "image/png", b"\x89PNG"))
        self.assertEqual(self.post("/v1/audio/speech", {"input": "hello"}).body[:4], b"RIFF")

    def test_job_of_a_queue(self):
        job = self.post("/fal-ai/acme/video?_subdomain=queue", {"prompt": "x"}).json()
        path = "/fal-ai" + job["response_url"][len(self.hub.url):]
        states = [self.hub.get(path + "/status?_subdomain=queue").json()["status"] for _ in range(3)]
        self.assertEqual(states, ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"])
        video = self.hub.get(self.hub.get(path + "?_subdomain=queue").json()["video"]["url"])
        self.assertEqual((video.headers["content-type"], video.body[4:8]), ("video/mp4", b"ftyp"))
        other = self.post("/fal-ai/acme/video?_subdomain=queue", {"prompt": "x"}).json()
        self.assertEqual(self.hub.request("/fal-ai" + other["cancel_url"][len(self.hub.url):], method="PUT").status, 202)
        self.assertEqual(self.hub.get("/fal-ai" + other["status_url"][len(self.hub.url):]).json()["status"], "CANCELED")
        self.assertEqual(self.hub.get("/fal-ai/acme/video/requests/99999/status").status, 404)

    def test_other_jobs(self):
        job = self.post("/together/v2/videos", {"prompt": "x"}).json()
        looks = [self.hub.get(f"/together/v2/videos/{job['id']}").json() for _ in range(3)]
        self.assertEqual([x["status"] for x in looks], ["queued", "in_progress", "completed"])
        self.assertIn("/media/", looks[2]["outputs"]["video_url"])
        job = self.post("/wavespeed/api/v3/me/m", {"prompt": "x"}).json()["data"]
        path = "/wavespeed" + job["urls"]["get"][len(self.hub.url):]
        self.assertEqual([self.hub.get(path).json()["data"]["status"] for _ in range(3)], ["created", "processing", "completed"])

    def test_tasks_of_repos(self):
        self.assertEqual(self.post("/hf-inference/models/me/talker", {"inputs": "on and on"}).json(), [{"generated_text": "on and on"}])
        lines = [x[5:] for x in self.post("/hf-inference/models/me/talker", {"inputs": "a b", "stream": True}).body.decode().split("\n\n") if x]
        self.assertEqual([json.loads(x)["token"]["text"] for x in lines], ["a", " b"])
        self.assertEqual(len(self.post("/hf-inference/models/me/talker/pipeline/feature-extraction", {"inputs": "a"}).json()), 16)
        self.assertEqual(self.post("/hf-inference/models/me/nothing", {"inputs": "a"}).status, 404)

    def test_lists_and_mappings(self):
        self.assertEqual([m["id"] for m in self.hub.get("/v1/models").json()["data"]], ["me/talker"])
        self.assertEqual(self.hub.get("/v1/models/me/talker").json()["object"], "model")
        self.assertEqual(self.hub.get("/v1/models/me/nothing").status, 404)
        page = "/api/models/me/talker?expand=inferenceProviderMapping&expand=inference"
        said = self.hub.get(page).json()
        self.assertEqual(said["inferenceProviderMapping"]["groq"], {"status": "live", "providerId": "me/talker", "task": "conversational"})
        self.assertEqual((said["inference"], next(iter(said["inferenceProviderMapping"]))), ("warm", "hf-inference"))
        mine = {"groq": {"status": "staging", "providerId": "them/x", "task": "text-generation"}}
        self.assertEqual(self.post("/_devhub/mapping", {"repo": "me/talker", "mapping": mine}).status, 200)
        self.assertEqual(self.hub.get(page).json()["inferenceProviderMapping"], mine)
        names = lambda q: [m["id"] for m in self.hub.get("/api/models?" + q).json()]  # noqa: E731
        self.assertEqual((names("inference_provider=groq"), names("inference_provider=together")), (["me/talker"], []))
        self.post("/_devhub/mapping", {"repo": "me/talker", "mapping": None})
        self.assertEqual((names("inference_provider=all"), names("inference=warm")), (["me/talker"], ["me/talker"]))
        self.assertEqual(self.hub.get("/api/tasks").json()["text-generation"]["widgetModels"], ["me/talker"])
        self.assertEqual((self.hub.get("/health").status, self.hub.get("/info").json()["router"]), (200, "hf-devhub"))

    def test_wrong_requests(self):
        for path, body in (("/v1/chat/completions", {"model": "m"}), ("/v1/chat/completions", {"messages": [{}]}),
                           ("/v1/embeddings", {"input": []}), ("/v1/embeddings", {"input": [1]}), ("/v1/completions", {})):
            answer = self.post(path, body)
            self.assertEqual((answer.status, answer.json()["error"]["type"]), (400, "invalid_request_error"), (path, body))
        self.assertEqual(self.hub.request("/v1/chat/completions", method="POST", body="{").status, 400)
        self.assertEqual(self.hub.request("/some/where", method="POST", body="{}").status, 404)
        self.assertEqual(self.hub.get("/some/where/else").status, 404)

    def test_failures_on_demand(self):
        self.assertEqual(self.chat("x").status, 200)
        for fault, status, start in (("kind=status;status=429;retry_after=1", 429, b'{"error"'), ("kind=html", 200, b"<"),
                                     ("kind=body;body={not json", 200, b"{not json")):
            answer = self.post("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, X_Devhub_Fault=fault)
            self.assertEqual((answer.status, answer.body[:len(start)].lower()), (status, start), fault)
        with self.assertRaises(Exception):
            self.post("/v1/chat/completions", {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]},
                      X_Devhub_Fault="kind=cut;after=20")


class Keys(unittest.TestCase):
    def test_a_token_is_needed_where_tokens_are_known(self):
        hub = Hub("--token", "me:hf_me")
        try:
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
            ask = lambda **h: hub.request("/v1/chat/completions", method="POST", body=body, headers=h).status  # noqa: E731
            self.assertEqual((ask(), ask(Authorization="Bearer sk-other"), ask(Authorization="Bearer hf_me")), (401, 401, 200))
        finally:
            self.assertEqual(hub.close(), 0)


if __name__ == "__main__":
    unittest.main()
