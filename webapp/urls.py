"""Every address of the dashboard, one app a subject."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import include, path
from django.views.generic import RedirectView

from webapp.server.health import healthz
from webapp.teams import doors

handler400 = "webapp.errors.bad_request"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", RedirectView.as_view(pattern_name="runs:list"), name="home"),
    # accounts: only those of allauth's pages that make sense without a mail server
    path("sign-in/", account.login, name="account_login"),
    path("sign-in/<str:token>/", doors.sign_in_link, name="sign_in_link"),
    path("join/<str:token>/", doors.join, name="join"),
    path("sign-out/", account.logout, name="account_logout"),
    path("sign-up/", account.signup, name="account_signup"),  # closed; allauth asks for its address
    path("password/", account.password_change, name="account_change_password"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("team/", include("webapp.teams.urls")),
    path("datasets/", include("webapp.datasets.urls")),
    path("uploads/", include("webapp.uploads.urls")),
    path("", include("webapp.runs.urls")),
    path("", include("webapp.devices.urls")),
    path("", include("webapp.networks.urls")),
    path("compare/", include("webapp.compare.urls")),
    path("", include("webapp.live.urls")),
    path("", include("webapp.sharing.urls")),
]
