"""The list of runs, the page of one, and what can be done to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from evolution_core.records import NetworkRecord
from evolution_core.spec import RunSpec
from tests.webapp.factories import make_dataset, make_evolution, make_network, make_run, make_spec
from webapp.networks.models import Network
from webapp.runs import status
from webapp.runs.models import Run, RunEvent
from webapp.runs.sentences import QUIET, sentence
from webapp.runs.snapshot import Lineage
from webapp.runs.templatetags import figures


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """How many workers are alive, as far as pages can know."""
    alive: dict[str, int | None] = {"now": 1}
    monkeypatch.setattr(status, "workers_alive", lambda: alive["now"])
    return alive


@pytest.fixture
def evolution(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, files=False)


@pytest.fixture
def finished(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, finished=True, files=False)


# --- the list -----------------------------------------------------------------------------------


def test_the_list_shows_the_teams_runs_only(client_of: Any, ada: Any, olga: Any, finished: Run, other_run: Run) -> None:
    page = client_of(ada).get("/runs/").content.decode()
    assert finished.name in page
    assert "43.1×" in page
    assert "−0.6" in page
    assert other_run.name not in page
    assert finished.name not in client_of(olga).get("/runs/").content.decode()


def test_an_empty_list_teaches_and_offers_the_next_step(client_of: Any, ada: Any, vic: Any, team: Any) -> None:
    page = client_of(ada).get("/runs/").content.decode()
    assert "No runs yet" in page
    assert "/datasets/new/" in page  # images come first
    assert "/runs/new/?preset=quick" not in page
    make_dataset(team)
    page = client_of(ada).get("/runs/").content.decode()
    assert "/runs/new/?preset=quick" in page
    assert "/datasets/new/" not in page
    looked_at = client_of(vic).get("/runs/").content.decode()
    assert "/runs/new/" not in looked_at
    assert "an editor of Pyramid starts runs" in looked_at


def test_many_runs_cost_no_more_queries_than_few(client_of: Any, ada: Any, team: Any, dataset: Any) -> None:
    client = client_of(ada)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get("/runs/").status_code == 200
        return len(captured)

    make_evolution(team, dataset, finished=True, files=False)
    few = queries()
    for i in range(110):
        run = make_run(team, dataset, name=f"Run {i}", state="running")
        make_network(run, "ancestor", state="living", progress=0.5)
    assert queries() == few
    assert few <= 12


def test_the_list_is_paged_and_narrowed(client_of: Any, ada: Any, team: Any, dataset: Any) -> None:
    for i in range(30):
        make_run(team, dataset, name=f"Run {i:02}", state="failed" if i < 3 else "queued")
    client = client_of(ada)
    first = client.get("/runs/")
    assert len(first.context["rows"]) == 25
    assert first.context["rows"][0]["run"].name == "Run 29"
    assert len(client.get("/runs/", {"page": 2}).context["rows"]) == 5
    assert len(client.get("/runs/", {"state": "failed"}).context["rows"]) == 3
    assert len(client.get("/runs/", {"q": "run 07"}).context["rows"]) == 1
    assert len(client.get("/runs/", {"q": dataset.name}).context["rows"]) == 25
    assert client.get("/runs/", {"state": "nonsense", "page": "x"}).status_code == 200
    assert "No run matches" in client.get("/runs/", {"q": "zebra"}).content.decode()


def test_progress_in_the_list_is_the_pages_own(client_of: Any, ada: Any, evolution: Run) -> None:
    row = client_of(ada).get("/runs/").context["rows"][0]
    bars = status.bars(evolution, Lineage.of(evolution))
    assert row["progress"] == pytest.approx(status.progress_share(bars))
    assert 0.9 < row["progress"] < 1


# --- the page ---------------------------------------------------------------------------------------


def test_the_page_gives_the_answer(client_of: Any, ada: Any, finished: Run) -> None:
    response = client_of(ada).get(f"/runs/{finished.pk}/")
    page = response.content.decode()
    answer = response.context["answer"]
    assert answer["network"].name == "5-2"
    assert answer["smaller"] == pytest.approx(43.1, abs=0.1)
    assert answer["speed"] == {"times": "7.0×", "word": "faster"}
    assert answer["validation_points"] == pytest.approx(-0.55)
    assert answer["points"] == pytest.approx(-0.75)
    assert "<b>0.8 points</b> less" in page  # the test's figure, where there is one
    assert "91.0 % accuracy on images that no network had seen" in page
    assert "The smallest within 1 point." in page
    assert f'href="/runs/{finished.pk}/networks/5-2/#take"' in page
    assert page.count("data-network=") == 16
    assert "Cancel this run" not in page


def test_the_page_holds_nothing_inline(client_of: Any, ada: Any, evolution: Run) -> None:
    for address in (f"/runs/{evolution.pk}/", f"/runs/{evolution.pk}/networks/5-2/", "/runs/new/", "/runs/"):
        page = client_of(ada).get(address).content.decode()
        assert "style=" not in page
        assert " onclick" not in page
        assert "<script>" not in page


def test_while_it_runs_the_answer_is_so_far(client_of: Any, ada: Any, evolution: Run) -> None:
    response = client_of(ada).get(f"/runs/{evolution.pk}/")
    assert "so far network" in response.content.decode()
    assert response.context["answer"]["tested"] is False


def test_when_none_is_within_the_drop_it_says_so(team: Any, dataset: Any) -> None:
    run = make_run(team, dataset)
    measured = {"state": "measured", "validation_accuracy": 0.9, "parameters": 1000}
    make_network(run, "ancestor", **measured)
    make_network(run, "1-1", ("ancestor",), **(measured | {"validation_accuracy": 0.5, "parameters": 10}))
    make_network(run, "1-2", ("ancestor",), **(measured | {"validation_accuracy": 0.6, "parameters": 500}))
    from webapp.runs.addresses import RunUrls
    from webapp.runs.answer import answer
    from webapp.runs.trial import trial_of
    from webapp.runs.view import View

    found = answer(run, trial_of(run, View()), RunUrls(run), View())
    assert found is not None
    assert found["network"].name == "1-2"
    assert "none is within" in found["why"]


def test_the_live_part_holds_every_part_of_the_page(client_of: Any, ada: Any, evolution: Run) -> None:
    import re

    client = client_of(ada)
    whole = set(re.findall(r'id="([\w-]+)"[^>]*data-part', client.get(f"/runs/{evolution.pk}/").content.decode()))
    part = set(re.findall(r'id="([\w-]+)"[^>]*data-part', client.get(f"/runs/{evolution.pk}/live").content.decode()))
    assert whole == part
    assert len(part) == 13


def test_the_pages_cost_does_not_grow_with_networks(
    client_of: Any, ada: Any, team: Any, dataset: Any, evolution: Run
) -> None:
    def queries(run: Run) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/runs/{run.pk}/live")
        return len(captured)

    client = client_of(ada)
    small = make_evolution(team, dataset, spec=make_spec(generations=1, offspring=1), files=False)
    queries(small)
    assert queries(evolution) == queries(small)


PATHS = ["", "live", "chart.json", "explore", "pick", "tables/networks.csv", "tables/networks.json"]
PATHS += ["lineage.json", "log/", "events.json", "events", "clone/"]


@pytest.mark.parametrize("path", PATHS)
def test_strangers_find_nothing(client_of: Any, olga: Any, evolution: Run, path: str) -> None:
    assert client_of(olga).get(f"/runs/{evolution.pk}/{path}").status_code == 404


def test_whoever_is_not_signed_in_is_asked_to(client: Any, evolution: Run) -> None:
    response = client.get(f"/runs/{evolution.pk}/")
    assert response.status_code == 302
    assert "sign-in" in response.url


def test_detection_calls_its_measure_by_name(client_of: Any, ada: Any, team: Any) -> None:
    run = make_evolution(team, make_dataset(team, task="detection"), files=False)
    page = client_of(ada).get(f"/runs/{run.pk}/").content.decode()
    assert "mAP@.5" in page


# --- lineage.json and the log --------------------------------------------------------------------------------


def test_lineage_json_is_what_the_engine_would_write(client_of: Any, ada: Any, finished: Run) -> None:
    response = client_of(ada).get(f"/runs/{finished.pk}/lineage.json")
    assert response["Content-Disposition"] == f'attachment; filename="lineage-{finished.pk}.json"'
    lineage = json.loads(response.content)
    assert RunSpec.from_json(lineage["spec"]) == finished.run_spec
    assert lineage["chosen"] == "5-2"
    assert [network["id"] for network in lineage["networks"]][:2] == ["ancestor", "1-1"]
    for network in lineage["networks"]:
        record = NetworkRecord.from_json(network)
        assert record.file == f"{record.id}.safetensors"
        assert record.clusters["conv1"] > 0
        assert (record.test_accuracy is not None) == (record.id in ("ancestor", "5-2"))


def test_lineage_json_leaves_out_what_has_not_ended(client_of: Any, ada: Any, evolution: Run) -> None:
    lineage = client_of(ada).get(f"/runs/{evolution.pk}/lineage.json").json()
    assert "5-3" not in [network["id"] for network in lineage["networks"]]
    assert lineage["chosen"] is None


def test_the_log_tells_the_newest_first_in_sentences(client_of: Any, ada: Any, evolution: Run) -> None:
    evolution.record("progress", network=Network.objects.get(run=evolution, name="5-3"), share=0.5)
    response = client_of(ada).get(f"/runs/{evolution.pk}/log/")
    numbers = [event["number"] for event in response.context["events"]]
    assert numbers == sorted(numbers, reverse=True)
    page = strip_tags(response.content.decode())
    assert "5-2 is measured: 91.5 %, 133 k parameters, 0.14 ms an image." in page
    assert "3-1: of 2,434 synaptic clusters," in page
    assert not set(QUIET) & {event["kind"] for event in response.context["events"]}


def test_the_log_is_paged_by_number(client_of: Any, ada: Any, run: Run) -> None:
    for _ in range(205):
        run.record("lost")
    client = client_of(ada)
    first = client.get(f"/runs/{run.pk}/log/")
    assert len(first.context["events"]) == 200
    second = client.get(f"/runs/{run.pk}/log/", {"before": first.context["older"]})
    assert [event["number"] for event in second.context["events"]] == [5, 4, 3, 2, 1]
    assert client.get(f"/runs/{run.pk}/log/", {"before": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("refused", {"reason": "outputs differ"}, "3-1 is refused: outputs differ."),
        ("shock", {"accuracy": 0.875}, "3-1: 87.5 % right after the cut, before any training (the shock)."),
        ("shock", {"map50": 0.5}, "3-1: 50.0 % mAP@.5 right after the cut, before any training (the shock)."),
        ("measured", {"validation_accuracy": 0.9}, "3-1 is measured: 90.0 %."),
        ("born", {"parents": ["2-1", "2-2"]}, "3-1 is born to 2-1 and 2-2."),
        ("born", {"parents": ["ancestor"]}, "3-1 is born to the ancestor."),
        ("generation", {"generation": 0}, "The ancestor is complete; its offspring come next."),
        ("gestation", {"stress": ["death-list", "pressure"]}, "3-1: gestation begins under death list and pressure."),
        ("cut", {}, "3-1: the doomed are cut away, and the cut is proven."),
        ("never-heard-of", {"message": "odd"}, "Never heard of 3-1: odd."),
    ],
)
def test_events_become_sentences(kind: str, data: dict[str, Any], words: str) -> None:
    event = RunEvent(kind=kind, data=data, network=Network(name="3-1", generation=3))
    assert sentence(event) == words


def test_every_kind_has_a_sentence_even_without_data() -> None:
    from evolution_core.events import KINDS

    for kind in (*KINDS, "queued", "cancelling", "cancelled", "failed", "errored", "lost"):
        assert sentence(RunEvent(kind=kind, data={})).endswith("."), kind


# --- figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (figures.count(431_080), "431 k"),
        (figures.count(999), "999"),
        (figures.count(999_600), "1.00 M"),
        (figures.count(5_700_000), "5.70 M"),
        (figures.count(None), ""),
        (figures.size(1_724_320), "1.72 MB"),
        (figures.percent(0.9134), "91.3 %"),
        (figures.milliseconds(0.1234), "0.12 ms"),
        (figures.times(43.21), "43.2×"),
        (figures.times(258.4), "258×"),
        (figures.points(-0.84), "−0.8"),
        (figures.points(0.04), "±0.0"),
        (figures.duration(40), "40 seconds"),
        (figures.duration(400), "7 minutes"),
        (figures.duration(9000), "2.5 hours"),
        (figures.tiny(2.4e-7), "2.4 × 10⁻⁷"),
        (figures.loss(0.12345), "0.1235"),
        (figures.loss(23_456_789.5), "2.3 × 10⁷"),
        (figures.loss(None), ""),
        (figures.share(32, 96), 1 / 3),
        (figures.share(None, 96), 0.0),
        (figures.share(200, 96), 1.0),
    ],
)
def test_figures_as_people_read_them(written: Any, words: Any) -> None:
    assert written == words


def test_names_and_figures_are_not_parted_at_the_end_of_a_line() -> None:
    held = '<span class="nowrap">{}</span>'.format
    assert figures.unbroken("3-2 has <b> 224 k parameters & 9.6 × 10⁻⁷.") == (
        f"{held('3-2')} has &lt;b&gt; {held('224 k')} parameters &amp; {held('9.6 × 10⁻⁷')}."
    )
    assert figures.unbroken("Nothing of 3 kinds") == "Nothing of 3 kinds"


def test_a_clone_says_what_is_different(client_of: Any, ada: Any, run: Run, other_run: Run) -> None:
    spec = RunSpec.from_json({"seed": 4, "stress": "pressure", "learning_rate": 0.25})
    clone = make_run(run.team, run.dataset, spec=spec.to_json(), cloned_from=run)
    rows = {row["label"]: row for row in client_of(ada).get(f"/runs/{clone.pk}/").context["settings"]}
    assert (rows["Seed"]["value"], rows["Seed"]["was"]) == ("4", "0")
    assert (rows["Stress"]["value"], rows["Stress"]["was"]) == ("Pressure", "Death list")
    assert (rows["Learning rate"]["value"], rows["Learning rate"]["was"]) == ("0.25", "the optimizer's own")
    assert rows["Generations"]["was"] == ""
    assert "Weight decay" not in rows


def test_a_share_link_tells_nothing_of_the_original(client: Any, run: Run) -> None:
    from webapp.sharing.models import ShareLink

    Run.objects.filter(pk=run.pk).update(name="Secret original")
    spec = RunSpec.from_json({"seed": 4}).to_json()
    clone = make_run(run.team, run.dataset, name="The clone", spec=spec, cloned_from=run)
    response = client.get(f"/s/{ShareLink.objects.create(run=clone).token}/")
    assert "Secret original" not in response.content.decode()
    assert all(row["was"] == "" for row in response.context["settings"])
    assert "/runs/" not in response.content.decode()
