"""Energies, temperatures and mobilities: what is accepted, their derivatives, and every fault with its reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.problems import Langevin
from analogflow.problems.expression import derivative, read_expression

SMOOTH = [
    "x**2*y - 3*x/y + 2",
    "exp(-x*y)*sin(x) + cos(y)**2",
    "log(x + y) + sqrt(x) + tanh(x - y) + x**0.5 + x**(-3/2)",
    "0.1234567890123456*x**4 - 1e-3*y",
]
REFUSED = [
    ({"energy": "x**2 + z"}, r"energy, 'x\*\*2 \+ z': unknown name 'z' at column 8"),
    ({"energy": "abs(x)"}, r"at column 1 is something that can not be differentiated"),
    ({"energy": "-x**2"}, r"energy does not confine: .* in the direction \{'x': 1.0\}"),
    ({"energy": "x"}, r"energy does not confine: .* \{'x': -1.0\}"),
    ({"energy": "tanh(x)**2 + 1e-30*x"}, r"energy does not confine"),
    ({"energy": "x**2/2", "temperature": 1e50}, r"only far beyond 6e\+07: measure the variables in larger units"),
    ({"energy": "x**2/0"}, r"energy, 'x\*\*2/0', is not finite: it divides by 0"),
    ({"energy": "x**2 + log(0)*x"}, r"is not finite: it divides by 0, or has"),
    ({"energy": "0.2*log(1 + x**2)", "temperature": 1.0}, r"energy does not confine: .* and farther out"),
    ({"energy": "0.0*x"}, r"energy does not confine"),
    ({"energy": "1 - cos(x)"}, r"energy does not confine"),
    ({"energy": "sin(x)**2", "temperature": 0.1}, r"energy does not confine"),
    ({"energy": "log(x) + x**2"}, r"energy is not finite at \{'x': "),
    ({"variables": []}, r"there are 0 variables; give from 1 to 64"),
    ({"variables": "x"}, r"variables is 'x'; give a list of names"),
    ({"variables": ["x", "X"]}, r"a name is used twice"),
    ({"variables": ["exp"]}, r"'exp' is the name of a function"),
    ({"temperature": -0.1}, r"temperature is -0.1; give 0, or a number from 1e-100 to 1e\+100"),
    ({"temperature": float("nan")}, r"temperature is nan"),
    ({"mobility": 0.0}, r"mobility must be positive definite, and its symmetric part has the eigenvalue 0"),
    ({"mobility": [1.0, 2.0]}, r"mobility has shape \(2,\) and the largest size 2; give a number up to 1e\+100, 1 of them"),
    ({"mobility": 1e308}, r"mobility has shape \(\) and the largest size 1e\+308; give a number up to 1e\+100"),
    ({"start": [1e308]}, r"start has 1e\+308 as largest size; give numbers up to 1e\+100"),
    ({"mobility": "x"}, r"mobility is not positive at"),
    ({"mobility": ["1", "2"]}, r"mobility has 2 expressions; give one"),
    ({"start": [0.0, 1.0]}, r"start has 2 numbers; give 1 numbers up to"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED, ids=range(len(REFUSED)))
def test_faults_are_sentences(changed, message):
    with pytest.raises(BadInput, match=message):
        Langevin(**{"energy": "x**2", "variables": ["x"], "temperature": 1.0, **changed})


@pytest.mark.parametrize("text", SMOOTH)
@given(st.floats(0.2, 2), st.floats(0.2, 2))
def test_derivatives_are_those_of_differences(text, x, y):
    energy = read_expression(text, ("x", "y"), where="energy")
    for name in ("x", "y"):
        slope = derivative(energy, name, ("x", "y"))
        ahead, behind = ({"x": x, "y": y} | {name: value} for value in ((x, y)["xy".index(name)] + h for h in (1e-6, -1e-6)))
        wanted = (energy.evaluate(ahead) - energy.evaluate(behind)) / 2e-6
        assert slope.evaluate({"x": x, "y": y}) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_values_at_many_points_have_their_shapes():
    problem = Langevin("x**2 + x*y + y**2", ["x", "y"], 1.0, ["1 + x**2", "2"])
    points = np.random.default_rng(0).normal(size=(5, 3, 2))
    x, y = points[..., 0], points[..., 1]
    np.testing.assert_allclose(problem.energy_at(points), x**2 + x * y + y**2)
    np.testing.assert_allclose(problem.gradient_at(points), np.stack([2 * x + y, x + 2 * y], axis=-1))
    np.testing.assert_allclose(problem.mobility_at(points)[..., 0, 0], 1 + x**2)
    np.testing.assert_allclose(problem.mobility_at(points)[..., 1, 1], 2)
    np.testing.assert_allclose(problem.spreading_at(points), np.stack([2 * x, 0 * y], axis=-1))


def test_problem_files_are_read_by_their_keys(tmp_path):
    path = tmp_path / "well.toml"
    path.write_text('energy = "x**4"\nvariables = ["x"]\ntemperature = 0.5\n')
    assert read_problem("langevin", path).temperature == 0.5
    path.write_text('energy = "x**4"\nvariables = ["x"]\ntemperature = 0.5\nbeta = 2\n')
    with pytest.raises(BadInput, match=r"unknown key 'beta'; a Langevin problem has the keys energy, variables"):
        read_problem("langevin", path)


@pytest.mark.parametrize("problem", [("x**2/2", 1e6), ("1e-6*x**2/2", 1.0), ("sqrt(1 + x**2)", 100.0)])
def test_a_law_wider_than_what_is_near_is_accepted(problem):
    energy, temperature = problem
    assert Langevin(energy, ["x"], temperature).temperature == temperature
