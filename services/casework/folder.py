"""A folder of policy documents in YAML: everybody's, and in a folder of its id each store's own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


class UnreadableDocument(Exception):
    """A file of the folder holds no documents."""


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document and where it is from; an empty ``store_id`` is every store's."""

    file: str
    store_id: str
    document: str


def documents_in(folder: Path) -> Iterator[FoundDocument]:
    """Give every document of a folder; a file may hold several versions, one after another (``---``).

    Raises:
        UnreadableDocument: With the file, or the folder if there is none.
    """
    if not folder.is_dir():
        raise UnreadableDocument(f"{folder}: no such folder")
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder)
        store_id = name.parts[0] if len(name.parts) > 1 else ""
        for members in _members_of(path):
            yield FoundDocument(str(name), store_id, json.dumps(members, default=str))


def _members_of(path: Path) -> list[object]:
    try:
        return list(yaml.safe_load_all(path.read_text("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnreadableDocument(f"{path.name}: {error}") from error
