"""The command line is the spec, option by option; what is wrong is refused in one sentence that names it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evolution_core.cli import main
from evolution_core.cli.options import option_name, spec_from
from evolution_core.cli.parser import make_parser
from evolution_core.spec import SETTINGS, RunSpec, SpecError, catalogue

# One value, not the default, for each kind of setting.
OTHER = {
    "integer": lambda s: str(int(max(s.minimum, 1)) + 2 if s.maximum > 3 else s.maximum),
    "number": lambda s: f"{(max(s.minimum, 0.05) + min(s.maximum, 1.0)) / 2:g}",
    "choice": lambda s: list(s.choices())[1] if len(s.choices()) > 1 else next(iter(s.choices())),
    "names": lambda s: "accuracy,bytes" if s.choices else "conv1,fc1",
    "shares": lambda s: "conv1=0.5",
}


def parse(*argv: str) -> argparse.Namespace:
    return make_parser().parse_args(["evolve", *argv])


def spec_of(*argv: str) -> RunSpec:
    return spec_from(parse(*argv))


def refusal(capsys, *argv: str) -> str:
    """What stderr says; the exit status is 2 and there is one line."""
    try:
        status = main(list(argv))
    except SystemExit as leaving:
        status = leaving.code
    said = capsys.readouterr().err
    assert status == 2
    assert said.count("\n") == 1, said
    assert "Traceback" not in said
    return said


def test_no_options_mean_the_defaults():
    assert spec_of() == RunSpec()


@pytest.mark.parametrize(
    "field", [name for name, s in SETTINGS.items() if s.kind not in ("flag",) and name not in ("own", "weights")]
)
def test_every_setting_is_an_option(field):
    described = SETTINGS[field]
    text = OTHER[described.kind](described)
    more = ["--survivors", "3", "--offspring", "4"] if field == "parents" else []
    more += ["--offspring", "9"] if field == "survivors" else []
    spec = spec_of(option_name(field), text, *more)
    assert getattr(spec, field) == described.check(text)
    assert option_name(field) == "--" + (described.option or field.replace("_", "-"))


def test_every_field_of_a_spec_has_an_option_and_a_line_of_help(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(RunSpec):
        assert option_name(field.name) in text
    for described in SETTINGS.values():
        if described.label not in ("Own network", "Own weights"):
            assert " ".join(described.help.split())[:40] in text
    tables = [described.choices() for described in SETTINGS.values() if described.kind == "choice"]
    for table in (*tables, catalogue.STRESSES, catalogue.SCHEDULES, catalogue.ENVIRONMENTS):
        for part in table.values():
            if isinstance(part, catalogue.Part):  # base networks have a listing of their own
                assert part.summary in text
                assert part.source in text


def test_flags_go_both_ways():
    assert spec_of("--repair").repair is True
    assert spec_of("--no-repair").repair is False
    assert spec_of("--elitism").elitism is True


def test_environment_target_and_stress_forms():
    assert spec_of("--environment", "0.8,0.6").environment.factors == (0.8, 0.6)
    assert spec_of("--environment", "40x") == spec_of("--target", "40x") == spec_of("--target", "40")
    assert spec_of("--environment", "40x@3") == spec_of("--target", "40x@3") == spec_of("--target", "40@3")
    layered = '{"name": "per-layer", "layers": {"conv1": 0.5}}'
    assert spec_of("--environment", layered).environment.layers == {"conv1": 0.5}
    assert [s.name for s in spec_of("--stress", "death-list,pressure").stress] == ["death-list", "pressure"]
    pulses = '[{"name": "pressure", "parameters": {"strength": 2}, "schedule": "pulses"}]'
    assert spec_of("--stress", pulses).stress[0].parameters == {"strength": 2.0}


def test_options_override_the_spec_file(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"generations": 7, "seed": 3}))
    spec = spec_of("--spec", str(path), "--seed", "9")
    assert (spec.generations, spec.seed) == (7, 9)
    path.write_text(json.dumps({"spec": RunSpec(generations=5).to_json(), "networks": []}))  # a lineage.json
    assert spec_of("--spec", str(path)).generations == 5


def test_an_own_network_is_known_by_its_digest(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"abc")
    spec = spec_of("--own", str(path))
    assert spec.architecture == "own"
    assert spec.own == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(SpecError, match="--own"):
        spec_of("--own", str(path), "--architecture", "lenet5")
    whole = tmp_path / "spec.json"
    whole.write_text(json.dumps(spec.to_json()))
    assert spec_of("--spec", str(whole), "--own", str(path)) == spec
    with pytest.raises(SpecError, match="give the file itself"):
        spec_of("--spec", str(whole))


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--generations", "0"], "--generations: must be at least 1"),
        (["--generations", "many"], "--generations: must be a whole number, not 'many'"),
        (["--input", "4"], "--input"),
        (["--max-drop", "nan"], "--max-drop"),
        (["--stress", "fire"], "--stress"),
        (["--stress", "{"], "--stress: is not JSON"),
        (["--environment", "2"], "--environment"),
        (["--environment", "0.5", "--target", "3x"], "--target"),
        (["--target", "never"], "--environment"),
        (["--architecture", "resnet-9000"], "--architecture"),
        (["--architecture", "own"], "--own"),
        (["--seed", "-1"], "--seed"),
        (["--colour", "red"], "--colour"),
        (["--gener", "3"], "--gener"),
        (["--spec", "/nonexistent.json"], "/nonexistent.json: cannot be read"),
        (["--own", "/nonexistent.onnx"], "/nonexistent.onnx: cannot be read"),
        (["--threads", "0", "--data", ".", "--out", "x"], "--threads"),
        ([], "--data: is needed"),
        (["--data", "."], "--out: is needed"),
        (["--data", "/nonexistent", "--out", "x"], "/nonexistent does not exist"),
        (["--resume", "/nonexistent"], "/nonexistent: holds no run to resume"),
        (["--resume", ".", "--seed", "3"], "--seed: cannot be given together with --resume"),
    ],
)
def test_what_is_wrong_is_refused_by_name(capsys, argv, named):
    assert named in refusal(capsys, "evolve", *argv)


@pytest.mark.parametrize("text", ["{", "[1]", '{"speed": 1}', '{"generations": 1e999}'])
def test_spec_files_that_are_none_are_refused(capsys, tmp_path, text):
    path = tmp_path / "spec.json"
    path.write_text(text)
    assert refusal(capsys, "evolve", "--spec", str(path), "--data", ".", "--out", "x")


@pytest.mark.parametrize("listing", ["architectures", "stresses", "environments"])
def test_listings_say_what_there_is(capsys, listing):
    assert main([listing, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    tables = {
        "architectures": catalogue.ARCHITECTURES,
        "stresses": catalogue.STRESSES,
        "environments": catalogue.ENVIRONMENTS,
    }
    assert [row["name"] for row in rows] == list(tables[listing])
    assert all(row["summary"] for row in rows)
    if listing == "architectures":
        lenet = rows[0]
        assert (lenet["name"], lenet["task"], lenet["parameters"]) == ("lenet5", "classification", 431080)
        assert lenet["reference_input"] == [1, 28, 28]
        assert lenet["reference_classes"] == 10
        assert all(row["macs"] > 0 and row["parameters"] > 0 for row in rows)
    assert main([listing]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(" ".join(row["summary"].split())[:60] in text for row in rows)


def test_help_and_listings_do_not_wait_for_torch():
    script = "import evolution_core.cli as c, sys; c.main(['stresses']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_early_is_no_error():
    script = "python -m evolution_core stresses | true"
    done = subprocess.run(
        ["bash", "-c", script.replace("python", sys.executable)], capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr
