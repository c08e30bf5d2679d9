"""What organisations are called, for pages that show where something is.

Neighbours: every view that lists things of several places.
"""

from sqlmodel import Session, col, select

from models.organisation import Organisation


def organisation_names(session: Session, paths: set[str]) -> dict[str, str]:
    """Return what organisations are called."""
    rows = session.exec(
        select(Organisation.path, Organisation.name).where(col(Organisation.path).in_(paths))
    ).all()
    return {path: path for path in paths} | dict(rows)
