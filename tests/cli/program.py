#!/usr/bin/env python3
"""What belongs to the hf program as a whole: exit codes, signals, closed pipes, full disks, secrets in argv, the program
named in HF_FALLBACK, manual pages, installing completion. Needs no Hub: a server that never answers stands in for one.

program.py --hf build/bin/hf [test ...]
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

parser = argparse.ArgumentParser()
parser.add_argument("--hf", type=pathlib.Path, required=True)
options, rest = parser.parse_known_args()
HF = str(options.hf.resolve())


class Silence:
    """Accepts connections and says nothing."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.connections, self.arrived = [], threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        return self

    def accept(self):
        while True:
            try:
                self.connections.append(self.socket.accept()[0])
            except OSError:
                return
            self.arrived.set()

    def __exit__(self, *_):
        self.socket.close()
        for connection in self.connections:
            connection.close()


class Program(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="hf-program-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        keep = ("PATH", "LANG", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
        self.env = {k: v for k, v in os.environ.items() if k in keep}
        self.env.update(HOME=str(self.home), HF_HOME=str(self.home / "hf"), HF_ENDPOINT="http://127.0.0.1:9")

    def hf(self, *words, **more):
        env = dict(self.env, **more.pop("env", {}))
        return subprocess.run([HF, *words], capture_output=True, text=True, env=env, timeout=60,
                              stdin=subprocess.DEVNULL, **more)

    def expect(self, done, code, out=None, err=None):
        self.assertEqual((done.returncode, done.stdout if out is not None else None,
                          done.stderr if err is not None else None), (code, out, err), done)

    # ---- modes ----

    def test_version_in_every_mode(self):
        version = self.hf("version", "-q").stdout.strip()
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        self.expect(self.hf("version"), 0, f"\033[32m✓ hf version\033[0m\n  version: {version}\n", "")
        self.expect(self.hf("version", env={"NO_COLOR": "1"}), 0, f"✓ hf version\n  version: {version}\n", "")
        self.assertIn("✓", self.hf("version", env={"LC_ALL": "no_WHERE.ISO-8859-1"}).stdout)
        self.expect(self.hf("version", "--format=agent"), 0, f"version={version}\n", "")
        self.expect(self.hf("version", "--json"), 0, json.dumps({"version": version}) + "\n", "")
        for words in (["-v"], ["--version"]):
            self.expect(self.hf(*words), 0, version + "\n", "")

    def test_agent_known_by_the_registry_on_disk(self):
        registry = {"standardEnvVars": ["AI_AGENT"], "harnesses": {"robot": {"envVars": {"ROBOT": "*"}}}}
        (self.home / "hf").mkdir()
        (self.home / "hf/.agent_harnesses.json").write_text(json.dumps(registry))
        self.assertIn("version=", self.hf("version", env={"ROBOT": "1"}).stdout)
        self.assertIn("version=", self.hf("version", env={"AI_AGENT": "somebody"}).stdout)
        self.assertIn("✓", self.hf("version").stdout)
        self.assertIn("✓", self.hf("version", "--format", "human", env={"ROBOT": "1"}).stdout)

    # ---- wrong usage ----

    def test_help_and_exit_codes(self):
        self.assertEqual((self.hf().returncode, self.hf().stdout), (2, ""))
        self.assertEqual((self.hf("models").returncode, self.hf("models").stdout), (2, ""))
        for words in (["-h"], ["models", "--help"], ["models", "info"], ["version", "--help"]):
            done = self.hf(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertTrue(done.stdout.startswith("Usage: hf"), done)

    def test_missing_argument_is_told(self):
        done = self.hf("models", "info", "--revision", "x")
        self.expect(done, 2, "", "Usage: hf models info [OPTIONS] MODEL_ID\nTry 'hf models info --help' for help.\n\n"
                                 "Error: Missing argument 'MODEL_ID'.\n")

    def test_globals_stand_anywhere(self):
        for words in (["--trace", "t", "version", "-q"], ["version", "-q", "--trace=t"], ["version", "--store", "memory:", "-q"]):
            self.assertEqual(self.hf(*words, cwd=self.home).returncode, 0, words)
        self.expect(self.hf("version", "--trace"), 2, "", "Error: Option '--trace' requires an argument.\n")

    # ---- the world around ----

    def test_closed_pipe_is_quiet(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([HF, "version"], stdout=write, stderr=subprocess.PIPE, env=self.env)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (1, b""))

    @unittest.skipUnless(pathlib.Path("/dev/full").exists(), "no /dev/full")
    def test_full_disk_behind_stdout_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([HF, "version"], stdout=full, stderr=subprocess.PIPE, env=self.env)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left", done.stderr)

    def test_interrupt_ends_within_a_moment(self):
        with Silence() as server:
            process = subprocess.Popen([HF, "models", "info", "me/tiny"], env=dict(self.env, HF_ENDPOINT=server.url),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertTrue(server.arrived.wait(20))
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            took = time.monotonic() - begun
        self.assertEqual((process.returncode, out), (1, b""))
        self.assertTrue(err.endswith(b"\nAborted!\n"), err)
        self.assertLess(took, 2.0)  # a tenth of a second on an idle machine

    def test_token_leaves_argv(self):
        with Silence() as server:
            process = subprocess.Popen([HF, "models", "info", "me/tiny", "--token", "hf_secretsecret"],
                                       env=dict(self.env, HF_ENDPOINT=server.url), stderr=subprocess.PIPE)
            try:
                self.assertTrue(server.arrived.wait(20))
                line = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
            finally:
                process.kill()
                err = process.communicate()[1]
        self.assertNotIn(b"secret", line)
        self.assertIn(b"Warning: `--token <value>`", err)
        self.assertNotIn(b"secretsecret", err)

    def test_token_that_cannot_be_sent(self):
        for words, more in ((["auth", "whoami"], {"HF_TOKEN": "hf_s\u00e9cret"}), (["auth", "login", "--token", "hf_s\u00e9cret"], {})):
            done = self.hf(*words, env=more)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("characters that are not ASCII", done.stderr)
            self.assertNotIn("cret", done.stderr)
            self.assertFalse((self.home / "hf/stored_tokens").exists())

    # ---- cards ----

    def test_cards_that_cannot_be_read(self):
        card = self.home / "card.md"
        for line, text in ((2, "a: 1\nb: 'x' y"), (1, "a: [1, 2"), (2, "a: 1\n- b"), (1, "a: b: c"), (1, "a: &x 1"), (1, 'a: "\\q"'),
                           (1, "a: *x"), (1, "<<: 1"), (1, "a: 99999999999999999999"), (1, "[" * 60), (2, "a:\n  'b\n"), (2, "a: 1\n  b: 2"),
                           (3, "a:\n- 'x'\n- 'y' z")):
            card.write_text(f"---\n{text}\n---\nbody\n")
            done = self.hf("models", "card", str(card), "--metadata")
            self.assertEqual((done.returncode, done.stdout), (1, ""), text)
            self.assertRegex(done.stderr, r"Error: Line \d+ of the card's metadata cannot be read: [^\n]*\. Correct README\.md\.", text)

    # ---- commands that are elsewhere ----

    def test_command_of_the_reference_that_is_not_here(self):
        for words, name in ((["spaces", "hot-reload", "x/y"], "spaces hot-reload"), (["sandbox"], "sandbox"),
                            (["extensions", "list"], "extensions list")):
            done = self.hf(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"`hf {name}`", done.stderr)

    def test_fallback_gets_the_same_words(self):
        program = self.home / "other"
        program.write_text('#!/bin/sh\nprintf "%s\\n" "fallback=$HF_FALLBACK" "$@"; exit 7\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        env = {"HF_FALLBACK": str(program)}
        done = self.hf("sandbox", "exec", "--flavor", "a b", "--", "--json", env=env)
        self.expect(done, 7, "fallback=\nsandbox\nexec\n--flavor\na b\n--\n--json\n", "")
        self.assertEqual(self.hf("jbos", env=env).returncode, 2)
        self.assertIn("✓", self.hf("version", env=env).stdout)
        self.assertEqual(self.hf("sandbox", "create", "x", env={"HF_FALLBACK": str(self.home / "none")}).returncode, 2)

    def test_fallback_to_itself_ends(self):
        self.assertEqual(self.hf("sandbox", "create", "x", env={"HF_FALLBACK": HF}).returncode, 2)

    # ---- pages and scripts ----

    def test_manual_pages(self):
        folder = self.home / "man"
        folder.mkdir()
        self.expect(self.hf("man", "--output-dir", str(folder)), 0, "", "")
        pages = {p.name for p in folder.iterdir()}
        self.assertLessEqual({"hf.1", "hf-models.1", "hf-models-list.1", "hf-version.1"}, pages)
        self.assertNotIn("hf-man.1", pages)
        text = self.hf("man", "models", "list").stdout
        self.assertEqual(text, (folder / "hf-models-list.1").read_text())
        self.assertIn("\\-\\-search", text)
        if shutil.which("groff"):
            for page in folder.iterdir():
                check = subprocess.run(["groff", "-man", "-ww", "-z", str(page)], capture_output=True, text=True)
                wrong = [line for line in check.stderr.splitlines() if "adjust line" not in line and "break line" not in line]
                self.assertEqual(wrong, [], page)

    def test_install_completion_once(self):
        env = {"SHELL": "/bin/bash"}
        for _ in range(2):
            done = self.hf("--install-completion", env=env)
            self.assertEqual(done.returncode, 0, done)
        self.assertEqual((self.home / ".bashrc").read_text(), '\neval "$(_HF_COMPLETE=bash_source hf)"\n')
        self.assertIn("__complete", self.hf(env={"_HF_COMPLETE": "bash_source"}).stdout)
        self.expect(self.hf("--install-completion", env={"SHELL": "/bin/csh"}), 1, "",
                    "Error: Shell 'csh' is not supported for completion.\n")

    def test_commands_and_api_are_json(self):
        tree = json.loads(self.hf("commands", "--json").stdout)
        self.assertEqual((tree["name"], tree["kind"]), ("hf", "group"))
        rows = json.loads(self.hf("api", "--json").stdout)
        self.assertIn("GET /api/models", " ".join(row["verbs_and_routes"] for row in rows))

    def test_env_names_origins(self):
        text = self.hf("env", env={"HF_TOKEN": "hf_secret", "HF_HUB_OFFLINE": "1"}).stdout
        self.assertIn("- HF_HUB_OFFLINE: True\n", text)
        self.assertIn("libhf setting HF_HUB_OFFLINE: 1 (environment HF_HUB_OFFLINE)", text)
        self.assertIn("- Has saved token ?: True", text)
        self.assertNotIn("hf_secret", text)


unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
