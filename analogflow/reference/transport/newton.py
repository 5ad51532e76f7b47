"""The search for the column potentials of an entropic plan: cooled in steps, each finished by Newton's method on the dual.

What it returns needs no trust: `certificate` proves it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from analogflow.problems import Transport

__all__ = ["Found", "search"]

Array = NDArray[np.float64]

_SWEEPS, _NEWTON_STEPS, _ROUGH = 4, 200, 0.1
"""Sinkhorn sweeps and Newton steps at most at each temperature, and the relative error of every column below which the
next is begun: a light column that is left behind has a long way to go later."""

_COOLER = 0.4
"""Ratio of a temperature to the one before."""

_LONGEST, _SHORTEST = 10.0, 1e-2
"""Longest first step of an exponent, and shortest part of it that is tried before the Hessian is ridged."""

_NEAR = 1e-6
"""Violation below which halving it is enough for a step to be taken."""

_RIDGES = (0.0, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3)
"""Parts of diag b added to a Hessian that is singular to rounding, as it is where the plan is nearly a permutation."""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """Potentials, in units of the cost, the plan they give, and what they took."""

    potential: Array
    plan: Array
    sweeps: int
    newton_steps: int


def search(problem: Transport, aim: float) -> Found:
    """Column potentials whose plan has right rows, and columns that are off by `aim` of the mass in all, if that is reached.

    Notes
    -----
    At each temperature the cost is first reduced by the potentials found so far, so that exponents of heavy entries are
    small and their rounding is too. A Newton step solves (diag c − Pᵀ diag(1/a) P + b bᵀ) δ = b − c, c being the column
    sums; the last term picks one of the solutions, which differ by a constant. It is halved until the dual function rises.
    """
    g = np.zeros(problem.columns)
    epsilon = max(problem.epsilon, problem.span)
    sweeps = steps = 0
    while True:
        epsilon = max(problem.epsilon, epsilon)
        last = epsilon == problem.epsilon
        stage = _Stage(problem, g, epsilon)
        for _ in range(_SWEEPS):
            stage.sweep()
        for _ in range(_NEWTON_STEPS):
            if stage.violation <= aim if last else stage.worst <= _ROUGH:
                break
            before = stage.violation
            if stage.newton():
                steps += 1
            else:
                stage.sweep()
                sweeps += 1
                if last and stage.violation >= before and before < 1e3 * aim:
                    break
        sweeps += _SWEEPS
        g = stage.potential()
        if last:
            return Found(g, stage.plan, sweeps, steps)
        epsilon *= _COOLER


class _Stage:
    """The dual problem at one temperature, with the exponents' part u that changes kept apart from the rest."""

    def __init__(self, problem: Transport, g: Array, epsilon: float) -> None:
        self.a, self.b, self.mass = problem.row, problem.column, problem.mass
        self.g, self.epsilon = g, epsilon
        reduced = problem.cost - g
        self.exponents = (reduced.min(axis=1, keepdims=True) - reduced) / epsilon
        self.u = np.zeros(problem.columns)
        self._take(self.u)

    def potential(self) -> Array:
        """Potentials in units of the cost, of mean 0 by the columns' masses."""
        g = self.g + self.epsilon * self.u
        return g - self.b @ g / self.mass

    def sweep(self) -> None:
        """Sinkhorn's update of the columns."""
        self._take(self.u + np.log(self.b / np.maximum(self.columns, np.finfo(float).tiny)))

    def newton(self) -> bool:
        """One step of Newton's method, shortened until the dual rises; whether it did."""
        scaled = self.plan / self.a[:, None]
        hessian = np.diag(self.columns) - self.plan.T @ scaled + np.outer(self.b, self.b) / self.mass
        residual = self.b - self.columns
        value, before, u = self.value, self.violation, self.u
        for ridge in _RIDGES:
            try:
                step = cho_solve(cho_factor(hessian + np.diag(ridge * self.b)), residual)
            except LinAlgError:
                continue
            slope, length = float(residual @ step), min(1.0, _LONGEST / abs(step).max())
            shortest = _SHORTEST * length
            while length >= shortest:
                self._take(u + length * step)
                # At the end the dual's rise drowns in rounding, and the violation tells.
                halved = before < _NEAR and self.violation < 0.5 * before
                if halved or self.value >= value + 1e-4 * length * slope:
                    self._lengthen(u, step, length)
                    return True
                length *= 0.5
        self._take(u)
        return False

    def _lengthen(self, u: Array, step: Array, length: float) -> None:
        """Double an accepted step that was cut while that raises the dual: a column may be far from where it belongs."""
        while length < 1:
            value, length = self.value, 2 * length
            self._take(u + length * step)
            if not self.value > value:
                self._take(u + 0.5 * length * step)
                return

    def _take(self, u: Array) -> None:
        exponents = self.exponents + u
        top = exponents.max(axis=1, keepdims=True)
        weights = np.exp(exponents - top)
        sums = weights.sum(axis=1, keepdims=True)
        self.u = u
        self.plan = self.a[:, None] * (weights / sums)
        self.columns = self.plan.sum(axis=0)
        self.value = float(self.b @ u - self.a @ (top + np.log(sums))[:, 0])
        self.violation = float(abs(self.columns - self.b).sum()) / self.mass
        self.worst = float(abs(self.columns / self.b - 1).max())
