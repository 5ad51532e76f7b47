"""Frames that carry requests and replies between processes: a JSON header and raw float64 arrays, nothing executable.

A frame is a magic word, the lengths of header and arrays, then both.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameError", "read_frame", "write_frame"]

_FRAME = struct.Struct("<4sIQ")
_MAGIC = b"AFW1"
_LONGEST_HEADER = 2**28
_LONGEST_ARRAYS = 2**36


class FrameError(Exception):
    """The bytes received are not a frame; `EOFError` means there are no more."""


def write_frame(
    stream: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Send a header and named float64 arrays."""
    arrays = {name: np.ascontiguousarray(array, dtype="<f8") for name, array in (arrays or {}).items()}
    text = json.dumps({**header, "arrays": [[name, array.size] for name, array in arrays.items()]}).encode("ascii")
    stream.write(_FRAME.pack(_MAGIC, len(text), sum(array.nbytes for array in arrays.values())) + text)
    for array in arrays.values():
        stream.write(array.data)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Receive a header and its arrays.

    Raises
    ------
    EOFError
        The other side closed the stream.
    FrameError
        The bytes are not a frame.
    """
    magic, text_length, arrays_length = _FRAME.unpack(_exactly(stream, _FRAME.size))
    if magic != _MAGIC or text_length > _LONGEST_HEADER or arrays_length > _LONGEST_ARRAYS:
        raise FrameError(f"a frame begins with {magic!r} and announces {text_length} and {arrays_length} bytes")
    try:
        header = json.loads(_exactly(stream, text_length))
        sizes = [(str(name), int(size)) for name, size in header.pop("arrays")]
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise FrameError(f"the header of a frame is not as agreed ({fault})") from None
    if 8 * sum(size for _, size in sizes) != arrays_length or any(size < 0 for _, size in sizes):
        raise FrameError("the arrays of a frame are not as long as its header says")
    arrays = {name: np.frombuffer(_exactly(stream, 8 * size), dtype="<f8").astype(np.float64) for name, size in sizes}
    return header, arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the stream ended")
    return data
