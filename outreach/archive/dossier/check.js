"use strict";
// Checks this page offline: its own bytes, its signature, each record's place in the signed tree, each text.
(() => {
  const root = document.documentElement;
  const banner = document.querySelector("body > header");
  const seal = { digest: banner.dataset.seal, signature: banner.dataset.signature };
  const utf8 = (text) => new TextEncoder().encode(text);
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const unhex = (text) => Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
  const unbase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const join = (...parts) => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { whole.set(part, at); at += part.length; }
    return whole;
  };

  // SHA-256 (FIPS 180-4) for browsers that offer none to a page opened from a disk.
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  const fraction = (x) => ((x - Math.floor(x)) * 4294967296) | 0;
  const K = primes.map((prime) => fraction(Math.cbrt(prime)));
  const H = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  const plainSha256 = (bytes) => {
    const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
    view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
    const state = Int32Array.from(H), w = new Int32Array(64);
    for (let at = 0; at < padded.length; at += 64) {
      for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
      for (let i = 16; i < 64; i++) {
        const a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i++) {
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
    }
    const out = new DataView(new ArrayBuffer(32));
    state.forEach((value, i) => out.setInt32(4 * i, value));
    return new Uint8Array(out.buffer);
  };
  const subtle = globalThis.crypto && crypto.subtle;
  const sha256 = async (bytes) => (subtle ? new Uint8Array(await subtle.digest("SHA-256", bytes)) : plainSha256(bytes));

  // Whether the firm's key signed `message`: true, false, or null where the browser knows no Ed25519.
  const signed = async (key, signature, message) => {
    let imported;
    try {
      imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    } catch {
      return null;
    }
    return subtle.verify({ name: "Ed25519" }, imported, signature, message);
  };

  // RFC 9162, section 2.1.3.2. Neighbours share most of their paths, so a pair is hashed once.
  const pairs = new Map();
  const pair = async (left, right) => {
    const key = left + right;
    if (!pairs.has(key)) pairs.set(key, hex(await sha256(join(Uint8Array.of(1), unhex(key)))));
    return pairs.get(key);
  };
  const rootFrom = async (index, size, leaf, proof) => {
    let first = index, last = size - 1, value = leaf;
    for (const step of proof) {
      if (last === 0) return "";
      if (first % 2 === 1 || first === last) {
        value = await pair(step, value);
        while (first % 2 === 0 && first !== 0) { first = Math.floor(first / 2); last = Math.floor(last / 2); }
      } else {
        value = await pair(value, step);
      }
      first = Math.floor(first / 2);
      last = Math.floor(last / 2);
    }
    return last === 0 ? value : "";
  };

  const readCheckpoint = (note) => {
    const cut = note.indexOf("\n\n");
    const text = note.slice(0, cut + 1), lines = text.split("\n");
    const signature = unbase64(note.slice(cut + 2).split(" ")[2].trim());
    return { text, size: Number(lines[1]), root: hex(unbase64(lines[2])), signature: signature.slice(4) };
  };
  const fold = (text) => text.replace(/\r\n?/g, "\n").replace(/\0/g, "\u2400");

  const pageText = () => {
    const main = document.querySelector("body > main").cloneNode(true);
    for (const open of main.querySelectorAll("details[open]")) open.removeAttribute("open"); // a reader opened it
    for (const marked of main.querySelectorAll(".altered")) marked.classList.remove("altered"); // we marked it
    return document.head.outerHTML + main.outerHTML + document.querySelector("body > script").outerHTML;
  };

  const checkRecord = async (record, checkpoint, fault, number) => {
    const envelope = utf8(record.envelope), said = JSON.parse(record.envelope);
    const leaf = hex(await sha256(join(Uint8Array.of(0), envelope)));
    if (await rootFrom(record.leaf, checkpoint.size, leaf, record.proof) !== checkpoint.root) {
      fault(`第 ${record.leaf} 条记录不在签名台账中。`, `Record ${record.leaf} is not in the signed ledger.`, number);
    }
    const altered = () => fault(`第 ${record.leaf} 条记录的原文被改动。`, `The text of record ${record.leaf} was altered.`, number);
    if (record.body !== undefined
      && hex(await sha256(join(unhex(record.salt), utf8(record.body)))) !== said.commitment) altered();
    if (record.payload !== undefined && hex(await sha256(utf8(record.payload))) !== said.digest) altered();
    return said;
  };

  const checkCard = async (card, checkpoint, fault) => {
    const number = card.dataset.card, records = JSON.parse(card.querySelector("script").textContent);
    const envelopes = [];
    for (const record of records) envelopes.push(await checkRecord(record, checkpoint, fault, number));
    for (const element of card.querySelectorAll("[data-of]")) {
      const [at, part, name, index] = element.dataset.of.split(".");
      const source = part === "text" ? records[at].body
        : part === "envelope" ? envelopes[at][name] : JSON.parse(records[at][part])[name];
      const told = index === undefined ? source : source[index];
      const shown = element.hasAttribute("datetime") ? element.getAttribute("datetime") : element.textContent;
      if (shown !== fold(String(told))) {
        fault("所示内容与登记的原文不一致。", "What is shown is not what was recorded.", number);
      }
    }
    return records.map((record) => record.leaf);
  };

  const check = async () => {
    const faults = [];
    const fault = (zh, en, where) => faults.push({ zh, en, where });
    const parts = Array.from(document.body.childNodes, (node) => node.nodeName).join(" ");
    if (parts !== "HEADER MAIN SCRIPT" || !document.doctype || document.compatMode !== "CSS1Compat") {
      fault("页面结构被改动。", "The page's structure was altered.");
    }
    if (hex(await sha256(utf8(pageText()))) !== seal.digest) {
      fault("页面内容与签发时不一致:至少有一个字符被改动。",
        "The page is not as it was issued: at least one character was altered.");
    }
    const page = JSON.parse(document.getElementById("page").textContent);
    const key = unbase64(page.key), checkpoint = readCheckpoint(page.checkpoint);
    const blob = join(Uint8Array.of(0, 0, 0, 11), utf8("ssh-ed25519"), Uint8Array.of(0, 0, 0, 32), key);
    const fingerprint = "SHA256:" + btoa(String.fromCharCode(...await sha256(blob))).replace(/=+$/, "");
    const pageSigned = await signed(key, unbase64(seal.signature), utf8(`outreach-dossier-page\n${seal.digest}\n`));
    if (pageSigned === false) fault("页面签名不成立。", "The page's signature does not hold.");
    const rootSigned = await signed(key, checkpoint.signature, utf8(checkpoint.text));
    if (rootSigned === false) fault("台账检查点的签名不成立。", "The checkpoint's signature does not hold.");
    const leaves = new Set();
    for (const card of document.querySelectorAll("main [data-card]")) {
      const before = faults.length;
      for (const leaf of await checkCard(card, checkpoint, fault)) leaves.add(leaf);
      card.classList.toggle("altered", faults.length > before);
    }
    return { faults, count: leaves.size, fingerprint, size: checkpoint.size, unsigned: pageSigned === null };
  };

  const make = (name, text, cls) => {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    if (cls) element.className = cls;
    return element;
  };
  const say = (name, zh, en) => {
    const element = make(name), chinese = make("span", zh, "zh"), english = make("span", en, "en");
    chinese.lang = "zh-CN";
    english.lang = "en";
    element.append(chinese, english);
    return element;
  };

  const verdict = (faults, result) => {
    const status = make("div", "", "status");
    status.setAttribute("role", "status");
    if (faults.length) {
      status.append(say("strong", "核验不通过:请勿采信本页", "Not verified: do not rely on this page"));
      const list = make("ul");
      for (const item of faults.slice(0, 8)) {
        const line = say("li", item.zh, item.en);
        if (item.where) {
          const link = make("a", ` № ${item.where}`);
          link.href = `#card-${item.where}`;
          line.append(link);
        }
        list.append(line);
      }
      status.append(list);
      return status;
    }
    status.append(say("strong", "核验通过", "Verified"));
    status.append(say("p",
      `本页 ${result.count} 条记录均在已签名的台账(共 ${result.size} 条)之中,所示原文与登记一致。`,
      `All ${result.count} records on this page are in the signed ledger of ${result.size}, and the texts shown are those recorded.`));
    if (result.unsigned) {
      status.append(say("p", "此浏览器不能核验签名,请按 VERIFY.txt 核验。",
        "This browser can't check signatures: follow VERIFY.txt."));
    }
    return status;
  };

  let expected = "";
  const show = (result) => {
    const faults = result.faults.slice();
    if (expected && expected !== result.fingerprint) {
      faults.unshift({ zh: "指纹与您所持的不一致:这不是该公司签发的档案。",
        en: "The fingerprint is not the one you hold: this is not the firm's dossier." });
    }
    const tools = make("div", "", "tools");
    const label = say("label", "您从本档案之外得到的公钥指纹", "The key's fingerprint, as you know it from elsewhere");
    const input = make("input");
    input.placeholder = "SHA256:…";
    input.value = expected;
    input.spellcheck = false;
    input.addEventListener("change", () => { expected = input.value.trim(); show(result); });
    label.append(input);
    const toggle = make("button", root.dataset.lang === "zh" ? "English" : "中文");
    toggle.type = "button";
    toggle.addEventListener("click", () => {
      root.dataset.lang = root.dataset.lang === "zh" ? "en" : "zh";
      root.lang = root.dataset.lang === "zh" ? "zh-CN" : "en";
      show(result);
    });
    tools.append(label, toggle);
    banner.replaceChildren(verdict(faults, result), tools);
    root.dataset.state = faults.length ? "bad" : "good";
  };

  let running = false, again = false;
  const run = async () => {
    if (running) { again = true; return; }
    running = true;
    do {
      again = false;
      let result;
      try {
        result = await check();
      } catch (error) {
        result = { faults: [{ zh: `页面数据无法读取(${error.message})。`, en: `The page's data can't be read (${error.message}).` }] };
      }
      show(result);
    } while (again);
    running = false;
  };
  // The page keeps watching itself while it is open.
  const ours = (change) => banner.contains(change.target) || change.target === root ||
    (change.type === "attributes" && ["class", "open"].includes(change.attributeName));
  new MutationObserver((changes) => { if (!changes.every(ours)) run(); })
    .observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  run();
})();
