r"""The capacity of a channel that drifts, followed by a circuit that goes on running.

.. math:: \dot u_i = w_i(z, P(t)) - \sum_k z_k w_k, \quad z = \operatorname{softmax}(u), \quad z \approx z^* - S^{-1}\dot z^*

What is asked, the flow, its path by two integrations, and at instants the optimum of the channel as it is then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from analogflow.checks import is_positive, numbers, refuse_faults, refuse_unknown
from analogflow.errors import SimulationFailed
from analogflow.families.ends import Held, RunEnds, largest
from analogflow.families.family import Family
from analogflow.families.tracking import (
    Tracked,
    instants_until,
    read_saved,
    tracking_errors,
    tracking_held,
)
from analogflow.flows import Flow
from analogflow.flows.invariants import CommonMode
from analogflow.flows.timed import applied, timed
from analogflow.graph import log, softmax
from analogflow.problems import Channel
from analogflow.problems.timed import TimedMatrix, instants_of, read_timed
from analogflow.reference.capacity import capacity_reference
from analogflow.reference.equations import path_to
from analogflow.run import Run

__all__ = ["DRIFTING_CHANNEL", "DriftingChannel"]

Array = NDArray[np.float64]

FORMS = ("logdomain",)

_SUM = 1e-9
"""Departure of a row's sum from 1, at any instant, that counts as rounding."""

_USED = 1e-7
"""Weight from which an optimum uses an input."""

_SHARPEST = 1e10
"""Condition of the equations of the lag beyond which the optimum is not the only one."""


@dataclasses.dataclass(frozen=True, eq=False)
class DriftingChannel:
    """A channel whose probabilities are functions of time, and until when it is followed.

    Parameters
    ----------
    channel : rows of numbers and expressions, n by m, optional
        p(output|input) of each input; expressions are of t, in τ, and of the inputs. Given unless `channels` are.
    inputs : mapping of name to function of time, optional
        An expression of t, or ``{times, values}``, points that straight lines join, as flows of one's own take them.
    channels : sequence of arrays, shape (n, m), optional
        The channel at each of `times`, with straight lines between.
    times : array, shape (k,), optional
        In τ, ascending.
    time : float
        End of the run, in τ.
    saved : array, shape (l,), optional
        Instants at which the circuit is held against the optimum; nine from half of the time to its end if not given.
    start : array, shape (n,), optional
        Input distribution at 0, all above 0; uniform if not given.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    time: float
    channel: tuple[tuple[Any, ...], ...] | None
    inputs: Mapping[str, Any] | None
    channels: tuple[Array, ...] | None
    times: Array | None
    saved: Array | None
    start: Array | None
    matrix: TimedMatrix = dataclasses.field(init=False)

    def __init__(
        self,
        channel: Sequence[Sequence[Any]] | None = None,
        inputs: Mapping[str, Any] | None = None,
        channels: Sequence[ArrayLike] | None = None,
        times: ArrayLike | None = None,
        time: float = 0.0,
        saved: ArrayLike | None = None,
        start: ArrayLike | None = None,
    ) -> None:
        faults: list[str] = []
        if not is_positive(time):
            faults.append(f"time is {time!r}; give the end of the run, a positive number of time constants")
        refuse_faults("DriftingChannel", faults)
        kept: dict[str, Any] = {"time": float(time), "start": None, "saved": read_saved(saved, float(time), faults)}
        found = read_timed(channel, inputs, channels, times, ("channel", "channels"), faults)
        refuse_faults("DriftingChannel", faults)
        assert found is not None
        matrix, read = found
        faults += _no_channel(matrix, kept["time"])
        count = len(matrix.base)
        if start is not None:
            z = numbers(start, "start", (1,), f"a distribution of {count} inputs", faults)
            if z is not None and not (z.shape == (count,) and (z > 0).all() and abs(z.sum() - 1) <= 1e-6):
                faults.append(f"start is no distribution of {count} inputs; give as many numbers above 0 whose sum is 1")
            elif z is not None:
                kept["start"] = z / z.sum()
                kept["start"].setflags(write=False)
        refuse_faults("DriftingChannel", faults)
        for name, value in {**kept, **read, "matrix": matrix}.items():
            object.__setattr__(self, name, value)

    @property
    def beginning(self) -> Array:
        """Input distribution at 0, shape (n,)."""
        return np.full(len(self.matrix.base), 1 / len(self.matrix.base)) if self.start is None else self.start

    def __repr__(self) -> str:
        n, m = self.matrix.base.shape
        return f"DriftingChannel({n} inputs, {m} outputs, time {self.time:g})"


def _no_channel(matrix: TimedMatrix, time: float) -> list[str]:
    """The first instant at which it is none."""
    if len(matrix.base) < 2:
        return ["the channel has one input, which tells nothing; give two rows or more"]
    for t in instants_of(matrix, time):
        with np.errstate(all="ignore"):
            P = matrix.at(t)
        if not np.isfinite(P).all():
            i, j = np.argwhere(~np.isfinite(P))[0]
            return [f"row {i + 1}, column {j + 1} is {P[i, j]} at t = {t:.4g}; give functions that are finite until the end"]
        if P.min() < -_SUM:
            i, j = np.argwhere(P == P.min())[0]
            return [f"row {i + 1}, column {j + 1} is {P[i, j]:.4g} at t = {t:.4g}; probabilities are not negative"]
        off = abs(P.sum(axis=1) - 1)
        if off.max() > _SUM:
            i = int(off.argmax())
            return [f"row {i + 1} sums to {P[i].sum():.9g} at t = {t:.4g}, not to 1; give rows that do at all times"]
    return []


def rates(u: Any, t: Any, problem: DriftingChannel) -> tuple[Any, Any]:
    """u̇_i = w_i − Σ_k z_k w_k with z = softmax(u), w_i = Σ_j p_ij(t) ln(p_ij(t)/q_j); and the clock."""
    z, w = _parts(u, t, problem)
    return w - z @ w, 1.0


def _parts(u: Any, t: Any, problem: DriftingChannel) -> tuple[Any, Any]:
    matrix, z = problem.matrix, softmax(u)
    # Entries that stand have no logarithm in the circuit.
    moving = np.flatnonzero(np.any([part != 0 for _, part in matrix.parts], axis=0)) if matrix.parts else np.zeros(0, int)
    standing = matrix.base.copy()
    standing.flat[moving] = 0.0
    entropies: Any = xlogy(standing, standing).sum(axis=1)
    if len(moving):
        rows = np.zeros((len(standing), len(moving)))
        rows[moving // standing.shape[1], np.arange(len(moving))] = 1.0
        p = timed(matrix, t, "p", moving)
        entropies = rows @ (p * log(p)) + entropies
    return z, entropies - applied(matrix, t, log(applied(matrix, t, z, "p", turned=True)), "p")


def _worth(u: Any, t: Any, problem: DriftingChannel) -> Any:
    z, w = _parts(u, t, problem)
    return (z @ w).reshape(1)


def flow(problem: DriftingChannel, form: str = "logdomain") -> Flow:
    """The log-domain flow of capacity, whose matrix is a function of time; observables "z" and "capacity_nats".

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    G. Beretta and M. Pelillo, Entropy 27 (2025) 362: the flow of a channel that stands.
    """
    refuse_unknown(form, FORMS, "form", "the drifting-channel flow")
    return Flow(
        rates,
        states={"u": CommonMode("u").project(np.log(problem.beginning)), "t": np.zeros(1)},
        keeps=(CommonMode("u"),),
        constants={"problem": problem},
        observables={"z": lambda u, t, **_: softmax(u), "capacity_nats": _worth},
        answer="z",
        size=1.0,
        scale=1.0,
        equations="du_i/dt = w_i - sum_k z_k w_k, z = softmax(u);  "
        "w_i = sum_j p_ij(t) ln(p_ij(t)/q_j), q_j = sum_i p_ij(t) z_i",
        problem=problem,
        end_time=problem.time,
        path_matters=True,
        clock="t",
    )


def scores(P: Array, z: Array) -> Array:
    """w_i = D(P_i‖q) of each input, nats, shape (..., n), for z of shape (..., n)."""
    return xlogy(P, P).sum(axis=1) - np.log(np.maximum(z @ P, np.finfo(float).tiny)) @ P.T


def lag_of(P: Array, moving: Array, z: Array) -> Array:
    r"""Lag δ = −S⁻¹ ż* of the log-domain flow behind the optimum z of the channel P, which moves at the rate Ṗ; shape (n,).

    On the inputs that are used, w_i(z*, P) = C gives G ż* + Ċ 1 = ∂w/∂t with G = P diag(1/q) Pᵀ, and S = diag(z*) G.

    Raises
    ------
    SimulationFailed
        The optimum is not the only one, so that there is no lag behind it.
    """
    used = z > _USED
    rows, q, n = P[used], z @ P, int(used.sum())
    alive = q > 0
    rows, q = rows[:, alive], q[alive]
    shift = moving[:, alive]
    with np.errstate(all="ignore"):
        logs = np.where(shift[used] == 0, 0.0, shift[used] * np.log(rows / q))
    drive = logs.sum(axis=1) - rows @ ((z @ shift) / q)
    G = (rows / q) @ rows.T
    system = np.block([[G, np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    if np.linalg.cond(system) > _SHARPEST:
        raise SimulationFailed("the optimum of the channel is not the only one, so that no lag behind it is defined.")
    motion = np.linalg.solve(system, np.append(drive, 0.0))[:n]
    # S δ = −ż* has one solution whose sum is 0: diag(z*) G δ + c z* = −ż*.
    behind = np.linalg.solve(system, np.append(-motion / z[used], 0.0))[:n]
    lag = np.zeros(len(z))
    lag[used] = behind
    return lag


def reference(problem: DriftingChannel, time: float) -> Tracked:
    """The path of z by two integrations of the replicator equation, and at instants the optimum and the lag behind it.

    Raises
    ------
    SimulationFailed
        An integration or an optimum was not found, or is not the only one.
    """
    end = time or problem.time

    def moved(at: Mapping[str, Array], t: float) -> dict[str, Array]:
        z = at["z"]
        w = scores(problem.matrix.at(t), z)
        return {"z": z * (w - z @ w / z.sum())}

    path = path_to(moved, {"z": problem.beginning}, end, problem.matrix.corners or (end,))
    times = instants_until(problem.saved, end)
    optima, lags, worths, gap = [], [], [], path.gap
    for t in times.tolist():
        P = np.maximum(problem.matrix.at(t), 0.0)
        best = capacity_reference(Channel(P / P.sum(axis=1, keepdims=True)))
        optima.append(best.input_distribution)
        lags.append(lag_of(P, problem.matrix.rate(t), best.input_distribution))
        worths.append(best.capacity_nats)
        gap = max(gap, best.gap)
    states = path.states_at(times)
    z = states[-1]
    worth = float(z @ scores(problem.matrix.at(end), z))
    values = {"z": z, "capacity_nats": np.array([worth])}
    return Tracked(values, gap, times, states, np.array(optima), np.array(lags), np.array(worths), path.states_at)


def _errors(problem: DriftingChannel, found: Tracked, ends: RunEnds) -> dict[str, Array]:
    z = np.maximum(ends.finals["z"], 0)
    w = scores(problem.matrix.at(float(found.times[-1])), z / z.sum(axis=1, keepdims=True))
    errors = tracking_errors("z", found, ends)
    if "capacity_nats" in ends.finals:
        errors["capacity_nats"] = abs(ends.finals["capacity_nats"][:, 0] - found.values["capacity_nats"][0])
    errors["certified"] = w.max(axis=1) - (z * w).sum(axis=1) / z.sum(axis=1)
    return {**errors, "simplex": largest(ends.paths["z"].sum(axis=2) - 1)}


def _held(problem: DriftingChannel, found: Tracked, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    held = tracking_held("z", found, errors, limit, "the input distribution")
    if "capacity_nats" in errors:
        held.append(Held("the information is that of the path", errors["capacity_nats"], limit, "nat"))
    return [*held, Held("Σz stays 1", errors["simplex"], limit)]


def _answer(problem: DriftingChannel, found: Tracked, run: Run) -> dict[str, Any]:
    z, worth = run.final["z"], run.final["capacity_nats"]
    behind = np.ravel(z) - found.optima[-1]
    return {
        "capacity_nats": float(np.ravel(worth)[0]), "input_distribution": np.ravel(z).tolist(), "lag": behind.tolist(),
    }  # fmt: skip


def _exact(problem: DriftingChannel, found: Tracked) -> dict[str, Any]:
    return {
        "capacity_nats": float(found.worths[-1]),
        "input_distribution": found.optima[-1].tolist(),
        "lag": found.lags[-1].tolist(),
        "instants": found.times.tolist(),
        "capacities_nats": found.worths.tolist(),
        "input_distributions": found.optima.tolist(),
        "lags": found.lags.tolist(),
    }


def _notes(problem: DriftingChannel, found: Tracked) -> list[str]:
    worst = int(abs(found.lags).max(axis=1).argmax())
    return [
        f"The optimum drifts, so that the circuit is behind it: to first order by up to {found.predicted:.3g}, at "
        f"t = {found.times[worst]:.4g}; the capacity is {found.worths.min():.6g} to {found.worths.max():.6g} nats."
    ]


def _expected(problem: DriftingChannel, found: Tracked) -> dict[str, Any]:
    return {name: np.ravel(value).tolist() for name, value in found.values.items()}


def _started(problem: DriftingChannel, starts: Mapping[str, Array]) -> DriftingChannel:
    u = np.ravel(starts["u"])
    z = np.exp(u - u.max())
    given = {name: getattr(problem, name) for name in DRIFTING_CHANNEL.keys}
    return DriftingChannel(**{**given, "start": z / z.sum()})


DRIFTING_CHANNEL = Family(
    name="drifting-channel",
    problem=DriftingChannel,
    noun="a drifting channel",
    keys=("channel", "inputs", "channels", "times", "time", "saved", "start"),
    needed={"time": "the end of the run in time constants"},
    example={
        "channel": [["1 - p", "p", 0.0], [0.05, 0.9, 0.05], [0.0, 0.1, 0.9]],
        "inputs": {"p": {"times": [0.0, 40.0], "values": [0.05, 0.15]}},
        "time": 80.0,
    },
    flow=flow,
    forms=FORMS,
    units={"error": "", "error_capacity_nats": "nats"},
    reference=reference,
    errors=_errors,
    held=_held,
    primary="z",
    labels={
        "z": "largest departure from the path",
        "lag": "largest lag behind the optimum",
        "beyond": "largest departure of the lag from the predicted one",
        "capacity_nats": "error of the information, nats",
        "certified": "certified gap of the last inputs, nats",
        "simplex": "largest departure of Σz from 1",
    },
    started=_started,
    answer=_answer,
    exact=_exact,
    expected=_expected,
    notes=_notes,
    contest=None,
    listed=("input_distribution", "lag"),
)
"""The family of channels that drift."""
