"""Mobilities of Langevin motions: whether they are positive wherever the law has weight."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.problems.expression import Expression

__all__ = ["refuse_mobility"]

Array = NDArray[np.float64]

_LOOKED_AT = 200
"""Points of a Gaussian law at which its mobility is looked at."""

_LOWEST, _ZERO = 3, 1e-9
"""Points of the law with the lowest mobility, from which it is followed down, and what counts as 0, over the usual one."""


def refuse_mobility(problem: Langevin, sample: Array, mean: Array, covariance: Array) -> None:
    """Refuse a mobility that is not positive where the law is, which a look about the start may not have met.

    Parameters
    ----------
    problem : Langevin
    sample : array, shape (k, n)
        Points that stand for the law; none where it is Gaussian.
    mean, covariance : array, shapes (n,) and (n, n)
        Of the law.

    Raises
    ------
    BadInput
        It is not positive at a point of the law, or falls to 0 on the way down from one.
    """
    if isinstance(problem.mobility, np.ndarray):
        return
    random = np.random.default_rng(0)
    sample = sample if len(sample) else random.multivariate_normal(mean, covariance, size=_LOOKED_AT)
    with np.errstate(all="ignore"):
        mobility = np.einsum("...ii->...i", problem.mobility_at(sample))
    bad = ~(np.isfinite(mobility) & (mobility > 0)).all(axis=-1)
    if bad.any():
        place = ", ".join(f"{name} = {x:.3g}" for name, x in zip(problem.variables, sample[bad][0], strict=True))
        raise BadInput(
            f"Langevin: mobility is not positive at {place}, where the law has weight; give one that is positive wherever "
            "e^(-E/T) counts."
        )
    highest = problem.energy_at(sample).max()
    for diagonal, name in enumerate(problem.variables):
        for j in np.argsort(mobility[:, diagonal])[:_LOWEST]:
            least, x = _least_mobility(problem, diagonal, sample[j], float(np.median(mobility[:, diagonal])))
            if not least > _ZERO and problem.energy_at(x) <= highest:
                place = ", ".join(f"{other} = {value:.3g}" for other, value in zip(problem.variables, x, strict=True))
                raise BadInput(
                    f"Langevin: mobility of {name} falls to 0 at {place}, where the law has weight and the motion "
                    "halts; give one that is positive wherever e^(-E/T) counts, such as the same + 0.01."
                )


def _least_mobility(problem: Langevin, number: int, point: Array, usual: float) -> tuple[float, Array]:
    """Smallest mobility of one variable, over its usual one, on the way down from a point; and where it is."""
    expression = problem.mobility[number]
    assert isinstance(expression, Expression)
    moved = [k for k, name in enumerate(problem.variables) if name in expression.names]
    if not moved:
        return 1.0, point

    def mobility(part: Array) -> tuple[float, Array]:
        x = point.astype(complex)
        x[moved] = part
        sides = x + 1e-30j * np.eye(problem.size)[moved]  # the imaginary part is the derivative to rounding
        values = np.asarray(expression.evaluate({name: sides[:, k] for k, name in enumerate(problem.variables)}))
        return float(np.real(values[0])) / usual, np.imag(values) / 1e-30 / usual

    with np.errstate(all="ignore"):
        found = scipy.optimize.minimize(mobility, point[moved], jac=True, method="BFGS", options={"gtol": 1e-11})
    x = point.copy()
    x[moved] = found.x
    return float(found.fun), x
