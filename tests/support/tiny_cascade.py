"""A cascade whose encoder says how often 加 stands in a text: a graph of four steps, made on the spot."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from learning.cascade import GRAPH, NUMBERS, OUTPUTS, SOUNDS
from learning.characters import CODES, SPECIAL
from learning.encoder import HARM_COLUMNS
from learning.manifest import MANIFEST, CascadeManifest, FileEntry, FirstStage, JointEntry, our_labels

SOUGHT = SPECIAL + 1
"""The number of 加; every other character has the one before it."""


def write_tiny_cascade(folder: Path, first: Path) -> Path:
    """Write a cascade that begins with the linear bundle in `first`, a folder beside it."""
    folder.mkdir()
    _write_graph(folder / GRAPH)
    numbers = np.full(CODES, SPECIAL, dtype=np.uint16)
    numbers[ord("加")] = SOUGHT
    np.save(folder / NUMBERS, numbers)
    np.save(folder / SOUNDS, np.zeros(CODES, dtype=np.uint16))
    line = JointEntry(linear=1.0, encoder=0.5, offset=-0.25, trained=True)
    manifest = CascadeManifest(
        format=1,
        kind="cascade",
        name=folder.name,
        recipe="tiny",
        recipe_sha256="",
        seed=1,
        labels=our_labels(),
        first=FirstStage(
            name=first.name, manifest_sha256=hashlib.sha256((first / MANIFEST).read_bytes()).hexdigest()
        ),
        plain=[-100.0] * len(HARM_COLUMNS),
        share=[1.0, 1.0],
        heads={"harms": [line] * len(HARM_COLUMNS), "reads": [line] * (OUTPUTS - len(HARM_COLUMNS))},
        sources=[],
        scores={},
        files={name: _entry(folder / name) for name in (GRAPH, NUMBERS, SOUNDS)},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return folder


def _entry(path: Path) -> FileEntry:
    content = path.read_bytes()
    return FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def _write_graph(path: Path) -> None:
    """Write numbers, sounds → share of the sought character, as every logit and as a vector of two."""
    constants = {
        "sought": np.array(SOUGHT, dtype=np.int64),
        "along": np.array([1], dtype=np.int64),
        "logit": np.full((1, OUTPUTS), 4.0, dtype=np.float32),
        "both": np.ones((1, 2), dtype=np.float32),
        "one": np.array([[1.0, 0.0]], dtype=np.float32),
        "nothing": np.array(0, dtype=np.int64),
    }
    steps = [
        helper.make_node("Mul", ["sounds", "nothing"], ["unused"]),
        helper.make_node("Add", ["numbers", "unused"], ["read"]),
        helper.make_node("Equal", ["read", "sought"], ["found"]),
        helper.make_node("Cast", ["found"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["counted", "along"], ["share"]),
        helper.make_node("Mul", ["share", "logit"], ["logits"]),
        helper.make_node("Mul", ["share", "both"], ["wide"]),
        helper.make_node("Add", ["wide", "one"], ["vector"]),
    ]
    rows = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "length"])
        for name in ("numbers", "sounds")
    ]
    answers = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["texts", OUTPUTS]),
        helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", 2]),
    ]
    graph = helper.make_graph(
        steps,
        "tiny",
        rows,
        answers,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
