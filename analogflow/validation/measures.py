"""Errors of many runs at once, under the names that a certificate has for one; each problem's reference is computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from analogflow.flows import Flow
from analogflow.outcome import Outcome
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference import (
    attention_reference,
    boltzmann_law,
    capacity_reference,
    equations_reference,
    hopfield_reference,
    path_end,
    rate_distortion_reference,
    transport_certificate,
    transport_reference,
)
from analogflow.trajectory import Trajectory
from analogflow.validation.stationary import law_of

__all__ = ["measures", "primary_measure"]

Array = NDArray[np.float64]

_PRIMARY: dict[type, str] = {
    Channel: "state_nats",
    RateDistortion: "state_nats",
    Transport: "plan",
    Attention: "tokens",
    Hopfield: "mean",
    Langevin: "mean",
}

_REFERENCES = 64
_TINY = float(np.finfo(float).tiny)


def measures(
    flow: Flow,
    finals: Mapping[str, Array],
    *,
    paths: Mapping[str, Array] | None = None,
    times: Array | None = None,
    end: float | None = None,
) -> dict[str, Array]:
    r"""Errors of the ends of many runs of `flow`, each of shape (samples,); NaN where a run's end says nothing.

    The names are those of a certificate's errors, and two more: ``state_nats``, :math:`|I(z) - C|` or
    :math:`|\Phi(q) - \Phi^*|` of the state read by an ideal instrument (brought to the simplex, and the value computed
    exactly), where the certificate's ``capacity_nats`` is about the value that the circuit itself shows; and for flows of
    one's own ``states``, the largest error of any state or observable.

    Parameters
    ----------
    flow : Flow
    finals : mapping of name to array, shape (samples, size of the signal)
        States and observables at each run's end; what is not there is left out of the measures.
    paths : mapping of name to array, shape (samples, k, size of the signal), optional
        Signals on the way, for what should hold all along; the ends alone if not given. A flow whose answer is a
        stationary law needs them.
    times : array, shape (k,), optional
        Of the paths, in τ.
    end : float, optional
        Time, in τ, at which runs ended, for answers that are a point of a path; the flow's own, or the last of `times`.
    """
    finals = {name: np.asarray(value, dtype=float) for name, value in finals.items()}
    along = {name: value[:, None] for name, value in finals.items()} if paths is None else paths
    when = end if end is not None else flow.end_time or (float(times[-1]) if times is not None and len(times) else 0.0)
    measure = _MEASURES[type(flow.problem) if flow.problem is not None else Flow]
    with np.errstate(all="ignore"):
        found = measure(flow, finals, along, times, when)
    return {name: np.asarray(value, dtype=float) for name, value in found.items()}


def primary_measure(flow: Flow) -> str:
    """Name of the measure by which answers of `flow` are compared first."""
    return _PRIMARY.get(type(flow.problem), "states")


@functools.lru_cache(maxsize=_REFERENCES)
def _reference(problem: Any, time: float = 0.0) -> Any:
    """Reference of a problem; `time` where it depends on one."""
    if isinstance(problem, Channel):
        return capacity_reference(problem)
    if isinstance(problem, Attention):
        return attention_reference(problem, time=time)
    if isinstance(problem, Equations):
        return equations_reference(problem, time).values
    if isinstance(problem, Flow):
        states, _ = path_end(lambda values: problem.rates(**values), problem.states, time)
        return {**states, **{name: problem.observe(name, **states) for name in problem.observables}}
    if isinstance(problem, Langevin):
        return boltzmann_law(problem) if problem.temperature else _langevin_end(problem, time)
    return _SIMPLE[type(problem)](problem)


_SIMPLE: dict[type, Callable[[Any], Any]] = {
    RateDistortion: rate_distortion_reference,
    Transport: transport_reference,
    Hopfield: hopfield_reference,
}


def _langevin_end(problem: Langevin, time: float) -> Array:
    names = problem.variables

    def rates(states: Mapping[str, Array]) -> dict[str, Array]:
        x = np.concatenate([states[name] for name in names])
        return dict(zip(names, (-problem.mobility_at(x) @ problem.gradient_at(x))[:, None], strict=True))

    states, _ = path_end(rates, dict(zip(names, problem.start[:, None], strict=True)), time)
    return np.concatenate([states[name] for name in names])


def _largest(difference: Array) -> Array:
    """Largest magnitude in each sample, shape (samples,)."""
    return abs(difference).reshape(len(difference), -1).max(axis=1)


def _distribution(finals: Mapping[str, Array], name: str) -> Array:
    """Distribution that a state stands for, shape (samples, n): the softmax of logarithms, or what is positive, divided."""
    if "u" in finals:
        return np.asarray(softmax(finals["u"], axis=1))
    positive = np.maximum(finals[name], 0)
    return positive / positive.sum(axis=1, keepdims=True)


def _capacity(flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], *_: Any) -> dict[str, Array]:
    channel = flow.problem
    reference = _reference(channel)
    P = channel.transition[channel.available]
    z, size = finals["z"], channel.inputs
    full = z if z.shape[1] == size else np.zeros((len(z), size))
    if z.shape[1] != size:
        full[:, channel.available] = z
    state = _distribution(finals, "z")
    state = state if state.shape[1] == len(P) else state[:, channel.available]
    found = {"state_nats": abs(_information(P, state)[0] - reference.capacity_nats)}
    if "capacity_nats" in finals:
        found["capacity_nats"] = abs(finals["capacity_nats"][:, 0] - reference.capacity_nats)
    found["input_distribution"] = _largest(full - reference.input_distribution)
    shown = np.maximum(full[:, channel.available], 0)
    information, divergences = _information(P, shown / shown.sum(axis=1, keepdims=True))
    if channel.cost is None:
        upper = divergences.max(axis=1)
    else:
        upper = (divergences - reference.price * channel.cost[channel.available]).max(axis=1)
        upper = upper + reference.price * channel.cost_limit
        found["cost"] = np.maximum(full @ channel.cost - channel.cost_limit, 0.0)
    gap = upper - information
    found["certified_gap_nats"] = np.maximum(gap, 0) if channel.cost is None else gap
    found["simplex"] = abs(paths["z"].sum(axis=2) - 1).max(axis=1)
    return found


def _information(P: Array, z: Array) -> tuple[Array, Array]:
    """I(z), shape (samples,), and D(p_i‖q), shape (samples, n), nats."""
    divergences = np.maximum(xlogy(P, P).sum(axis=1) - np.log(np.maximum(z @ P, _TINY)) @ P.T, 0)
    return (z * divergences).sum(axis=1), divergences


def _rate_distortion(flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], *_: Any) -> dict[str, Array]:
    problem = flow.problem
    reference = _reference(problem)
    optimum = reference.bounds.upper
    found = {"state_nats": abs(_lagrangian(problem, _distribution(finals, "q"))[0] - optimum)}
    for name, exact in (("rate_nats", reference.rate_nats), ("distortion", reference.distortion)):
        if name in finals:
            found[name] = abs(finals[name][:, 0] - exact)
    if "phi" in finals:
        found["lagrangian_nats"] = abs(finals["phi"][:, 0] - optimum)
    found["reproduction"] = _largest(finals["q"] - reference.reproduction)
    shown = np.maximum(finals["q"], 0)
    value, lower = _lagrangian(problem, shown / shown.sum(axis=1, keepdims=True))
    usable = (finals["q"] >= 0).all(axis=1)
    found["certified_gap_nats"] = np.where(usable, value - lower, np.nan)
    found["simplex"] = abs(paths["q"].sum(axis=2) - 1).max(axis=1)
    return found


def _lagrangian(problem: RateDistortion, q: Array) -> tuple[Array, Array]:
    """Φ(q) and the bound below its minimum that q proves, nats, each of shape (samples,)."""
    A, p = problem.gibbs, problem.source
    partition = q @ A.T
    value = problem.offset - np.log(partition) @ p
    return value, value - np.log(((p / partition) @ A).max(axis=1))


def _transport(flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], *_: Any) -> dict[str, Array]:
    problem = flow.problem
    reference = _reference(problem)
    plan = finals["plan"].reshape(-1, *problem.cost.shape)
    found = {"plan": _largest(plan - reference.plan)}
    if "cost" in finals:
        found["cost"] = abs(finals["cost"][:, 0] - reference.cost)
    off = abs(plan.sum(axis=2) - problem.row).sum(axis=1) + abs(plan.sum(axis=1) - problem.column).sum(axis=1)
    found["marginals"] = off / problem.mass
    rows = paths["plan"].reshape(*paths["plan"].shape[:2], *problem.cost.shape).sum(axis=3)
    found["rows"] = _largest(rows - problem.row) / problem.mass
    if "g" in finals or "u" in finals:
        potentials = finals["g"] if "g" in finals else problem.epsilon * finals["u"]
        finite = np.isfinite(plan).all(axis=(1, 2)) & (plan > 0).any(axis=(1, 2)) & np.isfinite(potentials).all(axis=1)
        gaps = np.full(len(plan), np.nan)
        for k in np.flatnonzero(finite):
            gaps[k] = transport_certificate(problem, plan[k], potentials[k]).gap
        found["certified_gap"] = gaps
    wrong = np.not_equal(plan.argmax(axis=2), reference.plan.argmax(axis=1))
    found["misassigned_rows"] = np.where(np.isfinite(plan).all(axis=(1, 2)), wrong.sum(axis=1), np.nan)
    return found


def _attention(flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], _: Any, end: float) -> dict[str, Array]:
    problem = flow.problem
    path = paths["x"].reshape(*paths["x"].shape[:2], *problem.tokens.shape)
    return {
        "tokens": _largest(finals["x"] - _reference(problem, end).tokens.ravel()),
        "sphere": _largest(np.sqrt((path**2).sum(axis=3)) - 1),
    }


def _hopfield(
    flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], times: Array | None, end: float
) -> dict[str, Array]:
    reference = _reference(flow.problem)
    if flow.averaging is not None:
        return _law(flow, ("v", "h"), reference, paths, times, min(flow.averaging.skipped, 0.2 * end))
    found = {"mean": _largest(np.concatenate([finals["v"], finals["h"]], axis=1) - reference.mean)}
    if "energy" in finals:
        found["energy"] = abs(finals["energy"][:, 0] - reference.energy)
        found["rise"] = np.diff(paths["energy"][:, :, 0], axis=1).max(axis=1, initial=0.0)
    return found


def _langevin(
    flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], times: Array | None, end: float
) -> dict[str, Array]:
    names = flow.problem.variables
    if flow.averaging is not None:
        return _law(flow, names, _reference(flow.problem), paths, times, min(0.05 * end, end))
    found = np.concatenate([finals[name] for name in names], axis=1)
    return {"mean": _largest(found - _reference(flow.problem, end))}


def _law(
    flow: Flow, names: Any, exact: Any, paths: Mapping[str, Array], times: Array | None, skipped: float
) -> dict[str, Array]:
    """Errors of mean and covariance over the path of each sample."""
    assert times is not None, "a law is read off paths"
    errors = np.full((2, len(next(iter(paths.values())))), np.nan)
    for k in range(errors.shape[1]):
        values = {name: paths[name][k] for name in names}
        if all(np.isfinite(value).all() for value in values.values()):
            law = law_of(Trajectory(times, values, Outcome.COMPLETED), names, skipped=skipped)
            errors[:, k] = abs(law.mean - exact.mean).max(), abs(law.covariance - exact.covariance).max()
    return {"mean": errors[0], "covariance": errors[1]}


def _own(flow: Flow, finals: Mapping[str, Array], paths: Mapping[str, Array], _: Any, end: float) -> dict[str, Array]:
    problem = flow if flow.problem is None else flow.problem
    kept = problem.conserved if isinstance(problem, Equations) else ()
    comparable = {manifold.state: manifold.comparable for manifold in flow.keeps}
    found: dict[str, Array] = {}
    for name, exact in _reference(problem, end).items():
        scale = np.maximum(1.0, _largest(paths[name]))
        if name in kept:
            found[name] = _largest(np.ptp(paths[name], axis=1)) / scale
            continue
        shown = comparable.get(name, np.asarray)
        found[name] = _largest(shown(finals[name]) - shown(np.ravel(exact))) / scale
    return {"states": np.max([value for name, value in found.items() if name not in kept], axis=0), **found}


_MEASURES: dict[type, Callable[..., dict[str, Array]]] = {
    Channel: _capacity,
    RateDistortion: _rate_distortion,
    Transport: _transport,
    Attention: _attention,
    Hopfield: _hopfield,
    Langevin: _langevin,
    Equations: _own,
    Flow: _own,
}
