"""Switch a proposal on, into shadow or off, and roll the rulebook back, while the service runs.

Both go through the door first (`arrangement.admit_over`), which stands outside any transaction because it
takes seconds; a change that another one has overtaken is refused.

What no change can do: going back to an older edition never gives a rule back the right to remove by
itself. Only `automation.prove` does, with the decisions that prove it.

Neighbours: `proposals` says what would hold, `editions` writes it, `running` picks it up.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from models.database import Database
from models.errors import Conflict, NotFound
from models.rulebook import RulebookEdition
from models.vocabulary import RuleState
from moderation.arrangement import Base, admit_over
from moderation.editions import Change, Edition, Plan, newest, packs_of, standing_plan, write
from moderation.proposals import Proposal, ProposalKind, planned

ACTIONS: Final = MappingProxyType(
    {RuleState.ACTIVE: "promoted", RuleState.SHADOW: "shadowed", RuleState.RETIRED: "retired"}
)


def switch(database: Database, base: Base, proposal: Proposal, state: RuleState, change: Change) -> Edition:
    """Promote a proposal, put it in shadow or retire it, in one step and through the one door.

    Raises
    ------
    NotFound, InvalidInput
        As `planned` says.
    Conflict
        `same_state`, if nothing would change; `edition_changed`, if somebody else was faster.
    ConfigurationError, CharterViolation
        If the door refuses; what runs stays as it is.
    """
    with database.reading() as session:
        before = standing_plan(session)
    wanted = planned(base, before, proposal, state, change)
    if wanted.edition.content() == before.edition.content():
        raise Conflict("that is how it is already", code="same_state")
    if proposal.kind is not ProposalKind.RULE or state is not RuleState.RETIRED:
        # A rule less only makes verdicts milder; whatever else goes through the door.
        admit_over(database, base, before, wanted)
    with database.transaction() as session:
        return write(
            session,
            wanted,
            change,
            action=f"{proposal.kind.value}.{ACTIONS[state]}",
            subject=proposal.subject,
            details=_details(before.edition, proposal, state),
        )


def _details(before: Edition, proposal: Proposal, state: RuleState) -> dict[str, Any]:
    details: dict[str, Any] = {"to": state.value}
    if proposal.kind is ProposalKind.RULE:
        details["from"] = before.state_of(proposal.rule).value
    elif proposal.kind is ProposalKind.PACK:
        details["pack"] = proposal.digest
    elif proposal.kind is ProposalKind.BANDS:
        details["bands"] = proposal.document()["bands"]
    return details


def roll_back(database: Database, base: Base, number: int | None, change: Change) -> Edition:
    """Go back to an earlier edition, by default the one before; a new edition with the old content.

    No rule gets the right to remove by itself back: what is demoted stays demoted, and a proof that came
    later is given up.

    Raises
    ------
    NotFound
        If there is no such edition.
    Conflict
        `nothing_to_undo`, if it is the one that holds; `edition_changed`, if somebody else was faster.
    ConfigurationError, CharterViolation
        If the door refuses the old content by now.
    """
    with database.reading() as session:
        edition = newest(session)
        wanted = edition.number - 1 if number is None else number
        if wanted >= edition.number or wanted < 0:
            raise Conflict("there is nothing to go back to", code="nothing_to_undo")
        row = session.get(RulebookEdition, wanted)
        if row is None and wanted != 0:
            raise NotFound("there is no such edition")
        target = Edition.of(row) if row else Edition()
        back = replace(
            target,
            number=edition.number,
            automatic={
                subject: proof for subject, proof in edition.automatic.items() if subject in target.automatic
            },
            demoted=edition.demoted,
        )
        plan = Plan(back, tuple(packs_of(session, back)))
        before = Plan(edition, tuple(packs_of(session, edition)))
    admit_over(database, base, before, plan)
    with database.transaction() as session:
        return write(
            session,
            plan,
            change,
            action="rulebook.rolled_back",
            subject=f"edition:{wanted}",
            details={"from": edition.number, "to": wanted},
        )
