/* Searches as the page does, without a page. Reads { script, shards, queries }, the files of the shards in base64, and answers
   for each query what is found, in the order in which it is shown, and the names that narrow it. */
const { script, shards: files, queries } = JSON.parse(await new Response(process.stdin).text());
const { Shard, entryOf, narrowing, oklab, parse, unpacked } =
  await import(`data:text/javascript,${encodeURIComponent(script)}`);

const read = async (file) => new Shard(await unpacked(new Blob([Buffer.from(file, "base64")]).stream()));
const shards = await Promise.all(files.map(read));
const answers = queries.map(({ text, colours, best }) => {
  const query = { ...parse(text), colours: colours.map(oklab), best };
  const hits = shards.flatMap((shard) => shard.search(query));
  if (best) hits.sort((a, b) => a.score - b.score);
  return { found: hits.map(entryOf), narrowing: narrowing(hits) };
});
console.log(JSON.stringify(answers));
