"""Adds trimmers to a drawn board, as its conditions say they are set; what sets them is `analogflow.judgement.trimming`."""

from __future__ import annotations

from analogflow.circuit.trimmers import with_trimmers
from analogflow.passes.pipeline import Brief, Pass, Passed

__all__ = ["TRIM"]


def _trimmed(brief: Brief) -> Passed | None:
    circuit, trimmers = brief.circuit, brief.conditions.trimmers
    assert circuit is not None  # it stands after the pass that makes it
    if trimmers is None:
        return None
    note = f"{len(trimmers.volts)} trimmers, as they were set at {trimmers.kelvin:g} K"
    return Passed(brief.graph, note, found={"circuit": with_trimmers(circuit, trimmers)})


TRIM = Pass("trim", _trimmed, keeps_flow=False, heeds=("trimmers",))
"""Joins trimmers to the integrators, if the conditions have any."""
