import sys
from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.classifier import labels_of, open_classifier
from api.commands.evaluate_scores import scores
from api.commands.screen import screen
from api.settings import Settings
from api.wiring import build_service
from learning.bundle import SHIPPED
from learning.encoder import HARM_COLUMNS
from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import Category
from tests.support.tiny_transformer import write_tiny_transformer

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")

HATE = HARM_COLUMNS.index(Category.HATE)
screening = typer.Typer()
screening.command()(screen)
scoring = typer.Typer()
scoring.command()(scores)


def never_sure(folder: Path) -> Path:
    """Write a tiny model that finds nothing offensive, so that it passes the door."""
    return _biased(folder, [20.0, -20.0])


def always_sure(folder: Path) -> Path:
    """Write a tiny model that finds every text offensive."""
    return _biased(folder, [-20.0, 20.0])


def _biased(folder: Path, bias: list[float]) -> Path:
    import torch
    from transformers import BertForSequenceClassification

    folder.mkdir()
    write_tiny_transformer(folder)
    model = BertForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor(bias))
    model.save_pretrained(folder)
    return folder


def settings(tmp_path: Path, **changes: object) -> Settings:
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'records.db'}",
        secret_file=tmp_path / "secret",
        **changes,  # type: ignore[arg-type]
    )


def test_labels_are_pairs_and_a_label_may_hold_an_equals_sign() -> None:
    assert labels_of(" offensive=harassment, a=b=hate ,") == {
        "offensive": Category.HARASSMENT,
        "a=b": Category.HATE,
    }


@pytest.mark.parametrize("written", ["offensive", "=hate", "offensive=", "a=hate,a=spam"])
def test_what_is_no_list_of_labels_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError):
        labels_of(written)


def test_no_label_can_mean_an_opinion() -> None:
    with pytest.raises(CharterViolation, match="closed"):
        labels_of("critical=politics")


def test_labels_and_a_model_go_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no transformer"):
        open_classifier(None, None, "offensive=hate")
    with pytest.raises(ConfigurationError, match="what the transformer's labels mean"):
        open_classifier(None, tmp_path, "")


def test_without_the_extra_the_operator_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigurationError, match=r"tingjian\[train\]"):
        open_classifier(None, tmp_path, "offensive=hate")


def test_the_service_judges_by_the_model_and_reads_needs_by_the_bundle_beside(tmp_path: Path) -> None:
    folder = never_sure(tmp_path / "careful")
    service = build_service(
        settings(tmp_path, transformer=folder, transformer_labels="offensive=hate"), models=True
    )
    try:
        (outcome,) = service.screener.screen(["图书馆周末几点开门？"])  # type: ignore[union-attr]
        assert outcome.bundle == "careful"
        assert outcome.probabilities[Category.HATE] < 1e-6
        assert service.bundle is not None
        assert service.bundle.name == SHIPPED.name
    finally:
        service.close()


def test_a_model_that_acts_on_protected_texts_is_refused_at_the_door(tmp_path: Path) -> None:
    folder = always_sure(tmp_path / "harsh")
    with pytest.raises(CharterViolation, match="protected texts would be acted upon"):
        build_service(settings(tmp_path, transformer=folder, transformer_labels="offensive=hate"))


def test_a_model_needs_a_bundle_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="beside"):
        build_service(settings(tmp_path, transformer=tmp_path, bundle=Path("none")))


def test_a_file_is_screened_by_the_model(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(orjson.dumps({"id": "x", "text": "今天食堂的菜不错"}))
    out = tmp_path / "out.jsonl"
    folder = never_sure(tmp_path / "careful")

    answer = CliRunner().invoke(
        screening,
        [str(file), "--out", str(out), "--transformer", str(folder), "--labels", "offensive=hate"],
    )

    assert answer.exit_code == 0, answer.output
    assert orjson.loads(out.read_bytes())["bundle"] == "careful"


def test_a_model_is_measured_before_a_policy_relies_on_it(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    rows = [{"text": "你好", "label": "safe"}, {"text": "滚出去", "label": "offensive"}]
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    folder = always_sure(tmp_path / "harsh")

    answer = CliRunner().invoke(
        scoring,
        [
            str(file),
            *("--positive", "offensive", "--categories", "hate"),
            *("--transformer", str(folder), "--labels", "offensive=hate"),
        ],
    )

    assert answer.exit_code == 0, answer.output
    assert orjson.loads(answer.stdout.splitlines()[-1])["accuracy"] == 0.5
