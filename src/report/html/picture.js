// The small picture of one finding: who holds the access left, what it is to in the middle, who only takes right, drawn from the
// statements that prove it.
const svgElement = (tag, attributes, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const mostHolders = 5, mostThings = 7, mostWorkloads = 2;
const takes = new Set(["receive", "delete"]);
const isTaking = capability => takes.has(capability) || /:(receive|deletemessage)/i.test(capability);
const isManaging = capability => /^(administer|purge|redrive)$/.test(capability) || /^(iam|kms|lambda:Update|sqs:(Set|Add|Remove|Purge))/.test(capability);

const stepsOf = (place, rest) => {
  const holders = rest.principals.slice(0, mostHolders).map(([kind, name, workloads]) => ({ kind, name, workloads, side: "holder" }));
  const byGrade = rest.resources.map((one, at) => [one, at]).sort((a, b) => b[0][3] - a[0][3] || a[1] - b[1]).map(([one]) => one);
  const things = byGrade.slice(0, mostThings).map(([kind, name, conditional, grade]) => ({ kind, name, conditional, grade, side: "thing" }));
  const lines = new Map();
  const line = (from, to, capability, conditional) => {
    const key = `${from.side}${from.name}>${to.side}${to.name}`;
    const known = lines.get(key) || { from, to, capabilities: new Set(), conditional };
    if (capability) known.capabilities.add(capability);
    lines.set(key, known);
  };
  const everyone = { side: "frame", name: -1 };
  const only = rest.principals.length === 1 ? holders[0] : undefined;
  const holderNamed = name => holders.find(holder => holder.name === name || holder.workloads.some(([, workload]) => workload === name));
  const carrier = policy => {
    const owner = / of (?:role|user|group) ([^ ]+)$/.exec(nameOf(policy));
    const named = owner && holders.find(holder => short(holder.name).split(" ")[0] === owner[1]);
    return named || only || (rest.principals.length > 0 ? everyone : undefined);
  };
  const extra = name => {
    if (things.length >= mostThings + 2) return undefined;
    const thing = { kind: undefined, name, conditional: 0, grade: 0, side: "thing" };
    things.push(thing);
    return thing;
  };
  const thingNamed = name => things.find(thing => thing.name === name);
  const nodeNamed = name => thingNamed(name) || holderNamed(name);
  // What is given by a pattern is said of what nothing else is said of.
  const patterns = [];
  const isPattern = name => /[*?]/.test(nameOf(name));
  const hasMore = new Set(rest.resources.map(([, name]) => name));
  for (const { policy, layer, effect, gives } of rest.statements) {
    if (effect !== "Allow" || ["boundary", "scp", "rcp", "kms"].includes(layer)) continue;
    for (const [text, names] of gives) {
      const capability = rest.texts[text];
      for (const name of names) {
        if (capability === "deliver") {
          const source = nameOf(policy);
          const known = [...things, ...holders].find(node => source.startsWith(nameOf(node.name))
            || (node.workloads || []).some(([, workload]) => source.startsWith(nameOf(workload))));
          const from = known || (source.startsWith("arn:") ? extra(policy) : undefined);
          const to = nodeNamed(name) || (from && extra(name));
          if (from && to && from !== to) line(from, to, "delivers", 0);
          continue;
        }
        const holder = carrier(policy);
        if (holder === undefined) continue;
        if (isPattern(name) && things.length > 0) {
          for (const thing of things) patterns.push([holder, thing, capability]);
          continue;
        }
        const target = /^sts:AssumeRole/.test(capability) || !thingNamed(name) ? nodeNamed(name) : thingNamed(name);
        const thing = target || (hasMore.has(name) ? undefined : extra(name));
        if (thing === undefined || thing === holder) continue;
        if (isTaking(capability)) line(thing, holder, capability, thing.conditional);
        else line(holder, thing, capability, thing.conditional);
      }
    }
  }
  const isTold = new Set([...lines.values()].flatMap(({ from, to }) => [from, to]));
  for (const [holder, thing, capability] of patterns) {
    if (isTold.has(thing)) continue;
    if (isTaking(capability)) line(thing, holder, capability, thing.conditional);
    else line(holder, thing, capability, thing.conditional);
  }
  // What no statement names is said to belong to it all the same.
  const touched = new Set([...lines.values()].flatMap(({ from, to }) => [from, to]));
  const someone = only || (holders.length > 0 ? everyone : undefined);
  if (someone) for (const thing of things) if (!touched.has(thing) && thing !== someone) line(someone, thing, "", thing.conditional);
  if (things.length > 0) for (const holder of holders) {
    const isIn = [...lines.values()].some(({ from, to }) => from === holder || to === holder || from === everyone || to === everyone);
    if (!isIn) line(holder, things[0], "", 0);
  }
  const [kind, name] = data.subject[place];
  const isPolicy = data.kinds[kind][0] === "policy" && !things.some(thing => thing.name === name);
  return {
    holders, things, lines: [...lines.values()],
    policy: isPolicy ? { kind, name, side: "policy" } : undefined,
    moreHolders: rest.principals.length - holders.length,
    moreThings: rest.resources.length + rest.more_resources - Math.min(mostThings, rest.resources.length),
  };
};

// What is called `eu-west-1/orders (111122223333)` is `orders`, in `eu-west-1`; its account matters where it is another one.
const placed = ({ kind, name }, account) => {
  if (kind !== undefined && data.kinds[kind][0] === "anyone") return ["anyone", ""];
  const [, region, bare, owner] = /^(?:([a-z]{2}(?:-[a-z]+)+-[0-9])\/)?(.*?)(?: \(([0-9]{12})\))?$/.exec(short(name)) || [];
  if (!bare) return [short(name), ""];
  return [bare, [region && `in ${region}`, owner && owner !== account && `of ${owner}`].filter(Boolean).join(" ")];
};

const picture = (place, rest) => {
  const { holders, things, lines, policy, moreHolders, moreThings } = stepsOf(place, rest);
  if (holders.length + things.length < 2) return undefined;
  // On a narrow page everything is closer, so that words can still be read.
  const isSlim = detail.clientWidth < 480;
  const wide = isSlim ? 148 : 186, high = 38, between = policy !== undefined || isSlim ? 88 : 132, apart = 12;
  const mostLetters = isSlim ? 17 : 22;
  const sends = new Set(lines.filter(({ from }) => from.side !== "thing").map(({ from }) => from));
  const gets = new Set(lines.filter(({ from }) => from.side === "thing").map(({ to }) => to));
  const isRight = holder => gets.has(holder) && !sends.has(holder) && !lines.some(({ from, to }) => to === holder && from.side === "frame");
  const usesFrame = lines.some(({ from, to }) => from.side === "frame" || to.side === "frame") || (policy !== undefined && holders.length > 1);
  const left = usesFrame ? holders : holders.filter(holder => !isRight(holder));
  const right = holders.filter(holder => !left.includes(holder));
  const columns = [];
  if (policy) columns.push([policy]);
  if (left.length > 0) columns.push(left);
  if (things.length > 0) columns.push(things);
  if (right.length > 0) columns.push(right);
  const more = new Map();
  if (moreHolders > 0) more.set(left.length > 0 ? left : right, `and ${moreHolders.toLocaleString("en")} more`);
  if (moreThings > 0) more.set(things, `and ${moreThings.toLocaleString("en")} more`);
  const workloadsOf = node => {
    const known = node.workloads || [];
    const told = known.slice(0, mostWorkloads).map(([kind, name]) => full(kind, name));
    if (known.length > told.length) told.push(`and ${known.length - told.length} more`);
    return told;
  };
  const heightOf = node => high + workloadsOf(node).length * 15 + (workloadsOf(node).length > 0 ? 4 : 0);
  const columnHeight = column => column.reduce((sum, node) => sum + heightOf(node) + apart, 0) + (more.has(column) ? 18 : 0);
  const tall = Math.max(...columns.map(columnHeight));
  // Lines within a column bend outside of it.
  const margin = lines.some(({ from, to }) => columns.some(column => column.includes(from) && column.includes(to))) ? 92 : 12;
  const at = new Map();
  columns.forEach((column, number) => {
    let y = 14 + (tall - columnHeight(column)) / 2;
    for (const node of column) {
      at.set(node, { x: margin + number * (wide + between), y, height: heightOf(node), number });
      y += heightOf(node) + apart;
    }
    if (more.has(column)) at.set(column, { x: margin + number * (wide + between) + wide / 2, y: y + 4 });
  });
  const width = 2 * margin + columns.length * wide + (columns.length - 1) * between;
  const svg = svgElement("svg", { class: "small-picture", viewBox: `0 0 ${width} ${tall + 24}`, role: "img", "aria-label": `Picture: ${data.title[place]}` });
  let frame;
  if (usesFrame && left.length > 0) {
    const first = at.get(left[0]), last = at.get(left[left.length - 1]);
    frame = { x: first.x - 8, y: first.y - 8, height: last.y + last.height - first.y + 16 + (more.has(left) ? 18 : 0), wide: wide + 16, number: first.number };
    svg.append(svgElement("rect", { class: "frame", x: frame.x, y: frame.y, width: frame.wide, height: frame.height, rx: 8 }));
  }
  const boxOf = node => node.side === "frame" ? frame : { wide, ...at.get(node) };
  const all = policy && left.length > 0 ? [{ from: policy, to: usesFrame ? { side: "frame" } : left[0], capabilities: new Set(["held by"]), conditional: 0 }, ...lines] : lines;
  const ends = new Map();
  const slot = (node, side) => {
    // Lines at one side of a node stand apart.
    const key = node.side === "frame" ? "frame" : node;
    const known = ends.get(key) || { left: 0, right: 0 };
    ends.set(key, known);
    known[side] += 1;
    return known[side];
  };
  const number = new Map();
  for (const { from, to } of all) for (const node of [from, to]) {
    const key = node.side === "frame" ? "frame" : node;
    number.set(key, (number.get(key) || 0) + 1);
  }
  const labels = [];
  for (const { from, to, capabilities, conditional } of all) {
    const a = boxOf(from), b = boxOf(to);
    if (!a || !b || (a.x === undefined) || (b.x === undefined)) continue;
    const isSame = a.number === b.number;
    const forward = a.number < b.number;
    const isFirst = isSame && a.number === 0;
    const sideA = isSame ? (isFirst ? "left" : "right") : forward ? "right" : "left";
    const sideB = isSame ? sideA : forward ? "left" : "right";
    const spread = (node, box, side) => {
      const key = node.side === "frame" ? "frame" : node;
      const total = (number.get(key) || 1) + 1;
      const place = slot(node, side);
      return [box.y + Math.min(box.height, node.side === "frame" ? box.height : high) * place / total, place];
    };
    const x1 = a.x + (sideA === "right" ? a.wide : 0), x2 = b.x + (sideB === "right" ? b.wide : 0);
    const [y1, place1] = spread(from, a, sideA), [y2, place2] = spread(to, b, sideB);
    const bend = isSame ? 52 : between / 2;
    const c1 = x1 + (sideA === "right" ? bend : -bend), c2 = x2 + (sideB === "right" ? bend : -bend);
    const thing = from.side === "thing" ? from : to;
    const told = [...capabilities];
    const classes = ["line"];
    if (thing.grade > 0) classes.push("loop");
    else if (told.length === 0) classes.push("also");
    else if (told.every(isManaging)) classes.push("manage");
    else if (told.some(isTaking)) classes.push("receive");
    else classes.push("send");
    if (conditional === 1) classes.push("conditional");
    const group = svgElement("g", { class: classes.join(" ") }, svgElement("path", { d: `M${x1} ${y1}C${c1} ${y1} ${c2} ${y2} ${x2} ${y2}` }));
    if (told.length > 0) {
      const tip = sideB === "left" ? -7 : 7;
      group.append(svgElement("path", { class: "head", d: `M${x2} ${y2}l${tip} -4v8z` }));
    }
    svg.append(group);
    if (told.length > 0 && told[0] !== "") {
      // The word stands where the lines are apart: at the thing, the second below its line.
      const bare = told.map(capability => capability.replace(/^[a-z0-9-]+:(?=[A-Z])/, ""));
      bare.sort((a, b) => (a === "delete") - (b === "delete"));
      const most = isSlim ? 12 : 20;
      const all = bare.join(", ");
      const words = all.length <= most ? all : shorten(bare[0], most - 3) + (bare.length > 1 ? ", …" : "");
      const [x, y, side, place] = to.side === "thing" || from.side === "policy" ? [x2, y2, sideB, place2] : [x1, y1, sideA, place1];
      const gap = side === "left" ? -11 : 11;
      const text = isSame
        ? svgElement("text", { class: "label", x: (c1 + x1) / 2, y: (y1 + y2) / 2 + 3, "text-anchor": "middle" }, words)
        : svgElement("text", { class: "label", x: x + gap, y: place % 2 === 1 ? y - 4 : y + 11, "text-anchor": side === "left" ? "end" : "start" }, words);
      text.append(svgElement("title", {}, told.join(", ")));
      labels.push([group, text]);
    }
  }
  for (const [, text] of labels) svg.append(text);
  for (const column of columns) for (const node of column) {
    const { x, y, height } = at.get(node);
    const [name, where] = placed(node, accountOf(place));
    const word = [node.kind === undefined ? "" : data.kinds[node.kind][1], where].filter(text => text !== "").join(" ");
    const isLoop = node.grade > 0;
    const classes = ["node", node.side];
    if (isLoop) classes.push("loop");
    const caption = [word, node.grade > 0 ? grades[node.grade] : node.conditional === 1 ? "conditional" : ""].filter(text => text !== "").join(", ");
    const group = svgElement("g", { class: classes.join(" ") },
      svgElement("title", {}, nameOf(node.name)),
      svgElement("rect", { class: "outline", x, y, width: wide, height, rx: node.side === "thing" ? 4 : 12 }),
      svgElement("text", { class: "name", x: x + 10, y: y + (caption === "" ? 23 : 16) }, shorten(name, mostLetters)));
    if (caption !== "") group.append(svgElement("text", { class: "caption", x: x + 10, y: y + 30 }, shorten(caption, isSlim ? 21 : 28)));
    workloadsOf(node).forEach((workload, line) => group.append(
      svgElement("text", { class: "workload", x: x + 10, y: y + high + 9 + line * 15 }, shorten(workload, isSlim ? 22 : 28))));
    svg.append(group);
  }
  for (const [column, text] of more) {
    const { x, y } = at.get(column);
    svg.append(svgElement("text", { class: "more", x, y }, text));
  }
  // No larger than its words need to be.
  svg.style.maxWidth = `${width}px`;
  return svg;
};
