"""One check: its name, whether it passed, and the numbers behind the verdict."""

from __future__ import annotations

import dataclasses

__all__ = ["Check"]


@dataclasses.dataclass(frozen=True)
class Check:
    """A named verdict with a sentence of detail."""

    name: str
    passed: bool
    detail: str

    @classmethod
    def at_most(cls, name: str, value: float, limit: float, unit: str = "") -> Check:
        """Check that `value` does not exceed `limit`; a NaN fails."""
        return cls(name, bool(value <= limit), f"{value:.3g}{unit and ' ' + unit} (at most {limit:g})")
