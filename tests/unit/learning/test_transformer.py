from pathlib import Path

import numpy as np
import pytest

from learning.encoder import HARM_COLUMNS
from learning.transformer import open_transformer
from models.errors import ConfigurationError
from models.vocabulary import Category
from tests.support.bundles import WrittenBundle
from tests.support.tiny_transformer import write_tiny_transformer

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")

BESIDE = WrittenBundle(default={Category.SPAM: 0.25})
HATE, SPAM = HARM_COLUMNS.index(Category.HATE), HARM_COLUMNS.index(Category.SPAM)


def test_a_category_without_a_label_is_judged_by_the_bundle_beside(tmp_path: Path) -> None:
    bundle = open_transformer(write_tiny_transformer(tmp_path), {"offensive": Category.HATE}, BESIDE)
    harms = bundle.harms(["你好"])[0]

    assert harms[SPAM] == 0.25
    assert 0.0 < harms[HATE] < 1.0


def test_labels_of_one_category_add_up_where_the_model_chooses_one(tmp_path: Path) -> None:
    labels = {"offensive": Category.HATE, "safe": Category.HATE}
    bundle = open_transformer(write_tiny_transformer(tmp_path), labels, BESIDE)

    assert np.isclose(bundle.harms(["你好"])[0, HATE], 1.0)


def test_labels_are_judged_by_themselves_where_the_model_says_so(tmp_path: Path) -> None:
    folder = write_tiny_transformer(tmp_path, several=True)
    both = open_transformer(folder, {"offensive": Category.HATE, "safe": Category.SPAM}, BESIDE)
    harms = both.harms(["你好"])[0]

    assert not np.isclose(harms[HATE] + harms[SPAM], 1.0)


def test_a_label_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="rude"):
        open_transformer(write_tiny_transformer(tmp_path), {"rude": Category.HATE}, BESIDE)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model"):
        open_transformer(tmp_path, {}, BESIDE)


def test_a_folder_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(ConfigurationError, match="cannot be opened"):
        open_transformer(tmp_path, {}, BESIDE)
