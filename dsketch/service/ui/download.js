// Save what the service sends. The token goes in a header, so that a plain link would not do.

import { request } from "./api.js";
import { h } from "./dom.js";

/** Fetch a path and save it under a name. */
export async function download(path, name) {
  const address = URL.createObjectURL(await (await request(path)).blob());
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
