/** A task, from its start to its result. */

import { element } from "./element.js";
import { jsonNode, showValue } from "./json.js";

/** Shows the progress of a task until it ends or `signal` stops it (another call does). */
export async function followTask(place, task, signal) {
  const address = new URL(task.url, location.href).pathname;
  const link = element("a", { href: address, textContent: "Page of the task" });
  const again = element("button", { type: "submit", textContent: "Run again", hidden: true });
  again.setAttribute("form", "call");
  const cancel = element("button", { type: "button", textContent: "Cancel" });
  const word = element("p", { className: "task-word" });
  const progress = element("progress", { max: 1 });
  progress.setAttribute("aria-label", "Progress");
  const more = element("div");
  place.replaceChildren(word, progress, more, element("p", {}, cancel, again, " ", link));
  cancel.addEventListener("click", () => fetch(address, { method: "DELETE" }));
  let tag = "";
  let ended = false;
  while (!ended && !signal.aborted) {
    const headers = { Accept: "application/json", ...(tag && { "If-None-Match": tag }) };
    const response = await fetch(`${address}?wait=10`, { headers, cache: "no-store", signal });
    if (response.status === 304) continue;
    tag = response.headers.get("ETag") || "";
    if (!response.ok) throw new Error(`its status answers ${response.status}`);
    ended = showTask(await response.json(), { word, progress, more });
  }
  progress.remove();
  cancel.remove();
  again.hidden = false;
}

const TASK_WORDS = { PENDING: "Queued", SUCCESS: "Done", FAILURE: "Failed", REVOKED: "Cancelled", RETRY: "Waiting to try again" };

function showTask(told, { word, progress, more }) {
  const meta = told.state && typeof told.state === "object" ? told.state : {};
  word.textContent = [TASK_WORDS[told.status] || "Running", meta.title || meta.text].filter(Boolean).join(": ");
  const [done, total] = "percent" in meta ? [meta.percent, 100] : [meta.done ?? meta.number ?? meta.current, meta.total];
  if (Number.isFinite(done / total)) progress.value = done / total;
  else progress.removeAttribute("value");
  const parts = [];
  if (told.status === "SUCCESS") parts.push(showValue(told.data));
  else if (Object.keys(meta).length) parts.push(element("div", { className: "json" }, jsonNode(meta, 0)));
  if (told.error) {
    parts.push(element("p", { className: "fault", textContent: `${told.error.type}: ${told.error.message}` }));
    if (told.error.traceback) parts.push(element("pre", { className: "source", tabIndex: 0, textContent: told.error.traceback }));
  }
  if (told.log) parts.push(element("pre", { className: "source", tabIndex: 0, textContent: [].concat(told.log).join("\n") }));
  more.replaceChildren(...parts);
  return ["SUCCESS", "FAILURE", "REVOKED"].includes(told.status);
}
