"""Addresses of a network's timings on devices, below the network's."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "devices"
urlpatterns = [
    path("runs/<int:pk>/networks/<slug:name>/timings/", views.keep, name="keep"),
    path("runs/<int:pk>/networks/<slug:name>/timings/<int:timing>/rename/", views.rename, name="rename"),
    path("runs/<int:pk>/networks/<slug:name>/timings/<int:timing>/delete/", views.delete, name="delete"),
]
