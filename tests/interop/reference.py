"""Finds the reference client (Python's huggingface_hub), or installs it into a virtual environment of the build folder.

HF_REFERENCE_PYTHON names an interpreter that has it. Where it cannot be had, tests are skipped visibly (exit 77).
"""
import os
import pathlib
import subprocess
import sys
import time

VERSION = "2.4.0"
XET_VERSION = "1.8.0"


def has_it(python):
    probe = "import huggingface_hub as h, sys; sys.exit(0 if h.__version__ == %r else 1)" % VERSION
    return subprocess.run([str(python), "-c", probe], capture_output=True).returncode == 0


def find(folder):
    """Answers the interpreter, or None."""
    named = os.environ.get("HF_REFERENCE_PYTHON")
    if named:
        return pathlib.Path(named) if has_it(named) else None
    venv = pathlib.Path(folder) / "reference"
    missing = pathlib.Path(folder) / "reference.missing"
    if missing.exists() and time.time() - missing.stat().st_mtime < 1800:
        return None  # tried just now: the other tests need not wait for it again
    python = venv / "bin/python"
    if python.exists() and has_it(python):
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, capture_output=True, timeout=120)
        subprocess.run([str(python), "-m", "pip", "install", "-q", f"huggingface_hub=={VERSION}", f"hf_xet=={XET_VERSION}"],
                       check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        missing.touch()
        return None
    return python if has_it(python) else None


def need(folder):
    python = find(folder)
    if python is None:
        print(f"SKIPPED: huggingface_hub {VERSION} is not here and could not be installed (HF_REFERENCE_PYTHON names one)")
        sys.exit(77)
    return python


if __name__ == "__main__":
    print(need(sys.argv[1]))
