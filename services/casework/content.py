"""What a file's content says it is: only what starts as its format demands is of that type.

The name and the type that come with a file are claims of whoever sends it, and are never believed.
"""

from typing import Final

HEAD_BYTES: Final = 512

# ISO/IEC 14496-12 names a file's family in a box at its start; the registered brands are at mp4ra.org.
_BRANDS: Final = {
    "image/heic": frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
    "video/quicktime": frozenset({b"qt  "}),
    "video/mp4": frozenset(
        {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash"}
    ),
}
# Brands that say no more than "an image" or "some media"; the compatible brands behind them tell.
_GENERAL: Final = frozenset({b"mif1", b"msf1"})
_WEBP_CHUNKS: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X"})


def content_type_of(head: bytes) -> str | None:
    """Return the type of a file whose first ``HEAD_BYTES`` are ``head``, if it is an accepted one."""
    starts = {
        "image/jpeg": head.startswith(b"\xff\xd8\xff"),
        "image/png": head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR",
        "image/gif": head.startswith((b"GIF87a", b"GIF89a")),
        "image/webp": head.startswith(b"RIFF") and head[8:12] == b"WEBP" and head[12:16] in _WEBP_CHUNKS,
        "application/pdf": head.startswith(b"%PDF-"),
        # EBML, whose element 0x4282 of four bytes names the document's type; Matroska at large is not taken.
        "video/webm": head.startswith(b"\x1aE\xdf\xa3") and b"\x42\x82\x84webm" in head,
    }
    found = next((content_type for content_type, is_it in starts.items() if is_it), None)
    return found or _family(head)


def _family(head: bytes) -> str | None:
    """Return the type that an ISO base media file names first: size, ``ftyp``, brand, version, brands."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brand = head[8:12]
    brands = [brand]
    if brand in _GENERAL:
        brands = [head[start : start + 4] for start in range(16, end - 3, 4)]
    return next((kind for name in brands for kind, known in _BRANDS.items() if name in known), None)
