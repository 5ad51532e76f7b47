"""When a state has run away: at one size, whichever engine runs it, and before there is a circuit."""

import numpy as np
import pytest
from zoo import PAPER

from analogflow.block_engine import RUNAWAY
from analogflow.compiler import compile
from analogflow.flows import Flow, capacity
from analogflow.hardware.course import nominal_run
from analogflow.netlister import netlist
from analogflow.passes import farthest, limits_of, runaway_of
from analogflow.simulators.readout import limit_of


def far_out(goal: float = 1e7) -> Flow:
    return Flow(lambda x, goal: goal - x, {"x": np.zeros(1)}, constants={"goal": np.full(1, goal)})


@pytest.mark.parametrize(
    ("flow", "options", "expected"),
    [
        (far_out(), {}, 1e7 * RUNAWAY),
        (far_out(1e4), {"scaled": True}, RUNAWAY),
        (far_out(30.0), {}, RUNAWAY),
        (capacity(PAPER), {"technology": "opamp"}, RUNAWAY),
        (capacity(PAPER), {"technology": "translinear"}, RUNAWAY),
    ],
)
def test_every_engine_lets_states_go_as_far(flow, options, expected):
    circuit = compile(flow, **options)
    assert runaway_of(circuit) == expected
    assert limits_of(circuit, 1e-7, 1e-9).runaway == expected
    assert limit_of(netlist(circuit)) == expected * circuit.units.graph_volts


@pytest.mark.parametrize("goal", [1.0, 50.0, 1e7])
def test_a_flow_that_goes_far_has_not_left_every_range_of_a_board(goal):
    flow = far_out(goal)
    assert farthest(flow) == RUNAWAY * max(1.0, goal if goal > 100 else 1.0)
    run = nominal_run(flow.graph(), flow=flow)
    assert run.finished
    assert run.peaks[0] == pytest.approx(goal)


def test_and_one_that_runs_away_has():
    flow = Flow(lambda x: x, {"x": np.ones(1)})
    run = nominal_run(flow.graph(), 20.0, flow=flow)
    assert not run.finished
    assert run.end == pytest.approx(np.log(RUNAWAY), rel=1e-3)
