"""A comparison: all its rows, the winner where there can be one, and what was assumed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from analogflow.comparison.contender import FORMULAS, BreakEven, Contender, break_even
from analogflow.comparison.energy import Prices
from analogflow.comparison.trials import RESTING_DELAY, is_of_parts
from analogflow.contents import plain
from analogflow.errors import BadInput
from analogflow.notebook import shown
from analogflow.solution import versions

__all__ = ["MEASURES", "Comparison"]

MEASURES = {"time": "seconds", "energy": "joules", "operations": "operations"}
"""What a winner can be the least in, and its unit. Operations are counted on the digital side only."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """One problem, solved by every contender.

    Parameters
    ----------
    family : str
    problem : str
        Its short name, with the fingerprint.
    accuracy : float
        At which times and energies are compared, in `unit`.
    bits : float
        Effective bits of that accuracy.
    measure, unit : str
        What the error is.
    contenders : tuple of Contender
        Circuits, then digital solvers.
    prices : Prices
    machine : str
        Where digital times were measured.
    conditions : str
        Noise, deviations, parts and temperature of the circuits.
    """

    family: str
    problem: str
    accuracy: float
    bits: float
    measure: str
    unit: str
    contenders: tuple[Contender, ...]
    prices: Prices
    machine: str
    conditions: str = ""

    def __getitem__(self, name: str) -> Contender:
        """Row of a contender by its name."""
        for contender in self.contenders:
            if contender.name == name:
                return contender
        raise BadInput(f"{name!r} did not take part; there are: {', '.join(c.name for c in self.contenders)}.")

    @property
    def break_even(self) -> tuple[BreakEven, ...]:
        """Time constants at which circuits and digital solvers would be level."""
        return break_even(self.contenders, self.prices)

    def winner(self, measure: str) -> Contender:
        """The contender that delivers the accuracy in the least time, energy or operations.

        Parameters
        ----------
        measure : {"time", "energy", "operations"}

        Raises
        ------
        BadInput
            The measure is not known; or on one of the two sides nobody delivers the accuracy with a known value, so that
            numbers at different accuracies would be compared.
        """
        if measure not in MEASURES:
            raise BadInput(f"winner: {measure!r} is not known; take one of: {', '.join(MEASURES)}.")
        sides = ("digital",) if measure == "operations" else ("analog", "digital")
        entrants = {c.name: c.value(measure) for c in self.contenders if c.kind in sides}
        values = {name: value for name, value in entrants.items() if value is not None}
        for side in sides:
            if not any(c.kind == side and c.name in values for c in self.contenders):
                raise BadInput(f"winner: {self._nobody(side, measure)}")
        return self[min(values, key=values.__getitem__)]

    def refusal(self, measure: str) -> str:
        """Why there is no winner; empty if there is one."""
        try:
            self.winner(measure)
        except BadInput as fault:
            return str(fault)
        return ""

    def verdict(self, measure: str) -> str:
        """Sentence on who is least in a measure and what the other side's best needs, or on why that can not be said."""
        if refusal := self.refusal(measure):
            return refusal.removeprefix("winner: ")
        won, unit = self.winner(measure), {"time": " s", "energy": " J", "operations": ""}[measure]
        said = f"{won.name}, {won.value(measure):.2g}{unit}"
        others = [
            c
            for c in self.contenders
            if c.kind in ("analog", "digital") and c.kind != won.kind and c.value(measure) is not None
        ]
        if others:
            best = min(others, key=lambda c: c.value(measure) or 0.0)
            said += f", before {best.name}, {best.value(measure):.2g}{unit}"
            said += f"; run on, they deliver {won.bits:.0f} and {best.bits:.0f} bits"
        return f"{said}."

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What times and energies rest on, a sentence each."""
        p = self.prices
        listed = [f"{name}: {price.value:g} {price.unit} ({price.source})." for name, price in p.table.items()]
        return (
            f"Circuits: {self.conditions}. Their error is that of what a perfect instrument reads.",
            "Where only the rest counts, a circuit of op-amps runs at the τ at which its delays are "
            f"{RESTING_DELAY:.0%} of the flow's fastest time constant.",
            f"Times of digital solvers are measured: {self.machine}; NumPy and SciPy, BLAS on one thread.",
            "Energy of a digital solver is its operations and the fetching of its words, without instructions, leakage and "
            "waiting: a lower bound, in favour of the digital side. Operations are counted from iterations.",
            "Energy of a circuit is its parts' static power times its settling time. Setting its coefficients, conversion "
            "and the host are not counted, in favour of the circuit.",
            "A chip is an extrapolation: the same settling in τ, and the accuracy of the ideal flow.",
            *listed,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names, as ``analogflow compare --json`` prints them; what is not finite becomes None."""
        winners = {m: None if self.refusal(m) else self.winner(m).name for m in MEASURES}
        return plain(
            {
                "flow": self.family,
                "problem": self.problem,
                "accuracy": self.accuracy,
                "effective_bits": self.bits,
                "error": self.measure,
                "unit": self.unit,
                "conditions": self.conditions,
                "contenders": [c.to_dict() for c in self.contenders],
                "winner": winners,
                "verdict": {m: self.verdict(m) for m in MEASURES},
                "refused": {m: self.refusal(m) for m in MEASURES if self.refusal(m)},
                "break_even": {"formulas": list(FORMULAS), "rows": [row.to_dict() for row in self.break_even]},
                "prices": self.prices.to_dict(),
                "assumptions": list(self.assumptions),
                "versions": versions(),
            }
        )

    def _nobody(self, side: str, measure: str) -> str:
        rows = [c for c in self.contenders if c.kind == side]
        asked = f"{self.accuracy:g} {self.unit}".strip()
        what = "circuit of parts" if side == "analog" else "digital solver"
        present = [c for c in rows if side == "digital" or is_of_parts(c.name)]
        able = [c for c in rows if c.points and (side == "digital" or c.time_constant is not None)]
        able = [c for c in able if math.isfinite(c.delivered)]
        if not able and present:
            return f"no {what} could deliver anything, for the reasons given, so there is nothing to compare {measure} with."
        if not able:
            return (
                f"no {what} took part, so there is nothing to compare {measure} with; take all contenders, or name one of "
                "each."
            )
        best = min(able, key=lambda c: c.delivered)
        if best.reached:
            return f"the {measure} of {best.name} can not be counted, and no other {what} delivered {asked}."
        return (
            f"no {what} delivered {asked}: {best.name} came nearest with {best.delivered:.2g}, and {measure} at another "
            f"accuracy is not comparable; ask for {1.1 * best.delivered:.1g} or more."
        )

    def __repr__(self) -> str:
        reached = sum(c.reached for c in self.contenders)
        return f"Comparison({self.problem}: {reached} of {len(self.contenders)} contenders deliver {self.accuracy:g})"

    _repr_html_ = shown("html")
