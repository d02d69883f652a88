"""A network's page, and taking it away."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import AsyncClient

from tests.webapp.factories import make_evolution, make_network, safetensors_bytes
from webapp.networks import header
from webapp.networks.downloads import CHUNK
from webapp.networks.models import Network
from webapp.networks.page import slowest
from webapp.networks.snippets import onnx_snippet, torch_snippet
from webapp.runs.models import Run
from webapp.runs.templatetags import figures


@pytest.fixture
def finished(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, finished=True, two_parents=True)


@pytest.fixture
def chosen(finished: Run) -> Network:
    return finished.networks.select_related("run").get(name="5-2")


def page_of(run: Run, name: str) -> str:
    return f"/runs/{run.pk}/networks/{name}/"


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


# --- the page -----------------------------------------------------------------------------------


def test_the_page_says_what_it_is(client_of: Any, ada: Any, finished: Run) -> None:
    response = client_of(ada).get(page_of(finished, "4-1"))
    page = response.content.decode()
    assert {item["network"].name for item in response.context["parents"]} == {"3-1", "3-2"}
    assert {item["network"].name for item in response.context["children"]} == {"5-1", "5-3"}
    for name in ("3-1", "3-2", "5-1", "5-3"):
        assert f'href="{page_of(finished, name)}"' in page
    assert "generation 4" in page
    assert "The cut is proven." in page
    assert "2.4 × 10⁻⁷" in page
    assert "local response normalisation" in page


def test_figures_stand_beside_the_ancestors(client_of: Any, ada: Any, finished: Run) -> None:
    rows = client_of(ada).get(page_of(finished, "5-2")).context["figures"]
    by_label = {row["label"]: row for row in rows}
    assert set(by_label) == {
        "Parameters",
        "Multiply-adds",
        "Size",
        "Latency",
        "on validation",
        "on unseen images",
        "shock",
    }
    assert by_label["Parameters"]["ratio"] == pytest.approx(43.1, abs=0.1)
    assert by_label["Latency"]["ancestor"] == 1.01
    assert "ONNX Runtime" in by_label["Latency"]["note"]
    assert by_label["on validation"]["points"] == pytest.approx(-0.55)
    assert by_label["on unseen images"]["points"] == pytest.approx(-0.75)


def test_layers_stand_beside_the_ancestors(client_of: Any, ada: Any, finished: Run) -> None:
    rows = client_of(ada).get(page_of(finished, "5-2")).context["layers"]
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]
    first = rows[0]
    assert (first["clusters"], first["clusters_before"], first["parameters_before"]) == (16, 96, 7296)
    assert first["parameters"] < first["parameters_before"]
    assert rows[-1]["clusters"] == rows[-1]["clusters_before"] == 10


def test_where_the_time_goes_is_told_layer_by_layer(client_of: Any, ada: Any, chosen: Network) -> None:
    address = page_of(chosen.run, chosen.name)
    found = client_of(ada).get(address)
    rows = found.context["layers"]
    slowest = max(rows, key=lambda row: row["milliseconds"])
    share = 100 * slowest["milliseconds"] / sum(row["milliseconds"] for row in rows)
    assert slowest["time"] == pytest.approx(share / 100)
    note = next(row["note"] for row in found.context["figures"] if row["label"] == "Latency")
    assert note.endswith(f"{slowest['layer']} with what follows it takes {share:.0f}\u202f% of it")
    assert '<th scope="col" class="num">Time</th>' in found.content.decode()
    lines = client_of(ada).get(f"{address}tables/layers.csv").content.decode("utf-8-sig").splitlines()
    assert lines[0].endswith('"milliseconds","milliseconds_before"')


def test_no_layer_is_called_slow_where_all_are_alike_or_nothing_is_known() -> None:
    alike = [{"layer": f"conv{number}", "time": 0.2} for number in range(5)]
    alone = [{"layer": "full", "time": 1.0}]
    assert slowest(alike) == slowest(alone) == slowest([]) == slowest([{"layer": "conv1", "time": None}]) == ""


def test_a_record_without_times_has_no_column_of_them(client_of: Any, ada: Any, chosen: Network) -> None:
    for row in chosen.record["layers"]:
        del row["milliseconds"]
    chosen.save()
    assert ">Time</th>" not in client_of(ada).get(page_of(chosen.run, chosen.name)).content.decode()


def test_the_ancestor_is_compared_with_nothing(client_of: Any, ada: Any, finished: Run) -> None:
    page = client_of(ada).get(page_of(finished, "ancestor")).content.decode()
    assert "What was measured" in page
    assert "fewer" not in page
    assert "<h1>The ancestor</h1>" in page
    assert "both measured alternately" not in page
    assert 'class="bar-fill"' not in page  # what is left of its layers is all of them


def test_a_living_network_says_what_it_does(client_of: Any, ada: Any, team: Any, dataset: Any) -> None:
    run = make_evolution(team, dataset, files=False)
    page = client_of(ada).get(page_of(run, "5-3")).content.decode()
    assert "Growing, 62 %" in page
    assert "data-refresh=" in page
    assert "nothing to take away before it has been measured" in page
    assert "What lived on, from the ancestor to 4-2" in page  # its parent: its own layers are not known yet
    assert 'id="layers-title"' not in page
    part = client_of(ada).get(page_of(run, "5-3"), {"part": "live"}).content.decode()
    assert "<html" not in part
    assert "Growing, 62 %" in part


@pytest.mark.parametrize("state", [Network.State.ERRORED, Network.State.CANCELLED])
def test_what_ended_unmeasured_is_not_awaited(client_of: Any, ada: Any, finished: Run, state: str) -> None:
    make_network(finished, "6-1", ("5-2",), state=state)
    page = client_of(ada).get(page_of(finished, "6-1")).content.decode()
    assert "Nothing was measured before it ended." in page
    assert "it was never measured" in page
    assert "once it has been" not in page


def test_a_refused_network_says_why(client_of: Any, ada: Any, run: Run) -> None:
    make_network(run, "ancestor", state="measured", parameters=10)
    make_network(run, "1-1", ("ancestor",), state="refused", message="Outputs differ by <0.3>.")
    page = client_of(ada).get(page_of(run, "1-1")).content.decode()
    assert "Outputs differ by &lt;0.3&gt;." in page
    assert "never born" in page


def test_a_masked_network_is_called_masked(client_of: Any, ada: Any, chosen: Network) -> None:
    chosen.record["living_synapses"] = 50_000
    chosen.save()
    page = client_of(ada).get(page_of(chosen.run, "5-2")).content.decode()
    assert "Masked, not smaller." in page
    assert "Masked" not in client_of(ada).get(page_of(chosen.run, "4-2")).content.decode()


def test_an_old_record_without_layers_still_shows_its_clusters(client_of: Any, ada: Any, chosen: Network) -> None:
    chosen.record = {}
    chosen.save()
    rows = client_of(ada).get(page_of(chosen.run, "5-2")).context["layers"]
    assert rows[0]["layer"] == "conv1"
    assert (rows[0]["clusters"], rows[0]["clusters_before"]) == (16, 96)


@pytest.mark.parametrize("path", ["", "safetensors", "genome", "onnx"])
def test_strangers_find_nothing(client_of: Any, olga: Any, chosen: Network, path: str) -> None:
    assert client_of(olga).get(page_of(chosen.run, "5-2") + path).status_code == 404


def test_another_runs_network_is_not_found_below_this_run(client_of: Any, ada: Any, chosen: Network, run: Run) -> None:
    assert client_of(ada).get(page_of(run, "5-2")).status_code == 404
    assert client_of(ada).get(page_of(chosen.run, "9-9")).status_code == 404


# --- downloads ---------------------------------------------------------------------------------------


def test_the_safetensors_file_is_taken_away_whole(client_of: Any, vic: Any, chosen: Network) -> None:
    response = client_of(vic).get(page_of(chosen.run, "5-2") + "safetensors")
    body = content(response)
    assert hashlib.sha256(body).hexdigest() == chosen.sha256
    name = "hand-signs-on-alexnet-to-fit-the-door-controller-5-2.safetensors"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["ETag"] == f'"{chosen.sha256}"'
    assert "private" in response["Cache-Control"]


def test_a_name_of_a_run_cannot_break_the_header(client_of: Any, ada: Any, chosen: Network) -> None:
    Run.objects.filter(pk=chosen.run_id).update(name='Größe"; x=\r\n../y')
    response = client_of(ada).get(page_of(chosen.run, "5-2") + "safetensors")
    assert response["Content-Disposition"] == 'attachment; filename="gr-e-x-y-5-2.safetensors"'


def test_the_genome_comes_from_the_file(client_of: Any, ada: Any, chosen: Network) -> None:
    response = client_of(ada).get(page_of(chosen.run, "5-2") + "genome")
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content)["network"] == "5-2"


@pytest.mark.django_db(transaction=True)
def test_big_files_are_streamed_in_pieces_under_asgi(ada: Any, chosen: Network) -> None:
    body = safetensors_bytes({"a": 1}, numbers=CHUNK)
    Network.objects.filter(pk=chosen.pk).update(file=default_storage.save("big.safetensors", ContentFile(body)))

    async def take() -> list[bytes]:
        client = AsyncClient()
        await client.aforce_login(ada)
        response = await client.get(page_of(chosen.run, "5-2") + "safetensors")
        assert response.is_async
        assert int(response["Content-Length"]) == len(body)
        return [piece async for piece in response.streaming_content]

    pieces = asyncio.run(take())
    assert len(pieces) > 3
    assert b"".join(pieces) == body


@pytest.mark.parametrize("kind", ["onnx", "pickle", "record"])
def test_what_is_not_there_is_not_found(client_of: Any, ada: Any, chosen: Network, kind: str) -> None:
    assert client_of(ada).get(page_of(chosen.run, "5-2") + kind).status_code == 404


def test_a_file_that_is_gone_is_not_found(client_of: Any, ada: Any, chosen: Network) -> None:
    default_storage.delete(chosen.file.name)
    client = client_of(ada)
    assert client.get(page_of(chosen.run, "5-2")).status_code == 200
    for kind in ("safetensors", "genome"):
        assert client.get(page_of(chosen.run, "5-2") + kind).status_code == 404


def test_the_onnx_form_is_asked_for_once(
    client_of: Any, eve: Any, chosen: Network, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = client_of(eve)
    assert "Make it" in client.get(page_of(chosen.run, "5-2")).content.decode()
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert client.post(page_of(chosen.run, "5-2") + "export/").status_code == 302
    chosen.refresh_from_db()
    assert chosen.onnx_state == "requested"
    assert dispatched == [("workers.export_onnx", chosen.pk)]
    page = client.get(page_of(chosen.run, "5-2")).content.decode()
    assert "being made" in page
    assert "data-refresh=" in page


def test_the_onnx_form_is_offered_once_it_is_made(client_of: Any, ada: Any, chosen: Network) -> None:
    name = default_storage.save("runs/x.onnx", ContentFile(b"\x08\x08onnx"))
    Network.objects.filter(pk=chosen.pk).update(onnx=name, onnx_state="ready", onnx_sha256="ab" * 32)
    client = client_of(ada)
    assert "ab" * 32 in client.get(page_of(chosen.run, "5-2")).content.decode()
    assert content(client.get(page_of(chosen.run, "5-2") + "onnx")) == b"\x08\x08onnx"
    Network.objects.filter(pk=chosen.pk).update(onnx_state="failed", onnx_message="No such operator.")
    assert client.get(page_of(chosen.run, "5-2") + "onnx").status_code == 404
    assert "No such operator." in client.get(page_of(chosen.run, "5-2")).content.decode()


FIGURES = {
    "validation": {"images": 900, "of": 1000, "torch": 0.874, "onnx": 0.871, "compared": 64, "difference": 0.2,
                   "largest": 9.0},
    "latency_ms": 0.05, "onnx_latency_ms": 0.1, "images": 256,
}  # fmt: skip


def test_the_form_in_integers_is_asked_for_once_there_is_the_other(
    client_of: Any, eve: Any, chosen: Network, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client, address = client_of(eve), page_of(chosen.run, "5-2")
    assert "8 bits" not in client.get(address).content.decode()
    client.post(address + "quantize/")
    name = default_storage.save("runs/x.onnx", ContentFile(b"onnx"))
    Network.objects.filter(pk=chosen.pk).update(onnx=name, onnx_state="ready")
    assert f'action="{address}quantize/"' in client.get(address).content.decode()
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert client.post(address + "quantize/").status_code == 302
    assert dispatched == [("workers.quantize", chosen.pk)]
    page = client.get(address).content.decode()
    assert "data-refresh=" in page
    assert f'action="{address}quantize/"' not in page


def test_the_form_in_integers_is_offered_with_what_it_is_worth(client_of: Any, ada: Any, chosen: Network) -> None:
    client, address = client_of(ada), page_of(chosen.run, "5-2")
    names = [default_storage.save(f"runs/{kind}.onnx", ContentFile(kind.encode())) for kind in ("whole", "small")]
    Network.objects.filter(pk=chosen.pk).update(onnx=names[0], onnx_state="ready", int8=names[1], int8_state="ready",
                                                int8_sha256="cd" * 32, int8_figures=FIGURES)  # fmt: skip
    page = client.get(address).content.decode()
    assert "87.10 % accuracy on 900 of 1,000 validation images, \N{MINUS SIGN}0.3 points against PyTorch." in page
    assert "0.050 ms an image on the worker, 2.0× faster than in float32." in page
    assert "cd" * 32 in page
    answer = client.get(address + "onnx-int8")
    assert content(answer) == b"small"
    assert answer["Content-Disposition"].endswith('.int8.onnx"')
    Network.objects.filter(pk=chosen.pk).update(int8_state="failed", int8_message="Too little memory.", int8_figures=[])
    assert client.get(address + "onnx-int8").status_code == 404
    assert "Too little memory." in client.get(address).content.decode()


def test_viewers_and_strangers_ask_for_nothing(client_of: Any, vic: Any, olga: Any, chosen: Network) -> None:
    Network.objects.filter(pk=chosen.pk).update(onnx_state="ready")
    for asked in ("export/", "measure/", "quantize/"):
        address = page_of(chosen.run, "5-2") + asked
        assert client_of(vic).post(address).status_code == 403
        assert client_of(olga).post(address).status_code == 404
        assert client_of(vic).get(address).status_code == 405
    chosen.refresh_from_db()
    assert (chosen.onnx_state, chosen.onnx_figures_state, chosen.int8_state) == ("ready", "", "")


def test_only_a_measured_network_is_exported(client_of: Any, eve: Any, run: Run, dispatched: Any) -> None:
    network = make_network(run, "ancestor", state="living")
    client_of(eve).post(page_of(run, "ancestor") + "export/")
    network.refresh_from_db()
    assert network.onnx_state == ""
    assert dispatched == []


# --- the header ---------------------------------------------------------------------------------------


def test_a_header_is_read_without_its_tensors() -> None:
    body = safetensors_bytes({"shape": [1, 28, 28]})
    assert header.genome(io.BytesIO(body[: -4 * 4])) == {"shape": [1, 28, 28]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80\x02}q\x00.",
        (2**40).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"{]}}",
        (2).to_bytes(8, "little") + b"[]",
        (20).to_bytes(8, "little") + b'{"__metadata__": []}',
        safetensors_bytes(None),
        safetensors_bytes([1, 2]),  # type: ignore[arg-type]
    ],
)
def test_a_hostile_header_is_refused(body: bytes) -> None:
    with pytest.raises(header.HeaderError):
        header.genome(io.BytesIO(body))


# --- the snippets run as they stand --------------------------------------------------------------------


def test_the_snippets_load_what_was_taken_away(
    chosen: Network, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from evolution_core.architectures import build
    from evolution_core.export import export_onnx
    from evolution_core.genome import Genome, load_network, save_network, trace_clusters
    from webapp.networks.downloads import file_name

    torch = pytest.importorskip("torch")
    model = build("lenet5", 3, (1, 28, 28), seed=1).eval()
    plain = Genome("lenet5", ("a", "b", "c"), "classification", (1, 28, 28), (0.13,), (0.31,))
    genome = plain.of(trace_clusters(model, torch.zeros(1, 1, 28, 28)), model)
    monkeypatch.chdir(tmp_path)
    save_network(file_name(chosen, "safetensors"), model, genome)
    loaded = load_network(file_name(chosen, "safetensors"))
    export_onnx(loaded.model, loaded.genome, file_name(chosen, "onnx"))
    Image.effect_noise((40, 30), 80).convert("RGB").save("image.jpg")
    for snippet in (torch_snippet(chosen), onnx_snippet(chosen)):
        exec(compile(snippet, "snippet", "exec"), {})
    first, second = capsys.readouterr().out.split()
    assert first == second
    assert first in {"a", "b", "c"}


@pytest.mark.parametrize(
    ("ratio", "kind", "said"),
    [
        (5.5, "count", "5.5× fewer"),
        (2.0, "size", "2.0× smaller"),
        (0.8, "milliseconds", "1.2× slower"),
        (0.5, "size", "2.0× larger"),
        (1.02, "milliseconds", "the same"),
        (0.98, "count", "the same"),
    ],
)
def test_what_is_slower_or_larger_than_its_ancestor_is_called_so(ratio: float, kind: str, said: str) -> None:
    assert figures.compared(ratio, kind) == said


def test_the_page_of_a_slower_network_says_slower(client_of: Any, ada: Any, chosen: Network) -> None:
    Network.objects.filter(pk=chosen.pk).update(latency_ms=2.0, ancestor_latency_ms=1.0)
    page = client_of(ada).get(f"/runs/{chosen.run_id}/networks/{chosen.name}/").content.decode()
    assert "2.0× slower" in page
    assert "0.5×" not in page
