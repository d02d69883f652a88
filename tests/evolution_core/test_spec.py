"""What a run is: what is admitted, what is refused and how, and what its text forms mean."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolution_core.spec import GROUPS, SETTINGS, Environment, RunSpec, SpecError, Stress, catalogue
from evolution_core.spec.composites import read_stresses


def problems_of(**fields) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        RunSpec.from_json(fields)
    return caught.value.problems


# --- every field ------------------------------------------------------------------------


def test_the_default_spec_is_valid_and_survives_json():
    spec = RunSpec()
    text = json.dumps(spec.to_json())
    assert RunSpec.from_json(text) == spec
    assert RunSpec.from_json(text).to_json() == spec.to_json()


def test_every_field_is_described_in_a_known_group():
    composites = {"environment", "stress"}
    assert {f.name for f in dataclasses.fields(RunSpec)} == set(SETTINGS) | composites
    for name, described in SETTINGS.items():
        assert described.group in GROUPS, name
        assert described.help.endswith("."), name
        assert described.label, name
        assert not described.optional or described.blank, name


@pytest.mark.parametrize("name", [name for name, s in SETTINGS.items() if s.kind in ("integer", "number")])
def test_numbers_outside_their_range_are_refused_by_name(name):
    described = SETTINGS[name]
    for bad in (described.minimum - 1, described.maximum + 1, "many", float("nan"), float("inf"), True, [1], {}):
        assert name in problems_of(**{name: bad}), bad
    if not described.optional:
        assert name in problems_of(**{name: None})


@pytest.mark.parametrize("name", [name for name, s in SETTINGS.items() if s.kind == "choice"])
def test_unknown_choices_are_refused_by_name_and_the_known_are_listed(name):
    found = problems_of(**{name: "bananas"})
    assert "bananas" in found[name]
    assert next(iter(SETTINGS[name].choices())) in found[name]
    assert name in problems_of(**{name: 3})


@pytest.mark.parametrize("name", [name for name, s in SETTINGS.items() if s.kind == "choice"])
def test_every_choice_of_the_catalogue_is_admitted(name):
    for choice in SETTINGS[name].choices():
        more = {"own": "0" * 64} if choice == catalogue.OWN else {}
        assert getattr(RunSpec(**{name: choice}, **more), name) == choice


@pytest.mark.parametrize("name", [name for name, s in SETTINGS.items() if s.kind == "flag"])
def test_flags_read_words_and_refuse_others(name):
    assert getattr(RunSpec.from_json({name: "yes"}), name) is True
    assert getattr(RunSpec.from_json({name: "off"}), name) is False
    assert name in problems_of(**{name: "perhaps"})


def test_whole_numbers_are_not_cut_from_fractions():
    assert RunSpec(generations=3.0).generations == 3
    assert "whole" in problems_of(generations=3.5)["generations"]


def test_all_bad_fields_are_named_at_once():
    assert set(problems_of(generations=0, epochs=-1, stress="fire", environment=7)) == {
        "generations",
        "epochs",
        "stress",
        "environment",
    }


def test_unknown_fields_and_things_that_are_no_object_are_refused():
    assert problems_of(speed=3) == {"speed": "is not a field of a spec"}
    for bad in ("[1]", "{", "3"):
        with pytest.raises(SpecError):
            RunSpec.from_json(bad)


def test_names_and_shares_read_text():
    assert RunSpec(protect="conv1, fc1").protect == ("conv1", "fc1")
    assert RunSpec(floors="conv1=0.5, fc1=0.25").floors == {"conv1": 0.5, "fc1": 0.25}
    assert "layer=number" in problems_of(floors="conv1")["floors"]
    assert "floors" in problems_of(floors={"conv1": 2})
    assert "twice" in problems_of(protect="a,a")["protect"]
    assert "objectives" in problems_of(objectives="accuracy,beauty")


# --- what is wrong only in combination --------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"architecture": "own"}, "own"),
        ({"own": "0" * 64}, "own"),
        ({"offspring": 2, "survivors": 3}, "survivors"),
        ({"offspring": 2, "parents": 3}, "parents"),
        ({"objectives": "accuracy"}, "objectives"),
        ({"objectives": "macs,bytes"}, "objectives"),
        ({"gestation": 0}, "gestation"),
    ],
)
def test_conflicts_are_refused_by_name(fields, named):
    assert named in problems_of(**fields)


def test_no_gestation_is_right_without_stress():
    assert RunSpec(gestation=0, stress="none").gestation == 0


# --- environment ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "name", "parameters", "factors"),
    [
        (0.6, "constant", {"factor": 0.6}, ()),
        ("0.6", "constant", {"factor": 0.6}, ()),
        (1, "constant", {"factor": 1.0}, ()),
        ("0.8,0.6", "scheduled", {}, (0.8, 0.6)),
        ([0.8, 0.6], "scheduled", {}, (0.8, 0.6)),
        ("40x", "target", {"times": 40.0, "by": 0}, ()),
        ("2.5X", "target", {"times": 2.5, "by": 0}, ()),
        ("40x@3", "target", {"times": 40.0, "by": 3}, ()),
        ("target", "target", {"times": 10.0, "by": 0}, ()),
        ({"name": "constant"}, "constant", {"factor": 0.6}, ()),
    ],
)
def test_short_forms_of_the_environment(short, name, parameters, factors):
    environment = Environment.read(short)
    assert (environment.name, environment.parameters, environment.factors) == (name, parameters, factors)
    assert Environment.read(environment.to_json()) == environment


@pytest.mark.parametrize(
    "bad",
    [
        0,
        1.5,
        "0.6,2",
        "x",
        "-3x",
        "0x",
        "4x@soon",
        "4x@5",  # there are four generations
        True,
        None,
        {"name": "scheduled"},
        {"name": "per-layer"},
        {"name": "constant", "factors": [0.5]},
        {"name": "target", "layers": {"a": 0.5}},
        {"name": "constant", "parameters": {"times": 3}},
        {"name": "constant", "parameters": 3},
        {"name": "constant", "colour": 1},
        {"name": []},
    ],
)
def test_impossible_environments_are_refused(bad):
    assert "environment" in problems_of(environment=bad)


# --- stress ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(catalogue.STRESSES))
def test_every_stress_reads_by_name_with_its_defaults(name):
    (signal,) = read_stresses(name)
    assert signal.parameters == {p.name: p.default for p in catalogue.STRESSES[name].parameters}
    assert Stress.read(signal.to_json()) == signal
    for parameter in catalogue.STRESSES[name].parameters:
        for bad in (parameter.minimum - 1, parameter.maximum + 1, "much"):
            assert "stress" in problems_of(stress={"name": name, "parameters": {parameter.name: bad}})


@pytest.mark.parametrize("schedule", list(catalogue.SCHEDULES))
def test_every_schedule_reads_with_its_defaults(schedule):
    (signal,) = read_stresses({"name": "pressure", "schedule": schedule})
    assert signal.schedule == schedule
    assert signal.schedule_parameters == {p.name: p.default for p in catalogue.SCHEDULES[schedule].parameters}


def test_signals_compose():
    assert [signal.name for signal in RunSpec(stress="death-list, pressure").stress] == ["death-list", "pressure"]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        [],
        "fire",
        "none,death-list",
        "pressure,pressure",
        3,
        {"name": "none", "parameters": {"strength": 1}},
        {"name": "none", "schedule": "never"},
        {"name": "none", "colour": 1},
        {"schedule": "ramp"},
        [None],
    ],
)
def test_impossible_stresses_are_refused(bad):
    assert "stress" in problems_of(stress=bad)


# --- properties -----------------------------------------------------------------------

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(RunSpec)]), junk, max_size=4))
def test_whatever_is_given_is_a_spec_or_a_refusal(fields):
    refusal = None
    try:
        spec = RunSpec.from_json(fields)
    except SpecError as error:
        refusal = error
    if refusal is None:
        assert RunSpec.from_json(json.dumps(spec.to_json())) == spec
    else:
        assert set(refusal.problems) <= {*fields, "own", "survivors", "parents", "objectives", "gestation"}
        assert all(isinstance(text, str) and text for text in refusal.problems.values())


# --- the catalogue ----------------------------------------------------------------------

TABLES = {
    name: table
    for name, table in vars(catalogue).items()
    if isinstance(table, dict) and table and all(isinstance(part, catalogue.Part) for part in table.values())
}


@pytest.mark.parametrize("table", list(TABLES))
def test_every_part_is_explained_in_two_sentences_and_a_link(table):
    for name, part in TABLES[table].items():
        assert part.name == name
        assert part.label
        assert part.summary.endswith(".")
        assert len(re.findall(r"[.?!](?= |$)", part.summary)) == 2, name
        assert part.source.startswith("https://"), name
        assert part.origin, name
        for parameter in part.parameters:
            assert parameter.minimum <= parameter.default <= parameter.maximum


@pytest.mark.parametrize("card", catalogue.ARCHITECTURES.values(), ids=lambda card: card.name)
def test_every_base_network_is_explained_in_two_sentences_and_a_link(card):
    assert len(re.findall(r"[.?!](?= |$)", card.summary)) == 2
    assert card.source.startswith("https://")


def test_the_spec_imports_no_torch():
    script = "import evolution_core.spec, evolution_core.selection, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_setting_by_which_measured_time_decides_says_what_it_costs():
    """A run is a function of its seed, except where a clock decides: nobody may choose that without being told."""
    assert "bit-reproducible" in SETTINGS["objectives"].help
    assert "bit-reproducible" in catalogue.RESOURCES["latency"].summary
