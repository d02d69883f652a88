"""Start pressed twice starts once: the form carries a key, and what was sent before leads to what it has started."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evolution_core.spec import RunSpec
from tests.webapp.test_run_form import NEW, posted
from tests.webapp.test_sweeps import rows
from webapp.runs import starting
from webapp.runs.forms import typed_spec
from webapp.runs.models import Run, RunGroup

pytestmark = pytest.mark.django_db
SWEEP = rows(("seed", "1, 2, 3"))


@pytest.fixture
def editor(client_of: Any, eve: Any) -> Any:
    return client_of(eve)


@pytest.fixture
def sent(editor: Any, dataset: Any, dispatched: Any) -> dict[str, Any]:
    """What a browser sends from a fresh page."""
    values = typed_spec(RunSpec()) | {"dataset": dataset.pk, "name": "Once", "key": key_of(editor.get(NEW))}
    return dict(posted(values).lists())


def key_of(page: Any) -> str:
    (found,) = re.findall(r'name="key" value="([^"]*)"', page.content.decode())
    return str(found)


def test_a_second_press_leads_to_the_first_run(editor: Any, sent: dict[str, Any]) -> None:
    first = editor.post(NEW, {**sent, "action": "start"})
    second = editor.post(NEW, sent)  # sent by a script, which names no button
    assert first.url == second.url == f"/runs/{Run.objects.get().pk}/"
    assert "started already" in editor.get(second.url).content.decode()


def test_a_second_press_leads_to_the_first_sweep(editor: Any, sent: dict[str, Any]) -> None:
    first, second = (editor.post(NEW, {**sent, **SWEEP}) for _ in range(2))
    assert first.url == second.url == f"/runs/groups/{RunGroup.objects.get().pk}/"
    assert Run.objects.count() == 3


@pytest.mark.parametrize("sweep", [{}, SWEEP], ids=["run", "sweep"])
def test_two_presses_at_the_same_moment_start_once(
    editor: Any, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch, sweep: dict[str, str]
) -> None:
    """The second has looked before the first was there."""
    looked, answers = starting._earlier, [editor.post(NEW, {**sent, **sweep})]
    misses = [True]
    monkeypatch.setattr(starting, "_earlier", lambda *about: None if misses and misses.pop() else looked(*about))
    answers.append(editor.post(NEW, {**sent, **sweep}))
    assert not misses
    assert answers[0].url == answers[1].url
    assert (Run.objects.count(), RunGroup.objects.count()) == ((3, 1) if sweep else (1, 0))


def test_who_goes_back_and_changes_something_starts_another(editor: Any, sent: dict[str, Any]) -> None:
    editor.post(NEW, sent)
    editor.post(NEW, {**sent, "seed": "5"})
    assert Run.objects.count() == 2


def test_a_new_page_starts_the_same_again(editor: Any, sent: dict[str, Any]) -> None:
    editor.post(NEW, sent)
    fresh = key_of(editor.get(NEW))
    assert fresh != sent["key"]
    editor.post(NEW, {**sent, "key": fresh})
    assert Run.objects.count() == 2


def test_a_refused_form_keeps_its_key(editor: Any, sent: dict[str, Any]) -> None:
    refused = editor.post(NEW, {**sent, "generations": "none"})
    assert refused.status_code == 422
    assert [key_of(refused)] == sent["key"]
    assert not Run.objects.exists()


def test_another_persons_key_leads_to_nothing_of_hers(
    editor: Any, client_of: Any, olga: Any, ada: Any, other_dataset: Any, sent: dict[str, Any]
) -> None:
    first = editor.post(NEW, sent)
    for person, changes in ((olga, {"dataset": other_dataset.pk}), (ada, {})):
        answer = client_of(person).post(NEW, {**sent, **changes})
        assert answer.status_code == 302
        assert answer.url != first.url
    assert Run.objects.count() == 3


def test_a_form_without_a_key_still_starts(editor: Any, sent: dict[str, Any]) -> None:
    for _ in range(2):
        assert editor.post(NEW, {**sent, "key": ""}).status_code == 302
    assert Run.objects.count() == 2
