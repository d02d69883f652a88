"""Events as sentences. Data come from the engine and the orchestrator; what is missing is left out, never made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.template.defaultfilters import capfirst

from evolution_core.spec import catalogue

from .models import RunEvent
from .snapshot import ANCESTOR
from .templatetags.figures import count, milliseconds, percent, tiny

QUIET = ("progress", "epoch", "gestation", "growth")  # too many for the log; the page shows them as progress

Data = Mapping[str, Any]


def sentence(event: RunEvent) -> str:
    """One sentence for the log. An unknown kind is told by its name and its message, if it has one."""
    who = _named(event.network.name if event.network is not None else event.data.get("network") or "")
    teller = _TELLERS.get(event.kind)
    if teller is not None:
        return capfirst(teller(who, event.data))
    words = event.kind.replace("-", " ").replace("_", " ").capitalize()
    subject = f" {who}" if who else ""
    return f"{words}{subject}{_because(event.data)}."


def event_json(event: RunEvent) -> dict[str, Any]:
    """An event for scripts: the live stream's and the log file's."""
    return {
        "number": event.number,
        "kind": event.kind,
        "network": event.network.name if event.network is not None else None,
        "at": event.at.isoformat(),
        "sentence": sentence(event),
        "data": event.data,
    }


def _named(name: object) -> str:
    return "the ancestor" if name == ANCESTOR else str(name)


def _because(data: Data) -> str:
    reason = data.get("reason") or data.get("message")
    return f": {str(reason).rstrip('.')}" if reason else ""


def _accuracy(data: Data, *prefixes: str) -> str:
    """The metric's value, whatever the task calls it."""
    for prefix in prefixes or ("",):
        for name in ("accuracy", "map50"):
            value = data.get(f"{prefix}{name}")
            if isinstance(value, (int, float)):
                return percent(value) if name == "accuracy" else f"{percent(value)} mAP@.5"
    return ""


def _born(who: str, data: Data) -> str:
    parents = data.get("parents") or []
    if not parents:
        return f"{who} is born: the first network, made from nothing but its seed."
    return f"{who} is born to {' and '.join(map(_named, parents))}."


def _drawn(who: str, data: Data) -> str:
    doomed, clusters = data.get("doomed"), data.get("clusters")
    if isinstance(doomed, int) and isinstance(clusters, int):
        return f"{who}: of {clusters:,} synaptic clusters, {doomed:,} are drawn to die."
    return f"{who}: who will die has been drawn."


def _gestation(who: str, data: Data) -> str:
    names = data.get("stress") or []
    names = [names] if isinstance(names, str) else names
    labels = [catalogue.STRESSES[n].label.lower() for n in names if isinstance(n, str) and n in catalogue.STRESSES]
    return f"{who}: gestation begins{' under ' + ' and '.join(labels) if labels else ''}."


def _progress(who: str, data: Data) -> str:
    share = data.get("share")
    return (
        f"{who}: {data.get('phase') or 'training'}{f', {percent(share, 0)} done' if isinstance(share, float) else ''}."
    )


def _epoch(who: str, data: Data) -> str:
    accuracy = _accuracy(data, "validation_", "")
    told = f", {accuracy}" if accuracy else ""
    return f"{who}: epoch {data.get('epoch', '')} of {data.get('phase') or 'training'} done{told}."


def _cut(who: str, data: Data) -> str:
    raw = data.get("proof")
    proof = raw if isinstance(raw, Mapping) else {}
    difference = proof.get("difference")
    shown = f" (largest difference {tiny(difference)})" if isinstance(difference, (int, float)) else ""
    return f"{who}: the doomed are cut away, and the cut is proven{shown}."


def _repaired(who: str, data: Data) -> str:
    layers = data.get("layers")
    number = len(layers) if isinstance(layers, (list, dict)) else layers
    return f"{who}: {f'{number} layers' if number else 'its layers'} refitted to its parent's."


def _refused(who: str, data: Data) -> str:
    return f"{who} is refused{_because(data)}."


def _shock(who: str, data: Data) -> str:
    return f"{who}: {_accuracy(data, '', 'shock_') or 'measured'} right after the cut, before any training (the shock)."


def _growth(who: str, data: Data) -> str:
    return f"{who} grows, free of stress."


def _measured(who: str, data: Data) -> str:
    raw = data.get("record")
    record = raw if isinstance(raw, Mapping) else data
    parts = [_accuracy(record, "validation_", "")]
    parameters, latency = record.get("parameters"), record.get("latency_ms")
    if isinstance(parameters, int):
        parts.append(f"{count(parameters)} parameters")
    if isinstance(latency, (int, float)):
        parts.append(f"{milliseconds(latency)} an image")
    told = ", ".join(part for part in parts if part)
    return f"{who} is measured{': ' + told if told else ''}."


def _started(who: str, data: Data) -> str:
    return "The run begins."


def _generation(who: str, data: Data) -> str:
    number = data.get("generation")
    if number == 0:
        return "The ancestor is complete; its offspring come next."
    return f"Generation {number} is complete." if number is not None else "A generation is complete."


def _tested(who: str, data: Data) -> str:
    accuracy = _accuracy(data, "test_", "")
    return f"The test images are opened for {who or 'the end'}{': ' + accuracy if accuracy else ''}."


def _finished(who: str, data: Data) -> str:
    chosen = data.get("chosen")
    return f"Finished: {chosen} is chosen." if chosen else "Finished."


def _cancelling(who: str, data: Data) -> str:
    return f"Cancellation was asked for{_by(data)}."


def _by(data: Data) -> str:
    return f" by {data['by']}" if data.get("by") else ""


def _extended(who: str, data: Data) -> str:
    told = " ".join(map(str, data.get("differences") or []))
    return f"Extended to {data.get('generations') or 'more'} generations{_by(data)}.{' ' + told if told else ''}"


def _chosen(who: str, data: Data) -> str:
    why, was = data.get("words"), data.get("was")
    instead = f" instead of {was}" if was and was != who else ""
    return f"{who or 'No network'} is chosen{instead}{_by(data)}{': ' + str(why) if why else ''}."


def _rule(who: str, data: Data) -> str:
    return f"The rule of choice is changed{_by(data)}{': ' + str(data['words']) if data.get('words') else ''}."


def _lost(who: str, data: Data) -> str:
    then = "its work is given up" if data.get("given_up") else "its work is put back"
    return f"The worker of {who or 'the run'} was lost; {then}."


def _note(who: str, data: Data) -> str:
    words = sentence_case(str(data.get("message") or "noted"))
    return f"{who}: {words}" if who else words


def sentence_case(text: str) -> str:
    """A thing said by the engine, with one full stop at its end."""
    return text.rstrip(". ") + "."


_TELLERS: dict[str, Callable[[str, Data], str]] = {
    "born": _born,
    "drawn": _drawn,
    "gestation": _gestation,
    "progress": _progress,
    "epoch": _epoch,
    "cut": _cut,
    "repaired": _repaired,
    "refused": _refused,
    "shock": _shock,
    "growth": _growth,
    "measured": _measured,
    "started": _started,
    "generation": _generation,
    "tested": _tested,
    "finished": _finished,
    "cancelling": _cancelling,
    "note": _note,
    "queued": lambda who, data: "The run waits for a worker.",
    "cancelled": lambda who, data: "The run is cancelled; what was measured is kept.",
    "failed": lambda who, data: f"The run failed{_because(data)}.",
    "errored": lambda who, data: f"{who or 'The run'} was stopped by an error{_because(data)}.",
    "lost": _lost,
    "pausing": lambda who, data: f"A pause was asked for{_by(data)}.",
    "paused": lambda who, data: "The run is paused; networks that were under way wait at their checkpoints.",
    "resumed": lambda who, data: f"The run is resumed{_by(data)}.",
    "extended": _extended,
    "chosen": _chosen,
    "rule": _rule,
}
