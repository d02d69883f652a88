"""Every page and fragment asks the database a fixed number of questions, with few rows and with many.

QUERIES names every address that can be read, by its route and, where more of the page depends on it, a query. A new
page fails until it is here with its number; a number that changes is looked at by whoever changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.webapp.answers import write_all
from tests.webapp.factories import make_base, make_box_dataset, make_dataset, make_detection
from tests.webapp.test_isolation import ALL, PUBLIC, PUBLIC_PREFIX, Route, address, one_of_everything
from webapp.datasets.models import Dataset
from webapp.devices.models import DeviceTiming
from webapp.networks.models import Network
from webapp.runs.models import DryRun, Run, RunEvent, RunTemplate, SavedView
from webapp.sharing.models import ShareLink
from webapp.teams.models import Invitation, Membership, SignInLink, Team, User
from webapp.uploads.models import Upload

pytestmark = pytest.mark.django_db
MANY = 40

# What does not answer with rows, or not at once.
ELSEWHERE = {
    "healthz": "asks Redis and the workers (tests/workers/test_health.py)",
    "live:events": "a stream (test_live.py)",
    "sharing:events": "the same below a share link",
    "uploads:begin": "the tus protocol: no GET (test_uploads.py)",
    "uploads:one": "the tus protocol",
    "compare:table": "is of what its query compares: below",
}
# The same routes where more is asked of them.
VARIANTS = {
    "runs:list, searched": "/runs/?q=run&state=finished&page=2",
    "runs:detail, selected": "/runs/{run}/?network=3-2&against=2-2&cost=macs&accuracy=50..100&page=2&sort=latency",
    "runs:live, selected": "/runs/{run}/live?network=3-2&against=2-2",
    "runs:explore, selected": "/runs/{run}/explore?network=3-2&against=2-2&q=1&page=2",
    "runs:curves, selected": "/runs/{run}/curves?network=3-2",
    "runs:chart, what changed": "/runs/{run}/chart.json?after=3",
    "runs:pick, by a rule": "/runs/{run}/pick?rule=within&value=1",
    "runs:log, older": "/runs/{run}/log/?before=60",
    "runs:detail, detection": "/runs/{detection}/",
    "runs:new, of a data set": "/runs/new/?dataset={dataset}",
    "networks:detail, ancestor": "/runs/{run}/networks/ancestor/",
    "networks:detail, in training": "/runs/{run}/networks/5-3/",
    "networks:detail, live": "/runs/{run}/networks/5-3/?part=live",
    "networks:detail, images": "/runs/{run}/networks/2-1/?images=1&only=lost",
    "networks:detail, detection": "/runs/{detection}/networks/1-1/?order=worst",
    "networks:download, card": "/runs/{run}/networks/2-1/card",
    "networks:download, card as JSON": "/runs/{run}/networks/2-1/card-json",
    "networks:download, genome": "/runs/{run}/networks/2-1/genome",
    "compare:page, two runs": "/compare/?run={run}&run={detection}&network={run}:2-1&all=1",
    "compare:chart, two runs": "/compare/chart.json?run={run}&run={detection}&network={run}:2-1",
    "compare:table, figures": "/compare/tables/figures.csv?run={run}&run={detection}&network={run}:2-1",
    "compare:table, classes": "/compare/tables/classes.json?run={run}&network={run}:ancestor",
    "runs:list, ordered": "/runs/?sort=-smaller&compare={run}",
    "runs:table, curves": "/runs/{run}/tables/curves.csv?network=3-2",
    "runs:table, generations": "/runs/{run}/tables/generations.csv",
    "runs:table, layers": "/runs/{run}/tables/layers.csv?network=3-2&against=2-2",
    "networks:table, classes": "/runs/{run}/networks/2-1/tables/classes.csv",
    "networks:table, devices": "/runs/{run}/networks/2-1/tables/devices.csv",
    "live:events_json, all": "/runs/{run}/events.json?after=0",
    "datasets:detail, boxes": "/datasets/{boxes}/",
    "runs:group, other axes": "/runs/groups/{group}/?x=smaller&y=faster",
}
QUERIES = {
    "home": 0,
    "account_login": 0,
    "sign_in_link": 2,
    "join": 3,
    "account_logout": 3,
    "account_signup": 0,
    "account_change_password": 4,
    "account_inactive": 0,
    "teams:detail": 7,
    "teams:new": 4,
    "datasets:list": 6,
    "datasets:list_table": 4,
    "datasets:new": 5,
    "datasets:detail": 9,
    "datasets:state": 8,
    "datasets:sample": 6,
    "datasets:table": 6,
    "runs:list": 9,
    "runs:list_table": 4,
    "runs:new": 16,
    "runs:dry_run": 5,
    "runs:dry_run_table": 5,
    "runs:group": 10,
    "runs:group_live": 9,
    "runs:group_table": 9,
    "uploads:mine": 4,
    "runs:bases": 7,
    "runs:bases_table": 4,
    "runs:base_state": 6,
    "runs:detail": 14,
    "runs:live": 13,
    "runs:curves": 8,
    "runs:chart": 8,
    "runs:explore": 8,
    "runs:pick": 5,
    "runs:table": 7,
    "runs:lineage": 8,
    "runs:log": 7,
    "runs:log_text": 7,
    "runs:log_json": 7,
    "runs:clone": 17,
    "networks:detail": 11,
    "networks:table": 6,
    "networks:filters": 5,
    "networks:question": 6,
    "networks:picture": 6,
    "networks:download": 5,
    "compare:page": 7,
    "compare:chart": 5,
    "live:events_json": 9,
    "sharing:run": 8,
    "sharing:page": 8,
    "sharing:live": 8,
    "sharing:curves": 4,
    "sharing:chart": 4,
    "sharing:explore": 4,
    "sharing:pick": 1,
    "sharing:table": 3,
    "sharing:lineage": 4,
    "sharing:log": 2,
    "sharing:log_text": 2,
    "sharing:log_json": 2,
    "sharing:events_json": 4,
    "sharing:network": 7,
    "sharing:network_table": 3,
    "sharing:filters": 2,
    "sharing:question": 1,
    "sharing:picture": 1,
    "sharing:download": 2,
    "runs:list, searched": 8,
    "runs:list, ordered": 9,
    "runs:detail, selected": 14,
    "runs:live, selected": 13,
    "runs:explore, selected": 8,
    "runs:curves, selected": 8,
    "runs:chart, what changed": 9,
    "runs:pick, by a rule": 7,
    "runs:log, older": 7,
    "runs:detail, detection": 14,
    "runs:new, of a data set": 15,
    "networks:detail, ancestor": 10,
    "networks:detail, in training": 10,
    "networks:detail, live": 9,
    "networks:detail, images": 11,
    "networks:detail, detection": 12,
    "networks:download, card": 9,
    "networks:download, card as JSON": 9,
    "networks:download, genome": 5,
    "compare:page, two runs": 12,
    "compare:chart, two runs": 10,
    "compare:table, figures": 9,
    "compare:table, classes": 10,
    "runs:table, curves": 8,
    "runs:table, generations": 8,
    "runs:table, layers": 8,
    "networks:table, classes": 6,
    "networks:table, devices": 6,
    "live:events_json, all": 9,
    "datasets:detail, boxes": 9,
    "runs:group, other axes": 10,
}


@pytest.fixture
def world(team: Any, ada: Any) -> dict[str, Any]:
    """One of everything that a page can be about."""
    found = one_of_everything(team, ada)
    run: Run = found["run"]
    write_all(run, "2-1")
    sample = default_storage.save(f"datasets/{run.dataset_id}/0.png", ContentFile(b"a picture"))
    Dataset.objects.filter(pk=run.dataset_id).update(report=run.dataset.report | {"samples": [{"file": sample}]})
    found["detection"] = make_detection(make_box_dataset(team))
    found["detection_link"] = ShareLink.objects.create(run=found["detection"], created_by=ada, shows_images=True)
    found["sign_in"] = SignInLink.issue(user=ada)[1]
    _finished(found, ada, 1)
    make_dataset(team, "Not used yet")
    return found


def _finished(world: dict[str, Any], by: User, number: int) -> None:
    """Runs of the same sweep that have ended, each cloned from the first."""
    run: Run = world["run"]
    chosen = Network.objects.get(run=run, name="5-2")
    now = timezone.now()
    for seed in range(number):
        Run.objects.create(
            team=run.team,
            dataset=run.dataset,
            name=f"Run {seed}",
            spec=run.spec | {"seed": seed},
            state=Run.State.FINISHED,
            chosen=chosen,
            created_by=by,
            cloned_from=run,
            group=world["group"],
            started_at=now,
            finished_at=now,
        )


def grow(world: dict[str, Any], ada: User) -> None:
    """Many of whatever there can be many of, in the team and in the run."""
    run: Run = world["run"]
    team = run.team
    people = [User(email=f"member{i}@example.org") for i in range(MANY)]
    Membership.objects.bulk_create(
        [Membership(team=team, user=person, role="viewer") for person in User.objects.bulk_create(people)]
    )
    Membership.objects.bulk_create(
        [Membership(team=Team.objects.create(name=f"Team {i}"), user=ada, role="owner") for i in range(5)]
    )
    for i in range(MANY):
        Invitation.issue(team=team, email=f"new{i}@example.org")
        Upload.objects.create(team=team, created_by=ada, name=f"{i}.zip", size=10)
        make_base(team)
        make_dataset(team, f"Signs {i}")
    _finished(world, ada, MANY)
    RunTemplate.objects.bulk_create([RunTemplate(team=team, name=f"Way {i}", spec=run.spec) for i in range(MANY)])
    SavedView.objects.bulk_create([SavedView(run=run, name=f"View {i}", created_by=ada) for i in range(MANY)])
    ShareLink.objects.bulk_create([ShareLink(run=run, created_by=ada) for i in range(MANY)])
    DryRun.objects.bulk_create([DryRun(team=team, dataset=run.dataset, spec=run.spec) for i in range(MANY)])
    timing = DeviceTiming(network=world["timing"].network, label="Phone", ms=1.0, ancestor_ms=2.0, rounds=3)
    DeviceTiming.objects.bulk_create([copy(timing) for _ in range(MANY)])
    chosen = Network.objects.get(run=run, name="5-2")
    plain = {field.attname: getattr(chosen, field.attname) for field in Network._meta.concrete_fields}
    for generation in range(1, 6):
        fields = plain | {"id": None, "generation": generation}
        born = [Network(**(fields | {"name": f"{generation}-{10 + i}"})) for i in range(MANY)]
        _descend(run, Network.objects.bulk_create(born), generation)
    _happen(run)


def _descend(run: Run, born: Iterable[Network], generation: int) -> None:
    parents = Network.objects.filter(run=run, generation=generation - 1)[:2]
    through = Network.parents.through
    through._default_manager.bulk_create(
        [through(from_network_id=child.pk, to_network_id=parent.pk) for child in born for parent in parents]
    )


def _happen(run: Run) -> None:
    run.refresh_from_db()
    networks = list(run.networks.all())
    kinds = ("born", "epoch", "shock", "lost", "measured")
    RunEvent.objects.bulk_create(
        [
            RunEvent(run=run, number=run.last_event + 1 + i, kind=kinds[i % 5], network=networks[i % len(networks)])
            for i in range(5 * MANY)
        ]
    )
    Run.objects.filter(pk=run.pk).update(last_event=run.last_event + 5 * MANY)


def addresses(world: dict[str, Any]) -> dict[str, str]:
    """Every address that can be read, by its name in QUERIES."""
    keys = {"run": world["run"], "detection": world["detection"], "group": world["group"]}
    keys |= {"dataset": world["run"].dataset, "boxes": world["detection"].dataset}
    numbers = {name: row.pk for name, row in keys.items()}
    found = {route.name: _where(route, world) for route in ALL if route.name not in ELSEWHERE}
    return found | {name: where.format(**numbers) for name, where in VARIANTS.items()}


def _where(route: Route, world: dict[str, Any]) -> str:
    if route.name.endswith(":picture"):
        world = world | {"run": world["detection"], "link": world["detection_link"]}
    tokens = {"sign_in_link": world["sign_in"], "join": world["join"]}
    path = route.path.replace("<str:token>", tokens.get(route.name, world["link"].token))
    return address(Route(route.name, path, tuple(p for p in route.parameters if p != "token"), None), world)


def read_all(world: dict[str, Any], member: Client) -> dict[str, int]:
    """Queries of each address that answers GET. Each is looked at twice: a first look fills what a process keeps."""
    found = {}
    for name, where in addresses(world).items():
        client = Client() if name in PUBLIC or where.startswith(f"/{PUBLIC_PREFIX}") else member
        if client.get(where).status_code == 405:
            continue
        with CaptureQueriesContext(connection) as captured:
            response = client.get(where)
            if response.streaming:
                b"".join(response.streaming_content)  # type: ignore[arg-type]
        assert response.status_code in (200, 302), f"{name}, {where}: {response.status_code}"
        found[name] = len(captured)
    return found


def test_every_page_asks_a_fixed_number_of_questions(client_of: Any, ada: Any, world: dict[str, Any]) -> None:
    assert set(ELSEWHERE) <= {route.name for route in ALL}
    member = client_of(ada)
    few = read_all(world, member)
    assert few == QUERIES
    grow(world, ada)
    assert read_all(world, member) == QUERIES
