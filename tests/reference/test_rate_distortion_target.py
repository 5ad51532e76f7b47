"""β from a distortion or a rate: against closed forms, and what is outside the curve is refused."""

import json
import math

import numpy as np
import pytest

import analogflow as af
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.families.ends import RunEnds
from analogflow.families.files import read_problem
from analogflow.families.rate_distortion import RATE_DISTORTION
from analogflow.problems import RateDistortion
from analogflow.reference import rate_distortion_at, rate_distortion_reference
from analogflow.reference.rate_distortion_target import straight_piece

HAMMING = [[0.0, 1.0], [1.0, 0.0]]
ERASURE = [[0.0, math.inf, 1.0], [math.inf, 0.0, 1.0]]


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


@pytest.mark.parametrize("p", [0.5, 0.3])
@pytest.mark.parametrize("D", [0.01, 0.1, 0.25])
def test_a_distortion_of_a_binary_source_gives_the_closed_form(p, D):
    with pytest.warns(AssumptionWarning, match="are at beta"):
        found = rate_distortion_at([p, 1 - p], HAMMING, mean_distortion=D)
    assert found.rate_nats == pytest.approx(entropy(p) - entropy(D), abs=1e-9)
    assert found.problem.beta == pytest.approx(math.log((1 - D) / D), rel=1e-6)
    assert found.piece is None


@pytest.mark.parametrize("R", [0.05, 0.3, 0.6])
def test_a_rate_gives_the_distortion_of_the_closed_form(R):
    with pytest.warns(AssumptionWarning):
        found = rate_distortion_at([0.5, 0.5], HAMMING, rate_nats=R)
    assert math.log(2) - entropy(found.distortion) == pytest.approx(R, abs=1e-9)


@pytest.mark.parametrize("D", [0.2, 0.7])
def test_the_erasure_distortion_is_one_straight_piece(D):
    with pytest.warns(AssumptionWarning, match="straight piece from D = 0 to 1"):
        found = rate_distortion_at([0.5, 0.5], ERASURE, mean_distortion=D)
    assert found.rate_nats == pytest.approx((1 - D) * math.log(2), abs=1e-9)
    assert found.problem.beta == pytest.approx(math.log(2), rel=1e-9)


def test_a_run_may_end_anywhere_on_a_straight_piece_and_nowhere_beside_it():
    with pytest.warns(AssumptionWarning):
        problem = rate_distortion_at([0.5, 0.5], ERASURE, mean_distortion=0.25).problem
    solved = af.solve(problem, engine="block")
    assert solved.passed
    finals = {name: values[None] for name, values in solved.run.final.items()}
    reference, D = rate_distortion_reference(problem), finals["distortion"][0, 0]
    assert finals["rate_nats"][0, 0] == pytest.approx((1 - D) * math.log(2), abs=1e-9)
    assert abs(D - reference.distortion) > 1e-3
    assert errors(problem, reference, finals) == pytest.approx((0, 0), abs=1e-9)
    assert errors(problem, reference, finals | {"rate_nats": finals["rate_nats"] + 1e-3}) == pytest.approx(
        (1e-3, 0), abs=1e-9
    )
    beyond = finals | {"distortion": np.array([[1.1]]), "rate_nats": np.array([[0.0]])}
    assert errors(problem, reference, beyond) == pytest.approx((0, 0.1), abs=2e-6)


def errors(problem, reference, finals):
    """Of the rate and of the distortion."""
    paths = {name: values[:, None] for name, values in finals.items()}
    found = RATE_DISTORTION.errors(problem, reference, RunEnds(finals, paths, None, 60.0))
    return found["rate_nats"][0], found["distortion"][0]


def test_a_bent_curve_has_no_straight_piece():
    problem = RateDistortion([0.5, 0.5], HAMMING, 2.0)
    near, far = straight_piece(problem)
    assert near == far == rate_distortion_reference(problem).distortion


def test_forbidden_pairs_are_the_limit_of_large_distortions():
    large = np.where(np.isinf(ERASURE), 60.0, ERASURE)
    for beta in (0.5, 1.0, 3.0):
        with pytest.warns(AssumptionWarning, match="symbol 3 has probability 0 and is left out"):
            problem = read(source=[0.5, 0.5, 0.0], distortion=[*ERASURE, [1, 1, 1]], beta=beta)
        other = read(source=[0.5, 0.5], distortion=large.tolist(), beta=beta)
        found, near = rate_distortion_reference(problem), rate_distortion_reference(other)
        assert found.rate_nats == pytest.approx(near.rate_nats, abs=1e-9)
        assert found.distortion == pytest.approx(near.distortion, abs=1e-9)


def read(**keys):
    from analogflow.families.files import problem_of_keys

    return problem_of_keys("rate-distortion", keys, "here")


def test_a_file_may_hold_a_target(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"source": [3, 7], "distortion": HAMMING, "mean_distortion": 0.1}))
    with pytest.warns(AssumptionWarning, match=r"D = 0.1 and R = 0.28578\d* nat are at beta = 2.19722"):
        problem = read_problem("rate-distortion", path, normalise=True)
    assert problem.beta == pytest.approx(math.log(9), rel=1e-6)


REFUSED = [
    (dict(mean_distortion=0.6), r"mean_distortion is 0.6; the distortion is 0 at least, and from 0.5 on no rate is needed"),
    (dict(mean_distortion=0.0), r"mean_distortion is 0; the distortion is 0 at least"),
    (dict(mean_distortion=math.nan), r"mean_distortion is nan; give a finite number"),
    (dict(rate_nats=0.7), r"rate_nats is 0.7; R\(D\) falls from 0.693147181 nat, at the least distortion, to 0"),
    (dict(rate_nats="much"), r"rate_nats is 'much'; give a finite number"),
    (dict(), r"give one of beta, nats per unit of distortion, of mean_distortion.*not none of them"),
    (dict(beta=1.0, rate_nats=0.1), r"give one of beta.*not 2 of them"),
]


@pytest.mark.parametrize(("keys", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_on_the_curve_is_refused(keys, message):
    with pytest.raises(BadInput, match=message):
        read(source=[0.5, 0.5], distortion=HAMMING, **keys)


def test_a_symbol_without_any_reproduction_is_refused():
    with pytest.raises(BadInput, match="distortion is infinite in all of row 2; allow a reproduction"):
        read(source=[0.5, 0.5], distortion=[[0, 1], [math.inf, math.inf]], beta=1.0)
