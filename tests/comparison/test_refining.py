"""A circuit's answer corrected by certified steps: each doubles the digits, and what it costs is told with the circuit's."""

import mpmath
import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.comparison import contenders_of
from analogflow.comparison.refining import circuit_of_refined, refined_name
from analogflow.digital import newton_refined
from analogflow.errors import BadInput
from analogflow.reference import capacity_certificate, capacity_reference


def test_a_step_is_newtons_by_mpmath():
    """The same bordered system in fifty digits."""
    P, start = PAPER.transition, np.array([0.35, 0.43, 0.22])
    with mpmath.workdps(50):
        q = [sum(mpmath.mpf(float(P[i, j])) * mpmath.mpf(float(start[i])) for i in range(3)) for j in range(3)]
        D = [
            sum(mpmath.mpf(float(P[i, j])) * mpmath.log(mpmath.mpf(float(P[i, j])) / q[j]) for j in range(3))
            for i in range(3)
        ]
        bordered = mpmath.matrix(4, 4)
        for i in range(3):
            bordered[i, 3] = bordered[3, i] = 1
            for k in range(3):
                bordered[i, k] = sum(mpmath.mpf(float(P[i, j])) * mpmath.mpf(float(P[k, j])) / q[j] for j in range(3))
        moves = mpmath.lu_solve(bordered, mpmath.matrix([*D, 0]))
        expected = [float(mpmath.mpf(float(start[i])) + moves[i]) for i in range(3)]
    np.testing.assert_allclose(newton_refined(PAPER, start, steps=1)[1].input_distribution, expected, atol=1e-14)


def test_each_step_doubles_the_digits_and_proves_its_gap():
    start = np.array([0.365, 0.418, 0.217])
    runs = newton_refined(PAPER, start, steps=4)
    exact = capacity_reference(PAPER, gap=1e-13).input_distribution
    errors = [abs(run.input_distribution - exact).max() for run in runs]
    assert errors[1] < 10 * errors[0] ** 2
    assert errors[2] < 1e-11
    for run in runs:
        certificate = capacity_certificate(PAPER.transition, run.input_distribution)
        assert run.gap == pytest.approx(certificate.gap, abs=1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_from_what_a_circuit_reads_few_steps_are_exact_though_inputs_died_out(seed):
    """A thousandth off, and a thousandth where there should be nothing; five rows in four dimensions are dependent."""
    rng = np.random.default_rng(seed)
    channel = af.Channel(rng.dirichlet(np.ones(4), size=5))
    exact = capacity_reference(channel, gap=1e-12)
    read = exact.input_distribution + 1e-3 * rng.random(5)
    found = newton_refined(channel, read, steps=6)
    assert found[-1].capacity_nats == pytest.approx(exact.capacity_nats, abs=1e-9)
    assert found[-1].gap < 1e-8


@pytest.mark.parametrize("seed", range(6))
def test_from_anywhere_information_rises_and_the_gap_is_a_bound(seed):
    rng = np.random.default_rng(seed)
    channel = af.Channel(rng.dirichlet(np.ones(4), size=5))
    capacity = capacity_reference(channel, gap=1e-12).capacity_nats
    for start in (None, rng.dirichlet(np.ones(5)), np.array([1.0, 0.0, 0.0, 0.0, 0.0])):
        runs = newton_refined(channel, start, steps=30)
        assert all(run.capacity_nats - 1e-12 <= capacity <= run.capacity_nats + run.gap + 1e-12 for run in runs)
        assert runs[-1].capacity_nats > runs[0].capacity_nats


def test_what_is_no_start_or_has_a_cost_is_refused():
    with pytest.raises(BadInput, match="no distribution over the 3 inputs"):
        newton_refined(PAPER, np.zeros(3))
    with pytest.raises(BadInput, match="cost"):
        newton_refined(af.Channel(PAPER.transition, cost=[1, 2, 3], cost_limit=1.5))


def test_contenders_are_named_after_the_circuit_that_they_correct():
    names = contenders_of("capacity")
    assert "translinear:logdomain+newton" in names
    assert circuit_of_refined("translinear:logdomain+newton") == "translinear:logdomain"
    assert circuit_of_refined("interior-point") == refined_name("opamp:x", "hopfield") == ""
    assert not any("+" in name for name in contenders_of("transport"))


@pytest.mark.ngspice
def test_a_corrected_circuit_delivers_more_bits_and_costs_no_less_than_it_took_to_be_read():
    found = af.compare(PAPER, accuracy=1e-9, only=["translinear:logdomain+newton", "translinear:logdomain"])
    rows = {row.name: row for row in found.contenders}
    circuit, corrected = rows["translinear:logdomain"], rows["translinear:logdomain+newton"]
    assert circuit.at is None
    assert corrected.at is not None
    assert corrected.bits > circuit.bits + 15
    errors = [point.error for point in corrected.points]
    assert errors[1] < 1e-2 * errors[0]
    assert errors[0] == pytest.approx(
        min(p.error for p in circuit.points if p.time_constants == corrected.points[0].time_constants)
    )
    for measure in ("seconds", "joules"):
        assert (np.diff([getattr(point, measure) for point in corrected.points]) > 0).all()
    assert "from the usual start" in corrected.note
