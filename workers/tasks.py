"""The tasks: a name, a row's id, and the function that does it. Messages carry nothing else."""

from __future__ import annotations

from workers import dry_runs, exported, exports, final, inside, inspections, orchestrator, quantized, recorder, sweeper
from workers.app import app


@app.task(name="workers.inspect_dataset")
def inspect_dataset(dataset_id: int) -> None:
    inspections.inspect_dataset(dataset_id)


@app.task(name="workers.inspect_base")
def inspect_base(base_file_id: int) -> None:
    inspections.inspect_base(base_file_id)


@app.task(name="workers.advance")
def advance(run_id: int) -> None:
    orchestrator.advance(run_id)


@app.task(name="workers.live")
def live(network_id: int) -> None:
    recorder.live(network_id)


@app.task(name="workers.finish")
def finish(run_id: int) -> None:
    final.finish(run_id)


@app.task(name="workers.dry_run")
def dry_run(dry_run_id: int) -> None:
    dry_runs.dry_run(dry_run_id)


@app.task(name="workers.export_onnx")
def export_onnx(network_id: int) -> None:
    exports.export_onnx(network_id)


@app.task(name="workers.measure_onnx")
def measure_onnx(network_id: int) -> None:
    exported.measure_onnx(network_id)


@app.task(name="workers.quantize")
def quantize(network_id: int) -> None:
    quantized.quantize(network_id)


@app.task(name="workers.look_inside")
def look_inside(network_id: int) -> None:
    inside.look_inside(network_id)


@app.task(name="workers.sweep")
def sweep() -> None:
    sweeper.sweep()
