"""Two tabs, two teams: what is done on a page is done in the team that the page shows, whatever the other tab is at;
and an open page moves nobody anywhere."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.urls import resolve, reverse

from tests.webapp.factories import make_base, make_run, make_spec
from tests.webapp.test_base_uploads import ONNX, add
from tests.webapp.test_datasets import a_zip
from tests.webapp.test_run_form import posted
from tests.webapp.test_uploads import CONTENT, TUS, begin, send
from webapp.datasets.models import Dataset
from webapp.runs.forms import typed_spec
from webapp.runs.models import BaseFile, Run, RunGroup, RunTemplate
from webapp.teams.access import HOW, NOT_HERS, SESSION_KEY
from webapp.teams.models import Invitation, Membership, Team
from webapp.uploads.models import Upload

pytestmark = pytest.mark.django_db
FETCH = {"accept": "text/html", "sec-fetch-mode": "cors"}
TEAM_PAGES = ("/datasets/new/", "/runs/new/", "/runs/bases/", "/team/")


class Forms(HTMLParser):
    """The forms of a page that change something: where each is sent to, and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.open = about.get("method", "").lower() == "post"
            if self.open:
                self.found.append((about.get("action", ""), {}))
        elif tag == "input" and self.open and about.get("type") == "hidden":
            self.found[-1][1][about["name"]] = about.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "form"


@pytest.fixture
def ours(team: Team, ada: Any) -> Run:
    """A run of the Pyramid team, hers."""
    return make_run(team, created_by=ada)


@pytest.fixture
def client(client_of: Any, ada: Any, ours: Run, other_team: Team, olga: Any) -> Any:
    """Signed in as ada, who owns Pyramid, and since a moment ago Quarry (as olga does), where she is now."""
    Membership.objects.create(team=other_team, user=ada, role="owner")
    client = client_of(ada)
    client.post("/team/switch/", {"team": other_team.pk})
    return client


def where(client: Any) -> int:
    return client.session[SESSION_KEY]


def shown(client: Any, path: str, target: str = "") -> dict[str, str]:
    """The hidden fields of a page's form."""
    return next(fields for action, fields in Forms(client.get(path).content.decode()).found if action == target)


def elsewhere(client: Any, ours: Run) -> None:
    """In another tab, a page of Pyramid is visited."""
    assert client.get(f"/runs/{ours.pk}/").status_code == 200
    assert where(client) == ours.team_id


# --- an open page


def test_a_page_that_is_open_moves_her_nowhere(client: Any, ours: Run, other_team: Team) -> None:
    group = RunGroup.objects.create(team=ours.team, name="Trials", axes=["seed"])
    base = make_base(ours.team)
    pk = ours.pk
    for name, keys in (
        ("runs:live", [pk]),
        ("runs:curves", [pk]),
        ("runs:explore", [pk]),
        ("runs:chart", [pk]),
        ("live:events_json", [pk]),
        ("live:events", [pk]),  # a stream, which this server has none of: 501, once it has let her in
        ("runs:group_live", [group.pk]),
        ("datasets:state", [ours.dataset_id]),
        ("runs:base_state", [base.pk]),
        ("runs:table", [pk, "networks", "csv"]),  # a file is no page to be on
    ):
        for headers in ({}, FETCH, {"x-requested-with": "fetch"}, {"hx-request": "true"}):
            answer = client.get(reverse(name, args=keys), headers=headers)
            assert answer.status_code == (501 if name == "live:events" else 200)
            assert where(client) == other_team.pk, name


def test_a_whole_page_that_a_script_fetches_moves_her_nowhere(client: Any, ours: Run, other_team: Team) -> None:
    for headers in (FETCH, {"x-requested-with": "fetch"}, {"hx-request": "true"}):
        assert client.get(f"/runs/{ours.pk}/", headers=headers).status_code == 200
        assert where(client) == other_team.pk
    elsewhere(client, ours)  # a visit does


def test_a_part_is_judged_by_the_role_in_its_own_team(client: Any, ours: Run, ada: Any) -> None:
    Dataset.objects.filter(pk=ours.dataset_id).update(state=Dataset.State.REFUSED)
    state = reverse("datasets:state", args=[ours.dataset_id])
    assert "Inspect again" in client.get(state, headers=FETCH).content.decode()
    ours.team.memberships.filter(user=ada).update(role="viewer")
    assert "Inspect again" not in client.get(state, headers=FETCH).content.decode()


# --- forms


def test_every_form_that_acts_on_a_team_names_it(client: Any, other_team: Team, other_dataset: Any) -> None:
    seen = set()
    for path in (*TEAM_PAGES, "/runs/", "/datasets/", f"/datasets/{other_dataset.pk}/"):
        for action, fields in Forms(client.get(path).content.decode()).found:
            match = resolve(action or path)
            if getattr(match.func, "access_checked", False) and not match.kwargs.keys() - HOW:
                assert fields["team"] == str(other_team.pk), (path, action)
                seen.add(match.view_name)
    assert seen == {"datasets:new", "runs:new", "runs:base_add", "teams:invite", "teams:rename", "teams:leave"}


def test_data_go_to_the_team_whose_page_took_them(client: Any, ours: Run, other_team: Team, dispatched: Any) -> None:
    fields = shown(client, "/datasets/new/")
    elsewhere(client, ours)
    answer = client.post("/datasets/new/", {**fields, "files": [a_zip()], "name": "Signs"})
    assert Dataset.objects.get(name="Signs").team == other_team
    assert client.get(answer.url).status_code == 200
    assert where(client) == other_team.pk


def test_an_upload_in_pieces_ends_in_the_team_that_it_was_begun_for(
    client: Any, ours: Run, other_team: Team, dispatched: Any
) -> None:
    page = client.get("/datasets/new/").content.decode()
    assert f'data-uploads="/uploads/?team={other_team.pk}"' in page
    fields = shown(client, "/datasets/new/")
    elsewhere(client, ours)
    at = begin(client, team=other_team.pk)["Location"]
    assert Upload.objects.get().team == other_team
    assert send(client, at, CONTENT, 0).status_code == 204
    assert client.head(at, headers=TUS).status_code == 200
    assert where(client) == ours.team_id  # pieces go in the background
    fields["received"] = at.split("/")[-2]
    answer = client.post("/datasets/new/", fields, headers={"accept": "application/json"})
    assert answer.status_code == 201, answer.content
    assert Dataset.objects.latest("pk").team == other_team


def test_a_run_is_started_and_settings_are_kept_in_the_team_of_the_form(
    client: Any, ours: Run, other_team: Team, other_dataset: Any, dispatched: Any
) -> None:
    fields = shown(client, "/runs/new/")
    elsewhere(client, ours)
    typed = posted(typed_spec(ours.run_spec) | {"dataset": other_dataset.pk, "keep_as": "Ways"})
    sent = {**dict(typed.lists()), **fields}
    assert 'class="counted"' in client.post("/runs/estimate/", sent, headers=FETCH).content.decode()
    assert where(client) == ours.team_id  # nobody pressed anything
    client.post("/runs/new/", {**sent, "action": "keep"})
    assert RunTemplate.objects.get().team == other_team
    elsewhere(client, ours)
    assert client.post("/runs/new/", sent).status_code == 302
    assert Run.objects.latest("pk").team == other_team


def test_an_own_network_goes_to_the_team_whose_page_took_it(
    client: Any, ours: Run, other_team: Team, dispatched: Any
) -> None:
    page = client.get("/runs/bases/").content.decode()
    assert f'data-uploads="/uploads/?team={other_team.pk}"' in page
    assert f'data-mine="{reverse("uploads:mine")}?team={other_team.pk}"' in page
    fields = shown(client, "/runs/bases/", "/runs/bases/add/")
    elsewhere(client, ours)
    at = begin(client, len(ONNX), "net.onnx", "base", team=other_team.pk)["Location"]
    send(client, at, ONNX, 0)
    begun = client.get(f"/uploads/mine.json?team={other_team.pk}").json()["uploads"]
    assert [one["url"] for one in begun] == [at]
    assert add(client, at.split("/")[-2], **fields).status_code == 200
    assert BaseFile.objects.get().team == other_team
    assert where(client) == other_team.pk  # the script draws the list anew: it is the same team's


def test_an_invitation_is_to_the_team_whose_page_made_it(client: Any, ours: Run, other_team: Team) -> None:
    fields = shown(client, "/team/", "/team/invitations/")
    elsewhere(client, ours)
    page = client.post("/team/invitations/", {**fields, "email": "new@example.org", "role": "editor"})
    assert Invitation.objects.get().team == other_team
    assert "<h1>Quarry</h1>" in page.content.decode()
    assert where(client) == other_team.pk


def test_a_team_is_renamed_from_its_own_page(client: Any, ours: Run, other_team: Team) -> None:
    fields = shown(client, "/team/", "/team/rename/")
    elsewhere(client, ours)
    client.post("/team/rename/", {**fields, "name": "Sphinx"})
    assert set(Team.objects.values_list("name", flat=True)) == {"Pyramid", "Sphinx"}


def test_the_team_that_is_left_is_the_one_on_the_button(client: Any, ours: Run, ada: Any, other_team: Team) -> None:
    fields = shown(client, "/team/", "/team/leave/")
    elsewhere(client, ours)
    client.post("/team/leave/", fields)
    assert list(ada.teams.all()) == [ours.team]
    assert where(client) == ours.team_id


# --- teams that are not hers


@pytest.mark.parametrize("wanted", ["stranger", "nobody's", "no number"])
def test_a_team_that_is_not_hers_is_refused_and_nothing_changes(
    client_of: Any, olga: Any, ours: Run, dispatched: Any, wanted: str
) -> None:
    client = client_of(olga)
    team = {"stranger": ours.team_id, "nobody's": 999_999, "no number": "x" * 30}[wanted]
    sent = {
        "/datasets/new/": {"files": [a_zip()]},
        "/datasets/check/": {"announced": "[]"},
        "/runs/new/": {"dataset": ours.dataset_id, **dict(posted(typed_spec(ours.run_spec)).lists())},
        "/runs/estimate/": {"dataset": ours.dataset_id},
        "/runs/bases/add/": {"kind": "onnx", "file": a_zip("net.onnx")},
        "/runs/bases/check/": {"kind": "onnx", "announced": "[]"},
        "/team/invitations/": {"email": "new@example.org", "role": "viewer"},
        "/team/rename/": {"name": "Mine"},
        "/team/leave/": {},
    }
    before = (Dataset.objects.count(), Run.objects.count())
    for path, fields in sent.items():
        plain = client.post(path, {**fields, "team": team})
        assert (plain.status_code, NOT_HERS in plain.content.decode()) == (404, True), path
        asked = client.post(path, {**fields, "team": team}, headers={"accept": "application/json"})
        assert (asked.status_code, asked.json()) == (404, {"error": NOT_HERS}), path
    assert begin(client, team=team).status_code == 404
    for path in ("/runs/", "/uploads/mine.json"):
        assert client.get(f"{path}?team={team}").status_code == 404
    assert (Dataset.objects.count(), Run.objects.count()) == before
    for model in (BaseFile, Invitation, Upload):
        assert not model._default_manager.exists()
    assert list(olga.teams.values_list("name", flat=True)) == ["Quarry"]
    assert SESSION_KEY not in client.session


def test_her_role_there_is_what_counts(client: Any, ours: Run, ada: Any, other_team: Team) -> None:
    other_team.memberships.filter(user=ada).update(role="viewer")
    elsewhere(client, ours)  # where she is the owner
    for path in ("/datasets/new/", "/runs/bases/add/", "/team/rename/", "/team/invitations/"):
        assert client.post(path, {"team": other_team.pk, "name": "Taken"}).status_code == 403, path
    other_team.refresh_from_db()
    assert other_team.name == "Quarry"


def test_a_run_of_another_team_is_cloned_in_its_own(client: Any, ours: Run, other_team: Team, dispatched: Any) -> None:
    """A form about a thing is judged by the thing, whatever else it says."""
    Run.objects.filter(pk=ours.pk).update(spec=make_spec(seed=5))
    typed = posted(typed_spec(ours.run_spec) | {"dataset": ours.dataset_id, "team": other_team.pk})
    assert client.post(f"/runs/{ours.pk}/clone/", dict(typed.lists())).status_code == 302
    assert Run.objects.latest("pk").team == ours.team
