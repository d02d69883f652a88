"""`manage.py demo`: the demo's data set and run, where there is nothing yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from webapp.server.demo import start_demo


class Command(BaseCommand):
    help = "Makes the demo's data set (MNIST) and starts its run, unless the first team has data or runs already."

    def handle(self, *args: Any, **options: Any) -> None:
        run = start_demo()
        self.stdout.write(f"Started: {run.name}." if run else "There is something already; no demo was made.")
