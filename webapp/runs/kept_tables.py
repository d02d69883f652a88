"""The tables of a run's page, to keep as files; each follows the view in the address, as its page does."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404

from webapp.keeping import Table

from .addresses import RunUrls
from .card import card
from .curves import curves_context
from .generations import generation_records
from .measures import COSTS
from .models import Run
from .snapshot import Lineage
from .survival import survival_table
from .table import ordered, selected
from .trial import trial_of
from .view import View

_NETWORK = {  # column -> field of a snapshot
    "name": "name",
    "generation": "generation",
    "parents": "parents",
    "state": "state",
    "accuracy": "validation_accuracy",
    "shock": "shock_accuracy",
    "test_accuracy": "test_accuracy",
    "parameters": "parameters",
    "macs": "macs",
    "bytes": "bytes",
    "peak_activation_bytes": "peak_activation_bytes",
    "latency_ms": "latency_ms",
    "ancestor_latency_ms": "ancestor_latency_ms",
}


def networks(run: Run, lineage: Lineage, view: View) -> Table:
    """The selected networks in the view's order, with all that was measured of them."""
    found = ordered(selected(lineage, view), view.sort)
    return Table(tuple(_NETWORK), [[getattr(network, field) for field in _NETWORK.values()] for network in found])


def generations(run: Run, lineage: Lineage, view: View) -> Table:
    """Each generation's figures; hypervolumes of every cost."""
    columns = ("generation", "networks", "measured", "mean_shock", "mean_accuracy", "best_accuracy", "least_parameters")
    volumes = [f"hypervolume_{cost}" for cost in COSTS]
    return Table.of((*columns, *volumes), generation_records(run, lineage))


def curves(run: Run, lineage: Lineage, view: View) -> Table:
    """Every point of the learning curves that are drawn: those in training, or the line to the selected network."""
    shown = curves_context(run, lineage, RunUrls(run), view.network)["curves"]
    points = [(curve["network"].name, p.phase, p.epoch, p.loss, p.accuracy) for curve in shown for p in curve["points"]]
    return Table(("network", "phase", "epoch", "loss", "accuracy"), points)


def layers(run: Run, lineage: Lineage, view: View) -> Table:
    """The card's: clusters and parameters of each layer, beside those of the network that it is compared with."""
    shown = card(run, lineage, RunUrls(run), view)
    names = [network.name if network else "" for network in (shown["selected"], shown.get("against"))]
    rows = [
        (*names, row["layer"], row["left"], row["of"], row["parameters"], row["before"])
        for row in shown.get("layers", ())
    ]
    columns = ("network", "against", "layer", "clusters", "clusters_before", "parameters", "parameters_before")
    return Table(columns, rows)


def survival(run: Run, lineage: Lineage, view: View) -> Table:
    """What lived on of each layer, from the ancestor to the selected network."""
    return survival_table(lineage, card(run, lineage, RunUrls(run), view)["selected"])


TABLES: dict[str, Callable[[Run, Lineage, View], Table]] = {
    table.__name__: table for table in (networks, generations, curves, layers, survival)
}


def of_run(run: Run, name: str, view: View) -> Table:
    """One of TABLES. Raises Http404 for another name."""
    if name not in TABLES:
        raise Http404("This page has no such table.")
    return TABLES[name](run, trial_of(run, view).lineage, view)
