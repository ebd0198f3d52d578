// Shifts Azurite's Date by the world's clock: loaded with `node --require` before Azurite itself.
// The offset, in seconds, stands in the file that CROSSKEY_CLOCK_FILE names; it is read again at most every 10 ms
// of real time. Also ends the process when its standard input closes, so that no Azurite outlives its world.
"use strict";

const fs = require("node:fs");
const { performance } = require("node:perf_hooks");

const clockFile = process.env.CROSSKEY_CLOCK_FILE;
const RealDate = Date;
let offsetMilliseconds = 0;
let readAt = -Infinity;

function now() {
  const instant = performance.now();
  if (instant - readAt > 10) {
    readAt = instant;
    const seconds = Number(fs.readFileSync(clockFile, "ascii"));
    // The file is replaced atomically, so anything but a number is a mistake worth ending for.
    if (!Number.isFinite(seconds)) throw new Error(`reading ${clockFile}: not a number of seconds`);
    offsetMilliseconds = Math.round(seconds * 1000);
  }
  return RealDate.now() + offsetMilliseconds;
}

class WorldDate extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(now());
    else super(...parts);
  }

  static now() {
    return now();
  }
}

// `Date()` without `new` answers text; a class alone would refuse the call.
globalThis.Date = new Proxy(WorldDate, {
  apply: () => new WorldDate().toString(),
});

process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
// Listening for the end must not itself keep Azurite running once it was asked to stop.
process.stdin.unref();
