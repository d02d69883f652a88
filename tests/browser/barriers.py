"""What keeps people with impairments out of a page, as axe-core sees it."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from playwright.sync_api import Page

AXE = Path(settings.NODE_MODULES) / "axe-core" / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def barriers(page: Page, within: str = "html") -> list[str]:
    """Each rule of WCAG 2.2, A and AA, that the page breaks `within` what a selector names, with the first element that
    does."""
    assert AXE.exists(), "axe-core is not installed: make setup"
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate(f"axe.run('{within}', {{runOnly: {LEVELS}, resultTypes: ['violations']}})")
    return [f"{row['id']}: {row['nodes'][0]['html'][:160]}" for row in found["violations"]]
