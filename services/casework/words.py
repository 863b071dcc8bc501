"""The words of a text: what a case is found by, the same in every language of the shop.

Words are runs of letters and digits, in lower case. Chinese and Japanese set no spaces, so there every
pair of neighbouring characters is a word, as is the last one alone. A search is for words that begin with
what was typed, and so finds one character as well as many.
"""

import re
from collections.abc import Iterator
from typing import Final

_RUNS: Final = re.compile(r"[^\W_]+")
_CJK: Final = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+)")
_LONGEST_WORD: Final = 100
_MOST_WORDS: Final = 4000


def words_of(text: str) -> list[str]:
    """Return the distinct words of ``text``."""
    return list(dict.fromkeys(_words(text)))[:_MOST_WORDS]


def query_for(text: str) -> str:
    """Return what PostgreSQL calls a tsquery: every word of ``text`` begins a word of the case."""
    return " & ".join(f"'{word}':*" for word in dict.fromkeys(_words(text, is_query=True)))


def _words(text: str, *, is_query: bool = False) -> Iterator[str]:
    for run in _RUNS.findall(text.lower()):
        for part in filter(None, _CJK.split(run)):
            if _CJK.fullmatch(part):
                pairs = [part[start : start + 2] for start in range(len(part))]
                yield from pairs[:-1] if is_query and len(pairs) > 1 else pairs
            else:
                yield part[:_LONGEST_WORD]
