/* Keeps what was seen for reading offline. Pages and indexes come from the network while there is one; assets and pictures
   have names that change with their bytes, so that a kept one is never stale. Errors are never kept. */
const scope = self.registration.scope;
const PAGES = { name: `pages ${scope}`, limit: 200 };
const FILES = { name: `files ${scope}`, limit: 600 };

const keep = async ({ name, limit }, request, answer) => {
  const cache = await caches.open(name);
  await cache.put(request, answer);
  /* The front stays: it is where a page leads that was never seen. */
  const kept = (await cache.keys()).filter(({ url }) => url !== scope);
  await Promise.all(kept.slice(0, Math.max(0, kept.length - limit)).map((old) => cache.delete(old)));
};

const get = async (event, place) => {
  const answer = await fetch(event.request);
  if (answer.status === 200 && answer.type === "basic") {
    /* A full disk or a refused cache costs the copy, not the answer. */
    event.waitUntil(keep(place, event.request, answer.clone()).catch(() => {}));
  }
  return answer;
};

const kept = async ({ name }, request) => (await caches.open(name)).match(request);

const networkFirst = (event) => get(event, PAGES).catch(async () =>
  (await kept(PAGES, event.request))
    ?? (event.request.mode === "navigate" && event.request.url !== scope ? Response.redirect(scope) : Response.error()));

const cacheFirst = async (event) => (await kept(FILES, event.request)) ?? get(event, FILES);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(PAGES.name).then((cache) => cache.add(scope)));
});

self.addEventListener("fetch", (event) => {
  const { method, url, headers } = event.request;
  if (method !== "GET" || !url.startsWith(scope) || headers.has("range")) return;
  const immutable = /^(assets|media)\//.test(url.slice(scope.length));
  event.respondWith(immutable ? cacheFirst(event) : networkFirst(event));
});
