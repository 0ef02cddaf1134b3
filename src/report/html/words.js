// Elements and words. Text becomes text, whatever it is: nothing here takes markup.
const byId = id => document.getElementById(id);
const make = (tag, name, ...children) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
};
const many = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const shorten = (text, most) => {
  const characters = [...text];
  if (characters.length <= most) return text;
  const half = (most - 1) >> 1;
  return `${characters.slice(0, most - 1 - half).join("")}…${characters.slice(characters.length - half).join("")}`;
};
