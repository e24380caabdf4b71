/* The page of the search: loads the shards of search.json, newest first, and shows what they find. */
import { card, element } from "./gallery.js";
import { EMPTY, Shard, entryOf, narrowing, oklab, parse, unpacked } from "./shard.js";

const root = document.documentElement.dataset.root;
const [field, colours, colour, order, chips, status, results, further] =
  ["q", "colours", "colour", "order", "chips", "status", "results", "further"].map((id) => document.getElementById(id));

/* Works shown, and shards looked through before a reader asks for more. */
const SHOWN = 120;
const SHARDS = 48;

const shards = [];
let wanted = [];
let query = { terms: [], filters: [], colours: [], best: false };

const chip = (label, count, pressed, click) => {
  const button = element("button", { type: "button" }, label);
  if (count !== undefined) button.append(element("span", { class: "count" }, ` ${count}`));
  if (pressed) button.setAttribute("aria-pressed", "true");
  button.addEventListener("click", click);
  return element("li", {}, button);
};

const showChips = (hits) => {
  const without = (text) => () => search({ text: field.value.replace(text, "").replace(/\s+/g, " ").trim() });
  const removing = query.filters.map(({ part }) => chip(`${part} ×`, undefined, true, without(part)));
  const unpainting = wanted.map((hex) => {
    const label = element("span", {}, element("span", { class: "swatch", style: `background:#${hex}` }), " ×");
    return chip(label, undefined, true, () => search({ colours: wanted.filter((other) => other !== hex) }));
  });
  for (const [at, hex] of wanted.entries()) unpainting[at].firstChild.setAttribute("aria-label", `Without #${hex}`);
  const adding = narrowing(hits).map(({ kind, name, count }) => chip(`${kind === "tag" ? "" : `${kind}: `}${name}`, count,
    false, () => search({ text: `${field.value.trim()} ${kind}:"${name}"`.trim() })));
  chips.replaceChildren(...removing, ...unpainting, ...adding);
};

let drawn = [];
const draw = (hits) => {
  const same = (at) => drawn[at]?.shard === hits[at].shard && drawn[at].place === hits[at].place;
  let kept = 0;
  while (kept < hits.length && same(kept)) kept += 1;
  while (results.children.length > kept) results.lastChild.remove();
  results.append(...hits.slice(kept).map((hit) => card(entryOf(hit))));
  drawn = hits;
};

let state = "idle";
let paths = null;
let failed = false;

const show = () => {
  const asked = query.terms.length || query.filters.length || query.colours.length;
  const hits = shards.flatMap((shard) => (shard.hits ??= shard.search(query)));
  if (query.best) hits.sort((a, b) => a.score - b.score);
  draw(hits.slice(0, SHOWN));
  showChips(hits);
  const searched = shards.reduce((sum, shard) => sum + shard.count, 0);
  const counted = `${hits.length.toLocaleString("en")} ${hits.length === 1 ? "work" : "works"}`;
  const those = !query.best ? "newest" : query.colours.length ? "nearest" : "best";
  const most = hits.length > SHOWN ? `, the ${those} ${SHOWN} shown` : "";
  const rest = state === "paused" ? ` among the newest ${searched.toLocaleString("en")}` : "";
  status.textContent = !asked ? ""
    : failed ? `${counted}${most}. Part of the index could not be loaded`
    : state === "loading" ? `${counted} so far …`
    : `${counted}${rest}${most}`;
  further.hidden = !asked || state !== "paused";
};

const get = async (path) => {
  const answer = await fetch(root + path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
};

/* The newest shard first, so that results appear while older ones are on their way. One that fails is left out. */
const load = async () => {
  if (state === "loading" || state === "done") return;
  state = "loading";
  try {
    paths ??= (await (await get("search.json")).json()).shards;
  } catch {
    failed = true;
    state = "idle";
    show();
    return;
  }
  const answers = [];
  for (const end = Math.min(paths.length, shards.length + SHARDS); shards.length < end;) {
    while (answers.length < 4 && shards.length + answers.length < end) {
      const answer = get(paths[shards.length + answers.length]).then(({ body }) => unpacked(body));
      answers.push(answer.then((data) => new Shard(data)).catch(() => null));
    }
    const shard = await answers.shift();
    failed ||= shard === null;
    shards.push(shard ?? new Shard(EMPTY));
    show();
  }
  state = shards.length < paths.length ? "paused" : "done";
  show();
};

const remember = () => {
  const said = new URLSearchParams();
  if (field.value.trim()) said.set("q", field.value.trim());
  if (wanted.length) said.set("c", wanted.join("-"));
  if (order.value !== natural()) said.set("o", order.value);
  history.replaceState(null, "", `${location.pathname}${said.size ? `?${said}` : ""}`);
};

/* Whoever asks for a colour wants the nearest, whoever asks for words the newest, unless they say otherwise. */
const natural = () => (wanted.length ? "best" : "newest");

const search = ({ text, colours: chosen, sorted } = {}) => {
  if (text !== undefined) field.value = text;
  if (chosen !== undefined) {
    const wasNatural = order.value === natural();
    wanted = chosen;
    if (wasNatural) order.value = natural();
  }
  if (sorted !== undefined) order.value = sorted;
  query = { ...parse(field.value), colours: wanted.map(oklab), best: order.value === "best" };
  for (const shard of shards) shard.hits = undefined;
  for (const link of colours.querySelectorAll("a")) {
    if (wanted.includes(new URL(link.href).searchParams.get("c"))) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  remember();
  show();
  if (query.terms.length || query.filters.length || query.colours.length) load();
};

const asked = new URLSearchParams(location.search);
wanted = (asked.get("c") ?? "").toLowerCase().split("-").filter((hex) => /^[0-9a-f]{6}$/.test(hex)).slice(0, 6);
order.value = ["newest", "best"].includes(asked.get("o")) ? asked.get("o") : natural();

field.addEventListener("focus", load);
field.addEventListener("input", () => search());
field.form.addEventListener("submit", (event) => event.preventDefault());
order.addEventListener("change", () => search());
further.addEventListener("click", load);
colour.addEventListener("input", () => search({ colours: [colour.value.slice(1)] }));
colours.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const hex = new URL(link.href).searchParams.get("c");
  search({ colours: wanted.includes(hex) ? [] : [hex] });
});

search({ text: asked.get("q") ?? "" });
if (!wanted.length) field.focus({ preventScroll: true });
