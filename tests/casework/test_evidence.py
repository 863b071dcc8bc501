"""Evidence: believed for what its content is, kept whole or not at all, given back as it came."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest

from recourse.casework.v1 import casework_pb2 as pb
from recourse.casework.v1 import casework_pb2_grpc
from services.domain.errors import EvidenceNotFound, EvidenceRejected, IdempotencyConflict, InvalidArgument
from services.domain.ids import StoreId
from services.platform.grpc_errors import from_rpc
from services.platform.wire import to_wire
from tests.builders import STORE
from tests.casework.papers import PNG, a_photo
from tests.fixtures.casework import MOST_EVIDENCE_BYTES

PHOTO = a_photo().evidence_id
REST = b"\0" * 600


def box(*brands: bytes) -> bytes:
    """The first box of an ISO base media file: a brand, a version, and compatible brands."""
    body = b"ftyp" + brands[0] + b"\0\0\0\0" + b"".join(brands[1:])
    return (len(body) + 4).to_bytes(4, "big") + body


GENUINE = {
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    "png": (PNG, "image/png"),
    "gif": (b"GIF89a\1\0\1\0", "image/gif"),
    "webp": (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
    "heic": (box(b"heic", b"mif1"), "image/heic"),
    "heic of a general brand": (box(b"mif1", b"mif1", b"heic"), "image/heic"),
    "mp4": (box(b"isom", b"isom", b"mp42"), "video/mp4"),
    "mp4 of a phone": (box(b"mp42", b"isom"), "video/mp4"),
    "quicktime": (box(b"qt  "), "video/quicktime"),
    "webm": (b"\x1aE\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm", "video/webm"),
    "pdf": (b"%PDF-1.7\n", "application/pdf"),
}
SPOOFED = {
    "page": b"<html><script>alert(1)</script>",
    "drawing with a script": b"<svg xmlns='http://www.w3.org/2000/svg'>",
    "archive": b"PK\3\4",
    "program": b"MZ\x90\0",
    "text": b"GIF is what I say I am",
    "sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "almost a PDF": b" %PDF-1.7",
    "almost a PNG": b"\x89PNG\n\n\x1a\n",
    "other matroska": b"\x1aE\xdf\xa3\x42\x82\x88matroska",
    "sound in a media box": box(b"M4A ", b"M4A "),
    "general brand alone": box(b"mif1", b"mif1"),
}


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.fixture
def kept(casework_settings):
    """The files that lie on the disk."""

    def look() -> list[bytes]:
        places = (casework_settings.data_dir / "evidence").rglob("*")
        return [path.read_bytes() for path in places if path.is_file()]

    return look


@pytest.mark.rule("S015")
@pytest.mark.rule("S214")
@pytest.mark.parametrize("kind", GENUINE)
async def test_a_file_is_what_its_content_says(casework, kind):
    """Photos, videos and PDF are taken, however small the pieces they come in, and given back unchanged."""
    head, content_type = GENUINE[kind]
    content = head + REST

    stored = await casework.add_evidence(a_photo(), pieces(content, 3))

    told = (stored.content_type, stored.sha256, stored.size_bytes)
    assert told == (content_type, hashlib.sha256(content).hexdigest(), len(content))
    found, chunks = await casework.evidence(STORE, PHOTO)
    assert (found, b"".join([chunk async for chunk in chunks])) == (stored, content)


async def test_a_spoofed_file_is_rejected(casework, kept):
    """The type that comes with a file is only claimed; nothing of the file stays."""
    for content in SPOOFED.values():
        with pytest.raises(EvidenceRejected):
            await casework.add_evidence(a_photo(content_type="image/png"), pieces(content + REST))

    assert kept() == []
    with pytest.raises(EvidenceNotFound):
        await casework.evidence(STORE, PHOTO)


@pytest.mark.parametrize(
    "claim", [{"content_type": "image/jpeg"}, {"sha256": "0" * 64}, {"size_bytes": len(PNG) + 1}]
)
async def test_a_claim_that_is_not_true_is_rejected(casework, kept, claim):
    """What arrived is not what was sent, or not what it was said to be."""
    with pytest.raises(EvidenceRejected):
        await casework.add_evidence(a_photo(**claim), pieces(PNG))

    assert kept() == []


async def test_a_file_has_a_largest_size(casework, kept):
    """To the byte; what is beyond it leaves nothing behind."""
    largest = PNG + b"\0" * (MOST_EVIDENCE_BYTES - len(PNG))
    with pytest.raises(EvidenceRejected):
        await casework.add_evidence(a_photo(), pieces(largest + b"\0", 100_000))
    assert kept() == []

    stored = await casework.add_evidence(a_photo(), pieces(largest, 400_000))

    assert stored.size_bytes == MOST_EVIDENCE_BYTES


async def test_an_empty_file_is_rejected(casework):
    """It shows nothing."""
    with pytest.raises(EvidenceRejected):
        await casework.add_evidence(a_photo(), pieces(b""))


@pytest.mark.parametrize(
    "change", [{"evidence_id": "photo-1"}, {"case_id": ""}, {"store_id": ""}, {"kind": ""}]
)
async def test_a_description_is_held_to_its_rules(casework, change):
    """Though it is only the first of many messages."""
    with pytest.raises(InvalidArgument):
        await casework.add_evidence(a_photo(**change), pieces(PNG))


async def test_an_upload_that_breaks_off_leaves_nothing(casework, kept):
    """The sender's own error comes back to it; what arrived is no evidence, though it looks like some."""

    async def broken(pause: float) -> AsyncIterator[bytes]:
        yield PNG
        await asyncio.sleep(pause)
        raise ConnectionResetError("the browser went away")

    photos = [a_photo(f"photo-{number}") for number in range(40)]
    outcomes = await asyncio.gather(
        *(casework.add_evidence(photo, broken(number / 2000)) for number, photo in enumerate(photos)),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {ConnectionResetError}
    async with asyncio.timeout(60):
        while kept():
            await asyncio.sleep(0.01)
    for photo in photos:
        with pytest.raises(EvidenceNotFound):
            await casework.evidence(STORE, photo.evidence_id)


async def test_a_file_is_whole_only_when_its_sender_says_so(casework_channel, kept):
    """The end of a stream alone may be that of a proxy that gave up."""
    stub = casework_pb2_grpc.CaseworkServiceStub(casework_channel)
    description = pb.AddEvidenceRequest(evidence=to_wire(a_photo(), pb.Evidence))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AddEvidence(iter([description, pb.AddEvidenceRequest(chunk=PNG)]), timeout=60)

    assert isinstance(from_rpc(caught.value), InvalidArgument)
    assert kept() == []


async def test_the_same_file_again_is_a_repeat(casework, kept):
    """The first answer stands; another file under the same id is a conflict and changes nothing."""
    first = await casework.add_evidence(a_photo(), pieces(PNG))

    later = replace(a_photo(), added_at=a_photo().added_at + timedelta(hours=1))
    assert await casework.add_evidence(later, pieces(PNG)) == first
    with pytest.raises(IdempotencyConflict):
        await casework.add_evidence(a_photo(), pieces(PNG + b"!"))
    _, chunks = await casework.evidence(STORE, PHOTO)
    assert b"".join([chunk async for chunk in chunks]) == PNG
    assert PNG in kept()


async def test_racing_uploads_of_one_id_agree(casework):
    """Of two files, each sent five times at once, one is the evidence; the senders of the other are told."""
    files = [PNG, PNG + b"!"] * 5
    outcomes = await asyncio.gather(
        *(casework.add_evidence(a_photo(), pieces(file)) for file in files), return_exceptions=True
    )

    taken = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, IdempotencyConflict)]
    assert (len(taken), len(refused), len(set(taken))) == (5, 5, 1)


async def test_one_file_may_be_evidence_twice(casework, kept):
    """It lies on the disk once, under its digest, and is given for either."""
    for name in ("photo-1", "photo-2"):
        await casework.add_evidence(a_photo(name), pieces(PNG))

    for name in ("photo-1", "photo-2"):
        _, chunks = await casework.evidence(STORE, a_photo(name).evidence_id)
        assert b"".join([chunk async for chunk in chunks]) == PNG
    assert kept() == [PNG]


async def test_another_stores_evidence_does_not_exist(casework):
    """Nor can its id be used over."""
    await casework.add_evidence(a_photo(), pieces(PNG))

    with pytest.raises(EvidenceNotFound):
        await casework.evidence(StoreId("other"), PHOTO)
    with pytest.raises(IdempotencyConflict):
        await casework.add_evidence(a_photo(store_id=StoreId("other")), pieces(PNG))
