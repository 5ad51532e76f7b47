"""Noise of parts in the block engine: against ngspice with the same knots, the circuit's budget, and Lyapunov's equation."""

import dataclasses
import functools
import json

import numpy as np
import pytest
from scipy import linalg
from zoo import PAPER

import analogflow as af
from analogflow.block_engine import VectorField, march, method_for
from analogflow.circuit import Instance
from analogflow.cli import main
from analogflow.compiler import circuit_of, rebuilt
from analogflow.errors import BadInput
from analogflow.judgement import noise_budget
from analogflow.noise import Noise
from analogflow.passes import refer_noise
from analogflow.passes.operating_point import rest_volts
from analogflow.simulators.engines import ENGINES, engine_for
from analogflow.simulators.played_parts import PlayedParts
from analogflow.technology import part_set

CHANNEL = "examples/data/paper_channel.csv"
TECHNOLOGIES = ["translinear", pytest.param("opamp", marks=pytest.mark.slow)]
RATES = af.RateDistortion([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 2.0)


def at_rest(technology, engine, **conditions):
    """The paper's channel, begun where that engine has it rest."""
    rest = af.simulate(circuit_of(PAPER, technology=technology), engine=engine).final
    return rebuilt(circuit_of(PAPER, technology=technology, **conditions), starts={"u": rest["u"]})


@functools.cache
def along(technology, engine, seed, time_constants=100.0):
    """What noise moves in u, but for what all its elements share, and in z; shape (times, 3) each."""
    circuit = at_rest(technology, engine, noise=Noise(0.0, seed=seed, parts=True))
    step = circuit.noise.step / 4 if technology == "opamp" else None  # ngspice ends no step at a knot
    run = af.simulate(af.netlist(circuit, time_constants=time_constants, largest_step=step), engine=engine)
    at, found = np.arange(40.0, time_constants, 0.017), []  # its integrators are let go a little beside
    for name in "uz":
        path = np.stack([np.interp(at, run.time, value) for value in run.values[name].T], axis=1)
        path = path - path.mean(axis=1, keepdims=True) if name == "u" else path
        found.append(path - path.mean(axis=0))
    return tuple(found)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("problem", "technology"),
    [
        (PAPER, "translinear"),
        (RATES, "translinear"),
        pytest.param(PAPER, "opamp", marks=pytest.mark.slow),
        pytest.param(RATES, "opamp", marks=pytest.mark.slow),
    ],
)
def test_a_circuit_rests_where_ngspice_has_it_rest(problem, technology):
    circuit = circuit_of(problem, technology=technology)
    run = af.simulate(af.netlist(circuit, time_constants=200.0), engine="ngspice")
    volts = rest_volts(circuit)
    for name in circuit.flow.states:
        reading = circuit.readings[name]
        found = reading.apply(np.array([volts[node] for node in reading.vectors]))
        np.testing.assert_allclose(found, run.final[name], atol=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_ngspice_plays_the_same_knots_along_the_same_path(technology):
    """Also that knots of another seed do not."""
    block, ngspice, other = along(technology, "block", 2), along(technology, "ngspice", 2), along(technology, "block", 3)
    for mine, its, foreign in zip(block, ngspice, other, strict=True):
        # Half of it, of the translinear circuit, is above 4/τ, where its amplifiers are not quick.
        assert (np.std(mine - its, axis=0) < 0.06 * np.std(its, axis=0)).all()
        assert (np.std(foreign - its, axis=0) > np.std(its, axis=0)).all()
        assert np.std(mine) == pytest.approx(np.std(its), rel=0.02)


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["translinear", "opamp"])
def test_what_is_played_has_the_variance_of_the_circuits_budget(technology):
    """Of z, whose density the budget has from every amplifier's own speed, and ngspice's ``.noise`` within 0.2 %."""
    noise, found = Noise(0.0, seed=11, parts=True), []
    budget = noise_budget(af.compile(af.flows.capacity(PAPER), technology=technology), noise=noise, engine="ngspice")
    for sample in range(4):  # of so few τ that each run keeps several points between knots
        circuit = at_rest(technology, "block", noise=noise, sample=sample)
        run = af.simulate(af.netlist(circuit, time_constants=420.0), engine="block")
        at = np.arange(20.0, 420.0, 0.017)
        z = np.stack([np.interp(at, run.time, value) for value in run.values["z"].T], axis=1)
        found += [((part - z.mean(axis=0)) ** 2).sum(axis=1).mean() for part in np.array_split(z, 10)]
    error = 3 * np.std(found) / np.sqrt(len(found))
    wanted = (budget.rms**2).sum()
    assert np.mean(found) == pytest.approx(wanted, abs=max(error, 0.05 * wanted))
    assert error < 0.1 * wanted


@pytest.mark.slow
def test_states_have_the_covariance_of_lyapunovs_equation():
    """A C + C Aᵀ + B Bᵀ = 0, less what noise lacks that is linear between knots."""
    parts = part_set("precision")
    white = dataclasses.replace(parts, op_amp=dataclasses.replace(parts.op_amp, noise_corner=0.0))
    noise = Noise(0.0, seed=5, parts=True, step=0.2)
    circuit = circuit_of(PAPER, technology="translinear", parts=white, noise=noise)
    rest = af.simulate(circuit_of(PAPER, technology="translinear"), engine="block").final["u"]
    field, referred = VectorField(circuit.graph), refer_noise(circuit)
    assert not circuit.units.scales
    A = field.jacobian(rest) + referred.bent
    B = referred.rates["u"] * np.array([each.density for each in referred.sources])
    exact = linalg.solve_continuous_lyapunov(A, -B @ B.T)
    frequency = np.geomspace(1e-5, 1e3, 4000)
    transfer = np.linalg.solve(2j * np.pi * frequency[:, None, None] * np.eye(3) - A, B.astype(complex))
    density = 2 * (transfer @ transfer.conj().transpose(0, 2, 1)).real * frequency[:, None, None]
    spread, kept = (
        np.trapezoid(density * share[:, None, None], np.log(frequency), axis=0)
        for share in (np.ones(len(frequency)), np.sinc(frequency * noise.step) ** 4)
    )
    np.testing.assert_allclose(spread, exact, rtol=2e-3, atol=2e-3 * exact.max())
    end, count = 12_000.0, 30
    played = PlayedParts(circuit, end)
    start, times = rest[None], np.arange(60.0, end, 0.117)
    walked = march(played.field, start, times, end, method_for(played.field, start, noise.step), drive=played.drive)
    found = np.array([np.trace(np.cov(part.T)) for part in np.array_split(walked.states[0], count)])
    expected = np.trace(exact * kept / spread)
    error = 3 * found.std() / np.sqrt(count)
    assert found.mean() == pytest.approx(expected, abs=max(error, 0.05 * expected))
    assert error < 0.1 * expected


def test_noise_of_parts_is_played_beside_sigma_and_moves_nothing_of_it():
    """What σ adds to it is what σ does alone, but for the speed of rows that can be bought; no knot of it is drawn anew."""
    moved, base = [], at_rest("translinear", "block")
    for noise in (Noise(0.0, seed=4), Noise(3e-4, seed=4), Noise(0.0, seed=4, parts=True), Noise(3e-4, seed=4, parts=True)):
        run = af.simulate(af.netlist(af.degrade(base, noise=noise), time_constants=20.0), engine="block")
        at = np.linspace(0.0, 20.0, 101)
        moved.append(np.stack([np.interp(at, run.time, value) for value in run.values["u"].T], axis=1))
    silent, sigma, parts, both = moved
    assert np.std(sigma - silent) > np.std(parts - silent) > 1e-5
    assert np.std((both - parts) - (sigma - silent)) < 0.2 * np.std(sigma - silent)


def test_either_march_plays_the_same(monkeypatch):
    circuit = at_rest("translinear", "block", noise=Noise(1e-5, seed=1, parts=True))
    deck = af.netlist(circuit, time_constants=8.0)
    usual = af.simulate(deck, engine="block")
    monkeypatch.setattr("analogflow.block_engine.compiled.library", lambda: None)
    again = af.simulate(deck, engine="block")
    assert again.record["evaluator"] == "numpy"
    assert np.std(usual.values["z"][:, 0]) > 1e-5
    np.testing.assert_allclose(again.values["z"], usual.values["z"], rtol=0, atol=1e-12)


def test_what_the_circuit_does_not_build_is_computed_of_what_is_read():
    run = af.simulate(at_rest("translinear", "block", noise=Noise(0.0, seed=1, parts=True)), engine="block")
    z, P = run.values["z"], np.asarray(PAPER.transition)
    bits = (P * np.log(P / (z @ P)[:, None])).sum(axis=2)
    np.testing.assert_allclose(run.values["capacity_nats"][:, 0], (z * bits).sum(axis=1), atol=1e-9)
    assert np.std(z[:, 0]) > 1e-5


def test_what_has_no_rest_or_another_kind_of_integrator_is_refused():
    moving = af.Flow(lambda x: -x, {"x": np.array([0.5])}, end_time=2.0)
    circuit = circuit_of(moving, technology="opamp", noise="parts")
    with pytest.raises(BadInput, match="the answer of this one is on its way; take the engine ngspice or vacask"):
        af.simulate(circuit, engine="block")
    lonely = circuit_of(af.Flow(lambda x: 0.5 - x, {"x": np.array([0.5])}), technology="opamp", noise="parts")
    groups = [
        dataclasses.replace(g, elements=tuple(e for e in g.elements if not isinstance(e, Instance))) for g in lonely.groups
    ]
    with pytest.raises(BadInput, match="the state 'x' of this circuit is held by what is no amplifier with a capacitor"):
        af.simulate(dataclasses.replace(lonely, groups=tuple(groups)), engine="block")


def test_an_engine_that_would_leave_the_noise_of_parts_out_is_refused(monkeypatch):
    circuit = circuit_of(PAPER, technology="translinear", noise="parts")
    deaf = dataclasses.replace(ENGINES["block"], refers_noise=False)
    monkeypatch.setattr("analogflow.simulators.engines.ENGINES", {**ENGINES, "block": deaf})
    with pytest.raises(BadInput, match="knows no parts, and would leave their noise out; take the engine ngspice or block"):
        engine_for("translinear", "block", nominal=True, circuit=circuit)


def test_the_command_line_plays_it_in_the_block_engine(capsys):
    asked = ["solve", "capacity", CHANNEL, "--technology", "translinear", "--engine", "block"]
    assert main([*asked, "--noise", "parts", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["noise_of_parts"] is True
    assert said["engine"] == "block"
    assert main(asked) == 2
    assert "knows no parts" in capsys.readouterr().err
    assert main([*asked, "--noise", "parts", "--mismatch", "0.01"]) == 2
    assert "knows no parts" in capsys.readouterr().err
