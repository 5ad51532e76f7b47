"""One check: its name, what it found, and the numbers behind the verdict."""

from __future__ import annotations

import dataclasses

__all__ = ["FAILED", "PASSED", "UNDECIDED", "Check"]

PASSED, FAILED, UNDECIDED = "passed", "failed", "too few samples to tell"
"""What a check can find. The third is no pass: the check could not have failed by the accuracy asked for."""


@dataclasses.dataclass(frozen=True)
class Check:
    """A named verdict with a sentence of detail.

    Parameters
    ----------
    name : str
    passed : bool
    detail : str
    verdict : {"passed", "failed", "too few samples to tell"}
        The first two as `passed` says, if not given.
    """

    name: str
    passed: bool
    detail: str
    verdict: str = ""

    def __post_init__(self) -> None:
        if not self.verdict:
            object.__setattr__(self, "verdict", PASSED if self.passed else FAILED)

    @classmethod
    def at_most(cls, name: str, value: float, limit: float, unit: str = "") -> Check:
        """Check that `value` does not exceed `limit`; a NaN fails."""
        return cls(name, bool(value <= limit), f"{value:.3g}{unit and ' ' + unit} (at most {limit:g})")

    @classmethod
    def undecided(cls, name: str, detail: str) -> Check:
        """A check that can not tell."""
        return cls(name, False, detail, UNDECIDED)
