/** Search while typing, and the keyboard shortcuts of the page. */

const search = document.querySelector("form.search");
const box = document.getElementById("q");
const found = document.getElementById("found");
const tree = document.getElementById("tree");
let asked = 0;

async function find() {
  const query = box.value.trim();
  const turn = ++asked;
  if (!query) {
    found.hidden = true;
    tree.hidden = false;
    return;
  }
  const response = await fetch(`${search.dataset.find}?q=${encodeURIComponent(query)}`);
  const text = await response.text();
  if (turn !== asked || !response.ok) return; // outdated: a later search has started
  const page = new DOMParser().parseFromString(text, "text/html");
  found.replaceChildren(...page.body.childNodes);
  found.hidden = false;
  tree.hidden = true;
}

let waiting;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 120);
});

search.addEventListener("submit", (event) => {
  const first = found.hidden ? null : found.querySelector("a");
  if (first) {
    event.preventDefault();
    first.click();
  }
});

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "?" && !typing) document.getElementById("help").showModal();
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.select();
    box.focus();
  } else if (event.key === "Escape" && event.target === box) {
    box.value = "";
    find();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event);
  }
});

function move(event) {
  const list = found.hidden ? tree : found;
  const stops = [box, ...list.querySelectorAll("a")];
  const at = stops.indexOf(event.target);
  if (at < 0) return;
  const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

document.getElementById("show-help").addEventListener("click", () => document.getElementById("help").showModal());

const here = tree.querySelector("[aria-current]");
if (here) {
  const side = document.querySelector("aside");
  const offset = here.getBoundingClientRect().top - side.getBoundingClientRect().top;
  if (offset > side.clientHeight * 0.8) side.scrollTop = offset - side.clientHeight / 2;
}
