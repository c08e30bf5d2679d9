"""Texts to vectors to probabilities. The only storey that may import torch."""
