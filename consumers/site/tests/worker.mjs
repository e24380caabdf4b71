/* Runs the page's service worker without a browser: a network and caches of its own. Reads { script }, and tells what is kept
   after a long visit, and what is answered without a network. */
const { script } = JSON.parse(await new Response(process.stdin).text());

const scope = "https://art.example/g/";
const listeners = {};
const asked = {};
const caches = new Map();
let online = true;

const pathOf = (request) => (typeof request === "string" ? request : request.url).slice(scope.length - 1);

/* As the standard has it: what is put again comes last. */
class Cache {
  kept = new Map();
  async put(request, answer) { this.kept.delete(request.url); this.kept.set(request.url, { request, answer }); }
  async add(url) { await this.put({ url }, await fetch({ url })); }
  async keys() { return [...this.kept.values()].map(({ request }) => request); }
  async delete(request) { return this.kept.delete(request.url); }
  async match(request) { return this.kept.get(request.url)?.answer; }
}

const fetch = async (request) => {
  if (!online) throw new TypeError("no network");
  const path = pathOf(request);
  asked[path] = (asked[path] ?? 0) + 1;
  const status = path.startsWith("/gone/") ? 404 : 200;
  const answer = { status, type: "basic", path, clone: () => answer };
  return answer;
};

const open = async (name) => caches.get(name) ?? caches.set(name, new Cache()).get(name);
const self = {
  registration: { scope },
  addEventListener: (name, listener) => { listeners[name] = listener; },
};
const Redirecting = { redirect: (url) => ({ path: url === scope ? "home" : url }), error: () => ({ path: "error" }) };
new Function("self", "caches", "fetch", "Response", script)(self, { open }, fetch, Redirecting);

const visit = async (path, mode = "navigate") => {
  const waited = [];
  let answer;
  const request = { method: "GET", url: scope + path.slice(1), headers: new Headers(), mode };
  listeners.fetch({ request, respondWith: (promise) => { answer = promise; }, waitUntil: (promise) => waited.push(promise) });
  const { path: answered } = await answer;
  await Promise.all(waited);
  return answered;
};

const installed = [];
listeners.install({ waitUntil: (promise) => installed.push(promise) });
await Promise.all(installed);
for (let number = 0; number < 249; number++) await visit(`/art/${number}/`);
await visit("/gone/1/");
await visit("/art/249/");
await visit("/art/3/");
for (let number = 0; number < 700; number++) await visit(`/media/${number}.webp`, "no-cors");
await visit("/media/699.webp", "no-cors");

const keptIn = async (kind) => (await (await open(`${kind} ${scope}`)).keys()).map(({ url }) => url);
const [pages, files] = [await keptIn("pages"), await keptIn("files")];
online = false;
const offline = {
  kept: await visit("/art/200/"),
  file: await visit("/media/650.webp", "no-cors"),
  never_seen: await visit("/art/9999/"),
};
console.log(JSON.stringify({ pages, files, offline, asked: { picture: asked["/media/699.webp"], page: asked["/art/3/"] } }));
