"""Data sets: list, upload, what was found in one, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.storage import default_storage
from django.core.paginator import Paginator
from django.db.models import ProtectedError, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.datasets import kept_tables
from webapp.datasets.forms import RenameForm, UploadForm
from webapp.datasets.models import Dataset
from webapp.datasets.presentation import context
from webapp.keeping import Addresses, kept
from webapp.teams.access import editor_required, get_object_or_404, team_required
from webapp.teams.models import Team
from webapp.uploads.models import Upload, UploadError
from webapp.uploads.received import announced, forget, received_files

LIST_PAGE = 25


@require_safe
@team_required
def dataset_list(request: HttpRequest) -> HttpResponse:
    tables = Addresses(lambda _, kind: reverse("datasets:list_table", args=[kind]))
    page = Paginator(datasets_of(request.team), LIST_PAGE).get_page(request.GET.get("page"))  # type: ignore[attr-defined]
    return render(request, "datasets/list.html", {"page": page, "tables": tables})


@require_safe
@team_required
def list_table(request: HttpRequest, kind: str) -> HttpResponse:
    """The list, to keep."""
    return kept(kept_tables.datasets(datasets_of(request.team)), kind, "data-sets")  # type: ignore[attr-defined]


def datasets_of(team: Team) -> QuerySet[Dataset]:
    """Newest first, without their reports, each with the `bytes` of its files."""
    rows = (
        Dataset.objects.filter(team=team)
        .defer("report")
        .annotate(bytes=Sum("files__size"))
        .select_related("created_by")
    )
    return rows.order_by("-created_at", "-pk")  # said aloud: the model's own order is dropped where rows are grouped


@require_http_methods(["GET", "POST"])
@editor_required
def upload(request: HttpRequest) -> HttpResponseBase:
    """The upload form. Our script asks for JSON, so that a refusal does not lose the files that were chosen; it sends
    large files ahead, in pieces, and names them as `received`."""
    wants_json = request.headers.get("accept", "").startswith("application/json")
    files = request.FILES
    try:
        received = received_files(request, request.POST.getlist("received"))
    except ValueError as error:
        return _refusal({"files": [str(error)]})
    if received:
        files = MultiValueDict({"files": received})
    form = UploadForm(request.POST, files) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        cleaned = form.cleaned_data
        try:
            dataset = Dataset.receive(
                team=request.team,  # type: ignore[attr-defined]
                user=request.user,
                name=cleaned["name"],
                files=cleaned["files"],
            )
        except UploadError as error:
            return _refusal({"files": [str(error)]})
        address = reverse("datasets:detail", args=[dataset.pk])
        return JsonResponse({"url": address}, status=201) if wants_json else redirect(address)
    if "files" in form.errors:
        forget(received)  # they are no data set, and never will be
    if form.is_bound and wants_json:
        return _refusal(form.errors)
    page_context = {
        "form": form,
        "max_upload": settings.EUSTRESS_MAX_UPLOAD,
        "under_way": Upload.under_way(request.team, request.user, Upload.Purpose.DATA),  # type: ignore[attr-defined]
    }
    return render(request, "datasets/new.html", page_context, status=422 if form.is_bound else 200)


@require_POST
@editor_required
def check(request: HttpRequest) -> HttpResponse:
    """Whether files that a script is about to send would be taken, as far as names, sizes and first bytes tell."""
    try:
        files = announced(request.POST.get("announced", ""))
    except ValueError:
        return _refusal({"files": ["These files could not be announced. Reload the page and try again."]})
    form = UploadForm(request.POST, MultiValueDict({"files": files}))
    return JsonResponse({}) if form.is_valid() else _refusal(form.errors)


def _refusal(errors: Mapping[str, Iterable[Any]]) -> JsonResponse:
    return JsonResponse(
        {"errors": {field: [str(error) for error in found] for field, found in errors.items()}}, status=422
    )


@require_safe
@team_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return page(request, get_object_or_404(request, Dataset, pk=pk))


def page(request: HttpRequest, dataset: Dataset, *, status: int = 200, **more: Any) -> HttpResponse:
    more.setdefault("rename_form", RenameForm(instance=dataset))
    return render(request, "datasets/detail.html", context(dataset) | more, status=status)


@require_safe
@team_required
def table(request: HttpRequest, pk: int, table: str, kind: str) -> HttpResponse:
    """A table of the data set's page, to keep."""
    dataset = get_object_or_404(request, Dataset, pk=pk)
    return kept(kept_tables.of_dataset(dataset, table), kind, f"{table}-data-set-{dataset.pk}")


@require_safe
@team_required
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """The page's changing part, polled while the data set is not settled."""
    return render(request, "datasets/_state.html", context(get_object_or_404(request, Dataset, pk=pk)))


@require_safe
@team_required
def sample(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One sample image. Made by our worker as PNG, and served as nothing else."""
    dataset = get_object_or_404(request, Dataset, pk=pk)
    samples = dataset.report.get("samples", [])
    name = samples[number]["file"] if number < len(samples) else ""
    if not dataset.owns(name) or not default_storage.exists(name):
        raise Http404("There is no such sample.")
    with default_storage.open(name) as file:
        response = HttpResponse(file.read(), content_type="image/png")
    response["Cache-Control"] = "private, max-age=3600"
    response["Content-Disposition"] = 'inline; filename="sample.png"'
    return response


@require_POST
@editor_required
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = get_object_or_404(request, Dataset, pk=pk)
    form = RenameForm(request.POST, instance=dataset)
    if not form.is_valid():
        dataset.refresh_from_db(fields=["name"])
        return page(request, dataset, rename_form=form, status=422)
    Dataset.objects.filter(pk=dataset.pk).update(name=form.cleaned_data["name"])  # a worker may be writing the rest
    return redirect("datasets:detail", dataset.pk)


@require_POST
@editor_required
def inspect_again(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = get_object_or_404(request, Dataset, pk=pk)
    dataset.inspect_again()
    return redirect("datasets:detail", dataset.pk)


@require_POST
@editor_required
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody agrees that the boxes which cannot be used are left out."""
    dataset = get_object_or_404(request, Dataset, pk=pk)
    dataset.accept(request.user)
    return redirect("datasets:detail", dataset.pk)


@require_POST
@editor_required
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = get_object_or_404(request, Dataset, pk=pk)
    try:
        dataset.delete_with_files()
    except ProtectedError:
        messages.error(request, f"{dataset} cannot be deleted while runs use it: delete those first.")
        return redirect("datasets:detail", dataset.pk)
    messages.success(request, f"{dataset} is deleted, its files too.")
    return redirect("datasets:list")
