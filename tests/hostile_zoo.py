"""Every reader of what users write, as a function of bytes; a whole example for each; and what no reader may let through."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io
from raw_reader import parse_raw
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.comparison.energy import prices
from analogflow.families.files import read_problem
from analogflow.hardware.boards import load_board
from analogflow.names import comment, identifier
from analogflow.problems.expression import read_expression
from analogflow.simulators.vacask.engine import Rows
from analogflow.studies.experiment import read_experiment
from analogflow.studies.store import Corrupt, Store, read_manifest
from analogflow.technology.part_sets import part_set, read_models

PROBLEMS: dict[str, dict] = {
    "capacity": {
        "transition": PAPER_ROWS, "initial": [0.5, 0.25, 0.25], "unavailable": [], "cost": [1.0, 2.0, 3.0],
        "cost_limit": 2.0,
    },
    "rate-distortion": {"source": [0.4, 0.6], "distortion": [[0, 1], [1, 0]], "beta": 2.0},
    "transport": {
        "cost": [[0.0, 1.0], [1.0, 0.5]], "row": [0.5, 0.5], "column": [0.25, 0.75], "epsilon": 0.1,
        "schedule": {"kind": "exponential", "start": 1.0, "rate": 0.1},
    },
    "attention": {
        "tokens": [[1.0, 0.0], [0.6, 0.8]], "B": [[1.0, 0.0], [0.0, 1.0]], "V": [[1.0, 0.0], [0.0, 0.5]], "beta": 1.0,
        "time": 2.0,
    },
    "hopfield": {
        "U": [[0.5, 0.1], [0.2, 0.3]], "I": [0.1, 0.2], "gain_v": 1.0, "gain_h": 0.5, "activation": "linear",
        "temperature": 0.1, "start": [0.0, 0.1, 0.0, 0.0],
    },
    "langevin": {
        "energy": "x**2 + 0.5*y**2 - 0.1*x*y", "variables": ["x", "y"], "temperature": 0.1, "mobility": [1.0, 1.0],
        "start": [0.1, 0.2],
    },
    "custom": {
        "name": "pendulum", "time": 2.0, "answer": "a", "states": {"a": 1.0, "b": [0.5, 0.25]},
        "constants": {"k": 0.3, "m": [[1.0, 0.0], [0.0, 1.0]]}, "definitions": {"r": "k*a"},
        "equations": {"a": "-r", "b": "-m@b + tanh(b)*0.1"}, "observables": {"s": "sum(b)"}, "conserved": {},
        "manifolds": {}, "noise": {"a": 0.01},
    },
}  # fmt: skip
"""One whole problem of each kind, with every key."""

_FINGERPRINT = "0123456789abcdef"
_BOARD = """title = "mine"
kind = "chip"
largest_coefficient = 1
coefficient_bits = 8
rate_per_second = 1e4
machine_unit_volts = 1
units = { integrators = 4, multipliers = 4, fanouts = 8, tables = 2 }
"""
_PARTS = """like = "general"
supply = 15
series = "E96"
[op_amp]
like = "opa2277"
offset = 1e-3
[tolerances]
resistor = 0.01
"""
_RAW = (
    b"Title: t\nDate: now\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: 2\nNo. Points: 2\nVariables:\n"
    b"\t0\ttime\ttime\n\t1\tv(a)\tvoltage\n"
)
_EXPERIMENT = (
    'flow = "capacity"\nforms = ["logdomain"]\nnoise = [0.001, "40dB"]\nsamples = 10\nseed = 3\n[imperfections]\n'
    "offset = [0.0, 1e-3]\n[stop]\nratio = 1.5\n[problems.a]\ntransition = [[0.9, 0.1], [0.2, 0.8]]\n"
)


def _npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(PAPER_ROWS))
    return stream.getvalue()


def _whole_chunk() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), _FINGERPRINT)
        store.path(0).parent.mkdir()
        store.write(0, {"error": np.array([1e-9, 2.0]), "outcome": np.array(["SETTLED", "FAILED"])})
        return store.path(0).read_bytes()


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _packed(suffix: str) -> bytes:
    """A channel as the library that is kept for such files writes it."""
    content, channel = io.BytesIO(), np.array([[0.7, 0.3], [0.1, 0.9]])
    if suffix == ".npz":
        np.savez(content, P=channel)
    elif suffix == ".mat":
        scipy.io.savemat(content, {"P": channel}, do_compression=True)
    else:
        content.write(pd.DataFrame(channel, columns=["y0", "y1"]).to_parquet())
    return content.getvalue()


def _problem(path: Path, family: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", af.AssumptionWarning)  # of what was understood, of which anything may be
        return read_problem(family, path)


def _channel(path: Path) -> object:
    return _problem(path, "capacity")


def _written(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def reader(content: bytes, folder: Path) -> object:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return read(path)

    return reader


def _equations(path: Path) -> object:
    return read_problem(str(path))


def _example(folder: Path) -> Path:
    path = folder / "example.json"
    path.write_text(json.dumps(PROBLEMS["capacity"]))
    return path


def _expression(content: bytes, folder: Path) -> object:
    found = read_expression(_text(content), ["x", "y", "m"], where="it")
    with np.errstate(all="ignore"):
        return found.evaluate({"x": np.float64(0.5), "y": np.ones(3), "m": np.eye(3)})


def _chunk(path: Path) -> object:
    return Store(path.parent.parent, _FINGERPRINT).read(0)


def _rows(path: Path) -> object:
    rows = Rows(str(path))
    return (rows.read(), rows.finish(), rows.column("time")) if rows.read() else None


def _names(content: bytes, folder: Path) -> object:
    shown = comment(_text(content))
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 110
    return identifier(_text(content))


READERS: dict[str, tuple[Callable[[bytes, Path], object], bytes]] = {
    "channel.csv": (_written("a.csv", _channel), b"# p\n0.7,0.3\n\"0.1\",9e-1\n"),
    "channel.npy": (_written("a.npy", _channel), _npy()),
    "channel": (_written("a", _channel), b"y0;y1\n0,7;0,3 # ours\n10%;9/10\n"),
    **{f"channel{suffix}": (_written(f"a{suffix}", _channel), _packed(suffix)) for suffix in (".npz", ".mat", ".parquet")},
    "rows.json": (_written("a.json", _channel), b'{"P": [[0.7, 0.3], [0.1, 0.9]]}'),
    **{
        f"{family}.json": (
            _written("a.json", _equations if family == "custom" else lambda path, f=family: _problem(path, f)),
            json.dumps(keys).encode(),
        )
        for family, keys in PROBLEMS.items()
    },
    "channel.toml": (
        _written("a.toml", _channel),
        b"transition = [[0.7, 0.3], [0.1, 0.9]]\ninitial=[0.5,0.5]\n",
    ),
    "equations.toml": (
        _written("a.toml", _equations),
        b"time = 3.0\n[states]\na = 1.0\n[constants]\nk = 0.5\n[equations]\na = \"-k*a + exp(-a)\"\n",
    ),
    "experiment.toml": (_written("e.toml", read_experiment), _EXPERIMENT.encode()),
    "parts.toml": (_written("p.toml", lambda path: part_set.__wrapped__(str(path))), _PARTS.encode()),
    "models.lib": (
        _written("m.lib", read_models),
        b"* two\n.model T1 npn (IS=1e-15 BF=100\n+ VAF=50)\n.model D1 d IS=1e-14\n",
    ),
    "board.toml": (_written("b.toml", load_board), _BOARD.encode()),
    "energy.toml": (_written("p.toml", prices), b"[multiply_add]\nvalue = 1e-12\nsource = \"mine\"\n"),
    "manifest.json": (
        _written("manifest.json", lambda path: read_manifest(path.parent)),
        json.dumps({
            "study": af.Study(af.Channel(PAPER_ROWS), noise=(0.01,), samples=3).to_dict(), "chunks": 1, "versions": {},
            "fingerprint": af.Study(af.Channel(PAPER_ROWS), noise=(0.01,), samples=3).fingerprint,
        }).encode(),
    ),
    "chunk.npz": (_written("chunks/000000.npz", _chunk), _whole_chunk()),
    "results.raw": (lambda content, folder: parse_raw(content), _RAW + b"Binary:\n" + np.arange(4.0).tobytes()),
    "results in text": (lambda content, folder: parse_raw(content), _RAW + b"Values:\n0\t0.0\n\t1.0\n1\t0.5\n\t2.5e-3\n"),
    "results of VACASK": (_written("v.raw", _rows), _RAW + b"Binary:\n" + np.arange(4.0).tobytes()),
    "an expression": (_expression, b"exp(-x)*tanh(y)[0]**2 + sum(m@y)/maximum(x, 1e-3) - m[0, 1]"),
    "a noise": (lambda content, folder: af.Noise.from_text(_text(content), unit=1.0, time_constant=1e-3), b"5e-9V/rtHz"),
    "an imperfection": (lambda content, folder: af.Imperfections.from_texts([_text(content)]), b"offset=1e-3"),
    "a name": (_names, b"u_12"),
    "a flow": (lambda content, folder: read_problem(_text(content), _example(folder)), b"capacity"),
    "a path": (lambda content, folder: _channel(_example(folder).parent / _text(content)), b"example.json"),
}  # fmt: skip
"""Reader of bytes in a folder of its own, and an example that it takes."""

REFUSALS = (af.AnalogflowError, Corrupt)
"""How a reader may say no."""


def attempt(name: str, content: bytes, folder: Path) -> object:
    """What a reader makes of bytes; None where it refuses them. Anything but a refusal in a sentence is raised."""
    try:
        return READERS[name][0](content, folder)
    except REFUSALS as fault:
        said = str(fault)
        if not said.strip() or not said.isprintable() or len(said) > 5000:
            raise AssertionError(f"{name} is refused, but not in a sentence: {said[:300]!r}") from fault
        return None
