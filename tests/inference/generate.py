"""The calls that compare.py plays: every provider and task, with parameters, inputs and answers of all sorts.

A call is {"id", "client", "method", "args", "answers"}; what must come of it is not said here, the reference client says it.
"""
import base64
import itertools
import json
import random

MODEL, KEY, OWN = "test-org/test-model", "hf_test_token", "sk-test-key"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgZGIGAAAOAAfXb+R4AAAAAElFTkSuQmCC")
WAV = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80>\0\0\x02\0\x10\0data\0\0\0\0"
METHODS = {"conversational": "chat_completion", "get-endpoint-info": "get_endpoint_info", "health-check": "health_check"}
MESSAGES = [{"role": "system", "content": "Short."}, {"role": "user", "content": "Wer fließt durch Köln? 🚢"}]
TABLE = {"Star": ["Vega", "Deneb"], "Magnitude": ["0.03", "1.25"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": None,
                                            "parameters": {"type": "object", "properties": {"city": {"type": "string", "default": None}}}}}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
NEEDED = {
    "audio-classification": {"audio": WAV}, "audio-to-audio": {"audio": WAV}, "automatic-speech-recognition": {"audio": WAV},
    "conversational": {"messages": MESSAGES}, "document-question-answering": {"image": PNG, "question": "What?"},
    "feature-extraction": {"text": "a sentence"}, "fill-mask": {"text": "a <mask>"}, "image-classification": {"image": PNG},
    "image-segmentation": {"image": PNG}, "image-to-image": {"image": PNG, "prompt": "a cat"},
    "image-to-text": {"image": PNG}, "image-to-video": {"image": PNG, "prompt": "it turns"}, "object-detection": {"image": PNG},
    "question-answering": {"question": "Who?", "context": "Me."},
    "sentence-similarity": {"sentence": "a", "other_sentences": ["b", "c"]}, "summarization": {"text": "long"},
    "table-question-answering": {"table": TABLE, "query": "Which?"}, "tabular-classification": {"table": TABLE},
    "text-classification": {"text": "fine"}, "text-generation": {"prompt": "Once"}, "text-to-image": {"prompt": "a kettle"},
    "text-to-speech": {"text": "Hello"}, "text-to-video": {"prompt": "a boat"}, "token-classification": {"text": "Ada in Rome"},
    "translation": {"text": "Haus"}, "visual-question-answering": {"image": PNG, "question": "What?"},
    "zero-shot-classification": {"text": "t", "candidate_labels": ["x", "y"]},
    "zero-shot-image-classification": {"image": PNG, "candidate_labels": ["x", "y"]},
}
PARAMETERS = {
    "adapter_id": "a/b", "aggregation_strategy": "simple", "align_to_words": True, "best_of": 2, "clean_up_tokenization_spaces": False,
    "decoder_input_details": True, "details": True, "dimensions": 16, "do_sample": False, "doc_stride": 3, "early_stopping": "never",
    "encoding_format": "float", "epsilon_cutoff": 0.0, "eta_cutoff": 0.25, "frequency_penalty": -1.5, "function_to_apply": "softmax",
    "generate_parameters": {"num_beams": 2, "x": None}, "grammar": {"type": "json", "value": SCHEMA}, "guidance_scale": 7.5,
    "handle_impossible_answer": False, "height": 384, "hypothesis_template": "It is {}.", "ignore_labels": ["O", "MISC"], "lang": "en",
    "logit_bias": [0.5, 1.0], "logprobs": True, "mask_threshold": 0.5, "max_answer_len": 9, "max_length": 100, "max_new_tokens": 20,
    "max_question_len": 8, "max_seq_len": 64, "max_tokens": 12, "min_length": 1, "min_new_tokens": 2, "multi_label": True, "n": 1,
    "negative_prompt": "blurry", "normalize": True, "num_beam_groups": 1, "num_beams": 1, "num_frames": 16, "num_inference_steps": 20,
    "overlap_mask_area_threshold": 0.25, "padding": "longest", "penalty_alpha": 0.6, "presence_penalty": 0, "prompt_name": "query",
    "repetition_penalty": 1.1, "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
    "return_full_text": False, "scheduler": "ddim", "seed": 0, "sequential": False, "src_lang": "de", "stop": ["END", ""],
    "stream_options": {"include_usage": True}, "stride": 2, "subtask": "panoptic", "target_size": {"width": 640, "height": 480},
    "targets": ["b", "c"], "temperature": 0, "tgt_lang": "en", "threshold": 0.1, "tool_choice": "auto", "tool_prompt": "Use:",
    "tools": TOOLS, "top_k": 5, "top_logprobs": 3, "top_n_tokens": 2, "top_p": 0.9, "truncate": 100, "truncation": "longest_first",
    "truncation_direction": "right", "typical_p": 0.95, "use_cache": True, "watermark": True, "width": 512, "word_boxes": ["w", [0, 0, 1, 1]],
}
EXTRA_BODY = {"automatic-speech-recognition", "conversational", "text-to-image", "text-to-speech", "text-to-video"}
FREE = {"image-to-image", "image-to-video"}
MEDIA = {"audio-classification", "audio-to-audio", "automatic-speech-recognition", "document-question-answering",
         "image-classification", "image-segmentation", "image-to-image", "image-to-text", "image-to-video", "object-detection",
         "visual-question-answering", "zero-shot-image-classification"}
PIPELINES = {"conversational": "text-generation"}


def b64(data):
    return base64.b64encode(data).decode()


def media(data):
    return {"$bytes": b64(data)}


def needed(task):
    return {k: media(v) if isinstance(v, bytes) else v for k, v in NEEDED[task].items()}


# ---- answers -------------------------------------------------------------------------------------------------------------


def chat(**more):
    return {"json": {"id": "chatcmpl-1", "object": "chat.completion", "created": 1750000000, "model": "served", "odd": {"Key-Name": 1},
                     "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "stop_reason": 7,
                                  "message": {"role": "assistant", "content": "Der Rhein — 🚢", "reasoning_content": "hm"}}],
                     "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"cached": 0}}, **more}}


def completion():
    return {"json": {"id": "c", "choices": [{"text": " upon a time", "finish_reason": "length", "seed": 7, "index": 0}]}}


def picture(kind="image/png", data=PNG):
    return {"b64": b64(data), "headers": {"content-type": kind}}


RECORDS = {
    "audio-classification": [{"label": "dog", "score": 0.5, "More-Of it": 1}], "image-classification": [{"label": "dog", "score": 1}],
    "audio-to-audio": [{"label": "a", "content-type": "audio/flac", "blob": b64(b"sound")}],
    "automatic-speech-recognition": {"text": "hello", "chunks": [{"text": "hello", "timestamp": [0.0, 1.5]}], "language": "en"},
    "document-question-answering": [{"answer": "42", "score": 0.5, "start": 1, "end": 2, "words": [3]}],
    "feature-extraction": [[0.5, -1, 2.25]], "fill-mask": [{"score": 0.5, "sequence": "a b", "token": 3, "token_str": "b"}],
    "image-segmentation": [{"label": "cat", "mask": b64(PNG), "score": 0.5}], "image-to-text": [{"generated_text": "a cat", "x": None}],
    "object-detection": [{"label": "cat", "score": 0.5, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4, "Z": 5}}],
    "question-answering": {"answer": "Me", "score": 0.5, "start": 0, "end": 2}, "sentence-similarity": [0.5, 0.25],
    "summarization": [{"summary_text": "short"}],
    "table-question-answering": {"answer": "Vega", "coordinates": [[0, 0]], "cells": ["Vega"], "aggregator": "NONE"},
    "tabular-classification": ["a", "b"], "text-classification": [[{"label": "POSITIVE", "score": 0.5}, {"label": "N", "score": 0.25}]],
    "text-generation": [{"generated_text": " upon a time"}],
    "token-classification": [{"entity_group": "PER", "score": 0.5, "word": "Ada", "start": 0, "end": 3}],
    "translation": [{"translation_text": "house"}], "visual-question-answering": [{"answer": "cat", "score": 0.5}],
    "zero-shot-classification": [{"label": "x", "score": 0.75}, {"label": "y", "score": 0.25}],
    "zero-shot-image-classification": [{"label": "x", "score": 0.75}],
}


def fal_job(last):
    job = {"request_id": "r-1", "status": "IN_QUEUE", "response_url": "https://queue.fal.run/fal-ai/other/requests/r-1",
           "status_url": "https://evil.example/s"}
    return [{"json": job}, {"json": {"status": "IN_PROGRESS"}}, {"json": {"status": "COMPLETED"}}, {"json": last}]


def good(provider, task):
    """Answers to the POST and to what follows."""
    at = {"url": "https://media.example/files/out.bin?sig=a%2Fb"}
    if task == "conversational":
        return [chat()]
    if provider == "fal-ai":
        if task == "automatic-speech-recognition":
            return [{"json": {"text": "hello", "chunks": [{"text": "hello"}]}}]
        if task == "text-to-image":
            return [{"json": {"images": [at]}}, picture()]
        if task == "text-to-speech":
            return [{"json": {"audio": at}}, picture("audio/mpeg", b"sound")]
        if task == "image-segmentation":
            return fal_job({"image": {"url": "data:image/png;base64," + b64(PNG)}})
        return fal_job({"images": [at]} if task == "image-to-image" else {"video": at}) + [picture("video/mp4", b"film")]
    if provider == "replicate":
        if task == "automatic-speech-recognition":
            return [{"json": {"output": {"transcription": "hello"}}}]
        return [{"status": 201, "json": {"output": at["url"] if task == "text-to-speech" else [at["url"]]}}, picture()]
    if provider == "wavespeed":
        return [{"json": {"data": {"id": "p", "urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/p/result"}}}},
                {"json": {"data": {"status": "processing"}}}, {"json": {"data": {"status": "created"}}},
                {"json": {"data": {"status": "completed", "outputs": [at["url"]]}}}, picture()]
    if provider == "zai-org":
        return [{"json": {"id": "job/1 2", "task_status": "PROCESSING"}}, {"json": {"task_status": "PROCESSING"}},
                {"json": {"task_status": "SUCCESS", "image_result": [at]}}, picture()]
    if provider == "black-forest-labs":
        return [{"json": {"id": "1", "polling_url": "https://api.eu1.bfl.ai/v1/get_result?id=1"}}, {"json": {"status": "Pending"}},
                {"json": {"status": "Ready", "result": {"sample": at["url"]}}}, picture()]
    if provider == "together" and task.endswith("to-video"):
        return [{"json": {"id": "v-1", "status": "queued"}}, {"json": {"id": "v-1", "status": "in_progress"}}, {"json": {"id": "v-1"}},
                {"json": {"id": "v-1", "status": "completed", "outputs": at | {"video_url": at["url"]}}}, picture("video/mp4", b"film")]
    if provider == "novita" and task == "text-to-video":
        return [{"json": {"video": {"video_url": at["url"]}}}, picture("video/mp4", b"film")]
    if provider != "hf-inference":
        if task == "feature-extraction":
            return [{"json": {"data": [{"embedding": [0.5, -1]}, {"embedding": [1e-3, 2]}]}}]
        if task == "text-generation":
            return [completion()]
        if task == "automatic-speech-recognition":
            return [{"json": {"text": "hi", "segments": [{"text": "h", "start": 0, "end": 1.5}, "odd", {"text": "i"}]}}]
        if task.startswith(("text-to-image", "image-to-image")):
            name = "image" if provider == "hyperbolic" else "b64_json"
            return [{"json": {"images" if provider == "hyperbolic" else "data": [{name: b64(PNG)}]}}]
    if task in RECORDS:
        return [{"json": RECORDS[task]}]
    return [picture()]


def mapping(provider, task, provider_id="prov/Model-X", status="live", as_list=False, **more):
    entry = {"status": status, "providerId": provider_id, "task": task, **more}
    other = {"status": "live", "providerId": "o/o", "task": task}
    rows = {"some-other-provider": other, provider: entry}
    if as_list:
        rows = [{"provider": p, **e} for p, e in rows.items()]
    return {"json": {"_id": "0" * 24, "id": MODEL, "inferenceProviderMapping": rows}}


def look_up(provider, task, **more):
    """Answers to what is asked of the Hub before the POST."""
    if provider == "openai":
        return []
    if provider == "hf-inference":
        return [{"json": {"_id": "0" * 24, "id": MODEL, "pipeline_tag": PIPELINES.get(task, task), "tags": ["conversational"]}}]
    return [mapping(provider, task, **more)]


# ---- calls ---------------------------------------------------------------------------------------------------------------


class Calls:
    def __init__(self, registry, chosen):
        self.registry, self.chosen, self.all = registry, chosen, []
        self.random = random.Random(7)

    def cells(self):
        for provider, tasks in self.registry["providers"].items():
            if self.chosen and provider not in self.chosen:
                continue
            for task in tasks:
                if task in NEEDED:
                    yield provider, task

    def parameters(self, task):
        method = METHODS.get(task, task.replace("-", "_"))
        names = self.registry["methods"][method]
        return {n: PARAMETERS[n] for n in names if n in PARAMETERS and n not in NEEDED[task]}

    def add(self, name, provider, task, args=None, answers=None, client=None, **look):
        call = {"id": f"{provider}__{task}__{name}", "task": task, "method": METHODS.get(task, task.replace("-", "_")),
                "client": {"provider": provider, "model": MODEL, "api_key": OWN if provider == "openai" else KEY},
                "args": needed(task) if args is None else args}
        call["client"].update(client or {})
        call["client"] = {k: v for k, v in call["client"].items() if v is not None}
        call["answers"] = answers if answers is not None else look_up(provider, task, **look) + good(provider, task)
        self.all.append(call)

    def cell(self, provider, task):
        add, base = self.add, needed(task)
        every = self.parameters(task)
        add("plain", provider, task)
        add("own-key", provider, task, client={"api_key": OWN})
        everything = {**base, **every}
        if task == "translation":
            add("one-language", provider, task, args={**base, "src_lang": "de"})
        add("all", provider, task, args={**everything, "details": False} if "details" in everything else everything)
        add("none", provider, task, args={**base, **{k: None for k in every}})
        for n in range(5 if len(every) > 3 else 2):
            some = {k: self.random.choice([v, v, None]) for k, v in every.items() if self.random.random() < 0.5}
            if "src_lang" in every:
                some |= {"src_lang": "de", "tgt_lang": "en"}
            some.pop("details", None)
            add(f"some-{n}", provider, task, args={**base, **some}, client={"api_key": self.random.choice([KEY, OWN])})
        if task in EXTRA_BODY:
            for n, extra in enumerate(({"voice": "x", "seed": 5, "nested": {"a": None, "b": [None, {"c": None}]}, "flag": True, "ratio": 0.5},
                                       {"model": "override", "prompt": "override", "input": "o", "max_tokens": 99}, {},
                                       {"num_inference_steps": 3, "guidance_scale": 2, "width": 64, "response_format": "url", "steps": 1})):
                add(f"extra-body-{n}", provider, task, args={**base, "extra_body": extra})
                if n in (0, 3):
                    add(f"extra-body-{n}-all", provider, task, args={**everything, "extra_body": extra})
        if task in FREE:
            add("free-arguments", provider, task, args={**base, "strength": 0.5, "loras": [{"path": "x"}], "odd": {"a": None}, "off": None})
            add("free-arguments-all", provider, task, args={**everything, "strength": 0.5, "width": 10, "aspect_ratio": "1:1"})
            add("no-prompt", provider, task, args={k: v for k, v in base.items() if k != "prompt"})
            add("one-side", provider, task, args={**base, "target_size": {"height": 480}})
        if "width" in every:
            add("only-width", provider, task, args={**base, "width": 640})
            add("only-height", provider, task, args={**base, "height": 640, "width": None})
        if task in MEDIA:
            self.media(provider, task)
        self.mappings(provider, task)
        self.answers(provider, task)
        if task == "conversational":
            self.chats(provider, task)
        if task == "text-generation":
            self.texts(provider, task)

    def media(self, provider, task):
        argument = "audio" if "audio" in NEEDED[task] else "image"
        base = needed(task)
        names = ("clip.mp3", "clip.wav", "clip.flac", "clip.ogg", "clip.m4a", "clip.webm", "clip") if argument == "audio" else \
            ("p.png", "p.JPG", "p.jpeg", "p.webp", "p.gif", "p.bmp", "p.tiff", "p")
        for name in names:
            self.add(f"file-{name}", provider, task, args={**base, argument: {"$file": name, "content": b64(b"content of " + name.encode())}})
        late = ["https://files.example/a.png?x=1", "http://plain.example/b.wav"]
        for n, url in enumerate(late):
            for fetched in (False, True):
                reply = [{"b64": b64(b"fetched"), "headers": {"content-type": "image/webp; q=1"} if n == 0 else {}}] if fetched else []
                self.add(f"url-{n}{'-fetched' if fetched else ''}", provider, task, args={**base, argument: url},
                         answers=self.with_download(provider, task, reply))
        self.add("data-url", provider, task, args={**base, argument: "data:image/gif;base64,AAAA"})
        if self.parameters(task):
            self.add("url-all", provider, task, args={**base, **self.parameters(task), argument: late[0]},
                     answers=self.with_download(provider, task, [{"b64": b64(b"fetched"), "headers": {"content-type": "image/webp"}}]))

    def with_download(self, provider, task, reply):
        look = look_up(provider, task)
        first = task in ("document-question-answering", "visual-question-answering")  # these read the picture before anything else
        return (reply + look if first else look + reply) + (reply if task == "visual-question-answering" else []) + good(provider, task)

    def mappings(self, provider, task):
        if provider in ("openai", "hf-inference"):
            return
        add = self.add
        add("mapping-list", provider, task, as_list=True)
        for status in ("staging", "error", "odd"):
            add(f"mapping-{status}", provider, task, status=status)
        add("lora", provider, task, adapter="lora", adapterWeightsPath="sub folder/w+1.safetensors")
        add("lora-base", provider, task, provider_id="fal-ai/lora", adapter="lora", adapterWeightsPath="w.safetensors")
        for n, name in enumerate(("owner/model:5c7d5dc6", "plain", "fal-ai/flux/dev/image-to-image", "accounts/x/models/y",
                                  "black-forest-labs/FLUX.1-Kontext-dev", "FLUX.1-schnell-Free", "google/gemini_3~a.b")):
            add(f"id-{n}", provider, task, provider_id=name)
            if task in FREE or "image" in task:
                add(f"id-{n}-all", provider, task, provider_id=name, args={**needed(task), **self.parameters(task)})
        for name, answer in (("wrong-task", mapping(provider, "summarization")), ("no-provider", mapping("another", task)),
                             ("no-mapping", {"json": {"_id": "0" * 24, "id": MODEL}}),
                             ("no-model", {"status": 404, "json": {"error": "Repository not found"}, "headers": {"x-error-code": "RepoNotFound", "x-request-id": "R1"}}),
                             ("gated", {"status": 403, "json": {"error": "Access to it is restricted"}, "headers": {"x-error-code": "GatedRepo"}}),
                             ("hub-down", {"status": 500, "json": {"error": "Internal"}})):
            add(name, provider, task, answers=[answer] + good(provider, task))

    def answers(self, provider, task):
        look = look_up(provider, task)
        for status in (400, 401, 403, 404, 413, 422, 500, 502, 504):
            add = {"status": status, "json": {"error": {"message": f"the words of {status}", "code": "x"}}, "headers": {"x-request-id": "req-7"}}
            self.add(f"http-{status}", provider, task, answers=look + [add])
        for n, body in enumerate(({"json": {"error": "plain words"}}, {"json": {"error": ["one", "two"]}}, {"json": {"detail": "in detail"}},
                                  {"json": {"message": "in message"}}, {"text": "just text", "headers": {"content-type": "text/plain"}},
                                  {"text": "<html><body>page</body></html>", "headers": {"content-type": "text/html"}},
                                  {"json": {"errors": [{"message": "first of errors"}]}}, {"text": ""},
                                  {"json": {"error_description": "described"}}, {"json": {"error": "e", "error_type": "validation"}})):
            self.add(f"error-body-{n}", provider, task, answers=look + [{"status": 400, **body}])
        for n, body in enumerate(({"json": {}}, {"json": []}, {"json": {"data": []}}, {"json": {"images": []}}, {"json": {"output": None}},
                                  {"json": {"choices": []}}, {"text": "not json"}, {"json": {"error": "said with 200"}}, {"json": [[]]},
                                  {"json": None}, {"json": "text"})):
            self.add(f"odd-answer-{n}", provider, task, answers=look + [body, {"json": {}}, {"json": {}}])
        if task in RECORDS and provider == "hf-inference":
            record = RECORDS[task]
            self.add("other-shape", provider, task, answers=look + [{"json": record[0] if isinstance(record, list) else [record]}])
            self.add("two", provider, task, answers=look + [{"json": record * 2 if isinstance(record, list) else [record, record]}])
            self.add("empty", provider, task, answers=look + [{"json": []}])
        good_ones = good(provider, task)
        for at in range(1, len(good_ones)):  # every step of a job fails once
            for status in (404, 500):
                bad = {"status": status, "json": {"detail": f"step {at} broke"}}
                self.add(f"step-{at}-{status}", provider, task, answers=look + good_ones[:at] + [bad])

    def chats(self, provider, task):
        add, base = self.add, needed(task)
        for n, form in enumerate(({"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "n"}},
                                  {"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": False}},
                                  {"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": None, "name": None}},
                                  {"type": "json_schema"}, {"type": "json_object", "value": SCHEMA},
                                  {"type": "json_object", "json_schema": {"name": "n", "schema": SCHEMA}},
                                  {"type": "regex", "value": "a+", "json_schema": {"schema": SCHEMA}})):
            add(f"format-{n}", provider, task, args={**base, "response_format": form})
        for n, messages in enumerate(([], [{"role": "user", "content": None, "name": None}],
                                      [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": None}}]}],
                                      [{"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}", "description": None}}]},
                                       {"role": "tool", "tool_call_id": "1", "content": ""}, None])):
            add(f"messages-{n}", provider, task, args={"messages": messages})
        add("call-model", provider, task, args={**base, "model": "other-org/other"})
        add("only-call-model", provider, task, args={**base, "model": "other-org/other"}, client={"model": None})
        add("tool-choice", provider, task, args={**base, "tools": TOOLS, "tool_choice": {"function": {"name": "weather"}, "type": "function"}})
        calls = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": {"city": "Köln"}}}]}
        add("tool-answer", provider, task, answers=look_up(provider, task) + [chat(choices=[{"index": 0, "finish_reason": "tool_calls", "message": calls}])])
        for n, (headers, more) in enumerate((({"X-Own": "v"}, {}), ({"Authorization": "Bearer mine"}, {}), ({"authorization": "Basic x", "Content-Type": "application/x-own"}, {}),
                                             ({"User-Agent": "me/1"}, {"bill_to": "org"}), ({"X-HF-Bill-To": "a"}, {"bill_to": "b"}), ({}, {"cookies": {"a": "b", "c": "d"}}),
                                             ({"Accept": "text/x", "accept-language": "de"}, {}))):
            add(f"headers-{n}", provider, task, client={"headers": headers, **more})
            add(f"headers-{n}-own-key", provider, task, client={"headers": headers, "api_key": OWN, **more})
        look = look_up(provider, task)
        first = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": None,
                 "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a", "reasoning": "r"}, "logprobs": None, "finish_reason": None}]}
        tool = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a"}}]}}], "x": 1}
        last = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
        text = "".join(f"data: {json.dumps(e, ensure_ascii=False)}\n\n" for e in (first, tool, last)).encode()
        stream = {**base, "stream": True}
        typed = {"content-type": "text/event-stream"}
        for n, chunks in enumerate(([text + b"data: [DONE]\n\n"], [text], [text[i:i + 7] for i in range(0, len(text), 7)],
                                    [text.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n" + text], [b": ping\n\nevent: m\nid: 1\nretry: 5\n" + text.rstrip()],
                                    [text, b"data: {\"error\": \"late\"}\n\n"], [text, b"data: {\"error\": {\"message\": \"deep\", \"code\": 1}}\n\n"],
                                    [b"data: {\"error\": \"typed\", \"error_type\": \"overloaded\"}\n\n"], [text[:-9]], [b""])):
            add(f"stream-{n}", provider, task, args=stream, answers=look + [{"chunks": [b64(c) for c in chunks], "headers": typed}])
        add("stream-all", provider, task, args={**stream, **self.parameters(task)}, answers=look + [{"chunks": [b64(text)], "headers": typed}])
        for status in (400, 422, 500, 504):
            add(f"stream-http-{status}", provider, task, args=stream, answers=look + [{"status": status, "json": {"error": {"message": "not now"}}}])

    def texts(self, provider, task):
        add, base, look = self.add, needed(task), look_up(provider, task)
        detail = {"finish_reason": "length", "generated_tokens": 2, "seed": None, "prefill": [], "tokens": [{"id": 1, "text": "a", "logprob": -0.5, "special": False, "X-y": 0}]}
        full = [{"generated_text": "a", "details": detail}] if provider == "hf-inference" else completion()["json"]
        add("details", provider, task, args={**base, "details": True}, answers=look + [{"json": full}])
        add("input-details", provider, task, args={**base, "decoder_input_details": True}, answers=look + [{"json": full}])
        add("both-details", provider, task, args={**base, "decoder_input_details": True, "details": True}, answers=look + [{"json": full}])
        for kind in ("validation", "generation", "incomplete_generation", "overloaded", "odd", None):
            for status in (422, 424, 500):
                body = {"error": "the model said no", "error_type": kind}
                add(f"tgi-{kind}-{status}", provider, task, answers=look + [{"status": status, "json": {k: v for k, v in body.items() if v}}])
        unused = {"status": 400, "json": {"error": "The following `model_kwargs` are not used by the model: ['watermark', 'top_n_tokens'] (note: typos)"}}
        add("not-tgi", provider, task, args={**base, "watermark": True, "top_n_tokens": 2, "max_new_tokens": 5, "model": MODEL},
            client={"model": None}, answers=look + [unused, {"json": full}])
        token = {"token": {"id": 1, "text": " of", "logprob": -0.5, "special": False}, "generated_text": None, "details": None, "index": 1}
        tail = {**token, "generated_text": " of", "details": {"finish_reason": "length", "generated_tokens": 1, "seed": 3}}
        text = "".join(f"data:{json.dumps(e)}\n\n" for e in (token, tail)).encode()
        if provider == "hf-inference":
            for name, more in (("", {}), ("-details", {"details": True}), ("-all", {k: v for k, v in self.parameters(task).items() if k != "details"})):
                add(f"stream{name}", provider, task, args={**base, "stream": True, **more},
                    answers=look + [{"chunks": [b64(text)], "headers": {"content-type": "text/event-stream"}}])

    def others(self):
        """What is chosen by no provider: endpoints, the router, recommended models."""
        base, add = needed("conversational"), self.add
        none = {"provider": None, "model": None}
        add("default", "auto", "conversational", client={"provider": None}, answers=[chat()])
        add("named", "auto", "conversational", answers=[chat()])
        add("own-key", "auto", "conversational", client={"api_key": OWN}, answers=[chat()])
        for suffix in (":fastest", ":cheapest", ":preferred", ":groq"):
            add(f"policy{suffix}", "auto", "conversational", client={"model": MODEL + suffix}, answers=[chat()])
        add("call-model", "auto", "conversational", args={**base, "model": "o/o"}, answers=[chat()])
        add("no-model", "auto", "conversational", client={"model": None},
            answers=[{"json": {"conversational": {"widgetModels": ["w/w"]}, "text-generation": {"widgetModels": []}}}] + look_up("hf-inference", "conversational") + [chat()])
        for task in ("text-to-image", "feature-extraction", "text-generation", "summarization"):
            first = {"text-to-image": "wavespeed", "feature-extraction": "scaleway", "text-generation": "novita", "summarization": "hf-inference"}[task]
            rows = {"json": {"_id": "0" * 24, "id": MODEL, "inferenceProviderMapping": {first: {"status": "staging", "providerId": "a/b", "task": task}, "groq": {"status": "live", "providerId": "x", "task": task}}}}
            add("first-of-mapping", "auto", task, answers=[rows] + (look_up(first, task) if first == "hf-inference" else []) + good(first, task))
            add("unknown-first", "auto", task, answers=[{"json": {"_id": "0" * 24, "id": MODEL, "inferenceProviderMapping": {"nobody": {"status": "live", "providerId": "a", "task": task}}}}])
            add("empty", "auto", task, answers=[{"json": {"_id": "0" * 24, "id": MODEL, "inferenceProviderMapping": {}}}])
        for n, url in enumerate(("http://127.0.0.1:8080", "http://h.example/", "https://h.example/v1", "https://h.example/v1/", "https://h.example/v1/chat/completions",
                                 "https://h.example/v1/chat/completions/", "https://h.example/a/b//", "https://h.example?x=1", "https://h.example/v1?x=1#f",
                                 "https://h.example/V1", "https://h.example/v1/chat", "https://h.example:8443/x/v1/", "https://h.example/a%2Fb", "https://h.example/#f",
                                 "https://h.example/v2?api-version=1/2", "https://h.example//", "https://H.Example/v1")):
            for key in ("model", "base_url"):
                add(f"{key}-{n}", "url", "conversational", client={**none, key: url}, answers=[chat()])
            add(f"call-model-{n}", "url", "conversational", args={**base, "model": url}, client=none, answers=[chat()])
            add(f"text-{n}", "url", "text-generation", client={**none, "model": url}, answers=[{"json": [{"generated_text": "x"}]}])
        add("named-model", "url", "conversational", args={**base, "model": "mine"}, client={**none, "base_url": "https://h.example/v1"}, answers=[chat()])
        add("provider-ignored", "url", "conversational", client={"provider": "groq", "model": "https://h.example"}, answers=[chat()])
        add("null-in-messages", "url", "conversational", args={"messages": [{"role": "user", "content": None}], "max_tokens": None}, client={**none, "model": "https://h.example"}, answers=[chat()])
        for task in RECORDS:
            if task in NEEDED:
                add("task", "url", task, client={**none, "model": "https://h.example/x?y=1"}, answers=[{"json": RECORDS[task]}])
        for task in ("text-to-image", "text-to-speech", "image-to-image"):
            add("task", "url", task, client={**none, "model": "https://h.example/x"}, answers=[picture()])
        for task in ("text-generation", "text-to-image", "fill-mask", "image-classification"):
            add("recommended", "hf-inference", task, client={"model": None}, answers=[{"json": {task: {"widgetModels": ["w/w", "v/v"]}}}] + look_up("hf-inference", task) + good("hf-inference", task))
            add("none-recommended", "hf-inference", task, client={"model": None}, answers=[{"json": {task: {"widgetModels": []}}}])
        tags = (None, "text-generation", "text2text-generation", "image-text-to-text", "feature-extraction", "sentence-similarity", "fill-mask", "any-to-any")
        for task, pipeline in itertools.product(("conversational", "text-generation", "feature-extraction", "sentence-similarity", "fill-mask"), tags):
            for n, also in enumerate(([], ["conversational"], ["feature-extraction", "sentence-similarity"], None)):
                info = {"_id": "0" * 24, "id": MODEL, **({"pipeline_tag": pipeline} if pipeline else {}), **({"tags": also} if also is not None else {})}
                add(f"tag-{pipeline}-{n}", "hf-inference", task, answers=[{"json": info}] + good("hf-inference", task))
        info = {"json": {"model_id": "m", "max_input_tokens": 9, "sha": None, "Odd-Key": 1}}
        for n, (client, args) in enumerate((({"model": "https://h.example/"}, {}), ({"model": "https://h.example/a/b"}, {}), ({"model": None}, {"model": "http://h.example/x/"}),
                                            ({"model": MODEL}, {}), ({"model": None}, {"model": MODEL}), ({"model": None}, {}))):
            for task in ("get-endpoint-info", "health-check"):
                add(f"client-{n}", "hf-inference", task, args=args, client=client, answers=[info])
                add(f"refused-{n}", "hf-inference", task, args=args, client=client, answers=[{"status": 503, "json": {"error": "warming up now"}}])
                if n in (0, 3):
                    add(f"other-{n}", "groq", task, args=args, client=client, answers=[info])
                    add(f"own-key-{n}", "hf-inference", task, args=args, client={**client, "api_key": OWN}, answers=[info])
        add("wrong-task", "groq", "text-to-image", answers=[])
        add("unknown", "nobody", "conversational", answers=[])

    def make(self):
        for provider, task in self.cells():
            self.cell(provider, task)
        if not self.chosen:
            self.others()
        return self.all
