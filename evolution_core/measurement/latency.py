"""How long one image takes in ONNX Runtime: batch 1, one thread, networks taking turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evolution_core.spec import NetworkError

# Some systems count a thread's work in steps of many milliseconds.
clock = time.thread_time if time.get_clock_info("thread_time").resolution <= 1e-5 else time.perf_counter


def session(network: bytes | Path | str, *, profile: Path | None = None, optimized: bool = True) -> Any:
    """An ONNX Runtime session on one CPU thread; with `profile` it records every step in a file whose name begins so,
    not `optimized` it runs the file's steps as they stand.
    Raises NetworkError when the file cannot be run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    content = network if isinstance(network, bytes) else str(network)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen exception types and no common base
        raise NetworkError(f"ONNX Runtime cannot run this network: {str(error).splitlines()[0][:200]}") from None


def latency_ms(
    networks: Mapping[str, bytes | Path | str],
    *,
    rounds: int = 60,
    seconds: float = 3.0,
    warm_up: float = 0.15,
    image: np.ndarray | None = None,
) -> dict[str, float]:
    """Median milliseconds for one image, by name. `networks` are ONNX files or their bytes.

    After a warm-up of `warm_up` seconds each, the networks run in turn, a small burst each, so that a
    change in the machine's pace meets all of them alike. A network's figure is the median over `rounds`
    bursts (of a burst's mean time); rounds end early, but not before five, after `seconds` in all.
    The input is `image` (float32 [1, C, H, W]) or zeros: only what follows a network, such as the suppression of
    boxes, takes longer on one image than on another. Time is what this thread, which does all of the work, has
    worked: on a machine that also trains, time on the wall would say how busy that is.
    Raises NetworkError when a file cannot be run.
    """
    runs = {name: _runner(network, image) for name, network in networks.items()}
    burst = {name: max(1, min(200, round(2e-3 / _warm(run, warm_up)))) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    started = clock()
    for turn in range(rounds):
        for name, run in runs.items():
            before = clock()
            for _ in range(burst[name]):
                run()
            times[name].append((clock() - before) / burst[name])
        if turn >= 4 and clock() - started > seconds:
            break
    return {name: statistics.median(taken) * 1000.0 for name, taken in times.items()}


def _runner(network: bytes | Path | str, image: np.ndarray | None) -> Any:
    """A function that runs the network once on `image`, or on zeros."""
    prepared = session(network)
    feed = image_for(prepared, image)
    return lambda: prepared.run(None, feed)


def image_for(prepared: Any, image: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """What a session is run on: `image`, or one of zeros."""
    source = prepared.get_inputs()[0]
    sizes = [1] + [side if isinstance(side, int) and side > 0 else 1 for side in source.shape[1:]]
    return {source.name: np.zeros(sizes, np.float32) if image is None else image}


def _warm(run: Any, seconds: float) -> float:
    """Run for a while; the fastest single time in seconds."""
    started = clock()
    best = float("inf")
    while True:
        before = clock()
        run()
        now = clock()
        best = min(best, now - before)
        if now - started > seconds:
            return best
