# What a larger program imports before it does anything, and a little of each.
import argparse
import asyncio
import csv
import dataclasses
import datetime
import decimal
import email.message
import email.policy
import fractions
import http.client
import io
import json
import logging
import pathlib
import re
import statistics
import subprocess
import tempfile
import typing
import unittest
import urllib.parse
import xml.etree.ElementTree
import zipfile


@dataclasses.dataclass
class Record:
    name: str
    size: int
    tags: typing.List[str]


async def double(value):
    await asyncio.sleep(0)
    return 2 * value


async def all_of(values):
    return await asyncio.gather(*map(double, values))


parser = argparse.ArgumentParser()
parser.add_argument("--size", type=int, default=3)
options = parser.parse_args(["--size", "5"])
record = Record("name", options.size, ["a", "b"])
print(json.dumps(dataclasses.asdict(record), sort_keys=True), asyncio.run(all_of([1, 2, 3])))
message = email.message.EmailMessage(policy=email.policy.SMTP)
message["Subject"] = "a subject"
message.set_content("text\n")
print(len(message.as_bytes()), decimal.Decimal(2).sqrt(), fractions.Fraction(3, 9), statistics.mean([1, 2, 6]))
print(xml.etree.ElementTree.fromstring("<a><b>1</b></a>").find("b").text, urllib.parse.quote("a b/c"), pathlib.PurePath("/a/b.txt").suffix)
print(list(csv.reader(io.StringIO('1,"2,3"\n'))), datetime.date(2000, 2, 28) + datetime.timedelta(2), re.sub("(b+)", r"<\1>", "abbc"))
