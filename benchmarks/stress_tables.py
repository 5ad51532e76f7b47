"""Tables of what the stress tests find, of all their cells: the tests themselves are in tests/stress.

    python benchmarks/stress_tables.py extremes [--part 0/2]   what is not in build/extremes/ yet, then the tables
    python benchmarks/stress_tables.py random --family NAME    what is not in build/random/ yet, in pieces
    python benchmarks/stress_tables.py faults [--only FAULT]   every fault, done to a real command
    python benchmarks/stress_tables.py fuzz --seconds 60       every reader under Atheris

With ``--write`` the numbers are kept, and the page that shows them is written.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tables import Section, Table, kept, machine, shown, store, table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from stress import extremes, faults, fuzzing, random_problems  # noqa: E402
from stress.extreme_optima import Case  # noqa: E402

EXTREMES, RANDOM = ROOT / "build/extremes", ROOT / "build/random"
PAGE_OF_EXTREMES, PAGE_OF_FAULTS = ROOT / "docs/extremes.md", ROOT / "docs/hardening.md"


def key(case: Case, run: tuple[str, str, str]) -> str:
    """Name of a run in the cache."""
    return hashlib.sha256(json.dumps([case.family, case.keys, case.options, run]).encode()).hexdigest()[:20]


def run_extremes(part: int, parts: int, only: str | None) -> None:
    """Fill the cache."""
    EXTREMES.mkdir(parents=True, exist_ok=True)
    wanted = [(case, run) for case in extremes.cases() if only in (None, case.family) for run in extremes.runs(case)]
    for case, run in wanted[part::parts]:
        place = EXTREMES / f"{key(case, run)}.json"
        if not place.exists():
            found = extremes.happened(case, *run)
            place.write_text(json.dumps(found))
            print(case.family, "|", case.asked, "|", *run, "|", found["end"], found["code"], found["said"][:160], flush=True)


def ended(family: str) -> list[tuple[str, ...]]:
    """Rows of a family's table: runs of a case that end alike share one."""
    made = []
    for case in [case for case in extremes.cases() if case.family == family]:
        groups: dict[tuple[str, int, str], list[tuple[str, dict[str, Any]]]] = {}
        for run in extremes.runs(case):
            place = EXTREMES / f"{key(case, run)}.json"
            if not place.exists():
                continue
            found = json.loads(place.read_text())
            said = found["said"] if found["end"] != "right" else ""
            alike = (found["end"], found["code"], re.sub(r"[\d.e+−-]*\d[\d.e+−-]*", "#", said.replace(run[0], "FORM")))
            groups.setdefault(alike, []).append((_label(run), found))
        for (end, code, _), members in groups.items():
            who = _merged([label for label, _ in members], [_label(run) for run in extremes.runs(case)])
            said = members[0][1]["said"]
            if end == "right":
                worst = max((v for _, m in members for n, v in m["errors"].items() if n in ERRORS), default=0.0)
                said = f"off by {worst:.1e} at most"
                if case.known:
                    said += "; a formula agrees" if any("ideal" not in label for label, _ in members) else ""
            end = "caught by a check" if end == "caught" else end
            made.append((case.asked, who, end, said, str(code)))
    return made


ERRORS = ("capacity_nats", "lagrangian_nats", "plan", "tokens", "mean")
"""The error that a family is judged by."""


def _label(run: tuple[str, str, str]) -> str:
    form, technology, engine = run
    return f"{form} {engine}" if technology == "ideal" else technology


def _merged(labels: list[str], everything: list[str]) -> str:
    """The same, shorter: both engines of a form are its name, all of them are 'all'."""
    if len(labels) == len(everything) > 1:
        return "all"
    forms = dict.fromkeys(label.split()[0] for label in labels)
    merged = []
    for form in forms:
        engines = [label.split()[1] for label in labels if label.split()[0] == form and " " in label]
        merged.append(f"{form}, {engines[0]}" if len(engines) == 1 else form)
    return "; ".join(merged)


def endings() -> Table:
    """How many runs ended how, by family."""
    ends = ("right", "refused", "not settled", "caught by a check", "FAULT")
    made = []
    for family in extremes.FORMS:
        places = [
            EXTREMES / f"{key(case, run)}.json"
            for case in extremes.cases()
            if case.family == family
            for run in extremes.runs(case)
        ]
        found = [json.loads(place.read_text()) for place in places if place.exists()]
        kinds = ["caught by a check" if one["end"] == "caught" else one["end"] for one in found]
        made.append((family, str(len(kinds)), *(str(kinds.count(end)) for end in ends)))
    total = [str(sum(int(row[k]) for row in made)) for k in range(1, len(ends) + 2)]
    return table(("family", "runs", *ends[:-1], "anything else"), [*made, ("all", *total)])


def _task(task: tuple[str, str, int]) -> dict[str, Any]:
    return random_problems.solved(*task)


def place(family: str, engine: str) -> Path:
    """File of what was found."""
    return RANDOM / f"{re.sub('[^a-z]+', '_', family)}.{engine}.jsonl"


def found_of(family: str, engine: str) -> Iterator[dict[str, Any]]:
    """What was found."""
    if place(family, engine).exists():
        yield from map(json.loads, place(family, engine).read_text().splitlines())


def run_random(family: str, engine: str, workers: int, seconds: float, most: int | None) -> None:
    """Solve what is not solved yet, until the time is over."""
    RANDOM.mkdir(parents=True, exist_ok=True)
    done, asked = {one["number"] for one in found_of(family, engine)}, getattr(random_problems.FAMILIES[family], engine)
    wanted = [number for number in range(asked if most is None else min(most, asked)) if number not in done]
    end = time.monotonic() + seconds
    with ProcessPoolExecutor(workers) as pool, place(family, engine).open("a") as file:
        for first in range(0, len(wanted), 20 * workers):
            if time.monotonic() > end:
                break
            tasks = [(family, engine, number) for number in wanted[first : first + 20 * workers]]
            for found in pool.map(_task, tasks, chunksize=5):
                file.write(json.dumps(found) + "\n")
            file.flush()


def agreements() -> Table:
    """How many agree, for each family and engine."""
    rows = []
    for family, kind in random_problems.FAMILIES.items():
        for engine in ("block", "ngspice"):
            found = list(found_of(family, engine))
            ends = [one["end"] for one in found]
            errors = [one["error"] for one in found if one["end"] == "agrees"]
            allowed = "standard errors" if kind.law else f"{random_problems.TOLERANCE:g}"
            worst = f"{max(errors):.1e}" if errors and not kind.law else ""
            said = ("agrees", "agrees when longer", "not settled", "refused", "disagrees")
            counts = (str(ends.count(end)) if kind.law or end != "agrees when longer" else "" for end in said)
            rows.append((family, engine, f"{len(found)} of {getattr(kind, engine)}", allowed, *counts, worst))
    head = (
        "family",
        "engine",
        "problems",
        "tolerance",
        "agree",
        "agree when longer",
        "not settled",
        "refused",
        "disagree",
        "largest error that agrees",
    )
    return table(head, rows)


def remaining() -> Table:
    """Every problem that did not agree for a reason of its own, by reason."""
    reasons: dict[tuple[str, str, str], list[int]] = {}
    for family in random_problems.FAMILIES:
        for engine in ("block", "ngspice"):
            for one in found_of(family, engine):
                if one["end"] != "agrees":
                    said = re.sub(r"\d[\d.e+-]*", "#", one["said"].split("; ")[0])
                    reasons.setdefault((f"{family}, {engine}", one["end"], said), []).append(one["number"])
    rows = [(*key, str(len(numbers)), ", ".join(map(str, numbers[:5]))) for key, numbers in reasons.items()]
    return table(("family, engine", "end", "reason", "problems", "the first of them"), rows)


def told(page: Path, sections: Mapping[str, Section], *, write: bool) -> None:
    """Print sections and, if so asked, keep them."""
    for name, body in sections.items():
        print(f"{name}\n{shown(body)}\n")
    if write:
        store(page, sections)


def about_extremes(options: argparse.Namespace) -> None:
    """Fill the cache, then the tables."""
    part, parts = map(int, options.part.split("/"))
    only = options.only[0] if options.only else None
    if not options.write:
        run_extremes(part, parts, only)
    if parts > 1 or only:
        return
    head = ("asked", "form and engine, or parts", "what happens", "in words", "exit code")
    sections = {"extremes machine": machine("numpy", "scipy"), "extremes summary": endings()}
    sections |= {f"extremes {family}": table(head, ended(family)) for family in extremes.FORMS}
    told(PAGE_OF_EXTREMES, sections, write=options.write)


def about_random(options: argparse.Namespace) -> None:
    """Solve what is missing of a family, or make the tables."""
    if options.family:
        run_random(options.family, options.engine, options.workers, options.seconds or 480.0, options.most)
        return
    sections = {"random machine": machine("numpy", "scipy"), "random summary": agreements(), "random remaining": remaining()}
    told(PAGE_OF_EXTREMES, sections, write=options.write)


def about_faults(options: argparse.Namespace) -> None:
    """Do every fault in a folder of its own."""
    found = {}
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    for name in options.only or faults.ROWS:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            try:
                found[name] = (name, faults.ROWS[name]())
            except Exception as fault:  # noqa: BLE001 - a drill that breaks is a row too
                found[name] = (name, f"the drill itself failed: {type(fault).__name__} {fault}"[:200])
        print(*found[name], sep=": ", flush=True)
    both = kept(PAGE_OF_FAULTS, "faults") | found
    listed = table(("fault", "what happened"), [both[name] for name in faults.ROWS if name in both])
    told(PAGE_OF_FAULTS, {"faults": (listed, machine("numpy", "PySpice"))}, write=options.write)


def about_fuzz(options: argparse.Namespace) -> None:
    """Mutate the input of every reader."""
    from hostile_zoo import READERS

    seconds, found = int(options.seconds or 60), {}
    for name in options.only or READERS:
        found[name] = fuzzing.row(name, seconds)
        print(*found[name], sep=": ", flush=True)
    both = kept(PAGE_OF_FAULTS, "fuzz") | found
    listed = table(("reader", "inputs tried", "branches reached", "found"), [both[name] for name in READERS if name in both])
    said = f"{seconds} s for each reader. {machine('atheris', 'numpy')}"
    told(PAGE_OF_FAULTS, {"fuzz": (listed, said)}, write=options.write)


TABLES = {"extremes": about_extremes, "random": about_random, "faults": about_faults, "fuzz": about_fuzz}


def main() -> None:
    """One table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--write", action="store_true", help="keep the numbers, and write them into the page")
    parser.add_argument("--only", nargs="+", help="some rows; with --write the others are kept")
    parser.add_argument("--part", default="0/1", metavar="K/N", help="extremes: every N-th run, from the K-th")
    parser.add_argument("--family", choices=random_problems.FAMILIES, help="random: compute what is missing of one family")
    parser.add_argument("--engine", choices=("block", "ngspice"), default="block", help="random")
    parser.add_argument("--workers", type=int, default=2, help="random")
    parser.add_argument("--most", type=int, help="random: no more than so many problems")
    parser.add_argument("--seconds", type=float, help="random: stop after these (480); fuzz: for each reader (60)")
    options = parser.parse_args()
    TABLES[options.table](options)


if __name__ == "__main__":
    main()
