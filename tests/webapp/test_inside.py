"""Inside a network: the drawn graph, the first filters with the dead crossed out, asking for a look, the model card."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.webapp import answers
from tests.webapp.factories import make_evolution, make_run
from webapp.networks import inside
from webapp.networks.models import Network
from webapp.runs.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(team: Any) -> Run:
    return make_evolution(team, finished=True)


def chain(count: int) -> list[dict[str, Any]]:
    middle = [{"name": f"c{i}", "kind": "conv", "sources": [i], "output": [4]} for i in range(count)]
    return [answers.PARTS[0], *middle, {"name": "", "kind": "output", "sources": [count], "output": []}]


def test_layers_are_boxes_with_clusters_before_and_after() -> None:
    own = {
        "layers": [
            {"layer": "conv1", "clusters": 4},
            {"layer": "conv2", "clusters": 25},
            {"layer": "fc8", "clusters": 10},
        ]
    }
    before = {"layers": [{"layer": "conv1", "clusters": 16}, {"layer": "conv2", "clusters": 100}]}
    drawn = inside.drawing(answers.PARTS, own, before)
    assert drawn is not None
    conv1, conv2, join, fc8 = drawn["parts"][1:5]
    assert (conv1["left"], conv1["of"], conv2["left"], conv2["of"]) == (4, 16, 25, 100)
    assert conv2["outer"]["width"] == inside.WIDEST  # the largest
    assert conv2["inner"]["width"] == inside.WIDEST / 2  # a quarter of the clusters, by root
    assert conv1["outer"]["width"] == pytest.approx(inside.WIDEST * 0.4)
    assert (join["form"], join["sign"], join["sources"]) == ("join", "+", ["conv1", "conv2"])
    assert (fc8["left"], fc8["of"]) == (10, 10)  # not known of the ancestor: as it is


def test_what_goes_round_has_an_arc_and_no_two_share_a_lane() -> None:
    drawn = inside.drawing(answers.PARTS, {}, {})
    assert drawn is not None
    assert len(drawn["links"]) == 6  # five steps down and the residual path
    assert sum("Q" in link for link in drawn["links"]) == 1
    parts = chain(6)
    parts[4] = parts[4] | {"sources": [1, 3]}
    parts[5] = parts[5] | {"sources": [2, 4]}
    crossing = inside.drawing(parts, {}, {})
    assert crossing is not None
    lanes = {re.search(r"Q([\d.]+)", link).group(1) for link in crossing["links"] if "Q" in link}  # type: ignore[union-attr]
    assert len(lanes) == 2


def test_what_is_too_large_is_not_drawn() -> None:
    assert inside.drawing(chain(inside.PARTS + 1), {}, {}) is None
    assert inside.drawing([], {}, {}) is None


def test_the_page_draws_it_and_tells_it_in_words(client_of: Any, vic: Any, run: Run) -> None:
    network = answers.write_all(run)
    text = client_of(vic).get(f"/runs/{run.pk}/networks/{network.name}/").content.decode()
    assert "How it is wired" in text
    flat = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))
    left = network.clusters["conv1"]
    assert f"conv1 96 → {left}" in flat
    assert f"conv1, conv 5x5, {left} of 96 clusters from input" in flat
    assert "add from conv1 and conv2" in flat
    assert "2 of the ancestor's 4 filters live, 5×5" in flat.replace("&#x27;", "'")
    assert "alive are numbers 2, 3" in text
    assert text.count('<g class="dead">') == 2
    assert " style=" not in text
    picture = client_of(vic).get(f"/runs/{run.pk}/networks/{network.name}/filters.png")
    assert (picture.content, picture["Content-Type"]) == (answers.png(127), "image/png")


def test_without_a_look_there_is_a_button_for_those_who_may(client_of: Any, eve: Any, vic: Any, run: Run) -> None:
    address = f"/runs/{run.pk}/networks/5-2/"
    assert f'action="{address}look/"' in client_of(eve).get(address).content.decode()
    viewer = client_of(vic).get(address).content.decode()
    assert "Nobody has looked inside this network yet" in viewer
    assert "look/" not in viewer
    assert client_of(vic).get(f"{address}filters.png").status_code == 404
    Network.objects.filter(run=run, name="5-2").update(inside_state="failed", inside_message="It has no weights.")
    failed = client_of(eve).get(address).content.decode()
    assert "It has no weights." in failed
    assert f'action="{address}look/"' in failed


def test_asking_looks_into_the_ancestor_too_and_only_once(
    client_of: Any, eve: Any, run: Run, dispatched: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    client, address = client_of(eve), f"/runs/{run.pk}/networks/5-2/"
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert client.post(f"{address}look/").status_code == 302
    pks = {name: Network.objects.get(run=run, name=name).pk for name in ("ancestor", "5-2")}
    assert dispatched == [("workers.look_inside", pks["ancestor"]), ("workers.look_inside", pks["5-2"])]
    text = client.get(address).content.decode()
    assert "being looked into" in text
    assert f'data-refresh="{address}?part=live"' in text


def test_only_what_is_measured_is_looked_into(client_of: Any, eve: Any, team: Any, dispatched: list[Any]) -> None:
    run = make_run(team)
    Network.objects.create(run=run, name="ancestor", generation=0)
    client_of(eve).post(f"/runs/{run.pk}/networks/ancestor/look/")
    assert dispatched == []
    assert Network.objects.get(run=run).inside_state == ""


# --- the model card -----------------------------------------------------------------------


def test_the_card_says_what_it_is_and_how_it_was_made(client_of: Any, vic: Any, run: Run) -> None:
    network = answers.write_all(run)
    response = client_of(vic).get(f"/runs/{run.pk}/networks/5-2/card")
    assert response["Content-Type"].startswith("text/markdown")
    assert response["Content-Disposition"].endswith('-5-2.md"')
    text = response.content.decode()
    assert "Line of descent: ancestor → 1-2 → 2-2 → 3-2 → 4-2 → 5-2." in text
    assert "| Accuracy on unseen images | 91.05 % | 91.80 % |" in text
    assert f"`{network.sha256}`" in text
    assert f"| conv1 | {network.clusters['conv1']} | 96 |" in text
    assert "## Classes that paid most" in text
    assert "| open | 50.00 % | 100.00 % |" in text
    assert "onnxruntime.InferenceSession" in text


def test_the_card_as_json_holds_plain_values(client_of: Any, vic: Any, run: Run) -> None:
    answers.write_all(run)
    found = json.loads(client_of(vic).get(f"/runs/{run.pk}/networks/5-2/card-json").content)
    assert found["figures"]["test_accuracy"] == {"own": 0.9105, "ancestor": 0.918}
    assert found["line"][0] == "ancestor"
    assert {row["name"] for row in found["classes"]} == set(answers.CLASSES)
    ancestor = json.loads(client_of(vic).get(f"/runs/{run.pk}/networks/ancestor/card-json").content)
    assert ancestor["parents"] == []


def test_names_cannot_break_the_card(client_of: Any, vic: Any, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(name="# <script>alert(1)</script> | `x`")
    text = client_of(vic).get(f"/runs/{run.pk}/networks/5-2/card").content.decode()
    assert "<script>" not in text
    assert text.startswith("# \\# \\<script\\>")


def test_there_is_no_card_before_it_is_measured(client_of: Any, vic: Any, team: Any) -> None:
    run = make_evolution(team)
    living = Network.objects.get(run=run, state=Network.State.LIVING)
    assert client_of(vic).get(f"/runs/{run.pk}/networks/{living.name}/card").status_code == 404
