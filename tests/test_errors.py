"""What other people's code raises is one sentence with its place; what ours raises, also when theirs calls it, is not."""

import json
import re

import numpy as np
import pytest

import analogflow as af
from analogflow.errors import call_theirs
from analogflow.graph import operators


def here(function, lines=1):
    return f"{__file__}:{function.__code__.co_firstlineno + lines}: "


def by_nought(x):
    return x * (1 / 0)


def by_numpy(x):
    return np.ones(2) + np.ones(3) + x


def by_python(x):
    return x * json.loads("{")


def by_our_operator(x):
    return af.softmax(x, width=1.0)


def beyond(x):
    return x[7]


def without(x):
    return x.magnitude


def squashed(x):
    return x.reshape(2, 2)


def along(x):
    return x.sum(axis=4)


def steep(x):
    return np.tanh(x)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (by_nought, "failed (ZeroDivisionError: division by zero); mend it."),
        (by_numpy, "failed (ValueError: operands could not be broadcast together with shapes (2,) (3,) ); mend it."),
        (by_python, "failed (JSONDecodeError: "),
        (by_our_operator, "failed (TypeError: softmax() got an unexpected keyword argument 'width'); mend it."),
        (beyond, "`return x[7]` can not become a circuit: index 7 is out of bounds"),
        (without, "`return x.magnitude` can not become a circuit: a signal has no attribute 'magnitude'."),
        (squashed, "`return x.reshape(2, 2)` can not become a circuit: cannot reshape array of size 3"),
        (along, "`return x.sum(axis=4)` can not become a circuit: "),
    ],
)
def test_a_flow_that_fails_is_refused_with_the_line_that_failed(function, said):
    named = f"{function.__name__} " if said.startswith("failed") else ""
    with pytest.raises(af.BadInput, match=f"^{re.escape(here(function) + named + said)}"):
        af.compile(af.Flow(function, {"x": np.zeros(3)}))
    named = "the observable 'y' " if named else ""
    with pytest.raises(af.BadInput, match=f"^{re.escape(here(function) + named + said)}"):
        af.compile(af.Flow(steep, {"x": np.zeros(3)}, observables={"y": function}))


def test_a_loop_over_a_signal_ends_and_hasattr_is_answered():
    def summed(x):
        assert not hasattr(x, "magnitude")
        return sum(component for component in x) - x

    assert af.compile(af.Flow(summed, {"x": np.ones(3)})).graph.states


def test_a_fault_of_ours_stays_what_it_is(monkeypatch):
    def broken(builder, x):
        return x.node + 1

    monkeypatch.setattr(broken, "__code__", broken.__code__.replace(co_filename=operators.__file__))
    monkeypatch.setitem(operators._TABLE, np.tanh, broken)
    with pytest.raises(TypeError, match="can only concatenate str"):
        af.compile(af.Flow(steep, {"x": np.ones(3)}))


@pytest.mark.parametrize("kind", [MemoryError, RecursionError, KeyboardInterrupt])
def test_what_says_nothing_of_their_code_is_raised_as_it_is(kind):
    def exhausted():
        raise kind

    with pytest.raises(kind):
        call_theirs("exhausted", "mend it", exhausted)


def test_a_function_that_takes_other_arguments_is_named_where_it_stands():
    with pytest.raises(af.BadInput, match=re.escape(here(steep, 0)) + r"steep failed \(TypeError: .* missing 1 .*mend it"):
        call_theirs("steep", "mend it", steep)
