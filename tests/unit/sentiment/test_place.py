import pytest

from sentiment.place import common_place, load_gazetteer, short_name

TREE = (
    ("gd", "广东", ("广东省",)),
    ("gd/dongguan", "东莞市", ("东莞",)),
    ("gd/shenzhen", "深圳", ()),
    ("gd/campus/ronghu", "榕湖学院", ("榕湖",)),
)
GAZETTEER = load_gazetteer(TREE)


@pytest.mark.parametrize(
    ("text", "written", "name"),
    [
        ("番禺的图书馆几点开", "番禺", "番禺区"),
        ("我在番禺区上班", "番禺区", "番禺区"),
        ("东莞厚街有没有夜校", "东莞厚街", "厚街镇"),
        ("请问梅州哪里可以打疫苗", "梅州", "梅州市"),
        ("湖心校区的球场关了", "湖心校区", "湖心校区"),
        ("榕湖的食堂太贵", "榕湖", "榕湖学院"),
        ("光明这边的公交停了", "光明", "光明区"),
        ("从化校区没有信号", "从化", "从化区"),
    ],
)
def test_a_place_is_found_as_it_is_written(text: str, written: str, name: str) -> None:
    place = GAZETTEER.find(text, "gd")

    assert place is not None
    assert (text[place.start : place.end], place.name) == (written, name)


@pytest.mark.parametrize(
    "text",
    [
        "今天水逆",
        "北京时间几点了",
        "他的声音很清新",
        "兰州拉面涨价了",
        "中山大学的招生简章在哪里",
        "我们光明正大",
        "在车站等人",
        "这个平台不错",
        "两个校区来回跑",
        "新校区什么时候开",
        "",
    ],
)
def test_an_ordinary_word_is_no_place(text: str) -> None:
    assert GAZETTEER.find(text, "gd") is None


def test_the_organisation_tells_two_places_of_one_name_apart() -> None:
    text = "长安这边的公交几点收车"

    inside, outside = GAZETTEER.find(text, "gd/dongguan"), GAZETTEER.find("东莞长安的公交", "gd")

    assert inside is not None
    assert outside is not None
    assert inside.path == outside.path == ("广东省", "东莞市", "长安镇")


def test_a_town_of_another_city_is_not_meant_by_an_ordinary_word() -> None:
    assert GAZETTEER.find("长安这边的公交几点收车", "gd/shenzhen") is None


def test_a_district_of_another_province_counts_only_with_its_suffix() -> None:
    assert GAZETTEER.find("鼓楼那边", "gd") is None
    found = GAZETTEER.find("杭州市西湖区", "gd")
    assert found is not None
    assert found.path == ("浙江省", "杭州市", "西湖区")


def test_the_span_points_into_the_original_text() -> None:
    place = GAZETTEER.find("😀听说肇庆有讲座", "gd")

    assert place is not None
    assert (place.start, place.end) == (3, 5)


@pytest.mark.parametrize(
    ("name", "level", "short"),
    [
        ("番禺区", 2, "番禺"),
        ("东区", 2, "东区"),
        ("内蒙古自治区", 0, "内蒙古"),
        ("乳源瑶族自治县", 2, "乳源"),
    ],
)
def test_a_short_name_never_has_one_character(name: str, level: int, short: str) -> None:
    assert short_name(name, level) == short


def test_a_demand_names_a_place_only_if_its_posts_agree() -> None:
    assert common_place(["番禺区", None, None], ["gd/a", "gd/a", "gd/a"]) == "番禺区"
    assert common_place(["番禺区", None, None], ["gd/a", "gd/b", "gd/c"]) is None
    assert common_place(["番禺区", "番禺区", "番禺区", None], ["gd/a", "gd/b", "gd/c", "gd"]) == "番禺区"
    assert common_place(["番禺区", "南沙区", "天河区"], ["gd", "gd", "gd"]) is None
    assert common_place([None], ["gd"]) is None
