// The list below the search box, as the combobox pattern of ARIA has it.
import * as api from "./api.js";
import { el } from "./view.js";

export function suggestions(input, list, chosen) {
  let found = [], place = -1, pending = null;

  const close = () => {
    list.hidden = true;
    place = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (next) => {
    place = next;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === place)));
    if (place < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `suggestion-${place}`);
  };
  const take = (at) => { input.value = found[at].text; close(); chosen(); };
  const show = () => {
    list.replaceChildren(...found.map((each, at) => el("li", { role: "option", id: `suggestion-${at}`, "aria-selected": "false",
      onclick: () => take(at) }, each.text, each.mended ? el("small", {}, "did you mean") : null)));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    place = -1;
  };

  input.addEventListener("input", async () => {
    pending?.abort();
    pending = new AbortController();
    if (!input.value.trim() || input.value.length > api.LONGEST_SUGGESTED) { found = []; close(); return; }
    try {
      const told = await api.suggest(input.value, pending.signal);
      found = told.suggestions.filter((each) => each.text !== input.value.trim());
      if (document.activeElement === input) show();
    } catch { close(); }
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) { close(); event.preventDefault(); event.stopPropagation(); }
    if (list.hidden) return;
    const last = found.length - 1;
    if (event.key === "ArrowDown") { mark(place >= last ? 0 : place + 1); event.preventDefault(); }
    if (event.key === "ArrowUp") { mark(place <= 0 ? last : place - 1); event.preventDefault(); }
    if (event.key === "Enter" && place >= 0) { take(place); event.preventDefault(); }
  });
  input.addEventListener("blur", () => setTimeout(close, 150)); // after a click on one of them
  return { close: () => { pending?.abort(); close(); } };
}
