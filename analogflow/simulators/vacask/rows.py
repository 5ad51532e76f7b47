"""Reads the binary raw file of a transient while the simulator still writes it, and believes nothing it announces."""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import SimulationFailed

__all__ = ["Rows"]

_LONGEST_HEADER = 2**26
_END = b"Binary:\n"


class Rows:
    """Rows of a raw file that grows: call `read` for what is new.

    Parameters
    ----------
    path : str
        The file need not exist yet.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.names: tuple[str, ...] = ()
        self.table = np.empty((0, 0))
        self._start = 0

    def read(self) -> int:
        """Take in what was written since the last call; the number of whole rows so far.

        Raises
        ------
        SimulationFailed
            The file is not a raw file of real numbers.
        """
        try:
            with open(self.path, "rb") as file:
                if not self.names and not self._header(file.read(_LONGEST_HEADER)):
                    return 0
                row = 8 * len(self.names)
                whole = (os.fstat(file.fileno()).st_size - self._start) // row
                fresh = whole - len(self.table)
                if fresh > 0:
                    file.seek(self._start + row * len(self.table))
                    data = np.frombuffer(file.read(row * fresh), dtype="<f8").reshape(-1, len(self.names))
                    self.table = np.concatenate([self.table, data]) if len(self.table) else data.astype(np.float64)
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as fault:
            raise SimulationFailed(f"VACASK's results can not be read ({fault}).") from None
        return len(self.table)

    def finish(self) -> int | None:
        """Number of rows that the header announces once the simulator is done; None if it does not say."""
        try:
            with open(self.path, "rb") as file:
                found = re.search(rb"No\. Points:\s*([0-9]+)\s", file.read(4096))
        except OSError:
            return None
        return int(found[1]) if found else None

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of one vector.

        Raises
        ------
        SimulationFailed
            It was not saved.
        """
        if name not in self.names:
            raise SimulationFailed(f"VACASK did not save {name!r}; what it saved is {', '.join(self.names[:8])}.")
        return self.table[:, self.names.index(name)]

    def _header(self, data: bytes) -> bool:
        """Whether the header is complete; takes the names of the columns."""
        end = data.find(_END)
        if end < 0:
            if len(data) == _LONGEST_HEADER:
                raise ValueError("its header does not end")
            return False
        lines = data[:end].decode("ascii", "replace").splitlines()
        flags = next((line for line in lines if line.startswith("Flags:")), "")
        count = next((line.split(":")[1].strip() for line in lines if line.startswith("No. Variables:")), "")
        listed = [line.split() for line in lines[lines.index("Variables:") + 1 :]]
        names = tuple(words[1] if len(words) > 1 else "" for words in listed)
        if (
            "real" not in flags.split()
            or count != str(len(names))
            or len({*names, ""}) <= len(names)
            or names[:1] != ("time",)
        ):
            raise ValueError("its header is not that of a transient")
        self.names, self._start = names, end + len(_END)
        self.table = np.empty((0, len(names)))
        return True
