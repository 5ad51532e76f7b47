"""The search for the potentials of an optimal plan. It does not decide whether they are near enough.

Sinkhorn's sweeps, cooling in steps, and Newton's method on the dual function, by factorisation or by conjugate gradients:
size, temperature and what the first sweeps achieve decide which of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv  # pyright: ignore[reportAttributeAccessIssue]

__all__ = ["FoundPotentials", "search"]

Array = NDArray[np.float64]

_TINY = float(np.finfo(float).tiny)

_SWEEPS, _NEWTON_STEPS, _ROUGH = 4, 200, 0.1
"""Sinkhorn sweeps and Newton steps at most at each temperature, and the relative error of every column below which the
next is begun: a light column that is left behind has a long way to go later."""

_COOLER = 0.4
"""Ratio of a temperature to the one before."""

_HOT, _DIRECT, _DIRECT_LARGE = 4.0, 16.0, 256.0
"""Ranges of the cost, in temperatures: from which cooling starts, and up to which it is tried without, for small and large
problems."""

_PROMISING = 0.3
"""Violation after the first sweeps from which Newton's method does without cooling, if the problem is large."""

_FEW = 12
"""Sweeps that cost no more than the Newton steps in their place."""

_LARGE, _WORTH = 96, 0.12
"""Columns from which conjugate gradients are tried, and the steps of them for each column that cost what a factorisation
does."""

_FAR = 30.0
"""Change of an exponent after which the kernel is made anew."""

_LONGEST, _SHORTEST = 10.0, 1e-2
"""Longest first step of an exponent, and shortest part of it that is tried before the Hessian is ridged."""

_NEAR = 1e-6
"""Violation below which halving it is enough for a step to be taken."""

_RIDGES = (0.0, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3)
"""Parts of diag b added to a Hessian that is singular to rounding, as it is where the plan is nearly a permutation."""


@dataclasses.dataclass(frozen=True, eq=False)
class FoundPotentials:
    """Potentials, in units of the cost, the plan they give, and what they took."""

    potential: Array
    plan: Array
    sweeps: int
    newton_steps: int


def search(cost: Array, row: Array, column: Array, epsilon: float, *, aim: float, span: float) -> FoundPotentials:
    """Column potentials whose plan has right rows, and columns that are off by `aim` of the mass in all, if that is reached.

    Parameters
    ----------
    cost : array, shape (n, m)
        Infinite where there is no pair.
    row, column : arrays, shapes (n,) and (m,)
    epsilon, aim : float
    span : float
        Range of the finite costs.

    Notes
    -----
    Where the first sweeps show that it is not needed, nothing is cooled. At each temperature Sinkhorn's sweeps go first, and
    go on where they are about to arrive; elsewhere Newton steps finish, which solve (diag c − Pᵀ diag(1/a) P + b bᵀ) δ =
    b − c, c being the column sums; the last term picks one of the solutions, which differ by a constant. A large system is
    left to conjugate gradients while they take fewer products than a factorisation is worth. A step is halved until the
    dual function rises.

    References
    ----------
    C. T. Kelley, Iterative Methods for Linear and Nonlinear Equations, SIAM (1995), section 6.1 (inexact Newton steps).
    """
    g, rough = np.zeros(len(column)), _ROUGH * float(column.min() / column.sum())
    large = len(column) >= _LARGE
    warm, direct = span / _HOT, span <= (_DIRECT_LARGE if large else _DIRECT) * epsilon
    sweeps, steps, iterative = 0, 0, large
    while True:
        last = direct or warm <= epsilon
        stage = _Stage(cost, row, column, g, epsilon if last else warm, iterative)
        stage.aim = aim if last else rough
        for _ in range(_SWEEPS):
            stage.sweep()
        sweeps += _SWEEPS
        if direct and warm > epsilon and not (stage.arrives() or (large and stage.violation <= _PROMISING)):
            direct = False
            continue
        for _ in range(_NEWTON_STEPS):
            if stage.violation <= aim if last else stage.worst() <= _ROUGH:
                break
            before = stage.violation
            if stage.arrives() or not stage.newton():
                stage.sweep()
                sweeps += 1
                if last and stage.violation >= before and before < 1e3 * aim:
                    break
            else:
                steps += 1
        if last and stage.before > 0:
            stage.sweep()  # what is reached by sweeps is reached to the aim only, and one more costs little
            sweeps += 1
        g, iterative = stage.potential(), stage.iterative
        if last:
            return FoundPotentials(g, stage.finished(), sweeps, steps)
        warm *= _COOLER


class _Stage:
    """The dual problem at one temperature: exponents v_j − C'_ij of row i, C' the cost reduced by the potentials before.

    The kernel holds the exponentials at v = `shift`, relative to their row's largest, so that another v takes two products;
    it is made anew where v is so far away that what has underflown would matter.
    """

    def __init__(self, cost: Array, row: Array, column: Array, g: Array, epsilon: float, iterative: bool) -> None:
        self.cost, self.a, self.b, self.mass = cost, row, column, float(row.sum())
        self.g, self.epsilon, self.iterative, self.aim = g, epsilon, iterative, 0.0
        self.violation = self.before = np.inf
        # Costs are reduced before they are divided: exponents of heavy entries are small, and their rounding is too.
        kernel = g - cost
        self.least = kernel.max(axis=1)
        kernel -= self.least[:, None]
        kernel /= epsilon
        self.kernel = np.exp(kernel, out=kernel)
        self.top, self.shift = np.zeros(len(row)), np.zeros(len(column))
        self._take(self.shift)

    def potential(self) -> Array:
        """Potentials in units of the cost, of mean 0 by the columns' masses."""
        g = self.g + self.epsilon * self.v
        return g - self.b @ g / self.mass

    def finished(self) -> Array:
        """Plan at v, its rows right, in the kernel's place."""
        self.kernel *= self.scaling
        self.kernel *= self.rows[:, None]
        return self.kernel

    def worst(self) -> float:
        """Largest relative error of a column."""
        return float(abs(self.columns / self.b - 1).max())

    def arrives(self) -> bool:
        """Whether some more sweeps are enough if they go on as the last did."""
        return self.violation < self.before and self.violation * (self.violation / self.before) ** _FEW <= self.aim

    def sweep(self) -> None:
        """Sinkhorn's update of the columns."""
        self._take(self.v + np.log(self.b / np.maximum(self.columns, _TINY)))

    def newton(self) -> bool:
        """One step of Newton's method, shortened until the dual rises; whether it did."""
        residual = self.b - self.columns
        value, before, v = self._value(), self.violation, self.v
        for step in self._directions(residual):
            slope, longest = float(residual @ step), float(abs(step).max())
            if not 0 < longest < np.inf:
                continue
            length = min(1.0, _LONGEST / longest)
            shortest = _SHORTEST * length
            while length >= shortest:
                self._take(v + length * step)
                # At the end the dual's rise drowns in rounding, and the violation tells.
                halved = before < _NEAR and self.violation < 0.5 * before
                if halved or self._value() >= value + 1e-4 * length * slope:
                    self._lengthen(v, step, length)
                    self.before = 0.0  # the next ratio is not one of sweeps
                    return True
                length *= 0.5
            self._take(v)
        return False

    def _directions(self, residual: Array) -> Iterator[Array]:
        """Newton steps, from the cheapest to the most ridged."""
        if self.iterative:
            step = self._by_conjugate_gradients(residual)
            if step is not None:
                yield step
            self.iterative = False  # colder systems are worse
        scaled = self.kernel * self.scaling
        scaled *= (self.rows / np.sqrt(self.a))[:, None]
        hessian = self.b[:, None] * (self.b / self.mass) - scaled.T @ scaled
        diagonal = hessian.diagonal() + self.columns
        for ridge in _RIDGES:
            hessian.flat[:: len(diagonal) + 1] = diagonal + ridge * self.b
            _, step, fault = dposv(hessian.T, residual)
            if not fault:
                yield step

    def _by_conjugate_gradients(self, residual: Array) -> Array | None:
        """A Newton step that is as exact as the next violation can show, scaled by the columns; None where it takes long."""
        kernel, w, c, b = self.kernel, self.scaling, self.columns, self.b
        inner = self.rows**2 / self.a
        if not c.min() > 0:
            return None
        enough = max(min(0.1, self.violation), 0.1 * self.aim / self.violation) * abs(residual).sum()
        step, left = np.zeros(len(b)), residual
        scaled = left / c
        along, size = scaled, left @ scaled
        for _ in range(int(_WORTH * len(b))):
            image = c * along - w * ((inner * (kernel @ (w * along))) @ kernel) + b * (b @ along / self.mass)
            length = size / (along @ image)
            step = step + length * along
            left = left - length * image
            if abs(left).sum() <= enough:
                return step
            scaled = left / c
            size, before = left @ scaled, size
            along = scaled + size / before * along
        return None

    def _lengthen(self, v: Array, step: Array, length: float) -> None:
        """Double an accepted step that was cut while that raises the dual: a column may be far from where it belongs."""
        while length < 1:
            value, length = self._value(), 2 * length
            self._take(v + length * step)
            if not self._value() > value:
                self._take(v + 0.5 * length * step)
                return

    def _value(self) -> float:
        return float(self.b @ self.v - self.a @ (self.top + np.log(self.a / self.rows)))

    def _expand(self, v: Array) -> None:
        kernel = self.g - self.cost
        kernel -= self.least[:, None]
        kernel /= self.epsilon
        kernel += v
        self.top = kernel.max(axis=1)
        kernel -= self.top[:, None]
        self.kernel, self.shift = np.exp(kernel, out=kernel), v

    def _take(self, v: Array) -> None:
        moved = v - self.shift
        if not abs(moved).max() <= _FAR:
            self._expand(v)
            moved = np.zeros(len(v))
        self.v, self.scaling = v, np.exp(moved)
        self.rows = self.a / (self.kernel @ self.scaling)
        self.columns = self.scaling * (self.rows @ self.kernel)
        self.before, self.violation = self.violation, float(abs(self.columns - self.b).sum()) / self.mass
