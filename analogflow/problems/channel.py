"""A discrete memoryless channel: the question of how much information it carries. It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_whole, real_array
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems.arrays import ProbabilityTable, table_of, turned
from analogflow.problems.costs import costs_of
from analogflow.problems.ready_channels import ready_table, stands_for_channel
from analogflow.problems.shares import (
    ROW_SUM_TOLERANCE,
    counted_table,
    counts_of,
    distributions,
    readied_table,
    refuse_matrix,
)
from analogflow.problems.tables import read_table

__all__ = [
    "ROW_SUM_TOLERANCE",
    "Channel",
]


_SHOWN = 8
"""Names that a summary shows."""


@dataclasses.dataclass(frozen=True, eq=False)
class Channel:
    """Discrete memoryless channel given by its transition matrix.

    Parameters
    ----------
    transition : array_like, shape (n, m)
        p(j|i): row i is the distribution of the output when input i is sent. Each row sums to 1 within 1e-9, or twice the
        rounding of its kind of number. Also a data frame, a labelled or sparse array, a tensor, or a joint law of `dit`, of
        which the conditional one is taken; names that these have are kept.
    initial : array, shape (n,), optional
        Input distribution a flow starts from; uniform over the available inputs if not given.
    unavailable : sequence of int, optional
        Inputs (counted from 0) that may not be used; their probability is held at 0.
    cost : array, shape (n,) or (k, n), optional
        Cost of sending each input, 0 or more, such as energy; or k of them, one row each. Needs `cost_limit`.
    cost_limit : float or array, shape (k,), optional
        Largest mean cost Σ z_i cost_i, of each row; some distribution of available inputs must cost less.
    input_names, output_names : sequence of str, optional
        What people call the inputs and outputs; shown to people, and nowhere else.
    counts : array, shape (n, m), optional
        Observations of each output when each input was sent, of which `transition` is the shares: `from_counts` gives both.
    model : str, optional
        Name of the ready channel that this is, such as ``"bsc:p=0.11"``; `from_name` gives all that belongs to it.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    transition: NDArray[np.float64]
    initial: NDArray[np.float64] | None = None
    unavailable: tuple[int, ...] = ()
    cost: NDArray[np.float64] | None = None
    cost_limit: float | NDArray[np.float64] | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    counts: NDArray[np.float64] | None = None
    model: str | None = None

    def __init__(
        self,
        transition: Any,
        initial: ArrayLike | None = None,
        unavailable: Sequence[int] = (),
        cost: ArrayLike | None = None,
        cost_limit: ArrayLike | None = None,
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
        counts: Any = None,
        model: str | None = None,
    ) -> None:
        table = table_of(transition, "Channel.transition")
        matrix = table.values
        refuse_matrix(table)
        _say("Channel.transition", table)
        input_names, output_names = input_names or table.rows, output_names or table.columns
        closed = _indices(unavailable, len(matrix))
        sums = matrix.sum(axis=1, keepdims=True)
        # A row that is right to rounding stays as the user wrote it; others are brought to the simplex.
        matrix = np.where(abs(sums - 1) <= 4 * np.finfo(float).eps, matrix, matrix / sums)
        counted = None if counts is None else counts_of(counts, matrix)
        start = None if initial is None else _distribution(initial, len(matrix), closed)
        costs, limit = costs_of(cost, cost_limit, np.setdiff1d(np.arange(len(matrix)), closed), len(matrix))
        for kind, names, size in (("input", input_names, len(matrix)), ("output", output_names, matrix.shape[1])):
            object.__setattr__(self, f"{kind}_names", _names(names, kind, size))
        for array in (matrix, start, costs, limit, counted):
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
        object.__setattr__(self, "transition", matrix)
        object.__setattr__(self, "initial", start)
        object.__setattr__(self, "unavailable", closed)
        object.__setattr__(self, "cost", costs)
        object.__setattr__(self, "cost_limit", limit)
        object.__setattr__(self, "counts", counted)
        object.__setattr__(self, "model", None if model is None else self._named(model))

    def _named(self, model: str) -> str:
        """The name of a ready channel as it writes itself; raises `BadInput` where it stands for another matrix."""
        name, table = ready_table(model)
        limits, costs = ([], []) if table.cost is None else ([table.cost_limit], [table.cost])
        if (
            self.transition.shape != table.transition.shape
            or abs(self.transition - table.transition).max() > ROW_SUM_TOLERANCE
            or self.cost_limits.tolist() != limits
            or self.costs.tolist() != [each.tolist() for each in costs]
        ):
            raise BadInput(f"Channel.model: {name} has other probabilities or costs than these; leave model out.")
        return name

    @classmethod
    def from_name(cls, name: str) -> Channel:
        """Make a ready channel of its name and parameters, such as ``"bsc:0.11"`` or ``"awgn:A=2.5,n=65"``.

        Raises
        ------
        BadInput
            No channel is called so, or a parameter is missing, not known or out of its range; with what is allowed.
        """
        model, table = ready_table(name)
        return cls(
            table.transition,
            cost=table.cost,
            cost_limit=table.cost_limit,
            input_names=table.inputs,
            output_names=table.outputs,
            model=model,
        )

    @classmethod
    def from_file(cls, path: str | Path, *, key: str | None = None, **keywords: Any) -> Channel:
        """Read a channel from a table in a file: one row for each input, one column for each output, and perhaps names.

        Parameters
        ----------
        path : path
            Text with numbers separated by commas, semicolons, tabs or spaces; or a file of NumPy (.npy, .npz), MATLAB
            (.mat), Excel (.xlsx) or Parquet; or, as a text, the name of a ready channel
            that no file has, as `from_name` takes it.
        key : str, optional
            Which array, variable or sheet it is, in a file that holds several.
        keywords
            As for `from_table`.

        Raises
        ------
        BadInput
            As `from_table` does, and where the file can not be read or may be read in two ways.

        Warns
        -----
        AssumptionWarning
            With how the file was understood, where it is not plain numbers with points, separated by commas.
        """
        if isinstance(path, str) and stands_for_channel(path, Path(path)):
            if given := [name for name, value in {"key": key, **keywords}.items() if value]:
                raise BadInput(f"{path!r} is a ready channel; leave {given[0]} out, which is of a table in a file.")
            return cls.from_name(path)
        return cls.from_table(
            read_table(path, key=key, transpose=keywords.pop("transpose", False)), where=repr(str(path)), **keywords
        )

    @classmethod
    def from_csv(cls, path: str | Path, **keywords: Any) -> Channel:
        """`from_file`, which reads more than CSV."""
        return cls.from_file(path, **keywords)

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        transpose: bool = False,
        normalise: bool = False,
        counts: bool = False,
        where: str = "Channel",
        **keywords: Any,
    ) -> Channel:
        """Make a channel of a table that is not yet a matrix of p(j|i), and say what was done to it.

        Rows that all sum to 100 are percentages; outputs that no input produces are left out.

        Parameters
        ----------
        table : array_like, shape (n, m)
        transpose : bool
            Whether columns are inputs.
        normalise : bool
            Whether each row is divided by its sum: of rounded probabilities, of weights, or of a joint law p(x, y).
        counts : bool
            Whether these are numbers of observations, which are kept beside their shares.
        where : str
            Begins the sentence.
        keywords
            As for `Channel`.

        Raises
        ------
        BadInput
            As `Channel` does, and where dividing rows by their sums would hide what the table is: columns that sum to 1,
            totals, or numbers that may be names.

        Warns
        -----
        AssumptionWarning
            With all that was done.
        """
        found = table_of(table, "Channel.transition")
        if counts and normalise:
            raise BadInput(f"{where}: counts are divided by their sums as they are; leave normalise out.")
        found = turned(found) if transpose else found
        if counts:
            found, keywords["counts"] = counted_table(found)
        else:
            found = readied_table(found, normalise=normalise)
        made = cls(dataclasses.replace(found, said=()), **keywords)
        _say(where, found)
        return made

    @classmethod
    def from_counts(cls, counts: Any, **keywords: Any) -> Channel:
        """Make a channel of numbers of observations: how often each output came when each input was sent.

        What they tell of its capacity, `reference.capacity_interval` computes, and `solve` says beside the answer.

        Parameters
        ----------
        counts : array_like, shape (n, m)
            Whole numbers; a confusion matrix, for one.
        keywords
            As for `from_table`.

        Raises
        ------
        BadInput
            As `from_table` does, and where they are not whole numbers, or an input has none.
        """
        return cls.from_table(counts, counts=True, **keywords)

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
        inputs = np.arange(self.inputs)
        return np.setdiff1d(inputs, self.unavailable) if self.unavailable else inputs

    @property
    def costs(self) -> NDArray[np.float64]:
        """All costs, shape (k, n); k is 0 where there is none."""
        return np.zeros((0, self.inputs)) if self.cost is None else np.atleast_2d(self.cost)

    @property
    def cost_limits(self) -> NDArray[np.float64]:
        """The limit of each cost, shape (k,)."""
        return np.zeros(0) if self.cost_limit is None else np.atleast_1d(np.asarray(self.cost_limit, dtype=float))

    @property
    def summary(self) -> str:
        """Size and names for a person, and what could be taken wrongly."""
        parts = [] if self.model is None else [self.model]
        parts += [
            " × ".join(f"{n} {kind}{'s' * (n != 1)}" for n, kind in ((self.inputs, "input"), (self.outputs, "output")))
        ]
        for kind, names in (("inputs", self.input_names), ("outputs", self.output_names)):
            if names:
                parts.append(f"{kind} {', '.join(names[:_SHOWN])}" + (", …" if len(names) > _SHOWN else ""))
        P = self.transition
        if P.shape[0] == P.shape[1] and distributions(P.T) and not np.array_equal(P, P.T):
            parts.append("the columns sum to 1, too: rows were taken as inputs")
        return "; ".join(parts)

    def refuse_cost(self, by: str) -> None:
        """Refuse a channel with a cost, which `by` would ignore."""
        if self.cost is not None:
            raise BadInput(f"{by} does not know the cost of inputs, and {self!r} has one; leave cost and cost_limit out.")

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
        cost = None if self.cost is None else self.cost[..., self.available]
        used = rows.sum(axis=0) > 0
        inputs = tuple(self.input_names[i] for i in self.available) if self.input_names else ()
        outputs = tuple(np.array(self.output_names, dtype=object)[used]) if self.output_names else ()
        counts = None if self.counts is None else self.counts[self.available][:, used]
        return Channel(rows[:, used], initial, (), cost, self.cost_limit, inputs, outputs, counts)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.transition.shape, self.unavailable)).encode())
        digest.update(np.ascontiguousarray(self.transition, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.start(), dtype="<f8").tobytes())
        if self.cost is not None:
            digest.update(np.append(self.costs, self.cost_limits).astype("<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Channel({self.inputs} inputs, {self.outputs} outputs, fingerprint {self.fingerprint})"


def _say(where: str, table: ProbabilityTable) -> None:
    if table.said:
        warnings.warn(f"{where}: {'; '.join(table.said)}.", AssumptionWarning, stacklevel=3)


def _names(names: Sequence[str], kind: str, size: int) -> tuple[str, ...]:
    if isinstance(names, str) or len(names) not in (0, size) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"Channel.{kind}_names: {names!r} are no names; give one text for each of the {size} {kind}s.")
    return tuple(names)


def _indices(unavailable: Sequence[int], inputs: int) -> tuple[int, ...]:
    if isinstance(unavailable, str) or not isinstance(unavailable, Sequence | np.ndarray):
        raise BadInput(f"Channel.unavailable: {unavailable!r} is not a list of inputs; give indices from 0 to {inputs - 1}.")
    bad = [i for i in unavailable if not is_whole(i, 0, inputs - 1)]
    if bad:
        raise BadInput(f"Channel.unavailable: {bad[0]!r} is not one of the inputs; give indices from 0 to {inputs - 1}.")
    closed = tuple(sorted({int(i) for i in unavailable}))
    if inputs - len(closed) < 2:
        raise BadInput(f"Channel.unavailable: {len(closed)} of {inputs} inputs are unavailable; at least two must remain.")
    return closed


def _distribution(initial: ArrayLike, inputs: int, closed: tuple[int, ...]) -> NDArray[np.float64]:
    start = real_array(initial, "Channel.initial", "one probability for each input")
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
