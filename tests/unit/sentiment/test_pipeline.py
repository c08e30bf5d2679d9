import numpy as np

from models.vocabulary import Domain, Tone
from sentiment.pipeline import fused_domains, load_reader
from sentiment.place import load_gazetteer
from sentiment.topics import DOMAINS, load_topics
from tests.support.wording import ListeningBundle

READER = load_reader(ListeningBundle(), load_gazetteer())


def test_every_text_is_read_in_order_and_none_is_refused() -> None:
    texts = ["宿舍没有热水", "", "\ud800", "哈" * 30_000]

    reads = READER.read(texts, [None] * len(texts))

    assert [read.is_need for read in reads] == [True, False, False, False]
    assert reads[0].domain is Domain.CAMPUS_LIFE
    assert reads[0].tone is Tone.NEGATIVE
    assert all(0 <= read.domain_probability <= 1 for read in reads)
    assert READER.read([], []) == []


def test_domains_sum_to_one_and_words_can_outvote_the_heads() -> None:
    heads = np.full((1, len(DOMAINS)), 1 / len(DOMAINS), dtype=np.float32)
    evidence = load_topics().evidence("公交末班车太早，等不到车")[None, :]

    fused = fused_domains(heads, evidence)

    assert np.isclose(fused.sum(), 1, atol=1e-5)
    assert DOMAINS[int(fused.argmax())] is Domain.TRANSPORT


def test_without_words_the_heads_decide() -> None:
    heads = np.full((1, len(DOMAINS)), 0.01, dtype=np.float32)
    heads[0, 3] = 0.86

    fused = fused_domains(heads, np.zeros_like(heads))

    assert int(fused.argmax()) == 3


def test_every_domain_but_none_has_topics() -> None:
    assert set(load_topics().domains) == set(Domain) - {Domain.NONE}


def test_a_topic_is_known_by_words_that_leave_the_noun_out() -> None:
    topics = load_topics()
    bathing = topics.names.index("campus_life/bathing")

    assert topics.profile("花洒打开就是冷水")[bathing] > 0.5
    assert not topics.profile("嗯").any()
