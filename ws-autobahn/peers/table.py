"""Prints the tables of `matrix`: table.py FOLDER 'NAME ROLE'..."""

import json
import pathlib
import sys

WORDS = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED"]
SECTIONS = [("Autobahn's", range(1, 21)), ("21", [21]), ("22", [22]), ("23", [23]), ("24", [24]), ("25", [25])]


def load(path):
    (cases,) = json.loads(path.read_text()).values()
    return cases


def section(id):
    return int(id.split(".")[0])


def verdict(case):
    bad = case["behaviorClose"] not in ("OK", "INFORMATIONAL") and case["behavior"] != "INFORMATIONAL"
    return "FAILED" if bad else case["behavior"]


def numbers(cases, sections):
    found = [verdict(case) for id, case in cases.items() if section(id) in sections]
    return " / ".join(str(found.count(word)) for word in WORDS) if found else "-"


def differences(native, autobahn):
    keys = ["behavior", "behaviorClose", "remoteCloseCode"]
    of = lambda cases, id: [cases[id][key] for key in keys] if id in cases else None
    ids = [id for id in {**native, **autobahn} if section(id) <= 20]
    return len(ids), [id for id in ids if of(native, id) != of(autobahn, id)]


folder, implementations = pathlib.Path(sys.argv[1]), [words.split() for words in sys.argv[2:]]
rows, notes, agreement = [], [], []
for name, role in implementations:
    out = folder / f"{name}-{role}"
    version, date = (out / "about").read_text().split()
    if not (out / "native/index.json").exists():
        rows.append(f"| {name} {version} | {role} | {date} | not tested: see {out}/output.txt |")
        continue
    native = load(out / "native/index.json")
    cells = [numbers(native, sections) for _, sections in SECTIONS]
    rows.append(f"| {name} {version} | {role} | {date} | " + " | ".join(cells) + " |")
    for word in ("FAILED", "NON-STRICT"):
        ids = [id for id, case in native.items() if section(id) > 20 and verdict(case) == word]
        notes.append(f"- {name}, {role}, {word}: " + (", ".join(ids) or "none"))
    autobahn = {}
    for index in sorted(out.glob("autobahn/*/*/index.json")):
        autobahn.update(load(index))
    if autobahn:
        count, different = differences(native, autobahn)
        equal, words = count - len(different), ", ".join(different) or "none"
        agreement.append(f"| {name} {version} | {role} | {date} | {count} | {equal} | {words} |")

if agreement:
    print("Agreement with Autobahn's suite: cases with the same behaviour, close behaviour and close code\n")
    print("| implementation | role | date | cases | equal | different |\n|---|---|---|---:|---:|---|")
    print("\n".join(agreement) + "\n")
print("Each cell: " + " / ".join(WORDS) + "\n")
print("| implementation | role | date | " + " | ".join(name for name, _ in SECTIONS) + " |")
print("|---|---|---|" + "---|" * len(SECTIONS))
print("\n".join(rows))
print("\nBeyond Autobahn:\n\n" + "\n".join(notes))
