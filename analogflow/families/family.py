"""What a family of flows is: one record of all that the rest of the house asks about it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput, call_theirs
from analogflow.families.ends import Held, RunEnds, Worth, largest, sizes_of
from analogflow.families.path import path_answer, path_errors, path_exact, path_expected, path_followed, path_held
from analogflow.families.stationary import LawHeld, known_to
from analogflow.families.trade_off import TradeOff
from analogflow.flows import Flow, differences
from analogflow.run import Run

__all__ = ["Contest", "Family", "contest_of_law", "contest_of_path"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Contest:
    """One measure of error for every contender of a problem: the errors that runs are judged by, unless it has its own.

    Parameters
    ----------
    measure : str
        What the error is, in a few words.
    unit : str
        Of the error.
    full_scale : float
        Error that is as large as an answer can be: effective bits are log₂(full_scale/error).
    usual : float
        Accuracy that is asked for where none is given.
    signals : tuple of str
        Of a circuit: what its answer is read from.
    errors : mapping of str to float
        Names of the errors that count, as the family computes them, and what each counts in; the largest is the answer's.
    gap : float
        What is added, as far as the reference itself may be off.
    read : callable
        ``read(answer)``: signals by name, of an answer as digital contenders give it; the only signal if not given.
    away : callable, optional
        ``away(signals)``: errors of signals of shape (samples, size), shape (samples,), where the family's own count what
        only runs have.
    """

    measure: str
    unit: str = ""
    full_scale: float
    usual: float = 1e-3
    signals: tuple[str, ...]
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    gap: float = 0.0
    read: Callable[[Any], Mapping[str, Any]] | None = None
    away: Callable[[Mapping[str, Array]], Array] | None = None

    def signals_of(self, answer: Any) -> dict[str, Array]:
        """Signals of one answer, each of shape (1, size)."""
        found = {self.signals[0]: answer} if self.read is None else self.read(answer)
        return {name: np.asarray(value, dtype=float).reshape(1, -1) for name, value in found.items()}


def contest_of_path(family: Family, problem: Any, reference: Callable[[], Any]) -> Contest:
    """Of a signal that the reference knows: what the flow shows.

    A run's error counts in the full scale of its path. Contenders have none, only its end, so that theirs is in flow units.
    """
    flow = family.flow(problem)
    if family.reference is None:
        raise BadInput(f"compare: the family {family.name} has no reference, so that no error can be measured.")
    known = reference()
    exact = np.ravel(known.values[flow.shows])
    return Contest(
        measure=f"largest error of a component of {flow.shows}",
        full_scale=2 * float(abs(exact).max(initial=0.0)) or 1.0,
        signals=(flow.shows,),
        gap=known.gap,
        away=lambda signals: largest(differences(flow.keeps, signals, {flow.shows: exact})[flow.shows]),
    )


def contest_of_law(law: Any) -> Contest:
    """Of (mean, covariance) against those of a reference.

    A run's errors are held against the standard errors of its averages. An answer without a run has none, so that here they
    count in the law's own standard deviations, element by element.
    """
    widths = np.sqrt(np.diag(law.covariance))
    squares = np.outer(widths, widths)

    def away(signals: Mapping[str, Array]) -> Array:
        means = abs(signals["mean"] - law.mean) / widths
        spreads = abs(signals["covariance"].reshape(-1, *squares.shape) - law.covariance) / squares
        return np.maximum(means.max(axis=1), spreads.max(axis=(1, 2)))

    return Contest(
        measure="largest error of a mean or covariance, in standard deviations and their products",
        full_scale=1.0,
        usual=5e-2,
        signals=("mean", "covariance"),
        gap=known_to(law),
        read=lambda answer: {"mean": answer[0], "covariance": answer[1]},
        away=away,
    )


def _never(problem: Any) -> bool:
    return False


def _nothing(problem: Any) -> tuple[str, ...]:
    return ()


def _unsaid(*_: Any) -> Any:
    """Mark of a field that a family leaves open; `Family` fills it in when it is made, so that it is never called."""
    raise NotImplementedError


def _no_reason(problem: Any, slowest: float) -> str:
    return ""


def _nowhere(flow: Flow, name: str, end: Any, direction: Any, delta: float) -> None:
    return None


def _no_size(problem: Any) -> int:
    return 0


def _no_part(problem: Any, count: int) -> None:
    return None


_ORDINARY: Mapping[str, Callable[..., Any]] = {
    "follows": path_followed,
    "errors": path_errors,
    "held": path_held,
    "answer": path_answer,
    "exact": path_exact,
    "contest": contest_of_path,
}
"""What a family gets that does not say how it is judged, each called with the family before all else."""

_ASKED = (
    "follows", "law", "conserves", "errors", "held", "answer", "exact", "held_as_law", "sizes", "worth", "pushed", "started",
    "groups", "slowest", "why_slow", "contest", "notes", "size", "smaller",
)  # fmt: skip
"""What may be another package's code; `flow_of` and `reference_of` ask for a flow and a reference, in words of their own.

``expected`` is not among them: a netlist goes on without what is refused, and would say nothing of the fault.
"""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Family:
    """A kind of problem, the flow that solves it, and how it is read.

    Parameters
    ----------
    name : str
        By which the command line knows it.
    problem : type
        Frozen data; refuses what is not a problem.
    noun : str
        What a problem is called: "a channel".
    keys : sequence of str
        Of a file with a problem: what `problem` is called with, and its attributes.
    needed : mapping of key to str
        Keys that a file must have, and what each holds.
    bare_matrix : bool
        Whether a matrix alone is a problem: ``problem(matrix)``, with the ``from_file`` and ``from_table`` of `Channel`; the
        matrix is then the first of `needed`.
    options : sequence of str
        Of those that say how a table is read: what `problem` takes as a keyword beside the keys of its file.
    read : callable, optional
        ``read(**keys)``: the problem in a file, where `problem` itself does not take what a file may hold.
    also : sequence of str
        Keys that `read` takes beside `keys`, and that no problem keeps.
    example : mapping, optional
        Keys of a small problem, which tests of every verb take.
    flow : callable
        ``flow(problem, form=...)``, without a form the most robust one.
    forms : sequence of str
        Forms of the flow, the default first.
    units : mapping of str to str
        Of the errors that studies keep.
    reference : callable, optional
        ``reference(problem, time)``: the exact answer with a certified ``gap``, at a time in τ where it is a point of a
        path. Without one a run is not certified.
    follows : callable
        Whether the answer to a problem is a point of a path, so that its reference depends on the time; if not given, of a
        flow that has an `end_time`, or whose path matters.
    law : callable
        Whether the answer to a problem is a stationary law, which a run knows to its standard errors only.
    conserves : callable
        Names of what stays as it starts, so that a restart that changes it says nothing.
    errors : callable
        ``errors(problem, reference, ends)``: errors of `RunEnds` by name, each of shape (samples,), NaN where an end says
        nothing. If not given, of every signal in ``reference.values``, which is a `PathEnd`, over its full scale.
    primary : str
        Name of the error by which answers are compared first.
    unlisted : str
        Name of an error that a certificate leaves out.
    labels : mapping of str to str
        What errors are called where people read them; "error of" its name is one that has no label.
    kept_as : mapping of str to str
        Names under which studies keep errors, after ``error_``, where these are not their own.
    held : callable
        ``held(problem, reference, errors, ends, limit)``: what is asked of a run, a sequence of `Held`. If not given,
        that all signals agree with the reference.
    ended : str
        What a run has done that ended as it was asked to.
    answer, exact : callable
        ``answer(problem, reference, run)`` and ``exact(problem, reference)``: the run's answer in the problem's terms, and
        the reference's under the same names.
    held_as_law : callable, optional
        ``held_as_law(problem, reference, run, limit, accuracy)``: the `LawHeld` of a run whose answer is a law; `accuracy`
        is the error that the checks must be able to find, in standard deviations.
    sizes : callable
        ``sizes(problem, answers)``: what differences of answers, shape (samples, k), are relative to, shape (samples,);
        the largest magnitude of each, or 1 where that is up to two decades less, if not given.
    worth : callable, optional
        ``worth(problem, reference, distributions)``: the `Worth` of answers that are distributions.
    pushed : callable
        ``pushed(flow, state, end, direction, delta)``: where a restart begins that is a share δ away from an end, shape
        (samples, size), along normal numbers; None where the flow's manifolds say so.
    started : callable, optional
        ``started(problem, starts)``: the problem whose path starts elsewhere; without it all paths have one answer.
    groups : callable, optional
        ``groups(flow, answer)``: the group of each part of an answer. Restarts then compare groups, not numbers, also of an
        answer that is a point of a path.
    no_groups : str
        What is said where each part is alone.
    slowest : callable, optional
        ``slowest(problem, reference)``: slowest rate at the answer, per τ, or 0 where the reference knows of none. A family
        that has this is one whose checks hold an answer against its limit, so that a run may end before it rests.
    why_slow : callable
        ``why_slow(problem, slowest)``: why an answer is approached like a power of the time, as the beginning of a
        sentence that ends in "; "; empty where nothing is known.
    contest : callable, optional
        ``contest(problem, reference)``: the `Contest` of answers to a problem, whoever gives them; ``reference()`` is the
        exact one, computed where it is asked for only. None where answers are not compared. If not given, of the signal
        that the flow shows, which the reference knows.
    listed : sequence of str
        Names of answers, each a list of numbers, that tables show the first of.
    notes : callable, optional
        ``notes(problem, reference)``: sentences on an answer that no check speaks of, such as of what kind it is.
    expected : callable, optional
        ``expected(problem, reference)``: the reference's answer by the names of signals, for a netlist's header.
    curve : TradeOff, optional
        What a problem trades for what, point by point.
    size, smaller : callable
        ``smaller(problem, count)`` is the leading part of a problem, of size `count`, and its name; None where there is
        no such thing. ``size(problem)`` is the number that it reduces.
    """

    name: str
    problem: type
    noun: str
    keys: tuple[str, ...]
    flow: Callable[..., Flow]
    forms: tuple[str, ...]
    needed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bare_matrix: bool = False
    options: tuple[str, ...] = ()
    read: Callable[..., Any] | None = None
    also: tuple[str, ...] = ()
    example: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reference: Callable[[Any, float], Any] | None = None
    follows: Callable[[Any], bool] = _unsaid
    law: Callable[[Any], bool] = _never
    conserves: Callable[[Any], Collection[str]] = _nothing
    errors: Callable[[Any, Any, RunEnds], Mapping[str, Array]] = _unsaid
    primary: str = "states"
    unlisted: str = "states"
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kept_as: Mapping[str, str] = dataclasses.field(default_factory=dict)
    held: Callable[[Any, Any, Mapping[str, Array], RunEnds, float], Sequence[Held]] = _unsaid
    ended: str = "ran to its end"
    answer: Callable[[Any, Any, Run], Mapping[str, Any]] = _unsaid
    exact: Callable[[Any, Any], Mapping[str, Any]] = _unsaid
    held_as_law: Callable[[Any, Any, Run, float, float], LawHeld] | None = None
    sizes: Callable[[Any, Array], Array] = sizes_of
    worth: Callable[[Any, Any, Array], Worth] | None = None
    pushed: Callable[[Flow, str, Array, Array, float], Array | None] = _nowhere
    started: Callable[[Any, Mapping[str, Array]], Any] | None = None
    groups: Callable[[Flow, Array], tuple[int, ...]] | None = None
    no_groups: str = ""
    slowest: Callable[[Any, Any], float] | None = None
    why_slow: Callable[[Any, float], str] = _no_reason
    contest: Callable[[Any, Callable[[], Any]], Contest] | None = _unsaid
    listed: tuple[str, ...] = ()
    notes: Callable[[Any, Any], Sequence[str]] | None = None
    expected: Callable[[Any, Any], Mapping[str, Any]] | None = path_expected
    size: Callable[[Any], int] = _no_size
    smaller: Callable[[Any, int], tuple[Any, str] | None] = _no_part
    curve: TradeOff | None = None

    def __post_init__(self) -> None:
        if not self.forms:
            raise BadInput(f"the family {self.name}: forms is empty; name the forms of its flow, the default first.")
        if self.problem.__eq__ is not object.__eq__:  # a reference is kept for each problem, and looked up by it
            raise BadInput(
                f"the family {self.name}: its problem {self.problem.__name__} compares by value, which arrays can not; "
                "write @dataclass(frozen=True, eq=False)."
            )
        for name, said in _ORDINARY.items():
            given = getattr(self, name)
            # A copy with other fields is asked itself, not what it was copied from.
            if given is _unsaid or (isinstance(given, functools.partial) and given.func is said):
                object.__setattr__(self, name, functools.partial(said, self))
        for name in _ASKED:
            given = getattr(self, name)
            if isinstance(given, functools.partial) and given.func is call_theirs:  # a copy, perhaps of another name
                *_, given = given.args
            if given is not None and not (isinstance(given, functools.partial) and given.func in _ORDINARY.values()):
                told = functools.partial(call_theirs, f"the family {self.name}: its {name}", "mend it", given)
                object.__setattr__(self, name, told)

    @property
    def judges_paths(self) -> bool:
        """Whether errors are those of where a path ends, so that its reference is a `PathEnd`."""
        return isinstance(self.errors, functools.partial) and self.errors.func is path_errors

    def label(self, error: str) -> str:
        """What an error is called where people read it."""
        return self.labels.get(error, f"error of {error}")

    def variable(self, error: str) -> str:
        """Name under which studies keep an error."""
        return "error" if error == self.primary else f"error_{self.kept_as.get(error, error)}"

    def __repr__(self) -> str:
        return f"Family({self.name})"
