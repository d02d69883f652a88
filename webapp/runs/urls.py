"""Addresses of runs."""

from __future__ import annotations

from django.urls import path

from . import base_views, change_views, explore_views, form_views, group_views, log_views, views

app_name = "runs"
urlpatterns = [
    path("runs/", views.run_list, name="list"),
    path("runs/list.<slug:kind>", views.run_table, name="list_table"),
    path("runs/new/", form_views.new, name="new"),
    path("runs/estimate/", form_views.estimated, name="estimate"),
    path("runs/dry/<int:pk>/", form_views.dry_run_state, name="dry_run"),
    path("runs/dry/<int:pk>/tables/<slug:table>.<slug:kind>", form_views.dry_run_table, name="dry_run_table"),
    path("runs/templates/<int:pk>/delete/", form_views.template_delete, name="template_delete"),
    path("runs/groups/<int:pk>/", group_views.detail, name="group"),
    path("runs/groups/<int:pk>/live", group_views.live, name="group_live"),
    path("runs/groups/<int:pk>/tables/<slug:table>.<slug:kind>", group_views.table, name="group_table"),
    path("runs/groups/<int:pk>/cancel/", group_views.cancel, name="group_cancel"),
    path("runs/bases/", base_views.base_list, name="bases"),
    path("runs/bases/list.<slug:kind>", base_views.base_table, name="bases_table"),
    path("runs/bases/add/", base_views.base_add, name="base_add"),
    path("runs/bases/check/", base_views.base_check, name="base_check"),
    path("runs/bases/<int:pk>.json", base_views.base_state, name="base_state"),
    path("runs/bases/<int:pk>/delete/", base_views.base_delete, name="base_delete"),
    path("runs/<int:pk>/", views.detail, name="detail"),
    path("runs/<int:pk>/live", views.live, name="live"),
    path("runs/<int:pk>/curves", views.curves, name="curves"),
    path("runs/<int:pk>/chart.json", explore_views.chart, name="chart"),
    path("runs/<int:pk>/explore", explore_views.explore, name="explore"),
    path("runs/<int:pk>/pick", explore_views.pick_one, name="pick"),
    path("runs/<int:pk>/views/", explore_views.save_view, name="save_view"),
    path("runs/<int:pk>/views/<int:view>/delete/", explore_views.delete_view, name="delete_view"),
    path("runs/<int:pk>/lineage.json", views.lineage, name="lineage"),
    path("runs/<int:pk>/log/", views.log, name="log"),
    path("runs/<int:pk>/log.txt", log_views.text, name="log_text"),
    path("runs/<int:pk>/log.json", log_views.as_json, name="log_json"),
    path("runs/<int:pk>/tables/<slug:table>.<slug:kind>", explore_views.table, name="table"),
    path("runs/<int:pk>/cancel/", change_views.cancel, name="cancel"),
    path("runs/<int:pk>/pause/", change_views.pause, name="pause"),
    path("runs/<int:pk>/resume/", change_views.resume, name="resume"),
    path("runs/<int:pk>/extend/", change_views.extend, name="extend"),
    path("runs/<int:pk>/choose/", change_views.choose, name="choose"),
    path("runs/<int:pk>/delete/", views.delete, name="delete"),
    path("runs/<int:pk>/clone/", form_views.clone, name="clone"),
]
