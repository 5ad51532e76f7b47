"""One result for one run and for many samples: what each says, and that a sample taken out is the run it was."""

import pickle

import numpy as np
import pytest

import analogflow as af
from analogflow.run import joined

TIMES = np.array([0.0, 1.0, 2.0, 3.0])


def many(first: int = 0) -> af.Run:
    """Three samples of x and y; the second settled at 1.5 τ, the third ran away."""
    x = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)
    x[1, 2:] = [50.0, 51.0]
    ended = (af.Outcome.COMPLETED, af.Outcome.SETTLED, af.Outcome.BLEW_UP)
    final = {"x": x[:, -1].copy(), "y": np.array([[1.0], [2.0], [3.0]])}
    each = af.Samples(np.arange(first, first + 3), ended, np.array([3.0, 1.5, 3.0]), final)
    return af.Run.of(each, TIMES.copy(), {"x": x, "y": np.ones((3, 4, 1))}, {"seed": 7})


def test_one_run_has_its_last_row_as_its_end():
    run = af.Run(TIMES.copy(), {"x": np.arange(8.0).reshape(4, 2)}, af.Outcome.COMPLETED)
    assert (run.ok, run.end, run.samples, run.outcomes) == (True, 3.0, None, (af.Outcome.COMPLETED,))
    np.testing.assert_array_equal(run.final["x"], [6.0, 7.0])
    assert run["x"].dims == ("time", "component")


def test_many_samples_have_ends_of_their_own():
    run = many()
    np.testing.assert_array_equal(run.ok, [True, True, False])
    np.testing.assert_array_equal(run.end, [3.0, 1.5, 3.0])
    assert run.outcome is af.Outcome.BLEW_UP
    assert run["x"].dims == ("sample", "time", "component")
    assert run["y"].dims == ("sample", "time")
    assert repr(run) == "Run(3 samples of x, y: 1 completed, 1 settled, 1 blew_up)"


def test_a_sample_taken_out_ends_where_it_ended():
    one = many(5).sample(1)
    np.testing.assert_array_equal(one.time, [0.0, 1.0, 1.5])
    np.testing.assert_array_equal(one.values["x"], [[8.0, 9.0], [10.0, 11.0], [50.0, 51.0]])
    assert (one.outcome, one.each, one.record) == (af.Outcome.SETTLED, None, {"seed": 7, "sample": 6})
    with pytest.raises(af.BadInput, match="one run already"):
        one.sample(0)


def test_a_sample_of_a_run_without_saved_times_is_its_end():
    circuit = af.compile(af.Flow(lambda x: -x, {"x": np.ones(2)}))
    run = af.ensemble(circuit, 3, time_constants=2.0)
    one = run.sample(2)
    assert one.time.tolist() == [2.0]
    np.testing.assert_array_equal(one.values["x"], run.final["x"][2:])


def test_joined_runs_keep_their_order():
    run = joined([many(), many(3)])
    assert run.samples is not None
    assert run.samples.tolist() == [0, 1, 2, 3, 4, 5]
    assert run.values["x"].shape == (6, 4, 2)
    assert run.outcomes == 2 * many().outcomes


@pytest.mark.parametrize("run", [many(), many().sample(0)], ids=["many", "one"])
def test_a_signal_that_is_none_is_refused_with_those_that_are(run):
    for values in (run, run.values, run.final):
        with pytest.raises(af.BadInput, match="'z' is not a signal of this run; there are: x, y"):
            values["z"]


def test_a_settling_time_is_asked_of_one_run():
    with pytest.raises(af.BadInput, match="ask each of them"):
        many().settling_time("x", 0.1)
    assert many().sample(1).settling_time("x", 41.0) == 1.0


def test_arrays_are_read_only_and_survive_a_journey():
    run = pickle.loads(pickle.dumps(many()))
    np.testing.assert_array_equal(run.final["x"], many().final["x"])
    with pytest.raises(ValueError, match="read-only"):
        many().values["x"][0] = 0
    with pytest.raises(ValueError, match="read-only"):
        many().final["y"][0] = 0
