// A file of one's own as data of a run: choose it, its columns are shown, choose the target, solve.

import { get, request } from "./api.js";
import { fresh, h, speak } from "./dom.js";
import { notice } from "./notices.js";
import { bytes, number } from "./words.js";

const KINDS = ".csv,.tsv,.parquet,.npy,.npz";
const MOST_SHOWN = 30; // names of columns in the sentence; the choice of the target has all

/**
 * Make the part of the form that takes a file.
 * @param {{most_file_bytes: number, most_bytes: number}} limits
 * @param {(data: {A: string, b: string}) => void} fill takes the places of matrix and target into the form
 * @param {() => void} solve submits the form
 */
export function uploadPart(limits, fill, solve) {
  const [help, choice] = [fresh("help"), fresh("target")];
  const file = h("input", { type: "file", accept: KINDS, hidden: true, tabindex: "-1", "aria-label": "File to upload", name: "upload" });
  const button = h("button", { type: "button", "aria-describedby": help, on: { click: () => file.click() } }, "Upload a file");
  const said = h("div", { class: "upload-said", "aria-live": "polite" });
  const kept = h("div", { class: "upload-kept" });
  const element = h(
    "section",
    { class: "upload", "aria-label": "Upload a file" },
    h("div", { class: "row" }, button, file),
    h(
      "p",
      { class: "help", id: help },
      `CSV, Parquet or NumPy, up to ${bytes(limits.most_file_bytes)}; only you can read it. Or give places of Zarr arrays below.`,
    ),
    said,
    kept,
  );

  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    if (!chosen) return;
    button.disabled = true;
    said.replaceChildren(h("p", {}, `Uploading ${chosen.name}, ${bytes(chosen.size)} …`));
    try {
      if (chosen.size > limits.most_file_bytes)
        throw new Error(`${chosen.name} has ${bytes(chosen.size)}, more than can be uploaded. Write it as Zarr below a data root.`);
      show(await send(chosen));
      await list();
    } catch (error) {
      said.replaceChildren(notice(error));
    }
    button.disabled = false;
    file.value = ""; // the same file may be chosen again
  });

  /** Show the columns of an upload, and ask for the target. */
  function show(upload) {
    const columns = upload.columns;
    const more = upload.column_count - MOST_SHOWN;
    const rows = upload.rows === null ? "" : `${number(upload.rows)} rows, `;
    const target = h(
      "select",
      { id: choice, name: "target" },
      h("option", { value: "" }, "choose a column"),
      columns.map((name) => h("option", { value: name }, name)),
    );
    const go = h("button", { type: "button", class: "is-primary", disabled: true, on: { click: solve } }, "Solve");
    target.addEventListener("change", () => {
      go.disabled = !target.value;
      if (target.value) fill({ A: upload.address, b: `${upload.address}#${target.value}` });
    });
    said.replaceChildren(
      h("p", {}, h("strong", {}, upload.name), `: ${rows}${number(upload.column_count)} columns`),
      h(
        "p",
        { class: "upload-columns" },
        columns.slice(0, MOST_SHOWN).map((name) => h("code", {}, name)),
        more > 0 && h("span", { class: "muted" }, `and ${number(more)} more`),
      ),
      h("div", { class: "row" }, h("label", { for: choice }, "Target"), target, go),
      h("p", { class: "help" }, "All other columns become the matrix; of a column of text, a column for each of its values, but for the first beside an intercept."),
    );
    speak(`${upload.name} has ${upload.column_count} columns; choose the target`);
  }

  /** Show what was uploaded before, to use or to delete. */
  async function list() {
    const found = await get("v1/uploads");
    kept.replaceChildren(
      found.uploads.length
        ? h(
            "details",
            {},
            h(
              "summary",
              {},
              `Your uploads: ${found.uploads.length}, with their matrices ${bytes(found.used_bytes)} of ${bytes(found.most_bytes)}`,
            ),
            h(
              "ul",
              {},
              found.uploads.map((upload) => h("li", { class: "row" }, use(upload), h("span", { class: "muted" }, bytes(upload.bytes)), drop(upload))),
            ),
          )
        : "",
    );
  }

  const use = (upload) =>
    h("button", { type: "button", class: "quiet", "aria-label": `Use ${upload.name}`, on: { click: () => show(upload) } }, upload.name);

  const drop = (upload) =>
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": `Delete the upload ${upload.name}`,
        on: {
          click: () =>
            request(`v1/uploads/${encodeURIComponent(upload.name)}`, { method: "DELETE" })
              .then(() => [said.replaceChildren(), list()])
              .catch((error) => said.replaceChildren(notice(error))),
        },
      },
      "Delete",
    );

  list().catch(() => {}); // what was uploaded before is no need of this page
  return element;
}

/** Send a file; nothing of it is held here. */
async function send(file) {
  const headers = { "Content-Type": "application/octet-stream" };
  return (await request(`v1/uploads?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file, headers })).json();
}
