"""A BERT of two thousand weights, made on the spot: nothing is downloaded."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

CHARACTERS = "宿舍热水能不延长到十一点你就是个废物，滚出去加微信领取这条路的灯坏了很久晚上走怕。短哈"


def write_tiny_transformer(folder: Path, *, several: bool = False) -> Path:
    """Write a sequence classifier with the labels safe and offensive, random but always the same."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(CHARACTERS)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label={0: "safe", 1: "offensive"},
        label2id={"safe": 0, "offensive": 1},
        problem_type="multi_label_classification" if several else None,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
