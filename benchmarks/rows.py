"""Rows for benchmarks/pages.py: a team of many runs, one of them an evolution of thousands of networks under way."""

from __future__ import annotations

import json
import math
import random
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from evolution_core.spec import RunSpec
from webapp.datasets.models import Dataset
from webapp.networks.inside_files import answers_name, index_name
from webapp.networks.models import Network
from webapp.runs.models import Run, RunEvent, RunGroup
from webapp.teams.models import Membership, Team

EMAIL, PASSWORD = "owner@example.org", "try-it-all-the-way"
LAYERS = {"conv1": 96, "conv2": 256, "conv3": 384, "conv4": 384, "conv5": 256, "fc6": 1024, "fc7": 1024, "fc8": 10}
# as deep as a MobileNet: what is left of each of these layers is a cell of a heat strip, for each of 50 generations
DEEP = {f"block{i // 3 + 1}.{('expand', 'depthwise', 'project')[i % 3]}": 64 * (1 + i // 9) for i in range(54)}
QUESTIONS = 10_000
SWEPT = 60  # runs of one sweep
SIBLINGS = 100  # offspring of a generation in the large run


def member() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(email=EMAIL))
    return client


def seed(networks: int, runs: int) -> dict[str, Any]:
    """Makes the rows, unless they are there; what the addresses of the pages need."""
    if not get_user_model().objects.filter(email=EMAIL).exists():
        _make(networks, runs)
    large = Run.objects.get(name="Many networks")
    middle = large.networks.order_by("pk")[networks // 2]
    if not middle.answers:
        _answer(large, [large.networks.get(name="ancestor"), middle])
    return {
        "run": large.pk,
        "small": Run.objects.get(name="Run 1").pk,
        "deep": Run.objects.get(name="Deep networks").pk,
        "sweep": RunGroup.objects.get(name="Sweep").pk,
        "dataset": large.dataset_id,
        "species": Dataset.objects.filter(name__startswith="Species").values_list("pk", flat=True)[0],
        "of_species": Run.objects.filter(dataset__name="Species 0")[0].pk,
        "network": middle.name,
        "edge": middle.parents.first().name,
    }


def _make(networks: int, runs: int) -> None:
    user = get_user_model().objects.create_user(EMAIL, PASSWORD, first_name="Olive")
    team = Team.objects.create(name="Vision team")
    Membership.objects.create(team=team, user=user, role=Membership.Role.OWNER)
    datasets = [_dataset(team, f"Hand signs {i}") for i in range(10)]
    datasets += [_dataset(team, f"Species {i}", classes=10_000) for i in range(2)]  # a megabyte of report each
    sweep = RunGroup.objects.create(team=team, name="Sweep", axes=["seed"], created_by=user)
    for i in range(1, runs):
        state = Run.State.FAILED if i % 9 == 0 else Run.State.FINISHED
        run = _evolution(team, datasets[i % 12], f"Run {i}", 2, 4, seed=i, state=state, events=i == 1)
        if 10 <= i < 10 + SWEPT:
            Run.objects.filter(pk=run.pk).update(group=sweep)
    deep = {"seed": 3, "state": Run.State.FINISHED, "events": True, "layers": DEEP}
    _evolution(team, datasets[1], "Deep networks", 50, 4, **deep)
    generations = max(1, (networks - 1) // SIBLINGS)
    _evolution(team, datasets[0], "Many networks", generations, SIBLINGS, seed=7, state=Run.State.RUNNING, events=True)


def _answer(run: Run, networks: list[Network]) -> None:
    """What workers keep of classifiers: answers to as many images as they are ever asked about."""
    draw = random.Random(5)
    labels = [draw.randrange(24) for _ in range(QUESTIONS)]
    index: dict[str, Any] = {"classes": [chr(65 + i) for i in range(24)], "images": QUESTIONS, "labels": labels}
    index |= {"width": 32, "height": 32, "offsets": [2000 * i for i in range(QUESTIONS + 1)]}
    _store(index_name(run.pk), index)
    for network in networks:
        said = [label if draw.random() < 0.9 else draw.randrange(24) for label in labels]
        sure = [draw.randrange(300, 1000) for _ in labels]
        network.answers = _store(answers_name(run.pk, network.name), {"classes": said, "sure": sure})
        network.save()


def _store(name: str, value: Any) -> str:
    return default_storage.save(name, ContentFile(json.dumps(value, separators=(",", ":")).encode()))


def _dataset(team: Team, name: str, classes: int = 24) -> Dataset:
    named = [f"{chr(65 + i % 26)}, species {i} of a long list" for i in range(classes)]
    counts = [{"name": each, "train": 160, "validation": 0, "test": 40} for each in named]
    sizes = {"minimum": [32, 32], "maximum": [32, 32], "shared": True}
    report = {"classes": counts, "images": 200 * classes, "channels": 3, "sizes": sizes, "default_input": 32}
    report |= {"problems": [], "samples": []}
    return Dataset.objects.create(team=team, name=name, state=Dataset.State.READY, task="classification", report=report)


def _evolution(
    team: Team,
    dataset: Dataset,
    name: str,
    generations: int,
    siblings: int,
    *,
    seed: int,
    state: str,
    events: bool,
    layers: dict[str, int] = LAYERS,
) -> Run:
    """A run with two parents to an offspring; where it is under way, the last few networks are in training."""
    draw = random.Random(seed)
    # more siblings than the form allows: pages are to be fast beyond what anybody asks for
    asked = {"architecture": "alexnet-small", "generations": min(generations, 50), "offspring": min(siblings, 32)}
    spec = RunSpec.from_json(asked | {"parents": 2, "survivors": 2, "environment": 0.5, "seed": seed}).to_json()
    began = timezone.now() - timedelta(seconds=40 * generations * siblings)
    run = Run.objects.create(
        team=team, dataset=dataset, name=name, spec=spec, state=state, generation=generations, started_at=began
    )
    rows = [_network(run, "ancestor", 0, 1.0, 0.921, None, began, layers)]
    parents: list[tuple[int, int]] = []  # places in `rows`: child, parent
    best = [0]
    for generation in range(1, generations + 1):
        first = len(rows)
        for i in range(1, siblings + 1):
            share = math.exp(-4.2 * generation / generations + draw.gauss(0, 0.12))
            accuracy = 0.925 - 0.02 * (generation / generations) ** 2 - abs(draw.gauss(0, 0.012))
            shock = max(0.1, accuracy - 0.02 - 0.1 * draw.random() * generation / generations)
            born = began + timedelta(seconds=40 * len(rows))
            parents += [(len(rows), parent) for parent in draw.sample(best, min(2, len(best)))]
            rows.append(_network(run, f"{generation}-{i}", generation, share, accuracy, shock, born, layers))
        living = rows[first:]
        best = sorted(range(first, len(rows)), key=lambda k: -(rows[k].validation_accuracy or 0))
        best = best[: max(2, len(living) // 20)]
    if state == Run.State.RUNNING:
        for network in rows[-3:]:
            _open(network)
    elif state == Run.State.FINISHED:
        run.finished_at = began + timedelta(seconds=40 * len(rows))
    made = Network.objects.bulk_create(rows, batch_size=500)
    through = Network.parents.through
    links = [through(from_network_id=made[child].pk, to_network_id=made[parent].pk) for child, parent in parents]
    through._default_manager.bulk_create(links, batch_size=2000)
    if state == Run.State.FINISHED:
        run.chosen = min(made[1:], key=lambda n: n.parameters if (n.validation_accuracy or 0) > 0.911 else 10**9)
    run.last_event = _events(run, made) if events else 0
    run.save()
    return run


def _network(
    run: Run,
    name: str,
    generation: int,
    share: float,
    accuracy: float,
    shock: float | None,
    born: Any,
    widths: dict[str, int],
) -> Network:
    width = math.sqrt(share)
    clusters = {layer: max(2, round(count * width)) if layer != "fc8" else count for layer, count in widths.items()}
    parameters, macs = round(5_726_000 * share), round(216_800_000 * share)
    latency = 0.09 + 0.92 * share**0.8
    layers = [
        {"layer": layer, "kind": "linear" if layer.startswith("fc") else "convolution", "clusters": count}
        | {"parameters": round(parameters / 8), "macs": round(macs / 8)}
        for layer, count in clusters.items()
    ]
    history = [{"phase": "growth", "epoch": i + 1, "loss": 1.0 / (i + 1), "accuracy": accuracy} for i in range(8)]
    record = {"id": name, "metric": "accuracy", "chance": 1 / 24, "layers": layers, "history": history}
    record |= {"clusters": clusters, "peak_activation_bytes": round(1_200_000 * width)}
    return Network(
        run=run,
        name=name,
        generation=generation,
        state=Network.State.MEASURED,
        progress=1.0,
        validation_accuracy=accuracy,
        shock_accuracy=shock,
        parameters=parameters,
        macs=macs,
        bytes=4 * parameters,
        peak_activation_bytes=record["peak_activation_bytes"],
        latency_ms=latency,
        ancestor_latency_ms=1.01,
        clusters=clusters,
        record=record,
        started_at=born,
        measured_at=born + timedelta(seconds=38),
        file=f"runs/{run.pk}/{name}.safetensors",
        sha256="0" * 64,
    )


def _open(network: Network) -> None:
    """In training still."""
    network.state, network.phase, network.progress = Network.State.LIVING, "growth", 0.4
    network.validation_accuracy = network.parameters = network.macs = network.bytes = None
    network.latency_ms = network.ancestor_latency_ms = network.measured_at = None
    network.clusters, network.record, network.file = {}, {}, ""
    network.heartbeat_at = timezone.now()


def _events(run: Run, networks: list[Network]) -> int:
    kinds = ("born", "drawn", "gestation", "cut", "shock", "growth", "measured")
    rows = []
    for network in networks:
        for kind in kinds:
            data = {"accuracy": network.shock_accuracy} if kind == "shock" else {}
            rows.append(RunEvent(run=run, number=len(rows) + 1, kind=kind, network=network, data=data))
    RunEvent.objects.bulk_create(rows, batch_size=2000)
    return len(rows)
