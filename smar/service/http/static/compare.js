// Two releases or settings side by side; moved ranks are marked.
import * as api from "./api.js";
import { card, el, gridOf, message, shareBar } from "./view.js";

// What a side may be asked with in place of the release's own: its key, what people call it, the most it may be.
export const SETTINGS = [["word_share", "Words", 0.99], ["gate", "Picture", 1], ["min_relevance", "Least relevance", 1]];
export const SIDES = ["left", "right"];
const HINTS = {
  word_share: "How much the words count, from 0 to 0.99; empty for the release's own share",
  gate: "How much the picture counts beside the text, from 0 to 1; empty for what the model says of the query",
  min_relevance: "Least probability of being relevant, from 0 to 1; empty for all",
};

export async function choices(state, changed) {
  const known = await api.releases();
  const names = known.releases.map((each) => each.release).reverse();
  const select = (side) => el("select", { "aria-label": `Release on the ${side}`, onchange: (event) => {
    state[side] = event.target.value;
    changed();
  } }, ...["", ...names].map((name) => el("option", { value: name, selected: name === state[side] },
    name || `current (${known.answers || "working tree"})`)));
  if (!state.right && names.length > 1) state.right = names.find((name) => name !== known.answers) || "";
  return SIDES.map((side) => el("span", { class: "pair", role: "group", "aria-label": `Settings on the ${side}` },
    side === "left" ? "Left" : "Right", select(side), ...SETTINGS.map((setting) => field(state, side, setting, changed))));
}

function field(state, side, [key, name, most], changed) {
  return el("label", { title: HINTS[key] }, `${name} `, el("input", { type: "number", min: 0, max: most, step: "any", placeholder: "own",
    "aria-label": `${name} on the ${side}`, value: state.tried[side][key], onchange: (event) => {
      if (!event.target.reportValidity()) return;
      state.tried[side][key] = event.target.value;
      changed();
    } }));
}

const triedOf = (state, side) => Object.entries(state.tried[side]).filter(([, value]) => value !== "");

export async function draw(root, body, state, options, signal) {
  const ask = (side) => {
    const tried = Object.fromEntries(triedOf(state, side).map(([key, value]) => [key, Number(value)]));
    return api.search({ ...body, ...tried, release: state[side], track: false, explain: Boolean(body.query) }, signal);
  };
  const answers = await Promise.all(SIDES.map(ask));
  const places = answers.map((answer) => new Map(answer.hits.map((hit) => [hit.item_id, hit.rank])));
  const sides = answers.map((answer, side) => {
    const grid = gridOf(answer.hits, (hit) => card(hit, { ...options, explain: true, moved: moved(hit, places[1 - side]) }));
    const named = SETTINGS.flatMap(([key, name]) => (state.tried[SIDES[side]][key] === "" ? [] : [`${name.toLowerCase()} ${state.tried[SIDES[side]][key]}`]));
    const name = [answer.release || "working tree", ...named].join(", ");
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
