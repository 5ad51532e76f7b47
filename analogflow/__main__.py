"""Where the command begins, with nothing loaded: Ctrl-C while the rest is being loaded is one sentence too."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    # An exception in the middle of an import would be reported as a fault of the module that was being imported.
    os.write(2, b"analogflow: interrupted.\n")
    os._exit(130)


def main() -> int:
    """Run the command line; return its exit code."""
    signal.signal(signal.SIGINT, _leave)
    gc.set_threshold(100_000)  # looking for cycles in what modules define takes a tenth of a short command's time
    from analogflow.cli import load
    from analogflow.cli import main as run

    load(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = run()
    signal.signal(signal.SIGINT, _leave)
    return code


if __name__ == "__main__":
    sys.exit(main())
