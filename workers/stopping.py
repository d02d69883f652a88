"""Whether this process was asked to stop. Work under way looks here at every event and hands itself back."""

from __future__ import annotations

import threading

stopping = threading.Event()
