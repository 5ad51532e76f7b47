"""What other packages bring is found by its entry point, and what is wrong with it is one sentence."""

import dataclasses
import re
from importlib import metadata

import pytest

from analogflow import registry
from analogflow.checks import refuse_unknown
from analogflow.errors import BadInput
from analogflow.registry import Registry


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str


SAW, AXE, NUMBER = Tool("saw"), Tool("axe"), 3


def tools(monkeypatch, *values):
    """Each value is named "plug0" and so on, unless it says "name = value"."""
    named = [value.rpartition(" = ")[::2] for value in values]
    points = [metadata.EntryPoint(name or f"plug{k}", value, "toolbox") for k, (name, value) in enumerate(named)]
    monkeypatch.setattr(registry.metadata, "entry_points", lambda *, group: points if group == "toolbox" else [])
    return Registry("toolbox", Tool, [SAW])


def test_what_is_brought_follows_our_own(monkeypatch):
    found = tools(monkeypatch, f"axe = {__name__}:AXE")
    assert list(found) == ["saw", "axe"]
    assert found["axe"] is AXE


def test_nothing_is_loaded_before_it_is_asked_for(monkeypatch):
    tools(monkeypatch, "there_is_no_such_module:AXE")


def test_our_own_may_be_named_by_their_places_and_are_loaded_one_by_one(monkeypatch):
    monkeypatch.setattr(registry.metadata, "entry_points", lambda *, group: [])
    found = Registry("toolbox", Tool, {"saw": f"{__name__}:SAW", "none": "there_is_no_such_module:SAW"})
    assert list(found) == ["saw", "none"]
    assert found["saw"] is SAW
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_module"):
        found["none"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("there_is_no_such_module:AXE", r"can not be loaded \(ModuleNotFoundError: .*\); mend it, or uninstall it\.$"),
        (f"{__name__}:NUMBER", r"is no Tool; mend it, or uninstall it\.$"),
    ],
)
def test_what_is_wrong_with_it_is_one_sentence(monkeypatch, value, said):
    found = tools(monkeypatch, value, f"axe = {__name__}:AXE")
    sentence = rf"^the plug-in 'plug0', .* in the group toolbox, {said}"
    for ask in (found.__getitem__, found.get, found.__contains__, lambda name: refuse_unknown(name, found, "tool")):
        with pytest.raises(BadInput, match=sentence):
            ask("plug0")
    assert list(found) == ["saw", "axe"], "it stands in nobody's way"
    assert re.match(sentence, found.broken["plug0"])


def test_a_name_that_is_not_its_own_is_refused(monkeypatch):
    found = tools(monkeypatch, f"hatchet = {__name__}:AXE")
    assert list(found) == ["saw"]
    with pytest.raises(
        BadInput, match=r"^the plug-in 'hatchet', .* calls itself 'axe'; give the entry point and the Tool one"
    ):
        found["hatchet"]


def test_a_name_of_ours_stays_ours(monkeypatch):
    found = tools(monkeypatch, f"{__name__}:SAW", f"axe = {__name__}:AXE")
    assert found["saw"] is SAW
    assert list(found) == ["saw", "axe"]
    assert "has the name 'saw', which is taken; rename it, or uninstall its package." in found.broken["saw"]


def test_a_name_of_two_packages_is_neither(monkeypatch):
    found = tools(monkeypatch, f"axe = {__name__}:AXE", f"axe = {__name__}:AXE")
    assert list(found) == ["saw"]
    assert found.brought == {}
    with pytest.raises(BadInput, match=r"^the plug-in 'axe', .* has the name 'axe', which is taken"):
        found["axe"]


def test_what_is_no_name_is_none_of_them(monkeypatch):
    found = tools(monkeypatch, f"axe = {__name__}:AXE")
    assert ["axe"] not in found
    with pytest.raises(BadInput, match=r"^tool \['axe'\] is not known; known are: saw, axe\.$"):
        refuse_unknown(["axe"], found, "tool")
