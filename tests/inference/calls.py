"""The calls that run.py plays: command, answers of the server in order, and what must have been asked and shown."""
import base64
import json

HUB = "huggingface.co/api/models/me/m"
LOOK = f"GET {HUB}?expand=inferenceProviderMapping"
CHAT = {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}]}
MESSAGES = [{"role": "user", "content": "Hello?"}]
ASK = ["--messages", json.dumps(MESSAGES), "--model", "me/m", "--json"]
PNG = b"\x89PNG\r\n\x1a\nnot really"
TOKEN, KEY = "hf_of_the_hub", "sk-of-the-provider"
PICTURE = ["--task", "text-to-image", "--text", "a kettle", "--model", "me/m", "--json", "--output", "out"]


def mapping(provider, task="conversational", **more):
    return {"json": {"id": "me/m", "inferenceProviderMapping": {
        provider: {"status": "live", "providerId": "them/m", "task": task, **more}}}}


def events(*items, end="data: [DONE]\n\n"):
    return {"events": "".join(f"data: {json.dumps(i)}\n\n" for i in items) + end}


def delta(text):
    return {"id": "1", "choices": [{"index": 0, "delta": {"content": text}}]}


def calls():
    groq, direct = "router.huggingface.co/groq/openai/v1/chat/completions", "api.groq.com/openai/v1/chat/completions"
    bearer = f"Bearer {TOKEN}"
    body = {"model": "them/m", "messages": MESSAGES, "stream": False}
    fal = "router.huggingface.co/fal-ai/fal-ai/x"
    job = {"request_id": "7", "status": "IN_QUEUE", "response_url": "https://evil.example/fal-ai/x/requests/7"}
    c = {}
    # where requests and keys go
    c["routed"] = dict(command=ASK + ["-p", "groq"], env={"HF_TOKEN": TOKEN}, replies=[mapping("groq"), {"json": CHAT}],
                       asked=[LOOK, f"POST {groq}"], keys=[bearer, bearer], body=body, result=CHAT)
    c["direct"] = dict(command=ASK + ["-p", "groq"], env={"GROQ_API_KEY": KEY, "HF_TOKEN": TOKEN},
                       replies=[mapping("groq"), {"json": CHAT}], asked=[LOOK, f"POST {direct}"],
                       keys=[bearer, f"Bearer {KEY}"], body=body, result=CHAT)
    c["key of another provider"] = dict(command=ASK + ["-p", "groq"], env={"TOGETHER_API_KEY": KEY}, replies=[], asked=[],
                                        error={"class": "ValueError"}, secrets=[KEY])
    c["saved token that looks like a key"] = dict(command=ASK + ["-p", "groq"], saved="sk-odd", replies=[mapping("groq"), {"json": CHAT}],
                                                  asked=[LOOK, f"POST {groq}"], keys=["Bearer sk-odd"] * 2)
    for name, host in (("stranger", "https://model.example/v1"), ("look-alike", "https://huggingface.co.evil.example/v1"),
                       ("user name", "https://huggingface.co@evil.example/v1"), ("http", "http://model.test/v1"),
                       ("suffix", "https://nothuggingface.co/v1")):
        where = host.split("//")[1].split("@")[-1]
        for how in ("env", "saved"):
            c[f"token to a URL: {name}, {how}"] = dict(
                command=["--messages", json.dumps(MESSAGES), "--model", host, "--json"],
                **({"env": {"HF_TOKEN": TOKEN}} if how == "env" else {"saved": TOKEN}), replies=[{"json": CHAT}],
                asked=[f"POST {where}/chat/completions"], keys=[None], result=CHAT)
    c.pop("token to a URL: user name, env"), c.pop("token to a URL: user name, saved")
    c["token to an endpoint of Hugging Face"] = dict(
        command=["--messages", json.dumps(MESSAGES), "--model", "https://x.endpoints.huggingface.cloud/v1", "--json"],
        env={"HF_TOKEN": TOKEN}, replies=[{"json": CHAT}], asked=["POST x.endpoints.huggingface.cloud/v1/chat/completions"],
        keys=[bearer])
    c["named key to a URL"] = dict(
        command=["--messages", json.dumps(MESSAGES), "--model", "https://model.example/v1", "--json", "--api-key-env", "MINE"],
        env={"HF_TOKEN": TOKEN, "MINE": KEY}, replies=[{"json": CHAT}], asked=["POST model.example/v1/chat/completions"],
        keys=[f"Bearer {KEY}"], body={"model": "dummy", "messages": MESSAGES, "stream": False})
    c["key and redirect"] = dict(command=ASK + ["-p", "groq"], env={"GROQ_API_KEY": KEY}, secrets=[KEY],
                                 replies=[mapping("groq"), {"status": 307, "headers": {"location": "https://evil.example/x"}}, {"json": CHAT}],
                                 asked=[LOOK, f"POST {direct}", "POST evil.example/x"], keys=[None, f"Bearer {KEY}", None])
    c["token refused"] = dict(command=["--messages", "[]", "-p", "openai", "-m", "gpt", "--json", "--api-key-env", "T"],
                              env={"T": TOKEN}, replies=[], asked=[], error={"class": "ValueError"}, secrets=[TOKEN])
    c["model by provider's name"] = dict(command=ASK[:-1] + ["-p", "openai", "--json"], env={"OPENAI_API_KEY": KEY}, replies=[{"json": CHAT}],
                                         asked=["POST api.openai.com/v1/chat/completions"], keys=[f"Bearer {KEY}"])
    # repetition
    busy = {"status": 503, "json": {"error": "busy"}, "headers": {"retry-after": "0"}}
    c["503 is repeated"] = dict(command=ASK + ["-p", "groq"], env={"HF_TOKEN": TOKEN},
                                replies=[mapping("groq"), {**busy, "headers": {"retry-after": "1"}}, {"json": CHAT}],
                                asked=[LOOK] + [f"POST {groq}"] * 2, result=CHAT)
    c["500 is not"] = dict(command=ASK + ["-p", "groq"], env={"HF_TOKEN": TOKEN},
                           replies=[mapping("groq"), {"status": 500, "json": {"error": {"message": "it broke"}}}],
                           asked=[LOOK, f"POST {groq}"], error={"class": "HfHubHTTPError", "status": 500, "message": "it broke"})
    for n, odd in enumerate(([], "words", 7, None, ["a", {"message": "in a list"}], {"detail": [{"msg": "deep down"}]})):
        c[f"odd error body {n}"] = dict(command=ASK + ["-p", "groq"], env={"HF_TOKEN": TOKEN},
                                        replies=[mapping("groq"), {"status": 418, "json": odd}], asked=[LOOK, f"POST {groq}"],
                                        error={"class": "HfHubHTTPError", "status": 418,
                                               **({"message": "deep down"} if n == 5 else {})})
    c["the next provider"] = dict(command=ASK + ["-p", "groq,together"], env={"HF_TOKEN": TOKEN},
                                  replies=[{"json": {"inferenceProviderMapping": [
                                      {"provider": p, "providerId": "them/m", "status": "live", "task": "conversational"}
                                      for p in ("together", "groq")]}}, {"status": 500, "text": "no"}, {"json": CHAT}],
                                  asked=[LOOK, f"POST {groq}", "POST router.huggingface.co/together/v1/chat/completions"],
                                  result=CHAT)
    c["no second provider after a job was taken"] = dict(
        command=PICTURE + ["-p", "wavespeed,nscale"], env={"HF_TOKEN": TOKEN},
        replies=[mapping("wavespeed", "text-to-image"), {"json": {"data": {"urls": {"get": "https://x/api/v3/p/1"}}}},
                 {"json": {"data": {"status": "failed", "error": "no kettles"}}}],
        asked=[LOOK, "POST router.huggingface.co/wavespeed/api/v3/them/m", "GET router.huggingface.co/wavespeed/api/v3/p/1"],
        error={"class": "ValueError", "message": "no kettles"})
    # streams
    stream = ASK + ["-p", "groq", "--stream"]
    c["stream"] = dict(command=stream, env={"HF_TOKEN": TOKEN}, replies=[mapping("groq"), events(delta("a"), delta("b"))],
                       asked=[LOOK, f"POST {groq}"], body={**body, "stream": True}, lines=[delta("a"), delta("b")])
    c["stream with an error"] = dict(command=stream, env={"HF_TOKEN": TOKEN}, asked=[LOOK, f"POST {groq}"],
                                     replies=[mapping("groq"), events(delta("a"), {"error": {"message": "out of luck"}})],
                                     error={"message": "out of luck"})
    c["a page instead of a stream"] = dict(command=stream, env={"HF_TOKEN": TOKEN}, asked=[LOOK, f"POST {groq}"],
                                           replies=[mapping("groq"), {"text": "<html>sign in", "headers": {"content-type": "text/html"}}],
                                           error={"class": "ValueError", "message": "sign in"})
    c["a page instead of an answer"] = dict(command=ASK + ["-p", "groq"], env={"HF_TOKEN": TOKEN}, asked=[LOOK, f"POST {groq}"],
                                            replies=[mapping("groq"), {"text": "<html>sign in", "headers": {"content-type": "text/html"}}],
                                            error={"class": "ValueError", "message": "sign in"})
    # jobs and media
    video = {"json": {"video": {"url": "https://cdn.example/v.mp4"}}}
    c["job"] = dict(command=["--task", "text-to-video", "--text", "x", "-m", "me/m", "-p", "fal-ai", "--json", "-o", "out"],
                    env={"HF_TOKEN": TOKEN}, media=b"video",
                    replies=[{"json": {"inferenceProviderMapping": {"fal-ai": {"status": "live", "providerId": "fal-ai/x", "task": "text-to-video"}}}},
                             {"json": job}, {"json": {"status": "IN_PROGRESS"}}, {"json": {"status": "COMPLETED"}}, video,
                             {"bytes": b"video", "headers": {"content-type": "video/mp4"}}],
                    asked=[LOOK, f"POST {fal}?_subdomain=queue", f"GET {fal}/requests/7/status?_subdomain=queue",
                           f"GET {fal}/requests/7/status?_subdomain=queue", f"GET {fal}/requests/7?_subdomain=queue",
                           "GET cdn.example/v.mp4"], keys=[bearer] * 5 + [None])
    nscale = "POST router.huggingface.co/nscale/v1/images/generations"
    b64 = base64.b64encode(PNG).decode()
    c["picture in base64"] = dict(command=PICTURE + ["-p", "nscale", "--args", '{"width":8,"height":9,"cfg_scale":1}'], env={"HF_TOKEN": TOKEN},
                                  replies=[mapping("nscale", "text-to-image"), {"json": {"data": [{"b64_json": b64}]}}], asked=[LOOK, nscale],
                                  media=PNG, body={"response_format": "b64_json", "prompt": "a kettle", "model": "them/m", "size": "8x9"})
    c["no base64"] = dict(command=PICTURE + ["-p", "nscale"], env={"HF_TOKEN": TOKEN}, asked=[LOOK, nscale], error={"class": "ValueError"},
                          replies=[mapping("nscale", "text-to-image"), {"json": {"data": [{"b64_json": "!!!"}]}}])
    for name, reply, want in (("404", {"status": 404, "text": "gone"}, {"status": 404}),
                              ("page", {"text": "<html>", "headers": {"content-type": "text/html"}}, {"class": "ValueError"}),
                              ("nothing", {"bytes": b""}, {"class": "ValueError"})):
        c[f"media that is {name}"] = dict(
            command=PICTURE + ["-p", "fal-ai"], env={"HF_TOKEN": TOKEN}, error=want,
            replies=[mapping("fal-ai", "text-to-image"), {"json": {"images": [{"url": "https://cdn.example/i"}]}}, reply],
            asked=[LOOK, "POST router.huggingface.co/fal-ai/them/m", "GET cdn.example/i"], keys=[bearer, bearer, None])
    bfl = "POST api.us1.bfl.ai/v1/them/m"
    c["job at another host"] = dict(
        command=PICTURE + ["-p", "black-forest-labs"], env={"BLACK_FOREST_LABS_API_KEY": KEY}, media=PNG,
        replies=[mapping("black-forest-labs", "text-to-image"), {"json": {"id": "1", "polling_url": "https://p.example/r?id=1"}},
                 {"json": {"status": "Pending"}}, {"json": {"status": "Ready", "result": {"sample": "https://cdn.example/i"}}},
                 {"bytes": PNG, "headers": {"content-type": "image/png"}}],
        asked=[LOOK, bfl, "GET p.example/r?id=1", "GET p.example/r?id=1", "GET cdn.example/i"], keys=[None, KEY, None, None, None])
    c["predictions are waited for"] = dict(
        command=PICTURE + ["-p", "replicate"], env={"HF_TOKEN": TOKEN}, media=PNG,
        replies=[mapping("replicate", "text-to-image"), {"json": {"status": "starting", "output": None, "urls": {"get": "https://api.replicate.com/v1/predictions/9"}}},
                 {"json": {"status": "succeeded", "output": ["https://cdn.example/i"]}}, {"bytes": PNG, "headers": {"content-type": "image/png"}}],
        asked=[LOOK, "POST router.huggingface.co/replicate/v1/models/them/m/predictions",
               "GET router.huggingface.co/replicate/v1/predictions/9", "GET cdn.example/i"], keys=[bearer] * 3 + [None])
    # tasks by name, options
    c["options of a task"] = dict(
        command=["text-to-image", "--text", "a kettle", "-m", "me/m", "-p", "hyperbolic", "--width", "640", "--num-inference-steps", "9",
                 "--json", "-o", "out"], env={"HF_TOKEN": TOKEN}, media=PNG,
        replies=[mapping("hyperbolic", "text-to-image"), {"json": {"images": [{"image": b64}]}}],
        asked=[LOOK, "POST router.huggingface.co/hyperbolic/v1/images/generations"],
        body={"prompt": "a kettle", "model_name": "them/m", "steps": 9, "width": 640, "height": 512})
    c["vectors in base64"] = dict(
        command=["feature-extraction", "--text", "x", "-m", "me/m", "-p", "together", "--encoding-format", "base64", "--json"],
        env={"HF_TOKEN": TOKEN}, asked=[LOOK, "POST router.huggingface.co/together/v1/embeddings"], result=[[1.0, -2.0]],
        replies=[mapping("together", "feature-extraction"), {"json": {"data": [{"embedding": "AACAPwAAAMA="}]}}])
    c["vectors of several texts"] = dict(
        command=["feature-extraction", "--text", "x", "--text", "y", "-m", "me/m", "-p", "together", "--json"],
        env={"HF_TOKEN": TOKEN}, asked=[LOOK, "POST router.huggingface.co/together/v1/embeddings"], result=[[1], [2]],
        body={"input": ["x", "y"], "model": "them/m"},
        replies=[mapping("together", "feature-extraction"), {"json": {"data": [{"embedding": [1]}, {"embedding": [2]}]}}])
    c["an input by its name"] = dict(
        command=["text-to-image", "--prompt", "a kettle", "-m", "me/m", "-p", "nscale", "--json", "-o", "out"], env={"HF_TOKEN": TOKEN},
        media=PNG, replies=[mapping("nscale", "text-to-image"), {"json": {"data": [{"b64_json": b64}]}}], asked=[LOOK, nscale],
        body={"response_format": "b64_json", "prompt": "a kettle", "model": "them/m"})
    form = {"type": "json_object", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    c["a response format of another type"] = dict(
        command=ASK + ["-p", "cohere", "--args", json.dumps({"response_format": form})], env={"HF_TOKEN": TOKEN},
        replies=[mapping("cohere"), {"json": CHAT}], asked=[LOOK, "POST router.huggingface.co/cohere/compatibility/v1/chat/completions"],
        body={"model": "them/m", "messages": MESSAGES, "response_format": form, "stream": False})
    c["an empty mapping"] = dict(command=PICTURE, env={"HF_TOKEN": TOKEN}, asked=[LOOK], error={"class": "ValueError"},
                                 replies=[{"json": {"inferenceProviderMapping": {}}}])
    c["a policy with a provider"] = dict(command=["--messages", "[]", "-m", "me/m:fastest", "-p", "groq", "--json"], replies=[], asked=[],
                                         env={"HF_TOKEN": TOKEN}, error={"class": "ValueError"})
    c["a policy"] = dict(command=["--messages", json.dumps(MESSAGES), "-m", "me/m:fastest", "--json"], replies=[{"json": CHAT}],
                         env={"HF_TOKEN": TOKEN}, asked=["POST router.huggingface.co/v1/chat/completions"],
                         body={"model": "me/m:fastest", "messages": MESSAGES, "stream": False})
    return c
