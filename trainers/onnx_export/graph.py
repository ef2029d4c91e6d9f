"""Write a detector's computation from pixels to detections as an ONNX graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from trainers.detectors.explain import explained
from trainers.onnx_export.network import PixelsToDetections
from trainers.onnx_export.suppression import translations

OPSET = 18
INPUT, OUTPUTS = "image", ("boxes", "scores", "labels")
EXAMPLE = (300, 420)  # pixels: a stride of 128 leaves several cells, so that no size of 1 becomes part of the graph


def graph(detector: Any) -> Any:
    """Return the ONNX model, an ``onnx.ModelProto``, of ``PixelsToDetections`` for images of any size.

    Raises ``TrialError`` where an operation of the detector has no counterpart in ONNX.
    """
    size = torch.export.Dim.DYNAMIC
    image = torch.zeros(*EXAMPLE, 3, dtype=torch.uint8)
    with explained("write this detector as ONNX"), torch.no_grad(), _quiet():
        program = torch.export.export(
            PixelsToDetections(detector),
            (image,),
            dynamic_shapes=({0: size, 1: size, 2: None},),
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        written = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            custom_translation_table=translations(),
            verbose=False,
        )
        assert written is not None
        return without_traces(written.model_proto)


def without_traces(model: Any) -> Any:
    """Remove from an ``onnx.ModelProto`` the traces that the exporter leaves at nodes and values, and return it.

    They name the files of this machine, and take as much room as the weights of a small student.
    """
    for part in _parts(model.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


def _parts(graph: Any) -> Iterator[Any]:
    """Yield a graph, its values, weights and nodes, and those of the graphs inside its nodes."""
    yield from (graph, *graph.input, *graph.output, *graph.value_info, *graph.initializer, *graph.node)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _parts(attribute.g)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks on their own parts off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
