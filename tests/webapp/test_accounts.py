"""Signing in and out, changing a password, lockout; the first owner and one-time sign-in links."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from webapp.teams.access import DATA
from webapp.teams.models import SignInLink, Team, User
from webapp.teams.owner import ensure_owner, first_owner_link, home_team, sign_in_link

PASSWORD = "correct-horse-battery"


def path_of(link: str) -> str:
    return link[link.index("/sign-in/") :]


def sign_in(client, email, password=PASSWORD, **more):
    return client.post("/sign-in/", {"login": email, "password": password, **more})


def test_signing_in_leads_to_the_runs_and_out_again(client, ada):
    assert client.get("/runs/").url == "/sign-in/?next=/runs/"
    response = sign_in(client, "Ada@Example.org")
    assert response.status_code == 302
    assert client.get("/", follow=True).redirect_chain == [("/runs/", 302)]
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/runs/").status_code == 302


def test_signing_in_goes_on_to_where_one_wanted_to_go_but_never_elsewhere(client, ada):
    assert sign_in(client, ada.email, next="/datasets/").url == "/datasets/"
    client.post("/sign-out/")
    assert sign_in(client, ada.email, next="https://evil.example/").url == "/"


def test_a_wrong_password_says_so_and_keeps_the_address(client, ada):
    response = sign_in(client, ada.email, "wrong")
    page = response.content.decode()
    assert response.status_code == 200
    assert 'value="ada@example.org"' in page
    assert "not correct" in page
    assert "wrong" not in page.replace("wrong password", "")
    # an unknown address gets the very same answer
    assert "not correct" in sign_in(client, "nobody@example.org", "wrong").content.decode()


def test_too_many_failures_lock_the_door_even_for_the_right_password(client, ada, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        response = sign_in(client, ada.email, "wrong")
    assert response.status_code == 429
    assert "Too many attempts" in response.content.decode()
    assert sign_in(client, "ADA@example.org").status_code == 429
    assert "_auth_user_id" not in client.session
    # another address from the same place is not locked out with her
    User.objects.create_user("ben@example.org", PASSWORD)
    assert sign_in(client, "ben@example.org").status_code == 302


@pytest.mark.parametrize(
    "headers", [{"x-requested-with": "fetch"}, {"hx-request": "true"}, *({"accept": kind} for kind in DATA)]
)
def test_a_script_is_told_where_to_sign_in_and_not_led_there(client, db, headers):
    response = client.get("/runs/", headers={"accept": "text/html", **headers})
    assert response.status_code == 401
    assert response["X-Sign-In"] == "/sign-in/"
    assert "HX-Redirect" not in response  # it would take what was typed with it


@pytest.mark.parametrize(
    ("sender", "way"),
    [
        ("http://testserver/datasets/1/?kind=csv#top", "/datasets/1/?kind=csv"),
        ("https://evil.example/datasets/1/", "/"),
        ("http://testserver//evil.example/", "/"),
        ("http://[", "/"),
        ("", "/"),
    ],
)
def test_who_sent_something_comes_back_to_where_she_sent_it_from(client, db, sender, way):
    """The address that it was sent to answers nothing but what is sent."""
    response = client.post("/datasets/1/delete/", headers={"referer": sender})
    assert response.url == f"/sign-in/?{urlencode({'next': way}, safe='/')}"


def test_nobody_signs_herself_up(client, db):
    page = client.get("/sign-up/").content.decode()
    assert "By invitation" in page
    client.post("/sign-up/", {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD})
    assert not User.objects.exists()


def test_a_password_is_changed_by_who_knows_the_old_one(client_of, ada):
    client = client_of(ada)
    new = {"password1": "another-long-phrase", "password2": "another-long-phrase"}
    assert client.post("/password/", {"oldpassword": "wrong", **new}).status_code == 200
    assert (
        client.post("/password/", {"oldpassword": PASSWORD, "password1": "short", "password2": "short"}).status_code
        == 200
    )
    assert client.post("/password/", {"oldpassword": PASSWORD, **new}).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password("another-long-phrase")
    assert client.get("/team/").status_code == 200  # still signed in


def test_a_closed_account_cannot_sign_in(client, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)
    sign_in(client, ada.email)
    assert "_auth_user_id" not in client.session


# -- the first owner


def test_the_environment_makes_the_first_owner_once(db):
    user, made = ensure_owner("boss@example.org", PASSWORD)
    assert made
    assert user.memberships.get().role == "owner"
    user.set_password("changed-by-herself")
    user.save()
    again, made = ensure_owner("BOSS@example.org", PASSWORD)
    assert not made
    assert again == user
    assert again.check_password("changed-by-herself")  # a restart does not undo it
    assert User.objects.count() == Team.objects.count() == 1


def test_the_first_owner_owns_the_team_that_the_demo_is_in(db):
    team = home_team()
    user, _ = ensure_owner("boss@example.org", PASSWORD)
    assert list(user.teams.all()) == [team] == [home_team()]


def test_ensure_owner_reads_the_settings(db, settings):
    out = StringIO()
    call_command("ensure_owner", stdout=out)
    assert "not set" in out.getvalue()
    settings.EUSTRESS_OWNER_EMAIL, settings.EUSTRESS_OWNER_PASSWORD = "boss@example.org", PASSWORD
    call_command("ensure_owner", stdout=out)
    assert User.objects.get().check_password(PASSWORD)
    assert PASSWORD not in out.getvalue()


def test_the_first_owner_comes_by_a_one_time_link(client, db):
    team = home_team()
    link = path_of(first_owner_link())
    assert client.get(link).status_code == 200
    assert client.get(link).status_code == 200  # looking spends nothing
    form = {"email": "Boss@example.org", "name": "Bo", "password": PASSWORD, "team": "Vision"}
    assert client.post(link, {**form, "password": "1234"}).status_code == 422
    assert client.post(link, form).status_code == 302
    user = User.objects.get()
    assert user.email == "boss@example.org"
    team.refresh_from_db()
    assert team.name == "Vision"
    assert team.memberships.get().user == user
    assert client.get("/team/").status_code == 200
    stranger = Client()
    assert stranger.get(link).status_code == 410
    assert stranger.post(link, {**form, "email": "second@example.org"}).status_code == 410
    assert User.objects.count() == 1


def test_a_first_owners_link_is_worth_nothing_once_there_is_an_owner(client, db):
    link = path_of(first_owner_link())
    ensure_owner("boss@example.org", PASSWORD)
    assert client.get(link).status_code == 410
    form = {"email": "x@example.org", "password": PASSWORD, "team": "X"}
    assert client.post(link, form).status_code == 410
    assert first_owner_link() is None


def test_only_the_newest_first_owners_link_works(client, db):
    old, new = path_of(first_owner_link()), path_of(first_owner_link())
    assert client.get(old).status_code == 410
    assert client.get(new).status_code == 200


def test_a_sign_in_link_signs_one_person_in_once(client, ada):
    link = path_of(sign_in_link(ada))
    token = link.removeprefix("/sign-in/").strip("/")
    assert not SignInLink.objects.filter(token_hash=token).exists()  # only its hash is kept
    page = client.get(link).content.decode()
    assert "ada@example.org" in page
    assert "_auth_user_id" not in client.session  # a previewer of links signs nobody in
    assert client.post(link).status_code == 302
    assert client.session["_auth_user_id"] == str(ada.pk)
    other = Client()
    assert other.get(link).status_code == 410
    assert other.post(link).status_code == 410
    assert "_auth_user_id" not in other.session


def test_a_sign_in_link_ends(client, ada):
    link = path_of(sign_in_link(ada))
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.post(link).status_code == 410
    assert client.post("/sign-in/never-was-one/").status_code == 410


def test_a_link_is_used_by_exactly_one_of_two_who_come_together(ada):
    link, _ = SignInLink.issue(user=ada)
    same = SignInLink.objects.get(pk=link.pk)
    assert [link.use(), same.use()] == [True, False]


def test_owner_link_prints_an_address(db, settings):
    settings.EUSTRESS_URL = "https://eustress.example.org"
    out = StringIO()
    call_command("owner_link", stdout=out)
    assert out.getvalue().startswith("https://eustress.example.org/sign-in/")
    user, _ = ensure_owner("boss@example.org", PASSWORD)
    out = StringIO()
    call_command("owner_link", stdout=out)
    assert SignInLink.objects.filter(user=user).exists()
    with pytest.raises(CommandError, match="no account for nobody@example"):
        call_command("owner_link", email="nobody@example.org")


def test_a_person_without_a_team_is_told_what_to_do(client_of, make_user):
    response = client_of(make_user("lone")).get("/runs/")
    assert response.status_code == 403
    assert "You are in no team" in response.content.decode()
