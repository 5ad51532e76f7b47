"""What curves show: a table of their points, and a figure with their slope."""

from __future__ import annotations

from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analogflow.curves import CircuitPoint, CurveValue, TradeOffCurve
from analogflow.report.bits import in_bits
from analogflow.report.figure import INK, PALETTE, new_figure, style

__all__ = ["curve_table", "plot_curve", "print_curve"]


def curve_table(curve: TradeOffCurve) -> Table:
    """A row for each point: where, the value in nats and bits, slope, and the width of the interval that proves it."""
    traded = curve.trade_off
    table = Table(
        title=Text("\n".join(filter(None, [_title(curve), getattr(curve.problem, "summary", "")]))),
        caption=f"the {traded.value_says} is at least as given, and larger by the gap at most",
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    names = [traded.says, f"{traded.value_says}\n(nat)", "\n(bit)", "slope\n(nat)", "gap\n(nat)"]
    if curve.engine:
        names += [f"{curve.engine}:\n{traded.says}", "off by\n(nat)", ""]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    digits, slopes = (6, ".4g") if curve.engine else (9, ".6g")
    for point in curve.points:
        row: list[str | Text] = [
            f"{point.at:.6g}",
            f"{point.lower:.{digits}f}",
            f"{in_bits(point.lower):.{digits}f}",
            f"{point.slope:{slopes}}",
            f"{point.gap:.1e}",
        ]
        if curve.engine and point.circuit is None:
            row += ["–", "–", "–"]
        elif point.circuit is not None:
            ran = point.circuit
            verdict = Text("passed", "green") if ran.passed else Text("failed", "bold red")
            row += [f"{ran.at:.6g}", f"{_off(point, ran):.1e}", verdict]
        table.add_row(*row)
    return table


def _off(point: CurveValue, ran: CircuitPoint) -> float:
    """How far a circuit's point is off the tangent, so that a shift along the curve does not count."""
    return abs(ran.value - point.lower - point.slope * (ran.at - point.at))


def print_curve(curve: TradeOffCurve) -> None:
    """Print the table."""
    Console().print(curve_table(curve))


def plot_curve(curve: TradeOffCurve) -> Figure:
    """The value in nats, and in bits on the right, and its slope, against what is traded; points of circuits as rings."""
    traded = curve.trade_off
    at = [point.at for point in curve.points]
    values = [point.lower for point in curve.points]
    with style():
        figure = new_figure(7.2, 3.0)
        left, right = figure.subplots(1, 2)
        left.plot(at, values, "o-", color=PALETTE[0], ms=3, lw=1.2, label="exact")
        if ran := [point.circuit for point in curve.points if point.circuit is not None]:
            left.plot(
                [one.at for one in ran], [one.value for one in ran], "o", mfc="none", mec=PALETTE[1], ms=7,
                label=f"circuit, {curve.engine}",
            )  # fmt: skip
            left.legend(fontsize=8)
        left.set(xlabel=traded.says, ylabel=f"{traded.value_says} (nat)", ylim=(0, None))
        bits = left.secondary_yaxis("right", functions=(in_bits, lambda bit: bit / in_bits(1)))
        bits.set_ylabel("bit", color=INK)
        right.plot(at, [point.slope for point in curve.points], "o-", color=PALETTE[2], ms=3, lw=1.2)
        right.set(xlabel=traded.says, ylabel=f"slope (nat per unit of {traded.says})")
        figure.suptitle(_title(curve), fontsize=9)
    return figure


def _title(curve: TradeOffCurve) -> str:
    several = f" {curve.which + 1}" if len(getattr(curve.problem, "costs", ())) > 1 else ""
    return f"{curve.trade_off.value_says} against {curve.trade_off.says}{several}"
