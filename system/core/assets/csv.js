/** Comma-separated values as a table: RFC 4180, also with semicolons or tabs, as spreadsheets write them. */

import { element } from "./element.js";

const MOST_BYTES = 1 << 20;
const MOST_ROWS = 1000;

/** Shows a file of the site below its link; nothing if it is an HTML page or cannot be loaded. */
export async function loadCsv(place, address) {
  const response = await fetch(address, { headers: { Accept: "text/csv, */*;q=0.1" } });
  const isPage = /^text\/html/.test(response.headers.get("Content-Type") ?? "");
  if (!response.ok || isPage || !response.body) return;
  const { text, isWhole } = await readStart(response.body.getReader());
  place.replaceChildren(showCsv(text, isWhole));
}

/** The beginning of a file, up to the last whole line in MOST_BYTES. */
async function readStart(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0; size < MOST_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), isWhole: true };
    size += value.length;
    text += decoder.decode(value, { stream: true });
  }
  reader.cancel();
  return { text: text.slice(0, text.lastIndexOf("\n") + 1), isWhole: false };
}

/** A table of the first rows. */
export function showCsv(text, isWhole = true) {
  const [names, ...rows] = parseCsv(text, MOST_ROWS + 2);
  if (!names) return element("p", { className: "quiet", textContent: "The file is empty." });
  const shown = rows.slice(0, MOST_ROWS);
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col", textContent: name })));
  const lines = shown.map((row) => element("tr", {}, ...names.map((_, at) => element("td", { textContent: row[at] ?? "" }))));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  const box = element("div", { className: "wide long", tabIndex: 0 }, table);
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Table of ${shown.length} rows`);
  if (isWhole && shown.length === rows.length) return box;
  return element("div", {}, box, element("p", { className: "quiet", textContent: `The first ${shown.length} rows. The file has more.` }));
}

function parseCsv(text, most) {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const comma = [",", ";", "\t"].reduce((best, mark) => (line.split(mark).length > line.split(best).length ? mark : best));
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(new RegExp(`(?:"((?:[^"]|"")*)"|([^${comma}\\r\\n]*))(${comma}|\\r?\\n|$)`, "g"))) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "" || rows.length > most) break;
    if (end !== comma) rows.push([]);
  }
  return rows.filter((row) => row.length > 1 || row[0]);
}
