"""The command `evolve`: from options to a finished run."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..events import Event
from ..spec import RunSpec, SpecError
from .options import file_digest, given_settings, option_name, spec_from

MOST_USEFUL_THREADS = 8  # small networks on batches of about a hundred images gain nothing from more


@dataclass(frozen=True)
class Request:
    """What was asked for, checked as far as that goes without reading the data."""

    spec: RunSpec
    data: Path
    out: Path
    own: Path | None
    weights: Path | None
    threads: int


def evolve_command(options: argparse.Namespace) -> int:
    if options.dry_run:
        return _dry_run(options)
    request = _resumed(options) if options.resume else _new(options)
    try:
        with Interrupts() as interrupts:
            return _evolve(request, interrupts, quiet=options.quiet)
    except KeyboardInterrupt:
        print(f"\n{_farewell(request.out)}", file=sys.stderr)
        return 130


def _dry_run(options: argparse.Namespace) -> int:
    """Show what the run would be; nothing is written."""
    if options.resume:
        raise SpecError({"--dry-run": "cannot be given together with --resume: that run is under way"})
    from ..data import load
    from ..dry_run import dry_run
    from .forecast import forecast

    request = _new(options, needed=("data",))
    data = load(request.data, spec=request.spec, shape=_own_shape(request))
    found = dry_run(request.spec, data, own=request.own, weights=request.weights, threads=request.threads)
    print(forecast(found))
    return 0


def _farewell(out: Path) -> str:
    if not (out / "run.json").exists():
        return "Interrupted before anything was trained."
    return f"Interrupted; nothing is lost. Go on with: python -m evolution_core evolve --resume {shlex.quote(str(out))}"


def _evolve(request: Request, interrupts: Interrupts, *, quiet: bool) -> int:
    from ..data import load
    from ..evolution import evolve

    data = load(request.data, spec=request.spec, shape=_own_shape(request))
    run = evolve(
        request.spec,
        data,
        request.out,
        own=request.own,
        weights=request.weights,
        threads=request.threads,
        source=request.data,
    )
    ending = _follow(run, interrupts, quiet=quiet)
    if not quiet:
        print(_conclusion(request.out, ending))
    return 0


def _follow(run: Iterator[Event], interrupts: Interrupts, *, quiet: bool) -> dict[str, Any]:
    """Show every event; how the run ended. Raises KeyboardInterrupt when asked to stop, with everything saved."""
    from .terminal import Progress

    progress = Progress()
    ending: dict[str, Any] = {}
    try:
        with contextlib.closing(cast(Generator[Event, None, None], run)), interrupts.between_events():
            for event in run:
                if not quiet:
                    progress.show(event)
                if event.kind == "finished":
                    ending = event.data
                interrupts.check()
    finally:
        if not quiet:
            progress.close()
    return ending


def _conclusion(out: Path, ending: dict[str, Any]) -> str:
    from .. import lineage
    from .terminal import conclusion, table

    records = lineage.read_networks(out)
    return f"\n{table(records, ending.get('chosen'))}\n\n{conclusion(ending)}\n{out / 'lineage.json'}"


def _own_shape(request: Request) -> tuple[int, int, int] | None:
    """(channels, height, width) that an own network takes; None for a base network, which takes the data's."""
    if request.own is None:
        return None
    from ..architectures.onnx_import import load_onnx

    size = request.spec.input_size
    shape = load_onnx(request.own, size=size).shape
    if size is not None and shape[1:] != (size, size):
        raise SpecError({"--input": f"{request.own.name} takes images of {shape[2]}x{shape[1]} and no others"})
    return shape


def _new(options: argparse.Namespace, needed: Sequence[str] = ("data", "out")) -> Request:
    spec = spec_from(options)
    for name in needed:
        if getattr(options, name) is None:
            raise SpecError({f"--{name}": "is needed (or --resume DIR, to go on with a run)"})
    return Request(
        spec,
        _existing(options.data, "--data"),
        Path(options.out or ""),
        Path(options.own) if options.own else None,
        Path(options.weights) if options.weights else None,
        _threads(options.threads),
    )


def _resumed(options: argparse.Namespace) -> Request:
    """The request that a run's folder remembers; the data and files may have moved since."""
    from .. import lineage

    forbidden = {**given_settings(options), **({"--spec": 1} if options.spec else {})}
    if forbidden:
        name = next(iter(forbidden))
        shown = name if name.startswith("--") else option_name(name)
        raise SpecError({shown: "cannot be given together with --resume, which goes on with the run's own spec"})
    directory = Path(options.resume)
    if options.out is not None and Path(options.out).resolve() != directory.resolve():
        raise SpecError({"--out": "cannot differ from the folder given to --resume"})
    run = lineage.read_run(directory)
    spec = RunSpec.from_json(run["spec"])
    threads = run.get("threads") if options.threads is None else _threads(options.threads)
    request = Request(
        spec,
        _existing(options.data or run.get("data") or "", "--data"),
        directory,
        _file(options.own or run.get("own")),
        _file(options.weights or run.get("weights")),
        int(threads or 1),
    )
    for name, path, digest in (("--own", request.own, spec.own), ("--weights", request.weights, spec.weights)):
        if digest is not None and (path is None or file_digest(path) != digest):
            raise SpecError({name: f"{path} is not the file that the run began with (its SHA-256 differs)"})
    return request


def _existing(name: str, option: str) -> Path:
    path = Path(name)
    if not name or not path.exists():
        raise SpecError({option: f"{name or 'the data'} does not exist"})
    return path


def _file(name: str | None) -> Path | None:
    return Path(name) if name else None


def _threads(text: str | None) -> int:
    if text is None:
        return min(available_cores(), MOST_USEFUL_THREADS)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1024:
        raise SpecError({"--threads": f"must be a whole number from 1 to 1024, not {text[:20]!r}"})
    return int(text)


def available_cores() -> int:
    """Cores that this process may use: its affinity, and the container's share where one is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, cores)


class Interrupts:
    """Ctrl-C and SIGTERM, as a context. While a run is followed the first of them waits for the next event, so that the
    work under way is saved; a second one, or one at another time, stops at once."""

    def __init__(self) -> None:
        self.patient, self.requested = False, False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        with contextlib.suppress(ValueError):  # not in the main thread: signals are someone else's
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.requested or not self.patient:
            raise KeyboardInterrupt
        self.requested = True

    @contextlib.contextmanager
    def between_events(self) -> Iterator[None]:
        self.patient = True
        try:
            yield
        finally:
            self.patient = False

    def check(self) -> None:
        """Raises KeyboardInterrupt when one is waiting."""
        if self.requested:
            raise KeyboardInterrupt
