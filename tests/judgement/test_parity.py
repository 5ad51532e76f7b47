"""The block engine and ngspice on the same realisation: the same path, with noise and without, for every imperfection."""

import numpy as np
import pytest
from zoo import PAPER

from analogflow.blocks import Imperfections
from analogflow.blocks.imperfections import EFFECTS
from analogflow.compiler import compile, degrade
from analogflow.flows import Flow, capacity
from analogflow.graph import comparator, normalise, softmax, switch
from analogflow.judgement import parity
from analogflow.noise import Noise
from analogflow.problems import Channel
from analogflow.run import Outcome
from analogflow.simulators.block import follow

pytestmark = pytest.mark.ngspice

STABILISED = ("logdomain", "replicator", "normalised")
VALUES = {
    "gain_error": 0.01,
    "offset": 1e-3,
    "bandwidth": 10.0,
    "noise_density": 1e-3,
    "saturation": 0.9,
    "dc_gain": 1e3,
    "resolution": 6.0,
    "mismatch": 0.01,
    "temperature_kelvin": 320.0,
}
SILENT = 1e-6
"""Largest difference without noise, of full scale; the largest step of 0.02 τ rules it."""

KINKED = 1e-4
"""The same where a limiter bends the path between two of ngspice's points."""

NOISY = 1e-3
"""Largest difference path by path with noise, of full scale, at ngspice's own steps of one knot."""


@pytest.fixture
def agree():
    """Compare both engines on one realisation of any flow, imperfections and seed."""

    def compare(flow, imperfections=None, *, noise=None, sample=0, time_constants=50.0, largest_step=None):
        circuit = degrade(compile(flow), imperfections, noise=noise, sample=sample)
        return parity(circuit, time_constants=time_constants, largest_step=largest_step)

    return compare


def random_channel(seed: int) -> Channel:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 17, size=2)
    return Channel(rng.dirichlet(np.ones(m), n))


@pytest.mark.few(4)
@pytest.mark.parametrize("seed", [k if k < 9 else pytest.param(k, marks=pytest.mark.slow) for k in range(20)])
def test_random_channels_without_noise(agree, seed):
    form = STABILISED[seed % 3]
    found = agree(capacity(random_channel(seed), form=form), largest_step=0.02)
    assert found.outcomes == (Outcome.COMPLETED, Outcome.COMPLETED)
    assert found.worst <= SILENT


@pytest.mark.slow
@pytest.mark.parametrize("form", STABILISED)
@pytest.mark.parametrize("seed", range(20))
def test_random_channels_without_noise_in_every_form(agree, seed, form):
    assert agree(capacity(random_channel(seed), form=form), largest_step=0.02).worst <= SILENT


@pytest.mark.parametrize("form", STABILISED)
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2))])
def test_paths_with_noise(agree, seed, form):
    found = agree(capacity(PAPER, form=form), noise=Noise(0.01, seed), sample=seed)
    assert found.worst <= NOISY
    assert found.points >= 500


@pytest.mark.slow
@pytest.mark.parametrize("form", STABILISED)
@pytest.mark.parametrize("seed", range(20))
def test_random_channels_with_noise(agree, seed, form):
    """The replicator form may run away from its basin with noise: then both engines say so."""
    assert agree(capacity(random_channel(seed), form=form), noise=Noise(0.01, seed)).worst <= NOISY


def test_a_path_that_runs_away_runs_away_in_both(agree):
    found = agree(capacity(PAPER, form="printed"), noise=Noise(1e-3, 7), time_constants=60.0)
    assert found.outcomes == (Outcome.BLEW_UP, Outcome.BLEW_UP)
    assert found.worst <= 1e-2  # the manifold repels, so differences grow as deviations do


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("form", [STABILISED[0], *(pytest.param(form, marks=pytest.mark.slow) for form in STABILISED[1:])])
def test_each_imperfection_alone(agree, form, effect):
    value = 1.2 if (effect, form) == ("saturation", "logdomain") else VALUES[effect]
    noisy = effect == "noise_density"
    found = agree(
        capacity(PAPER, form=form), Imperfections(**{effect: value}), sample=3,
        time_constants=20.0, largest_step=None if noisy else 0.02,
    )  # fmt: skip
    assert found.worst <= (NOISY if noisy else KINKED if effect == "saturation" else SILENT)


@pytest.mark.parametrize(
    ("form", "time"), [("logdomain", 2.0), *(pytest.param(form, 6.0, marks=pytest.mark.slow) for form in STABILISED)]
)
def test_all_imperfections_together_with_noise(agree, form, time):
    flaws = Imperfections(**(VALUES | {"saturation": 10.0}))
    assert agree(capacity(PAPER, form=form), flaws, noise=Noise(0.01, 5), sample=3, time_constants=time).worst <= NOISY


def test_an_imperfection_that_one_engine_ignored_would_be_seen():
    """The twin: each effect moves the path by far more than the engines differ."""
    ideal, times = compile(capacity(PAPER)), np.linspace(0, 20, 201)
    for effect in EFFECTS:
        real = degrade(ideal, Imperfections(**{effect: VALUES[effect]}), sample=3)
        moved = abs(follow(real, times).values["u"] - follow(ideal, times).values["u"]).max()
        assert moved > 100 * SILENT, effect


def test_saturation_that_bites(agree):
    def push(x):
        return 0 * x + np.array([1.0, -0.7])

    found = agree(Flow(push, {"x": np.zeros(2)}), Imperfections(saturation=1.5), time_constants=6.0, largest_step=0.005)
    assert found.full_scale["x"] == pytest.approx(1.55, abs=1e-3)  # where the clamp of 20 per τ holds a rate of 1
    assert found.worst <= KINKED


def test_every_kind_of_block(agree):
    """A flow nobody would want that goes through all nonlinear blocks, imperfect, with noise."""

    def everything(x, y):
        share = softmax(x, tail=0.8, offsets=[0.0, 0.1, -0.2])
        part = normalise(y + 1.5)
        product = np.tanh(x) * np.exp(-y) / (1.0 + np.square(part))
        gate = switch(np.sqrt(np.maximum(x + 1.0, 0.0)), comparator(share[0], part[1], width=0.1))
        return 0.5 * gate - x, share + product - np.array([[1.0, 0.2, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 1.0]]) @ y

    flow = Flow(everything, {"x": np.array([0.3, 0.1, -0.2]), "y": np.array([0.1, 0.2, 0.3])})
    flaws = Imperfections(**(VALUES | {"saturation": 10.0, "bandwidth": np.inf}))
    assert agree(flow, time_constants=10.0, largest_step=0.01).worst <= 1e-5
    assert agree(flow, flaws, noise=Noise(0.01, 4), sample=1, time_constants=10.0).worst <= NOISY


@pytest.mark.parametrize("form", STABILISED)
def test_the_difference_falls_with_the_square_of_the_largest_step(agree, form):
    found = [agree(capacity(PAPER, form=form), time_constants=20.0, largest_step=step).worst for step in (0.08, 0.04, 0.02)]
    assert np.log2(found[0] / found[2]) / 2 == pytest.approx(2.0, abs=0.25)


def test_more_sources_than_one_table_holds(agree):
    def decay(x):
        return -x

    assert agree(Flow(decay, {"x": np.zeros(40)}), noise=Noise(0.1, 3), time_constants=5.0).worst <= NOISY
