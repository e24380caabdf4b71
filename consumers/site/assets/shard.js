/* One shard of the search: what it holds, and how a text becomes words, is in pages/search/. Nothing here knows the page. */

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

/* What is asked for by a text: words, and names of tags, artists and categories. */
export const parse = (text) => {
  const terms = [];
  const filters = [];
  for (const [part, kind, quoted, plain, phrase, word] of text.matchAll(PART)) {
    const name = quoted ?? plain;
    if (name === undefined) terms.push(...termsOf(phrase ?? word));
    else if (name) {
      filters.push({ part, kind: (kind ?? "tag").toLowerCase(), name: fold(name.trim()), whole: quoted !== undefined });
    }
  }
  return { terms, filters };
};

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

export const oklab = (hex) => {
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

/* What the file of a shard holds. */
export const unpacked = (file) => new Response(file.pipeThrough(new DecompressionStream("deflate"))).json();

export class Shard {
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

export const entryOf = ({ shard: { data, pixelated }, place }) => {
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
export const narrowing = (hits) => {
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

const NONE = { names: [], of: [] };
export const EMPTY = { titles: [], words: "", found: "", pixelated: [], palettes: [], tags: NONE, artists: NONE, categories: NONE };
