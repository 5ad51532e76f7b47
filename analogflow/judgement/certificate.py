"""What a run is worth: its answer in the problem's terms, the reference, the errors, and checks that passed or did not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_positive
from analogflow.circuit import Circuit
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import judging_family, problem_of, reference_for, reference_of
from analogflow.families.ends import FAILED, NOT_EXACT, NOT_MIXED, PASSED, UNCERTIFIED, UNDECIDED, Check, is_exact
from analogflow.families.motion import Motion, motion_of
from analogflow.families.stationary import ACCURACY, Law
from analogflow.families.wells import WellHeld
from analogflow.flows import Flow
from analogflow.judgement.judging import judge, judge_run
from analogflow.run import IDEAL_ACCURACY, Outcome, Run
from analogflow.simulators.ending import swings

__all__ = [
    "TRIMMED",
    "TRIMMED_ELSEWHERE",
    "Certificate",
    "Check",
    "Terms",
    "all_end_well",
    "allowed_error",
    "certificate_of",
    "certified_on",
    "certify",
    "ends_well",
    "terms_of",
    "time_needed",
]

Array = NDArray[np.float64]

_IMPERFECT_ACCURACY = 0.05
"""Largest error that checks of an imperfect or noisy circuit let pass where no accuracy is asked for."""

TRIMMED, TRIMMED_ELSEWHERE = 1e-3, 5e-3
"""Largest error of a trimmed board where it was trimmed, and at any other temperature, where no accuracy is asked for."""

_COARSEST = 0.1
"""Largest error that checks of a circuit of parts let pass because its flow is sensitive to them."""


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a run of a circuit is held to.

    Parameters
    ----------
    limit : float
        Largest error that passes.
    accuracy : float, optional
        What was asked for; None where nothing was.
    noisy : bool
        Whether the answer fluctuates.
    amplifiers : bool
        Whether signals are voltages of amplifiers, which have rails.
    """

    limit: float
    accuracy: float | None = None
    noisy: bool = False
    amplifiers: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Certificate:
    """Judgement on a run.

    Parameters
    ----------
    answer : mapping
        The run's answer in the problem's terms: name to number or list.
    reference : mapping
        The reference's answer under the same names.
    reference_gap : float
        Certified width of the interval that holds the true optimum.
    errors : mapping of name to float
        Differences from the reference, and departures from what the answer must satisfy.
    checks : tuple of Check
        The first says how the run ended. A state that still creeps is no fault where the other checks prove the answer.
    time_needed : float, optional
        Length of a run, in τ, after which an answer that still creeps would be right; None where it rests, or where that
        can not be seen.
    law : Law, optional
        Of a run whose answer is one: what was read off it.
    notes : tuple of str
        Sentences on the answer that no check speaks of.
    wells : tuple of WellHeld
        What its chains tell of each well of the energy, where there are several.
    motion : Motion, optional
        Of a run that swings: how, and how the reference does.
    terms : Terms, optional
        What the run was held to, of a circuit that is known.
    """

    answer: Mapping[str, Any]
    reference: Mapping[str, Any]
    reference_gap: float
    errors: Mapping[str, float]
    checks: tuple[Check, ...]
    time_needed: float | None = None
    law: Law | None = None
    notes: tuple[str, ...] = ()
    wells: tuple[WellHeld, ...] = ()
    motion: Motion | None = None
    terms: Terms | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        errors = ", ".join(f"{name} {value:.2g}" for name, value in self.errors.items())
        return f"{errors}; {self.verdict}"

    @property
    def verdict(self) -> str:
        """All checks in a line: those that failed, and those that could not tell, by their names."""
        said = [
            f"{verdict}: {', '.join(names)}"
            for verdict in (FAILED, NOT_MIXED, UNDECIDED, UNCERTIFIED)
            if (names := [check.name for check in self.checks if check.verdict == verdict])
        ]
        until = dict.fromkeys(check.verdict for check in self.checks if check.passed and check.verdict != PASSED)
        return "; ".join(said) or "; ".join(until) or "all checks passed"


def certify(problem: Any, run: Run, *, limit: float = IDEAL_ACCURACY, accuracy: float | None = None) -> Certificate:
    """Hold the end of `run` against the exact reference of `problem`.

    Parameters
    ----------
    problem : Channel, RateDistortion, Attention, Transport, Hopfield, Langevin, Equations, Flow
        A flow of one's own, without a problem, is held against integrations of its function.
    run : Run
    limit : float
        Largest error a check lets pass, in nats, in probability and in coordinates.
    accuracy : float, optional
        Of a law: the error that its checks must be able to find, in standard deviations, or "too few samples to tell"; a
        quarter if not given.

    Raises
    ------
    BadInput
        No family knows this kind of problem, or the accuracy is no positive number. Of a family without a reference nothing
        is certified, and the checks say so.
    """
    check_accuracy(accuracy)
    family = judging_family(problem)
    reference = reference_for(problem, float(run.time[-1]))
    ended = Check(family.ended, run.outcome.ok, f"{run.outcome.value} {run.detail}".strip())
    if reference is None:
        shown = family.flow(problem).shows
        nothing = Check("the answer is known", False, f"the family {family.name} has no exact reference.", UNCERTIFIED)
        return Certificate({shown: run.final[shown].tolist()}, {}, math.nan, {}, (ended, nothing))
    if family.held_as_law is not None and family.law(problem):
        held = family.held_as_law(problem, reference, run, limit, ACCURACY if accuracy is None else accuracy)
        law, errors, others, wells = held
        answer = {"mean": law.mean.tolist(), "covariance": law.covariance.tolist()}
    else:
        law, wells = None, ()
        judged = judge_run(problem, run, limit=limit)
        answer, errors = family.answer(problem, reference, run), judged.listed()
        others = judged.checks()
    needed = time_needed(problem, run, limit)
    checks = (_ending(problem, run, ended, others, limit, needed), *others)
    notes = tuple(family.notes(problem, reference)) if family.notes else ()
    if not is_exact(reference):
        notes = (*notes, NOT_EXACT)
    return Certificate(
        answer, family.exact(problem, reference), reference.gap, errors, checks, needed, law, notes, tuple(wells)
    )


_NO_RATE = 1e-12
"""Rate, per τ, below which a reference knows of none: several answers, or an approach like 1/t."""

_FAR = 10.0
"""How far from right an answer is taken to be, in its own size, when nothing can be seen of its slowest rate."""

_LATE, _LOOKS = 0.75, 256
"""Share of a run after which it is looked at for swings, and at how many points at most."""

_MARGIN = 1.25
"""By which a time that was read off a path is longer: the rate behind it is no better known."""


def certificate_of(circuit: Circuit, run: Run, accuracy: float | None = None) -> Certificate:
    """Certificate of a run of `circuit`, held to an accuracy as `solve` takes it."""
    return certified_on(terms_of(circuit, accuracy), circuit.flow, run)


def terms_of(circuit: Circuit, accuracy: float | None = None) -> Terms:
    """What runs of `circuit` are held to."""
    amplifiers = circuit.parts is not None and bool(circuit.units.scales)
    return Terms(allowed_error(circuit, accuracy), accuracy, circuit.noisy, amplifiers)


def certified_on(terms: Terms, flow: Flow, run: Run) -> Certificate:
    """Certificate of a run of some circuit of `flow`; nothing of the circuit is asked but its terms."""
    problem = problem_of(flow)
    certificate = certify(problem, run, limit=terms.limit, accuracy=terms.accuracy)
    if run.outcome.ok and flow.end_time is not None and not terms.noisy:
        motion = motion_of(flow, reference_for(problem, float(run.time[-1])), run, terms.limit)
        if motion is not None:
            checks = (*certificate.checks, *motion.checks)
            certificate = dataclasses.replace(certificate, motion=motion, checks=checks)
    if terms.amplifiers:
        met = run.outcome is Outcome.MET_RAIL
        rails = Check("no amplifier meets its rail", not met, run.detail if met else "")
        certificate = dataclasses.replace(certificate, checks=(*certificate.checks, rails))
    return dataclasses.replace(certificate, terms=terms)


def check_accuracy(accuracy: float | None) -> None:
    """Refuse an accuracy that is no positive number; None is one that was not given."""
    if accuracy is not None and not is_positive(accuracy):
        raise BadInput(f"accuracy: {accuracy!r} is not a positive number; give the largest error that may pass.")


def allowed_error(circuit: Circuit, accuracy: float | None = None) -> float:
    """Largest error that checks of a run of `circuit` let pass.

    It is what is given, or the circuit's own accuracy, or that of imperfect ones, or of trimmed ones.
    """
    check_accuracy(accuracy)
    if circuit.flow.averaging is not None and circuit.nominal:
        return circuit.accuracy  # beside standard errors nothing is off; the accuracy asked for limits those
    if accuracy is not None:
        return accuracy
    trimmers = circuit.conditions.trimmers
    if trimmers is not None and trimmers.volts and not circuit.noise.plays:
        return TRIMMED if circuit.temperature_kelvin == trimmers.kelvin else TRIMMED_ELSEWHERE
    if not circuit.nominal:
        return _IMPERFECT_ACCURACY
    if circuit.parts is None:
        return circuit.accuracy
    # Parts err in the rates; where that shifts the answer by more than a tenth of it, a circuit is no answer, and fails.
    return max(circuit.accuracy, min(circuit.accuracy * circuit.flow.sensitivity, _COARSEST))


def _ending(problem: Any, run: Run, ended: Check, others: Sequence[Check], limit: float, needed: float | None) -> Check:
    """The check on how a run ended, given all other checks on it.

    A deterministic run may still creep where the other checks say by themselves how far its answer is from right, as those
    of some families do: both is said, and the answer is judged. One that swings without end has to pass all the way of its
    last swings. Elsewhere it is said how fast it creeps, and for how long
    it would have to run.

    Parameters
    ----------
    problem : object
    run : Run
    ended : Check
        Whether the run ended as it was asked to.
    others : sequence of Check
    limit : float
        Largest error that the checks let pass.
    needed : float, optional
        As `time_needed` says.
    """
    if run.creep is None or ended.passed:
        return ended
    if run.detail:  # it was stopped while it still had far to go, and says so
        return ended
    why = judging_family(problem).why_slow(problem, _slowest(problem)) if run.outcome is Outcome.ALGEBRAIC else ""
    moves = "still swings to and fro, at up to" if run.creep.swings else "still creeps at"
    creeps = f"{moves} {run.creep.speed:.2g} per τ after {run.time[-1]:g} τ"
    stands = not run.creep.swings or _swings_within(problem, run.time, run.values, limit)
    if stands and ends_well(problem, run.outcome, all(check.passed for check in others)):
        return Check(ended.name, True, f"The state {creeps}; {why}the answer is certified to {limit:g} as it stands.")
    seen = "no end of that can be seen" if needed is None else f"about {needed:g} τ are needed"
    if needed is None and "time" in judging_family(problem).keys:
        seen += "; if its path is the answer, give it an end time (time = …)"
    return dataclasses.replace(ended, detail=f"{ended.detail} It {creeps}; {why}{seen}.")


def ends_well(problem: Any, outcome: Outcome, passed: bool, detail: str = "") -> bool:
    """Whether an outcome is no fault of a run all of whose other checks `passed`, or failed: the rule of `_ending`.

    What creeps is none, if its family can tell how fast; with a `detail` it was stopped while it still had far to go.
    """
    return outcome.ok or (outcome.creeps and not detail and passed and judging_family(problem).slowest is not None)


def all_end_well(flow: Flow, runs: Run, passed: NDArray[np.bool_], limit: float) -> list[bool]:
    """The same for many samples, by what each passed; what swings without end has to pass all the way."""
    problem = problem_of(flow)

    def strays(k: int) -> bool:
        # Of samples of which nothing was saved, the ends alone are known.
        if not (runs.outcomes[k].creeps and len(runs.time)):
            return False
        if not swings(runs.time, np.hstack([runs.values[name][k] for name in flow.rests])):
            return False
        return not _swings_within(problem, runs.time, {name: value[k] for name, value in runs.values.items()}, limit)

    told = zip(runs.outcomes, passed, runs.details, strict=True)
    well = [ends_well(problem, outcome, bool(held), detail) for outcome, held, detail in told]
    return [good and not strays(k) for k, good in enumerate(well)]


def _swings_within(problem: Any, times: Array, values: Mapping[str, Array], limit: float) -> bool:
    """Whether all of the last quarter of a path passes: a swing may cross its answer just as it ends."""
    late = np.flatnonzero(times >= _LATE * times[-1])
    late = late[:: len(late) // _LOOKS + 1]
    finals = {name: value[late] for name, value in values.items()}
    return bool(judge(problem, finals, limit=limit, end=float(times[-1])).passed.all())


def time_needed(problem: Any, run: Run, limit: float) -> float | None:
    """Length of a run in τ, to two digits, after which what moves here would be within `limit` of where it goes.

    The rate is the slowest that the problem's reference knows, or the one that the end of the path shows; None where there
    is neither, where the run came to rest, or where it swings without end.
    """
    creep, end = run.creep, float(run.time[-1])
    if creep is None or creep.swings:
        return None
    aim = limit * creep.size
    if creep.power:
        return _rounded(end * max(creep.left / aim, 1.0) ** (1 / creep.power))
    slowest = _slowest(problem)
    if slowest > _NO_RATE:
        # A path that has not come near its answer shows nothing of the slowest rate, nor how far it has to go.
        return _rounded(end + math.log(_FAR / limit) / slowest)
    if not creep.rate > 0 or not math.isfinite(creep.left):
        return None
    near = min(aim, creep.resting / creep.rate) if creep.resting else aim
    return _rounded(end + _MARGIN * max(math.log(creep.left / near), 1.0) / creep.rate)


def _slowest(problem: Any) -> float:
    """Slowest rate at the answer, per τ, as far as a reference knows it; else 0."""
    slowest = judging_family(problem).slowest
    try:
        rate = 0.0 if slowest is None else slowest(problem, reference_of(problem))
    except (AnalogflowError, np.linalg.LinAlgError):
        return 0.0
    return rate if math.isfinite(rate) else 0.0


def _rounded(time: float) -> float | None:
    """The next time of two digits."""
    if not math.isfinite(time):
        return None
    digit = 10.0 ** (math.floor(math.log10(time)) - 1)
    return float(f"{math.ceil(time / digit) * digit:.2g}")
