/** The response to a call: status, headers, content while it arrives, and the view of the complete content. */

import { showCsv } from "./csv.js";
import { element } from "./element.js";
import { markFaults } from "./form.js";
import { showPage } from "./frame.js";
import { jsonNode, showText, showValue } from "./json.js";
import { followTask } from "./task.js";

/** Shows a response. `signal` stops it and keeps what was received. */
export async function showResponse(response, begun, signal) {
  const type = (response.headers.get("Content-Type") || "").split(";")[0].trim();
  showHead(response, type);
  const shown = document.getElementById("shown");
  shown.replaceChildren();
  const isLive = !response.headers.has("Content-Length") && (type === "text/event-stream" || type === "application/jsonl" || type.startsWith("text/"));
  const content = await (isLive ? receive(response, type, shown) : response.blob());
  const milliseconds = performance.now() - begun;
  const told = ` · ${milliseconds.toFixed(0)} ms · ${size(content.size)}${type ? ` · ${response.headers.get("Content-Type")}` : ""}`;
  document.querySelector("#status b").after(told);
  await showContent(response, content, type, shown, signal);
  return milliseconds;
}

function showHead(response) {
  const badge = element("b", { textContent: `${response.status} ${response.statusText}`.trim() });
  badge.className = response.ok ? "good" : "bad";
  const status = document.getElementById("status");
  status.replaceChildren(badge);
  if (response.redirected) status.append(` · led on to ${new URL(response.url).pathname}`);
  const headers = document.getElementById("headers");
  headers.hidden = false;
  headers.querySelector("pre").textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

// ---------------------------------------------------------------- while it arrives

const MOST_SHOWN = 1000;

/** Shows a stream while it arrives, and returns its complete content. */
async function receive(response, type, shown) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const take = { "text/event-stream": showEvents, "application/jsonl": showLines }[type] ?? showPlain;
  const chunks = [];
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (!done) chunks.push(value);
    rest = take(shown, rest + decoder.decode(value, { stream: !done }), done);
    if (done) return new Blob(chunks, { type });
  }
}

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
function showEvents(shown, text, isOver) {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop();
  for (const block of isOver && rest ? [...blocks, rest] : blocks) {
    const fields = { event: [], data: [], id: [] };
    for (const line of block.split("\n")) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) || [];
      fields[name]?.push(value);
    }
    if (fields.data.length) addItem(shown, fields.event[0] ?? "message", fields.data.join("\n"));
  }
  return rest;
}

function showLines(shown, text, isOver) {
  const lines = text.split("\n");
  const rest = lines.pop();
  for (const line of isOver && rest ? [...lines, rest] : lines) if (line.trim()) addItem(shown, "", line);
  return rest;
}

function showPlain(shown, text) {
  if (!shown.firstChild) showText(shown, "");
  const place = shown.querySelector("pre");
  if (place.textContent.length < 200000) place.append(text);
  return "";
}

function addItem(shown, name, text) {
  let list = shown.querySelector("ol.events");
  if (!list) shown.append((list = element("ol", { className: "events json" })));
  if (list.children.length >= MOST_SHOWN) list.firstElementChild.remove();
  let value = text;
  try {
    value = JSON.parse(text);
  } catch {
    // not JSON: shown as text
  }
  list.append(element("li", {}, ...(name ? [element("b", { textContent: name }), " "] : []), jsonNode(value, 1)));
}

// ---------------------------------------------------------------- the complete content

async function showContent(response, content, type, shown, signal) {
  const disposition = response.headers.get("Content-Disposition") || "";
  const isDownload = disposition.startsWith("attachment");
  const show = isDownload ? null : SHOWN.find(([pattern]) => pattern.test(type))?.[1];
  if (!content.size) return;
  if (show) {
    const isTask = await show(shown, content, response, signal);
    if (isTask) return;
  }
  const [, name] = /filename="?([^";]+)/.exec(disposition) || [];
  const link = element("a", { href: URL.createObjectURL(content), download: name || "answer" });
  link.textContent = isDownload ? `Save ${name || "the file"} (${size(content.size)})` : "Save the response";
  shown.append(element("p", { className: "quiet" }, link));
}

const SHOWN = [
  [/^text\/event-stream$|^application\/jsonl$/, () => false],
  [/^image\//, showImage],
  [/[/+]json$/, showJson],
  [/^application\/pdf$/, showPdf],
  [/^text\/csv$/, async (shown, content) => shown.replaceChildren(showCsv(await content.text()))],
  [/^text\/html$/, async (shown, content, response) => { shown.replaceChildren(); showPage(shown, await content.text(), response.url); }],
  [/^text\//, async (shown, content) => { shown.replaceChildren(); showText(shown, await content.text()); }],
];

function showImage(shown, content) {
  shown.append(element("img", { src: URL.createObjectURL(content), alt: "The picture in the response" }));
}

function showPdf(shown, content) {
  shown.append(element("iframe", { src: URL.createObjectURL(content), title: "The PDF that was answered", className: "tall" }));
}

/** Shows JSON; returns true for a task, whose progress is then shown. */
async function showJson(shown, content, response, signal) {
  const text = await content.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return showText(shown, text);
  }
  if (value?.type === "task" && value.url) {
    await followTask(shown, value, signal);
    return true;
  }
  shown.append(showValue(value));
  markFaults(value);
}
