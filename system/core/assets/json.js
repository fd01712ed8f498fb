/** Shows values by their kind: folded JSON, tables for lists of records, links, pictures, PDFs. */

import { loadCsv } from "./csv.js";
import { element } from "./element.js";

const LONGEST_TEXT = 200000;

export function showText(place, text) {
  const cut = text.length > LONGEST_TEXT;
  place.append(element("pre", { className: "source", tabIndex: 0, textContent: text.slice(0, LONGEST_TEXT) }));
  if (cut) place.append(element("p", { className: "quiet", textContent: "Cut here: save it to see all of it." }));
}

/** Shows a value: a table for a list of records, a picture or a link for a URL, else JSON. */
export function showValue(value) {
  const box = element("div", { className: "value" });
  const rows = Array.isArray(value) && value.length > 1 && value.every(isFlat) ? value : null;
  if (typeof value === "string" && isAddress(value)) box.append(showAddress(value));
  else if (typeof value === "string" && value.includes("\n")) showText(box, value);
  else if (rows && new Set(rows.map((row) => Object.keys(row).join("\n"))).size === 1) box.append(showTable(rows));
  else box.append(element("div", { className: "json" }, jsonNode(value, 0)), ...filesOf(value));
  return box;
}

const FILE = /^\/[^?#]*\.(pdf|csv|png|jpe?g|gif|webp|svg)$/i;
const MOST_FILES = 3;

/** Shows the first files of the site that a record links to, inside the page. */
function filesOf(value) {
  const values = value === null || typeof value !== "object" || Array.isArray(value) ? [] : Object.values(value);
  return values.filter((inner) => typeof inner === "string" && isAddress(inner) && FILE.test(inner)).slice(0, MOST_FILES).map(showAddress);
}

function isFlat(value) {
  const isRecord = value !== null && typeof value === "object" && !Array.isArray(value);
  return isRecord && Object.values(value).every((inner) => inner === null || typeof inner !== "object");
}

function isAddress(text) {
  return /^(https?:\/\/|\/(?!\/))[^\s"<>\\]+$/.test(text);
}

/** A link and, for a file of this site, its content below: a PDF, a table, a picture. */
function showAddress(text) {
  const link = element("a", { href: text, textContent: text });
  const [, kind] = FILE.exec(text) ?? [];
  if (!kind) return link;
  return element("figure", {}, showFile(text, kind.toLowerCase()), element("figcaption", {}, link));
}

function showFile(address, kind) {
  if (kind === "pdf") return element("iframe", { src: address, title: "The PDF", className: "tall" });
  if (kind !== "csv") return element("img", { src: address, alt: "" });
  const place = element("div");
  loadCsv(place, address).catch(() => {}); // the link is enough
  return place;
}

function showTable(rows) {
  const names = Object.keys(rows[0]);
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col", textContent: name })));
  const lines = rows.slice(0, 1000).map((row) =>
    element("tr", {}, ...names.map((name) => element("td", {}, jsonNode(row[name], 0)))),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  const box = element("div", { className: "wide", tabIndex: 0 }, table);
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Table of ${rows.length} rows`);
  if (rows.length > lines.length) box.append(element("p", { textContent: `and ${rows.length - lines.length} more` }));
  return box;
}

const LONGEST_IN_LINE = 500;

function foldText(kind, text) {
  const summary = element("summary", { className: kind, textContent: `${text.slice(0, 100)}… (${text.length} characters)` });
  return element("details", {}, summary, element("span", { className: kind, textContent: text }));
}

/** A JSON value, folded if it is large or deep; folded parts are rendered when opened. */
export function jsonNode(value, depth) {
  if (value === null || typeof value !== "object") {
    const kind = value === null ? "null" : typeof value;
    const text = JSON.stringify(value);
    const isLink = kind === "string" && isAddress(value);
    if (!isLink && text?.length > LONGEST_IN_LINE) return foldText(kind, text);
    return element("span", { className: kind }, isLink ? element("a", { href: value, textContent: text }) : text);
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (!entries.length) return element("span", { className: "empty", textContent: isList ? "[]" : "{}" });
  const words = isList ? `[${entries.length}]` : `{${entries.length}}`;
  const node = element("details", {}, element("summary", { textContent: words }));
  let isMade = false;
  const make = () => {
    if (isMade) return;
    isMade = true;
    const list = element("ul");
    for (const [key, inner] of entries.slice(0, 1000)) {
      const name = element("span", { className: isList ? "index" : "key", textContent: isList ? key : JSON.stringify(key) });
      list.append(element("li", {}, name, ": ", jsonNode(inner, depth + 1)));
    }
    if (entries.length > 1000) list.append(element("li", { textContent: `and ${entries.length - 1000} more` }));
    node.append(list);
  };
  node.addEventListener("toggle", () => node.open && make());
  if (depth < 2 || (depth < 4 && entries.length < 20)) {
    make();
    node.open = true;
  }
  return node;
}
