"""Where nothing is yet, a page says what will stand there and the one next step; who may only look is told who can."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.factories import make_evolution, make_network, make_run
from webapp.runs.models import Run, RunGroup
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(client_of: Any, eve: Any, vic: Any) -> Any:
    """The page as an editor and as a viewer see it."""

    def look(path: str) -> tuple[str, str]:
        return client_of(eve).get(path).content.decode(), client_of(vic).get(path).content.decode()

    return look


@pytest.mark.parametrize(
    ("path", "heading", "step"),
    [
        ("/runs/", "No runs yet", 'href="/datasets/new/"'),
        ("/datasets/", "No data sets yet", 'href="/datasets/new/"'),
        ("/runs/bases/", "No file of your own yet", 'type="file"'),
        ("/compare/", "Nothing to compare yet", 'href="/runs/new/"'),
    ],
)
def test_lists_teach_and_lead_on(both: Any, path: str, heading: str, step: str) -> None:
    edited, viewed = both(path)
    assert heading in edited
    assert step in edited
    assert heading in viewed
    assert step not in viewed.split("<main", 1)[1]
    assert "editor" in viewed


def test_something_to_compare_is_offered_once_it_is_there(both: Any, run: Run) -> None:
    edited, viewed = both("/compare/")
    for page in (edited, viewed):
        assert "Add a run" in page
        assert "Start a run" not in page


def test_a_run_form_without_data_leads_to_them(client_of: Any, eve: Any) -> None:
    page = client_of(eve).get("/runs/new/").content.decode()
    assert "First, some images" in page
    assert 'href="/datasets/new/"' in page
    assert "Settings that your team keeps stand here, too" in page


def test_a_run_that_is_not_shared_offers_a_link(client_of: Any, eve: Any, run: Run) -> None:
    client = client_of(eve)
    page = client.get(f"/runs/{run.pk}/share/").content.decode()
    assert "Each link stands here" in page
    assert page.count(f'action="/runs/{run.pk}/share/new/"') == 1
    link = ShareLink.objects.create(run=run, created_by=eve)
    page = client.get(f"/runs/{run.pk}/share/").content.decode()
    assert "Make another link" in page
    assert page.count(f'action="/runs/{run.pk}/share/new/"') == 1
    link.revoke()
    assert "Not shared any more" in client.get(f"/runs/{run.pk}/share/").content.decode()


def test_a_sweep_without_runs_leads_to_another(both: Any, team: Any) -> None:
    group = RunGroup.objects.create(team=team, name="Three seeds", axes=["seed"])
    edited, viewed = both(f"/runs/groups/{group.pk}/")
    assert 'href="/runs/new/#sweep"' in edited
    assert "No runs left" in viewed
    assert "/runs/new/" not in viewed


def test_no_saved_view_says_what_one_is(both: Any, team: Any) -> None:
    run = make_evolution(team, files=False)
    edited, viewed = both(f"/runs/{run.pk}/")
    assert "Name it below, and your team finds it here." in edited
    assert "your address holds yours" in viewed


# --- a run of which nothing is measured -----------------------------------------------------------


def ahead(page: str) -> str:
    return page.split('id="run-ahead"')[1].split("</section>")[0]


def test_a_run_without_figures_says_what_will_stand_there(client_of: Any, eve: Any, run: Run) -> None:
    client, address = client_of(eve), f"/runs/{run.pk}/"
    page = client.get(address).content.decode()
    assert '<div id="run" class="before"' in page
    assert "a worker begins with the ancestor by itself" in ahead(page)
    network = make_network(run, "ancestor", state="living", phase="ancestor", progress=0.3)
    Run.objects.update(state="running")
    assert "the ancestor is in training" in ahead(client.get(f"{address}live").content.decode())
    network.state, network.validation_accuracy, network.parameters = "measured", 0.9, 1000
    network.save()
    assert 'class="before"' not in client.get(address).content.decode()


def test_a_run_that_ended_without_figures_leads_on(both: Any, run: Run) -> None:
    Run.objects.update(state="failed", message="Too few images.")
    edited, viewed = both(f"/runs/{run.pk}/")
    assert "Nothing was measured in this run" in ahead(edited)
    assert f'href="/runs/{run.pk}/clone/"' in ahead(edited)
    assert "/clone/" not in ahead(viewed)
    assert "what was measured until then" not in edited


def test_paused_before_anything_is_measured(client_of: Any, eve: Any, team: Any) -> None:
    run = make_run(team, state="paused")
    Run.objects.update(pause_requested_at=run.created_at)
    assert "resume it" in ahead(client_of(eve).get(f"/runs/{run.pk}/").content.decode())
