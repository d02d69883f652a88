"""Loading an own network: from a stranger's file to a module that is known to agree with it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import torch
from torch import fx

from evolution_core.measurement.counts import count_parameters, walk
from evolution_core.spec import NetworkError

from . import comparison
from .emission import Constant, Dim, Emission, Emitted
from .folding import FOLDABLE, fold_constants
from .graph import Graph, Input, Step, refuse, shown
from .idioms import restore_idioms
from .operators import builder
from .operators.elementwise import fold
from .operators.shapes import permuted
from .preprocessing import Normalisation, declared_normalisation, exported_facts
from .reading import fix_input, infer, read_bytes, read_graph, read_input, read_model

log = logging.getLogger(__name__)

MAXIMUM_OUTPUTS = 10_000
MAXIMUM_MACS = 250_000_000_000  # for one image: VGG-19 at 224 pixels needs 20
# A file that leaves the batch open is read for this many images: a prime that is no layer's width,
# so that sizes which belong to the batch are told from all others.
OPEN_BATCH = 29
# The last step of a classifier, and what it is called: training wants the values before it.
FINAL = {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Sigmoid": "sigmoid"}


@dataclass(frozen=True)
class OwnNetwork:
    """A user's network, ready to evolve.

    module maps float images [N, C, H, W] to logits [N, outputs]; it is in evaluation mode. `final` is the
    step that the file had after its logits ("softmax", "log-softmax", "sigmoid") or "": it is taken off
    for training, and :func:`comparison.deployed` puts it back for exports. `layers` names the layers that can be
    cut, with their clusters. `difference` is the largest one to ONNX Runtime seen at import.
    """

    module: fx.GraphModule
    shape: tuple[int, int, int]
    outputs: int
    name: str
    digest: str
    operators: dict[str, int]
    parameters: int
    final: str = ""
    difference: float = 0.0
    layers: dict[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    normalisation: Normalisation | None = None
    notes: tuple[str, ...] = ()


def load_onnx(source: Path | str | bytes, *, name: str = "", size: int | None = None) -> OwnNetwork:
    """Read, check, rebuild and compare the network in `source`.

    `size` is the height and width for files that leave them open (default 224). Raises NetworkError,
    naming operator and node, when anything in the file cannot be evolved.
    """
    content = read_bytes(source)
    try:
        return _load(content, source, name, size)
    except NetworkError:
        raise
    except Exception as error:  # a damaged file can go wrong anywhere; what went wrong here is for us to see
        log.warning("An ONNX file could not be imported", exc_info=True)
        raise NetworkError(f"the file is damaged or not understood ({type(error).__name__})") from None


def _load(content: bytes, source: Path | str | bytes, name: str, size: int | None) -> OwnNetwork:
    model = read_model(content)
    given = read_input(model, size)
    graph_name = name or (Path(source).stem if isinstance(source, (Path, str)) else model.graph.name)
    operators = dict(sorted(Counter(node.op_type for node in model.graph.node).items()))
    metadata = {entry.key: entry.value for entry in model.metadata_props if len(entry.value) < 1_000_000}
    built = _build(model, given)
    module, outputs = built.module, built.outputs
    work = walk(module, given.shape).macs
    if work > MAXIMUM_MACS:
        raise NetworkError(
            f"the network needs {work:,} multiply-adds for one image; at most {MAXIMUM_MACS:,} can be evolved"
        )
    difference = comparison.compare(content, given, module, built.output, built.final)
    layers = require_cuttable(module, given.shape)
    return OwnNetwork(
        module,
        given.shape,
        outputs,
        _clean(graph_name) or "own network",
        hashlib.sha256(content).hexdigest(),
        operators,
        count_parameters(module),
        built.final,
        difference,
        layers,
        _classes(metadata, outputs),
        declared_normalisation(metadata, given.shape[0]),
        tuple(built.notes),
    )


@dataclass
class _Built:
    module: fx.GraphModule
    output: str  # the ONNX output that it gives
    final: str
    outputs: int
    notes: list[str]


def _build(model: onnx.ModelProto, given: Input) -> _Built:
    """The module for the first output that is a classifier's, at the first batch size that works."""
    first_error: NetworkError | None = None
    for batch in [given.batch] if given.batch else [OPEN_BATCH, 1]:
        try:
            fix_input(model, given, batch)
            infer(model)
            return _first_classifier(model, given, batch)
        except NetworkError as error:
            first_error = first_error or error
    assert first_error is not None
    raise first_error


def _first_classifier(model: onnx.ModelProto, given: Input, batch: int) -> _Built:
    names = [output.name for output in model.graph.output][:16]
    first_error: NetworkError | None = None
    for output in names:
        graph = read_graph(model)
        graph.outputs = [output]
        graph.drop_unused()
        try:
            built = _convert(graph, given, batch)
        except NetworkError as error:
            first_error = first_error or error
            continue
        if len(names) > 1:
            built.notes.append(f"of the {len(names)} outputs, {shown(output)} is evolved")
        return built
    raise first_error or NetworkError("the network has no output")


def _convert(graph: Graph, given: Input, batch: int) -> _Built:
    output = graph.outputs[0]
    fold_constants(graph)
    restore_idioms(graph)
    final = _strip_final(graph)
    for step in graph.steps:
        if builder(step.operator) is None and step.operator not in FOLDABLE:
            raise refuse(step, "is not an operator that can be evolved")
    emission = Emission(graph, batch)
    image = emission.placeholder(given.name, given.shape)
    if given.channels_last:
        start = Step("Transpose", "input", (given.name,), (given.name,))
        emission.values[given.name] = permuted(emission, start, image, [0, 2, 3, 1])
    for step in graph.steps:
        _emit(emission, step)
    result, classes = _classifier_output(emission, graph.outputs[0])
    if final:
        emission.notes.append(f"its last step, {final}, is taken off for training")
    return _Built(emission.finish(result), output, final, classes, emission.notes)


def _emit(emission: Emission, step: Step) -> None:
    known = all(not name or isinstance(emission.values.get(name), Constant) for name in step.inputs)
    build = builder(step.operator)
    if known:
        values = fold(emission, step)
    elif build is None:
        raise refuse(step, "works on an image's values, where it cannot be evolved")
    else:
        made = build(emission, step)
        values = made if isinstance(made, tuple) else (made,)
    for name, value in zip(step.outputs, values, strict=False):
        if name:
            if isinstance(value, Emitted) and isinstance(value.probes[0], torch.Tensor):
                _ = value.dims  # refuses what mixes the images of a batch, by this step's name
            emission.values[name] = value


def _strip_final(graph: Graph) -> str:
    """Take the classifier's last activation off; returns its name or ''."""
    name = graph.outputs[0]
    step = graph.producer(name)
    while step is not None and step.operator in ("Identity", "Cast"):
        name = step.inputs[0]
        step = graph.producer(name)
    if step is None or step.operator not in FINAL:
        return ""
    graph.outputs = [step.inputs[0]]
    graph.drop_unused()
    return FINAL[step.operator]


def _classifier_output(emission: Emission, name: str) -> tuple[Emitted, int]:
    """The value [N, K], flattened if it still has an image's dimensions of size 1."""
    value = emission.values.get(name)
    if not isinstance(value, Emitted):
        raise NetworkError(f"the output {shown(name)} does not depend on the image")
    dims = value.dims
    ones = all(dim == Dim(1) for dim in dims[2:]) or all(dim == Dim(1) for dim in dims[1:-1])
    if len(dims) < 2 or dims[0] != Dim(1, True) or not ones or value.probes[0].dtype != torch.float32:
        listed = "x".join("N" if dim.batched else str(dim.size) for dim in dims)
        raise NetworkError(f"the output {shown(name)} is {listed or 'a single number'}; a classifier's is N x classes")
    if len(dims) > 2:
        value = emission.function(Step("Flatten", "output", (), ()), torch.flatten, value, 1)
    classes = value.dims[1].size
    if not 1 <= classes <= MAXIMUM_OUTPUTS:
        raise NetworkError(f"the output {shown(name)} has {classes:,} classes; 1 to {MAXIMUM_OUTPUTS:,} are possible")
    return value, classes


def require_cuttable(module: fx.GraphModule, shape: tuple[int, int, int]) -> dict[str, int]:
    """The layers that evolution could make narrower, with their clusters. Raises NetworkError when there is none."""
    from evolution_core.genome import trace_clusters  # the genome embeds own networks, so it imports this package

    found = trace_clusters(module, torch.zeros(2, *shape))
    layers = {layer.name: len(layer.clusters) for layer in found.layers if not layer.protected}
    if not layers:
        reasons = sorted({f"{layer.name}: {layer.protected}" for layer in found.layers if layer.protected})
        why = f" ({'; '.join(reasons[:3])})" if reasons else ""
        raise NetworkError(f"the network has no layer that could be made narrower{why}")
    return layers


def _clean(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable()).strip()[:100]


def _classes(metadata: dict[str, str], outputs: int) -> tuple[str, ...]:
    """The classes' names in the order of the outputs, if the file tells them ("classes", a JSON list)."""
    try:
        listed = json.loads(metadata["classes"]) if "classes" in metadata else None
    except (ValueError, RecursionError):
        return ()
    if listed is None:
        listed = exported_facts(metadata.get("eustress", "")).get("classes")
    if isinstance(listed, dict):
        listed = [listed.get(str(index)) for index in range(outputs)]
    if not isinstance(listed, list) or len(listed) != outputs or not all(isinstance(item, str) for item in listed):
        return ()
    return tuple(listed)
