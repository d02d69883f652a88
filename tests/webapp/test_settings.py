"""Settings come from the environment; a bad value stops the start with one sentence that names the variable."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from webapp import environment

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh process, as a start is: settings are read once."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**kept, "EUSTRESS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "webapp.settings", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def settings(home: Path, *names: str, **variables: str) -> dict[str, object]:
    code = f"import json, webapp.settings as s; print(json.dumps({{n: getattr(s, n) for n in {names!r}}}, default=str))"
    done = python(code, home, **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "http", "whole number"),
        ("PORT", "70000", "65535"),
        ("EUSTRESS_WORKERS", "0", "from 1 to"),
        ("EUSTRESS_DEMO", "perhaps", "1 or 0"),
        ("EUSTRESS_MAX_UPLOAD", "much", "500 MB"),
        ("EUSTRESS_MAX_UPLOAD", "0", "more than nothing"),
        ("EUSTRESS_URL", "eustress.example.org", "https://"),
        ("EUSTRESS_URL", "https://example.org/below", "https://"),
        ("EUSTRESS_ALLOWED_HOSTS", "http://example.org", "without scheme"),
        ("EUSTRESS_PROXIES", "10.0.0.0/8, proxy.local", "IP addresses"),
        ("EUSTRESS_OWNER_EMAIL", "ada", "e-mail address"),
        ("DATABASE_URL", "oracle://who:secret-word@host/x", "must begin with"),
        ("REDIS_URL", "http://:secret-word@host", "must begin with"),
        ("REDIS_URL", "redis://host:port", "not a valid address"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch, name, value, words):
    readers = {
        "PORT": lambda: environment.integer("PORT", 8000, minimum=0, maximum=65535),
        "EUSTRESS_WORKERS": lambda: environment.integer("EUSTRESS_WORKERS", 1, minimum=1, maximum=256),
        "EUSTRESS_DEMO": lambda: environment.flag("EUSTRESS_DEMO", True),
        "EUSTRESS_MAX_UPLOAD": lambda: environment.size("EUSTRESS_MAX_UPLOAD", 1),
        "EUSTRESS_URL": lambda: environment.address("EUSTRESS_URL"),
        "EUSTRESS_ALLOWED_HOSTS": lambda: environment.hosts("EUSTRESS_ALLOWED_HOSTS", []),
        "EUSTRESS_PROXIES": lambda: environment.networks("EUSTRESS_PROXIES", []),
        "EUSTRESS_OWNER_EMAIL": lambda: environment.email("EUSTRESS_OWNER_EMAIL"),
        "DATABASE_URL": lambda: environment.url("DATABASE_URL", "", ("sqlite", "postgres")),
        "REDIS_URL": lambda: environment.url("REDIS_URL", "", ("redis", "unix")),
    }
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as refused:
        readers[name]()
    sentence = str(refused.value)
    assert sentence.startswith(name + " ")
    assert words in sentence
    assert sentence.endswith(".")
    assert "secret-word" not in sentence  # addresses hold passwords


def test_an_empty_value_is_an_absent_one(monkeypatch):
    monkeypatch.setenv("PORT", "  ")
    assert environment.integer("PORT", 8000, minimum=0, maximum=65535) == 8000


@pytest.mark.parametrize(("text", "size"), [("500 MB", 500_000_000), ("20GiB", 20 * 1024**3), ("1.5k", 1500), ("7", 7)])
def test_sizes_are_read_with_their_units(monkeypatch, text, size):
    monkeypatch.setenv("EUSTRESS_MAX_UPLOAD", text)
    assert environment.size("EUSTRESS_MAX_UPLOAD", 1) == size


def test_a_start_with_a_bad_value_ends_in_one_sentence_and_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "EUSTRESS_HOME": str(tmp_path), "PORT": "http", "DJANGO_SETTINGS_MODULE": "webapp.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("eustress: PORT must be a whole number")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_owner_address_and_password_come_together_or_not_at_all(tmp_path):
    done = python("import webapp.settings", tmp_path, EUSTRESS_OWNER_EMAIL="ada@example.org")
    assert "EUSTRESS_OWNER_EMAIL and EUSTRESS_OWNER_PASSWORD must be set together" in done.stderr


def test_a_home_that_cannot_be_made_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EUSTRESS_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(ImproperlyConfigured, match="EUSTRESS_HOME must be a folder"):
        environment.folder("EUSTRESS_HOME", tmp_path)


def test_the_defaults_need_nothing_but_a_home(tmp_path):
    found = settings(
        tmp_path, "DATABASES", "REDIS_URL", "CELERY_BROKER_URL", "SESSION_COOKIE_SECURE", "ALLOWED_HOSTS", "DEBUG"
    )
    database = found["DATABASES"]["default"]
    assert database["NAME"] == str(tmp_path / "database.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]
    assert database["OPTIONS"]["timeout"] >= 5
    assert found["CELERY_BROKER_URL"] == found["REDIS_URL"].replace("unix://", "redis+socket://")
    assert "localhost" in found["ALLOWED_HOSTS"]
    assert "*" not in found["ALLOWED_HOSTS"]
    assert found["SESSION_COOKIE_SECURE"] is False
    assert found["DEBUG"] is False


def test_an_https_address_makes_cookies_secure_and_its_host_known(tmp_path):
    found = settings(
        tmp_path,
        *(
            "SESSION_COOKIE_SECURE",
            "CSRF_COOKIE_SECURE",
            "CSRF_TRUSTED_ORIGINS",
            "ALLOWED_HOSTS",
            "SECURE_HSTS_SECONDS",
        ),
        EUSTRESS_URL="https://eustress.example.org/",
    )
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://eustress.example.org"]
    assert "eustress.example.org" in found["ALLOWED_HOSTS"]
    assert found["SECURE_HSTS_SECONDS"] > 0


def test_another_redis_and_another_database_are_taken_as_given(tmp_path):
    found = settings(
        tmp_path,
        *("REDIS_URL", "REDIS_SOCKET", "DATABASES"),
        REDIS_URL="redis://queue:6379/2",
        DATABASE_URL="postgres://ada:pw@db:5432/eustress",
    )
    assert found["REDIS_URL"] == "redis://queue:6379/2"
    assert found["REDIS_SOCKET"] is None
    assert found["DATABASES"]["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert (
        "OPTIONS" not in found["DATABASES"]["default"]
        or "transaction_mode" not in found["DATABASES"]["default"]["OPTIONS"]
    )


def test_a_long_home_gets_a_short_socket_the_same_each_time(tmp_path):
    short = environment.socket_path(Path("/srv/eustress/redis"), "redis.sock")
    assert short == Path("/srv/eustress/redis/redis.sock")
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    first, second = environment.socket_path(deep, "redis.sock"), environment.socket_path(deep, "redis.sock")
    other = environment.socket_path(deep / "z", "redis.sock")
    assert first == second != other
    assert len(os.fsencode(first)) <= environment.LONGEST_SOCKET_PATH


def test_the_secret_key_is_made_once_and_is_nobody_elses(tmp_path):
    path = tmp_path / "secret-key"
    first = environment.secret_key(path)
    assert environment.secret_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) >= 50


def test_many_first_starts_at_once_agree_on_one_key(tmp_path):
    path, keys, barrier = tmp_path / "secret-key", set(), threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        keys.add(environment.secret_key(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["secret-key"]  # no drafts are left


def test_a_damaged_secret_key_is_refused(tmp_path):
    (tmp_path / "secret-key").write_text("short")
    with pytest.raises(ImproperlyConfigured, match="EUSTRESS_HOME holds a damaged secret key"):
        environment.secret_key(tmp_path / "secret-key")


def test_npm_packages_are_pinned_and_their_lock_names_no_registry():
    package = json.loads((ROOT / "package.json").read_text())
    assert all(version[0].isdigit() for version in package["dependencies"].values())
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    assert lock["packages"][""]["dependencies"] == package["dependencies"]


def test_every_npm_file_is_loaded_by_a_page(settings):
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    for name in settings.NODE_MODULES_FILES:
        assert f"vendor/{name.removesuffix('.map')}" in pages, name


def test_static_files_build_with_hashed_names_and_only_the_npm_files_we_chose(tmp_path, settings):
    from django.core.management import call_command

    if not (Path(settings.NODE_MODULES) / "bootstrap").exists():
        pytest.skip("the npm packages are not installed: make setup")
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "webapp.static_files.ManifestStorage"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    paths = json.loads((tmp_path / "static" / "staticfiles.json").read_text())["paths"]
    for name in settings.NODE_MODULES_FILES:
        assert f"vendor/{name}" in paths, name
    assert {"css/eustress.css", "js/app.js", "js/theme.js"} <= set(paths)
    assert len([name for name in paths if name.startswith("vendor/")]) == len(settings.NODE_MODULES_FILES)
    assert paths["css/eustress.css"] != "css/eustress.css"
    # our modules import each other by their hashed names
    for name, hashed in paths.items():
        if name.startswith("js/"):
            text = (tmp_path / "static" / hashed).read_text()
            for other, other_hashed in paths.items():
                if f'from "./{Path(other).name}"' in text and other.startswith("js/"):
                    pytest.fail(f"{name} still imports {other}, not {other_hashed}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_static_files_are_served_under_asgi_whole_typed_and_cached(method):
    import asyncio

    from django.test import AsyncClient

    async def ask(**headers: str):
        return await AsyncClient().generic(method, "/static/css/eustress.css", headers=headers)

    response = asyncio.run(ask())
    text = (ROOT / "webapp" / "static" / "css" / "eustress.css").read_bytes()
    assert response.status_code == 200
    assert response["Content-Type"] == 'text/css; charset="utf-8"'
    assert response["Content-Length"] == str(len(text))
    assert response.content == (text if method == "GET" else b"")
    assert asyncio.run(ask(**{"if-none-match": response["ETag"]})).status_code == 304
    if method == "GET":
        part = asyncio.run(ask(range="bytes=0-9"))
        assert (part.status_code, part.content) == (206, text[:10])


def test_the_readme_documents_every_variable_that_is_read_and_no_other():
    read = set(re.findall(r'environment\.\w+\(\s*"([A-Z_]+)"', (ROOT / "webapp" / "settings.py").read_text()))
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == read
    assert len(read) == 14
