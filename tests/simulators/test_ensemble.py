"""Ensembles: laws of large numbers against exact values, chunks, failures, and what is refused."""

import math

import numpy as np
import pytest
from zoo import CHANNELS, PAPER

from analogflow.blocks import Imperfections
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput
from analogflow.flows import Flow, capacity, langevin
from analogflow.judgement import parity
from analogflow.netlister import netlist
from analogflow.noise import Noise
from analogflow.problems import Langevin
from analogflow.run import Outcome
from analogflow.simulators import ensemble, ensemble_chunks, simulate
from analogflow.simulators.block import follow


def decay(x):
    return -x


def ornstein_uhlenbeck(states: int = 1):
    return compile(Flow(decay, {"x": np.zeros(states)}))


def within(variances: np.ndarray, exact: float, count: int) -> bool:
    """Whether a variance of so many independent normal numbers is within 3 standard errors of its exact value.

    It is not in 3 of 1000 seeds; those here are fixed.
    """
    return bool(abs(variances - exact) <= 3 * exact * math.sqrt(2 / count))


@pytest.mark.parametrize("step", [0.4, 0.2, 0.1])
def test_variance_of_an_ornstein_uhlenbeck_process_and_its_bias(step):
    noise = Noise(0.3, seed=int(100 * step), step=step)
    run = ensemble(ornstein_uhlenbeck(32), 800, noise=noise, time_constants=8.0, step_accuracy=1e-4)
    values = run.final["x"].ravel()
    white = 0.3**2 / 2 * (1 - math.exp(-16))
    assert within(values.var(), white * noise_share_at_a_knot(step), values.size)
    assert not within(values.var(), white, values.size)


def noise_share_at_a_knot(step: float) -> float:
    """Stationary variance at the knots relative to that under white noise, by recursion over one interval."""
    decayed = math.exp(-step)
    late = step - 1 + decayed
    early = (1 - decayed) * step - late
    early, late = early / step, late / step
    cross = late / step
    return 2 * (2 * decayed * early * cross + (early**2 + late**2) / step) / (1 - decayed**2)


def test_a_sample_plays_the_same_noise_in_an_ensemble_as_alone():
    """Not given any, both take the flow's own knots, which are closer here than elsewhere."""
    circuit = compile(langevin(Langevin("10*(x**2 - 1)**2", ["x"], 0.5)))
    times = np.linspace(0.0, 2.0, 9)
    among = ensemble(circuit, 2, time_constants=2.0, save=times)
    alone = follow(degrade(circuit, sample=1), times)
    assert np.allclose(among.values["x"][1], alone.values["x"], rtol=0, atol=1e-9)
    assert among.record["noise_step"] == circuit.noise.step == circuit.flow.noise_step < 0.05


def test_the_bias_law_averaged_over_time():
    """Over all times, not at knots only, the variance is low by (7/15) NT/τ."""
    noise = Noise(1.0, seed=3, step=0.5)
    save = np.arange(6.0, 40.0, 0.0625)
    run = ensemble(ornstein_uhlenbeck(16), 60, noise=noise, time_constants=40.0, save=save)
    variance = run.values["x"].var()
    independent = 16 * 60 * 34 / 2  # one independent value per 2 τ, at least
    assert within(variance, 0.5 * noise.variance_share(), int(independent))
    assert not within(variance, 0.5, int(independent))


@pytest.mark.slow
@pytest.mark.ngspice
def test_variance_of_an_ornstein_uhlenbeck_process_in_ngspice():
    noise = Noise(0.3, seed=8, step=0.2)
    circuit = degrade(ornstein_uhlenbeck(16), noise=noise)
    run = simulate(netlist(circuit, time_constants=400.0))
    times = np.arange(10.0, 400.0, 0.4)
    values = np.array([np.interp(times, run.time, run.values["x"][:, k]) for k in range(16)])
    # Values 0.4 τ apart are correlated by e^-0.4: (1 + e^-0.8)/(1 − e^-0.8) of them count as one for a variance.
    count = values.size * (1 - math.exp(-0.8)) / (1 + math.exp(-0.8))
    assert within(values.var(), 0.3**2 / 2 * noise_share_at_a_knot(0.2), int(count))
    assert parity(circuit, time_constants=40.0, largest_step=0.02).worst < 1e-4


def test_chunks_are_the_ensemble():
    circuit, noise = compile(capacity(PAPER)), Noise(0.05, seed=2)
    flaws = Imperfections(mismatch=0.01)
    whole = ensemble(circuit, 12, noise=noise, imperfections=flaws, time_constants=5.0, save=[0.0, 2.5, 5.0])
    chunks = list(
        ensemble_chunks(
            circuit, 12, noise=noise, imperfections=flaws, time_constants=5.0, save=[0.0, 2.5, 5.0], memory=8_000
        )
    )
    assert len(chunks) > 2
    np.testing.assert_allclose(np.concatenate([chunk.values["z"] for chunk in chunks]), whole.values["z"], rtol=1e-10)
    one = ensemble(circuit, [7], noise=noise, imperfections=flaws, time_constants=5.0)
    np.testing.assert_allclose(one.final["u"][0], whole.final["u"][7], rtol=1e-12)
    assert whole.to_xarray()["z"].dims == ("sample", "time", "z_component")
    np.testing.assert_allclose(whole.values["z"][:, -1], whole.final["z"], rtol=1e-12)
    np.testing.assert_allclose(whole.values["z"].sum(axis=-1), 1, atol=0.2)


def test_a_chunk_is_as_large_as_memory_allows():
    """One sample that does not fit is still run; otherwise twice the memory holds twice the samples."""
    circuit = compile(capacity(PAPER))

    def sizes(memory):
        chunks = ensemble_chunks(circuit, 64, noise=Noise(0.1), time_constants=1.0, memory=memory)
        return [len(chunk.samples) for chunk in chunks]

    assert sizes(1) == [1] * 64
    assert sizes(1e9) == [64]
    assert sizes(40_000)[0] == pytest.approx(2 * sizes(20_000)[0], abs=1)


def test_noise_at_the_end_is_that_of_the_last_knot():
    """Three times 0.3 falls short of 0.9 by a rounding error."""
    for step, end in ((0.3, 0.9), (0.35, 63.0), (0.7, 63.0), (0.1, 0.7)):
        run = ensemble(
            compile(capacity(PAPER)), 2, imperfections=Imperfections(noise_density=0.01), noise=Noise(0.0, 3, step=step),
            time_constants=end, save=[0.0, end],
        )  # fmt: skip
        np.testing.assert_allclose(run.final["z"], run.values["z"][:, -1], rtol=1e-9)


def test_switching_one_effect_on_leaves_the_noise_of_the_others():
    circuit, noise = compile(capacity(PAPER)), Noise(0.05, seed=2)
    alone = ensemble(circuit, 4, noise=noise, time_constants=5.0)
    among = ensemble(circuit, 4, noise=noise, imperfections=Imperfections(noise_density=1e-9), time_constants=5.0)
    np.testing.assert_allclose(alone.final["u"], among.final["u"], atol=1e-7)


def test_poles_start_where_their_blocks_do():
    start = {"u": np.log([0.9, 0.05, 0.05])}
    run = ensemble(
        compile(capacity(PAPER)), 2, imperfections=Imperfections(bandwidth=0.2), start=start, save=[0.0], time_constants=1.0
    )
    np.testing.assert_allclose(run.values["z"][:, 0], [[0.9, 0.05, 0.05]] * 2, rtol=1e-12)


def test_a_sample_whose_steps_shrink_to_nothing_is_told_apart_from_one_that_runs_away():
    """x' = 1/(1 − x) reaches 1 at t = ½ with a rate that is not finite there."""

    def singular(x):
        return 1.0 / (1.0 - x)

    run = ensemble(compile(Flow(singular, {"x": np.array([0.0])})), 1, time_constants=2.0)
    assert run.outcomes == (Outcome.STUCK,)
    assert run.end[0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("time", [2.0, pytest.param(4.0, marks=pytest.mark.slow)])
def test_an_ensemble_member_is_the_single_circuit(time):
    noise, flaws = Noise(0.02, seed=6), Imperfections(mismatch=0.02, offset=1e-3, bandwidth=20.0)
    circuit = compile(capacity(PAPER))
    run = ensemble(circuit, 3, noise=noise, imperfections=flaws, time_constants=time, step_accuracy=1e-9)
    alone = simulate(netlist(degrade(circuit, flaws, noise=noise, sample=2), time_constants=time), engine="block")
    np.testing.assert_allclose(alone.final["z"], run.final["z"][2], atol=1e-6)


def test_a_circuit_that_ran_under_other_conditions_before_runs_as_a_fresh_one():
    used, moved = compile(capacity(PAPER)), {"u": np.array([0.1, -0.2, 0.3])}
    for noise, flaws, start, only in (
        (Noise(0.01), Imperfections(), None, None),
        (Noise(0.02), Imperfections(), None, None),
        (Noise(0.02, seed=3), Imperfections(), moved, None),
        (Noise(0.02, step=0.05), Imperfections(), None, None),
        (Noise(0.02, shares=(("u", 0.5),)), Imperfections(), None, None),
        (Noise(0.02), Imperfections(bandwidth=500.0), None, None),
        (Noise(0.02), Imperfections(bandwidth=500.0), None, ["softmax0"]),
        (Noise(0.02), Imperfections(mismatch=0.01), None, None),
    ):
        asked = {"noise": noise, "imperfections": flaws, "start": start, "only": only, "time_constants": 2.0}
        again, fresh = ensemble(used, 3, **asked), ensemble(compile(capacity(PAPER)), 3, **asked)
        for name in fresh.final:
            np.testing.assert_array_equal(again.final[name], fresh.final[name])


def test_samples_that_blow_up_are_counted_and_the_others_end():
    run = ensemble(compile(capacity(PAPER, form="printed")), 12, noise=Noise(1e-3, seed=7), time_constants=60.0)
    kinds = {outcome.name for outcome in run.outcomes}
    assert kinds == {"BLEW_UP", "COMPLETED"}  # one way off the simplex it explodes, the other way it does not
    assert (run.end[run.ok] == 60.0).all()
    assert (run.end[~run.ok] < 60.0).all()
    assert "blew_up" in repr(run)


def test_samples_settle_each_at_its_own_time():
    start = {"u": np.log(np.random.default_rng(3).dirichlet(np.ones(3), 20))}
    run = ensemble(compile(capacity(PAPER)), 20, start=start, resting_speed=1e-9, time_constants=1000.0)
    assert set(run.outcomes) == {Outcome.SETTLED}
    np.testing.assert_allclose(run.final["capacity_nats"], CHANNELS[0].capacity_nats, atol=1e-12)
    assert len(set(run.end)) > 10


def test_a_sample_that_rests_off_its_manifold_ends_as_one_run_does():
    circuit = compile(capacity(PAPER, form="printed"), stabilise=False)
    start = {"z": np.array([0.2, 0.17, 0.1])}
    run = ensemble(circuit, 2, start=start, resting_speed=1e-9, time_constants=1000.0)
    assert set(run.outcomes) == {Outcome.LEFT_MANIFOLD}
    assert "off by" in run.details[0]
    assert not run.ok.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, r"samples: 0 is not a number of samples from 1"),
        ({"samples": [-1]}, r"sample: -1 is not a whole number from 0"),
        ({"samples": []}, r"samples: \[\] is neither a number of samples nor a list of them with at least one"),
        ({"samples": 2.5}, r"samples: 2.5 is neither"),
        ({"samples": [1.7]}, r"sample: 1.7 is not a whole number"),
        ({"step_accuracy": math.nan}, r"step_accuracy: nan is not a positive number"),
        ({"step_accuracy": 0.0}, r"step_accuracy: 0.0 is not a positive number"),
        ({"step_accuracy": 0.5}, r"step_accuracy: 0.5 is not a relative error of 0.1 or less"),
        ({"memory": math.nan}, r"memory: nan is not a positive number"),
        ({"resting_speed": math.nan}, r"resting_speed: nan is not a speed"),
        ({"only": ["typo"]}, r"only: 'typo' is not a block of the circuit; there are: integrator0"),
        ({"time_constants": math.nan}, r"time_constants: nan is not a positive number"),
        ({"save": [2.0, 1.0]}, r"save: must be ascending times"),
        ({"save": [0.0, 100.0]}, r"save: must be ascending times from 0 to 60"),
        ({"start": {"v": [0.0]}}, r"start: 'v' is not a state; there are: u"),
        ({"start": {"u": [0.0, 1.0]}}, r"start: 'u' has shape \(2,\), but needs"),
        ({"start": {"u": [0.0, 1.0, math.inf]}}, r"start: 'u' has a value that is not finite"),
        ({"noise": Noise(0.1), "resting_speed": 1e-6}, r"a run with noise never comes to rest"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    arguments = {"samples": 2} | arguments
    with pytest.raises(BadInput, match=message):
        ensemble(compile(capacity(PAPER)), arguments.pop("samples"), **arguments)


def test_an_imperfect_circuit_is_refused():
    with pytest.raises(BadInput, match=r"imperfect already"):
        ensemble(degrade(compile(capacity(PAPER)), Imperfections(dc_gain=100.0)), 2)


@pytest.mark.parametrize("size", [0.5, 3.0, 100.0])
def test_every_sample_settles_whatever_its_size(size):
    """Large states tremble about their rest by the method's own error, which goes with their size."""
    flow = Flow(lambda x, target: target - x, {"x": np.zeros(1)}, constants={"target": np.array([size])})
    given = {"imperfections": Imperfections(mismatch=0.01), "time_constants": 200.0, "resting_speed": 1e-9}
    run = ensemble(compile(flow), 200, **given)
    assert {outcome.name for outcome in run.outcomes} == {"SETTLED"}
    assert run.end.max() < 100.0
    assert run.final["x"].std() / size == pytest.approx(0.0177, abs=0.003)


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_an_ensemble_follows_its_samples_as_closely_as_simulate_does(sigma):
    """Amid noise to 1e-5 a step, else to 1e-7: whoever asks, and whether it says so or not."""
    circuit, noise, flaws = compile(capacity(PAPER)), Noise(sigma, seed=3), Imperfections(mismatch=0.01)
    given = {"noise": noise, "imperfections": flaws, "time_constants": 20.0}
    run = ensemble(circuit, 1, **given)
    assert run.each.asked["step_accuracy"] == (1e-5 if sigma else 1e-7)
    alone = simulate(netlist(degrade(circuit, flaws, noise=noise), time_constants=20.0), engine="block")
    np.testing.assert_allclose(run.final["z"][0], alone.final["z"], rtol=0, atol=1e-13)
    other = ensemble(circuit, 1, **given, step_accuracy=1e-9)
    assert abs(run.final["z"] - other.final["z"]).max() > 1e-13
