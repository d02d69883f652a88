"""Names that mean harm, forms that come from elsewhere, and links that lead away: tried on every address there is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from tests.conftest import PASSWORD
from tests.webapp.test_isolation import ALL, GUARDED, address, snapshot, world  # noqa: F401  (a fixture)
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db
EVIL = "<img src=x onerror=alert(1)>"
# What may hold any text: whatever people type, or a worker finds in their files.
WRITTEN = {
    "Team": ["name"],
    "User": ["first_name", "last_name"],
    "Dataset": ["name", "message"],
    "DatasetFile": ["original_name"],
    "Run": ["name", "message"],
    "Network": ["message", "onnx_message"],
    "BaseFile": ["original_name", "message"],
    "Upload": ["name"],
    "Invitation": ["email"],
}


@pytest.fixture
def poisoned(world: dict[str, Any]) -> dict[str, Any]:  # noqa: F811
    """Every free text of every row is harmful."""
    from django.apps import apps

    for model in apps.get_models():
        for name in WRITTEN.get(model.__name__, []):
            field = model._meta.get_field(name)
            assert isinstance(field, (models.CharField, models.TextField))
            model._default_manager.update(**{name: EVIL[: field.max_length or 200]})
    dataset = world["run"].dataset
    for number, row in enumerate(dataset.report.get("classes", [])):
        row["name"] = f"{EVIL}{number}"
    dataset.report["problems"] = [{"file": EVIL, "problem": EVIL}]
    dataset.report["notes"] = [{"file": EVIL, "note": EVIL}]
    dataset.save()
    for network in world["run"].networks.all():  # an own network's layers have the names that its file gives them
        network.clusters = {EVIL: 8}
        network.record = {**network.record, "clusters": {EVIL: 8}, "layers": [{"layer": EVIL, "kind": EVIL}]}
        network.save()
    return world


def test_no_page_lets_a_name_become_markup(poisoned: dict[str, Any], client_of: Any, ada: Any) -> None:
    client = client_of(ada)
    shown = set()
    token = poisoned["link"].token
    paths = {route.name: address(route, poisoned) for route in GUARDED}
    paths |= {"shared run": f"/s/{token}/", "shared log": f"/s/{token}/log/"}
    for name, path in paths.items():
        response = client.get(path)
        kind = response.get("Content-Type", "")
        if response.streaming or not kind.startswith("text/html"):
            continue
        page = response.content.decode()
        assert "<img src=x" not in page, name
        if "&lt;img src=x" in page:
            shown.add(name)
    assert len(shown) >= 10  # it was there to be seen


def test_json_for_scripts_is_no_page(poisoned: dict[str, Any], client_of: Any, ada: Any) -> None:
    """What holds a harmful name as it is must not be taken for a page by any browser."""
    client = client_of(ada)
    for route in GUARDED:
        response = client.get(address(route, poisoned))
        if not response.streaming and EVIL in response.content.decode(errors="replace"):
            assert not response["Content-Type"].startswith("text/html"), route.name
            assert response["X-Content-Type-Options"] == "nosniff", route.name


def test_every_writing_needs_its_token(world: dict[str, Any], ada: Any) -> None:  # noqa: F811
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    before = snapshot()
    refused = set()
    for route in ALL:
        if "token" in route.parameters or route.path.startswith("s/"):
            continue
        for method in ("post", "put", "patch", "delete"):
            response = getattr(client, method)(address(route, world))
            assert response.status_code in (403, 404, 405), (route.name, method, response.status_code)
            refused |= {route.name} if response.status_code == 403 else set()
    assert snapshot() == before
    assert len(refused) > 20


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "///evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
    ],
)
def test_signing_in_leads_nowhere_else(client: Client, ada: Any, target: str) -> None:
    answer = client.post("/sign-in/", {"login": ada.email, "password": PASSWORD, "next": target})
    assert answer.url == "/"
    client.logout()
    answer = client.post(f"/sign-in/?next={target}", {"login": ada.email, "password": PASSWORD})
    assert answer.url == "/"


def test_a_host_name_in_a_request_never_gets_into_a_link(client_of: Any, ada: Any, run: Run) -> None:
    """Links that people pass on are made of EUSTRESS_URL or an allowed host, or the request is refused."""
    ShareLink.objects.create(run=run, created_by=ada)
    for host in ("evil.example", "localhost@evil.example", "localhost:8000.evil.example"):
        assert client_of(ada).get(reverse("runs:list"), headers={"host": host}).status_code == 400


def test_a_spec_of_absurd_depth_or_size_is_refused(client_of: Any, ada: Any, dataset: Any, dispatched: Any) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for environment in (deep, json.dumps({"name": "x" * 1_000_000})):
        answer = client_of(ada).post("/runs/new/", {"dataset": dataset.pk, "environment": environment})
        assert answer.status_code == 422
    assert not Run.objects.exists()
