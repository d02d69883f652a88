"""Addresses of share links: their management below the run, and what they open below /s/TOKEN/."""

from __future__ import annotations

from django.urls import path

from webapp.sharing import doors, views

app_name = "sharing"
urlpatterns = [
    path("runs/<int:pk>/share/", views.links, name="run"),
    path("runs/<int:pk>/share/new/", views.create, name="create"),
    path("runs/<int:pk>/share/<int:link>/revoke/", views.revoke, name="revoke"),
    # names as in webapp.runs.addresses.RunUrls.ROUTES
    path("s/<str:token>/", doors.run_page, name="page"),
    path("s/<str:token>/live", doors.live, name="live"),
    path("s/<str:token>/curves", doors.curves, name="curves"),
    path("s/<str:token>/chart.json", doors.chart, name="chart"),
    path("s/<str:token>/explore", doors.explore, name="explore"),
    path("s/<str:token>/pick", doors.pick, name="pick"),
    path("s/<str:token>/tables/<slug:table>.<slug:kind>", doors.table, name="table"),
    path("s/<str:token>/lineage.json", doors.lineage, name="lineage"),
    path("s/<str:token>/log/", doors.log, name="log"),
    path("s/<str:token>/log.txt", doors.log_text, name="log_text"),
    path("s/<str:token>/log.json", doors.log_json, name="log_json"),
    path("s/<str:token>/events", doors.events, name="events"),
    path("s/<str:token>/events.json", doors.events_json, name="events_json"),
    path("s/<str:token>/networks/<slug:name>/", doors.network, name="network"),
    path("s/<str:token>/networks/<slug:name>/filters.png", doors.filters, name="filters"),
    path(
        "s/<str:token>/networks/<slug:name>/tables/<slug:table>.<slug:kind>", doors.network_table, name="network_table"
    ),
    path("s/<str:token>/validation/<int:number>", doors.question, name="question"),
    path("s/<str:token>/pictures/<int:number>.jpg", doors.picture, name="picture"),
    path("s/<str:token>/networks/<slug:name>/<slug:kind>", doors.download, name="download"),
]
