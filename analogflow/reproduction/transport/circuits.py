"""A cooling circuit, with and without the paper's brake, in the block engine and integrated independently."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.compiler import compile
from analogflow.flows import transport
from analogflow.problems import Schedule, Transport
from analogflow.simulators import ensemble

__all__ = ["Cooled", "cooled"]

Array = NDArray[np.float64]

_BRAKE_RATE, _WIDTH = 10.0, 0.1
"""Of the circuit's brake: rate at which it follows, per τ, and width of the comparator, in squares of the limit."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cooled:
    """One run.

    Parameters
    ----------
    time : array, shape (k,)
        In τ.
    epsilon, speed, violation, brake : array, shape (k,)
        Temperature, ‖dP/dt‖_F per τ, sum of the columns' errors, and how far the brake is applied, from 0 to 1.
    plan : array, shape (k, n, n)
        Of the circuit.
    apart : float
        Largest difference of plan and temperature from the independent integration.
    """

    time: Array
    epsilon: Array
    speed: Array
    violation: Array
    brake: Array
    plan: Array
    apart: float


def cooled(cost: Array, end: float, schedule: Schedule, carry: str, time: Array) -> Cooled:
    """The circuit that carries g ("potential") or u = g/ε ("scaling") while ε falls from the schedule's start to `end`."""
    n = len(cost)
    problem = Transport(cost, np.ones(n), np.ones(n), end, schedule)
    # With its own end, the compiler follows the orbit no further than it is shown.
    flow = dataclasses.replace(transport(problem, form=carry), end_time=float(time[-1]))
    run = ensemble(compile(flow), 1, time_constants=float(time[-1]), save=time, step_accuracy=1e-7)
    plan, epsilon = run.values["plan"][0].reshape(-1, n, n), run.values["epsilon"][0, :, 0]
    paced = _Equations(problem, schedule, carry)
    start = np.concatenate([np.zeros(n), [schedule.start], [0.0]])
    path = solve_ivp(paced.rates, (0, time[-1]), start, "LSODA", time, rtol=1e-10, atol=1e-12).y.T
    mine = np.array([paced.plan(y) for y in path])
    apart = max(float(abs(mine - plan).max()), float(abs(path[:, n] - epsilon).max()))
    brake = run.values["brake"][0, :, 0] if "brake" in run.values else np.zeros(len(time))
    states = np.column_stack([run.values["g" if carry == "potential" else "u"][0], epsilon, brake])
    speed = np.array([float(np.linalg.norm(paced.plan_rate(y))) for y in states])
    return Cooled(time, epsilon, speed, abs(plan.sum(axis=1) - 1).sum(axis=1), brake, plan, apart)


class _Equations:
    """The equations written anew; a state is (g or u, ε, brake)."""

    def __init__(self, problem: Transport, schedule: Schedule, carry: str) -> None:
        self.cost, self.end, self.schedule, self.carry = problem.cost, problem.epsilon, schedule, carry
        self.n = problem.columns

    def plan(self, y: Array) -> Array:
        x, epsilon = y[: self.n], y[self.n]
        exponents = ((x - self.cost) if self.carry == "potential" else (epsilon * x - self.cost)) / epsilon
        weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def _cooling(self, y: Array) -> float:
        epsilon = float(y[self.n])
        fall = self.schedule.rate * (epsilon - self.end)
        fall = fall * epsilon if self.schedule.kind == "quadratic" else fall
        return -fall * (1 - min(max(float(y[self.n + 1]), 0.0), 1.0))

    def plan_rate(self, y: Array) -> Array:
        """dP/dt by the chain rule."""
        plan, epsilon, cooling = self.plan(y), y[self.n], self._cooling(y)
        missing = 1 - plan.sum(axis=0)
        if self.carry == "potential":
            moved = missing - (y[: self.n] - self.cost) * cooling / epsilon**2
        else:
            moved = missing + self.cost * cooling / epsilon**2
        return plan * (moved - (plan * moved).sum(axis=1, keepdims=True))

    def rates(self, _: float, y: Array) -> Array:
        missing = 1 - self.plan(y).sum(axis=0)
        epsilon, brake = y[self.n], 0.0
        if self.schedule.k_safe is not None:
            excess = (np.linalg.norm(self.plan_rate(y)) / (self.schedule.k_safe * epsilon)) ** 2 - 1
            brake = _BRAKE_RATE * (0.5 * (1 + np.tanh(excess / _WIDTH)) - y[self.n + 1])
        carried = epsilon * missing if self.carry == "potential" else missing
        return np.concatenate([carried, [self._cooling(y)], [brake]])
