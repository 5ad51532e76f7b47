"""What each imperfection and each block costs: measured by switching one on at a time, beside a first-order prediction."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Collection, Mapping

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import VectorField, integrate
from analogflow.blocks import Constant, Imperfections, NoiseSource, Wire
from analogflow.circuit import Circuit
from analogflow.errors import BadInput
from analogflow.flows import differences
from analogflow.noise import DRAWS, Noise, standard_normal
from analogflow.passes import graph_under, limits_of, pole_label, require_blocks
from analogflow.run import Outcome, longest_run, resting_speed
from analogflow.simulators import ensemble
from analogflow.simulators.ending import ended
from analogflow.simulators.flow_units import in_flow_units

__all__ = ["Budget", "BudgetLine", "Cost", "Prediction", "error_budget", "predict"]

Array = NDArray[np.float64]

_FLUCTUATING = (10.0, 300.0)
"""Least and greatest length, in τ, of a run with noise that starts at the settled state."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one cause costs, over an ensemble.

    Parameters
    ----------
    loss : float
        Mean of |ideal value − value of the circuit's state read by an ideal instrument|, in the value's unit (nats for the
        capacity); NaN for a flow that shows no scalar value.
    reading : float
        Root mean square error of the value that the circuit itself shows, same unit.
    answer : float
        Root mean square error of the answer's elements, flow units.
    """

    loss: float
    reading: float
    answer: float

    @property
    def bits(self) -> float:
        """Effective number of bits of the answer: a converter of so many over 1 flow unit has the same error."""
        return float(np.log2(1 / (np.sqrt(12) * self.answer))) if self.answer > 0 else np.inf


@dataclasses.dataclass(frozen=True)
class BudgetLine:
    """One line of a budget: a cause, what it costs as measured and as predicted, and how many samples did not end well.

    The cause is an effect, or a block with the equation that placed it in ``place``.
    """

    cause: str
    place: str
    measured: Cost
    predicted: Cost
    failed: int


@dataclasses.dataclass(frozen=True, eq=False)
class Budget:
    """Error budget of a circuit.

    Parameters
    ----------
    effects : tuple of BudgetLine
        One for each effect that is on, alone, and "all" for all together.
    blocks : tuple of BudgetLine
        One for each block, with all effects at that block alone; the costliest first.
    value, answer : str
        Names of the scalar that `Cost.loss` and `Cost.reading` are about (empty if there is none), and of the answer.
    samples : int
    """

    effects: tuple[BudgetLine, ...]
    blocks: tuple[BudgetLine, ...]
    value: str
    answer: str
    samples: int

    def to_dict(self) -> dict[str, object]:
        """Plain numbers and names."""

        def line(entry: BudgetLine) -> dict[str, object]:
            costs = {
                kind: {**dataclasses.asdict(cost), "bits": cost.bits}
                for kind, cost in (("measured", entry.measured), ("predicted", entry.predicted))
            }
            return {"cause": entry.cause, "place": entry.place, **costs, "failed": entry.failed}

        return {
            "value": self.value,
            "answer": self.answer,
            "samples": self.samples,
            "effects": [line(entry) for entry in self.effects],
            "blocks": [line(entry) for entry in self.blocks],
        }


def error_budget(
    circuit: Circuit,
    imperfections: Imperfections,
    *,
    noise: Noise | None = None,
    samples: int = 64,
    on_progress: Callable[[float], None] | None = None,
) -> Budget:
    """Cost of every effect and of every block of `circuit`.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it; its ideal run has to settle.
    imperfections : Imperfections
    noise : Noise, optional
        What is wrong; at least one effect of both together.
    samples : int
        Circuits drawn for each line; the same deviations and noise in all lines.
    on_progress : callable, optional
        Called with the fraction done.

    Raises
    ------
    BadInput
        The circuit is of parts, nothing is wrong with it, its ideal run does not settle, or its answer is a law.
    """
    require_blocks(circuit)
    noise = noise or circuit.noise
    causes = [*imperfections.effects, *(["noise"] if noise.sigma else [])]
    if circuit.flow.averaging is not None:
        raise BadInput("error budget: the answer of this flow is a law and not a point; compare the laws of ensembles.")
    if not causes:
        raise BadInput("error budget: nothing is imperfect, so nothing costs anything; give noise or an imperfection.")
    rested = limits_of(circuit, 1e-9, 1e-12, resting_speed(circuit))
    ideal = integrate(circuit.graph, longest_run(circuit.flow), rests=circuit.flow.rests, tolerances=rested)
    shown = dataclasses.replace(ideal, values=in_flow_units(circuit, ideal.values))
    outcome = ended(circuit, shown, resting=rested.settled).outcome
    if outcome is not Outcome.SETTLED:
        raise BadInput(f"error budget: the ideal circuit does not settle, so there is no answer to spoil. {outcome.value}")
    bench = _Bench(circuit, {name: ideal.final[name] for name in ideal.values}, samples)
    blocks = [
        node for node in circuit.graph.order() if not isinstance(circuit.graph.block(node), Constant | Wire | NoiseSource)
    ]
    silent = dataclasses.replace(noise, sigma=0.0)
    jobs: list[tuple[str, Imperfections, Noise, list[str] | None]] = [
        (cause, *((Imperfections(), noise) if cause == "noise" else (imperfections.only(cause), silent)), None)
        for cause in causes
    ]
    jobs += [("all", imperfections, noise, None)] if len(causes) > 1 else []
    lines = len(jobs)
    if imperfections.effects:
        jobs += [(node, imperfections, silent, [node]) for node in blocks]
    entries = []
    for k, job in enumerate(jobs):
        entries.append(bench.entry(*job))
        if on_progress is not None:
            on_progress((k + 1) / len(jobs))
    ranked = sorted(entries[lines:], key=lambda entry: -entry.measured.answer)
    return Budget(tuple(entries[:lines]), tuple(ranked), bench.value, circuit.flow.answer, samples)


class _Bench:
    """A circuit that settled, in the units of its graph, against which imperfect ones are held in flow units."""

    def __init__(self, circuit: Circuit, settled: Mapping[str, Array], samples: int) -> None:
        self.circuit, self.samples = circuit, samples
        self.field, self.exact = VectorField(circuit.graph), VectorField(circuit.derived_from or circuit.graph)
        self.state = self.field.pack({name: settled[name] for name in circuit.graph.states})
        self.settled = in_flow_units(circuit, settled)
        rates = -np.linalg.eigvals(self.field.jacobian(self.state)).real
        # Fluctuations have grown to e⁻⁴ of what they become after twice as many of the slowest time constants.
        slowest = float(rates[rates > 1e-6].min(initial=1.0))
        self.fluctuating = float(np.clip(2 / slowest, *_FLUCTUATING))
        scalars = [name for name in circuit.flow.observables if self.settled[name].size == 1 and name != circuit.flow.answer]
        self.value = scalars[0] if scalars else ""

    def entry(self, cause: str, flaws: Imperfections, noise: Noise, only: list[str] | None) -> BudgetLine:
        """Measured and predicted cost of one cause; every sample starts where the ideal circuit settled."""
        noisy = noise.sigma > 0 or flaws.noise_density > 0
        run = ensemble(
            self.circuit, self.samples, time_constants=self.fluctuating if noisy else longest_run(self.circuit.flow),
            imperfections=flaws, noise=noise, start={name: self.settled[name] for name in self.circuit.graph.states},
            resting_speed=0.0 if noisy else resting_speed(self.circuit), step_accuracy=1e-4 if noisy else 1e-7, only=only,
        )  # fmt: skip
        ends = {name: value[run.ok] for name, value in run.final.items()}
        states = {name: ends[name] for name in self.circuit.graph.states}
        prediction = predict(self.circuit, self.state, self.samples, imperfections=flaws, noise=noise, only=only)
        measured = self._cost(ends, states)
        shown, moved = prediction.signals, self.field.unpack(prediction.states)
        predicted = self._cost(in_flow_units(self.circuit, shown), in_flow_units(self.circuit, moved))
        place = self.circuit.graph.source(cause).text if only else ""
        return BudgetLine(cause, place, measured, predicted, int((~run.ok).sum()))

    def _cost(self, shown: Mapping[str, Array], states: Mapping[str, Array]) -> Cost:
        if not len(shown[self.circuit.flow.answer]):
            return Cost(np.nan, np.nan, np.nan)
        wrong = differences(self.circuit.flow.keeps, shown, self.settled)
        answer = _root_mean_square(wrong[self.circuit.flow.answer])
        if not self.value:
            return Cost(np.nan, np.nan, answer)
        projected = dict(states)
        for kept in self.circuit.flow.keeps:
            projected[kept.state] = np.array([kept.project(row) for row in projected[kept.state]])
        exact = self.exact.observables(self.exact.pack(projected))[self.value]
        loss = float(np.mean(abs(exact - self.settled[self.value])))
        return Cost(loss, _root_mean_square(wrong[self.value]), answer)


def _root_mean_square(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))


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
    field = VectorField(graph_under(circuit, static, dataclasses.replace(noise, sigma=0.0), range(samples), only))
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
        field = VectorField(graph_under(circuit, restless, noise, 0, only))
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
        powers = scipy.linalg.expm(generator)[:size]
        decay, late = powers[:, :size], powers[:, 2 * size :] / h @ into
        early = powers[:, size : 2 * size] @ into - late
        late, early = late * spread, early * spread
        cross = decay @ late @ early.T
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", scipy.linalg.LinAlgWarning)
                found = scipy.linalg.solve_discrete_lyapunov(decay, cross + cross.T + early @ early.T + late @ late.T)
        except (np.linalg.LinAlgError, scipy.linalg.LinAlgWarning):  # along a neutral direction noise adds up for ever
            found = np.full_like(decay, np.nan)
        covariance = np.asarray(found, dtype=np.float64)
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
    """Symmetric square root; directions that rounding made negative count as still. NaN of what is not finite."""
    if not np.isfinite(covariance).all():
        return np.full_like(covariance, np.nan)
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return vectors * np.sqrt(np.maximum(values, 0.0))
