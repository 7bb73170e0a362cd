"""What the standard library does in C: compression, hashes, decimal, sqlite, ctypes, regular expressions, JSON, XML, SSL contexts."""
import bz2
import ctypes
import decimal
import hashlib
import json
import lzma
import math
import pickle
import re
import sqlite3
import ssl
import struct
import subprocess
import tempfile
import xml.etree.ElementTree as tree
import zlib

data = open("big.txt", "rb").read()[:60000]
for module in (zlib, bz2, lzma):
    packed = module.compress(data)
    print(module.__name__, len(packed), module.decompress(packed) == data)
for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"):
    print(name, hashlib.new(name, data).hexdigest())
decimal.getcontext().prec = 50
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1) / 7)
base = sqlite3.connect(":memory:")
base.execute("create table t (a integer, b text)")
base.executemany("insert into t values (?, ?)", ((i, str(i * i)) for i in range(500)))
print(base.execute("select count(*), sum(a), max(b) from t where b like '%4%'").fetchone())
libc = ctypes.CDLL(None)
print(libc.strlen(b"seven77"), ctypes.CDLL("libm.so.6").abs(-5))
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda a, b: a[0] - b[0])
array = (ctypes.c_int * 6)(5, 3, 9, 1, 7, 2)
libc.qsort(array, 6, ctypes.sizeof(ctypes.c_int), compare)
print(list(array))
print(len(re.findall(rb"(\d+) line of a (big|small) file", data)), json.dumps(json.loads(open("data.json").read()), sort_keys=True))
root = tree.fromstring("<a><b c='1'>x</b><b c='2'/></a>")
print([element.get("c") for element in root.iter("b")], tree.tostring(root))
print(pickle.loads(pickle.dumps({"a": [1, 2.5, None]})), struct.pack("<dQ", math.pi, 2**63).hex())
print(ssl.create_default_context().minimum_version.name, math.fsum([0.1] * 10), math.gamma(5.5), float.hex(1 / 3))
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("text")
    file.flush()
    print(subprocess.run(["cat", file.name], capture_output=True, check=True).stdout)
