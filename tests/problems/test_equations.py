"""Equations of the user's own as data: what is accepted, and every fault with its place."""

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.problems import Equations

DECAY = {"states": {"x": 1.0}, "equations": {"x": "-x"}}
REFUSED = [
    ({"states": {}}, r"there is no state"),
    ({"equations": {}}, r"not closed: the state 'x' has no equation"),
    ({"equations": {"x": "-x", "y": "1"}}, r"not closed: there is an equation for 'y', which is no state"),
    ({"equations": {"x": "-x*rate"}}, r"equations.x, '-x\*rate': unknown name 'rate' at column 4"),
    ({"definitions": {"a": "b", "b": "x"}}, r"definitions.a, 'b': unknown name 'b'"),
    ({"states": {"x": [1.0, 2.0]}, "equations": {"x": "x @ x * x[0] + [1]"}}, r"List at column"),
    (
        {"states": {"x": [1.0, 2.0]}, "constants": {"c": [1, 2, 3]}, "equations": {"x": "c"}},
        r"has shape \(3,\) and its state \(2,\)",
    ),
    ({"states": {"x": -1.0}, "equations": {"x": "log(x)"}}, r"equations.x is not finite at the initial state"),
    ({"states": {"exp": 1.0}, "equations": {"exp": "1"}}, r"'exp' is the name of a function or a word of Python"),
    ({"states": {"yield": 1.0}, "equations": {"yield": "1"}}, r"'yield' is the name of a function or a word of Python"),
    ({"states": {"x y": 1.0}, "equations": {"x y": "1"}}, r"'x y' is no name"),
    ({"states": {"é": 1.0}, "equations": {"é": "1"}}, r"'é' is no name"),
    ({"constants": {"X": 1.0}}, r"'X' is named under states and under constants"),
    ({"states": {"x": "one"}}, r"states.x: 'one' is neither a number nor an array"),
    ({"states": {"x": [[1, 2], [3]]}}, r"states.x does not consist of numbers"),
    ({"states": {"x": [np.nan]}}, r"states.x must hold finite numbers"),
    ({"manifolds": {"y": "simplex"}}, r"manifolds.y is about no state; there are x"),
    ({"manifolds": {"x": "torus"}}, r"'torus' is not known; known are simplex, sphere, mean"),
    ({"states": {"x": [0.5, 0.6]}, "manifolds": {"x": "simplex"}}, r"do not sum to 1"),
    ({"states": {"x": [[0.5, 0.6]]}, "manifolds": {"x": "sphere"}}, r"do not have length 1"),
    ({"conserved": {"energy": "x**2"}}, r"conserved.energy is not conserved: its rate is -2"),
    ({"noise": {"x": -0.1}}, r"noise.x must not be negative"),
    ({"noise": {"x": [0.1, 0.2]}}, r"noise.x has shape \(2,\)"),
    ({"noise": {"y": 0.1}}, r"noise.y is about no state"),
    ({"answer": "z"}, r"answer: 'z' is neither a state nor an observable"),
    ({"time": -1}, r"time is -1; give a positive number"),
    ({"time": "long"}, r"time is 'long'"),
    ({"states": [1.0]}, r"states: a table of names and values is needed, not list"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED, ids=range(len(REFUSED)))
def test_faults_are_sentences(changed, message):
    with pytest.raises(BadInput, match=message):
        Equations(**{**DECAY, **changed})


def test_all_faults_come_in_one_message():
    with pytest.raises(BadInput, match=r"unknown name 'a'.*; answer: 'z' is neither.*; time is 0"):
        Equations({"x": 1.0}, {"x": "a"}, answer="z", time=0)


def test_rates_are_those_of_the_equations():
    problem = Equations(
        {"x": [1.0, 2.0], "y": 3.0},
        {"x": "-k * x + pull", "y": "sum(x) - y"},
        constants={"k": [1.0, 0.5]},
        definitions={"pull": "y - x", "unused": "pull[0]"},
        observables={"total": "sum(x) + y[0]"},
    )
    rates = problem.rates({"x": np.array([1.0, 2.0]), "y": np.array([3.0])})
    np.testing.assert_allclose(rates["x"], [1.0, 0.0])
    np.testing.assert_allclose(rates["y"], [0.0])
    assert problem.answer == "x"


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "\U0002fa1e"])
def test_what_can_not_be_printed_is_written_out_in_its_name(name):
    equations = Equations({"x": 1.0}, {"x": "-x"}, name=name)
    assert repr(equations).isprintable()
    assert equations.name == repr(name)[1:-1]


def test_values_can_be_replaced_by_name():
    problem = Equations({"x": 1.0}, {"x": "-rate * x"}, constants={"rate": 2.0})
    assert problem.replaced(rate=3.0).constants["rate"] == 3.0
    assert problem.replaced(x=[5.0]).states["x"][0] == 5.0
    assert problem.replaced().fingerprint == problem.fingerprint != problem.replaced(rate=3.0).fingerprint
    with pytest.raises(BadInput, match=r"'speed' is neither a constant nor a state; there are rate, x"):
        problem.replaced(speed=1.0)


def test_a_file_of_equations_takes_values_from_another(tmp_path):
    flow, values = tmp_path / "decay.toml", tmp_path / "fast.json"
    flow.write_text('[states]\nx = 1.0\n[constants]\nrate = 1.0\n[equations]\nx = "-rate * x"\n')
    values.write_text('{"rate": 4.0}')
    problem = read_problem(str(flow), values)
    assert (problem.name, float(problem.constants["rate"])) == ("decay", 4.0)
    assert float(read_problem(str(flow), None).constants["rate"]) == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[states]\nx = 1.0\n", r"the key 'equations' is missing; it holds the rate of every state"),
        ("[states]\nx = 1.0\n[equation]\nx = '-x'\n", r"unknown key 'equation'"),
        ("states = 3\n[equations]\nx = '-x'\n", r"states: a table of names and values is needed"),
        ("[states\n", r"can not be parsed"),
        ("[equations]\nx' = '-x'\n", r"at line 2, column 2\); write the key between quotation marks, as in \"x'\" = …"),
        ("[equations]\ndx/dt = '-x'\n", r"at line 2, column 3\); write x = \"…\", whose right side is the rate of x"),
    ],
)
def test_a_file_that_holds_no_equations_is_refused(tmp_path, text, message):
    path = tmp_path / "flow.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_problem(str(path), None)


def test_a_named_flow_needs_its_problem():
    with pytest.raises(BadInput, match=r"the flow 'capacity' needs a file with a channel"):
        read_problem("capacity", None)


@pytest.mark.parametrize("primes", ["''", "″", "′′"])
def test_an_equation_of_second_order_is_a_pair_of_states(primes):
    pair = Equations({"x": 1.0, "x′": 0.5}, {f"x{primes}": "-4 * x - 0.4 * x'"})
    assert list(pair.states) == ["x", "x_dot"]
    rates = pair.rates({"x": np.array([1.0]), "x_dot": np.array([0.5])})
    assert (rates["x"], rates["x_dot"]) == (0.5, -4.2)


def test_an_equation_of_third_order_is_three_states():
    start, rate = {"x": 0.5, "x'": 0.0, "x''": 0.0}, "-x'' + 9*x' - x*x*x' - 5*x"
    jerk = Equations(start, {"x" + 3 * "'": rate}, answer="x'")
    plain = Equations({"x": 0.5, "v": 0.0, "a": 0.0}, {"x": "v", "v": "a", "a": "-a + 9*v - x*x*v - 5*x"})
    found = jerk.rates({"x": np.array([0.3]), "x_dot": np.array([-0.7]), "x_ddot": np.array([0.2])})
    wanted = plain.rates({"x": np.array([0.3]), "v": np.array([-0.7]), "a": np.array([0.2])})
    assert [found[name] for name in ("x", "x_dot", "x_ddot")] == [wanted[name] for name in ("x", "v", "a")]
    assert jerk.answer == "x_dot"


@pytest.mark.parametrize(
    ("states", "equations", "message"),
    [
        ({"x": 1.0}, {"x''": "-x"}, r"write where it starts, as in \"x'\" = 0.0, under states"),
        ({"x": 1.0, "x'": 0.0}, {"x''": "-x", "x'": "1"}, r"the rate of 'x' is given twice, by \"x'\" too"),
        ({"x": 1.0}, {"x" + 5 * "'": "-x"}, r"is of order 5, and 4 is the highest"),
    ],
)
def test_orders_that_do_not_fit_are_said(states, equations, message):
    with pytest.raises(BadInput, match=message):
        Equations(states, equations)
