"""Addresses of the team and its members. One-time links have short ones of their own in webapp/urls.py."""

from __future__ import annotations

from django.urls import path

from webapp.teams import views

app_name = "teams"
urlpatterns = [
    path("", views.detail, name="detail"),
    path("new/", views.new, name="new"),
    path("switch/", views.switch, name="switch"),
    path("rename/", views.rename, name="rename"),
    path("leave/", views.leave, name="leave"),
    path("invitations/", views.invite, name="invite"),
    path("invitations/<int:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("members/<int:pk>/role/", views.change_role, name="change_role"),
    path("members/<int:pk>/remove/", views.remove, name="remove"),
]
