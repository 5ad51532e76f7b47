"""Comparisons: every solver earns its certificate, a wrong answer gets none, and nobody wins at another accuracy."""

import dataclasses
import json
import math
import time

import numpy as np
import pytest
from zoo import PAPER, PAPER_CSV

import analogflow as af
from analogflow.cli import main
from analogflow.comparison import (
    Comparison,
    Contender,
    Point,
    Scaling,
    contenders_of,
    judge_of,
    measure_scaling,
    prices,
    trials,
)
from analogflow.comparison.scaling import KINDS, ScalingPoint
from analogflow.comparison.solvers import solvers_of
from analogflow.errors import BadInput
from analogflow.judgement.judging import judge
from analogflow.problems import Attention, Channel, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference import capacity_reference, hopfield_reference
from analogflow.report import alt_text, plot_comparison
from analogflow.technology import TECHNOLOGIES

PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0),
    "transport": Transport(cost=1 - np.eye(3), row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=4.0),
    "hopfield": Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], activation="tanh", temperature=0.0),
    "langevin": Langevin(energy="x**2/2", variables=["x"], temperature=0.5),
}
EXACT = {  # solvers of each family that must reach a certified 1e-9
    "capacity": ("blahut-arimoto", "over-relaxed", "interior-point"),
    "rate-distortion": ("blahut", "interior-point"),
    "transport": ("sinkhorn", "newton"),
    "attention": ("dop853",),
    "hopfield": ("newton",),
    "langevin": ("ornstein-uhlenbeck",),
}


def digital(family):
    return [solver.name for solver in solvers_of(family)]


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.slow) if name == "attention" else name for name in PROBLEMS]
)
def test_digital_solvers_reach_what_they_are_certified_for(family):
    found = af.compare(PROBLEMS[family], only=digital(family), seconds=1.0)
    assert [c.name for c in found.contenders] == digital(family)
    assert any(c.reached for c in found.contenders)
    fine = {c.name for c in found.contenders if c.delivered <= 1e-9}
    known = set(digital(family))
    assert {name for name in EXACT[family] if name in known} <= fine, [
        (c.name, c.delivered, c.note) for c in found.contenders
    ]
    for contender in found.contenders:
        assert contender.delivered == min((p.error for p in contender.points), default=math.inf)
        if contender.at is not None:
            assert contender.at.error <= found.accuracy


def test_a_noisy_network_is_compared_by_its_law():
    noisy = Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], gain_v=[[1.5, 0.2], [0.2, 1.0]], temperature=0.3)
    found = af.compare(noisy, only=digital("hopfield"), accuracy=0.1, seconds=0.6)
    exact, sampled = found["ornstein-uhlenbeck"], found["euler-maruyama"]
    assert exact.delivered < 1e-12
    assert sampled.reached
    assert sampled.at.operations > 1e3 * exact.at.operations
    assert "law and no rest" in found["newton"].note
    judge = judge_of(noisy)
    law = hopfield_reference(noisy)
    assert judge.error((law.mean, 1.5 * law.covariance)) == pytest.approx(0.5, rel=1e-6)
    saturating = Hopfield(U=[[0.6]], I=[0.5], activation="tanh", temperature=0.3)
    found = af.compare(saturating, only=digital("hopfield"))
    assert [c.name for c in found.contenders if c.reached] == ["quadrature"]
    assert "noise grows as cosh" in found["euler-maruyama"].note


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_noisy_circuit_of_parts_is_averaged_as_ideal_blocks_are(monkeypatch):
    """It plays the same noise: its averages over any length are as far off, in another simulator, at a time and a power."""
    noisy = Hopfield(U=[[0.2]], I=[0.5], temperature=0.2)
    flow = af.flows.hopfield(noisy)
    short = dataclasses.replace(flow, averaging=dataclasses.replace(flow.averaging, time=40.0, skipped=8.0))
    monkeypatch.setattr(trials, "flow_of", lambda problem, form: short)
    monkeypatch.setattr(trials, "_SAMPLES", trials._SAMPLES_OF_PARTS)
    found = af.compare(noisy, only=["ideal:relaxation", "opamp:relaxation"], accuracy=0.2, seed=3)
    ideal, parts = found.contenders
    assert parts.note.startswith("averages over time, root mean square error of 2 circuits")
    for one, other in zip(ideal.points, parts.points, strict=True):
        assert other.time_constants == one.time_constants
        assert abs(other.error - one.error) < 0.03
        assert other.seconds == pytest.approx(other.time_constants * parts.time_constant)
        assert other.joules == pytest.approx(other.seconds * parts.watts)
    other = af.compare(noisy, only=["ideal:relaxation"], accuracy=0.2, seed=4)["ideal:relaxation"]
    assert (
        max(abs(a.error - b.error) for a, b in zip(ideal.points, other.points, strict=True)) > 0.3
    )  # what other noise does


@pytest.mark.slow
def test_the_circuit_of_a_noisy_network_is_averaged():
    noisy = Hopfield(U=[[0.2]], I=[0.5], temperature=0.2)
    row = af.compare(noisy, only=["ideal:relaxation"], accuracy=0.2)["ideal:relaxation"]
    assert row.reached
    assert row.points[0].error > 2 * row.delivered  # averages over a longer time are nearer
    assert "root mean square" in row.note


UNITS = {
    "capacity": (PROBLEMS["capacity"], "z", ("the distribution certifies its own capacity",)),
    "rate-distortion": (PROBLEMS["rate-distortion"], "q", ("the distribution certifies its own R + βD",)),
    "attention": (PROBLEMS["attention"], "x", ("tokens agree with the reference",)),
    "hopfield": (Hopfield(U=[[0.3]], I=[50.0], activation="linear"), "v", ("the rest agrees with the reference",)),
    "transport": (
        Transport(cost=np.eye(2), row=[3e3, 1e3], column=[2e3, 2e3], epsilon=5.0),
        "g",
        ("the plan certifies its own value", "marginals are right"),
    ),
}


@pytest.mark.parametrize("family", UNITS)
def test_errors_count_in_the_units_in_which_runs_are_judged(family):
    """A cooled plan counted in ε, a network's rest in volts, where `solve` counts in ranges and sizes."""
    problem, state, names = UNITS[family]
    run = af.solve(problem, engine="block", time_constants=2.0).run
    finals = {signal: value[-1:] for signal, value in run.values.items()}
    right = max(h.errors[0] for h in judge(problem, finals, limit=1.0, end=2.0).held if h.name in names)
    answers = {
        "hopfield": lambda: np.concatenate([finals["v"][0], finals["h"][0]]),
        "transport": lambda: (finals["plan"][0].reshape(2, 2), finals["g"][0]),
    }
    given = answers.get(family, lambda: finals[state][0])()
    if family == "attention":
        problem = dataclasses.replace(problem, time=2.0)
    assert judge_of(problem).error(given) == pytest.approx(right, rel=1e-6, abs=1e-9)


def test_wrong_answers_get_no_certificate():
    judge = judge_of(PAPER)
    exact = af.solve(PAPER, engine="block").certificate.reference["input_distribution"]
    assert judge.error(np.array(exact)) < 1e-9
    assert judge.error(np.ones(3) / 3) > 1e-2
    assert judge.error(np.array([1.0, 0.0, 0.0])) > 0.1
    transport = judge_of(PROBLEMS["transport"])
    assert transport.error((np.zeros((3, 3)), None)) > 0.5  # a plan that moves nothing
    assert judge_of(PROBLEMS["langevin"]).error((np.array([0.0]), np.array([[5.0]]))) > 1


@pytest.mark.slow
@pytest.mark.ngspice
def test_circuits_and_solvers_are_compared_at_one_accuracy():
    found = af.compare(PAPER, only=["opamp:logdomain", "translinear:logdomain", "blahut-arimoto"], seconds=0.5)
    board, transistors, cpu = found.contenders
    assert board.at.joules == pytest.approx(board.watts * board.at.seconds)
    assert board.at.seconds == pytest.approx(board.time_constant * board.at.time_constants)
    assert transistors.at.time_constants == pytest.approx(18.2, rel=0.03)  # that of the flow itself
    assert found.winner("energy").name == cpu.name  # at three symbols a processor beats a board
    assert found.winner("time").name == cpu.name
    finer = dataclasses.replace(
        found, accuracy=1e-6, contenders=tuple(dataclasses.replace(c, at=None) for c in (board, cpu))
    )
    with pytest.raises(BadInput, match=r"came nearest with .*not comparable"):
        finer.winner("energy")
    rows = {row.circuit: row for row in found.break_even}
    level = rows["translinear:logdomain"]
    assert level.time_constant_for_time == pytest.approx(cpu.at.seconds / level.settling)
    assert level.chip_joules == pytest.approx(level.chip_watts * level.chip_time_constant * level.settling)
    figure = plot_comparison(found)
    figure.draw_without_rendering()
    for panel in figure.axes:  # two decades at least, and no label between them
        low, high = panel.get_xlim()
        assert high / low >= 99
        assert not any(label.get_text() for label in panel.get_xticklabels(minor=True))
    assert "translinear:logdomain" in alt_text(figure)


def test_a_throughput_is_no_time():
    found = af.compare(PAPER, only=["interior-point", "interior-point-batch"], seconds=0.5)
    one, many = found.contenders
    assert many.at.seconds < one.at.seconds
    assert many.value("time") is None
    assert one.value("time") == one.at.seconds


@pytest.mark.slow
def test_the_command_line_prints_one_object_and_repeats_a_row(tmp_path, capsys):
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    arguments = ["compare", "capacity", str(tmp_path / "p.csv"), "--seconds", "0.3", "--only", "over-relaxed"]
    assert main([*arguments, "--only", "ideal:logdomain", "--json", "--figure", str(tmp_path / "c.svg")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"flow", "accuracy", "effective_bits", "contenders", "winner", "refused", "break_even", "assumptions"} <= set(
        said
    )
    assert said["contenders"][1]["command"].startswith("analogflow compare capacity")
    assert said["winner"]["energy"] is None
    assert (tmp_path / "c.svg").exists()
    assert main([*arguments, "--accuracy", "1e-4"]) == 0
    assert "Assumed:" in capsys.readouterr().out
    words = said["contenders"][1]["command"].split()[1:]
    assert main([*words, "--json"]) == 0
    capsys.readouterr()
    flaws = ["--noise", "0.002", "--imperfect", "mismatch=0.01", "--seed", "3"]
    assert main([*arguments, "--only", "ideal:logdomain", *flaws, "--accuracy", "0.01", "--json"]) in (0, 1)
    rows = json.loads(capsys.readouterr().out)["contenders"]
    circuit, solver = sorted(rows, key=lambda row: row["kind"])
    assert " --noise 0.002 --imperfect mismatch=0.01 --seed 3 --seconds 0.3" in circuit["command"]
    assert solver["command"].endswith("--only over-relaxed --seed 3 --seconds 0.3")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--only", "abacus"], "is no contender"),
        (["--only", "interior-pont"], "nearest is 'interior-point'"),
        (["--only", "blahut-arimoto", "--noise", "0.01"], "no circuit takes part"),
        (["--noise", "-1"], "noise"),
        (["--parts", "specific"], "nearest is 'precision'"),
        (["--mismatch", "2"], "mismatch"),
        (["--list", "--figure", "a.svg"], "--list compares nothing"),
        (["--sizes", "4,8"], "--scaling alone"),
        (["--scaling"], "leave out PROBLEM"),
        (["--accuracy", "fine"], "positive"),
        (["--accuracy", "0"], "positive"),
        (["--energy", "nowhere.toml"], "nowhere.toml"),
        (["--seed", "-1"], "whole number"),
        (["--figure", "a.txt"], "must end in"),
    ],
)
def test_bad_input_is_a_sentence(more, sentence, tmp_path, capsys):
    (tmp_path / "p.csv").write_text("0.7,0.3\n0.1,0.9\n")
    assert main(["compare", "capacity", str(tmp_path / "p.csv"), *more]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_options_that_would_not_be_looked_at_are_refused(capsys):
    assert main(["compare", "capacity", "--scaling", "--seed", "-1"]) == 2
    assert "--seed: '-1' is not a whole number" in capsys.readouterr().err
    assert main(["reproduce", "capacity-figure-5", "--list"]) == 2
    assert "--list computes nothing" in capsys.readouterr().err


def test_contenders_are_listed_as_an_object_too(tmp_path, capsys):
    (tmp_path / "p.csv").write_text("0.7,0.3\n0.1,0.9\n")
    assert main(["compare", "capacity", str(tmp_path / "p.csv"), "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["contenders"] == contenders_of("capacity")


def test_the_verdict_says_what_both_sides_deliver_and_in_what_conditions():
    cpu = Contender("a", "digital", "", 1e-9, 30.0, points=(Point(1e-9),), at=Point(1e-9, seconds=1e-4, joules=1e-8))
    board = Contender(
        "opamp:b", "analog", "", 5e-4, 11.0, points=(Point(5e-4),), at=Point(1e-3, 20.0, seconds=1e-2, joules=1e-2),
        time_constant=5e-4,
    )  # fmt: skip
    found = Comparison("capacity", "P", 1e-3, 10.0, "gap", "nat", (board, cpu), prices(None), "here", "noise 0.01")
    assert found.verdict("time") == "a, 0.0001 s, before opamp:b, 0.01 s; run on, they deliver 30 and 11 bits."
    assert any("noise 0.01" in sentence for sentence in found.assumptions)
    alone = dataclasses.replace(found, contenders=(cpu,))
    assert alone.verdict("energy").startswith("no circuit of parts took part")


@pytest.mark.slow
@pytest.mark.ngspice
def test_what_a_circuit_is_built_of_is_asked_of_its_technology(monkeypatch):
    """Also of one that another package brings: its circuits take a set of parts, or are no circuits of parts."""
    for name, parts in (("bread", TECHNOLOGIES["opamp"].parts), ("chalk", "")):
        built_of = TECHNOLOGIES["opamp" if parts else "ideal"]
        monkeypatch.setitem(TECHNOLOGIES._entries, name, dataclasses.replace(built_of, name=name))
    found, ours = (
        af.compare(PAPER, only=[f"{name}:logdomain"], parts="fast", temperature_celsius=40) for name in ("bread", "opamp")
    )
    (circuit,), (own,) = found.contenders, ours.contenders
    assert (circuit.note, circuit.delivered, circuit.watts) == (own.note, own.delivered, own.watts)
    assert circuit.watts > 0
    with pytest.raises(BadInput, match="no circuit of parts takes part, so parts would change nothing"):
        af.compare(PAPER, only=["chalk:logdomain"], parts="fast")
    assert af.compare(PAPER, only=["chalk:logdomain"]).verdict("time").startswith("no circuit of parts took part")


def test_parts_are_conditions_where_a_circuit_of_parts_takes_part(monkeypatch):
    monkeypatch.setattr(
        "analogflow.comparison.contest.run_circuit", lambda name, *_, **__: Contender(name, "analog", "", 1.0, 0.0)
    )
    ideal = af.compare(PAPER, only=["ideal:logdomain"])
    assert ideal.conditions == "no noise, no deviations"
    assert "Circuits: no noise, no deviations. Their error" in ideal.assumptions[0]
    both = af.compare(PAPER, only=["ideal:logdomain", "opamp:logdomain"], noise=0.01)
    assert both.conditions == "noise 0.01 per √τ; parts of the set precision, 27 °C"
    warm = af.compare(PAPER, only=["opamp:logdomain"], parts="fast", temperature_celsius=40)
    assert warm.conditions == "no noise, no deviations; parts of the set fast, 40 °C"


@pytest.mark.slow
@pytest.mark.ngspice
def test_noise_and_deviations_reach_the_circuits():
    flaws = af.Imperfections(mismatch=0.01)
    clean, bad = (
        af.compare(PAPER, only=["opamp:logdomain"], noise=noise, imperfections=wrong, seed=3)["opamp:logdomain"]
        for noise, wrong in ((None, None), ("0.002", flaws))
    )
    assert bad.delivered > 1.5 * clean.delivered
    assert clean.time_constant == pytest.approx(5e-4)  # delays of a twentieth: where it rests does not know of them
    exact = af.solve(PAPER, technology="opamp")
    assert exact.circuit.units.time_constant == pytest.approx(10 * clean.time_constant)
    # They do not end at the same time, and the error still falls by 6e-3 of itself in the last 3 τ.
    assert judge_of(PAPER).error(exact.run.final["z"]) == pytest.approx(clean.delivered, rel=3e-3)


@pytest.mark.slow
def test_growth_is_measured_on_both_sides(tmp_path, capsys):
    figure = str(tmp_path / "s.svg")
    assert main(["compare", "capacity", "--scaling", "--sizes", "3,5,9", "--json", "--figure", figure]) == 0
    said = {one["kind"]: one for one in json.loads(capsys.readouterr().out)["scaling"]}
    assert set(said) == {"random", "structured", "near-degenerate"}
    for one in said.values():
        sizes = [p["inputs"] for p in one["points"]]
        assert sizes == [3, 5, 9]
        for p in one["points"]:
            assert p["board_seconds"] == pytest.approx(1e-4 * p["settling"])
            assert p["chip_seconds"] == pytest.approx(1e-6 * p["settling"])
        assert one["crossover"]["board_joules"] is None  # a board of transistors is far from level
    assert 0.7 < said["structured"]["exponents"]["elements"][0] < 1.1  # a ring has three entries a row
    assert said["random"]["exponents"]["elements"][0] > 1.2
    assert "structured" in (tmp_path / "s.svg").read_text().lower()


def test_an_exponent_and_a_crossover_are_those_of_the_points():
    sizes = (4, 8, 16)
    points = tuple(
        ScalingPoint(n, n**0.5, n, n, n, n**2, "a", n**1.5, "a", n**3, n**3 / 8, n, 3.0 * n**2 / 8) for n in sizes
    )
    scaling = Scaling("random", 1e-2, points)
    assert scaling.exponent("operations")[0] == pytest.approx(3)
    assert scaling.exponent("settling")[0] == pytest.approx(0.5)
    assert scaling.crossover("chip_joules", "digital_joules") == 4
    assert scaling.crossover("board_joules", "digital_joules") == 16
    backwards = dataclasses.replace(scaling, points=scaling.points[::-1])
    assert backwards.crossover("chip_joules", "digital_joules") == 4
    with pytest.raises(BadInput, match="nearest is 'structured'"):
        measure_scaling("structure")
    with pytest.raises(BadInput, match="from 2 to 1024"):
        measure_scaling("random", (9 * 10**30,))
    with pytest.raises(BadInput, match="different whole numbers"):
        measure_scaling("random", (4, 4))


def test_prices_are_read_and_refused(tmp_path):
    assert prices(None)["multiply_add"] > 0
    path = tmp_path / "energy.toml"
    path.write_text('[multiply_ad]\nvalue = 1.0\nunit = "J"\nsource = "a guess"\n')
    with pytest.raises(BadInput, match="multiply_ad"):
        prices(path)


def test_every_contender_has_a_name_of_its_own():
    for family in PROBLEMS:
        names = contenders_of(family)
        assert len(names) == len(set(names))


def test_the_ring_of_two_symbols_is_a_channel():
    P = KINDS["structured"](2, 3).transition
    assert P.sum(axis=1) == pytest.approx(1.0, abs=1e-15)
    assert (KINDS["structured"](3, 3).transition > 0).all()


@pytest.mark.slow
def test_the_quadrature_of_a_boltzmann_law_takes_part_where_the_reference_integrates():
    """A chain of four by elimination, in the time of that sum; nothing is summed where the judge itself has chains."""
    from analogflow.comparison.solvers.langevin import SOLVERS

    quadrature = next(solver for solver in SOLVERS if solver.name == "quadrature")
    names = ["w", "x", "y", "z"]
    wells = " + ".join(f"({name}**2 - 1)**2" for name in names)
    chain = Langevin(f"{wells} + 0.5*(w - x)**2 + 0.5*(x - y)**2 + 0.5*(y - z)**2", names, 0.5)
    assert quadrature.applies(chain) == ""
    assert judge_of(chain).error(quadrature.run(chain, 0.1, 10.0, 0).answer) < 1e-6
    asked = time.perf_counter()
    quadrature.run(chain, 0.1, 10.0, 0)
    assert time.perf_counter() - asked > 0.01  # it was not kept from the run before
    many = [f"x{k}" for k in range(7)]
    all_of_all = Langevin(f"({' + '.join(many)})**4 + " + " + ".join(f"{x}**4" for x in many), many, 0.5)
    assert "chains alone" in quadrature.applies(all_of_all)


def test_digital_contenders_of_a_channel_with_a_cost_keep_its_limit_or_say_that_they_know_none():
    channel = Channel([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], cost=[0, 1, 2], cost_limit=0.3)
    judge = judge_of(channel)
    best = capacity_reference(channel).input_distribution
    free = capacity_reference(Channel(channel.transition)).input_distribution
    assert judge.errors({"z": best[None]})[0] < 1e-9
    # More information is no merit where it is paid for with too much.
    assert judge.errors({"z": free[None]})[0] >= (free @ channel.costs[0] - 0.3) / 2
    found = af.compare(channel, accuracy=1e-4, only=["blahut-arimoto", "interior-point", "euler"])
    by_name = {one.name: one for one in found.contenders}
    assert by_name["blahut-arimoto"].delivered <= 1e-4
    assert by_name["interior-point"].delivered <= 1e-4
    assert "it knows no cost" in by_name["euler"].note
