#!/usr/bin/env python3
"""Writes vectors-made.txt: file hashes that the reference implementation (hf_xet) gives to inputs around every boundary.

Run with a Python that has hf_xet: tests/xet/make_vectors.py > tests/xet/vectors-made.txt. Inputs are named as in vectors.txt;
few:LENGTH:SEED is SplitMix64 with two bits of each byte, repeat:LENGTH:PERIOD:SEED repeats PERIOD bytes of SplitMix64.
"""
import pathlib
import random
import struct
import tempfile

import hf_xet

EDGES = (0, 1, 2, 63, 64, 65, 1023, 1024, 1025, 2048, 2049, 8127, 8128, 8129, 8191, 8192, 8193, 65535, 65536, 65537, 131071, 131072, 131073,
         262143, 262144, 262145, 1048575, 1048576, 1048577)
WORD = (1 << 64) - 1


def splitmix(length, seed):
    out = bytearray()
    while len(out) < length:
        seed = seed + 0x9E3779B97F4A7C15 & WORD
        z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & WORD
        z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
        out += struct.pack("<Q", z ^ z >> 31)
    return bytes(out[:length])


def make(kind, length, arg):
    if kind == "const":
        return bytes([arg]) * length
    if kind == "few":
        return bytes(b & 3 for b in splitmix(length, arg))
    if kind == "repeat":
        part = splitmix(arg, 9)
        return (part * (length // arg + 1))[:length]
    return splitmix(length, arg)


random.seed(1)
specs = [(kind, length, arg) for length in EDGES for kind, arg in (("splitmix", length + 7), ("const", 0), ("few", 5), ("repeat", 300))]
specs += [("splitmix", random.randrange(1, 700000), seed) for seed in range(40)]
specs += [("repeat", 400000, period) for period in (1, 2, 63, 64, 65, 1000, 8191, 8192, 8193, 65536, 100003)]
specs += [("const", 300001, byte) for byte in range(1, 256, 17)]
print("# Made by make_vectors.py with hf_xet", getattr(hf_xet, "__version__", "1.8.0"))
with tempfile.TemporaryDirectory() as folder:
    for kind, length, arg in dict.fromkeys(specs):
        path = pathlib.Path(folder) / "x"
        path.write_bytes(make(kind, length, arg))
        print("file", f"{kind}:{length}:{arg}" + ":9" * (kind == "repeat"), hf_xet.hash_files([str(path)])[0].hash)
