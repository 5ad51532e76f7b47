"""The one gate between what users write and what a simulator reads: identifiers, numbers and comments.

A netlist is executable code (a newline in a title can run a shell command), so nothing reaches one except through
these functions. It does not decide which names exist; the circuit does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from analogflow.digits import KEPT, significant
from analogflow.errors import BadInput

__all__ = ["FINE", "comment", "identifier", "nodes_text", "number"]

FINE = 15
"""Digits of times, of which two may lie 10 ns apart."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,60}")
# Names ngspice reads as something else: its ground aliases, the sweep variables and the constants of B expressions.
_RESERVED = frozenset(
    {"gnd", "time", "temper", "hertz", "e", "pi", "c", "kelvin", "echarge", "boltz", "planck", "i", "yes", "no"}
)
_NAMED = rf"(?:0|(?!(?:{'|'.join(sorted(_RESERVED))})(?![a-z0-9_])){_IDENTIFIER.pattern})"
_NODES = re.compile(f"{_NAMED}(?: {_NAMED})*")

_KEPT_DIGITS = f"%.{KEPT}g"

_SPELLED = str.maketrans(
    {
        "Σ": "sum",
        "τ": "tau",
        "√": "sqrt",
        "σ": "sigma",
        "·": "*",
        "×": "x",
        "−": "-",
        "≤": "<=",
        "½": "1/2",
        "→": "->",
        "Ω": "ohm",
        "µ": "u",
    }
)


def identifier(name: str) -> str:
    """Return `name` if it may stand in a netlist (lower case, letters, digits, underscores), else raise.

    Raises
    ------
    BadInput
        `name` has another character, is longer than 61, starts with no letter, or means something to ngspice.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        raise BadInput(
            f"{name!r} can not name a part of a circuit; take a lower-case letter followed by at most 60 letters, "
            f"digits or underscores, other than {', '.join(sorted(_RESERVED))}."
        )
    return name


def nodes_text(nodes: Sequence[str]) -> str:
    """Names of nodes, with blanks between them; "0" is ground.

    Raises
    ------
    BadInput
        One is no `identifier`.
    """
    text = " ".join(nodes)
    if not _NODES.fullmatch(text) or text.count(" ") != len(nodes) - 1:  # all at once, since circuits have millions
        for node in nodes:
            identifier("ground" if node == "0" else node)
    return text


def number(value: float, digits: int = KEPT) -> str:
    """Shortest text of `value` with so many significant digits; never a unit suffix (``1M`` would be milli).

    Twelve digits are the same on every processor where the last bits of sums and logarithms are not.

    Raises
    ------
    BadInput
        `value` is NaN or infinite.
    """
    value = float(value)
    text = (_KEPT_DIGITS if digits == KEPT else f"%.{digits}g") % value
    # At most 15 digits are the shortest text of the number that they make, which only exponents leave open.
    if text.isdigit():
        return f"{text}.0"
    if "." in text and "e" not in text:
        return text
    if not math.isfinite(value):
        raise BadInput(f"{value!r} can not stand in a netlist; every component value must be a finite number.")
    return repr(significant(value, digits))


def comment(text: str, *, width: int = 110) -> str:
    """Printable ASCII on one line, for a comment: Σ, τ and their like are spelled out, anything else becomes ``?``.

    What is longer than `width` characters is cut. A backslash at the end, which would join the next line for some
    simulators, becomes ``?`` too.
    """
    clean = "".join(character if " " <= character <= "~" else "?" for character in str(text).translate(_SPELLED))
    if clean.endswith("\\"):
        clean = f"{clean[:-1]}?"
    return clean if len(clean) <= width else clean[: width - 3] + "..."
