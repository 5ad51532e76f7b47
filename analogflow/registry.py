"""Tables of what there is of a kind: our own, and what other packages bring under a group of entry points."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module, metadata
from typing import Any, TypeVar

from analogflow.errors import BadInput

__all__ = ["Registry"]

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry]):
    """Entries by their names: our own first, then those of other packages, which are loaded when one is first asked for.

    Parameters
    ----------
    group : str
        Group of entry points in which other packages name theirs.
    kind : type
        What every entry is; it has a ``name``.
    own : sequence of that, callable, or mapping of name to text
        What the callable returns is asked for on first use; ``module:NAME`` is loaded when that entry is asked for.

    Raises
    ------
    BadInput
        Where one is asked for that can not be loaded, is of another kind, calls itself by another name,
        or by one that is taken. All others are there.
    """

    def __init__(
        self,
        group: str,
        kind: type[Entry],
        own: Sequence[Entry] | Callable[[], Sequence[Entry] | Mapping[str, str]] | Mapping[str, str],
    ) -> None:
        self._group, self._kind, self._own = group, kind, own
        self._packages: dict[str, str] = {}
        self._faults: dict[str, BadInput] = {}

    @property
    def brought(self) -> dict[str, str]:
        """Name and version of the package that brought each entry which is not our own."""
        _ = self._entries
        return dict(self._packages)

    @property
    def broken(self) -> dict[str, str]:
        """Why each that a package names can not be used, by the name that it has there."""
        _ = self._entries
        return {name: str(fault) for name, fault in self._faults.items()}

    @functools.cached_property
    def _entries(self) -> dict[str, Any]:
        own = self._own() if callable(self._own) else self._own
        entries: dict[str, Any] = (
            dict(own) if isinstance(own, Mapping) else {getattr(entry, "name", ""): entry for entry in own}
        )
        for point in metadata.entry_points(group=self._group):
            try:
                entry = self._loaded(point)
            except BadInput as fault:
                self._faults[point.name] = fault
                continue
            if (name := getattr(entry, "name", "")) in entries:
                self._faults[name] = BadInput(
                    f"{self._said(point)} has the name {name!r}, which is taken; rename it, or uninstall its package."
                )
                continue
            if name != point.name:
                self._faults[point.name] = BadInput(
                    f"{self._said(point)} calls itself {name!r}; "
                    f"give the entry point and the {self._kind.__name__} one name."
                )
                continue
            entries[name] = entry
            self._packages[name] = "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
        for name in self._faults.keys() & self._packages.keys():  # of two packages: neither is what was meant
            del entries[name], self._packages[name]
        return entries

    def _loaded(self, point: metadata.EntryPoint) -> Entry:
        try:
            entry = point.load()
        except Exception as fault:  # whatever a foreign module does when it is loaded
            raise BadInput(
                f"{self._said(point)} can not be loaded ({type(fault).__name__}: {fault}); mend it, or uninstall it."
            ) from fault
        if not isinstance(entry, self._kind):
            raise BadInput(f"{self._said(point)} is no {self._kind.__name__}; mend it, or uninstall it.")
        return entry

    def _said(self, point: metadata.EntryPoint) -> str:
        package = f" of the package {point.dist.name!r}" if point.dist is not None else ""
        return f"the plug-in {point.name!r}{package}, {point.value} in the group {self._group},"

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries and name in self._faults:
            raise self._faults[name]
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = self._entries[name] = getattr(import_module(module), attribute)
        return entry

    def __contains__(self, name: object) -> bool:
        """Whether there is one; what a file gives may be a list, which is no name. Raises as if it were asked for."""
        return isinstance(name, str) and super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
