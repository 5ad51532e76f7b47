r"""The capacity of a compound channel, by a saddle flow: the rate of one code on whichever channel of a set it meets.

.. math:: C = \max_z \min_k I(z; P_k) = \max_z \min_\lambda \sum_k \lambda_k I(z; P_k)

What is asked, the flow, the exact answer by an interior point method, and the interval that a run's own end proves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import block_diag
from scipy.special import xlogy

from analogflow.checks import numbers, refuse_faults, refuse_unknown
from analogflow.errors import SimulationFailed
from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows import Flow
from analogflow.flows.invariants import CommonMode
from analogflow.graph import log, softmax
from analogflow.run import Run

__all__ = ["COMPOUND_CHANNEL", "CompoundChannel"]

Array = NDArray[np.float64]

FORMS = ("logdomain",)

DAMPING = 1.0
"""κ, per nat: how much of the integrand adds to the integral that weighs the channels; without it the saddle is circled."""

_SUM = 1e-6
"""Departure of a row's sum from 1 that is accepted, and divided out."""

_AIM, _ENOUGH = 1e-13, 1e-9
"""Gaps of the reference, nats: at which it stops, and with which it is content."""

_STEPS, _CENTRING, _LEAST = 100, 0.1, 1e-18
"""Newton steps of the reference, the share of the complementarity that each aims at, and its least."""


@dataclasses.dataclass(frozen=True, eq=False)
class CompoundChannel:
    """A set of channels with the same inputs, one of which is met, and the sender does not know which.

    Parameters
    ----------
    channels : sequence of arrays, shape (n, m_k)
        P_k: p(output|input) of each channel, a row for each input.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    channels: tuple[Array, ...]

    def __init__(self, channels: Sequence[ArrayLike]) -> None:
        faults: list[str] = []
        given = list(channels) if isinstance(channels, list | tuple | np.ndarray) else []
        if not given:
            faults.append("channels is no list of matrices; give one matrix of p(output|input) for each channel of the set")
        found = [_matrix(one, f"channel {k + 1}", faults) for k, one in enumerate(given)]
        sizes = {len(P) for P in found if P is not None}
        if len(sizes) > 1:
            faults.append(f"the channels have {' and '.join(map(str, sorted(sizes)))} inputs; give the same inputs to all")
        elif 1 in sizes:
            faults.append("the channels have one input, which tells nothing; give two rows or more")
        refuse_faults("CompoundChannel", faults)
        object.__setattr__(self, "channels", tuple(P for P in found if P is not None))

    @property
    def inputs(self) -> int:
        """Number n of inputs."""
        return len(self.channels[0])

    def __repr__(self) -> str:
        return f"CompoundChannel({len(self.channels)} channels, {self.inputs} inputs)"


def _matrix(given: ArrayLike, name: str, faults: list[str]) -> Array | None:
    P = numbers(given, name, (2,), "a matrix of p(output|input), a row for each input", faults)
    if P is None:
        return None
    sums = P.sum(axis=1)
    if (P < 0).any():
        i, j = np.argwhere(P < 0)[0]
        faults.append(f"{name} has {P[i, j]:g} in row {i + 1}, column {j + 1}; probabilities are not negative")
        return None
    wrong = np.flatnonzero(abs(sums - 1) > _SUM)
    if len(wrong):
        faults.append(f"{name}: row {wrong[0] + 1} sums to {sums[wrong[0]]:.9g}, not to 1; divide it by its sum")
        return None
    rounded = abs(sums - 1) <= P.shape[1] * np.finfo(float).eps  # what is right to rounding stays as it was written
    P = P[:, P.any(axis=0)] / np.where(rounded, 1.0, sums)[:, None]
    P.setflags(write=False)
    return P


def rates(u: Any, v: Any, **constants: Any) -> tuple[Any, Any]:
    """u̇_i = Σ_k λ_k w_ki − Σ_j z_j Σ_k λ_k w_kj, v̇_k = Σ_l λ_l I_l − I_k, z = softmax(u), λ = softmax(v − κ I)."""
    z, w, each, mixed = _parts(u, v, **constants)
    score = mixed @ w
    return score - z @ score, mixed @ each - each


def _parts(u: Any, v: Any, W: Array, B: Array, h: Array) -> tuple[Any, Any, Any, Any]:
    """z, w of shape (channels, inputs), I_k and λ; w_ki = Σ_j p_kij ln(p_kij/q_kj), q_k = P_kᵀz."""
    z = softmax(u)
    w = (h.ravel() - B @ log(W @ z)).reshape(h.shape)
    each = w @ z
    return z, w, each, softmax(v - DAMPING * each)


def flow(problem: CompoundChannel, form: str = "logdomain") -> Flow:
    """Flow whose inputs z and weights λ of the channels settle at the saddle; observables "z", "mix" and "capacity_nats".

    The integral of a channel's lead over the others weighs it down, and its lead itself does so at once.

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    D. Blackwell, L. Breiman and A. J. Thomasian, The capacity of a class of channels, Ann. Math. Stat. 30 (1959) 1229. K. J.
    Arrow, L. Hurwicz and H. Uzawa, Studies in Linear and Non-linear Programming, Stanford (1958): the saddle flow.
    """
    refuse_unknown(form, FORMS, "form", "the compound-channel flow")
    count, n = len(problem.channels), problem.inputs
    return Flow(
        rates,
        states={"u": np.zeros(n), "v": np.zeros(count)},
        keeps=(CommonMode("u"), CommonMode("v")),
        constants={
            "W": np.concatenate([P.T for P in problem.channels]),
            "B": block_diag(*problem.channels),
            "h": np.array([xlogy(P, P).sum(axis=1) for P in problem.channels]),
        },
        observables={
            "z": lambda u, v, **_: softmax(u),
            "mix": lambda u, v, **constants: _parts(u, v, **constants)[3],
            "capacity_nats": lambda u, v, **constants: _mixture(*_parts(u, v, **constants)),
        },
        answer="z",
        rests=("z", "mix"),
        size=1.0,
        scale=1.0,
        equations="du_i/dt = sum_k lam_k (w_ki - I_k), dv_k/dt = sum_l lam_l I_l - I_k, lam = softmax(v - I)",
        problem=problem,
    )


def _mixture(z: Any, w: Any, each: Any, mixed: Any) -> Any:
    return (mixed * each).sum().reshape(1)


def interval(problem: CompoundChannel, z: Array, mixed: Array) -> tuple[Array, Array]:
    """Bounds of the capacity, nats, that input distributions z and weights λ prove, shape (samples,) each.

    min_k I(z; P_k) ≤ C ≤ max_i Σ_k λ_k D(P_ki ‖ P_kᵀz): the first is attained by z, the second holds for any z and λ, since
    I(z'; P) ≤ Σ_i z'_i D(P_i ‖ q) whatever q is.
    """
    informations, scores = [], np.zeros_like(z)
    for k, P in enumerate(problem.channels):
        q = np.maximum(z @ P, np.finfo(float).tiny)
        w = xlogy(P, P).sum(axis=1) - np.log(q) @ P.T
        informations.append((z * w).sum(axis=1))
        scores = scores + mixed[:, [k]] * w
    return np.min(informations, axis=0), scores.max(axis=1)


def reference(problem: CompoundChannel, time: float) -> PathEnd:
    """The saddle by a primal-dual interior point method, with the width of the interval that it proves.

    Raises
    ------
    SimulationFailed
        The interval stayed wider than 1e-9 nat.

    Notes
    -----
    max t subject to I_k(z) − t = r_k ≥ 0, z ≥ 0 and Σz = 1: Newton steps on the conditions of Karush, Kuhn and Tucker with
    λ_k r_k = s_i z_i = μ, while μ goes to 0. Multipliers λ are the weights of the channels.

    References
    ----------
    S. J. Wright, Primal-Dual Interior-Point Methods, SIAM (1997).
    """
    n, count = problem.inputs, len(problem.channels)
    z: Array = np.full(n, 1 / n)
    weights: Array = np.full(count, 1 / count)
    s: Array = np.full(n, 0.1)
    values, _, _ = _derivatives(problem, z)
    t, nu = float(values.min()) - 0.1, 0.0
    r: Array = values - t
    best: tuple[float, Array, Array, float] = (np.inf, z, weights, 0.0)
    for _ in range(_STEPS):
        values, gradients, hessians = _derivatives(problem, z)
        low, high = interval(problem, (z / z.sum())[None], (weights / weights.sum())[None])
        if high[0] - low[0] < best[0]:
            best = float(high[0] - low[0]), z / z.sum(), weights / weights.sum(), float((low[0] + high[0]) / 2)
        if best[0] <= _AIM:
            break
        mu: float = max(_CENTRING * float(weights @ r + s @ z) / (n + count), _LEAST)
        try:
            step = _newton_step(gradients, hessians, z, weights, s, r, mu, nu, values - t)
        except np.linalg.LinAlgError:
            break
        dz: Array = step[:n]
        dl: Array = step[n : n + count]
        ds: Array = (mu - s * z - s * dz) / z
        dr: Array = (mu - weights * r - r * dl) / weights
        along: float = min(
            1.0, *(0.995 / max(float((-d / v).max()), 1e-300) for v, d in ((z, dz), (weights, dl), (s, ds), (r, dr)))
        )
        z, weights, s, r = z + along * dz, weights + along * dl, s + along * ds, r + along * dr
        t, nu = t + along * float(step[-2]), nu + along * float(step[-1])
    width, z, weights, value = best
    if not width <= _ENOUGH:
        raise SimulationFailed(
            f"the reference of {problem!r} knows its capacity to {width:.2g} nat only; give rounder channels."
        )
    known = {"z": z, "mix": weights, "capacity_nats": np.array([value])}
    return PathEnd(known, max(width, 0.0) + 8 * float(np.finfo(float).eps))


def _newton_step(
    gradients: Array, hessians: list[Array], z: Array, weights: Array, s: Array, r: Array, mu: float, nu: float, above: Array
) -> Array:
    """Steps of z, the weights, t and ν; raises LinAlgError where there is none."""
    n, count = len(z), len(weights)
    curvature = np.asarray(np.tensordot(weights, np.array(hessians), 1) - np.diag(s / z), dtype=np.float64)
    matrix = np.zeros((n + count + 2, n + count + 2))
    matrix[:n, :n], matrix[:n, n : n + count], matrix[:n, -1] = curvature, gradients.T, -1
    matrix[n : n + count, :n], matrix[n : n + count, n : n + count] = gradients, np.diag(r / weights)
    matrix[n : n + count, -2], matrix[-2, n : n + count], matrix[-1, :n] = -1, -1, 1
    right = np.zeros(n + count + 2)
    right[:n] = -(weights @ gradients + s - nu) - (mu / z - s)
    right[n : n + count] = -(above - r) + (mu / weights - r)
    right[-2:] = weights.sum() - 1, 1 - z.sum()
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _derivatives(problem: CompoundChannel, z: Array) -> tuple[Array, Array, list[Array]]:
    """I_k(z) of shape (channels,), their gradients w_k − 1, and their Hessians −P_k diag(1/q_k) P_kᵀ."""
    values, gradients, hessians = [], [], []
    for P in problem.channels:
        q = z @ P
        w = xlogy(P, P).sum(axis=1) - P @ np.log(q)
        values.append(float(z @ w))
        gradients.append(w - 1)
        hessians.append(-(P / q) @ P.T)
    return np.array(values), np.array(gradients), hessians


def _shares(values: Array) -> Array:
    positive = np.maximum(values, 0)
    return positive / positive.sum(axis=1, keepdims=True)


def _errors(problem: CompoundChannel, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    finals = ends.finals
    errors: dict[str, Array] = {}
    if "capacity_nats" in finals:
        errors["capacity_nats"] = abs(finals["capacity_nats"][:, 0] - found.values["capacity_nats"][0])
    with np.errstate(all="ignore"):
        low, high = interval(problem, _shares(finals["z"]), _shares(finals["mix"]))
    errors["certified"] = high - low
    errors["states"] = np.maximum(errors["certified"], abs(low - found.values["capacity_nats"][0]))
    sums = [largest(ends.paths[name].sum(axis=2) - 1) for name in ("z", "mix")]
    return {**errors, "simplex": np.max(sums, axis=0)}


def _held(problem: CompoundChannel, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    return [
        *asked(
            errors,
            limit,
            ("capacity_nats", "capacity agrees with the reference", "nat"),
            ("certified", "inputs and weights certify their own capacity", "nat"),
            ("simplex", "Σz and Σλ stay 1", ""),
        ),
    ]


def _answer(problem: CompoundChannel, found: PathEnd, run: Run) -> dict[str, Any]:
    return _told(run.final)


def _exact(problem: CompoundChannel, found: PathEnd) -> dict[str, Any]:
    return _told(found.values)


def _told(values: Mapping[str, Array]) -> dict[str, Any]:
    return {
        "capacity_nats": float(np.ravel(values["capacity_nats"])[0]),
        "input_distribution": np.ravel(values["z"]).tolist(),
        "channel_weights": np.ravel(values["mix"]).tolist(),
    }


COMPOUND_CHANNEL = Family(
    name="compound-channel",
    problem=CompoundChannel,
    noun="a compound channel",
    keys=("channels",),
    needed={"channels": "the matrices of p(output|input), one for each channel of the set"},
    example={
        "channels": [
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]],
            [[0.5, 0.25, 0.25], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9]],
        ]
    },
    flow=flow,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats"},
    reference=reference,
    errors=_errors,
    held=_held,
    unlisted="states",
    labels={
        "certified": "certified gap of inputs and weights, nats",
        "simplex": "largest departure of Σz or Σλ from 1",
    },
    ended="settled",
    answer=_answer,
    exact=_exact,
    contest=None,
    listed=("input_distribution", "channel_weights"),
)
"""The family of compound channels."""
