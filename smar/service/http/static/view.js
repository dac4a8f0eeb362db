// Elements of the page. Texts of items are only ever set as text, never as HTML.

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick" || key === "onchange") element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null && child !== ""));
  return element;
}

export function money(value, currency) {
  const digits = Number.isInteger(value) && value >= 1000 ? 0 : 2;
  const number = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return currency ? `${number} ${currency}` : number;
}

// The sale price counts while the sale lasts; a range shows both ends.
export function price(item, now = new Date()) {
  if (item.price == null) return [];
  const isOn = item.sale_price != null && item.sale_price < item.price &&
    (!item.sale_from || new Date(item.sale_from) <= now) && (!item.sale_to || now <= new Date(item.sale_to));
  if (isOn) return [money(item.sale_price, item.currency), el("s", {}, money(item.price, ""))];
  if (item.price_max != null && item.price_max > item.price) return [`${money(item.price, "")} to ${money(item.price_max, item.currency)}`];
  return [money(item.price, item.currency)];
}

const percent = (share) => `${Math.round(100 * share)} %`;

export function shareBar(shares) {
  const names = { text: "text", picture: "picture", words: "words" };
  const total = Object.keys(names).reduce((sum, name) => sum + Math.max(shares[name], 0), 0) || 1;
  const said = Object.keys(names).map((name) => `${name} ${percent(Math.max(shares[name], 0) / total)}`);
  const bar = el("div", { class: "bar", role: "img", "aria-label": `How much counts: ${said.join(", ")}` });
  const legend = el("div", { class: "key", "aria-hidden": "true" });
  Object.keys(names).forEach((name, place) => {
    const part = el("i", { class: name });
    part.style.width = `${(100 * Math.max(shares[name], 0)) / total}%`;
    bar.append(part);
    legend.append(el("span", {}, el("i", { class: name }), said[place]));
  });
  return [bar, legend];
}

export function why(hit) {
  const reasons = hit.why;
  if (!reasons) return el("div", { class: "why" }, "The release does not say why.");
  const row = (name, value, kind) => el("tr", {}, el("th", { scope: "row" }, kind && el("i", { class: kind }), name), el("td", {}, value));
  const place = (at) => (at ? `#${at.rank} (${at.score.toFixed(3)})` : "not found");
  const body = el("tbody", {}, ...["text", "picture", "words"].map((kind) => row(kind, reasons[kind].toFixed(3), kind)),
    row("score", hit.score.toFixed(3)), row("vectors alone", place(reasons.by_vectors)), row("words alone", place(reasons.by_words)));
  const found = reasons.matched.length ? `Words found: ${reasons.matched.join(", ")}.` : "No word of the query is in its text.";
  const shown = reasons.pictured.length ? `${found} Its picture tells: ${reasons.pictured.join(", ")}.` : found;
  const said = reasons.searched.length ? `${shown} Searches for it used: ${reasons.searched.join(", ")}.` : shown;
  const all = reasons.excluded.length ? `${said} Against it speaks that its own words exclude: ${reasons.excluded.join(", ")}.` : said;
  return el("div", { class: "why" }, shareBar(reasons)[0], el("table", {}, el("caption", { class: "hidden" }, "What adds to its score"), body), el("p", {}, all));
}

function photo(hit, open) {
  const address = hit.pictures[0];
  const picture = address
    ? el("img", { src: `${address.slice(1)}?w=320`, alt: "", loading: "lazy", width: 256, height: 320 })
    : el("span", { class: "none" }, "no picture");
  return el("button", { class: "photo", type: "button", "aria-label": `Open ${hit.title}${address ? "" : ", no picture"}`, onclick: open }, picture);
}

// Where no item has a picture there is no place for one.
export function gridOf(hits, cardOf) {
  const isBare = hits.every((hit) => !hit.pictures.length);
  return el("ul", { class: isBare ? "grid bare" : "grid" }, ...hits.map(cardOf));
}

// options: open(hit), similar(hit), explain, grade(hit, grade), given (grade or null), moved (text, kind)
export function card(hit, options) {
  const open = () => options.open?.(hit);
  const isLink = /^https?:\/\//.test(hit.link || "");
  const title = isLink
    ? el("a", { href: hit.link, rel: "noopener", target: "_blank", onclick: () => options.clicked?.(hit) }, hit.title)
    : hit.title;
  const links = el("div", { class: "links" });
  const item = el("li", { class: "card", "data-id": hit.item_id }, photo(hit, open),
    el("span", { class: "rank", "aria-hidden": "true" }, String(hit.rank)));
  if (options.moved) item.append(el("span", { class: `moved ${options.moved.kind}` }, options.moved.text));
  const body = el("div", { class: "body" },
    el("h3", {}, title), hit.brand ? el("span", { class: "brand" }, hit.brand) : null,
    el("span", { class: "price" }, ...price(hit)),
    hit.availability && hit.availability !== "in_stock" ? el("span", { class: "out" }, hit.availability.replaceAll("_", " ")) : null,
    hit.others ? el("span", { class: "brand" }, `and ${hit.others} more like it`) : null, links);
  if (options.similar) links.append(el("button", { type: "button", onclick: () => options.similar(hit) }, "Similar"));
  if (options.explain) {
    const toggle = el("button", { type: "button", "aria-expanded": "false", onclick: () => {
      const shown = body.querySelector(".why");
      toggle.setAttribute("aria-expanded", String(!shown));
      if (shown) shown.remove();
      else body.append(why(hit));
    } }, "Why this?");
    links.append(toggle);
  }
  if (options.grade) body.append(gradeButtons(hit, options));
  item.append(body);
  return item;
}

const MEANINGS = ["not relevant", "partly", "mostly", "exactly what was asked"];

function gradeButtons(hit, options) {
  const row = el("div", { class: "grades", role: "group", "aria-label": `Grade of ${hit.title}` });
  let given = options.given ?? null;
  const paint = () => [...row.children].forEach((b, grade) => b.setAttribute("aria-pressed", String(grade === given)));
  MEANINGS.forEach((meaning, grade) => row.append(el("button", {
    type: "button", "data-grade": grade, title: meaning, "aria-label": `${grade}: ${meaning}`,
    onclick: async () => {
      const wanted = grade === given ? null : grade; // the same again takes it back
      if (await options.grade(hit, wanted)) { given = wanted; paint(); }
    },
  }, String(grade))));
  paint();
  return row;
}

export function message(text, problems = [], isBad = false) {
  const box = el("div", { class: isBad ? "message bad" : "message", ...(isBad ? { role: "alert" } : {}) }, el("p", {}, text));
  if (problems.length) box.append(el("ul", {}, ...problems.map((p) => el("li", {}, p.field ? `${p.field}: ${p.detail}` : p.detail))));
  return box;
}
