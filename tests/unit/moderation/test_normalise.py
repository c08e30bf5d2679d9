import pytest

from moderation.normalise import ViewName, fold, initials_of, sentence_bounds, syllables_of


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("ＶＸ：ａｂｃ１２３", "vx：abc123"),
        ("辦理畢業證", "办理毕业证"),
        ("①②❸④", "1234"),
        ("加\u200b微\ufe0f信", "加微信"),
        ("рortаl", "portal"),
        ("𝓥𝓧", "vx"),
        ("⺅⻌", "亻辶"),
        ("一行\r\n二行\u2028三行", "一行\n二行\n三行"),
        ("乾隆、著作、瞭望", "乾隆、著作、瞭望"),
        ("你好，世界！（真的）", "你好，世界！（真的）"),
    ],
)
def test_the_plain_view_folds_forms_and_leaves_plain_text_alone(written: str, plain: str) -> None:
    assert fold(written).plain == plain


@pytest.mark.parametrize(
    ("written", "squeezed"),
    [
        ("加*微*信*看", "加微信看"),
        ("安 全 账 户 转 账 ， 否 则", "安全账户转账，否则"),
        ("交…押…金…就…能", "交押金就能"),
        ("招 / 代 / 理", "招代理"),
        ("今天好开心啊😀明天见你们", "今天好开心啊😀明天见你们"),
        ("他来了。加油", "他来了。加油"),
        ("加。微。信", "加。微。信"),
    ],
)
def test_the_squeezed_view_removes_what_was_inserted_and_no_more(written: str, squeezed: str) -> None:
    assert fold(written).squeezed == squeezed


@pytest.mark.parametrize(
    ("written", "joined"),
    [
        ("力口君羊", "加群"),
        ("亻言", "信"),
        ("贝代款", "贷款"),
        ("力*口", "加"),
        ("加v信", "加微信"),
        ("加VX聊", "加微信聊"),
        ("加微❤聊", "加微信聊"),
        ("滚滚滚滚", "滚"),
        ("女子日月", "女子日月"),
    ],
)
def test_the_joined_view_puts_characters_together_and_keeps_words(written: str, joined: str) -> None:
    assert fold(written).joined == joined


def test_pictures_are_read_as_characters_in_a_view_of_their_own() -> None:
    folded = fold("带🔪来")

    assert (folded.drawn, folded.squeezed) == ("带刀来", "带来")


def test_homophones_and_latin_pinyin_sound_the_same() -> None:
    assert (
        fold("佳威信").pinyin
        == fold("jia wei xin").pinyin
        == fold("jiaweixin").pinyin
        == syllables_of("加微信")
    )


def test_a_dropped_h_sounds_the_same_but_for_the_commonest_word() -> None:
    assert fold("做").pinyin != fold("猪").pinyin
    assert fold("猪").pinyin == fold("租").pinyin
    assert fold("是").pinyin != fold("死").pinyin


def test_the_digits_view_reads_chinese_and_round_digits() -> None:
    assert fold("一五④〇０壹").digits == "154001"


def test_a_span_leads_back_to_the_authors_own_characters() -> None:
    text = "来 力*口 吧"
    folded = fold(text)
    start = folded.joined.index("加")

    first, last = folded.span(ViewName.JOINED, start, start + 1)

    assert text[first:last] == "力*口"


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="start < end"):
        fold("你好").span(ViewName.PLAIN, 1, 1)


def test_initials_are_the_first_letters_of_syllables() -> None:
    assert initials_of("加微信") == "jwx"


def test_sentences_end_at_marks_and_lines() -> None:
    assert sentence_bounds("好。不好？！\n完") == [1, 4]


@pytest.mark.parametrize("mark", ["*", "_", "·", "^"])
def test_a_mark_that_parts_no_sentences_goes_from_between_long_stretches_too(mark: str) -> None:
    assert fold(f"今天的作业写{mark}完了吗同学").squeezed == "今天的作业写完了吗同学"


@pytest.mark.parametrize("mark", [" ", "~", "|", "/", "😂"])
def test_what_may_part_two_sentences_stays_between_long_stretches(mark: str) -> None:
    assert fold(f"今天的作业写{mark}完了吗同学").squeezed == f"今天的作业写{mark}完了吗同学"


@pytest.mark.parametrize("text", ["V。X", "wei！xin"])
def test_the_messenger_is_not_read_across_the_end_of_a_sentence(text: str) -> None:
    assert fold(text).joined == fold(text).plain
