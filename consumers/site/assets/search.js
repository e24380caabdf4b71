/* Searches the shards of search.json, newest first. What they hold, and how a text becomes words, is in pages/search/. */
import { card, element } from "./gallery.js";

const root = document.documentElement.dataset.root;
const [field, colours, colour, order, chips, status, results, further] =
  ["q", "colours", "colour", "order", "chips", "status", "results", "further"].map((id) => document.getElementById(id));

/* Works shown, and shards looked through before a reader asks for more. */
const SHOWN = 120;
const SHARDS = 32;
/* How far from each other colours look alike, and what a spot of a colour is farther away than a wall of it. */
const ALIKE = 0.17;
const SPOT = 0.05;
const RATIOS = [0.6, 2.2];

const fold = (text) => text.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replaceAll("ς", "σ");

const DENSE = "\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3005-\\u3007\\u3040-\\u30ff\\u31f0-\\u31ff\\u3400-\\u4dbf"
  + "\\u4e00-\\u9fff\\u{20000}-\\u{323af}";
const RUN = new RegExp(`((?:(?=[\\p{Alphabetic}\\p{N}])[${DENSE}])+)|(?:(?![${DENSE}])[\\p{Alphabetic}\\p{N}])+`, "gu");

/* Words are found by their beginnings; what is written without blanks by each pair of neighbours. */
const termsOf = (text) => [...fold(text).matchAll(RUN)].flatMap(([run, dense]) => {
  const characters = [...run];
  if (!dense) return [{ text: characters.slice(0, 32).join(""), whole: false }];
  if (characters.length === 1) return [{ text: run, whole: false }];
  return characters.slice(1).map((second, at) => ({ text: characters[at] + second, whole: true }));
});

const PART = /(?:(tag|artist|category):|#)(?:"([^"]*)"?|(\S*))|"([^"]*)"?|(\S+)/giu;

const read = () => {
  const terms = [];
  const filters = [];
  for (const [part, kind, quoted, plain, phrase, word] of field.value.matchAll(PART)) {
    const name = quoted ?? plain;
    if (name === undefined) terms.push(...termsOf(phrase ?? word));
    else if (name) {
      filters.push({ part, kind: (kind ?? "tag").toLowerCase(), name: fold(name.trim()), whole: quoted !== undefined });
    }
  }
  return { terms, filters, colours: wanted.map(oklab), best: order.value === "best" };
};

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

const oklab = (hex) => {
  const [r, g, b] = [0, 2, 4].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
};

const shards = [];
let wanted = [];
let query = { terms: [], filters: [], colours: [], best: false };

class Shard {
  constructor(data) {
    this.data = data;
    this.count = data.titles.length;
    this.words = data.words ? data.words.split(" ") : [];
    this.found = data.found.split(" ");
    this.columns = { tag: data.tags, artist: data.artists, category: data.categories };
    this.folded = {};
    this.pixelated = new Set(data.pixelated);
  }

  names(kind) {
    return this.folded[kind] ??= this.columns[kind].names.map(fold);
  }

  swatches(place) {
    this.palettes ??= this.data.palettes.map((palette) => (palette.match(/.{8}/g) ?? []).map((swatch) =>
      [...oklab(swatch), SPOT * (1 - Math.sqrt(parseInt(swatch.slice(6), 16) / 255))]));
    return this.palettes[place];
  }

  /* Marks the works with a word. */
  withTerm({ text, whole }) {
    const marks = new Uint8Array(this.count);
    let [low, high] = [0, this.words.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.words[middle] < text) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.words.length; at += 1) {
      if (whole ? this.words[at] !== text : !this.words[at].startsWith(text)) break;
      let place = -1;
      for (const distance of this.found[at]) {
        place += distance.charCodeAt(0) - 35;
        marks[place] = 1;
      }
    }
    return marks;
  }

  withName({ kind, name, whole }) {
    const fits = this.names(kind).map((other) => (whole ? other === name : other.startsWith(name)));
    return this.columns[kind].of.map((own) => [own].flat().some((at) => at !== null && fits[at]));
  }

  /* How far its colours are from those that are wanted: each is as far as the nearest of its own. */
  distance(place, wantedColours) {
    const own = this.swatches(place);
    let sum = 0;
    for (const [l, a, b] of wantedColours) {
      let nearest = 1;
      for (const [ownL, ownA, ownB, spot] of own) {
        nearest = Math.min(nearest, Math.hypot(l - ownL, a - ownA, b - ownB) + spot);
      }
      sum += nearest;
    }
    return sum / wantedColours.length;
  }

  /* A word in the title says more than one in a tag, and that more than one in the text. */
  rank(place, terms) {
    const has = (text, term) => fold(text).split(/[^\p{Alphabetic}\p{N}]+/u).some((word) => word.startsWith(term));
    const titled = this.data.titles[place];
    const tagged = this.data.tags.of[place].map((at) => this.names("tag")[at]).join(" ");
    return terms.reduce((sum, { text }) => sum + (has(titled, text) ? 3 : 0) + (has(tagged, text) ? 1 : 0), 0);
  }

  search({ terms, filters, colours: wantedColours, best }) {
    if (!terms.length && !filters.length && !wantedColours.length) return [];
    const marks = [...terms.map((term) => this.withTerm(term)), ...filters.map((filter) => this.withName(filter))];
    const hits = [];
    for (let place = 0; place < this.count; place += 1) {
      if (!marks.every((mark) => mark[place])) continue;
      const distance = wantedColours.length ? this.distance(place, wantedColours) : 0;
      if (distance > ALIKE) continue;
      const score = !best ? 0 : wantedColours.length ? distance : -this.rank(place, terms);
      hits.push({ shard: this, place, score });
    }
    return hits;
  }
}

const uuid = (short) => [...atob(short)].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("")
  .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");

const entryOf = ({ shard: { data, pixelated }, place }) => {
  const [width, height] = data.sizes.slice(2 * place, 2 * place + 2);
  const [least, most] = RATIOS;
  const tint = data.tints.slice(6 * place, 6 * place + 6).trim();
  return {
    src: data.picture_start + data.pictures[place] + data.picture_end,
    width,
    height,
    pixelated: pixelated.has(place),
    tint: tint && `#${tint}`,
    title: data.titles[place],
    artist: data.artists.names[data.artists.of[place]],
    href: `artworks/${uuid(data.ids.slice(22 * place, 22 * place + 22))}/`,
    ratio: Math.min(most, Math.max(least, width / height)).toFixed(3),
  };
};

/* Names by how many of the works have them, that would narrow the search. */
const narrowing = (hits) => {
  const kinds = [["tag", 6], ["category", 2], ["artist", 3]];
  return kinds.flatMap(([kind, most]) => {
    const counts = new Map();
    for (const { shard, place } of hits) {
      const { names, of } = shard.columns[kind];
      for (const at of [of[place]].flat()) if (at !== null) counts.set(names[at], (counts.get(names[at]) ?? 0) + 1);
    }
    const telling = [...counts].filter(([name, count]) => count < hits.length && !name.includes('"'));
    return telling.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, most)
      .map(([name, count]) => ({ kind, name, count }));
  });
};

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
  return answer.json();
};

/* The newest shard first, so that results appear while older ones are on their way. One that fails is left out. */
const load = async () => {
  if (state === "loading" || state === "done") return;
  state = "loading";
  try {
    paths ??= (await get("search.json")).shards;
  } catch {
    failed = true;
    state = "idle";
    show();
    return;
  }
  const answers = [];
  for (const end = Math.min(paths.length, shards.length + SHARDS); shards.length < end;) {
    while (answers.length < 4 && shards.length + answers.length < end) {
      answers.push(get(paths[shards.length + answers.length]).then((data) => new Shard(data)).catch(() => null));
    }
    const shard = await answers.shift();
    failed ||= shard === null;
    shards.push(shard ?? new Shard(EMPTY));
    show();
  }
  state = shards.length < paths.length ? "paused" : "done";
  show();
};

const NONE = { names: [], of: [] };
const EMPTY = { titles: [], words: "", found: "", pixelated: [], palettes: [], tags: NONE, artists: NONE, categories: NONE };

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
  query = read();
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
