"""A discrete memoryless channel: the question of how much information it carries. It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.errors import BadInput
from analogflow.problems.tables import read_csv_matrix

__all__ = ["ROW_SUM_TOLERANCE", "Channel"]

ROW_SUM_TOLERANCE = 1e-9
"""Largest departure of a row's sum from 1 that is accepted, and divided out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Channel:
    """Discrete memoryless channel given by its transition matrix.

    Parameters
    ----------
    transition : array, shape (n, m)
        p(j|i): row i is the distribution of the output when input i is sent. Each row sums to 1 within 1e-9.
    initial : array, shape (n,), optional
        Input distribution a flow starts from; uniform over the available inputs if not given.
    unavailable : sequence of int, optional
        Inputs (counted from 0) that may not be used; their probability is held at 0.
    cost : array, shape (n,), optional
        Cost of sending each input, 0 or more, such as energy. Needs `cost_limit`.
    cost_limit : float, optional
        Largest mean cost Σ z_i cost_i; at least one available input must cost less.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    transition: NDArray[np.float64]
    initial: NDArray[np.float64] | None = None
    unavailable: tuple[int, ...] = ()
    cost: NDArray[np.float64] | None = None
    cost_limit: float | None = None

    def __init__(
        self,
        transition: ArrayLike,
        initial: ArrayLike | None = None,
        unavailable: Sequence[int] = (),
        cost: ArrayLike | None = None,
        cost_limit: float | None = None,
    ) -> None:
        matrix = _matrix(transition)
        _refuse(_faults_of_matrix(matrix))
        closed = _indices(unavailable, len(matrix))
        sums = matrix.sum(axis=1, keepdims=True)
        # A row that is right to rounding stays as the user wrote it; others are brought to the simplex.
        matrix = np.where(abs(sums - 1) <= 4 * np.finfo(float).eps, matrix, matrix / sums)
        start = None if initial is None else _distribution(initial, len(matrix), closed)
        costs, limit = _costs(cost, cost_limit, np.setdiff1d(np.arange(len(matrix)), closed), len(matrix))
        for array in (matrix, start, costs):
            if array is not None:
                array.setflags(write=False)
        object.__setattr__(self, "transition", matrix)
        object.__setattr__(self, "initial", start)
        object.__setattr__(self, "unavailable", closed)
        object.__setattr__(self, "cost", costs)
        object.__setattr__(self, "cost_limit", limit)

    @classmethod
    def from_csv(cls, path: str | Path, **keywords: Any) -> Channel:
        """Read a transition matrix from a CSV file: one row per input, one column per output, no header needed."""
        return cls(read_csv_matrix(path), **keywords)

    @property
    def inputs(self) -> int:
        """Number n of input symbols."""
        return self.transition.shape[0]

    @property
    def outputs(self) -> int:
        """Number m of output symbols."""
        return self.transition.shape[1]

    @property
    def available(self) -> NDArray[np.intp]:
        """Indices of the inputs that may be used, ascending, shape (number available,)."""
        return np.setdiff1d(np.arange(self.inputs), self.unavailable)

    def start(self) -> NDArray[np.float64]:
        """Input distribution a flow starts from, shape (n,); zero on unavailable inputs."""
        if self.initial is not None:
            return self.initial
        start = np.zeros(self.inputs)
        start[self.available] = 1 / len(self.available)
        return start

    def reduced(self) -> Channel:
        """Same channel without its unavailable inputs and without the outputs only they could produce."""
        if not self.unavailable:
            return self
        rows = self.transition[self.available]
        initial = None if self.initial is None else self.initial[self.available]
        cost = None if self.cost is None else self.cost[self.available]
        return Channel(rows[:, rows.sum(axis=0) > 0], initial, cost=cost, cost_limit=self.cost_limit)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.transition.shape, self.unavailable)).encode())
        digest.update(np.ascontiguousarray(self.transition, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.start(), dtype="<f8").tobytes())
        if self.cost is not None:
            digest.update(np.append(self.cost, self.cost_limit or 0.0).astype("<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Channel({self.inputs} inputs, {self.outputs} outputs, fingerprint {self.fingerprint})"


def _matrix(transition: ArrayLike) -> NDArray[np.float64]:
    try:
        matrix = np.array(transition, dtype=float)
    except (TypeError, ValueError, OverflowError):
        lengths = (
            [len(row) if isinstance(row, Sequence) else 1 for row in transition] if isinstance(transition, Sequence) else []
        )
        if len(set(lengths)) > 1:
            odd = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise BadInput(
                f"Channel.transition: row {odd + 1} has {lengths[odd]} entries and row 1 has {lengths[0]}; "
                "every row needs one probability for each output."
            ) from None
        raise BadInput("Channel.transition: an entry is not a number; give probabilities between 0 and 1.") from None
    if matrix.ndim != 2:
        raise BadInput(
            f"Channel.transition: given as {matrix.ndim}-dimensional, must be a matrix (rows: inputs, columns: outputs)."
        )
    return matrix


def _faults_of_matrix(matrix: NDArray[np.float64]) -> list[str]:
    inputs, outputs = matrix.shape
    if inputs == 0 or outputs == 0:
        return ["the matrix is empty; give one row for each input symbol"]
    faults = []
    for i, j in np.argwhere(~np.isfinite(matrix))[:3]:
        faults.append(f"row {i + 1}, column {j + 1} is {matrix[i, j]}; probabilities must be finite")
    for i, j in np.argwhere(matrix < 0)[:3]:
        faults.append(f"row {i + 1}, column {j + 1} is {matrix[i, j]:g}; probabilities can not be negative")
    if faults:
        return faults
    if inputs == 1:
        faults.append(
            "there is only one input symbol, so the capacity is 0 and there is nothing to compute; give at least two rows"
        )
    sums = matrix.sum(axis=1)
    for i in np.flatnonzero(abs(sums - 1) > ROW_SUM_TOLERANCE)[:3]:
        faults.append(
            f"row {i + 1} sums to {sums[i]:.12g}; rows must sum to 1 within {ROW_SUM_TOLERANCE:g}: divide each by its sum"
        )
    for j in np.flatnonzero(matrix.max(axis=0) == 0)[:3]:
        faults.append(f"output symbol {j + 1} is never produced (its column is all zeros); remove the column")
    return faults


def _refuse(faults: list[str]) -> None:
    if faults:
        raise BadInput("Channel.transition: " + "; ".join(faults) + ".")


def _indices(unavailable: Sequence[int], inputs: int) -> tuple[int, ...]:
    if isinstance(unavailable, str) or not isinstance(unavailable, Sequence | np.ndarray):
        raise BadInput(f"Channel.unavailable: {unavailable!r} is not a list of inputs; give indices from 0 to {inputs - 1}.")
    bad = [i for i in unavailable if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < inputs]
    if bad:
        raise BadInput(f"Channel.unavailable: {bad[0]!r} is not one of the inputs; give indices from 0 to {inputs - 1}.")
    closed = tuple(sorted({int(i) for i in unavailable}))
    if inputs - len(closed) < 2:
        raise BadInput(f"Channel.unavailable: {len(closed)} of {inputs} inputs are unavailable; at least two must remain.")
    return closed


def _distribution(initial: ArrayLike, inputs: int, closed: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        start = np.array(initial, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise BadInput("Channel.initial: an entry is not a number; give one probability for each input.") from None
    if start.shape != (inputs,):
        raise BadInput(f"Channel.initial: has shape {start.shape}, must have one entry for each of the {inputs} inputs.")
    if not np.isfinite(start).all() or (start < 0).any() or abs(start.sum() - 1) > ROW_SUM_TOLERANCE:
        raise BadInput(
            f"Channel.initial: must be non-negative and sum to 1 within {ROW_SUM_TOLERANCE:g}; its sum is {start.sum():.9g}."
        )
    available = np.setdiff1d(np.arange(inputs), closed)
    if (start[available] == 0).any():
        dead = available[start[available] == 0][0]
        raise BadInput(
            f"Channel.initial: input {dead} starts at 0 and could never be used; give it weight or list it as unavailable."
        )
    if any(start[i] != 0 for i in closed):
        raise BadInput("Channel.initial: an unavailable input has weight; its entry must be 0.")
    return start / start.sum()


def _costs(
    cost: ArrayLike | None, limit: float | None, available: NDArray[np.intp], inputs: int
) -> tuple[NDArray[np.float64] | None, float | None]:
    if (cost is None) != (limit is None):
        raise BadInput("Channel: cost and cost_limit belong together; give both or neither.")
    if cost is None or limit is None:
        return None, None
    try:
        costs, bound = np.array(cost, dtype=float), float(limit)
    except (TypeError, ValueError, OverflowError):
        raise BadInput("Channel.cost: an entry of the costs or their limit is not a number.") from None
    if costs.shape != (inputs,):
        raise BadInput(f"Channel.cost: has shape {costs.shape}, must have one entry for each of the {inputs} inputs.")
    if not np.isfinite(costs).all() or (costs < 0).any():
        raise BadInput("Channel.cost: costs must be finite and 0 or more.")
    cheapest = costs[available].min()
    if not cheapest < bound < np.inf:
        raise BadInput(
            f"Channel.cost_limit: {limit!r} leaves no freedom; it must exceed the cost of the cheapest input, {cheapest:g}."
        )
    return costs, bound
