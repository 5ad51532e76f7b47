"""What happens at the extremes: every form of every family, in both engines and in parts, through the command line.

    python benchmarks/extremes.py                   what is not in the cache yet, then the tables
    python benchmarks/extremes.py --write           the tables of what is in the cache, into docs/extremes.md
    python benchmarks/extremes.py --part 0/2        half of the runs only; the cache is build/extremes/

Every run is ``analogflow solve --json`` with warnings as errors and a time limit. It must end in an answer that its checks
and, where there is one, a formula confirm; or in one sentence, with the exit code that says so. Anything else is a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import re
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import extreme_motion
import extreme_optima
import numpy as np
from extreme_optima import Case
from tables import Table, machine, shown, store, table

from analogflow.cli import main as command_line

ROOT = Path(__file__).parents[1]
DOCUMENT, CACHE = ROOT / "docs/extremes.md", ROOT / "build/extremes"
LIMIT = 120
"""Seconds after which a run counts as hung."""

FORMS = {
    "capacity": ("logdomain", "accelerated", "replicator", "normalised", "printed"),
    "rate-distortion": ("logdomain", "gibbs", "logarithmic"),
    "transport": ("potential", "scaling"),
    "attention": ("softmax", "zero-temperature"),
    "hopfield": ("relaxation",),
    "langevin": ("overdamped",),
}
CARRIED = {"capacity": "logdomain", "rate-distortion": "logarithmic", "transport": "scaling"}
"""Form that is tried in parts."""

CLOSE = 1e-6
"""Largest difference from a formula, relative to 1 or to the formula's value, that is right in an ideal circuit."""


class Hung(BaseException):
    """Raised by the alarm."""


def cases() -> list[Case]:
    """All of them."""
    families: tuple[Any, ...] = (extreme_optima.capacity, extreme_optima.rate_distortion, extreme_optima.transport)
    families += (extreme_motion.attention, extreme_motion.hopfield, extreme_motion.langevin)
    return [case for family in families for case in family()]


def runs(case: Case) -> Iterator[tuple[str, str, str]]:
    """Form, technology and engine of every run of a case."""
    for form in FORMS[case.family]:
        yield form, "ideal", "block"
        yield form, "ideal", "ngspice"
    for technology in case.parts:
        yield CARRIED[case.family], technology, "ngspice"


def happened(case: Case, form: str, technology: str, engine: str) -> dict[str, Any]:
    """Exit code, kind of end and sentence of one run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "problem.json")
        path.write_text(json.dumps(case.keys))
        asked = ["solve", case.family, str(path), "--form", form, "--technology", technology, "--engine", engine, "--json"]
        out, err = io.StringIO(), io.StringIO()
        signal.signal(signal.SIGALRM, _hang)
        signal.alarm(LIMIT)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                warnings.simplefilter("error")
                code = command_line([*asked, *case.options])
        except Hung:
            return {"code": -1, "end": "FAULT", "said": f"still running after {LIMIT} s"}
        except Exception as fault:  # noqa: BLE001 - a traceback is what is looked for
            last = traceback.extract_tb(fault.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            return {"code": -1, "end": "FAULT", "said": f"{type(fault).__name__} at {where}: {fault}"}
        finally:
            signal.alarm(0)
        return judged(case, technology, code, out.getvalue(), err.getvalue().replace(folder + "/", ""))


def _hang(*_: Any) -> None:
    raise Hung


def judged(case: Case, technology: str, code: int, out: str, err: str) -> dict[str, Any]:
    """What a run printed, held against what it may print."""
    if code and not out:
        said = err.strip().removeprefix("analogflow: ")
        sentence = err.startswith("analogflow: ") and err.count("\n") == 1 and "Traceback" not in err
        return {"code": code, "end": "refused" if sentence else "FAULT", "said": said}
    if err:
        return {"code": code, "end": "FAULT", "said": f"on standard error: {err}"}
    found = json.loads(out)
    failed = [f"{check['name']}: {check['detail']}" for check in found["checks"] if not check["passed"]]
    errors = {name: value for name, value in found["errors"].items() if value is not None}
    result = {"code": code, "gap": found["reference"]["gap"], "errors": errors}
    if code == 0 and not failed:
        wrong = [] if technology != "ideal" else unlike(case.known, found["answer"], found["errors"])
        if wrong or found["reference"]["gap"] is None:
            return {**result, "end": "FAULT", "said": "passes, but " + "; ".join(wrong or ["the reference has no gap"])}
        return {**result, "end": "right", "said": found["checks"][0]["detail"]}
    if code == 1 and failed:
        settled = found["checks"][0]["passed"]
        return {**result, "end": "caught" if settled else "not settled", "said": failed[0]}
    return {**result, "end": "FAULT", "said": f"exit code {code} with {failed}"}


def unlike(known: Any, answer: Any, errors: Any) -> list[str]:
    """Names of an answer that differ from a formula; a law's mean may be off by its own standard errors."""
    wrong = []
    for name, value in known.items():
        wanted, got = np.asarray(value, dtype=float), np.asarray(answer[name], dtype=float)
        allowed = CLOSE * max(1.0, float(abs(wanted).max())) + 4 * (errors.get(f"{name}_standard_error") or 0.0)
        if not abs(got - wanted).max() <= allowed:
            wrong.append(f"{name} is {got.tolist()} and should be {wanted.tolist()}")
    return wrong


def key(case: Case, run: tuple[str, str, str]) -> str:
    """Name of a run in the cache."""
    return hashlib.sha256(json.dumps([case.family, case.keys, case.options, run]).encode()).hexdigest()[:20]


def computed(part: int, parts: int, only: str | None) -> None:
    """Fill the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [(case, run) for case in cases() if only in (None, case.family) for run in runs(case)]
    for case, run in wanted[part::parts]:
        place = CACHE / f"{key(case, run)}.json"
        if not place.exists():
            found = happened(case, *run)
            place.write_text(json.dumps(found))
            print(case.family, "|", case.asked, "|", *run, "|", found["end"], found["code"], found["said"][:160], flush=True)


def rows(family: str) -> list[tuple[str, ...]]:
    """Rows of a family's table: runs of a case that end alike share one."""
    made = []
    for case in [case for case in cases() if case.family == family]:
        groups: dict[tuple[str, int, str], list[tuple[str, dict[str, Any]]]] = {}
        for run in runs(case):
            place = CACHE / f"{key(case, run)}.json"
            if not place.exists():
                continue
            found = json.loads(place.read_text())
            said = found["said"] if found["end"] != "right" else ""
            alike = (found["end"], found["code"], re.sub(r"[\d.e+−-]*\d[\d.e+−-]*", "#", said.replace(run[0], "FORM")))
            groups.setdefault(alike, []).append((_label(run), found))
        for (end, code, _), members in groups.items():
            who = _merged([label for label, _ in members], [_label(run) for run in runs(case)])
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


def summary() -> Table:
    """How many runs ended how, by family."""
    ends = ("right", "refused", "not settled", "caught by a check", "FAULT")
    made = []
    for family in FORMS:
        places = [CACHE / f"{key(case, run)}.json" for case in cases() if case.family == family for run in runs(case)]
        found = [json.loads(place.read_text()) for place in places if place.exists()]
        kinds = ["caught by a check" if one["end"] == "caught" else one["end"] for one in found]
        made.append((family, str(len(kinds)), *(str(kinds.count(end)) for end in ends)))
    total = [str(sum(int(row[k]) for row in made)) for k in range(1, len(ends) + 2)]
    return table(("family", "runs", *ends[:-1], "anything else"), [*made, ("all", *total)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write the tables into {DOCUMENT.name}")
    parser.add_argument("--part", default="0/1", metavar="K/N", help="every N-th run, from the K-th; tables only for 0/1")
    parser.add_argument("--only", choices=sorted(FORMS), help="runs of one family")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    if not options.write:
        computed(part, parts, options.only)
    if parts > 1 or options.only:
        return
    head = ("asked", "form and engine, or parts", "what happens", "in words", "exit code")
    sections = {"extremes machine": machine("numpy", "scipy"), "extremes summary": summary()}
    sections |= {f"extremes {family}": table(head, rows(family)) for family in FORMS}
    for name, body in sections.items():
        print(f"{name}\n{shown(body)}\n")
    if options.write:
        store(DOCUMENT, sections)


if __name__ == "__main__":
    main()
