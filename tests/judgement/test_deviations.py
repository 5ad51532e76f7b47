"""Which parts make the errors of an answer: part by part against ngspice, and together against boards that are drawn."""

import dataclasses
import json

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import Instance
from analogflow.cli import main
from analogflow.compiler import circuit_of
from analogflow.errors import BadInput
from analogflow.judgement.deviations import ERROR_KINDS, device_errors
from analogflow.noise import Noise
from analogflow.passes import SingleDraws, matched
from analogflow.technology import part_set

CHANNEL = "examples/data/paper_channel.csv"
TECHNOLOGIES = ["translinear", pytest.param("opamp", marks=pytest.mark.slow)]


def rest(circuit):
    """Where ngspice has z rest."""
    return af.simulate(af.netlist(circuit, time_constants=100.0), engine="ngspice").final["z"]


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_each_deviation_moves_the_answer_as_ngspice_has_it(technology):
    """The largest of each kind, by a tenth of its σ either way, and all bias currents that boards share."""
    circuit = circuit_of(PAPER, technology=technology, temperature_celsius=50.0)
    found, single = device_errors(circuit), SingleDraws(circuit, circuit.parts)
    names = {kind: words for kind, words in ERROR_KINDS.items()}
    held = 0
    for kind in ("resistor", "junction", "junction package", "temperature", "offset", "offset drift"):
        line = next(line for line in found.devices if line.kind == names[kind])
        alike = [draw for draw in single.draws if draw[0] == kind]
        for draw in alike:
            up, down = (single.drawn(draw, size) for size in (0.1, -0.1))
            changed = [
                a.name
                for group, other in zip(up.groups, down.groups, strict=True)
                for a, b in zip(group.elements, other.elements, strict=True)
                if a != b
            ]
            if line.device == ", ".join(changed):
                moved = (rest(up) - rest(down)) / 0.2
                assert np.sqrt((moved**2).sum()) == pytest.approx(line.rms, rel=0.02)
                held += 1
                break
    assert held == 6


@pytest.mark.ngspice
def test_bias_currents_that_all_boards_have_shift_it_as_ngspice_has_it():
    circuit = circuit_of(PAPER, technology="translinear", parts="general")
    line = device_errors(circuit).shifts[0]
    groups = tuple(
        dataclasses.replace(
            group,
            elements=tuple(
                dataclasses.replace(e, parameters=(*e.parameters, ("ibp", 0.0), ("ibn", 0.0)))
                if isinstance(e, Instance) and e.name == line.device
                else e
                for e in group.elements
            ),
        )
        for group in circuit.groups
    )
    moved = rest(circuit) - rest(dataclasses.replace(circuit, groups=groups))
    assert line.rms > 1e-6
    assert np.sqrt((moved**2).sum()) == pytest.approx(line.rms, rel=0.05)


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["translinear", "opamp"])
def test_together_they_are_the_spread_of_boards_that_are_drawn(technology):
    """Of small deviations, to which first order is enough: 48 boards, whose standard error is a tenth of the spread."""
    circuit, samples = circuit_of(PAPER, technology=technology), 48
    parts = matched(part_set("precision"), 1e-3)
    drawn = np.array([rest(af.sample_parts(circuit, parts, seed=3, sample=k)) for k in range(samples)])
    found = device_errors(circuit, parts)
    assert np.sqrt(drawn.var(axis=0, ddof=1).sum()) == pytest.approx(np.sqrt((found.rms**2).sum()), rel=3 * 0.1)
    assert {line.kind for line in found.kinds} == {"tolerances of resistors", "emitter areas"}


@pytest.mark.ngspice
def test_the_command_line_shows_which_parts_make_the_errors(capsys):
    asked = ["solve", "capacity", CHANNEL, "--technology", "translinear", "--engine", "ngspice", "--budget"]
    assert main([*asked, "--json"]) == 0
    budget = json.loads(capsys.readouterr().out)["budget"]
    shares = [line["share"] for line in budget["devices"]]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    assert sum(line["rms"] ** 2 for line in budget["kinds"]) == pytest.approx(sum(x**2 for x in budget["rms"]))
    assert main(asked) == 0
    assert "junctions, by package" in capsys.readouterr().out
    assert main([*asked, "--samples", "3"]) == 2
    assert "draws no circuits" in capsys.readouterr().err


def test_errors_of_what_has_no_parts_no_rest_or_noise_are_refused():
    with pytest.raises(BadInput, match="'ideal' has no parts whose errors could have a budget"):
        device_errors(af.compile(af.flows.capacity(PAPER)))
    moving = af.Flow(lambda x: -x, {"x": np.array([0.5])}, end_time=2.0)
    with pytest.raises(BadInput, match="and the answer of this one is on its way"):
        device_errors(af.compile(moving, technology="opamp"))
    with pytest.raises(BadInput, match="those of a circuit as it is meant"):
        device_errors(circuit_of(PAPER, technology="opamp", noise=Noise(0.0, parts=True)))
