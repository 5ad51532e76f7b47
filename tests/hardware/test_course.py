"""A flow fits if the rounded setting stays within the machine and close to the flow, as far as that can be told."""

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import lucipy
import numpy as np
import pytest
from board_zoo import FLOWS, mapped, written
from scipy.integrate import solve_ivp

from analogflow.block_engine import VectorField
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.hardware import load_board, map_flow
from analogflow.hardware.course import growth_of, horizon, nominal_path, nominal_run
from analogflow.hardware.decomposition import take_apart
from analogflow.hardware.scaling import finer, scale, turned

DATA = Path(__file__).parents[1] / "data" / "ode"


def right(name):
    with np.load(DATA / "paths.npz") as paths:
        return paths[f"{name}.t"], paths[f"{name}.y"]


def set_coarsely(configuration):
    """What converters of 12 bits make of it: 2048 steps to either side of 0, of an eighth of an upscaled weight."""
    coarse = copy.deepcopy(configuration)
    cluster = coarse["/0"]
    fractions = [10 / 8 if up else 1 for up in cluster["/I"]["upscaling"]]
    cluster["/C"]["elements"] = [
        round(2048 * c * f) / 2048 / f for c, f in zip(cluster["/C"]["elements"], fractions, strict=True)
    ]
    for setting in cluster["/M0"]["elements"]:
        setting["ic"] = round(2048 * setting["ic"]) / 2048
    return coarse


@pytest.mark.parametrize(
    "name, fits",
    [
        ("epor", True),
        pytest.param("mathieu", True, marks=pytest.mark.slow),
        ("massspring", True),
        pytest.param("jerk", True, marks=pytest.mark.slow),
    ],
)
def test_the_rounded_error_is_what_the_vendors_simulator_finds(name, fits):
    flow, mapping = written(name), mapped(f"ode/{name}", "lucidac")
    assert mapping.fits == fits
    times, states = right(name)
    coarse: Any = set_coarsely(json.loads(json.dumps(mapping.configuration)))
    seconds: Any = mapping.seconds_per_time_constant
    run = lucipy.Simulation(lucipy.Circuit().load(coarse)).solve_ivp(
        times[-1] * seconds * 1e4, t_eval=times * seconds * 1e4, method="DOP853", rtol=1e-10, atol=1e-12
    )
    rows = {state: k for k, state in enumerate(flow.states)}
    found = {entry.state: run.y[entry.integrator] * entry.unit for entry in mapping.readout}
    off = {state: abs(found[state] - states[k]) / abs(states[k]).max() for state, k in rows.items()}
    worst = max(float(distance.max()) for distance in off.values())
    # The right path is known at 101 times, the mapping looked at eight times as many.
    assert worst <= mapping.followed["rounded"].relative * 1.01
    assert worst >= 0.5 * mapping.followed["rounded"].relative
    assert (worst <= mapping.limit) == fits


@pytest.mark.slow
def test_a_setting_that_is_too_coarse_is_said_with_numbers():
    mapping = mapped("ode/fhn", "that")
    assert mapping.binding[0].startswith("resolution: with coefficients of 10 bits v is 0.")
    assert "of its peak, 1.97, from the flow's path at" in mapping.binding[0]
    assert "more than 0.01; it is closer until " in mapping.binding[0]
    assert mapping.configuration is not None
    assert map_flow(written("fhn"), "that", limit=0.5).fits
    with pytest.raises(BadInput, match=r"limit is 0; give a positive number: the largest distance"):
        map_flow(written("fhn"), "that", limit=0)


@pytest.mark.slow
def test_a_setting_that_leaves_the_machine_does_not_fit():
    mapping = mapped("ode/henon_heiles", "lucidac")
    assert mapping.binding[0].startswith("range: with coefficients of 12 bits ")
    assert " passes a machine unit at " in mapping.binding[0]


@pytest.mark.slow
def test_a_chaotic_flow_is_compared_as_far_as_paths_keep_together():
    mapping = mapped("ode/lorenz", "lucidac")
    assert mapping.fits
    assert mapping.followed["ideal"].until == 20
    assert 2 < mapping.followed["rounded"].until < 10
    # The vendor's simulator on the rounded setting: as close until there as is said.
    times, states = right("lorenz")
    seen = times <= mapping.followed["rounded"].until
    coarse_setting: Any = set_coarsely(json.loads(json.dumps(mapping.configuration)))
    seconds: Any = mapping.seconds_per_time_constant
    machine_times = times[seen] * seconds * 1e4
    run = lucipy.Simulation(lucipy.Circuit().load(coarse_setting)).solve_ivp(
        machine_times[-1], t_eval=machine_times, method="DOP853", rtol=1e-10, atol=1e-12
    )
    for entry, row in zip(mapping.readout, states, strict=True):
        assert abs(run.y[entry.integrator] * entry.unit - row[seen]).max() <= mapping.limit * abs(row).max()
    assert "chaotic: paths that start together part e-fold every " in mapping.note
    assert "coefficients of 12 bits are compared until" in mapping.note


@pytest.mark.slow
def test_where_coarse_coefficients_lead_away_before_paths_part_nothing_is_told():
    coarse = mapped("ode/lorenz", "hcdcv2")
    assert not coarse.fits
    assert "so that nothing can be told" in coarse.binding[0] or "from the flow's path" in coarse.binding[0]


@pytest.mark.slow
def test_the_board_that_a_chaotic_flow_fits_is_suggested():
    coarse = map_flow(written("lorenz"), "hcdcv2")
    assert any(sentence.startswith("LUCIDAC") and "it fits there" in sentence for sentence in coarse.suggestions)


@pytest.mark.parametrize(
    "board, ends",
    [
        pytest.param("that", (8.0, 20.0), marks=pytest.mark.slow),
        pytest.param("generic", (8.0, 20.0), marks=pytest.mark.slow),
    ],
)
def test_whether_a_chaotic_flow_fits_does_not_depend_on_its_end(board, ends):
    """Scales, peaks and exponent were those of the path until the end: Lorenz' flow fitted for one and not another."""
    found = [map_flow(dataclasses.replace(written("lorenz"), end_time=end), board, suggest=False) for end in ends]
    assert len({mapping.fits for mapping in found}) == 1
    # A setting that follows the whole path is taken as it is.
    found = [mapping for mapping, end in zip(found, ends, strict=True) if mapping.followed["rounded"].until < end]
    assert len(found) > 1
    assert len({json.dumps(mapping.configuration) for mapping in found}) == 1
    assert len({mapping.followed["rounded"].until for mapping in found}) == 1
    assert np.ptp([mapping.followed["rounded"].relative for mapping in found]) < 1e-9


def growth(function, states, end):
    graph = Flow(function, states).graph()
    field = VectorField(graph)
    times = np.linspace(0, end, 1001)
    run = solve_ivp(field, (0, end), graph.initial(), t_eval=times, method="LSODA", rtol=1e-9, atol=1e-12)
    return growth_of(lambda y: field(0.0, y), graph.initial(), abs(run.y).max(axis=1), times)


@pytest.mark.slow
def test_leading_exponents_are_those_known():
    # Sprott, Chaos and Time-Series Analysis (2003): 0.9056 for Lorenz. Over 100 τ it scatters by about 5%.
    lorenz = FLOWS["lorenz"]
    found = growth(lorenz.function, lorenz.states, 100.0)
    assert found.exponent == pytest.approx(0.9056, rel=0.1)
    assert found.chaotic
    one = {"x": np.array([1.0]), "y": np.array([0.5])}
    assert not growth(lambda x, y: (y, -x), one, 50.0).chaotic
    assert abs(growth(lambda x, y: (y, -x), one, 50.0).exponent) < 1e-3
    # What grows as fast as the state itself does not part paths.
    assert not growth(lambda x, y: (0.5 * x, 0.5 * y - 0.1 * x), one, 20.0).chaotic
    van_der_pol = FLOWS["van der pol"]
    assert not growth(van_der_pol.function, van_der_pol.states, 100.0).chaotic


def test_the_horizon_is_the_logarithm_over_the_exponent():
    lorenz = growth(lambda x, y: (x, -y), {"x": np.array([1e-9]), "y": np.array([1.0])}, 15.0)
    # Its state is at first that of y, so that x parts paths at a rate of 1.
    assert lorenz.exponent == pytest.approx(1.0, rel=0.05)
    found = horizon(lorenz, 1e-6, np.zeros(1001), 1e-2)
    assert found == pytest.approx(np.log(1e4), abs=1.0)
    assert horizon(lorenz, 1e-12, np.full(1001, 1e-3), 1e-2) < found


def test_scaling_for_coarse_coefficients_turns_the_rates_less():
    flow = written("epor")
    taken = take_apart(flow.graph(), flow.answer, False)
    # At even times, as a mapping looks: where the integration's own steps fall differs from processor to processor.
    run = nominal_run(taken.graph, flow.end_time)
    states = nominal_path(taken.graph, run.peaks, np.linspace(0.0, flow.end_time, 801))[:, taken.columns()]
    plain, best = scale(taken.couplings, states, 10.0), finer(taken.couplings, states, 10.0, 12)[0]
    assert turned(best, states, 12) < 0.2 * turned(plain, states, 12)
    assert (best.largest[1:] <= 0.8 * (1 + 1e-9)).all()
    assert (abs(best.coefficients()) <= 10 * (1 + 1e-12)).all()
    assert turned(best, states, 40) < 1e-9


@pytest.mark.parametrize("size", [1e-7, 1.0, 1e7])
def test_the_unit_of_the_states_does_not_matter(size):
    # y' = v, v' = −4 y − 0.4 v in nano-units and in tens of millions.
    def rates(y, v):
        return v, -4 * y - 0.4 * v

    flow = Flow(rates, {"y": np.array([size]), "v": np.array([0.0])}, end_time=10.0)
    mapping = map_flow(flow, "lucidac")
    assert mapping.fits
    assert mapping.followed["ideal"].relative < 1e-8
    assert mapping.readout[0].unit == pytest.approx(size / 0.8, rel=0.35)


def test_states_of_very_different_sizes_are_each_judged_by_their_own():
    def rates(big, small):
        return -0.1 * big, 1e-7 * big - small

    flow = Flow(rates, {"big": np.array([1000.0]), "small": np.array([0.0])}, end_time=20.0)
    mapping = map_flow(flow, "lucidac")
    assert mapping.fits
    # By hand: small = 1e-4 (e^(−t/10) − e^(−t))/0.9.
    times = np.linspace(0, 20, 2001)
    peak = (1e-4 / 0.9 * (np.exp(-times / 10) - np.exp(-times))).max()
    assert next(entry.unit for entry in mapping.readout if entry.state == "small") == pytest.approx(peak / 0.8, rel=0.35)
    assert load_board("lucidac").coefficient_bits.value == 12
