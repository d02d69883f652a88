"""Figures as people read them. Every page, chart table and sentence writes numbers by these."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from django import template
from django.template.defaultfilters import capfirst
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

register = template.Library()
_UNKNOWN = (None, "")  # "": what a template makes of a key that is not there
MINUS = "\u2212"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _short(value: float) -> str:
    """Three significant digits, no exponent: 0.123, 1.23, 12.3, 123."""
    if value == 0:
        return "0"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    if abs(value) < 0.1:
        digits = 4 if abs(value) < 0.01 else 3
    return f"{value:.{digits}f}"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    unit = 0
    while abs(value) >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    text = f"{value:.0f}" if unit == 0 else _short(value)
    return f"{text} {units[unit]}".strip()


@register.filter
def beside(values: Iterable[Any], names: Iterable[str]) -> Iterable[tuple[str, Any]]:
    """Pairs (name, value), for cells that say whose they are."""
    return zip(names, values, strict=True)


@register.filter
def headed(words: str) -> str:
    """As a heading begins: with a capital, but mAP stays mAP."""
    return words if words[1:2].isupper() else capfirst(words)


@register.filter
def count(value: float | None) -> str:
    """431080 -> "431 k"; 5700000 -> "5.70 M"."""
    return "" if value in _UNKNOWN else _scaled(float(value), ("", "k", "M", "G"))


@register.filter
def size(value: float | None) -> str:
    """Bytes in decimal units: 1724320 -> "1.72 MB"."""
    return "" if value in _UNKNOWN else _scaled(float(value), ("B", "kB", "MB", "GB"))


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a percentage: 0.9134 -> "91.3 %"."""
    return "" if value in _UNKNOWN else f"{float(value) * 100:.{digits}f} %"


@register.filter
def milliseconds(value: float | None) -> str:
    return "" if value in _UNKNOWN else f"{_short(float(value))} ms"


@register.filter
def times(value: float | None) -> str:
    """A ratio: 43.2 -> "43.2×", 5.5 -> "5.5×", 120 -> "120×"."""
    if value in _UNKNOWN:
        return ""
    return f"{float(value):.1f}×" if float(value) < 99.95 else f"{float(value):.0f}×"


_COMPARED = {"milliseconds": ("faster", "slower"), "size": ("smaller", "larger"), "count": ("fewer", "more")}


@register.filter
def compared(ratio: float, kind: str) -> str:
    """An ancestor's figure over a network's own: 5.5 -> "5.5× fewer", 0.5 -> "2.0× more", 1.01 -> "the same"."""
    better, worse = _COMPARED[kind]
    if times(ratio) == times(1) or times(1 / ratio) == times(1):
        return "the same"
    return f"{times(ratio)} {better}" if ratio > 1 else f"{times(1 / ratio)} {worse}"


@register.filter
def points(value: float | None) -> str:
    """Percentage points with a sign and a true minus: -0.8 -> "−0.8"."""
    if value in _UNKNOWN:
        return ""
    rounded = round(float(value), 1)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else "±"
    return f"{sign}{abs(rounded):.1f}"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in words: 40 -> "40 seconds", 400 -> "7 minutes", 9000 -> "2.5 hours"."""
    if seconds in _UNKNOWN:
        return ""
    seconds = float(seconds)
    if seconds < 90:
        return _plural(max(1, round(seconds)), "second")
    if seconds < 90 * 60:
        return _plural(round(seconds / 60), "minute")
    if seconds < 36 * 3600:
        hours = round(seconds / 3600, 1)
        return f"{hours:g} hours"
    return f"{round(seconds / 86400, 1):g} days"


def between(low: float, high: float) -> str:
    """Two durations as a range, with one unit where both have the same: "6 to 9 minutes", "50 seconds to 2 minutes"."""
    first, last = duration(low), duration(high)
    if first == last:
        return first
    number, _, unit = first.partition(" ")
    return f"{number} to {last}" if unit.rstrip("s") == last.partition(" ")[2].rstrip("s") else f"{first} to {last}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


@register.filter
def ago(moment: datetime | None) -> str:
    """A moment in the past: "just now", "5 minutes ago", "3 days ago"."""
    if moment in _UNKNOWN:
        return ""
    assert isinstance(moment, datetime)
    if timezone.now() - moment < timedelta(minutes=1):
        return "just now"
    return f"{timesince(moment, depth=1)} ago"


@register.filter
def time_left(moment: datetime) -> str:
    """Until a moment to come, in whole days or hours: "7 days", "3 hours", "less than an hour"."""
    hours = round((moment - timezone.now()) / timedelta(hours=1))
    if hours < 1:
        return "less than an hour"
    number, unit = (round(hours / 24), "day") if hours >= 36 else (hours, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}"


@register.filter
def share(part: float | None, whole: float | None) -> float:
    """part / whole, between 0 and 1, for bars; 0 where either is unknown."""
    if not part or not whole:
        return 0.0
    return max(0.0, min(1.0, float(part) / float(whole)))


@register.filter
def tiny(value: float | None) -> str:
    """A very small number: 2.4e-7 -> "2.4 × 10⁻⁷"; 0 -> "0"."""
    if value in _UNKNOWN:
        return ""
    if value == 0:
        return "0"
    mantissa, exponent = f"{float(value):.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


_WHOLE = re.compile(r"(\b\d+-\d+\b|\d[\d.,]* (?:%|k|M|G|ms|B|kB|MB|GB|× 10[⁻⁰-⁹¹²³]+)(?!\w))")


@register.filter
def unbroken(words: str) -> SafeString:
    """A sentence in which no line ends within a network's name or a figure: not after the "3-" of "3-2"."""
    parts = _WHOLE.split(words)
    return format_html_join(
        "", "{}{}", ((rest, _held(whole)) for rest, whole in zip_longest(parts[::2], parts[1::2], fillvalue=""))
    )


def _held(words: str) -> str:
    return format_html('<span class="nowrap">{}</span>', words) if words else ""


@register.filter
def loss(value: float | None) -> str:
    """A training loss: 1.2345; one that ran away as 1.2 × 10⁷."""
    if value in _UNKNOWN:
        return ""
    return f"{float(value):.4f}" if abs(float(value)) < 10_000 else tiny(value)


@register.filter
def rounded(value: float | None, digits: int = 1) -> str:
    return "" if value in _UNKNOWN else f"{float(value):.{digits}f}"


_KINDS = {
    "count": count,
    "size": size,
    "percent": percent,
    "points": points,
    "milliseconds": milliseconds,
    "times": times,
}


@register.filter
def written(value: float | None, kind: str) -> str:
    """A figure by the name of its filter: (0.9134, "percent") -> "91.3 %"."""
    return str(_KINDS[kind](value))


@register.filter
def deviation(value: float | None, kind: str) -> str:
    """How far figures of a kind spread: (0.0021, "percent") -> "± 0.21 %", (0.3, "points") -> "± 0.3"."""
    if value in _UNKNOWN:
        return ""
    number = float(value)
    if kind == "percent":
        return f"± {100 * number:.2f} %"
    return f"± {number:.1f}" if kind == "points" else f"± {_KINDS[kind](number)}"
