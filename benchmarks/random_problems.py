"""Thousands of random problems of every family, each solved by its circuit and held against its reference.

    python benchmarks/random_problems.py --family NAME   what is not computed yet of a family, in pieces that can be stopped
    python benchmarks/random_problems.py --write         the tables of all that is computed, into docs/extremes.md

Sizes, shapes and degeneracy vary: dense, sparse, nearly deterministic, repeated rows, narrow and wide. A problem is made
from its family and number alone. What was found lies in build/random/, one line for each problem.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tables import machine, table, written

import analogflow as af

ROOT = Path(__file__).parents[1]
DOCUMENT, CACHE = ROOT / "docs/extremes.md", ROOT / "build/random"
TOLERANCE = 1e-6
"""Largest error that the checks let pass, in nats, in probability, in coordinates, over the mass or the cost's range."""


def solved(family: str, engine: str, number: int, stream: int = 0) -> dict[str, Any]:
    """What came of one problem; forms take turns."""
    kind = FAMILIES[family]
    rng = np.random.default_rng([stream, kind.stream, number])
    problem, form = kind.make(rng), kind.forms[number % len(kind.forms)]
    asked = {"time_constants": LAW_TIME, "seed": number} if kind.law else {"accuracy": TOLERANCE}
    try:
        found = af.solve(problem, form=form, engine=engine, **asked)
    except af.AnalogflowError as fault:
        return {"number": number, "form": form, "end": "refused", "said": str(fault), "error": None}
    failed = [f"{check.name}: {check.detail}" for check in found.certificate.checks if not check.passed]
    settled = found.run.outcome.ok
    end = "agrees" if not failed else "disagrees" if settled else "not settled"
    if kind.law and end == "disagrees":  # a short run of a right law is refused by chance; a wrong law is by a longer one
        longer = af.solve(problem, form=form, engine=engine, seed=number)
        end = "agrees when longer" if longer.passed else end
    return {"number": number, "form": form, "end": end, "said": "; ".join(failed), "error": error_of(found)}


def error_of(found: af.Solution) -> float:
    """The error that the family is judged by."""
    errors = found.certificate.errors
    return max(
        float(errors[name]) for name in ("capacity_nats", "lagrangian_nats", "plan", "tokens", "mean") if name in errors
    )


def _task(task: tuple[str, str, int]) -> dict[str, Any]:
    return solved(*task)


def place(family: str, engine: str) -> Path:
    """File of what was found."""
    return CACHE / f"{re.sub('[^a-z]+', '_', family)}.{engine}.jsonl"


def kept(family: str, engine: str) -> Iterator[dict[str, Any]]:
    """What was found."""
    if place(family, engine).exists():
        yield from map(json.loads, place(family, engine).read_text().splitlines())


def computed(family: str, engine: str, workers: int, seconds: float, most: int | None) -> None:
    """Solve what is not solved yet, until the time is over."""
    CACHE.mkdir(parents=True, exist_ok=True)
    done, asked = {one["number"] for one in kept(family, engine)}, getattr(FAMILIES[family], engine)
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


def summary() -> str:
    """How many agree, for each family and engine."""
    rows = []
    for family, kind in FAMILIES.items():
        for engine in ("block", "ngspice"):
            found = list(kept(family, engine))
            ends = [one["end"] for one in found]
            errors = [one["error"] for one in found if one["end"] == "agrees"]
            allowed = "standard errors" if kind.law else f"{TOLERANCE:g}"
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


def remaining() -> str:
    """Every problem that did not agree for a reason of its own, by reason."""
    reasons: dict[tuple[str, str, str], list[int]] = {}
    for family in FAMILIES:
        for engine in ("block", "ngspice"):
            for one in kept(family, engine):
                if one["end"] != "agrees":
                    said = re.sub(r"\d[\d.e+-]*", "#", one["said"].split("; ")[0]).replace("|", "\\|")
                    reasons.setdefault((f"{family}, {engine}", one["end"], said), []).append(one["number"])
    rows = [(*key, str(len(numbers)), ", ".join(map(str, numbers[:5]))) for key, numbers in reasons.items()]
    return table(("family, engine", "end", "reason", "problems", "the first of them"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write the tables into {DOCUMENT.name}")
    parser.add_argument("--family", choices=FAMILIES, help="compute what is missing of one family")
    parser.add_argument("--engine", choices=("block", "ngspice"), default="block")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=480.0, help="stop after these (480), to go on another time")
    parser.add_argument("--most", type=int, help="no more than so many problems")
    options = parser.parse_args()
    if options.family:
        computed(options.family, options.engine, options.workers, options.seconds, options.most)
        return
    sections = {"random machine": machine("numpy", "scipy"), "random summary": summary(), "random remaining": remaining()}
    for name, body in sections.items():
        print(f"{name}\n{body}\n")
        if options.write:
            written(DOCUMENT, name, body)


if __name__ == "__main__":
    main()
