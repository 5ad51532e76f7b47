"""Perturb and restart: sound answers come back, planted support losses are caught, whatever the noise."""

import dataclasses
import json

import numpy as np
import pytest

import analogflow as af
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.problems import Attention, Channel, Hopfield, Langevin, RateDistortion, Transport
from analogflow.validation.restart import VERDICTS, judge, perturbed, worth
from analogflow.verification import pushed

PAPER = Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0),
    "transport": Transport(cost=1 - np.eye(3), row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=4.0),
    "hopfield": Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], activation="tanh", temperature=0.0),
    "langevin": Langevin(energy="x**2/2", variables=["x"], temperature=0.5),
}


def random_channels(count, seed=0):
    rng = np.random.default_rng(seed)
    return [Channel(0.4 * np.eye(3) + 0.6 * rng.dirichlet(np.ones(3), 3)) for _ in range(count)]


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
@pytest.mark.parametrize("family", PROBLEMS)
def test_sound_answers_are_confirmed(family, engine):
    found = af.verify(PROBLEMS[family], engine=engine, seed=1)
    assert found.verdict.name == "confirmed"
    assert found.passed
    assert found.to_dict()["restart"]["name"] == "confirmed"


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_two_chains_of_a_double_well_and_of_coupled_variables_agree(engine):
    double = Langevin(energy="(x**2 - 1)**2", variables=["x"], temperature=0.5)
    coupled = Langevin(energy="x**2 + y**2 + x*y", variables=["x", "y"], temperature=0.3)
    for problem in (double, coupled):
        found = af.verify(problem, engine=engine, seed=1, time_constants=150)
        assert found.verdict.name == "confirmed"


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_circuits_of_parts_come_back_too(technology):
    assert af.verify(PAPER, technology=technology).verdict.name == "confirmed"


def test_the_circuit_that_is_pushed_has_the_speed_of_the_one_that_ran():
    found = af.solve(PAPER, technology="opamp", engine="block", loop_delay=0.05, time_constants=5)
    taus = [
        pushed(found.circuit, found.run, delta=0.05, stabilise=True, loop_delay=delay).time_constant
        for delay in (0.05, 0.005)
    ]
    assert taus[0] == found.circuit.time_constant
    assert taus[1] > taus[0]


@pytest.fixture(scope="module")
def channels():
    """Channels that use all their inputs."""
    return [c for c in random_channels(40) if af.solve(c, engine="block").run.final("z").min() > 0.08][:15]


def test_planted_support_losses_are_caught(channels):
    verdicts = []
    for channel in channels:
        circuit = af.compile(af.flows.capacity(channel, form="replicator"))
        starts = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.0, 0.9, 0.1], [0.2, 0.0, 0.8]])
        lost = af.ensemble(circuit, 5, start={"z": starts[:5]}, time_constants=200)
        verdicts.append(af.restart_classes(circuit, lost, time_constants=200))
    assert len(np.concatenate(verdicts)) >= 70
    assert (np.concatenate(verdicts) == "support lost").all()


@pytest.mark.parametrize("form", ["replicator", "logdomain", "normalised"])
@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_sound_runs_are_not_blamed(channels, form, noise):
    verdicts = []
    for channel in channels if noise == 0 else channels[::3]:
        circuit = af.compile(af.flows.capacity(channel, form=form))
        runs = af.ensemble(circuit, 8, noise=af.Noise(noise, 3), time_constants=200)
        verdicts.append(af.restart_classes(circuit, runs, noise=af.Noise(noise, 3), time_constants=200))
    found = np.concatenate(verdicts)
    assert (found == "support lost").sum() == 0
    assert (found == "confirmed").mean() > 0.97


def test_an_input_that_is_rightly_zero_is_not_called_lost():
    channel = Channel([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.35, 0.25]])  # optimum [½, ½, 0]
    for form in ("logdomain", "replicator", "normalised"):
        found = af.verify(channel, form=form, engine="block")
        assert found.solution.run.final("z")[2] < 1e-2
        assert found.verdict.name == "confirmed"


def test_two_optima_of_one_value_are_told_from_a_lost_one():
    channel = Channel([[0.8, 0.2], [0.2, 0.8], [0.8, 0.2]])  # inputs 0 and 2 are the same
    found = af.verify(channel, form="replicator", engine="block", delta=0.3)
    assert found.verdict.name in ("confirmed", "other optimum")
    before, after = np.array([[0.5, 0.5, 0.0]]), np.array([[0.2, 0.5, 0.3]])
    flow = af.flows.capacity(channel, form="replicator")
    assert judge(flow, before, after, np.array([True]))[0] == "other optimum"


def test_a_frozen_circuit_is_not_settled():
    flow = af.flows.transport(PROBLEMS["transport"])
    before, after = np.array([[0.1, 0.2, 0.3]]), np.array([[0.2, 0.2, 0.3]])
    assert judge(flow, before, after, np.array([True]))[0] == "not settled"
    assert judge(flow, before, before, np.array([False]))[0] == "not settled"


def test_tokens_of_other_clusters_are_another_optimum():
    flow = af.flows.attention(PROBLEMS["attention"])
    together, apart = np.tile([1.0, 0, 0], (1, 3)), np.array([[1.0, 0, 0, 0, 1, 0, 0, 0, 1]])
    assert judge(flow, together, together, np.array([True]))[0] == "confirmed"
    assert judge(flow, together, apart, np.array([True]))[0] == "other optimum"


@pytest.mark.parametrize("form", ["logdomain", "replicator"])
def test_a_perturbed_distribution_is_a_step_towards_the_middle(form):
    flow = af.flows.capacity(PAPER, form=form)
    z = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    state = np.log(z) if form == "logdomain" else z
    moved = perturbed(flow, {next(iter(flow.states)): state}, delta=0.1)
    (values,) = moved.values()
    shares = np.exp(values) / np.exp(values).sum(1, keepdims=True) if form == "logdomain" else values
    np.testing.assert_allclose(shares, 0.9 * z + 0.1 / 3, atol=1e-12)
    with pytest.raises(BadInput, match=r"delta: 1.0 is not a share between 0 and 1"):
        perturbed(flow, {"u": state, "z": state}, delta=1.0)


def test_worth_is_the_mutual_information_and_minus_the_rate_functional():
    z = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    P = PAPER.transition
    exact = [(x[:, None] * P * np.log(P / (x @ P))).sum() for x in z]
    np.testing.assert_allclose(worth(af.flows.capacity(PAPER), z), exact, atol=1e-12)
    flow = af.flows.rate_distortion(PROBLEMS["rate-distortion"])
    phi = [-float(flow.observe("phi", u=np.log(x))) for x in z]
    np.testing.assert_allclose(np.diff(worth(flow, z)), np.diff(phi), atol=1e-12)


def test_where_a_path_ends_is_no_rest():
    flow = dataclasses.replace(af.flows.capacity(PAPER), end_time=1.0)
    with pytest.raises(BadInput, match=r"the answer is where a path ends, not where it rests"):
        af.verify(flow, engine="block")


def test_verify_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.json").write_text(json.dumps({"transition": PAPER.transition.tolist(), "initial": [0.0, 0.5, 0.5]}))
    (tmp_path / "d.json").write_text(json.dumps({"transition": PAPER.transition.tolist()}))
    assert main(["verify", "capacity", "d.json", "--engine", "block", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["restart"]["name"] == "confirmed"
    assert main(["verify", "capacity", "d.json", "--engine", "block", "--noise", "0.01", "--form", "replicator"]) == 0
    assert VERDICTS["confirmed"][:30] in capsys.readouterr().out
    assert main(["verify", "capacity", "d.json", "--engine", "block", "--delta", "1.5"]) == 2
    assert "is not a share between 0 and 1" in capsys.readouterr().err
