"""Addresses of comparisons."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "compare"
urlpatterns = [
    path("", views.page, name="page"),
    path("chart.json", views.chart, name="chart"),
    path("tables/<slug:table>.<slug:kind>", views.table, name="table"),
]
