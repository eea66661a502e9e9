"""What admins do: look after tokens, see what owners use."""

from urllib.parse import quote

from dsketch.client.connection import Connection, Document


class Admin(Connection):
    """The verbs of admins."""

    def tokens(self) -> list[Document]:
        """Return the tokens that the service knows: owner, label, role, end, last use; nothing that opens."""
        found: list[Document] = self._json("GET", "/v1/tokens")["tokens"]
        return found

    def make_token(self, owner: str, *, role: str = "user", label: str = "", days: float | None = None) -> Document:
        """Make a token and return it: ``token`` is what opens, and told this once.

        Parameters
        ----------
        owner : str
        role : str
            ``user``, ``admin`` or ``reader``.
        label : str
            What its owner calls it.
        days : float, optional
            That it is good for; None: until it is revoked.
        """
        return self._json("POST", "/v1/tokens", body={"owner": owner, "role": role, "label": label, "days": days})

    def end_token(self, id_: str, days: float = 0) -> Document:
        """Let the time of a token end so many days from now, and return it; 0: at once."""
        return self._json("PATCH", _token_path(id_), body={"days": days})

    def revoke_token(self, id_: str) -> None:
        """Take a token away; nobody comes in with it any more."""
        self._send("DELETE", _token_path(id_))

    def owners(self) -> list[Document]:
        """Return what owners use: jobs, bytes and seconds of today, uploads; and what each may use."""
        found: list[Document] = self._json("GET", "/v1/owners")["owners"]
        return found


def _token_path(id_: str) -> str:
    return f"/v1/tokens/{quote(id_, safe='')}"
