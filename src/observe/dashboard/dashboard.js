"use strict";
// All that comes from the server is text: it goes into the page by textContent alone.

const LINES_KEPT = 2000, LINES_SHOWN = 300, ROWS_SHOWN = 500, BUCKETS = 120, RATE_MS = 30000;
const LEVELS = {error: 0, warning: 1, info: 2, debug: 3};
const STATES = [["d", "done", "--s3"], ["a", "done after retries", "--warn"], ["r", "done, with rejects", "--bad"],
                ["p", "partly done", "--s1"], ["o", "not done", "--line"]];

const page = {runs: [], key: null, progress: null, report: null, chunks: null, lines: [], last: 0,
              stream: null, speeds: new Map(), reading: false, waiting: false, readAt: 0, took: 0,
              clock: 0, lostAt: null, allowed: true, painted: new Map(), stopped: false};

const at = id => document.getElementById(id);

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(typeof child === "object" ? child : String(child));
  }
  return element;
}

function draw(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// Makes the part again only when what it shows is another, so that focus and open details stay.
function paint(id, shown, build) {
  const text = JSON.stringify(shown);
  if (page.painted.get(id) === text) return;
  page.painted.set(id, text);
  const part = at(id).tagName === "SECTION" ? document.querySelector("#" + id + " > div") : at(id);
  part.replaceChildren(...[build()].flat().filter(child => child !== null));
}

// ---- numbers and times

const whole = new Intl.NumberFormat("en");
const count = n => n === null || n === undefined || n < 0 ? "–" : whole.format(Math.round(n));
const rate = n => n === null || n === undefined ? "–" : (n >= 100 ? whole.format(Math.round(n)) : n.toFixed(1)) + "/s";

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit++; }
  return (unit === 0 ? String(Math.round(n)) : n.toFixed(1)) + " " + units[unit];
}

function span(s) {
  if (s === null || s === undefined || !isFinite(s)) return "–";
  if (s < 60) return (s < 10 ? s.toFixed(1) : String(Math.round(s))) + " s";
  const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  return days > 0 ? days + " d " + hours % 24 + " h" : hours > 0 ? hours + " h " + minutes % 60 + " min"
    : minutes + " min " + Math.floor(s % 60) + " s";
}

const two = n => String(n).padStart(2, "0");

function moment(text, withDay) {
  const date = new Date(text);
  if (isNaN(date)) return text || "–";
  const day = date.getFullYear() + "-" + two(date.getMonth() + 1) + "-" + two(date.getDate());
  const time = two(date.getHours()) + ":" + two(date.getMinutes()) + ":" + two(date.getSeconds());
  return withDay ? day + " " + time : time;
}

const now = () => Date.now() + page.clock;
const percent = part => part === null ? "–" : (Math.floor(part * 1000) / 10).toFixed(1) + " %";

function look(verdict, atWork) {
  if (atWork) return "busy";
  if (verdict === "done") return "good";
  return verdict === "failed" || verdict === "done, but differs" ? "bad" : "warn";
}

// ---- talking to the server

async function ask(path, options) {
  const answer = await fetch(path, Object.assign({cache: "no-store", credentials: "same-origin"}, options));
  const date = Date.parse(answer.headers.get("Date"));
  if (!isNaN(date) && Math.abs(date - Date.now()) > 2000) page.clock = date - Date.now();
  page.allowed = answer.status !== 401;
  return answer;
}

function connected(yes) {
  const pill = at("connection"), lost = at("lost");
  if (yes) {
    page.lostAt = null;
  } else if (page.lostAt === null) {
    page.lostAt = Date.now();
    say("Connection lost");
  }
  pill.textContent = yes ? "live" : "not connected";
  pill.className = "pill " + (yes ? "good" : "bad");
  lost.hidden = yes;
  if (!yes) {
    lost.textContent = page.allowed
      ? "The connection was lost at " + moment(new Date(page.lostAt).toISOString()) + ". What is shown is as old as that; trying again …"
      : "This browser's token is not valid any more: open the URL that was printed when the dashboard began.";
  }
}

function say(text) {
  if (at("status").textContent !== text) at("status").textContent = text;
}

async function readRuns() {
  try {
    const answer = await ask("/api/runs");
    if (!answer.ok) { connected(false); return; }
    page.runs = (await answer.json()).runs;
    if (page.stream === null || page.stream.readyState === 1 || page.runs.length === 0) connected(true);
    showRuns();
    choose();
  } catch (error) {
    connected(false);
  }
}

// The report and the chunks: rarely enough to cost the server little of its time.
async function readReport() {
  if (page.reading) { page.waiting = true; return; }
  const key = page.key, pause = Math.min(20000, Math.max(2000, 25 * page.took)) - (performance.now() - page.readAt);
  page.reading = true;
  page.waiting = false;
  if (page.report !== null && pause > 0) await new Promise(done => setTimeout(done, pause));
  try {
    const begun = performance.now();
    const [report, chunks] = await Promise.all([ask("/api/runs/" + key), ask("/api/runs/" + key + "/chunks")]);
    const told = report.ok ? await report.json() : null, map = chunks.ok ? await chunks.json() : null;
    page.took = performance.now() - begun;
    if (key === page.key) {
      page.report = told;
      page.chunks = map;
      showReport();
    }
  } catch (error) {
    page.waiting = true;
  }
  page.readAt = performance.now();
  page.reading = false;
  if (page.waiting || key !== page.key) {
    page.waiting = false;
    setTimeout(readReport, 1000);
  }
}

function follow() {
  if (page.stream !== null) page.stream.close();
  page.stream = null;
  if (page.key === null || document.hidden) return;
  const key = page.key;
  const stream = new EventSource("/api/runs/" + key + "/events" + (page.last > 0 ? "?after=" + page.last : ""));
  page.stream = stream;
  stream.onopen = () => connected(true);
  stream.onerror = () => {
    if (page.stream !== stream) return;
    connected(false);
    if (stream.readyState === 2) setTimeout(() => { if (page.stream === stream) follow(); }, 2000);
  };
  stream.onmessage = message => {
    let line;
    try { line = JSON.parse(message.data); } catch (error) { return; } // a file that somebody wrote into
    page.last = line.number;
    page.lines.push(line);
    if (page.lines.length > LINES_KEPT) thin();
    showLinesSoon();
  };
  stream.addEventListener("progress", message => {
    page.progress = JSON.parse(message.data);
    showProgress();
    readReport();
  });
  stream.addEventListener("gone", () => {
    page.progress = null;
    say("The run is not there any more");
    readRuns();
  });
}

// The older half of what tells of chunks goes first.
function thin() {
  const half = LINES_KEPT / 2;
  page.lines = page.lines.filter((line, place) => place >= half || line.kind !== "chunk").slice(-LINES_KEPT);
}

async function control(action) {
  const told = at("told");
  try {
    const answer = await ask("/api/runs/" + page.key + "/" + action, {method: "POST"});
    const body = await answer.json();
    page.stopped = answer.ok && action === "stop";
    told.textContent = !answer.ok ? body.error : action === "stop"
      ? "It finishes the chunks in progress, and ends then." : "It is being resumed.";
  } catch (error) {
    told.textContent = "That was not sent: the connection is lost.";
  }
  told.hidden = false;
  say(told.textContent);
  showControl();
}

// ---- the list of runs

const items = new Map();

function showRuns() {
  const list = at("runs"), seen = new Set();
  at("no-runs").hidden = page.runs.length > 0;
  page.runs.forEach((run, place) => {
    let item = items.get(run.key);
    if (!item) {
      const pill = make("span", {class: "pill"}), what = make("span", {class: "what"}), when = make("span", {class: "when"});
      const link = make("a", {href: "#/" + run.key}, pill, what, when);
      item = {row: make("li", null, link), link, pill, what, when};
      items.set(run.key, item);
    }
    seen.add(run.key);
    const verdict = run.verdict || "about to begin";
    item.pill.className = "pill " + look(verdict, run.at_work);
    item.pill.textContent = verdict;
    item.what.textContent = run.source ? run.source + " → " + run.target : run.folder;
    item.when.textContent = [run.kind && run.kind !== "copy" ? run.kind : null, moment(run.started_at, true),
                             run.written !== undefined ? count(run.written) + " written" : null].filter(Boolean).join(" · ");
    if (run.key === page.key) item.link.setAttribute("aria-current", "page");
    else item.link.removeAttribute("aria-current");
    if (list.children[place] !== item.row) list.insertBefore(item.row, list.children[place] || null);
  });
  for (const [key, item] of items) {
    if (!seen.has(key)) { item.row.remove(); items.delete(key); }
  }
}

// The run that the address names, else one at work, else the newest.
function choose() {
  const named = location.hash.startsWith("#/") ? decodeURIComponent(location.hash.slice(2)) : null;
  const newest = page.runs.slice().sort((a, b) => String(b.started_at || "9").localeCompare(String(a.started_at || "9")));
  const chosen = page.runs.find(run => run.key === named) || newest.find(run => run.at_work) || newest[0] || null;
  const key = chosen ? chosen.key : null;
  if (key === page.key || (page.key !== null && named === null && page.runs.some(run => run.key === page.key))) return;
  Object.assign(page, {key, progress: null, report: null, chunks: null, lines: [], last: 0, stopped: false, took: 0});
  page.speeds.clear();
  page.painted.clear();
  at("sections").hidden = key === null;
  at("told").hidden = true;
  showRuns();
  showLines();
  follow();
}

// ---- one run

function tile(name, value, more) {
  return make("div", null, make("dt", null, name), make("dd", null, value, more ? make("small", null, more) : null));
}

function showProgress() {
  const run = page.progress;
  if (run === null) return;
  const part = run.part, busy = run.at_work, entities = run.sum || {};
  document.title = (busy && part !== null ? Math.floor(part * 100) + " % · " : "") + run.source + " → " + run.target;
  paint("title", [run.source, run.target], () =>
    [document.createTextNode(run.source + " "), make("span", {class: "arrow"}, "→"), document.createTextNode(" " + run.target)]);
  paint("about", [run.verdict, run.phase, run.started_at, run.ended_at, run.attempts, busy, run.run, run.kind], () => [
    make("span", {class: "pill " + look(run.verdict, busy)}, run.verdict),
    make("span", null, "Phase: " + run.phase),
    make("span", null, "Began ", make("time", {datetime: run.started_at}, moment(run.started_at, true))),
    run.ended_at ? make("span", null, "Ended ", make("time", {datetime: run.ended_at}, moment(run.ended_at, true))) : null,
    run.attempts > 1 ? make("span", null, count(run.attempts) + " attempts") : null,
    make("span", null, run.kind === "copy" ? "Run " : run.kind + " ", make("code", null, run.run))]);
  const bar = at("bar");
  bar.hidden = part === null;
  if (part !== null) {
    bar.firstElementChild.style.width = 100 * part + "%";
    bar.setAttribute("aria-valuenow", Math.floor(100 * part));
  }
  say(run.verdict + (busy ? ", phase " + run.phase + (part !== null ? ", " + 10 * Math.floor(part * 10) + " percent" : "") : ""));
  noteSpeeds(run);
  showTiles();
  showControl();
  showTables();
  showWorkers();
  showChart();
  showAlerts();
}

function showTiles() {
  const run = page.progress;
  if (run === null) return;
  const busy = run.at_work, sum = run.sum || {}, chunks = run.chunks || {};
  const since = time => Math.max(0, Math.floor((now() - time) / 1000));
  const lag = busy && run.attempt ? since(Date.parse(run.attempt.started_at)) : null;
  const moved = busy && run.moved_at > 0 ? since(run.moved_at) : null;
  const average = run.seconds > 0 && sum.written !== undefined ? sum.written / run.seconds : null;
  const tiles = [
    ["Progress", percent(run.part), chunks.total ? count(chunks.done) + " of " + count(chunks.total) + " chunks" : null],
    ["Written", count(sum.written), sum.total >= 0 && sum.total !== null ? "of " + count(sum.total) : null],
    busy ? ["Rate", rate(run.records_per_second), run.bytes_per_second > 0 ? bytes(run.bytes_per_second) + "/s" : null]
         : ["Average rate", rate(average), sum.bytes > 0 ? bytes(sum.bytes) + " in all" : null],
    busy ? ["Time left", span(run.seconds_left), run.seconds_left !== null ? "about" : null]
         : ["Time", span(run.seconds), "at work"],
    ["Rejected", count(sum.rejected), sum.skipped > 0 ? count(sum.skipped) + " skipped" : null],
    ["Lag", span(lag), moved === null ? "age of the copied data" : moved < 5 ? "records move" : "nothing moved for " + span(moved)],
    ["Retries", count(run.retries), run.throttled > 0 ? "throttled " + count(run.throttled) + " times" : null]];
  paint("tiles", tiles, () => tiles.map(each => tile(...each)));
}

function showControl() {
  const can = page.progress ? page.progress.control : {};
  const buttons = [];
  if (!can.stop) page.stopped = false;
  if (can.stop) buttons.push(["stop", page.stopped ? "Stop at once" : "Stop"]);
  if (can.resume) buttons.push(["resume", "Resume"]);
  paint("control", [buttons, page.key], () => buttons.map(([action, title]) => {
    const button = make("button", {type: "button", id: "button-" + action}, title);
    button.addEventListener("click", () => control(action));
    return button;
  }));
  if (can.failure) {
    at("told").textContent = "It could not be resumed: " + can.failure;
    at("told").hidden = false;
  }
}

// ---- tables

function entitiesOf() {
  return (page.progress && page.progress.entities) || (page.report && page.report.entities) || [];
}

function noteSpeeds(run) {
  const time = Date.now();
  for (const entity of run.entities || []) {
    const name = entity.table + "\n" + entity.name;
    const points = page.speeds.get(name) || [];
    points.push([time, entity.written + entity.rejected + entity.skipped]);
    while (points.length > 2 && time - points[1][0] > RATE_MS) points.shift();
    page.speeds.set(name, points);
  }
}

function speedOf(entity, busy) {
  if (!busy) {
    const told = page.report && page.report.entities.find(e => e.name === entity.name && e.table === entity.table);
    return told && told.seconds > 0 ? entity.written / told.seconds : null;
  }
  const points = page.speeds.get(entity.table + "\n" + entity.name) || [];
  const first = points[0], last = points[points.length - 1];
  return points.length > 1 && last[0] > first[0] ? 1000 * (last[1] - first[1]) / (last[0] - first[0]) : null;
}

function table(label, heads, rows) {
  const body = rows.map(row => make("tr", null, row.map((cell, place) => {
    const [text, style] = Array.isArray(cell) ? cell : [cell, null];
    return place === 0 ? make("th", {scope: "row"}, text) : make("td", {class: [heads[place][1], style].filter(Boolean).join(" ") || null}, text);
  })));
  const head = make("tr", null, heads.map(([title, style]) => make("th", {scope: "col", class: style || null}, title)));
  return make("div", {class: "wide", tabindex: "0", role: "region", "aria-label": label},
              make("table", null, make("thead", null, head), make("tbody", null, body)));
}

function bar(part) {
  const inner = make("i");
  inner.style.width = 100 * part + "%";
  return make("span", {class: "bar", "aria-hidden": "true"}, inner);
}

function showTables() {
  const busy = page.progress !== null && page.progress.at_work, all = entitiesOf();
  const rows = all.slice(0, ROWS_SHOWN).map(e => {
    const done = e.written + e.rejected + e.skipped;
    return [e.name === e.table ? e.name : e.table + ": " + e.name, e.total > 0 ? Math.min(1, done / e.total) : e.total === 0 ? 1 : null,
            e.read, e.written, e.rejected, e.skipped, busy && done === e.total ? null : speedOf(e, busy), e.retries];
  });
  paint("tables", [rows, all.length], () => [
    rows.length === 0 ? make("p", {class: "quiet"}, "Which tables there are is not known yet.") :
    table("Tables", [["Table"], ["Progress"], ["Read", "minor"], ["Written"], ["Rejected"], ["Skipped", "minor"], ["Rate", "minor"], ["Retries", "minor"]],
          rows.map(([name, part, read, written, rejected, skipped, speed, retries]) => [
            name, [part === null ? "–" : make("span", null, bar(part), percent(part))], count(read), count(written),
            [count(rejected), rejected > 0 ? "bad" : "nil"], [count(skipped), skipped > 0 ? null : "nil"], rate(speed), [count(retries), retries > 0 ? null : "nil"]])),
    all.length > rows.length ? make("p", {class: "quiet"}, "And " + count(all.length - rows.length) + " more: report.json has them.") : null]);
}

// ---- throughput

// Running time alone: what lies between two attempts is left out, and marked.
function series(member) {
  const told = page.report ? page.report.throughput.slice() : [];
  const live = page.progress && page.progress.sample;
  if (live && (told.length === 0 || live.at > told[told.length - 1].at)) told.push(live);
  let time = 0;
  const marks = [], pieces = [];
  for (let i = 1; i < told.length; i++) {
    const before = told[i - 1], sample = told[i];
    if (sample.attempt !== before.attempt) { marks.push(time); continue; }
    const seconds = Math.max(0, (sample.at - before.at) / 1000);
    pieces.push([time, time + seconds, Math.max(0, member(sample) - member(before))]);
    time += seconds;
  }
  const width = time / BUCKETS, buckets = new Array(BUCKETS).fill(0);
  for (const [from, to, amount] of pieces) {
    if (amount === 0 || to <= from) continue;
    for (let b = Math.floor(from / width); b < BUCKETS && b * width < to; b++) {
      buckets[b] += amount * Math.max(0, Math.min(to, (b + 1) * width) - Math.max(from, b * width)) / (to - from);
    }
  }
  return {time, marks, rates: buckets.map(amount => width > 0 ? amount / width : 0)};
}

function chart(title, data, unit) {
  const most = Math.max(...data.rates), average = data.rates.reduce((a, b) => a + b, 0) / BUCKETS, last = data.rates[BUCKETS - 1];
  const text = title + " over " + span(data.time) + ": on average " + unit(average) + ", at most " + unit(most) + ", last " + unit(last) +
    (data.marks.length > 0 ? "; resumed " + data.marks.length + " times" : "");
  const svg = draw("svg", {class: "chart", viewBox: "0 0 " + BUCKETS + " 100", preserveAspectRatio: "none", role: "img", "aria-label": text});
  let path = "M0 100";
  data.rates.forEach((value, place) => { path += "V" + (100 - (most > 0 ? 96 * value / most : 0)).toFixed(2) + "H" + (place + 1); });
  svg.append(draw("path", {class: "area", d: path + "V100Z"}), draw("path", {class: "grid", d: "M0 4H" + BUCKETS + "M0 52H" + BUCKETS}));
  for (const mark of data.marks) {
    const x = (BUCKETS * mark / data.time).toFixed(2);
    svg.append(draw("path", {class: "resumed", d: "M" + x + " 0V100"}));
  }
  return make("figure", null, make("figcaption", null, title + (data.marks.length > 0 ? ", resumed at the dashed line" + (data.marks.length > 1 ? "s" : "") : "")),
              make("div", {class: "plot"},
                   make("div", {class: "y", "aria-hidden": "true"}, make("span", null, unit(most)), make("span", null, unit(most / 2)), make("span", null, "0")), svg,
                   make("div", {class: "x", "aria-hidden": "true"}, make("span", null, "0 s"), make("span", null, span(data.time / 2)), make("span", null, span(data.time)))),
              make("p", {class: "quiet"}, "On average " + unit(average) + ", at most " + unit(most) + "."));
}

function showChart() {
  const records = series(s => s.written + s.rejected + s.skipped), volume = series(s => s.bytes);
  const some = records.time > 0;
  paint("rate", [records, volume], () => some
    ? [chart("Records per second", records, rate), volume.rates.some(r => r > 0) ? chart("Bytes per second", volume, n => bytes(n) + "/s") : null]
    : make("p", {class: "quiet"}, "Nothing was copied yet."));
}

// ---- chunks

function cellsOf(map) {
  let cells = "";
  for (const stream of map.streams) {
    for (const [, length, state] of stream.cells.matchAll(/(\d+)([a-z])/g)) cells += state.repeat(Number(length));
  }
  return cells;
}

function drawMap(canvas, cells) {
  const width = canvas.clientWidth, style = getComputedStyle(document.documentElement), scale = window.devicePixelRatio || 1;
  let side = 14;
  while (side > 2 && Math.ceil(cells.length / Math.floor(width / side)) * side > 270) side--;
  const columns = Math.max(1, Math.floor(width / side)), height = Math.max(1, Math.ceil(cells.length / columns)) * side;
  const gap = side > 4 ? 2 : side > 2 ? 1 : 0;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d"), colors = {};
  pen.scale(scale, scale);
  for (const [state, , color] of STATES) colors[state] = style.getPropertyValue(color);
  for (let i = 0; i < cells.length; i++) {
    pen.fillStyle = colors[cells[i]];
    pen.fillRect(i % columns * side, Math.floor(i / columns) * side, side - gap, side - gap);
  }
}

function legend(states) {
  return make("p", {class: "legend"}, STATES.filter(([state]) => states.has(state)).map(([, name, color]) => {
    const sign = make("i", {"aria-hidden": "true"});
    sign.style.background = "var(" + color + ")";
    return [sign, make("span", null, name)];
  }).flat());
}

function showChunks(again) {
  const map = page.chunks;
  if (again) page.painted.delete("chunks");
  paint("chunks", map, () => {
    if (map === null || map.total === 0) return make("p", {class: "quiet"}, "Which chunks there are is not known yet.");
    const cells = cellsOf(map), text = count(map.done) + " of " + count(map.total) + " chunks are done" +
      (map.again > 0 ? ", " + count(map.again) + " of them after retries" : "");
    const canvas = make("canvas", {role: "img", "aria-label": "Map of the chunks: " + text}, text);
    requestAnimationFrame(() => drawMap(canvas, cells));
    const rows = map.streams.slice(0, ROWS_SHOWN).map(s => [s.name, count(s.total), count(s.done), [count(s.with_rejects), s.with_rejects > 0 ? "bad" : "nil"]]);
    return [make("p", null, text + "." + (map.cell > 1 ? " A square is " + map.cell + " chunks." : "")), canvas, legend(new Set(cells)),
            make("details", null, make("summary", null, "As a table"),
                 table("Chunks of each stream", [["Stream"], ["Chunks"], ["Done"], ["With rejects"]], rows))];
  });
}

// ---- what the report tells

function facts(list) {
  return make("dl", {class: "facts"}, list.filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => make("div", null, make("dt", null, name), make("dd", null, value))));
}

function use(side) {
  return !side ? null : (side.throttled_seconds > 0 ? "asks to slow down, for " + span(side.throttled_seconds)
    : side.throttled_times > 0 ? "asked to slow down " + count(side.throttled_times) + " times" : "never asked to slow down")
    + (side.retries > 0 ? ", " + count(side.retries) + " retries" : "")
    + (side.capacity_units > 0 ? ", " + side.capacity_units.toFixed(1) + " capacity units" : "");
}

// What each worker is at: [name, what it does, whose chunk, its number, for how long, records].
function workersOf(run) {
  const whose = w => !w.table ? w.stream || "–" : w.entity && w.entity !== w.table ? w.table + ": " + w.entity : w.table;
  return (run.workers || []).map(w => [(w.side === "source" ? "reader " : "writer ") + w.number, w.doing, whose(w), w.chunk ? count(w.chunk) : "–",
                                       span(Math.max(0, (now() - Date.parse(w.since)) / 1000)), w.chunk ? count(w.rows) : "–"]);
}

function showWorkers() {
  const run = page.progress || {}, report = page.report || {}, settings = report.settings || {};
  const workers = workersOf(run).slice(0, ROWS_SHOWN);
  const list = [["Jobs", settings.jobs], ["Readers", settings.readers], ["Writers", settings.writers],
                ["Waiting to try again", run.waiting_seconds > 0 && run.at_work ? span(run.waiting_seconds) : "nobody"],
                ["Retries", count(run.retries)], ["Throttled", count(run.throttled) + " times"],
                ["Source", use(run.source_use)], ["Target", use(run.target_use)], ["Errors", count(run.errors)],
                ["Between readers and writers", run.queue ? bytes(run.queue.bytes) + " of " + bytes(run.queue.capacity_bytes) + ", " + count(run.queue.batches) + " batches" : null]];
  paint("workers", [list, workers], () => [
    facts(list),
    workers.length > 0 ? table("Workers", [["Worker"], ["Does", "text"], ["Table", "text"], ["Chunk"], ["For"], ["Records"]], workers) : null]);
  paint("attempts", [report.attempts, report.errors], () => [
    (report.attempts || []).length > 1 ? make("details", null, make("summary", null, "Attempts"),
      table("Attempts", [["Attempt"], ["Began"], ["Ended"]], report.attempts.map(a =>
        [String(a.epoch), moment(a.at, true), a.end || "–"]))) : null,
    (report.errors || []).length > 0 ? make("ul", {class: "errors"}, report.errors.slice(-5).map(e =>
      make("li", null, make("time", {datetime: e.at}, moment(e.at, true)), " ", e.message || "", " ", make("code", null, e.code || "")))) : null]);
}

function showRejects() {
  const rejects = page.report ? page.report.rejects : null;
  paint("rejects", rejects, () => {
    if (rejects === null || rejects.reasons.length === 0) return make("p", {class: "quiet"}, "No record was rejected.");
    return [
      table("Reasons", [["Table"], ["Reason", "text"], ["Records"]], rejects.reasons.map(r => [r.table, [make("code", null, r.code)], count(r.records)])),
      rejects.whole ? null : make("p", {class: "quiet"}, "There are more than were read for this: rejects/ in the state folder has all."),
      make("details", null, make("summary", null, "Samples"), make("ul", {class: "samples"}, rejects.samples.map(s =>
        make("li", null, make("p", null, make("code", null, s.code), " ", s.reason),
             make("p", {class: "quiet"}, s.file + ", line " + count(s.line) + (s.key_text ? ", key " + s.key_text : "")),
             make("pre", null, s.record_text + (s.clipped ? " …" : ""))))))];
  });
}

function showValidation() {
  const found = page.report ? page.report.validation : null;
  paint("validation", found, () => {
    if (found === null) return make("p", {class: "quiet"}, "Source and target were not compared yet: ", make("code", null, "transhume validate"), " does.");
    const members = ["source", "target", "missing", "different", "extra"];
    const others = (found.entities || []).some(e => ["missing", "different", "extra", "unreadable"].some(member => e[member] > 0));
    const words = found.ok ? "No difference was found" : others ? "Differences were found" : "No other difference was found than records that were rejected and are missing";
    return [make("p", {class: found.ok ? "good" : "bad"}, words + ", at level " + found.level + "."),
            table("Validation", [["Table"], ["Source"], ["Target"], ["Missing"], ["Different"], ["Extra"]], (found.entities || []).slice(0, ROWS_SHOWN).map(e =>
              [e.name].concat(members.map((member, place) => [typeof e[member] === "number" ? count(e[member]) : "–", place > 1 && e[member] > 0 ? "bad" : null]))))];
  });
}

// What stands between backquotes is to be typed.
function marked(text) {
  return text.split("`").map((part, place) => place % 2 === 1 ? make("code", null, part) : part);
}

function showReport() {
  const report = page.report;
  if (report === null) return;
  const steps = page.progress && page.progress.at_work ? [] : report.next;
  paint("next", steps, () => make("ul", null, steps.map(step => make("li", null, ...marked(step)))));
  at("next").hidden = steps.length === 0;
  showTables();
  showChart();
  showChunks();
  showWorkers();
  showRejects();
  showValidation();
  showAlerts();
}

// ---- events

// What began and did not end stands first; what was only told once stands by itself.
function showAlerts() {
  const states = new Map(), texts = new Set(), run = page.progress || {};
  for (const line of page.lines) {
    if (line.kind === "anomaly" || line.kind === "stall") {
      states.set([line.kind, line.code, line.table, line.entity].join("\n"), line);
      texts.add(line.text);
    }
  }
  const found = [...states.values()].reverse().map(line => [line, line.state === "ended" || !run.at_work ||
    (line.kind === "stall" && run.moved_at > Date.parse(line.at))]).sort((a, b) => a[1] - b[1]);
  const warnings = (page.report ? page.report.warnings : []).filter(warning => !texts.has(warning.message));
  const more = warnings.length + (page.report ? page.report.warnings_left_out : 0);
  paint("alerts", [found, warnings, more], () => [
    found.length + warnings.length === 0 ? make("p", {class: "quiet"}, "Nothing was noticed.") : null,
    ...found.map(([line, over]) => make("div", {class: "alert" + (over ? " over" : "")},
      make("p", null, make("time", {datetime: line.at}, moment(line.at)), " ", make("b", null, over ? "over: " : ""), line.text),
      line.hint ? make("p", {class: "quiet"}, ...marked(line.hint)) : null)),
    warnings.length > 0 ? make("details", {open: warnings.length < 6}, make("summary", null, count(more) + (more === 1 ? " warning" : " warnings")),
      make("ul", {class: "errors"}, warnings.map(w =>
        make("li", null, make("time", {datetime: w.at}, moment(w.at, true)), " ", w.message + (w.count > 1 ? " (" + count(w.count) + " times)" : ""))))) : null]);
}

// What a program would want to know of, though the log of a terminal does not show it: a phase, a retry.
function importance(line) {
  return line.level === "debug" && line.kind !== "message" && line.kind !== "chunk" ? LEVELS.info : LEVELS[line.level];
}

let linesSoon = null;

function showLinesSoon() {
  if (linesSoon === null) linesSoon = setTimeout(showLines, 200);
}

function showLines() {
  linesSoon = null;
  const level = Number(at("level").value), wanted = at("search").value.toLowerCase();
  const fitting = page.lines.filter(line => importance(line) <= level && (wanted === "" || (line.text + " " + line.kind).toLowerCase().includes(wanted)));
  const shown = fitting.slice(-LINES_SHOWN).reverse();
  at("log-count").textContent = fitting.length === 0 ? "No such line." : "The newest first; " + count(shown.length) + " of " + count(page.lines.length) + " lines; events.jsonl has all.";
  at("lines").replaceChildren(...shown.map(line => make("li", null,
    make("time", {datetime: line.at, title: line.at}, moment(line.at)), make("span", {class: line.level}, line.level),
    make("span", null, line.text, line.hint ? make("small", null, ...marked(line.hint)) : null))));
  showAlerts();
}

// ---- begin

at("level").addEventListener("change", showLines);
at("search").addEventListener("input", showLines);
addEventListener("hashchange", () => { if (location.hash.startsWith("#/")) { choose(); at("main").focus({preventScroll: true}); } });
addEventListener("resize", () => showChunks(true));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showChunks(true));
document.addEventListener("visibilitychange", () => { follow(); if (!document.hidden) readRuns(); });
setInterval(() => { if (!document.hidden) readRuns(); }, 3000);
setInterval(() => { if (!document.hidden && page.progress && page.progress.at_work && page.lostAt === null) showTiles(); }, 1000);
readRuns();
