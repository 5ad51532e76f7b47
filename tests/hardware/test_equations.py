"""Scaled equations that are read as a person reads them compute the flow, and the listed coefficients are theirs."""

import re

import numpy as np
import pytest
import sympy
from board_zoo import ODE, mapped, written
from scipy.integrate import solve_ivp

from analogflow.cli import main
from analogflow.hardware import read_back, set_coefficients


def read(equations):
    """Names, starts and a function of the rates, from the text of the equations alone."""
    names = {one.signal: sympy.Symbol(f"s{k}") for k, one in enumerate(equations)}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    between, rates = {}, {}
    for one in equations:
        left, _, right = one.equation.partition(" = ")
        value = sympy.parse_expr(
            re.sub(pattern, lambda found: str(names[found[0]]), right),
            local_dict={"positive_part": lambda x: sympy.Max(x, 0), "sine": sympy.sin},
        )
        if left.endswith("'"):
            rates[one.signal] = value
        else:
            between[names[one.signal]] = value
    # What lies between stands after what it is made of.
    for name in rates:
        for symbol, value in reversed(between.items()):
            rates[name] = rates[name].subs(symbol, value)
    held = [names[name] for name in rates]
    function = sympy.lambdify(held, list(rates.values()))
    return {one.signal: one for one in equations if one.start is not None}, lambda y: np.array(function(*y), dtype=float)


@pytest.mark.parametrize("board", ["lucidac", *(pytest.param(name, marks=pytest.mark.slow) for name in ("that", "hcdcv2"))])
@pytest.mark.parametrize(
    "name, until",
    [("massspring", 10), ("pend", 20), ("vdp", 20), ("mathieu", 20), pytest.param("lorenz", 2, marks=pytest.mark.slow)],
)
def test_they_compute_the_flow(name, until, board):
    mapping = mapped(f"ode/{name}", board)
    if not mapping.equations:
        assert mapping.configuration is None
        pytest.skip(f"{board} has no room for {name}")
    held, rates = read(mapping.equations)
    assert mapping.seconds_per_time_constant is not None
    per_time = mapping.seconds_per_time_constant * mapping.board.rate_per_second.value
    with np.load(ODE / "paths.npz") as paths:
        times, right = paths[f"{name}.t"], paths[f"{name}.y"]
    times, right = times[times <= until], right[:, times <= until]
    run = solve_ivp(
        lambda _, y: rates(y), (0, times[-1] * per_time), [one.start for one in held.values()],
        t_eval=times * per_time, method="DOP853", rtol=1e-9, atol=1e-11,
    )  # fmt: skip
    # Six digits of each coefficient are told.
    for state, row in zip(written(name).states, right, strict=True):
        found = run.y[list(held).index(state)] * held[state].unit
        assert abs(found - row).max() < 2e-4 * abs(row).max()
    assert abs(run.y).max() <= 1


def test_a_coefficient_that_is_wrong_by_one_percent_is_noticed():
    # The twin of the test above.
    mapping = mapped("ode/massspring", "lucidac")
    held, rates = read(mapping.equations)
    point = np.array([0.3, -0.2])
    right = read_back(mapping.board, mapping.configuration or {}).rates(np.pad(point, (0, 6)))[:2]
    assert np.allclose(rates(point), right, rtol=1e-5)
    assert not np.allclose(1.01 * rates(point), right, rtol=1e-5)
    assert len(held) == 2


@pytest.mark.parametrize("name", ["lorenz", "oja", "lotka-volterra", "hopfield", "van der pol"])
def test_the_listed_lanes_are_the_crossbars(name):
    mapping = mapped(name, "lucidac")
    assert mapping.configuration is not None
    rows = set_coefficients(mapping.board, mapping.configuration)
    assert len(rows) == mapping.needs["lanes"]
    assert all(abs(row.value) <= 1 + 1e-12 for row in rows)
    machine = read_back(mapping.board, mapping.configuration)
    point = np.random.default_rng(3).uniform(-0.5, 0.5, 8)
    signals = {**machine.signals(point), "+1": 1.0}
    driven: dict[str, float] = {}
    for row in rows:
        driven[row.target] = driven.get(row.target, 0.0) + row.value * float(row.gain) * signals[row.source]
    rates = machine.rates(point)
    for target, value in driven.items():
        expected = -rates[int(target[3:])] if target.startswith("INT") else signals[target]  # integrators invert
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_listed_potentiometers_are_the_panels():
    mapping = mapped("ode/massspring", "that")
    assert mapping.configuration is not None
    rows = set_coefficients(mapping.board, mapping.configuration)
    assert {row.place: row.value for row in rows} == mapping.configuration["potentiometers"]
    cables = [tuple(cable) for cable in mapping.configuration["cables"]]
    for row in rows:
        assert (row.source, row.place) in cables
        assert all((row.place, target) in cables for target in row.target.split(", "))
        assert all((":10" in target) == (row.gain == "10") for target in row.target.split(", "))
    assert set_coefficients(mapped("ode/massspring", "generic").board, {}) == ()


def test_map_shows_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spring.toml").write_text((ODE / "massspring.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["map", "spring.toml"]) == 0
    shown = capsys.readouterr().out
    assert "scaled equations" in shown
    for one in mapped("ode/massspring", "lucidac").equations:
        assert " ".join(one.equation.split()[:2]) in shown
    assert "lane 0" in shown
    assert mapped("capacity", "lucidac").equations == ()  # for which there is no room
