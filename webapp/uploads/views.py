"""tus 1.0.0 (https://tus.io/protocols/resumable-upload): creation, termination, expiration.

A file is announced (POST), sent in pieces (PATCH) and, after a broken connection, taken up again where it stood (HEAD
says where). Pieces are as small as any other form, so nothing large ever waits in memory, and a lost connection loses
one piece at most. An upload belongs to who began it: nobody else finds it, in her team or outside. It is for the team
that the address of its creation names (`?team=`), and stays so.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import http_date
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.teams.access import editor_required, get_object_or_404
from webapp.uploads.handlers import shown_name
from webapp.uploads.models import Upload, UploadError

VERSION = "1.0.0"
PIECE_TYPE = "application/offset+octet-stream"


def speaks_tus(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Says which version is spoken, refuses others, and makes plain answers of UploadErrors."""

    @wraps(view)
    def speaking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "OPTIONS" and request.headers.get("tus-resumable") != VERSION:
            response = HttpResponse("Only tus 1.0.0 is spoken here.", status=412, content_type="text/plain")
            response["Tus-Version"] = VERSION
        else:
            try:
                response = view(request, *args, **kwargs)
            except UploadError as error:
                response = HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
        response["Tus-Resumable"] = VERSION
        return response

    return speaking


@never_cache
@require_http_methods(["OPTIONS", "POST"])
@editor_required
@speaks_tus
def collection(request: HttpRequest) -> HttpResponse:
    """What is offered (OPTIONS), or a new upload (POST)."""
    if request.method == "OPTIONS":
        response = HttpResponse(status=204)
        response["Tus-Version"] = VERSION
        response["Tus-Extension"] = "creation,termination,expiration"
        response["Tus-Max-Size"] = str(settings.EUSTRESS_MAX_UPLOAD)
        return response
    size = _number(request, "upload-length")
    if size == 0:
        raise UploadError(400, "The file is empty.")
    told = _metadata(request.headers.get("upload-metadata", ""))
    modified = told.get("modified", "")
    purpose = told.get("purpose", Upload.Purpose.DATA)
    if purpose not in Upload.Purpose.values:
        raise UploadError(400, f"purpose in Upload-Metadata must be one of {', '.join(Upload.Purpose.values)}.")
    upload = Upload.begin(
        team=request.team,  # type: ignore[attr-defined]
        user=request.user,
        name=shown_name(told.get("filename", "")),
        size=size,
        modified=int(modified) if modified.isascii() and modified.isdigit() and len(modified) < 17 else 0,
        purpose=purpose,
    )
    response = HttpResponse(status=201)
    response["Location"] = reverse("uploads:one", args=[upload.pk])
    response["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    return response


@never_cache
@editor_required
def one(request: HttpRequest, pk: Any) -> HttpResponse:
    """How far an upload is (HEAD), its next piece (PATCH), or its end (DELETE)."""
    return _answer(request, _own(request, pk))


@speaks_tus
def _answer(request: HttpRequest, upload: Upload) -> HttpResponse:
    if request.method == "DELETE":
        upload.forget()
        return HttpResponse(status=204)
    if request.method == "HEAD":
        response = HttpResponse(status=200)
        offset = upload.offset
        response["Upload-Length"] = str(upload.size)
    elif request.method == "PATCH":
        if request.content_type != PIECE_TYPE:
            raise UploadError(415, f"A piece is sent as {PIECE_TYPE}.")
        length = request.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise UploadError(411, "A piece says how long it is.")
        offset = upload.append(request, _number(request, "upload-offset"), int(length))
        response = HttpResponse(status=204)
    else:
        return HttpResponse(status=405, headers={"Allow": "DELETE, HEAD, PATCH"})
    response["Upload-Offset"] = str(offset)
    response["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    return response


@never_cache
@require_safe
@editor_required
def mine(request: HttpRequest) -> JsonResponse:
    """What the person has on its way for her team: by it a script knows a file again and goes on where it stood."""
    rows = Upload.under_way(request.team, request.user)  # type: ignore[attr-defined]
    told = [
        {"url": reverse("uploads:one", args=[one.pk]), "name": one.name, "size": one.size, "modified": one.modified}
        for one in rows
    ]
    return JsonResponse({"uploads": told})


@require_POST
@editor_required
def forget(request: HttpRequest, pk: Any) -> HttpResponse:
    """The button beside what was broken off, on the page that it was begun for."""
    upload = _own(request, pk)
    upload.forget()
    messages.success(request, f"{upload.name} is forgotten.")
    return redirect("runs:bases" if upload.purpose == Upload.Purpose.BASE else "datasets:new")


def _own(request: HttpRequest, pk: Any) -> Upload:
    """The person's own upload, whichever of her teams it is for."""
    return get_object_or_404(request, Upload, pk=pk, created_by=request.user)


def _number(request: HttpRequest, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UploadError(400, f"{header.title()} must be a whole number.")
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """`key base64, key base64`, as tus writes it."""
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise UploadError(400, "Upload-Metadata must be pairs of a key and base64.") from None
    return found
