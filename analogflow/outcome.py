"""How a simulation ended, as data: each outcome is a sentence with the remedy, so a failed run needs no exception."""

from __future__ import annotations

import enum

__all__ = ["Outcome"]


class Outcome(enum.Enum):
    """End of a run; ``outcome.value`` is the sentence to show, ``outcome.ok`` whether the answer may be used."""

    SETTLED = "The state settled: its answer no longer moves."
    STATIONARY = "The answer fluctuates with the noise about a mean that no longer moves."
    COMPLETED = "The run reached its end time; nobody asked whether the answer settles."
    NOT_SETTLED = "The state still moves at the end of the run: give it more time, or check that the flow converges."
    ALGEBRAIC = (
        "The answer is approached like 1/t, or a power of it, not exponentially: more time buys accuracy only in proportion."
    )
    BLEW_UP = (
        "A state ran away, beyond a million flow units: the flow repels from the manifold its answer lives on, or the "
        "problem's numbers are that large; compile it with stabilisation, take another form, less noise, or larger units."
    )
    STUCK = (
        "The steps of the integration shrank to nothing before the end: the flow is not smooth there, or nearly singular; "
        "take another form, or a larger accuracy."
    )
    LEFT_MANIFOLD = (
        "The state settled off the manifold its answer lives on, so the answer is not one: "
        "compile it with stabilisation, or take another form."
    )
    MET_RAIL = (
        "A signal met the rail of its amplifier, beyond which the circuit no longer follows its equations: "
        "end the run earlier, or give the flow the time that it is to be run for, from which its ranges are chosen."
    )
    FAILED = (
        "The simulator crashed, hung, ran out of memory or found no solution; the reason says which: "
        "repeat the run alone, with a smaller largest step, another form, or the block engine."
    )

    @property
    def ok(self) -> bool:
        """Whether the run ended as it was asked to."""
        return self in (Outcome.SETTLED, Outcome.STATIONARY, Outcome.COMPLETED)

    @property
    def creeps(self) -> bool:
        """Whether the state still moves, which is no fault of an answer that can be judged as it stands."""
        return self in (Outcome.NOT_SETTLED, Outcome.ALGEBRAIC)
