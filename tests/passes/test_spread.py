"""Deviations of parts: what shares a package deviates together, what is drawn moves the answer as a closed formula says."""

import dataclasses
import math
import re
import subprocess
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp
from zoo import PAPER

import analogflow as af
from analogflow.circuit import BipolarTransistor, Instance, Resistor, Switch
from analogflow.circuit.build import Tolerances
from analogflow.circuit.packing import packing_of
from analogflow.passes import sample_parts
from analogflow.reference import capacity_reference
from analogflow.simulators.ngspice.library import find_program

NONE = Tolerances(resistor=0.0, capacitor=0.0, area=0.0, junction=0.0)
V_T = 8.617333262e-5 * 300.15
P = PAPER.transition
Z = capacity_reference(PAPER).input_distribution
Q = P.T @ Z
ENTROPY = -(P * np.log(P)).sum(axis=1)
LEGS = (ENTROPY - ENTROPY.min()) / math.log(10)
W = np.column_stack([P, LEGS, LEGS.max() - LEGS])
"""Weights of the crossbar: outputs, then the two references, whose currents are the tail's and a tenth of it."""
DEGENERATION, RESISTANCE = 0.2, 10e3
LEVELS = {
    "junction": Tolerances(resistor=0, capacitor=0, area=0, junction=1e-4),
    "package": Tolerances(resistor=0, capacitor=0, area=0, junction=0, junction_package=1e-4),
    "gradient": Tolerances(resistor=0, capacitor=0, area=0, junction=0, gradient=0.05),
    "resistors": Tolerances(resistor=1e-3, capacitor=0, area=0, junction=0),
    "offsets": NONE,
    "leaks": NONE,
}


@pytest.fixture(scope="module")
def circuit():
    return af.compile(af.flows.capacity(PAPER), technology="translinear")


def drawn(circuit, tolerances, sample, offset=0.0, seed=7, leakage=0.0):
    switch = dataclasses.replace(circuit.parts.switch, leakage=leakage)
    op_amp = circuit.parts.op_amp.alike(offset)
    parts = dataclasses.replace(circuit.parts, tolerances=tolerances, op_amp=op_amp, switch=switch)
    return sample_parts(circuit, parts, seed=seed, sample=sample)


def sensitivity():
    M = P @ np.diag(1 / Q) @ P.T
    return np.linalg.inv(np.block([[M, np.ones((3, 1))], [np.ones((1, 3)), np.zeros((1, 1))]]))[:3, :3]


def areas_of(circuit):
    return {e.name: e.area for e in circuit.elements if isinstance(e, BipolarTransistor)}


def biases(board, nominal):
    """Nats that the deviations of a board add to its rows, to first order, by hand."""
    area = {name: math.log(value / areas_of(nominal)[name]) for name, value in areas_of(board).items()}
    ohms = {e.name: e.resistance for e in nominal.elements if isinstance(e, Resistor)}
    more = {e.name: math.log(e.resistance / ohms[e.name]) for e in board.elements if isinstance(e, Resistor)}
    volts = {e.name: e.parameter("vos") for e in board.elements if isinstance(e, Instance)}
    b = (1 + LEGS.max()) * np.array([volts[f"u{i}_amp"] for i in range(3)]) / V_T
    leaks = {e.name: e.leak for e in board.elements if isinstance(e, Switch)}
    b += np.array([leaks[f"u{i}_hold"] for i in range(3)]) * RESISTANCE / V_T
    logs = ["v0", "v1", "v2", "va", "vb"]
    b += W @ [area[f"{name}_log"] for name in logs]
    shares = np.array([[P[i, j] * math.exp(area[f"split{i}_{j}"]) for j in range(3)] for i in range(3)])
    q = Z @ (shares / shares.sum(axis=1, keepdims=True))
    b -= P @ np.log(q / Q)
    loop = V_T / (V_T + DEGENERATION)
    sunk = [area[f"sink_{k}"] * loop - more[f"sink_{k}_e"] * (1 - loop) for k in "ab"]
    b -= W[:, 3:] @ sunk - W[:, 3:].sum(axis=1) * (area["tail_sink"] * loop - more["tail_sink_e"] * (1 - loop))
    heights = np.append(np.log(Q), [0.0, -math.log(10)])
    grounds = W @ heights / W.sum(axis=1)
    for i in range(3):
        for k, name in enumerate(logs):
            b[i] += W[i, k] * more.get(f"u{i}_{name}", 0.0) * (heights[k] - grounds[i])
    return b


@pytest.mark.ngspice
@pytest.mark.parametrize("level", LEVELS)
def test_a_drawn_board_settles_where_its_deviations_times_the_sensitivity_say(circuit, level):
    nominal = af.simulate(af.netlist(circuit, time_constants=100.0)).final["z"]
    for sample in range(2):
        own = {"offsets": {"offset": 1e-4}, "leaks": {"leakage": 1e-9}}.get(level, {})
        board = drawn(circuit, LEVELS[level], sample, **own)
        moved = af.simulate(af.netlist(board, time_constants=100.0)).final["z"] - nominal
        told = sensitivity() @ biases(board, circuit)
        assert abs(told).max() > 1e-4
        np.testing.assert_allclose(moved, told, rtol=0, atol=0.06 * abs(told).max())


def columns(circuit, *, shared):
    """S B by hand: shift of z for one volt on each unit transistor, or on all transistors of each package."""

    def nats(element):
        kind, _, number = element.name.partition("_")
        if kind.startswith("v") and kind != "v0r":
            return W[:, ["v0", "v1", "v2", "va", "vb"].index(kind)]
        if kind.startswith("split"):
            i, j = int(kind[5:]), int(number)
            share = -P[i, j] * P[i]
            share[j] += P[i, j]
            return -P @ (Z[i] * share / Q)
        loop = V_T / (V_T + DEGENERATION)
        return {
            "sink_a": -loop * W[:, 3], "sink_b": -loop * W[:, 4], "tail_sink": loop * W[:, 3:].sum(axis=1),
        }.get(element.name, np.zeros(3))  # fmt: skip

    packing, found = packing_of(circuit), {}
    for element in circuit.elements:
        if isinstance(element, BipolarTransistor):
            places = packing.of.get(element, (None,))
            for k, place in enumerate(places):
                key = place.package if shared and place else (element.name, k)
                found[key] = found.get(key, 0.0) + nats(element) / len(places) / V_T
    return sensitivity() @ np.column_stack(list(found.values()))


@pytest.mark.parametrize("level", ["junction", "package"])
def test_the_covariance_of_drawn_boards_is_that_of_the_closed_form(circuit, level):
    boards = 600
    shifts = np.array([sensitivity() @ biases(drawn(circuit, LEVELS[level], k), circuit) for k in range(boards)])
    B = 1e-4 * columns(circuit, shared=level == "package")
    expected, found = B @ B.T, shifts.T @ shifts / boards
    # A variance of N draws is known to √(2/N) of itself, 6 % here.
    np.testing.assert_allclose(found, expected, rtol=0, atol=4 * math.sqrt(2 / boards) * expected.max())
    assert abs(shifts.mean(axis=0)).max() < 4 * math.sqrt(expected.max() / boards)


def test_more_shared_packages_mean_less_spread(circuit):
    """The same σ costs less where transistors that are compared share it."""
    apart, together = (np.sqrt((columns(circuit, shared=s) ** 2).sum()) for s in (False, True))
    halves = [p.package for e, p in ((e, q) for e, places in packing_of(circuit).of.items() for q in places)
              if e.name in ("v0_log", "v1_log")]  # fmt: skip
    assert halves[0] == halves[1]
    assert together < apart * math.sqrt(10)
    factors = areas_of(drawn(circuit, LEVELS["package"], 0))
    assert factors["v0_log"] == factors["v1_log"] != factors["v2_log"]


@pytest.mark.ngspice
def test_what_all_packages_share_cancels(circuit):
    nominal = af.simulate(af.netlist(circuit, time_constants=100.0)).final["z"]
    lot = dataclasses.replace(NONE, resistor_lot=0.02, capacitor_lot=0.05, junction_lot=5e-3)
    moved = af.simulate(af.netlist(drawn(circuit, lot, 1), time_constants=100.0)).final["z"] - nominal
    assert abs(moved).max() < 1e-4


def test_units_in_parallel_average_what_is_their_own(circuit):
    spread = {"split0_0": [], "split0_2": []}
    for sample in range(400):
        areas = areas_of(drawn(circuit, LEVELS["junction"], sample))
        for name, found in spread.items():
            found.append(math.log(areas[name] / areas_of(circuit)[name]))
    seven, one = (np.std(found) for found in spread.values())
    assert one == pytest.approx(1e-4 / V_T, rel=0.15)
    assert seven == pytest.approx(1e-4 / V_T / math.sqrt(7), rel=0.15)


def test_a_further_part_or_kind_leaves_the_draws_of_others_as_they_are(circuit):
    board = drawn(circuit, LEVELS["junction"], 3)
    other = drawn(circuit, dataclasses.replace(LEVELS["junction"], resistor=0.01, capacitor=0.02), 3, offset=1e-3)
    assert areas_of(board) == areas_of(other)
    last = circuit.groups[-1]
    longer = dataclasses.replace(
        circuit, groups=(*circuit.groups, dataclasses.replace(last, elements=(Resistor("more", ("vr", "0"), 1e5),)))
    )
    assert areas_of(drawn(longer, LEVELS["junction"], 3)) == areas_of(board)


def test_the_same_deviations_stand_at_every_temperature(circuit):
    hot = af.rebuilt(circuit, temperature_kelvin=343.15)
    level = dataclasses.replace(LEVELS["junction"], junction_package=1e-3)
    for name, area in areas_of(drawn(hot, level, 2)).items():
        assert area == pytest.approx(areas_of(drawn(circuit, level, 2))[name], rel=1e-12)


def batch(text, path):
    """What ngspice prints as the answer of a deck."""
    path.write_text(text)
    told = subprocess.run(
        [find_program().path, "-b", path.name], cwd=path.parent, capture_output=True, text=True, timeout=60, check=False
    ).stdout
    return np.array([float(found) for found in re.findall(r"answer_z_\d = (\S+)", told)])


@pytest.mark.ngspice
def test_a_warmer_package_is_what_ngspice_makes_of_a_warmer_transistor(circuit, tmp_path):
    text = af.netlist(circuit, time_constants=60.0).text
    cold = batch(text, tmp_path / "cold.cir")
    warm = batch(re.sub(r"^(Qv2_log .*)$", r"\1 dtemp=0.2", text, flags=re.M), tmp_path / "warm.cir")
    told = sensitivity() @ (W[:, 2] * 2e-3 * 0.2 / V_T)
    np.testing.assert_allclose(warm - cold, told, rtol=0, atol=0.1 * abs(told).max())


@pytest.mark.slow
@pytest.mark.ngspice
def test_ngspice_draws_boards_that_spread_as_ours_do(circuit, tmp_path):
    """Its own agauss, with a seed of its own: junctions and resistors, each on its own."""
    boards = 100
    volts, share = 2e-4, 2e-3
    text = af.netlist(circuit, time_constants=60.0).text

    def spread_area(found):
        units = max(1, round(float(found[2])) if float(found[2]) % 1 == 0 else 1)
        sigma, name = volts / V_T / math.sqrt(units), f"a_{found[1].split()[0]}"
        return f".param {name}={{{found[2]}*exp(agauss(0,{sigma},1))}}\n{found[1]}area={{{name}}}"

    text = re.sub(r"^(Q.*)area=(\S+)$", spread_area, text, flags=re.M)
    head, tail = text.split("* supplies", 1)  # not the resistors inside macro-models
    tail = re.sub(r"^(R\S+ \S+ \S+) (\S+)$", rf"\1 {{\2*(1+agauss(0,{share},1))}}", tail, flags=re.M)
    theirs = []
    for k in range(boards):
        theirs.append(batch(f"{head}* supplies{tail}".replace(".control", f".options seed={k + 1}\n.control", 1),
                            tmp_path / "drawn.cir"))  # fmt: skip
    tolerances = dataclasses.replace(NONE, junction=volts, resistor=share)
    ours = [af.simulate(af.netlist(drawn(circuit, tolerances, k), time_constants=60.0)).final["z"] for k in range(boards)]
    theirs, ours = np.array(theirs), np.array(ours)
    assert len(np.unique(theirs[:, 0])) == boards
    for i in range(3):
        compared: Any = ks_2samp(theirs[:, i], ours[:, i])
        assert compared.pvalue > 1e-3
        assert theirs[:, i].std() == pytest.approx(ours[:, i].std(), rel=4 / math.sqrt(boards))
