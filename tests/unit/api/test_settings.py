import os
import stat
from pathlib import Path

import pytest

from api.settings import Settings
from models.errors import ConfigurationError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TINGJIAN_")]:
        monkeypatch.delenv(name)


def test_defaults_need_no_environment() -> None:
    settings = Settings.from_environment()
    assert settings.database_url == "sqlite:///var/tingjian.db"
    assert not settings.allow_private_webhooks


def test_a_misspelt_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINGJIAN_DATABASE", "postgresql://user:hunter2@host/db")
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment()
    assert "TINGJIAN_DATABASE" in refused.value.detail
    assert "hunter2" not in refused.value.detail


def test_a_wrong_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINGJIAN_PUBLIC_URL", "ftp://secret-host")
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment()
    assert "TINGJIAN_PUBLIC_URL" in refused.value.detail
    assert "secret-host" not in refused.value.detail


def test_the_secret_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(secret_file=tmp_path / "var" / "secret")

    first = settings.secret_bytes()

    assert len(first) >= 32
    assert settings.secret_bytes() == first
    assert stat.S_IMODE((tmp_path / "var" / "secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret"]


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Settings(secret="short").secret_bytes()


def test_secrets_do_not_show_in_the_settings_repr() -> None:
    settings = Settings(secret="s" * 40, database_url="postgresql://u:hunter2@h/d", metrics_token="t" * 20)
    assert "hunter2" not in repr(settings)
    assert "sss" not in repr(settings)
    assert "ttt" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "https", "origin"),
    [
        ("https://tj.example.org/", True, "https://tj.example.org"),
        ("http://10.0.0.1:8311/base", False, "http://10.0.0.1:8311"),
    ],
)
def test_the_public_address_gives_origin_and_scheme(url: str, origin: str, *, https: bool) -> None:
    settings = Settings(public_url=url)
    assert (settings.is_https, settings.public_origin) == (https, origin)


def test_every_variable_stands_in_the_reference() -> None:
    page = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`TINGJIAN_{name.upper()}`" not in page] == []
