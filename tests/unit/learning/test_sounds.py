"""Copies in homophones: drawn by the text alone, and as many of harmless texts as the sources ask for."""

import numpy as np

from learning.training.recipe import HomophonesEntry, SourceEntry
from learning.training.sounds import homophone_copies, sound_table, syllable
from learning.training.sources import Lessons

ENTRY = HomophonesEntry(share=0.5, weight=0.4)
SOURCES = [
    SourceEntry(name="copied", file="a", licence="CC0", use="harms", homophones=True),
    SourceEntry(name="not copied", file="b", licence="CC0", use="harms"),
]
TEXTS = ["请把垃圾分类放好", "abc 123", "图书馆几点关门", "今天的作业是什么"]


def lessons(texts: list[str]) -> Lessons:
    count = len(texts)
    return Lessons(
        texts=texts,
        says=np.zeros((count, 1), dtype=np.int8),
        weight=np.full(count, 3.0),
        calibrates=np.ones((count, 1)),
        derived=np.zeros(count, dtype=bool),
        origin=np.array([int(text.startswith("今")) for text in texts]),
        values=["none"] * count,
    )


def test_the_sound_of_a_character_is_its_first_reading_without_the_tone() -> None:
    assert [syllable(character) for character in "妈马吕a"] == ["ma", "ma", "lv", ""]


def test_characters_that_sound_alike_have_one_number_in_the_table() -> None:
    sounds = sound_table()

    assert sounds[ord("妈")] == sounds[ord("马")] > 0
    assert sounds[ord("妈")] != sounds[ord("吕")]
    assert sounds[ord("a")] == 0


def test_a_copy_sounds_like_the_text_it_was_made_from_and_is_spelt_otherwise() -> None:
    sounds = sound_table()
    copies = homophone_copies(lessons(TEXTS), SOURCES, ENTRY, sounds, seed=3)

    assert copies.of.tolist() == [0, 2]
    for text, place in zip(copies.texts, copies.of, strict=True):
        assert text != TEXTS[place]
        assert [sounds[ord(one)] for one in text] == [sounds[ord(one)] for one in TEXTS[place]]


def test_a_copy_weighs_a_share_of_its_text() -> None:
    copies = homophone_copies(lessons(TEXTS), SOURCES, ENTRY, sound_table(), seed=3)

    assert copies.weight.tolist() == [1.2000000000000002, 1.2000000000000002]


def test_a_copy_depends_on_its_text_and_the_seed_alone() -> None:
    sounds = sound_table()
    forward = homophone_copies(lessons(TEXTS), SOURCES, ENTRY, sounds, seed=3)
    backward = homophone_copies(lessons(TEXTS[::-1]), SOURCES, ENTRY, sounds, seed=3)

    assert forward.texts == backward.texts[::-1]
