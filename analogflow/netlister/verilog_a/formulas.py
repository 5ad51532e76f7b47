"""Formulas of node voltages as Verilog-A: what differs from part to part becomes a port or a parameter.

Formulas that differ in nodes and numbers only share one skeleton, so one module serves all of them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from analogflow.errors import BadInput

__all__ = ["Skeleton", "skeleton"]

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[-+]?\d+)?)|([a-z][a-z0-9_]*)|\(\{([a-z][a-z0-9_]*)\}\)|(>=|<=|[-+*/(),<>?:]))")
_PLAIN = re.compile(r"\d+|0\.5|0\.1")
_FUNCTIONS = frozenset({"ln", "exp", "sqrt", "tanh", "sin", "min", "max"})

WARM = "warm"
"""Name of the variable that holds the temperature over the nominal one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Skeleton:
    """Formula in Verilog-A whose nodes are ports ``x0, x1, …`` and whose numbers are parameters ``p0, p1, …``.

    Parameters
    ----------
    text : str
        Where a junction makes the function, its scale is ``warm``: ln is multiplied by it, the arguments of exp and tanh are
        divided by it.
    ports : int
    numbers : int
    thermal : bool
        Whether the text holds ``warm``.
    """

    text: str
    ports: int
    numbers: int
    thermal: bool


def skeleton(
    formula: str, *, junctions: bool = False, local: Mapping[str, str] | None = None
) -> tuple[Skeleton, tuple[str, ...], tuple[float, ...]]:
    """Skeleton of a formula, the nodes at its ports and the numbers of its parameters.

    Whole numbers, halves and tenths belong to the formula; every other number is a value that a designer may wish to change.

    Parameters
    ----------
    formula : str
        As circuits hold it: node voltages ``v(node)``, numbers, ``ln exp sqrt tanh sin min max``, ``a ? b : c``, and
        ``({name})`` for a parameter of a macro-model.
    junctions : bool
        Whether ln, exp and tanh are those of junctions, which scale with temperature.
    local : mapping of node to text, optional
        Inside a macro-model: nodes are named as the mapping says, and numbers stay where they are.

    Raises
    ------
    BadInput
        The formula holds something else.
    """
    nodes: dict[str, str] = {}
    numbers: list[float] = []
    reader = _Reader(formula, nodes, numbers, junctions, local)
    text = reader.sequence(len(reader.tokens))
    return Skeleton(text, len(nodes), len(numbers), reader.thermal), tuple(nodes), tuple(numbers)


class _Reader:
    """One pass over a formula's tokens, which are (kind, text)."""

    def __init__(
        self, formula: str, nodes: dict[str, str], numbers: list[float], junctions: bool, local: Mapping[str, str] | None
    ) -> None:
        self.formula, self.nodes, self.numbers, self.junctions, self.local = formula, nodes, numbers, junctions, local
        self.thermal = False
        self.position = 0
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(formula.rstrip()):
            match = _TOKEN.match(formula, place)
            if match is None:
                raise self._fault(formula[place : place + 20])
            place = match.end()
            kinds = ("number", "name", "parameter", "mark")
            self.tokens += [(kind, text) for kind, text in zip(kinds, match.groups(), strict=True) if text is not None]

    def _fault(self, what: str) -> BadInput:
        return BadInput(
            f"the formula {self.formula!r} has {what!r}, which has no counterpart in Verilog-A; write the circuit as SPICE."
        )

    def sequence(self, end: int) -> str:
        """Text of the tokens up to `end`."""
        parts = []
        while self.position < end:
            kind, text = self.tokens[self.position]
            self.position += 1
            if kind == "number":
                parts.append(self._number(text))
            elif text == "-" and self._signed():
                parts.append(self._number(f"-{self.tokens[self.position][1]}"))
                self.position += 1
            elif kind == "parameter" or kind == "mark":
                parts.append(text)
            elif text == "v":
                parts.append(self._node())
            elif text in _FUNCTIONS:
                parts.append(self._call(text))
            else:
                raise self._fault(text)
        return "".join(parts)

    def _signed(self) -> bool:
        """Whether the minus just read is the sign of a number in brackets, which then is one value."""
        before, around = self.tokens[max(self.position - 2, 0)], self.tokens[self.position : self.position + 2]
        value = len(around) == 2 and around[0][0] == "number" and not _PLAIN.fullmatch(around[0][1])
        return value and self.position > 1 and before[1] == "(" and around[1][1] == ")"

    def _number(self, text: str) -> str:
        if self.local is not None or _PLAIN.fullmatch(text):
            return f"{text}.0" if text.isdigit() else text  # 1/2 of two whole numbers would be 0
        value = float(text)
        if value not in self.numbers:
            self.numbers.append(value)
        return f"p{self.numbers.index(value)}"

    def _node(self) -> str:
        tokens = self.tokens[self.position : self.position + 3]
        if [text for _, text in tokens[::2]] != ["(", ")"] or tokens[1][0] not in ("name", "number"):
            raise self._fault("v")
        self.position += 3
        node = tokens[1][1]
        if self.local is not None:
            if node not in self.local:
                raise self._fault(f"v({node})")
            return f"V({self.local[node]})"
        return f"V({self.nodes.setdefault(node, f'x{len(self.nodes)}')})"

    def _call(self, name: str) -> str:
        depth, end = 0, self.position
        while end < len(self.tokens):
            depth += {"(": 1, ")": -1}.get(self.tokens[end][1], 0)
            end += 1
            if depth == 0:
                break
        if self.tokens[self.position : self.position + 1] != [("mark", "(")] or depth:
            raise self._fault(name)
        self.position += 1
        inside = self.sequence(end - 1)
        self.position = end
        if not self.junctions or name not in ("ln", "exp", "tanh"):
            return f"{name}({inside})"
        self.thermal = True
        return f"{WARM}*ln({inside})" if name == "ln" else f"{name}(({inside})/{WARM})"
