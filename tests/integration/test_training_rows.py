"""Reviewed posts become rows only with consent, redacted, and with the last word that people had."""

import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlmodel import Session, select

from api import command_line
from api.accounts import Actor
from api.adjustments import change_setting
from api.training_rows import (
    CONSENT_KEY,
    Word,
    Written,
    has_consented,
    is_held_back,
    last_word,
    note_export,
    training_rows,
)
from learning.training.officers import read_officer_rows
from models.audit import AuditEntry
from models.database import Database
from models.errors import InvalidInput
from models.post import Post, PostRevision
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, Category, PostKind, PostState, Verdict
from tests.support import posting

KEY = b"k" * 32
OPERATOR = Actor("command:test")


class Reviewed:
    """Puts posts on record with what people decided about them."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.session, self.now, self.count = session, now, 0

    def post(
        self, text: str, *, author: str = "a", organisation: str = "gd/dongguan", revision: int = 1
    ) -> Post:
        self.count += 1
        post = Post(
            source=posting.SOURCE,
            external_id=str(self.count),
            revision=revision,
            kind=PostKind.QUESTION,
            organisation=organisation,
            author=author,
            state=PostState.PUBLISHED,
            created_at=self.now,
            received_at=self.now,
        )
        self.session.add(post)
        self.session.flush()
        for number in range(1, revision + 1):
            self.session.add(
                PostRevision(
                    post_id=post.id, revision=number, text=text, fingerprint="f", received_at=self.now
                )
            )
            self.session.add(
                Screening(
                    post_id=post.id,
                    revision=number,
                    verdict=Verdict.HOLD,
                    rulebook="r",
                    policy="p",
                    screened_at=self.now,
                )
            )
        self.session.flush()
        return post

    def screening(self, post: Post) -> str:
        return self.session.exec(select(Screening.id).where(Screening.post_id == post.id)).first() or ""

    def decide(
        self,
        post: Post,
        category: Category | None,
        *,
        officer: str = posting.OFFICER,
        after: int = 1,
        revision: int = 1,
        leaves: int | None = None,
    ) -> Decision:
        decision = Decision(
            post_id=post.id,
            revision=revision,
            screening_id=self.screening(post),
            account_id=officer,
            action=Action.REMOVE if category else Action.PUBLISH,
            category=category,
            reason="",
            machine_verdict=Verdict.HOLD,
            decided_at=self.now + timedelta(minutes=after),
            leaves_at=None if leaves is None else self.now + timedelta(minutes=leaves),
        )
        self.session.add(decision)
        self.session.flush()
        return decision

    def appeal(self, post: Post, category: Category, state: AppealState, *, after: int = 5) -> None:
        statement = Statement(
            token=f"t{post.id}",
            post_id=post.id,
            revision=1,
            screening_id=self.screening(post),
            category=category,
            restriction="removed",
            reason="",
            automated_detection=True,
            automated_decision=True,
            issued_at=self.now,
            appeal_until=self.now + timedelta(days=180),
        )
        self.session.add(statement)
        self.session.flush()
        self.session.add(
            Appeal(
                statement_id=statement.id,
                organisation=post.organisation,
                text="我不同意",
                state=state,
                submitted_at=self.now,
                decided_by=None if state is AppealState.OPEN else posting.COLLEAGUE,
                decided_at=None if state is AppealState.OPEN else self.now + timedelta(minutes=after),
            )
        )
        self.session.flush()


def consent(database: Database, now: datetime, organisation: str = "gd", value: int = 1) -> None:
    with database.transaction() as session:
        change_setting(
            session,
            OPERATOR,
            key=CONSENT_KEY,
            value=value,
            organisation=organisation,
            reason="平台已公告并同意",
            now=now,
        )


def rows(database: Database, now: datetime, organisation: str = "gd") -> tuple[list[dict[str, Any]], Written]:
    written = Written()
    later = now + timedelta(hours=1)
    return list(training_rows(database, organisation, key=KEY, now=later, written=written)), written


@pytest.fixture
def planted(database: Database, now: datetime) -> Database:
    with database.transaction() as session:
        posting.plant(session, now)
    return database


def test_nothing_is_learnt_from_a_place_that_has_not_consented(planted: Database, now: datetime) -> None:
    with planted.transaction() as session:
        made = Reviewed(session, now)
        made.decide(made.post("加微信领取"), Category.SPAM)
        made.decide(made.post("佛山的帖", organisation="gd/foshan"), None)

    assert rows(planted, now)[0] == []
    consent(planted, now, "gd/dongguan")
    found, written = rows(planted, now)

    assert [row["category"] for row in found] == ["spam"]
    assert (written.rows, written.without_consent) == (1, 1)


def test_a_nearer_node_takes_its_consent_back(planted: Database, now: datetime) -> None:
    consent(planted, now, "gd")
    consent(planted, now + timedelta(minutes=1), "gd/dongguan", 0)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        made.decide(made.post("东莞的帖", organisation="gd/dongguan/houjie"), None)
        made.decide(made.post("佛山的帖", organisation="gd/foshan"), None)

    assert [row["text"] for row in rows(planted, now)[0]] == ["佛山的帖"]
    assert not has_consented({}, "gd")


def test_a_row_has_a_redacted_text_a_category_and_numbers_for_people(
    planted: Database, now: datetime
) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        made.decide(
            made.post("加微信 demo_123456 领取，电话13800138000", author="hash-of-author"), Category.SPAM
        )
    found, _ = rows(planted, now)
    written = orjson.dumps(found[0]).decode()

    assert set(found[0]) == {"text", "category", "author", "officer", "held_back", "exported_at"}
    assert "demo_123456" not in written
    assert "13800138000" not in written
    assert "hash-of-author" not in written
    assert posting.OFFICER not in written


def test_people_are_the_same_number_within_one_file_and_another_in_the_next(
    planted: Database, now: datetime
) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        for author in ("a", "a", "b"):
            made.decide(made.post(f"{author}说的话", author=author), None)
    one, other = rows(planted, now)[0], rows(planted, now)[0]

    assert one[0]["author"] == one[1]["author"] != one[2]["author"]
    assert one[0]["author"] != other[0]["author"]
    assert [row["held_back"] for row in one] == [row["held_back"] for row in other]


def test_a_deleted_post_and_words_that_were_edited_away_are_not_learnt(
    planted: Database, now: datetime
) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        gone, edited = made.post("已经删除的话"), made.post("改掉的话", revision=2)
        made.decide(gone, Category.SPAM)
        made.decide(edited, Category.SPAM, revision=1)
        gone.state = PostState.DELETED
        session.add(gone)

    assert rows(planted, now)[0] == []


def test_an_objection_that_won_overrides_the_removal(planted: Database, now: datetime) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        won, lost, open_ = made.post("食堂涨价太多"), made.post("加微信领取"), made.post("没有结果")
        made.decide(won, Category.HARASSMENT)
        made.appeal(won, Category.HARASSMENT, AppealState.REVERSED)
        made.appeal(lost, Category.SPAM, AppealState.UPHELD)
        made.appeal(open_, Category.SPAM, AppealState.OPEN)

    assert {row["text"]: row["category"] for row in rows(planted, now)[0]} == {
        "食堂涨价太多": None,
        "加微信领取": "spam",
    }


def test_a_post_that_was_decided_both_ways_is_left_out_and_counted(planted: Database, now: datetime) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        post = made.post("有争议的话")
        made.decide(post, Category.HARASSMENT)
        made.decide(post, None, officer=posting.COLLEAGUE, after=2)

    found, written = rows(planted, now)
    assert (found, written.contradicted) == ([], 1)


def test_a_decision_that_can_still_be_undone_says_nothing_yet(planted: Database, now: datetime) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        made.decide(made.post("刚刚决定的"), None, leaves=61)
        made.decide(made.post("已经生效的"), None, leaves=59)

    assert [row["text"] for row in rows(planted, now)[0]] == ["已经生效的"]


def test_pages_lose_and_double_nothing(
    planted: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.training_rows.PAGE", 3)
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        for number in range(9):
            made.decide(made.post(f"第{number}个问题"), None)

    assert len({row["text"] for row in rows(planted, now)[0]}) == 9


def test_about_a_fifth_of_the_authors_is_held_back() -> None:
    held = [is_held_back(KEY, f"author {number}") for number in range(2_000)]

    assert 0.16 < sum(held) / len(held) < 0.24
    assert held == [is_held_back(KEY, f"author {number}") for number in range(2_000)]


def test_a_later_decision_against_a_decided_objection_is_a_contradiction(now: datetime) -> None:
    removed = Word(now, "one", Category.SPAM)
    won = Word(now + timedelta(hours=1), "two", None, overrides=True)
    again = Word(now + timedelta(hours=2), "three", Category.SPAM)

    assert last_word([won, removed]) == won
    assert last_word([removed, won, again]) is None


def test_consent_is_yes_or_no_and_nothing_else(planted: Database, now: datetime) -> None:
    with pytest.raises(InvalidInput, match="1 lets"):
        consent(planted, now, value=2)


def test_an_export_is_on_the_audit_log_before_it_begins(planted: Database, now: datetime) -> None:
    note_export(planted, "gd", actor="command:test", now=now)

    with planted.reading() as session:
        assert session.exec(select(AuditEntry.action)).all()[-1] == "training_rows.exported"
    with pytest.raises(InvalidInput):
        note_export(planted, "gd/nowhere", actor="command:test", now=now)


def test_the_command_writes_a_file_for_its_owner_that_training_reads(
    planted: Database,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    consent(planted, now)
    with planted.transaction() as session:
        made = Reviewed(session, now)
        made.decide(made.post("加微信领取"), Category.SPAM)
    monkeypatch.setenv("TINGJIAN_DATABASE_URL", planted.url)
    monkeypatch.setenv("TINGJIAN_SECRET_FILE", str(tmp_path / "secret"))
    out = tmp_path / "rows.jsonl"

    with pytest.raises(SystemExit) as ended:
        command_line.main(["export", "training", "--organisation", "gd", "--out", str(out)])

    assert ended.value.code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "1 posts" in capsys.readouterr().err
    read = read_officer_rows(out, now=datetime.now(tz=now.tzinfo))
    assert [one.category for one in read] == [Category.SPAM]
