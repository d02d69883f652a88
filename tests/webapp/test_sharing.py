"""Share links: made, shown again and revoked by editors; they open one run, read-only, and nothing else."""

from __future__ import annotations

import asyncio
import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.webapp.factories import make_box_dataset, make_detection, make_evolution, make_run
from webapp.live.permission import while_allowed
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

PARTS = [
    "",
    "live",
    "chart.json",
    "explore",
    "tables/networks.csv",
    "tables/generations.json",
    "lineage.json",
    "log/",
    "events.json",
]
PARTS += ["networks/2-1/", "networks/2-1/safetensors"]


@pytest.fixture
def evolution(team, ada):
    return make_evolution(team)


@pytest.fixture
def link(evolution, ada):
    return ShareLink.objects.create(run=evolution, created_by=ada)


@pytest.fixture
def plain_link(run, ada):
    """A link to a run that has no networks yet: cheaper, where only the link matters."""
    return ShareLink.objects.create(run=run, created_by=ada)


def test_an_editor_makes_a_link_sees_it_again_and_revokes_it(client_of, eve, run):
    client = client_of(eve)
    assert client.post(f"/runs/{run.pk}/share/new/").status_code == 302
    link = ShareLink.objects.get()
    assert link.created_by == eve
    for _ in range(2):  # shown again, whenever she looks
        assert f"/s/{link.token}/" in client.get(f"/runs/{run.pk}/share/").content.decode()
    assert Client().get(f"/s/{link.token}/").status_code == 200
    assert client.post(f"/runs/{run.pk}/share/{link.pk}/revoke/").status_code == 302
    assert link.token not in client.get(f"/runs/{run.pk}/share/").content.decode()
    gone = Client().get(f"/s/{link.token}/")
    assert gone.status_code == 410
    assert "No longer shared" in gone.content.decode()


def test_whoever_shares_says_whether_images_of_the_data_set_are_shown(client_of, eve, team, run):
    detection = make_detection(make_box_dataset(team))
    client = client_of(eve)
    counted = []
    for shared, told in ((run, "disagree"), (detection, "boxes that people drew")):
        for sent in ({}, {"images": "on"}):
            client.post(f"/runs/{shared.pk}/share/new/", sent)
        assert [link.shows_images for link in shared.share_links.order_by("pk")] == [False, True]
        with CaptureQueriesContext(connection) as queries:
            page = client.get(f"/runs/{shared.pk}/share/").content.decode()
        assert told in page
        assert page.count("no images") == page.count("shows validation images") == 1
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_the_database_does_not_hold_the_token(plain_link, settings):
    from django.core import serializers

    row = serializers.serialize("json", [plain_link])
    secret = plain_link.token.partition("-")[2]
    assert secret not in row
    assert len(secret) == 32
    before = plain_link.token
    settings.SECRET_KEY = "another-key-of-the-very-same-length-or-so"
    assert plain_link.token != before  # who has the database without the key can make no plain_link
    assert ShareLink.find(before) is None


@pytest.mark.parametrize(
    "change", [str.upper, lambda t: t[:-1], lambda t: t + "A", lambda t: "1" + t, lambda t: t.split("-")[0]]
)
def test_nearly_right_tokens_open_nothing(client, plain_link, change):
    token = change(plain_link.token)
    assert token != plain_link.token
    assert client.get(f"/s/{token}/").status_code == 404


@pytest.mark.parametrize("token", ["1", "-", "0-" + "A" * 32, "²-" + "A" * 32, "9" * 40 + "-x", "a-b", "%00"])
def test_odd_tokens_are_not_found(client, db, token):
    assert client.get(f"/s/{token}/").status_code == 404


def test_the_shared_pages_are_read_only_and_lead_nowhere_else(client, link, evolution):
    for part in ("", "log/", "networks/2-1/"):
        page = client.get(f"/s/{link.token}/{part}").content.decode()
        assert "Shared, read-only" in page
        assert 'method="post"' not in page
        assert 'href="/runs/' not in page
        assert 'href="/datasets/' not in page
        assert "hx-post" not in page
        assert "ada@example.org" not in page
        assert "Pyramid" not in page
    assert evolution.name in client.get(f"/s/{link.token}/").content.decode()


def test_every_shared_address_needs_a_link_that_is_open(client, link):
    addresses = [f"/s/{link.token}/{part}" for part in PARTS]
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        assert response["Referrer-Policy"] == "no-referrer"
        assert "noindex" in response["X-Robots-Tag"]
        assert client.post(address).status_code == 405
    link.revoke()
    assert [client.get(address).status_code for address in addresses] == [410] * len(PARTS)


def test_what_scripts_read_stays_below_the_link(client, link):
    chart = client.get(f"/s/{link.token}/chart.json").content.decode()
    assert f"/s/{link.token}/networks/" in chart
    assert '"/runs/' not in chart
    assert json.loads(client.get(f"/s/{link.token}/events.json").content)["events"]


def test_a_link_opens_its_own_run_only(client, link, team):
    other = make_run(team, name="Another run of the same team")
    from tests.webapp.factories import make_network

    make_network(other, "9-9", state="measured")
    assert client.get(f"/s/{link.token}/networks/9-9/").status_code == 404
    assert client.get(f"/s/{link.token}/networks/9-9/safetensors").status_code == 404
    assert "Another run" not in client.get(f"/s/{link.token}/").content.decode()


def test_a_link_gives_no_way_into_the_members_pages(client, link, evolution):
    client.get(f"/s/{link.token}/")
    for address in (f"/runs/{evolution.pk}/", f"/runs/{evolution.pk}/chart.json", f"/datasets/{evolution.dataset_id}/"):
        assert client.get(address).status_code == 302  # to the sign-in page
    assert client.post(f"/s/{link.token}/cancel/").status_code in (404, 405)
    assert Run.objects.get(pk=evolution.pk).cancel_requested_at is None


def test_viewers_neither_make_nor_revoke_nor_see_links(client_of, vic, link, evolution):
    client = client_of(vic)
    page = client.get(f"/runs/{evolution.pk}/share/")
    assert page.status_code == 200
    assert link.token not in page.content.decode()
    assert "Make a link" not in page.content.decode()
    assert client.post(f"/runs/{evolution.pk}/share/new/").status_code == 403
    assert client.post(f"/runs/{evolution.pk}/share/{link.pk}/revoke/").status_code == 403
    assert ShareLink.objects.get().revoked_at is None


def test_other_teams_neither_see_nor_revoke_links(client_of, olga, link, evolution, other_run):
    client = client_of(olga)
    assert client.get(f"/runs/{evolution.pk}/share/").status_code == 404
    assert client.post(f"/runs/{evolution.pk}/share/new/").status_code == 404
    assert client.post(f"/runs/{evolution.pk}/share/{link.pk}/revoke/").status_code == 404
    assert client.post(f"/runs/{other_run.pk}/share/{link.pk}/revoke/").status_code == 404  # not that run's
    assert ShareLink.objects.get().revoked_at is None


def test_the_last_visit_is_remembered_but_not_written_each_second(client, plain_link):
    client.get(f"/s/{plain_link.token}/events.json")
    plain_link.refresh_from_db()
    first = plain_link.last_seen_at
    assert first is not None
    client.get(f"/s/{plain_link.token}/events.json")
    plain_link.refresh_from_db()
    assert plain_link.last_seen_at == first


def test_a_stream_ends_when_its_permission_does():
    closed = []

    async def endless():
        try:
            while True:
                yield b"still here"
        finally:
            closed.append(True)

    answers = iter([True, True, False])

    async def watch():
        return [piece async for piece in while_allowed(endless(), lambda: next(answers), every=0.0)]

    assert len(asyncio.run(watch())) == 2
    assert closed == [True]  # the reader behind it is let go
