"""The design of a study: its grid, its fingerprint, and what it refuses."""

import json

import pytest
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.simulators import engines
from analogflow.studies import study_of

CHANNEL = af.Channel(PAPER_ROWS)


def test_conditions_are_the_whole_grid_in_order() -> None:
    study = af.Study(
        {"a": CHANNEL, "b": CHANNEL}, forms=("logdomain", "replicator"), noise=(0, 0.1), imperfections={"offset": [0, 1e-3]}
    )
    assert len(study.conditions) == 16
    assert [condition.number for condition in study.conditions] == list(range(16))
    assert list(study.dimensions) == ["problem", "form", "technology", "noise", "mismatch", "temperature", "offset"]
    last = study.conditions[-1]
    assert (last.problem, last.form, last.noise, last.further) == ("b", "replicator", 0.1, {"offset": 1e-3})
    assert last.imperfections.effects == ("offset",)


def test_chunks_cover_every_sample_once_and_depend_on_the_study_alone() -> None:
    study = af.Study(CHANNEL, noise=(0.01, 0.1), samples=2500)
    covered = [(chunk.condition, sample) for chunk in study.chunks for sample in range(chunk.first, chunk.last)]
    assert sorted(covered) == [(condition, sample) for condition in range(2) for sample in range(2500)]
    assert [chunk.number for chunk in study.chunks] == list(range(6))


def test_the_fingerprint_is_that_of_the_content() -> None:
    study = af.Study({"a": CHANNEL}, noise=(0.01, "40dB"), samples=10, seed=2**62)
    same = study_of(json.loads(study.text))
    assert same.fingerprint == study.fingerprint
    assert same.conditions == study.conditions
    others = [
        af.Study({"a": CHANNEL}, noise=(0.01, "40dB"), samples=11, seed=2**62),
        af.Study({"a": CHANNEL}, noise=(0.01, "40dB"), samples=10, seed=1),
        af.Study({"a": af.Channel(PAPER_ROWS, initial=[0.5, 0.25, 0.25])}, noise=(0.01, "40dB"), samples=10, seed=2**62),
    ]
    assert len({study.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_noise_as_a_ratio_is_a_sigma_per_root_of_a_time_constant() -> None:
    assert af.Study(CHANNEL, noise=("40dB",)).noise == (af.Noise.from_snr(40).sigma,)


def test_the_temperature_is_the_junctions_where_blocks_are_ideal_and_the_parts_elsewhere() -> None:
    study = af.Study(CHANNEL, technologies=("ideal", "opamp"), temperature_celsius=(27.0, 50.0), engine="ngspice")
    effects = [condition.imperfections.effects for condition in study.conditions]
    assert effects == [(), ("temperature_kelvin",), (), ()]
    assert study.conditions[1].imperfections.temperature_kelvin == pytest.approx(323.15)


def test_a_temperature_has_its_unit_in_python_and_its_key_in_files():
    study = af.Study(CHANNEL, temperature_celsius=(50.0,))
    assert '"mismatch":[0.0],"temperature":[50.0],"imperfections"' in study.text
    assert list(study.dimensions)[5] == "temperature"
    keys = study.to_dict()
    assert study_of(keys).text == study.text
    keys["temperature_celsius"] = keys.pop("temperature")
    with pytest.raises(af.BadInput, match="'temperature_celsius' is no key of it"):
        study_of(keys)
    with pytest.raises(af.BadInput, match="'temperature' is called 'temperature_kelvin' now"):
        af.Imperfections.from_texts(["temperature=310"])
    with pytest.raises(af.BadInput, match="temperature is a dimension of its own; give it as temperature"):
        af.Study(CHANNEL, imperfections={"temperature_kelvin": [310.0]})


REFUSED = {
    "nothing to vary": ({"noise": ()}, "noise has no value"),
    "a value twice": ({"noise": (0.1, 0.1)}, "0.1 twice"),
    "negative noise": ({"noise": (-0.1,)}, "sigma is -0.1"),
    "noise in volts": ({"noise": ("5e-9V/rtHz",)}, "depends on the circuit"),
    "no number": ({"mismatch": ("much",)}, "not a number"),
    "too much": ({"mismatch": (0.5,)}, "from 0 to 0.3"),
    "an unknown form": ({"forms": ("replicatr",)}, "'replicatr' of the capacity flow is not known"),
    "an unknown technology": ({"technologies": ("opam",)}, "did you mean opamp"),
    "an unknown engine": ({"engine": "ngspic"}, "did you mean ngspice"),
    "an unknown imperfection": ({"imperfections": {"ofset": [1]}}, "did you mean offset"),
    "mismatch among imperfections": ({"imperfections": {"mismatch": [0.1]}}, "dimension of its own"),
    "imperfections of parts": ({"technologies": ("opamp",), "imperfections": {"offset": [1e-3]}}, "from its parts"),
    "no samples": ({"samples": 0}, "whole number from 1"),
    "half a sample": ({"samples": 1.5}, "whole number from 1"),
    "a bad seed": ({"seed": -1}, "seed -1"),
    "no time": ({"time_constants": 0.0}, "positive number"),
    "unknown parts": ({"parts": "good"}, "parts 'good' is not known"),
    "forms that differ": ({"technologies": ("ideal", "translinear")}, "name the forms"),
    "a huge grid": ({"noise": tuple(range(400)), "mismatch": tuple(k / 4000 for k in range(400))}, "160000 conditions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_study_is_refused(name: str) -> None:
    keywords, sentence = REFUSED[name]
    with pytest.raises(af.BadInput, match=sentence):
        af.Study(CHANNEL, **keywords)


def test_problems_are_of_one_family_and_can_be_written() -> None:
    transport = af.Transport([[0, 1], [1, 0]], [0.5, 0.5], [0.5, 0.5], 0.1)
    with pytest.raises(af.BadInput, match="of one family"):
        af.Study({"a": CHANNEL, "b": transport})
    with pytest.raises(af.BadInput, match="Flow is not a problem"):
        af.Study(af.flows.capacity(CHANNEL))


def test_another_layout_is_refused() -> None:
    keys = af.Study(CHANNEL).to_dict()
    with pytest.raises(af.BadInput, match="layout is 1"):
        study_of({**keys, "layout": 1})


def test_parts_do_not_deviate_in_an_engine_that_has_none() -> None:
    with pytest.raises(af.BadInput, match=r"knows no parts, so it would ignore what 'opamp' is built of"):
        af.Study(CHANNEL, technologies=("opamp",), engine="block")
    assert af.Study(CHANNEL, technologies=("opamp",), mismatch=(0.01,), engine="ngspice").mismatch == (0.01,)


@pytest.mark.parametrize("library", [None, "libngspice.so"])
def test_a_study_picks_the_engine_that_solve_picks_and_keeps_its_name(
    monkeypatch: pytest.MonkeyPatch, library: str | None
) -> None:
    """But for ideal blocks, where it stays with the engine that takes all samples at once."""
    monkeypatch.setattr(engines, "find_library", lambda: library)
    monkeypatch.setattr(engines, "find_programs", lambda: None)
    simulator = "vacask" if library is None else "ngspice"
    for technologies in (("opamp",), ("ideal", "opamp")):
        for asked in ({}, {"engine": "spice"}):
            study = af.Study(CHANNEL, technologies=technologies, **asked)
            assert study.engine == study.to_dict()["engine"] == simulator == engines.engine_for("opamp", asked.get("engine"))
    assert af.Study(CHANNEL, engine="spice").engine == simulator
    usual = af.Study(CHANNEL)
    assert usual.engine == "block"
    assert usual.fingerprint == af.Study(CHANNEL, engine="block").fingerprint
