import pytest

from moderation.context import talks_about_words
from moderation.normalise import fold


@pytest.mark.parametrize(
    "text",
    [
        "组长当众说“你就是个废物”",
        "他们天天骂我胖子",
        "提醒大家，这种兼职是骗人的套路",
        "帮人代考会不会坐牢，有懂法的吗",
        "我没有骂他，是他听错了",
        "请不要用这种外号叫留学生",
        "写小说，反派要说狠话",
    ],
)
def test_quoting_reporting_warning_asking_and_denying_are_known(text: str) -> None:
    assert talks_about_words(fold(text))


@pytest.mark.parametrize("text", ["你就是个废物", "那群人都该滚出去", "招代理，加我", "今天图书馆人好多"])
def test_saying_something_outright_is_no_such_talk(text: str) -> None:
    assert not talks_about_words(fold(text))
