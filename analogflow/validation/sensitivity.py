"""First-order prediction of what imperfections do to a settled circuit: one linear solve in place of a simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm, solve_discrete_lyapunov

from analogflow.block_engine import VectorField
from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.compiler import imperfect_graph
from analogflow.noise import DRAWS, Noise, standard_normal
from analogflow.passes import pole_label

__all__ = ["Prediction", "predict"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted ends of some samples.

    Parameters
    ----------
    states : array, shape (samples, size)
        States of the ideal graph, moved.
    signals : mapping of name to array, shape (samples, size of the signal)
        What the imperfect circuit shows there.
    covariance : array, shape (size, size)
        Of the fluctuations at the knots; 0 without noise.
    """

    states: Array
    signals: Mapping[str, Array]
    covariance: Array


def predict(
    circuit: Circuit,
    settled: Array,
    samples: int,
    *,
    imperfections: Imperfections,
    noise: Noise,
    only: Collection[str] | None = None,
) -> Prediction:
    r"""Ends of `samples` samples to first order around the settled state y* of the ideal circuit.

    Static effects change the rates at y* by δf, so the state settles at y* − J⁻¹ δf. A bandwidth moves no equilibrium.
    Noise enters the linearised circuit, poles included, in straight lines between its knots; the covariance of the state
    at the knots follows from the exact step of that linear system over one interval.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it.
    settled : array, shape (size,)
        Settled state of the ideal circuit.
    samples : int
    imperfections, noise : as for an ensemble
    only : collection of node names, optional
        Blocks that are imperfect; all if not given.

    Returns
    -------
    Prediction
        NaN where the linearisation has a neutral direction, along which first order says nothing.
    """
    ideal = VectorField(circuit.graph)
    static = imperfections.without("bandwidth", "noise_density")
    field = VectorField(imperfect_graph(circuit, static, dataclasses.replace(noise, sigma=0.0), range(samples), only))
    jacobian = ideal.jacobian(settled)
    there = np.tile(settled, (samples, 1))
    change = field(0.0, there) - ideal(0.0, settled)
    moved = there - np.linalg.lstsq(jacobian, change.T, rcond=None)[0].T
    if np.linalg.cond(jacobian) > _NEUTRAL:
        moved = np.full_like(moved, np.nan)
    signals = {name: np.array(value) for name, value in field.observables(moved).items()}
    fluctuations = _Fluctuations.of(circuit, settled, imperfections, noise, only)
    if fluctuations is None:
        return Prediction(moved, signals, np.zeros_like(jacobian))
    draws = standard_normal(noise.seed, range(samples), DRAWS, sum(fluctuations.shape))
    shown = fluctuations.shown(draws)
    return Prediction(
        moved + shown[_STATE][:, : ideal.size],
        {name: value + shown[name] for name, value in signals.items()},
        fluctuations.covariance[: ideal.size, : ideal.size],
    )


_NEUTRAL = 1e10
"""Condition number of a Jacobian from which a direction counts as neutral."""

_STATE = ""


@dataclasses.dataclass(frozen=True, eq=False)
class _Fluctuations:
    """Stationary law of a linear circuit at the knots of its noise.

    ``covariance`` of the states, shape (size, size); ``entry``, shape (size, sources): what of the present knot is in the
    state already; ``spread`` of each source; and how each signal follows from state and present knot.
    """

    covariance: Array
    entry: Array
    spread: Array
    maps: Mapping[str, tuple[Array, Array]]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.covariance), len(self.spread)

    @classmethod
    def of(
        cls, circuit: Circuit, settled: Array, imperfections: Imperfections, noise: Noise, only: Collection[str] | None
    ) -> _Fluctuations | None:
        """Law of the circuit whose only flaws are noise and bandwidth; None without noise."""
        restless = imperfections.only(*({"bandwidth", "noise_density"} & set(imperfections.effects)))
        field = VectorField(imperfect_graph(circuit, restless, noise, 0, only))
        if not len(field.streams):
            return None
        ideal = VectorField(circuit.graph)
        signals = ideal.signals(settled)
        poles = {pole_label(node): np.broadcast_to(signals[node], circuit.graph.block(node).size) for node in circuit.graph}
        states = {label: part for label, part in {**poles, **ideal.unpack(settled)}.items() if label in field.graph.states}
        y, size, h = field.pack(states), field.size, noise.step
        spread = field.density / np.sqrt(h)
        into = field.noise_jacobian(y)
        # exp of this block matrix holds e^{Jh}, ∫ e^{Js} ds and ∫∫ e^{Js}: what a constant and a ramp leave in one interval.
        generator = np.zeros((3 * size, 3 * size))
        generator[:size, :size] = h * field.jacobian(y)
        generator[:size, size : 2 * size] = generator[size : 2 * size, 2 * size :] = h * np.eye(size)
        powers = expm(generator)[:size]
        decay, late = powers[:, :size], powers[:, 2 * size :] / h @ into
        early = powers[:, size : 2 * size] @ into - late
        late, early = late * spread, early * spread
        cross = decay @ late @ early.T
        covariance = solve_discrete_lyapunov(decay, cross + cross.T + early @ early.T + late @ late.T)
        return cls(covariance, late, spread, _output_maps(field, y))

    def shown(self, draws: Array) -> dict[str, Array]:
        """Fluctuation of the state (under an empty name) and of every signal, from standard normal draws."""
        size = len(self.covariance)
        present = draws[:, size:]
        state = present @ self.entry.T + draws[:, :size] @ _root(self.covariance - self.entry @ self.entry.T).T
        knots = present * self.spread
        return {_STATE: state} | {name: state @ a.T + knots @ b.T for name, (a, b) in self.maps.items()}


def _output_maps(field: VectorField, y: Array) -> dict[str, tuple[Array, Array]]:
    """Derivatives of every visible signal with respect to the states and to the noises."""
    values = field.signals(y)
    by_state, by_noise = field.tangents(values), field.noise_tangents(values)
    maps = {}
    for name, node in {**field.visible_states, **field.graph.observables}.items():
        width = values[node].shape[-1]
        a, b = by_state.get(node), by_noise.get(node)
        maps[name] = (
            np.zeros((width, field.size)) if a is None else np.broadcast_to(a, (width, field.size)),
            np.zeros((width, len(field.streams))) if b is None else np.broadcast_to(b, (width, len(field.streams))),
        )
    return maps


def _root(covariance: Array) -> Array:
    """Symmetric square root; directions that rounding made negative count as still."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return vectors * np.sqrt(np.maximum(values, 0.0))
