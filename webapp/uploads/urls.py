"""Addresses of the tus protocol, and of the button that forgets what was begun."""

from __future__ import annotations

from django.urls import path

from webapp.uploads import views

app_name = "uploads"
urlpatterns = [
    path("", views.collection, name="begin"),
    path("mine.json", views.mine, name="mine"),
    path("<uuid:pk>/", views.one, name="one"),
    path("<uuid:pk>/forget/", views.forget, name="forget"),
]
