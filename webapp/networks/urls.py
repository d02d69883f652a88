"""Addresses of networks, below their run's."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "networks"
urlpatterns = [
    path("runs/<int:pk>/networks/<slug:name>/", views.detail, name="detail"),
    path("runs/<int:pk>/networks/<slug:name>/export/", views.export, name="export"),
    path("runs/<int:pk>/networks/<slug:name>/measure/", views.measure, name="measure"),
    path("runs/<int:pk>/networks/<slug:name>/quantize/", views.quantize, name="quantize"),
    path("runs/<int:pk>/networks/<slug:name>/look/", views.look, name="look"),
    path("runs/<int:pk>/networks/<slug:name>/filters.png", views.filters, name="filters"),
    path("runs/<int:pk>/networks/<slug:name>/tables/<slug:table>.<slug:kind>", views.table, name="table"),
    path("runs/<int:pk>/validation/<int:number>", views.question, name="question"),
    path("runs/<int:pk>/pictures/<int:number>.jpg", views.picture, name="picture"),
    path("runs/<int:pk>/networks/<slug:name>/<slug:kind>", views.download, name="download"),
]
