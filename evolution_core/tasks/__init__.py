"""Tasks: what networks learn to do. The rest of the engine does not know which it runs."""

from __future__ import annotations

from ..spec.errors import SpecError
from .base import Data, Split, Task
from .classification import Classification
from .detection import Detection

TASKS: dict[str, type[Task]] = {task.name: task for task in (Classification, Detection)}


def task_for(name: str) -> Task:
    """The task of that name (an architecture card's `task`); SpecError names the known ones otherwise."""
    try:
        return TASKS[name]()
    except KeyError:
        raise SpecError({"task": f"{name[:40]!r} is unknown; choose one of {', '.join(TASKS)}"}) from None


__all__ = ["TASKS", "Classification", "Data", "Detection", "Split", "Task", "task_for"]
