"""Prints the tables of `matrix`: table.py FOLDER 'NAME ROLE'..."""

import json
import sys

WORDS = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED"]
SECTIONS = [("Autobahn's", range(1, 21)), ("21", [21]), ("22", [22]), ("23", [23]), ("24", [24]), ("25", [25])]


def verdict(case):
    bad = case["behaviorClose"] not in ("OK", "INFORMATIONAL") and case["behavior"] != "INFORMATIONAL"
    return "FAILED" if bad else case["behavior"]


def numbers(cases, sections):
    found = [verdict(case) for id, case in cases.items() if int(id.split(".")[0]) in sections]
    return " / ".join(str(found.count(word)) for word in WORDS) if found else "-"


folder, implementations = sys.argv[1], sys.argv[2:]
print("Each cell: " + " / ".join(WORDS) + "\n")
print("| implementation | role | " + " | ".join(name for name, _ in SECTIONS) + " |")
print("|---|---|" + "---|" * len(SECTIONS))
notes = []
for name, role in (words.split() for words in implementations):
    with open(f"{folder}/{name}-{role}/native/index.json") as file:
        (cases,) = json.load(file).values()
    cells = [numbers(cases, sections) for _, sections in SECTIONS]
    print(f"| {name} | {role} | " + " | ".join(cells) + " |")
    for word in ("FAILED", "NON-STRICT"):
        ids = [id for id, case in cases.items() if int(id.split(".")[0]) > 20 and verdict(case) == word]
        notes.append(f"- {name}, {role}, {word}: " + (", ".join(ids) or "none"))
print("\nBeyond Autobahn:\n\n" + "\n".join(notes))
