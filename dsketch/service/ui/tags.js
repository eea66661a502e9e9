// Tags: chips that lead to all jobs of a tag, and their change on the page of a job.

import { patch } from "./api.js";
import { fresh, h, speak } from "./dom.js";
import { notice } from "./notices.js";

const SHOWN = 2; // in a row of the list; the others are counted

/** The tags of a text with commas between. */
export const tagsOf = (text) => text.split(",").map((tag) => tag.trim()).filter(Boolean);

const link = (tag) => h("a", { class: "tag", href: `#/?${new URLSearchParams({ tag })}`, title: `All jobs tagged ${tag}` }, tag);

/** Make the chips of a row: their element and `update(tags)`. */
export function tagChips() {
  const element = h("span", { class: "tags" });
  let shown = "";
  return {
    element,
    update(tags) {
      const now = JSON.stringify(tags);
      if (now === shown) return;
      shown = now;
      const more = tags.slice(SHOWN);
      element.replaceChildren(
        ...tags.slice(0, SHOWN).map(link),
        ...(more.length ? [h("span", { class: "muted", title: more.join(", ") }, `+${more.length}`)] : []),
      );
    },
  };
}

/** Make the tags of a job, to be changed there: their element and `update(job)`. */
export function tagEditor(id, mayChange) {
  const chips = h("span", { class: "tags" });
  const said = h("div");
  const name = fresh("tag");
  const input = h("input", { id: name, type: "text", maxlength: "700", placeholder: "Add a tag", autocomplete: "off", size: "12" });
  const form = h("form", { class: "tag-form", hidden: !mayChange }, h("label", { class: "unseen", for: name }, "Add a tag"), input);
  const element = h("div", { class: "tag-editor" }, chips, form, said);
  let tags = [];

  function draw() {
    chips.replaceChildren(
      ...tags.map((tag) =>
        h(
          "span",
          { class: "tag-pair" },
          link(tag),
          mayChange &&
            h("button", { type: "button", class: "tag-off", "aria-label": `Take away the tag ${tag}`, on: { click: () => change(tags.filter((one) => one !== tag), `${tag} taken away`) } }, "×"),
        ),
      ),
    );
  }

  async function change(next, words) {
    said.replaceChildren();
    try {
      tags = (await patch(`v1/jobs/${id}`, { tags: next })).tags;
      draw();
      input.value = "";
      input.focus();
      speak(words);
    } catch (error) {
      said.replaceChildren(notice(error));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const added = tagsOf(input.value);
    if (added.length) change([...tags, ...added], `tagged ${added.join(", ")}`);
  });

  return {
    element,
    update(job) {
      if (JSON.stringify(job.tags) === JSON.stringify(tags) && chips.childNodes.length === tags.length) return;
      tags = job.tags;
      draw();
    },
  };
}
