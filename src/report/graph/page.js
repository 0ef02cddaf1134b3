"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const view = document.getElementById("view");
  const picture = document.getElementById("picture");
  const scene = document.getElementById("scene");
  const told = document.getElementById("told");
  const start = document.getElementById("start");
  const search = document.getElementById("search");
  const size = { width: +picture.dataset.width, height: +picture.dataset.height };
  const byId = id => document.getElementById(id);
  const isThere = element => element !== null;
  // What a node or line is drawn as: once, and again in other parts of a big picture. What stands below what it runs as has
  // no line.
  const own = data.nodes.length;
  const drawnNodes = data.nodes.map((_, place) => [byId("n" + place)]);
  const drawnLines = data.lines.map((_, place) => [byId("l" + place)].filter(isThere));
  data.again.forEach(([node], at) => drawnNodes[node].push(byId("n" + (own + at))));
  data.lines_again.forEach((line, at) => drawnLines[line].push(...[byId("l" + (data.lines.length + at))].filter(isThere)));
  const nodeAt = place => place < own ? place : data.again[place - own][0];
  const lineAt = place => place < data.lines.length ? place : data.lines_again[place - data.lines.length];
  const parts = data.blocks.map((_, place) => byId("b" + place));
  const linesOf = data.nodes.map(() => []);
  data.lines.forEach((line, place) => {
    linesOf[line.from].push(place);
    if (line.to !== line.from) linesOf[line.to].push(place);
  });
  const nodeOf = [];
  data.nodes.forEach((node, place) => node.members.forEach(member => { nodeOf[member] = place; }));
  const mostShown = 200;

  // Where the picture is seen from. What is too small to be read is not drawn, nor parts that are out of sight. While the
  // picture moves it is not drawn again but moved as it is, for which it is larger than its window; it is drawn again when
  // it comes to rest, or when that is not enough.
  const readable = 0.4, legible = 0.22, near = 0.45, margin = 0.25, farthest = 0.45, closest = 2.6, rest = 150;
  let x = 0, y = 0, scale = 1, asked = false, resting;
  const at = { x: 0, y: 0, scale: 0 };
  const away = parts.map(() => false);
  // Titles are of a size that can be read when all is seen; from near they are smaller.
  scene.style.setProperty("--title", Math.min(1, 36 / Math.max(1, +picture.dataset.title)));
  // The size of the window, which is asked for only when it changes: to ask after something was hidden lays out everything anew.
  const room = { width: 0, height: 0 };
  const measure = () => {
    room.width = view.clientWidth;
    room.height = view.clientHeight;
  };
  measure();
  const beyond = () => [room.width * margin, room.height * margin];
  const isOutOfSight = (part, wide, high) => {
    const [left, top] = [x + part.x * scale, y + part.y * scale];
    return left > room.width + wide || top > room.height + high
      || left + part.width * scale < -wide || top + part.height * scale < -high;
  };
  const settle = () => {
    clearTimeout(resting);
    const [wide, high] = beyond();
    scene.classList.toggle("far", scale < readable);
    scene.classList.toggle("map", scale < legible);
    scene.classList.toggle("near", scale > near);
    parts.forEach((part, place) => {
      const now = isOutOfSight(data.blocks[place], wide, high);
      if (now === away[place]) return;
      away[place] = now;
      part.classList.toggle("away", now);
    });
    scene.setAttribute("transform", `translate(${x + wide} ${y + high}) scale(${scale})`);
    picture.style.transformOrigin = `${wide}px ${high}px`;
    picture.style.transform = "none";
    [at.x, at.y, at.scale] = [x, y, scale];
  };
  const move = () => {
    const [wide, high] = beyond();
    const by = scale / at.scale;
    const [left, top] = [x - by * at.x, y - by * at.y];
    // Whether the edges of what is drawn would be seen; for a moment, while one moves away, they may.
    const part = by < 0.98 ? 0.3 : 0;
    const isSeen = left - wide * by > part * room.width || top - high * by > part * room.height
      || left + (room.width + wide) * by < (1 - part) * room.width
      || top + (room.height + high) * by < (1 - part) * room.height;
    if (!(by > farthest && by < closest) || isSeen) { settle(); return; }
    picture.style.transform = `translate(${left}px, ${top}px) scale(${by})`;
    clearTimeout(resting);
    resting = setTimeout(settle, rest);
  };
  const draw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; move(); });
  };
  const zoom = (factor, atX, atY) => {
    const next = Math.min(4, Math.max(0.01, scale * factor));
    x = atX - (atX - x) * next / scale;
    y = atY - (atY - y) * next / scale;
    scale = next;
    draw();
  };
  const middle = () => [room.width / 2, room.height / 2];
  const showAll = () => {
    const border = parts.length > 0 ? 20 : 50;
    const fits = Math.min((room.width - border) / size.width, (room.height - 2 * border) / size.height);
    // What is much higher than the window is shown from its top, as wide as it can be.
    const wide = (room.width - border) / size.width;
    scale = Math.min(1.2, parts.length === 0 && fits < 0.2 ? Math.max(fits, Math.min(wide, 0.6)) : fits);
    x = Math.max(border / 2, (room.width - size.width * scale) / 2);
    y = Math.max(border, (room.height - size.height * scale) / 2);
    draw();
  };
  const showNode = place => {
    const [midX, midY] = middle();
    scale = Math.max(scale, 0.8);
    x = midX - (data.nodes[place].x + 108) * scale;
    y = midY - data.nodes[place].y * scale;
    draw();
  };
  const showPart = place => {
    const [midX, midY] = middle();
    const part = data.blocks[place];
    scale = Math.min(1.2, (room.width - 40) / part.width, (room.height - 40) / part.height);
    x = midX - (part.x + part.width / 2) * scale;
    y = midY - (part.y + part.height / 2) * scale;
    draw();
  };

  // The members of a folded node, below it in the picture.
  const mostOpened = 14;
  let opened = null;
  const drawn = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const shut = () => {
    if (opened) opened.remove();
    opened = null;
  };
  const open = place => {
    const node = data.nodes[place];
    if (node.members.length < 2) return;
    const [row, top] = [18, node.y + node.height / 2 + 8];
    const names = node.members.slice(0, mostOpened).map(member => `${data.members[member][0]} ${data.members[member][1]}`);
    if (node.members.length > mostOpened) names.push(`and ${node.members.length - mostOpened} more, at the side`);
    opened = drawn("g", { class: "opened on" });
    const box = drawn("rect", { x: node.x, y: top, height: names.length * row + 10, rx: 4 });
    opened.append(box);
    names.forEach((name, at) => {
      opened.append(drawn("text", { class: "text", x: node.x + 10, y: top + 17 + at * row }, name));
    });
    scene.append(opened);
    box.setAttribute("width", Math.max(216, opened.getBBox().width + 10));
  };

  // What stands out.
  let lit = [];
  const light = elements => {
    shut();
    lit.forEach(element => element.classList.remove("on", "selected"));
    lit = elements;
    lit.forEach(element => element.classList.add("on"));
    scene.classList.toggle("dim", lit.length > 0);
  };

  // What is told at the side. Everything is set as text.
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const link = (text, action) => {
    const button = element("button", text);
    button.addEventListener("click", action);
    return button;
  };
  const list = (heading, items) => {
    if (items.length === 0) return;
    told.append(element("h2", heading));
    const made = element("ul");
    items.slice(0, mostShown).forEach(item => made.append(item));
    if (items.length > mostShown) made.append(element("li", `and ${items.length - mostShown} more`));
    told.append(made);
  };
  const clear = () => {
    light([]);
    told.replaceChildren();
    start.hidden = false;
  };
  const begin = heading => {
    told.replaceChildren(link("Back", clear), element("h2", heading));
    start.hidden = true;
  };
  const lineItem = (place, other, arrow) => {
    const line = data.lines[place];
    const item = element("li");
    item.append(element("span", arrow + " "), link(data.nodes[other].name, () => select(other, true)));
    line.rights.forEach(([kind, when]) => {
      item.append(element("p", when === null ? kind : `${kind}, only if:`, "small"));
      (when || []).forEach(condition => item.append(element("p", "· " + data.conditions[condition], "small")));
    });
    if (line.grade) item.append(element("p", `part of a loop: ${line.grade}`, "red"));
    return item;
  };
  const memberItem = member => {
    const [kind, , full] = data.members[member];
    const item = element("li", `${kind} ${full}`);
    (data.rights[member] || []).forEach(([right, number, some]) => {
      const when = some === 0 ? "" : `, ${some} of them under conditions`;
      item.append(element("p", `${right}: ${number}${when}`, "small"));
    });
    data.runs.forEach(([workload, principal]) => {
      if (workload === member) item.append(element("p", `runs as ${data.members[principal][1]}`, "small"));
      if (principal === member) item.append(element("p", `${data.members[workload][0]} ${data.members[workload][1]} runs as it`, "small"));
    });
    return item;
  };
  const select = (place, move) => {
    const node = data.nodes[place];
    const around = new Set(drawnNodes[place]);
    linesOf[place].forEach(line => {
      drawnLines[line].forEach(drawn => around.add(drawn));
      [data.lines[line].from, data.lines[line].to].forEach(end => drawnNodes[end].forEach(drawn => around.add(drawn)));
    });
    light([...around]);
    drawnNodes[place].forEach(drawn => drawn.classList.add("selected"));
    open(place);
    begin(node.name);
    told.append(element("p", node.caption, "small"));
    if (parts.length > 0) {
      const where = element("p", "stands in ", "small");
      where.append(link(data.blocks[node.block].title, () => select(place, true)));
      const others = drawnNodes[place].length - 1;
      if (others > 0) where.append(`, and is drawn again in ${others} ${others === 1 ? "other part" : "other parts"}`);
      told.append(where);
    }
    if (node.note) told.append(element("p", node.note, "red"));
    const several = node.members.length > 1;
    if (!several) list("Full name", [memberItem(node.members[0])]);
    const out = linesOf[place].filter(line => data.lines[line].from === place);
    const into = linesOf[place].filter(line => data.lines[line].to === place && data.lines[line].from !== place);
    if (several) list(`${node.members.length} in this node`, node.members.map(memberItem));
    list("To", out.map(line => lineItem(line, data.lines[line].to, "→")));
    list("From", into.map(line => lineItem(line, data.lines[line].from, "←")));
    if (move) showNode(place);
  };
  const selectLine = place => {
    const line = data.lines[place];
    light([...drawnLines[place], ...drawnNodes[line.from], ...drawnNodes[line.to]]);
    begin(`${data.nodes[line.from].name} → ${data.nodes[line.to].name}`);
    list("Rights", [lineItem(place, line.to, "→")]);
  };
  const selectLoop = place => {
    const [words, path] = data.loops[place];
    const passed = path.flatMap(node => drawnNodes[node]);
    data.lines.forEach((line, at) => {
      if (line.grade && path.some((node, step) => node === line.from && path[step + 1] === line.to)) passed.push(...drawnLines[at]);
    });
    light([...new Set(passed)]);
    begin(`Loop: ${words}`);
    list("Path", path.map(node => {
      const item = element("li");
      item.append(link(data.nodes[node].name, () => select(node, true)));
      return item;
    }));
    showNode(path[0]);
  };

  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    if (wanted === "") return clear();
    const found = [];
    data.members.forEach(([, name, full], member) => {
      if (nodeOf[member] === undefined) return;
      if (name.toLowerCase().includes(wanted) || full.toLowerCase().includes(wanted)) found.push(member);
    });
    begin(`${found.length} found`);
    light([...new Set(found.flatMap(member => drawnNodes[nodeOf[member]]))]);
    list("Names", found.map(member => {
      const item = element("li");
      item.append(link(`${data.members[member][0]} ${data.members[member][1]}`, () => select(nodeOf[member], true)));
      return item;
    }));
  });
  const press = (item, action) => {
    item.tabIndex = 0;
    item.addEventListener("click", action);
    item.addEventListener("keydown", event => { if (event.key === "Enter") action(); });
  };
  const listedLoops = document.querySelectorAll("#loops li.found");
  listedLoops.forEach((item, place) => press(item, () => selectLoop(place)));
  document.querySelectorAll("#parts li").forEach((item, place) => press(item, () => showPart(place)));
  document.getElementById("closer").addEventListener("click", () => zoom(1.4, ...middle()));
  document.getElementById("farther").addEventListener("click", () => zoom(1 / 1.4, ...middle()));
  document.getElementById("all").addEventListener("click", showAll);
  view.addEventListener("wheel", event => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.03 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });

  // A press that moves drags; one that does not selects what it is on.
  let pressed = null;
  view.addEventListener("pointerdown", event => {
    pressed = { x: event.clientX, y: event.clientY, moved: false, on: event.target };
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", event => {
    if (!pressed) return;
    const [byX, byY] = [event.clientX - pressed.x, event.clientY - pressed.y];
    if (!pressed.moved && Math.hypot(byX, byY) < 4) return;
    pressed.moved = true;
    view.classList.add("dragged");
    x += byX;
    y += byY;
    pressed.x = event.clientX;
    pressed.y = event.clientY;
    draw();
  });
  view.addEventListener("pointerup", () => {
    view.classList.remove("dragged");
    const was = pressed;
    pressed = null;
    if (!was || was.moved) return;
    const on = was.on.closest(".node, .line, .title");
    if (!on) return clear();
    const place = +on.id.slice(1);
    if (on.classList.contains("title")) showPart(place);
    else if (on.classList.contains("node")) select(nodeAt(place), false);
    else selectLine(lineAt(place));
  });
  view.addEventListener("pointercancel", () => { pressed = null; });
  drawnNodes.forEach(([node], place) => {
    node.setAttribute("tabindex", "0");
    node.addEventListener("keydown", event => { if (event.key === "Enter") select(place, false); });
  });
  const step = 90;
  const keys = {
    ArrowLeft: () => { x += step; draw(); },
    ArrowRight: () => { x -= step; draw(); },
    ArrowUp: () => { y += step; draw(); },
    ArrowDown: () => { y -= step; draw(); },
    "+": () => zoom(1.25, ...middle()),
    "-": () => zoom(1 / 1.25, ...middle()),
    "0": showAll,
  };
  addEventListener("keydown", event => {
    if (event.key === "Escape") { search.value = ""; clear(); return; }
    const inText = event.target === search || event.target.closest("aside");
    if (inText || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener("resize", () => { measure(); settle(); });
  // On paper the whole picture, whatever is seen of it.
  addEventListener("beforeprint", () => {
    picture.setAttribute("viewBox", `-10 -40 ${size.width + 20} ${size.height + 50}`);
    scene.removeAttribute("transform");
    picture.style.transform = "none";
    scene.classList.remove("far", "map", "near");
    parts.forEach(part => part.classList.remove("away"));
  });
  addEventListener("afterprint", () => {
    picture.removeAttribute("viewBox");
    away.fill(false);
    settle();
  });
  showAll();
  // What does not fit the window is opened at the gravest loop.
  if (parts.length === 0 && size.height * scale > 2 * room.height && data.loops.length > 0) {
    y = middle()[1] - data.nodes[data.loops[0][1][0]].y * scale;
  }
  // A page is opened at a node by its place, as in `#n12`, or at a part, as in `#b3`.
  const wanted = /^#([nb])(\d+)$/.exec(location.hash);
  if (wanted && wanted[1] === "n" && drawnNodes[+wanted[2]]) select(+wanted[2], true);
  if (wanted && wanted[1] === "b" && parts[+wanted[2]]) showPart(+wanted[2]);
})();
