// Two settings side by side: releases, or one release with and without filters' order; moved ranks are marked.
import * as api from "./api.js";
import { card, el, gridOf, message, shareBar } from "./view.js";

export async function choices(state, changed) {
  const known = await api.releases();
  const names = known.releases.map((each) => each.release).reverse();
  const select = (side) => el("select", { "aria-label": `Release on the ${side}`, onchange: (event) => {
    state[side] = event.target.value;
    changed();
  } }, ...["", ...names].map((name) => el("option", { value: name, selected: name === state[side] },
    name || `current (${known.answers || "working tree"})`)));
  if (!state.right && names.length > 1) state.right = names.find((name) => name !== known.answers) || "";
  return ["Left", "Right"].map((side) => el("span", { class: "pair" }, side, select(side.toLowerCase())));
}

export async function draw(root, body, state, options, signal) {
  const ask = (release) => api.search({ ...body, release, track: false, explain: true }, signal);
  const answers = await Promise.all([ask(state.left), ask(state.right)]);
  const places = answers.map((answer) => new Map(answer.hits.map((hit) => [hit.item_id, hit.rank])));
  const sides = answers.map((answer, side) => {
    const grid = gridOf(answer.hits, (hit) => card(hit, { ...options, explain: true, moved: moved(hit, places[1 - side]) }));
    const name = answer.release || "working tree";
    return el("section", { "aria-label": `${side ? "Right" : "Left"}: release ${name}` }, el("h2", {}, `${name}: ${answer.total.toLocaleString("en")} items`),
      answer.query ? el("div", { class: "shares" }, ...shareBar(answer.shares)) : null, grid);
  });
  const same = answers[0].hits.filter((hit) => places[1].get(hit.item_id) === hit.rank).length;
  root.replaceChildren(answers.some((answer) => answer.hits.length) ? el("div", { class: "sides" }, ...sides) : message("Neither finds anything."));
  return { answers, said: `${same} of ${answers[0].hits.length} hits stand at the same place` };
}

function moved(hit, other) {
  const there = other.get(hit.item_id);
  if (there === undefined) return { text: "only here", kind: "down" };
  if (there === hit.rank) return { text: "=", kind: "" };
  const steps = there - hit.rank;
  return steps > 0 ? { text: `\u25b2 ${steps}`, kind: "up" } : { text: `\u25bc ${-steps}`, kind: "down" };
}
