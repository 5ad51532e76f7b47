"""Bench decks that ngspice runs by itself: lines in, the numbers that it measured out."""

import re
import subprocess


def measured(folder, lines, control):
    """What ``meas`` and ``print`` said in a deck of `lines` with the commands `control`, by name."""
    path = folder / "bench.cir"
    path.write_text("\n".join(["* bench", *lines, ".control", *control, ".endc", ".end", ""]))
    run = subprocess.run(["ngspice", "-b", "-n", path], capture_output=True, text=True, timeout=120, check=False)
    found = re.findall(r"^([\w()]+)\s*=\s*([-+]?[\d.]+(?:e[-+]?\d+)?)", run.stdout, re.M)
    assert found, run.stdout + run.stderr
    return {name: float(value) for name, value in found}
