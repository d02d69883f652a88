"""Static files: where they come from (ours and chosen files of npm packages), how they are stored and served."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.constants import WASM_UNSAFE_EVAL
from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

PREFIX = "vendor"
# A worker lives by the policy of its own file. This one alone may compile WebAssembly; no page may.
RUNS_WASM = re.compile(r"/static/js/devices/worker(\.[0-9a-f]+)?\.js").fullmatch


class NodeModulesFinder(BaseFinder):
    """Finds exactly the files named in NODE_MODULES_FILES, as `vendor/PACKAGE/FILE`; never a whole package."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        self.root = Path(settings.NODE_MODULES)
        self.storage = FileSystemStorage(location=self.root)
        self.storage.prefix = PREFIX  # type: ignore[attr-defined]  # collectstatic reads it
        super().__init__(*args, **kwargs)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        for name in settings.NODE_MODULES_FILES:
            if (self.root / name).is_file():
                yield name, self.storage

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        name = path.removeprefix(f"{PREFIX}/")
        found = name != path and name in settings.NODE_MODULES_FILES and (self.root / name).is_file()
        if not found:
            return []  # Django's own finders answer so too; it would take None for a match
        return [str(self.root / name)] if find_all else str(self.root / name)


class ManifestStorage(CompressedManifestStaticFilesStorage):
    """Names carry a hash of the content, in our ES modules' imports too, so that all may be cached for ever."""

    support_js_module_import_aggregation = True


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise, at home under ASGI too: it answers with bytes (static files are small) where the original's file
    responses would be gathered by Django with a warning, and costs async views no thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._answer(request)
        return super().__call__(request)

    async def _answer(self, request: HttpRequest) -> Any:
        if self.autorefresh:
            static_file = await asyncio.to_thread(self.find_file, request.path_info)
        else:
            static_file = self.files.get(request.path_info)
        if static_file is None:
            return await self.get_response(request)
        return await asyncio.to_thread(self.serve, static_file, request)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        answer = static_file.get_response(request.method, request.META)
        content = b""
        if answer.file is not None:
            with answer.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(answer.status))
        del response["Content-Type"]
        for key, value in answer.headers:
            response[key] = value
        if RUNS_WASM(request.path_info):
            response._csp_update = {"script-src": WASM_UNSAFE_EVAL}  # type: ignore[attr-defined]
        return response
