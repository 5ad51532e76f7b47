"""Parts of an attention problem beside one pair of matrices: several heads, what is masked, and a perceptron.

Each is checked here, and what is wrong is collected as sentences.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import LARGEST, numbers

__all__ = [
    "ACTIVATIONS",
    "CAUSAL",
    "OUTPUTS",
    "Head",
    "Perceptron",
    "frozen",
    "read_head",
    "read_heads",
    "read_mask",
    "read_output",
    "read_perceptron",
]

Array = NDArray[np.float64]

CAUSAL = "causal"
"""Name of the mask by which a token sees itself and those before it."""

OUTPUTS = ("sum", "mean")
"""Names of ways to put heads together without a matrix."""

ACTIVATIONS = ("tanh", "relu")
"""Of a perceptron's hidden units."""


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """Matrices of one head, read-only: the score of tokens x and y is β (Qx)·(Ky), or β x·By; what is passed on is Vy.

    Parameters
    ----------
    V : array, shape (v, d)
    B : array, shape (d, d), optional
        Given unless Q and K are.
    Q, K : array, shape (k, d), optional
    """

    V: Array
    B: Array | None = None
    Q: Array | None = None
    K: Array | None = None

    @property
    def scores(self) -> Array:
        """B, or QᵀK, shape (d, d)."""
        if self.B is not None:
            return self.B
        assert self.Q is not None
        assert self.K is not None
        return self.Q.T @ self.K


@dataclasses.dataclass(frozen=True, eq=False)
class Perceptron:
    """W2 σ(W1 x + b1) + b2, which drives each token by itself; arrays are read-only.

    Parameters
    ----------
    W1 : array, shape (m, d)
    b1 : array, shape (m,)
    W2 : array, shape (d, m)
    b2 : array, shape (d,)
    activation : {"tanh", "relu"}
        σ.
    """

    W1: Array
    b1: Array
    W2: Array
    b2: Array
    activation: str = "tanh"

    @property
    def largest(self) -> float:
        """Bound of its length for x on the unit sphere."""
        rows = np.linalg.norm(self.W1, axis=1) + abs(self.b1)
        hidden = np.minimum(rows, 1.0) if self.activation == "tanh" else rows
        return float(np.linalg.norm(self.W2, 2) * np.linalg.norm(hidden) + np.linalg.norm(self.b2))


def read_head(
    given: Mapping[str, Any], where: str, dimension: int | None, faults: list[str], *, square: bool
) -> Head | None:
    """Head of the keys V, and B or Q and K, for tokens of `dimension` coordinates; None and a fault if it is none.

    `square` says that nothing takes values to tokens, so that V must.
    """
    there = {name: value for name, value in given.items() if value is not None}
    if not (("B" in there) != ("Q" in there or "K" in there) and ("Q" in there) == ("K" in there)):
        has = "both" if "B" in there else "one of them" if there.keys() & {"Q", "K"} else "neither"
        faults.append(f"{where}needs the matrix B of the scores or the matrices Q and K, and has {has}; give B, or Q and K")
        return None
    if "V" not in there:
        faults.append(f"{where}needs the value matrix V; give one column for each coordinate of a token")
        return None
    found: dict[str, Array] = {}
    for name, value in there.items():
        whole = name == "B" or (square and name == "V")
        wanted = "one row and one column" if whole else "one column"
        wanted += " for each coordinate of a token" + ("" if dimension is None else f" ({dimension})")
        matrix = numbers(value, f"{where}{name}", (2,), wanted, faults, largest=LARGEST)
        if matrix is None:
            continue
        if dimension is not None and matrix.shape != (dimension if whole else matrix.shape[0], dimension):
            fault = f"{where}{name} has shape {matrix.shape} where tokens have {dimension} coordinates; give {wanted}"
            faults.append(fault + (", or an output matrix" if whole and name == "V" else ""))
            continue
        found[name] = frozen(matrix)
    if len(found) < len(there):
        return None
    if "Q" in found and found["Q"].shape != found["K"].shape:
        faults.append(
            f"{where}Q has shape {found['Q'].shape} and K {found['K'].shape}: scores are products of a query and a key; "
            "give both as many rows"
        )
        return None
    return Head(**found)


def read_heads(given: object, dimension: int | None, faults: list[str], *, square: bool) -> tuple[Head, ...] | None:
    """Heads of a list, each a `Head` or its keys."""
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        faults.append("heads must be a list of heads, each with V, and B or Q and K; give one at least")
        return None
    heads = []
    for number, one in enumerate(given, start=1):
        where = f"heads: head {number}: "
        keys = {field.name: getattr(one, field.name) for field in dataclasses.fields(Head)} if isinstance(one, Head) else one
        if not isinstance(keys, Mapping):
            faults.append(f"{where}it is {one!r}; give its matrices by name: V, and B or Q and K")
            continue
        if _known(keys, ("Q", "K", "V", "B"), where, "a head", faults):
            heads.append(read_head(keys, where, dimension, faults, square=square))
    found = tuple(head for head in heads if head is not None)
    return found if len(found) == len(given) else None


def read_output(given: object, heads: Sequence[Head], dimension: int, faults: list[str]) -> str | Array | None:
    """What puts together what the heads pass on: "sum", "mean", or a matrix for all of it, one head after another."""
    if isinstance(given, str):
        if given not in OUTPUTS:
            faults.append(f"output is {given!r}; take 'sum' or 'mean', or give a matrix")
        return given
    columns = sum(head.V.shape[0] for head in heads)
    wanted = f"{dimension} rows, one for each coordinate, and {columns} columns, one for each row of every V"
    matrix = numbers(given, "output", (2,), wanted, faults, largest=LARGEST)
    if matrix is not None and matrix.shape != (dimension, columns):
        faults.append(f"output has shape {matrix.shape}; give {wanted}")
    return None if matrix is None else frozen(matrix)


def read_mask(given: object, count: int, faults: list[str]) -> str | Array | None:
    """Mask "causal", or an array of shape (n, n) that is 1 where token i may see token j, and 0 elsewhere."""
    if isinstance(given, str):
        if given != CAUSAL:
            faults.append(f"mask is {given!r}; take 'causal', or give one row and one column for each token")
        return given
    wanted = f"one row and one column for each token ({count}), 1 where it may see the other and 0 where not"
    mask = numbers(given, "mask", (2,), wanted, faults)
    if mask is None:
        return None
    if mask.shape != (count, count):
        faults.append(f"mask has shape {mask.shape}; give {wanted}")
        return None
    if not np.isin(mask, (0.0, 1.0)).all():
        row, column = np.argwhere(~np.isin(mask, (0.0, 1.0)))[0]
        faults.append(f"mask has {mask[row, column]:g} in row {row + 1}, column {column + 1}; give 0 or 1")
        return None
    if not mask.any(axis=1).all():
        blind = int(np.argmin(mask.any(axis=1))) + 1
        faults.append(f"mask: row {blind} is 0 throughout, so that token {blind} sees none; let it see itself at least")
        return None
    return frozen(mask)


def read_perceptron(given: object, dimension: int, faults: list[str]) -> Perceptron | None:
    """Perceptron of the keys W1, W2 and, if they are not 0, b1 and b2, and activation."""
    fields = tuple(field.name for field in dataclasses.fields(Perceptron))
    keys = {name: getattr(given, name) for name in fields} if isinstance(given, Perceptron) else given
    if not isinstance(keys, Mapping):
        faults.append(f"mlp is {given!r}; give its arrays by name: W1, b1, W2, b2, and the activation")
        return None
    if not _known(keys, fields, "mlp: ", "it", faults):
        return None
    missing = [name for name in ("W1", "W2") if name not in keys]
    if missing:
        faults.append(f"mlp needs W1 and W2, and has no {missing[0]}; give both")
        return None
    activation = keys.get("activation", "tanh")
    if activation not in ACTIVATIONS:
        faults.append(f"mlp: activation is {activation!r}; take 'tanh' or 'relu'")
        return None
    columns = f"one column for each coordinate of a token ({dimension})"
    W1 = numbers(keys["W1"], "mlp: W1", (2,), columns, faults, largest=LARGEST)
    if W1 is None:
        return None
    m = W1.shape[0]
    shapes = {"W1": (m, dimension), "b1": (m,), "W2": (dimension, m), "b2": (dimension,)}
    found: dict[str, Array] = {}
    for name, shape in shapes.items():
        wanted = f"an array of shape {shape}, for {dimension} coordinates and the {m} rows of W1"
        value = keys.get(name, np.zeros(shape))
        array = numbers(value, f"mlp: {name}", (len(shape),), wanted, faults, largest=LARGEST)
        if array is None:
            continue
        if array.shape != shape:
            faults.append(f"mlp: {name} has shape {array.shape}; give {wanted}")
            continue
        found[name] = frozen(array)
    return Perceptron(**found, activation=activation) if len(found) == len(shapes) else None


def frozen(array: Array) -> Array:
    """The array, read-only."""
    array.setflags(write=False)
    return array


def _known(keys: Mapping[str, Any], known: Sequence[str], where: str, what: str, faults: list[str]) -> bool:
    unknown = [key for key in keys if key not in known]
    if unknown:
        faults.append(f"{where}unknown key {unknown[0]!r}; {what} has the keys {', '.join(known)}")
    return not unknown
