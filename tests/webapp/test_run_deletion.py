"""A run that has ended can be deleted with all that is its own; one that goes on cannot."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.webapp.factories import make_network
from webapp.networks.models import Network
from webapp.runs.models import Run, RunEvent
from webapp.sharing.models import ShareLink


@pytest.fixture
def ended(run):
    """A finished run with a network's files, a clone and a share link."""
    network = make_network(run, "ancestor")
    network.file = default_storage.save(f"runs/{run.pk}/ancestor.safetensors", ContentFile(b"weights"))
    network.onnx = default_storage.save(f"runs/{run.pk}/ancestor.onnx", ContentFile(b"onnx"))
    network.save()
    default_storage.save(f"runs/{run.pk}/pictures/0.jpg", ContentFile(b"a picture of the team's"))
    run.record("finished")
    ShareLink.objects.create(run=run)
    Run.objects.create(team=run.team, dataset=run.dataset, name="Clone", spec=run.spec, cloned_from=run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.FINISHED, chosen=network)
    run.refresh_from_db()
    return run


def test_it_goes_with_its_rows_and_files_and_frees_its_data(client_of, eve, ended, django_capture_on_commit_callbacks):
    client = client_of(eve)
    assert f"/runs/{ended.pk}/delete/" in client.get(f"/runs/{ended.pk}/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"/runs/{ended.pk}/delete/").url == "/runs/"
    assert not Network.objects.exists()
    assert not RunEvent.objects.exists()
    assert not ShareLink.objects.exists()
    assert Run.objects.get().cloned_from is None
    assert not default_storage.exists(f"runs/{ended.pk}")
    assert client.get(f"/runs/{ended.pk}/").status_code == 404


def test_a_run_that_goes_on_is_cancelled_first(client_of, eve, run):
    client = client_of(eve)
    assert f"/runs/{run.pk}/delete/" not in client.get(f"/runs/{run.pk}/").content.decode()
    page = client.post(f"/runs/{run.pk}/delete/", follow=True).content.decode()
    assert "cancel it first" in page
    assert Run.objects.filter(pk=run.pk).exists()


@pytest.mark.parametrize(("person", "status"), [("vic", 403), ("olga", 404)])
def test_viewers_and_other_teams_delete_nothing(request, client_of, ended, person, status):
    client = client_of(request.getfixturevalue(person))
    assert client.post(f"/runs/{ended.pk}/delete/").status_code == status
    assert Run.objects.filter(pk=ended.pk).exists()


def test_a_share_link_offers_no_deletion(client, ended):
    page = client.get(f"/s/{ended.share_links.get().token}/").content.decode()
    assert "delete" not in page.lower()
