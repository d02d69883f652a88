"""Addresses of data sets."""

from __future__ import annotations

from django.urls import path

from webapp.datasets import views

app_name = "datasets"
urlpatterns = [
    path("", views.dataset_list, name="list"),
    path("list.<slug:kind>", views.list_table, name="list_table"),
    path("new/", views.upload, name="new"),
    path("check/", views.check, name="check"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/state/", views.state, name="state"),
    path("<int:pk>/tables/<slug:table>.<slug:kind>", views.table, name="table"),
    path("<int:pk>/samples/<int:number>.png", views.sample, name="sample"),
    path("<int:pk>/rename/", views.rename, name="rename"),
    path("<int:pk>/inspect/", views.inspect_again, name="inspect"),
    path("<int:pk>/accept/", views.accept, name="accept"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
