"""Curves: closed forms, slopes as multipliers, straight pieces, circuits on the curve, and what is refused."""

import csv
import io
import itertools
import json
import math

import numpy as np
import pytest
from scipy.optimize import brentq
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.problems import Channel, RateDistortion
from analogflow.reference import capacity_reference, rate_distortion_point
from analogflow.reference.rate_distortion import GaussianGrid

HAMMING = [[0.0, 1.0], [1.0, 0.0]]


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p) if 0 < p < 1 else 0.0


def binary_source(p: float, beta: float = 1.0) -> RateDistortion:
    return RateDistortion([p, 1 - p], HAMMING, beta)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_a_binary_source_has_its_closed_form(p: float) -> None:
    """R(D) = h(p) − h(D), whose slope is −ln((1 − D)/D) (Shannon 1959)."""
    found = af.curve(binary_source(p))
    assert len(found.points) == 16
    assert found.points[-1].at == pytest.approx(min(p, 1 - p))
    for point in found.points[:-1]:
        exact = entropy(p) - entropy(point.at)
        assert point.lower - 1e-13 <= exact <= point.upper + 1e-13
        assert point.gap < 1e-11
        assert point.slope == pytest.approx(-math.log((1 - point.at) / point.at), abs=1e-9)
    assert (found.points[-1].lower, found.points[-1].upper) == (0.0, 0.0)


def test_several_symbols_at_hamming_distance() -> None:
    """R(D) = ln n − h(D) − D ln(n − 1) of n even symbols."""
    found = af.curve(RateDistortion([0.25] * 4, 1 - np.eye(4), 1.0), points=[0.1, 0.3, 0.6, 0.75, 2.0])
    for point in found.points[:3]:
        exact = math.log(4) - entropy(point.at) - point.at * math.log(3)
        assert point.lower - 1e-13 <= exact <= point.upper + 1e-13
    assert [point.upper for point in found.points[3:]] == [0.0, 0.0]


def test_an_erasing_reproduction_makes_a_straight_line() -> None:
    """With "unknown" at distortion 1 and errors at 100, R(D) is (1 − D) ln 2, as errors are worth next to nothing."""
    problem = RateDistortion([0.5, 0.5], [[0.0, 100.0, 1.0], [100.0, 0.0, 1.0]], 1.0)
    for D in (0.2, 0.5, 0.9):
        point = rate_distortion_point(problem, D)
        assert point.lower <= (1 - D) * math.log(2) + 1e-12
        assert point.upper == pytest.approx((1 - D) * math.log(2), abs=1e-9)
        assert point.upper - point.lower < 1e-9
        assert point.slope == pytest.approx(-math.log(2), rel=1e-6)


def test_a_gaussian_source_on_a_grid_is_near_its_own_curve() -> None:
    """½ ln(σ²/D) of the source without a grid."""
    point = rate_distortion_point(GaussianGrid(1.0, 2.0).problem(), 0.25)
    assert point.lower == pytest.approx(0.5 * math.log(4), abs=2e-3)
    assert point.slope == pytest.approx(-2.0, rel=1e-2)


def test_slopes_are_slopes_of_the_curve_and_it_is_convex() -> None:
    rng = np.random.default_rng(5)
    problem = RateDistortion(rng.dirichlet(np.ones(6)), rng.random((6, 7)), 1.0)
    found = af.curve(problem, points=12).points
    for left, right in itertools.pairwise(found):
        chord = (right.lower - left.lower) / (right.at - left.at)
        assert left.slope - 1e-9 <= chord <= right.slope + 1e-9
    at, step = found[4].at, 1e-5
    up, down = (rate_distortion_point(problem, at + sign * step).lower for sign in (1, -1))
    assert (up - down) / (2 * step) == pytest.approx(found[4].slope, rel=1e-4)


def test_random_curves_are_certified_between_ends() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        problem = RateDistortion(rng.dirichlet(np.ones(5)), rng.integers(0, 4, (5, 4)).astype(float), 1.0)
        for point in af.curve(problem, points=6).points:
            assert 0 <= point.gap < 1e-9
            assert point.lower >= 0


def test_a_noiseless_channel_spends_by_gibbs_along_its_curve() -> None:
    e = np.array([0.0, 1.0, 2.0, 5.0])

    def gibbs(s: float) -> np.ndarray:
        z = np.exp(-s * e)
        return z / z.sum()

    found = af.curve(Channel(np.eye(4), cost=e, cost_limit=1.0))
    assert found.points[-1].at == pytest.approx(2.0)
    for point in found.points[:-1]:
        s = brentq(lambda s, at=point.at: gibbs(s) @ e - at, 0, 60, xtol=1e-15)
        assert point.slope == pytest.approx(s, abs=1e-7)
        assert point.lower == pytest.approx(-(gibbs(s) @ np.log(gibbs(s))), abs=1e-11)
    assert found.points[-1].lower == pytest.approx(math.log(4))
    assert found.points[-1].slope == pytest.approx(0, abs=1e-6)


def test_an_erasure_channel_with_a_dear_symbol() -> None:
    """C(B) = (1 − e) h(B) up to B = ½ where only the second symbol costs; its slope is (1 − e) ln((1 − B)/B)."""
    e = 0.3
    channel = Channel(Channel.from_name("bec:0.3").transition, cost=[0, 1], cost_limit=0.2)
    for point in af.curve(channel, points=8).points:
        assert point.lower == pytest.approx((1 - e) * entropy(point.at), abs=1e-11)
        assert point.slope == pytest.approx((1 - e) * math.log((1 - point.at) / point.at), abs=1e-6)


def test_of_several_costs_one_is_traded_and_the_others_stay() -> None:
    channel = Channel(PAPER_ROWS, cost=[[0, 1, 3], [2, 0, 1]], cost_limit=[0.6, 0.9])
    first, second = af.curve(channel, points=6), af.curve(channel, points=6, which=1)
    assert first.points[0].at > 0.55  # the other limit keeps the cheapest input rare
    z = capacity_reference(channel)
    for traded, own in ((first, 0), (second, 1)):
        assert all(a.lower <= b.upper for a, b in itertools.pairwise(traded.points))
        same = af.curve(channel, points=[channel.cost_limits[own]], which=own).points[0]
        assert same.lower == pytest.approx(z.capacity_nats, abs=1e-12)
        assert same.slope == pytest.approx(z.prices[own], abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ("block", "ngspice")]
)
def test_circuits_lie_on_the_curve(engine: str) -> None:
    for problem, points in ((binary_source(0.4), 4), (Channel(PAPER_ROWS, cost=[0, 1, 3], cost_limit=0.3), 3)):
        told: list[float] = []
        found = af.curve(problem, points=points, engine=engine, on_progress=told.append)
        assert found.passed
        assert told == sorted(told)
        assert told[-1] == 1
        for point in found.points:
            if point.slope == 0 and isinstance(problem, RateDistortion):
                assert point.circuit is None
                continue
            assert point.circuit.at == pytest.approx(point.at, abs=1e-4)
            off = point.circuit.value - point.lower - point.slope * (point.circuit.at - point.at)
            assert abs(off) < 1e-6


def test_a_circuit_that_is_stopped_early_fails_and_so_does_the_curve(capsys) -> None:
    found = af.curve(binary_source(0.4), points=3, engine="block", time_constants=0.5)
    assert not found.passed
    name = "examples/data/rate_distortion_hamming.json"
    assert main(["curve", "rate-distortion", name, "--points", "2", "--engine", "block", "--time", "0.5"]) == 1
    assert "failed" in capsys.readouterr().out


def test_the_command_writes_table_json_csv_and_figure(tmp_path, capsys, monkeypatch) -> None:
    problem = {"transition": PAPER_ROWS, "cost": [0, 1, 3], "cost_limit": 0.3}
    (tmp_path / "c.json").write_text(json.dumps(problem))
    monkeypatch.chdir(tmp_path)
    assert main(["curve", "capacity", "c.json", "--points", "3"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("capacity against mean cost", "(nat)", "(bit)", "slope"))
    assert main(["curve", "capacity", "c.json", "--at", "0.3,0.1", "--json", "--csv", "c.csv", "--figure", "c.svg"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text())))
    assert [float(row["mean_cost"]) for row in rows] == [point["mean_cost"] for point in told["points"]] == [0.1, 0.3]
    exact = capacity_reference(Channel(**problem))
    assert float(rows[1]["capacity_nats"]) == pytest.approx(exact.capacity_nats, abs=1e-12)
    assert float(rows[1]["capacity_bits"]) == pytest.approx(exact.capacity_nats / math.log(2), abs=1e-12)
    assert float(rows[1]["slope_nats"]) == pytest.approx(exact.price, abs=1e-9)
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")
    assert main(["curve", "capacity", "c.json", "--csv", "c.csv"]) == 2
    assert main(["curve", "capacity", "c.json", "--figure", "c.svg"]) == 2
    assert main(["curve", "capacity", "c.json", "--points", "2", "--csv", "c.csv", "--figure", "c.svg", "--force"]) == 0
    assert main(["curve", "capacity", "poisson:peak=3,mean=1", "--points", "2"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["capacity", "bsc:0.1"], "has no cost; give cost and cost_limit, of ready channels mean= or power="),
        (["capacity", "poisson:peak=3,mean=1", "--cost", "2"], "has no cost 2; it has 1, counted from 1"),
        (["capacity", "poisson:peak=3,mean=1", "--at", "0"], "0.0 is no mean cost of this curve; give numbers above 0"),
        (["capacity", "poisson:peak=3,mean=1", "--at", "x"], "argument --at"),
        (["capacity", "poisson:peak=3,mean=1", "--at", "nan"], "nan is no mean cost"),
        (["capacity", "poisson:peak=3,mean=1", "--at", "1", "--points", "2"], "--at and --points both say where"),
        (["capacity", "poisson:peak=3,mean=1", "--points", "0"], "is not a whole number from 1"),
        (["capacity", "poisson:peak=3,mean=1", "--points", "5000"], "give a whole number from 1 to 1000"),
        (["capacity", "poisson:peak=3,mean=1", "--technology", "opamp"], "--technology is of circuits, and none runs"),
        (["capacity", "poisson:peak=3,mean=1", "--engine", "none"], "none"),
        (
            ["attention", "examples/data/attention_three_tokens.json"],
            "attention have no curve; there is one of: capacity",
        ),
        (["rate-distortion", "examples/data/rate_distortion_hamming.json", "--at", "-1"], "-1.0 is no distortion"),
        (["rate-distortion", "examples/data/rate_distortion_hamming.json", "--cost", "2"], "has one distortion"),
        (["capacity", "poisson:peak=3,mean=1", "--figure", "x.txt"], "x.txt"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], message: str, capsys) -> None:
    assert main(["curve", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert told.err.count("\n") == 1


def test_a_distortion_too_near_the_least_is_refused() -> None:
    nearest = rate_distortion_point(binary_source(0.3), 1e-300)
    assert nearest.lower - 1e-12 <= entropy(0.3) <= nearest.upper + 1e-12
    nearly_alike = [[0.0, 1e-11, 1.0], [1e-11, 0.0, 1.0], [1.0, 1.0, 0.0]]
    with pytest.raises(BadInput, match=r"is too close to the least possible one, 0, for a slope of the curve"):
        rate_distortion_point(RateDistortion([1 / 3] * 3, nearly_alike, 1.0), 1e-12)


def test_what_can_not_be_traded_is_said() -> None:
    with pytest.raises(BadInput, match=r"the least mean cost, 0, costs no capacity, so there is nothing to trade"):
        af.curve(Channel([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]], cost=[0, 0, 1], cost_limit=0.5))
    with pytest.raises(BadInput, match=r"form is of circuits, and none runs; give engine"):
        af.curve(binary_source(0.3), form="gibbs")
    with pytest.raises(BadInput, match=r"which is -1; give a whole number from 0"):
        af.curve(binary_source(0.3), which=-1)


def test_a_curve_draws_itself_in_a_notebook() -> None:
    found = af.curve(binary_source(0.3), points=2)
    assert "distortion" in found._repr_html_()
    assert repr(found) == "TradeOffCurve(rate against distortion, 2 points from 0.15 to 0.3)"


def alike(cost: list[list[float]], **more) -> af.Transport:
    return af.Transport(cost, epsilon=1.0, **more)


def test_a_plan_of_two_alike_has_its_closed_form_of_any_mass() -> None:
    """I(c) = ln 2 − h(c), whose slope is −1/ε = −ln((1 − c)/c), as of a binary source."""
    for mass in (1.0, 3.0):
        found = af.curve(
            alike([[0, 1], [1, 0]], row=[mass / 2] * 2, column=[mass / 2] * 2), points=[0.01, 0.2, 0.4, 0.5, 0.7]
        )
        for point in found.points[:3]:
            exact = math.log(2) - entropy(point.at)
            assert point.lower - 1e-12 <= exact <= point.upper + 1e-12
            assert point.gap < 1e-9
            assert point.slope == pytest.approx(-math.log((1 - point.at) / point.at), rel=1e-9)
        assert [(point.lower, point.upper, point.slope) for point in found.points[3:]] == [(0.0, 0.0, 0.0)] * 2


def test_no_plan_of_a_conic_solver_has_less_information() -> None:
    import cvxpy

    rng = np.random.default_rng(1)
    C, a, b = rng.random((3, 4)), rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4))
    problem = af.Transport(C, a, b, epsilon=1.0)
    for point in af.curve(problem, points=4).points[:-1]:
        P = cvxpy.Variable((3, 4), nonneg=True)
        kept = [cvxpy.sum(P, axis=1) == a, cvxpy.sum(P, axis=0) == b, cvxpy.sum(cvxpy.multiply(C, P)) <= point.at]
        least = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum(cvxpy.rel_entr(P, np.outer(a, b)))), kept).solve(solver="CLARABEL")
        assert point.lower - 1e-6 <= least <= point.upper + 1e-6
        assert point.gap < 1e-9


@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_circuits_of_transport_lie_on_their_curve(form: str) -> None:
    rng = np.random.default_rng(2)
    problem = af.Transport(rng.random((2, 3)), [1.0, 2.0], [0.5, 1.5, 1.0], epsilon=1.0)
    found = af.curve(problem, points=3, engine="block", form=form)
    assert found.passed
    assert found.points[-1].circuit is None
    for point in found.points[:-1]:
        assert point.circuit.at == pytest.approx(point.at, abs=1e-5)
        off = point.circuit.value - point.lower - point.slope * (point.circuit.at - point.at)
        assert abs(off) < 1e-6


@pytest.mark.filterwarnings("ignore::analogflow.errors.AssumptionWarning")
def test_what_has_no_point_of_transport_is_said() -> None:
    with pytest.raises(BadInput, match=r"has infinite costs, which the plan without information can not avoid; it has no"):
        af.curve(alike([[0, 1, 2], [1, math.inf, 0]]))
    with pytest.raises(BadInput, match=r"has one cost, and no cost 2; leave it out"):
        af.curve(alike([[0, 1], [1, 0]]), which=1)
    with pytest.raises(BadInput, match=r"is too close to the least possible one, 1; give a larger one"):
        af.curve(alike([[0, 1], [1, 2 - 1e-9]]), points=[1 - 4e-10])
    with pytest.raises(BadInput, match=r"0\.0 is no mean cost of this curve; give numbers above 0"):
        af.curve(alike([[0, 1], [1, 0]]), points=[0.0])
    with pytest.raises(BadInput, match=r"nothing to trade"):
        af.curve(alike([[1, 1], [1, 1]]))
