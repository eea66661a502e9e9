"""What a text looks like that is no plain number: a price, a date, a clock time, a number with separators.

Judged by all distinct values of a column together, so that one odd name among categories changes nothing.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

# A column is of a kind when so many of its values are; the rest are words for "unknown" and the like.
_MOST = 0.8

_DIGITS = r"\d+(?:[.,]\d*)?|[.,]\d+"
_GROUPED = r"\d{1,3}(?:[ ,.'_’\u00a0\u202f]\d{2,3})*[ ,.'_’\u00a0\u202f]\d{3}(?:[.,]\d+)?"
_AMOUNT = rf"[+\-−(]?\s*(?:{_GROUPED}|{_DIGITS})(?:[eEdD][+\-]?\d+)?\s*[)\-]?"
_CODES = "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|KRW|RUB|TRY|kr|Fr|zł|Kč"
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    "|dec(?:ember)?"
)
_CLOCK = r"\d{1,3}:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?"
_ZONE = r"(?:\s*(?:z|utc|gmt|[+\-]\d{2}:?\d{2}))?"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = "|".join(
    [
        rf"\d{{4}}[-/.]{_MONTH}[-/.]{_DAY}",
        rf"\d{{4}}[-/]{_MONTH}",
        r"\d{4}[- ]?q[1-4]|q[1-4][-/ ]\d{4}|\d{4}-?w\d{2}(?:-\d)?",
        rf"{_DAY}([-/.])(?:{_MONTH})\1\d{{4}}|{_MONTH}([-/])(?:{_DAY})\2\d{{4}}",
        rf"{_DAY}([-/])(?:{_MONTH})\3\d{{2}}|{_MONTH}([-/])(?:{_DAY})\4\d{{2}}|\d\d\.\d\d\.\d\d",
        rf"(?:[a-z]{{3,9}}\.?,?\s+)?{_DAY}(?:st|nd|rd|th)?[-\s./]*(?:{_MONTHS})[-\s./,]*(?:\d{{4}}|'?\d\d)",
        rf"(?:[a-z]{{3,9}}\.?,?\s+)?(?:{_MONTHS})[-\s./]+{_DAY}(?:st|nd|rd|th)?[-\s./,]+(?:\d{{4}}|'?\d\d)",
        rf"(?:{_MONTHS})[-\s./]*\d{{4}}|\d{{4}}[-\s./]*(?:{_MONTHS})",
    ]
)

_KINDS = (
    ("dates", re.compile(rf"(?:{_DATE})(?:[T\s]+{_CLOCK})?{_ZONE}", re.IGNORECASE)),
    ("clock times", re.compile(rf"-?(?:\d+\s*d(?:ays?)?,?\s*)?{_CLOCK}{_ZONE}", re.IGNORECASE)),
    ("percentages", re.compile(rf"(?:{_AMOUNT})\s*[%‰]|[%‰]\s*(?:{_AMOUNT})")),
    (
        "amounts of money",
        re.compile(rf"[+\-−(]?\s*(?:[A-Z]{{0,2}}¤|(?:{_CODES}))\s*(?:{_AMOUNT})|(?:{_AMOUNT})\s*(?:¤|(?:{_CODES})\b\.?)\)?"),
    ),
    ("numbers with separators or signs of their own", re.compile(_AMOUNT)),
)
_UNIT = re.compile(rf"(?:{_AMOUNT})\s*([A-Za-zµμ°²³/]{{1,8}})")


def is_number(text: str) -> bool:
    """Whether a text is a plain decimal number, finite or not.

    >>> [is_number(text) for text in ("1.5", "-2e3", "1_000", "", "inf")]
    [True, True, False, False, True]
    """
    try:
        return text.isascii() and "_" not in text and not math.isnan(float(text))
    except ValueError:
        return False


def appearance_of(text: str) -> str:
    """Return what one text looks like: "numbers", a kind that must be converted first, "numbers with a unit", or "".

    >>> [appearance_of(text) for text in ("1,500", "$1.50", "20 %", "12:30", "01/02/2020", "A 1", "18-25")]
    ['numbers with separators or signs of their own', 'amounts of money', 'percentages', 'clock times', 'dates', '', '']
    """
    if is_number(text):
        return "numbers"
    # All signs of currencies are one.
    plain = "".join("¤" if unicodedata.category(sign) == "Sc" else sign for sign in text.strip())
    for kind, pattern in _KINDS:
        if pattern.fullmatch(plain):
            return kind
    return "numbers with a unit" if _UNIT.fullmatch(plain) else ""


def appearance_of_levels(levels: Sequence[str]) -> tuple[str, str] | None:
    """Return what nearly all levels look like, with one of them as an example; None if they are words.

    Plain numbers among dressed ones ("1,500" and "20") are of the dressed ones' kind.

    >>> appearance_of_levels(["1,500", "20", "3,250"]), appearance_of_levels(["a", "b"]), appearance_of_levels(["1", "2", "n.a."])
    (('numbers with separators or signs of their own', '1,500'), None, None)
    """
    found = [appearance_of(level) for level in levels]
    units = {match[1] for level in levels if (match := _UNIT.fullmatch(level)) is not None}
    told = [kind for kind in found if kind and (kind != "numbers with a unit" or len(units) == 1)]
    if len(told) < _MOST * len(levels):
        return None
    dressed = [kind for kind in told if kind != "numbers"]
    kind = Counter(dressed or told).most_common(1)[0][0]
    if dressed and len(told) - len(dressed) and kind not in _TELLING:
        kind = "numbers"
    return kind, levels[found.index(kind)]


# Kinds whose single value tells what its plain neighbours are.
_TELLING = ("percentages", "amounts of money", "numbers with separators or signs of their own", "numbers with a unit")
