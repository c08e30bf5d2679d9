"""The fields of the official forms 集中诉求办理表 and 帮扶个案办理表, in two languages, and as shown.

The name in a help case is never a saved field: it is shown from the author's consent while that holds,
so that no version of the form keeps it after it was taken back.

Neighbours: `cases` opens and saves forms, `documents` makes Word and PDF of them;
`docs/reference/disposal-record.md` shows the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from models.errors import InvalidInput
from models.vocabulary import CaseKind, Words

LONG: Final = 5_000
SHORT: Final = 200


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `filled` tells whether opening the form fills it from the demand."""

    key: str
    words: Words
    limit: int
    filled: bool


COLLECTIVE_DEMAND: Final = (
    FormField("issued_on", Words("行文日期", "Date of issue"), SHORT, filled=True),
    FormField("group", Words("反映诉求的青年群体", "Group of young people affected"), SHORT, filled=True),
    FormField("period", Words("统计时段", "Statistics period"), SHORT, filled=True),
    FormField("topic_posts", Words("主题帖数", "Number of topic posts"), SHORT, filled=True),
    FormField("place", Words("青年群体所在地", "Where the group is"), SHORT, filled=True),
    FormField("demand", Words("诉求主题", "Demand in one line"), SHORT, filled=True),
    FormField(
        "details",
        Words("诉求详情及开发运维组拟办意见", "Details, and the operations team's proposal"),
        LONG,
        filled=True,
    ),
    FormField(
        "coordination_opinion", Words("综合协调组意见", "Coordination group's opinion"), LONG, filled=False
    ),
    FormField(
        "result",
        Words("办理结果反馈", "Result, by the lead department, city or campus"),
        LONG,
        filled=False,
    ),
    FormField("leader_remark", Words("团省委领导批示", "Leader's remark"), LONG, filled=False),
)
HELP_CASE: Final = (
    FormField("issued_on", Words("行文日期", "Date of issue"), SHORT, filled=True),
    FormField("name", Words("反映诉求的用户姓名", "Name of the user"), SHORT, filled=False),
    FormField("reported_at", Words("反映时间", "Time of the post"), SHORT, filled=True),
    FormField("replies", Words("跟帖数量", "Number of replies"), SHORT, filled=True),
    FormField("place", Words("用户所在地", "Where the user is"), SHORT, filled=True),
    *COLLECTIVE_DEMAND[5:],
)
FORMS: Final = MappingProxyType(
    {CaseKind.COLLECTIVE_DEMAND: COLLECTIVE_DEMAND, CaseKind.HELP_CASE: HELP_CASE}
)
FROM_CONSENT: Final = frozenset({"name"})
"""Fields that are filled from a consent when a form is shown, and saved by nobody."""

NO_NAME: Final = "（本人未同意提供）"
TITLES: Final = MappingProxyType(
    {
        CaseKind.COLLECTIVE_DEMAND: Words("集中诉求办理表", "Collective demand: handling form"),
        CaseKind.HELP_CASE: Words("帮扶个案办理表", "Help case: handling form"),
    }
)
FOOTER: Final = Words("请退回综合协调组存档。", "Please return to the coordination group for the archive.")


@dataclass(frozen=True, slots=True)
class Line:
    """One field as it is shown or printed."""

    key: str
    words: Words
    value: str
    limit: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form ready to be shown or printed."""

    title: Words
    lines: tuple[Line, ...]
    footer: Words


def checked(kind: CaseKind, values: Mapping[str, Any]) -> dict[str, str]:
    """Return every field of the form in order, missing ones empty.

    Raises
    ------
    InvalidInput
        If a field is unknown, no text, too long, or holds control characters.
    """
    fields = FORMS[kind]
    unknown = sorted(set(values) - {field.key for field in fields})
    if unknown:
        raise InvalidInput("the form has no such field", code="unknown_field", field=f"/fields/{unknown[0]}")
    found: dict[str, str] = {}
    for field in fields:
        value = values.get(field.key, "")
        where = f"/fields/{field.key}"
        if not isinstance(value, str):
            raise InvalidInput("a field holds text", code="wrong_type", field=where)
        if len(value) > field.limit:
            raise InvalidInput(f"longer than {field.limit} characters", code="too_long", field=where)
        if any(ord(sign) < ord(" ") and sign not in "\n\t" for sign in value):
            raise InvalidInput("control characters are not allowed", code="control_character", field=where)
        found[field.key] = "" if field.key in FROM_CONSENT else value.strip()
    return found


def sheet(kind: CaseKind, values: Mapping[str, str], *, name: str | None = None) -> Sheet:
    """Return a form as it is shown or printed; `name` is what the author lets it say."""
    from_consent = dict.fromkeys(FROM_CONSENT, name or NO_NAME)
    lines = tuple(
        Line(field.key, field.words, from_consent.get(field.key, values.get(field.key, "")), field.limit)
        for field in FORMS[kind]
    )
    return Sheet(TITLES[kind], lines, FOOTER)
