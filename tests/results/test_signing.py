"""Signatures: who holds the key said so, and no byte of what was signed can change."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import dsketch as ds
from dsketch._results.signing import make_key, public_key_of, verify
from tests.command_line import good, run

pytest.importorskip("cryptography")
A = np.random.default_rng(1).standard_normal((300, 3))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the journal of a finished run."""
    ds.lstsq(A, A @ [1.0, 2.0, 3.0], journal=tmp_path / "run")
    return tmp_path / "run"


def test_a_signature_holds_for_receipt_signer_and_key(journal: Path, tmp_path: Path) -> None:
    """Another digest, name or key is none; the public key may be a PEM file, the private one, or its digits."""
    key = make_key(tmp_path / "key.pem")
    signed = ds.receipt(journal).sign(key, "ann")
    signature = signed.signature
    assert signature is not None
    public = tmp_path / "public.pem"
    subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public)], check=True)

    assert verify(signed.digest, signature)
    assert public_key_of(public) == public_key_of(key) == public_key_of(signature.key) == signature.key
    for wrong in ({"signer": "bob"}, {"key": public_key_of(make_key(tmp_path / "other.pem"))}, {"signature": "00" * 64}):
        assert not verify(signed.digest, type(signature)(**{**vars(signature), **wrong}))
    assert not verify("0" * 64, signature)


def test_the_key_of_openssl_signs_on_the_command_line(journal: Path, tmp_path: Path) -> None:
    """``dsketch receipt --sign`` keeps the signed receipt; the audit compares the key that was wanted."""
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True)

    printed = good("receipt", journal, "--sign", key, "--signer", "ann").stdout

    assert (journal / "receipt.json").read_text() == printed
    assert json.loads(printed)["signature"]["signer"] == "ann"
    assert ds.audit(journal, signer=key).is_clean
    other = public_key_of(make_key(tmp_path / "other.pem"))
    assert [fault.where for fault in ds.audit(journal, signer=other).faults] == ["signature"]
    assert run("audit", journal, "--signer", other).exit_code == 1


def test_a_flipped_byte_of_a_signature_is_found(journal: Path, tmp_path: Path) -> None:
    """Wherever in the signed receipt it is."""
    ds_receipt = ds.receipt(journal).sign(make_key(tmp_path / "key.pem"), "ann")
    whole = ds_receipt.to_json().encode()
    for place in range(len(whole) - 400, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 0x21
        (journal / "receipt.json").write_bytes(damaged)
        assert not ds.audit(journal).is_clean, place


def test_no_key_is_said(journal: Path, tmp_path: Path) -> None:
    """A file that is none, one that is not there, and a key without a name."""
    (tmp_path / "text").write_text("hello")
    for key in (tmp_path / "text", tmp_path / "nothing"):
        with pytest.raises(ds.SpecError, match="key"):
            ds.receipt(journal).sign(key, "ann")
    assert run("receipt", journal, "--sign", tmp_path / "text").exit_code == 2


def test_those_who_need_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    """Two jobs of a new service begin together: one makes the key, nobody fails, nobody signs with one that is gone."""
    for number in range(10):
        path = tmp_path / f"{number}.pem"
        with ThreadPoolExecutor(4) as pool:
            keys = set(pool.map(lambda path: public_key_of(make_key(path)), [path] * 4))

        assert keys == {public_key_of(path)}
