"""Believable rows for tests and screenshots: a team, a data set, and a run with its lineage, events and files.

Nothing here is random: the same call makes the same run, so pictures and figures do not change between tries.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from evolution_core.spec import RunSpec
from webapp.datasets.models import Dataset
from webapp.networks.models import Network
from webapp.networks.predictions import index_name, picture_name, predictions_name
from webapp.runs.models import BaseFile, Run, RunEvent
from webapp.teams.models import Membership, Team, User

PASSWORD = "correct horse battery staple"
_counter = itertools.count(1)

# AlexNet for small images: layer, kind, clusters, parameters, multiply-adds (at 32x32, 10 classes, fc 1024)
ALEXNET = (
    ("conv1", "convolution", 96, 7_296, 7_372_800),
    ("conv2", "convolution", 256, 307_456, 78_643_200),
    ("conv3", "convolution", 384, 885_120, 56_623_104),
    ("conv4", "convolution", 384, 663_936, 42_467_328),
    ("conv5", "convolution", 256, 442_624, 28_311_552),
    ("fc6", "linear", 1024, 2_360_320, 2_359_296),
    ("fc7", "linear", 1024, 1_049_600, 1_048_576),
    ("fc8", "linear", 10, 10_250, 10_240),
)


def make_user(email: str = "") -> User:
    return User.objects.create_user(email or f"person{next(_counter)}@example.org", PASSWORD)


def make_team(name: str = "Vision team", user: User | None = None, role: str = Membership.Role.OWNER) -> Team:
    team = Team.objects.create(name=name)
    if user is not None:
        Membership.objects.create(team=team, user=user, role=role)
    return team


def make_dataset(team: Team, name: str = "Hand signs", **fields: Any) -> Dataset:
    """A ready data set of 24 classes with a test part."""
    classes = [{"name": chr(65 + i), "train": 160, "test": 40} for i in range(24)]
    report = {
        "classes": classes,
        "images": 4800,
        "channels": 3,
        "sizes": {"minimum": [32, 32], "maximum": [32, 32], "shared": True},
        "default_input": 32,
        "problems": [],
        "samples": [],
    }
    defaults: dict[str, Any] = {"state": Dataset.State.READY, "task": "classification", "report": report}
    return Dataset.objects.create(team=team, name=name, **{**defaults, **fields})


def make_box_dataset(
    team: Team,
    name: str = "Blood cells",
    *,
    left_out: int = 0,
    notes: list[dict[str, str]] | None = None,
    **fields: Any,
) -> Dataset:
    """Pictures with 1,200 boxes of two classes, as a worker reports them."""
    report = {
        "task": "detection",
        "classes": [
            {"name": "red", "train": 1000, "validation": 0, "test": 0},
            {"name": "white", "train": 200, "validation": 0, "test": 0},
        ],
        "images": 100,
        "channels": 3,
        "sizes": {"minimum": [640, 480], "maximum": [640, 480], "shared": True},
        "default_input": 224,
        "fingerprint": "f" * 64,
        "problems": [],
        "notes": notes or [],
        "samples": [{"class": "red", "name": "a.jpg", "file": "datasets/0/samples/0.png"}],
        "boxes": {
            "format": "Pascal VOC",
            "count": 1200,
            "left_out": left_out,
            "images_without": 0,
            "most_in_an_image": 30,
            "median_side": 0.16,
            "sides": [100, 900, 180, 20, 0, 0, 0, 0, 0, 0],
            "median_aspect": 1.02,
            "classes": {"red": {"boxes": 1000, "median_side": 0.14}, "white": {"boxes": 200, "median_side": 0.22}},
        },
    }
    defaults: dict[str, Any] = {"state": Dataset.State.READY, "task": "detection", "report": report}
    return Dataset.objects.create(team=team, name=name, **{**defaults, **fields})


def make_spec(**changes: Any) -> dict[str, Any]:
    plain = {"architecture": "alexnet-small", "generations": 5, "offspring": 3, "epochs": 2, "environment": 0.5}
    return RunSpec.from_json({**plain, **changes}).to_json()


def make_run(team: Team, dataset: Dataset | None = None, *, spec: dict[str, Any] | None = None, **fields: Any) -> Run:
    """A run without networks, as the form leaves it."""
    dataset = dataset or make_dataset(team)
    defaults: dict[str, Any] = {"name": "Hand signs on AlexNet, to fit the door controller"}
    return Run.objects.create(team=team, dataset=dataset, spec=spec or make_spec(), **{**defaults, **fields})


def make_network(run: Run, name: str, parents: tuple[str, ...] = (), **fields: Any) -> Network:
    """One network; `parents` are names of networks of the run."""
    generation = 0 if name == "ancestor" else int(name.split("-")[0])
    network = Network.objects.create(run=run, name=name, generation=generation, **fields)
    network.parents.set(Network.objects.filter(run=run, name__in=parents))
    return network


def make_evolution(
    team: Team,
    dataset: Dataset | None = None,
    *,
    finished: bool = False,
    two_parents: bool = False,
    files: bool = True,
    now: datetime | None = None,
    spec: dict[str, Any] | None = None,
    **fields: Any,
) -> Run:
    """A run of five generations of three: all done and one chosen, or with the last generation under way."""
    now = now or timezone.now()
    run = make_run(team, dataset, spec=spec or make_spec(parents=2 if two_parents else 1, survivors=2), **fields)
    generations, offspring = int(run.spec["generations"]), int(run.spec["offspring"])
    clock = now - timedelta(minutes=6 * generations + 8)
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING, started_at=clock, generation=generations)
    run.refresh_from_db()
    add_events(run, None, [("started", {})], clock, clock)
    clock = _measured(run, "ancestor", (), 1.0, 0.921, None, clock, files)
    best, second = "ancestor", "ancestor"
    for generation in range(1, generations + 1):
        share = 0.47**generation
        names = [f"{generation}-{i}" for i in range(1, offspring + 1)]
        for i, name in enumerate(names):
            parents = (best, second) if two_parents and best != second and i != 1 else (best,)
            if generation == generations and not finished and i == offspring - 1:
                _living(run, name, parents, clock, now)
                continue
            accuracy = (
                0.9265 - 0.0022 * generation - (0.0 if i == 1 else 0.006 + 0.0032 * ((generation * 7 + i * 5) % 5))
            )
            size = share * (1 + 0.05 * (((generation + i) % 3) - 1))
            shock = accuracy - 0.012 - 0.009 * generation - 0.004 * i
            clock = _measured(run, name, parents, size, accuracy, shock, clock, files)
        best, second = names[min(1, offspring - 1)], names[0]
        if finished or generation < generations:
            add_events(run, None, [("generation", {"generation": generation})], clock, clock)
    if finished:
        _finish(run, best, clock)
    run.refresh_from_db()
    return run


def _record(name: str, share: float) -> dict[str, Any]:
    """Layers left when about `share` of the parameters live: the root of it in each layer's width."""
    width = math.sqrt(share)
    layers, clusters, inputs = [], {}, 1.0
    for layer, kind, number, parameters, macs in ALEXNET:
        left = number if layer == "fc8" else max(8, round(number * width / 8) * 8) if share < 1 else number
        outputs = left / number
        layers.append(
            {
                "layer": layer,
                "kind": kind,
                "clusters": left,
                "parameters": round(parameters * inputs * outputs),
                "macs": round(macs * inputs * outputs),
            }
        )
        clusters[layer] = left
        inputs = outputs
    return {"id": name, "layers": layers, "clusters": clusters}


def _measured(
    run: Run,
    name: str,
    parents: tuple[str, ...],
    share: float,
    accuracy: float,
    shock: float | None,
    clock: datetime,
    files: bool,
) -> datetime:
    """One finished network with its events and file; returns when it was measured."""
    record = _record(name, share)
    parameters = sum(layer["parameters"] for layer in record["layers"])
    macs = sum(layer["macs"] for layer in record["layers"])
    latency = 0.09 + 0.92 * (macs / 216_836_096) ** 0.8
    for layer in record["layers"]:
        layer["milliseconds"] = latency * layer["macs"] / macs
    ended = clock + timedelta(seconds=110)
    record |= {
        "status": "measured",
        "metric": "accuracy",
        "parents": list(parents),
        "validation_accuracy": accuracy,
        "shock_accuracy": shock,
        "test_accuracy": None,
        "parameters": parameters,
        "living_synapses": parameters,
        "macs": macs,
        "bytes": parameters * 4,
        "peak_activation_bytes": 2 * math.isqrt(parameters) * 256,
        "latency_ms": latency,
        "ancestor_latency_ms": 1.01,
        "file": f"{name}.safetensors",
    }
    if shock is not None:
        record |= {"proof": {"ok": True, "difference": 2.4e-7, "tolerance": 1e-4}, "lrn_effect": 0.0031}
        record["seconds"] = {"gestation": 41.0, "growth": 62.0, "measuring": 6.0}
    network = make_network(
        run,
        name,
        parents,
        state=Network.State.MEASURED,
        progress=1.0,
        started_at=clock,
        measured_at=ended,
        record=record,
        **{key: record[key] for key in ("validation_accuracy", "shock_accuracy", "parameters", "macs", "bytes")},
        peak_activation_bytes=record["peak_activation_bytes"],
        latency_ms=latency,
        ancestor_latency_ms=1.01,
        clusters=record["clusters"],
    )
    if files:
        write_file(network)
    events: list[tuple[str, dict[str, Any]]] = [("born", {"parents": list(parents), "generation": network.generation})]
    if parents:
        events += [
            ("drawn", {"clusters": 2434, "doomed": round(2434 * (1 - math.sqrt(share)))}),
            ("gestation", {"epochs": 0.8, "stress": ["death-list"]}),
            ("cut", {"proof": record["proof"], "lrn_effect": 0.0031}),
            ("shock", {"accuracy": shock}),
            ("growth", {"epochs": 1.2}),
        ]
    events.append(("measured", {"record": {k: v for k, v in record.items() if k != "layers"}}))
    add_events(run, network, events, clock, ended)
    return ended


def _living(run: Run, name: str, parents: tuple[str, ...], clock: datetime, now: datetime) -> None:
    network = make_network(
        run,
        name,
        parents,
        state=Network.State.LIVING,
        phase="growth",
        progress=0.62,
        images_per_second=1840.0,
        started_at=clock,
        heartbeat_at=now,
        claimed_by="worker-1",
        shock_accuracy=0.86,
    )
    born = ("born", {"parents": list(parents), "generation": network.generation})
    add_events(run, network, [born, ("shock", {"accuracy": 0.86})], clock, now)


def _finish(run: Run, chosen: str, clock: datetime) -> None:
    network = Network.objects.get(run=run, name=chosen)
    Network.objects.filter(run=run, name="ancestor").update(test_accuracy=0.918)
    Network.objects.filter(pk=network.pk).update(test_accuracy=0.9105)
    add_events(run, network, [("tested", {"accuracy": 0.9105})], clock, clock)
    add_events(run, None, [("finished", {"chosen": chosen})], clock, clock)
    Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED, chosen=network, proposed=network, finished_at=clock)


def add_events(
    run: Run, network: Network | None, events: list[tuple[str, dict[str, Any]]], start: datetime, end: datetime
) -> None:
    """Appends events whose times are spread evenly from `start` to `end`."""
    step = (end - start) / max(1, len(events) - 1)
    for i, (kind, data) in enumerate(events):
        event = run.record(kind, network=network, **data)
        RunEvent.objects.filter(pk=event.pk).update(at=start + step * i)


def safetensors_bytes(genome: dict[str, Any] | None = None, numbers: int = 4) -> bytes:
    """A tiny but true safetensors file, with a genome in its metadata."""
    metadata = {"genome": json.dumps(genome)} if genome is not None else {}
    header = {"__metadata__": metadata, "w": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, 4 * numbers]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(4 * numbers)


def write_file(network: Network) -> None:
    """Gives the network a stored file."""
    genome = {"architecture": "alexnet-small", "network": network.name, "shape": [3, 32, 32], "classes": ["A", "B"]}
    content = safetensors_bytes(genome)
    name = default_storage.save(f"runs/{network.run_id}/{network.name}.safetensors", ContentFile(content))
    digest = hashlib.sha256(content).hexdigest()
    Network.objects.filter(pk=network.pk).update(file=name, sha256=digest)
    network.refresh_from_db()


def make_base(team: Team, kind: str = BaseFile.Kind.ONNX, **fields: Any) -> BaseFile:
    """A file that the team brought, looked into and found good."""
    digest = hashlib.sha256(f"{team.pk}-{next(_counter)}".encode()).hexdigest()
    defaults: dict[str, Any] = {
        "original_name": "detector.onnx" if kind == BaseFile.Kind.ONNX else "trained.safetensors",
        "sha256": digest,
        "size": 123_456,
        "state": BaseFile.State.READY,
        "summary": {"inputs": [3, 32, 32], "outputs": 24, "parameters": 271_117, "layers": 20},
    }
    return BaseFile.objects.create(team=team, kind=kind, **{**defaults, **fields})


# --- detection --------------------------------------------------------------------------------

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
PICTURES = 8


def make_detection(dataset: Dataset, *, files: bool = True, **fields: Any) -> Run:
    """A finished run on boxes: an ancestor and one offspring, chosen, with what both find in eight pictures."""
    spec = RunSpec.from_json({"architecture": "tiny-yolov2", "width": 0.25, "generations": 1, "offspring": 1}).to_json()
    run = make_run(dataset.team, dataset, spec=spec, name="Cells, smaller", **fields)
    clock = timezone.now() - timedelta(minutes=10)
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING, started_at=clock, generation=1)
    figures = {"ancestor": (0.70, None, 0.68, 1_000_000), "1-1": (0.64, 0.41, 0.62, 200_000)}
    networks = {}
    for name, (validation, shock, test, parameters) in figures.items():
        record = _detector_record(name, validation, shock, test, parameters)
        networks[name] = make_network(
            run,
            name,
            ("ancestor",) if name == "1-1" else (),
            state=Network.State.MEASURED,
            progress=1.0,
            validation_accuracy=validation,
            shock_accuracy=shock,
            test_accuracy=test,
            parameters=parameters,
            macs=record["macs"],
            bytes=record["bytes"],
            latency_ms=record["latency_ms"],
            ancestor_latency_ms=record["ancestor_latency_ms"],
            record=record,
            measured_at=clock,
        )
        brief = {key: record[key] for key in ("validation_map50", "parameters", "latency_ms")}
        add_events(run, networks[name], [("measured", brief)], clock, clock)
        if files:
            write_file(networks[name])
    if files:
        write_predictions(run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED, chosen=networks["1-1"], finished_at=clock)
    run.refresh_from_db()
    return run


def _detector_record(name: str, validation: float, shock: float | None, test: float, parameters: int) -> dict[str, Any]:
    return {
        "id": name,
        "status": "measured",
        "metric": "map50",
        "parents": ["ancestor"] if name == "1-1" else [],
        "validation_map50": validation,
        "shock_map50": shock,
        "test_map50": test,
        "metrics": {
            "map50": validation,
            "map": validation / 2,
            "precision": 0.8,
            "recall": 0.75,
            "map50/red": validation + 0.07,
            "map50/white": validation - 0.07,
            "map/red": validation / 3,
            "precision/red": 0.875,
            "recall/red": 0.625,
            "boxes/red": 77,
        },
        "parameters": parameters,
        "living_synapses": parameters,
        "macs": parameters * 60,
        "bytes": parameters * 4,
        "peak_activation_bytes": 2 * math.isqrt(parameters) * 256,
        "latency_ms": parameters / 100_000 + 4,
        "ancestor_latency_ms": 14.0,
        "whole_latency_ms": parameters / 100_000 + 7,
        "ancestor_whole_latency_ms": 17.0,
        "file": f"{name}.safetensors",
        "layers": [],
        "clusters": {"conv1": 8 if name == "ancestor" else 4},
    }


def write_predictions(run: Run) -> None:
    """Eight pictures, each with one true box; both networks find it, but the offspring misses in the last picture and
    sees something that is not there in picture 5."""
    truths = [[number % 2, 0.1, 0.2, 0.3, 0.5] for number in range(PICTURES)]
    pictures = [
        {"file": f"cells/{number:03}.jpg", "width": 400, "height": 300, "truths": [truths[number]]}
        for number in range(PICTURES)
    ]
    _put(index_name(run.pk), json.dumps({"classes": ["red", "white"], "pictures": pictures}).encode())
    for number in range(PICTURES):
        _put(picture_name(run.pk, number), JPEG)
    for network in run.networks.all():
        images = []
        for number, truth in enumerate(truths):
            image: dict[str, Any] = {"found": [[*truth, 0.9], [0, 0.6, 0.6, 0.7, 0.7, 0.1]]}
            image |= {"hits": 1, "sure": 1, "loss": 0.0}
            if network.name == "1-1" and number == PICTURES - 1:
                image = {"found": [], "hits": 0, "sure": 0, "loss": 1.0}
            elif network.name == "1-1" and number == 5:
                image = {"found": [[*truth, 0.9], [1, 0.5, 0.5, 0.9, 0.9, 0.4]], "hits": 1, "sure": 2, "loss": 0.3333}
            images.append(image)
        content = json.dumps({"network": network.name, "images": images}).encode()
        name = _put(predictions_name(run.pk, network.name), content)
        Network.objects.filter(pk=network.pk).update(predictions=name)


def _put(name: str, content: bytes) -> str:
    default_storage.delete(name)
    return default_storage.save(name, ContentFile(content))
