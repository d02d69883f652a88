"""The upload form, and what can be said about files without reading them whole."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from webapp.datasets.models import Dataset
from webapp.runs.templatetags.figures import size as in_words
from webapp.uploads.handlers import shown_name

PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
ARCHIVES = (".tar", ".tgz", ".tar.gz", ".7z", ".rar", ".tar.xz", ".tar.bz2")
KINDS = "a .zip of class folders or of pictures with boxes, an .npz file, or idx files"


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Several files; cleans to a list of them."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        one = super().clean
        files = list(data) if isinstance(data, (list, tuple)) else [data]
        return [one(file, initial) for file in files] if files else [one(None, initial)]


class UploadForm(forms.Form):
    """One data set: a zip, an .npz file, or idx files that belong together."""

    # A field may be called like the form's own attribute `files`: Django keeps declared fields apart.
    files = ManyFilesField(  # type: ignore[assignment]
        label="Files", error_messages={"required": "Choose the files of the data set."}
    )
    name = forms.CharField(label="Name", max_length=100, required=False, help_text="Empty: the file’s own name.")

    def clean_files(self) -> list[UploadedFile]:
        files: list[UploadedFile] = self.cleaned_data["files"]
        total = sum(file.size or 0 for file in files)
        if total > settings.EUSTRESS_MAX_UPLOAD:
            most = in_words(settings.EUSTRESS_MAX_UPLOAD)
            raise forms.ValidationError(f"The files are {in_words(total)} together; at most {most} are allowed.")
        kinds = {kind_of(file) for file in files}
        if len(kinds) > 1:
            raise forms.ValidationError("These files are of different kinds; a data set is " + KINDS + ".")
        if kinds != {"idx"} and len(files) > 1:
            raise forms.ValidationError("Give one .zip or .npz file at a time; only idx files come in several.")
        return files

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        files = cleaned.get("files")
        if files and not cleaned.get("name"):
            cleaned["name"] = name_from(files[0].name or "")
        return cleaned


class RenameForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Dataset
        fields = ("name",)


def kind_of(file: UploadedFile) -> str:
    """`zip`, `npz` or `idx`, judged by the first bytes; refuses by the file's name what can be none of them."""
    name = shown_name(file.name or "")
    lowered = name.lower()
    if not file.size:
        raise forms.ValidationError(f"{name} is empty.")
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    if head[:2] == b"PK":
        return "npz" if lowered.endswith(".npz") else "zip"
    if lowered.endswith(PICTURES):
        raise forms.ValidationError(
            f"{name} is a single picture: put pictures in one folder a class (or beside their boxes) and zip them."
        )
    if lowered.endswith(ARCHIVES):
        raise forms.ValidationError(f"{name} is an archive of another kind: make it a .zip.")
    if lowered.endswith((".zip", ".npz")):
        raise forms.ValidationError(f"{name} is not a whole {lowered[-4:]} file: its beginning is damaged.")
    if head[:2] == b"\x1f\x8b" or (head[:2] == b"\0\0" and head[2:3] in b"\x08\x09\x0b\x0c\x0d\x0e"):
        return "idx"
    raise forms.ValidationError(f"{name} is not of a kind that is read: give {KINDS}.")


def name_from(file_name: str) -> str:
    """A data set's name made of its first file's: `hand_signs.zip` -> `hand signs`."""
    stem = shown_name(file_name)
    for ending in (".gz", ".zip", ".npz"):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
    stem = PurePath(stem).name.replace("_", " ").strip(" .-")
    return stem[:100] or "Data set"
