"""Scalar elements joined by coefficients: what an analog computer has to hold of a flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from analogflow.blocks import Crossbar

__all__ = [
    "DECISIONS",
    "FUNCTIONS",
    "ONE",
    "ComputingElement",
    "Couplings",
    "Form",
    "added",
    "crossed",
    "repeated",
    "value_of",
]

Form = Mapping[int, float]
"""Linear form: number of a source to its coefficient. Source `ONE` is the constant 1, source k ≥ 1 is element k − 1."""

ONE = 0
"""Number of the constant source."""

_NEGLIGIBLE = 1e-14
"""Relative size of a coefficient that is what rounding left of 0."""

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log": lambda x: np.log(np.maximum(x, 1e-12)),
    "exp": lambda x: np.exp(np.minimum(x, 80.0)),
    "reciprocal": lambda x: 1 / np.where(abs(x) < 1e-12, 1e-12, x),
    "square_root": lambda x: np.sqrt(np.maximum(x, 0.0)),
    "positive_part": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "sine": np.sin,
    "step": lambda x: 0.5 * (1 + np.tanh(x)),
    "clip": lambda x: np.clip(x, 0.0, 1.0),
}
"""What a table or a function generator can hold, by the kind of its element."""

DECISIONS = ("positive_part", "step")
"""Functions that a comparator computes which passes one signal or another; its step has no width."""


def value_of(form: Form, values: list[np.ndarray]) -> np.ndarray:
    """Value of a linear form of `values`."""
    return sum((c * values[source] for source, c in form.items()), start=np.zeros_like(values[0]))


def added(terms: list[tuple[float, Form]]) -> dict[int, float]:
    """Sum of forms with factors; what cancels up to rounding is left out."""
    total: dict[int, float] = {}
    largest: dict[int, float] = {}
    for factor, form in terms:
        for source, c in form.items():
            total[source] = total.get(source, 0.0) + factor * c
            largest[source] = max(largest.get(source, 0.0), abs(factor * c))
    return {source: c for source, c in total.items() if abs(c) > _NEGLIGIBLE * largest[source]}


def repeated(forms: list[dict[int, float]], size: int) -> list[dict[int, float]]:
    """Forms of `size` signals, of which there may be one that drives all."""
    return forms * size if len(forms) == 1 and size > 1 else forms


def crossed(block: Crossbar, x: list[dict[int, float]]) -> list[dict[int, float]]:
    """Forms of the outputs of a crossbar."""
    width = block.weight.shape[-1]
    x = repeated(x, block.rows * width)
    outputs = []
    for r in range(block.rows):
        matrix = block.weight if block.weight.ndim == 2 else block.weight[r]
        group = x[r * width : (r + 1) * width]
        outputs += [added([(c, form) for c, form in zip(row, group, strict=True) if c]) for row in matrix.tolist()]
    return outputs


@dataclasses.dataclass(frozen=True, eq=False)
class ComputingElement:
    """One integrator, multiplier, function generator or noise source.

    Parameters
    ----------
    kind : str
        "integrator", "multiplier", "noise" or a key of `FUNCTIONS`.
    name : str
        What it is in the flow: ``z[0]``, or a number.
    ports : tuple of Form
        What drives it.
    initial : float
        Where an integrator starts, flow units.
    """

    kind: str
    name: str
    ports: tuple[Form, ...]
    initial: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Couplings:
    """Elements in an order in which every one but an integrator comes after what drives it; integrators are first.

    Parameters
    ----------
    elements : tuple of ComputingElement
    places : mapping of (state, index) to int
        Which element holds which component of which state of the graph.
    """

    elements: tuple[ComputingElement, ...]
    places: Mapping[tuple[str, int], int]

    def of(self, *kinds: str) -> list[int]:
        """Numbers of the elements of these kinds."""
        return [k for k, element in enumerate(self.elements) if element.kind in kinds]

    @property
    def functions(self) -> list[int]:
        """Numbers of the function generators."""
        return self.of(*FUNCTIONS)

    def count(self) -> int:
        """Number of couplings: coefficients that are not 0, one for each source and port."""
        return sum(len(form) for element in self.elements for form in element.ports)

    def sinks(self) -> dict[int, int]:
        """Number of ports that each source drives."""
        found: dict[int, int] = {}
        for element in self.elements:
            for form in element.ports:
                for source in form:
                    found[source] = found.get(source, 0) + 1
        return found

    def rates(self, states: np.ndarray) -> np.ndarray:
        """Rates of the integrators, shape (..., integrators), per τ at `states` of that shape."""
        values = self.values(states)
        return np.stack([value_of(self.elements[k].ports[0], values) for k in self.of("integrator")], -1)

    def values(self, states: np.ndarray) -> list[np.ndarray]:
        """Value of the constant and of every element, each of shape (...), at `states`, shape (..., integrators)."""
        values = [np.ones(states.shape[:-1])]
        for k, element in enumerate(self.elements):
            inputs = [] if element.kind == "integrator" else [value_of(form, values) for form in element.ports]
            match element.kind:
                case "integrator":
                    values.append(states[..., k])
                case "multiplier":
                    values.append(inputs[0] * inputs[1])
                case "noise":
                    values.append(np.zeros(states.shape[:-1]))
                case kind:
                    values.append(FUNCTIONS[kind](inputs[0]))
        return values
