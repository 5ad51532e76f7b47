"""Sources and distortions: what is accepted, and every fault with its reason."""

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.problems import RateDistortion

GOOD = {"source": [0.5, 0.5], "distortion": [[0, 1, 2], [1, 0, 2]], "beta": 1.0}
REFUSED = [
    ({"source": [0.5, 0.6]}, r"source sums to 1.1, not to 1"),
    ({"source": [-0.5, 1.5]}, r"source: no probability may be negative"),
    ({"source": [[0.5, 0.5]]}, r"source has shape \(1, 2\); give one probability for each source symbol"),
    ({"source": ["a", "b"]}, r"source does not consist of numbers"),
    ({"distortion": [[0, 1], [1]]}, r"distortion does not consist of numbers"),
    ({"distortion": [0, 1]}, r"distortion has shape \(2,\); give a row for each source symbol"),
    ({"distortion": [[0, 1]]}, r"distortion has 1 rows and source has 2 symbols"),
    ({"distortion": [[0, -1], [1, 0]]}, r"distortion is -1 in row 1, column 2; it must not be negative"),
    ({"distortion": [[0, -np.inf], [1, 0]]}, r"distortion has -inf in row 1, column 2; give finite numbers, or inf"),
    ({"beta": 0}, r"beta is 0; give a positive number of nats per unit of distortion"),
    ({"beta": -1.0}, r"beta is -1.0"),
    ({"beta": float("nan")}, r"beta is nan"),
    ({"beta": True}, r"beta is True"),
    ({"source": [0.5, 0.6], "beta": 0}, r"source sums to 1.1, not to 1; divide it by its sum \(normalise=True\); beta is 0"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED, ids=range(len(REFUSED)))
def test_faults_are_sentences(changed, message):
    with pytest.raises(BadInput, match=message):
        RateDistortion(**{**GOOD, **changed})


def test_rows_are_scaled_so_that_none_underflows():
    problem = RateDistortion([0.5, 0.5], [[1000, 1001], [2000, 2000.5]], 10)
    np.testing.assert_array_equal(problem.gibbs.max(axis=1), 1)
    assert problem.offset == pytest.approx(10 * 1500)


def test_problem_files_are_read_by_their_keys(tmp_path):
    path = tmp_path / "p.json"
    path.write_text('{"source": [0.5, 0.5], "distortion": [[0, 1], [1, 0]], "beta": 2, "slope": 1}')
    with pytest.raises(BadInput, match=r"unknown key 'slope'; a rate-distortion problem has the keys source, distortion"):
        read_problem("rate-distortion", path)


def test_a_distortion_that_never_happens_may_be_any_number():
    assert RateDistortion([0.4, 0.6], [[0, 1e308], [1e308, 0]], 2.0).gibbs.tolist() == [[1.0, 0.0], [0.0, 1.0]]
