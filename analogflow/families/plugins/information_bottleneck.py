r"""The information bottleneck: what a short description of X tells of Y, by a flow of soft clusters.

.. math:: L = I(X;T) - \beta\, I(T;Y), \qquad q(t|x) \propto r_t\, e^{-\beta D(p_{Y|x} \| p_{Y|t})}

What is asked, the flow, stationary points by an iteration from many starts, and bounds between which the least of all lies.
L is not convex in q(t|x): a run proves that it ends at a stationary point, and no more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, log_softmax, xlogy

from analogflow import graph
from analogflow.checks import is_positive, is_whole, numbers, refuse_faults, refuse_unknown
from analogflow.errors import SimulationFailed
from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows import Flow
from analogflow.run import Run

__all__ = ["INFORMATION_BOTTLENECK", "InformationBottleneck"]

Array = NDArray[np.float64]

FORMS = ("logdomain",)

_SUM = 1e-6
"""Departure of a sum from 1 that is accepted, and divided out."""

_TINY = 1e-300

_SHARP = 4.0
"""By how much, in nats, each x starts nearer to its own cluster than to another: with 2, one of twelve random problems ends
at a worse stationary point, with 4 none of sixty does."""

_STARTS, _SEED, _STEPS, _STILL = 24, 1, 4000, 1e-13
"""Starts that the reference draws, and their seed; steps it takes, and the change of a q(t|x) at which it stops."""

_ENOUGH = 1e-9
"""Departure from the self-consistent equations with which the reference is content."""

_SPLIT, _CELLS, _PROVEN = 4, 200_000, 1e-9
"""Letters of the source up to which the least of all is bounded by splitting the simplex; cells; and width that will do."""


@dataclasses.dataclass(frozen=True, eq=False)
class InformationBottleneck:
    """Two variables, of which X is to be described by a cluster T so that much is kept of Y.

    Parameters
    ----------
    joint : array, shape (n, m)
        p(x, y): a row for each letter of X, a column for each of Y.
    beta : float
        Nats of description that one nat about Y is worth.
    clusters : int, optional
        How many values k of T there are at most, from 2 to n; n, which no larger number betters, if not given.
    start : array, shape (n, k), optional
        q(t|x) where the flow begins, positive: which of several stationary points it finds depends on it. If not given, each
        x leans to a cluster of its own.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    joint: Array
    beta: float
    clusters: int
    start: Array

    def __init__(
        self, joint: ArrayLike, beta: float, clusters: int | None = None, start: ArrayLike | None = None
    ) -> None:  # fmt: skip
        faults: list[str] = []
        p = _joint(joint, faults)
        n = 0 if p is None else len(p)
        if not is_positive(beta):
            faults.append(f"beta is {beta!r}; give a positive number of nats of description for each nat about Y")
        count = n if clusters is None else clusters
        if n and not is_whole(count, 2, n):
            faults.append(f"clusters is {clusters!r}; give a whole number from 2 to {n}, the number of letters of X")
        elif n and start is not None:
            q = numbers(start, "start", (2,), "q(t|x), a row for each letter of X", faults)
            if q is not None and q.shape != (n, count):
                faults.append(f"start has shape {q.shape}; give {n} rows, one for each letter of X, of {count} clusters")
            elif q is not None and ((q <= 0).any() or (abs(q.sum(axis=1) - 1) > _SUM).any()):
                faults.append("start has an entry that is not positive or a row whose sum is not 1; give positive q(t|x)")
        refuse_faults("InformationBottleneck", faults)
        assert p is not None
        if start is None:
            logs = np.where(np.arange(n)[:, None] % count == np.arange(count), _SHARP, 0.0)
        else:
            logs = np.log(np.asarray(start, dtype=np.float64))
        begun = np.exp(log_softmax(logs, axis=1))
        for name, value in (("joint", p), ("start", begun)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "beta", float(beta))
        object.__setattr__(self, "clusters", int(count))

    @property
    def source(self) -> Array:
        """p(x), shape (n,)."""
        return self.joint.sum(axis=1)

    @property
    def seen(self) -> Array:
        """p(y|x), shape (n, m)."""
        return self.joint / self.source[:, None]

    @property
    def all_nats(self) -> float:
        """I(X;Y)."""
        return float((entr(self.source).sum() + entr(self.joint.sum(axis=0)).sum()) - entr(self.joint).sum())

    @property
    def critical(self) -> float:
        """1/ρ², from which on the answer that tells nothing is no minimum any more; ρ is Hirschfeld's maximal correlation.

        Inf where X and Y are independent. Below it, an answer that tells something may still be better.
        """
        scaled = self.joint / np.sqrt(self.source[:, None] * self.joint.sum(axis=0))
        second = float(np.linalg.svd(scaled, compute_uv=False)[1]) if min(scaled.shape) > 1 else 0.0
        return 1 / second**2 if second > 1e-12 else np.inf

    def __repr__(self) -> str:
        n, m = self.joint.shape
        return f"InformationBottleneck({n} x {m} letters, {self.clusters} clusters, beta = {self.beta:g})"


def _joint(given: ArrayLike, faults: list[str]) -> Array | None:
    p = numbers(given, "joint", (2,), "a matrix p(x, y), a row for each letter of X", faults)
    if p is None:
        return None
    if (p < 0).any():
        i, j = np.argwhere(p < 0)[0]
        faults.append(f"joint has {p[i, j]:g} in row {i + 1}, column {j + 1}; probabilities are not negative")
    elif abs(p.sum() - 1) > _SUM:
        faults.append(f"joint sums to {p.sum():.9g}, not to 1; divide it by its sum")
    elif len(p) < 2:
        faults.append("joint has one row, so that X has one letter and tells nothing; give two rows or more")
    else:
        for axis, what in ((1, "row"), (0, "column")):
            for k in np.flatnonzero(p.sum(axis=axis) == 0)[:1]:
                faults.append(f"joint has nothing in {what} {k + 1}; leave it out, for it never occurs")
        return p if abs(p.sum() - 1) <= p.size * np.finfo(float).eps else p / p.sum()
    return None


def logdomain(v: Any, J: Array, B: Array, P: Array, beta: float) -> Any:
    """v̇_xt = (1 − β) ln r_t + β Σ_y p(y|x) ln s_yt − v_xt, q = softmax(v), s_yt = Σ_x p(x, y) q_xt, r_t = Σ_x p(x) q_xt.

    P has p(x) in all its rows, so that ln r arrives once for each x.
    """
    q = graph.softmax(v)
    return (1 - beta) * graph.log(P @ q) + beta * (B @ graph.log(J @ q)) - v


def compression_nats(v: Any, J: Array, B: Array, P: Array, beta: float) -> Any:
    """I(X;T) = Σ p(x) q_xt ln q_xt − Σ_t r_t ln r_t, shape (1,)."""
    q = graph.softmax(v)
    r = P[0] @ q
    return (P[0] @ (q * graph.log(q))).sum().reshape(1) - (r * graph.log(r)).sum().reshape(1)


def relevance_nats(v: Any, J: Array, B: Array, P: Array, beta: float) -> Any:
    """I(T;Y) = Σ s_yt ln s_yt − Σ_t r_t ln r_t − Σ_y p(y) ln p(y), shape (1,)."""
    q = graph.softmax(v)
    r, s = P[0] @ q, J @ q
    return (s * graph.log(s)).sum().reshape(1) - (r * graph.log(r)).sum().reshape(1) + entr(J.sum(axis=1)).sum()


def flow(problem: InformationBottleneck, form: str = "logdomain") -> Flow:
    """Flow whose clusters q(t|x) settle at a stationary point; observables "q", "compression_nats" and "relevance_nats".

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    N. Tishby, F. C. Pereira and W. Bialek, The information bottleneck method, Proc. 37th Allerton Conf. (1999) 368: the
    self-consistent equations, and the iteration that this flow does without steps.
    """
    refuse_unknown(form, FORMS, "form", "the information-bottleneck flow")
    return Flow(
        logdomain,
        states={"v": np.log(problem.start)},
        constants={
            "J": problem.joint.T,
            "B": problem.seen,
            "P": np.tile(problem.source, (len(problem.source), 1)),
            "beta": problem.beta,
        },
        observables={
            "q": lambda v, **_: graph.softmax(v),
            "compression_nats": compression_nats,
            "relevance_nats": relevance_nats,
        },
        answer="q",
        rests=("q",),
        size=1.0,
        scale=1.0,
        equations="dv_xt/dt = (1 - b) ln r_t + b sum_y p(y|x) ln s_yt - v_xt, q = softmax(v), s_yt = sum_x p(x,y) q_xt",
        problem=problem,
    )


def informations(problem: InformationBottleneck, q: Array) -> tuple[Array, Array]:
    """I(X;T) and I(T;Y), nats, of clusters q, shape (samples, n, k), shape (samples,) each."""
    r, s = np.einsum("x,sxt->st", problem.source, q), np.einsum("xy,sxt->syt", problem.joint, q)
    among = entr(r).sum(axis=1)
    compressed = among - np.einsum("x,sxt->s", problem.source, entr(q))
    return compressed, among + entr(problem.joint.sum(axis=0)).sum() - entr(s).sum(axis=(1, 2))


def worth(problem: InformationBottleneck, q: Array) -> Array:
    """I(X;T) − β I(T;Y), nats, shape (samples,)."""
    compressed, kept = informations(problem, q)
    return compressed - problem.beta * kept


def consistent(problem: InformationBottleneck, logs: Array) -> Array:
    """Logarithms of r_t exp(−β D(p(y|x)‖p(y|t)))/Z_x, which stationary ln q(t|x) are; of ln q, shape (samples, n, k)."""
    q = np.exp(logs)
    r, s = np.einsum("x,sxt->st", problem.source, q), np.einsum("xy,sxt->syt", problem.joint, q)
    near = np.einsum("xy,syt->sxt", problem.seen, np.log(np.maximum(s, _TINY)))
    left = (1 - problem.beta) * np.log(np.maximum(r, _TINY))[:, None]
    return np.asarray(log_softmax(left + problem.beta * near, axis=2), dtype=np.float64)


def residual(problem: InformationBottleneck, q: Array) -> Array:
    """Largest departure of a q(t|x) from the self-consistent equations, shape (samples,): 0 at stationary points alone."""
    there = np.exp(consistent(problem, np.log(np.maximum(q, _TINY))))
    return largest(q - there)


def reference(problem: InformationBottleneck, time: float) -> PathEnd:
    """The best stationary point that many starts lead to; the gap is its distance from a bound that no cluster betters.

    Raises
    ------
    SimulationFailed
        No start leads to a point that is stationary to 1e-9.

    Notes
    -----
    The iteration of the self-consistent equations is sped up by squared extrapolation, which is taken back where it does
    not lower L.

    References
    ----------
    R. Varadhan and C. Roland, Simple and globally convergent methods for accelerating the convergence of any EM algorithm,
    Scand. J. Stat. 35 (2008) 335.
    """
    n, count = problem.start.shape
    rng = np.random.default_rng(_SEED)
    parted = np.where(np.arange(n)[:, None] % count == np.arange(count), 0.99, 0.01 / max(count - 1, 1))
    drawn = np.maximum(rng.dirichlet(np.full(count, 0.3), (_STARTS, n)), 1e-9)
    logs = np.log(np.concatenate([problem.start[None], parted[None], drawn]))
    logs = consistent(problem, logs)
    for _ in range(_STEPS):
        one = consistent(problem, logs)
        two = consistent(problem, one)
        first, second = one - logs, two - 2 * one + logs
        weight = problem.source[:, None] * np.exp(one)
        lengths = [np.sqrt((weight * d * d).sum(axis=(1, 2))) for d in (first, second)]
        far = np.minimum(-lengths[0] / np.maximum(lengths[1], _TINY), -1.0).clip(-1e3)[:, None, None]
        tried = consistent(problem, log_softmax(logs - 2 * far * first + far * far * second, axis=2))
        better = worth(problem, np.exp(tried)) <= worth(problem, np.exp(two))
        logs = np.where(better[:, None, None], tried, two)
        if largest(np.exp(two) - np.exp(one)).max() < _STILL:
            break
    q = np.exp(logs)
    still = residual(problem, q) <= _ENOUGH
    if not still.any():
        raise SimulationFailed(
            f"the reference of {problem!r} found no stationary point; beta may be where clusters part: take another."
        )
    best = q[still][[int(worth(problem, q[still]).argmin())]]
    compressed, kept = informations(problem, best)
    least = float(worth(problem, best)[0])
    gap = least - bound(problem, best[0]) + 64 * float(np.finfo(float).eps) * max(1.0, problem.beta)
    return PathEnd({"q": best[0], "compression_nats": compressed, "relevance_nats": kept}, gap)


def bound(problem: InformationBottleneck, q: Array) -> float:
    """What no clusters of any number are worth less than, nats; the nearer, the better q, shape (n, k), is.

    Notes
    -----
    I(T;Y) ≤ η I(X;T), with η at most the largest total variation of two p(y|x), and I(T;Y) ≤ I(X;Y), so that L is at least
    min(0, 1/η − β) I(X;Y). Of up to four letters it is also found how L is the lower convex envelope, at p(x), of
    F(π) = D(π‖p) − β D(π_Y‖p_Y): any ν gives Σ_x p(x) ν_x + min_π (F(π) − Σ_x ν_x π_x), and the minimum is bounded by
    splitting the simplex. Within each part what is convex lies above its tangent and what is concave above its chord.

    References
    ----------
    H. S. Witsenhausen and A. D. Wyner, A conditional entropy bound for a pair of discrete random variables, IEEE Trans. Inf.
    Theory 21 (1975) 493: the envelope. R. L. Dobrushin, Theory Probab. Appl. 1 (1956) 65: the coefficient.
    """
    rows = problem.seen
    shrinks = max(float(abs(rows[:, None] - rows[None]).sum(axis=2).max()) / 2, _TINY)
    coarse = min(0.0, 1 / shrinks - problem.beta) * problem.all_nats
    if len(rows) > _SPLIT:
        return coarse
    p, beta = problem.source, problem.beta
    linear = -np.log(p) + beta * rows @ np.log(problem.joint.sum(axis=0))
    # F(π) = Σ π ln π + linear·π + β H(π_Y), and the slopes of the clusters that q makes are the ν of a tangent below all.
    r, s = p @ q, problem.joint.T @ q
    r = np.maximum(r, _TINY)
    back = p[:, None] * q / r
    slopes = np.log(np.maximum(back, _TINY)) + linear[:, None] - beta * rows @ np.log(np.maximum(s, _TINY) / r)
    nu = (q * slopes).sum(axis=1)
    return max(coarse, float(p @ nu) + _least(linear - nu, rows, beta))


def _least(linear: Array, rows: Array, beta: float) -> float:
    """Lower bound of Σ π ln π + linear·π + β H(π rows) on the simplex, by splitting it where the bound is lowest."""
    cells = np.eye(len(linear))[None]  # corners of each, shape (cells, n, n)
    low = _bounds(cells, linear, rows, beta)
    settled, made = 0.0, 1
    while len(cells) and made < _CELLS:
        settled = min(settled, float(low[low >= -_PROVEN].min(initial=0.0)))
        open_cells = cells[low < -_PROVEN]
        if not len(open_cells):
            return settled
        edges = np.linalg.norm(open_cells[:, :, None] - open_cells[:, None], axis=3).reshape(len(open_cells), -1)
        one, other = np.divmod(edges.argmax(axis=1), len(linear))
        each = np.arange(len(open_cells))
        middle = (open_cells[each, one] + open_cells[each, other]) / 2
        left, right = open_cells.copy(), open_cells.copy()
        left[each, one], right[each, other] = middle, middle
        cells = np.concatenate([left, right])
        low = _bounds(cells, linear, rows, beta)
        made += len(cells)
    return min(settled, float(low.min(initial=0.0)))


def _bounds(cells: Array, linear: Array, rows: Array, beta: float) -> Array:
    middle = cells.mean(axis=1)
    slopes = np.log(middle) + 1 + linear
    # −entr of the middle + slopes·(corner − middle) is the tangent of the convex part at every corner.
    tangent = (xlogy(middle, middle) + linear * middle - slopes * middle).sum(axis=1)[:, None] + np.einsum(
        "ckx,cx->ck", cells, slopes
    )
    return (tangent + beta * entr(cells @ rows).sum(axis=2)).min(axis=1)


def _clusters(problem: InformationBottleneck, finals: Mapping[str, Array]) -> Array:
    positive = np.maximum(finals["q"], 0).reshape(len(finals["q"]), *problem.start.shape)
    return positive / positive.sum(axis=2, keepdims=True)


def _errors(problem: InformationBottleneck, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        q = _clusters(problem, ends.finals)
        own = dict(zip(("compression_nats", "relevance_nats"), informations(problem, q), strict=True))
        value, off = worth(problem, q), residual(problem, q)
    errors = {name: abs(ends.finals[name][:, 0] - own[name]) for name in own if name in ends.finals}
    best = float(worth(problem, np.asarray(found.values["q"])[None])[0])
    # Above the best that is known, or below what nothing can be.
    missed = np.maximum(np.maximum(value - best, best - found.gap - value), np.where(np.isfinite(value), 0.0, np.nan))
    sums = ends.paths["q"].reshape(*ends.paths["q"].shape[:2], *problem.start.shape).sum(axis=3) - 1
    return {
        **errors,
        "objective": missed,
        "certified": off,
        "states": np.maximum(missed, off),
        "simplex": largest(sums),
    }


def _held(
    problem: InformationBottleneck, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    return [
        *asked(
            errors,
            limit,
            ("certified", "it is a stationary point: the self-consistent equations hold", ""),
            ("objective", "no better stationary point is known", "nat", max(1.0, problem.beta)),
            ("compression_nats", "I(X;T) is that of the clusters", "nat"),
            ("relevance_nats", "I(T;Y) is that of the clusters", "nat"),
            ("simplex", "Σ_t q stays 1", ""),
        ),
    ]


def _slowest(problem: InformationBottleneck, found: PathEnd) -> float:
    """Of the flow linearised at the clusters that are in use, per τ; 0 where these are free to part or to turn."""
    q = np.asarray(found.values["q"])
    q = q[:, (problem.source @ q) > 1e-6]
    n, count = q.shape
    r, s = problem.source @ q, problem.joint.T @ q
    moved = problem.beta * np.einsum("xy,yt,zy->xtz", problem.seen, 1 / np.maximum(s, _TINY), problem.joint)
    moved += (1 - problem.beta) * np.einsum("t,z->tz", 1 / r, problem.source)[None]
    shares = np.einsum("zu,uw->zuw", q, np.eye(count)) - np.einsum("zu,zw->zuw", q, q)
    jacobian = np.einsum("xuz,zuw->xuzw", moved, shares).reshape(n * count, -1)
    return max(float(1 - np.linalg.eigvals(jacobian).real.max()), 0.0)


def _notes(problem: InformationBottleneck, found: PathEnd) -> tuple[str, ...]:
    least = float(worth(problem, np.asarray(found.values["q"])[None])[0])
    low = least - found.gap
    where = (
        f"The least of all I(X;T) - beta I(T;Y) is {least:.9g} nat, proven to {found.gap:.2g} nat."
        if found.gap < _ENOUGH * 10
        else f"The least of all I(X;T) - beta I(T;Y) lies between {low:.6g} and {least:.6g} nat; no more is known."
    )
    critical = problem.critical
    side = "below" if problem.beta < critical else "above"
    other = "a minimum" if problem.beta < critical else "no minimum"
    return (
        where,
        f"beta = {problem.beta:g} is {side} 1/rho^2 = {critical:.6g}, rho the maximal correlation: the answer that tells "
        f"nothing is {other}.",
    )


def _shown(problem: InformationBottleneck, values: Mapping[str, Array]) -> dict[str, Any]:
    return {
        "compression_nats": float(np.ravel(values["compression_nats"])[0]),
        "relevance_nats": float(np.ravel(values["relevance_nats"])[0]),
        "clusters": np.reshape(values["q"], problem.start.shape).tolist(),
    }


def _answer(problem: InformationBottleneck, found: PathEnd, run: Run) -> dict[str, Any]:
    return _shown(problem, run.final)


def _exact(problem: InformationBottleneck, found: PathEnd) -> dict[str, Any]:
    return _shown(problem, found.values)


INFORMATION_BOTTLENECK = Family(
    name="information-bottleneck",
    problem=InformationBottleneck,
    noun="a variable to be described for the sake of another",
    keys=("joint", "beta", "clusters", "start"),
    needed={
        "joint": "the matrix p(x, y), a row for each letter of X",
        "beta": "nats of description that one nat about Y is worth",
    },
    example={"joint": [[0.4, 0.1], [0.1, 0.4]], "beta": 4.0},
    flow=flow,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats"},
    reference=reference,
    errors=_errors,
    held=_held,
    unlisted="states",
    labels={
        "objective": "I(X;T) - β I(T;Y) above the best that is known, nats",
        "certified": "largest departure from the self-consistent equations",
        "compression_nats": "I(X;T) beside that of the clusters, nats",
        "relevance_nats": "I(T;Y) beside that of the clusters, nats",
        "simplex": "largest departure of a Σ_t q from 1",
    },
    ended="settled",
    answer=_answer,
    exact=_exact,
    slowest=_slowest,
    contest=None,
    notes=_notes,
)
"""The family of information bottlenecks."""
