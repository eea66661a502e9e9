"""Journals as the version before the chain wrote them."""

import io
import json
from pathlib import Path

import numpy as np

_SINCE = ("previous", "part", "panels", "root")


def unchain(journal: Path) -> None:
    """Make of a journal what it would have been: records without links, digests and panels, no receipt, a header without storage."""
    header = json.loads((journal / "header.json").read_text())
    del header["storage"]
    (journal / "header.json").write_text(json.dumps(header, indent=1))
    (journal / "receipt.json").unlink(missing_ok=True)
    for path in journal.glob("pass-*.npz"):
        with np.load(io.BytesIO(path.read_bytes())) as stored:
            facts = {key: value for key, value in json.loads(str(stored["facts"])).items() if key not in _SINCE}
            arrays = {name: stored[name] for name in stored.files if name not in ("facts", "panels", "sums")}
        np.savez(path, facts=np.array(json.dumps(facts)), **arrays)
