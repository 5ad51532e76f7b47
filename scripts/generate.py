"""Write netlists/ and the schematics of the documentation; its other pictures are drawn by scripts/gallery.py."""

from collections.abc import Iterator
from pathlib import Path

from analogflow import (
    Channel,
    Noise,
    choose_values,
    compile,
    degrade,
    draw_circuit,
    flows,
    netlist,
    save_figure,
)
from analogflow.families import expected_answer
from analogflow.families.files import read_problem
from analogflow.flows.attention import FORMS as ATTENTION_FORMS
from analogflow.flows.capacity import FORMS
from analogflow.flows.rate_distortion import FORMS as RATE_DISTORTION_FORMS
from analogflow.flows.transport import FORMS as TRANSPORT_FORMS
from analogflow.netlister import Deck
from analogflow.reference import boltzmann_law

ROOT = Path(__file__).parents[1]


def decks() -> Iterator[tuple[str, Deck]]:
    """Name and deck of every file in netlists/."""
    channel = Channel.from_csv(ROOT / "examples/data/paper_channel.csv")
    for form in FORMS:
        circuit = compile(flows.capacity(channel, form=form))
        deck = netlist(circuit, time_constants=150, expected=expected_answer(channel))
        yield f"capacity-{form}-ideal.cir", deck
    tokens = read_problem("attention", ROOT / "examples/data/attention_three_tokens.json")
    for form in ATTENTION_FORMS:
        circuit = compile(flows.attention(tokens, form=form))
        deck = netlist(circuit, expected=expected_answer(circuit.flow.problem))
        yield f"attention-{form}-ideal.cir", deck
    for name, file in (("transport", "transport_three.json"), ("transport-adaptive", "transport_cooling.json")):
        plan = read_problem("transport", ROOT / "examples/data" / file)
        for form in TRANSPORT_FORMS:
            circuit = compile(flows.transport(plan, form=form))
            deck = netlist(circuit, time_constants=100, expected=expected_answer(plan))
            yield f"{name}-{form}-ideal.cir", deck
    for file in sorted((ROOT / "examples/flows").glob("*.toml")):
        problem = read_problem(str(file))
        circuit = compile(flows.custom(problem))
        if circuit.flow.jumps:
            continue  # no netlist sets a state anew
        deck = netlist(circuit, expected=expected_answer(problem))
        yield f"custom-{file.stem.replace('_', '-')}-ideal.cir", deck
    source = read_problem("rate-distortion", ROOT / "examples/data/rate_distortion_hamming.json")
    for form in RATE_DISTORTION_FORMS:
        deck = netlist(
            compile(flows.rate_distortion(source, form=form)), time_constants=60, expected=expected_answer(source)
        )
        yield f"rate-distortion-{form}-ideal.cir", deck
    well = read_problem("langevin", ROOT / "examples/data/langevin_double_well.json")
    circuit = degrade(compile(flows.langevin(well)), noise=Noise(0.0, seed=1, step=0.05))
    deck = netlist(circuit, time_constants=100, expected={"mean_x": float(boltzmann_law(well).mean[0])})
    yield "langevin-overdamped-ideal.cir", deck
    for name, file, time in (("rest", "hopfield_rest.json", 60.0), ("law", "hopfield_law.json", 150.0)):
        network = read_problem("hopfield", ROOT / "examples/data" / file)
        deck = netlist(compile(flows.hopfield(network)), time_constants=time, expected=expected_answer(network))
        yield f"hopfield-{name}-ideal.cir", deck
    for technology in ("opamp", "translinear"):
        circuit = choose_values(compile(flows.capacity(channel), technology=technology))
        deck = netlist(circuit, time_constants=100, expected=expected_answer(channel))
        yield f"capacity-logdomain-{technology}.cir", deck


def main() -> None:
    for name, deck in decks():
        print(deck.write(ROOT / "netlists" / name, force=True).relative_to(ROOT))
        if deck.circuit.parts is not None:
            picture = ROOT / f"docs/images/capacity-{deck.circuit.technology}.svg"
            print(save_figure(draw_circuit(deck.circuit), picture, force=True).relative_to(ROOT))


if __name__ == "__main__":
    main()
