"""Facts about a CSR group, and advice against small chunks."""

from pathlib import Path

from zarr.codecs import ZstdCodec

from dsketch._inspect import inspect
from dsketch.ingest import write_csr
from tests.command_line import run
from tests.matrix.csr import D, N, sparse


def test_info_knows_entries_and_chunks(tmp_path: Path) -> None:
    """Shape, entries, chunks of entries, bytes and objects of all three arrays; good chunks need no advice."""
    X = sparse()
    found = inspect(write_csr(tmp_path / "A.zarr", X))

    assert (found.shape, found.nonzeros, found.density) == ((N, D), X.nnz, X.nnz / (N * D))
    assert (found.chunks, found.reading, found.stored_objects, found.missing_objects) == ((X.nnz,), "raw", 3, 0)
    assert found.stored_bytes == X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    assert found.decoded_bytes == found.block_bytes == X.nnz * 12 + 8 * N
    assert found.advice == ()


def test_info_advises_against_small_chunks(tmp_path: Path) -> None:
    """Chunks of 800 bytes, one of them gone: the remedy counts entries, and the command says how many there are."""
    path = write_csr(tmp_path / "A.zarr", sparse(), chunk_nonzeros=100, compressors=ZstdCodec())
    (Path(path) / "data" / "c" / "0").unlink()
    found = inspect(path)

    said = run("info", path)

    assert [advice.subject for advice in found.advice][:2] == ["missing chunks", "small chunks"]
    assert f"chunks=({sparse().nnz},)" in found.advice[1].remedy
    assert said.exit_code == 0
    assert f"sparse   CSR, {sparse().nnz:,} nonzeros, density {100 * sparse().nnz / (N * D):.2g} %" in said.output
