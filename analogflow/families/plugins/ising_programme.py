r"""Small Ising programmes: the least energy of coupled spins, by replicas of a mean field whose gain is raised.

.. math:: \min_{x \in \{-1, 1\}^n} x^T J x + h^T x, \qquad
          \dot u = -u - k\,(2 J x + h)/s, \quad x = \tanh u, \quad \dot k = k\,(1 - k/K)/T

What is asked, the flow, the least of all by trying every state, and whether a run found it: what it ends at is most often,
but not always, a state that no spin betters alone, and often the least of all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_positive, is_whole, numbers, refuse_faults, refuse_unknown
from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows import Flow
from analogflow.run import Run

__all__ = ["ISING_PROGRAMME", "IsingProgramme"]

Array = NDArray[np.float64]

FORMS = ("tanh",)

_MOST, _REPLICAS = 24, 32
"""Spins whose states are all tried, and replicas, at most."""

_SKEW = 1e-12
"""Departure from symmetry, over the norm, that is taken for rounding and averaged out."""

_FIRST, _LATER, _LAST = 0.2, 3.0, 30.0
"""Gain k where the first replica starts, below any bifurcation, and the last, and K where all end."""

_RAMPS, _SETTLING = 26.0, 20.0
"""How long a run is: in times of the ramp, until K is reached to 1e-9, and in τ, until x has followed."""

_TILT, _FAR = 0.05, 1.0
"""Largest u where the first replica starts, which anneals, and where others do: at 0, spins without a field would stay."""

_ALIKE = 1e-9
"""Difference of two energies, over the largest there could be, below which they count as one level."""


@dataclasses.dataclass(frozen=True, eq=False)
class IsingProgramme:
    """The least of xᵀJ x + hᵀx among all x of ±1.

    Parameters
    ----------
    J : array, shape (n, n)
        Symmetric, with nothing on its diagonal; n ≤ 24.
    h : array, shape (n,), optional
        0 if not given.
    replicas : int
        How many copies r start apart from each other; the best is the answer.
    ramp : float
        T, τ: time in which the gain grows e-fold. The slower, the better minima.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    J: Array
    h: Array
    replicas: int
    ramp: float

    def __init__(self, J: ArrayLike, h: ArrayLike | None = None, replicas: int = 8, ramp: float = 2.0) -> None:
        faults: list[str] = []
        matrix = numbers(J, "J", (2,), "a symmetric matrix of couplings", faults, largest=1e100)
        if matrix is not None and matrix.shape[0] != matrix.shape[1]:
            faults.append(f"J has shape {matrix.shape}; give as many rows as columns")
            matrix = None
        if matrix is not None:
            norm = float(abs(matrix).max(initial=0.0))
            if abs(matrix - matrix.T).max(initial=0.0) > _SKEW * norm:
                faults.append("J is not symmetric; give (J + J.T)/2, which has the same energies")
            if np.diag(matrix).any():
                k = int(np.flatnonzero(np.diag(matrix))[0])
                faults.append(
                    f"J has {matrix[k, k]:g} on its diagonal, row {k + 1}; give 0 there, for x² = 1 makes it a constant"
                )
            if not 2 <= len(matrix) <= _MOST:
                faults.append(f"J has {len(matrix)} spins; give 2 to {_MOST}, of which all states can be tried")
        field = numbers(
            np.zeros(0 if matrix is None else len(matrix)) if h is None else h, "h", (1,), "one field for each spin", faults,
            largest=1e100,
        )  # fmt: skip
        if matrix is not None and field is not None and len(field) != len(matrix):
            faults.append(f"h has {len(field)} entries and J {len(matrix)} rows; give one for each spin")
        if matrix is not None and field is not None and not (matrix.any() or field.any()):
            faults.append("J and h are 0, so that all states are alike; give a coupling or a field")
        if not is_whole(replicas, 1, _REPLICAS):
            faults.append(f"replicas is {replicas!r}; give a whole number from 1 to {_REPLICAS}")
        if not is_positive(ramp):
            faults.append(f"ramp is {ramp!r}; give a positive time in τ")
        refuse_faults("IsingProgramme", faults)
        assert matrix is not None
        assert field is not None
        matrix = (matrix + matrix.T) / 2
        for name, value in (("J", matrix), ("h", field)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "replicas", int(replicas))
        object.__setattr__(self, "ramp", float(ramp))

    @property
    def bound(self) -> float:
        """s: the largest field that a spin may be in."""
        return float((2 * abs(self.J).sum(axis=1) + abs(self.h)).max())

    @property
    def scale(self) -> float:
        """What no energy exceeds."""
        return float(abs(self.J).sum() + abs(self.h).sum())

    @property
    def start(self) -> Array:
        """Where replicas have their u at first, shape (r, n): without any relation to one another."""
        golden = (np.sqrt(5) - 1) / 2
        places = np.arange(1, self.replicas * len(self.h) + 1).reshape(self.replicas, -1)
        far = np.where(np.arange(self.replicas)[:, None] == 0, _TILT, _FAR)
        return 2 * far * (np.mod(places * golden, 1.0) - 0.5)

    @property
    def gains(self) -> Array:
        """Where replicas have their k at first, shape (r,): the higher, the less of the start is forgotten."""
        return np.geomspace(_FIRST, _LATER, self.replicas) if self.replicas > 1 else np.array([_FIRST])

    def energies(self, x: Array) -> Array:
        """Energy of each x, whose last axis are spins."""
        return np.asarray((x * (x @ self.J + self.h)).sum(axis=-1), dtype=np.float64)

    def __repr__(self) -> str:
        return f"IsingProgramme({len(self.h)} spins, {self.replicas} replicas, ramp {self.ramp:g})"


def replicas(u: Any, k: Any, C: Array, b: Array, last: float, ramp: float) -> tuple[Any, Any]:
    """u̇ = −u − k (C x + b), x = tanh u, k̇ = k (1 − k/K)/T, with C = 2J/s and b = h/s."""
    return -u - k[:, None] * (np.tanh(u) @ C + b), (k - k * k / last) / ramp


def flow(problem: IsingProgramme, form: str = "tanh") -> Flow:
    """Flow of r replicas, states "u", shape (r, n), and "k", their gains; observables "x" and "energies", those of this x.

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    J. J. Hopfield and D. W. Tank, Biol. Cybern. 52 (1985) 141. C. Peterson and J. R. Anderson, A mean field theory learning
    algorithm for neural networks, Complex Systems 1 (1987) 995: the gain that is raised, mean field annealing.
    """
    refuse_unknown(form, FORMS, "form", "the ising-programme flow")
    J, h = problem.J, problem.h
    return Flow(
        replicas,
        states={"u": problem.start, "k": problem.gains},
        constants={"C": 2 * J / problem.bound, "b": h / problem.bound, "last": _LAST, "ramp": problem.ramp},
        observables={
            "x": lambda u, k, **_: np.tanh(u),
            "energies": lambda u, k, **_: (np.tanh(u) * (np.tanh(u) @ J + h)).sum(axis=1),
        },
        answer="x",
        rests=("x", "k"),
        end_time=_RAMPS * problem.ramp + _SETTLING,
        equations="du/dt = -u - k (2 J x + h)/s, x = tanh(u), dk/dt = k (1 - k/K)/T",
        problem=problem,
    )


def spins_of(x: Array) -> Array:
    """±1 of each x."""
    return np.where(x < 0, -1.0, 1.0)


def turned(problem: IsingProgramme, x: Array) -> Array:
    """Largest energy that a single spin gives off by turning, of spins whose last axis they are; 0 if none does."""
    # xᵀJx + hᵀx changes by −2 x_i (2 J x + h)_i, the diagonal being 0.
    return np.maximum(2 * x * (2 * x @ problem.J + problem.h), 0.0).max(axis=-1)


def reference(problem: IsingProgramme, time: float) -> PathEnd:
    """The least energy by trying all 2ⁿ states; signals as if all replicas had found it."""
    (least, _, _), x = levels(problem)
    r = problem.replicas
    return PathEnd({"x": np.tile(x, (r, 1)), "energies": np.full(r, least)}, 1e-15 * problem.scale)


def levels(problem: IsingProgramme) -> tuple[tuple[float, int, float], Array]:
    """Least energy, how many states have it, and the next higher level, inf where there is none; and one state of the least.

    Notes
    -----
    Spins are parted in two halves a and b, of which E(a, b) = E(a, 0) + E(0, b) + 2 aᵀJ b is a table.
    """
    n, J, h = len(problem.h), problem.J, problem.h
    half = n // 2
    one, other = _states(half), _states(n - half)
    within = (
        (one * (one @ J[:half, :half] + h[:half])).sum(axis=1),
        (other * (other @ J[half:, half:] + h[half:])).sum(axis=1),
    )
    across = 2 * J[:half, half:] @ other.T
    best, where, count, second = np.inf, (0, 0), 0, np.inf
    near = _ALIKE * problem.scale
    table_of = [within[0][rows, None] + within[1] + one[rows] @ across for rows in _chunks(len(one))]
    for first, table in zip(range(0, len(one), _ROWS), table_of, strict=True):
        k = int(table.argmin())
        if table.flat[k] < best:
            best, where = float(table.flat[k]), (first + k // len(other), k % len(other))
    for table in table_of:
        above = table > best + near
        count += int((~above).sum())
        second = min(second, float(table.min(initial=np.inf, where=above)))
    x = np.concatenate([one[where[0]], other[where[1]]])
    return (float(problem.energies(x)), count, second), x


_ROWS = 256


def _chunks(size: int) -> list[slice]:
    return [slice(first, first + _ROWS) for first in range(0, size, _ROWS)]


def _states(n: int) -> Array:
    """All x of ±1, shape (2ⁿ, n)."""
    return 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1.0


def _replicas(problem: IsingProgramme, finals: Mapping[str, Array]) -> Array:
    return finals["x"].reshape(len(finals["x"]), problem.replicas, -1)


def _best(problem: IsingProgramme, x: Array) -> Array:
    """Spins of the best replica, shape (samples, n)."""
    spins = spins_of(x)
    first = problem.energies(spins).argmin(axis=1)
    return spins[np.arange(len(x)), first]


def _errors(problem: IsingProgramme, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    x = _replicas(problem, ends.finals)
    with np.errstate(all="ignore"):
        resting = np.tanh(-_LAST * (2 * x @ problem.J + problem.h) / problem.bound)
        own = problem.energies(x)
    broken = np.where(np.isfinite(x).all(axis=(1, 2)), 0.0, np.nan)
    spins = _best(problem, x)
    errors = {"energies": largest(ends.finals["energies"] - own) / problem.scale} if "energies" in ends.finals else {}
    above = (problem.energies(spins) - float(found.values["energies"][0])) / problem.scale + broken
    return {
        **errors,
        "above": above,
        "turned": turned(problem, spins) / problem.scale + broken,
        "certified": largest(x - resting),
        "states": np.maximum(above, largest(x - resting)),
    }


def _held(problem: IsingProgramme, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    return [
        *asked(
            errors,
            limit,
            ("certified", "replicas rest in the mean field of the full gain", ""),
            ("energies", "energies are those of the replicas", "of full scale"),
        ),
        # These are whole numbers of levels apart: no accuracy of a circuit excuses a spin.
        *asked(
            errors,
            _ALIKE,
            ("turned", "no spin of the best replica gains by turning alone", "of full scale"),
            ("above", "the best replica is the least of all states", "of full scale"),
        ),
    ]


def _notes(problem: IsingProgramme, found: PathEnd) -> tuple[str, ...]:
    (least, count, second), _ = levels(problem)
    states = f"All {2 ** len(problem.h)} states were tried: the least energy is {least:.9g}, of {count}"
    return (states + (f", the next {second:.9g}." if np.isfinite(second) else ", and there is no other."),)


def _answer(problem: IsingProgramme, found: PathEnd, run: Run) -> dict[str, Any]:
    x = np.reshape(run.final["x"], (1, problem.replicas, -1))
    return _shown(problem, _best(problem, x)[0], problem.energies(spins_of(x[0])))


def _exact(problem: IsingProgramme, found: PathEnd) -> dict[str, Any]:
    x = np.asarray(found.values["x"])
    return _shown(problem, x[0], problem.energies(x[:1]))


def _shown(problem: IsingProgramme, spins: Array, each: Array) -> dict[str, Any]:
    return {"energy": float(problem.energies(spins)), "spins": spins.tolist(), "energy_of_replicas": each.tolist()}


ISING_PROGRAMME = Family(
    name="ising-programme",
    problem=IsingProgramme,
    noun="an Ising programme",
    keys=("J", "h", "replicas", "ramp"),
    needed={"J": "the symmetric matrix of couplings, with nothing on its diagonal"},
    example={"J": [[0.0, 1.0, 0.5], [1.0, 0.0, 0.8], [0.5, 0.8, 0.0]], "h": [0.3, -0.2, 0.1], "replicas": 2},
    flow=flow,
    forms=FORMS,
    reference=reference,
    errors=_errors,
    held=_held,
    unlisted="states",
    labels={
        "above": "energy above the least of all, of full scale",
        "turned": "energy that a spin gives off by turning, of full scale",
        "energies": "energies beside those of the replicas, of full scale",
        "certified": "largest departure of an x from the mean field's",
    },
    ended="settled",
    answer=_answer,
    exact=_exact,
    contest=None,
    notes=_notes,
    listed=("spins", "energy_of_replicas"),
)
"""The family of Ising programmes."""
