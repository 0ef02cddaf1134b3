// One finding, whole: what it says, its picture, the way out, the proof.
const detail = byId("detail");
const mostListed = 40;
const part = (title, ...children) => make("section", "", make("h3", "", title), ...children);
const term = (name, ...values) => make("div", "fact", make("dt", "", name), make("dd", "", ...values));
// Lists of any length: the first, and a button for the others.
const listOf = (items, more, show) => {
  const element = make("ul", "names");
  const add = some => element.append(...some.map(item => make("li", "", ...show(item))));
  add(items.slice(0, mostListed));
  const hidden = items.length - mostListed;
  if (hidden > 0) {
    const button = make("button", "plain", `Show ${hidden.toLocaleString("en")} more`);
    button.type = "button";
    button.addEventListener("click", () => { button.parentElement.remove(); add(items.slice(mostListed)); rest(); });
    element.append(make("li", "", button));
  }
  const rest = () => { if (more > 0) element.append(make("li", "quiet", `and ${more.toLocaleString("en")} more; -f json counts them too`)); };
  if (hidden <= 0) rest();
  return element;
};
const named = name => {
  const element = make("span", "name", short(name));
  element.title = nameOf(name);
  return element;
};
const namedFull = (kind, name) => {
  const element = make("span", "name", full(kind, name));
  element.title = nameOf(name);
  return element;
};
const statement = ({ policy, statement, layer, effect, gives }, texts) => {
  const head = make("div", "", named(policy), ` statement ${texts[statement]}`, make("span", "quiet", ` ${layer}, ${effect}`));
  // What is given on the same is told in one line.
  const together = new Map();
  for (const [capability, names] of gives) {
    const key = names.join();
    together.set(key, [[...(together.get(key) || [[]])[0], texts[capability]], names]);
  }
  const rights = [...together.values()].map(([capabilities, names]) => {
    const told = names.slice(0, 6).flatMap((name, at) => at === 0 ? [named(name)] : [", ", named(name)]);
    const more = names.length > 6 ? ` and ${(names.length - 6).toLocaleString("en")} more` : "";
    return make("div", "gives", make("code", "", capabilities.join(", ")), " on ", ...told, more);
  });
  return [head, ...rights];
};
const waiverWords = { holds: "accepted", expired: "its waiver has expired", lapsed: "its waiver lapsed: what is behind the finding changed", partial: "its waiver is meant for some of the queues only" };
const explained = id => make("code", "command", `patscan explain ${/^[\w-]+$/.test(id) ? id : "ID"}`);
const ruleText = rule => {
  const template = byId(`rule-${rule}`);
  if (template === null) return [];
  const about = make("details", "about", make("summary", "", `About ${rule}`));
  about.append(template.content.cloneNode(true));
  return [about];
};
const showDetail = place => {
  if (place === undefined) {
    detail.replaceChildren(make("p", "nothing quiet", number === 0 ? "" : "Choose a finding to see its proof and its way out."));
    return;
  }
  const rest = restOf(place);
  const { texts } = rest;
  const severity = data.severities[data.severity[place]];
  const id = data.id[place];
  const close = make("button", "plain close", "← Findings");
  close.type = "button";
  close.addEventListener("click", leaveDetail);
  const heading = make("h2", "", data.title[place]);
  heading.tabIndex = -1;
  const [kind, name] = data.subject[place];
  const link = make("a", "id", id);
  link.href = `#${encodeURIComponent(id)}`;
  const facts = make("dl", "facts-of", term("subject", namedFull(kind, name)), term("rule", ruleOf(place)),
    term("account", [accountOf(place), data.accounts[data.account[place]][1]].filter(text => text !== "").join(" ")),
    term("region", regionOf(place)), term("id", link), term("evidence", make("code", "", rest.fingerprint)));
  if (isThere(rest.first_seen)) facts.append(term("first seen", rest.first_seen));
  if (isThere(rest.waiver)) {
    const { standing, owner, reason, expires } = rest.waiver;
    facts.append(term("waiver", `${waiverWords[standing] || standing}${isThere(expires) ? ` (until ${expires})` : ""}, ${owner}: ${reason}`));
  }
  const children = [close, make("p", "", make("span", `chip ${severity}`, severity), " ", ...tagsOf(place)), heading,
    make("p", "said", texts[rest.detail]), facts];
  const drawing = picture(place, rest);
  if (drawing !== undefined) children.push(make("div", "drawing", drawing));
  const cause = data.cause[place];
  const remedy = part("How to mend it", make("p", "remedy", texts[rest.remedy]),
    make("p", "quiet", "Each step of it, and the proof that it helps: ", explained(id)));
  if (cause >= 0) {
    const { policy, statement } = data.causes[cause];
    const button = make("button", "plain", "Show all of them");
    button.type = "button";
    button.addEventListener("click", () => showCause(cause));
    remedy.append(make("p", "", `It rests, with others, on statement ${statement} of ${policy}. `, button));
  }
  children.push(remedy);
  if (rest.conditions.length > 0) children.push(part("Only if", listOf(rest.conditions, 0, text => [texts[text]])));
  if (rest.statements.length > 0) {
    // What gives a right comes before what lets it pass.
    const isGiving = ({ layer }) => layer === "identity" || layer === "resource" || layer === "delivery";
    const statements = [...rest.statements.filter(isGiving), ...rest.statements.filter(one => !isGiving(one))];
    children.push(part("Proof", listOf(statements, rest.more_evidence, one => statement(one, texts))));
  }
  if (rest.principals.length > 0) {
    children.push(part(`Who holds the access: ${many(rest.principals.length, "principal")}`, listOf(rest.principals, 0, ([kind, name, workloads]) => {
      const runs = workloads.slice(0, 8).flatMap(([kind, name], at) => at === 0 ? [" runs ", namedFull(kind, name)] : [", ", namedFull(kind, name)]);
      if (workloads.length > 8) runs.push(` and ${workloads.length - 8} more`);
      return [namedFull(kind, name), make("span", "quiet", ...runs)];
    })));
  }
  if (rest.resources.length > 0) {
    const total = rest.resources.length + rest.more_resources;
    children.push(part(`What it is about: ${many(total, "resource")}`, listOf(rest.resources, rest.more_resources, ([kind, name, conditional, grade]) => {
      const told = [namedFull(kind, name)];
      if (grade > 0) told.push(" ", tag(grade === 3 ? "wired" : "grade", grades[grade]));
      else if (conditional === 1) told.push(" ", tag("conditional", "conditional"));
      return told;
    })));
  }
  children.push(...ruleText(ruleOf(place)));
  detail.replaceChildren(...children);
  detail.scrollTop = 0;
};
