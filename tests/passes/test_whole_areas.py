"""Areas in whole units: as near as units can come, with the answer where it was, and said where they can not."""

import itertools

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import BipolarTransistor, Resistor
from analogflow.errors import BadInput
from analogflow.passes.whole_areas import MOST_UNITS, drive_kept, whole_areas
from analogflow.reference import capacity_reference

ODD = af.Channel([[0.63, 0.26, 0.11], [0.12, 0.77, 0.11], [0.23, 0.31, 0.46]])


def compiled(channel):
    return af.compile(af.flows.capacity(channel), technology="translinear")


def areas(circuit):
    return {e.name: e.area for e in circuit.elements if isinstance(e, BipolarTransistor)}


def settled(circuit):
    return af.simulate(af.netlist(circuit, time_constants=200.0)).final["z"]


@pytest.mark.parametrize("channel", [PAPER, ODD])
def test_chosen_values_have_whole_units_of_transistors(channel):
    chosen = af.choose_values(compiled(channel))
    assert all(area == round(area) >= 1 for area in areas(chosen).values())
    for i in range(3):
        assert sum(areas(chosen)[f"split{i}_{j}"] for j in range(3)) <= MOST_UNITS
    assert "areas in whole units" in chosen.history[-1].note


def test_ratios_come_as_near_as_any_number_of_units_does():
    """Every way of giving up to 24 units to three transistors, tried one by one."""
    made = areas(whole_areas(compiled(ODD)).circuit)
    for i, row in enumerate(ODD.transition):
        units = np.array([made[f"split{i}_{j}"] for j in range(3)])
        tried = np.array([k for k in itertools.product(range(1, 23), repeat=3) if sum(k) <= MOST_UNITS])
        errors = np.ptp(np.log(tried / row), axis=1)
        found = np.ptp(np.log(units / row))
        assert found <= max(errors.min(), 0.01) + 1e-9


def answer_of(weights, areas_of_rows):
    """Distribution where a board of these weights and areas rests, by Newton's method on its currents alone."""
    made = areas_of_rows / areas_of_rows.sum(axis=1, keepdims=True)
    z, ground = np.full(3, 1 / 3), 0.0

    def residue(x):
        q = made.T @ x[:3]
        heights = np.array([*np.log(q), 0.0, -np.log(10.0)])
        return np.array([*(weights @ heights - weights.sum(axis=1) * x[3]), x[:3].sum() - 1])

    x = np.array([*z, ground])
    for _ in range(60):
        slopes = np.array([(residue(x + 1e-7 * e) - residue(x - 1e-7 * e)) / 2e-7 for e in np.eye(4)]).T
        step = np.linalg.solve(slopes, -residue(x))
        x = x + step * min(1.0, 0.1 / max(abs(step).max(), 1e-300))
    return x[:3]


def test_rows_that_are_changed_with_the_areas_leave_the_answer_where_it_is():
    P = ODD.transition
    reference = capacity_reference(ODD).input_distribution
    entropy = -(P * np.log(P)).sum(axis=1)
    legs = (entropy - entropy.min()) / np.log(10)
    weights = np.column_stack([P, legs, legs.max() - legs])
    units = np.array([[6.0, 2.0, 1.0], [1.0, 7.0, 1.0], [1.0, 1.0, 2.0]])
    np.testing.assert_allclose(answer_of(weights, P), reference, atol=1e-6)
    without = abs(answer_of(weights, units) - reference).max()
    assert without > 5e-3
    q, made = P.T @ reference, (units / units.sum(axis=1, keepdims=True)).T @ reference
    voltages = np.array([*np.log(q), 0.0, -np.log(10.0)])
    changed, _, biases = drive_kept(weights, voltages, np.array([*np.log(made / q), 0.0, 0.0]))
    np.testing.assert_allclose(answer_of(changed, units), reference, atol=1e-6)
    assert abs(changed / np.where(weights, weights, 1) - (weights > 0)).max() < 0.15
    assert abs(biases).max() > 1e-3


@pytest.mark.ngspice
@pytest.mark.parametrize("channel", [PAPER, ODD])
def test_a_board_with_whole_units_and_sold_resistors_settles_at_the_answer(channel):
    found = settled(af.choose_values(compiled(channel)))
    assert abs(found - capacity_reference(channel).input_distribution).max() < 3e-4


@pytest.mark.ngspice
def test_areas_alone_move_the_answer_by_what_is_said():
    exact = compiled(ODD)
    moved = abs(settled(whole_areas(exact).circuit) - settled(exact)).max()
    assert 4e-3 < moved < 1.2e-2
    note = af.choose_values(exact).history[-1].note
    said = float(note.split("alone move the answer by ")[1].split(";")[0])
    assert said == pytest.approx(moved, rel=0.3)


def test_equal_currents_of_a_mirror_have_equal_transistors_and_resistors():
    chosen = af.choose_values(compiled(PAPER))
    assert areas(chosen)["tail_diode"] == areas(chosen)["tail_sink"] == areas(chosen)["sink_a"]
    ohms = {e.name: e.resistance for e in chosen.elements if isinstance(e, Resistor)}
    assert ohms["tail_e"] == ohms["tail_sink_e"] == ohms["sink_a_e"]


RARE = af.Channel([[0.98, 0.01, 0.01], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


@pytest.mark.ngspice
@pytest.mark.parametrize("celsius", [27.0, 85.0])
def test_where_no_array_has_a_ratio_bases_of_unit_transistors_are_apart(celsius):
    """In proportion to absolute temperature, so that it holds when the circuit is warm."""
    exact = af.compile(af.flows.capacity(RARE), technology="translinear", temperature_celsius=celsius)
    assert all(area == 1 for name, area in areas(exact).items() if name.startswith("split"))
    answer = capacity_reference(RARE).input_distribution
    assert abs(settled(exact) - answer).max() < 3e-4
    chosen = af.choose_values(exact)
    assert all(area == round(area) >= 1 for area in areas(chosen).values())
    assert abs(settled(chosen) - answer).max() < 1e-3


def test_taps_are_the_logarithms_of_the_probabilities():
    circuit = compiled(RARE)
    bases = {e.name: e.nodes[1] for e in circuit.elements if isinstance(e, BipolarTransistor) and e.name.startswith("split")}
    ohms = {e.name: e.resistance for e in circuit.elements if isinstance(e, Resistor) and e.name.startswith("base_t")}
    ladder = [ohms[name] for name in sorted((n for n in ohms if n.endswith("_r")), key=lambda n: int(n[6:-2]))]
    depths = {"0": 0.0, **{f"base_t{k + 1}": depth for k, depth in enumerate(np.cumsum(ladder))}}
    span = np.log(0.98 / 0.01)
    for i, row in enumerate(RARE.transition):
        for j, p in enumerate(row):
            assert depths[bases[f"split{i}_{j}"]] / sum(ladder) * span == pytest.approx(np.log(row.max() / p), abs=1e-5)


def test_areas_of_no_array_and_bases_too_far_apart_are_left_as_they_are():
    """A crossbar of parts has no such ratio either, and says so."""
    exact = compiled(af.Channel([[1 - 1e-8, 1e-8], [0.1, 0.9]]))
    assert areas(exact)["split0_1"] == pytest.approx(1e-7)
    assert whole_areas(exact).left == ("split0_0", "split0_1")
    with pytest.raises(BadInput, match="ratio"):
        af.choose_values(exact)
