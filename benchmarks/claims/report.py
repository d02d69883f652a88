"""docs/results.md and its pictures, from the results alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import opening, tables
from .arms import CONTROLS, HEADLINE, PEER, QUESTION, REMEDIES, WIDTHS
from .explanations import explained
from .places import RESULTS, ROOT, SHOWN
from .reading import Measured
from .register import CLAIMS
from .verdicts import Verdict, surgery, verdicts

PAGE = ROOT / "docs" / "results.md"
PICTURES = ROOT / "docs" / "images" / "results"


def write(results: Path = RESULTS, page: Path = PAGE, pictures: Path = PICTURES) -> Path:
    """Draw the pictures, write the page; its path."""
    from .pictures import write_pictures

    found = {name: Measured(claim, results) for name, claim in CLAIMS.items()}
    drawn = write_pictures(found, pictures)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text(found, drawn, os.path.relpath(pictures, page.parent)))
    return page


def text(found: Mapping[str, Measured], drawn: Mapping[str, Sequence[tuple[str, str]]], pictures: str) -> str:
    """The page as Markdown."""
    rows = [*verdicts(found), surgery()]
    lines = ["# Results", "", *opening.summary(found, rows), "", *opening.HOW, ""]
    lines += ["## Every claim", "", *_table(rows), "", *explained(found, rows)]
    for name, here in found.items():
        lines += _section(here, drawn.get(name, ()), pictures)
    return "\n".join([*lines, ""])


def _table(rows: Sequence[Verdict]) -> Iterator[str]:
    yield "| claim | target | stretch | | figure | command |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        yield (
            f"| {row.claim} | {row.target} | {row.stretch} | **{row.status}** | "
            f"{row.figure if row.figure != row.status else ''} | `{row.command}` |"
        )


def _section(here: Measured, drawn: Sequence[tuple[str, str]], pictures: str) -> Iterator[str]:
    claim = here.claim
    yield from (f"## {claim.title}", "", f"{claim.about}{_data(claim.data)}", "")
    if not any(True for _ in here.arms()):
        yield from (f"Not measured yet: `python -m benchmarks.claims run {claim.name}`.", "")
        return
    if (settings := tables.settings(here)) is not None:
        yield from (settings, "")
    for group in dict.fromkeys(arm.group for arm in here.arms()):
        arms = list(here.arms(group))
        ours = here.rival if group == PEER else "evolved"
        if group != HEADLINE and here.runs(ours):
            arms.insert(0, claim.arm(ours))  # what the others are held against
        yield from (f"### {_HEADINGS.get(group, group.capitalize())}", "", *tables.arms(here, arms, ours), "")
    if any(here.generations(arm.name) > 1 for arm in here.arms()):
        yield from ("### Generation by generation", "", *tables.generations(here), "")
    for file, said in drawn:
        yield from _picture(f"{pictures}/{file}", said)
    yield from (tables.made(here), "")


def _data(name: str) -> str:
    return f" Data: {SHOWN[name]}." if name in SHOWN else ""


_HEADINGS = {
    HEADLINE: "Headline",
    QUESTION: "The first question: generations, stress, repair, or one cut",
    CONTROLS: "Controls",
    REMEDIES: "Remedies that were tried",
    PEER: "Torch-Pruning",
    WIDTHS: "Of narrower networks",
}


def _picture(file: str, said: str) -> Iterator[str]:
    yield "<picture>"
    yield f'  <source media="(prefers-color-scheme: dark)" srcset="{file}-dark.svg">'
    yield f'  <img alt="{said}" src="{file}-light.svg">'
    yield "</picture>"
    yield ""
    yield f"*{said}.*"
    yield ""
