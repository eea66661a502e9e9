// Save what the service sends: the browser fetches it by itself, straight to the disk, so that its size is no matter for this page.

import { get } from "./api.js";
import { h } from "./dom.js";

/**
 * Save a part of a job's answer. The token goes in a header, which a link has not: a ticket is asked for, which opens this once.
 * @param {string} id of the job
 * @param {string} part as the service calls it: x, csv, parquet, zarr, fields/NAME
 */
export async function download(id, part) {
  const { path } = await get(`v1/jobs/${id}/ticket?${new URLSearchParams({ of: part })}`);
  h("a", { href: path, download: "" }).click();
}
