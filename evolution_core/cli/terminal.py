"""How a run looks in a terminal: one live line on a tty, plain lines elsewhere, a table at the end."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from ..events import Event
from ..records import NetworkRecord

_PHASES = {"ancestor": "training", "gestation": "gestation", "growth": "growth"}
_QUIET_SECONDS = 10.0  # without a tty, progress is a line at most this often
_LIVE_SECONDS = 0.1


class Progress:
    """Turns events into text on `stream`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.live = self.stream.isatty()
        self.shown = 0  # columns of the live line
        self.last = 0.0
        self.begun: dict[str, tuple[float, float]] = {}  # network -> (time, share) when first seen at work

    def show(self, event: Event) -> None:
        if event.kind == "progress":
            self._progress(event)
            return
        text = sentence(event)
        if text:
            self._line(text)

    def close(self) -> None:
        """Leave the cursor on a line of its own."""
        self._clear()
        self.stream.flush()

    def _progress(self, event: Event) -> None:
        now, share = time.monotonic(), float(event.data.get("share", 0.0))
        since, first = self.begun.setdefault(event.network, (now, share))
        if now - self.last < (_LIVE_SECONDS if self.live else _QUIET_SECONDS):
            return
        self.last = now
        text = _progress_text(event, _remaining(now - since, share - first, 1.0 - share))
        if self.live:
            columns = shutil.get_terminal_size().columns - 1
            self.stream.write("\r" + text[:columns].ljust(self.shown))
            self.shown = min(len(text), columns)
            self.stream.flush()
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        self._clear()
        self.stream.write(text + "\n")
        self.stream.flush()

    def _clear(self) -> None:
        if self.shown:
            self.stream.write("\r" + " " * self.shown + "\r")
            self.shown = 0


def _remaining(elapsed: float, done: float, left: float) -> str:
    return duration(elapsed / done * left) if done > 0.01 and elapsed > 1 else "?"


def duration(seconds: float) -> str:
    """1:05 for 65 seconds, 2:03:04 for hours."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _progress_text(event: Event, remaining: str) -> str:
    data = event.data
    parts = [f"{event.network:>9}  {_PHASES.get(data.get('phase', ''), data.get('phase', '')):<9}"]
    parts.append(f"epoch {data['epoch']:.2f}" if isinstance(data.get("epoch"), (int, float)) else "")
    parts.append(f"loss {data['loss']:.4f}" if isinstance(data.get("loss"), (int, float)) else "")
    rate = data.get("images_per_second")
    parts.append(f"{rate:,.0f} images/s" if isinstance(rate, (int, float)) else "")
    parts.append(f"{100 * float(data.get('share', 0.0)):.0f} %, {remaining} left")
    return "  ".join(part for part in parts if part)


def percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def _metric(data: dict[str, Any]) -> str:
    name = "accuracy" if "accuracy" in data else "map50"
    return f"{'accuracy' if name == 'accuracy' else 'mAP@.5'} {percent(data.get(name))}"


def _started(data: dict[str, Any]) -> str:
    about, threads = data["data"], data["threads"]
    shape = "x".join(str(side) for side in about["shape"])
    return (
        f"{about['train']:,} training, {about['validation']:,} validation and {about['test']:,} test images "
        f"of {shape} in {len(about['classes'])} classes; {threads} {'thread' if threads == 1 else 'threads'}"
    )


def _cut(data: dict[str, Any]) -> str:
    effect = data.get("lrn_effect")
    more = f"; LRN's own effect {effect:.2g}" if effect else ""
    return f"cut and proven (largest difference {data['proof']['difference']:.1g}{more})"


def _measured(data: dict[str, Any]) -> str:
    record = NetworkRecord.from_json(data["record"])
    pace = f", {record.latency_ms:.3f} ms" if record.latency_ms is not None else ""
    return (
        f"measured: {percent(record.validation_accuracy)} on validation, "
        f"{record.parameters or 0:,} parameters, {record.macs or 0:,} multiply-adds{pace}"
    )


# What is said of each kind of event; the others need no line.
_OF_THE_RUN: dict[str, Callable[[dict[str, Any]], str]] = {
    "started": _started,
    "generation": lambda data: f"generation {data['generation']} is complete" if data["generation"] else "",
}
_OF_A_NETWORK: dict[str, Callable[[dict[str, Any]], str]] = {
    "note": lambda data: data["message"],
    "drawn": lambda data: f"drawn: {data['doomed']:,} of {data['clusters']:,} clusters will die",
    "cut": _cut,
    "repaired": lambda data: f"repaired: {len(data['layers'])} layers refitted on {data['images']} training images",
    "shock": lambda data: f"shock: {_metric(data)} right after synthesis",
    "refused": lambda data: f"refused: {data['reason']}",
    "measured": _measured,
    "tested": lambda data: f"test {_metric(data)}",
}


def sentence(event: Event) -> str:
    """The line for an event; "" for one that needs none."""
    if event.kind in _OF_THE_RUN:
        return _OF_THE_RUN[event.kind](event.data)
    if event.kind in _OF_A_NETWORK:
        return f"{event.network:>9}  {_OF_A_NETWORK[event.kind](event.data)}"
    return ""


def table(records: Sequence[NetworkRecord], chosen: str | None) -> str:
    """Every network on a line, the chosen one marked."""
    head = ("", "network", "parents", "validation", "shock", "test", "parameters", "MACs", "ms", "of ancestor")
    rows = [head]
    for record in records:
        rows.append(
            (
                "*" if record.id == chosen else "",
                record.id,
                ",".join(record.parents),
                percent(record.validation_accuracy) if record.is_measured else record.status,
                percent(record.shock_accuracy),
                percent(record.test_accuracy),
                f"{record.parameters:,}" if record.parameters is not None else "-",
                f"{record.macs:,}" if record.macs is not None else "-",
                f"{record.latency_ms:.3f}" if record.latency_ms is not None else "-",
                _ratio(record),
            )
        )
    return aligned(rows, left={0, 1, 2})


def aligned(rows: Sequence[Sequence[str]], left: set[int]) -> str:
    """Rows of equal length as a table; the columns in `left` begin at the left, the others end at the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _ratio(record: NetworkRecord) -> str:
    if not record.parents or not record.latency_ms or not record.ancestor_latency_ms:
        return "-"
    return _times(record.ancestor_latency_ms / record.latency_ms, "faster", "slower", 2)


def _times(ratio: float, more: str, less: str, digits: int = 1) -> str:
    """3.0x faster; below one the other way round."""
    return f"{ratio:.{digits}f}x {more}" if ratio >= 1 else f"{1 / ratio:.{digits}f}x {less}"


def conclusion(summary: dict[str, Any]) -> str:
    """What the run came to, in a sentence or two."""
    if summary.get("chosen") is None:
        return "No offspring could be measured; the run ends with its ancestor."
    text = f"Chosen: {summary['chosen']}"
    if summary.get("parameters_times"):
        text += f", {_times(summary['parameters_times'], 'smaller', 'larger')}"
    if summary.get("macs_times"):
        text += f", {_times(summary['macs_times'], 'fewer multiply-adds', 'as many multiply-adds')}"
    if summary.get("latency_times"):
        text += f", {_times(summary['latency_times'], 'faster', 'slower')} (one image, one thread, ONNX Runtime)"
    for part in ("validation", "test"):
        lost = summary.get(f"{part}_points_lost")
        if lost is not None:
            text += f", {abs(lost):.2f} points {'lost' if lost >= 0 else 'won'} on {part}"
    return text + "."
