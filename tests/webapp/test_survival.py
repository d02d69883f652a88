"""What lived on of each layer, down a line of descent: on the run's page, on a network's, and under a share link."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.webapp.factories import make_evolution
from webapp.networks.models import Network
from webapp.runs import survival
from webapp.runs.addresses import RunUrls
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage
from webapp.runs.survival import survival_context
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def evolution(team: Any) -> Run:
    return make_evolution(team, finished=True)


def context(run: Run, name: str) -> dict[str, Any] | None:
    lineage = Lineage.of(run)
    return survival_context(lineage, lineage.by_name[name], RunUrls(run))


def test_the_line_goes_from_the_ancestor_to_the_network(evolution: Run) -> None:
    found = context(evolution, "3-1")
    assert found is not None
    assert [one["name"] for one in found["line"]] == ["ancestor", "1-2", "2-2", "3-1"]
    assert [one["generation"] for one in found["line"]] == [0, 1, 2, 3]
    conv1 = found["rows"][0]
    assert conv1["layer"] == "conv1"
    assert [cell["left"] for cell in conv1["cells"]] == [
        str(Network.objects.get(run=evolution, name=name).clusters["conv1"])
        for name in ("ancestor", "1-2", "2-2", "3-1")
    ]
    assert (conv1["before"], conv1["cells"][0]["shade"]) == (96, "10")
    assert conv1["share"] == int(conv1["cells"][-1]["left"]) / 96


def test_of_two_parents_the_leading_one_is_followed(team: Any) -> None:
    lineage = Lineage.of(make_evolution(team, finished=True, two_parents=True))
    child = next(network for network in lineage.networks if len(network.parents) == 2)
    line = lineage.line(child.name)
    assert (line[-1].name, line[-2].name, line[0].name) == (child.name, child.parents[0], "ancestor")


def test_there_is_no_strip_for_an_ancestor_alone(evolution: Run) -> None:
    assert context(evolution, "ancestor") is None
    assert Lineage.of(evolution).line("9-9") == []


def test_of_very_many_layers_those_that_lost_most_are_shown(evolution: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survival, "LAYERS", 3)
    found = context(evolution, "5-2")
    assert found is not None
    assert (len(found["rows"]), found["hidden"]) == (3, 5)
    assert "fc8" not in [row["layer"] for row in found["rows"]]


def test_pages_show_it_as_a_table_without_inline_style(client_of: Any, vic: Any, evolution: Run) -> None:
    client = client_of(vic)
    chosen = evolution.chosen
    assert chosen is not None
    for address in (f"/runs/{evolution.pk}/", f"/runs/{evolution.pk}/live", f"/runs/{evolution.pk}/networks/5-2/"):
        text = client.get(address).content.decode()
        assert f"from the ancestor to {chosen.name}" in text
        part = text[text.index('id="survival"') :]
        assert re.search(r'<tr title="conv1, of 96"><th scope="row">conv1</th><td class="num h10">96</td>', part)
        assert " style=" not in part[: part.index("</section>")]
    selected = client.get(f"/runs/{evolution.pk}/?network=2-1").content.decode()
    assert "from the ancestor to 2-1" in selected


def test_a_share_link_shows_it_with_addresses_of_its_own(client: Any, ada: Any, evolution: Run) -> None:
    link = ShareLink.objects.create(run=evolution, created_by=ada)
    text = client.get(f"/s/{link.token}/").content.decode()
    part = text[text.index('id="survival"') :]
    assert f'<a href="/s/{link.token}/networks/ancestor/">' in part[: part.index("</section>")]
