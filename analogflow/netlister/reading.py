"""Reads a stranger's SPICE deck as text: its elements are kept, its commands left out, and nothing is run by itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from analogflow.errors import BadInput

__all__ = ["Capacitance", "ForeignDeck", "read_deck", "spice_number"]

_KEPT = frozenset({".model", ".subckt", ".ends", ".ic", ".nodeset", ".option", ".options", ".temp"})
_LEFT_OUT = frozenset(
    {
        ".save",
        ".tran",
        ".print",
        ".plot",
        ".probe",
        ".meas",
        ".measure",
        ".width",
        ".end",
        ".four",
        ".ac",
        ".dc",
        ".op",
        ".noise",
        ".backanno",
    }
)
_HARMLESS = frozenset(
    {"run", "let", "set", "unset", "if", "else", "end", "echo", "print", "quit", "exit", "meas", "tran", "op", "save",
     "linearize", "setplot", "destroy", "plot", "display", "show", "showmod", "listing", "ac", "dc", "noise", "setscale"}
)  # fmt: skip
"""Commands of a control section that change no circuit: none of them is run, and others are refused."""

_ESCAPE = re.compile(r"[`;]|^(echo|print)\b.*>", re.IGNORECASE)
"""Of a command that is harmless by its name: one that holds another, or writes a file."""

_OPTIONS = frozenset(
    {"abstol", "chgtol", "gmin", "itl1", "itl2", "itl3", "itl4", "itl5", "itl6", "maxord", "method", "pivrel", "pivtol",
     "reltol", "temp", "tnom", "trtol", "vntol"}
)  # fmt: skip
"""Options of a circuit. Others may last longer than it, such as interp, or be of how a run is shown."""
_OF_SHOWING = frozenset({"acct", "list", "measdgt", "noacct", "nomod", "nopage", "numdgt", "opts", "plotwinsize"})

_ELEMENTS = frozenset("bcdefghijklmqrstvwx")
_SUFFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "meg": 1e6, "g": 1e9, "t": 1e12,
             "mil": 25.4e-6, "": 1.0}  # fmt: skip
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(meg|mil|[fpnumkgt])?[a-z]*", re.IGNORECASE)
_DRIVEN = re.compile(r"\b(sin|pulse|exp|sffm|am|trnoise|trrandom|pwl)\s*\(|\bexternal\b", re.IGNORECASE)
_TIME = re.compile(r"\b(time|hertz)\b|\b(ddt|sdt|idt\w*|delay|absdelay|a?gauss|a?unif|rand(om)?|white)\s*\(", re.IGNORECASE)
_COMMENT, _MICRO = re.compile(r"(^|\s)\$(?=\s).*"), str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
_BLANKS = re.compile(r"[ \t]+")
_FILES = re.compile(r"""file\s*=|include|["'`$\\]""", re.IGNORECASE)
_START = re.compile(r"v\(\s*([\w.]+)\s*\)\s*=\s*([-+\w.]+)", re.IGNORECASE)

_PROBE = "vprobe"
"""How sources are called that hold the states."""

_MOST_LINES, _LONGEST_LINE = 200_000, 2**24
_FEW_POINTS = 8
"""Points up to which a piecewise-linear source is a switch that is thrown once, and not an input or noise."""


@dataclasses.dataclass(frozen=True)
class Capacitance:
    """A capacitor of a deck, outside of its subcircuits.

    Parameters
    ----------
    name : str
    line : int
        Position among the lines kept.
    nodes : (str, str)
    farads : float
    volts : float
        Across it at the start.
    """

    name: str
    line: int
    nodes: tuple[str, str]
    farads: float
    volts: float


@dataclasses.dataclass(frozen=True)
class ForeignDeck:
    """What a deck describes.

    Parameters
    ----------
    lines : tuple of str
        Elements, models, subcircuits, starts and options.
    capacitors : tuple of Capacitance
        Outside of subcircuits, in their order.
    end_time : float, optional
        Of its transient analysis, seconds.
    thrown : float
        Seconds from which on switches that are thrown once stay as they are.
    built : bool
        Whether there are transistors, diodes, switches or subcircuits, and not ideal elements alone.
    notes : tuple of str
        What was left out or held, a sentence each.
    """

    lines: tuple[str, ...]
    capacitors: tuple[Capacitance, ...]
    end_time: float | None
    thrown: float
    built: bool
    notes: tuple[str, ...]


def read_deck(text: str, where: str) -> ForeignDeck:
    """Read a deck; `where` begins the sentence of a fault.

    Raises
    ------
    BadInput
        A line includes another file, asks for a command that could change the circuit or reach the system, is no element, or
        is driven by time; the sentence names the line.
    """
    kept: list[str] = []
    capacitors: list[Capacitance] = []
    starts: dict[str, float] = {}
    notes: list[str] = []
    names: set[str] = set()
    end_time, thrown, inside, built = None, 0.0, 0, False
    for number, line in _statements(text, where):
        said = f"{where}: line {number}, {line[:60]!r}"
        word = line.split(maxsplit=1)[0].lower()
        if word == ".tran":
            words = [each for each in line.split()[1:3] if _NUMBER.fullmatch(each)] or ["none"]
            end_time = spice_number(words[-1], said)
        if word in _LEFT_OUT:
            continue
        if word[0] == ".":
            if word not in _KEPT:
                raise BadInput(
                    f"{said}, is refused: of lines with a dot only {' '.join(sorted(_KEPT | _LEFT_OUT))} are read."
                )
            if word == ".model" and "filesource" in line.lower():
                continue  # it belongs to a player, which is held at 0
            if word in (".ic", ".nodeset") and _START.sub("", line[len(word) :]).strip():
                raise BadInput(f"{said}, is refused: a start is v(NODE)=NUMBER.")
            if word in (".option", ".options"):
                line = _circuit_options(line, said)
            inside += (word == ".subckt") - (word == ".ends")
            built |= word in (".subckt", ".model")
            starts |= (
                {node.lower(): spice_number(value, said) for node, value in _START.findall(line)} if word == ".ic" else {}
            )
        elif word[0] == "a":
            nodes = re.fullmatch(r"\S+\s+(?:%v?d?\s*\(\s*)?\[([\w\s.]+)\][\s)]*\s(\w+)", line)
            if nodes is None or not re.search(rf"(?im)^\.model\s+{nodes[2]}\s+filesource\b", text):
                raise BadInput(f"{said}, is refused: it is a code model, which may read or write files.")
            kept += [f"Vheld{number}_{k} {node} 0 0" for k, node in enumerate(nodes[1].split()) if node != "0"]
            notes.append(f"line {number} plays noise from a file, which is not read: the noise is held at 0")
            continue
        elif word[0] not in _ELEMENTS:
            raise BadInput(f"{said}, is refused: no element begins so.")
        if _FILES.search(line):
            raise BadInput(f"{said}, is refused: it may read another file or run a command.")
        if (word[0] in "befgh" or re.search("[={]", line)) and _TIME.search(line):
            raise BadInput(
                f"{said}, is refused: it depends on time or on chance, and only circuits that do not are compared."
            )
        if word[0] in "vi" and (driven := _DRIVEN.search(line)):
            line, until = _held(line, (driven[1] or "").lower(), said)
            thrown = max(thrown, until)
            notes += [f"line {number} is noise, which is held at 0"] if line.endswith(" 0") else []
        if not inside and word[0] != ".":
            if word[0] == "l":
                raise BadInput(f"{said}, is refused: its current is a state, and only states of capacitors are compared.")
            if word in names or word.startswith(_PROBE):
                raise BadInput(f"{said}, is refused: {word[:40]!r} names another element already; give each its own name.")
            names.add(word)
        if word[0] == "c" and not inside:
            capacitors.append(_capacitor(line, len(kept), said))
        kept.append(line)
    if not capacitors:
        raise BadInput(
            f"{where} has no capacitor outside of its subcircuits, so that it has no state; give the whole circuit."
        )
    first = [
        each if "ic=" in kept[each.line].lower() else dataclasses.replace(each, volts=_across(each, starts))
        for each in capacitors
    ]
    return ForeignDeck(tuple(kept), tuple(first), end_time, thrown, built, tuple(notes))


def spice_number(text: str, said: str) -> float:
    """Number with a suffix of SPICE such as 10n or 2.2Meg; `said` begins the sentence of a fault."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise BadInput(f"{said}: {text[:20]!r} is no number.")
    return float(found[1]) * _SUFFIXES[(found[2] or "").lower()]


def _statements(text: str, where: str) -> Iterator[tuple[int, str]]:
    """Number and text of each statement after the title: no comments, lines that go on put together, no control section."""
    lines = text.splitlines()
    if len(lines) > _MOST_LINES or max(map(len, lines), default=0) > _LONGEST_LINE:
        raise BadInput(f"{where} is longer than {_MOST_LINES} lines, or has one of over {_LONGEST_LINE} characters.")
    begun, statement, control = 0, "", False
    for number, line in enumerate(lines[1:], start=2):
        # One blank between words, as the time of some patterns grows with the square of how many there are.
        line = _BLANKS.sub(" ", _COMMENT.sub("", line.translate(_MICRO))).strip()
        word = line.split(maxsplit=1)[0].lower() if line else ""
        if word == ".control" or word == ".endc":
            control = word == ".control"
        elif control:
            if word and word[0] != "*" and (word not in _HARMLESS or _ESCAPE.search(line)):
                raise BadInput(
                    f"{where}: line {number}, {line[:60]!r}, is refused: a command that could change the circuit or reach "
                    "the system; leave the control section out."
                )
        elif line.startswith("+"):
            statement += f" {line[1:]}"
        elif line and line[0] not in "*;$":
            if not line.isascii() or not line.isprintable():
                raise BadInput(f"{where}: line {number}, {line[:60]!r}, is refused: only printable ASCII is read.")
            if statement:
                yield begun, statement
            begun, statement = number, line.partition(";")[0].strip()
    if statement:
        yield begun, statement


def _circuit_options(line: str, said: str) -> str:
    """A line of options without those of how a run is shown."""
    kept = []
    for option in re.sub(r"\s*=\s*", "=", line).split()[1:]:
        name = option.partition("=")[0].lower()
        if name not in _OPTIONS | _OF_SHOWING:
            raise BadInput(f"{said}, is refused: of options only {', '.join(sorted(_OPTIONS))} are read.")
        kept += [option] if name in _OPTIONS else []
    return " ".join([".options", *kept])


def _held(line: str, kind: str, said: str) -> tuple[str, float]:
    """A source without its dependence on time, and from when on it has that value."""
    name, plus, minus, *_ = line.split()
    if kind != "pwl" and "noise" not in kind:
        raise BadInput(f"{said}, is refused: it is driven by time, and only circuits that do not depend on it are compared.")
    points = [] if kind != "pwl" else re.split(r"[\s,]+", line[line.index("(") + 1 :].partition(")")[0].strip())
    if "noise" in kind or "noise" in name.lower():
        return f"{name} {plus} {minus} 0", 0.0
    if not points or len(points) % 2 or len(points) > 2 * _FEW_POINTS:
        raise BadInput(f"{said}, is refused: it is driven by time, and only circuits that do not depend on it are compared.")
    values = [spice_number(point, said) for point in points]
    return f"{name} {plus} {minus} {values[-1]!r}", values[-2]


def _capacitor(line: str, position: int, said: str) -> Capacitance:
    words = line.replace("=", " = ").split()
    value = words[3:] if len(words) > 3 else [""]
    if [word.lower() for word in value[:2]] == ["c", "="]:
        value = value[2:]
    farads, volts = spice_number((value or [""])[0], said), 0.0
    lower = [word.lower() for word in value]
    if "ic" in lower and lower.index("ic") + 2 < len(value):
        volts = spice_number(value[lower.index("ic") + 2], said)
    if not farads > 0:
        raise BadInput(f"{said}: its capacitance is not positive.")
    return Capacitance(words[0], position, (words[1], words[2]), farads, volts)


def _across(capacitor: Capacitance, starts: dict[str, float]) -> float:
    plus, minus = (starts.get(node.lower(), 0.0) for node in capacitor.nodes)
    return plus - minus
