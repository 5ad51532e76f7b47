"""Perturb and restart: sound answers come back, planted support losses are caught, whatever the noise."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.flows.capacity import FORMS as CAPACITY_FORMS
from analogflow.flows.rate_distortion import FORMS as RATE_DISTORTION_FORMS
from analogflow.judgement import certify
from analogflow.judgement import restart as restarts
from analogflow.judgement.restart import PASSES, VERDICTS, Ends, lost_support, perturbed, restart, verdicts, worth
from analogflow.judgement.restart import _laws_agree as laws_agree
from analogflow.problems import Attention, Channel, Hopfield, Langevin, RateDistortion, Transport
from analogflow.run import run_plan

DATA = Path(__file__).parents[2] / "examples/data"
PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0),
    "transport": Transport(cost=1 - np.eye(3), row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=4.0),
    "hopfield": Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], activation="tanh", temperature=0.0),
    "langevin": Langevin(energy="x**2/2", variables=["x"], temperature=0.5),
}


def exact_gap(problem, answer):
    """Certified gap of an answer and pressure on every component, nats, written out: the package is what is judged here."""
    share = np.maximum(answer, 0) / np.maximum(answer, 0).sum()
    if isinstance(problem, Channel):
        P = problem.transition
        w = np.array([sum(p * np.log(p / q) for p, q in zip(row, share @ P, strict=True) if p > 0) for row in P])
        return max(w) - share @ w, w - share @ w
    kernel = np.exp(-problem.beta * problem.distortion)
    scores = (problem.source / (kernel @ share)) @ kernel
    return np.log(scores.max()), np.log(scores)


def ends(answers, ok=True, passed=True):
    """Ends that came to rest, and pass their checks, unless it is said that they do not."""
    answers = np.asarray(answers, dtype=float)
    return Ends(answers, np.full(len(answers), ok), np.full(len(answers), passed))


def random_channels(count, seed=0):
    rng = np.random.default_rng(seed)
    return (Channel(0.4 * np.eye(3) + 0.6 * rng.dirichlet(np.ones(3), 3)) for _ in range(count))


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
@pytest.mark.parametrize(
    "family", [name for name in PROBLEMS if name != "langevin"] + [pytest.param("langevin", marks=pytest.mark.slow)]
)
def test_sound_answers_are_confirmed(family, engine):
    found = af.verify(PROBLEMS[family], engine=engine, seed=1)
    assert found.verdict.name == "confirmed"
    assert found.passed
    assert found.to_dict()["restart"]["name"] == "confirmed"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
@pytest.mark.parametrize(
    ("energy", "temperature"),
    [("x**2 + y**2 + x*y", 0.3), pytest.param("(x**2 - 1)**2", 0.5, marks=pytest.mark.slow)],
    ids=["coupled", "double well"],
)
def test_two_short_chains_that_agree_are_not_confirmed(engine, energy, temperature):
    problem = Langevin(energy=energy, variables=["x", "y"] if "y" in energy else ["x"], temperature=temperature)
    found = af.verify(problem, engine=engine, seed=1, time_constants=150, chains=1)
    assert found.verdict.name == "too few samples to tell"
    assert not found.passed


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_circuits_of_parts_come_back_too(technology):
    assert af.verify(PAPER, technology=technology).verdict.name == "confirmed"


@pytest.fixture(scope="module")
def channels():
    """Channels that use all their inputs."""
    used = (c for c in random_channels(40) if af.solve(c, engine="block").run.final["z"].min() > 0.08)
    return list(itertools.islice(used, 15))


@pytest.mark.slow
def test_planted_support_losses_are_caught(channels):
    verdicts = []
    for channel in channels:
        circuit = af.compile(af.flows.capacity(channel, form="replicator"))
        starts = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.0, 0.9, 0.1], [0.2, 0.0, 0.8]])
        lost = af.ensemble(circuit, 5, start={"z": starts[:5]}, time_constants=200)
        verdicts.append(af.restart_classes(circuit, lost))
    assert len(np.concatenate(verdicts)) >= 70
    assert (np.concatenate(verdicts) == "support lost").all()


@pytest.mark.parametrize(
    "form", ["replicator", *(pytest.param(f, marks=pytest.mark.slow) for f in ("logdomain", "normalised"))]
)
@pytest.mark.parametrize("noise", [pytest.param(0.0, marks=pytest.mark.slow), 0.003])
def test_sound_runs_are_not_blamed(channels, form, noise):
    verdicts = []
    for channel in channels if noise == 0 else channels[::3]:
        circuit = af.compile(af.flows.capacity(channel, form=form))
        runs = af.ensemble(circuit, 8, noise=af.Noise(noise, 3), time_constants=200)
        verdicts.append(af.restart_classes(circuit, runs))
    found = np.concatenate(verdicts)
    assert (found == "support lost").sum() == 0
    assert (found == "confirmed").mean() > 0.97


def test_an_input_that_is_rightly_zero_is_not_called_lost():
    channel = Channel([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.35, 0.25]])  # optimum [½, ½, 0]
    for form in ("logdomain", "replicator", "normalised"):
        found = af.verify(channel, form=form, engine="block")
        assert found.solution.run.final["z"][2] < 1e-2
        assert found.verdict.name == "confirmed"


def test_two_optima_of_one_value_are_told_from_a_lost_one():
    channel = Channel([[0.8, 0.2], [0.2, 0.8], [0.8, 0.2]])  # inputs 0 and 2 are the same
    found = af.verify(channel, form="replicator", engine="block", delta=0.3)
    assert found.verdict.name in ("confirmed", "other optimum")
    before, after = [[0.5, 0.5, 0.0]], [[0.2, 0.5, 0.3]]
    flow = af.flows.capacity(channel, form="replicator")
    assert verdicts(flow, ends(before), ends(after), limit=1e-6)[0] == "other optimum"


def test_a_frozen_circuit_is_not_settled():
    flow = af.flows.transport(PROBLEMS["transport"])
    before, after = [[0.1, 0.2, 0.3]], [[0.2, 0.2, 0.3]]
    assert verdicts(flow, ends(before), ends(after), limit=1e-6)[0] == "not settled"
    assert verdicts(flow, ends(before, ok=False), ends(before), limit=1e-6)[0] == "not settled"


def test_an_end_that_fails_its_own_checks_is_never_a_pass():
    flow = af.flows.transport(PROBLEMS["transport"])
    answer = [[0.1, 0.2, 0.3]]
    assert verdicts(flow, ends(answer), ends(answer), limit=1e-6)[0] == "confirmed"
    assert verdicts(flow, ends(answer, passed=False), ends(answer), limit=1e-6)[0] == "wrong answer"
    assert verdicts(flow, ends(answer), ends(answer, passed=False), limit=1e-6)[0] == "not settled"
    assert verdicts(flow, ends(answer), ends(answer, ok=False), limit=1e-6)[0] == "not settled"
    # A restart that began within the tolerance of the end it should come back to had nothing to show.
    assert verdicts(flow, ends(answer), ends(answer), limit=1e-6, moved=np.array([1e-4]))[0] == "not applicable"


def test_a_dead_input_that_would_help_is_lost_whether_or_not_it_comes_back():
    flow = af.flows.capacity(PAPER, form="replicator")
    for dead in ([0.55, 0.45, 0.0], [0.57, 0.46, -0.03]):
        gap, pressure = exact_gap(PAPER, np.array(dead))
        assert pressure[2] == gap > 0.05
        for second in (dead, [0.4, 0.4, 0.2]):
            assert verdicts(flow, ends([dead]), ends([second]), limit=0.05)[0] == "support lost"
        assert lost_support(flow, np.array([dead]), 0.05).tolist() == [[False, False, True]]
        assert not lost_support(flow, np.array([dead]), gap + 1e-9).any()
    source = PROBLEMS["rate-distortion"]
    gap, pressure = exact_gap(source, np.array([0.5, 0.0, 0.5]))
    lost = lost_support(af.flows.rate_distortion(source, form="gibbs"), np.array([[0.5, 0.0, 0.5]]), 1e-6)
    assert lost.tolist() == [[False, pressure[1] > 0, False]] == [[False, True, False]]


def test_a_costly_input_is_lost_only_if_it_is_worth_its_cost():
    # Input 2 costs so much that the optimum at this limit, [0.7, 0.3, 0], leaves it out; without the cost it would be lost.
    channel = Channel(PAPER.transition, cost=[0.0, 1.0, 5.0], cost_limit=0.3)
    free, priced = (lost_support(af.flows.capacity(c), np.array([[0.7, 0.3, 0.0]]), 0.01) for c in (PAPER, channel))
    assert free.tolist() == [[False, False, True]]
    assert not priced.any()
    assert af.verify(channel, engine="block").verdict.name == "confirmed"


PLANTED = [("capacity", form) for form in CAPACITY_FORMS] + [("rate-distortion", form) for form in RATE_DISTORTION_FORMS]


@pytest.mark.parametrize(("family", "form"), PLANTED)
def test_no_noisy_answer_passes_with_a_gap_above_the_limit(family, form):
    # The noise is so strong that many answers are wrong, and the two ends of most of them agree.
    problem = Channel.from_csv(DATA / "paper_channel.csv") if family == "capacity" else PROBLEMS[family]
    circuit = af.compile(af.families.flow_of(problem, form))
    wrong = 0
    for sigma in (0.01,) if form == "gibbs" else (0.05, 0.1) if family == "capacity" else (0.1,):
        noise = af.Noise(sigma, 1)
        runs = af.ensemble(circuit, 16, noise=noise, time_constants=60.0, step_accuracy=1e-5)
        verdicts = af.restart_classes(circuit, runs)
        for answer, verdict in zip(runs.final[circuit.flow.answer], verdicts, strict=True):
            gap, pressure = exact_gap(problem, answer) if np.isfinite(answer).all() and answer.max() > 0 else (np.inf, [])
            if not gap <= 0.05:
                wrong += 1
                assert verdict not in PASSES
            if verdict == "support lost":
                assert any(p > 0.05 and a < 0.01 / len(answer) for p, a in zip(pressure, answer, strict=True))
    assert wrong or form not in ("normalised", "replicator", "printed")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_verify_fails_wherever_solve_does(engine):
    problem = Channel.from_csv(DATA / "paper_channel.csv")
    ends = []
    for seed in range(6):
        found = af.verify(problem, form="normalised", noise=0.05, seed=seed, engine=engine)
        again = restart(found.solution.circuit, found.solution.run, engine=engine)[1] if seed == 0 else found.verdict
        assert again.name == found.verdict.name
        ends.append((found.solution.passed, found.verdict.passed))
        assert found.passed == (found.solution.passed and found.verdict.passed)
        if not found.solution.passed:
            assert "certifies its own capacity" in found.verdict.why or "Σz stays 1" in found.verdict.why
    assert (False, True) not in ends
    assert (False, False) in ends


@pytest.mark.parametrize("mass", [1e-6, 1.0, 1e6])
def test_a_plan_comes_back_whatever_its_mass(mass):
    plan = PROBLEMS["transport"]
    problem = dataclasses.replace(plan, row=mass * plan.row, column=mass * plan.column)
    found = af.verify(problem, engine="block")
    assert found.verdict.name == "confirmed"
    assert found.verdict.distance < 1e-3 * mass
    flow, answer = af.flows.transport(problem), mass * np.array([[0.1, 0.2, 0.3]])
    assert verdicts(flow, ends(answer), ends(answer + 0.1 * mass), limit=1e-6)[0] == "not settled"
    assert verdicts(flow, ends(answer), ends(answer), limit=1e-6, moved=1e-4 * mass * np.ones(1))[0] == "not applicable"


@pytest.mark.parametrize("size", [1e-8, 1e8])
def test_a_rest_comes_back_whatever_its_size(size):
    network = Hopfield(U=[[0.3]], I=[size], activation="linear", temperature=0.0)
    answer = np.array([[size, 0.3 * size]]) / 0.91
    flow = af.flows.hopfield(network)
    assert verdicts(flow, ends(answer), ends(1.0001 * answer), limit=1e-6)[0] == "confirmed"
    assert verdicts(flow, ends(answer), ends(1.1 * answer), limit=1e-6)[0] == "not settled"


def test_a_second_end_is_judged_with_its_path(monkeypatch):
    """A restart whose way was wrong passes by its end alone: what holds all along is seen on the path only."""
    circuit = af.compile(af.flows.capacity(PAPER))
    seen, real = [], restarts.judge

    def judged(problem, finals, *, limit, paths=None, **rest):
        seen.append(None if paths is None else np.shape(paths["z"]))
        if len(seen) == 2:  # the restarts'
            paths = {**paths, "z": paths["z"].copy()}
            paths["z"][1, 3] += 0.1
        return real(problem, finals, limit=limit, paths=paths, **rest)

    monkeypatch.setattr(restarts, "judge", judged)
    runs = af.ensemble(circuit, 2, time_constants=60, save=np.linspace(0, 60, 9))
    assert af.restart_classes(circuit, runs).tolist() == ["confirmed", "not settled"]
    assert seen == [(2, 9, 3), (2, 9, 3)]


def test_restarts_are_asked_for_what_their_runs_were_asked_for(monkeypatch):
    circuit, asked, real = af.compile(af.flows.capacity(PAPER)), [], restarts.ensemble_chunks
    given = {"time_constants": 7.0, "noise": af.Noise(0.01, 3), "imperfections": af.Imperfections(mismatch=0.02),
             "step_accuracy": 1e-4, "only": list(circuit.graph)[:3]}  # fmt: skip
    runs = af.ensemble(circuit, [4, 9], **given)

    def recorded(circuit, samples, **options):
        asked.append(options)
        return real(circuit, samples, **options)

    monkeypatch.setattr(restarts, "ensemble_chunks", recorded)
    af.restart_classes(circuit, runs)
    assert {name: asked[0][name] for name in given} == given


ALIKE = Channel([[0.8, 0.15, 0.05], [0.8 - 1e-6, 0.15 + 1e-6, 0.05], [0.1, 0.2, 0.7]])
SAME_RUNS = [
    (PROBLEMS["capacity"], "normalised", {"sigma": 0.05, "time": 60.0}, {}, {"wrong answer", "support lost"}),
    (PROBLEMS["capacity"], "logdomain", {"sigma": 0.02, "time": 60.0}, {}, {"confirmed"}),
    (PROBLEMS["capacity"], "logdomain", {"mismatch": 0.02}, {"distance": 1e-12}, {"confirmed"}),
    (PROBLEMS["capacity"], "logdomain", {}, {"accuracy": 1e-15}, {"wrong answer"}),
    (PROBLEMS["rate-distortion"], None, {"mismatch": 0.3}, {}, {"wrong answer", "not settled"}),
    (PROBLEMS["transport"], None, {"sigma": 0.01, "time": 60.0}, {}, {"confirmed"}),
    (PROBLEMS["attention"], None, {"mismatch": 0.02}, {}, {"wrong answer", "confirmed"}),
    (PROBLEMS["hopfield"], None, {"mismatch": 0.005}, {"delta": 1e-4}, {"not applicable"}),
    (ALIKE, None, {"time": 5000.0}, {}, {"other optimum"}),
]


@pytest.mark.few(4)
@pytest.mark.parametrize(("problem", "form", "asked", "options", "found"), SAME_RUNS)
def test_samples_are_classed_as_verify_finds_each(problem, form, asked, options, found):
    circuit = af.compile(af.families.flow_of(problem, form))
    noise, flaws = af.Noise(asked.get("sigma", 0.0), 1), af.Imperfections(mismatch=asked.get("mismatch", 0.0))
    end = circuit.flow.end_time or asked.get("time", 300.0)
    runs = af.ensemble(
        circuit, 4 if len(found) > 1 else 2, noise=noise, imperfections=flaws, time_constants=end,
        resting_speed=run_plan(af.degrade(circuit, flaws, noise=noise)).stopping_speed,
        save=np.r_[0.0, np.geomspace(0.02, end, 300)],
    )  # fmt: skip
    classes = af.restart_classes(circuit, runs, **options)
    for k, name in enumerate(classes):
        one = af.degrade(circuit, flaws, noise=noise, sample=k)
        assert restart(one, runs.sample(k), engine="block", time_constants=end, **options)[1].name == name
    assert set(classes) == found


def test_before_clusters_form_a_restart_of_tokens_says_nothing(capsys):
    problem = str(DATA / "attention_three_tokens.json")
    assert main(["verify", "attention", problem, "--engine", "block"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not applicable: Pushing the circuit away says nothing about this answer." in said
    assert "none has formed: give the tokens more time" in said
    assert main(["verify", "attention", problem, "--engine", "block", "--accuracy", "1e-12"]) == 1  # as solve does


def test_tokens_of_other_clusters_are_another_optimum():
    flow = af.flows.attention(PROBLEMS["attention"])
    together, pair, apart = [[1.0, 0, 0] * 3], [[1.0, 0, 0, 1, 0, 0, 0, 0, 1]], [[1.0, 0, 0, 0, 1, 0, 0, 0, 1]]
    assert verdicts(flow, ends(together), ends(together), limit=1e-6)[0] == "confirmed"
    assert verdicts(flow, ends(together), ends(pair), limit=1e-6)[0] == "other optimum"
    assert verdicts(flow, ends(together), ends(together, passed=False), limit=1e-6)[0] == "not settled"
    for first, second in ((together, apart), (apart, together), (apart, apart)):
        assert verdicts(flow, ends(first), ends(second), limit=1e-6)[0] == "not applicable"


def test_tokens_that_begin_in_their_clusters_show_nothing():
    near = Attention(tokens=[[1, 0], [0.999, 0.0447], [0, 1]], B=np.eye(2), V=np.eye(2), beta=1.0, time=0.01)
    assert af.verify(near, engine="block").verdict.name == "not applicable"


def test_what_can_not_be_pushed_is_not_confirmed():
    one = RateDistortion(source=[0.5, 0.5], distortion=[[0.0], [1.0]], beta=1.0)  # a single letter has all the weight
    assert af.verify(one, engine="block").verdict.name == "not applicable"
    # The middle is the answer of a symmetric channel: a push towards it would be none.
    symmetric = Channel([[0.8, 0.2], [0.2, 0.8]])
    assert af.verify(symmetric, engine="block").verdict.name == "confirmed"
    assert af.verify(symmetric, engine="block", delta=1e-5).verdict.name == "not applicable"


@pytest.mark.parametrize(
    ("variance", "points", "verdict"),
    [(0.5, 20_000, "confirmed"), (1.0, 20_000, "wrong answer"), (0.5, 120, "too few samples to tell")],
)
def test_laws_that_agree_with_each_other_only_are_not_confirmed(variance, points, verdict):
    # Independent values stand for two chains: of the law, of variance T = 0.5, or of one twice as wide.
    problem = Langevin(energy="x**2/2", variables=["x"], temperature=0.5)
    values = np.random.default_rng(0).normal(0.0, np.sqrt(variance), (2, points + points // 19, 1))
    times = np.linspace(0.0, 1e5, values.shape[1])
    runs = [af.Run(times, {"x": value}, af.Outcome.COMPLETED) for value in values]
    found = laws_agree(af.flows.langevin(problem), *((run, certify(problem, run)) for run in runs))
    assert found.name == verdict
    assert ("agrees with the reference" in found.why) == (verdict != "confirmed")


@pytest.mark.parametrize(("mismatch", "verdict"), [(0.01, "confirmed"), (0.3, "wrong answer")])
def test_a_law_is_confirmed_by_a_second_chain_where_both_are_right(mismatch, verdict):
    """Chains of parts that are 30 % off agree with each other alone."""
    network = Hopfield([[0.1]], [0.5], gain_v=[[1]], gain_h=[[1]], activation="linear", temperature=0.2)
    flaws = af.Imperfections(mismatch=mismatch)
    assert af.verify(network, engine="block", imperfections=flaws, time_constants=300.0).verdict.name == verdict


@pytest.mark.parametrize("form", ["logdomain", "replicator"])
def test_a_perturbed_distribution_is_a_step_towards_a_random_one(form):
    flow = af.flows.capacity(PAPER, form=form)
    z = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    state = np.log(z) if form == "logdomain" else z
    moved = perturbed(flow, {next(iter(flow.states)): state}, delta=0.1)
    (values,) = moved.values()
    shares = np.exp(values) / np.exp(values).sum(1, keepdims=True) if form == "logdomain" else values
    target = (shares - 0.9 * z) / 0.1
    np.testing.assert_allclose(target.sum(axis=1), 1, atol=1e-12)
    assert (target > 0).all()
    assert len(np.unique(target.round(6), axis=0)) == 20
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
    found = af.verify(flow, engine="block")
    assert found.verdict.name == "not applicable"
    assert "It is where a path ends, not where it rests" in str(found.verdict)
    assert found.run is None
    assert found.passed == found.solution.passed


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


def test_what_comes_to_rest_at_zero_comes_back_to_it():
    """Its size is that of its start: beside what is left of a state that decays, nothing is near."""
    problem = af.Equations(states={"x": 1.0, "y": [0.5, 0.2]}, equations={"x": "-x", "y": "x - y"})
    assert af.verify(problem, engine="block").verdict.name == "confirmed"


def test_laws_are_held_with_the_knots_that_were_played(monkeypatch):
    """Each run's law takes less from its covariance, or allows for less, the closer its own knots are."""
    seen, real = [], restarts.certificate_of

    def certified(circuit, run, accuracy=None):
        seen.append(run.record.get("noise_step"))
        return real(circuit, run, accuracy)

    monkeypatch.setattr(restarts, "certificate_of", certified)
    network = Hopfield(U=[[0.3]], I=[0.5], activation="linear", temperature=0.2)
    circuit, noise = af.compile(af.flows.hopfield(network)), af.Noise(0.0, 1, step=0.25)
    alone = af.degrade(circuit, noise=noise)
    restart(alone, af.simulate(af.netlist(alone, time_constants=40.0), engine="block"), engine="block")
    runs = af.ensemble(circuit, 1, noise=noise, time_constants=40.0, save=np.linspace(0.0, 40.0, 401))
    af.restart_classes(circuit, runs)
    assert seen == [0.25] * 4
