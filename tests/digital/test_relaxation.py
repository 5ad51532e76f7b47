"""Digital rests of a Hopfield network, against the reference."""

import numpy as np
import pytest

from analogflow.digital import euler_rest, newton_rest
from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference import hopfield_reference

U = [[0.3, 0.0], [0.1, 0.2]]


@pytest.mark.parametrize("activation", ["linear", "tanh"])
@pytest.mark.parametrize("find", [euler_rest, newton_rest])
def test_the_rest_is_found(find, activation):
    problem = Hopfield(U, [0.5, -0.5], activation=activation)
    run = find(problem, rate=1e-11)
    assert run.converged
    assert run.state == pytest.approx(hopfield_reference(problem).mean, abs=1e-10)
    assert find(problem, rate=1e-11, most=1).converged is (find is newton_rest and activation == "linear")


def test_gains_are_in_the_jacobian():
    problem = Hopfield(U, [0.5, -0.5], gain_v=np.diag([2.0, 0.5]), gain_h=np.diag([1.5, 1.0]), activation="tanh")
    run = newton_rest(problem, rate=1e-13)
    assert run.iterations < 10
    assert run.state == pytest.approx(hopfield_reference(problem).mean, abs=1e-11)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(BadInput, match="step is 0; give a number above 0"):
        euler_rest(Hopfield(U), step=0)
