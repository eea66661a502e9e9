"""How a CSV file is written: its delimiter, its encoding, and whether the first line has names."""

import codecs
from dataclasses import dataclass

from dsketch.errors import SpecError

# Signs that one cannot well type, by name.
_NAMED = {"tab": "\t", r"\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
BLANKS = " "


@dataclass(frozen=True)
class Dialect:
    """What the caller knows of a CSV file.

    Parameters
    ----------
    delimiter : str, optional
        One sign, or "tab", or "space" for any number of blanks; None: by the ending of the file.
    encoding : str, optional
        A name that Python knows; None: UTF-8.
    header : bool, optional
        Whether the first line has the names; None: yes, but numbers there are refused.
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        sign = self.delimiter
        if sign is not None and (not isinstance(sign, str) or not _is_sign(self.sign or "")):
            raise SpecError(f"delimiter: one sign, 'tab' or 'space' was expected; got {sign!r}. Write for example delimiter=';'.")
        if self.header not in (None, True, False):
            raise SpecError(f"header: True, False or None was expected; got {self.header!r}. Choose one of them.")
        try:
            # Python has codecs that are not of text, too.
            "x".encode(self.encoding or "utf-8")
            codecs.getincrementaldecoder(self.encoding or "utf-8")
        except (LookupError, TypeError, ValueError) as error:
            raise SpecError(
                f"encoding: a name such as 'latin-1', 'cp1252' or 'utf-16' was expected; got {self.encoding!r}. Correct it."
            ) from error

    @property
    def sign(self) -> str | None:
        """The delimiter itself; a blank stands for any number of blanks."""
        if self.delimiter is None:
            return None
        return BLANKS if self.delimiter in ("space", BLANKS) else _NAMED.get(self.delimiter, self.delimiter)


def name_of_sign(sign: str) -> str:
    """Return how to say a delimiter in a shell.

    >>> name_of_sign(chr(9)), name_of_sign(";")
    ('tab', "';'")
    """
    return {"\t": "tab", BLANKS: "space", ",": "comma"}.get(sign, f"'{sign}'")


def _is_sign(sign: str) -> bool:
    return len(sign) == 1 and sign.isascii() and sign not in '"\r\n\0'
