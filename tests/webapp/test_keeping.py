"""Tables to keep: written without formulas, whole, as the address says, and nobody else's."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import Http404

from tests.webapp import answers
from tests.webapp.factories import make_base, make_box_dataset, make_detection, make_evolution, make_run, make_spec
from webapp.compare import kept_tables as of_comparisons
from webapp.datasets import kept_tables as of_datasets
from webapp.datasets.models import Dataset
from webapp.devices.models import DeviceTiming
from webapp.keeping import Table, kept
from webapp.networks import kept_tables as of_networks
from webapp.networks.models import Network
from webapp.runs import kept_tables as of_runs
from webapp.runs.models import Run, RunGroup
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


def lines(response: Any) -> list[list[str]]:
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.fixture
def finished(team: Any) -> Run:
    """A run whose chosen network was looked into, and timed on a device."""
    run = make_evolution(team, finished=True, files=False)
    answers.write_all(run)
    DeviceTiming.objects.create(network=run.networks.get(name="5-2"), label="Phone", ms=1.5, rounds=9)
    return run


# --- writing --------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_cell_is_a_formula(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    head, row = lines(kept(Table(("name", text), [(text, -0.8), ([text, "b"], None)][:1]), "csv", "x"))
    assert head == ["name", f"'{text}"]
    assert row == [f"'{text}", "-0.8"]  # a number stays a number


@pytest.mark.parametrize("separator", [";", ",", "\t", "\r", "\n"])
def test_no_cell_hides_a_formula_behind_another_separator(separator: str) -> None:
    """Where spreadsheets split by semicolons, a quoted text stays whole; where they split regardless, it is inert."""
    text = f"a{separator}=HYPERLINK(0)"
    content = kept(Table((text, "number"), [(text, -1.5), (None, 2)]), "csv", "x").content.decode()
    safe = f"a{separator}'=HYPERLINK(0)"
    assert content == f'\ufeff"{safe}","number"\r\n"{safe}",-1.5\r\n,2\r\n'


def test_a_name_in_any_script_begins_with_its_mark() -> None:
    response = kept(Table(("name",), [('日本; "Größe"-2',)]), "csv", "x")
    assert response.content.startswith(b"\xef\xbb\xbf")
    assert lines(response) == [["name"], ['日本; "Größe"-2']]
    assert not kept(Table(("name",), []), "json", "x").content.startswith(b"\xef\xbb\xbf")


def test_values_are_plain_in_both_forms() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    table = Table(("lists", "moment", "unknown", "share"), [(("2-1", "2-2"), moment, None, 0.25)])
    assert lines(kept(table, "csv", "x"))[1] == ["2-1 2-2", "2026-01-02T03:04:05+00:00", "", "0.25"]
    response = kept(table, "json", "x")
    assert response["Content-Disposition"] == 'attachment; filename="x.json"'
    (row,) = json.loads(response.content)
    assert row["lists"] == ["2-1", "2-2"]
    assert row["unknown"] is None
    assert row["share"] == 0.25
    with pytest.raises(Http404):
        kept(table, "xls", "x")


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        Table(("truth", "truth"), [])


def test_a_table_without_rows_has_its_head(client_of: Any, vic: Any, run: Run) -> None:
    for name in of_runs.TABLES:
        assert len(lines(client_of(vic).get(f"/runs/{run.pk}/tables/{name}.csv"))) == 1, name


# --- what is linked is there ----------------------------------------------------------------


def keep_links(page: str) -> set[str]:
    return set(re.findall(r'<a href="([^"]+)"(?: data-follows)? download', page.replace("&amp;", "&")))


def test_every_link_to_a_table_opens(client_of: Any, vic: Any, team: Any, finished: Run) -> None:
    client = client_of(vic)
    boxes = make_detection(make_box_dataset(team, notes=[{"file": "a.xml", "note": "empty"}]), files=False)
    group = RunGroup.objects.create(team=team, name="Trials", axes=["seed"])
    for seed in (1, 2):
        make_run(team, finished.dataset, group=group, spec=make_spec(seed=seed))
    make_base(team)
    young = make_run(team, finished.dataset)
    Dataset.objects.filter(pk=finished.dataset_id).update(
        report=finished.dataset.report | {"problems": [{"file": "=x", "problem": "is no image"}]}
    )
    pages = {
        f"/runs/{finished.pk}/?q=2-&sort=parameters": 4,
        f"/runs/{finished.pk}/networks/5-2/?only=lost": 8,
        f"/runs/{boxes.pk}/networks/1-1/": 3,  # its layers are not known
        f"/compare/?run={finished.pk}&run={young.pk}&network={finished.pk}:ancestor": 6,
        f"/runs/groups/{group.pk}/": 2,
        f"/datasets/{finished.dataset_id}/": 2,
        f"/datasets/{boxes.dataset_id}/": 2,
        "/runs/": 1,
        "/runs/bases/": 1,
        "/datasets/": 1,
    }
    for address, tables in pages.items():
        page = client.get(address).content.decode()
        links = {link for link in keep_links(page) if "/tables/" in link or "/list." in link}
        assert len(links) == 2 * tables, (address, links)
        for link in links:
            assert client.get(link).status_code == 200, link


def test_every_table_has_a_link(client_of: Any, vic: Any, team: Any, finished: Run) -> None:
    """No table to keep that nobody can find."""
    client = client_of(vic)
    run, network = f"/runs/{finished.pk}/", f"/runs/{finished.pk}/networks/5-2/"
    comparison = f"/compare/?run={finished.pk}&run={make_run(team, finished.dataset).pk}&network={finished.pk}:ancestor"
    for address, tables in (
        (run, set(of_runs.TABLES) - {"curves"}),  # there is none without epochs
        (network, of_networks.TABLES),
        (comparison, of_comparisons.TABLES),
    ):
        page = client.get(address).content.decode()
        assert {name for name in tables if f"/tables/{name}.csv" not in page} == set(), address


# --- a run ----------------------------------------------------------------------------------


def test_a_runs_tables_follow_the_address(client_of: Any, vic: Any, finished: Run) -> None:
    client, tables = client_of(vic), f"/runs/{finished.pk}/tables"
    head, *rows = lines(client.get(f"{tables}/survival.csv", {"network": "2-2"}))
    assert head == ["layer", "ancestor", "1-2", "2-2", "left"]
    assert rows[0][:2] == ["conv1", "96"]
    head, *rows = lines(client.get(f"{tables}/layers.csv", {"network": "2-2", "against": "1-2"}))
    assert rows[0][:4] == ["2-2", "1-2", "conv1", str(Network.objects.get(run=finished, name="2-2").clusters["conv1"])]
    assert client.get(f"{tables}/beauty.csv").status_code == 404
    network = Network.objects.get(run=finished, name="5-2")
    finished.record("epoch", network=network, phase="growth", epoch=1.0, loss=0.5, accuracy=0.9)
    head, *rows = lines(client.get(f"{tables}/curves.csv"))
    assert head == ["network", "phase", "epoch", "loss", "accuracy"]
    assert [row[0] for row in rows] == ["5-2"]


def test_a_networks_tables(client_of: Any, vic: Any, finished: Run) -> None:
    client, tables = client_of(vic), f"/runs/{finished.pk}/networks/5-2/tables"
    assert lines(client.get(f"{tables}/classes.csv"))[1][:4] == ["open", "2", "0.5", "1.0"]
    head, *rows = lines(client.get(f"{tables}/confusion.csv"))
    assert head == ["truth", "said", "count"]
    assert rows[:3] == [["open", "open", "1"], ["open", "point", "1"], ["closed", "open", "1"]]
    assert len(rows) == 6
    everything = client.get(f"{tables}/disagreements.json").json()
    lost = client.get(f"{tables}/disagreements.json", {"only": "lost"}).json()
    assert {row["kind"] for row in everything} > {row["kind"] for row in lost} == {"lost"}
    assert lost[0] == {
        "image": 1,
        "kind": "lost",
        "truth": "open",
        "own": "point",
        "own_sure": 0.95,
        "ancestor": "open",
        "ancestor_sure": 0.8,
    }
    figures = {row["measure"]: row for row in client.get(f"{tables}/figures.json").json()}
    assert figures["Parameters"]["ratio"] == pytest.approx(43.1, abs=0.1)
    assert figures["Accuracy on validation"]["points"] == pytest.approx(-0.55, abs=0.1)
    assert client.get(f"/runs/{finished.pk}/networks/2-1/tables/confusion.csv").status_code == 404  # nobody has looked


def test_confusions_hold_any_class_and_any_answer(client_of: Any, vic: Any, finished: Run) -> None:
    """A class may be called as a column is, and a network may have more outputs than there are classes."""
    answers.write_questions(finished, classes=["truth", "said", "count"])
    answers.write_answers(Network.objects.get(run=finished, name="5-2"), ([0, 2, 1, 0, 9, 2], [900] * 6))
    rows = client_of(vic).get(f"/runs/{finished.pk}/networks/5-2/tables/confusion.json").json()
    assert [tuple(row.values()) for row in rows] == [
        ("truth", "truth", 1),
        ("truth", "count", 1),
        ("said", "truth", 1),
        ("said", "said", 1),
        ("count", "count", 1),
        ("count", "9", 1),
    ]


def test_what_the_page_cuts_short_is_whole_in_the_file(
    client_of: Any, vic: Any, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.networks.classes.MIXED", 1)
    monkeypatch.setattr("webapp.runs.survival.LAYERS", 2)
    tables = f"/runs/{finished.pk}/networks/5-2/tables"
    assert len(lines(client_of(vic).get(f"{tables}/mistakes.csv"))) == 4
    assert len(lines(client_of(vic).get(f"{tables}/survival.csv"))) == 9


# --- a comparison ---------------------------------------------------------------------------


def test_a_comparisons_tables_follow_the_address(client_of: Any, vic: Any, team: Any, finished: Run) -> None:
    other = make_evolution(team, finished.dataset, finished=True, files=False, name="=1+1", spec=make_spec(seed=9))
    spec = make_spec(seed=3)
    Run.objects.filter(pk=finished.pk).update(spec=spec)
    client = client_of(vic)
    query = f"?run={finished.pk}&run={other.pk}"
    head, *rows = lines(client.get(f"/compare/tables/figures.csv{query}"))
    assert [row[:2] for row in rows] == [["A", "network"], ["B", "network"], ["AB", "mean"], ["AB", "deviation"]]
    assert rows[1][2] == "'=1+1"
    head, *rows = lines(client.get(f"/compare/tables/settings.csv{query}"))
    assert head == ["setting", "differs", f"A {finished.name}", "B =1+1"]
    assert rows == [["Seed", "True", "3", "9"]]
    assert len(lines(client.get(f"/compare/tables/settings.csv{query}&all=1"))) > 20
    assert lines(client.get(f"/compare/tables/fronts.csv{query}&cost=macs"))[0][3] == "macs"
    assert lines(client.get(f"/compare/tables/curves.csv{query}&align=time"))[0][4] == "seconds"
    head, *rows = lines(client.get(f"/compare/tables/layers.csv{query}"))
    assert len(head) == 5
    assert rows[0][2] == "96"


# --- lists, data sets -----------------------------------------------------------------------


def test_lists_can_be_kept(client_of: Any, vic: Any, team: Any, finished: Run) -> None:
    client = client_of(vic)
    make_base(team)
    assert lines(client.get("/datasets/list.csv"))[1][1:6] == ["Hand signs", "ready", "classification", "4800", "24"]
    assert lines(client.get("/runs/bases/list.csv"))[1][0] == "detector.onnx"
    assert client.get("/datasets/list.xls").status_code == 404


def test_a_data_sets_tables(client_of: Any, vic: Any, team: Any) -> None:
    boxes = make_box_dataset(team, report={"classes": [], "problems": [{"file": "=a.png", "problem": "is empty"}]})
    client = client_of(vic)
    assert lines(client.get(f"/datasets/{boxes.pk}/tables/problems.csv"))[1] == ["'=a.png", "is empty"]
    assert len(lines(client.get(f"/datasets/{boxes.pk}/tables/notes.csv"))) == 1
    full = make_box_dataset(team)
    assert lines(client.get(f"/datasets/{full.pk}/tables/classes.csv"))[1] == ["red", "1000", "0", "0", "1000", "0.14"]


# --- who may --------------------------------------------------------------------------------


def every_table(run: Run) -> list[str]:
    """An address for each table there is of this run and what belongs to it."""
    found = [f"/runs/{run.pk}/tables/{name}.csv" for name in of_runs.TABLES]
    found += [f"/runs/{run.pk}/networks/5-2/tables/{name}.csv" for name in of_networks.TABLES]
    found += [f"/compare/tables/{name}.csv?run={run.pk}&network={run.pk}:2-1" for name in of_comparisons.TABLES]
    found += [f"/datasets/{run.dataset_id}/tables/{name}.csv" for name in of_datasets.TABLES]
    return found


def test_tables_are_the_teams(client: Any, client_of: Any, vic: Any, olga: Any, finished: Run) -> None:
    mine, theirs = client_of(vic), client_of(olga)
    for address in every_table(finished):
        assert mine.get(address).status_code == 200, address
        assert theirs.get(address).status_code == 404, address
        assert client.get(address).url.startswith("/sign-in/"), address


def test_a_comparison_holds_nothing_of_another_team(client_of: Any, vic: Any, finished: Run, other_run: Run) -> None:
    for name in of_comparisons.TABLES:
        address = f"/compare/tables/{name}.csv?run={finished.pk}&run={other_run.pk}"
        assert "Stones" not in client_of(vic).get(address).content.decode(), name


def test_a_share_link_gives_what_its_pages_show(client: Any, finished: Run) -> None:
    link = ShareLink.objects.create(run=finished, shows_images=True)
    for part, tables in (("", of_runs.TABLES), ("networks/5-2/", of_networks.TABLES)):
        page = client.get(f"/s/{link.token}/{part}").content.decode()
        links = keep_links(page)
        assert links
        assert all(address.startswith(f"/s/{link.token}/") for address in links)
        for name in tables:
            response = client.get(f"/s/{link.token}/{part}tables/{name}.json")
            assert response.status_code == 200, name
            assert "noindex" in response["X-Robots-Tag"]
            assert "no-store" in response["Cache-Control"]
    link.revoke()
    assert client.get(f"/s/{link.token}/tables/networks.csv").status_code == 410
    assert client.get(f"/s/{link.token}/networks/5-2/tables/layers.csv").status_code == 410
