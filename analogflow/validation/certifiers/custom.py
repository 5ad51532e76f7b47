"""Judges runs of flows of the user's own: where they end, against two integrations, and what they should have kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from analogflow.flows import Flow, Invariant, custom
from analogflow.problems import Equations
from analogflow.reference import equations_reference, path_end
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check

__all__ = ["certify_equations", "certify_flow"]

_AGREEMENT = 1e-7
"""Largest disagreement of the reference's two integrations that counts as agreement, relative to the states or 1."""


def certify_equations(problem: Equations, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run, at the time where the run ended.

    Errors are relative to the largest magnitude of each quantity on the path, or 1. Equations with noise of their own are
    held against their noiseless path for information only: no check depends on it.
    """
    reference = equations_reference(problem, float(run.time[-1]))
    noisy = any(np.any(density) for density in problem.noise.values())
    return _judged(run, reference.values, reference.gap, custom(problem).keeps, problem.conserved, noisy, tolerance)


def certify_flow(flow: Flow, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """The same for a flow given as a function: its states and observables, evaluated directly."""
    states, gap = path_end(lambda states: flow.rates(**states), flow.states, float(run.time[-1]))
    exact = {**states, **{name: flow.observe(name, **states) for name in flow.observables}}
    return _judged(run, exact, gap, flow.keeps, (), flow.noisy, tolerance)


def _judged(
    run: Trajectory,
    exact: Mapping[str, np.ndarray],
    gap: float,
    keeps: Collection[Invariant],
    conserved: Collection[str],
    noisy: bool,
    tolerance: float,
) -> tuple[Any, ...]:
    """Judgement; what the manifolds in `keeps` leave free means nothing, and circuits hold it where they like."""
    comparable = {kept.state: kept.comparable for kept in keeps}

    def shown(name: str, values: np.ndarray) -> np.ndarray:
        return comparable.get(name, np.asarray)(np.ravel(values)).reshape(np.shape(exact[name]))

    answer = {name: shown(name, run.final(name)) for name in exact}
    exact = {name: shown(name, value) for name, value in exact.items()}
    full_scale = {name: max(1.0, float(abs(run.values[name]).max())) for name in answer}
    errors = {
        name: float(abs(answer[name] - exact[name]).max()) / full_scale[name] for name in answer if name not in conserved
    }
    checks = [
        Check("ran to its end", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()),
        Check.at_most("the reference's two integrations agree", gap / max(full_scale.values()), _AGREEMENT),
    ]
    if not noisy:
        worst = max(errors, key=errors.__getitem__)
        checks.append(
            Check.at_most("states agree with the reference", errors[worst], tolerance, f"of full scale in {worst}")
        )
    for name in sorted(conserved):
        errors[name] = float(np.ptp(run.values[name])) / full_scale[name]
        if not noisy:
            checks.append(Check.at_most(f"{name} is conserved", errors[name], tolerance))
    found, wanted = ({name: value.tolist() for name, value in values.items()} for values in (answer, exact))
    return found, wanted, gap, errors, tuple(checks)
