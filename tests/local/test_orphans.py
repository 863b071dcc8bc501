"""A database that outlived its stack is not taken for another stack's."""

import shutil
from pathlib import Path

import pytest

from deploy.local.postgres import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place whose data lies outside its state folder, as it does for root in a closed checkout."""
    shelter = tmp_path / "shelter"
    data = shelter / "postgres"
    data.mkdir(parents=True)
    return Place(tmp_path, data, data, None, shelter, tmp_path / "state")


def test_data_of_a_deleted_state_folder_is_removed(place: Place) -> None:
    """The clone was deleted and cloned again: the new stack starts with an empty database."""
    place._forget_orphan()
    (place.data / "PG_VERSION").parent.mkdir(exist_ok=True)
    (place.data / "PG_VERSION").write_text("18")
    shutil.rmtree(place.state)
    place._forget_orphan()

    assert not (place.data / "PG_VERSION").exists()


def test_data_of_the_same_stack_stays(place: Place) -> None:
    """Stopped and started again, a stack finds its database."""
    place._forget_orphan()
    place.data.mkdir(exist_ok=True)
    (place.data / "PG_VERSION").write_text("18")
    place._forget_orphan()

    assert (place.data / "PG_VERSION").exists()
