"""Small decks and requests that ngspice's process is tested with, and ngspice's own command line."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from analogflow.simulators.ngspice.protocol import Request

OPTIONS = ".options reltol=1e-6 vntol=1e-9 chgtol=1e-18"


def deck(*elements: str, save: str = ".save v(x)", step: float = 0.01, end: float = 10.0, start: str = " uic") -> list[str]:
    return ["* test", *elements, OPTIONS, save, f".tran {step!r} {end!r} 0 {step!r}{start}", ".end"]


def request(*elements: str, **fields: object) -> Request:
    return Request(**({"deck": deck(*elements), "vectors": ("x",), "end_time": 10.0} | fields))  # pyright: ignore[reportArgumentType]


DECAY = ("c1 x 0 1 ic=1", "r1 x 0 1")
EXPLOSION = ("c1 x 0 1 ic=1", "b1 0 x i=v(x)*v(x)")
LOGARITHM = ("c1 x 0 1 ic=1", "b1 0 x i=-1-0*ln(v(x))")
LONG = Request(deck(*DECAY, step=1e-6), ("x",), 10.0)


def ngspice(path: Path, *options: str) -> str:
    environment = {**os.environ, "NGSPICE_MEAS_PRECISION": "12"}
    done = subprocess.run(
        ["ngspice", "-b", *options, path.name], cwd=path.parent, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout


def printed(text: str) -> dict[str, float]:
    """Answers, means and covariances that ngspice printed."""
    return {name: float(value) for name, value in re.findall(r"^((?:answer|mean|covariance)_\w+)\s*=\s*(\S+)", text, re.M)}
