"""Reads a deck in Spectre's language by the rules of its reference, and writes what it says as SPICE for ngspice.

It shares nothing with what wrote the deck: names are taken as they come, and a line that no rule knows is an error.
"""

import re

PAIR = re.compile(r"(\w+)=(\[[^\]]*\]|\S+)")
BEHAVIOUR = re.compile(r"bsource ([iv])=(.*)")
METHODS = {"trap": "trap", "gear2": "gear"}
FUNCTIONS = {"exp", "ln", "max", "min", "sin", "sqrt", "tanh", "atan"}


class Deck:
    """What a deck says: `lines` of SPICE, the names of all `instances`, and what is `saved` and `measured`."""

    def __init__(self, text: str) -> None:
        self.lines: list[str] = []
        self.instances: list[str] = []
        self.saved: list[str] = []
        self.measured: list[str] = []
        self.kinds: dict[str, str] = {}
        self.run: dict[str, str] = {}
        self.options: dict[str, str] = {}
        language, statements = "spice", text.splitlines()
        for line in statements[1:]:  # the first is the title
            if line.startswith(("*", "//")) or not line.strip():
                continue
            if found := re.fullmatch(r"simulator lang=(\w+)", line):
                language = found[1]
            elif language == "spice":
                self._spice(line)
            else:
                self._statement(line)

    def _spice(self, line: str) -> None:
        if line == ".end":
            return
        assert line.startswith(".measure tran "), line
        self.measured.append(line)

    def _statement(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if first == "model":
            name, master, given = re.fullmatch(r"(\w+) (bjt|diode) (.*)", rest).groups()
            pairs = dict(PAIR.findall(given))
            self.kinds[name] = {"bjt": "Q", "diode": "D"}[master]
            kind = pairs.pop("type") if master == "bjt" else "d"
            self.lines.append(f".model {name} {kind}({' '.join(f'{k}={v}' for k, v in pairs.items())})")
        elif first == "subckt":
            name, ports = re.fullmatch(r"(\w+) \(([^()]*)\)", rest).groups()
            self.kinds[name] = "X"
            self.lines.append(f".subckt {name} {ports}")
        elif first == "parameters":
            self.lines[-1] += f" params: {rest}"
        elif first == "ends":
            self.lines.append(f".ends {rest}")
        elif first == "ic":
            self.lines += [f".ic v({node})={volts}" for node, volts in PAIR.findall(rest)]
        elif first == "save":
            self.saved += rest.split()
        elif rest.startswith("options "):
            self.options |= dict(PAIR.findall(rest))
        elif rest.startswith("tran "):
            self.run = dict(PAIR.findall(rest))
        else:
            self._instance(*re.fullmatch(r"(\w+) \(([^()]*)\) (.*)", line).groups())

    def _instance(self, name: str, nodes: str, rest: str) -> None:
        self.instances.append(name)
        if found := BEHAVIOUR.fullmatch(rest):
            kind, text = found.groups()
            assert {*re.findall(r"([a-z]\w*)\(", text)} <= FUNCTIONS | {"v", "i"}, text
            text = re.sub(r'\bi\("(\w+)"\)', r"i(v_\1)", text.replace("$time", "time"))
            # A parameter, which stands alone in brackets, is in braces in ngspice.
            text = re.sub(r"(?<![\w.])\(([a-z]\w*)\)", r"({\1})", text)
            self.lines.append(f"B_{name} {nodes} {kind}={text}")
            return
        master, _, given = rest.partition(" ")
        pairs = dict(PAIR.findall(given))
        one = {"resistor": ("R", "r"), "capacitor": ("C", "c"), "vccs": ("G", "gm"), "isource": ("I", "dc")}
        if master in one:
            letter, key = one[master]
            assert {*pairs} == ({key, "type"} if letter == "I" else {key})
            self.lines.append(f"{letter}_{name} {nodes} {pairs[key]}")
        elif master == "vsource":
            value = pairs["dc"] if pairs["type"] == "dc" else f"pwl({pairs['wave'].strip('[]')})"
            self.lines.append(f"V_{name} {nodes} {value}")
        else:
            self.lines.append(f"{self.kinds[master]}_{name} {nodes} {master} {given}".rstrip())

    def spice(self) -> str:
        """A deck for ngspice that runs alone."""
        assert self.run["skipdc"] == "yes"
        given = {"reltol": "reltol", "vabstol": "vntol", "iabstol": "abstol", "gmin": "gmin", "temp": "temp"}
        options = [f"{given[name]}={value}" for name, value in self.options.items()]
        step = self.run["maxstep"]
        return "\n".join(
            [
                "read from Spectre's language",
                *self.lines,
                f".options method={METHODS[self.run['method']]} {' '.join(options)} itl4=100",
                f".save {' '.join(f'v({node})' for node in self.saved if ':' not in node)}",
                f".tran {step} {self.run['stop']} 0 {step} uic",
                *self.measured,
                ".end",
                "",
            ]
        )
