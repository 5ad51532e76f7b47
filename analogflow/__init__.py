"""analogflow: compile continuous-time flows into analog circuits, simulate them, and prove what they compute.

    import analogflow as af
    channel = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
    print(af.solve(channel))

Importing the package loads neither PySpice nor matplotlib: what draws or hands over to PySpice is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from analogflow import flows
from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.comparison import Comparison, compare
from analogflow.compiler import compile, degrade
from analogflow.errors import (
    AnalogflowError,
    BadInput,
    MissingProgram,
    NoCell,
    SimulationFailed,
    UnstableManifold,
    Untraceable,
)
from analogflow.flows import Averaging, CommonMode, Flow, Simplex, Sphere, WeightedMean
from analogflow.graph import BlockGraph, comparator, log, normalise, softmax, switch, white_noise
from analogflow.hardware import Mapping, map_flow
from analogflow.hardware.parts_list import PartsList, parts_list
from analogflow.hardware.preferred import preferred
from analogflow.netlister import Deck, netlist
from analogflow.noise import Noise
from analogflow.outcome import Outcome
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Schedule, Transport
from analogflow.simulators import Ensemble, ensemble, ensemble_chunks, simulate
from analogflow.solution import Solution, solve
from analogflow.technology import part_set, spread
from analogflow.trajectory import Trajectory
from analogflow.validation import Budget, Certificate, Level, Parity, certify, error_budget, parity, verification_levels
from analogflow.verification import Verification, restart_classes, verify

if TYPE_CHECKING:
    from analogflow.netlister.pyspice import subcircuit
    from analogflow.report import draw_blocks, draw_circuit, plot_capacity, save_figure
    from analogflow.studies import Study, export_study, open_study, run_study

__version__ = metadata.version("analogflow")

__all__ = [
    "AnalogflowError",
    "Attention",
    "Averaging",
    "BadInput",
    "BlockGraph",
    "Budget",
    "Certificate",
    "Channel",
    "Circuit",
    "CommonMode",
    "Comparison",
    "Deck",
    "Ensemble",
    "Equations",
    "Flow",
    "Hopfield",
    "Imperfections",
    "Langevin",
    "Level",
    "Mapping",
    "MissingProgram",
    "NoCell",
    "Noise",
    "Outcome",
    "Parity",
    "PartsList",
    "RateDistortion",
    "Schedule",
    "Simplex",
    "SimulationFailed",
    "Solution",
    "Sphere",
    "Study",
    "Trajectory",
    "Transport",
    "UnstableManifold",
    "Untraceable",
    "Verification",
    "WeightedMean",
    "certify",
    "comparator",
    "compare",
    "compile",
    "degrade",
    "draw_blocks",
    "draw_circuit",
    "ensemble",
    "ensemble_chunks",
    "error_budget",
    "export_study",
    "flows",
    "log",
    "map_flow",
    "netlist",
    "normalise",
    "open_study",
    "parity",
    "part_set",
    "parts_list",
    "plot_capacity",
    "preferred",
    "restart_classes",
    "run_study",
    "save_figure",
    "simulate",
    "softmax",
    "solve",
    "spread",
    "subcircuit",
    "switch",
    "verification_levels",
    "verify",
    "white_noise",
]

_LOADED_ON_USE = {
    "run_study": "analogflow.studies",
    "open_study": "analogflow.studies",
    "export_study": "analogflow.studies",
    "Study": "analogflow.studies",
    "subcircuit": "analogflow.netlister.pyspice",
    "draw_blocks": "analogflow.report",
    "draw_circuit": "analogflow.report",
    "plot_capacity": "analogflow.report",
    "save_figure": "analogflow.report",
}


def __getattr__(name: str) -> Any:
    if name in _LOADED_ON_USE:
        found = getattr(import_module(_LOADED_ON_USE[name]), name)
        if name == "Study":
            _shows_itself(found, "html")
        return found
    raise AttributeError(f"module 'analogflow' has no attribute {name!r}")


def _shows_itself(kind: Any, language: str) -> None:
    """Let objects of a class draw themselves in notebooks; what draws is loaded when one is shown."""

    def shown(thing: Any) -> str | None:
        return getattr(import_module("analogflow.report.notebook"), f"shown_{language}")(thing)

    setattr(kind, f"_repr_{language}_", shown)


for _kind in (Solution, Verification, Comparison, Flow):
    _shows_itself(_kind, "html")
for _kind in (BlockGraph, Circuit):
    _shows_itself(_kind, "svg")
