import shutil
from pathlib import Path

import orjson
import pytest

from learning.bundle import SHIPPED, load_bundle
from learning.manifest import CascadeManifest, read_manifest
from models.errors import ConfigurationError
from models.vocabulary import Category

LINEAR = SHIPPED.with_name("linear-2026.11.5")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LINEAR, tmp_path / "bundle"))


def change(folder: Path, **members: object) -> None:
    path = folder / "manifest.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | members))


def test_the_shipped_bundle_is_what_its_manifest_says() -> None:
    manifest = read_manifest(SHIPPED)

    assert isinstance(manifest, CascadeManifest)
    assert load_bundle().name == manifest.name == "cascade-2026.11.4"
    assert manifest.first.name == load_bundle(LINEAR).name == LINEAR.name
    assert {source.licence for source in manifest.sources}


def test_what_ships_is_at_most_forty_megabytes() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.parent.rglob("*")) <= 40e6


def test_the_shipped_bundle_learned_from_no_suite_and_no_non_commercial_set() -> None:
    for source in [*read_manifest(SHIPPED).sources, *read_manifest(LINEAR).sources]:
        assert "NC" not in source.licence.split()
        assert "chineseharm" not in source.name.lower()


def test_every_head_of_the_shipped_bundle_is_trained() -> None:
    assert all(head.trained for head in read_manifest(SHIPPED).heads["harms"])


def test_a_changed_file_is_refused(copy: Path) -> None:
    path = copy / "harms.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(ConfigurationError, match=r"manifest\.json:\d+: .*harms\.npy"):
        load_bundle(copy)


def test_a_missing_file_is_refused(copy: Path) -> None:
    (copy / "reads.npy").unlink()

    with pytest.raises(ConfigurationError, match=r"manifest\.json:\d+: .*reads\.npy"):
        load_bundle(copy)


def test_another_order_of_labels_is_refused(copy: Path) -> None:
    labels = orjson.loads((copy / "manifest.json").read_bytes())["labels"]
    change(copy, labels=labels | {"harms": [word.value for word in reversed(Category)]})

    with pytest.raises(ConfigurationError, match=r"manifest\.json:\d+: .*labels"):
        load_bundle(copy)


def test_a_file_outside_the_folder_is_refused(copy: Path) -> None:
    files = orjson.loads((copy / "manifest.json").read_bytes())["files"]
    change(copy, files=files | {"../harms.npy": files["harms.npy"]})

    with pytest.raises(ConfigurationError, match="outside"):
        load_bundle(copy)


@pytest.mark.parametrize("members", [{"format": 2}, {"kind": "other"}, {"more": 1}])
def test_a_manifest_of_another_form_is_refused(copy: Path, members: dict[str, object]) -> None:
    change(copy, **members)

    with pytest.raises(ConfigurationError, match="manifest"):
        load_bundle(copy)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="manifest"):
        load_bundle(tmp_path)


def test_heads_that_do_not_fit_their_weights_are_refused(copy: Path) -> None:
    heads = orjson.loads((copy / "manifest.json").read_bytes())["heads"]
    change(copy, heads=heads | {"tone": heads["tone"][:2]})

    with pytest.raises(ConfigurationError, match="fit"):
        load_bundle(copy)
