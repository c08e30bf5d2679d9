"""Finish a cascade: export the network, hold its heads down, and write the bundle.

Neighbours: `encoding` and `onward` teach the network; `joining` joined the stages; `fusing` writes the
graph anew.
"""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from learning import cascade
from learning.bundle import load_bundle
from learning.cascade import CascadeBundle, joint
from learning.characters import Alphabet
from learning.encoder_onnx import CharacterEncoder, open_encoder
from learning.linear import LinearBundle
from learning.manifest import MANIFEST, CascadeManifest, FirstStage, JointEntry, our_labels
from learning.manifest import Source as SourceRecord
from learning.training.fusing import fused
from learning.training.joining import Unseen, held_down, judged
from learning.training.network import Reader
from learning.training.outputs import HARMS
from learning.training.pretrain import Letters
from learning.training.recipe import CascadeRecipe, Recipe
from learning.training.sources import Roots, read_texts
from learning.training.writing import write_cascade

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Joined:
    """The lines that join both stages, and the texts that neither had seen, by which they were found."""

    harms: list[JointEntry]
    reads: list[JointEntry]
    unseen: Unseen


def finished(
    recipe: CascadeRecipe,
    recipe_sha256: str,
    reader: Reader,
    letters: Letters,
    *,
    lessons: Recipe,
    first: Path,
    joined: Joined,
    sources: Sequence[SourceRecord],
    roots: Roots,
    work: Path,
    out: Path,
    tell: Tell,
) -> CascadeManifest:
    """Write the bundle of `recipe` in the folder `out` and return its manifest.

    Parameters
    ----------
    lessons, first
        The recipe and the folder of the first stage.
    work
        Where the graph is kept, whole and in eight bits.
    """
    opened = first_stage(first)
    graph = _exported(reader, work, tell)
    ready = CascadeBundle(
        name=recipe.name,
        first=opened,
        encoder=_opened(graph, letters.alphabet, work),
        plain=np.full(len(HARMS), -np.inf, dtype=np.float32),
        trained=np.ones(len(HARMS), dtype=np.float32),
        harm_heads=joint(joined.harms),
        read_heads=joint(joined.reads),
        share=(recipe.share[0], recipe.share[1]),
    )
    never = read_texts(lessons.harms.protected, roots, lessons.seed)
    harms = held_down(joined.harms, ready, never, recipe.ceiling, tell)
    scores, plain = judged(recipe, harms, joined.unseen, tell)
    said = {
        "format": 1,
        "kind": "cascade",
        "name": recipe.name,
        "recipe": recipe.name,
        "recipe_sha256": recipe_sha256,
        "seed": recipe.seed,
        "labels": our_labels(),
        "first": FirstStage(
            name=opened.name, manifest_sha256=hashlib.sha256((first / MANIFEST).read_bytes()).hexdigest()
        ),
        "plain": plain,
        "share": list(recipe.share),
        "heads": {"harms": harms, "reads": joined.reads},
        "sources": list(sources),
        "scores": scores,
    }
    arrays = {cascade.NUMBERS: letters.alphabet.numbers, cascade.SOUNDS: letters.alphabet.sounds}
    return write_cascade(out, said, arrays, {cascade.GRAPH: graph.read_bytes()})


def first_stage(folder: Path) -> LinearBundle:
    """Return the first stage in `folder`."""
    opened = load_bundle(folder)
    if not isinstance(opened, LinearBundle):
        raise TypeError("a cascade begins with a linear bundle")
    return opened


def _exported(reader: Reader, work: Path, tell: Tell) -> Path:
    """Write the graph with weights in eight bits and return where it is."""
    import onnx  # noqa: PLC0415 - an optional library
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - with onnx

    whole, small = work / "whole.onnx", work / cascade.GRAPH
    rows = torch.ones((2, 24), dtype=torch.int64)
    with warnings.catch_warnings():
        # The exporter warns that attention always has three parts, which is so.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            reader.eval(),
            (rows, torch.zeros_like(rows)),
            str(whole),
            input_names=["numbers", "sounds"],
            output_names=["logits", "vector"],
            dynamic_axes={
                "numbers": {0: "rows", 1: "length"},
                "sounds": {0: "rows", 1: "length"},
                "logits": {0: "rows"},
                "vector": {0: "rows"},
            },
            opset_version=17,
            dynamo=False,
        )
    graph = onnx.load(str(whole))
    del graph.graph.value_info[:]
    onnx.save(graph, str(whole))
    quantize_dynamic(str(whole), str(small), weight_type=QuantType.QInt8, per_channel=True)
    onnx.save(fused(onnx.load(str(small)), reader.network.shape), str(small))
    tell(f"graph: {whole.stat().st_size / 1e6:.1f} MB, in eight bits {small.stat().st_size / 1e6:.1f} MB")
    return small


def _opened(graph: Path, alphabet: Alphabet, work: Path) -> CharacterEncoder:
    np.save(work / cascade.NUMBERS, alphabet.numbers)
    np.save(work / cascade.SOUNDS, alphabet.sounds)
    return open_encoder(graph, work / cascade.NUMBERS, work / cascade.SOUNDS, len(HARMS))
