"""Signatures of receipts by Ed25519: whoever holds the private key said so; the extra ``dsketch[sign]``.

References
----------
S. Josefsson, I. Liusvaara, "Edwards-curve digital signature algorithm (EdDSA)", RFC 8032, 2017.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsketch._atomic import replacing
from dsketch.errors import SpecError

_MAKING = threading.Lock()


@dataclass(frozen=True)
class Signature:
    """A signature of a receipt.

    Attributes
    ----------
    signer : str
        Who signed, in words, which are signed too.
    key : str
        The public key, 32 bytes as hexadecimal digits.  Whether it is the signer's, only the reader can know.
    signature : str
        64 bytes as hexadecimal digits.
    """

    signer: str
    key: str
    signature: str


def sign(digest: str, key: str | os.PathLike[str] | bytes, signer: str) -> Signature:
    """Return the signature of a digest.

    Parameters
    ----------
    digest : str
        Of a receipt.
    key : path or bytes
        Of a private key in PEM, without a password.
    signer : str

    Raises
    ------
    SpecError
        If the key cannot be read, or ``cryptography`` is not installed.
    """
    private = _private_key(key)
    public = private.public_key().public_bytes_raw().hex()
    return Signature(signer, public, private.sign(_message(digest, signer, public)).hex())


def verify(digest: str, signature: Signature) -> bool:
    """Whether a signature is one of this digest, by the key that it names.

    Raises
    ------
    SpecError
        If ``cryptography`` is not installed.
    """
    from cryptography.exceptions import InvalidSignature

    ed25519 = _ed25519()
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key))
        public.verify(bytes.fromhex(signature.signature), _message(digest, signature.signer, signature.key))
    except (InvalidSignature, ValueError):
        return False
    # One spelling of the digits, so that no byte of them can change unseen.
    return signature.key == signature.key.lower() and signature.signature == signature.signature.lower()


def public_key_of(key: str | os.PathLike[str] | bytes) -> str:
    """Return the public key of a PEM file (public or private) or of 64 hexadecimal digits, as the digits.

    Raises
    ------
    SpecError
        If it is none.
    """
    text = os.fsdecode(key) if not isinstance(key, bytes) else ""
    if len(text) == 64 and not set(text.lower()) - set("0123456789abcdef"):
        return text.lower()
    raw = _read(key)
    if b"PRIVATE" in raw:
        return str(_private_key(raw).public_key().public_bytes_raw().hex())
    ed25519 = _ed25519()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        found = load_pem_public_key(raw)
    except ValueError as error:
        raise _no_key(error) from error
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise _no_key(type(found).__name__)
    return str(found.public_bytes_raw().hex())


def make_key(path: Path) -> Path:
    """Make a private key at a path that nobody else may read, unless one is there, and return the path.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with _MAKING:  # two threads would sign with two keys, of which one is gone
        if not path.exists():
            _write_key(path)
    return path


def _write_key(path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = _ed25519().Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with replacing(path) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(pem)


def _message(digest: str, signer: str, public: str) -> bytes:
    return f"dsketch receipt 1\n{digest}\n{public}\n{signer}".encode()


def _private_key(key: str | os.PathLike[str] | bytes) -> Any:
    ed25519 = _ed25519()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(_read(key), None)
    except (ValueError, TypeError) as error:
        raise _no_key(error) from error
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise _no_key(type(found).__name__)
    return found


def _read(key: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(key, bytes):
        return key
    try:
        return Path(key).read_bytes()
    except OSError as error:
        raise SpecError(
            f"a key was expected at {os.fspath(key)}; it cannot be read: {error.strerror}. Check the path."
        ) from error


def _no_key(found: object) -> SpecError:
    return SpecError(
        f"an Ed25519 key in PEM without a password was expected; got {found}. Make one: openssl genpkey -algorithm ed25519."
    )


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise SpecError("signatures need cryptography, which is not installed. Install dsketch[sign].") from error
    return ed25519
