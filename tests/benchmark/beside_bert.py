"""Measure whole screening beside a 12-layer model, on the same posts in the same run.

    python -m tests.benchmark.beside_bert [FILE …] [--limit 2000] [--rounds 3] [--bundle PATH] [--one-core]

Ours is the command an operator runs, `tingjian screen FILE`, with its two processes: normalising,
rules, classifier, policy, a row a post. Beside it stands a model of the size of bert-base (12 layers of
768, 12 heads, 3,072 inside, 21,128 words) with random weights, exported to ONNX and quantised to eight
bits, two threads, in batches of 32 posts of like length; only its forward pass is counted, neither
its tokenizer nor anything that a service would do around it. What random weights compute costs as much
as what learnt ones do. Both take turns, so that other work on the machine strikes them alike, and the
median of the rounds counts. Labels are not read. The last line is one JSON object; asserts nothing.

With `--one-core` both run in this process on one thread and are told by their processor time, which other
work on the machine changes little. That leaves out reading the file and handing rows to processes.
"""

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from api.commands.screen import BATCH, screened
from learning.bundle import load_bundle
from learning.cascade import CascadeBundle
from moderation.pipeline import load_screener
from moderation.settings import ModerationSettings

Clock = Callable[[], float]

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "../shared/data/cold/test.jsonl.gz", ROOT / "api/sample/posts.jsonl")
WORDS, LONGEST, AT_ONCE, THREADS = 21_128, 128, 32, 2
FIRST_WORD = 670
RATE = re.compile(r"(\d+) posts in ([\d.]+) s, ([\d,]+) posts/s")


def texts_of(file: Path, limit: int) -> list[str]:
    """Return the texts of a file; its labels are not looked at."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        found = [json.loads(line)["text"] for line in lines]
    return found[: limit or None]


def make_bert(folder: Path) -> Path:
    """Write the quantised graph of a model of the size of bert-base, with random weights."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from torch import nn

    class Classifier(nn.Module):
        """Words, places and a mask → two logits from the first place."""

        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, 768)
            self.places = nn.Embedding(512, 768)
            self.enter = nn.LayerNorm(768)
            self.layers = nn.ModuleList(Block() for _ in range(12))
            self.pooled, self.head = nn.Linear(768, 768), nn.Linear(768, 2)

        def forward(self, words: Any, mask: Any) -> Any:
            states = self.enter(self.words(words) + self.places.weight[: words.shape[1]])
            hidden = (1.0 - mask[:, None, None, :].float()) * -1e4
            for layer in self.layers:
                states = layer(states, hidden)
            return self.head(torch.tanh(self.pooled(states[:, 0])))

    class Block(nn.Module):
        """Attention and a feed-forward part, each before a normalisation, as BERT has them."""

        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value, self.joined = (nn.Linear(768, 768) for _ in range(4))
            self.wide, self.narrow = nn.Linear(768, 3072), nn.Linear(3072, 768)
            self.between, self.after = nn.LayerNorm(768), nn.LayerNorm(768)

        def forward(self, states: Any, hidden: Any) -> Any:
            def parted(part: Any) -> Any:
                return part(states).view(states.shape[0], -1, 12, 64).transpose(1, 2)

            weights = parted(self.query) @ parted(self.key).transpose(-1, -2) / 8.0 + hidden
            mixed = (weights.softmax(-1) @ parted(self.value)).transpose(1, 2)
            states = self.between(states + self.joined(mixed.reshape(states.shape)))
            inner = nn.functional.gelu(self.wide(states))
            return self.after(states + self.narrow(inner))

    torch.manual_seed(1)
    sample = (torch.randint(FIRST_WORD, WORDS, (2, 16)), torch.ones(2, 16, dtype=torch.int64))
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Classifier().eval(),
            sample,
            str(folder / "bert.onnx"),
            input_names=["words", "mask"],
            output_names=["logits"],
            dynamic_axes={"words": {0: "n", 1: "length"}, "mask": {0: "n", 1: "length"}},
            opset_version=17,
            dynamo=False,
        )
    graph = onnx.load(str(folder / "bert.onnx"))
    del graph.graph.value_info[:]
    onnx.save(graph, str(folder / "bert.onnx"))
    quantize_dynamic(str(folder / "bert.onnx"), str(folder / "bert-int8.onnx"), weight_type=QuantType.QInt8)
    (folder / "bert.onnx").unlink()
    return folder / "bert-int8.onnx"


def open_bert(graph: Path, threads: int) -> Any:
    """Return a session over the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def rows_of(texts: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the batches: a word a character, between two marks, cut at 128, sorted by length."""
    words = [
        [101, *(FIRST_WORD + ord(one) % (WORDS - FIRST_WORD) for one in text[: LONGEST - 2]), 102]
        for text in texts
    ]
    words.sort(key=len)
    batches = []
    for at in range(0, len(words), AT_ONCE):
        part = words[at : at + AT_ONCE]
        filled = np.zeros((len(part), max(map(len, part))), dtype=np.int64)
        mask = np.zeros_like(filled)
        for place, row in enumerate(part):
            filled[place, : len(row)], mask[place, : len(row)] = row, 1
        batches.append((filled, mask))
    return batches


def bert_rate(session: Any, batches: list[tuple[np.ndarray, np.ndarray]], clock: Clock) -> float:
    """Return posts a second of the forward passes alone."""
    begun = clock()
    for words, mask in batches:
        session.run(None, {"words": words, "mask": mask})
    return sum(len(words) for words, _ in batches) / (clock() - begun)


def on_one_core(bundle: Path | None) -> Callable[[Sequence[str]], float]:
    """Return what tells posts a second of processor time, as a worker of the command screens them."""
    made = load_bundle(bundle)
    if isinstance(made, CascadeBundle):
        made = replace(made, encoder=replace(made.encoder, threads=1))
    screener = load_screener(ModerationSettings(), made)

    def rate(texts: Sequence[str]) -> float:
        rows = list(enumerate(texts))
        begun = time.process_time()
        for at in range(0, len(rows), BATCH):
            screened(screener, rows[at : at + BATCH])
        return len(rows) / (time.process_time() - begun)

    return rate


def our_rate(file: Path, bundle: Path | None, folder: Path) -> float:
    """Return the rate that `tingjian screen` tells of itself, its start not counted, as for the other."""
    words = [
        sys.executable,
        "-m",
        "api.command_line",
        "screen",
        str(file),
        "--out",
        str(folder / "out.jsonl"),
    ]
    words += ["--bundle", str(bundle.resolve())] if bundle else []
    told = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    found = RATE.search(told)
    if found is None:
        raise SystemExit(f"no rate in what the command said: {told}")
    return (
        int(found[1]) / max(float(found[2]), 1e-9)
        if float(found[2]) >= 1.0
        else float(found[3].replace(",", ""))
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="*", default=list(FILES))
    parser.add_argument("--limit", type=int, default=0, help="so many posts of each file; 0 for all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--one-core", action="store_true", help="one thread each, by processor time")
    chosen = parser.parse_args()
    ours_alone = on_one_core(chosen.bundle) if chosen.one_core else None
    clock = time.process_time if chosen.one_core else time.perf_counter
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session = open_bert(make_bert(folder), 1 if chosen.one_core else THREADS)
        for file in chosen.file:
            texts = texts_of(file, chosen.limit)
            batches = rows_of(texts)
            bert_rate(session, batches[-1:], clock)
            rows = folder / "rows.jsonl"
            rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
            ours, theirs = [], []
            for _ in range(chosen.rounds):
                ours.append(ours_alone(texts) if ours_alone else our_rate(rows, chosen.bundle, folder))
                theirs.append(bert_rate(session, batches, clock))
            our, their = statistics.median(ours), statistics.median(theirs)
            ratio = our / their
            mean = sum(map(len, texts)) / len(texts)
            print(  # noqa: T201 - a benchmark prints
                f"{file.name}: {len(texts)} posts of {mean:.0f} characters; screening {our:,.0f} posts/s, "
                f"bert-base int8 {their:,.1f} posts/s: {ratio:.1f} times"
            )
            found[f"{file.parent.name}/{file.name}"] = {
                "posts": len(texts),
                "screening": ours,
                "bert": theirs,
                "ratio": ratio,
            }
    print(json.dumps(found))  # noqa: T201 - as above


if __name__ == "__main__":
    main()
