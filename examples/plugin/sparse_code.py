"""Sparse codes by local competition: a family of flows in one file, which every verb takes once it is installed.

    minimise ½|s − Φ a|² + λ Σ_k |a_k|        u' = Φᵀs − u − (ΦᵀΦ − 1) a,   a = u shrunk by λ

C. J. Rozell, D. H. Johnson, R. G. Baraniuk and B. A. Olshausen, Sparse coding via thresholding and local competition in
neural circuits, Neural Computation 20 (2008) 2526.
"""

import dataclasses

import numpy as np

import analogflow as af
from analogflow.checks import real_array
from analogflow.families import Family, PathEnd


@dataclasses.dataclass(frozen=True, eq=False)
class SparseCode:
    """A signal s, a dictionary Φ whose columns are atoms, and the price λ of their use: the keys of a file."""

    signal: np.ndarray
    dictionary: np.ndarray
    price: float

    def __post_init__(self) -> None:
        signal = real_array(self.signal, "SparseCode: signal", "a list of numbers")
        atoms = real_array(self.dictionary, "SparseCode: dictionary", "a matrix with a row for each number of the signal")
        if signal.ndim != 1 or atoms.ndim != 2 or len(atoms) != len(signal):
            raise af.BadInput(
                f"SparseCode: the signal has shape {signal.shape} and the dictionary {atoms.shape}; give a list, and a row "
                "of the dictionary for each of its numbers."
            )
        if np.linalg.cond(atoms) > 1e4 or atoms.shape[1] > len(atoms):
            raise af.BadInput("SparseCode: atoms depend on each other, so that no one code is best; leave some out.")
        price = real_array(self.price, "SparseCode: price", "a positive number")
        if price.ndim or not 0 < price < np.inf:
            raise af.BadInput(f"SparseCode: price is {self.price!r}; give a positive number.")
        for name, value in (("signal", signal), ("dictionary", atoms), ("price", float(price))):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"SparseCode({self.dictionary.shape[1]} atoms, price {self.price:g})"


def code(u, price, **_):
    """Elements of u nearer to 0 by the price; those below it are 0."""
    return np.maximum(u - price, 0.0) - np.maximum(-u - price, 0.0)


def competition(u, drive, inhibition, price):
    """What the signal drives, less what the atoms in use have explained already."""
    return drive - u - inhibition @ code(u, price)


def flow(problem: SparseCode, form: str = "competition") -> af.Flow:
    """The competition, from rest."""
    if form != "competition":
        raise af.BadInput(f"form {form!r} of the sparse-code flow is not known; there is only: competition.")
    atoms = problem.dictionary
    return af.Flow(
        competition,
        states={"u": np.zeros(atoms.shape[1])},
        constants={
            "drive": atoms.T @ problem.signal,
            "inhibition": atoms.T @ atoms - np.eye(atoms.shape[1]),
            "price": np.array([problem.price]),
        },
        observables={"code": code},
        answer="code",
        rests=("u",),  # the code stands still while u is on its way to the price
        equations="u' = drive - u - inhibition a, a = u shrunk by the price",
        problem=problem,
    )


def reference(problem: SparseCode, time: float) -> PathEnd:
    """The best code by coordinate descent; it is off by what is left of a subgradient, over the least curvature, at most."""
    atoms, price = problem.dictionary, problem.price
    found, squares = np.zeros(atoms.shape[1]), (atoms**2).sum(axis=0)
    for _ in range(100_000):
        before = found.copy()
        for k in range(len(found)):
            pull = atoms[:, k] @ (problem.signal - atoms @ found) + squares[k] * found[k]
            found[k] = np.sign(pull) * max(abs(pull) - price, 0.0) / squares[k]
        if abs(found - before).max() <= 1e-15 * (1 + abs(found).max()):
            break
    slope = atoms.T @ (atoms @ found - problem.signal)
    left = np.where(found != 0, slope + price * np.sign(found), np.sign(slope) * np.maximum(abs(slope) - price, 0.0))
    return PathEnd({"code": found}, float(np.linalg.norm(left) / np.linalg.svd(atoms, compute_uv=False)[-1] ** 2))


SPARSE_CODE = Family(
    name="sparse-code",
    problem=SparseCode,
    noun="a sparse code",
    keys=("signal", "dictionary", "price"),
    needed={"signal": "what is coded", "dictionary": "atoms, one a column", "price": "of an atom's use"},
    flow=flow,
    forms=("competition",),
    reference=reference,
    primary="code",
    labels={"code": "largest error of a coefficient"},
)
