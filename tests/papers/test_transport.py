"""Figures on annealed Sinkhorn iterations: which claims hold, and numbers against closed forms and plain iterations."""

import csv
import io
import math

import numpy as np
import pytest
from figure_zoo import curve, found, verdict

from analogflow.papers.drawing import plot_reproduction
from analogflow.papers.result import AGREES, ERRATUM, UNJUDGED
from analogflow.papers.transport import cooled
from analogflow.problems import Schedule
from analogflow.report import alt_text


def test_alternative_texts_tell_what_is_wrong():
    assert ERRATUM in alt_text(plot_reproduction(found("transport-figure-2")))


def test_the_table_has_the_columns_of_the_paper_and_its_gap_closes_faster_than_the_temperature():
    head, *rows = list(csv.reader(io.StringIO(found("transport-table-1").to_csv())))
    assert head == "eps op_norm C0_est dS_de_norm K1_est K2_est rho_mean rho_std".split()
    numbers = np.array(rows, dtype=float)
    assert numbers[:, 2] == pytest.approx(numbers[:, 0] * numbers[:, 1], rel=1e-12)
    assert (1 - numbers[-1, 6]) / numbers[-1, 0] < 0.01 < 0.5 < (1 - numbers[0, 6]) / numbers[0, 0]


def test_the_gap_of_two_by_two_is_that_of_plain_sinkhorn_iterations():
    points = curve("transport-figure-2", "closing funnel", "2 × 2, exact plan")
    where = int(abs(points.x - 0.2).argmin())
    epsilon = points.x[where]
    kernel, v = np.exp(-np.array([[0.0, 0.3], [0.4, 0.0]]) / epsilon), np.array([1.0, 3.0])
    for _ in range(400):
        v = 1 / (kernel.T @ (1 / (kernel @ v)))
    u = 1 / (kernel @ v)
    plan = u[:, None] * kernel * v
    assert points.y[where] == pytest.approx(1 - (2 * plan[0, 0] - 1) ** 2, abs=1e-12)
    assert points.y[where] == pytest.approx(math.cosh(0.7 / (4 * epsilon)) ** -2, abs=1e-12)


def test_the_pseudospectrum_reaches_no_further_than_the_jacobian_is_off_normal():
    outline = curve("transport-figure-2", "pseudospectrum, ε = 0.1", "δ = 0.1, norm of l²(r)")
    plain = curve("transport-figure-2", "pseudospectrum, ε = 0.1", "δ = 0.1, plain norm")
    assert outline.x.max() <= 1.1 + 1e-9
    assert 0.095 < outline.y.max() <= 0.1
    assert 0.1 < plain.y.max() < 0.1 * 3.92
    assert verdict("transport-figure-2", "beyond the unit circle") == ERRATUM


@pytest.mark.slow
def test_the_collapse_is_seen_at_equal_temperatures_and_no_wrong_basin_is_found():
    name = "transport-figure-1"
    for part in ("largest error from ε = 0.2 to", "right rows of 3 at ε ="):
        assert verdict(name, f"{part} 0.035, exponential cooling, u carried") == AGREES
    curves = {c.label: c for c in found(name).panels[0].curves}
    ends = [curves[label].x[-1] for label in ("u carried, exponential", "u carried, adaptive", "g carried, exponential")]
    assert ends == pytest.approx([ends[0]] * 3, rel=0.02)
    for part in ("exponential cooling, g carried", "left alone", "random starts"):
        assert verdict(name, part) == ERRATUM


def test_the_brake_keeps_the_circuit_at_its_limit():
    speed = curve("transport-figure-3", "speed of the plan", "adaptive")
    limit = curve("transport-figure-3", "speed of the plan", "limit k ε of the adaptive")
    late = speed.x > 4
    assert speed.y[late] == pytest.approx(limit.y[late], rel=0.06)
    assert verdict("transport-figure-3", "rule of section 4") == ERRATUM


def test_a_circuit_that_cools_quadratically_follows_its_closed_form():
    cost, end, rate = np.array([[0.0, 0.5], [0.3, 0.1]]), 0.1, 0.5
    run = cooled(cost, end, Schedule("quadratic", 1.0, rate), "potential", np.linspace(0, 6, 13))
    # dε/dt = −r ε(ε − e): 1 − e/ε falls as exp(−r e t).
    closed = end / (1 - (1 - end) * np.exp(-rate * end * run.time))
    assert run.epsilon == pytest.approx(closed, abs=1e-6)
    assert run.apart < 1e-6
    numeric = np.linalg.norm(np.gradient(run.plan, run.time, axis=0), axis=(1, 2))
    assert run.speed[3:-3] == pytest.approx(numeric[3:-3], rel=0.1)


def test_whether_pausing_helps_depends_on_what_is_carried_and_on_k_safe():
    assert verdict("transport-figure-4", "success with the pause less that without, α = 0.95, k_safe = 0.5, u") == AGREES
    assert verdict("transport-figure-4", "success with the pause less that without, α = 0.95, k_safe = 0.5, g") == ERRATUM
    assert verdict("transport-figure-5", "k_safe = 10") == AGREES


@pytest.mark.parametrize(
    ("name", "part"),
    [("transport-figure-4", "Gumbel noise, g carried"), ("transport-figure-5", "temperature at which it is locked")],
)
def test_numbers_of_other_data_are_not_judged_by_a_simulation(name, part):
    assert verdict(name, part) == UNJUDGED


def test_the_speed_limit_holds_where_scalings_are_carried_alone():
    assert verdict("transport-theorem-3.2", "δ ∝ ε², u carried") == AGREES
    scaled = curve("transport-theorem-3.2", "one sweep a step, α = 0.99", "u carried, exponential")
    potential = curve("transport-theorem-3.2", "one sweep a step, α = 0.99", "g carried, exponential")
    # A temperature that falls by 1 % leaves u = g/ε off by 1 % of |g|/ε: the error grows like 1/ε, until it is all mass.
    low = scaled.x < 0.05
    assert np.polyfit(np.log(scaled.x[low]), np.log(scaled.y[low]), 1)[0] == pytest.approx(-1, abs=0.25)
    assert potential.y[-1] < 0.02 * scaled.y[-1]
