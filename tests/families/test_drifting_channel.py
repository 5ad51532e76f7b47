"""A circuit that runs after the capacity of a drifting channel: closed forms, the predicted lag, and what is refused."""

import json
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import xlogy

import analogflow as af
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families import FAMILIES, reference_of
from analogflow.families.files import keys_of, problem_of_keys
from analogflow.families.plugins.drifting_channel import DriftingChannel, lag_of
from analogflow.judgement.judging import judge
from analogflow.problems import Channel
from analogflow.reference.capacity import capacity_reference

engines = pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
BSC = [["1 - p", "p"], ["p", "1 - p"]]
Z = [[1, 0], ["p", "1 - p"]]


def h(p):
    return -float(xlogy(p, p) + xlogy(1 - p, 1 - p))


def z_channel(p):
    """Share of the input that may be confused and the capacity in nats, of the Z channel's closed form."""
    s = math.exp(h(p) / (1 - p))
    return 1 / ((1 - p) * (1 + s)), math.log(1 + 1 / s)


def check_of(solution, words):
    (check,) = [check for check in solution.certificate.checks if words in check.name]
    return check


@engines
def test_the_optimum_of_a_symmetric_channel_stays_uniform_while_its_capacity_drifts(engine):
    problem = DriftingChannel(BSC, {"p": "0.1 + 0.08*sin(0.3*t)"}, time=30.0)
    solution = af.solve(problem, engine=engine)
    assert solution.passed
    found = reference_of(problem, 30.0)
    wanted = [math.log(2) - h(0.1 + 0.08 * math.sin(0.3 * t)) for t in found.times]
    np.testing.assert_allclose(found.worths, wanted, atol=1e-12)
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(found.optima, 0.5, atol=1e-9)
    assert solution.certificate.errors["lag"] < 1e-6
    assert solution.certificate.answer["capacity_nats"] == pytest.approx(wanted[-1], abs=1e-8)


@engines
def test_the_lag_behind_the_closed_form_of_a_z_channel_is_the_predicted_one(engine):
    problem = DriftingChannel(Z, {"p": "0.3 + 0.1*sin(0.1*t)"}, time=60.0)
    solution = af.solve(problem, engine=engine)
    assert solution.passed
    assert solution.certificate.errors["z"] <= 1e-6
    found = reference_of(problem, 60.0)
    for k, t in enumerate(found.times):
        share, capacity = z_channel(0.3 + 0.1 * math.sin(0.1 * t))
        np.testing.assert_allclose(found.optima[k], [1 - share, share], atol=1e-9)
        assert found.worths[k] == pytest.approx(capacity, abs=1e-12)
    # One number tells all: d/dt of the share is (share* − share) S, by differences of the closed form.
    t, d = 60.0, 1e-5
    p = [0.3 + 0.1 * math.sin(0.1 * at) for at in (t - d, t, t + d)]
    share = [z_channel(one)[0] for one in p]
    motion = (share[2] - share[0]) / (2 * d)
    q = 1 - share[1] * (1 - p[1])
    rate = share[1] * (1 - share[1]) * (1 - p[1]) ** 2 / (q * (1 - q))
    assert found.lags[-1, 1] == pytest.approx(-motion / rate, rel=1e-4)
    measured = solution.certificate.answer["lag"][1]
    assert measured == pytest.approx(solution.certificate.answer["input_distribution"][1] - share[1], abs=1e-9)
    assert measured == pytest.approx(-motion / rate, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_the_predicted_motion_is_that_of_optima_a_moment_apart_and_the_rates_those_of_the_flow(seed):
    rng = np.random.default_rng(seed)
    one, other = np.eye(3) * 4 + rng.random((2, 3, 3))
    one, other = one / one.sum(axis=1, keepdims=True), other / other.sum(axis=1, keepdims=True)
    problem = DriftingChannel(channels=[one, other], times=[0.0, 10.0], time=10.0)
    P, moving, d = problem.matrix.at(5.0), problem.matrix.rate(5.0), 1e-2
    np.testing.assert_allclose(moving, (other - one) / 10, atol=1e-9)
    z = capacity_reference(Channel(P)).input_distribution
    ahead, behind = (capacity_reference(Channel(P + s * d * moving)).input_distribution for s in (1, -1))
    motion = (ahead - behind) / (2 * d)
    # S by differences of the printed replicator flow, whose slowest direction leaves the simplex.
    flow = af.flows.capacity(Channel(P), form="replicator")
    S = np.array([(flow.rates(z=z - e)["z"] - flow.rates(z=z + e)["z"]) / 2e-6 for e in 1e-6 * np.eye(3)]).T
    lag = lag_of(P, moving, z)
    assert lag.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(S @ lag, -motion, atol=1e-5)


def test_the_path_is_that_of_the_equation_integrated_in_the_plainest_way():
    problem = DriftingChannel(Z, {"p": {"times": [0, 5, 9], "values": [0.1, 0.5, 0.2]}}, time=12.0, start=[0.2, 0.8])

    def rate(t, y):
        p = np.interp(t, [0, 5, 9], [0.1, 0.5, 0.2])
        q = y[0] + y[1] * p, y[1] * (1 - p)
        w = -math.log(q[0]), p * math.log(p / q[0]) + (1 - p) * math.log((1 - p) / q[1])
        mean = y[0] * w[0] + y[1] * w[1]
        return y[0] * (w[0] - mean), y[1] * (w[1] - mean)

    run = solve_ivp(rate, (0, 12), [0.2, 0.8], method="Radau", rtol=1e-10, atol=1e-12, max_step=0.02)
    found = reference_of(problem, 12.0)
    np.testing.assert_allclose(found.on_path[-1], run.y[:, -1], atol=1e-8)
    np.testing.assert_allclose(af.solve(problem, engine="block").run.final["z"], run.y[:, -1], atol=1e-7)


@pytest.mark.slow
def test_slower_drifts_have_lags_in_proportion_and_a_smaller_departure_from_the_first_order():
    departures, lags = [], []
    for slow in (2, 4, 8):
        problem = DriftingChannel(Z, {"p": f"0.3 + 0.1*sin(0.2*t/{slow})"}, time=50.0 * slow)
        solution = af.solve(problem, engine="block")
        assert solution.passed
        lags.append(solution.certificate.errors["lag"])
        departures.append(solution.certificate.errors["beyond"])
    np.testing.assert_allclose(np.array(lags[:-1]) / lags[1:], 2, rtol=0.1)
    np.testing.assert_allclose(np.array(departures[:-1]) / departures[1:], 4, rtol=0.3)


@engines
def test_a_drift_too_fast_to_follow_fails_the_verdict_though_the_path_is_right(engine):
    solution = af.solve(DriftingChannel(Z, {"p": "0.3 + 0.25*sin(2*t)"}, time=20.0), engine=engine)
    assert not solution.passed
    check = check_of(solution, "the lag is that of the first order")
    assert not check.passed
    assert "the drift is too fast for the circuit" in check.detail
    assert check_of(solution, "follows the path").passed


def test_a_start_that_is_not_forgotten_fails_the_verdict():
    problem = DriftingChannel(BSC, {"p": "0.2"}, time=10.0, saved=[0.5], start=[0.9, 0.1])
    assert not check_of(af.solve(problem, engine="block"), "the lag").passed


def test_runs_of_another_channel_do_not_pass():
    problem = DriftingChannel(Z, {"p": "0.3 + 0.1*sin(0.1*t)"}, time=60.0)
    stands = DriftingChannel(Z, {"p": 0.3}, time=60.0)
    run = af.solve(stands, engine="block").run
    found = judge(problem, {n: v[None] for n, v in run.final.items()}, paths={n: v[None] for n, v in run.values.items()},
                  times=run.time, end=60.0)  # fmt: skip
    assert not found.passed.any()
    assert found.errors["beyond"][0] > found.reference.allowed


def test_two_optima_have_no_lag():
    twins = DriftingChannel([["1-p", "p"], ["1-p", "p"], ["p", "1-p"]], {"p": "0.1+0.001*t"}, time=10.0)
    with pytest.raises(af.SimulationFailed, match="the optimum of the channel is not the only one"):
        reference_of(twins, 10.0)


BAD = {
    "nothing": ({}, r"give channel, with entries that are functions of t, or channels and their times"),
    "both": (dict(channel=BSC, channels=[[[1, 0], [0, 1]]] * 2, times=[0, 1]), r"give channel, .* or channels and"),
    "no time": (dict(channel=Z, inputs={"p": 0.2}, time=0), r"time is 0; give the end of the run"),
    "time nan": (dict(channel=Z, inputs={"p": 0.2}, time=math.nan), r"time is nan; give the end of the run"),
    "unknown name": (dict(channel=BSC), r"channel, row 1, column 1, .*: unknown name 'p'"),
    "no expression": (dict(channel=[["1 -", 1], [0, 1]]), r"channel, row 1, column 1: .* can not be read"),
    "a list in a row": (dict(channel=[[[1], 0], [0, 1]]), r"channel, row 1, column 1: \[1\] is not an expression"),
    "nan": (dict(channel=[[math.nan, 1], [0, 1]]), r"channel, row 1, column 1: nan is not a finite number"),
    "ragged": (dict(channel=[[1], [0, 1]]), r"channel is no matrix; give rows of one length"),
    "text": (dict(channel="bsc"), r"channel is no matrix"),
    "a sum": (dict(channel=[["0.5 + 0.1*t", 0.5], [0, 1]]), r"row 1 sums to .* at t = 0\.0.*, not to 1"),
    "negative": (dict(channel=[["1.2 - 0.1*t", "0.1*t - 0.2"], [0, 1]]), r"row 1, column 2 is -0\.2 at t = 0"),
    "infinite": (dict(channel=[["1/t", "1 - 1/t"], [0, 1]]), r"this can not be computed|is inf at t = 0"),
    "one input": (dict(channel=[["0.5", 0.5]]), r"the channel has one input"),
    "inputs a list": (dict(channel=Z, inputs=["p"]), r"inputs is \['p'\]; give functions of t by name"),
    "an input called t": (dict(channel=Z, inputs={"t": "1"}), r"'t' is no name for an input"),
    "points that fall": (dict(channel=Z, inputs={"p": {"times": [1, 0], "values": [0.1, 0.2]}}), r"inputs\.p: after the"),
    "one matrix": (dict(channels=[[[1, 0], [0, 1]]], times=[0]), r"channels is no list of two matrices or more"),
    "unlike shapes": (dict(channels=[np.eye(2), np.eye(3)], times=[0, 1]), r"channels differ in shape"),
    "no times": (dict(channels=[np.eye(2)] * 2), r"times has shape \(0,\); give a time in τ for each matrix"),
    "too few times": (dict(channels=[np.eye(2)] * 3, times=[0, 1]), r"there are 3 channels and 2 times"),
    "times that fall": (dict(channels=[np.eye(2)] * 2, times=[1, 0]), r"times must rise"),
    "times of a channel": (dict(channel=Z, inputs={"p": 0.2}, times=[0, 1]), r"times are of channels; leave them out"),
    "inputs of channels": (dict(channels=[np.eye(2)] * 2, times=[0, 1], inputs={"p": 1}), r"inputs are named by entries"),
    "saved late": (dict(channel=Z, inputs={"p": 0.2}, saved=[5, 11]), r"saved must be instants after 0, ascending"),
    "saved nan": (dict(channel=Z, inputs={"p": 0.2}, saved=[math.nan]), r"saved has nan"),
    "start of zero": (dict(channel=Z, inputs={"p": 0.2}, start=[1, 0]), r"start is no distribution of 2 inputs"),
    "start too long": (dict(channel=Z, inputs={"p": 0.2}, start=[0.2, 0.3, 0.5]), r"start is no distribution of 2 inputs"),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_with_what_is_allowed(reason):
    given, message = BAD[reason]
    with pytest.raises(BadInput, match=message):
        DriftingChannel(**{"time": 10.0, **given})


@pytest.mark.slow
def test_a_file_holds_either_kind_and_is_read_back(tmp_path, capsys):
    for keys in (
        {"channel": [[1.0, 0.0], ["p", "1 - p"]],
         "inputs": {"p": {"times": [0.0, 50.0], "values": [0.1, 0.2]}}, "time": 40.0},
        {"channels": [[[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.1, 0.9]]], "times": [0.0, 50.0], "time": 40.0,
         "saved": [30.0], "start": [0.25, 0.75]},
    ):  # fmt: skip
        assert keys_of(problem_of_keys("drifting-channel", keys, "here")) == keys
        path = tmp_path / "p.json"
        path.write_text(json.dumps(keys))
        assert main(["solve", "drifting-channel", str(path), "--engine", "block", "--json"]) == 0
        out = json.loads(capsys.readouterr().out)
        assert len(out["answer"]["lag"]) == 2
        assert out["reference"]["answer"]["instants"][-1] == 40.0
        path.write_text(json.dumps({**keys, "drift": 1}))
        assert main(["solve", "drifting-channel", str(path)]) == 2
        assert "unknown key 'drift'; a drifting channel has the keys channel, inputs, channels" in capsys.readouterr().err


def test_restarts_of_the_circuit_forget_where_they_began():
    problem = DriftingChannel(Z, {"p": "0.3 + 0.1*sin(0.1*t)"}, time=60.0)
    family = FAMILIES["drifting-channel"]
    other = family.started(problem, {"u": np.log([0.9, 0.1])})
    np.testing.assert_allclose(other.start, [0.9, 0.1])
    np.testing.assert_allclose(reference_of(other, 60.0).on_path[-1], reference_of(problem, 60.0).on_path[-1], atol=1e-8)


@pytest.mark.slow
@pytest.mark.ngspice
def test_op_amps_follow_it():
    assert af.solve(DriftingChannel(Z, {"p": "0.3 + 0.1*sin(0.1*t)"}, time=40.0), technology="opamp").passed
