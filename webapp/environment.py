"""Typed readers of environment variables. A bad value stops the start with one sentence that names the variable.

Every reader treats an empty value like an absent one, so that `PORT= make run` means the default.
All raise :class:`django.core.exceptions.ImproperlyConfigured`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

Value = TypeVar("Value")

# sun_path of a unix socket address holds 108 bytes on Linux, the closing zero included.
LONGEST_SOCKET_PATH = 107

_SIZES = {"": 1, "k": 1000, "kb": 1000, "m": 1000**2, "mb": 1000**2, "g": 1000**3, "gb": 1000**3, "t": 1000**4}
_SIZES |= {"tb": 1000**4, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4}


def read(name: str, default: Value, convert: Callable[[str], Value]) -> Value:
    """The variable's value after `convert`, whose ValueError says what is wrong with it."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return convert(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} {error}.") from None


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}, not {text!r}") from None
        if not minimum <= number <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}, not {number}")
        return number

    return read(name, default, convert)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def flag(name: str, default: bool) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

    def convert(text: str) -> bool:
        if text.lower() not in words:
            raise ValueError(f"must be 1 or 0, not {text!r}")
        return words[text.lower()]

    return read(name, default, convert)


def size(name: str, default: int) -> int:
    """Bytes, written as `500000000`, `500 MB` or `20GiB`."""

    def convert(text: str) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text)
        if match is None or match[2].lower() not in _SIZES:
            raise ValueError(f"must be a size such as 500 MB or 20 GB, not {text!r}")
        number = int(float(match[1]) * _SIZES[match[2].lower()])
        if number < 1:
            raise ValueError("must be more than nothing")
        return number

    return read(name, default, convert)


def networks(name: str, default: list[str]) -> list[str]:
    """Comma-separated IP addresses and networks, such as 10.0.0.7 or 172.16.0.0/12."""

    def convert(text: str) -> list[str]:
        found = [word.strip() for word in text.split(",") if word.strip()]
        for one in found:
            try:
                ip_network(one)
            except ValueError:
                raise ValueError(f"must be IP addresses or networks separated by commas, not {one!r}") from None
        return found

    return read(name, default, convert)


def hosts(name: str, default: list[str]) -> list[str]:
    """Comma-separated host names, without scheme, port or path; `*` allows any."""

    def convert(text: str) -> list[str]:
        names = [word.strip() for word in text.split(",") if word.strip()]
        for host in names:
            if not re.fullmatch(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", host):
                raise ValueError(f"must be host names separated by commas, without scheme or port, not {host!r}")
        return names

    return read(name, default, convert)


def address(name: str) -> str:
    """The address people type, such as https://eustress.example.org, without its final slash; "" when not set."""

    def convert(text: str) -> str:
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host, parts = None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(f"must be an address such as https://eustress.example.org, not {text!r}")
        return f"{parts.scheme}://{parts.netloc}"

    return read(name, "", convert)


def email(name: str) -> str:
    def convert(text: str) -> str:
        try:
            validate_email(text)
        except ValidationError:
            raise ValueError(f"must be an e-mail address, not {text!r}") from None
        return text.lower()

    return read(name, "", convert)


def folder(name: str, default: Path) -> Path:
    """An absolute folder, made (only for its owner's eyes) when it is not there and proven to be writable."""
    path = read(name, default, lambda text: Path(text).expanduser()).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ImproperlyConfigured(f"{name} must be a folder: {path} cannot be made ({error.strerror}).") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name} must be a folder that can be written to: {path} cannot.")
    return path


def url(name: str, default: str, schemes: tuple[str, ...]) -> str:
    """An address of a database or broker, with one of `schemes`. Errors never repeat the value: it holds passwords."""

    def convert(text: str) -> str:
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            raise ValueError("is not a valid address") from None
        if parts.scheme not in schemes:
            raise ValueError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in schemes)}")
        return text

    return read(name, default, convert)


def socket_path(folder: Path, name: str) -> Path:
    """`folder/name`, or a short stand-in below the temporary folder when that is too long for a unix socket.

    The stand-in is derived from the folder, so every process of one installation finds the same.
    """
    wanted = folder / name
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
        return wanted
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"eustress-{os.getuid()}-{digest}" / name


def secret_key(path: Path) -> str:
    """The installation's key, made at first start. Safe when several processes start at once: one wins, all read it."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # refuses to replace what another process has just made
        finally:
            draft.unlink()
    key = path.read_text().strip()
    if len(key) < 32:
        raise ImproperlyConfigured(
            f"EUSTRESS_HOME holds a damaged secret key: {path} is too short; restore or delete it."
        )
    return key
