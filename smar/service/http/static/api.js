// What the page asks of the service. Every problem is told in the service's own words.

export class Problem extends Error {
  constructor(content, status) {
    super(content.detail || content.title || "The service does not answer.");
    this.status = status;
    this.problems = content.problems || [];
  }

  // Whether the same again may be answered later: the service is away, starts, or has too much to do.
  get isPassing() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

function stored(store, name, make) {
  try {
    if (!store.getItem(name)) store.setItem(name, make());
    return store.getItem(name);
  } catch {
    return make(); // a browser that keeps nothing
  }
}

const random = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
export const clientId = stored(localStorage, "smar.client", random);
const sessionId = stored(sessionStorage, "smar.session", random);

export function key(value) {
  if (value !== undefined) sessionStorage.setItem("smar.key", value);
  return sessionStorage.getItem("smar.key") || "";
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The service cannot be reached." }, 0);
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(content, response.status);
  return content;
}

function post(path, body, options = {}) {
  const headers = { "content-type": "application/json", ...(key() ? { "x-api-key": key() } : {}) };
  return call(path, { method: "POST", headers, body: JSON.stringify(body), ...options });
}

export const search = (body, signal) => post("search", { ...body, client_id: clientId }, { signal });
export const similar = (id) => call(`similar/${encodeURIComponent(id)}?limit=24`);
export const suggest = (text, signal) => call(`suggest?q=${encodeURIComponent(text)}`, { signal });
export const LONGEST_SUGGESTED = 200, LONGEST_JUDGED = 500; // characters that the routes take
export const releases = () => call("releases");
export const grades = (query) =>
  call(`judgements?q=${encodeURIComponent(query)}`, { headers: key() ? { "x-api-key": key() } : {} });
export const judge = (grade) => post("judgements", [grade]);
export const handOver = () => post("judgements/hand_over", {});

// The log is a help, never a hindrance: what cannot be logged is not told.
const quietly = (path, records) => post(path, records, { keepalive: true }).catch(() => {});

export function logSearch(answer) {
  quietly("ubi_queries", [{
    application: "smar", query_id: answer.query_id, client_id: clientId, user_query: answer.query,
    object_id_field: "item_id", timestamp: new Date().toISOString(),
    query_response_id: answer.query_id, query_response_hit_ids: answer.hits.map((hit) => hit.item_id),
    query_attributes: { release: answer.release, offset: answer.offset, limit: answer.limit, total: answer.total, shares: answer.shares },
  }]);
}

export function logClick(answer, hit, place) {
  if (!answer.query_id || !answer.query) return;
  quietly("ubi_events", [{
    application: "smar", action_name: "click", query_id: answer.query_id, client_id: clientId,
    session_id: sessionId, user_query: answer.query, timestamp: new Date().toISOString(), message_type: "CLICK_THROUGH",
    event_attributes: { object: { object_id: hit.item_id, object_id_field: "item_id" }, position: { ordinal: place } },
  }]);
}
