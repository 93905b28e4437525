// A walk through the site in Firefox, over WebDriver BiDi: node firefox.mjs PROGRAM ADDRESS; prints what it found as JSON.
import puppeteer from "puppeteer-core";

const [, , program, base] = process.argv;
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: program,
  headless: true,
  extraPrefsFirefox: { "security.fileuri.strict_origin_policy": true }, // what people have; the driver switches it off
});
const wrong = [];
let shown = 0;
let mismatches = -1;
try {
  const page = await browser.newPage();
  page.on("console", (line) => line.type() === "error" && wrong.push(line.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("requestfailed", (request) => wrong.push(`failed: ${request.url()}`));
  for (const path of ["dictionary.html", "about.html", "send.html", "index.html"]) await page.goto(base + path, { waitUntil: "load" });
  const ids = await page.$$eval(".cards > li", (items) => items.map((item) => item.id));
  for (const id of ids) {
    await page.evaluate((name) => document.querySelector(`#${name} a`).click(), id);
    await page.waitForSelector(`dialog.viewer[open] [id="ring-${id}"]`, { timeout: 8000 });
    shown++;
    await page.click("dialog [data-do=close]");
  }
  mismatches = await page.evaluate(async (id) => {
    const buffer = await JUNGLE.sound.samples(id);
    const data = buffer.getChannelData(0).slice(); // a buffer in use takes its arrays back
    const offline = new OfflineAudioContext(1, 3 * data.length, buffer.sampleRate);
    const source = JUNGLE.sound.looped(offline, buffer, [0, 0]);
    source.connect(offline.destination);
    source.start();
    const out = (await offline.startRendering()).getChannelData(0);
    return out.reduce((sum, value, at) => sum + Number(value !== data[at % data.length]), 0);
  }, ids[0]);
} finally {
  await browser.close();
}
console.log(JSON.stringify({ wrong, shown, mismatches }));
