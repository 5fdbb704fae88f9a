// Calls the official Node SDK as told: one JSON request a line on stdin, one JSON answer a line on stdout.
//
// {"on": NAME, "call": METHOD, "arguments": [...], "keep": NAME?}   calls a method of a kept object
// {"on": NAME, "read": PROPERTY}                                    reads a property
// {"on": NAME, "next": true}                                        waits for the next message of a socket
const readline = require("node:readline");
const videodb = require("videodb");

const kept = { videodb };
const streams = new Map();

async function answer(request) {
  const object = kept[request.on];
  if (request.next) {
    if (!streams.has(request.on)) streams.set(request.on, object.receive());
    return (await streams.get(request.on).next()).value;
  }
  if (request.read) return object[request.read];
  const result = await object[request.call](...request.arguments);
  if (request.keep) kept[request.keep] = request.index === undefined ? result : result[request.index];
  return request.keep ? plain(kept[request.keep]) : plain(result);
}

// What an object shows, without its connection and its methods.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const shown = Object.entries(value).filter(([name, part]) => typeof part !== "function" && !name.startsWith("_"));
  return Object.fromEntries(shown.map(([name, part]) => [name, name === "vhttp" ? undefined : plain(part)]));
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  try {
    console.log(JSON.stringify({ result: (await answer(JSON.parse(line))) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.cause?.cause ?? error.cause ?? error.message) }));
  }
}).on("close", () => process.exit(0));
