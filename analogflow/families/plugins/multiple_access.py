r"""The sum capacity of a multiple-access channel, or its best weighted rate, by the flows of two senders.

.. math:: \max_{p_1, p_2} w_- I(X_1 X_2;Y) + (w_+ - w_-)\, I(X_+;Y|X_-)

What is asked, the flow, the best point of many starts, and bounds that no pair of senders betters. The rate is concave in
each sender's inputs and not in both together: a run proves that neither sender gains alone, and no more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from analogflow.checks import is_positive, numbers, refuse_faults, refuse_unknown
from analogflow.errors import SimulationFailed
from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows import Flow
from analogflow.flows.invariants import CommonMode
from analogflow.graph import log, softmax
from analogflow.run import Run

__all__ = ["MULTIPLE_ACCESS", "MultipleAccess"]

Array = NDArray[np.float64]

FORMS = ("logdomain",)

_SUM = 1e-6
"""Departure of a sum from 1 that is accepted, and divided out."""

_TINY = 1e-300

_TILT = 0.1
"""How far, in nats, the first sender starts from uniform inputs, which may be a saddle; both leave it together, as the
rate is concave in each."""

_STARTS, _SEED, _ENOUGH = 24, 1, 1e-7
"""Starts of the reference, their seed, and what a sender may gain alone where it is content, nats."""

_SPLIT, _CELLS, _PROVEN, _TURNS = 3, 20_000, 1e-8, 40
"""Letters of a sender up to which the best of all is bounded by splitting its simplex; cells, width that will do, and steps
by which the other sender's answer to a cell is improved."""


@dataclasses.dataclass(frozen=True, eq=False)
class MultipleAccess:
    """A channel with two senders, who do not know each other's letters, and one receiver.

    Parameters
    ----------
    channel : array, shape (n1, n2, m)
        p(y|x1, x2).
    weights : array, shape (2,), optional
        Positive worth w1, w2 of each sender's rate; 1 and 1, for the sum, if not given.
    start : sequence of two arrays, shapes (n1,) and (n2,), optional
        Positive inputs where the flow begins; nearly uniform if not given.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    channel: Array
    weights: Array
    start: tuple[Array, Array]

    def __init__(
        self, channel: ArrayLike, weights: ArrayLike | None = None, start: Sequence[ArrayLike] | None = None
    ) -> None:  # fmt: skip
        faults: list[str] = []
        W = numbers(channel, "channel", (3,), "p(y|x1, x2), for each letter x1 a matrix with a row for each x2", faults)
        if W is not None and (W < 0).any():
            i, j, y = np.argwhere(W < 0)[0]
            faults.append(f"channel has {W[i, j, y]:g} at ({i + 1}, {j + 1}, {y + 1}); probabilities are not negative")
        elif W is not None:
            sums = W.sum(axis=2)
            for i, j in np.argwhere(abs(sums - 1) > _SUM)[:1]:
                faults.append(f"channel: the row of letters {i + 1} and {j + 1} sums to {sums[i, j]:.9g}, not to 1")
            if min(W.shape[:2]) < 2:
                faults.append(f"channel has {W.shape[0]} and {W.shape[1]} letters; a sender of one letter says nothing")
            rounded = abs(sums - 1) <= W.shape[2] * np.finfo(float).eps
            W = W[:, :, W.any(axis=(0, 1))] / np.where(rounded, 1.0, sums)[:, :, None]
        worth = numbers([1.0, 1.0] if weights is None else weights, "weights", (1,), "one number for each sender", faults)
        if worth is not None and (len(worth) != 2 or not all(map(is_positive, worth))):
            faults.append(f"weights are {worth.tolist()}; give two positive numbers, one for each sender")
        begun = _begun(start, None if W is None else W.shape[:2], faults)
        refuse_faults("MultipleAccess", faults)
        assert W is not None
        assert worth is not None
        for value in (W, worth, *begun):
            value.setflags(write=False)
        object.__setattr__(self, "channel", W)
        object.__setattr__(self, "weights", worth)
        object.__setattr__(self, "start", begun)

    @property
    def least(self) -> float:
        """w₋: what the rate of both together is worth."""
        return float(self.weights.min())

    @property
    def beyond(self) -> tuple[float, float]:
        """By how much each sender's rate is worth more than the other's, shape (2,); one of both is 0."""
        return float(max(self.weights[0] - self.weights[1], 0)), float(max(self.weights[1] - self.weights[0], 0))

    def __repr__(self) -> str:
        n, k, m = self.channel.shape
        return f"MultipleAccess({n} and {k} letters sent, {m} received, weights {self.weights[0]:g} and {self.weights[1]:g})"


def _begun(given: Any, sizes: tuple[int, ...] | None, faults: list[str]) -> tuple[Array, ...]:
    if sizes is None:
        return ()
    if given is None:
        # Without any relation between letters.
        tilts = [_TILT * np.cos(1.0 + 2.4 * np.arange(sizes[0])), np.zeros(sizes[1])]
        return tuple(np.exp(tilt) / np.exp(tilt).sum() for tilt in tilts)
    if not isinstance(given, list | tuple) or len(given) != 2:
        faults.append("start is no list of two distributions; give one for each sender")
        return ()
    found = []
    for k, (one, size) in enumerate(zip(given, sizes, strict=True)):
        p = numbers(one, f"start {k + 1}", (1,), "one probability for each letter", faults)
        if p is not None and (len(p) != size or (p <= 0).any() or abs(p.sum() - 1) > _SUM):
            faults.append(f"start {k + 1} is {p.tolist()}; give {size} positive probabilities, whose sum is 1")
        elif p is not None:
            found.append(p if abs(p.sum() - 1) <= size * np.finfo(float).eps else p / p.sum())
    return tuple(found)


def rates(u: Any, v: Any, **constants: Any) -> tuple[Any, Any]:
    """u̇_i = Σ_j p2_j M_ij − R, v̇_j = Σ_i p1_i M_ij − R, p1 = softmax(u), p2 = softmax(v), R = Σ p1_i p2_j M_ij."""
    one, other, first, second = _scores(u, v, **constants)
    return first - one @ first, second - other @ second


def _scores(u: Any, v: Any, A: Array, h: Array, least: float, beyond: tuple[float, float]) -> tuple[Any, Any, Any, Any]:
    """p1, p2, M p2 and Mᵀp1 with M_ij = w₋ D(W_ij‖q) + (w₊ − w₋) D(W_ij‖q_j), q of both inputs and q_j given x2 (or x1)."""
    one, other = softmax(u), softmax(v)
    n, k, m = A.shape
    both = one[:, None] * other[None, :]
    score = least * (h - (A.reshape(n * k, m) @ log(A.reshape(n * k, m).T @ both.reshape(n * k))).reshape(n, k))
    if beyond[0]:
        given = log(np.transpose(A, (1, 2, 0)).reshape(k * m, n) @ one)  # q_jy, y after y
        spread = np.einsum("ijy,jl->ijly", A, np.eye(k)).reshape(n * k, k * m)
        score = score + beyond[0] * (h - (spread @ given).reshape(n, k))
    if beyond[1]:
        given = log(np.transpose(A, (0, 2, 1)).reshape(n * m, k) @ other)
        spread = np.einsum("ijy,il->ijly", A, np.eye(n)).reshape(n * k, n * m)
        score = score + beyond[1] * (h - (spread @ given).reshape(n, k))
    return one, other, score @ other, score.T @ one


def flow(problem: MultipleAccess, form: str = "logdomain") -> Flow:
    """Flow whose inputs settle where neither sender gains alone; observables "first", "second" and "rate_nats".

    Both are replicators of one payoff, which therefore never falls.

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    R. Ahlswede, Multi-way communication channels, Proc. 2nd ISIT (1971) 23. M. Rezaeian and A. Grant, Computation of total
    capacity for discrete memoryless multiple-access channels, IEEE Trans. Inf. Theory 50 (2004) 2779: the same in steps.
    """
    refuse_unknown(form, FORMS, "form", "the multiple-access flow")
    W = problem.channel
    return Flow(
        rates,
        states={
            "u": CommonMode("u").project(np.log(problem.start[0])),
            "v": CommonMode("v").project(np.log(problem.start[1])),
        },
        keeps=(CommonMode("u"), CommonMode("v")),
        constants={"A": W, "h": xlogy(W, W).sum(axis=2), "least": problem.least, "beyond": problem.beyond},
        observables={
            "first": lambda u, v, **_: softmax(u),
            "second": lambda u, v, **_: softmax(v),
            "rate_nats": lambda u, v, **constants: _rate(*_scores(u, v, **constants)),
        },
        answer="first",
        rests=("first", "second"),
        size=1.0,
        scale=1.0,
        equations="du_i/dt = sum_j p2_j M_ij - R, dv_j/dt = sum_i p1_i M_ij - R, M_ij = w D(W_ij||q) + (w'-w) D(W_ij||q_j)",
        problem=problem,
    )


def _rate(one: Any, other: Any, first: Any, second: Any) -> Any:
    return (one * first).sum().reshape(1)


def payoffs(problem: MultipleAccess, first: Array, second: Array) -> Array:
    """M_ij at inputs p1, shape (samples, n1), and p2, shape (samples, n2), nats, shape (samples, n1, n2)."""
    W, (more, less) = problem.channel, problem.beyond
    q = np.einsum("si,sj,ijy->sy", first, second, W)
    found = problem.least * _divergences(W, q[:, None, None])
    if more:
        found = found + more * _divergences(W, np.einsum("si,ijy->sjy", first, W)[:, None])
    if less:
        found = found + less * _divergences(W, np.einsum("sj,ijy->siy", second, W)[:, :, None])
    return found


def _divergences(W: Array, q: Array) -> Array:
    return xlogy(W, W).sum(axis=2) - (W * np.log(np.maximum(q, _TINY))).sum(axis=-1)


def gains(problem: MultipleAccess, first: Array, second: Array) -> tuple[Array, Array]:
    """Weighted rate of inputs, nats, and what one sender alone can gain at most, shape (samples,) each.

    The rate is concave in p1, with the slope Σ_j p2_j M_ij less a constant: no p1' has more than max_i of it; p2 likewise.
    """
    M = payoffs(problem, first, second)
    one, other = np.einsum("sij,sj->si", M, second), np.einsum("sij,si->sj", M, first)
    rate = (one * first).sum(axis=1)
    return rate, np.maximum(one.max(axis=1), other.max(axis=1)) - rate


def reference(problem: MultipleAccess, time: float) -> PathEnd:
    """The best inputs that many starts lead a quasi-Newton method to; the gap is their distance from a bound on all inputs.

    Raises
    ------
    SimulationFailed
        No start leads where neither sender gains 1e-7 nat alone.
    """
    n, k, _ = problem.channel.shape
    rng = np.random.default_rng(_SEED)

    def lost(logs: Array) -> tuple[float, Array]:
        p, r = (scipy.special.softmax(part) for part in (logs[:n], logs[n:]))
        M = payoffs(problem, p[None], r[None])[0]
        one, other = M @ r, M.T @ p
        rate = float(p @ one)
        return -rate, -np.concatenate([p * (one - rate), r * (other - rate)])

    begun = [np.log(np.concatenate(problem.start)), *rng.normal(0, 2, (_STARTS, n + k))]
    ends = [
        scipy.optimize.minimize(lost, one, jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 2000}).x
        for one in begun
    ]
    firsts = scipy.special.softmax([one[:n] for one in ends], axis=1)
    seconds = scipy.special.softmax([one[n:] for one in ends], axis=1)
    found, left = gains(problem, firsts, seconds)
    still = np.flatnonzero(left <= _ENOUGH)
    if not len(still):
        raise SimulationFailed(
            f"the reference of {problem!r} leaves one sender a gain of {left.min():.2g} nat; take rounder numbers."
        )
    best = still[int(found[still].argmax())]
    gap = bound(problem, float(found[best])) - float(found[best]) + 64 * float(np.finfo(float).eps)
    return PathEnd({"first": firsts[best], "second": seconds[best], "rate_nats": found[[best]]}, gap)


def bound(problem: MultipleAccess, known: float) -> float:
    """What no inputs exceed, nats: the smaller of what senders get that act together and, of three letters, of a search.

    Parameters
    ----------
    problem : MultipleAccess
    known : float
        A rate that is attained.

    Notes
    -----
    Whatever q and q_j the divergences M are taken to, the rate of p1, p2 is at most Σ p1_i p2_j M_ij, so that max_ij M_ij
    bounds all inputs, joint ones too. Of p2 in a part of its simplex it is at most the largest max_i Σ_j p2_j M_ij at the
    corners, which is convex in p2; q is that of the middle of the part and of the p1 that answers it. Parts are split where
    their bound exceeds what is known.
    """
    together = _together(problem)
    sizes = problem.channel.shape[:2]
    if min(sizes) > _SPLIT:
        return together
    if sizes[1] > sizes[0]:  # the sender with fewer letters is the second
        turned = MultipleAccess(np.transpose(problem.channel, (1, 0, 2)), problem.weights[::-1])
        return min(together, _searched(turned, known))
    return min(together, _searched(problem, known))


def _together(problem: MultipleAccess) -> float:
    """Bound by the rate of joint inputs p(x1, x2), which is concave: the iteration of Arimoto and Blahut, and its bound."""
    W, (more, less) = problem.channel, problem.beyond
    p, best = np.full(W.shape[:2], 1 / W[:, :, 0].size), np.inf
    for _ in range(2000):
        M = problem.least * _divergences(W, np.einsum("ij,ijy->y", p, W))
        if more:
            M = M + more * _divergences(W, (np.einsum("ij,ijy->jy", p, W) / np.maximum(p.sum(axis=0), _TINY)[:, None])[None])
        if less:
            M = M + less * _divergences(
                W, (np.einsum("ij,ijy->iy", p, W) / np.maximum(p.sum(axis=1), _TINY)[:, None])[:, None]
            )
        best = min(best, float(M.max()))
        if best - float((p * M).sum()) < _PROVEN:
            break
        p = p * np.exp((M - M.max()) / problem.weights.max())
        p = p / p.sum()
    return best


def _searched(problem: MultipleAccess, known: float) -> float:
    n, k, _ = problem.channel.shape
    cells, answers = np.eye(k)[None], np.full((1, n), 1 / n)
    settled, made = known, 1
    while True:
        middle = cells.mean(axis=1)
        for _ in range(_TURNS):
            score = np.einsum("sij,sj->si", payoffs(problem, answers, middle), middle)
            answers = answers * np.exp((score - score.max(axis=1, keepdims=True)) / problem.weights.max())
            answers = np.maximum(answers / answers.sum(axis=1, keepdims=True), 1e-30)
        high = np.einsum("sij,scj->sci", payoffs(problem, answers, middle), cells).max(axis=(1, 2))
        open_ = high > known + _PROVEN
        settled = max(settled, float(high[~open_].max(initial=settled)))
        if not open_.any():
            return settled
        if made > _CELLS:
            return max(settled, float(high.max()))
        cells, answers = cells[open_], answers[open_]
        edges = np.linalg.norm(cells[:, :, None] - cells[:, None], axis=3).reshape(len(cells), -1)
        (one, other), each = np.divmod(edges.argmax(axis=1), k), np.arange(len(cells))
        halfway = (cells[each, one] + cells[each, other]) / 2
        left, right = cells.copy(), cells.copy()
        left[each, one], right[each, other] = halfway, halfway
        cells, answers = np.concatenate([left, right]), np.concatenate([answers, answers])
        made += len(cells)


def _shares(values: Array) -> Array:
    positive = np.maximum(values, 0)
    return positive / positive.sum(axis=1, keepdims=True)


def _errors(problem: MultipleAccess, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    finals = ends.finals
    with np.errstate(all="ignore"):
        rate, gain = gains(problem, _shares(finals["first"]), _shares(finals["second"]))
    best = float(found.values["rate_nats"][0])
    missed = np.maximum(best - rate, rate - best - found.gap)  # below what is known, or above what can be
    errors = {"rate_nats": abs(finals["rate_nats"][:, 0] - rate)} if "rate_nats" in finals else {}
    sums = [largest(ends.paths[name].sum(axis=2) - 1) for name in ("first", "second")]
    return {
        **errors,
        "objective": np.where(np.isfinite(rate), np.maximum(missed, 0.0), np.nan),
        "certified": gain,
        "states": np.maximum(gain, missed),
        "simplex": np.max(sums, axis=0),
    }


def _held(problem: MultipleAccess, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    scale = max(1.0, float(problem.weights.max()))
    return [
        *asked(
            errors,
            limit,
            ("certified", "neither sender gains alone", "nat", scale),
            ("objective", "no better inputs are known", "nat", scale),
            ("rate_nats", "the rate is that of the inputs", "nat", scale),
            ("simplex", "Σp of each sender stays 1", ""),
        ),
    ]


def _slowest(problem: MultipleAccess, found: PathEnd) -> float:
    """Per τ: of the flow linearised at letters in use, without the shifts of logarithms, or at which another is given up."""
    first, second = np.asarray(found.values["first"]), np.asarray(found.values["second"])
    n, shares = len(first), np.concatenate([first, second])

    def speeds(logs: Array) -> Array:
        p, r = scipy.special.softmax(logs[:, :n], axis=1), scipy.special.softmax(logs[:, n:], axis=1)
        M = payoffs(problem, p, r)
        one, other = np.einsum("sij,sj->si", M, r), np.einsum("sij,si->sj", M, p)
        rate = (one * p).sum(axis=1, keepdims=True)
        return np.concatenate([one - rate, other - rate], axis=1)

    used = shares > 1e-6
    there, moves = np.log(np.maximum(shares, _TINY)), 1e-5 * np.eye(len(shares))
    jacobian = ((speeds(there + moves) - speeds(there - moves)) / 2e-5).T
    values = np.linalg.eigvals(jacobian[np.ix_(used, used)])
    settling = -np.sort(-values[np.argsort(abs(values))][2:].real)
    leaving = -speeds(there[None])[0][~used]
    return max(float(np.concatenate([-settling, leaving, [np.inf]]).min()), 0.0)


def _notes(problem: MultipleAccess, found: PathEnd) -> tuple[str, ...]:
    best = float(found.values["rate_nats"][0])
    if found.gap < 1e-6:
        return (f"The best of all inputs has {best:.9g} nat, proven to {max(found.gap, 0):.2g} nat.",)
    return (
        f"The best of all inputs has between {best:.6g} nat, which is attained, and {best + found.gap:.6g} nat, which no "
        "senders exceed; the rate is not concave in both inputs, and no more is known.",
    )


def _shown(problem: MultipleAccess, values: Mapping[str, Array]) -> dict[str, Any]:
    return {
        "rate_nats": float(np.ravel(values["rate_nats"])[0]),
        "first": np.ravel(values["first"]).tolist(),
        "second": np.ravel(values["second"]).tolist(),
    }


def _answer(problem: MultipleAccess, found: PathEnd, run: Run) -> dict[str, Any]:
    return _shown(problem, run.final)


def _exact(problem: MultipleAccess, found: PathEnd) -> dict[str, Any]:
    return _shown(problem, found.values)


MULTIPLE_ACCESS = Family(
    name="multiple-access",
    problem=MultipleAccess,
    noun="a multiple-access channel",
    keys=("channel", "weights", "start"),
    needed={"channel": "p(y|x1, x2): for each letter x1 a matrix with a row for each x2"},
    example={"channel": [[[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]], [[0.2, 0.7, 0.1], [0.05, 0.05, 0.9]]]},
    flow=flow,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats"},
    reference=reference,
    errors=_errors,
    held=_held,
    unlisted="states",
    labels={
        "objective": "rate below the best that is known, nats",
        "certified": "what one sender can gain alone, nats",
        "rate_nats": "rate beside that of the inputs, nats",
        "simplex": "largest departure of Σp from 1",
    },
    ended="settled",
    answer=_answer,
    exact=_exact,
    slowest=_slowest,
    contest=None,
    notes=_notes,
    listed=("first", "second"),
)
"""The family of multiple-access channels."""
