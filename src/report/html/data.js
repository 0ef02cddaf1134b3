// What is known of each finding: columns for the table, and the rest of it when it is opened.
const data = JSON.parse(byId("data").textContent);
const number = data.id.length;
const isThere = value => value !== undefined && value !== null;
// Names share their beginnings, and how short ones are made from their ends.
const { beginnings, forms, beginning, form, end } = data.names;
const nameOf = name => beginnings[beginning[name]] + end[name];
const endings = {
  whole: text => text, slash: text => text.slice(text.lastIndexOf("/") + 1), colon: text => text.slice(text.lastIndexOf(":") + 1), nothing: () => "",
};
const short = name => {
  const { part, before, after } = forms[form[name]];
  return before + endings[part](end[name]) + after;
};
// `role app`, `queue eu-west-1/orders`.
const full = (kind, name) => {
  const [word, words] = data.kinds[kind];
  if (word === "anyone") return "anyone";
  return word === "service" ? short(name) : `${words} ${short(name)}`;
};
const ruleOf = place => data.rules[data.rule[place]][0];
const accountOf = place => data.accounts[data.account[place]][0];
const regionOf = place => data.regions[data.region[place]];
const states = ["open", "waived", "only AWS can act"];
const changes = ["new", "changed", "unchanged"];
const grades = ["", "conditional", "permitted", "wired"];

// A piece is read once somebody asks; the last few are kept.
const mostPieces = 24;
const pieces = new Map();
const restOf = place => {
  const at = Math.floor(place / data.piece);
  let piece = pieces.get(at);
  if (piece === undefined) {
    piece = JSON.parse(byId(`piece-${at}`).textContent);
    if (pieces.size >= mostPieces) pieces.delete(pieces.keys().next().value);
    pieces.set(at, piece);
  }
  return { texts: piece.texts, ...piece.findings[place % data.piece] };
};
const places = new Map();
const placeOf = id => {
  if (places.size === 0) data.id.forEach((known, place) => { if (!places.has(known)) places.set(known, place); });
  return places.get(id);
};
