"""Rests of flows and their modes, against closed forms, differences of the rates, and runs."""

import dataclasses

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.cli import main
from analogflow.families.files import read_problem
from analogflow.flows import custom
from analogflow.judgement import modes_of


def flow_of(states, equations, **options):
    return custom(af.Equations(states, equations, **options))


def spectrum(rest):
    return np.sort_complex(rest.eigenvalues)


def test_a_damped_spring_has_the_roots_of_its_polynomial():
    (rest,) = modes_of(flow_of({"y": 1.0, "v": 0.0}, {"y": "v", "v": "-4 * y - 0.4 * v"}))
    assert spectrum(rest) == pytest.approx(np.sort_complex(np.roots([1, 0.4, 4])))
    assert rest.time_constants == pytest.approx([5.0, 5.0])
    assert (rest.kind, rest.stable, rest.reached) == ("stable focus", True, True)
    # The speed's envelope, 2.01 e^(-t/5), is a millionth of the largest speed, 1.72, after that time, but for half a swing.
    assert rest.settling == pytest.approx(5 * np.log(2.01e6 / 1.72), abs=1.6)


def test_the_heat_equation_on_a_grid_has_its_sines():
    (rest,) = modes_of(flow_of({"u": np.zeros(4)}, {"u": "A @ u + b"}, constants={
        "A": -2 * np.eye(4) + np.eye(4, k=1) + np.eye(4, k=-1), "b": [1.0, 0.0, 0.0, 0.0]}))  # fmt: skip
    assert spectrum(rest).real == pytest.approx(np.sort(-4 * np.sin(np.arange(1, 5) * np.pi / 10) ** 2))
    assert rest.kind == "stable node"


@pytest.mark.slow
def test_lorenz_has_three_rests_and_the_roots_of_its_cubic():
    s, r, b = 10.0, 28.0, 8 / 3
    problem = af.Equations(
        {"x": 1.0, "y": 1.0, "z": 1.0}, {"x": "s * (y - x)", "y": "x * (r - z) - y", "z": "x * y - b * z"},
        constants={"s": s, "r": r, "b": b},
    )  # fmt: skip
    rests = modes_of(custom(problem))
    assert sorted(round(float(rest.at["x"][0]), 6) for rest in rests) == pytest.approx(
        [-np.sqrt(72), 0, np.sqrt(72)], abs=1e-6
    )
    outer = np.roots([1, s + b + 1, b * (s + r), 2 * b * s * (r - 1)])
    for rest in rests:
        assert not rest.reached
        assert rest.settling is None
        if abs(rest.at["x"][0]) > 1:
            assert spectrum(rest) == pytest.approx(np.sort_complex(outer))
            assert rest.kind == "saddle-focus"
        else:
            assert spectrum(rest) == pytest.approx(np.sort_complex(np.array([*np.roots([1, s + 1, s * (1 - r)]), -b])))
            assert rest.kind == "saddle"


@pytest.mark.parametrize("name", ["double_bracket", "kuramoto_ring", "lotka_volterra", "water_filling"])
def test_modes_are_those_of_differences_of_the_equations(name):
    problem = read_problem(f"examples/flows/{name}.toml")
    for rest in modes_of(custom(problem)):
        shapes = {state: value.shape for state, value in problem.states.items()}
        at = np.concatenate([rest.at[state] for state in shapes])

        def rates(y, shapes=shapes):
            cuts = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
            each = {
                state: part.reshape(shape) for (state, shape), part in zip(shapes.items(), np.split(y, cuts), strict=True)
            }
            return np.concatenate([rate.ravel() for rate in problem.rates(each).values()])

        jacobian = np.stack([(rates(at + step) - rates(at - step)) / 2e-6 for step in 1e-6 * np.eye(len(at))], axis=1)
        size = max(abs(rest.eigenvalues).max(), 1.0)
        assert abs(rates(at)).max() < 1e-8 * size * max(abs(at).max(), 1.0)
        expected = np.linalg.eigvals(jacobian)
        assert abs(rest.eigenvalues[:, None] - expected).min(axis=1).max() < 1e-6 * size
        assert abs(expected[:, None] - rest.eigenvalues).min(axis=1).max() < 1e-6 * size


def test_the_settling_time_is_that_of_the_run():
    problem = af.Equations({"x": 0.3, "y": 2.0}, {"x": "x * (1 - x)", "y": "-0.4 * (y - x ** 2)"})
    rest = modes_of(custom(problem))[0]
    assert rest.reached
    run = af.solve(dataclasses.replace(custom(problem), rests=("x", "y")), engine="block").run
    away = max(run.settling_time("x", 2e-6), run.settling_time("y", 2e-6))
    assert rest.settling == pytest.approx(away, rel=0.1)


def test_one_that_is_longer_than_the_path_is_what_the_slowest_mode_takes():
    rest = modes_of(flow_of({"x": 1.0}, {"x": "-0.02 * x"}))[0]
    assert rest.settling == pytest.approx(50 * np.log(1e6), rel=1e-3)


@pytest.mark.parametrize(
    ("states", "equations", "kind"),
    [
        ({"x": 1.0, "y": 0.0}, {"x": "-y", "y": "x"}, "centre"),
        ({"x": 0.1, "y": 0.0}, {"x": "0.1 * x - y", "y": "x + 0.1 * y"}, "unstable focus"),
        ({"x": 1.0, "y": 1.0}, {"x": "-x", "y": "y - y ** 3"}, "stable node"),
        ({"x": 1.0, "y": 0.5}, {"x": "y - x", "y": "x - y"}, "stable node, one mode stands still"),
    ],
)
def test_kinds_have_their_names(states, equations, kind):
    assert modes_of(flow_of(states, equations))[0].kind == kind


def test_a_line_of_rests_is_told_once():
    assert len(modes_of(flow_of({"x": 1.0, "y": 0.5}, {"x": "y - x", "y": "x - y"}))) == 1


def test_a_flow_that_rests_nowhere_says_so(tmp_path, capsys):
    assert modes_of(flow_of({"x": 0.0}, {"x": "1 + x ** 2"})) == ()
    path = tmp_path / "away.toml"
    path.write_text('[states]\nx = 0.0\n[equations]\nx = "1 + x ** 2"\n')
    assert main(["explain", str(path), "--modes"]) == 0
    assert "no rest was found" in " ".join(capsys.readouterr().out.split())


def test_families_have_modes_too():
    rest = modes_of(af.flows.capacity(PAPER, form="replicator"))[0]
    assert rest.reached
    assert rest.stable


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["examples/flows/driven_resonator.toml", "--modes"], "depends on time"),
        (["examples/flows/lotka_volterra.toml", "--modes", "--levels"], "ask for one of them"),
        (["examples/flows/lotka_volterra.toml", "--modes", "--parts", "fast"], "--parts"),
    ],
)
def test_what_can_not_be_told_is_refused_in_a_sentence(words, said, capsys):
    assert main(["explain", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_the_command_line_shows_time_constants_and_settling(capsys):
    assert main(["explain", "tests/data/ode/massspring.toml", "--modes"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "-0.2 +1.98997i" in said
    assert "3.15742" in said
    assert "stable focus" in said
    assert "from about t =" in said
