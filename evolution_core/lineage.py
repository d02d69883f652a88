"""A run's directory: the networks' files and records, `lineage.json`, and who may write there.

    DIR/run.json            what the run is: spec, data, own files, threads
    DIR/lineage.json        what became of it; rewritten whole after every network
    DIR/<id>.safetensors    each measured network, genome in its metadata
    DIR/<id>.json           its record, written last: a network with a record has ended its life
    DIR/<id>.*.safetensors  work under way

Every file is written whole or not at all. Imports no torch.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import __version__
from .records import NetworkRecord, find_ancestor, read_json, write_json
from .selection import front, hypervolumes, record_netscore
from .spec import EustressError, RunSpec, SpecError

RUN_FILE = "run.json"
LINEAGE_FILE = "lineage.json"


def record_file(directory: Path, network: str) -> Path:
    return Path(directory) / f"{network}.json"


def read_record(directory: Path, network: str) -> NetworkRecord | None:
    """The record of a network that has ended its life there; None for one that has not."""
    value = read_json(record_file(directory, network))
    return None if value is None else NetworkRecord.from_json(value)


def read_run(directory: Path) -> dict[str, Any]:
    """What run.json says. SpecError naming the folder when no run was begun there."""
    try:
        value = read_json(Path(directory) / RUN_FILE)
    except (ValueError, OSError) as error:
        raise SpecError({str(Path(directory) / RUN_FILE): f"cannot be read ({error})"}) from None
    if not isinstance(value, Mapping) or "spec" not in value:
        raise SpecError({str(directory): "holds no run to resume"})
    return dict(value)


def claim(directory: Path, spec: RunSpec, run: Mapping[str, Any]) -> None:
    """Make the directory this run's, or find that it is already. `run` holds what else fixes the results.

    SpecError when it holds anything else: another run, other data, another thread count, or files of yours.
    """
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise SpecError({str(directory): "is not a folder"})
    directory.mkdir(parents=True, exist_ok=True)
    described = {"spec": spec.to_json(), **run}
    others = [name for name in os.listdir(directory) if not name.startswith(".")]
    if not others:
        write_json(directory / RUN_FILE, {**described, "version": __version__})
        return
    if RUN_FILE not in others:
        raise SpecError({str(directory): "is not empty and holds no run; choose another folder"})
    found = read_run(directory)
    for key, sentence in (
        ("spec", "holds a run of another spec; choose another folder, or go on with that one by --resume"),
        ("fingerprint", "holds a run on other data; choose another folder"),
        ("threads", f"holds a run with {found.get('threads')} threads; give --threads {found.get('threads')}"),
    ):
        if key in described and found.get(key) != described[key]:
            raise SpecError({str(directory): sentence})


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory alone; EustressError when another process does. Freed by the system if we die.

    What a killed process had half written is removed: every file is written beside its place and then moved there.
    """
    with open(Path(directory) / ".lock", "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EustressError(f"{directory}: another process is evolving there") from None
        for left in Path(directory).glob(".*.part"):
            left.unlink(missing_ok=True)
        yield


def lineage_json(spec: RunSpec, records: Sequence[NetworkRecord], chosen: str | None, **more: Any) -> dict[str, Any]:
    """The lineage as written: spec, networks in birth order, the chosen one; and, beyond each network's record,
    whether it is on the Pareto front, its NetScore, and the hypervolume by generation."""
    on_front = front(spec, records)
    networks = []
    for record in records:
        networks.append({**record.to_json(), "front": record.id in on_front, "netscore": _netscore(record)})
    return {
        "spec": spec.to_json(),
        "networks": networks,
        "chosen": chosen,
        "hypervolume": hypervolumes(spec, records),
        "version": __version__,
        **more,
    }


def write_lineage(
    directory: Path, spec: RunSpec, records: Sequence[NetworkRecord], chosen: str | None, **more: Any
) -> None:
    write_json(Path(directory) / LINEAGE_FILE, lineage_json(spec, records, chosen, **more))


def read_networks(directory: Path) -> list[NetworkRecord]:
    """The networks of the directory's lineage, in birth order; [] before the first."""
    value = read_json(Path(directory) / LINEAGE_FILE) or {}
    return [NetworkRecord.from_json(network) for network in value.get("networks", [])]


def _netscore(record: NetworkRecord) -> float | None:
    if not record.is_measured or not record.validation_accuracy:
        return None
    return round(record_netscore(record), 4)


def summary(records: Sequence[NetworkRecord], chosen: str | None) -> dict[str, Any]:
    """How many times smaller and faster the chosen network is than the ancestor, and what it lost, in points."""
    ancestor = find_ancestor(records)
    network = next((record for record in records if record.id == chosen), None)
    if ancestor is None or network is None:
        return {"chosen": chosen}
    result: dict[str, Any] = {"chosen": chosen}
    for name in ("parameters", "macs", "bytes"):
        own, dense = getattr(network, name), getattr(ancestor, name)
        result[f"{name}_times"] = dense / own if own and dense else None
    fast, slow = network.latency_ms, network.ancestor_latency_ms
    result["latency_times"] = slow / fast if fast and slow else None
    for part in ("validation", "test"):
        had, has = getattr(ancestor, f"{part}_accuracy"), getattr(network, f"{part}_accuracy")
        result[f"{part}_points_lost"] = 100 * (had - has) if had is not None and has is not None else None
    return result
