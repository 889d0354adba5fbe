"""The quirks of the reference client, each with what we decided and the calls that show it; and answers that are wrong.

QUIRKS: number -> (decision, why, cases of calls.py or of this file, or "unit.NAME" for a unit test). run.py plays the cases,
and fails when a quirk has none.
"""
import json

from calls import ASK, CHAT, HUB, KEY, LOOK, MESSAGES, PICTURE, PNG, TOKEN, delta, events, mapping

QUIRKS = {
    1: ("improve", "a token of the Hub goes to hosts of Hugging Face only", ["token to a URL: stranger, saved", "token to a URL: look-alike, env"]),
    2: ("improve", "a saved token is never a provider's key", ["saved token that looks like a key"]),
    3: ("improve", "look-ups go with the key of the call when it is the Hub's", ["look-up with the key of the call"]),
    4: ("improve", "ids are percent-encoded in URLs", ["ids in URLs", "job ids in URLs"]),
    5: ("improve", "what surely did nothing is repeated, nothing else", ["503 is repeated", "500 is not", "429 too long", "502 of a poll is repeated", "500 of a poll is not"]),
    6: ("improve", "a late answer is an InferenceTimeoutError, and not asked for twice", ["late answer"]),
    7: ("improve", "downloads and results are checked", ["media that is 404", "media that is page", "media that is nothing", "input that is 404"]),
    8: ("improve", "waiting ends: at the limit of looks, or at --deadline, and then the job is cancelled", ["job without an end", "job at its limit"]),
    9: ("improve", "streams of completions yield their text", ["stream of a completion"]),
    10: ("match", "parameters keep the names that the reference sends", ["max_new_tokens as it is", "max_tokens null"]),
    11: ("improve", "tabular regression is a row of hf-inference", ["tabular regression"]),
    12: ("improve", "parameters that a server does not know are dropped for this call only", ["a server that is no TGI"]),
    13: ("improve", "vectors in base64 are decoded", ["vectors in base64"]),
    14: ("improve", "predictions are waited for where they say where to ask", ["predictions are waited for"]),
    15: ("improve", "the caller's Accept is the only one", ["one Accept"]),
    16: ("match", "table question answering repeats a model named in the call", ["model of a table question"]),
    17: ("match", "the table of a classification is a member of its own", ["table at the top"]),
    18: ("match", "one side of a size is dropped or kept as each provider has it", ["one side: zai-org", "one side: nscale", "one side: fal-ai"]),
    19: ("improve", "bytes, files and data: URLs are media everywhere", ["bytes to hf-inference", "data: URL to hf-inference"]),
    20: ("improve", "an empty mapping is a ValueError", ["an empty mapping"]),
    21: ("improve", "error bodies of any shape are HfHubHTTPError", ["odd error body 0", "odd error body 3"]),
    22: ("improve", "started calls hold no thread while they wait", ["unit.inference"]),
    23: ("improve", "an answer is freed with its call", ["unit.inference"]),
    24: ("improve", "the decoder of streams follows the standard", ["unit.sse", "stream: no blank before [DONE]", "stream: U+2028 in a text", "stream: invalid UTF-8"]),
    25: ("match", "a URL as the call's model only chooses hf-inference", ["URL of the call, model of the client"]),
}
GROQ = "POST router.huggingface.co/groq/openai/v1/chat/completions"
HF = "POST router.huggingface.co/hf-inference/models/me/m"
HUB_TOKEN = {"HF_TOKEN": TOKEN}


def model(pipeline):
    return {"json": {"id": "me/m", "pipeline_tag": pipeline, "tags": []}}


def task(name, args, provider="hf-inference", *more):
    return ["--task", name, "--args", json.dumps(args), "-m", "me/m", "-p", provider, "--json", *more]


def posted(n, **want):
    """The n-th request's body has these members; None: it has not."""
    def check(run):
        body = json.loads(run.seen[n]["body"])
        wrong = {k: body.get(k, "(absent)") for k, v in want.items() if body.get(k) != v}
        return f"body of request {n + 1}: {wrong}, expected {want}" if wrong else None
    return check


def quirks():
    c = {}
    c["look-up with the key of the call"] = dict(command=ASK + ["-p", "groq", "--api-key-env", "MINE"], env={**HUB_TOKEN, "MINE": "hf_other"},
                                                 replies=[mapping("groq"), {"json": CHAT}], asked=[LOOK, GROQ], keys=["Bearer hf_other"] * 2)
    c["ids in URLs"] = dict(command=PICTURE + ["-p", "wavespeed"], env=HUB_TOKEN, asked=[LOOK, "POST router.huggingface.co/wavespeed/api/v3/a%20b%3Fc%23d/e"],
                            replies=[mapping("wavespeed", "text-to-image", providerId="a b?c#d/e"), {"status": 400, "json": {"message": "no"}}],
                            error={"status": 400})
    zai = "router.huggingface.co/zai-org/api/paas/v4/async"
    c["job ids in URLs"] = dict(command=PICTURE + ["-p", "zai-org"], env=HUB_TOKEN, error={"status": 404},
                                replies=[mapping("zai-org", "text-to-image"), {"json": {"id": "../../x?y", "task_status": "PROCESSING"}}, {"status": 404, "text": "no"}],
                                asked=[LOOK, f"POST {zai}/images/generations", f"GET {zai}-result/..%2F..%2Fx%3Fy"])
    c["429 too long"] = dict(command=ASK + ["-p", "groq"], env=HUB_TOKEN, asked=[LOOK, GROQ], error={"class": "HfHubHTTPError", "status": 429, "message": "slowly"},
                             replies=[mapping("groq"), {"status": 429, "json": {"error": "slowly"}, "headers": {"retry-after": "86400"}}])
    fal = "router.huggingface.co/fal-ai/them/m"
    video = ["--task", "text-to-video", "--text", "x", "-m", "me/m", "-p", "fal-ai", "--json", "-o", "out"]
    look = f"GET {fal}/requests/7/status?_subdomain=queue"
    job = {"request_id": "7", "status": "IN_QUEUE", "response_url": "https://queue.fal.run/them/m/requests/7", "cancel_url": "https://evil.example/them/m/requests/7/cancel"}
    post = f"POST {fal}?_subdomain=queue"
    c["502 of a poll is repeated"] = dict(
        command=video, env=HUB_TOKEN, media=b"v", asked=[LOOK, post, look, look, f"GET {fal}/requests/7?_subdomain=queue", "GET cdn.example/v"],
        replies=[mapping("fal-ai", "text-to-video"), {"json": job}, {"status": 502, "text": ""}, {"json": {"status": "COMPLETED"}},
                 {"json": {"video": {"url": "https://cdn.example/v"}}}, {"bytes": b"v"}])
    c["500 of a poll is not"] = dict(command=video, env=HUB_TOKEN, asked=[LOOK, post, look], error={"class": "HfHubHTTPError", "status": 500, "message": "broken"},
                                     replies=[mapping("fal-ai", "text-to-video"), {"json": job}, {"status": 500, "json": {"detail": "broken"}}])
    c["late answer"] = dict(command=ASK + ["-p", "groq", "--timeout", "0.4"], env=HUB_TOKEN, asked=[LOOK, GROQ], error={"class": "InferenceTimeoutError"},
                            replies=[mapping("groq"), {"delay": 2, "json": CHAT}])
    c["late first item"] = dict(command=ASK + ["-p", "groq", "--stream", "--first-token-timeout", "0.4"], env=HUB_TOKEN, asked=[LOOK, GROQ],
                                error={"class": "InferenceTimeoutError"}, replies=[mapping("groq"), {"delay": 2, **events(delta("a"))}])
    c["input that is 404"] = dict(command=task("image-classification", {"image": "https://pics.example/p.png"}), env=HUB_TOKEN, error={"class": "HfHubHTTPError", "status": 404},
                                  replies=[model("image-classification"), {"status": 404, "text": "gone"}], asked=[f"GET {HUB}", "GET pics.example/p.png"], keys=[f"Bearer {TOKEN}", None])
    running = {"json": {"status": "IN_PROGRESS"}}
    c["job without an end"] = dict(command=video + ["--deadline", "1"], env={**HUB_TOKEN, "HF_INFERENCE_POLL_SCALE": "0.3"}, error={}, any_requests=True,
                                   replies=[mapping("fal-ai", "text-to-video"), {"json": job}] + [running] * 100,
                                   check=lambda run: None if [s["method"] + " " + s["url"] for s in run.seen][-1] == f"PUT {fal}/requests/7/cancel?_subdomain=queue"
                                   else f"the job was not cancelled: {run.seen[-1]['method']} {run.seen[-1]['url']}")
    together = "router.huggingface.co/together/v2/videos"
    c["job at its limit"] = dict(command=["--task", "text-to-video", "--text", "x", "-m", "me/m", "-p", "together", "--json", "-o", "out"], env=HUB_TOKEN,
                                 replies=[mapping("together", "text-to-video"), {"json": {"id": "1", "status": "queued"}}] + [{"json": {"status": "queued"}}] * 160,
                                 asked=[LOOK, f"POST {together}"] + [f"GET {together}/1"] * 150, error={"class": "ValueError"})
    text = {"choices": [{"text": " of", "index": 0}]}
    c["stream of a completion"] = dict(command=task("text-generation", {"prompt": "x"}, "deepinfra", "--stream"), env=HUB_TOKEN, lines=[" of", " of"],
                                       replies=[mapping("deepinfra", "text-generation"), events(text, text)], asked=[LOOK, "POST router.huggingface.co/deepinfra/v1/openai/completions"])
    done = {"json": {"choices": [{"text": "y"}]}}
    c["max_new_tokens as it is"] = dict(command=task("text-generation", {"prompt": "x", "max_new_tokens": 5}, "together"), env=HUB_TOKEN, result="y",
                                        replies=[mapping("together", "text-generation"), done], asked=[LOOK, "POST router.huggingface.co/together/v1/completions"],
                                        check=posted(1, max_new_tokens=5))
    c["max_tokens null"] = dict(command=task("text-generation", {"prompt": "x"}, "featherless-ai"), env=HUB_TOKEN, result="y", body={"prompt": "x", "max_tokens": None, "model": "them/m"},
                                replies=[mapping("featherless-ai", "text-generation"), done], asked=[LOOK, "POST router.huggingface.co/featherless-ai/v1/completions"])
    table = {"a": ["1"]}
    c["tabular regression"] = dict(command=task("tabular-regression", {"table": table}), env=HUB_TOKEN, replies=[model("tabular-regression"), {"json": [0.5]}], asked=[f"GET {HUB}", HF], result=[0.5])
    c["table at the top"] = dict(command=task("tabular-classification", {"table": table}), env=HUB_TOKEN, replies=[model("tabular-classification"), {"json": ["a"]}],
                                 asked=[f"GET {HUB}", HF], body={"table": table, "parameters": {}}, result=["a"])
    c["model of a table question"] = dict(command=task("table-question-answering", {"table": table, "query": "q", "model": "me/m"}), env=HUB_TOKEN, asked=[f"GET {HUB}", HF],
                                          replies=[model("table-question-answering"), {"json": {"answer": "1"}}], body={"inputs": {"query": "q", "table": table}, "parameters": {"model": "me/m"}})
    unknown = {"status": 400, "json": {"error": "The following `model_kwargs` are not used by the model: ['watermark'] (note: typos)"}}
    c["a server that is no TGI"] = dict(command=task("text-generation", {"prompt": "x", "watermark": True, "top_k": 2}), env=HUB_TOKEN, result="y", asked=[f"GET {HUB}", HF, HF],
                                        replies=[model("text-generation"), unknown, {"json": [{"generated_text": "y"}]}], body={"inputs": "x", "parameters": {"top_k": 2}})
    c["one Accept"] = dict(command=PICTURE + ["-p", "hf-inference", "--header", "Accept: image/webp"], env=HUB_TOKEN, media=PNG, asked=[f"GET {HUB}", HF],
                           replies=[model("text-to-image"), {"bytes": PNG, "headers": {"content-type": "image/png"}}],
                           check=lambda run: None if run.seen[1]["accepts"] == ["image/webp"] else f"Accept {run.seen[1]['accepts']}")
    for provider, url, size in (("zai-org", "zai-org/api/paas/v4/async/images/generations", {"size": None, "width": None}),
                                ("nscale", "nscale/v1/images/generations", {"size": None, "width": 9}), ("fal-ai", "fal-ai/them/m", {"image_size": None, "width": 9})):
        c[f"one side: {provider}"] = dict(command=PICTURE + ["-p", provider, "--args", '{"width": 9}'], env=HUB_TOKEN, error={"status": 400}, check=posted(1, **size),
                                          replies=[mapping(provider, "text-to-image"), {"status": 400, "text": "no"}], asked=[LOOK, f"POST router.huggingface.co/{url}"])
    for name, image in (("bytes", "@@/bin/true"), ("data: URL", "data:image/gif;base64,AAAA")):
        c[f"{name} to hf-inference"] = dict(command=task("image-classification", {"image": image}), env=HUB_TOKEN, asked=[f"GET {HUB}", HF], result=[{"label": "a"}],
                                            replies=[model("image-classification"), {"json": [{"label": "a"}]}])
    c["URL of the call, model of the client"] = dict(command=["--task", "conversational", "--args", json.dumps({"messages": MESSAGES, "model": "https://x.example"}), "-m", "me/m", "--json"],
                                                     env=HUB_TOKEN, replies=[model("text-generation"), {"json": CHAT}], asked=[f"GET {HUB}", HF + "/v1/chat/completions"],
                                                     body={"model": "dummy", "messages": MESSAGES, "stream": False})
    return c | streams() | faults()


def streams():
    """Of the decoder's table what is not a matter of bytes alone (tests/unit/test_sse.c has those, split at every byte)."""
    c = {}
    one = "data: " + json.dumps(delta("a"), ensure_ascii=False) + "\n\n"

    def add(name, text, lines=None, **more):
        c[f"stream: {name}"] = dict(command=ASK + ["-p", "groq", "--stream"], env=HUB_TOKEN, asked=[LOOK, GROQ], replies=[mapping("groq"), {"events": text}],
                                    **({"lines": lines} if lines is not None else {}), **more)
    add("no blank before [DONE]", one + "data:[DONE]\n\ndata: never\n\n", [delta("a")])
    add("two blanks before [DONE]", one + "data:  [DONE] \n\ndata: never\n\n", [delta("a")])
    add("U+2028 in a text", one.replace('"a"', '"a\u2028b\u0085c\x0bd"'.replace("\x0b", "\\u000b")), [delta("a\u2028b\u0085c\x0bd")])
    add("invalid UTF-8", one.encode().replace(b'"a"', b'"a\xff\xc3b"'), [delta("a\ufffd\ufffdb")])
    add("CR and CRLF", one.replace("\n", "\r") + one.replace("\n", "\r\n"), [delta("a")] * 2)
    add("BOM", b"\xef\xbb\xbf" + one.encode(), [delta("a")])
    add("several lines", 'data: {"choices":\ndata: [], "id": "x"}\n\n', [{"choices": [], "id": "x"}])
    add("comments and fields", ": ping\n\nid: 1\nretry: 3\nevent: message\n" + one, [delta("a")])
    add("empty and null", "data:\n\ndata: null\n\n" + one, [delta("a")])
    add("no end", one + one.rstrip(), [delta("a")] * 2)
    add("null error", 'data: {"error": null, "choices": []}\n\n', [{"error": None, "choices": []}])
    add("error as text", one + 'data: {"error": "too many tokens"}\n\n', [delta("a")], error={"message": "too many tokens"})
    add("error as object", 'data: {"error": {"message": "rate limited"}}\n\n', error={"message": "rate limited"})
    add("named error", 'event: error\ndata: {"message": "boom"}\n\n', error={"message": "boom"})
    add("typed error", 'data: {"error": "oom", "error_type": "generation"}\n\n', error={"class": "GenerationError", "message": "oom"})
    add("cut in an event", one + 'data: {"id": "1", "choi', error={"class": "ValueError"})
    add("no JSON", "data: hello\n\n", error={"class": "ValueError", "message": "hello"})
    add("a number", "data: 7\n\n", error={"class": "ValueError"})
    add("an event without end", b"data: " + b"x" * (17 << 20), error={"message": "larger than"}, rss_mib=160)
    return c


def faults():
    c = {}

    def chat(name, reply, **want):
        c[name] = dict(command=ASK + ["-p", "groq"], env=HUB_TOKEN, asked=[LOOK, GROQ], replies=[mapping("groq"), reply], **want)
    chat("JSON that is cut", {"text": json.dumps(CHAT)[:-9]}, error={"class": "ValueError"})
    chat("an answer that is cut", {"json": CHAT, "cut": 20}, error={})
    chat("JSON without end", {"text": "[" * 200000}, error={"class": "ValueError"}, rss_mib=120)
    chat("a list instead of an object", {"json": []}, error={"class": "ValueError"})
    chat("an answer of 200 MB", {"zeros": 200 << 20, "headers": {"content-type": "application/json"}}, error={}, rss_mib=220)
    chat("JSON of another type", {"text": json.dumps(CHAT), "headers": {"content-type": "text/plain"}}, result=CHAT)
    chat("a page with an error", {"status": 502, "text": "<html>bad gateway</html>", "headers": {"content-type": "text/html"}}, error={"class": "HfHubHTTPError", "status": 502})
    chat("a key in the server's words", {"status": 401, "json": {"error": f"bad key {TOKEN} for you"}}, error={"status": 401, "message": "bad key"}, secrets=[TOKEN])
    c["a provider's key in the server's words"] = dict(
        command=ASK + ["-p", "groq"], env={"GROQ_API_KEY": KEY}, asked=[LOOK, "POST api.groq.com/openai/v1/chat/completions"], secrets=[KEY],
        replies=[mapping("groq"), {"status": 401, "json": {"error": {"message": f"Incorrect API key provided: {KEY}."}}}], error={"status": 401, "message": "Incorrect API key"})
    c["a key in an answer that is no stream"] = dict(command=ASK + ["-p", "groq", "--stream"], env={"GROQ_API_KEY": KEY}, secrets=[KEY], error={},
                                                     asked=[LOOK, "POST api.groq.com/openai/v1/chat/completions"], replies=[mapping("groq"), {"text": f"you sent {KEY}"}])
    for name, where in (("to http", "http://plain.example/x"), ("with a user name", "https://a:b@evil.example/x"), ("to nothing", "https:///x")):
        c[f"a redirect {name}"] = dict(command=ASK + ["-p", "groq"], env=HUB_TOKEN, asked=[LOOK, GROQ], error={}, secrets=[TOKEN],
                                       replies=[mapping("groq"), {"status": 307, "headers": {"location": where}}])
    c["a model the provider lacks"] = dict(command=ASK + ["-p", "groq"], env=HUB_TOKEN, asked=[LOOK], error={"class": "ValueError", "message": "groq"}, replies=[mapping("together")])
    c["a model of another task"] = dict(command=ASK + ["-p", "groq"], env=HUB_TOKEN, asked=[LOOK], error={"class": "ValueError", "message": "summarization"},
                                        replies=[mapping("groq", "summarization")])
    c["a mapping that names nothing"] = dict(command=ASK + ["-p", "groq"], env=HUB_TOKEN, asked=[LOOK], error={"class": "ValueError"}, replies=[mapping("groq", providerId="")])
    speech = ["--task", "text-to-speech", "--text", "x", "-m", "me/m", "-p", "deepinfra", "--json", "-o", "out"]
    says = "POST router.huggingface.co/deepinfra/v1/openai/audio/speech"
    c["a page instead of sound"] = dict(command=speech, env=HUB_TOKEN, asked=[LOOK, says], error={"class": "ValueError", "message": "sign in"},
                                        replies=[mapping("deepinfra", "text-to-speech"), {"text": "<html>sign in", "headers": {"content-type": "text/html"}}])
    c["sound of 200 MB"] = dict(command=speech, env=HUB_TOKEN, asked=[LOOK, says], rss_mib=64, size=200 << 20,
                                replies=[mapping("deepinfra", "text-to-speech"), {"zeros": 200 << 20, "headers": {"content-type": "audio/mpeg"}}])
    fal = "router.huggingface.co/fal-ai/them/m"
    video = ["--task", "text-to-video", "--text", "x", "-m", "me/m", "-p", "fal-ai", "--json", "-o", "out"]
    for name, url in (("is no URL", "requests/7"), ("leads to a file", "file:///etc/passwd"), ("is a number", 7)):
        c[f"a place to ask that {name}"] = dict(command=video, env=HUB_TOKEN, asked=[LOOK, f"POST {fal}?_subdomain=queue"] +
                                                (["GET router.huggingface.co/fal-ai/etc/passwd/status?_subdomain=queue"] if name == "leads to a file" else []),
                                                error={}, replies=[mapping("fal-ai", "text-to-video"), {"json": {"request_id": "7", "status": "IN_QUEUE", "response_url": url}}])
    c["a result at no URL"] = dict(command=PICTURE + ["-p", "fal-ai"], env=HUB_TOKEN, asked=[LOOK, f"POST {fal}"], error={"class": "ValueError"},
                                   replies=[mapping("fal-ai", "text-to-image"), {"json": {"images": [{"url": "file:///etc/passwd"}]}}])
    c["a result that is an empty list"] = dict(command=PICTURE + ["-p", "fal-ai"], env=HUB_TOKEN, asked=[LOOK, f"POST {fal}"], error={"class": "ValueError", "message": "nsfw"},
                                               replies=[mapping("fal-ai", "text-to-image"), {"json": {"images": [], "why": "nsfw"}}])
    vectors = ["feature-extraction", "--text", "x", "-m", "me/m", "-p", "together", "--json"]
    c["vectors of odd base64"] = dict(command=vectors, env=HUB_TOKEN, asked=[LOOK, "POST router.huggingface.co/together/v1/embeddings"], error={"class": "ValueError"},
                                      replies=[mapping("together", "feature-extraction"), {"json": {"data": [{"embedding": "AAA"}]}}])
    c["a policy for a task"] = dict(command=["text-to-image", "--text", "x", "-m", "me/m:fastest", "--json"], env=HUB_TOKEN, asked=[], replies=[], error={"class": "ValueError", "message": "fastest"})
    c["a policy beside a provider"] = dict(command=["--messages", json.dumps(MESSAGES), "-m", "me/m:cheapest", "-p", "groq", "--json"], env=HUB_TOKEN, asked=[], replies=[],
                                           error={"class": "ValueError"})
    both = {"json": {"inferenceProviderMapping": {p: {"providerId": "them/m", "status": "live", "task": "conversational"} for p in ("groq", "together")}}}
    c["no second provider after the first byte"] = dict(command=ASK + ["-p", "groq,together", "--stream"], env=HUB_TOKEN, asked=[LOOK, GROQ], error={"message": "late"}, lines=[delta("a")],
                                                        replies=[both, events(delta("a"), {"error": "late"})])
    c["all providers fail"] = dict(command=ASK + ["-p", "groq,together"], env=HUB_TOKEN, error={"status": 500, "message": "second"},
                                   asked=[LOOK, GROQ, "POST router.huggingface.co/together/v1/chat/completions"],
                                   replies=[both, {"status": 500, "text": "first"}, {"status": 500, "text": "second"}])
    c["no second POST after a time-out"] = dict(command=ASK + ["-p", "groq,together", "--timeout", "0.4"], env=HUB_TOKEN, asked=[LOOK, GROQ], error={"class": "InferenceTimeoutError"},
                                                replies=[both, {"delay": 2, "json": CHAT}])
    return c
