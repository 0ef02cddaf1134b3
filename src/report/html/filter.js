// Which findings are shown, and in which order.

// Many texts as one, so that a word is looked for in all of them at once.
const joined = texts => {
  const starts = new Int32Array(texts.length + 1);
  const lower = texts.map(text => text.toLowerCase().replaceAll("\n", " "));
  lower.forEach((text, place) => { starts[place + 1] = starts[place] + text.length + 1; });
  return { text: lower.join("\n"), starts };
};
const holding = ({ text, starts }, word) => {
  const marks = new Uint8Array(starts.length - 1);
  let place = 0;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, starts[place + 1])) {
    let beyond = starts.length - 1;
    while (place + 1 < beyond) {
      const middle = (place + beyond) >> 1;
      if (starts[middle] <= at) place = middle; else beyond = middle;
    }
    marks[place] = 1;
    if (place + 1 >= marks.length) break;
  }
  return marks;
};
let texts;
const readTexts = () => {
  if (texts !== undefined) return;
  const own = data.title.map((title, place) => `${title} ${data.id[place]} ${accountOf(place)} ${regionOf(place)}`);
  const starts = new Int32Array(number + 1);
  data.found_by.forEach((names, place) => { starts[place + 1] = starts[place] + names.length; });
  const flat = new Int32Array(starts[number]);
  data.found_by.forEach((names, place) => flat.set(names, starts[place]));
  texts = { own: joined(own), ends: joined(end), beginnings: beginnings.map(text => text.toLowerCase()), starts, flat };
};
// The names that hold a word: in their ends, in what they begin with, or across both.
const naming = word => {
  const marks = holding(texts.ends, word);
  const alike = texts.beginnings.map(text => text.includes(word));
  if (alike.includes(true)) for (let name = 0; name < marks.length; name += 1) if (alike[beginning[name]]) marks[name] = 1;
  for (let colon = word.indexOf(":"); colon >= 0; colon = word.indexOf(":", colon + 1)) {
    const [before, after] = [word.slice(0, colon + 1), word.slice(colon + 1)];
    const fits = texts.beginnings.map(text => after !== "" && text.endsWith(before));
    if (!fits.includes(true)) continue;
    for (let name = 0; name < marks.length; name += 1) {
      if (fits[beginning[name]] && texts.ends.text.startsWith(after, texts.ends.starts[name])) marks[name] = 1;
    }
  }
  return marks;
};
// The findings that hold a word; the last few words are remembered.
const remembered = new Map();
const foundBy = word => {
  let marks = remembered.get(word);
  if (marks !== undefined) return marks;
  readTexts();
  const { own, starts, flat } = texts;
  marks = holding(own, word);
  const named = naming(word);
  if (named.includes(1)) {
    for (let place = 0; place < number; place += 1) {
      if (marks[place] === 1) continue;
      for (let at = starts[place]; at < starts[place + 1]; at += 1) {
        if (named[flat[at]] === 1) { marks[place] = 1; break; }
      }
    }
  }
  if (remembered.size >= 16) remembered.delete(remembered.keys().next().value);
  remembered.set(word, marks);
  return marks;
};

const wanted = { words: [], severities: new Set(), rule: -1, account: -1, region: -1, state: -1, change: -1, cause: -1, order: "severity" };

// The report's own order begins with the gravest.
const orders = new Map();
const orderBy = key => {
  let order = orders.get(key);
  if (order !== undefined) return order;
  order = Int32Array.from({ length: number }, (_, place) => place);
  const sorted = (texts, of) => {
    const ranks = new Int32Array(texts.length);
    Array.from(texts.keys()).sort((a, b) => (texts[a] < texts[b] ? -1 : texts[a] > texts[b] ? 1 : a - b))
      .forEach((text, rank) => { ranks[text] = rank; });
    const rank = Int32Array.from({ length: number }, (_, place) => ranks[of(place)]);
    order.sort((a, b) => rank[a] - rank[b] || a - b);
  };
  if (key === "title") sorted(data.title, place => place);
  if (key === "rule") sorted(data.rules.map(([id]) => id), place => data.rule[place]);
  if (key === "subject") sorted(data.subject.map(([, name]) => short(name)), place => place);
  if (key === "account") sorted(data.accounts.map(([id]) => id), place => data.account[place]);
  if (key === "region") sorted(data.regions, place => data.region[place]);
  if (key === "change") order.sort((a, b) => data.change[a] - data.change[b] || a - b);
  orders.set(key, order);
  return order;
};

const view = () => {
  const marks = wanted.words.map(foundBy);
  const fits = place => (wanted.severities.size === 0 || wanted.severities.has(data.severity[place]))
    && (wanted.rule < 0 || data.rule[place] === wanted.rule)
    && (wanted.account < 0 || data.account[place] === wanted.account)
    && (wanted.region < 0 || data.region[place] === wanted.region)
    && (wanted.state < 0 || data.state[place] === wanted.state)
    && (wanted.change < 0 || data.change[place] === wanted.change)
    && (wanted.cause < 0 || data.cause[place] === wanted.cause)
    && marks.every(found => found[place] === 1);
  return orderBy(wanted.order).filter(fits);
};
