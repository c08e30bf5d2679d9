"""An operator's own rules are published with their words; none can act on a matter of public life."""

from datetime import datetime
from pathlib import Path

import pytest

from models.database import Database
from models.errors import CharterViolation
from moderation.door import activate
from moderation.pipeline import Screener
from moderation.policy import load_policy
from moderation.rulebook import read_rulebook
from moderation.settings import SHIPPED_POLICY
from tests.support.rulebooks import rule, rulebook, write_pack
from tests.support.services import client_of, make_service

ADVERT = "独家祖传秘方壮阳膏"


def test_the_rules_are_published_the_operators_with_their_terms(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    shipped = write_pack(tmp_path / "shipped", rule(), rule(id="spam.secret", public=False))
    own = write_pack(
        tmp_path / "own", rule(id="operator.advert", any=[ADVERT], tests={"hit": [ADVERT]}), pack="operator"
    )
    service = make_service(database, now)
    service.screener = Screener(read_rulebook([shipped], [own]), load_policy(SHIPPED_POLICY), None)
    with client_of(service) as client:
        published = {one["id"]: one for one in client.get("/v1/public/rules").json()}

    assert {name: (one["terms"], one["by_operator"]) for name, one in published.items()} == {
        "spam.test": (["招代理"], False),
        "spam.secret": (None, False),
        "operator.advert": ([ADVERT], True),
    }
    assert published["spam.secret"]["rationale"]


def test_an_operator_hides_no_rule(tmp_path: Path) -> None:
    hidden = rule(id="operator.advert", any=[ADVERT], tests={"hit": [ADVERT]}, public=False)
    packs = write_pack(tmp_path / "packs", hidden, pack="operator")

    with pytest.raises(CharterViolation, match="published"):
        read_rulebook([], [packs])


@pytest.mark.parametrize("word", ["上访", "游行", "腐败", "共产党", "信仰", "拆迁", "形式主义"])
def test_a_rule_on_a_matter_of_public_life_is_refused_whatever_it_calls_itself(
    tmp_path: Path, word: str
) -> None:
    opinion = rule(id="operator.calm", any=[word], tests={"hit": [f"有人在谈{word}"]})
    packs = rulebook(tmp_path / "packs", opinion, pack="operator")

    with pytest.raises(CharterViolation, match=r"operator\.calm acts on"):
        activate(packs, load_policy(SHIPPED_POLICY), ())
