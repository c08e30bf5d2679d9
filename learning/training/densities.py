"""Cluster vectors with other people's libraries, to measure our own grouping against them.

HDBSCAN comes with the extra `train`; BERTopic is not of this project, and an environment may have it. Both
are imported when they are asked for.

Neighbours: `sentiment/demand/beside.py` compares.

Source
------
Campello, Moulavi, Sander (2013), Density-based clustering based on hierarchical density estimates.
Grootendorst (2022), BERTopic.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray

SEED: Final = 20261121
Labels = npt.NDArray[np.int64]


def density(vectors: FloatArray, smallest: int) -> Labels:
    """Return HDBSCAN's cluster of each row, -1 for none. Shape (n,)."""
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - opening it takes a while

    found = HDBSCAN(min_cluster_size=smallest, min_samples=2, copy=True).fit_predict(vectors)
    return np.asarray(found, dtype=np.int64)


def topics(texts: Sequence[str], vectors: FloatArray, smallest: int) -> Labels:
    """Return BERTopic's topic of each text on given vectors, -1 for none, words cut by rjieba. Shape (n,)."""
    import rjieba  # noqa: PLC0415 - with what only a comparison needs
    from bertopic import BERTopic  # noqa: PLC0415 - not of this project
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415
    from umap import UMAP  # noqa: PLC0415

    model = BERTopic(
        umap_model=UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=SEED),
        vectorizer_model=CountVectorizer(tokenizer=rjieba.cut, token_pattern=None),
        min_topic_size=smallest,
    )
    found, _ = model.fit_transform(list(texts), np.asarray(vectors))
    return np.asarray(found, dtype=np.int64)
