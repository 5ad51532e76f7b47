"""What happens at the extremes: every form of every family, in both engines and in parts, through the command line.

Every run is ``analogflow solve --json`` with warnings as errors and a time limit. It must end in an answer that its checks
and, where there is one, a formula confirm; or in one sentence, with the exit code that says so. Anything else is a fault.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from stress import extreme_motion, extreme_optima
from stress.extreme_optima import Case

from analogflow.cli import main as command_line

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
        before = signal.signal(signal.SIGALRM, _hang)
        timer = signal.setitimer(signal.ITIMER_REAL, LIMIT)  # whoever calls may have a limit of its own
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
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, *timer)
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
