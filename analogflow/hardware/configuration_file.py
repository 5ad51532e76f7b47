"""Files that hold how a board is set: JSON of any board, and protobuf of a LUCIDAC."""

from __future__ import annotations

import json
from pathlib import Path

from analogflow.contents import plain, refuse_existing, whole_file, write_text
from analogflow.errors import BadInput
from analogflow.hardware.board_fit import BoardFit
from analogflow.hardware.boards import Board
from analogflow.hardware.lucidac_client import client_module, to_apb

__all__ = ["check_configuration_file", "write_configuration"]

_APB, _ENDINGS = ".apb", (".json", ".apb")


def check_configuration_file(path: str | Path, board: Board, *, force: bool = False) -> None:
    """Raise what `write_configuration` would raise whatever the flow, before a flow is held against the board.

    Raises
    ------
    BadInput
        The file exists and `force` is false, its name ends otherwise than in ``.json`` or ``.apb``, or it ends in ``.apb``
        and the board is no LUCIDAC.
    MissingProgram
        It ends in ``.apb``, and pybrid-computing is not installed.
    """
    ending = Path(path).suffix.lower()
    if ending not in _ENDINGS:
        raise BadInput(f"{str(path)!r} must end in {' or '.join(_ENDINGS)}: the second is protobuf, for a LUCIDAC.")
    if ending == _APB and board.kind != "crossbar":
        raise BadInput(
            f"{board.title} is not configured by protobuf; write {str(Path(path).with_suffix('.json'))!r} instead."
        )
    refuse_existing(path, force=force)
    if ending == _APB:
        client_module("pybrid.base.proto.main_pb2")


def write_configuration(mapping: BoardFit, path: str | Path, *, force: bool = False) -> Path:
    """Write how the board is set: JSON, or with the ending ``.apb`` what pybrid-computing reads, all or nothing.

    Parameters
    ----------
    mapping : BoardFit
        With a configuration.
    path : str or path
        Ends in ``.json`` or ``.apb``.
    force : bool
        Whether to replace a file that exists.

    Raises
    ------
    BadInput
        As `check_configuration_file` does; or there is no configuration, as the board has too little of something; or for a
        LUCIDAC's client a coefficient or a rate is out of range, which only boards of one's own can lead to.
    MissingProgram
        pybrid-computing is needed and not installed.
    """
    check_configuration_file(path, mapping.board, force=force)
    if mapping.configuration is None:
        raise BadInput(
            f"{mapping.board.title} was not set, so that there is nothing to write: {'; '.join(mapping.binding)}."
        )
    if Path(path).suffix.lower() != _APB:
        return write_text(path, json.dumps(plain(mapping.configuration), indent=2) + "\n", force=force, encoding="utf-8")
    content = to_apb(mapping.configuration)
    with whole_file(Path(path)) as part:
        part.write_bytes(content)
    return Path(path)
