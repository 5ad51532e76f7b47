"""The path of a person's equations by two methods, and what is said where it can not be followed."""

import numpy as np
import pytest

from analogflow.errors import SimulationFailed
from analogflow.reference.equations import path as integration


def test_a_relay_that_switches_without_end_is_given_up_with_a_sentence(monkeypatch):
    monkeypatch.setattr(integration, "_MOST_CALLS", 5000)  # the same end, sooner
    with pytest.raises(SimulationFailed, match=r"by t = 1 of 4 τ and was stopped: they switch to and fro"):
        integration.path_end(lambda at: {"x": -at["x"] / abs(at["x"])}, {"x": np.array(1.0)}, 4.0)


def test_many_quiet_periods_are_not_given_up():
    states, gap = integration.path_end(
        lambda at: {"x": at["y"], "y": -at["x"]}, {"x": np.array(1.0), "y": np.array(0.0)}, 50.0
    )
    assert states["x"] == pytest.approx(np.cos(50.0), abs=1e-9)
    assert gap < 1e-6
