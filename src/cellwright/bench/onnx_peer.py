"""ONNX Runtime as a peer: a model of one node, read and written where torch has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .contender import Compute, Contender, Sequence
from .errors import AbsentError
from .registry import ONNX

Values = Mapping[str, Tensor]

ORDER = {"lstm": ("LSTM", "iofc"), "gru": ("GRU", "zrh"), "elman": ("RNN", "h")}
"""By cell, ONNX's operator and its order of the gates."""
OURS = {"lstm": "ifco", "gru": "rzh", "elman": "h"}
"""torch's order of the same gates, by ONNX's letters."""
OPSET, IR_VERSION = 14, 8
"""Old enough for every runtime of the last years; the operators are the same since."""


@dataclass(frozen=True)
class _Packages:
    onnx: Any
    runtime: Any


def packages() -> _Packages:
    """Import ONNX and its runtime.

    Raises:
        AbsentError: one of them is not installed.
    """
    try:
        import onnx  # noqa: PLC0415  # the extra `bench`
        import onnxruntime  # noqa: PLC0415  # likewise
    except ImportError as error:
        raise AbsentError(f"{error}; fix: pip install 'cellwright[bench]'") from error
    return _Packages(onnx, onnxruntime)


def onnx_model(cell: str, layer: nn.RNNBase) -> bytes:
    """Return a model of one recurrent node, with the weights of a layer of torch.nn.

    Args:
        cell: lstm, gru or elman.
        layer: of one layer and direction.
    """
    onnx = packages().onnx
    operator, order = ORDER[cell]
    weights = {n: p.detach() for n, p in layer.named_parameters()}
    places = [OURS[cell].index(gate) for gate in order]

    def sorted_gates(name: str) -> np.ndarray:
        rows = weights[name].chunk(len(order))
        return torch.cat([rows[place] for place in places]).numpy()[None]

    bias = [sorted_gates("bias_ih_l0"), sorted_gates("bias_hh_l0")]
    tensors = {
        "W": sorted_gates("weight_ih_l0"),
        "R": sorted_gates("weight_hh_l0"),
        "B": np.concatenate(bias, axis=1),
    }
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    more = {"linear_before_reset": 1} if operator == "GRU" else {}
    node = helper.make_node(
        operator, ["X", *tensors], ["Y"], hidden_size=layer.hidden_size, **more
    )
    x = helper.make_tensor_value_info("X", kind, ["T", "B", layer.input_size])
    y = helper.make_tensor_value_info("Y", kind, ["T", 1, "B", layer.hidden_size])
    known = [onnx.numpy_helper.from_array(v, n) for n, v in tensors.items()]
    graph = helper.make_graph([node], cell, [x], [y], known)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def contender(
    cell: str, layer: nn.RNNBase, given: Sequence, expected: Compute
) -> Contender:
    """Return ONNX Runtime on the weights of a layer, with torch's number of threads.

    Input and output are bound to torch's memory, all optimisations are on.

    Args:
        cell: lstm, gru or elman.
        layer: of torch.nn.
        given: what it reads.
        expected: what it should compute.
    """
    session = _session(onnx_model(cell, layer))

    def bound(steps: int) -> tuple[Callable[[], None], Tensor]:
        x = given.x[:steps]
        y = torch.empty(steps, 1, given.shape.B, given.shape.H)
        binding = session.io_binding()
        for bind, name, tensor in (
            (binding.bind_input, "X", x),
            (binding.bind_output, "Y", y),
        ):
            bind(name, "cpu", 0, np.float32, list(tensor.shape), tensor.data_ptr())
        return lambda: session.run_with_iobinding(binding), y

    def compute(steps: int) -> Values:
        run, y = bound(steps)
        run()
        return {"output": y.squeeze(1)}

    run, kept = bound(given.shape.T)

    def call() -> Tensor:
        run()
        return kept

    return Contender(ONNX, call, compute=compute, expected=expected)


def _session(model: bytes) -> Any:
    runtime = packages().runtime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return runtime.InferenceSession(model, options, ["CPUExecutionProvider"])
