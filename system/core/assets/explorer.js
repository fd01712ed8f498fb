/** The pages of the explorer: find.js on all of them, the rest on the page of a method. */

import "./find.js";
import { build, keepCall, prepareAuthorization, send, showCalls } from "./call.js";
import { clearFaults, form, prefill, prepareGroups, remember } from "./form.js";
import { showResponse } from "./response.js";
import { LANGUAGES } from "./samples.js";

let running;

async function run(event) {
  event.preventDefault();
  clearFaults();
  const stop = document.getElementById("stop");
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const answer = document.getElementById("answer");
  answer.hidden = false;
  const shown = document.getElementById("shown");
  answer.setAttribute("aria-busy", "true");
  shown.classList.add("old");
  stop.hidden = false;
  const begun = performance.now();
  try {
    const call = build();
    remember();
    const response = await send(call, signal);
    shown.classList.remove("old");
    keepCall(call.verb, response.status, performance.now() - begun);
    await showResponse(response, begun, signal);
  } catch (error) {
    showFailure(error);
  }
  stop.hidden = true;
  answer.removeAttribute("aria-busy");
  shown.classList.remove("old");
  const fault = form.querySelector("[aria-invalid]");
  if (fault) fault.focus();
  else answer.scrollIntoView({ block: "nearest" });
}

function showFailure(error) {
  const status = document.getElementById("status");
  if (error.name === "AbortError") return status.append(" · Stopped."); // what was received stays visible
  status.textContent = `No response: ${error.message}`;
  document.getElementById("headers").hidden = true;
  document.getElementById("shown").replaceChildren();
}

// ---------------------------------------------------------------- the call as code

const language = document.getElementById("language");
const sample = document.getElementById("sample");

function showSample() {
  try {
    const call = build();
    sample.textContent = LANGUAGES[language.value]({ ...call, url: new URL(call.url, location.href).href });
  } catch (error) {
    sample.textContent = error.message;
  }
}

function chooseLanguage() {
  language.replaceChildren(...Object.keys(LANGUAGES).map((name) => new Option(name)));
  language.value = sessionStorage.getItem("koa-language") ?? "curl";
  language.addEventListener("change", () => {
    sessionStorage.setItem("koa-language", language.value);
    showSample();
  });
}

async function copy() {
  const button = document.getElementById("copy");
  try {
    await navigator.clipboard.writeText(sample.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(sample);
    button.textContent = "Selected: copy it with the keyboard";
  }
  setTimeout(() => (button.textContent = "Copy"), 2500);
}

if (form) {
  for (const part of document.querySelectorAll(".asked, #line")) part.hidden = false;
  chooseLanguage();
  prepareGroups(showSample);
  prepareAuthorization(showSample);
  prefill();
  showCalls();
  form.addEventListener("submit", run);
  form.addEventListener("input", showSample);
  form.addEventListener("change", showSample);
  document.getElementById("copy").addEventListener("click", copy);
  document.getElementById("stop").addEventListener("click", () => running?.abort());
  document.getElementById("way").dataset.ready = "yes";
  showSample();
}
document.documentElement.dataset.ready = "yes";
