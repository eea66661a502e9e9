"""Put the tables of the measured figures into pages, between the lines ``<!-- name -->`` and ``<!-- end -->``."""

import argparse
import re
from pathlib import Path

import accuracy
import attention
import attention_layer
import attention_million
import audit_share
import claims
import claims_smooth
import conditioning
import conv
import csr
import elastic_net
import expressivity
import features
import flights
import glm
import glm_data
import glm_scaling
import inversion
import kernel
import labels
import leverage
import limit
import limit_cluster
import marginal
import nonlinear
import paper
import polynomial
import powers
import rivals
import scaling
import service_load
import service_page
import smoother
import targets
import targets_missing
import targets_wide
from record import RESULTS, load

# Every table stands in the README of this folder; the site shows the few that users ask for.
PAGES = [RESULTS.parent / "README.md", RESULTS.parents[1] / "docs" / "evidence.md"]
BENCHMARKS = {
    module.__name__: module
    for module in (
        accuracy,
        claims,
        rivals,
        scaling,
        flights,
        glm_scaling,
        glm_data,
        paper,
        conditioning,
        powers,
        features,
        kernel,
        csr,
        glm,
        nonlinear,
        leverage,
        marginal,
        attention,
        attention_million,
        polynomial,
        conv,
        expressivity,
        smoother,
        attention_layer,
        inversion,
        audit_share,
        elastic_net,
        claims_smooth,
        targets,
        targets_wide,
        targets_missing,
        service_load,
        service_page,
        limit,
        limit_cluster,
        labels,
    )
}


def all_tables(results: Path) -> dict[str, str]:
    """Return every table that the JSON lines of a folder give, by name; one more names the machine."""
    tables: dict[str, str] = {}
    about = ""
    for name, module in BENCHMARKS.items():
        if cases := load(results, name):
            tables |= module.tables(cases)
            machine, versions = cases[0]["machine"], cases[0]["versions"]
            about = f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB; " + ", ".join(
                f"{package} {number}" for package, number in versions.items()
            )
    return tables | {"machine": about}


def filled(text: str, tables: dict[str, str]) -> str:
    """Return the text with each named table in its place; a place without a table stays as it is."""

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name not in tables else f"<!-- {name} -->\n\n{tables[name]}\n\n<!-- end -->"

    return re.sub(r"<!-- (\S+) -->\n(?:(?!<!-- end -->).)*<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> None:
    """Fill the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON lines")
    parser.add_argument("--pages", type=Path, nargs="+", default=PAGES, help="files to fill in place")
    options = parser.parse_args()
    tables = all_tables(options.results)
    for path in options.pages:
        path.write_text(filled(path.read_text(), tables))


if __name__ == "__main__":
    main()
