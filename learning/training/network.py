"""The encoder's network, in torch: characters and their sounds → states → heads and a vector.

A pre-norm transformer. A character enters as the sum of its own vector, that of its toneless
syllable, and that of its place; so a homophone stands near what it stands for. The network is
pretrained to restore hidden characters (`pretrain`) and then taught all tasks at once
(`multitask`). Serving never comes here: it runs the exported graph.

Source: Devlin et al. (2019), BERT; Sun et al. (2021), ChineseBERT (sounds as input).
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from learning.characters import PADDING, WINDOW

_INITIAL = 0.02
_HIDDEN_AWAY = -1e4


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network."""

    characters: int
    sounds: int
    width: int = 256
    layers: int = 4
    attention: int = 4
    inner: int = 1024


class Layer(nn.Module):
    """Attention and a feed-forward part, each behind a normalisation."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.parts = shape.attention
        self.before = nn.LayerNorm(shape.width)
        self.between = nn.LayerNorm(shape.width)
        self.asked = nn.Linear(shape.width, 3 * shape.width)
        self.joined = nn.Linear(shape.width, shape.width)
        self.wide = nn.Linear(shape.width, shape.inner)
        self.narrow = nn.Linear(shape.inner, shape.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """Return the next states. Shape (n, length, width) both."""
        count, length, width = states.shape
        each = width // self.parts
        query, key, value = (
            self.asked(self.before(states)).view(count, length, 3, self.parts, each).permute(2, 0, 3, 1, 4)
        )
        weights = (query @ key.transpose(-1, -2)) * each**-0.5
        if mask is not None:
            weights = weights + mask
        mixed = weights.softmax(-1).to(value.dtype) @ value
        states = states + self.dropout(self.joined(mixed.transpose(1, 2).reshape(count, length, width)))
        inner = functional.gelu(self.wide(self.between(states)), approximate="tanh")
        result: Tensor = states + self.dropout(self.narrow(inner))
        return result


class Network(nn.Module):
    """The encoder, with the part that restores characters."""

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.character = nn.Embedding(shape.characters, shape.width)
        self.sound = nn.Embedding(shape.sounds, shape.width)
        self.place = nn.Embedding(WINDOW, shape.width)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.last = nn.LayerNorm(shape.width)
        self.restoring = nn.Linear(shape.width, shape.width)
        self.restored = nn.LayerNorm(shape.width)
        self.bias = nn.Parameter(torch.zeros(shape.characters))
        self.dropout = nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=_INITIAL)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, numbers: Tensor, sounds: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the last states. Shape (n, length) int64 → (n, length, width)."""
        entered = self.character(numbers) + self.sound(sounds) + self.place.weight[: numbers.shape[1]]
        states = self.dropout(entered)
        for layer in self.layers:
            states = layer(states, mask)
        result: Tensor = self.last(states)
        return result

    def restore(self, numbers: Tensor, sounds: Tensor, at: Tensor) -> Tensor:
        """Return the logit of every character at the flat places `at`. Shape (m, characters)."""
        states = self(numbers, sounds).flatten(0, 1)[at]
        inner = functional.gelu(self.restoring(states), approximate="tanh")
        result: Tensor = self.restored(inner) @ self.character.weight.T + self.bias
        return result

    def described(self) -> dict[str, int]:
        """Return the sizes, to be written beside the weights."""
        return asdict(self.shape)


class Reader(nn.Module):
    """The encoder with its heads and its vector.

    Returns logits (n, heads) and a vector (n, vector), from the mean and the maximum of the states
    of the characters that are there.
    """

    def __init__(self, network: Network, heads: int, vector: int, dropout: float = 0.2) -> None:
        super().__init__()
        width = network.shape.width
        self.network = network
        self.heads = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, heads),
        )
        self.vector = nn.Linear(width, vector)

    def forward(self, numbers: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and vectors of some windows."""
        there = numbers != PADDING
        mask = torch.zeros_like(numbers, dtype=torch.float32).masked_fill(~there, _HIDDEN_AWAY)
        mask = mask[:, None, None, :]
        if torch.is_autocast_enabled("cpu"):
            mask = mask.to(torch.bfloat16)
        states = self.network(numbers, sounds, mask).float()
        share = there.unsqueeze(-1).float()
        mean = (states * share).sum(1) / share.sum(1)
        top = (states * share + (1.0 - share) * _HIDDEN_AWAY).amax(1)
        return self.heads(torch.cat([mean, top], -1)), self.vector(mean)
