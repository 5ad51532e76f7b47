"""What each imperfection and each block costs: measured by switching one on at a time, beside a first-order prediction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField, integrate
from analogflow.blocks import Constant, Imperfections, NoiseSource, Wire
from analogflow.circuit import Circuit
from analogflow.compiler import require_blocks
from analogflow.errors import BadInput
from analogflow.flows import differences
from analogflow.noise import Noise
from analogflow.run import Outcome
from analogflow.run_plan import LONGEST, SPEED_TOLERANCE
from analogflow.simulators import ensemble
from analogflow.simulators.block import in_flow_units
from analogflow.validation.sensitivity import predict

__all__ = ["Budget", "Cost", "Entry", "error_budget"]

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
class Entry:
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
    effects : tuple of Entry
        One for each effect that is on, alone, and "all" for all together.
    blocks : tuple of Entry
        One for each block, with all effects at that block alone; the costliest first.
    value, answer : str
        Names of the scalar that `Cost.loss` and `Cost.reading` are about (empty if there is none), and of the answer.
    samples : int
    """

    effects: tuple[Entry, ...]
    blocks: tuple[Entry, ...]
    value: str
    answer: str
    samples: int

    def to_dict(self) -> dict[str, object]:
        """Plain numbers and names."""

        def line(entry: Entry) -> dict[str, object]:
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
    noise = noise or Noise(0.0)
    causes = [*imperfections.effects, *(["noise"] if noise.sigma else [])]
    if circuit.flow.averaging is not None:
        raise BadInput("error budget: the answer of this flow is a law and not a point; compare the laws of ensembles.")
    if not causes:
        raise BadInput("error budget: nothing is imperfect, so nothing costs anything; give noise or an imperfection.")
    ideal = integrate(circuit.graph, LONGEST, rests=circuit.flow.rests, resting_speed=SPEED_TOLERANCE)
    if ideal.outcome is not Outcome.SETTLED:
        raise BadInput(
            f"error budget: the ideal circuit does not settle, so there is no answer to spoil. {ideal.outcome.value}"
        )
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

    def entry(self, cause: str, flaws: Imperfections, noise: Noise, only: list[str] | None) -> Entry:
        """Measured and predicted cost of one cause; every sample starts where the ideal circuit settled."""
        noisy = noise.sigma > 0 or flaws.noise_density > 0
        run = ensemble(
            self.circuit, self.samples, time_constants=self.fluctuating if noisy else LONGEST, imperfections=flaws,
            noise=noise, start={name: self.settled[name] for name in self.circuit.graph.states},
            resting_speed=0.0 if noisy else SPEED_TOLERANCE, step_accuracy=1e-4 if noisy else 1e-7, only=only,
        )  # fmt: skip
        ends = {name: value[run.ok] for name, value in run.final.items()}
        states = {name: ends[name] for name in self.circuit.graph.states}
        prediction = predict(self.circuit, self.state, self.samples, imperfections=flaws, noise=noise, only=only)
        measured = self._cost(ends, states)
        shown, moved = prediction.signals, self.field.unpack(prediction.states)
        predicted = self._cost(in_flow_units(self.circuit, shown), in_flow_units(self.circuit, moved))
        place = self.circuit.graph.source(cause).text if only else ""
        return Entry(cause, place, measured, predicted, int((~run.ok).sum()))

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
