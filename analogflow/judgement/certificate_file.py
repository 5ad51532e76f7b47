"""Certificates as files: what was asked, the path that a run took, and what was found of it; read back, it is found anew.

Whoever has such a file needs no simulator and no circuit: the problem, its reference and every error are computed again.
What is taken as it stands is the path itself, and what the engine said of how it ended. The digest tells whether a file is
as it was written; it is no signature, as anybody can compute one.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_finite, is_positive
from analogflow.contents import parse_keys, plain, read_text, refuse_existing, refuse_placeless, write_text
from analogflow.errors import BadInput
from analogflow.families import family_of, flow_of
from analogflow.families.files import keys_of, problem_of_keys
from analogflow.families.stationary import MOST_POINTS
from analogflow.flows import Flow
from analogflow.judgement.certificate import Certificate, Terms, certified_on
from analogflow.run import IDEAL_ACCURACY, Creep, Outcome, Run

__all__ = ["Recheck", "certificate_text", "check_certificate", "refuse_certificate", "write_certificate"]

Array = NDArray[np.float64]

_FORMAT, _LAYOUT = "analogflow certificate", 1

_PARTS = {_FORMAT: int, "flow": str, "form": str, "problem": dict, "terms": dict, "run": dict, "found": dict, "made": dict,
          "digest": str}  # fmt: skip
_OF_RUN = {"outcome": str, "detail": str, "creep": dict | None, "record": dict, "chains": list}
_FOUND = {"answer": dict, "reference": dict, "gap": float | None, "errors": dict, "checks": list, "passed": bool}
_CHECK = {"name": str, "verdict": str, "detail": str}

_RECORD = ("skipped", "noise_step")
"""What is read of a run's record where it is judged."""

_SAME, _SHARE = 1e-9, 1e-3
"""Numbers agree within this of their size, as libraries of other machines round otherwise, or within this share of what
checks of ideal circuits let pass."""


_SAME_TIME = 1e-6
"""Ends of a run and of its problem agree within this, as engines count in seconds."""

_WRITE = "make one by write_certificate of a solution."

_DIFFERENT = "is not as it was written: its digest does not fit; ask for it anew where it came from."

_END = "\n}"

_MOST_MADE, _LINES = 64, str.maketrans("", "", "\n\t")

_MOST = 64 * 2**20
"""Characters of a file, as large as any that is read."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recheck:
    """A certificate from a file beside what its problem and its path give now.

    Parameters
    ----------
    certificate : Certificate
        Computed now.
    terms : Terms
        What the run is held to.
    stated : mapping
        What the file says was found: answer, reference, gap, errors, checks, passed.
    problem : object
        What was asked.
    made : mapping
        What the file says of the circuit, the engine and the versions behind it, which nothing here can confirm.
    differences : tuple of str
        What the file states and now comes out otherwise, a sentence each.
    """

    certificate: Certificate
    terms: Terms
    stated: Mapping[str, Any]
    problem: Any
    made: Mapping[str, Any]
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all that the file states comes out again, and every check passes."""
        return not self.differences and self.certificate.passed

    @property
    def verdict(self) -> str:
        """What that says, in a sentence."""
        if self.differences:
            return f"The file states what does not come out: {'; '.join(self.differences)}."
        if not self.certificate.passed:
            return f"Every number comes out again, and the answer does not pass: {self.certificate.verdict}."
        return "Every number comes out again from the problem and the path alone, and all checks pass."

    def to_dict(self) -> dict[str, Any]:
        """The same in plain lists, names and numbers."""
        found = {"found": _found(self.certificate), "stated": self.stated, "made": self.made, "terms": self.terms}
        return plain({"passed": self.passed, "verdict": self.verdict, "differences": self.differences, **found})

    def __repr__(self) -> str:
        return f"Recheck({self.verdict})"


def certificate_text(certificate: Certificate, flow: Flow, run: Run, made: Mapping[str, Any]) -> str:
    """Content of the file of a certificate of `run`, a run of some circuit of `flow`.

    Chains of a law are written at even times, as many as the law is read at, and what is found is of these.

    Raises
    ------
    BadInput
        The problem is none that a file can hold, or the path is longer than a file may be.
    """
    if flow.averaging is not None and certificate.terms is not None and (slim := _evenly(run)) is not run:
        certificate, run = certified_on(certificate.terms, flow, slim), slim
    record = {name: float(run.record[name]) for name in _RECORD if name in run.record}
    needed, problem = _needed(flow), keys_of(flow.problem)
    if "time" in problem and _ends_elsewhere(flow, run):
        problem["time"] = float(run.time[-1])  # what was answered
    body = {
        _FORMAT: _LAYOUT,
        "flow": family_of(flow.problem).name,
        "form": flow.form,
        "problem": problem,
        "terms": dataclasses.asdict(certificate.terms or Terms(math.nan)),
        "run": {
            "outcome": run.outcome.name,
            "detail": run.detail,
            "creep": None if run.creep is None else dataclasses.asdict(run.creep),
            "record": record,
            "chains": [_packed(run), *(_packed(chain, run.time, needed) for chain in run.chains)],
        },
        "found": _found(certificate),
        "made": dict(made),
    }
    text = _written(plain(body))
    if len(text) > _MOST:
        raise BadInput(
            f"the path of {run.time.size} points takes {len(text) / 2**20:.0f} MiB in a certificate, which may have "
            f"{_MOST // 2**20}; end the run earlier, or average over fewer chains."
        )
    return text


def refuse_certificate(problem: Any, path: str | Path, *, force: bool) -> None:
    """Refuse a file that could not be written, before work is spent on what it is to hold; raises as `write_certificate`."""
    if Path(path).suffix.lower() != ".json":
        raise BadInput(f"{str(path)!r}: a certificate must end in .json; give it this ending.")
    refuse_existing(path, force=force)
    refuse_placeless(path)
    if problem is None:
        raise BadInput("a certificate of a flow that is a function can not be a file; write the flow as equations.")
    keys_of(problem)


def write_certificate(solution: Any, path: str | Path, *, force: bool = False) -> Path:
    """Write the certificate of a `Solution` as JSON, at once or not at all.

    Raises
    ------
    BadInput
        The flow is a function, the path is too long, or the file exists and `force` is false, or can not be written.
    """
    refuse_certificate(solution.flow.problem, path, force=force)
    text = certificate_text(solution.certificate, solution.flow, solution.run, solution.made())
    return write_text(path, text, force=force, encoding="utf-8")


def check_certificate(path: str | Path) -> Recheck:
    """Compute all that a certificate's file states anew, from its problem and its path.

    Parameters
    ----------
    path : path
        As ``solve --certificate`` or `write_certificate` wrote it; nothing in it is run or evaluated but the expressions of
        a problem, as those of any problem file are, and no other file is read.

    Raises
    ------
    BadInput
        It is no certificate, not as it was written, of another layout, or its problem is none.
    """
    where = repr(str(path))
    text = read_text(path, what="a certificate")
    if not text.lstrip().startswith("{"):
        raise BadInput(
            f"{where} is neither a certificate, which is JSON, nor said to be a netlist; "
            "hold one against its flow by check_deck.",
            words=["hold one against its flow by check_deck"],
        )
    keys = parse_keys(text, str(path), json_text=True)
    if keys.get(_FORMAT) is True or keys.get(_FORMAT) != _LAYOUT:
        raise BadInput(f"{where} is no certificate of layout {_LAYOUT}; {_WRITE}", words=["write_certificate of a solution"])
    _refuse_other_keys(keys, _PARTS, where)
    if len(keys["made"]) > _MOST_MADE or not all(map(str.isprintable, _words(keys))):
        raise BadInput(
            f"{where}: it holds what no terminal should show, or over {_MOST_MADE} names in made; {_WRITE}",
            words=["write_certificate of a solution"],
        )
    _refuse_other_keys(keys["found"], _FOUND, f"{where}: found")
    for check in keys["found"]["checks"]:
        _refuse_other_keys(check if isinstance(check, dict) else {}, _CHECK, f"{where}: found.checks")
    body = text.removesuffix(f',\n "digest": "{keys["digest"]}"{_END}\n') + _END
    if keys["digest"] != _digest(body):
        raise BadInput(f"{where} {_DIFFERENT}")
    for given in keys["problem"].values():
        if isinstance(given, dict) and any(isinstance(each, dict) and "file" in each for each in given.values()):
            raise BadInput(f"{where}: its problem asks for another file, and a certificate has to hold all of it.")
    problem = problem_of_keys(keys["flow"], keys["problem"], where)
    flow, terms, run = flow_of(problem, keys["form"]), _terms(keys["terms"], where), _run(keys["run"], where)
    for chain in (run, *run.chains):
        if missing := sorted(_needed(flow).difference(chain.values)):
            raise BadInput(f"{where}: its path lacks {missing[0]!r}, a signal of the flow.")
        for name, state in flow.states.items():
            if chain.values[name].shape[1] != state.size:
                raise BadInput(
                    f"{where}: its path has {chain.values[name].shape[1]} of {name!r}, of which there are {state.size}."
                )
    certificate = certified_on(terms, flow, run)
    stated = keys["found"]
    differences = tuple(_differences(stated, plain(_found(certificate)), terms))
    if _ends_elsewhere(flow, run):
        asked = f"the problem asks for {flow.end_time:.9g} τ"
        differences = (f"the path ends at {run.time[-1]:.9g} τ, and {asked}", *differences)
    return Recheck(certificate, terms, stated, problem, keys["made"], differences)


def _words(value: Any) -> Iterator[str]:
    """All names and texts in nested keys, expressions of several lines without their ends."""
    if isinstance(value, str):
        yield value.translate(_LINES)
    elif isinstance(value, dict | list):
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from _words(inner)


def _written(body: Mapping[str, Any]) -> str:
    """The one text of a certificate, its digest included."""
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
    return f'{text.removesuffix(_END)},\n "digest": "{_digest(text)}"{_END}\n'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _needed(flow: Flow) -> set[str]:
    """Signals without which nothing is judged."""
    return {*flow.states, *flow.rests, flow.shows}


def _ends_elsewhere(flow: Flow, run: Run) -> bool:
    """Whether a run that ended well ended at another time than that at which the flow is read."""
    return flow.end_time is not None and run.outcome.ok and not math.isclose(run.time[-1], flow.end_time, rel_tol=_SAME_TIME)


def _found(certificate: Certificate) -> dict[str, Any]:
    """What was found, by the names of `_FOUND`."""
    return {
        "answer": certificate.answer,
        "reference": certificate.reference,
        "gap": certificate.reference_gap,
        "errors": certificate.errors,
        "checks": [{"name": check.name, "verdict": check.verdict, "detail": check.detail} for check in certificate.checks],
        "passed": certificate.passed,
    }


def _evenly(run: Run) -> Run:
    """The chains of a run at as many even times as a law is read at, where they have more than twice as many points."""
    chains = (run, *run.chains)
    most, end = MOST_POINTS // len(chains), min(float(chain.time[-1]) for chain in chains)
    if max(chain.time.size for chain in chains) <= 2 * most:
        return run
    times = np.linspace(0.0, end, most + 1)

    def slim(chain: Run) -> Run:
        values = {
            name: np.stack([np.interp(times, chain.time, signal) for signal in value.T], axis=1)
            for name, value in chain.values.items()
        }
        return dataclasses.replace(chain, time=times.copy(), values=values, chains=tuple(map(slim, chain.chains)))

    return slim(run)


def _packed(run: Run, time: Array | None = None, needed: Collection[str] = ()) -> dict[str, Any]:
    """A path: the first one whole, and of other chains what is judged, with their times where these are others."""
    values = {name: _base64(value) for name, value in run.values.items() if not needed or name in needed}
    same = time is not None and np.array_equal(run.time, time)
    return {"values": values} if same else {"time": _base64(run.time), "values": values}


def _base64(array: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f8").tobytes()).decode("ascii")


def _terms(given: Mapping[str, Any], where: str) -> Terms:
    _refuse_other_keys(given, {field.name: object for field in dataclasses.fields(Terms)}, f"{where}: terms")
    sound = is_positive(given["limit"]) and (given["accuracy"] is None or is_positive(given["accuracy"]))
    if not sound or not all(isinstance(given[name], bool) for name in ("noisy", "amplifiers")):
        raise BadInput(f"{where}: its terms hold no limit, or what is no number; ask for it anew where it came from.")
    return Terms(**given)


def _run(given: Mapping[str, Any], where: str) -> Run:
    _refuse_other_keys(given, _OF_RUN, f"{where}: run")
    if given["outcome"] not in Outcome.__members__:
        raise BadInput(
            f"{where}: run.outcome is {str(given['outcome'])[:40]!r}; there are: {', '.join(Outcome.__members__)}."
        )
    record, creep = given["record"], given["creep"]
    if set(record) - set(_RECORD) or not all(is_finite(value) for value in record.values()):
        raise BadInput(f"{where}: run.record may hold the numbers {' and '.join(_RECORD)} only.")
    names = [field.name for field in dataclasses.fields(Creep)]
    if creep is not None:
        _refuse_other_keys(creep, dict.fromkeys(names, object), f"{where}: run.creep")
        known: dict[str, Any] = {name: math.inf if value is None else value for name, value in creep.items()}
        creep = Creep(**known)
    if not given["chains"]:
        raise BadInput(f"{where}: run.chains is empty; it holds the path of the run.")
    first = _path(given["chains"][0], where)
    others = [_path(chain, where, first[0]) for chain in given["chains"][1:]]
    outcome = Outcome[given["outcome"]]
    chains = tuple(Run(time, values, outcome, record=record) for time, values in others)
    return Run(*first, outcome, given["detail"], record, creep, chains=chains)


def _path(given: Any, where: str, time: Array | None = None) -> tuple[Array, dict[str, Array]]:
    """Times and signals of a path, which may leave out times that are the first one's, `time`."""
    keys = set(given) | ({"time"} if time is not None else set()) if isinstance(given, dict) else set()
    if keys != {"time", "values"} or not isinstance(given["values"], dict):
        raise BadInput(f"{where}: each of run.chains holds time and values, and nothing else.")
    if time is None or "time" in given:
        time = _numbers(given["time"], where, "time")
    if not time.size or time[0] != 0 or not np.all(np.diff(time) > 0) or not np.isfinite(time[-1]):
        raise BadInput(f"{where}: the times of its path do not ascend from 0.")
    values = {}
    for name, text in given["values"].items():
        flat = _numbers(text, where, name)
        if not flat.size or flat.size % time.size:
            raise BadInput(f"{where}: the signal {name[:40]!r} has {flat.size} numbers at {time.size} times.")
        values[name] = flat.reshape(time.size, -1)
    return time, values


def _numbers(text: Any, where: str, name: str) -> Array:
    try:
        content = base64.b64decode(text, validate=True)
        return np.frombuffer(content, "<f8").astype(float)
    except (TypeError, ValueError, binascii.Error):
        raise BadInput(f"{where}: the signal {name[:40]!r} is no row of numbers in base64.") from None


def _refuse_other_keys(given: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Refuse keys that are not there, too many, or of another kind."""
    for name in (*known, *given):
        if name not in known or name not in given:
            raise BadInput(f"{where}: the key {name[:40]!r} is {'missing' if name in known else 'not known'}.")
        if not isinstance(given[name], known[name]):
            raise BadInput(f"{where}: the key {name!r} holds {type(given[name]).__name__}, which it may not.")


def _differences(stated: Mapping[str, Any], found: Mapping[str, Any], terms: Terms) -> Iterator[str]:
    """What is stated, and is not what is found."""
    for name in _FOUND:
        if name == "checks":
            given = [(check["name"], check["verdict"]) for check in stated[name]]
            here = [(check["name"], check["verdict"]) for check in found[name]]
            for check, now in zip(given, here, strict=False):
                if check != now:
                    yield f"“{check[0][:60]}: {check[1][:40]}” is stated, and “{now[0]}: {now[1]}” found"
            if len(given) != len(here):
                yield f"{len(given)} checks are stated, and {len(here)} found"
        else:
            # Not of what a file calls its limit: any number would come out again beside a large one.
            yield from _apart(name, stated[name], found[name], _SHARE * min(terms.limit, IDEAL_ACCURACY))


def _apart(name: str, stated: Any, found: Any, near: float) -> Iterator[str]:
    """Where two nested values differ, numbers by more than they may."""
    if isinstance(found, dict) and isinstance(stated, dict) and set(stated) == set(found):
        for key in found:
            yield from _apart(f"{name}.{key}", stated[key], found[key], near)
        return
    if isinstance(found, bool) or found is None or isinstance(found, str | dict):
        if stated is not found and stated != found:
            yield f"{name} is {str(stated)[:60]}, and {str(found)[:60]} is found"
        return
    try:
        if any(isinstance(number, bool | str | dict) for number in np.ravel(np.array(stated, dtype=object))):
            raise TypeError
        given, here = np.asarray(stated, dtype=float), np.asarray(found, dtype=float)
    except (TypeError, ValueError, OverflowError):
        given, here = np.empty(0), np.empty(1)
    if given.shape != here.shape:
        yield f"{name} has another shape than what is found"
        return
    with np.errstate(invalid="ignore"):
        size = np.nanmax(abs(here), initial=0.0)
        wrong = ~((abs(given - here) <= _SAME * size + near) | (given == here) | (np.isnan(given) & np.isnan(here)))
    if wrong.any():
        k = np.unravel_index(np.argmax(wrong), wrong.shape)
        yield f"{name}{list(map(int, k)) or ''} is {given[k]:.9g}, and {here[k]:.9g} is found"
