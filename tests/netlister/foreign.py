"""Reads a plain deck with PySpice's parser, runs what it built through PySpice's own interface, prints the answers.

A program of its own: PySpice writes to its streams and warns on import.
"""

import logging
import os
import re
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from analogflow.simulators.ngspice.library import find_library  # noqa: E402

os.environ["NGSPICE_LIBRARY_PATH"] = find_library().path

from PySpice.Spice.Parser import SpiceParser  # noqa: E402


def main(path: str) -> None:
    with open(path, encoding="ascii") as file:
        text = file.read()
    # PySpice 1.5 has a switch, but its parser fails at one (IndexError), so these are placed through its interface.
    switches = re.findall(r"^S(\w+) (\w+) (\w+) (\w+) (\w+) (\w+) (on|off)\n", text, re.M)
    parser = SpiceParser(source=re.sub(r"^[ST]\w+ .*\n", "", text, flags=re.M))
    circuit = parser.build_circuit()
    # Its transmission line knows no start, so that such a line is handed on as it is.
    circuit.raw_spice = "\n".join(re.findall(r"^T\w+ .*", text, re.M))
    for name, *nodes, model, state in switches:
        circuit.VCS(name, *nodes, model=model, initial_state=state)
    for statement in parser.subcircuits:  # PySpice 1.5 reads them and leaves them out of what it builds
        circuit.subcircuit(statement.build())
    simulator = circuit.simulator()
    starts = (pair for line in re.findall(r"^\.ic (.*)", text, re.M) for pair in re.findall(r"v\((\w+)\)=(\S+)", line))
    simulator.initial_condition(**{node: float(volts) for node, volts in starts})
    simulator.options(**dict(re.findall(r"(\w+)=(\S+)", re.findall(r"^\.options (.*)", text, re.M)[0])))
    step, end = map(float, re.findall(r"^\.tran (\S+) (\S+)", text, re.M)[0])
    run = simulator.transient(step_time=step, end_time=end, max_time=step, use_initial_condition=True)
    for name in re.findall(r"^B(answer_\w+)", text, re.M):
        sys.stdout.write(f"{name} {float(run[name][-1])!r}\n")


if __name__ == "__main__":
    main(sys.argv[1])
