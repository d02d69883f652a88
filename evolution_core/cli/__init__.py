"""The engine's command line: evolve, list what there is, measure and export networks.

Expected refusals end with exit status 2 and one sentence on stderr; Ctrl-C with 130. Commands import what they
need when they run, so that --help and the listings answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..spec import EustressError
from .parser import make_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 2 refused, 130 interrupted."""
    options = make_parser().parse_args(argv)
    try:
        return options.command(options)
    except EustressError as error:
        return _refuse(str(error))
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{name}{error.strerror or error}")
    except (MemoryError, RuntimeError) as error:  # torch tells of memory by a RuntimeError
        if isinstance(error, RuntimeError) and "not enough memory" not in str(error):
            raise
        return _refuse("there is not enough memory for this; try smaller images, a smaller batch or a smaller width")
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _refuse(sentence: str) -> int:
    print(f"eustress: {' '.join(sentence.split())}", file=sys.stderr)
    return 2
