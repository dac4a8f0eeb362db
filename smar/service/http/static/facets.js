// Lists of values with counts, and a range of prices, in step with the state of the page.
import { el } from "./view.js";

export const FIELDS = [["category.lvl0", "Category"], ["category.lvl1", "Kind"], ["brand", "Brand"], ["colour", "Colour"],
  ["size", "Size"], ["availability", "Availability"], ["price", "Price"]];
const FEW = 8;
const opened = new Set();

export function filtersOf(state) {
  const filters = {};
  for (const [field, values] of Object.entries(state.chosen)) if (values.length) filters[field] = values;
  const range = {};
  if (state.least !== "") range.gte = Number(state.least);
  if (state.most !== "") range.lte = Number(state.most);
  if (Object.keys(range).length) filters.price = range;
  return filters;
}

export function drawFacets(root, facets, state, changed) {
  const focused = document.activeElement?.id;
  root.replaceChildren();
  for (const [field, name] of FIELDS) {
    const facet = facets[field];
    if (!facet) continue;
    if (field === "price") { if (facet.stats) root.append(range(facet.stats, state, changed)); continue; }
    const chosen = state.chosen[field] || [];
    const values = Object.entries(facet.counts).filter(([value]) => value !== "");
    for (const value of chosen) if (!(value in facet.counts)) values.push([value, 0]);
    if (values.length > 1 || chosen.length) root.append(list(field, name, values, chosen, state, changed));
  }
  if (focused) document.getElementById(focused)?.focus();
}

function list(field, name, values, chosen, state, changed) {
  const group = el("fieldset", {}, el("legend", {}, name));
  const shown = opened.has(field) ? values : values.filter(([value], place) => place < FEW || chosen.includes(value));
  for (const [value, count] of shown) {
    const id = `facet-${field}-${value}`;
    const box = el("input", { type: "checkbox", id, checked: chosen.includes(value), onchange: () => {
      const others = chosen.filter((each) => each !== value);
      state.chosen[field] = box.checked ? [...others, value] : others;
      changed();
    } });
    const said = value.replaceAll("_", " ").split(" > ").at(-1);
    group.append(el("label", { for: id }, box, el("span", {}, said), el("output", {}, count.toLocaleString("en"))));
  }
  if (values.length > FEW) {
    const more = opened.has(field) ? "Fewer" : `All ${values.length}`;
    group.append(el("button", { type: "button", class: "more", "aria-label": `${more}: ${name}`, onclick: () => {
      if (!opened.delete(field)) opened.add(field);
      changed({ only: "facets" });
    } }, more));
  }
  return group;
}

function range(stats, state, changed) {
  const end = (key, said, value) => el("input", { type: "number", id: `price-${key}`, min: 0, step: "any", inputmode: "decimal",
    "aria-label": said, placeholder: Math[key === "least" ? "floor" : "ceil"](value), value: state[key],
    onchange: (event) => { state[key] = event.target.value; changed(); } });
  return el("fieldset", {}, el("legend", {}, "Price"),
    el("div", { class: "range" }, end("least", "Lowest price", stats.min), "to", end("most", "Highest price", stats.max)));
}
