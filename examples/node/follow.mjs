// Follows a slicewatch run and prints a line per slice; nothing is lost and nothing is told twice.
//
//   npm ci && node follow.mjs [--events ENDPOINT] [--control ENDPOINT] [--keys NAME.key] [--json]
//
// The steps are those of docs/protocol.md, "To lose nothing": subscribe, snapshot, then events in order; what was
// skipped is asked for with `replay`. It ends when the run has finished.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { decode, encode } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";

const SCHEMA = 1;
const PATIENCE_MS = 1000;
const ANSWER_WITHIN_MS = 5000;

const { values: options } = parseArgs({
  options: {
    events: { type: "string", default: "tcp://127.0.0.1:5555" },
    control: { type: "string", default: "tcp://127.0.0.1:5556" },
    keys: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** The three values of a key file (`slicewatch keys make`), as zeromq wants them. */
function curve(path) {
  if (path === undefined) return {};
  const text = readFileSync(path, "utf8");
  const value = (name) => {
    const found = text.match(new RegExp(`^${name} = (".*")$`, "m"));
    if (found === null) throw new Error(`${path} has no ${name}`);
    return JSON.parse(found[1]);
  };
  return { curveServerKey: value("daemon"), curvePublicKey: value("public"), curveSecretKey: value("secret") };
}

class Refused extends Error {}

/** Asks the daemon one thing at a time. */
class Control {
  #socket;
  #endpoint;
  #keys;
  #asked = 0;

  constructor(endpoint, keys) {
    this.#endpoint = endpoint;
    this.#keys = keys;
    this.#connect();
  }

  /** Header and payload of the answer; throws `Refused`, or an EAGAIN when nobody answers in time. */
  async ask(command, fields = {}) {
    const id = ++this.#asked;
    try {
      await this.#socket.send(encode({ schema: SCHEMA, id, command, ...fields }));
      for (;;) {
        const [head, ...payload] = await this.#socket.receive();
        const header = decode(head);
        if (header.id !== id) continue; // the late answer to a question that was given up
        if (!header.ok) throw new Refused(`${header.error.what}: ${header.error.remedy}`);
        return { header, payload };
      }
    } catch (error) {
      if (!(error instanceof Refused)) {
        this.#socket.close();
        this.#connect();
      }
      throw error;
    }
  }

  /** The messages in the answer to `snapshot`, `latest` or `replay`. */
  async messages(command, fields) {
    const { header, payload } = await this.ask(command, fields);
    return { at: header, events: decode(payload[0]).map(read) };
  }

  close() {
    this.#socket.close();
  }

  #connect() {
    const limits = { sendTimeout: ANSWER_WITHIN_MS, receiveTimeout: ANSWER_WITHIN_MS, linger: 0 };
    this.#socket = new Dealer({ ...limits, ...this.#keys });
    this.#socket.connect(this.#endpoint);
  }
}

/** One event: its topic and its flat header; arrays stay as they came. */
function read([topic, header, ...payload]) {
  return { topic: Buffer.from(topic).toString("ascii"), ...decode(header), payload };
}

/** Every event once and in order, however often the connection breaks or the daemon restarts. */
async function* follow(events, control) {
  let at = null;
  for (;;) {
    let news;
    try {
      news = await next(events, control, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      continue; // nobody answers: wait for the daemon
    }
    for (const event of news.events) yield event;
    at = news.at ?? at;
  }
}

/** What comes after `at`, and where that leaves us. */
async function next(events, control, at) {
  if (at === null) return control.messages("snapshot");
  let event;
  try {
    event = read(await events.receive());
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
    return missed(control, at);
  }
  if (event.run !== at.run || event.epoch !== at.epoch) return missed(control, at);
  if (event.seq <= at.seq) return { events: [] };
  return event.seq === at.seq + 1 ? { events: [event], at: event } : missed(control, at);
}

async function missed(control, at) {
  try {
    return await control.messages("replay", { run: at.run, epoch: at.epoch, seq: at.seq + 1 });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return control.messages("snapshot");
  }
}

function line(event) {
  if (options.json) return JSON.stringify({ slice: event.index, depth_nm: event.depth_nm, seq: event.seq });
  const number = (value, digits) => (Number.isNaN(value) ? "?" : value.toFixed(digits));
  const thickness = `${number(event.thickness_nm, 2)} ± ${number(event.thickness_sigma_nm, 2)} nm`;
  return `slice ${event.index}: depth ${number(event.depth_nm, 1)} nm, thickness ${thickness} (${event.source})`;
}

const keys = curve(options.keys);
const events = new Subscriber({ receiveTimeout: PATIENCE_MS, receiveHighWaterMark: 10_000, linger: 0, ...keys });
events.connect(options.events);
events.subscribe();
const control = new Control(options.control, keys);
for await (const event of follow(events, control)) {
  if (event.topic === "thickness") console.log(line(event));
  if (event.topic === "run" && event.state === "finished") {
    console.log(options.json ? JSON.stringify({ finished: event.finish_reason }) : `finished: ${event.finish_reason}`);
    break;
  }
}
events.close();
control.close();
