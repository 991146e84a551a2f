/**
 * A small virtual DOM: what is on the screen is changed in place, and only where it differs.
 *
 * `h(tag, attrs, ...children)` describes an element, `svg(...)` one in the SVG namespace. Children are strings,
 * numbers, vnodes, arrays of them, or null/false for nothing. Attributes:
 *   key        identity among its siblings: the node moves with it and keeps focus, scroll and what was typed
 *   on…        a property of the node (`onclick`, `oninput`): no listener is added twice
 *   style      a text; set through the CSSOM, which the content security policy allows
 *   value, checked  properties, set only when the described value changes, so that typing is not overwritten
 *   ref        called once with the node when it is made
 * Every other attribute is written as it stands; true is an empty attribute, false and null are none.
 *
 * `patch(container, what)` makes the container's children what is described. A vnode that is the same object as
 * before is taken as unchanged and not looked into: `memo` gives the same object while its inputs are the same.
 * Nodes that were not described (text written by a ticker into an element without children) are left alone.
 */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "scrollTop"]);
const described = new WeakMap();

export function h(tag, attrs, ...children) {
  return { tag, attrs: attrs ?? {}, children: flat(children), space: null, node: null };
}

export function svg(tag, attrs, ...children) {
  return { tag, attrs: attrs ?? {}, children: flat(children), space: SVG, node: null };
}

/** The vnode of `make()`, made anew only when one of `inputs` is another than before. `cache` is kept by the caller. */
export function memo(cache, name, inputs, make) {
  const before = cache[name];
  if (before && before.inputs.length === inputs.length && before.inputs.every((one, i) => Object.is(one, inputs[i]))) {
    return before.vnode;
  }
  const vnode = make();
  cache[name] = { inputs, vnode };
  return vnode;
}

export function patch(container, what) {
  const focused = document.activeElement;
  const after = flat([what]);
  patchChildren(container, described.get(container) ?? [], after);
  described.set(container, after);
  if (focused && focused !== document.activeElement && focused !== document.body && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

function flat(children, into = []) {
  for (const child of children) {
    if (Array.isArray(child)) flat(child, into);
    else if (child === null || child === undefined || child === false || child === true) continue;
    else if (typeof child === "object") into.push(child);
    else into.push({ text: String(child), node: null });
  }
  return into;
}

function patchChildren(parent, before, after) {
  if (before === after) return;
  const matches = match(before, after);
  const kept = new Set(matches);
  for (const old of before) if (!kept.has(old)) old.node.remove();
  let cursor = parent.firstChild;
  after.forEach((vnode, i) => {
    const old = matches[i];
    if (old) update(old, vnode);
    else create(vnode);
    if (vnode.node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(vnode.node, cursor);
  });
}

/** For each new child the old one that becomes it: by key, else the next of the same kind. */
function match(before, after) {
  const keyed = new Map();
  const loose = [];
  for (const old of before) {
    if (old.attrs?.key !== undefined) keyed.set(String(old.attrs.key), old);
    else loose.push(old);
  }
  let next = 0;
  return after.map((vnode) => {
    const key = vnode.attrs?.key;
    if (key !== undefined) {
      const old = keyed.get(String(key));
      keyed.delete(String(key));
      return old && same(old, vnode) ? old : null;
    }
    for (let i = next; i < loose.length; i += 1) {
      if (same(loose[i], vnode)) {
        next = i + 1;
        return loose[i];
      }
    }
    return null;
  });
}

function same(old, vnode) {
  return old.tag === vnode.tag && old.space === vnode.space && (old.text === undefined) === (vnode.text === undefined);
}

function create(vnode) {
  if (vnode.text !== undefined) {
    vnode.node = document.createTextNode(vnode.text);
    return;
  }
  vnode.node = vnode.space ? document.createElementNS(vnode.space, vnode.tag) : document.createElement(vnode.tag);
  patchChildren(vnode.node, [], vnode.children);
  for (const [name, value] of Object.entries(vnode.attrs)) setAttribute(vnode.node, name, value);
  vnode.attrs.ref?.(vnode.node);
}

function update(old, vnode) {
  if (old === vnode) return;
  const node = (vnode.node = old.node);
  if (vnode.text !== undefined) {
    if (old.text !== vnode.text) node.data = vnode.text;
    return;
  }
  patchChildren(node, old.children, vnode.children);
  for (const name of Object.keys(old.attrs)) if (!(name in vnode.attrs)) setAttribute(node, name, null);
  for (const [name, value] of Object.entries(vnode.attrs)) {
    if (value !== old.attrs[name]) setAttribute(node, name, value);
  }
}

function setAttribute(node, name, value) {
  if (name === "key" || name === "ref") return;
  if (name.startsWith("on")) node[name] = value ?? null;
  else if (name === "style") node.style.cssText = value ?? "";
  else if (PROPERTIES.has(name)) {
    const wanted = value ?? (name === "checked" ? false : "");
    if (node[name] !== wanted) node[name] = wanted;
  } else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}
