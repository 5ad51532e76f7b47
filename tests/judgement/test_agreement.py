"""Three engines that share no code, each two of them on one small problem of every family."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from analogflow.cli import main
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput
from analogflow.families import FAMILIES
from analogflow.families.files import read_problem
from analogflow.judgement import cross_check
from analogflow.noise import Noise
from analogflow.problems import Channel
from analogflow.run import Outcome
from analogflow.simulators import engines

DATA = Path(__file__).parents[2] / "examples/data"
SMALL = {
    "capacity": "paper_channel.csv",
    "rate-distortion": "rate_distortion_hamming.json",
    "transport": "transport_three.json",
    "attention": "attention_three_tokens.json",
    "hopfield": "hopfield_rest.json",
}
LAWS = {"hopfield": "hopfield_law.json", "langevin": "langevin_double_well.json"}


def flow_of(family, file, **options):
    return FAMILIES[family].flow(read_problem(family, str(DATA / file)), **options)


@pytest.mark.ngspice
@pytest.mark.vacask
@pytest.mark.parametrize("family", SMALL)
def test_ideal_circuits_without_noise_agree_along_the_path(family):
    found = cross_check(compile(flow_of(family, SMALL[family])), time_constants=4.0)
    assert found.limit == 1e-6
    assert len(found.differences) == 3
    assert found.worst <= 1e-6
    assert found.passed


@pytest.mark.ngspice
@pytest.mark.vacask
@pytest.mark.parametrize("family", SMALL)
def test_noise_is_followed_path_by_path(family):
    circuit = degrade(compile(flow_of(family, SMALL[family])), noise=Noise(0.01, 3))
    found = cross_check(circuit, time_constants=6.0)
    assert found.limit == 1e-3
    assert found.worst <= 1e-3


@pytest.mark.ngspice
@pytest.mark.vacask
@pytest.mark.parametrize("family", LAWS)
def test_flows_that_make_their_own_noise_are_followed_path_by_path(family):
    found = cross_check(compile(flow_of(family, LAWS[family])), time_constants=6.0)
    assert found.noisy
    assert found.worst <= 1e-3


@pytest.mark.ngspice
@pytest.mark.vacask
@pytest.mark.parametrize("technology", ["translinear", "opamp"])
def test_circuits_of_parts_come_to_the_same_answer_with_the_same_model_parameters(technology):
    found = cross_check(compile(flow_of("capacity", SMALL["capacity"]), technology=technology), ("ngspice", "vacask"))
    assert found.limit == 1e-4
    assert found.worst <= 1e-4


@pytest.mark.ngspice
@pytest.mark.vacask
def test_rate_distortion_and_transport_in_transistors():
    rng = np.random.default_rng(5)
    from analogflow.problems import Transport

    problem = Transport(rng.uniform(0, 1, (3, 3)), np.full(3, 1 / 3), np.full(3, 1 / 3), 0.5)
    for flow in (
        flow_of("rate-distortion", SMALL["rate-distortion"], form="logarithmic"),
        FAMILIES["transport"].flow(problem, form="scaling"),
    ):
        found = cross_check(compile(flow, technology="translinear"), ("ngspice", "vacask"), time_constants=10.0)
        assert found.worst <= 1e-4


@pytest.mark.vacask
def test_an_engine_that_ran_another_circuit_is_found_out(monkeypatch):
    """The twin: coefficients that are off by a hundred-thousandth are seen."""
    circuit = compile(flow_of("capacity", SMALL["capacity"]))
    other = compile(FAMILIES["capacity"].flow(Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25001, 0.24999, 0.5]])))
    real = engines.ENGINES["vacask"]

    def wrong(deck, **options):
        return real.run(dataclasses.replace(deck, circuit=other), **options)

    monkeypatch.setattr(engines, "ENGINES", {**engines.ENGINES, "vacask": dataclasses.replace(real, run=wrong)})
    found = cross_check(circuit, ("block", "vacask"), time_constants=4.0)
    assert 1e-6 < found.worst < 1e-4
    assert not found.passed


@pytest.mark.vacask
def test_engines_that_end_differently_do_not_agree():
    found = cross_check(compile(flow_of("capacity", SMALL["capacity"])), ("block", "vacask"), time_constants=2.0)
    assert found.passed
    outcomes = (("block", Outcome.COMPLETED), ("vacask", Outcome.BLEW_UP))
    assert not dataclasses.replace(found, outcomes=outcomes).passed


@pytest.mark.vacask
def test_command_line_prints_the_table_and_says_whether_it_holds(capsys):
    arguments = ["verify", "capacity", str(DATA / "paper_channel.csv"), "--engines", "block,vacask", "--time", "3"]
    assert main(arguments) == 0
    assert "passed" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["passed"] is True
    assert [(pair["first"], pair["second"]) for pair in said["differences"]] == [("block", "vacask")]


def test_one_engine_is_nothing_to_compare():
    with pytest.raises(BadInput, match="'block' is one engine; give two or more"):
        cross_check(compile(flow_of("capacity", SMALL["capacity"])), ("block",))
