"""Certificates as files: found anew from the problem and the path alone, by us and by a reader that is not ours."""

import base64
import hashlib
import json
import math
import subprocess
import sys

import numpy as np
import pytest

import analogflow as af
from analogflow.cli import main
from analogflow.families import FAMILIES, stationary
from analogflow.families.files import problem_of_keys
from analogflow.judgement import certificate_file

EXAMPLES = {name: dict(family.example) for name, family in FAMILIES.items() if family.example} | {
    "capacity": {"transition": [[0.9, 0.1], [0.2, 0.8]], "cost": [0.0, 1.0], "cost_limit": 0.4},
    "rate-distortion": {"source": [0.6, 0.4], "distortion": [[0, 1], [1, 0]], "beta": 2.0},
    "transport": {"cost": [[0, 1], [1, 0]], "row": [0.6, 0.4], "column": [0.3, 0.7], "epsilon": 0.5},
    "attention": {"tokens": [[1, 0], [0.6, 0.8]], "B": [[1, 0], [0, 1]], "V": [[1, 0], [0, 1]], "beta": 1.0, "time": 1.0},
    "hopfield": {"U": [[0.5]], "I": [0.4], "gain_v": [[1]], "gain_h": [[1]], "activation": "linear", "temperature": 0.2},
    "langevin": {"energy": "x**2/2 + x**4/8", "variables": ["x"], "temperature": 0.5},
    "custom": {"states": {"x": 0.5, "v": 0.0}, "equations": {"x": "v", "v": "(1 - x**2)*v - x"}, "time": 30.0},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Text of a certificate of the binary channel with a cost."""
    path = tmp_path_factory.mktemp("certificate") / "certificate.json"
    af.write_certificate(af.solve(problem_of_keys("capacity", EXAMPLES["capacity"], ""), engine="block"), path)
    return path.read_text()


def redigested(keys):
    """The text of such keys with a digest that fits, as a forger would write it."""
    body = {name: value for name, value in keys.items() if name != "digest"}
    text = json.dumps(body, indent=1, ensure_ascii=False)
    return text.removesuffix("\n}") + f',\n "digest": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'


# Those of one file are found anew by the cells of tests/matrix that solve and check.
@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.slow if family.example else ()) for name, family in FAMILIES.items()]
)
def test_every_family_is_found_anew_without_a_simulator(family, tmp_path, monkeypatch):
    solution = af.solve(problem_of_keys(family, EXAMPLES[family], family), engine="block")
    path = af.write_certificate(solution, tmp_path / "c.json")
    monkeypatch.setattr("analogflow.simulators.simulate", None)
    found = af.check_certificate(path)
    assert not found.differences
    assert found.passed == solution.passed
    assert found.certificate.errors == pytest.approx(dict(solution.certificate.errors), rel=1e-12, abs=0, nan_ok=True)
    assert [check.name for check in found.certificate.checks] == [check.name for check in solution.certificate.checks]


@pytest.mark.parametrize(
    "options",
    [
        {"noise": 0.01},
        {"imperfections": af.Imperfections(mismatch=0.05)},
        pytest.param({"technology": "opamp", "engine": "ngspice"}, marks=pytest.mark.ngspice),
    ],
)
def test_noise_and_parts_are_held_to_what_they_were_held_to(options, tmp_path):
    solution = af.solve([[0.9, 0.1], [0.3, 0.7]], **{"engine": "block"} | options)
    found = af.check_certificate(af.write_certificate(solution, tmp_path / "c.json"))
    assert not found.differences
    assert found.passed == solution.passed
    assert found.terms.limit == solution.certificate.terms.limit > 1e-6


@pytest.fixture(scope="module")
def law(tmp_path_factory):
    """File of the certificate of a law of many chains."""
    path = tmp_path_factory.mktemp("law") / "law.json"
    return af.write_certificate(af.solve(problem_of_keys("langevin", EXAMPLES["langevin"], ""), engine="block"), path)


def test_a_law_takes_little_more_than_its_states(law):
    first, *others = json.loads(law.read_text())["run"]["chains"]
    assert set(first["values"]) > {"x"}
    assert len(others) > 20
    assert all(set(chain) == {"values"} and set(chain["values"]) == {"x"} for chain in others)
    assert law.stat().st_size < 12 * 8192 * (len(others) + 3)


def test_chains_that_have_other_times_or_other_signals_are_noticed(law, tmp_path):
    path = tmp_path / "c.json"
    for change, said in (
        (lambda chain: chain.update(time="AAAAAAAAAAA="), "its path has [0-9]{4} of .x., of which there are 1"),
        (lambda chain: chain.update(values={}), "lacks 'x'"),
        (lambda chain: chain.pop("values"), "holds time and values"),
    ):
        keys = json.loads(law.read_text())
        change(keys["run"]["chains"][1])
        path.write_text(redigested(keys))
        with pytest.raises(af.BadInput, match=said):
            af.check_certificate(path)
    keys = json.loads(law.read_text())
    x = np.frombuffer(base64.b64decode(keys["run"]["chains"][5]["values"]["x"]))
    keys["run"]["chains"][5]["values"]["x"] = base64.b64encode((x + 0.01).tobytes()).decode()
    path.write_text(redigested(keys))
    assert not af.check_certificate(path).passed


def test_a_reader_that_is_not_ours_finds_the_same_law(law):
    """Mean and variance over the chains, and those of exp(-E/T) by a sum over a grid."""
    keys = json.loads(law.read_text())
    time = np.frombuffer(base64.b64decode(keys["run"]["chains"][0]["time"]))
    used = time >= keys["run"]["record"]["skipped"]
    paths = [np.frombuffer(base64.b64decode(chain["values"]["x"]))[used] for chain in keys["run"]["chains"]]
    found, errors = keys["found"]["answer"], keys["found"]["errors"]
    assert np.mean(paths) == pytest.approx(np.ravel(found["mean"])[0], abs=1e-3 * errors["mean_standard_error"])
    assert np.var(paths) == pytest.approx(np.ravel(found["covariance"])[0], rel=1e-3)
    x = np.linspace(-8, 8, 200_001)
    weights = np.exp(-(x**2 / 2 + x**4 / 8) / 0.5)
    exact = (weights * x**2).sum() / weights.sum()
    assert np.ravel(keys["found"]["reference"]["covariance"])[0] == pytest.approx(exact, rel=1e-8)
    assert abs(np.var(paths) - exact) < 5 * errors["covariance_standard_error"]


def test_chains_with_many_points_are_written_at_as_many_as_a_law_is_read_at(tmp_path, monkeypatch):
    """As of ngspice, whose steps are far shorter than a law needs: what is found of the file hardly differs."""
    problem = problem_of_keys("langevin", EXAMPLES["langevin"], "")
    solution = af.solve(problem, engine="block", chains=16, time_constants=40.0, step=0.01)
    whole, points = solution.certificate.errors, solution.run.time.size
    monkeypatch.setattr(stationary, "MOST_POINTS", 16 * (points // 5))
    monkeypatch.setattr(certificate_file, "MOST_POINTS", 16 * (points // 5))
    path = af.write_certificate(solution, tmp_path / "c.json")
    chains = json.loads(path.read_text())["run"]["chains"]
    assert len(base64.b64decode(chains[0]["time"])) == 8 * (points // 5 + 1)
    assert not any("time" in chain for chain in chains[1:])
    found = af.check_certificate(path)
    assert not found.differences
    assert found.passed == solution.passed
    for name, error in found.certificate.errors.items():
        if "standard_error" in name:
            assert error == pytest.approx(whole[name], rel=0.1)
        elif name in ("mean", "covariance"):
            assert abs(error - whole[name]) < 0.1 * whole[f"{name}_standard_error"]


SLOW_TO_LOAD = {f"scipy.{part}" for part in ("integrate", "optimize", "sparse", "spatial", "stats", "interpolate")}
"""What half of a check's time went into, for none of which it has a use."""


@pytest.mark.slow
def test_checking_loads_no_engine_no_way_to_solve_and_little_else(law):
    code = f"""if True:
        import sys
        from analogflow.cli import main
        assert main(["check", {str(law)!r}]) == 0
        print([name for name in sys.modules if name.startswith("analogflow.") and name.split(".")[1] in
               ("solution", "netlister", "comparison", "studies") or "ngspice" in name or "vacask" in name])
        print(sorted({SLOW_TO_LOAD!r} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]


def test_an_answer_counts_at_the_time_that_its_problem_asks_for(tmp_path):
    """A run that was ended elsewhere answers the problem of that end; nobody can ask for another time afterwards."""
    problem = problem_of_keys("custom", EXAMPLES["custom"], "")
    path = af.write_certificate(af.solve(problem, engine="block", time_constants=5.0), tmp_path / "c.json")
    keys = json.loads(path.read_text())
    assert keys["problem"]["time"] == 5.0
    assert af.check_certificate(path).passed
    keys["problem"]["time"] = 30.0
    path.write_text(redigested(keys))
    found = af.check_certificate(path)
    assert not found.passed
    assert found.differences[0] == "the path ends at 5 τ, and the problem asks for 30 τ"


def test_a_failed_answer_is_found_to_fail(tmp_path, capsys):
    short = af.solve([[0.9, 0.1], [0.3, 0.7]], engine="block", time_constants=1.0)
    path = af.write_certificate(short, tmp_path / "c.json")
    assert main(["check", str(path)]) == 1
    assert "does not pass" in capsys.readouterr().out


def test_a_reader_that_is_not_ours_finds_the_same_capacity(written):
    """From the text alone: the distribution at the end of the path, and Arimoto's bounds with the price of the cost."""
    keys = json.loads(written)
    P, cost = (np.array(keys["problem"][name], dtype=float) for name in ("transition", "cost"))
    chain = keys["run"]["chains"][0]
    z = np.frombuffer(base64.b64decode(chain["values"]["z"])).reshape(-1, 2)[-1]
    information = (P * np.log(P / (z @ P))).sum(axis=1)
    assert z @ cost <= keys["problem"]["cost_limit"][0] + 1e-6 if np.ndim(keys["problem"]["cost_limit"]) else True
    price = (information[1] - information[0]) / (cost[1] - cost[0])
    limit = float(np.ravel(keys["problem"]["cost_limit"])[0])
    upper = max(information - max(price, 0) * (cost - limit))
    assert keys["found"]["answer"]["capacity_nats"] == pytest.approx(z @ information, abs=1e-9)
    assert upper - z @ information < 1e-6
    assert keys["found"]["passed"] is True


def test_one_changed_character_is_refused(written, tmp_path, capsys):
    places = [k for k, letter in enumerate(written) if letter.isalnum()]
    draws = np.random.default_rng(0).choice(places, 60, replace=False)
    for k in draws:
        letter = written[k]
        other = str((int(letter) + 1) % 10) if letter.isdigit() else chr(ord(letter) ^ 32)
        path = tmp_path / "c.json"
        path.write_text(written[:k] + other + written[k + 1 :])
        assert main(["check", str(path)]) == 2, written[k - 30 : k + 30]
    said = capsys.readouterr().err
    assert "not as it was written" in said
    assert "Traceback" not in said


def numbers_in(value, place=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers_in(item, (*place, key))
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield from numbers_in(item, (*place, key))
    elif isinstance(value, float):
        yield place


def test_each_number_of_a_forger_comes_out_otherwise(written, tmp_path):
    """With a digest that fits; every number of the answer, the reference, the gap and the errors, one after another."""
    path = tmp_path / "c.json"
    for place in numbers_in(json.loads(written)["found"]):
        keys = json.loads(written)
        inner = keys["found"]
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] += 1e-6
        path.write_text(redigested(keys))
        found = af.check_certificate(path)
        assert not found.passed
        assert place[0] in found.differences[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda keys: keys["found"].update(passed=False), "passed is False, and True is found"),
        (lambda keys: keys["found"]["checks"].pop(), "checks are stated"),
        (lambda keys: keys["found"]["checks"][0].update(verdict="failed"), "is stated, and"),
        (lambda keys: keys["problem"].update(cost=[0.0, 1.5]), "is found"),
        (lambda keys: keys["problem"]["transition"].reverse(), "is found"),
    ],
)
def test_what_a_forger_states_otherwise_is_told(written, tmp_path, change, said):
    keys = json.loads(written)
    change(keys)
    path = tmp_path / "c.json"
    path.write_text(redigested(keys))
    found = af.check_certificate(path)
    assert not found.passed
    assert said in found.verdict


@pytest.mark.parametrize("stated", [10**400, "0.2", True, None, [0.2], {"a": 1}, 5.0, -1e300])
def test_a_limit_of_a_forger_makes_no_other_number_come_out(written, tmp_path, stated):
    keys = json.loads(written)
    keys["terms"]["limit"] = 1e300
    keys["found"]["answer"]["capacity_nats"] = stated
    path = tmp_path / "c.json"
    path.write_text(redigested(keys))
    found = af.check_certificate(path)
    assert not found.passed
    assert "answer.capacity_nats" in found.verdict


def with_time(keys, time):
    keys["run"]["chains"][0]["time"] = base64.b64encode(np.asarray(time, "<f8").tobytes()).decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda keys: keys.update({"analogflow certificate": 2}), "no certificate of layout 1"),
        (lambda keys: keys.update({"analogflow certificate": True}), "no certificate of layout 1"),
        (lambda keys: keys.pop("run"), "'run' is missing"),
        (lambda keys: keys.update(run=3), "holds int"),
        (lambda keys: keys.update(more=3), "'more' is not known"),
        (lambda keys: keys["terms"].update(limit=-1), "no limit"),
        (lambda keys: keys["terms"].update(noisy="yes"), "no limit, or what is no number"),
        (lambda keys: keys["run"].update(outcome="FINE"), "run.outcome is 'FINE'"),
        (lambda keys: keys["run"].update(chains=[]), "chains is empty"),
        (lambda keys: keys["run"].update(chains=[[]]), "holds time and values"),
        (lambda keys: keys["run"]["record"].update(skipped="x"), "run.record may hold"),
        (lambda keys: keys["run"].update(creep={}), "'speed' is missing"),
        (lambda keys: keys["run"]["chains"][0]["values"].pop("z"), "lacks 'z'"),
        (lambda keys: keys["run"]["chains"][0]["values"].update(z="AAAA"), "base64"),
        (lambda keys: keys["run"]["chains"][0]["values"].update(z=7), "base64"),
        (lambda keys: with_time(keys, [0, 2, 1]), "do not ascend"),
        (lambda keys: with_time(keys, [0, math.nan]), "do not ascend"),
        (lambda keys: with_time(keys, [0, math.inf]), "do not ascend"),
        (lambda keys: keys["made"].update(engine="\x1b[2J"), "no terminal"),
        (lambda keys: keys["found"]["checks"][0].update(verdict="\u202epassed"), "no terminal"),
        (lambda keys: keys["made"].update({f"k{k}": k for k in range(100)}), "over 64 names"),
        (lambda keys: with_time(keys, [0, 1, 2.5, 3, 4, 5, 6]), "numbers at 7 times"),
        (lambda keys: keys["found"].update(answer=[]), "'answer' holds list"),
        (lambda keys: keys["found"].update(checks=[3]), "'name' is missing"),
        (lambda keys: keys.update(flow="nothing"), "the flow"),
        (lambda keys: keys.update(form="nothing"), "nothing"),
        (lambda keys: keys["problem"].update(transition=[[1, 2]]), "rows must sum to 1"),
        (lambda keys: keys["problem"].update(inputs={"u": {"file": "/etc/passwd"}}), "asks for another file"),
    ],
)
def test_strange_certificates_are_refused_by_a_sentence(written, tmp_path, change, said, capsys):
    keys = json.loads(written)
    change(keys)
    path = tmp_path / "c.json"
    path.write_text(redigested(keys))
    assert main(["check", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"analogflow certificate": 1}', "null", "[" * 10_000])
def test_what_is_no_certificate_is_said_to_be_none(tmp_path, text, capsys):
    path = tmp_path / "c.json"
    path.write_text(text)
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err.startswith("analogflow: ")


@pytest.mark.parametrize("text", ["0.9,0.1\n0.2,0.8\n", "* a netlist\nC1 a 0 1n\n.end\n", "", "[1]"])
def test_a_netlist_and_a_table_are_said_to_be_no_certificate(tmp_path, text, capsys):
    path = tmp_path / "p.csv"
    path.write_text(text)
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    assert "neither a certificate, which is JSON, nor said to be a netlist; if it is one give --flow FLOW PROBLEM." in said


def test_nothing_is_run_that_could_not_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text("0.9,0.1\n0.2,0.8\n")
    (tmp_path / "there.json").write_text("{}")
    monkeypatch.setattr("analogflow.cli.solving.solve", None)
    for name, said in {"c.txt": "must end in .json", "there.json": "exists already", "no/c.json": "not a directory"}.items():
        assert main(["solve", "capacity", "p.csv", "--engine", "block", "--certificate", name]) == 2
        assert said in capsys.readouterr().err


def test_a_flow_that_is_a_function_can_not_be_a_file(tmp_path):
    flow = af.Flow(lambda x: -1 * x, {"x": [1.0]})
    solution = af.solve(flow, engine="block")
    with pytest.raises(af.BadInput, match="equations"):
        af.write_certificate(solution, tmp_path / "c.json")
