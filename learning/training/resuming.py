"""Take the weights of an encoder that ships back into torch, to teach it further.

A bundle keeps its encoder as a graph with weights in eight bits (`fusing`). Here they become numbers again,
as near as eight bits keep them; teaching goes on from there and mends what the rounding took. So nobody has
to pretrain for an hour in order to teach new lessons. The graph does not hold the part that restores hidden
characters: it begins anew and is of no use.

Such an encoder has seen the lessons of its own making. So only lessons that are newer than it may calibrate
what is taught from here on (`CascadeRecipe.fresh`).

Neighbours: `fusing` wrote the graph; `onward` teaches further.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from learning import cascade
from learning.characters import SPECIAL, Alphabet
from learning.training.network import Network, Reader, Shape
from learning.training.pretrain import Letters, fold_all

_PARTS: Final = ("asked", "joined", "wide", "narrow")
_BEGINS_ANEW: Final = ("network.restoring.", "network.restored.", "network.bias")


def resumed_letters(folder: Path) -> Letters:
    """Return the alphabet of the cascade in `folder`, as `pretrain.letters_of` had made it."""
    numbers = np.load(folder / cascade.NUMBERS)
    sounds = np.load(folder / cascade.SOUNDS)
    count = int(numbers.max()) + 1
    characters, own = [""] * count, np.zeros(count, dtype=np.int64)
    codes = np.flatnonzero(numbers >= SPECIAL).tolist()
    own[numbers[codes]] = sounds[codes]
    # Several characters are read as one; it is the one that folds to itself.
    for code, folded in zip(codes, fold_all([chr(code) for code in codes]), strict=True):
        if folded == chr(code):
            characters[numbers[code]] = folded
    return Letters(characters, own, Alphabet(numbers, sounds))


def resumed_reader(folder: Path, *, attention: int, dropout: float = 0.1) -> Reader:
    """Return the encoder of the cascade in `folder`, its heads and its vector, in torch.

    Parameters
    ----------
    attention
        Into how many parts each layer's attention is split; the weights do not tell.

    Raises
    ------
    ValueError
        If the graph is not one that `fusing` wrote.
    """
    import onnx  # noqa: PLC0415 - an optional library
    from onnx import numpy_helper  # noqa: PLC0415 - with it

    graph = onnx.load(str(folder / cascade.GRAPH)).graph
    known = {part.name: numpy_helper.to_array(part) for part in graph.initializer}
    products = [
        node.input[1].removesuffix("_quantized")
        for node in graph.node
        if node.op_type == "DynamicQuantizeMatMul"
    ]
    layers = (len(products) - 3) // len(_PARTS)
    if layers < 1 or len(products) != len(_PARTS) * layers + 3:
        raise ValueError(f"{len(products)} products are not those of an encoder that was written here")
    state: dict[str, Tensor] = {
        f"network.{name}.weight": _tensor(_whole(known, f"network.{name}.weight"))
        for name in ("character", "sound")
    }
    names = [f"network.layers.{layer}.{part}" for layer in range(layers) for part in _PARTS]
    for name, product in zip([*names, "heads.1", "heads.4", "vector"], products, strict=True):
        state[f"{name}.weight"] = _tensor(_whole(known, product).T)
    for name, array in known.items():
        if name.endswith((".weight", ".bias")):
            state[name] = _tensor(array)
    inner, width = state[f"{names[2]}.weight"].shape
    shape = Shape(
        len(state["network.character.weight"]),
        len(state["network.sound.weight"]),
        width,
        layers,
        attention,
        inner,
    )
    reader = Reader(Network(shape, dropout), len(state["heads.4.bias"]), len(state["vector.bias"]))
    missing, strange = reader.load_state_dict(state, strict=False)
    restoring = {"network.restoring", "network.restored", "network.bias"}
    if strange or {name.removesuffix(".weight").removesuffix(".bias") for name in missing} - {
        *restoring,
        "network",
    }:
        raise ValueError("the graph lacks weights of an encoder that was written here")
    return reader


def _whole(known: dict[str, Any], name: str) -> npt.NDArray[np.float32]:
    """Return a table of eight bits as numbers; scales are one for all, or one a column."""
    zero = known[f"{name}_zero_point"].astype(np.float32)
    result: npt.NDArray[np.float32] = (known[f"{name}_quantized"].astype(np.float32) - zero) * known[
        f"{name}_scale"
    ]
    return result


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
