"""Puts the parts of `make safety` into one JSON file and fails when one of them does.

    python3 safety_summary.py PARTS DECIDING_FILES_REGEX OUTPUT [--quick]

A part that left no result has failed; with --quick, line coverage and mutants need not be there.
"""

import json
import pathlib
import re
import sys


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def coverage(report, deciding):
    """Lines of the deciding modules: counted, covered."""
    if report is None:
        return None
    files = {f["filename"]: f["summary"]["lines"] for f in report["data"][0]["files"]}
    chosen = {re.search(deciding, name)[0]: lines for name, lines in files.items() if re.search(deciding, name)}
    return {name: {"lines": lines["count"], "covered": lines["covered"]} for name, lines in sorted(chosen.items())}


def mutants(folder):
    """How many mutants there were and which survived."""
    outcomes = read(folder / "mutants.out" / "outcomes.json")
    if outcomes is None:
        return None
    missed = (folder / "mutants.out" / "missed.txt").read_text().splitlines()
    counts = {key: outcomes[key] for key in ("total_mutants", "caught", "missed", "timeout", "unviable")}
    return {**counts, "survivors": missed}


def main():
    parts, deciding, output = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    virtual, hostile, processes = (read(parts / f"{name}.json") for name in ("virtual_trials", "hostile", "process_trials"))
    model = parts / "model.txt"
    states = re.search(r"(\d+) states, (\d+) steps", model.read_text()) if model.exists() else None
    result = {
        "virtual_trials": virtual,
        "process_trials": processes,
        "hostile_messages": hostile,
        "authority_model": states and {"states": int(states[1]), "steps": int(states[2])},
        "line_coverage": coverage(read(parts / "coverage.json"), deciding),
        "mutants": mutants(parts),
    }
    output.write_text(json.dumps(result, indent=2) + "\n")
    needed = ["virtual_trials", "process_trials", "hostile_messages", "authority_model"]
    needed += [] if "--quick" in sys.argv else ["line_coverage", "mutants"]
    failures = [f"no result of {name}" for name in needed if not result[name]]
    if virtual and any(row["failed"] for row in virtual):
        failures.append("fault trials in virtual time")
    if processes and processes["failed"]:
        failures.append("fault trials in real processes")
    if hostile and any(outcome["acted_on"] for outcome in hostile):
        failures.append("hostile messages")
    for name, lines in (result["line_coverage"] or {}).items():
        print(f"{name:52} {lines['covered']:>5} of {lines['lines']:>5} lines covered")
        if lines["covered"] < lines["lines"]:
            failures.append(f"lines of {name}")
    if result["mutants"]:
        print("mutants:", ", ".join(f"{v} {k}" for k, v in result["mutants"].items() if k != "survivors"))
        for survivor in result["mutants"]["survivors"]:
            print("survived:", survivor)
        failures += ["mutants survived"] * bool(result["mutants"]["survivors"])
    print(f"{output}: " + ("failed: " + "; ".join(failures) if failures else "everything held"))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
