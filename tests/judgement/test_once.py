"""What is exact is computed once for each problem, and what is read off a run once for each run, whatever a verb asks."""

import importlib

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.families import reference_of, stationary
from analogflow.judgement import restart
from analogflow.problems import Attention, Equations, Hopfield, Langevin, RateDistortion, Transport

PROBLEMS = {
    "capacity": (PAPER, "capacity_reference"),
    "rate_distortion": (
        RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0),
        "rate_distortion_reference",
    ),
    "transport": (
        Transport(cost=1 - np.eye(3), row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
        "transport_reference",
    ),
    "attention": (
        Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=4.0),
        "attention_reference",
    ),
    "hopfield": (Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], temperature=0.0), "hopfield_reference"),
    "langevin": (Langevin(energy="x**2/2", variables=["x"], temperature=0.5), "boltzmann_law"),
    "custom": (Equations({"x": np.array([1.0, 2.0])}, {"x": "1 - x"}), "equations_reference"),
}  # fmt: skip


@pytest.fixture
def computed(monkeypatch):
    """Names of what is computed, one entry for each time."""
    calls, seen = [], []
    for family, (_, name) in PROBLEMS.items():
        module = importlib.import_module(f"analogflow.families.{family}")
        monkeypatch.setattr(module, name, counted(getattr(module, name), calls))
    for module in ("analogflow.families.langevin", "analogflow.families.hopfield", "analogflow.judgement.restart"):
        module = importlib.import_module(module)
        monkeypatch.setattr(module, "law_of", counted(stationary.law_of, seen))
    reference_of.cache_clear()
    return calls, seen


def counted(function, calls):
    def called(*given, **named):
        calls.append(function.__name__)
        return function(*given, **named)

    return called


@pytest.mark.parametrize("family", PROBLEMS)
def test_solve_computes_one_reference(family, computed):
    problem, name = PROBLEMS[family]
    af.solve(problem, engine="block", time_constants=400.0 if family == "langevin" else None)
    assert computed[0] == [name]


@pytest.mark.parametrize("family", PROBLEMS)
def test_verify_computes_one_reference_or_one_for_each_path(family, computed):
    problem, name = PROBLEMS[family]
    af.verify(problem, engine="block", time_constants=400.0 if family == "langevin" else None)
    assert computed[0] == [name] * (2 if family == "attention" else 1)
    assert computed[1] == ["law_of"] * (2 if family == "langevin" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["transport", "hopfield"])
def test_compare_computes_one_reference(family, computed):
    problem, name = PROBLEMS[family]
    af.compare(problem, accuracy=1e-2, seconds=5.0)
    assert computed[0] == [name]


def test_a_law_that_is_not_certified_is_read_by_the_restart_itself():
    flow = af.flows.langevin(PROBLEMS["langevin"][0])
    values = np.random.default_rng(0).normal(0.0, np.sqrt(0.5), (2, 20_000, 1))
    runs = [af.Run(np.linspace(0.0, 1e5, 20_000), {"x": value}, af.Outcome.COMPLETED) for value in values]
    nothing = af.Certificate({}, {}, np.nan, {}, ())
    found = restart._laws_agree(flow, *((run, nothing) for run in runs))
    assert found.name == "confirmed"
    assert 0 < found.distance < 0.1
