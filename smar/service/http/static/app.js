// The page: its state is in its address, so that what is seen can be sent to someone else.
import * as api from "./api.js";
import * as compare from "./compare.js";
import { FIELDS, drawFacets, filtersOf } from "./facets.js";
import { suggestions } from "./suggestions.js";
import { card, el, gridOf, message, shareBar } from "./view.js";

const PER_PAGE = 24;
const SETTLED_MS = 1000; // what was typed is a search once nothing is typed for as long
const SORTS = [["relevance", "Most relevant"], ["price", "Lowest price"], ["-price", "Highest price"]];
const FIRST_AGAIN_MS = 1000, LAST_AGAIN_MS = 8000; // until a service that is away is asked again
const MODES = ["search", "compare", "judge"];
const $ = (id) => document.getElementById(id);
const input = $("query");
let state = fromAddress();
let answer = null, facets = {}, given = new Map(), pending = null, settling = 0, logged = "";
let known = null; // the fields that the catalogue has
let again = 0, again_ms = FIRST_AGAIN_MS;

function fromAddress() {
  const address = new URLSearchParams(location.search);
  const chosen = {};
  for (const [field] of FIELDS) if (field !== "price" && address.has(field)) chosen[field] = address.getAll(field);
  const mode = address.get("mode");
  const page = Number(address.get("page"));
  const settings = (side) => Object.fromEntries(compare.SETTINGS.map(([key, , most]) => [key, Number(address.get(`${side}.${key}`)) <= most ? amount(`${side}.${key}`) : ""]));
  const amount = (name) => (Number(address.get(name)) >= 0 ? address.get(name) || "" : ""); // a text is no number, NaN
  return {
    query: address.get("q") || "", page: Number.isInteger(page) && page > 0 ? page : 1, similar: address.get("similar") || "", exact: address.has("exact"),
    sort: address.get("sort") || "relevance", mode: MODES.includes(mode) ? mode : "search",
    least: amount("from"), most: amount("to"), chosen, left: address.get("left") || "", right: address.get("right") || "",
    tried: Object.fromEntries(compare.SIDES.map((side) => [side, settings(side)])),
  };
}

function toAddress(isStep) {
  const address = new URLSearchParams();
  const put = (name, value, usual) => { if (value !== usual && value !== "") address.set(name, value); };
  put("q", state.query, ""); put("page", String(state.page), "1"); put("sort", state.sort, "relevance");
  put("mode", state.mode, "search"); put("from", state.least, ""); put("to", state.most, ""); put("similar", state.similar, "");
  put("exact", state.exact ? "1" : "", "");
  if (state.mode === "compare") for (const side of compare.SIDES) {
    put(side, state[side], "");
    for (const [key, value] of Object.entries(state.tried[side])) put(`${side}.${key}`, value, "");
  }
  for (const [field, values] of Object.entries(state.chosen)) for (const value of values) address.append(field, value);
  const next = address.size ? `?${address}` : location.pathname;
  history[isStep ? "pushState" : "replaceState"](null, "", next);
}

function asked() {
  return {
    query: state.query, correct: !state.exact, page: state.page, per_page: PER_PAGE, sort: state.sort, filters: filtersOf(state),
    facets: FIELDS.map(([field]) => field).filter((field) => known.has(field)), explain: Boolean(state.query),
  };
}

async function run({ isStep = true, isTyping = false } = {}) {
  toAddress(isStep && !isTyping);
  document.title = state.query ? `${state.query} - smar` : "smar";
  settled(true);
  clearTimeout(again);
  pending?.abort();
  const own = (pending = new AbortController());
  document.body.classList.add("busy");
  try {
    await draw(own.signal);
    again_ms = FIRST_AGAIN_MS;
    if (state.mode === "search" && !state.similar) settling = setTimeout(settled, isTyping ? SETTLED_MS : 0);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (forgetUnknown(error)) { await run({ isStep: false, isTyping }); return; }
    tell(error);
  } finally {
    if (own === pending) document.body.classList.remove("busy");
  }
}

// A service that is away or busy is asked again until it answers; nobody has to reload the page.
function tell(error) {
  const said = error.isPassing ? `${error.message} Trying again until it answers.` : error.message;
  $("results").replaceChildren(message(said, error.problems, true));
  $("about").replaceChildren(...(state.similar ? [back()] : count() ? [clear()] : []));
  $("pages").replaceChildren();
  if (!error.isPassing) return;
  again = setTimeout(() => run({ isStep: false }), again_ms);
  again_ms = Math.min(2 * again_ms, LAST_AGAIN_MS);
}

// A catalogue without, say, colours has no such field: it is not asked for.
async function learnFields() {
  if (known) return;
  const { fields } = await api.releases();
  known = new Set(FIELDS.map(([field]) => field).filter((field) => fields.includes(field)));
}

// Another release may know fewer fields than the one that was asked.
function forgetUnknown(error) {
  const lost = (error.problems || []).map((p) => p.field.replace(/^facets\./, "")).filter((name) => known?.has(name));
  lost.forEach((name) => known.delete(name));
  return lost.length > 0;
}

async function draw(signal) {
  $("shares").hidden = $("read").hidden = true;
  document.querySelector("main").classList.toggle("wide", Boolean(state.similar) || state.mode === "compare");
  await tools();
  await learnFields();
  if (state.similar) return drawSimilar();
  if (state.mode === "compare") return drawCompared(signal);
  const [found, judged] = await Promise.all([api.search({ ...asked(), track: false }, signal),
    canJudge() ? api.grades(state.query) : { judgements: [] }]);
  answer = found;
  given = new Map(judged.judgements.map((each) => [each.item_id, each.grade]));
  facets = found.facets;
  drawAbout();
  drawFacets($("groups"), facets, state, changed);
  $("chosen").textContent = count() ? `(${count()})` : "";
  const grid = gridOf(found.hits, (hit, place) => card(hit, optionsOf(hit, place)));
  $("results").replaceChildren(found.hits.length ? grid : message(nothing(found)));
  drawPages(found.total);
}

function nothing(found) {
  if (found.total > 0 && state.page > 1) return `There is no page ${state.page}.`;
  return count() ? "Nothing fits all filters." : "Nothing was found.";
}

// A misspelled query is searched as what is meant, and what it denies is left out; what was typed is one step away.
function readAs({ query, corrected, left_out: leftOut }) {
  if (!corrected && !leftOut.length) return [];
  const typed = el("button", { type: "button", class: "plain", onclick: () => { state = { ...state, exact: true, page: 1 }; run(); } }, query);
  const told = corrected ? [el("span", {}, "Searched for ", el("strong", {}, corrected), ". ")] : [];
  if (leftOut.length) told.push(el("span", {}, "Left out: ", el("strong", {}, leftOut.join(", ")), ". "));
  return [...told, el("span", {}, "Search instead for ", typed)];
}

const canJudge = () => state.mode === "judge" && state.query !== "" && state.query.length <= api.LONGEST_JUDGED;
const clear = () => el("button", { type: "button", class: "plain", onclick: () => {
  state = { ...state, chosen: {}, least: "", most: "", page: 1 };
  run();
} }, "Clear filters");
const back = () => el("button", { type: "button", class: "plain", onclick: () => { state.similar = ""; run(); } }, "Back to the search");
const count = () => Object.values(state.chosen).flat().length + (state.least !== "") + (state.most !== "");

function optionsOf(hit, place) {
  const clicked = () => { settled(); if (answer) api.logClick(answer, hit, place + 1); };
  const options = { clicked, explain: Boolean(hit.why), similar: () => { clicked(); toSimilar(hit.item_id); },
    open: () => { clicked(); toSimilar(hit.item_id); } };
  if (canJudge()) Object.assign(options, { given: given.get(hit.item_id), grade: putGrade });
  return options;
}

function toSimilar(id) {
  state = { ...state, similar: id, mode: "search", page: 1 };
  run();
  scrollTo(0, 0);
}

async function putGrade(hit, grade) {
  try {
    const kept = await api.judge({ query: state.query, item_id: hit.item_id, grade });
    $("graded").textContent = `${kept.all} grades`;
    return true;
  } catch (error) {
    $("graded").textContent = error.message;
    if (error.status === 401) $("key")?.focus();
    return false;
  }
}

function drawAbout() {
  const total = answer.total.toLocaleString("en");
  const spent = answer.milliseconds.total.toFixed(answer.milliseconds.total < 10 ? 1 : 0);
  const what = answer.query ? el("span", {}, "Best of ", el("strong", {}, `${total} items`), ` in ${spent} ms`) : el("span", {}, el("strong", {}, `${total} items`));
  const sort = el("select", { "aria-label": "Order", onchange: (event) => { state.sort = event.target.value; state.page = 1; run(); } },
    ...SORTS.map(([value, name]) => el("option", { value, selected: value === state.sort }, name)));
  const tooLong = state.mode === "judge" && state.query.length > api.LONGEST_JUDGED && `A query of more than ${api.LONGEST_JUDGED} characters takes no grades.`;
  $("read").replaceChildren(...readAs(answer));
  $("read").hidden = !$("read").firstChild;
  const weak = answer.weak ? [el("span", {}, "No hit is more likely relevant than not.")] : [];
  $("about").replaceChildren(what, ...weak, ...(count() ? [clear()] : []), ...(tooLong ? [el("span", {}, tooLong)] : []), el("span", { class: "right" }, sort));
  $("shares").replaceChildren(...(answer.query ? shareBar(answer.shares) : []));
  $("shares").hidden = !answer.query;
  $("footer").textContent = `${answer.release ? `Release ${answer.release}` : "The working tree"}. Keys: / to search, arrows to move, Enter for similar items${state.mode === "judge" ? ", 0 to 3 to grade" : ""}.`;
}

async function drawSimilar() {
  const told = await api.similar(state.similar);
  answer = null;
  $("about").replaceChildren(el("span", {}, "Similar to ", el("strong", {}, told.item?.title || state.similar)), el("span", { class: "right" }, back()));
  const grid = gridOf(told.hits, (hit) => card(hit, { open: () => toSimilar(hit.item_id), similar: () => toSimilar(hit.item_id) }));
  $("results").replaceChildren(told.hits.length ? grid : message("Nothing is like it."));
  $("pages").replaceChildren();
}

async function drawCompared(signal) {
  const { facets: _, ...body } = asked();
  const told = await compare.draw($("results"), body, state, { similar: (hit) => toSimilar(hit.item_id) }, signal);
  answer = null;
  $("about").replaceChildren(el("span", {}, told.said));
  drawPages(Math.max(...told.answers.map((each) => each.total)));
}

function drawPages(total) {
  const last = Math.max(1, Math.min(Math.ceil(total / PER_PAGE), Math.floor(10000 / PER_PAGE)));
  const go = (page) => () => { state.page = page; run(); scrollTo(0, 0); $("results").focus({ preventScroll: true }); };
  const wanted = new Set([1, state.page - 1, state.page, state.page + 1, last]);
  const numbers = [...wanted].filter((page) => page >= 1 && page <= last).sort((a, b) => a - b);
  const step = (name, page) => el("button", { type: "button", onclick: go(page), disabled: page < 1 || page > last }, name);
  const pages = [];
  numbers.forEach((page, place) => {
    if (place && page > numbers[place - 1] + 1) pages.push(el("span", { "aria-hidden": "true" }, "\u2026"));
    pages.push(el("button", { type: "button", "aria-label": `Page ${page}`, "aria-current": page === state.page ? "page" : null, onclick: go(page) }, String(page)));
  });
  $("pages").replaceChildren(...(last > 1 ? [step("Back", state.page - 1), ...pages, step("Next", state.page + 1)] : []));
}

async function tools() {
  for (const mode of MODES) $(`mode-${mode}`).setAttribute("aria-pressed", String(mode === state.mode));
  const bar = $("tools");
  bar.hidden = state.mode === "search" || Boolean(state.similar);
  if (bar.hidden || bar.dataset.mode === state.mode) return;
  const { mode } = state;
  if (mode === "compare") {
    const choices = await compare.choices(state, () => run());
    if (mode === state.mode) bar.replaceChildren(...choices);
    bar.dataset.mode = mode; // not before: a service that was away is asked again
    return;
  }
  bar.dataset.mode = mode;
  const own = el("input", { id: "key", type: "password", placeholder: "only if the service asks", autocomplete: "off", value: api.key(),
    onchange: (event) => { api.key(event.target.value); run({ isStep: false }); } });
  const done = el("button", { type: "button", class: "plain", onclick: async () => {
    try { $("graded").textContent = `${(await api.handOver()).kept} grades are where the next ingest reads them`; }
    catch (error) { $("graded").textContent = error.message; }
  } }, "Hand over all grades");
  bar.replaceChildren(el("span", {}, "0 not relevant, 1 partly, 2 mostly, 3 exactly"), done, el("span", { id: "graded", "aria-live": "polite" }),
    el("label", {}, "Key ", own));
}

// Logged once it is clear that it was meant, not for every letter on the way; `isOver`: it was not.
function settled(isOver = false) {
  clearTimeout(settling);
  if (isOver === true || !answer?.query || !answer.hits.length || logged === answer.query_id || state.mode !== "search") return;
  logged = answer.query_id;
  api.logSearch(answer);
}

function changed({ only } = {}) {
  if (only === "facets") { drawFacets($("groups"), facets, state, changed); return; }
  state.page = 1;
  run();
}

const list = suggestions(input, $("suggestions"), submit);
let typing = 0;

function submit() {
  clearTimeout(typing);
  list.close();
  state = { ...state, query: input.value.trim(), page: 1, similar: "", exact: false };
  run();
}

input.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state = { ...state, query: input.value.trim(), page: 1, similar: "", exact: false };
    run({ isTyping: true });
  }, 120);
});
$("search").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
for (const mode of MODES) $(`mode-${mode}`).addEventListener("click", () => { state = { ...state, mode, similar: "" }; run(); });
addEventListener("popstate", () => { state = fromAddress(); input.value = state.query; run({ isStep: false }); });
addEventListener("pagehide", () => settled());

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isField = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isField) { input.focus(); input.select(); event.preventDefault(); return; }
  if (event.key === "Escape" && event.target === input) { input.blur(); $("results").focus(); return; }
  const current = event.target.closest?.(".card");
  if (/^[0-3]$/.test(event.key) && current && !isField) { current.querySelector(`[data-grade="${event.key}"]`)?.click(); return; }
  if (isField || !event.key.startsWith("Arrow")) return;
  const cards = [...document.querySelectorAll(".card")];
  if (!cards.length || !(current || event.target === document.body || event.target === $("results"))) return;
  const at = cards.indexOf(current);
  const columns = cards.filter((each) => each.offsetTop === cards[0].offsetTop).length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const next = at < 0 ? 0 : at + steps;
  if (cards[next]) { cards[next].querySelector(".photo").focus(); event.preventDefault(); }
});

$("filters").open = innerWidth > 720;
addEventListener("resize", () => { if (innerWidth > 720) $("filters").open = true; });
input.value = state.query;
run({ isStep: false });
