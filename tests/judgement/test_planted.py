"""An error planted into a right answer is one number, whoever judges it: certificate, study, restart or comparison."""

import dataclasses

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.comparison.judge import judge_of
from analogflow.errors import BadInput
from analogflow.families import family_of
from analogflow.judgement import restart as restarts
from analogflow.judgement.judging import batched
from analogflow.problems import Attention, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.studies.sampling import _rows_of as rows_of

SIZE = 0.01
"""Of what is planted, in flow units."""


@dataclasses.dataclass(frozen=True)
class Planted:
    """A problem, the signal whose end is spoiled, by which parts of `SIZE`, and what one error then is, told beforehand."""

    problem: object
    signal: str
    by: tuple[float, ...]
    error: str
    expected: float | None


def told_of(channel_rows, z):
    """Certified gap of an input distribution, nats, written out."""
    P = np.asarray(channel_rows, dtype=float)
    w = np.array([sum(p * np.log(p / q) for p, q in zip(row, z @ P, strict=True) if p > 0) for row in P])
    return max(w) - z @ w


CASES = {
    "capacity": Planted(PAPER, "z", (1.0, -1.0, 0.0), "input_distribution", SIZE),
    "rate-distortion": Planted(
        RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0), "q", (1.0, -1.0, 0.0), "reproduction",
        SIZE,
    ),
    "transport": Planted(
        Transport(cost=1 - np.eye(2), row=[0.5, 0.5], column=[0.4, 0.6], epsilon=0.5), "plan", (1.0, 0.0, 0.0, 0.0),
        "marginals", 2 * SIZE,
    ),
    "attention": Planted(
        Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=4.0),
        "x", (1.0,) + 8 * (0.0,), "tokens", SIZE,
    ),
    "hopfield": Planted(
        Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], temperature=0.0), "v", (0.0, -1.0), "mean", SIZE
    ),
    "langevin": Planted(Langevin(energy="(x - 1)**2/2", variables=["x"], temperature=0.0), "x", (-1.0,), "mean", SIZE),
    "custom": Planted(Equations({"x": np.array([0.0, 0.5])}, {"x": "1 - x"}), "x", (0.0, -1.0), "x", SIZE),
}  # fmt: skip


def spoiled(run: af.Run, case: Planted) -> af.Run:
    """A run whose last row alone is wrong."""
    values = {name: value.copy() for name, value in run.values.items()}
    values[case.signal][-1] += SIZE * np.array(case.by)
    return dataclasses.replace(run, values=values)


@pytest.mark.parametrize("family", CASES)
def test_a_planted_error_is_one_number(family, monkeypatch):
    case = CASES[family]
    solution = af.solve(case.problem, engine="block")
    run = spoiled(solution.run, case)
    assert solution.passed
    certificate = af.certify(case.problem, run)
    number = certificate.errors[case.error]
    assert number == pytest.approx(case.expected, rel=1e-3)
    assert not certificate.passed

    rows = rows_of(solution.circuit, batched(run), run.end, [""], certified=False)
    record = family_of(case.problem)
    in_rows = {
        name: float(rows["error" if name == record.primary else f"error_{name}"][0])
        for name in certificate.errors
        if name == record.primary or f"error_{name}" in rows
    }
    assert case.error in in_rows
    assert in_rows == {name: pytest.approx(certificate.errors[name], rel=1e-12, abs=1e-15) for name in in_rows}

    # A restart judges what comes of it itself, each token by the path from where it was pushed to.
    seen, simulate, judge = [], restarts.simulate, restarts.judge
    monkeypatch.setattr(restarts, "simulate", lambda *given, **named: spoiled(simulate(*given, **named), case))
    monkeypatch.setattr(restarts, "judge", lambda *given, **named: seen.append(judge(*given, **named)) or seen[-1])
    second, verdict = restarts.restart(solution.circuit, solution.run, engine="block", delta=0.3, distance=0.03)
    assert verdict.name == "not settled"
    assert verdict.why.startswith("The second run failed: ")
    # Errors of equations count in the full scale of each path, which goes as high as its start.
    scale = float(abs(second.values["x"]).max()) if family == "custom" else 1.0
    assert seen[-1].errors[case.error][0] * scale == pytest.approx(number, rel=1e-3)
    assert restarts.restart(solution.circuit, run, engine="block", delta=0.3, distance=0.03)[1].name == "wrong answer"

    # A comparison has no path, and counts in units of its own.
    if family in ("langevin", "custom"):
        with pytest.raises(BadInput, match=r"has no law to compare|has no digital contenders"):
            judge_of(case.problem)
        return
    contest, ends = judge_of(case.problem), batched(run).final
    found = float(contest.errors({name: ends[name] for name in contest.contest.signals if name in ends})[0])
    told = max(certificate.errors[name] / unit for name, unit in contest.contest.errors.items())
    assert found == pytest.approx(told + contest.contest.gap, rel=1e-9)


def test_the_number_for_a_channel_is_the_gap_written_out():
    solution = af.solve(PAPER, engine="block")
    run = spoiled(solution.run, CASES["capacity"])
    gap = told_of(PAPER.transition, run.final["z"])
    assert af.certify(PAPER, run).errors["certified_gap_nats"] == pytest.approx(gap, rel=1e-9)
    assert judge_of(PAPER).error(run.final["z"]) == pytest.approx(gap, rel=1e-9)


def test_a_planted_shift_of_a_law_is_one_number():
    problem = Langevin(energy="x**2/2", variables=["x"], temperature=0.5)
    values = np.random.default_rng(0).normal(0.0, np.sqrt(0.5), (20_000, 1)) + 0.3
    run = af.Run(np.linspace(0.0, 1e5, 20_000), {"x": values}, af.Outcome.COMPLETED)
    flow, certificate = af.flows.langevin(problem), af.certify(problem, run)
    assert not certificate.passed
    assert certificate.errors["mean"] == pytest.approx(0.3, abs=0.02)
    rows = rows_of(af.compile(flow), batched(run), 1e5, [""], certified=False)
    assert rows["error"][0] == pytest.approx(certificate.errors["mean"], rel=1e-12)
    assert certificate.law is not None
    told = judge_of(problem).error((certificate.law.mean, certificate.law.covariance))
    assert told == pytest.approx(certificate.errors["mean"] / np.sqrt(0.5), rel=1e-6)
    right = dataclasses.replace(run, values={"x": values - 0.3})
    both = [(right, af.certify(problem, right)), (run, certificate)]
    assert restarts._laws_agree(flow, *both).name == "not settled"
    assert restarts._laws_agree(flow, *both).distance == pytest.approx(0.3, abs=1e-9)
