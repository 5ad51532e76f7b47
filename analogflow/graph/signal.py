"""A signal answers NumPy's operations by placing blocks: this is what lets one function be both equations and circuit."""

from __future__ import annotations

import dataclasses
import linecache
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from analogflow.blocks import Crossbar, Wire
from analogflow.blocks.block import frozen
from analogflow.errors import Untraceable

if TYPE_CHECKING:
    from analogflow.graph.tracing import GraphBuilder

__all__ = ["Signal", "SourceLine", "calling_line", "refuse"]

_OUR_FOLDER, _OUR_PACKAGE = str(Path(__file__).parent), str(Path(__file__).parents[1])


class Signal(np.lib.mixins.NDArrayOperatorsMixin):
    """Output of a block, standing in for an array of `shape` while a flow's function is traced.

    It takes arithmetic, NumPy's elementwise functions that a block realises, ``@``, ``sum``, indexing and ``.T``. All else
    is refused with the place in the user's file.
    """

    __slots__ = ("builder", "node", "shape")

    def __init__(self, builder: GraphBuilder, node: str, shape: tuple[int, ...]) -> None:
        self.builder = builder
        self.node = node
        self.shape = shape

    @property
    def size(self) -> int:
        """Number of scalar signals."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def T(self) -> Signal:
        """Transposed signal: only the wiring changes."""
        return self._rewired(np.arange(self.size).reshape(self.shape).T)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Signal:
        from analogflow.graph.operators import apply_ufunc

        return apply_ufunc(self.builder, ufunc, method, inputs, keywords)

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        if function in (np.shape, np.ndim, np.size) and len(arguments) == 1:
            return getattr(arguments[0], function.__name__)
        if function is np.dot and len(arguments) == 2 and not keywords:
            return arguments[0] @ arguments[1]
        if function in (np.sum, np.reshape, np.transpose) and isinstance(arguments[0], Signal):
            return getattr(arguments[0], function.__name__)(*arguments[1:], **keywords)
        refuse(f"np.{function.__name__} has no block")

    def sum(self, axis: int | None = None, **keywords: Any) -> Signal:
        """Sum over one axis, or over all: wiring into a summing node."""
        if any(value is not None for value in keywords.values()):
            refuse(f"sum with {', '.join(keywords)} has no block")
        order = np.arange(self.size).reshape(self.shape)
        if axis is None:
            groups, shape = order.reshape(1, -1), ()
        else:
            try:
                groups = np.moveaxis(order, axis, -1)
            except ValueError as fault:
                refuse(str(fault))
            shape = groups.shape[:-1]
            groups = groups.reshape(-1, groups.shape[-1])
        wired = self._rewired(groups)
        rows, width = groups.shape
        block = Crossbar(size=rows, weight=frozen(np.ones((1, width))), rows=rows)
        return self.builder.place(block, (wired,), shape)

    def mean(self, axis: int | None = None) -> Signal:
        """Mean over one axis, or over all."""
        return self.sum(axis) / (self.size if axis is None else self.shape[axis])

    def reshape(self, *shape: Any) -> Signal:
        """Same signals under another shape."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        try:
            return self._rewired(np.arange(self.size).reshape(wanted))
        except (TypeError, ValueError) as fault:
            refuse(str(fault))

    def transpose(self) -> Signal:
        """Transposed signal: only the wiring changes."""
        return self.T

    def __getitem__(self, key: Any) -> Signal:
        try:
            return self._rewired(np.arange(self.size).reshape(self.shape)[key])
        except IndexError as fault:
            refuse(str(fault), _Missing)

    def __len__(self) -> int:
        if not self.shape:
            refuse("a scalar signal has no length")
        return self.shape[0]

    def broadcast(self, shape: tuple[int, ...]) -> Signal:
        """Signal repeated to `shape` as NumPy would; a scalar stays one, since blocks repeat it themselves."""
        if self.shape == shape or self.size == 1:
            return self
        return self._rewired(np.broadcast_to(np.arange(self.size).reshape(self.shape), shape))

    def _rewired(self, indices: np.ndarray) -> Signal:
        flat = tuple(int(k) for k in np.asarray(indices).ravel())
        if flat == tuple(range(self.size)):
            return Signal(self.builder, self.node, np.shape(indices))
        return self.builder.place(Wire(size=len(flat), indices=flat), (self,), np.shape(indices))

    def __getattr__(self, name: str) -> NoReturn:
        # Asked for what is missing only; Python's protocols, which probe for names with a _, need the plain error.
        if not name.startswith("_") and hasattr(np.ndarray, name):
            refuse(f"an array's {name!r} has no block; a signal has mean, ndim, reshape, shape, size, sum, T, transpose")
        missing = f"a signal has no attribute {name!r}"
        if name.startswith("_"):
            raise AttributeError(missing)
        refuse(missing, _Missing)

    def __bool__(self) -> NoReturn:
        refuse("a decision on a signal (if, while, and, or) has no block; use analogflow.comparator and switch")

    def __array__(self, *arguments: Any, **keywords: Any) -> NoReturn:
        refuse("this function needs numbers, not signals; use NumPy's elementwise functions or analogflow's operators")

    def __float__(self) -> NoReturn:
        refuse("a signal has no single number")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        refuse("a signal can not be assigned to in place; write a new expression")

    def __repr__(self) -> str:
        return f"Signal({self.node}, shape {self.shape})"


class _Missing(Untraceable, AttributeError, IndexError):
    """What neither a signal nor an array has; so `hasattr`, and a loop over a signal, learn that it is not there."""


def refuse(reason: str, kind: type[Untraceable] = Untraceable) -> NoReturn:
    """Raise `Untraceable` for the line of the user's function that is now executing."""
    line = calling_line()
    fault = kind(f"{line.place}: `{line.text}` can not become a circuit: {reason}.")
    fault.reason = reason
    raise fault


@dataclasses.dataclass(frozen=True)
class SourceLine:
    """A line of source: its text without comment, its file and its number (0 where unknown)."""

    text: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """Text and place, with the file's name only: the same on every machine."""
        return f"{self.text}   ({Path(self.file).name}:{self.line})" if self.line else self.text

    @property
    def place(self) -> str:
        """Clickable place, ``file:line``; says so if it is unknown."""
        return f"{self.file}:{self.line}" if self.line else "a line that can not be located"


def calling_line(placer: FrameType | None = None) -> SourceLine:
    """Innermost line outside this folder and NumPy that is now executing.

    What a function of others places is the work of the line that calls it; `placer` is the frame that places a block.
    """
    frame = sys._getframe(1)
    if placer is not None and placer.f_back is not None and not (_of_ours(placer) or _of_ours(placer.f_back)):
        frame = placer.f_back
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_OUR_FOLDER) and "numpy" not in Path(file).parts:
            text = linecache.getline(file, frame.f_lineno, frame.f_globals).split("#")[0].strip()
            return SourceLine(text, file, frame.f_lineno)
        frame = frame.f_back
    return SourceLine()


def _of_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OUR_PACKAGE)
