"""Data sets of ten thousand classes, whose reports are a megabyte each: only their own page reads them."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from django.apps import apps

from tests.webapp.factories import make_dataset, make_evolution
from webapp.datasets.models import Dataset, summary_of
from webapp.datasets.views import LIST_PAGE
from webapp.fields import OrderedJSONField
from webapp.runs.models import Run, RunGroup
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db
REPORT = {
    "classes": [{"name": f"species {i}", "train": 3, "validation": 0, "test": 1} for i in range(10_000)],
    "images": 40_000,
    "channels": 3,
}
SUMMARY = {"images": 40_000, "channels": 3, "classes": 10_000, "train": 30_000, "validation": 0, "test": 10_000}


@pytest.fixture
def species(team: Any) -> Dataset:
    return make_dataset(team, "Species", report=REPORT)


@pytest.fixture
def evolution(team: Any, ada: Any, species: Dataset) -> Run:
    return make_evolution(team, species, finished=True, files=False, created_by=ada)


@pytest.fixture
def reports_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the reports that were read from the database."""
    lengths: list[int] = []
    read = OrderedJSONField.from_db_value

    def reading(field: Any, value: Any, *about: Any) -> Any:
        if field.name == "report" and value is not None:
            lengths.append(len(value))
        return read(field, value, *about)

    monkeypatch.setattr(OrderedJSONField, "from_db_value", reading)
    return lengths


def test_what_is_read_of_a_report_is_seen_here(client_of: Any, ada: Any, species: Dataset, reports_read: Any) -> None:
    client_of(ada).get(f"/datasets/{species.pk}/")
    assert len(reports_read) == 1


def test_no_other_page_reads_a_report(
    client_of: Any, ada: Any, team: Any, species: Dataset, evolution: Run, reports_read: list[int]
) -> None:
    group = RunGroup.objects.create(team=team, name="Trials", axes=["seed"])
    Run.objects.filter(pk=evolution.pk).update(group=group)
    clone = make_evolution(team, species, finished=True, files=False, cloned_from=evolution)
    link = ShareLink.objects.create(run=evolution, created_by=ada)
    client, run = client_of(ada), evolution.pk
    reports_read.clear()
    for path in (
        "/runs/",
        "/runs/list.csv",
        "/datasets/",
        "/datasets/list.csv",
        "/runs/new/",
        f"/runs/new/?dataset={species.pk}",
        f"/runs/{run}/",
        f"/runs/{run}/live",
        f"/runs/{run}/chart.json",
        f"/runs/{clone.pk}/",
        f"/runs/{run}/clone/",
        f"/runs/{run}/share/",
        f"/runs/{run}/networks/2-1/",
        f"/runs/groups/{group.pk}/",
        f"/compare/?run={run}&run={clone.pk}",
        f"/s/{link.token}/",
        f"/s/{link.token}/networks/2-1/",
    ):
        assert client.get(path).status_code == 200, path
        assert reports_read == [], path
    sent = {"dataset": species.pk, "origin": run}
    assert client.post("/runs/estimate/", sent).status_code == 200
    assert reports_read == []


def test_the_list_and_its_file_say_what_the_report_says(client_of: Any, vic: Any, species: Dataset) -> None:
    page = client_of(vic).get("/datasets/").content.decode()
    assert ">40,000<" in page
    assert ">10,000<" in page
    (row,) = json.loads(client_of(vic).get("/datasets/list.json").content)
    assert (row["images"], row["classes"]) == (40_000, 10_000)


def test_the_summary_follows_the_report(species: Dataset) -> None:
    assert species.summary == summary_of(REPORT) == SUMMARY
    species.report = {**REPORT, "images": 5}
    species.save(update_fields=["report"])
    again = Dataset.objects.defer("report").get(pk=species.pk)
    assert again.summary == SUMMARY | {"images": 5}
    again.name = "Kinds"
    again.save()  # which does not know the report
    assert Dataset.objects.get(pk=species.pk).summary == SUMMARY | {"images": 5}


def test_reports_from_before_are_summed_up_by_the_migration(species: Dataset) -> None:
    Dataset.objects.update(summary={})
    importlib.import_module("webapp.datasets.migrations.0006_summary").summarize(apps, None)
    species.refresh_from_db()
    assert species.summary == SUMMARY


def test_many_data_sets_are_listed_page_by_page(client_of: Any, vic: Any, team: Any) -> None:
    for number in range(LIST_PAGE + 1):
        make_dataset(team, f"Set {number:02}")
    client = client_of(vic)
    first, second = (client.get(f"/datasets/?page={page}").content.decode() for page in (1, 2))
    assert f"{LIST_PAGE + 1} data sets" in first
    assert "Set 01" in first
    assert "Set 00" not in first
    assert 'rel="next" href="?page=2"' in first
    assert "Set 00" in second
    assert 'rel="prev" href="?page=1"' in second
    assert client.get("/datasets/?page=no").status_code == 200
