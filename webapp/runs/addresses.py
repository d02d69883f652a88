"""Addresses inside a run's pages. The same templates serve a team and a share link; only these differ."""

from __future__ import annotations

from django.urls import reverse

from .models import Run


class RunUrls:
    """A team's addresses of one run. A subclass overrides :meth:`address` to lead elsewhere (see webapp/sharing)."""

    readonly = False
    shows_images = True  # of the data set

    ROUTES = {
        "page": "runs:detail",  # the run's page
        "delete": "runs:delete",  # POST
        "live": "runs:live",  # the page's changing parts, as HTML
        "curves": "runs:curves",  # the learning curves alone, as HTML
        "chart": "runs:chart",  # JSON for the charts
        "explore": "runs:explore",  # card and table of another selection, as HTML
        "pick": "runs:pick",  # the network that a rule lands on
        "table": "runs:table",  # + one of webapp.runs.kept_tables, and csv or json: to keep
        "save_view": "runs:save_view",  # POST
        "lineage": "runs:lineage",  # lineage.json, to keep
        "log": "runs:log",  # the whole event log
        "log_text": "runs:log_text",  # the same, to keep
        "log_json": "runs:log_json",
        "events": "live:events",  # server-sent events
        "events_json": "live:events_json",  # the same, to poll
        "network": "networks:detail",  # + name
        "download": "networks:download",  # + name, kind
        "export": "networks:export",  # + name; POST
        "measure": "networks:measure",  # + name; POST: how good its ONNX form is
        "quantize": "networks:quantize",  # + name; POST: its ONNX form in 8-bit integers
        "picture": "networks:picture",  # + number
        "question": "networks:question",  # + number: a validation image that classifiers are asked about
        "filters": "networks:filters",  # + name
        "network_table": "networks:table",  # + name, one of webapp.networks.kept_tables, and csv or json: to keep
        "look": "networks:look",  # + name; POST
        "keep_timing": "devices:keep",  # + name; POST
        "cancel": "runs:cancel",  # POST
        "pause": "runs:pause",  # POST
        "resume": "runs:resume",  # POST
        "extend": "runs:extend",  # POST
        "choose": "runs:choose",  # POST
        "clone": "runs:clone",
    }
    WITH_ARGUMENTS = frozenset(
        {
            "network",
            "download",
            "export",
            "measure",
            "quantize",
            "picture",
            "question",
            "filters",
            "look",
            "keep_timing",
            "table",
            "network_table",
        }
    )
    # What only a member may do; "" in a read-only view.
    MEMBERS_ONLY = frozenset(
        {
            "cancel",
            "pause",
            "resume",
            "extend",
            "choose",
            "delete",
            "clone",
            "export",
            "measure",
            "quantize",
            "look",
            "keep_timing",
            "save_view",
        }
    )

    def __init__(self, run: Run):
        self.run = run

    def address(self, name: str, *arguments: str) -> str:
        """The address of a ROUTES entry, with a network's name (and a download's kind) where it takes them."""
        return reverse(self.ROUTES[name], args=[self.run.pk, *arguments])

    def get(self, name: str, *arguments: str) -> str:
        return "" if self.readonly and name in self.MEMBERS_ONLY else self.address(name, *arguments)

    def network(self, name: str) -> str:
        return self.get("network", name)

    def download(self, name: str, kind: str) -> str:
        return self.get("download", name, kind)

    @property
    def share(self) -> str:
        """The share page is sharing's own; read-only views have none."""
        return "" if self.readonly else reverse("sharing:run", args=[self.run.pk])

    def plain(self) -> dict[str, str]:
        """All that take no network, for templates."""
        names = [name for name in self.ROUTES if name not in self.WITH_ARGUMENTS]
        return {name: self.get(name) for name in names} | {"share": self.share}
