// Light or dark: as the system has it, unless somebody chose. A classic script in the head, so that no page shows in the wrong colours first.
(() => {
  const ORDER = { auto: "light", light: "dark", dark: "auto" };
  const root = document.documentElement;

  function chosen() {
    try {
      return localStorage.getItem("dsketch.theme") ?? "auto";
    } catch {
      return "auto"; // storage may be forbidden; the choice then lasts as long as the page
    }
  }

  function apply(theme) {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      localStorage.setItem("dsketch.theme", theme);
    } catch {
      // see above
    }
    dispatchEvent(new Event("themechange"));
  }

  function show(button, theme) {
    const word = document.createElement("span");
    word.className = "hide-small";
    word.textContent = theme;
    button.replaceChildren("◐", word);
    button.title = `Colours: ${theme === "auto" ? "as the system has them" : theme}`;
    button.setAttribute("aria-label", `Colours: ${theme}. Change to ${ORDER[theme]}.`);
  }

  let theme = ORDER[chosen()] ? chosen() : "auto";
  apply(theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    show(button, theme);
    button.addEventListener("click", () => {
      theme = ORDER[theme];
      apply(theme);
      show(button, theme);
    });
  });
})();
