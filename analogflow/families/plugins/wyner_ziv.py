r"""Rate and distortion of a source whose decoder knows more, after Wyner and Ziv, by a flow of test channels.

.. math:: L = \min_{q(u|x)} I(X;U) - I(Y;U) + \beta\, E\, d(X, t_U(Y))

What is asked, the flow, the exact answer by an interior point method, and the interval that a run's own end proves.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax, xlogy

from analogflow import graph
from analogflow.checks import is_positive, numbers, refuse_faults, refuse_unknown
from analogflow.errors import SimulationFailed
from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows import Flow
from analogflow.run import Run

__all__ = ["WYNER_ZIV", "WynerZiv"]

Array = NDArray[np.float64]

FORMS = ("logdomain",)

_SUM = 1e-6
"""Departure of the joint law's sum from 1 that is accepted, and divided out."""

_MOST = 256
"""Strategies of the decoder that are tried."""

_LOST, _TURNS = 1e-6, 400
"""Share below which a strategy counts as given up; steps after which its direction is taken as found."""

_TINY = 1e-300

_AIM, _ENOUGH = 1e-13, 1e-9
"""Gaps of the reference, nats: at which it stops, and with which it is content."""

_STEPS, _CENTRING, _LEAST = 100, 0.1, 1e-18
"""Newton steps of the reference, the share of the complementarity that each aims at, and its least."""


@dataclasses.dataclass(frozen=True, eq=False)
class WynerZiv:
    """A source, what the decoder alone knows beside the code, and what one nat of rate is worth in distortion.

    Parameters
    ----------
    joint : array, shape (n, m)
        p(x, y): a row for each letter x of the source, a column for each y of the side information.
    distortion : array, shape (n, k)
        d(x, x̂), not negative.
    beta : float
        Slope of the curve where it is met, nats per unit of distortion.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    joint: Array
    distortion: Array
    beta: float

    def __init__(self, joint: ArrayLike, distortion: ArrayLike, beta: float) -> None:
        faults: list[str] = []
        p = _joint(joint, faults)
        d = numbers(distortion, "distortion", (2,), "a row for each letter of the source", faults, largest=1e100)
        if d is not None and (d < 0).any():
            i, j = np.argwhere(d < 0)[0]
            faults.append(f"distortion has {d[i, j]:g} in row {i + 1}, column {j + 1}; give none below 0")
        if p is not None and d is not None:
            if len(p) != len(d):
                faults.append(f"joint has {len(p)} rows and distortion {len(d)}; give one of each for every source letter")
            if d.shape[1] ** p.shape[1] > _MOST:
                faults.append(
                    f"{d.shape[1]} reproductions for each of {p.shape[1]} letters of side information are "
                    f"{d.shape[1]}^{p.shape[1]} strategies of the decoder; at most {_MOST} are tried, so merge letters"
                )
        if not is_positive(beta):
            faults.append(f"beta is {beta!r}; give a positive number of nats per unit of distortion")
        refuse_faults("WynerZiv", faults)
        assert p is not None
        assert d is not None
        for name, value in (("joint", p), ("distortion", d)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "beta", float(beta))

    @property
    def source(self) -> Array:
        """p(x), shape (n,)."""
        return self.joint.sum(axis=1)

    @property
    def seen(self) -> Array:
        """p(y|x), shape (n, m)."""
        return self.joint / self.source[:, None]

    @property
    def told(self) -> Array:
        """p(x|y), shape (m, n)."""
        return self.joint.T / self.joint.sum(axis=0)[:, None]

    @property
    def strategies(self) -> NDArray[np.intp]:
        """What the decoder makes of each y, column numbers of `distortion`, shape (strategies, m).

        Those are left out that are for no x better than another: giving their share to that one tells less of x.
        """
        every = np.array(list(itertools.product(range(self.distortion.shape[1]), repeat=self.joint.shape[1])))
        costs = self._costs(every)
        worse = (costs[:, :, None] >= costs[:, None, :]).all(axis=0)  # u is nowhere better than v
        alike = worse & worse.T
        first = np.arange(len(every))
        beaten = (worse & ~alike) | (alike & (first[:, None] > first))
        return every[~beaten.any(axis=1)]

    @property
    def costs(self) -> Array:
        """Mean distortion D(x, u) of each strategy, shape (n, strategies)."""
        return self._costs(self.strategies)

    def _costs(self, strategies: NDArray[np.intp]) -> Array:
        # Of every x at every strategy u: Σ_y p(y|x) d(x, t_u(y)).
        return np.einsum("xy,xuy->xu", self.seen, self.distortion[:, strategies])

    def __repr__(self) -> str:
        n, m = self.joint.shape
        return f"WynerZiv({n} source letters, {m} of side information, beta = {self.beta:g})"


def _joint(given: ArrayLike, faults: list[str]) -> Array | None:
    p = numbers(given, "joint", (2,), "a matrix p(x, y), a row for each letter of the source", faults)
    if p is None:
        return None
    if (p < 0).any():
        i, j = np.argwhere(p < 0)[0]
        faults.append(f"joint has {p[i, j]:g} in row {i + 1}, column {j + 1}; probabilities are not negative")
    elif abs(p.sum() - 1) > _SUM:
        faults.append(f"joint sums to {p.sum():.9g}, not to 1; divide it by its sum")
    elif len(p) < 2:
        faults.append("joint has one row, a source of one letter, which needs no code; give two rows or more")
    else:
        for axis, what in ((1, "row"), (0, "column")):
            for k in np.flatnonzero(p.sum(axis=axis) == 0)[:1]:
                faults.append(f"joint has nothing in {what} {k + 1}; leave it out, for it never occurs")
        return p if abs(p.sum() - 1) <= p.size * np.finfo(float).eps else p / p.sum()
    return None


def logdomain(v: Any, A: Array, B: Array, cost: Array, weight: Array, worth: float) -> Any:
    """v̇_xu = Σ_y p(y|x) ln r_yu − β D_xu − v_xu, q = softmax(v) over u, r_yu = Σ_x p(x|y) q_xu."""
    return B @ graph.log(A @ graph.softmax(v)) - cost - v


def rate_nats(v: Any, A: Array, B: Array, cost: Array, weight: Array, worth: float) -> Any:
    """Σ p(x) q_xu (ln q_xu − Σ_y p(y|x) ln r_yu) = I(X;U) − I(Y;U), shape (1,)."""
    q = graph.softmax(v)
    return (weight * (q * (graph.log(q) - B @ graph.log(A @ q)))).sum().reshape(1)


def distortion(v: Any, A: Array, B: Array, cost: Array, weight: Array, worth: float) -> Any:
    """Σ p(x) q_xu D_xu, shape (1,)."""
    return ((weight * cost / worth) * graph.softmax(v)).sum().reshape(1)


def flow(problem: WynerZiv, form: str = "logdomain") -> Flow:
    """Flow whose test channel q(u|x) settles where L is least; observables "q", "rate_nats" and "distortion".

    It is the replicator's in logarithms, q̇ = q (f − Σ_u q f) with f = Σ_y p(y|x) ln r − ln q − β D, and what the
    iteration of Dupuis, Yu and Willems does in steps.

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    A. D. Wyner and J. Ziv, IEEE Trans. Inf. Theory 22 (1976) 1. F. Dupuis, W. Yu and F. M. J. Willems, Blahut-Arimoto
    algorithms for computing channel capacity and rate-distortion with side information, Proc. ISIT (2004) 179.
    """
    refuse_unknown(form, FORMS, "form", "the wyner-ziv flow")
    costs = problem.costs
    return Flow(
        logdomain,
        states={"v": np.zeros(costs.shape)},
        constants={
            "A": problem.told,
            "B": problem.seen,
            "cost": problem.beta * costs,
            "weight": np.repeat(problem.source[:, None], costs.shape[1], axis=1),
            "worth": problem.beta,
        },
        observables={
            "q": lambda v, **_: graph.softmax(v),
            "rate_nats": rate_nats,
            "distortion": distortion,
        },
        answer="q",
        rests=("q",),
        size=1.0,
        scale=1.0,
        equations="dv_xu/dt = sum_y p(y|x) ln r_yu - beta D_xu - v_xu, q = softmax(v), r_yu = sum_x p(x|y) q_xu",
        problem=problem,
    )


def point(problem: WynerZiv, q: Array) -> tuple[Array, Array]:
    """I(X;U|Y) in nats and the mean distortion of test channels q, shape (samples, n, strategies), shape (samples,) each."""
    p = problem.joint
    r = np.einsum("yx,sxu->syu", problem.told, q)
    # Of each y by itself: the mutual information of X and U given y.
    inner = xlogy(q, q)[:, :, None, :] - q[:, :, None, :] * np.log(np.maximum(r, _TINY))[:, None]
    return np.einsum("xy,sxyu->s", p, inner), np.einsum("x,sxu,xu->s", problem.source, q, problem.costs)


def interval(problem: WynerZiv, q: Array) -> tuple[Array, Array]:
    """Bounds of L, nats, that test channels q, shape (samples, n, strategies), prove, shape (samples,) each.

    Notes
    -----
    L(q) is a sum over u of functions of q_u = q(u|·) that are convex and homogeneous, so that L(q') ≥ Σ_u ∂L(q_u)·q'_u ≥
    Σ_x p(x) min_u a(x, u) for every q', whatever positive q_u the slopes p(x) a(x, u), a = ln q_xu − Σ_y p(y|x) ln r_yu +
    β D_xu, are taken at. They are taken one step of the iteration after q, and of strategies that were given up, whose own
    numbers are lost in rounding, at the direction in which their share would grow most.
    """
    rates, distortions = point(problem, q)
    slopes, _ = _slopes(problem, q)
    return (slopes.min(axis=2) * problem.source).sum(axis=1), rates + problem.beta * distortions


def _slopes(problem: WynerZiv, q: Array) -> tuple[Array, NDArray[np.bool_]]:
    """a(x, u) where `interval` takes it, shape of q, and which of it is of strategies that were given up."""
    cost = problem.beta * problem.costs

    def image(logarithms: Array) -> Array:
        r = np.einsum("yx,sxu->syu", problem.told, np.exp(logarithms))
        return np.einsum("xy,syu->sxu", problem.seen, np.log(np.maximum(r, _TINY))) - cost

    stepped = log_softmax(image(np.log(np.maximum(q, _TINY))), axis=2)
    slopes = stepped - image(stepped)
    lost = np.broadcast_to(np.all(q < _LOST, axis=1, keepdims=True), q.shape)
    if lost.any():
        least = np.where(lost, np.inf, slopes).min(axis=2, keepdims=True)
        tried = np.zeros(q.shape)
        for _ in range(_TURNS):
            tried = image(tried) + least
            tried = tried - tried.max(axis=1, keepdims=True)
        slopes = np.where(lost, tried - image(tried), slopes)
    return slopes, lost


def reference(problem: WynerZiv, time: float) -> PathEnd:
    """The test channel by a primal-dual interior point method, with the width of the interval that it proves.

    Raises
    ------
    SimulationFailed
        The interval stayed wider than 1e-9 nat.

    Notes
    -----
    Newton steps on p(x) a(x, u) = ν_x + s_xu, Σ_u q_xu = 1 and q_xu s_xu = μ, while μ goes to 0.

    References
    ----------
    S. J. Wright, Primal-Dual Interior-Point Methods, SIAM (1997).
    """
    p, seen, told, cost = problem.source, problem.seen, problem.told, problem.beta * problem.costs
    n, count = cost.shape
    q, s, nu = softmax(-cost, axis=1) * 0.5 + 0.5 / count, np.full((n, count), 0.1), np.zeros(n)
    sums = np.kron(np.eye(n), np.ones((1, count)))
    best: tuple[float, Array] = (np.inf, q)
    for _ in range(_STEPS):
        shares = q / q.sum(axis=1, keepdims=True)
        low, high = interval(problem, shares[None])
        best = min(best, (float(high[0] - low[0]), shares), key=lambda one: one[0])
        if best[0] <= _AIM:
            break
        r = told @ q
        slope = p[:, None] * (np.log(q) - seen @ np.log(r) + cost)
        hessian = np.zeros((n, count, n, count))
        for u in range(count):
            hessian[:, u, :, u] = np.diag(p / q[:, u]) - (problem.joint / r[:, u]) @ told
        mu = max(_CENTRING * float((q * s).mean()), _LEAST)
        matrix = np.block([
            [hessian.reshape(n * count, -1) + np.diag((s / q).ravel()), -sums.T],
            [sums, np.zeros((n, n))],
        ])  # fmt: skip
        right = np.concatenate([(-slope + nu[:, None] + mu / q).ravel(), 1 - q.sum(axis=1)])
        try:
            step = np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
        except np.linalg.LinAlgError:
            break
        dq = step[: n * count].reshape(n, count)
        ds = (mu - s * q - s * dq) / q
        along = min(1.0, *(0.995 / max(float((-d / v).max()), _TINY) for v, d in ((q, dq), (s, ds))))
        q, s, nu = q + along * dq, s + along * ds, nu + along * step[n * count :]
    width, q = best
    if not width <= _ENOUGH:
        raise SimulationFailed(
            f"the reference of {problem!r} knows its answer to {width:.2g} nat only; take another beta or rounder numbers."
        )
    rate, mean = point(problem, q[None])
    return PathEnd({"q": q, "rate_nats": rate, "distortion": mean}, max(width, 0.0) + 8 * float(np.finfo(float).eps))


def _channels(problem: WynerZiv, finals: Mapping[str, Array]) -> Array:
    positive = np.maximum(finals["q"], 0).reshape(len(finals["q"]), len(problem.joint), -1)
    return positive / positive.sum(axis=2, keepdims=True)


def _errors(problem: WynerZiv, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        q = _channels(problem, ends.finals)
        low, high = interval(problem, q)
        own = dict(zip(("rate_nats", "distortion"), point(problem, q), strict=True))
    errors = {name: abs(ends.finals[name][:, 0] - value) for name, value in own.items() if name in ends.finals}
    exact = float(found.values["rate_nats"][0] + problem.beta * found.values["distortion"][0])
    sums = ends.paths["q"].reshape(*ends.paths["q"].shape[:2], len(problem.joint), -1).sum(axis=3) - 1
    return {
        **errors,
        "objective": abs(high - exact),
        "certified": high - low,
        "states": np.maximum(high - low, abs(high - exact)),
        "simplex": largest(sums),
    }


def _held(problem: WynerZiv, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    return [
        *asked(
            errors,
            limit,
            ("objective", "rate and distortion are worth what the reference's are", "nat"),
            ("certified", "the test channel certifies its own worth", "nat"),
            ("rate_nats", "the rate is that of the test channel", "nat"),
            ("distortion", "the distortion is that of the test channel", "", max(1.0, float(problem.distortion.max()))),
            ("simplex", "Σ_u q stays 1", ""),
        ),
    ]


def _slowest(problem: WynerZiv, found: PathEnd) -> float:
    """Per τ: of the flow linearised where strategies are in use, or at which the share of another is given up."""
    q = np.asarray(found.values["q"])
    slopes, lost = (np.asarray(one)[0] for one in _slopes(problem, q[None]))
    least = np.where(lost, np.inf, slopes).min(axis=1, keepdims=True)
    leaving = float(np.where(lost, slopes - least, np.inf).min())
    q = q[:, (q > _LOST).any(axis=0)]
    n, count = q.shape
    moved = np.einsum("xy,yu,yz->xuz", problem.seen, 1 / (problem.told @ q), problem.told)  # ln r with q(u|z)
    shares = np.einsum("zu,uw->zuw", q, np.eye(count)) - np.einsum("zu,zw->zuw", q, q)  # q(u|z) with v(w|z)
    jacobian = np.einsum("xuz,zuw->xuzw", moved, shares).reshape(n * count, -1)
    return min(float(1 - np.linalg.eigvals(jacobian).real.max()), leaving)


def _answer(problem: WynerZiv, found: PathEnd, run: Run) -> dict[str, Any]:
    return _told(problem, run.final)


def _exact(problem: WynerZiv, found: PathEnd) -> dict[str, Any]:
    return _told(problem, found.values)


def _told(problem: WynerZiv, values: Mapping[str, Array]) -> dict[str, Any]:
    return {
        "rate_nats": float(np.ravel(values["rate_nats"])[0]),
        "distortion": float(np.ravel(values["distortion"])[0]),
        "test_channel": np.reshape(values["q"], (len(problem.joint), -1)).tolist(),
        "strategies": problem.strategies.tolist(),
    }


def _notes(problem: WynerZiv, found: PathEnd) -> tuple[str, ...]:
    return (
        "No code of the same mean distortion has a rate that is lower by more than the certified gap; with "
        f"{len(problem.strategies)} strategies of the decoder, the others being nowhere better than one of these.",
    )


WYNER_ZIV = Family(
    name="wyner-ziv",
    problem=WynerZiv,
    noun="a source with side information",
    keys=("joint", "distortion", "beta"),
    needed={
        "joint": "the matrix p(x, y), a row for each letter of the source",
        "distortion": "the matrix d(x, x̂)",
        "beta": "nats of rate that one unit of distortion is worth",
    },
    example={"joint": [[0.4, 0.1], [0.15, 0.35]], "distortion": [[0.0, 1.0], [1.0, 0.0]], "beta": 2.5},
    flow=flow,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats"},
    reference=reference,
    errors=_errors,
    held=_held,
    unlisted="states",
    labels={
        "objective": "error of rate + β distortion, nats",
        "certified": "certified gap of the test channel, nats",
        "rate_nats": "rate beside that of the test channel, nats",
        "distortion": "distortion beside that of the test channel",
        "simplex": "largest departure of a Σ_u q from 1",
    },
    ended="settled",
    answer=_answer,
    exact=_exact,
    slowest=_slowest,
    contest=None,
    notes=_notes,
)
"""The family of sources with side information at the decoder."""
