#!/usr/bin/env node
/*
Makes cron-parser.txt: random schedules and when npm's cron-parser says that they are due; and cron-parser-differs.txt: its answers
to schedules that it reads in another way than Cronfleet.

    npm install --prefix /tmp/corpus cron-parser@5.10.5
    NODE_PATH=/tmp/corpus/node_modules node crates/core/tests/schedule/corpus/generate.cjs

One line each: expression, time zone, instant to start from, and the first instants after it in seconds since the epoch. Only what
cron-parser and Cronfleet read alike is asked for: five and six fields, names, lists, ranges, steps of ranges and of `*`, `L`, weekdays
with `#` or `L`, and both day fields restricted. Zones with clocks that change are in, the days on which they do are not.
Left out, because the two differ on purpose (docs/schedules.md lists why): those days, `*` with a step in one day field while the other
is restricted, `a/n`, and less than five fields. `W`, years and `+` are not known to cron-parser, nor is `#` in a list.
*/

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { CronExpressionParser } = require("cron-parser");

const SEED = 20261123;
const LINES = 1500;
const INSTANTS = 5;
const ZONES = [
  "UTC",
  "Asia/Shanghai",
  "America/New_York",
  "Europe/London",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
  "America/St_Johns",
  "Pacific/Chatham",
];
const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");
const WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split(" ");
const DAY_S = 86_400;

/** Expression, zone and start of what the two read differently, in the order of the list in docs/schedules.md. */
const DIFFERS = [
  ["0 0 */2 * MON", "UTC", "2026-01-01T00:00:00Z"],
  ["5/15 * * * *", "UTC", "2026-01-01T00:00:00Z"],
  ["5 4", "UTC", "2026-01-01T00:00:00Z"],
  ["30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z"],
  ["0,30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z"],
  ["*/30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z"],
];

/** A small generator with a seed: the same lines come out everywhere. */
function generator(seed) {
  let state = BigInt(seed);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(state >> 33n) / 2 ** 31;
  };
}

const draw = generator(SEED);
const between = (least, most) => least + Math.floor(draw() * (most - least + 1));
const one = (list) => list[between(0, list.length - 1)];

function item(least, most, names) {
  const word = (value) => (names && draw() < 0.5 ? names[value - least] : String(value));
  const kind = draw();
  const first = between(least, most);
  const last = between(first, most);
  if (kind < 0.5 || last === first) return word(first);
  if (kind < 0.8) return `${word(first)}-${word(last)}`;
  return `${first}-${last}/${between(1, Math.max(1, Math.floor((most - least) / 2)))}`;
}

function field(least, most, { names, star = 0.3, stepped = 0.2 } = {}) {
  const kind = draw();
  if (kind < star) return "*";
  if (kind < star + stepped) return `*/${between(1, most - least)}`;
  return Array.from({ length: one([1, 1, 1, 2, 3]) }, () => item(least, most, names)).join(",");
}

function days() {
  const kind = draw();
  if (kind < 0.25) return ["*", "*"];
  if (kind < 0.45) return [field(1, 31, { star: 0 }), "*"];
  if (kind < 0.65) return ["*", field(0, 6, { names: WEEKDAYS, star: 0 })];
  if (kind < 0.7) return [one(["L", `${between(1, 28)},L`]), "*"];
  if (kind < 0.76) return ["*", `${between(0, 7)}#${between(1, 5)}`];
  if (kind < 0.82) return ["*", `${between(0, 6)}L`];
  return [field(1, 31, { star: 0, stepped: 0 }), field(0, 6, { names: WEEKDAYS, star: 0, stepped: 0 })];
}

const formats = new Map();

/** What the clocks of a zone show, in seconds. */
function localSecond(zone, second) {
  if (!formats.has(zone)) {
    const numeric = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
    formats.set(zone, new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...numeric }));
  }
  const parts = Object.fromEntries(formats.get(zone).formatToParts(second * 1000).map((part) => [part.type, Number(part.value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) / 1000;
}

/** Whether the clocks of a zone change within a day of an instant. */
function isNearChange(zone, second) {
  const offset = (at) => localSecond(zone, at) - at;
  return offset(second - DAY_S) !== offset(second + DAY_S);
}

function next(expression, count) {
  return Array.from({ length: count }, () => Math.floor(expression.next().getTime() / 1000));
}

function line() {
  const [day, weekday] = days();
  const second = draw() < 0.4 ? `${field(0, 59, { star: 0.1 })} ` : "";
  const text = `${second}${field(0, 59)} ${field(0, 23)} ${day} ${field(1, 12, { names: MONTHS, star: 0.7 })} ${weekday}`;
  const zone = one(ZONES);
  const start = between(1_600_000_000, 2_100_000_000);
  let instants;
  try {
    instants = next(CronExpressionParser.parse(text, { currentDate: new Date(start * 1000), tz: zone }), INSTANTS);
  } catch {
    return undefined; // a date that never comes, or one that is too far away for cron-parser
  }
  if ([start, ...instants].some((at) => isNearChange(zone, at))) return undefined;
  return `${text}|${zone}|${start}|${instants.join(" ")}\n`;
}

const lines = [];
while (lines.length < LINES) {
  const found = line();
  if (found) lines.push(found);
}
fs.writeFileSync(path.join(__dirname, "cron-parser.txt"), lines.join(""));

const differs = DIFFERS.map(([text, zone, from]) => {
  const expression = CronExpressionParser.parse(text, { currentDate: new Date(from), tz: zone });
  return `${text}|${zone}|${Date.parse(from) / 1000}|${next(expression, 3).join(" ")}\n`;
});
fs.writeFileSync(path.join(__dirname, "cron-parser-differs.txt"), differs.join(""));
