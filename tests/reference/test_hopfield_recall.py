"""What a rest recalls of its memories, and the gains at which a mixture ends, against formulas of the reduced equations."""

import numpy as np
import pytest
from scipy.optimize import root_scalar

from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference import hopfield_reference
from analogflow.reference.hopfield import overlaps, rates, valley_at
from analogflow.reference.hopfield_recall import from_memory, mixture_edge, recalled

SIGNS = np.array([[-1, 1, -1, 1, -1, 1, -1, 1, -1, 1], [1, 1, 1, 1, 1, -1, -1, -1, -1, -1.0]])
CUE = [-0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5, 0.5, 0.5]


def two_patterns(gain_v=4.0, gain_h=4.0, start=CUE):
    """Two patterns that agree in four units and differ in six, as couplings of 0.2."""
    return Hopfield(0.2 * SIGNS.T, gain_v=gain_v, gain_h=gain_h, activation="tanh", start=start)


def root_of(function, low, high):
    return root_scalar(function, bracket=(low, high), xtol=1e-13).root


def edge_of(problem, rest, gain, *, rising):
    found = mixture_edge(problem, rest, gain, rising=rising)
    assert found is not None
    return found


def parts_from(problem, part):
    found = from_memory(problem, part)
    assert found is not None
    return found.parts


def in_the_mixture(gain_v, gain_h):
    """y of the six units in which the patterns differ: y = tanh(0.4 G tanh(1.2 F y)), the others at 0."""
    return root_of(lambda y: y - np.tanh(0.4 * gain_v * np.tanh(1.2 * gain_h * y)), 1e-6, 1.0)


def test_the_rest_is_a_mixture_and_both_overlaps_say_so():
    problem = two_patterns()
    rest = hopfield_reference(problem)
    found = recalled(problem, rest.mean)
    y = in_the_mixture(4.0, 4.0)
    assert found.parts == (1, -2)
    assert found.mixed
    assert str(found) == "a mixture of pattern 1 and the reverse of pattern 2"
    np.testing.assert_allclose(found.overlaps, [0.6 * y, -0.6 * y], atol=1e-12)
    np.testing.assert_allclose(found.shares, [0.5 * y, -0.5 * y], atol=1e-12)  # what is left out is their own overlap
    np.testing.assert_array_equal(np.array(rest.overlap), found.overlaps)


def test_a_mixture_ends_where_its_formula_says():
    """Symmetric to the exchange of both: where it gives way the four units at 0 grow together, G F sech²(F h) 0.32 = 1."""
    problem = two_patterns()
    rest = hopfield_reference(problem).mean
    edge = edge_of(problem, rest, "gain_v", rising=True)

    def margin(gain_v):
        return gain_v * 4 * 0.32 / np.cosh(4 * 1.2 * in_the_mixture(gain_v, 4.0)) ** 2 - 1

    assert 4 * edge.factor == pytest.approx(root_of(margin, 100, 1e5), rel=1e-7)
    assert set(edge.beyond) == {"pattern 1", "the reverse of pattern 2"}
    # It begins where 0 gives way, G F 0.48 = 1, whichever gain is lowered.
    for gain, exact in (("gain_v", 1 / 0.48 / 16), ("gain_h", 1 / 0.48 / 16), ("both gains", np.sqrt(1 / 0.48) / 4)):
        edge = edge_of(problem, rest, gain, rising=False)
        assert edge.factor == pytest.approx(exact, rel=1e-5)
        assert edge.beyond == ("no pattern",)
    assert mixture_edge(problem, rest, "gain_h", rising=True) is None
    assert mixture_edge(problem, rest, "both gains", rising=True) is None


def test_the_valley_is_the_jacobian_s_largest_eigenvalue():
    for gain_v in (2.0, 40.0, 4000.0):
        problem = two_patterns(gain_v)
        y = in_the_mixture(gain_v, 4.0)
        v = 0.2 * (SIGNS[0] - SIGNS[1]) * np.tanh(4 * 1.2 * y)
        x = np.concatenate([v, [1.2 * y, -1.2 * y]])
        assert abs(rates(problem, x)).max() < 1e-11
        step = 1e-7
        jacobian = np.array([(rates(problem, x + step * e) - rates(problem, x - step * e)) / (2 * step) for e in np.eye(12)])
        assert -np.linalg.eigvals(jacobian).real.max() == pytest.approx(valley_at(problem, x), abs=1e-4)
        assert (valley_at(problem, x) > 0) == (gain_v < 2884)


def test_beyond_the_edge_the_network_recalls_a_pattern():
    """In twice the gain at which the mixture gives way, the same cue recalls its pattern, every sign right."""
    problem = two_patterns(2 * 2884.0)
    found = recalled(problem, hopfield_reference(problem).mean)
    assert str(found) == "pattern 1"
    assert not found.mixed
    y = np.tanh(problem.gain_v @ hopfield_reference(problem).mean[:10])
    assert (np.sign(y) == SIGNS[0]).all()


def test_neither_pattern_of_the_mixture_is_a_rest_of_its_own():
    problem = two_patterns()
    assert [parts_from(problem, part) for part in (1, -2)] == [(1, -2), (1, -2)]
    alone = two_patterns(4.0 * 721)
    assert [parts_from(alone, part) for part in (1, -2, 2)] == [(1,), (-2,), (2,)]


def test_without_gain_nothing_is_recalled():
    problem = two_patterns(1.0, 1.0)
    found = recalled(problem, hopfield_reference(problem).mean)
    assert found.parts == ()
    assert str(found) == "no pattern"


@pytest.mark.parametrize("rule", ["hebbian", "pseudo-inverse"])
@pytest.mark.parametrize("seed", range(4))
def test_a_network_made_of_patterns_recalls_each_from_a_cue_near_by(rule, seed):
    rng = np.random.default_rng(seed)
    patterns = rng.choice([-1.0, 1.0], (3, 40))
    for k, pattern in enumerate(patterns):
        cue = pattern * np.where(np.arange(40) < 4, -1, 1)
        problem = Hopfield(patterns=patterns, rule=rule, start=cue)
        rest = hopfield_reference(problem).mean
        assert recalled(problem, rest).parts == (k + 1,)
        y = np.tanh(problem.gain_v @ rest[:40])
        np.testing.assert_allclose(overlaps(problem, rest), patterns @ y / 40, atol=1e-14)


def test_patterns_of_any_numbers_overlap_with_themselves_by_1():
    patterns = np.array([[0.5, -0.2, 0.9], [0.1, 0.8, 0.3]])
    problem = Hopfield(np.zeros((3, 1)), patterns=patterns)
    state = np.array([*patterns[0], 0.0])
    assert overlaps(problem, state)[0] == pytest.approx(1)
    assert recalled(problem, state).parts == (1,)


def test_without_patterns_there_is_no_overlap():
    with pytest.raises(BadInput, match=r"overlaps: Hopfield\(.*\) has no patterns; give it some"):
        overlaps(Hopfield([[0.3]]), np.zeros(2))


def test_a_wide_network_is_not_followed():
    with pytest.raises(BadInput, match=r"has more than 128 hidden units: its mixture is not followed"):
        mixture_edge(Hopfield(np.zeros((1, 129)), patterns=[[1.0]]), np.zeros(130), "gain_v", rising=True)


def test_a_mixture_of_many_patterns_is_told_by_their_number():
    """Softmax at a low β is the mean of all."""
    patterns = np.eye(9)
    problem = Hopfield(patterns=patterns, activation="softmax", gain_h=0.1, start=patterns[4] * 5)
    assert str(recalled(problem, hopfield_reference(problem).mean)).startswith(
        "a mixture of 9 patterns, most of all pattern "
    )
