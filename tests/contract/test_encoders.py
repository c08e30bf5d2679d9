"""Every kind of bundle keeps one contract: the one that ships, a transformer, and the tests' own."""

import numpy as np
import pytest

from learning.bundle import SHIPPED, Bundle, load_bundle
from learning.encoder import DOMAIN_COLUMNS, HARM_COLUMNS, TONE_COLUMNS
from models.vocabulary import Category
from tests.support.bundles import WrittenBundle
from tests.support.tiny_transformer import write_tiny_transformer

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")

TEXTS = [
    "宿舍热水能不能延长到十一点",
    "",
    "你就是个废物，滚出去",
    "ＡＢＣ　１２３ 繁體字也要讀得懂",
    "🏳️‍🌈😀" * 5,
    "\ud800半个代理\udfff",
    "\x00\x01\u200b\u202e控制字符",
    "哈" * 50,
    "加微信 demo_0001 领取",
    " ",
    "𠮷野家 \U0010ffff",
]


@pytest.fixture(scope="module", params=["shipped", "linear", "transformer", "written"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    if request.param == "shipped":
        return load_bundle()
    if request.param == "linear":
        return load_bundle(SHIPPED.with_name("linear-2026.11.5"))
    if request.param == "written":
        return WrittenBundle(default={Category.SPAM: 0.25})
    from learning.transformer import open_transformer

    folder = write_tiny_transformer(tmp_path_factory.mktemp("tiny"))
    return open_transformer(folder, {"offensive": Category.HARASSMENT}, load_bundle())


def test_it_has_a_name(bundle: Bundle) -> None:
    assert isinstance(bundle, Bundle)
    assert bundle.name


def test_harms_are_probabilities_in_the_columns_of_the_categories(bundle: Bundle) -> None:
    harms = bundle.harms(TEXTS)

    assert harms.shape == (len(TEXTS), len(HARM_COLUMNS))
    assert harms.dtype == np.float32
    assert np.isfinite(harms).all()
    assert ((harms >= 0) & (harms <= 1)).all()


def test_reads_are_probabilities_and_classes_sum_to_one(bundle: Bundle) -> None:
    reads = bundle.reads(TEXTS)

    assert reads.need.shape == (len(TEXTS),)
    assert reads.domain.shape == (len(TEXTS), len(DOMAIN_COLUMNS))
    assert reads.tone.shape == (len(TEXTS), len(TONE_COLUMNS))
    assert ((reads.need >= 0) & (reads.need <= 1)).all()
    assert np.allclose(reads.domain.sum(axis=1), 1, atol=1e-4)
    assert np.allclose(reads.tone.sum(axis=1), 1, atol=1e-4)


def test_vectors_have_unit_length(bundle: Bundle) -> None:
    vectors = bundle.encode(TEXTS)

    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_no_texts_give_no_rows(bundle: Bundle) -> None:
    width = bundle.encode(TEXTS[:1]).shape[1]

    assert bundle.harms([]).shape == (0, len(HARM_COLUMNS))
    assert bundle.reads([]).need.shape == (0,)
    assert bundle.reads([]).domain.shape == (0, len(DOMAIN_COLUMNS))
    assert bundle.reads([]).tone.shape == (0, len(TONE_COLUMNS))
    assert bundle.encode([]).shape == (0, width)


def test_rows_follow_the_order_of_the_texts(bundle: Bundle) -> None:
    backwards = TEXTS[::-1]

    assert np.allclose(bundle.harms(backwards)[::-1], bundle.harms(TEXTS), atol=1e-4)
    assert np.allclose(bundle.encode(backwards)[::-1], bundle.encode(TEXTS), atol=1e-4)
    assert np.allclose(bundle.reads(backwards).domain[::-1], bundle.reads(TEXTS).domain, atol=1e-4)


def test_a_text_gets_the_same_row_whatever_else_is_in_the_batch(bundle: Bundle) -> None:
    harms, vectors, reads = bundle.harms(TEXTS), bundle.encode(TEXTS), bundle.reads(TEXTS)

    for place, text in enumerate(TEXTS):
        assert np.allclose(bundle.harms([text])[0], harms[place], atol=1e-4)
        assert np.allclose(bundle.encode([text])[0], vectors[place], atol=1e-4)
        assert np.allclose(bundle.reads([text]).need[0], reads.need[place], atol=1e-4)
        assert np.allclose(bundle.reads([text]).tone[0], reads.tone[place], atol=1e-4)


def test_a_long_text_is_cut_and_never_refused(bundle: Bundle) -> None:
    long = "这条路的路灯坏了很久，晚上走很怕。" * 2000

    assert bundle.harms([long, "短"]).shape[0] == 2
    assert np.allclose(bundle.harms([long]), bundle.harms([long + "尾巴"]), atol=1e-4)
    assert np.allclose(bundle.encode([long]), bundle.encode([long + "尾巴"]), atol=1e-4)


def test_a_tuple_of_texts_is_as_good_as_a_list(bundle: Bundle) -> None:
    assert np.array_equal(bundle.harms(tuple(TEXTS)), bundle.harms(TEXTS))
