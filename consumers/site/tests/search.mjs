/* Searches as the page does, without a page. Reads { script, shards, queries } and answers for each query what is found, in
   the order in which it is shown, and the names that narrow it. */
const { script, shards: told, queries } = JSON.parse(await new Response(process.stdin).text());
const { Shard, entryOf, narrowing, oklab, parse } = await import(`data:text/javascript,${encodeURIComponent(script)}`);

const shards = told.map((data) => new Shard(data));
const answers = queries.map(({ text, colours, best }) => {
  const query = { ...parse(text), colours: colours.map(oklab), best };
  const hits = shards.flatMap((shard) => shard.search(query));
  if (best) hits.sort((a, b) => a.score - b.score);
  return { found: hits.map(entryOf), narrowing: narrowing(hits) };
});
console.log(JSON.stringify(answers));
