"""Verilog-A modules: one for each kind of nonlinear block, one for each macro-model, and the parts a simulator may lack."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit import Behavioural, Capacitor, Element, Macro, Resistor
from analogflow.errors import BadInput
from analogflow.names import comment, identifier, number

__all__ = [
    "CONDUCTOR",
    "HEADER",
    "INTEGRATOR",
    "NOISE",
    "SWITCH",
    "Module",
    "Skeleton",
    "behavioural_module",
    "macro_module",
    "skeleton",
]

HEADER = '`include "constants.vams"\n`include "disciplines.vams"\n'
"""What a file of modules begins with."""

_INSTANCE = '(* type="instance", desc="{}" *) parameter real {} = {};'

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[-+]?\d+)?)|([a-z][a-z0-9_]*)|\(\{([a-z][a-z0-9_]*)\}\)|(>=|<=|[-+*/(),<>?:]))")
_PLAIN = re.compile(r"\d+|0\.5|0\.1")
_FUNCTIONS = frozenset({"ln", "exp", "sqrt", "tanh", "sin", "atan", "min", "max"})

WARM = "warm"
"""Name of the variable that holds the temperature over the nominal one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """One module: its name and its text, without the header of the file."""

    name: str
    text: str


def behavioural_module(name: str, kind: str, shape: Skeleton, *, voltage: bool = False) -> Module:
    """Module of a current given by a formula, or of a `voltage`; every instance gives the numbers in it.

    Its current flows from port ``a`` to port ``b``, and its voltage is that of ``a`` over ``b``. A deviation of the output,
    its noise, and where junctions make the function the temperature, are parameters of each instance.
    """
    ports = ", ".join(["a", "b", *(f"x{k}" for k in range(shape.ports))])
    parameters = [_INSTANCE.format("number in the formula", f"p{k}", "1.0") for k in range(shape.numbers)]
    parameters += [
        _INSTANCE.format("relative deviation of the output", "mismatch", "0.0"),
        _INSTANCE.format(f"white noise of the output, {'V' if voltage else 'A'}^2/Hz", "noise", "0.0"),
    ]
    what, unit = ("V", "voltage of a over b") if voltage else ("I", "current from a to b")
    lines = [f"{what}(a, b) <+ (1.0 + mismatch)*({shape.text});", f'{what}(a, b) <+ white_noise(noise, "output");']
    declared = []
    if shape.thermal:
        nominal = number(NOMINAL_KELVIN)
        parameters.append(_INSTANCE.format("of the junctions, kelvin", "temperature", nominal))
        declared, lines = ["real warm;"], [f"warm = temperature/{nominal};", *lines]
    inputs = "".join(f" input x{k};" for k in range(shape.ports))
    body = (f"inout a, b;{inputs}", f"electrical {ports};", *parameters, *declared)
    head = f"// {comment(kind)}: the {unit} is {comment(shape.text, width=1000)}"
    return Module(name, _module(head, name, ports, body, lines))


def macro_module(macro: Macro, name: str) -> Module:
    """Module of a macro-model made of formulas, resistors and capacitors; its resistors make noise.

    Raises
    ------
    BadInput
        It holds an element of another kind, or a formula with what is not written as Verilog-A here.
    """
    inner = sorted({node for element in macro.elements for node in element.nodes} - {*macro.ports, "0"})
    local = {port: f"t_{identifier(port)}" for port in macro.ports} | {node: f"n_{identifier(node)}" for node in inner}
    parameters = [
        _INSTANCE.format("of this part", identifier(parameter), number(value)) for parameter, value in macro.parameters
    ]
    lines = [line for element in macro.elements for line in _inside(element, local, macro.name)]
    ports = ", ".join(local[port] for port in macro.ports)
    body = (f"inout {ports};", f"electrical {', '.join(local.values())};", *parameters)
    return Module(name, _module(f"// {comment(macro.note)}", name, ports, body, lines))


def _inside(element: Element, local: dict[str, str], macro: str) -> list[str]:
    """Contributions of one element of a macro-model."""
    ends = ", ".join(local[node] for node in element.nodes if node != "0")
    match element:
        case Behavioural():
            shape, _, _ = skeleton(element.expression, local=local)
            sign = "-" if element.nodes[0] == "0" else ""  # a contribution to one node flows out of it
            return [f"I({ends}) <+ {sign}({shape.text});"]
        case Resistor():
            thermal = f"4.0*`P_K*$temperature/{number(element.resistance)}"
            return [
                f"I({ends}) <+ V({ends})/{number(element.resistance)};",
                f'I({ends}) <+ white_noise({thermal}, "{identifier(element.name)}");',
            ]
        case Capacitor():
            return [f"I({ends}) <+ ddt({number(element.capacitance)}*V({ends}));"]
    raise BadInput(
        f"element {element.name!r} of the macro-model {macro!r} has no counterpart in Verilog-A; write the circuit as SPICE."
    )


def _module(head: str, name: str, ports: str, body: tuple[str, ...], lines: list[str]) -> str:
    declared = "\n".join(f"  {line}" for line in body)
    contributions = "\n".join(f"    {line}" for line in lines)
    if re.search(r"[^\n -~]", head + declared + contributions):
        raise BadInput(
            f"the module {name!r} would hold a character that may not stand in Verilog-A; write the circuit as SPICE."
        )
    return f"{head}\nmodule {name}({ports});\n{declared}\n  analog begin\n{contributions}\n  end\nendmodule\n"


CONDUCTOR = Module(
    "af_resistor",
    _module(
        "// ideal resistor: no noise",
        "af_resistor",
        "a, b",
        ("inout a, b;", "electrical a, b;", _INSTANCE.format("ohms", "r", "1.0")),
        ["I(a, b) <+ V(a, b)/r;"],
    ),
)
"""Resistor of an ideal circuit."""

INTEGRATOR = Module(
    "af_integrator",
    _module(
        "// integrator: a capacitor from y to ground, started by the simulator's initial conditions",
        "af_integrator",
        "y",
        (
            "inout y;",
            "electrical y;",
            _INSTANCE.format("farads", "c", "1.0"),
            _INSTANCE.format("relative deviation of the capacitor", "mismatch", "0.0"),
            _INSTANCE.format("conductance that leaks, siemens", "leak", "0.0"),
            _INSTANCE.format("white noise at the input, A^2/Hz", "noise", "0.0"),
        ),
        ["I(y) <+ ddt(c*(1.0 + mismatch)*V(y)) + leak*V(y);", 'I(y) <+ white_noise(noise, "input");'],
    ),
)
"""Capacitor to ground of an ideal circuit."""

NOISE = Module(
    "af_noise",
    _module(
        "// node of a noise source: one ohm, into which the current of a waveform flows, and its small-signal noise",
        "af_noise",
        "y",
        ("inout y;", "electrical y;", _INSTANCE.format("white noise, V^2/Hz, one-sided", "noise", "0.0")),
        ["I(y) <+ V(y);", 'I(y) <+ white_noise(noise, "source");'],
    ),
)
"""Node that a waveform of noise drives."""

SWITCH = Module(
    "af_switch",
    _module(
        "// switch: its logarithm of conductance goes smoothly from off to on while the control passes vt - vh to vt + vh",
        "af_switch",
        "a, b, x",
        (
            "inout a, b; input x;",
            "electrical a, b, x;",
            *(
                f'(* desc="{what}" *) parameter real {name} = {value};'
                for name, value, what in (
                    ("vt", "0.5", "threshold, volts"),
                    ("vh", "0.1", "half the width of the transition, volts"),
                    ("ron", "1.0", "ohms"),
                    ("roff", "1e12", "ohms"),
                )
            ),
            "real s;",
        ),
        [
            "s = min(max(0.5 + 0.5*(V(x) - vt)/vh, 0.0), 1.0);",
            "I(a, b) <+ V(a, b)*exp(-ln(roff) - s*s*(3.0 - 2.0*s)*ln(ron/roff));",
        ],
    ),
)
"""Switch between two nodes, which the simulator does not have."""


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
    formula: str, *, junctions: bool = False, local: Mapping[str, str] | None = None, timed: bool = False
) -> tuple[Skeleton, tuple[str, ...], tuple[float, ...]]:
    """Skeleton of a formula, the nodes at its ports and the numbers of its parameters.

    Whole numbers, halves and tenths belong to the formula; every other number is a value that a designer may wish to change.

    Parameters
    ----------
    formula : str
        As circuits hold it: node voltages ``v(node)``, numbers, ``ln exp sqrt tanh sin atan min max``,
        ``a ? b : c``, and ``({name})`` for a parameter of a macro-model.
    junctions : bool
        Whether ln, exp and tanh are those of junctions, which scale with temperature.
    local : mapping of node to text, optional
        Inside a macro-model: nodes are named as the mapping says, and numbers stay where they are.
    timed : bool
        Whether it may hold ``time``, as what a generator plays does.

    Raises
    ------
    BadInput
        The formula holds something else.
    """
    nodes: dict[str, str] = {}
    numbers: list[float] = []
    reader = _Reader(formula, nodes, numbers, junctions, local, timed)
    text = reader.sequence(len(reader.tokens))
    return Skeleton(text, len(nodes), len(numbers), reader.thermal), tuple(nodes), tuple(numbers)


class _Reader:
    """One pass over a formula's tokens, which are (kind, text)."""

    def __init__(
        self,
        formula: str,
        nodes: dict[str, str],
        numbers: list[float],
        junctions: bool,
        local: Mapping[str, str] | None,
        timed: bool,
    ) -> None:
        self.timed = timed
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
            f"the formula {self.formula!r} has {what!r}, which is not among what is written as Verilog-A here; "
            "write the circuit as SPICE."
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
            elif text == "time" and self.timed:
                parts.append("$abstime")
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
