from datetime import datetime

from sqlmodel import Session, select

from models.correction import DemandVoice
from models.database import Database
from models.demand import Demand
from models.organisation import Organisation
from models.vocabulary import DemandState, Domain, OrganisationKind
from sentiment.demand import voices


def demand(session: Session, now: datetime, merged_into: str | None = None) -> Demand:
    made = Demand(
        title="热水", domain=Domain.CAMPUS_LIFE, organisation="gd", state=DemandState.PROPOSED,
        first_posted_at=now, last_posted_at=now, merged_into=merged_into,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def test_who_joined_two_demands_that_became_one_stands_in_it_once_and_nowhere_else(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        session.add(Organisation(path="gd", name="广东", kind=OrganisationKind.PROVINCE, created_at=now))
        session.flush()
        heir = demand(session, now)
        ended = demand(session, now, merged_into=heir.id)
        for where, author in ((heir, "both"), (ended, "both"), (ended, "one")):
            session.add(DemandVoice(demand_id=where.id, source="forum", author=author, joined_at=now))
        session.flush()

        voices.tidy(session)

        found = session.exec(select(DemandVoice.demand_id, DemandVoice.author)).all()
        assert sorted(found) == [(heir.id, "both"), (heir.id, "one")]
        assert not voices.is_untidy(session)
