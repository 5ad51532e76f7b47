"""Sequences whose items are made each time they are read: circuits have millions of elements that few readers want."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast, overload

__all__ = ["Made"]

T = TypeVar("T", covariant=True)


class _Nested:
    """Tells sequences from items, at a quarter of what it costs to ask a class that has `Sequence` among its bases."""


class Made(_Nested, Sequence[T], Generic[T]):
    """What `make()` gives, from the start whenever somebody reads it; none of it is kept.

    It equals any other sequence of the same items, and is pickled as a tuple of them.

    Parameters
    ----------
    make : callable
        Without arguments. It gives the same each time: items, and further sequences of this kind in the place of theirs.
    """

    def __init__(self, make: Callable[[], Iterable[T | Made[T]]]) -> None:
        self._make = make

    def pieces(self) -> Iterator[T | Made[T]]:
        """Items, and sequences of items that may be read as a whole."""
        return iter(self._make())

    def kept(self) -> tuple[T, ...]:
        """All items; ``tuple`` would make them twice, for it asks for their number first."""
        return tuple(iter(self))

    def __iter__(self) -> Iterator[T]:
        pieces: Iterator[Any] = self.pieces()
        for piece in pieces:
            if isinstance(piece, _Nested):
                yield from cast(Made[T], piece)
            else:
                yield piece

    def __len__(self) -> int:
        return sum(len(piece) if isinstance(piece, Made) else 1 for piece in self.pieces())

    def __bool__(self) -> bool:
        return any(True for _ in self)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.kept()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and self.kept() == tuple(iter(other))

    def __hash__(self) -> int:
        return hash(self.kept())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self.kept(),)

    def __repr__(self) -> str:
        return repr(self.kept())
