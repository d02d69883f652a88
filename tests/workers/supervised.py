"""A supervisor over children of a test's making, as a program of its own: it must own its process's signals.

    python supervised.py FOLDER '[{"name": "a", "code": "print(1)"}, …]' [HOPELESS]

The first child stands in Redis's place. Every child counts as ready once the file FOLDER/NAME.ready is there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from webapp.server.children import Child
from webapp.server.supervisor import HomeLock, Supervisor, Trouble


def main() -> int:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup, which ignores it
    folder = Path(sys.argv[1])
    children = [
        Child(
            name=asked["name"],
            command=[sys.executable, "-c", asked["code"]],
            ready=(folder / f"{asked['name']}.ready").exists,
            log=folder / f"{asked['name']}.log",
            environment=dict(os.environ),
            folder=folder,
        )
        for asked in json.loads(sys.argv[2])
    ]
    try:
        lock = HomeLock(folder)
        supervisor = Supervisor(children[:1], children[1:], lambda text: print(text, flush=True))
        supervisor.listen()
        try:
            if supervisor.start():
                print("up", flush=True)
                supervisor.watch()
        finally:
            supervisor.stop()
        del lock
    except Trouble as trouble:
        print(f"trouble: {trouble}", flush=True)
        return 1
    print("down", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
