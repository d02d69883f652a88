"""Timings on devices: who may keep, see and change them, what is believed of a browser, and what the page offers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import AsyncClient, Client

from tests.webapp.factories import make_evolution, make_network
from webapp.devices.models import MOST, DeviceTiming
from webapp.networks.models import Network
from webapp.networks.snippets import timing_snippet
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db
SENT = {"label": "Door controller", "browser": "Chrome 130", "ms": "12.25", "ancestor_ms": "87.5", "rounds": "31"}
BUTTON = "Time it on this device"


@pytest.fixture
def finished(team: Any) -> Run:
    return make_evolution(team, finished=True)


@pytest.fixture
def exported(finished: Run) -> Run:
    """5-2 and its ancestor have ONNX forms."""
    give_onnx(finished, "ancestor", "5-2")
    return finished


def give_onnx(run: Run, *names: str) -> None:
    for name in names:
        stored = default_storage.save(f"runs/{run.pk}/{name}.onnx", ContentFile(b"\x08\x08onnx"))
        Network.objects.filter(run=run, name=name).update(onnx=stored, onnx_state="ready")


def page_of(run: Run, name: str = "5-2") -> str:
    return f"/runs/{run.pk}/networks/{name}/"


def keep(client: Client, run: Run, name: str = "5-2", **changes: str) -> Any:
    return client.post(f"{page_of(run, name)}timings/", {**SENT, **changes})


# --- keeping ---------------------------------------------------------------------------------


def test_what_was_timed_is_kept_and_the_panel_comes_back_with_it(client_of: Any, eve: Any, exported: Run) -> None:
    response = keep(client_of(eve), exported)
    assert response.status_code == 200
    timing = DeviceTiming.objects.get()
    assert (timing.label, timing.browser, timing.ms, timing.ancestor_ms) == (
        "Door controller",
        "Chrome 130",
        12.25,
        87.5,
    )
    assert timing.rounds == 31
    assert timing.timed_by == eve
    assert timing.ratio == pytest.approx(7.142857)
    part = response.content.decode()
    assert "<html" not in part
    for page in (part, client_of(eve).get(page_of(exported)).content.decode()):
        assert "Door controller" in page
        assert "not kept" not in page
        assert "7.1× faster" in page
        assert "by Eve" in page


def test_an_ancestor_has_no_ancestor(client_of: Any, eve: Any, exported: Run) -> None:
    assert keep(client_of(eve), exported, "ancestor").status_code == 200
    assert DeviceTiming.objects.get().ancestor_ms is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"ms": "nan"},
        {"ms": "inf"},
        {"ms": "-1"},
        {"ms": "0"},
        {"ms": "1e300"},
        {"ms": ""},
        {"ms": "<b>"},
        {"ancestor_ms": "-inf"},
        {"ancestor_ms": "1e-300"},
        {"rounds": "0"},
        {"rounds": "9" * 30},
        {"rounds": "2.5"},
        {"label": "x" * 61},
        {"label": "a\x00b"},
        {"browser": "x" * 61},
    ],
)
def test_what_no_clock_says_is_refused(client_of: Any, eve: Any, exported: Run, wrong: dict[str, str]) -> None:
    response = keep(client_of(eve), exported, **wrong)
    assert response.status_code == 422
    assert next(iter(wrong)) in json.loads(response.content)["error"]
    assert not DeviceTiming.objects.exists()


def test_names_are_text_and_nothing_else(client_of: Any, eve: Any, exported: Run) -> None:
    client = client_of(eve)
    keep(client, exported, label=" <script>alert(1)</script>\n ", browser="=HYPERLINK(0)")
    keep(client, exported, label="  ")
    assert [row.label for row in DeviceTiming.objects.all()] == ["Unknown device", "<script>alert(1)</script>"]
    page = client.get(page_of(exported)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    table = client.get(f"{page_of(exported)}tables/devices.csv").content.decode()
    assert '"\'=HYPERLINK(0)"' in table


def test_a_network_keeps_so_many_and_no_more(client_of: Any, eve: Any, exported: Run) -> None:
    network = exported.networks.get(name="5-2")
    row = {"network": network, "label": "Phone", "ms": 1.0, "rounds": 3}
    DeviceTiming.objects.bulk_create([DeviceTiming(**row) for _ in range(MOST)])
    response = keep(client_of(eve), exported)
    assert response.status_code == 422
    assert f"{MOST} timings at most" in json.loads(response.content)["error"]
    assert network.device_timings.count() == MOST


def test_nothing_is_kept_of_what_was_not_measured(client_of: Any, eve: Any, exported: Run) -> None:
    make_network(exported, "6-1", ("5-2",), state="living")
    assert keep(client_of(eve), exported, "6-1").status_code == 422
    assert not DeviceTiming.objects.exists()


def test_a_forged_form_is_refused(eve: Any, exported: Run) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(eve)
    assert keep(client, exported).status_code == 403


# --- who may -----------------------------------------------------------------------------------


@pytest.fixture
def timing(exported: Run, eve: Any) -> DeviceTiming:
    """Eve's."""
    network = exported.networks.get(name="5-2")
    return DeviceTiming.objects.create(
        network=network, label="Phone", browser="Firefox 131", ms=2.0, ancestor_ms=10.0, rounds=5, timed_by=eve
    )


def changes(client: Client, run: Run, timing: DeviceTiming) -> tuple[int, int]:
    """What renaming and then deleting it answer."""
    address = f"{page_of(run)}timings/{timing.pk}/"
    renamed = client.post(f"{address}rename/", {"label": "Another name"}).status_code
    return renamed, client.post(f"{address}delete/").status_code


@pytest.mark.parametrize("who", ["eve", "ada"])
def test_whoever_timed_it_and_who_runs_the_team_rename_and_delete(
    request: pytest.FixtureRequest, client_of: Any, exported: Run, timing: DeviceTiming, who: str
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert "Rename or delete" in client.get(page_of(exported)).content.decode()
    address = f"{page_of(exported)}timings/{timing.pk}/"
    for label in ("", "x" * 61):
        client.post(f"{address}rename/", {"label": label})
        timing.refresh_from_db()
        assert timing.label == "Phone"
    assert client.post(f"{address}rename/", {"label": "Lab  phone"}).url.endswith("/5-2/#devices")
    timing.refresh_from_db()
    assert (timing.label, timing.ms) == ("Lab phone", 2.0)
    client.post(f"{address}delete/")
    assert not DeviceTiming.objects.exists()


def test_nobody_else_changes_it(
    client_of: Any, join: Any, team: Any, vic: Any, olga: Any, exported: Run, timing: DeviceTiming
) -> None:
    other_editor = client_of(join("rob", team, "editor"))
    assert "Rename or delete" not in other_editor.get(page_of(exported)).content.decode()
    assert changes(other_editor, exported, timing) == (403, 403)
    assert changes(client_of(vic), exported, timing) == (403, 403)
    assert changes(client_of(olga), exported, timing) == (404, 404)
    assert changes(Client(), exported, timing) == (302, 302)
    assert DeviceTiming.objects.get().label == "Phone"


def test_a_viewer_times_and_keeps_nothing(client_of: Any, vic: Any, exported: Run, timing: DeviceTiming) -> None:
    client = client_of(vic)
    page = client.get(page_of(exported)).content.decode()
    assert BUTTON in page
    assert "data-keep=" not in page
    assert "shown to you, and not kept" in page
    assert "5.0× faster" in page
    assert keep(client, exported).status_code == 403


def test_a_row_is_found_below_its_own_network_only(
    client_of: Any, eve: Any, exported: Run, timing: DeviceTiming
) -> None:
    address = f"{page_of(exported, '4-1')}timings/{timing.pk}/delete/"
    assert client_of(eve).post(address).status_code == 404


def test_guests_see_the_table_without_names_of_people(exported: Run, ada: Any, timing: DeviceTiming) -> None:
    link = ShareLink.objects.create(run=exported, created_by=ada)
    page = Client().get(f"/s/{link.token}/networks/5-2/").content.decode()
    assert "5.0× faster" in page
    assert BUTTON in page
    assert f'data-own="/s/{link.token}/networks/5-2/onnx"' in page
    assert "by Eve" not in page
    assert "data-keep=" not in page
    assert 'method="post"' not in page
    table = Client().get(f"/s/{link.token}/networks/5-2/tables/devices.json")
    assert json.loads(table.content)[0] | {"timed_at": ""} == {
        "device": "Phone",
        "browser": "Firefox 131",
        "milliseconds": 2.0,
        "ancestor_milliseconds": 10.0,
        "ratio": 5.0,
        "rounds": 5,
        "timed_at": "",
    }


# --- what the page offers ------------------------------------------------------------------------


def test_what_is_not_made_yet_is_made_first(client_of: Any, eve: Any, vic: Any, finished: Run) -> None:
    make_it = "Make the ONNX file first"
    page = client_of(eve).get(page_of(finished)).content.decode()
    assert BUTTON not in page
    assert make_it in page
    assert make_it not in client_of(vic).get(page_of(finished)).content.decode()
    Network.objects.filter(run=finished, name="5-2").update(onnx_state="requested")
    assert "its ONNX file is being made" in client_of(eve).get(page_of(finished)).content.decode()


def test_without_its_ancestors_file_it_is_timed_alone(client_of: Any, eve: Any, finished: Run) -> None:
    give_onnx(finished, "5-2")
    client = client_of(eve)
    page = client.get(page_of(finished)).content.decode()
    assert BUTTON in page
    assert "data-ancestor" not in page
    assert f'action="{page_of(finished, "ancestor")}export/"' in page
    Network.objects.filter(run=finished, name="ancestor").update(onnx_state="requested")
    page = client.get(page_of(finished)).content.decode()
    assert "is being made; wait for it" in page
    assert 'id="network-head" data-part data-refresh=' in page  # which looks for the whole page


def test_a_network_without_a_file_has_no_panel(client_of: Any, eve: Any, team: Any) -> None:
    run = make_evolution(team, files=False)
    page = client_of(eve).get(page_of(run, "5-3")).content.decode()
    assert "On devices" not in page
    assert 'id="devices-timer"' in page  # empty, to be filled where it is measured later


# --- what is served -------------------------------------------------------------------------------


def policy(response: Any) -> str:
    found = response["Content-Security-Policy"].split(";")
    return next(part.strip() for part in found if part.strip().startswith("script-src"))


def test_only_the_worker_may_compile_webassembly(client: Client, client_of: Any, eve: Any, exported: Run) -> None:
    assert policy(client.get("/static/js/devices/worker.js")) == "script-src 'self' 'wasm-unsafe-eval'"
    for address in ("/static/js/devices/panel.js", "/static/js/app.js", page_of(exported)):
        assert policy(client_of(eve).get(address)) == "script-src 'self'"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ort.wasm.bundle.min.mjs", "text/javascript"), ("ort-wasm-simd-threaded.wasm", "application/wasm")],
)
def test_the_runtime_is_served_as_what_it_is(name: str, kind: str) -> None:
    import asyncio

    response = asyncio.run(AsyncClient().head(f"/static/vendor/onnxruntime-web/dist/{name}"))  # type: ignore[arg-type]
    assert response.status_code == 200
    assert response["Content-Type"].startswith(kind)


# --- without a browser -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["5-2", "ancestor"])
def test_the_script_times_what_was_taken_away(
    finished: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    from evolution_core.export import export_onnx
    from webapp.networks.downloads import file_name

    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    for filters, one in ((32, "ancestor"), (2, "5-2")):
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, filters, 3), torch.nn.Flatten(), torch.nn.Linear(filters * 36, 2)
        )
        export_onnx(model.eval(), (3, 8, 8), file_name(finished.networks.get(name=one), "onnx"))
    snippet = timing_snippet(finished.networks.get(name=name))
    assert max(map(len, snippet.splitlines())) <= 88
    exec(compile(snippet.replace("range(30)", "range(3)"), "snippet", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(" ms")
    assert len(said) == (1 if name == "ancestor" else 3)
    assert name == "ancestor" or said[2].endswith(" times faster")
