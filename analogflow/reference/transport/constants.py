"""The constants of the paper's appendix, measured over an ensemble of costs and written as its table."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analogflow.errors import BadInput
from analogflow.problems import Transport
from analogflow.problems.contents import whole_file
from analogflow.reference.transport.sensitivity import PlanDerivatives
from analogflow.reference.transport.solution import transport_reference
from analogflow.reference.transport.spectrum import sinkhorn_spectrum

__all__ = ["COLUMNS", "ConstantsRow", "constants_table", "write_constants"]

_STEP = 1e-3
"""Step of the difference that gives the second derivative, as a part of ε."""


@dataclasses.dataclass(frozen=True)
class ConstantsRow:
    """Constants at one temperature: means over the ensemble, and for the radius the standard deviation too.

    The paper names the columns and does not define all of them; this is how they are read here.

    Parameters
    ----------
    eps : float
        Temperature ε, in units of the cost.
    op_norm : float
        Operator norm of dP/dC (Lemma A.7), mass per unit of cost.
    C0_est : float
        ε times that: the constant of the lower bound ‖dP/dC‖ ≥ c₀/ε, if there is one.
    dS_de_norm : float
        ‖dP/dε‖_F (Lemma A.10), mass per unit of cost.
    K1_est : float
        ε times that: the constant of ‖dP/dε‖ = Θ(1/ε), if it holds.
    K2_est : float
        ε² times ‖D²P[Δ, Δ]‖_F, with Δ the direction of norm 1 in which the plan moves most (Lemma A.9).
    rho_mean, rho_std : float
        Spectral radius σ₂² of Sinkhorn's Jacobian without its common mode.
    """

    eps: float
    op_norm: float
    C0_est: float
    dS_de_norm: float
    K1_est: float
    K2_est: float
    rho_mean: float
    rho_std: float


COLUMNS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(ConstantsRow))
"""Names of the table's columns, as in section A.9 of the paper."""


def constants_table(problems: Sequence[Transport], epsilons: Sequence[float]) -> tuple[ConstantsRow, ...]:
    """Constants of an ensemble of problems at several temperatures, in the order given.

    Raises
    ------
    BadInput
        There is no problem or no temperature, or one is not positive.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026), sections A.7 and A.9. Its claims that C0 and K1 tend to
    constants as ε → 0 do not hold for a fixed cost whose optimal plan is a unique permutation: both then vanish.
    """
    if not problems or not len(epsilons):
        raise BadInput("constants table: give at least one problem and one temperature.")
    rows = []
    for epsilon in epsilons:
        found = np.array([_constants(problem.at(epsilon)) for problem in problems])
        norm, by_epsilon, second, radius = found.mean(axis=0)
        rows.append(
            ConstantsRow(
                float(epsilon),
                float(norm),
                float(epsilon * norm),
                float(by_epsilon),
                float(epsilon * by_epsilon),
                float(epsilon**2 * second),
                float(radius),
                float(found[:, 3].std()),
            )
        )
    return tuple(rows)


def write_constants(rows: Sequence[ConstantsRow], path: str | Path, *, force: bool = False) -> Path:
    """Write the table as CSV, at once or not at all, with the paper's column names.

    Raises
    ------
    BadInput
        The file exists and `force` is false, or it can not be written.
    """
    path = Path(path)
    if os.path.lexists(path) and not force:
        raise BadInput(f"{str(path)!r} exists already; give force=True to replace it, or another name.")
    lines = [",".join(COLUMNS), *(",".join(map(repr, dataclasses.astuple(row))) for row in rows)]
    with whole_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return path


def _constants(problem: Transport) -> tuple[float, float, float, float]:
    """‖dP/dC‖, ‖dP/dε‖_F, ‖D²P[Δ, Δ]‖_F and σ₂²."""
    reference = transport_reference(problem)
    derivatives = PlanDerivatives(problem, reference)
    norm, direction = derivatives.norm()
    step = _STEP * problem.epsilon
    beside = [
        PlanDerivatives(Transport(problem.cost + way * direction, problem.row, problem.column, problem.epsilon))
        for way in (step, -step)
    ]
    second = (beside[0].with_cost(direction) - beside[1].with_cost(direction)) / (2 * step)
    radius = sinkhorn_spectrum(reference.plan).radius
    return norm, float(np.linalg.norm(derivatives.with_epsilon())), float(np.linalg.norm(second)), radius
