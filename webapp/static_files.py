"""Where static files come from (ours and chosen files of npm packages) and how they are stored for serving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

PREFIX = "vendor"


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
        if find_all:
            return [str(self.root / name)] if found else []
        return str(self.root / name) if found else None


class ManifestStorage(CompressedManifestStaticFilesStorage):
    """Names carry a hash of the content, in our ES modules' imports too, so that all may be cached for ever."""

    support_js_module_import_aggregation = True
