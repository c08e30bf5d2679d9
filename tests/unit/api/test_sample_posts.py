"""The sample is invented, safe to show, and large enough to see the house at work."""

import re
from collections import Counter

from api.commands.sample import rows
from models.organisation import PATH_PATTERN
from models.vocabulary import OrganisationKind

POSTS = list(rows("posts.jsonl"))
ORGANISATIONS = list(rows("organisations.json"))
FIELDS = {"external_id", "revision", "kind", "parent", "organisation", "author", "days_ago", "likes", "text"}
LINK = re.compile(r"[a-z]+://([^/\s]+)")
RESERVED = re.compile(r"(\.example|\.test|\.invalid|^198\.51\.100\.\d+|^[a-z-]+\[\.\]example)$")


def test_it_is_a_month_of_a_few_hundred_posts_by_many_people() -> None:
    assert 500 <= len(POSTS) <= 1_000
    assert len({post["text"] for post in POSTS}) == len(POSTS)
    assert len({post["external_id"] for post in POSTS}) == len(POSTS)
    assert len({post["author"] for post in POSTS}) > 300
    assert all(0 < post["days_ago"] <= 30 for post in POSTS)
    assert {post["kind"] for post in POSTS} == {"question", "answer", "comment"}


def test_every_field_is_one_that_the_service_takes() -> None:
    assert all(set(post) <= FIELDS for post in POSTS)


def test_an_answer_comes_after_what_it_answers() -> None:
    age = {post["external_id"]: post["days_ago"] for post in POSTS}
    answers = [post for post in POSTS if "parent" in post]
    assert len(answers) > 100
    assert all(post["days_ago"] <= age[post["parent"]] for post in answers)


def test_every_place_is_in_the_tree_and_every_node_has_its_parent() -> None:
    paths = {row["path"] for row in ORGANISATIONS}
    assert {post["organisation"] for post in POSTS} <= paths
    for row in ORGANISATIONS:
        assert re.fullmatch(PATH_PATTERN, row["path"])
        assert OrganisationKind(row["kind"])
        assert row["name"]
        assert row["name_en"]
        parent = row["path"].rpartition("/")[0]
        assert not parent or parent in paths


def test_no_phone_or_address_in_it_can_be_anybodys() -> None:
    for post in POSTS:
        for phone in re.findall(r"(?<!\d)1\d{10}(?!\d)", re.sub(r"(?<=\d)[ -](?=\d)", "", post["text"])):
            assert phone.startswith("154"), phone
        for identity in re.findall(r"(?<!\d)\d{17}[\dXx](?!\d)", post["text"]):
            assert identity.startswith("000000"), identity
        for host in LINK.findall(post["text"]):
            assert RESERVED.search(host), host


def test_several_needs_are_voiced_by_more_than_ten_people_each() -> None:
    said = Counter[str]()
    for word in ("热水", "鑫隆|塑胶", "358|公交", "押金", "时长|时数", "施工|工地", "补贴|津贴|补助"):
        said[word] = len({post["author"] for post in POSTS if re.search(word, post["text"])})
    assert all(people > 10 for people in said.values()), said
