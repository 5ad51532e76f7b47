"""What couplings take on a board, and of what it has too little."""

from __future__ import annotations

from collections.abc import Mapping

from analogflow.hardware import that
from analogflow.hardware.boards import Board
from analogflow.hardware.scaling import ScaledCouplings, polarity

__all__ = ["count_needs", "shortages"]

_SAME = 1e-9

_WORDS = {
    "lanes": "lanes, one for each coupling",
    "fanouts": "fan-outs, one for each two further copies of a signal",
    "tables": "tables or function generators",
    "potentiometers": "potentiometers, in the best plan that was found",
    "inputs_of_integrator": "inputs of one integrator",
    "inputs_of_summer": "inputs of one summer",
    "noise_sources": "noise sources",
}


def count_needs(scaled: ScaledCouplings, board: Board) -> dict[str, int]:
    """What `scaled` takes on a board of this kind, by the names of the board's units.

    crossbar: integrators, multipliers and lanes, one for each coupling that is not 0. patch: what the patch plan takes.
    chip: multipliers also for coefficients other than ±1, ⌈(f − 1)/2⌉ fan-outs for a source with f sinks, and a table for
    each function. parts: a summer for each port of a multiplier or function that is no plain wire, and one for each
    inverted output. With "noise_sources" and "tables" only where there are any.
    """
    couplings = scaled.couplings
    counts = {"integrators": len(couplings.of("integrator")), "multipliers": len(couplings.of("multiplier"))}
    match board.kind:
        case "crossbar":
            counts["lanes"] = couplings.count()
        case "patch":
            counts = dict(that.patch(scaled, inverters=board.has["inverters"]).needs)
        case "chip":
            counts["multipliers"] += sum(abs(abs(w) - 1) > _SAME for w in scaled.coefficients().tolist())
            counts["fanouts"] = sum(-(-(sinks - 1) // 2) for source, sinks in couplings.sinks().items() if source)
        case "parts":
            chosen = polarity(scaled)
            held = set(couplings.of("integrator"))
            counts["summers"] = len(chosen.inverted) + sum(k not in held for k, _ in chosen.sums)
            counts["summers"] += sum(abs(float(weight) - 1) > _SAME for _, weight in chosen.wires.values())
    tables = len(couplings.functions)
    if board.kind == "patch":
        tables -= counts["comparators"]
        counts |= {} if counts["comparators"] else {"comparators": 0}
    if tables or board.functions:
        counts["tables"] = tables
    noises = len(couplings.of("noise"))
    return counts | ({"noise_sources": noises} if noises else {})


def shortages(needs: Mapping[str, int], board: Board) -> list[str]:
    """A sentence for each unit of which more is needed than the board has; free summers serve as inverters."""
    has = board.has
    short = []
    for unit, needed in needs.items():
        there = has.get(unit, 0)
        if unit == "inverters":
            there += max(0, has.get("summers", 0) - needs.get("summers", 0))
        if needed > there:
            short.append(f"{_WORDS.get(unit, unit)}: {needed} needed, {there} there")
    return short
