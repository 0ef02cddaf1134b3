// What ties the page together: its parts, what is asked for, the keyboard, links to findings, and paper.
const parts = [...document.querySelectorAll("main > section")].filter(section => section.id !== "print");
const links = [...document.querySelectorAll("nav a")];
const narrow = matchMedia("(max-width: 900px)");
const search = byId("search"), count = byId("count"), clear = byId("clear"), chosenCause = byId("chosen-cause");
const tiles = [...document.querySelectorAll(".tile")];
const selects = {};

const showPart = id => {
  for (const section of parts) section.hidden = section.id !== id;
  for (const link of links) {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.part = id;
  if (id === "findings") draw();
};

// What the page shows is what its address says, so that it can be sent to somebody.
let settling;
const remember = hash => {
  clearTimeout(settling);
  settling = setTimeout(() => history.replaceState(null, "", hash), 250);
};
const choose = (at, isOpened) => {
  if (shown.length === 0) return;
  chosen = Math.max(0, Math.min(shown.length - 1, at));
  bringIntoSight(chosen);
  draw();
  if (!narrow.matches || isOpened) {
    showDetail(shown[chosen]);
    remember(`#${encodeURIComponent(data.id[shown[chosen]])}`);
  }
  if (isOpened) {
    document.body.classList.add("opened");
    detail.focus({ preventScroll: true });
  }
};
function leaveDetail() {
  document.body.classList.remove("opened");
  list.focus({ preventScroll: true });
}

const usual = () => ({ words: [], severities: new Set(), rule: -1, account: -1, region: -1, state: data.state.some(state => state > 0) ? 0 : -1, change: -1, cause: -1 });
const isUsual = () => {
  const { state } = usual();
  return wanted.words.length === 0 && wanted.severities.size === 0 && wanted.state === state
    && ["rule", "account", "region", "change", "cause"].every(key => wanted[key] < 0);
};
const refresh = () => {
  showRows(view());
  const all = shown.length === number;
  count.textContent = all ? many(number, "finding") : `${shown.length.toLocaleString("en")} of ${many(number, "finding")}`;
  clear.hidden = isUsual();
  for (const tile of tiles) tile.setAttribute("aria-pressed", wanted.severities.has(+tile.dataset.severity));
  for (const [key, select] of Object.entries(selects)) select.value = wanted[key];
  chosenCause.hidden = wanted.cause < 0;
  if (wanted.cause >= 0) {
    const { policy, statement } = data.causes[wanted.cause];
    chosenCause.textContent = `${shorten(policy, 40)}, statement ${shorten(statement, 24)} ✕`;
    chosenCause.setAttribute("aria-label", `Only findings that rest on statement ${statement} of ${policy}: take back`);
  }
  if (!narrow.matches && shown.length > 0) { chosen = 0; mark(); showDetail(shown[0]); }
  else showDetail(undefined);
};
const ask = changes => { Object.assign(wanted, changes); refresh(); };
function showCause(cause) {
  document.body.classList.remove("opened");
  showPart("findings");
  ask({ ...usual(), state: -1, cause });
  search.value = "";
  remember("#findings");
  list.focus({ preventScroll: true });
}

const choices = (id, key, options) => {
  const select = byId(id);
  selects[key] = select;
  // With nothing to choose from there is no choice.
  select.hidden = options.length < 3;
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    select.append(option);
  }
  select.addEventListener("change", () => ask({ [key]: key === "order" ? select.value : +select.value }));
};
const counted = (column, texts) => {
  const numbers = new Array(texts.length).fill(0);
  for (const value of column) numbers[value] += 1;
  return texts.map((text, value) => [value, `${text} (${numbers[value].toLocaleString("en")})`]).filter(([value]) => numbers[value] > 0);
};
const byText = options => options.sort(([, a], [, b]) => (a < b ? -1 : 1));
choices("by-rule", "rule", [[-1, "Every rule"], ...byText(counted(data.rule, data.rules.map(([id]) => id)))]);
choices("by-account", "account", [[-1, "Every account"], ...byText(counted(data.account, data.accounts.map(([id, alias]) => alias === "" ? id : `${id} ${alias}`)))]);
choices("by-region", "region", [[-1, "Every region"], ...byText(counted(data.region, data.regions))]);
choices("by-state", "state", [[-1, "Any status"], ...counted(data.state, ["Open", "Waived", "Only AWS can act"])]);
choices("by-change", "change", data.compared ? [[-1, "Old and new"], ...counted(data.change, ["New", "Changed", "Unchanged"])] : []);
const sorts = [["severity", "The gravest first"], ["title", "By title"], ["subject", "By subject"], ["rule", "By rule"]];
if (data.accounts.length > 1) sorts.push(["account", "By account"]);
if (data.regions.length > 1) sorts.push(["region", "By region"]);
if (data.compared) sorts.push(["change", "New ones first"]);
choices("sort", "order", sorts);
if (data.compared) byId("by-change").hidden = false;
if (data.state.some(state => state > 0)) byId("by-state").hidden = false;

for (const tile of tiles) {
  tile.addEventListener("click", () => {
    const severity = +tile.dataset.severity;
    if (!wanted.severities.delete(severity)) wanted.severities.add(severity);
    showPart("findings");
    refresh();
  });
}
document.querySelector(".tools").addEventListener("submit", event => event.preventDefault());
let typing;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => ask({ words: search.value.toLowerCase().split(/\s+/).filter(word => word !== "") }), number > 20000 ? 30 : 0);
});
search.addEventListener("keydown", event => {
  if (event.key === "ArrowDown") { event.preventDefault(); list.focus({ preventScroll: true }); choose(Math.max(chosen, 0), false); }
});
clear.addEventListener("click", () => { search.value = ""; ask(usual()); search.focus(); });
chosenCause.addEventListener("click", () => { ask({ cause: -1 }); list.focus({ preventScroll: true }); });
for (const button of document.querySelectorAll("[data-cause]")) {
  button.addEventListener("click", () => showCause(+button.dataset.cause));
}

let asked = false;
list.addEventListener("scroll", () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}, { passive: true });
rows.addEventListener("click", event => {
  const row = event.target.closest(".row");
  if (row !== null) choose(row.getAttribute("aria-rowindex") - 1, narrow.matches);
});
list.addEventListener("keydown", event => {
  const page = Math.max(1, Math.floor(list.clientHeight / rowHeight) - 1);
  const steps = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: chosen + page, PageUp: chosen - page, Home: 0, End: shown.length - 1 };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in steps) { event.preventDefault(); choose(steps[event.key], false); }
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(Math.max(chosen, 0), true); }
});
addEventListener("keydown", event => {
  if (event.key === "Escape" && detail.contains(document.activeElement)) leaveDetail();
  const isTyping = /^(input|select|textarea)$/i.test(document.activeElement.tagName);
  if (event.key === "/" && !isTyping && document.body.dataset.part === "findings") { event.preventDefault(); search.focus(); }
});
addEventListener("resize", draw);

// On paper stand the findings that are on the screen, the first of them in words.
const mostPrinted = 50;
const printed = place => {
  const rest = restOf(place);
  const severity = data.severities[data.severity[place]];
  const some = (items, more, show) => {
    const told = items.slice(0, 8).map(show);
    const left = items.length - told.length + more;
    return told.join(", ") + (left > 0 ? ` and ${left.toLocaleString("en")} more` : "");
  };
  const facts = [["Rule", `${ruleOf(place)}, ${accountOf(place)}, ${regionOf(place)}`]];
  if (rest.resources.length > 0) {
    facts.push(["On", some(rest.resources, rest.more_resources, ([kind, name, , grade]) => full(kind, name) + (grade > 0 ? ` (${grades[grade]})` : ""))]);
  }
  if (rest.principals.length > 0) facts.push(["Held by", some(rest.principals, 0, ([kind, name]) => full(kind, name))]);
  if (rest.conditions.length > 0) facts.push(["Only if", some(rest.conditions, 0, text => rest.texts[text])]);
  if (rest.statements.length > 0) {
    facts.push(["Proof", some(rest.statements, rest.more_evidence, ({ policy, statement }) => `statement ${rest.texts[statement]} of ${short(policy)}`)]);
  }
  facts.push(["Mend", rest.texts[rest.remedy]], ["Id", data.id[place]]);
  return make("article", "", make("h3", "", make("span", `chip ${severity}`, severity), ` ${data.title[place]} `, ...tagsOf(place)),
    make("dl", "facts-of", ...facts.map(([name, text]) => term(name, text))));
};
addEventListener("beforeprint", () => {
  const first = [...shown.slice(0, mostPrinted)];
  const title = isUsual() ? "Findings" : `Findings: ${count.textContent}, as chosen on the screen`;
  const more = shown.length - first.length;
  byId("print").replaceChildren(make("h2", "", title), ...first.map(printed),
    more > 0 ? make("p", "more", `and ${many(more, "more finding")}, which are not printed; the page and -f json have them all`) : "");
});

// An address that names a finding opens it, whatever is asked for.
const goTo = hash => {
  let name = hash.slice(1);
  try { name = decodeURIComponent(name); } catch { /* It is as it is written. */ }
  if (parts.some(section => section.id === name)) { showPart(name); return; }
  showPart("findings");
  const place = name === "" ? undefined : placeOf(name);
  if (place === undefined) return;
  let at = shown.indexOf(place);
  if (at < 0) {
    search.value = "";
    ask({ ...usual(), state: -1 });
    at = shown.indexOf(place);
  }
  list.scrollTop = Math.max(0, (at - 2) * rowHeight);
  choose(at, true);
};
addEventListener("hashchange", () => goTo(location.hash));
showPart("findings");
ask(usual());
goTo(location.hash);
// What a first search needs is made ready while nobody waits.
const idle = window.requestIdleCallback || (work => setTimeout(work, 200));
idle(readTexts);
document.body.dataset.ready = "yes";
