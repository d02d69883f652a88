"""Addresses of data sets."""

from __future__ import annotations

from django.urls import path

from webapp.datasets import views

app_name = "datasets"
urlpatterns = [
    path("", views.dataset_list, name="list"),
]
