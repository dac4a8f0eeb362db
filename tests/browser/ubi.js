// What OpenSearch's client for browsers sends, call by call. It is on no registry: it is one file of
// its repository, opensearch-project/user-behavior-insights, ubi-javascript-collector/ubi.js
// (commit e732987bdd5b87ccb58cb53f867728524d5f9b98), and says itself that it is to be built upon.
// Kept from it: axios, its headers, without credentials; an array of one record for each call; the
// fields that its UbiEvent, UbiEventAttributes and UbiQueryRequest fill, empty ones too; a message
// that goes to extra_info where the record has one already.

const headers = { "Content-type": "application/json", Accept: "application/json" };

function post(base, route, record) {
  const client = axios.create({ baseURL: base, headers, withCredentials: false });
  return client.post(`${base}/${route}`, JSON.stringify([record]), { headers }).then((answer) => answer.data);
}

function said(record, message, type) {
  if (!message) return record;
  if (record.message) return { ...record, extra_info: message, ...(type ? { extra_info_type: type } : {}) };
  return { ...record, message, message_type: type };
}

export function trackQuery(base, { application, client, query, text, field, attributes = {} }, message = null, type = null) {
  return post(base, "ubi_queries", said({
    application, query_id: query, client_id: client, user_query: text, query_attributes: attributes,
    object_id_field: field, timestamp: new Date().toISOString(),
  }, message, type));
}

export function trackEvent(base, { application, action, client, session, query, object, more = {} }, message = null, type = null) {
  const { field, id, description, ...details } = object;
  return post(base, "ubi_events", said({
    application, action_name: action, query_id: query, session_id: session, client_id: client, user_id: "",
    timestamp: new Date().toISOString(), message_type: "INFO", message: "",
    event_attributes: { object: { object_id: id, object_id_field: field, description, ...details }, ...more },
  }, message, type));
}
