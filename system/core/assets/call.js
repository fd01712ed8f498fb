/** A call: built from the form, the headers, the raw body and the authorization; the history of calls. */

import { collect, form } from "./form.js";
import { makeDocument, pairs } from "./values.js";
import { element } from "./element.js";

const KEPT = "koa-authorization";
const CALLS = "koa-calls";
const MOST_CALLS = 10;

/** {verb, url, headers, body, parts} from the current input of the page. Throws if the raw text is not JSON. */
export function build() {
  const [verb, encoding] = document.getElementById("way").value.split(" ");
  const [url, entries] = fillPath(form.dataset.url, collect());
  const inQuery = entries.filter((entry) => encoding === "query" || entry.where === "query");
  const inBody = entries.filter((entry) => !inQuery.includes(entry));
  const query = pairs(inQuery).toString();
  const made = { verb, url: url + (query ? `?${query}` : ""), headers: {}, body: undefined, parts: [] };
  const raw = document.getElementById("raw").value;
  if (raw && verb !== "GET") {
    made.headers["Content-Type"] = document.getElementById("raw-type").value.trim() || "text/plain";
    made.body = raw;
  } else if (encoding === "json") {
    made.headers["Content-Type"] = "application/json";
    made.body = JSON.stringify(makeDocument(inBody));
  } else if (inBody.some((entry) => entry.files.length)) {
    made.parts = inBody;
  } else if (encoding === "form" && inBody.length) {
    made.headers["Content-Type"] = "application/x-www-form-urlencoded";
    made.body = pairs(inBody).toString();
  }
  Object.assign(made.headers, authorization(), typedHeaders());
  return made;
}

/** The URL with its {name} placeholders filled in, and the remaining entries. */
function fillPath(address, entries) {
  const names = [...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const valuesOf = (name) => entries.find((entry) => entry.name === name)?.values ?? [];
  const url = address.replace(/\{(\w+)\}/g, (_, name) => valuesOf(name).map(encodeURIComponent).join("/"));
  return [url, entries.filter((entry) => !names.includes(entry.name))];
}

/** Sends a call. */
export function send({ verb, url, headers, body, parts }, signal) {
  const files = new FormData();
  for (const { name, values, files: chosen } of parts) for (const value of [...values, ...chosen]) files.append(name, value);
  const credentials = Object.keys(authorization()).length ? "omit" : "same-origin"; // only the token, as a program sends it
  const accepted = { Accept: "application/json, */*;q=0.9", ...headers };
  return fetch(url, { method: verb, headers: accepted, body: parts.length ? files : body, signal, credentials });
}

function typedHeaders() {
  const found = {};
  for (const line of document.getElementById("more-headers").value.split("\n")) {
    const [, name, value] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) || [];
    if (name) found[name] = value;
  }
  return found;
}

// ---------------------------------------------------------------- authorization: kept for this tab

const box = document.getElementById("authorize");

/** The header of the chosen authorization; none if the browser's session is used. */
function authorization() {
  const { kind, name, first, second } = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  if (kind === "bearer" && first) return { Authorization: `Bearer ${first}` };
  if (kind === "key" && first) return { [name || "X-API-Key"]: first };
  if (kind !== "basic" || !first) return {};
  const bytes = new TextEncoder().encode(`${first}:${second}`);
  return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

export function prepareAuthorization(onChange) {
  const fields = Object.fromEntries(["kind", "name", "first", "second"].map((name) => [name, box.querySelector(`[data-auth=${name}]`)]));
  const show = () => {
    const kind = fields.kind.value;
    fields.name.closest("label").hidden = kind !== "key";
    fields.first.closest("label").hidden = kind === "session";
    fields.first.type = kind === "basic" ? "text" : "password";
    fields.first.previousElementSibling.textContent = { bearer: "Token", basic: "User", key: "Key" }[kind] ?? "";
    fields.second.closest("label").hidden = kind !== "basic";
    const isUsed = Object.keys(authorization()).length > 0;
    box.querySelector("summary").textContent = isUsed ? `Authorized: ${fields.kind.selectedOptions[0].text}` : "Authorize";
  };
  const known = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  for (const [name, field] of Object.entries(fields)) field.value = known[name] ?? field.value;
  const keep = () => {
    const values = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value]));
    sessionStorage.setItem(KEPT, JSON.stringify(values));
    show();
    onChange();
  };
  for (const event of ["input", "change"]) box.addEventListener(event, keep);
  show();
}

// ---------------------------------------------------------------- the last calls of this tab

/** Stores a call with its page's URL, which contains the values but no passwords. */
export function keepCall(verb, status, milliseconds) {
  const call = { verb, status, milliseconds: Math.round(milliseconds), page: location.pathname + location.search, words: document.title.split(" · ")[0] };
  const calls = [call, ...readCalls()].slice(0, MOST_CALLS);
  sessionStorage.setItem(CALLS, JSON.stringify(calls));
  showCalls();
}

const readCalls = () => JSON.parse(sessionStorage.getItem(CALLS) ?? "[]");

export function showCalls() {
  const calls = readCalls();
  const list = document.getElementById("calls");
  list.hidden = !calls.length;
  const items = calls.map(({ verb, status, milliseconds, page, words }) => {
    const values = decodeURIComponent(page.split("?")[1] ?? "").slice(0, 80);
    return element("li", {}, element("a", { href: page, textContent: `${words} ${values}` }), ` ${verb} ${status}, ${milliseconds} ms`);
  });
  list.querySelector("ol").replaceChildren(...items);
}
