"""Writes a circuit as two files: Verilog-A modules, and a test bench beside them that loads and runs them."""

from __future__ import annotations

import re
from pathlib import Path

from analogflow.errors import BadInput
from analogflow.netlister.deck import Deck
from analogflow.netlister.verilog_a.bench import bench
from analogflow.netlister.verilog_a.modules import HEADER
from analogflow.problems.contents import refuse_existing, write_text

__all__ = ["write_verilog_a"]

_STEM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def write_verilog_a(deck: Deck, path: str | Path, *, force: bool = False) -> tuple[Path, Path]:
    """Write the modules of a deck's circuit to `path`, and its test bench to the same name with the ending ``.sim``.

    There is one module for each kind of nonlinear block and for each macro-model. Deviations, noise and, where junctions
    make a function, the temperature are parameters of each instance. The bench runs alone: ``vacask FILE.sim``.

    Raises
    ------
    BadInput
        A file exists and `force` is false, the name does not end in ``.va`` or has a character that may not stand in a
        bench, or an element has no counterpart in Verilog-A.
    """
    path = Path(path)
    if path.suffix != ".va" or not _STEM.fullmatch(path.stem):
        raise BadInput(
            f"{path.name!r} can not name a file of Verilog-A; take letters, digits, '_', '-' and '.', with the ending .va."
        )
    beside = path.with_suffix(".sim")
    refuse_existing(path, beside, force=force)
    written = bench(deck)
    comments = [f"//{line[1:]}" for line in deck.header if not line.startswith("* run:")]
    modules = "\n".join((*comments, HEADER, *(module.text for module in written.modules)))
    header = (*comments, f"// run:       vacask {beside.name}")
    write_text(path, modules, force=force)
    write_text(beside, written.text([path.name], header), force=force)
    return path, beside
