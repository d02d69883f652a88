"""The team page: members, roles, invitations, several teams; and what each role may not do."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from webapp.teams.models import Invitation, Membership, Team, User, hashed

PASSWORD = "correct-horse-battery"


def invite(client, email="new@example.org", role="editor"):
    """Makes an invitation as the page does; returns the response and the link's path."""
    response = client.post("/team/invitations/", {"email": email, "role": role})
    found = re.search(r'value="http://[^/]+(/join/[^"]+)"', response.content.decode())
    return response, found.group(1) if found else None


def test_the_page_lists_members_with_their_roles(client_of, ada, eve, vic, olga):
    page = client_of(vic).get("/team/").content.decode()
    for person in (ada, eve, vic):
        assert person.email in page
    assert olga.email not in page
    assert "Make an invitation link" not in page  # a viewer runs nothing
    assert "Make an invitation link" in client_of(ada).get("/team/").content.decode()


def test_an_invitation_link_is_shown_once_and_stored_only_as_a_hash(client_of, ada):
    client = client_of(ada)
    response, link = invite(client)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    token = link.removeprefix("/join/").strip("/")
    row = Invitation.objects.get()
    assert row.token_hash == hashed(token) != token
    assert (row.email, row.role, row.created_by) == ("new@example.org", "editor", ada)
    assert token not in client.get("/team/").content.decode()


def test_a_new_colleague_makes_an_account_and_is_in_the_team(client, client_of, ada, team):
    _, link = invite(client_of(ada), role="viewer")
    page = client.get(link).content.decode()
    assert "Join Pyramid" in page
    assert "new@example.org" in page
    response = client.post(link, {"name": "Nia", "password": PASSWORD, "email": "evil@example.org"})
    assert response.status_code == 302
    user = User.objects.get(email="new@example.org")  # the address is the invitation's, whatever was sent
    assert user.check_password(PASSWORD)
    assert user.memberships.get().role == "viewer"
    assert client.get("/team/").status_code == 200  # signed in
    assert not User.objects.filter(email="evil@example.org").exists()


def test_an_invitation_works_once(client_of, client, ada):
    from django.test import Client

    _, link = invite(client_of(ada))
    client.post(link, {"password": PASSWORD})
    again = Client().get(link)
    assert again.status_code == 410
    assert Client().post(link, {"password": PASSWORD}).status_code == 410
    assert User.objects.filter(email="new@example.org").count() == 1


def test_an_invitation_accepted_by_a_double_click_makes_one_account(client_of, client, ada, team, monkeypatch):
    from django.test import Client

    from webapp.teams.forms import AccountForm

    _, link = invite(client_of(ada))
    checked = AccountForm.is_valid
    answers = []

    def is_valid(form):
        fine = checked(form)
        if fine and not answers:
            answers.append(None)
            answers[0] = Client().post(link, {"name": "Nia", "password": PASSWORD}).status_code
        return fine

    monkeypatch.setattr(AccountForm, "is_valid", is_valid)
    late = client.post(link, {"name": "Nia", "password": PASSWORD})
    assert (answers, late.status_code) == ([302], 410)
    assert team.memberships.filter(user__email="new@example.org").count() == 1


def test_an_invitation_ends(client_of, client, ada):
    _, link = invite(client_of(ada))
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(link).status_code == 410
    assert client.post(link, {"password": PASSWORD}).status_code == 410
    assert not User.objects.filter(email="new@example.org").exists()


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(hours=35), "35 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=20), "less than an hour"),
    ],
)
def test_how_long_a_link_stays_open_is_said_without_a_clock(client_of, ada, left, words):
    """A day or hour would be that of the server's clock, which is nobody's."""
    client = client_of(ada)
    response, _ = invite(client)
    assert re.search(r"works once, and for <time [^>]*>7 days</time>", response.content.decode())
    Invitation.objects.update(expires_at=timezone.now() + left)
    assert re.search(rf"link open for <time [^>]*>{words}</time> more", client.get("/team/").content.decode())


def test_a_withdrawn_invitation_opens_nothing(client_of, client, ada):
    boss = client_of(ada)
    _, link = invite(boss)
    assert boss.post(f"/team/invitations/{Invitation.objects.get().pk}/withdraw/").status_code == 302
    assert client.get(link).status_code == 410


def test_a_newer_invitation_replaces_the_older_one(client_of, client, ada):
    boss = client_of(ada)
    _, old = invite(boss)
    _, new = invite(boss, role="viewer")
    assert client.get(old).status_code == 410
    assert client.get(new).status_code == 200
    assert Invitation.objects.count() == 1


def test_a_person_with_an_account_joins_by_signing_in(client_of, client, ada, olga, team):
    _, link = invite(client_of(ada), email=olga.email.upper())
    assert "/sign-in/?next=/join/" in client.get(link).content.decode()
    assert client.post(link, {"password": PASSWORD}).status_code == 200  # no account is made beside hers
    theirs = client_of(olga)
    assert theirs.post(link).status_code == 302
    assert set(olga.teams.values_list("name", flat=True)) == {"Pyramid", "Quarry"}


def test_somebody_else_cannot_take_an_invitation(client_of, ada, olga, team):
    _, link = invite(client_of(ada), email="new@example.org")
    assert client_of(olga).post(link, {"password": PASSWORD}).status_code == 200
    assert not team.memberships.filter(user=olga).exists()
    assert Invitation.objects.get().is_open


def test_an_invitation_never_changes_the_role_of_a_member(ada, team):
    invitation, _ = Invitation.issue(team=team, email=ada.email, role="viewer")
    assert invitation.accept(ada).role == "owner"


def test_a_member_is_not_invited_again(client_of, ada, eve):
    response, link = invite(client_of(ada), email=eve.email)
    assert response.status_code == 422
    assert link is None
    page = response.content.decode()
    assert "already in this team" in page
    assert f'value="{eve.email}"' in page  # what was typed is kept


@pytest.mark.parametrize("person", ["eve", "vic"])
def test_who_does_not_run_the_team_cannot_change_it(request, client_of, ada, team, person):
    user = request.getfixturevalue(person)
    client = client_of(user)
    invitation, _ = Invitation.issue(team=team, email="new@example.org")
    owner = team.memberships.get(user=ada)
    assert invite(client)[0].status_code == 403
    assert client.post("/team/rename/", {"name": "Mine"}).status_code == 403
    assert client.post(f"/team/members/{owner.pk}/remove/").status_code == 403
    assert client.post(f"/team/members/{owner.pk}/role/", {"role": "viewer"}).status_code == 403
    assert client.post(f"/team/invitations/{invitation.pk}/withdraw/").status_code == 403
    team.refresh_from_db()
    assert team.name == "Pyramid"
    assert Invitation.objects.count() == 1


def test_an_admin_runs_the_team_but_does_not_touch_owners_nor_make_them(client_of, join, ada, eve, team):
    max_ = join("max", team, "admin")
    client = client_of(max_)
    owner, editor = team.memberships.get(user=ada), team.memberships.get(user=eve)
    assert invite(client, role="owner")[0].status_code == 422
    assert invite(client, role="admin")[0].status_code == 200
    assert client.post(f"/team/members/{owner.pk}/remove/").status_code == 403
    assert client.post(f"/team/members/{owner.pk}/role/", {"role": "viewer"}).status_code == 403
    assert client.post(f"/team/members/{editor.pk}/role/", {"role": "owner"}).status_code == 403
    assert client.post(f"/team/members/{editor.pk}/role/", {"role": "viewer"}).status_code == 302
    editor.refresh_from_db()
    assert editor.role == "viewer"
    assert client.post(f"/team/members/{editor.pk}/remove/").status_code == 302
    assert not team.memberships.filter(user=eve).exists()


@pytest.mark.parametrize("way", ["removed", "made a viewer", "left"])
def test_who_goes_does_not_come_back_by_her_own_link(client_of, client, ada, join, team, way):
    admin = join("adam", team, "admin")
    _, link = invite(client_of(admin), "second@example.org", "admin")
    _, kept = invite(client_of(ada), "third@example.org", "viewer")
    member = Membership.objects.get(user=admin)
    if way == "left":
        client_of(admin).post("/team/leave/")
    elif way == "removed":
        page = client_of(ada).post(f"/team/members/{member.pk}/remove/", follow=True).content.decode()
        assert "1 link." in page
    else:
        client_of(ada).post(f"/team/members/{member.pk}/role/", {"role": "viewer"})
    assert client.get(link).status_code == client.get("/join/nothing/").status_code
    assert Invitation.pending(team).get().email == "third@example.org"
    assert client.get(kept).status_code == 200


def test_a_demoted_owner_keeps_the_links_that_she_may_still_give(client_of, ada, join, team):
    olga = join("ozzy", team, "owner")
    for role in ("owner", "editor"):
        invite(client_of(olga), f"{role}@example.com", role)
    client_of(ada).post(f"/team/members/{Membership.objects.get(user=olga).pk}/role/", {"role": "admin"})
    assert [one.role for one in Invitation.pending(team)] == ["editor"]


def test_nobody_changes_her_own_role_or_another_teams_members(client_of, ada, olga, team, other_team):
    client = client_of(ada)
    mine, theirs = team.memberships.get(user=ada), other_team.memberships.get(user=olga)
    assert client.post(f"/team/members/{mine.pk}/role/", {"role": "viewer"}).status_code == 403
    assert client.post(f"/team/members/{theirs.pk}/role/", {"role": "viewer"}).status_code == 404
    assert client.post(f"/team/members/{theirs.pk}/remove/").status_code == 404
    assert client.post(f"/team/members/{mine.pk}/role/", {"role": "emperor"}).status_code == 403


@pytest.mark.parametrize("action", ["role", "remove"])
def test_two_owners_who_unmake_each_other_leave_one(client_of, ada, eve, team, monkeypatch, action):
    from webapp.teams import views

    team.memberships.filter(user=eve).update(role="owner")
    hers = team.memberships.get(user=eve)
    found = views.get_object_or_404

    def while_the_other_is_quicker(*args, **kwargs):
        row = found(*args, **kwargs)
        team.memberships.filter(user=ada).update(role="editor")
        return row

    monkeypatch.setattr(views, "get_object_or_404", while_the_other_is_quicker)
    assert client_of(ada).post(f"/team/members/{hers.pk}/{action}/", {"role": "viewer"}).status_code == 403
    assert team.memberships.filter(role="owner").count() == 1


def test_the_last_owner_stays(client_of, ada, eve, team):
    client = client_of(ada)
    response = client.post("/team/leave/", follow=True)
    assert "only owner" in response.content.decode()
    assert team.memberships.filter(user=ada).exists()
    team.memberships.filter(user=eve).update(role="owner")
    client.post("/team/leave/")
    assert not team.memberships.filter(user=ada).exists()


def test_a_member_leaves_and_sees_the_team_no_more(client_of, vic, run):
    client = client_of(vic)
    assert client.get(f"/runs/{run.pk}/").status_code == 200
    client.post("/team/leave/")
    assert client.get(f"/runs/{run.pk}/").status_code in (403, 404)
    assert "You are in no team" in client.get("/team/").content.decode()


def test_renaming_keeps_what_was_typed_when_it_is_refused(client_of, ada, team):
    client = client_of(ada)
    assert client.post("/team/rename/", {"name": "Sphinx"}).status_code == 302
    response = client.post("/team/rename/", {"name": "x" * 101})
    assert response.status_code == 422
    assert "x" * 101 in response.content.decode()
    team.refresh_from_db()
    assert team.name == "Sphinx"


def test_anybody_may_found_a_team_and_switch_between_her_own(client_of, vic, team, dataset):
    client = client_of(vic)
    client.post("/team/new/", {"name": "Solo"})
    solo = Team.objects.get(name="Solo")
    assert solo.memberships.get().role == "owner"
    assert "Hand signs" not in client.get("/datasets/").content.decode()  # now in Solo
    client.post("/team/switch/", {"team": team.pk})
    assert "Hand signs" in client.get("/datasets/").content.decode()


def test_nobody_switches_to_a_team_of_others(client_of, olga, team, dataset):
    client = client_of(olga)
    for wanted in (str(team.pk), "", "-1", "9" * 30, "x"):
        assert client.post("/team/switch/", {"team": wanted}).status_code == 404
    assert "Hand signs" not in client.get("/datasets/").content.decode()


def test_a_link_into_another_team_of_hers_switches_to_it_and_is_judged_by_the_role_there(
    client_of, ada, team, other_team, other_dataset
):
    Membership.objects.create(team=other_team, user=ada, role="viewer")
    client = client_of(ada)
    assert "Hand signs" not in client.get(f"/datasets/{other_dataset.pk}/").content.decode()
    # owner of Pyramid, but only a viewer of Quarry, whose data set it is
    client.post("/team/switch/", {"team": team.pk})
    assert client.post(f"/datasets/{other_dataset.pk}/rename/", {"name": "Taken"}).status_code == 403
    assert client.post(f"/datasets/{other_dataset.pk}/delete/").status_code == 403
    other_dataset.refresh_from_db()
    assert other_dataset.name == "Stones"
    assert "Quarry" in client.get(f"/datasets/{other_dataset.pk}/").content.decode()
