"""For admins: tokens, and what owners use."""

from typing import Annotated

from fastapi import Depends, FastAPI, Path
from fastapi.responses import JSONResponse, Response

from dsketch.service.auth import Caller, Tokens
from dsketch.service.jobs_api import Desk
from dsketch.service.models_access import NewToken, OwnersOut, TokenEnd, TokenMade, TokenOut, TokensOut
from dsketch.service.owners_api import describe_owners
from dsketch.service.routes.dependencies import Who, troubles
from dsketch.service.tokens import HANDLE
from dsketch.service.tokens_api import TokenDesk

TokenId = Annotated[str, Path(alias="id", pattern=f"^{HANDLE.pattern}$", description="Of a token.")]


def add_admin(app: FastAPI, desk: Desk, tokens: Tokens, who: Who) -> None:
    """Add the routes of tokens and owners."""
    By = Annotated[Caller, Depends(who)]
    book = TokenDesk(tokens)

    @app.get("/v1/tokens", tags=["admin"], responses={200: {"model": TokensOut}, **troubles(403)})
    def list_tokens(caller: By) -> Response:
        """List who may come in: owner, label, role, end, last use. Nothing that opens."""
        return JSONResponse({"tokens": book.describe(caller)})

    @app.post("/v1/tokens", tags=["admin"], status_code=201, responses={201: {"model": TokenMade}, **troubles(403, 422, 503)})
    def make_token(asked: NewToken, caller: By) -> Response:
        """Make a token; this answer tells it, and nothing does again."""
        return JSONResponse(book.make(caller, asked.owner, asked.role, asked.label, asked.days), 201)

    @app.patch("/v1/tokens/{id}", tags=["admin"], responses={200: {"model": TokenOut}, **troubles(403, 404, 409, 422, 503)})
    def end_token(id_: TokenId, asked: TokenEnd, caller: By) -> Response:
        """Let a token's time end so many days from now, whenever it would have ended before."""
        return JSONResponse(book.end(caller, id_, asked.days))

    @app.delete("/v1/tokens/{id}", tags=["admin"], status_code=204, responses=troubles(403, 404, 409, 422, 503))
    def revoke_token(id_: TokenId, caller: By) -> Response:
        """Revoke a token: nobody comes in with it from now on."""
        book.revoke(caller, id_)
        return Response(status_code=204)

    @app.get("/v1/owners", tags=["admin"], responses={200: {"model": OwnersOut}, **troubles(403)})
    def list_owners(caller: By) -> Response:
        """List owners: their jobs, bytes and seconds of today and uploads, with what they may use."""
        return JSONResponse(describe_owners(desk.dispatcher, tokens, caller))
