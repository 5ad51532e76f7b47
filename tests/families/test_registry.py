"""What other packages bring is found by its entry point, and what is wrong with it is one sentence."""

import dataclasses
from importlib import metadata

import pytest

from analogflow import registry
from analogflow.errors import BadInput
from analogflow.registry import Registry


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str


SAW, AXE, NUMBER = Tool("saw"), Tool("axe"), 3


def tools(monkeypatch, *values):
    points = [metadata.EntryPoint(f"plug{k}", value, "toolbox") for k, value in enumerate(values)]
    monkeypatch.setattr(registry.metadata, "entry_points", lambda *, group: points if group == "toolbox" else [])
    return Registry("toolbox", Tool, [SAW])


def test_what_is_brought_follows_our_own(monkeypatch):
    found = tools(monkeypatch, f"{__name__}:AXE")
    assert list(found) == ["saw", "axe"]
    assert found["axe"] is AXE


def test_nothing_is_loaded_before_it_is_asked_for(monkeypatch):
    tools(monkeypatch, "there_is_no_such_module:AXE")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("there_is_no_such_module:AXE", r"can not be loaded \(ModuleNotFoundError: .*\); mend it, or uninstall it\.$"),
        (f"{__name__}:NUMBER", r"is no Tool; mend it, or uninstall it\.$"),
        (f"{__name__}:SAW", r"has the name 'saw', which is taken; rename it, or uninstall its package\.$"),
    ],
)
def test_what_is_wrong_with_it_is_one_sentence(monkeypatch, value, said):
    found = tools(monkeypatch, value)
    with pytest.raises(BadInput, match=rf"^the plug-in 'plug0', .* in the group toolbox, {said}"):
        list(found)
