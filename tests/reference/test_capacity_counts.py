"""What counts tell of a capacity: the interval narrows as they grow, and holds the truth about as often as it says."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import rel_entr
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.cli import main
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.reference import capacity_interval, capacity_reference
from analogflow.reference.capacity_counts import LEAST_COUNTS, LEAST_COVERAGE

PAPER = np.array(PAPER_ROWS)
NUMBERS = Path(__file__).parents[2] / "benchmarks/numbers/tables.json"


def counted(counts) -> af.Channel:
    counts = np.asarray(counts, dtype=float)
    return af.Channel(counts / counts.sum(axis=1, keepdims=True), counts=counts)


def test_many_counts_tell_the_capacity_and_few_tell_little():
    exact = capacity_reference(af.Channel(PAPER))
    widths = []
    for size in (20, 2000, 200_000):
        interval = capacity_interval(counted(size * PAPER))
        assert interval.low < exact.capacity_nats < interval.high
        widths.append(interval.high - interval.low)
    # A hundred times the counts are a tenth of the width.
    np.testing.assert_allclose(np.array(widths[:-1]) / widths[1:], 10, rtol=0.25)
    assert (abs(interval.inputs - exact.input_distribution[:, None]) < 0.02).all()


@pytest.mark.parametrize("p", [0.11, 0.5])
def test_a_symmetric_channel_of_one_parameter_agrees_with_its_own_posterior(p):
    """Of two rows that are counted alike the crossover's law is a beta law: its quantiles, by SciPy, are the witness."""
    size = 10**6
    interval = capacity_interval(counted([[size * (1 - p), size * p], [size * p, size * (1 - p)]]))

    def capacity(crossover):
        return math.log(2) - sum(-x * math.log(x) for x in (crossover, 1 - crossover))

    deviation = abs(math.log((1 - p) / p)) * math.sqrt(p * (1 - p) / (2 * size))  # of C, by the delta method
    if p == 0.5:
        assert interval.low == 0
        assert interval.high < 1e-5
    else:
        assert (interval.high - interval.low) / (2 * 1.96 * deviation) == pytest.approx(1, abs=0.1)
        assert (interval.high + interval.low) / 2 == pytest.approx(capacity(p), abs=0.2 * deviation)


def test_the_interval_holds_the_truth_of_data_that_were_drawn():
    """Of 200 data sets 95 % nominal: fewer than 170 would come of an interval of 90 % once in 1,000 times at most."""
    exact = capacity_reference(af.Channel(PAPER)).capacity_nats
    held, low = 0, 0
    for seed in range(200):
        source = np.random.default_rng(seed)
        channel = counted([source.multinomial(150, row) for row in PAPER])
        interval = capacity_interval(channel, samples=300)
        held += interval.low <= exact <= interval.high
        # A wrong answer is noticed: twice as much information is outside of most.
        low += interval.low <= 2 * exact <= interval.high
    assert held >= 170
    assert low < 10


def test_the_coverage_that_is_said_is_the_one_that_was_measured():
    (found,) = json.loads(NUMBERS.read_text(encoding="utf-8"))["coverage"]
    head, rows = found["head"], found["rows"]
    column = {name: k for k, name in enumerate(head)}
    enough = [
        float(row[column["interval holds C"]].rstrip("%")) / 100
        for row in rows
        if int(row[column["observations of an input"]]) >= LEAST_COUNTS * int(row[0].split("× ")[1])
    ]
    assert len(enough) >= 6
    assert min(enough) >= LEAST_COVERAGE
    assert math.floor(10 * min(enough)) / 10 == LEAST_COVERAGE


def test_the_estimate_is_told_to_be_too_high_where_it_is():
    """Of a channel that tells nothing all that counts show is bias."""
    useless = np.full((2, 3), 1 / 3)
    sources = [np.random.default_rng(seed) for seed in range(400)]
    drawn = [counted([source.multinomial(300, row) for row in useless]) for source in sources]
    plain = np.mean([capacity_reference(channel).capacity_nats for channel in drawn])
    interval = capacity_interval(counted(300 * useless))
    assert interval.bias == pytest.approx(plain, rel=0.15)
    assert interval.low == 0


def test_a_seed_gives_the_same_interval_and_another_one_nearly():
    channel = counted(100 * PAPER)
    first, again, other = (capacity_interval(counted(100 * PAPER), seed=seed) for seed in (0, 0, 1))
    assert (first.low, first.high) == (again.low, again.high) != (other.low, other.high)
    assert other.high == pytest.approx(first.high, abs=0.01)
    assert capacity_interval(channel, level=0.5).low > first.low
    assert capacity_interval(channel, samples=2000).samples == 2000


def test_unavailable_inputs_have_no_weight():
    channel = af.Channel(PAPER, unavailable=[1], counts=100 * PAPER)
    assert capacity_interval(channel).inputs[1].tolist() == [0, 0]
    assert capacity_interval(channel).inputs.shape == (3, 2)


@pytest.mark.parametrize(
    ("channel", "options", "said"),
    [
        (af.Channel(PAPER), {}, "has no counts, so that nothing is known of its errors"),
        (af.Channel(PAPER, cost=[0, 1, 2], cost_limit=1.0, counts=100 * PAPER), {}, "does not know the cost of inputs"),
        (counted(100 * PAPER), {"level": 1.0}, "level is 1.0; give a number between 0 and 1"),
        (counted(100 * PAPER), {"samples": 10}, "samples is 10 and seed 0; give whole numbers"),
    ],
)
def test_what_has_no_interval_is_refused(channel, options, said):
    with pytest.raises(BadInput, match=said):
        capacity_interval(channel, **options)


def test_counts_are_read_from_a_file_and_told_beside_the_answer(tmp_path, capsys):
    path = tmp_path / "confusion.csv"
    path.write_text(",a,b,never\nx,180,20,0\ny,30,170,0\n")
    assert main(["solve", "capacity", str(path), "--engine", "block"]) == 2
    assert "use --normalise, or --counts for counts." in capsys.readouterr().err
    assert main(["solve", "capacity", str(path), "--engine", "block", "--counts"]) == 0
    out, err = capsys.readouterr()
    assert "counts of 400 observations, 200 of each input; output never is never produced and left out." in err
    shown = " ".join(out.split())
    assert "95% interval of the capacity from the counts:" in shown
    assert "at least 90% of such intervals held the truth" in shown
    assert main(["solve", "capacity", str(path), "--engine", "block", "--counts", "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)["answer"]
    assert err == ""
    low, high = answer["capacity_interval_nats"]
    assert low < answer["capacity_nats"] < high
    P = np.array([[0.9, 0.1], [0.15, 0.85]])
    z = np.array(answer["input_distribution"])
    assert answer["capacity_nats"] == pytest.approx(z @ rel_entr(P, z @ P).sum(axis=1), abs=1e-9)


def test_counts_are_whole_numbers_of_which_each_input_has_some():
    with pytest.warns(AssumptionWarning, match="counts of 7 observations, 3 to 4 of each input"):
        channel = af.Channel.from_counts([[1, 2], [3, 1]], input_names=["a", "b"])
    assert channel.counts.tolist() == [[1, 2], [3, 1]]
    assert channel.fingerprint == af.Channel(channel.transition).fingerprint
    for counts, said in {
        "[[1, 2], [0, 0]]": "row 2 sums to 0",
        "[[1.5, 2], [3, 1]]": "row 1, column 1 is 1.5, and counts are whole numbers",
        "[[-1, 2], [3, 1]]": "row 1, column 1 is -1; probabilities can not be negative",
        "[[7, 3, 10], [2, 8, 10]]": "column 3 holds the sums of the others",
    }.items():
        with pytest.raises(BadInput, match=said):
            af.Channel.from_counts(json.loads(counts))
    with pytest.raises(BadInput, match="counts are divided by their sums as they are; leave normalise out"):
        af.Channel.from_counts([[1, 2], [3, 1]], normalise=True)
    with pytest.raises(BadInput, match=r"their shares are not transition; use Channel\.from_counts"):
        af.Channel(PAPER, counts=[[1, 2, 3], [1, 8, 1], [1, 1, 2]])
    with pytest.raises(BadInput, match=r"must be whole numbers from 0 in the shape \(3, 3\) of transition"):
        af.Channel(PAPER, counts=[[1, 2], [1, 8]])


def test_counts_go_with_the_problem_into_a_study_and_back():
    from analogflow.families.files import keys_of, problem_of_keys

    channel = counted(100 * PAPER)
    again = problem_of_keys("capacity", json.loads(json.dumps(keys_of(channel))), "it")
    np.testing.assert_array_equal(again.counts, channel.counts)
    assert dataclasses.asdict(capacity_interval(again)).keys() == dataclasses.asdict(capacity_interval(channel)).keys()
