"""The cast of every test that needs people: two teams, a few members of each, and what they own.

Pyramid team has ada (owner), eve (editor) and vic (viewer); Quarry team has olga (owner), who is a stranger to the
Pyramid team. Sign in with `client_of(ada)`. `dispatched` lists the messages that would have gone to workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

PASSWORD = "correct-horse-battery"
LONG = ("tests/chaos/", "tests/browser/test_road", "tests/browser/", "tests/workers/test_up", "tests/workers/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that serve whole installations come first, so that no process is left alone with one at the end."""

    def rank(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def _own_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test has media, work and cache of its own."""
    from django.core.cache import cache
    from django.test import override_settings

    home = tmp_path_factory.mktemp("eustress")
    media, work, uploads = home / "media", home / "work", home / "work" / "uploads"
    uploads.mkdir(parents=True)
    cache.clear()
    with override_settings(MEDIA_ROOT=media, WORK_ROOT=work, FILE_UPLOAD_TEMP_DIR=uploads):
        yield


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    from webapp.teams.models import User

    def make(name: str, **fields: Any) -> User:
        return User.objects.create_user(f"{name}@example.org", PASSWORD, first_name=name.capitalize(), **fields)

    return make


@pytest.fixture
def team(db: None) -> Any:
    from webapp.teams.models import Team

    return Team.objects.create(name="Pyramid")


@pytest.fixture
def other_team(db: None) -> Any:
    from webapp.teams.models import Team

    return Team.objects.create(name="Quarry")


@pytest.fixture
def join(make_user: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a user who is a member of a team in a role."""
    from webapp.teams.models import Membership

    def make(name: str, team: Any, role: str) -> Any:
        user = make_user(name)
        Membership.objects.create(team=team, user=user, role=role)
        return user

    return make


@pytest.fixture
def ada(join: Callable[..., Any], team: Any) -> Any:
    return join("ada", team, "owner")


@pytest.fixture
def eve(join: Callable[..., Any], team: Any) -> Any:
    return join("eve", team, "editor")


@pytest.fixture
def vic(join: Callable[..., Any], team: Any) -> Any:
    return join("vic", team, "viewer")


@pytest.fixture
def olga(join: Callable[..., Any], other_team: Any) -> Any:
    return join("olga", other_team, "owner")


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """A test client signed in as the given person."""
    from django.test import Client

    def make(user: Any, **options: Any) -> Client:
        client = Client(**options)
        client.force_login(user)
        return client

    return make


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Messages to workers, as (task, id, …), instead of sending them."""
    messages: list[tuple[Any, ...]] = []

    def publish(task: str, *ids: int) -> bool:
        messages.append((task, *ids))
        return True

    monkeypatch.setattr("webapp.dispatch.publish", publish)
    return messages


@pytest.fixture
def dataset(team: Any) -> Any:
    """A small data set of the Pyramid team, inspected and ready."""
    return make_dataset(team)


@pytest.fixture
def other_dataset(other_team: Any) -> Any:
    return make_dataset(other_team, name="Stones")


@pytest.fixture
def run(dataset: Any) -> Any:
    """A run of the Pyramid team: queued, without networks."""
    return make_run(dataset)


@pytest.fixture
def other_run(other_dataset: Any) -> Any:
    return make_run(other_dataset, name="Stones, smaller")


def make_dataset(team: Any, name: str = "Hand signs", **fields: Any) -> Any:
    from webapp.datasets.models import Dataset

    report = {
        "classes": [{"name": "open", "train": 40, "test": 10}, {"name": "closed", "train": 20, "test": 5}],
        "images": 75,
        "channels": 3,
        "sizes": {"minimum": [32, 32], "maximum": [32, 32], "shared": True},
        "problems": [],
        "samples": [],
    }
    values: dict[str, Any] = {"state": Dataset.State.READY, "report": report} | fields
    return Dataset.objects.create(team=team, name=name, **values)


def make_run(dataset: Any, name: str = "Hand signs, smaller", **fields: Any) -> Any:
    from evolution_core.spec import RunSpec
    from webapp.runs.models import Run

    values: dict[str, Any] = {"spec": RunSpec().to_json()} | fields
    return Run.objects.create(team=dataset.team, dataset=dataset, name=name, **values)
