"""Equations of higher order as pairs of states: x″ is the rate of x′, which is a state of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analogflow.errors import BadInput

__all__ = ["dotted", "of_first_order", "primed"]

_PRIMES = {"'": 1, "′": 1, "’": 1, "″": 2, "‴": 3}
_PRIMED = re.compile(rf"([A-Za-z][A-Za-z0-9_]*)([{''.join(_PRIMES)}]+)")
_HIGHEST = 4


def dotted(text: str) -> str:
    """`text` with every primed name as that of its state: x′ is x_dot, x″ is x_ddot."""
    return _PRIMED.sub(lambda found: _state(found[1], _order(found[2])), text)


def primed(name: str) -> str:
    """Name of a state as an equation of higher order writes it: x_ddot is x''."""
    found = re.fullmatch(r"(.+)_(d+)ot", name)
    return name if found is None else found[1] + "'" * len(found[2])


def of_first_order(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tables of equations in which each key is a rate: for an equation of x″, that of x is x_dot, and that of x_dot its own.

    Raises
    ------
    BadInput
        The order is too high, or there are two equations of one rate.
    """
    found = {
        kind: {dotted(key): dotted(value) if isinstance(value, str) else value for key, value in table.items()}
        for kind, table in tables.items()
    }
    rates: dict[str, Any] = {}
    for key, text in tables["equations"].items():
        given = _PRIMED.fullmatch(key)
        name, order = (given[1], _order(given[2])) if given else (key, 1)
        if order > _HIGHEST:
            raise BadInput(f"equations: {key!r} is of order {order}, and {_HIGHEST} is the highest; write more states.")
        chain = {_state(name, k): _state(name, k + 1) for k in range(order - 1)}
        chain[_state(name, order - 1)] = dotted(text) if isinstance(text, str) else text
        for rate, value in chain.items():
            if rate in rates:
                raise BadInput(f"equations: the rate of {primed(rate)!r} is given twice, by {key!r} too; give it once.")
            rates[rate] = value
    return {**found, "equations": rates}


def _order(primes: str) -> int:
    return sum(_PRIMES[prime] for prime in primes)


def _state(name: str, order: int) -> str:
    return name if not order else f"{name}_{'d' * order}ot"
