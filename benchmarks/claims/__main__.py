"""The command line: list what is declared and measured, run what is missing, write the report."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from evolution_core.spec import EustressError

from . import results, units
from .declared import Arm, Claim
from .register import CLAIMS, find


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__.splitlines()[0])
    orders = parser.add_subparsers(dest="order", required=True)
    orders.add_parser("list", help="every claim and arm, with the seeds that are measured")
    run = orders.add_parser("run", help="measure what has no result yet, seed by seed")
    run.add_argument("claim", choices=sorted(CLAIMS))
    run.add_argument("--arms", help="only these, joined by commas")
    run.add_argument("--groups", help="only the arms of these tables, joined by commas")
    run.add_argument("--seeds", help="only these, joined by commas; default: all that the claim declares")
    orders.add_parser("report", help="write docs/results.md and its pictures from the results alone")
    options = parser.parse_args(arguments)
    try:
        if options.order == "list":
            show()
        elif options.order == "run":
            claim = find(options.claim)
            return measure(claim, _arms(claim, options.arms, options.groups), _seeds(claim, options.seeds))
        else:
            from .report import write

            print(write())
    except (EustressError, ValueError) as error:
        print(f"claims: {error}", file=sys.stderr)
        return 1
    return 0


def _arms(claim: Claim, names: str | None, groups: str | None) -> list[Arm]:
    """Those named and those of the groups named, as declared; all without either."""
    if names is None and groups is None:
        return list(claim.arms)
    wanted = {claim.arm(name).name for name in names.split(",")} if names else set()
    return [arm for arm in claim.arms if arm.name in wanted or (groups and arm.group in groups.split(","))]


def _seeds(claim: Claim, text: str | None) -> list[int]:
    if text is None:
        return list(range(claim.seeds))
    return [int(part) for part in text.split(",")]


def show() -> None:
    for claim in CLAIMS.values():
        print(f"{claim.name}: {claim.title} ({claim.data})")
        for arm in claim.arms:
            done = results.measured(claim, arm)
            print(f"  {arm.name:28} {len(done)} of {claim.seeds} seeds  {arm.title}")


def measure(claim: Claim, arms: Sequence[Arm], seeds: Sequence[int]) -> int:
    """All arms of a seed before the next seed, so that what is compared is complete early. What another process is
    at, or what waits for another arm, is tried again at the end; the exit status is 1 if anything is left."""
    waiting = [(seed, arm) for seed in seeds for arm in arms if results.read(claim, arm, seed) is None]
    print(f"{claim.name}: {len(waiting)} of {len(seeds) * len(arms)} units to measure", flush=True)
    while waiting:
        left = []
        for seed, arm in waiting:
            if not _measured(claim, arm, seed):
                left.append((seed, arm))
        if len(left) == len(waiting):
            return 1
        waiting = left
    return 0


def _measured(claim: Claim, arm: Arm, seed: int) -> bool:
    started = time.perf_counter()
    name = f"{arm.name}, seed {seed}"
    try:
        found = units.run(claim, arm, seed, lambda sentence: print(f"  {name}: {sentence}", flush=True))
    except EustressError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return False
    chosen = found["chosen"]
    accuracy = "" if chosen["test"] is None else f", {100 * chosen['test']:.2f} % on test"
    seconds = time.perf_counter() - started
    print(f"{name}: {chosen['times_smaller']:.1f}x smaller{accuracy} ({seconds:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
