"""Write the exported encoder anew in few, wide steps, for rows without padding.

The exporter writes every step of the network on its own, and the runtime cannot put all of them together
again: attention is fifteen small steps, and the smooth gate between the two wide layers seven. Here the
same arithmetic over the same weights of eight bits stands as one step each. Answers agree with the
exported graph to about 0.006 of a logit, which is what one step of eight bits may make of a rounding
(tests/unit/learning/test_cascade.py), and a row takes about a quarter less time.

It reads no weights but those of the graph, and it knows the network of `network.Reader` and no other.

Neighbours: `encoding` exports and asks for this; `encoder_onnx` runs what comes out.

Source
------
ONNX Runtime, contributed operators (com.microsoft): DynamicQuantizeMatMul, MultiHeadAttention, FastGelu.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from learning.training.network import Shape

_OURS: Final = "com.microsoft"
_OPSETS: Final = (("", 17), (_OURS, 1))
_FORMAT: Final = 8
_EPSILON: Final = 1e-5
_INSIDE: Final = ("asked", "joined", "wide", "narrow")
"""The products of one layer, in the order in which they stand in the graph."""


class _Writer:
    """Steps and weights of the graph that is being written, out of those of another."""

    def __init__(self, graph: Any) -> None:  # noqa: ANN401 - onnx has no types
        from onnx import numpy_helper  # noqa: PLC0415 - an optional library

        self.known = {part.name: numpy_helper.to_array(part) for part in graph.initializer}
        self.weights: dict[str, Any] = {}
        self.steps: list[Any] = []
        matmul = [node.input[1] for node in graph.node if node.op_type == "MatMulInteger"]
        self.products = [name.removesuffix("_quantized") for name in matmul]

    def keep(self, name: str, array: Any = None) -> str:  # noqa: ANN401 - as above
        """Take a weight over, or a constant in, and return its name."""
        self.weights[name] = self.known[name] if array is None else array
        return name

    def step(self, kind: str, takes: Sequence[str], gives: Sequence[str] | str, **said: Any) -> str:  # noqa: ANN401
        """Write one step and return the name of what it gives."""
        from onnx import helper  # noqa: PLC0415 - an optional library

        given = [gives] if isinstance(gives, str) else list(gives)
        domain = _OURS if kind in {"DynamicQuantizeMatMul", "MultiHeadAttention", "FastGelu", "Gelu"} else ""
        self.steps.append(helper.make_node(kind, list(takes), given, domain=domain, **said))
        return given[0]

    def looked_up(self, table: str, numbers: str) -> str:
        """Write the look-up of rows in a table of eight bits."""
        rows = self.step("Gather", [self.keep(f"{table}_quantized"), numbers], f"{table}.rows")
        scale = [self.keep(f"{table}_scale"), self.keep(f"{table}_zero_point")]
        return self.step("DequantizeLinear", [rows, *scale], f"{table}.states")

    def product(self, states: str, weight: str, gives: str, bias: str | None = None) -> str:
        """Write a product with a weight of eight bits."""
        takes = [states, *(self.keep(f"{weight}_{part}") for part in ("quantized", "scale", "zero_point"))]
        return self.step("DynamicQuantizeMatMul", takes + ([self.keep(bias)] if bias else []), gives)

    def normal(self, states: str, part: str, gives: str) -> str:
        """Write a normalisation."""
        takes = [states, self.keep(f"{part}.weight"), self.keep(f"{part}.bias")]
        return self.step("LayerNormalization", takes, gives, axis=-1, epsilon=_EPSILON)

    def layer(self, states: str, place: int, shape: Shape) -> str:
        """Write one layer of the network."""
        name = f"network.layers.{place}"
        asked, joined, wide, narrow = self.products[4 * place : 4 * place + 4]
        before = self.normal(states, f"{name}.before", f"{name}.before")
        whole = self.product(before, asked, f"{name}.asked", f"{name}.asked.bias")
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        self.step("Split", [whole, "parts"], parts, axis=2)
        mixed = self.step("MultiHeadAttention", parts, f"{name}.mixed", num_heads=shape.attention)
        added = self.product(mixed, joined, f"{name}.joined", f"{name}.joined.bias")
        states = self.step("Add", [states, added], f"{name}.attended")
        between = self.normal(states, f"{name}.between", f"{name}.between")
        inner = self.product(between, wide, f"{name}.wide")
        inner = self.step("FastGelu", [inner, self.keep(f"{name}.wide.bias")], f"{name}.inner")
        added = self.product(inner, narrow, f"{name}.narrow", f"{name}.narrow.bias")
        return self.step("Add", [states, added], f"{name}.states")

    def entered(self) -> str:
        """Write what a row enters as: characters, sounds and places."""
        length = self.step("Shape", ["numbers"], "length", start=1, end=2)
        begin = self.keep("begin", np.zeros(1, dtype=np.int64))
        places = self.step("Slice", [self.keep("network.place.weight"), begin, length, begin], "places")
        character = self.looked_up("network.character.weight", "numbers")
        sound = self.looked_up("network.sound.weight", "sounds")
        return self.step("Add", [self.step("Add", [character, sound], "said"), places], "entered")

    def answers(self, states: str) -> None:
        """Write the heads and the vector over the mean and the maximum of the last states."""
        mean = self.step("ReduceMean", [states], "mean", axes=[1], keepdims=0)
        top = self.step("ReduceMax", [states], "top", axes=[1], keepdims=0)
        both = self.step("Concat", [mean, top], "both", axis=1)
        inner = self.product(both, "heads.1.weight", "heads.1", "heads.1.bias")
        self.product(self.step("Gelu", [inner], "heads.inner"), "heads.4.weight", "logits", "heads.4.bias")
        self.product(mean, "vector.weight", "vector", "vector.bias")


def fused(model: Any, shape: Shape) -> Any:  # noqa: ANN401 - onnx has no types
    """Return the exported graph of a `network.Reader` in few steps.

    Parameters
    ----------
    model
        The exported model with weights in eight bits (`onnx.ModelProto`); it stays as it is.
    shape
        The sizes of its network.

    Returns
    -------
    The new model: rows of shape (n, length), of one length and without padding, to logits and vectors.

    Raises
    ------
    ValueError
        If the graph is not that of such a network.
    """
    from onnx import TensorProto, checker, helper, numpy_helper  # noqa: PLC0415 - an optional library

    writer = _Writer(model.graph)
    # Beside the layers' products stand the two of the heads and that of the vector.
    if len(writer.products) != len(_INSIDE) * shape.layers + 3:
        raise ValueError(f"{len(writer.products)} products are not those of {shape.layers} layers")
    writer.keep("parts", np.full(3, shape.width, dtype=np.int64))
    states = writer.entered()
    for place in range(shape.layers):
        states = writer.layer(states, place, shape)
    writer.answers(writer.normal(states, "network.last", "last"))
    graph = helper.make_graph(
        writer.steps,
        "encoder",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "length"])
            for name in ("numbers", "sounds")
        ],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, ["rows", len(writer.known[f"{part}.bias"])]
            )
            for name, part in (("logits", "heads.4"), ("vector", "vector"))
        ],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in writer.weights.items()
        ],
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in _OPSETS],
        ir_version=_FORMAT,
    )
    checker.check_model(made)
    return made
