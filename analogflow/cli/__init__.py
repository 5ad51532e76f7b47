"""The command line: each verb parses, calls what is public and prints: results to standard output, notes to error.

Here are the table of verbs, and what becomes of a fault: one sentence on standard error and an exit code.
"""

from __future__ import annotations

import _thread
import argparse
import contextlib
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module, metadata
from types import FrameType, ModuleType
from typing import NoReturn

from analogflow.errors import AnalogflowError, AssumptionWarning, BadInput

__all__ = ["FLAGS", "VERBS", "load", "main"]

_NO_MEMORY = "there is not enough memory for this; take a smaller problem, fewer samples, or fewer workers."

VERBS = {
    "doctor": ("solving", "say what is installed, what is missing and how to mend it"),
    "solve": ("solving", "simulate the flow's circuit and hold the answer against the exact reference"),
    "verify": ("solving", "solve, push the settled state away, run again, and say whether the answer stands"),
    "check": ("checking", "is what others wrote right: compute a certificate anew, or test whether a netlist is a flow"),
    "reproduce": ("reproducing", "compute a figure of a source paper anew, and say what the paper says and what we find"),
    "report": ("studying", "write one HTML page of a study: results, figures, failures, circuit, and how to repeat it"),
    "compare": (
        "comparing",
        "solve one problem by every circuit and every digital solver, and compare them at one accuracy",
    ),
    "netlist": ("circuits", "write the circuit as a SPICE netlist that runs by itself"),
    "curve": ("curving", "capacity against a mean cost, or rate against distortion, point by point"),
    "study": (
        "studying",
        "run a grid of conditions with many samples each, in parallel, into a directory that can be resumed",
    ),
    "explain": ("circuits", "show what each pass of the compiler does, and the parts of the circuit"),
    "map": ("circuits", "does the flow fit an analog computer: what it needs, what binds, and how the board is set"),
    "draw": ("circuits", "draw the block diagram, or the schematic of a technology of parts"),
    "board": ("circuits", "write a circuit of parts as a KiCad project, with a list of what is to be ordered"),
}
"""Module of every verb, with its functions ``about_VERB``, which adds its options, and ``run_VERB``; and what it does."""


_MISSING = re.compile(r"argument (?:-\w/)?(--[\w-]+): expected one argument")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if missing := _MISSING.fullmatch(message):
            message += f" (one that begins with - is given as {missing[1]}=VALUE)"
        raise BadInput(f"{message[:1].lower()}{message[1:]}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 bad input, 3 a program is missing."""
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        options = _parser(given).parse_args(given, argparse.Namespace(arguments=given))
        with _no_interruption_lost(), warnings.catch_warnings():
            warnings.simplefilter("always", AssumptionWarning)
            warnings.showwarning = _show
            code = options.verb(options)
        sys.stdout.flush()
    except AnalogflowError as fault:
        return _said(_in_flags(fault), fault.exit_code)
    except KeyboardInterrupt:
        return _said("interrupted.", 130)
    except BrokenPipeError:
        sys.stdout = None  # the reader of our output is gone; nobody is left to tell
        return 1
    except MemoryError:
        return _said(_NO_MEMORY, 1)
    except ImportError as fault:  # of a library that is loaded when it is needed, and that the system has no room for
        if "failed to map segment" not in str(fault):
            raise
        return _said(_NO_MEMORY, 1)
    except RecursionError:
        return _said("the problem is nested too deeply for this machine; split it.", 1)
    except OSError as fault:  # a full disk or a folder without permission, wherever it was met
        where = f" ({str(fault.filename)!r})" if fault.filename else ""
        sys.stdout = None  # which may be what can not be written
        return _said(f"the system refused to go on: {fault.strerror or fault}{where}.", 1)
    return code


@contextlib.contextmanager
def _no_interruption_lost() -> Iterator[None]:
    """Ask again for an interruption that came inside a finaliser, where Python prints a traceback and goes on."""
    before, main_thread = sys.unraisablehook, threading.get_ident()

    def again(fault: sys.UnraisableHookArgs) -> None:
        if issubclass(fault.exc_type, KeyboardInterrupt):
            threading.Thread(target=ask, args=(sys._getframe(),), daemon=True).start()
        else:
            before(fault)

    def ask(hook: FrameType) -> None:
        while hook in (frame for frame, _ in traceback.walk_stack(sys._current_frames()[main_thread])):
            time.sleep(0.001)  # what is raised inside this hook is lost as well
        place = here()
        while True:
            signal.pthread_kill(main_thread, signal.SIGINT) if hasattr(signal, "pthread_kill") else _thread.interrupt_main()
            time.sleep(0.1)
            # A call that was about to wait, and had not begun, hears of a signal only when it has waited to its end.
            if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or here() != place:
                return

    def here() -> tuple[FrameType, int]:
        frame = sys._current_frames()[main_thread]
        return frame, frame.f_lasti

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before


FLAGS = {
    "force=True": "--force (or force=True)",
    "resume=True": "--resume",
    "dask_workers": "--dask",
    "run_study": "analogflow study",
    "write_certificate of a solution": "analogflow solve --certificate",
    "hold one against its flow by check_deck": "if it is one give --flow FLOW PROBLEM",
    "the doctor": "analogflow doctor",
    "key=NAME": "--key NAME",
    "Channel.from_table(…, normalise=True)": "--normalise",
    "normalise=True": "--normalise",
    "Channel.from_table(…, transpose=True)": "--transpose",
    "Channel.from_counts": "--counts",
}
"""What the library says in Python, and how it is given here."""


def _in_flags(fault: AnalogflowError) -> str:
    """The sentence of a fault with options as they are given on the command line."""
    said = str(fault)
    for word in fault.words:
        said = said.replace(word, FLAGS[word])
    return said


def _show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    """Show what was assumed as a sentence, and other warnings as Python does."""
    if issubclass(category, AssumptionWarning):
        _said(str(message), 0)
    else:
        print(warnings.formatwarning(message, category, filename, lineno), end="", file=sys.stderr)


def _said(sentence: str, code: int) -> int:
    if code == 130:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is impatient and presses twice
    with contextlib.suppress(OSError):
        print(f"analogflow: {sentence}", file=sys.stderr)
    return code


def load(arguments: Sequence[str]) -> dict[str, ModuleType]:
    """Import the module of every verb among the arguments, and of no other: a verb needs seconds of them."""
    return {name: import_module(f"{__name__}.{VERBS[name][0]}") for name in arguments if name in VERBS}


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    description = "Compiles continuous-time flows into analog circuits, simulates them, and proves what they compute."
    parser = _Parser(prog="analogflow", description=description)
    parser.add_argument("--version", action="version", version=f"analogflow {metadata.version('analogflow')}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)
    loaded = load(arguments)
    for name, (_, summary) in VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary)
        if name in loaded:
            verb.set_defaults(verb=getattr(loaded[name], f"run_{name}"))
            getattr(loaded[name], f"about_{name}")(verb)
    return parser
