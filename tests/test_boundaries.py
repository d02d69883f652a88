"""The house's rules, kept by machine: who may import whom, how long a module may be, what never appears in a file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("evolution_core", "webapp", "workers")
LONGEST_MODULE = 400
LONGEST_TEST_MODULE = 500  # a table of cases is read row by row
FRAMEWORKS = {"django", "celery", "redis", "kombu"}


def modules(*rooms: str) -> list[Path]:
    """Every Python file of the rooms; migrations are written by Django."""
    found = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]
    assert found, rooms
    return found


def tracked(*endings: str) -> list[Path]:
    """Files that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and (not endings or path.suffix in endings)]


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, wherever in it, those in `if TYPE_CHECKING` too."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join(base + ([node.module] if node.module else []))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def offences(paths: list[Path], is_forbidden: object) -> list[str]:
    assert callable(is_forbidden)
    return [f"{path.relative_to(ROOT)}: {name}" for path in paths for name in imports(path) if is_forbidden(name)]


def top(name: str) -> str:
    return name.split(".")[0]


def test_the_engine_stands_alone() -> None:
    assert offences(modules("evolution_core"), lambda name: top(name) in FRAMEWORKS | {"webapp", "workers"}) == []


def test_the_dashboard_knows_of_the_engine_only_the_spec() -> None:
    def is_forbidden(name: str) -> bool:
        if top(name) in {"torch", "workers"}:
            return True
        return top(name) == "evolution_core" and not f"{name}.".startswith("evolution_core.spec.")

    assert offences(modules("webapp"), is_forbidden) == []


def test_nothing_imports_the_workers() -> None:
    others = [*modules("evolution_core", "webapp"), ROOT / "manage.py", ROOT / "bootstrap.py"]
    assert offences(others, lambda name: top(name) == "workers") == []


def test_the_rule_sees_every_way_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "webapp" / "runs").mkdir(parents=True)
    path = tmp_path / "webapp" / "runs" / "views.py"
    path.write_text(
        "import torch.nn as nn\n"
        "from evolution_core import life\n"
        "from . import forms\n"
        "from ..teams import access\n"
        "def late():\n    from workers.app import app\n"
    )
    assert list(imports(path)) == [
        "torch.nn",
        "evolution_core.life",
        "webapp.runs.forms",
        "webapp.teams.access",
        "workers.app.app",
    ]


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        pytest.param("import evolution_core.spec", ("torch", "django"), id="spec"),
        pytest.param("import evolution_core.selection, evolution_core.lineage", ("torch", "django"), id="selection"),
        pytest.param("import django; django.setup(); import webapp.urls, webapp.asgi", ("torch", "workers"), id="web"),
        pytest.param(
            "import django; django.setup(); import workers.tasks", ("torch",), id="workers, until there is work"
        ),
    ],
)
def test_heavy_things_are_not_loaded(program: str, absent: tuple[str, ...], tmp_path: Path) -> None:
    asked = f"{program}\nimport sys\nprint([name for name in {absent!r} if name in sys.modules])"
    environment = {"DJANGO_SETTINGS_MODULE": "webapp.settings", "EUSTRESS_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_modules_stay_short() -> None:
    long = {}
    for path in tracked(".py", ".js"):
        name = path.relative_to(ROOT)
        lines = len(path.read_text().splitlines())
        if "migrations" not in name.parts and lines > (
            LONGEST_TEST_MODULE if name.parts[0] == "tests" else LONGEST_MODULE
        ):
            long[str(name)] = lines
    assert long == {}


def test_the_plan_of_the_house_is_true() -> None:
    """Every folder and file that CONTRIBUTING's plan names is there."""
    plan = (ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    room, named = ROOT, []
    for line in plan.strip().splitlines():
        names = re.split(r"\s{2,}", line.strip())[0].split()
        if not line.startswith(" "):
            room = ROOT / names[0]
            named.append(room)
        else:
            named += [room / name for name in names]
    assert len(named) > 30
    assert [str(path.relative_to(ROOT)) for path in named if not path.exists()] == []


def test_no_file_names_a_machine() -> None:
    """No absolute path of a build machine, and no registry's address in a lock file."""
    patterns = [r"(?:^|[^A-Za-z.])/(?:" + "|".join(("work", "farm", "root")) + r")/", '"resolved": *"' + "http"]
    patterns += ["--(?:extra-)?" + "index-url"]
    pattern = re.compile("|".join(patterns), re.MULTILINE)
    named = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture
        named += [f"{path.relative_to(ROOT)}: {match.group().strip()}" for match in pattern.finditer(text)]
    assert named == []


def test_nothing_is_pickled() -> None:
    """Uploads and files are hostile: nothing that could run code is read, nothing of the kind is written."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
    assert offences(modules(*ROOMS), lambda name: top(name) in forbidden) == []
    calls = []
    for path in modules(*ROOMS):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = ast.unparse(node.func)
                unpickles = any(
                    word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords
                )
                if named in {"torch.load", "torch.save"} or unpickles:
                    calls.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:60]}")
    assert calls == []


def test_the_engine_leaves_the_global_random_state_alone() -> None:
    """Every draw comes from a generator that the run's seed made."""
    stateful = re.compile(r"(?:np|numpy)\.random\.(?!default_rng$|Generator$|SeedSequence$|PCG64$)\w+$|random\.\w+$")
    calls = []
    for path in modules("evolution_core"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = ast.unparse(node.func)
                if stateful.match(named) or named in {"torch.manual_seed", "torch.seed", "torch.random.manual_seed"}:
                    calls.append(f"{path.relative_to(ROOT)}:{node.lineno}: {named}")
    assert calls == []


def test_every_pin_is_exact() -> None:
    """Lock files hold nothing but exact versions, without a local build's mark, and cover what the *.in files name."""
    folder = ROOT / "requirements"
    pins: dict[str, set[str]] = {}
    for name in ("base", "dev", "node"):
        lines = [line for line in (folder / f"{name}.txt").read_text().splitlines() if not line.startswith("#")]
        assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9A-Za-z.]*", line)] == []
        pins[name] = {line.split("==")[0] for line in lines}
        asked = [line for line in (folder / f"{name}.in").read_text().splitlines() if line and line[0] not in "#-"]
        wanted = {re.split(r"[\[<>=~! ;]", line)[0].lower().replace("_", "-") for line in asked}
        assert wanted - pins[name] - pins["base"] == set()
    assert not [name for name in pins["base"] | pins["dev"] if name.startswith(("nvidia-", "triton"))]
