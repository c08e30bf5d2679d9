"""The one tree of errors.

    TingjianError                     500  something this service did not foresee
    ├── InvalidInput                  422  a value breaks its rule; names the field
    │   ├── TooLarge                  413  more than the limit
    │   └── MalformedBody             400  not JSON, or not of the announced form
    ├── NotAuthenticated              401  no key, no session, or a wrong one
    ├── NotPermitted                  403  the role or the place does not allow it
    ├── NotFound                      404  no such thing, or none that the caller may see
    ├── Conflict                      409  the thing is not in the state that this needs
    │   ├── StaleVersion              409  somebody changed it meanwhile
    │   └── RevisionConflict          409  the same revision was sent with another content
    ├── Gone                          410  it was deleted, and only the proof is left
    ├── TooManyRequests               429  wait, then come again
    ├── CharterViolation              422  a setting or a rule would break the charter
    ├── ConfigurationError            500  a file or a setting of the operator cannot be used
    └── Unavailable                   503  a part that is needed is not there now

A message never holds text of a post, a password or a key. `code` is stable and part of the
interface; `field` is a JSON pointer into the request where there is one.
"""

from typing import Any, ClassVar


class TingjianError(Exception):
    """The root. `status` is read by `api/problems.py` alone."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        field: str | None = None,
        **extra: Any,  # noqa: ANN401 - extra members of the problem
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem_code = code or self.code
        self.field = field
        self.extra = extra


class InvalidInput(TingjianError):  # noqa: N818 - errors are named for what they say
    """A value breaks its rule."""

    status = 422
    code = "invalid_input"


class TooLarge(InvalidInput):
    """More than the limit."""

    status = 413
    code = "too_large"


class MalformedBody(InvalidInput):
    """Not JSON, or not of the announced form."""

    status = 400
    code = "malformed_body"


class NotAuthenticated(TingjianError):  # noqa: N818 - as above
    """No key, no session, or a wrong one."""

    status = 401
    code = "not_authenticated"


class NotPermitted(TingjianError):  # noqa: N818 - as above
    """The role or the place does not allow it."""

    status = 403
    code = "not_permitted"


class NotFound(TingjianError):  # noqa: N818 - as above
    """No such thing, or none that the caller may see."""

    status = 404
    code = "not_found"


class Conflict(TingjianError):  # noqa: N818 - as above
    """The thing is not in the state that this needs."""

    status = 409
    code = "conflict"


class StaleVersion(Conflict):
    """Somebody changed it meanwhile."""

    code = "stale_version"


class RevisionConflict(Conflict):
    """The same revision was sent with another content."""

    code = "revision_conflict"


class Gone(TingjianError):  # noqa: N818 - as above
    """It was deleted, and only the proof is left."""

    status = 410
    code = "gone"


class TooManyRequests(TingjianError):  # noqa: N818 - as above
    """Wait, then come again."""

    status = 429
    code = "too_many_requests"


class CharterViolation(TingjianError):  # noqa: N818 - as above
    """A setting or a rule would break the charter."""

    status = 422
    code = "charter_violation"


class ConfigurationError(TingjianError):
    """A file or a setting of the operator cannot be used."""

    code = "configuration_error"


class Unavailable(TingjianError):  # noqa: N818 - as above
    """A part that is needed is not there now."""

    status = 503
    code = "unavailable"
