"""How far any answer to a problem is from right, computed from the answer alone: whoever gave it, and whatever it claims.

Errors count in the units in which runs are judged (`validation.judgement`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analogflow.errors import AnalogflowError, BadInput
from analogflow.families.references import known_to, reference_of
from analogflow.problems import Attention, Channel, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference import transport_certificate
from analogflow.validation.judgement import cost_unit, rest_size
from analogflow.validation.measures import worth_of

__all__ = ["Judge", "judge_of"]


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """One measure of error for every contender of a problem.

    Parameters
    ----------
    measure : str
        What the error is, in a few words.
    unit : str
        Of the error.
    full_scale : float
        Error that is as large as an answer can be: effective bits are log₂(full_scale/error).
    usual : float
        Accuracy that is asked for where none is given.
    of : callable
        Error of an answer; an answer that is none may raise.
    """

    measure: str
    unit: str
    full_scale: float
    usual: float
    of: Callable[[Any], float]

    def error(self, answer: Any) -> float:
        """Error of `answer`, not negative; infinite where it is no answer at all."""
        try:
            error = float(self.of(answer))
        except (AnalogflowError, np.linalg.LinAlgError):
            return math.inf
        return error if error >= 0 else 0.0 if error < 0 else math.inf

    def bits(self, error: float) -> float:
        """Effective bits of an error: infinite where there is none, 0 where it is as large as an answer, or infinite."""
        if error == 0:
            return math.inf
        return math.log2(self.full_scale / error) if error < self.full_scale else 0.0


def judge_of(problem: Any) -> Judge:
    """Judge of a problem's answers.

    Answers are: for a channel z, shape (n,); for rate-distortion q; for transport (plan, potential or None); for attention
    the tokens; for a Hopfield network v and h, above temperature 0 as for Langevin (mean, covariance).

    Raises
    ------
    BadInput
        There are no digital contenders for problems of this kind.
    """
    judge = _JUDGES.get(type(problem))
    if judge is None:
        known = ", ".join(kind.__name__ for kind in _JUDGES)
        raise BadInput(f"compare: a problem of type {type(problem).__name__} has no digital contenders; known are: {known}.")
    return judge(problem)


def _capacity(channel: Channel) -> Judge:
    if channel.cost is not None:
        raise BadInput("compare: a channel with a cost has no digital contenders yet; leave the cost out.")
    scale = math.log(max(2, min(channel.transition.shape)))
    return Judge("certified gap of the input distribution", "nat", scale, 1e-3, _gap(channel))


def _rate_distortion(problem: RateDistortion) -> Judge:
    scale = math.log(max(2, min(problem.symbols, problem.reproductions)))
    return Judge("certified gap of the reproduction distribution", "nat", scale, 1e-3, _gap(problem))


def _gap(problem: Any) -> Callable[[Any], float]:
    """By how much an optimum may be better than a distribution."""

    def gap(distribution: Any) -> float:
        found = worth_of(problem, np.asarray(distribution, dtype=float)[None])
        return math.inf if found is None else float(found.gap[0])

    return gap


def _transport(problem: Transport) -> Judge:
    unit = cost_unit(problem)

    def error(answer: Any) -> float:
        plan, potential = answer
        bounds = transport_certificate(problem, plan, potential)
        return max(bounds.gap / unit, bounds.violation / problem.mass)

    measure = "certified gap over the cost's range, or violation of the marginals over the mass, whichever is larger"
    return Judge(measure, "", 1.0, 1e-2, error)


def _attention(problem: Attention) -> Judge:
    reference = reference_of(problem, problem.time)

    def error(tokens: Any) -> float:
        return float(abs(np.reshape(tokens, problem.tokens.shape) - reference.tokens).max()) + reference.gap

    return Judge("largest error of a coordinate of a token", "", 2.0, 1e-3, error)


def _hopfield(problem: Hopfield) -> Judge:
    reference = reference_of(problem)
    if problem.temperature > 0:
        return _of_law(reference)
    unit = rest_size(problem)

    def error(state: Any) -> float:
        return (float(abs(np.asarray(state) - reference.mean).max()) + reference.gap) / unit

    return Judge("largest error of a state, over their size", "", 2.0, 1e-3, error)


def _langevin(problem: Langevin) -> Judge:
    if problem.temperature == 0:
        raise BadInput("compare: a Langevin problem at temperature 0 has no law to compare; give it a temperature above 0.")
    return _of_law(reference_of(problem))


def _of_law(law: Any) -> Judge:
    """Judge of (mean, covariance) against those of a reference."""
    exact, spread, gap = law.mean, law.covariance, known_to(law)
    widths = np.sqrt(np.diag(spread))

    def error(answer: Any) -> float:
        mean, covariance = answer
        means = abs(np.asarray(mean) - exact) / widths
        spreads = abs(np.asarray(covariance) - spread) / np.outer(widths, widths)
        return float(max(means.max(), spreads.max())) + gap

    return Judge("largest error of a mean or covariance, in standard deviations and their products", "", 1.0, 5e-2, error)


_JUDGES: Mapping[type, Callable[[Any], Judge]] = {
    Channel: _capacity,
    RateDistortion: _rate_distortion,
    Transport: _transport,
    Attention: _attention,
    Hopfield: _hopfield,
    Langevin: _langevin,
}
