"""Figures of the paper on tokens on a sphere: circuits are right, single precision is enough, a wrong bound is wrong."""

import numpy as np
import pytest
from figure_zoo import line, verdict

from analogflow.papers import attention
from analogflow.papers.attention import alignment_path, digital_path
from analogflow.papers.result import AGREES, ERRATUM
from analogflow.problems.attention import circle_then_pole, random_diagonal
from analogflow.reference.attention_theory import dominant_eigenspace, value_space


@pytest.mark.parametrize("beta", [10.0, 1000.0])
def test_weights_in_single_precision_move_no_alignment_by_a_hundredth(beta):
    problem, times = random_diagonal(120, beta=beta, seed=1), np.linspace(0, 40, 21)
    exact = digital_path(problem, times, accuracy=1e-8)
    fast = digital_path(problem, times, accuracy=1e-4, single=True)
    for space in (dominant_eigenspace(problem.attraction), value_space(problem)):
        np.testing.assert_allclose(alignment_path(fast, space), alignment_path(exact, space), atol=1e-2)


def test_the_circuit_of_figure_2_shows_both_phases():
    problem = circle_then_pole(attention._BOTH_PHASES)
    path = digital_path(problem, np.linspace(0, 10, 41))
    E = alignment_path(path, dominant_eigenspace(problem.attraction))
    F = alignment_path(path, value_space(problem))
    assert E.max() > E[0] + 0.1
    assert F[-1] > 0.9 > E[-1]


def test_the_circuits_and_the_two_phases_of_figure_3():
    assert verdict("attention-figure-3", "circuit of") == AGREES
    assert verdict("attention-figure-3", "smallest growth") == AGREES
    assert verdict("attention-figure-3", "Algorithm 1") == ERRATUM


@pytest.mark.parametrize("part", ["V₁B₁ᵀ", "of V₁:", "V₂B₂ᵀ", "of V₂:"])
def test_eigenvalues_of_figure_5(part):
    one = line("attention-figure-5", f"eigenvalues {part}" if part.startswith("of") else part)
    assert one.verdict == AGREES
    assert one.tolerance <= 1e-9
