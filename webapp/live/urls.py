"""Addresses of live events."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "live"
urlpatterns = [
    path("runs/<int:pk>/events", views.events, name="events"),
    path("runs/<int:pk>/events.json", views.events_json, name="events_json"),
]
