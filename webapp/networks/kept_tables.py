"""The tables of a network's page, to keep as files: whole, where the page shows the first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from webapp.keeping import Table, kept
from webapp.networks import classes, exported, page
from webapp.networks.inside_files import Answers, Questions
from webapp.networks.models import Network
from webapp.runs.snapshot import Lineage, metric_title
from webapp.runs.survival import survival_table


@dataclass(frozen=True)
class Subject:
    """A network and what its tables are made of."""

    network: Network
    choice: classes.Choice  # which images, as the page's address says

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage.of(self.network.run)

    @cached_property
    def elder(self) -> Network | None:
        return page.ancestor_of(self.network)

    @property
    def record(self) -> dict[str, Any]:
        return self.network.record or {}

    @property
    def before(self) -> dict[str, Any]:
        return (self.elder.record or {}) if self.elder is not None else {}

    def asked(self) -> tuple[Questions, Answers, Answers | None]:
        """The questions, its answers, and its ancestor's. Raises Http404 where they are not kept."""
        questions = Questions.of(self.network.run_id)
        own = Answers.of(self.network, questions) if questions is not None else None
        if questions is None or own is None:
            raise Http404("Nobody has looked inside this network yet.")
        elder = self.elder if self.elder is not None and self.elder.pk != self.network.pk else None
        return questions, own, Answers.of(elder, questions) if elder is not None else None


def figures(of: Subject) -> Table:
    """Each measure beside the ancestor's; `ratio` is the ancestor's over its own, `points` are percentage points,
    `onnx` is what its ONNX file reaches."""
    own = of.lineage.by_name[of.network.name]
    rows = page.figures(own, of.lineage, exported.figures_of(of.network)) + page.detection_figures(of.record, of.before)
    title = metric_title(of.network.run)
    for row in rows:
        row["measure"] = f"{title} {row['label']}" if row["kind"] == "percent" else row["label"]
    return Table.of(("measure", "own", "ancestor", "ratio", "points", "onnx"), rows)


def layers(of: Subject) -> Table:
    """Clusters, parameters, multiply-adds and milliseconds of each layer, beside the ancestor's."""
    measures = [name for one in ("clusters", "parameters", "macs", "milliseconds") for name in (one, f"{one}_before")]
    return Table.of(("layer", "kind", *measures), page.layer_rows(of.network, of.before))


def survival(of: Subject) -> Table:
    """What lived on of each layer, from the ancestor to this network."""
    return survival_table(of.lineage, of.lineage.by_name[of.network.name])


def by_class(of: Subject) -> Table:
    """Which classes paid for the size: of a classifier the share recognised, of a detector mAP@.5."""
    if rows := page.class_rows(of.record, of.before, None):
        columns = ("name", "own", "ancestor", "points", "map", "precision", "recall", "boxes")
        return Table.of(columns, rows)
    return Table.of(("name", "images", "own", "ancestor", "points"), classes.change_rows(*of.asked(), None))


def confusion(of: Subject) -> Table:
    """How often each class was answered for each, right answers too: a row a pair that occurs, since classes are called
    as somebody likes and answers may lie beyond them."""
    questions, own, _ = of.asked()
    names = questions.classes
    pairs = Counter(zip(questions.labels, own.classes, strict=True))
    rows = [(names[true], classes.class_name(names, said), count) for (true, said), count in sorted(pairs.items())]
    return Table(("truth", "said", "count"), rows)


def mistakes(of: Subject) -> Table:
    """Which class is taken for which, beside how often the ancestor does so; the most frequent first."""
    return Table.of(("true", "said", "count", "ancestor"), classes.mixed(*of.asked(), None))


def disagreements(of: Subject) -> Table:
    """The images on which network and ancestor disagree, worst first; those that the address asks for."""
    questions, own, before = of.asked()
    names = questions.classes
    rows = []
    for kind, _, number in classes.ranked(questions, own, before):
        if of.choice.only in ("", kind):
            row = [number, kind, names[questions.labels[number]]]
            for answers in (own, before):
                said = answers.classes[number] if answers is not None else None
                sure = answers.sure[number] / 1000 if answers is not None else None
                row += [None if said is None else classes.class_name(names, said), sure]
            rows.append(row)
    return Table(("image", "kind", "truth", "own", "own_sure", "ancestor", "ancestor_sure"), rows)


def devices(of: Subject) -> Table:
    """Its timings on devices, the latest first; not by whom, for guests may keep it."""
    rows = [
        (row.label, row.browser, row.ms, row.ancestor_ms, row.ratio, row.rounds, row.created_at)
        for row in of.network.device_timings.all()
    ]
    return Table(("device", "browser", "milliseconds", "ancestor_milliseconds", "ratio", "rounds", "timed_at"), rows)


TABLES: dict[str, Callable[[Subject], Table]] = {
    "figures": figures,
    "layers": layers,
    "survival": survival,
    "classes": by_class,
    "confusion": confusion,
    "mistakes": mistakes,
    "disagreements": disagreements,
    "devices": devices,
}


def network_table_response(request: HttpRequest, network: Network, name: str, kind: str) -> HttpResponse:
    """One of TABLES as a file. Raises Http404 for another name."""
    if name not in TABLES:
        raise Http404("This page has no such table.")
    table = TABLES[name](Subject(network, classes.Choice.read(request.GET.dict())))
    return kept(table, kind, f"{name}-{network.run_id}-{network.name}")
