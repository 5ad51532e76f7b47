"""How a circuit of parts is switched on: where its integrators are when its supplies are up, and whether they are held."""

from __future__ import annotations

import dataclasses

from analogflow.errors import BadInput

__all__ = ["RISE", "StartUp"]

RISE = 5e-3
"""Seconds in which the supplies come up."""

_RAILS = {"low": -1, "high": 1}
_UNHELD = "+unheld"


@dataclasses.dataclass(frozen=True)
class StartUp:
    """How a circuit is switched on: its supplies rise from zero, and its capacitors are empty.

    Parameters
    ----------
    rails : tuple of int
        Where the integrators' outputs are when the supplies are up, −1 for the lower rail and 1 for the upper one, in the
        order of the circuit: one number for all, or one for each. Empty where nothing drives them to a rail.
    held : bool
        Whether they are then held at their start until all has settled. If not, the flow begins from where they are.
    """

    rails: tuple[int, ...] = ()
    held: bool = True

    @classmethod
    def from_text(cls, text: str) -> StartUp:
        """``ramp``, ``low``, ``high``, or one of ``low`` and ``high`` for each integrator, as in ``low,high``.

        With ``+unheld`` behind it nothing holds the integrators.

        Raises
        ------
        BadInput
            The text is no such.
        """
        words = text.removesuffix(_UNHELD)
        names = [name.strip() for name in words.split(",")]
        if words != "ramp" and not all(name in _RAILS for name in names):
            raise BadInput(
                f"start_up: {text!r} is not known; give ramp, low or high, or low or high for each integrator, as in "
                f"low,high; with {_UNHELD} behind it nothing holds them."
            )
        return cls(() if words == "ramp" else tuple(_RAILS[name] for name in names), not text.endswith(_UNHELD))

    def __str__(self) -> str:
        names = {rail: name for name, rail in _RAILS.items()}
        return (",".join(names[rail] for rail in self.rails) or "ramp") + ("" if self.held else _UNHELD)
