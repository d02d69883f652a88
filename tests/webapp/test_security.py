"""What protects every page: the content policy, cookies, forms' tokens, and bodies that are too large."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client, RequestFactory

from tests.webapp.test_isolation import ALL, address, one_of_everything
from webapp.body_limit import SMALL, BodyLimit
from webapp.teams.owner import sign_in_link

PASSWORD = "correct-horse-battery"


class Inline(HTMLParser):
    """Collects whatever a strict content policy would block, and unlabelled fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in values and values.get("type") != "application/json"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")):
                self.found.append(f"<{tag} {name}>")
            if name in ("href", "src", "action", "formaction") and (value or "").strip().lower().startswith(
                "javascript:"
            ):
                self.found.append(f"<{tag} {name}=javascript:>")
            if name in ("src", "href", "action") and (value or "").startswith(("http:", "https:", "//")):
                found_here = tag in ("script", "link", "img", "form")
                if found_here and not (value or "").startswith("http://testserver/"):
                    self.found.append(f"<{tag} {name}={value}>")


def inline(page: str) -> list[str]:
    parser = Inline()
    parser.feed(page)
    return parser.found


@pytest.fixture
def world(team, ada):
    return one_of_everything(team, ada)


def pages(client: Any, world: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every page that can be looked at, by name, as this client gets it."""
    found = []
    for route in ALL:
        if route.path.startswith("s/") or "token" in route.parameters:
            continue
        response = client.get(address(route, world))
        if response.get("Content-Type", "").startswith("text/html") and response.status_code == 200:
            found.append((route.name, response))
    return found


def test_no_page_holds_anything_inline_and_each_carries_the_policy(client_of, client, ada, world):
    token = world["link"].token
    found = pages(client_of(ada), world)
    assert len(found) >= 12
    addresses = [
        "/sign-in/",
        "/sign-up/",
        f"/join/{world['join']}/",
        "/join/never/",
        sign_in_link(ada).partition("localhost:8000")[2],
        f"/s/{token}/",
        f"/s/{token}/log/",
        f"/s/{token}/networks/2-1/",
        "/s/1-nothing/",
        "/nowhere/",
    ]
    found += [(path, client.get(path)) for path in addresses]
    member = client_of(ada)
    found.append(("refused upload", member.post("/datasets/new/", {"name": "x"})))
    found.append(("refused invitation", member.post("/team/invitations/", {"email": "x"})))
    found.append(("invitation", member.post("/team/invitations/", {"email": "y@example.org", "role": "viewer"})))
    for name, response in found:
        assert inline(response.content.decode()) == [], name
        assert policy(response)["script-src"] == {"'self'"}, name
        assert policy(response)["style-src"] == {"'self'"}, name


def policy(response: Any) -> dict[str, set[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split(";") if part.strip()]
    return {words[0]: set(words[1:]) for words in parts}


def test_the_policy_is_strict(client, db):
    found = policy(client.get("/sign-in/"))
    assert found["default-src"] == {"'self'"}
    assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == {"'none'"}
    assert found["form-action"] == {"'self'"}
    everything = set().union(*found.values())
    assert not {word for word in everything if word.startswith("'unsafe") or word in ("*", "https:", "http:", "blob:")}


def test_every_answer_forbids_guessing_framing_and_telling_others_where_one_came_from(client, db):
    response = client.get("/sign-in/")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


def test_cookies_are_kept_from_scripts_and_other_sites(client, ada):
    client.get("/sign-in/")
    client.post("/sign-in/", {"login": ada.email, "password": PASSWORD})
    for name in ("eustress_session", "eustress_csrf"):
        cookie = client.cookies[name]
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name


def test_signing_in_renews_the_session(client, ada):
    client.get("/sign-in/")
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    client.cookies["eustress_session"] = before
    client.post("/sign-in/", {"login": ada.email, "password": PASSWORD})
    assert client.session.session_key != before


def test_forms_without_their_token_change_nothing_and_get_a_page_that_explains(ada, team):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    for path in ("/team/rename/", "/team/leave/", "/datasets/new/", "/runs/new/", "/sign-out/"):
        response = client.post(path, {"name": "Taken"})
        assert response.status_code == 403, path
        assert "too old" in response.content.decode()
        assert inline(response.content.decode()) == []
    team.refresh_from_db()
    assert team.name == "Pyramid"


def test_error_pages_are_in_the_house_look_and_tell_nothing(client_of, ada, settings):
    from django.views import defaults

    from webapp import errors

    request = RequestFactory().get("/")
    answers = {
        404: client_of(ada).get("/nowhere/"),
        403: defaults.permission_denied(request, Exception("secret")),
        500: defaults.server_error(request),
        400: errors.bad_request(request, Exception("secret")),
    }
    for status, response in answers.items():
        page = response.content.decode()
        assert response.status_code == status
        assert "css/eustress" in page
        assert "secret" not in page
        assert inline(page) == []


def test_an_unknown_host_is_refused_with_a_way_out(client, db):
    response = client.get("/sign-in/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "EUSTRESS_ALLOWED_HOSTS" in response.content.decode()


# -- bodies


@pytest.fixture
def session(transactional_db, client_of, ada) -> str:
    """The key of a session in which somebody is signed in; the guard reads it in a thread of its own."""
    return str(client_of(ada).session.session_key)


def ask(
    path: str, *, length: int | None = None, chunks: int = 0, session: str = "", method: str = "POST"
) -> tuple[int, int]:
    """Sends a request through the guard; its status, and how many bytes the application behind it got to see."""
    seen = 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        while True:
            message = await receive()
            seen += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    left = chunks

    async def receive() -> Any:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": b"x" * 1_000_000 if chunks else b"", "more_body": left > 0}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", str(length).encode())] if length is not None else []
    headers += [(b"cookie", f"eustress_csrf=x; eustress_session={session}".encode())] if session else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(BodyLimit(application)(scope, receive, send))
    return sent[0]["status"], seen


def test_a_body_that_announces_too_much_is_refused_before_it_is_read(settings, session):
    settings.EUSTRESS_MAX_UPLOAD = 50_000_000
    assert ask("/datasets/new/", length=60_000_000, session=session) == (413, 0)
    assert ask("/datasets/new/", length=40_000_000, session=session)[0] == 200


def test_a_body_that_announces_nothing_is_stopped_at_the_limit(settings, session):
    settings.EUSTRESS_MAX_UPLOAD = 15_000_000
    status, seen = ask("/datasets/new/", chunks=40, session=session)
    assert status == 413
    assert seen <= 17_000_000
    assert ask("/datasets/new/", chunks=12, session=session) == (200, 12_000_000)


def test_strangers_and_other_addresses_may_send_only_a_little(session):
    assert ask("/datasets/new/", length=SMALL + 1)[0] == 401
    assert ask("/datasets/new/", length=SMALL + 1, session="abcdefgh" * 4)[0] == 401  # a made-up cookie opens nothing
    assert ask("/datasets/new/", chunks=12, session="abcdefgh" * 4)[0] == 401
    assert ask("/team/rename/", length=SMALL + 1, session=session)[0] == 413
    assert ask("/sign-in/", length=SMALL, session=session)[0] == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_method_goes_round_the_limit(method, session):
    assert ask("/sign-in/", chunks=12, method=method)[0] == 413
    assert ask("/datasets/new/", length=SMALL + 1, session=session, method=method) == (401, 0)
    assert ask("/datasets/", method=method) == (200, 0)


def test_a_body_that_the_disk_could_not_hold_is_refused(settings, monkeypatch, session):
    import collections

    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr("webapp.body_limit.shutil.disk_usage", lambda path: usage(100, 80, 20_000_000))
    assert ask("/datasets/new/", length=19_000_000, session=session) == (507, 0)


def test_a_body_waits_on_the_disk_that_was_asked_for_room(settings, monkeypatch):
    import importlib
    import tempfile

    import webapp.asgi

    monkeypatch.setattr(tempfile, "tempdir", None)
    importlib.reload(webapp.asgi)
    assert tempfile.gettempdir() == str(settings.FILE_UPLOAD_TEMP_DIR)


def test_large_uploads_go_to_disk_not_to_memory(settings):
    assert settings.FILE_UPLOAD_HANDLERS == ["webapp.uploads.handlers.HashingUploadHandler"]
    from django.core.files.uploadhandler import TemporaryFileUploadHandler

    from webapp.uploads.handlers import HashingUploadHandler

    assert issubclass(HashingUploadHandler, TemporaryFileUploadHandler)
