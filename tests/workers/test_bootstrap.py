"""The set-up's own decisions; the whole of it is tried by every `make test` on a fresh clone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bootstrap.py over an empty project in `tmp_path`."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, path in {
        "HERE": tmp_path,
        "VENV": tmp_path / ".venv",
        "VENV_PYTHON": tmp_path / ".venv" / "bin" / "python",
        "REQUIREMENTS": tmp_path / "requirements",
    }.items():
        monkeypatch.setattr(module, name, path)
    (tmp_path / "requirements").mkdir()
    for name in ("base", "dev", "node"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")
    return module


@pytest.fixture
def called(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "call", lambda command, *_args, **_more: commands.append(command))
    return commands


@pytest.mark.parametrize(
    ("name", "version", "line"),
    [
        ("torch", "2.13.0+cpu", "torch==2.13.0"),
        ("Django", "5.2.1", "django==5.2.1"),
        ("typing_extensions", "4.16.0", "typing-extensions==4.16.0"),
        ("nvidia-cublas-cu12", "12.8", ""),
        ("triton", "3.5", ""),
    ],
)
def test_pins_hold_on_other_machines(bootstrap: ModuleType, name: str, version: str, line: str) -> None:
    assert bootstrap.pin(name, version) == line


def test_nothing_is_installed_twice(bootstrap: ModuleType, called: list[list[str]]) -> None:
    bootstrap.install_python("base")
    bootstrap.install_python("base")
    assert len(called) == 1
    (bootstrap.REQUIREMENTS / "base.txt").write_text("base==2\n")
    bootstrap.install_python("base")
    assert len(called) == 2


def test_a_failed_installation_is_tried_again(
    bootstrap: ModuleType, called: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def fail(*_args: object, **_more: object) -> None:
            raise bootstrap.Unable("no network")

        broken.setattr(bootstrap, "call", fail)
        with pytest.raises(bootstrap.Unable):
            bootstrap.install_python("base")
    bootstrap.install_python("base")
    assert len(called) == 1


def test_only_the_projects_own_environment_counts(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = bootstrap.clean_environment()
    assert "VIRTUAL_ENV" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["PATH"].startswith(str(bootstrap.VENV / "bin"))


def test_npm_comes_by_pip_where_there_is_none(
    bootstrap: ModuleType, called: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _name: None)
    assert bootstrap.find_npm() == str(bootstrap.VENV / "bin" / "npm")
    assert str(bootstrap.REQUIREMENTS / "node.txt") in called[0]


def test_a_missing_browser_is_named_and_fails_under_ci(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "find_browser", lambda: None)
    monkeypatch.setattr(bootstrap, "install_debian", lambda _package: False)
    monkeypatch.delenv("CI", raising=False)
    bootstrap.want_browser()
    assert "sudo apt-get install chromium" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(bootstrap.Unable, match="sudo apt-get install chromium"):
        bootstrap.want_browser()


def test_debian_packages_are_installed_by_root_only(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    assert bootstrap.install_debian("chromium") is False


def test_a_python_that_makes_no_environments_is_told_with_its_cure(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "install_debian", lambda _package: False)
    failed = subprocess.CompletedProcess([], 1, "", "ensurepip is not available")
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *_args, **_more: failed)
    with pytest.raises(bootstrap.Unable, match=r"sudo apt-get install python3\.\d+-venv"):
        bootstrap.make_venv()


def test_an_unknown_target_is_refused() -> None:
    done = subprocess.run([sys.executable, "bootstrap.py", "dance"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "setup|run|test|check|lock" in done.stderr
