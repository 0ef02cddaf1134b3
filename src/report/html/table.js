// The table: only the rows that are in sight exist.
const list = byId("list"), rows = byId("rows");
const rowHeight = 66, beyondSight = 6;
let shown = new Int32Array(0);
let chosen = -1;
const drawn = new Map();
const tag = (name, text) => make("span", `tag ${name}`, text);
const cell = (name, ...children) => {
  const element = make("div", name, ...children);
  element.setAttribute("role", "gridcell");
  return element;
};
const tagsOf = place => {
  const tags = [];
  if (data.state[place] > 0) tags.push(tag("state", states[data.state[place]]));
  if (data.compared && data.change[place] < 2) tags.push(tag("change", changes[data.change[place]]));
  if (data.conditional[place] === 1) tags.push(tag("conditional", "conditional"));
  return tags;
};
const whereOf = place => {
  const where = [];
  if (data.accounts.length > 1) where.push(data.accounts[data.account[place]][1] || accountOf(place));
  where.push(regionOf(place));
  return where.join(" · ");
};
const row = at => {
  const place = shown[at];
  const [kind, name] = data.subject[place];
  const severity = data.severities[data.severity[place]];
  const subject = make("span", "quiet", full(kind, name));
  const element = make("div", "row",
    cell("severity", make("span", `chip ${severity}`, severity)),
    cell("what", make("div", "title", data.title[place]), make("div", "below", ...tagsOf(place), subject)),
    cell("rule", make("div", "", ruleOf(place)), make("div", "", whereOf(place))));
  element.id = `row-${at}`;
  element.setAttribute("role", "row");
  element.setAttribute("aria-rowindex", at + 1);
  element.style.transform = `translateY(${at * rowHeight}px)`;
  return element;
};
const mark = () => {
  for (const [at, element] of drawn) {
    const isChosen = at === chosen;
    element.classList.toggle("chosen", isChosen);
    element.setAttribute("aria-selected", isChosen);
  }
  if (drawn.has(chosen)) list.setAttribute("aria-activedescendant", `row-${chosen}`);
  else list.removeAttribute("aria-activedescendant");
};
const draw = () => {
  const first = Math.max(0, Math.floor(list.scrollTop / rowHeight) - beyondSight);
  const beyond = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / rowHeight) + beyondSight);
  for (const [at, element] of drawn) {
    if (at < first || at >= beyond) { element.remove(); drawn.delete(at); }
  }
  for (let at = first; at < beyond; at += 1) {
    if (drawn.has(at)) continue;
    const element = row(at);
    drawn.set(at, element);
    rows.append(element);
  }
  mark();
};
const nothing = () => {
  const text = number === 0
    ? byId("gaps") !== null && document.querySelector("header .alarm") !== null
      ? "No findings so far, but not everything could be read."
      : "No findings: everything that was asked for was read, and no rule is broken."
    : "No finding fits what is asked for.";
  const element = make("p", "nothing", text);
  element.setAttribute("role", "row");
  return element;
};
const showRows = places => {
  shown = places;
  chosen = -1;
  for (const element of drawn.values()) element.remove();
  drawn.clear();
  rows.replaceChildren();
  rows.style.height = `${shown.length * rowHeight}px`;
  list.setAttribute("aria-rowcount", shown.length);
  list.scrollTop = 0;
  if (shown.length === 0) rows.append(nothing());
  draw();
};
const bringIntoSight = at => {
  const top = at * rowHeight;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + rowHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + rowHeight - list.clientHeight;
};
