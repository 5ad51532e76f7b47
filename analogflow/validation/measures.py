"""Errors of many runs at once: what a certificate says of one, a study of all, and a restart of both its ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from analogflow.families.references import reference_of
from analogflow.families.stationary import law_of
from analogflow.flows import Flow, custom, hopfield
from analogflow.outcome import Outcome
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference import transport_certificate
from analogflow.trajectory import Trajectory

__all__ = ["Worth", "errors_of", "full_scales", "measures", "primary_measure", "worth_of"]

Array = NDArray[np.float64]

_PRIMARY: dict[type, str] = {
    Channel: "state_nats",
    RateDistortion: "state_nats",
    Transport: "plan",
    Attention: "tokens",
    Hopfield: "mean",
    Langevin: "mean",
}

_TINY = float(np.finfo(float).tiny)

_SMALL_BESIDE = 1e-3
"""Part of the largest full scale that every other one is at least."""


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
    when = end if end is not None else flow.end_time or (float(times[-1]) if times is not None and len(times) else 0.0)
    return errors_of(flow if flow.problem is None else flow.problem, finals, paths, times, when)


def errors_of(
    problem: Any, finals: Mapping[str, Array], paths: Mapping[str, Array] | None, times: Array | None, end: float
) -> dict[str, Array]:
    """The same for what a flow solves: a problem, or a flow that has none."""
    finals = {name: np.asarray(value, dtype=float) for name, value in finals.items()}
    along = {name: value[:, None] for name, value in finals.items()} if paths is None else paths
    with np.errstate(all="ignore"):
        found = _MEASURES[type(problem)](problem, finals, along, times, end)
    return {name: np.asarray(value, dtype=float) for name, value in found.items()}


def primary_measure(flow: Flow) -> str:
    """Name of the measure by which answers of `flow` are compared first."""
    return _PRIMARY.get(type(flow.problem), "states")


def _largest(difference: Array) -> Array:
    """Largest magnitude in each sample, shape (samples,)."""
    return abs(difference).reshape(len(difference), -1).max(axis=1)


def _distribution(finals: Mapping[str, Array], name: str) -> Array:
    """Distribution that a state stands for, shape (samples, n): the softmax of logarithms, or what is positive, divided."""
    if "u" in finals:
        return np.asarray(softmax(finals["u"], axis=1))
    positive = np.maximum(finals[name], 0)
    return positive / positive.sum(axis=1, keepdims=True)


def _capacity(channel: Channel, finals: Mapping[str, Array], paths: Mapping[str, Array], *_: Any) -> dict[str, Array]:
    reference = reference_of(channel)
    rows = channel.available
    z, size = finals["z"], channel.inputs
    full = z if z.shape[1] == size else np.zeros((len(z), size))
    if z.shape[1] != size:
        full[:, rows] = z
    state = _distribution(finals, "z")
    state = state if state.shape[1] == len(rows) else state[:, rows]
    found = {"state_nats": abs(_information(channel.transition[rows], state)[0] - reference.capacity_nats)}
    if "capacity_nats" in finals:
        found["capacity_nats"] = abs(finals["capacity_nats"][:, 0] - reference.capacity_nats)
    if "capacity_readout" in finals:
        found["capacity_readout_nats"] = abs(finals["capacity_readout"][:, 0] - reference.capacity_nats)
    found["input_distribution"] = _largest(full - reference.input_distribution)
    if channel.cost is not None and channel.cost_limit is not None:
        found["cost"] = np.maximum(full @ channel.cost - channel.cost_limit, 0.0)
    found["certified_gap_nats"] = _capacity_worth(channel, z).gap
    found["simplex"] = abs(paths["z"].sum(axis=2) - 1).max(axis=1)
    return found


class Worth(NamedTuple):
    """What distributions are worth to a problem whose optimum is one.

    Parameters
    ----------
    value : array, shape (samples,)
        The greater the better, nats: I(z), less what its cost is worth at the optimum's price, or −Φ(q).
    pressure : array, shape (samples, n)
        How much more of each component would raise the value, nats: w_i − I(z), likewise, or ln Σ_x p_x K_x(y); at an
        optimum none is above 0.
    gap : array, shape (samples,)
        By how much an optimum may be better: the largest pressure, and the price of what is not spent.
    """

    value: Array
    pressure: Array
    gap: Array


def worth_of(problem: Any, distributions: Array) -> Worth | None:
    """Worth of distributions, shape (samples, n): what is below 0 counts as 0, the rest is divided by its sum.

    None for problems whose answer is no distribution. Inputs that are not available are left out of the pressure.
    """
    worth = _WORTH.get(type(problem))
    with np.errstate(all="ignore"):
        return None if worth is None else worth(problem, np.asarray(distributions, dtype=float))


def _capacity_worth(channel: Channel, z: Array) -> Worth:
    rows = channel.available
    positive = np.maximum(z if z.shape[1] == len(rows) else z[:, rows], 0)
    shares = positive / positive.sum(axis=1, keepdims=True)
    information, pressure = _information(channel.transition[rows], shares)
    if channel.cost is None:
        pressure = pressure - information[:, None]
        return Worth(information, pressure, np.maximum(pressure.max(axis=1), 0))
    reference = reference_of(channel)
    dear = reference.price * channel.cost[rows]
    value = information - shares @ dear
    pressure = pressure - dear - value[:, None]
    return Worth(value, pressure, pressure.max(axis=1) + reference.price * channel.cost_limit - shares @ dear)


def _information(P: Array, z: Array) -> tuple[Array, Array]:
    """I(z), shape (samples,), and D(p_i‖q), shape (samples, n), nats."""
    divergences = np.maximum(xlogy(P, P).sum(axis=1) - np.log(np.maximum(z @ P, _TINY)) @ P.T, 0)
    return (z * divergences).sum(axis=1), divergences


def _rate_distortion(
    problem: RateDistortion, finals: Mapping[str, Array], paths: Mapping[str, Array], *_: Any
) -> dict[str, Array]:
    reference = reference_of(problem)
    optimum = reference.bounds.upper
    found = {"state_nats": abs(_lagrangian(problem, _distribution(finals, "q"))[0] - optimum)}
    for name, exact in (("rate_nats", reference.rate_nats), ("distortion", reference.distortion)):
        if name in finals:
            found[name] = abs(finals[name][:, 0] - exact)
    if "phi" in finals:
        found["lagrangian_nats"] = abs(finals["phi"][:, 0] - optimum)
    found["reproduction"] = _largest(finals["q"] - reference.reproduction)
    found["certified_gap_nats"] = _rate_distortion_worth(problem, finals["q"]).gap
    found["simplex"] = abs(paths["q"].sum(axis=2) - 1).max(axis=1)
    return found


def _rate_distortion_worth(problem: RateDistortion, q: Array) -> Worth:
    positive = np.maximum(q, 0)
    value, scores = _lagrangian(problem, positive / positive.sum(axis=1, keepdims=True))
    pressure = np.log(scores)
    return Worth(-value, pressure, pressure.max(axis=1))


def _lagrangian(problem: RateDistortion, q: Array) -> tuple[Array, Array]:
    """Φ(q), nats, shape (samples,), and c_y = Σ_x p_x A_xy/Z_x, shape (samples, m); Φ − ln max c_y is below the minimum."""
    A, p = problem.gibbs, problem.source
    partition = q @ A.T
    return problem.offset - np.log(partition) @ p, (p / partition) @ A


_WORTH: dict[type, Callable[[Any, Array], Worth]] = {Channel: _capacity_worth, RateDistortion: _rate_distortion_worth}


def _transport(problem: Transport, finals: Mapping[str, Array], paths: Mapping[str, Array], *_: Any) -> dict[str, Array]:
    reference = reference_of(problem)
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


def _attention(
    problem: Attention, finals: Mapping[str, Array], paths: Mapping[str, Array], _: Any, end: float
) -> dict[str, Array]:
    path = paths["x"].reshape(*paths["x"].shape[:2], *problem.tokens.shape)
    return {
        "tokens": _largest(finals["x"] - reference_of(problem, end).tokens.ravel()),
        "sphere": _largest(np.sqrt((path**2).sum(axis=3)) - 1),
    }


def _hopfield(
    problem: Hopfield, finals: Mapping[str, Array], paths: Mapping[str, Array], times: Array | None, end: float
) -> dict[str, Array]:
    reference = reference_of(problem)
    averaging = hopfield(problem).averaging
    if averaging is not None:
        return _law(("v", "h"), reference, paths, times, min(averaging.skipped, 0.2 * end))
    found = {"mean": _largest(np.concatenate([finals["v"], finals["h"]], axis=1) - reference.mean)}
    if "energy" in finals:
        found["energy"] = abs(finals["energy"][:, 0] - reference.energy)
        found["rise"] = np.diff(paths["energy"][:, :, 0], axis=1).max(axis=1, initial=0.0)
    return found


def _langevin(
    problem: Langevin, finals: Mapping[str, Array], paths: Mapping[str, Array], times: Array | None, end: float
) -> dict[str, Array]:
    names = problem.variables
    if problem.temperature:
        return _law(names, reference_of(problem), paths, times, min(0.05 * end, end))
    found = np.concatenate([finals[name] for name in names], axis=1)
    exact = reference_of(problem, end).values
    return {"mean": _largest(found - np.concatenate([exact[name] for name in names]))}


def _law(names: Any, exact: Any, paths: Mapping[str, Array], times: Array | None, skipped: float) -> dict[str, Array]:
    """Errors of mean and covariance over the path of each sample."""
    assert times is not None, "a law is read off paths"
    errors = np.full((2, len(next(iter(paths.values())))), np.nan)
    for k in range(errors.shape[1]):
        values = {name: paths[name][k] for name in names}
        if all(np.isfinite(value).all() for value in values.values()):
            law = law_of(Trajectory(times, values, Outcome.COMPLETED), names, skipped=skipped)
            errors[:, k] = abs(law.mean - exact.mean).max(), abs(law.covariance - exact.covariance).max()
    return {"mean": errors[0], "covariance": errors[1]}


def full_scales(reference: Mapping[str, Array], paths: Mapping[str, Array]) -> dict[str, Array]:
    """Full scale of every quantity of one's own equations, shape (samples,): its largest magnitude on a run, or at its end.

    A quantity that is far smaller than the others, or nothing, counts as a thousandth of the largest.
    """
    sizes = {
        name: np.maximum(_largest(paths[name]), abs(exact).max(initial=0.0))
        for name, exact in reference.items()
        if name in paths
    }
    whole = np.max(list(sizes.values()), axis=0)
    least = np.where(whole > 0, _SMALL_BESIDE * whole, 1.0)
    return {name: np.maximum(size, least) for name, size in sizes.items()}


def _own(problem: Any, finals: Mapping[str, Array], paths: Mapping[str, Array], _: Any, end: float) -> dict[str, Array]:
    keeps, kept = (custom(problem).keeps, problem.conserved) if isinstance(problem, Equations) else (problem.keeps, ())
    comparable = {manifold.state: manifold.comparable for manifold in keeps}
    found: dict[str, Array] = {}
    reference = {name: exact for name, exact in reference_of(problem, end).values.items() if name in finals}
    scales = full_scales(reference, paths)
    for name, exact in reference.items():
        scale = scales[name]
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
