"""Strings of resistors with taps: bases of arrays at fixed distances below a node that moves, which are a kernel's nats.

Transistor (i, j) of unit area whose base is k_ij V_T above that of another carries e^k_ij times its current: an area that no
array need have. Numbers that are added to a row or a column of k change no answer, so the gauge is chosen that keeps bases
nearest; what is left comes from one string below the node of each column.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from analogflow.circuit.build import PartSet, thermal_voltage
from analogflow.circuit.circuit import Group
from analogflow.circuit.elements import Element, Instance, Model, Resistor, VoltageSource
from analogflow.errors import BadInput
from analogflow.passes import Brief

__all__ = ["WIDEST_SPAN", "TappedString", "gauged", "kernel_group", "strings_of"]

WIDEST_SPAN = 14.0
"""Nats between the bases of one column: 0.36 V, beyond which the lowest transistors saturate the highest."""

_STRING, _SUBTRACTING = 1e3, 10e3
"""Ohms of a string from end to end, across which the bases draw little, and of the resistors of its amplifier."""

_DECIMALS = 6
"""Of nats: taps that are nearer than that are one."""


def gauged(exponents: np.ndarray, cause: str) -> tuple[np.ndarray, np.ndarray]:
    """Exponents of a kernel with a number added to each row and each column, and the numbers of the columns.

    The largest of every column is 0, and the least of all is as near 0 as can be. A row's number goes into the potential of
    its emitters, a column's into that of its node.

    Raises
    ------
    BadInput
        It is still too far below 0; `cause` is what its nats are of.
    """
    exponents = exponents + _row_gauge(exponents)[:, None]
    gauge = -exponents.max(axis=0)
    exponents = exponents + gauge
    span = float(-exponents[np.isfinite(exponents)].min(initial=0.0))
    if span > WIDEST_SPAN:
        raise BadInput(
            f"the arrays need bases {span:.3g} nats of {cause} apart, and {WIDEST_SPAN:g} are the most; take a smaller "
            "range, or the technology 'opamp'."
        )
    return exponents, gauge


@dataclasses.dataclass(frozen=True)
class TappedString:
    """Resistors below the node of a column, with taps where the bases of its transistors are.

    Parameters
    ----------
    node : str
    exponents : array
        Nats of each row's tap, 0 or below; −∞ where there is no transistor.
    span : float
        Nats from end to end, the same for all strings.
    name : str
        What its taps are called; by the node if empty.
    ohms : float
        From end to end.
    """

    node: str
    exponents: np.ndarray
    span: float
    name: str = ""
    ohms: float = _STRING

    @functools.cached_property
    def levels(self) -> tuple[float, ...]:
        """Nats of the nodes from the top to the bottom."""
        used = np.round(self.exponents[np.isfinite(self.exponents)], _DECIMALS)
        return tuple(sorted({0.0, *used.tolist(), round(-self.span, _DECIMALS)}, reverse=True))

    @property
    def needed(self) -> bool:
        """Whether any base is below the node."""
        return bool((np.round(self.exponents[np.isfinite(self.exponents)], _DECIMALS) < 0).any())

    def _name(self, level: float) -> str:
        place = self.levels.index(level)
        return self.node if place == 0 else f"{self.name or self.node}_t{place}"

    @property
    def taps(self) -> list[str]:
        """Node of the base of each row's transistor."""
        return [self._name(round(float(k), _DECIMALS)) if np.isfinite(k) else self.node for k in self.exponents]

    def elements(self, parts: PartSet) -> Iterator[Element]:
        """An amplifier that holds the lower end below the node by the voltage of the node ``span``, and the resistors."""
        if not self.needed:
            return
        low = self._name(self.levels[-1])
        for part, ends in {
            "n": ("span", f"{low}_n"), "f": (f"{low}_n", low), "p": (self.node, f"{low}_p"), "b": (f"{low}_p", "0"),
        }.items():  # fmt: skip
            yield Resistor(f"{low}_{part}", ends, _SUBTRACTING)
        yield Instance(f"{low}_amp", (f"{low}_p", f"{low}_n", low), parts.op_amp.name)
        for above, below in itertools.pairwise(self.levels):
            name = self._name(below)
            yield Resistor(f"{name}_r", (self._name(above), name), self.ohms * (above - below) / self.span)


def strings_of(nodes: Sequence[str], exponents: np.ndarray) -> list[TappedString]:
    """One string below each node, for `exponents` of shape (arrays, nodes)."""
    span = float(-exponents[np.isfinite(exponents)].min())
    return [TappedString(node, column, span) for node, column in zip(nodes, exponents.T, strict=True)]


def kernel_group(strings: Sequence[TappedString], brief: Brief) -> list[Group]:
    """The strings and the reference that they span, which is in proportion to absolute temperature as nats are."""
    parts = brief.parts
    volts = _base_volts_per_nat(parts.npn, brief.build.temperature_kelvin)
    elements = tuple(element for string in strings for element in string.elements(parts))
    if not elements:
        return []
    reference = VoltageSource("span", ("span", "0"), strings[0].span * volts)
    return [Group("kernel", "bases below those of a column, by the nats of the kernel", (reference, *elements))]


def _base_volts_per_nat(model: Model, temperature_kelvin: float) -> float:
    """Volts at a base for each nat of the collector current, all else held: kT/q, and what both Early effects add."""
    parameters, v_t = dict(model.parameters), thermal_voltage(temperature_kelvin)
    reverse, forward = (parameters.get(name, math.inf) for name in ("var", "vaf"))
    return v_t * parameters.get("nf", 1.0) * (1 + v_t / (reverse - _DROP) + v_t / forward)


_DROP = 0.6
"""Volts across a junction, near enough."""


def _row_gauge(exponents: np.ndarray) -> np.ndarray:
    """Nats r_i, 0 on average, to add to row i so that the widest column of `exponents` is as narrow as it can be.

    Zeros where none do better.

    Notes
    -----
    The linear programme is min R subject to t_j − R ≤ exponents_ij + r_i ≤ t_j; of its solutions one with the least Σ|r|.
    """
    exponents = exponents.T
    arrays, columns = exponents.shape
    rows, members = np.nonzero(np.isfinite(exponents))
    pairs = np.arange(rows.size)
    at_column = sparse.csr_array((np.ones(rows.size), (pairs, members)), (rows.size, columns))
    at_array = sparse.csr_array((np.ones(rows.size), (pairs, rows)), (rows.size, arrays))
    values = exponents[rows, members]
    ends = (np.fmax.reduceat, np.fmin.reduceat)
    starts = np.searchsorted(rows, np.arange(arrays))
    widest = float(np.max(ends[0](values, starts) - ends[1](values, starts)))
    # Columns of the programme: r⁺ and r⁻, t, R.
    limit, none = np.ones((rows.size, 1)), np.zeros((rows.size, 1))
    above = sparse.hstack([at_column, -at_column, -at_array, none])
    below = sparse.hstack([-at_column, at_column, at_array, -limit])
    programme: dict[str, Any] = {
        "A_ub": sparse.vstack([above, below]),
        "b_ub": np.concatenate([-values, values]),
        "A_eq": np.concatenate([np.ones(columns), -np.ones(columns), np.zeros(arrays + 1)])[None],
        "b_eq": [0.0],
    }
    free: list[tuple[float | None, float | None]] = [*[(0, None)] * (2 * columns), *[(None, None)] * arrays]
    narrowest = linprog(np.append(np.zeros(2 * columns + arrays), 1.0), **programme, bounds=[*free, (0, None)])
    if narrowest.fun > widest - _CLOSE:
        return np.zeros(columns)
    cost = np.concatenate([np.ones(2 * columns), np.zeros(arrays + 1)])
    shortest = linprog(cost, **programme, bounds=[*free, (0, narrowest.fun + _CLOSE)])
    return np.round(shortest.x[:columns] - shortest.x[columns : 2 * columns], 6)


_CLOSE = 1e-6
"""Nats that no gauge is worth."""
