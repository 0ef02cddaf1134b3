// How long a browser takes to open the page of a report and to answer in it, and whether it asks anybody for anything.
//
//   node --experimental-websocket benches/page.mjs report.html
//
// Needs Node 20.10 or newer (from 22 on without the option) and Chromium (PATSCAN_BROWSER names it), and no package: it
// speaks to the browser over its debugging port. Fails when something is said on the console or a request leaves the page.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const page = resolve(process.argv[2] ?? "report.html");
const rounds = 5;
const profile = mkdtempSync(join(tmpdir(), "patscan-page-"));
const browser = spawn(process.env.PATSCAN_BROWSER ?? "chromium", [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank",
], { stdio: ["ignore", "ignore", "pipe"] });
const address = await new Promise((found, failed) => {
  let said = "";
  browser.stderr.on("data", text => {
    said += text;
    const match = /ws:\/\/\S+/.exec(said);
    if (match) found(match[0]);
  });
  browser.on("error", failed);
  browser.on("exit", () => failed(new Error(`the browser ended: ${said}`)));
});

const socket = new WebSocket(address);
await new Promise(opened => { socket.onopen = opened; });
const waiting = new Map();
const trouble = [];
let last = 0, loaded;
socket.onmessage = ({ data }) => {
  const { id, method, params, result, error } = JSON.parse(data);
  if (id !== undefined) {
    const [done, failed] = waiting.get(id);
    waiting.delete(id);
    if (error) failed(new Error(error.message)); else done(result);
    return;
  }
  if (method === "Page.loadEventFired") loaded?.();
  if (["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"].includes(method)) {
    trouble.push(`${method} ${JSON.stringify(params).slice(0, 400)}`);
  }
  if (method === "Network.requestWillBeSent" && params.request.url.split("#")[0] !== `file://${page}`) {
    trouble.push(`a request: ${params.request.url.slice(0, 200)}`);
  }
};
const send = (method, params = {}, sessionId = undefined) => new Promise((done, failed) => {
  last += 1;
  waiting.set(last, [done, failed]);
  socket.send(JSON.stringify({ id: last, method, params, sessionId }));
});
const { targetId } = await send("Target.createTarget", { url: "about:blank" });
const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
const ask = (method, params) => send(method, params, sessionId);
for (const domain of ["Page", "Runtime", "Log", "Network"]) await ask(`${domain}.enable`);
await ask("Emulation.setDeviceMetricsOverride", { width: 1440, height: 900, deviceScaleFactor: 1, mobile: false });
const evaluate = async expression => {
  const { result, exceptionDetails } = await ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
};

const middle = numbers => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const told = (what, numbers) => console.log(`${what.padEnd(34)}${middle(numbers).toFixed(0).padStart(7)} ms   (${numbers.map(one => one.toFixed(0)).join(", ")})`);
console.log(`${page}, ${(statSync(page).size / 1e6).toFixed(1)} MB`);

// From asking for the page to rows and a finding that are painted.
const opened = [];
for (let round = 0; round < rounds; round += 1) {
  const left = new Promise(done => { loaded = done; });
  await ask("Page.navigate", { url: "about:blank" });
  await left;
  const load = new Promise(done => { loaded = done; });
  const before = performance.now();
  await ask("Page.navigate", { url: `file://${page}` });
  await load;
  await evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))");
  opened.push(performance.now() - before);
  if (!await evaluate("document.body.dataset.ready === 'yes' && document.querySelectorAll('.row').length > 0")) trouble.push("no row was drawn");
}
told("open", opened);

// From an input to rows that are painted. What the page makes ready while nobody waits, it has made ready.
await evaluate("new Promise(done => setTimeout(done, 3000))");
const answered = async (what, doing) => {
  const numbers = [];
  for (const one of doing) {
    numbers.push(await evaluate(`(async () => {
      const before = performance.now();
      ${one}
      const count = document.getElementById("count").textContent;
      await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
      return performance.now() - before;
    })()`));
  }
  told(what, numbers);
};
const search = word => `const search = document.getElementById("search"); search.value = ${JSON.stringify(word)};
  search.dispatchEvent(new Event("input")); await new Promise(done => setTimeout(done, 30)); `;
const pause = 30;
await answered(`search, of it ${pause} wait for typing`, ["p", "pay", "payments", "payments-worker-0123", "ledger 1999", "arn:aws:sqs:eu-west-1", "nothing-has-this"].map(search));
await answered("search taken back", [search("")]);
const select = (id, value) => `const select = document.getElementById("${id}"); select.value = "${value}"; select.dispatchEvent(new Event("change"));`;
await answered("filter by rule", [0, 1, 2, -1].map(value => select("by-rule", value)));
await answered("filter by account", [0, 1, -1].map(value => select("by-account", value)));
await answered("filter by severity", [0, 1, 1, 0].map(place => `document.querySelectorAll(".tile")[${place}].click();`));
await answered("sort, the first time", ["title", "subject", "rule", "account", "region"].map(key => select("sort", key)));
await answered("sort, again", ["title", "subject", "severity"].map(key => select("sort", key)));
await answered("open a finding", [1, 5, 9].map(at => `document.querySelectorAll(".row")[${at}].click();`));
await answered("jump to the end and back", ["End", "Home"].map(key => `document.getElementById("list").dispatchEvent(new KeyboardEvent("keydown", { key: "${key}" }));`));
const { usedSize } = await ask("Runtime.getHeapUsage");
console.log(`${"memory of the script".padEnd(34)}${(usedSize / 1e6).toFixed(0).padStart(7)} MB`);

await send("Browser.close").catch(() => {});
await new Promise(ended => browser.exitCode === null ? browser.on("exit", ended) : ended());
rmSync(profile, { recursive: true, force: true });
for (const line of trouble) console.error(line);
process.exitCode = trouble.length === 0 ? 0 : 1;
