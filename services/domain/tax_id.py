"""Tax ids: whether one is well formed, and has the right check character where its country has one."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# GB 32100-2015: the alphabet leaves out I, O, S, V and Z; weights are powers of 3 mod 31.
_USCC: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_SHAPE: Final = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")

# What follows the country's letters, as VIES states it (2026-01); GB and XI as HMRC does.
_VAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AT": r"U\d{8}",
        "BE": r"[01]\d{9}",
        "BG": r"\d{9,10}",
        "CY": r"\d{8}[A-Z]",
        "CZ": r"\d{8,10}",
        "DE": r"\d{9}",
        "DK": r"\d{8}",
        "EE": r"\d{9}",
        "EL": r"\d{9}",
        "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
        "FI": r"\d{8}",
        "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}",
        "GB": r"(\d{9}|\d{12}|GD[0-4]\d{2}|HA[5-9]\d{2})",
        "HR": r"\d{11}",
        "HU": r"\d{8}",
        "IE": r"(\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W])",
        "IT": r"\d{11}",
        "LT": r"(\d{9}|\d{12})",
        "LU": r"\d{8}",
        "LV": r"\d{11}",
        "MT": r"\d{8}",
        "NL": r"\d{9}B\d{2}",
        "PL": r"\d{10}",
        "PT": r"\d{9}",
        "RO": r"\d{2,10}",
        "SE": r"\d{10}01",
        "SI": r"\d{8}",
        "SK": r"\d{10}",
        "XI": r"(\d{9}|\d{12})",
    }
)
# Greece's ids begin with EL.
_WITH_VAT: Final = frozenset({*_VAT, "GR"})
# Elsewhere an id is taken as it is, if it can be one.
_ELSEWHERE: Final = re.compile(r"[0-9A-Z][0-9A-Z./-]{2,29}")


def is_tax_id(text: str, country: str) -> bool:
    """Tell whether ``text`` is a tax id of ``country`` (ISO 3166); a VAT id states its own country."""
    if country == "CN":
        return is_uscc(text)
    return is_vat_id(text) if country in _WITH_VAT else bool(_ELSEWHERE.fullmatch(text))


def is_vat_id(text: str) -> bool:
    """Tell whether ``text`` has the shape of a VAT id of the EU or the UK, its country's letters first."""
    shape = _VAT.get(text[:2])
    return shape is not None and re.fullmatch(shape, text[2:], re.ASCII) is not None


def is_uscc(text: str) -> bool:
    """Tell whether ``text`` is a Unified Social Credit Code with its right check character."""
    return _USCC_SHAPE.fullmatch(text) is not None and uscc_check(text[:-1]) == text[-1]


def uscc_check(symbols: str) -> str:
    """Return the check character of a code's first 17 (GB 32100-2015, appendix A)."""
    total = sum(_USCC.index(symbol) * pow(3, place, 31) for place, symbol in enumerate(symbols))
    return _USCC[-total % 31]
