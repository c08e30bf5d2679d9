"""What goes in and out of sign-in, accounts, keys and organisations. Unknown members are refused."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from models.organisation import PATH_PATTERN
from models.vocabulary import KeyScope, OrganisationKind, Role

Path = Annotated[str, StringConstraints(pattern=PATH_PATTERN, max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Language = Annotated[str, StringConstraints(pattern="^(zh|en)$")]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")


class SignInBody(Body):
    """Who wants to sign in."""

    login: str = Field(max_length=64)
    password: SecretStr = Field(max_length=200)


class PasswordBody(Body):
    """One's own password, and the one to come."""

    current: SecretStr = Field(max_length=200)
    new: SecretStr = Field(max_length=200)


class CodeBody(Body):
    """A code of one's second factor, or a recovery code."""

    code: SecretStr = Field(max_length=64)


class EmailBody(Body):
    """The address by which the provider finds an account; empty for none."""

    email: str = Field(max_length=200)


class IdentityBody(Body):
    """A subject of the identity provider. The issuer is the one that is set up."""

    subject: str = Field(min_length=1, max_length=255)


class GrantBody(Body):
    """A role at a place."""

    role: Role
    organisation: Path


class AccountBody(Body):
    """A new account. Its password is made by the service and shown once."""

    login: str = Field(max_length=64)
    name: Name
    language: Language = "zh"
    grants: list[GrantBody] = Field(default_factory=list, max_length=50)


class KeyBody(Body):
    """A new key of a source."""

    source: str = Field(max_length=64)
    name: Name
    organisation: Path
    scopes: list[KeyScope] = Field(min_length=1, max_length=len(KeyScope))


class OrganisationBody(Body):
    """A new node of the tree. `names` is what people call it."""

    path: Path
    name: str = Field(min_length=1, max_length=120)
    name_en: str = Field(default="", max_length=120)
    kind: OrganisationKind
    names: list[Annotated[str, StringConstraints(min_length=1, max_length=60)]] = Field(
        default_factory=list, max_length=50
    )


class GrantOut(BaseModel):
    """A role that an account has."""

    id: str
    role: Role
    organisation: str
    granted_at: datetime


class AccountOut(BaseModel):
    """An account. `grants` are its roles; `second_factor` tells whether one is in force."""

    id: str
    login: str
    name: str
    language: str
    created_at: datetime
    disabled_at: datetime | None
    must_change_password: bool
    email: str | None = None
    second_factor: bool = False
    grants: list[GrantOut]


class IdentityOut(BaseModel):
    """A subject that an account is linked to."""

    id: str
    issuer: str
    subject: str
    linked_by: str
    linked_at: datetime


class SessionOut(BaseModel):
    """A session that still opens something. `device` and `network` are coarse on purpose."""

    id: str
    device: str | None
    network: str | None
    method: str | None
    signed_in_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    current: bool


class EnrolmentOut(BaseModel):
    """A secret that waits to be confirmed with a code of it. `address` is what a QR code says."""

    secret: str
    address: str


class RecoveryCodes(BaseModel):
    """Codes that are shown this once; each opens once. `csrf` is the token of the session from now on."""

    recovery_codes: list[str]
    csrf: str


class NewPassword(BaseModel):
    """An account with a password that is shown this once."""

    account: AccountOut
    one_time_password: str


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    source: str
    name: str
    organisation: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = None


class NewKey(BaseModel):
    """A key with its secret, which is shown this once."""

    record: KeyOut
    key: str


class OrganisationOut(BaseModel):
    """A node of the tree."""

    path: str
    name: str
    name_en: str
    kind: OrganisationKind
    names: list[str]


class RoleAt(BaseModel):
    """A role and its place."""

    role: Role
    organisation: str


class Me(BaseModel):
    """Who is asking. `permissions` maps a place to what may be done at it and under it.

    `owes_code` and `owes_enrolment` tell what the session has to give before it opens anything.
    """

    id: str
    name: str
    source: str | None
    language: str
    must_change_password: bool
    owes_code: bool = False
    owes_enrolment: bool = False
    grants: list[RoleAt]
    permissions: dict[str, list[str]]
    csrf: str
