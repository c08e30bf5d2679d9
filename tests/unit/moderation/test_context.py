import pytest

from moderation.context import gathers, says_little, talks_about_words
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
        "按你这逻辑，农村来的都是贼了",
        "大家小心，冒充客服的又来了",
        "论文写到三点，导师还说重来",
    ],
)
def test_quoting_reporting_warning_asking_and_denying_are_known(text: str) -> None:
    assert talks_about_words(fold(text))


@pytest.mark.parametrize(
    "text",
    [
        "你就是个废物",
        "那群人都该滚出去",
        "招代理，加我",
        "今天图书馆人好多",
        "论文代写，查重包过",
        "游戏账号代练，掉星包赔",
        "你敢报警试试",
        "举报我的人住三号楼",
        "出门给我小心点",
        "我不会放过你的",
    ],
)
def test_saying_something_outright_is_no_such_talk(text: str) -> None:
    assert not talks_about_words(fold(text))


@pytest.mark.parametrize(
    "text",
    [
        "徒步周六集合，找我 abc_demo",
        "合租缺一人，房租各一千",
        "捡到校园卡，失主加我",
        "教务处电话在官网",
        "博物馆电话是020-00001234",
    ],
)
def test_who_gathers_people_or_names_an_office_is_known(text: str) -> None:
    assert gathers(fold(text))


@pytest.mark.parametrize("text", ["拼车团购，八折下单", "社团卫衣批发，加我", "今天吃什么"])
def test_a_seller_who_speaks_of_gathering_is_none(text: str) -> None:
    assert not gathers(fold(text))


def test_a_few_characters_say_little_and_marks_do_not_count() -> None:
    assert says_little(fold("你觉得呢……？！"))
    assert not says_little(fold("你觉得这件事怎么办呢"))
