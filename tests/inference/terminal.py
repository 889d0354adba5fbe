#!/usr/bin/env python3
"""`hf inference chat` on a terminal: answers, /commands, pictures in a line; and pictures shown where the terminal can.

terminal.py HF DEVHUB. The program runs on a pseudo terminal; what was asked is read from a local Hub's log.
"""
import base64
import json
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tempfile
import time

os.environ["HF_DEVHUB"] = sys.argv[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "devhub"))
from devhub import Hub, write  # noqa: E402

hf = pathlib.Path(sys.argv[1]).resolve()
problems = []


def expect(what, fine):
    if not fine:
        problems.append(what)


class Terminal:
    def __init__(self, *words, cwd, **env):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(cwd)
            os.execve(hf, [str(hf), *words], env)
        self.text = ""

    def until(self, what, seconds=40):
        end = time.time() + seconds
        while what not in self.text and time.time() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
        if what not in self.text:
            problems.append(f"waited for {what!r}, saw {self.text[-400:]!r}")
        seen, self.text = self.text, ""
        return seen

    def say(self, line, wait="> "):
        os.write(self.fd, line.encode() + b"\n")
        return self.until(wait)

    def end(self):
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


hub = Hub("--log-bodies", "1MiB")
hub.add("me/talker", "--generate", "tiny-model")
folder = tempfile.mkdtemp(prefix="terminal-test-")
write(folder, "painter/README.md", b"---\npipeline_tag: text-to-image\n---\n")
hub.add("me/painter", os.path.join(folder, "painter"))
PNG = b"\x89PNG\r\n\x1a\nnot really"
write(folder, "cat.png", PNG)
env = {"PATH": os.environ["PATH"], "HOME": folder, "HF_HOME": folder + "/hf", "HF_ENDPOINT": hub.url, "HF_INFERENCE_ENDPOINT": hub.url,
       "HF_TOKEN": "hf_x", "NO_PROXY": "*", "TERM": "xterm", "NO_COLOR": "1"}
for name in ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        env[name] = os.environ[name]


def asked():
    rows = [json.loads(r["body"]) for r in hub.log() if r["path"].endswith("/chat/completions")]
    hub.reset()
    return rows


try:
    t = Terminal("inference", "chat", "-m", "me/talker", cwd=folder, **env)
    t.until("> ")
    expect("an answer", "first words" in t.say("first words").split("\n", 1)[1])
    t.say("second words")
    rows = asked()
    expect(f"the conversation goes along: {rows}", [m["content"] for m in rows[1]["messages"]] == ["first words", "first words", "second words"])
    expect("answers stream", all(r["stream"] for r in rows))
    t.say("What is this? @cat.png and @nothing.png")
    last = asked()[0]["messages"][-1]["content"]
    expect(f"a picture in a line: {last}", last == [{"type": "text", "text": "What is this? and @nothing.png"}, {
        "type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}}])
    t.say("And @https://pictures.example/x.jpg")
    expect("the URL of a picture", asked()[0]["messages"][-1]["content"][1]["image_url"] == {"url": "https://pictures.example/x.jpg"})
    expect("/history", "user: first words" in t.say("/history") and not asked())
    t.say("/save talk.json")
    saved = json.loads(pathlib.Path(folder, "talk.json").read_text())
    expect("/save", len(saved) == 8 and saved[0] == {"role": "user", "content": "first words"})
    t.say("/undo")
    t.say("/retry")
    expect("/undo and /retry", len(asked()[0]["messages"]) == 5)
    t.say("/system Be short.")
    t.say("hello")
    expect("/system", [m["role"] for m in asked()[0]["messages"]] == ["system", "user"])
    hub.run("fault", "kind=status;status=500;message=not again;path=*/chat/completions;count=1")
    expect("/retry that fails", "not again" in t.say("/retry"))
    t.say("/save kept.json")
    expect("the old answer stays", [m["role"] for m in json.loads(pathlib.Path(folder, "kept.json").read_text())] == ["system", "user", "assistant"])
    asked()
    t.say("/undo")
    t.say("/undo")
    expect("/retry without a question", "Nothing was asked" in t.say("/retry") and not asked())
    t.say("hello")
    expect("/undo keeps what the model is told first", [m["content"] for m in asked()[0]["messages"]] == ["Be short.", "hello"])
    t.say("/load talk.json")
    t.say("on")
    expect("/load", len(asked()[0]["messages"]) == 9)
    t.say("/clear")
    t.say("anew")
    expect("/clear", len(asked()[0]["messages"]) == 1)
    expect("/help", "/save" in t.say("/help"))
    hub.run("fault", "kind=status;status=500;message=it broke;path=*/chat/completions;count=1")
    expect("an error is said, and the talk goes on", "it broke" in t.say("this fails"))
    t.say("again")
    expect("a question that failed is forgotten", [m["content"] for m in asked()[-1]["messages"]] == ["anew", "anew", "again"])
    hub.run("fault", "kind=stall;after=300;path=*/chat/completions;count=1")
    os.write(t.fd, b"words " * 200 + b"\n")
    t.until("words words words")
    for _ in range(200):
        if [r for r in hub.log() if r["path"].endswith("/chat/completions")]:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    t.text = ""
    os.write(t.fd, b"\x03")
    expect("Ctrl-C ends the answer", "The answer was ended." in t.until("> "))
    asked()
    t.say("after that")
    expect("and is forgotten, not the rest", [m["content"] for m in asked()[-1]["messages"]] == ["anew", "anew", "again", "again", "after that"])
    os.write(t.fd, b"\x04")
    expect("Ctrl-D is the end", t.end() == 0)
    t = Terminal("inference", "chat", "-m", "me/talker", cwd=folder, **env)
    t.until("> ")
    os.write(t.fd, b"/exit\n")
    expect("the end", t.end() == 0)
    t = Terminal("inference", "chat", "-m", "me/talker", cwd=folder, **env)
    t.until("> ")
    os.write(t.fd, b"\x03")
    expect("Ctrl-C at the prompt ends the program", t.end() != 0)

    plain = {**env}
    done = subprocess.run([hf, "inference", "chat", "-m", "me/talker", "--image", "cat.png"], env=plain, cwd=folder, input="Look. @cat.png\n", text=True, capture_output=True, timeout=60)
    content = asked()[0]["messages"][0]["content"]
    expect(f"stdin with --image: {done}", done.returncode == 0 and content[0]["text"] == "Look. @cat.png" and content[1]["image_url"]["url"].startswith("data:image/png"))
    subprocess.run([hf, "inference", "chat", "-m", "me/talker"], env=plain, cwd=folder, input="Look. @cat.png\n", text=True, capture_output=True, timeout=60)
    expect("what is piped in reads no files", asked()[0]["messages"][0]["content"] == "Look. @cat.png")

    paint = ["inference", "text-to-image", "-m", "me/painter", "-p", "nscale", "--text", "a kettle", "--show", "-o", "k.png"]
    for name, more, mark in (("kitty", {"KITTY_WINDOW_ID": "1"}, r"\x1b_Ga=T,f=100,m=[01];([\w+/=]+)\x1b\\"),
                             ("iTerm", {"TERM_PROGRAM": "iTerm.app"}, r"\x1b\]1337;File=inline=1;size=\d+:([\w+/=]+)\x07")):
        t = Terminal(*paint, cwd=folder, **env, **more)
        text = t.until("k.png")
        found = re.search(mark, text)
        expect(f"a picture in {name}", found and base64.b64decode(found.group(1) + "===")[:4] == b"\x89PNG")
        t.end()
    t = Terminal(*paint, cwd=folder, **env)
    t.until("\x1b[c")
    os.write(t.fd, b"\x1b[?62;4;22c")
    text = t.until("k.png")
    found = re.search(r'\x1bPq"1;1;64;64((?:#\d+;2;\d+;\d+;\d+)+)(.*?)\x1b\\', text, re.S)
    expect("a picture as sixels", found and found.group(2).count("-") == 11 and len(set(re.findall(r"#(\d+)", found.group(2)))) > 3)
    t.end()
    t = Terminal(*paint, cwd=folder, **env)
    expect("no picture where the terminal says nothing", "\x1b_G" not in t.until("k.png"))
    t.end()
    piped = subprocess.run([hf, *paint], env={**env, "KITTY_WINDOW_ID": "1"}, cwd=folder, capture_output=True, timeout=60)
    expect("no picture into a pipe", piped.returncode == 0 and b"\x1b" not in piped.stdout)
finally:
    hub.close()
for what in problems:
    print(what)
print(f"{len(problems)} problems")
sys.exit(bool(problems))
