"""Every address of the dashboard, walked: strangers sign in, other teams find nothing, viewers change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.webapp.factories import make_base, make_evolution, make_run
from webapp.devices.models import DeviceTiming
from webapp.runs.models import DryRun, Run, RunGroup, RunTemplate, SavedView
from webapp.sharing.models import ShareLink
from webapp.teams.access import HOW
from webapp.teams.models import Invitation
from webapp.uploads.models import Upload

# Doors that are open to everybody, each with the reason; everything else asks who is there.
PUBLIC = {
    "home": "only leads to the runs",
    "healthz": "says whether the parts live, nothing of anybody's",
    "account_login": "",
    "account_signup": "closed; it says so",
    "account_inactive": "says that an account is closed",
    "sign_in_link": "its token is the key (test_accounts)",
    "join": "its token is the key (test_teams)",
}
PUBLIC_PREFIX = "s/"  # share links: the token is the key (test_sharing)
# Writing that viewers may do: it is their own affair.
OF_ONESELF = {"account_logout", "account_change_password", "teams:leave", "teams:switch", "teams:new"}
# What one person has begun, which nobody else finds, in her own team either (test_uploads).
OF_ONE_PERSON = {"uploads:one", "uploads:forget"}
# Reading that is sent by POST.
READS = {"runs:estimate"}


# A table that is there for each address of tables: what answers 404 to everybody proves nothing.
TABLES = {
    "runs:table": "networks",
    "runs:group_table": "runs",
    "runs:dry_run_table": "networks",
    "networks:table": "layers",
    "datasets:table": "classes",
    "compare:table": "figures",
    "sharing:table": "networks",
    "sharing:network_table": "layers",
}


# Of those, what a viewer does not find like that: it asks for a query, for a link's token, or for an editor.
NOT_FOR_VIEWERS = {"compare:table", "sharing:table", "sharing:network_table", "runs:dry_run_table"}


@dataclass(frozen=True)
class Route:
    name: str
    path: str
    parameters: tuple[str, ...]
    callback: Any

    @property
    def names_a_row(self) -> bool:
        return bool(set(self.parameters) - HOW)


def routes(resolver: Any = None, prefix: str = "", namespace: str = "") -> list[Route]:
    found = []
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += routes(entry, path, f"{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            found.append(Route(f"{namespace}{entry.name}", path, tuple(entry.pattern.converters), entry.callback))
    return found


ALL = routes()
GUARDED = [route for route in ALL if route.name not in PUBLIC and not route.path.startswith(PUBLIC_PREFIX)]


@pytest.fixture
def world(team, ada):
    return one_of_everything(team, ada)


def one_of_everything(team: Any, ada: Any) -> dict[str, Any]:
    """What there can be, owned by the Pyramid team; `join` is the invitation's token."""
    run = make_evolution(team)
    Run.objects.filter(pk=run.pk).update(created_by=ada)
    base = make_base(team)
    link = ShareLink.objects.create(run=run, created_by=ada, shows_images=True)
    view = SavedView.objects.create(run=run, name="Near the front", query="?cost=macs")
    group = RunGroup.objects.create(team=team, name="Pyramid trials", axes=["seed"])
    template = RunTemplate.objects.create(team=team, name="Pyramid ways", spec=run.spec)
    dry_run = DryRun.objects.create(team=team, dataset=run.dataset, spec=run.spec)
    invitation, token = Invitation.issue(team=team, email="new@example.org")
    timed = run.networks.get(name="2-1")
    timing = DeviceTiming.objects.create(network=timed, label="Pyramid phone", ms=1.5, rounds=9, timed_by=ada)
    upload = Upload.begin(team=team, user=ada, name="half.zip", size=10)
    return {
        "run": run,
        "base": base,
        "view": view,
        "link": link,
        "invitation": invitation,
        "join": token,
        "member": team.memberships.get(user=ada),
        "upload": upload,
        "group": group,
        "template": template,
        "dry_run": dry_run,
        "timing": timing,
    }


def address(route: Route, world: dict[str, Any]) -> str:
    """The route's address for the Pyramid team's things."""
    keys = {
        "team/invitations": "invitation",
        "team/members": "member",
        "runs/bases": "base",
        "runs/dry": "dry_run",
        "runs/groups": "group",
        "runs/templates": "template",
        "datasets": "dataset",
        "uploads": "upload",
        "runs": "run",
    }
    values = {"view": world["view"].pk, "name": "2-1", "number": 0, "link": world["link"].pk}
    values["timing"] = world["timing"].pk
    values |= {
        "table": TABLES.get(route.name, ""),
        "kind": "safetensors" if route.name.endswith(":download") else "csv",
    }
    path = route.path
    if "pk" in route.parameters:
        key = next(key for start, key in keys.items() if path.startswith(start))
        values["pk"] = world["run"].dataset_id if key == "dataset" else world[key].pk
    for parameter in route.parameters:
        start = path.index("<")
        end = path.index(">")
        assert path[start:end].endswith(parameter)
        path = path[:start] + str(values[parameter]) + path[end + 1 :]
    return "/" + path


def test_the_list_of_open_doors_is_true():
    assert set(PUBLIC) <= {route.name for route in ALL}
    assert len(GUARDED) > 30


def walk(client: Any, world: dict[str, Any], chosen: list[Route], *methods: str) -> dict[str, set[int]]:
    """Asks every chosen route by every method; what each answered. Fails at once when a row was changed."""
    before, answers = snapshot(), {}
    for route in chosen:
        responses = [getattr(client, method)(address(route, world)) for method in methods]
        for response in responses:
            if response.status_code == 302 and not response.url.startswith("/sign-in/"):
                response.status_code = 200  # it did something, and leads on
        answers[route.name] = {response.status_code for response in responses}
        assert snapshot() == before, f"{route.name} changed something"
    return answers


def test_strangers_are_asked_to_sign_in(client, world):
    answers = walk(client, world, GUARDED, "get", "post")
    assert {name: found for name, found in answers.items() if 302 not in found or found - {302, 405}} == {}


def test_other_teams_find_nothing(client_of, olga, world):
    chosen = [route for route in GUARDED if route.names_a_row]
    answers = walk(client_of(olga), world, chosen, "get", "post")
    assert {name: found for name, found in answers.items() if 404 not in found or found - {404, 405}} == {}


def test_other_teams_read_nothing_of_ours(client_of, olga, world):
    client = client_of(olga)
    for route in GUARDED:
        if not route.names_a_row:
            page = client.get(address(route, world)).content.decode()
            for word in ("Pyramid", "Hand signs", "door controller", "ada@example.org", "detector.onnx", "half.zip"):
                assert word not in page, f"{route.name} shows {word}"


def test_viewers_change_nothing(client_of, vic, world):
    chosen = [route for route in GUARDED if route.name not in OF_ONESELF | READS]
    answers = walk(client_of(vic), world, chosen, "post")
    allowed = {name: {404} if name in OF_ONE_PERSON else {403, 405} for name in answers}
    assert {name: found for name, found in answers.items() if not found <= allowed[name]} == {}


def test_viewers_see_what_the_team_has(client_of, vic, world):
    """The walk above proves nothing if everything is closed: what can be looked at is open to a viewer."""
    client = client_of(vic)
    names = ("runs:detail", "runs:chart", "networks:detail", "datasets:detail", "datasets:list", "teams:detail")
    lists = ("runs:list_table", "runs:bases_table", "datasets:list_table")
    for name in (*names, *lists, *(name for name in TABLES if name not in NOT_FOR_VIEWERS)):
        route = next(route for route in ALL if route.name == name)
        assert client.get(address(route, world)).status_code == 200, name


@pytest.mark.parametrize(
    "route", [route for route in ALL if route.path.startswith(PUBLIC_PREFIX)], ids=lambda r: r.name
)
def test_every_address_below_a_share_link_checks_the_link(route):
    callback = route.callback
    while callback is not None and not hasattr(callback, "share_link_checked"):
        callback = getattr(callback, "__wrapped__", None)
    assert callback is not None


def test_lists_hold_only_the_present_teams_things(client_of, ada, olga, world, other_run):
    mine, theirs = client_of(ada), client_of(olga)
    assert "Stones, smaller" not in mine.get("/runs/").content.decode()
    assert "Stones" not in mine.get("/datasets/").content.decode()
    assert "Stones, smaller" in theirs.get("/runs/").content.decode()


def test_a_run_cannot_be_started_on_another_teams_data(client_of, olga, world, other_dataset, dispatched):
    client = client_of(olga)
    before = Run.objects.count()
    page = client.get(f"/runs/new/?dataset={world['run'].dataset_id}").content.decode()
    assert "Hand signs" not in page
    client.post("/runs/new/", {"dataset": world["run"].dataset_id, "name": "stolen"})
    assert Run.objects.count() == before


def test_a_number_too_large_for_the_database_is_just_not_found(client_of, ada):
    assert client_of(ada).get(f"/runs/{'9' * 30}/").status_code == 404
    assert client_of(ada).get(f"/datasets/{'9' * 30}/").status_code == 404


def test_a_number_too_long_to_be_read_is_none(client_of, ada, world):
    """Python itself refuses to read more than 4300 digits."""
    client = client_of(ada)
    assert client.get(f"/runs/{world['run'].pk}/log/?before={'9' * 5000}").status_code == 200


def snapshot() -> dict[str, list[Any]]:
    """Every row of ours, to see that nothing was changed."""
    from django.apps import apps

    rows = {}
    for model in apps.get_models():
        if model.__module__.startswith("webapp."):
            rows[model.__name__] = list(model._default_manager.order_by("pk").values())
    for row in rows["User"]:
        row.pop("last_login")
    return rows


def test_the_walk_would_see_a_change(world, team):
    before = snapshot()
    make_run(team)
    assert snapshot() != before
