// A shop's page as InstantSearch's guide writes one: only the host is not Algolia's.
import { trackEvent, trackQuery } from "./ubi.js";

const address = new URLSearchParams(location.search);
const client = algoliasearch.algoliasearch("any", "any", {
  hosts: [{ url: address.get("service"), accept: "readWrite", protocol: "http" }],
  timeouts: { connect: 15000, read: 15000, write: 15000 }, // its own are a second or two: tests run on busy machines
});
const search = instantsearch({ indexName: "items", searchClient: client, future: { preserveSharedStateOnUnmount: true } });
const w = instantsearch.widgets;
const item = (hit, { html, components }) =>
  html`<article data-id="${hit.objectID}"><img src="http://${address.get("service")}${hit.image}?w=80" alt="" />
    ${components.Highlight({ hit, attribute: "title" })} <b>${hit.price}</b></article>`;
const shown = address.has("infinite")
  ? [w.infiniteHits({ container: "#infinite", templates: { item } })]
  : [w.hits({ container: "#hits", templates: { item } }), w.pagination({ container: "#pagination" })];
search.addWidgets([
  w.configure({ hitsPerPage: 8 }),
  w.searchBox({ container: "#searchbox" }),
  w.stats({ container: "#stats" }),
  w.sortBy({ container: "#sort", items: [
    { label: "relevance", value: "items" }, { label: "cheap", value: "items_price_asc" }, { label: "dear", value: "items_price_desc" },
  ] }),
  w.clearRefinements({ container: "#clear" }),
  w.hierarchicalMenu({ container: "#menu", attributes: ["category.lvl0", "category.lvl1"] }),
  w.refinementList({ container: "#brand", attribute: "brand", searchable: true, operator: "or" }),
  w.rangeInput({ container: "#range", attribute: "price" }),
  w.rangeSlider({ container: "#slider", attribute: "price" }),
  ...shown,
]);
search.start();
Object.assign(window, { search, trackEvent, trackQuery });
