"""Turns the Python 2 package autobahntestsuite 25.10.1 (as unpacked from its
wheel) into Python 3 code, in place: python3-convert.py FOLDER

Idea: Python 2's byte strings become Python 3 strings that hold one byte per
character (latin-1), so the test cases stay as they are; they are encoded and
decoded only where they meet the WebSocket protocol code (class FuzzingProtocol).
"""
import re
import shutil
import sys
from pathlib import Path

from fissix import refactor

root = Path(sys.argv[1])
UNUSED = ["wampcase", "interfaces.py", "rinterfaces.py", "serializer.py", "testdb.py", "testrun.py",
          "wampfuzzing.py", "wamptestee.py", "wamptestserver.py", "wsperfcontrol.py", "wsperfmaster.py"]
FIXERS = "dict except has_key idioms import map ne numliterals print raise xrange".split()
SHIM = '''"""What the converted code uses in place of Python 2's types and modules."""
import binascii
import os


def tob(x):
    return x.encode("latin-1") if isinstance(x, str) else bytes(x)


def tos(x):
    return x if isinstance(x, str) else bytes(x).decode("latin-1")


def b2a_hex(x):
    return binascii.b2a_hex(tob(x)).decode()


hexlify = b2a_hex


def resource_filename(package, name):
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), *name.split("/"))


class Len(int):  # autobahn 0.10.9 divides a length with "/"
    __truediv__ = int.__floordiv__
'''
BOUNDARY = '''   MAX_WIRE_LOG_DATA = 256

   def sendFrame(self, opcode, payload = b"", payload_len = None, **kw):
      payload_len = None if payload_len is None else py2.Len(payload_len)
      return super().sendFrame(opcode, payload = py2.tob(payload), payload_len = payload_len, **kw)

   def sendMessage(self, payload, *a, **kw):
      return super().sendMessage(py2.tob(payload), *a, **kw)

   def sendMessageFrameData(self, payload, *a, **kw):
      return super().sendMessageFrameData(py2.tob(payload), *a, **kw)

   def sendPing(self, payload = None):
      return super().sendPing(None if payload is None else py2.tob(payload))

   def sendCloseFrame(self, code = None, reasonUtf8 = None, isReply = False):
      return super().sendCloseFrame(code, None if reasonUtf8 is None else py2.tob(reasonUtf8), isReply)
'''
EDITS = {  # file: [(pattern, replacement)], each of which must occur
    "case/__init__.py": [(r"from \.case9_9_1 import \*\n", "")],  # not in the list of cases
    "case/case.py": [(r"pickle\.dumps\(obj1\) == pickle\.dumps\(obj2\)", "obj1 == obj2")],
    "case/case6_x_x.py": [(r"v\.validate\(vss\[:i\]\)", "v.validate(py2.tob(vss[:i]))")],
    "case/case10_1_1.py": [(r"len\(self\.payload\) / self", "len(self.payload) // self")],
    "case/case12_x_x.py": [
        (r"msg = ''", "msg = payload[:0]"),
        (r"def onMessage\(self, msg, binary\):\n", "def onMessage(self, msg, binary):\n   msg = py2.tob(msg)\n"),
    ],
    "caseset.py": [(r"'\\\.'", "r'\\.'")],
    "fuzzing.py": [
        (r"   MAX_WIRE_LOG_DATA = 256\n", BOUNDARY),
        (r"return dd\.decode\('utf8'", "return py2.tob(dd).decode('utf8'"),
        (r"dd = data\[:maxlen\] \+ ellipses", "dd = py2.tob(data[:maxlen]) + ellipses.encode()"),
        (r"p = ''\.join\(payload\)", "p = b''.join(payload)"),
        (r"\)\.encode\(\"utf-8\"\)\)", "))"),
        (r"ll\.encode\('utf8'\)", "ll"),
        (r"mmask = py2\.b2a_hex\(t\[6\]\)", "mmask = t[6]"),
        (r"open\(os\.path\.join\(outdir, report_filename\), 'w'\)",
         "open(os.path.join(outdir, report_filename), 'w', encoding='utf-8')"),
        (r"json\.dumps\(case, sort_keys", "json.dumps(case, default = py2.tos, sort_keys"),
        (r"self\.runCase\.onPong\(payload\)", "self.runCase.onPong(py2.tos(payload))"),
        (r"self\.runCase\.onMessage\(msg, binary\)", "self.runCase.onMessage(py2.tos(msg), binary)"),
    ],
    "report.py": [(r"import jinja2\n", ""), (r"(?s)REPORT_DIR_PERMISSIONS = .*", "")],  # WAMP only
    "wstest.py": [(r"[^\n]*\bserializer\n", "")],
}

for name in UNUSED:
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()

tool = refactor.RefactoringTool(["fissix.fixes.fix_" + f for f in FIXERS])
for path in sorted(root.rglob("*.py")):
    text = path.read_text(encoding="latin-1").replace("\r\n", "\n")
    text = re.sub(r"\A(#!.*\n)?#.*coding[:=].*\n", r"\1", text)
    text = str(tool.refactor_string(text + "\n", str(path)))
    text = re.sub(r"\bpkg_resources\.(?=resource_)|\bbinascii\.(?=b2a_hex|hexlify)", "py2.", text)
    text = re.sub(r"\(object, Case, \)", "(Case, )", text)
    text = re.sub(r"^( *import [\w, ]*?),? *\bpkg_resources\b", r"\1", text, flags=re.M)
    text = re.sub(r"^ *import *$\n", "", text, flags=re.M)
    for pattern, new in EDITS.pop(str(path.relative_to(root)), []):
        text, n = re.subn(pattern, lambda m: new, text)
        if not n:
            sys.exit(f"{path}: no {pattern!r}")
    if "py2." in text:
        text = re.sub(r"(?m)^((from|import) )", r"from autobahntestsuite import py2\n\1", text, count=1)
    path.write_text("# coding: latin-1\n" + text, encoding="latin-1")
(root / "py2.py").write_text(SHIM)
if EDITS:
    sys.exit(f"not found: {', '.join(EDITS)}")
