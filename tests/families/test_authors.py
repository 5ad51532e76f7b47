"""What the author of a family got wrong is refused in one sentence, and never certified."""

import dataclasses
import re

import numpy as np
import pytest

from analogflow import Attention, Flow, Hopfield, Langevin, families, solve, verify
from analogflow.cli import main
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import Family, PathEnd, family_of, flow_of, reference_of
from analogflow.families.ends import gap_of
from analogflow.families.files import keys_of
from analogflow.families.stationary import Deviations, known_to, power_check
from analogflow.judgement.judging import judge


@dataclasses.dataclass(frozen=True, eq=False)
class Goal:
    """Where a state goes."""

    goal: np.ndarray


def flow(problem, form="linear"):
    return Flow(
        lambda x, goal: goal - x, {"x": np.zeros(2)}, constants={"goal": problem.goal}, family="goal", form=form,
        problem=problem,
    )  # fmt: skip


GOAL = Family(
    name="goal", problem=Goal, noun="a goal", keys=("goal",), flow=flow, forms=("linear",),
    reference=lambda problem, time: PathEnd({"x": problem.goal}, 0.0),
)  # fmt: skip
PROBLEM = Goal(np.array([0.5, -0.3]))


@pytest.fixture
def made(monkeypatch):
    def make(**fields):
        family = dataclasses.replace(GOAL, **fields)
        monkeypatch.setitem(families.FAMILIES._entries, "goal", family)
        reference_of.cache_clear()
        return family

    yield make
    reference_of.cache_clear()


def test_one_without_mistakes_is_certified(made):
    made()
    assert solve(PROBLEM, engine="block").passed


def test_a_flow_that_does_not_carry_its_problem_is_refused(made):
    made(flow=lambda problem: dataclasses.replace(flow(problem), problem=None))
    with pytest.raises(BadInput, match=r"the family goal: its flow does not carry the Goal .*problem=problem"):
        solve(PROBLEM, engine="block")
    made(flow=lambda problem: None)
    with pytest.raises(BadInput, match=r"the family goal: its flow returns NoneType; return a Flow\."):
        solve(PROBLEM, engine="block")


@pytest.mark.parametrize("read", [{"end_time": 2.0}, {"path_matters": True}])
def test_a_reference_is_asked_for_the_time_at_which_the_answer_is_read(made, read):
    def exact(problem, time):
        return PathEnd({"x": problem.goal * -np.expm1(-time)}, 0.0)

    def error(**fields):
        made(flow=lambda problem: dataclasses.replace(flow(problem), **read), reference=exact, **fields)
        return solve(PROBLEM, engine="block", time_constants=2.0).certificate.errors["x"]

    assert error() < 1e-6
    assert error(follows=lambda problem: False) > 0.1


def test_a_flow_that_says_neither_has_the_names_of_its_family_and_form(made):
    bare = lambda problem, form="linear": Flow(flow(problem).function, flow(problem).states, problem=problem)  # noqa: E731
    made(flow=bare, forms=("linear", "other"))
    assert [(f.family, f.form) for f in (flow_of(PROBLEM), flow_of(PROBLEM, "other"))] == [
        ("goal", "linear"),
        ("goal", "other"),
    ]
    with pytest.raises(BadInput, match="form 'thrid' of the goal flow is not known; known are: linear, other"):
        flow_of(PROBLEM, "thrid")
    made(flow=lambda problem: dataclasses.replace(flow(problem), family="aim", form="straight"))
    assert (flow_of(PROBLEM).family, flow_of(PROBLEM).form) == ("aim", "straight")


@pytest.mark.parametrize(
    "wrong, said",
    [
        (lambda problem: flow(problem), "TypeError: .* argument 'form'"),
        (lambda problem, form="linear": flow(problem, {"a": 1}[form]), "KeyError: 'linear'"),
    ],
    ids=["takes no form", "does not know its form"],
)
def test_a_flow_that_fails_is_one_sentence(made, wrong, said):
    made(flow=wrong)
    with pytest.raises(
        BadInput, match=rf"the family goal: its flow of .* in the form 'linear' failed \({said}.*forms are: lin"
    ):
        flow_of(PROBLEM, "linear")


def divides(x, goal):
    return (goal - x) / (1 // 0)


def looks_up(x, goal):
    return np.array([{}["rate"]]) - x


def does_not_fit(x, goal):
    return np.zeros(2) @ np.zeros(3) - x


def errs(problem, reference, ends):
    return {"x": ends.finals["y"]}


def knows_no_problem(problem, form="linear"):
    return flow({}[problem], form)


def line_of(function):
    return rf"test_authors\.py:{function.__code__.co_firstlineno + 1}: "


@pytest.mark.parametrize("verb", ["solve", "netlist", "study"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (divides, r"divides failed \(ZeroDivisionError: .*\); mend it\.$"),
        (looks_up, r"looks_up failed \(KeyError: 'rate'\); mend it\.$"),
        (does_not_fit, r"does_not_fit failed \(ValueError: .* mismatch .*\); mend it\.$"),
        (knows_no_problem, r"the family goal: its flow of .* failed \(KeyError: .*\); its forms are: linear\.$"),
    ],
)
def test_what_their_code_raises_is_one_sentence_with_its_place(made, tmp_path, monkeypatch, capsys, verb, wrong, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goal.json").write_text('{"goal": [0.5, -0.3]}')
    made(
        flow=wrong if wrong is knows_no_problem else lambda problem, **_: dataclasses.replace(flow(problem), function=wrong)
    )
    options = {"solve": ["--engine", "block"], "netlist": ["-o", "goal.cir"], "study": ["-o", "s", "--samples", "2"]}
    assert main([verb, "goal", "goal.json", *options[verb]]) == 2
    out, sentence = capsys.readouterr()
    assert out == ""
    assert sentence.count("\n") == 1
    assert re.search(line_of(wrong) + said, sentence)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("errors", errs), ("follows", lambda: None), ("conserves", lambda problem: problem.kept), ("held", lambda *_: 1 / 0)],
)
def test_so_is_what_the_rest_of_a_family_raises(made, field, wrong):
    family = dataclasses.replace(made(**{field: wrong}), noun="an aim")
    made(**{field: getattr(family, field)})
    line = wrong.__code__.co_firstlineno + (wrong is errs)
    with pytest.raises(BadInput, match=rf"^{re.escape(__file__)}:{line}: the family goal: its {field} failed \(.*mend it"):
        verify(PROBLEM, engine="block")


def test_a_problem_that_compares_by_value_is_refused():
    with pytest.raises(BadInput, match=r"the family goal: its problem Same compares by value.*eq=False"):
        dataclasses.replace(GOAL, problem=dataclasses.make_dataclass("Same", ["goal"], frozen=True))


def test_a_form_may_solve_a_problem_of_its_own():
    problem = Attention(np.eye(2), np.eye(2), np.eye(2), 2.0, 1.0)
    assert flow_of(problem, "zero-temperature").problem is not problem


@pytest.mark.parametrize("gap", [-1.0, -1e-300, np.nan])
def test_a_gap_below_0_is_no_certificate(made, gap):
    made()
    reference = PathEnd({"x": PROBLEM.goal}, gap)
    finals = {"x": PROBLEM.goal[None]}
    judged = judge(PROBLEM, finals)
    held = GOAL.held(PROBLEM, reference, judged.errors, judged.ends, 1e-6)
    assert [bool(one.passed[0]) for one in held] == [False, True]
    assert np.isnan(gap_of(reference, judged.errors)).all()


@pytest.mark.parametrize(
    "problem",
    [Attention(np.eye(2), np.eye(2), np.eye(2), 2.0, 1.0), Hopfield([[0.5]], start=[0.1, 0.1])],
    ids=lambda problem: type(problem).__name__,
)
def test_nor_is_one_of_another_family(problem):
    family, known = family_of(problem), families.own_reference(problem)
    made = solve(problem, engine="block")
    finals = {name: value[None] for name, value in made.run.final.items()}
    judged = judge(problem, finals, end=float(made.run.time[-1]))
    for gap, passed in ((0.0, True), (-1.0, False)):
        wrong = dataclasses.replace(known, gap=gap)
        held = family.held(problem, wrong, judged.errors, judged.ends, 1e-6)
        assert bool(next(one for one in held if "reference" in one.name).passed[0]) == passed


def test_nor_is_one_of_a_law():
    known = reference_of(Langevin("x**2", ["x"], 1.0))
    assert np.isfinite(known_to(known))
    assert np.isnan(known_to(dataclasses.replace(known, mean_gap=np.array([-0.1]))))
    assert np.isnan(known_to(dataclasses.replace(known, covariance_gap=np.array([[-0.1]]))))
    found = Deviations(np.array([0.0]), np.array([0.01]), np.array([1.0]), samples=1000.0, length=100.0)
    assert power_check("mean", found).passed
    assert not power_check("mean", dataclasses.replace(found, gap=-0.1)).passed


def singular(problem, time):
    return np.linalg.inv(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (lambda *_: PathEnd({"y": np.zeros(2)}, 0.0), r"its reference names 'y'; name signals of the flow: x\."),
        (lambda *_: PathEnd({}, 0.0), r"its reference names nothing; name signals of the flow: x\."),
        (lambda *_: PathEnd({"x": np.zeros(3)}, 0.0), r"its reference gives 'x' 3 values; the flow has 2 of them\."),
        (lambda *_: PathEnd({"x": "far"}, 0.0), r"its reference"),
        (lambda *_: PathEnd(np.zeros(2), 0.0), r"its reference returns values that are no mapping; return PathEnd"),
        (lambda *_: PathEnd({"x": np.zeros(2)}, -1.0), r"its reference says that it is off by at most -1\.0; give a number"),
        (lambda *_: PathEnd({"x": np.zeros(2)}, None), r"its reference says that it is off by at most None; give a number"),
        (lambda *_: np.zeros(2), r"its reference returns ndarray; return PathEnd"),
        (lambda *_: {"x": np.zeros(2)}, r"its reference returns dict; return PathEnd"),
        (singular, r"its reference of .* failed \(LinAlgError: Singular matrix\)"),
        (lambda problem, time: problem.gaol, r"its reference of .* failed \(AttributeError: .*gaol.*\)"),
    ],
)
def test_a_reference_that_is_none_is_one_sentence(made, reference, said):
    made(reference=reference)
    for ask in (lambda: solve(PROBLEM, engine="block"), lambda: judge(PROBLEM, {"x": PROBLEM.goal[None]})):
        with pytest.raises(AnalogflowError, match=rf"^the family goal: {said}"):
            ask()


def test_a_netlist_needs_no_reference(made, tmp_path, capsys):
    made(reference=singular)
    path, deck = tmp_path / "goal.json", tmp_path / "goal.cir"
    path.write_text('{"goal": [0.5, -0.3]}')
    assert main(["netlist", "goal", str(path), "-o", str(deck)]) == 0, capsys.readouterr()
    assert deck.exists()


def test_a_reference_of_another_kind_needs_a_gap(made):
    made(reference=lambda *_: np.zeros(2), errors=lambda *_: {"states": np.zeros(1)})
    with pytest.raises(BadInput, match=r"the family goal: its reference returns ndarray, which has no gap"):
        solve(PROBLEM, engine="block")


def test_a_list_is_as_good_as_an_array(made):
    made(reference=lambda problem, time: PathEnd({"x": problem.goal.tolist()}, 0))
    assert solve(PROBLEM, engine="block").passed


def test_a_primary_error_that_nobody_computes_is_refused(made):
    said = r"the family goal: no error is called 'zzz', its primary one; there are: states"
    made(primary="zzz")
    with pytest.raises(BadInput, match=said):
        solve(PROBLEM, engine="block")
    made(primary="zzz", errors=lambda *_: {"states": np.zeros(1)})
    with pytest.raises(BadInput, match=said):
        _ = judge(PROBLEM, {"x": PROBLEM.goal[None]}).error


def test_every_key_is_an_attribute(made):
    made(keys=("goal", "speed"))
    with pytest.raises(BadInput, match=r"^the family goal: its Goal has no attribute 'speed', a key of its files"):
        keys_of(PROBLEM)


def test_a_family_has_a_form():
    with pytest.raises(BadInput, match=r"^the family goal: forms is empty; name the forms of its flow"):
        dataclasses.replace(GOAL, forms=())
