// Light or dark, by the system's wish or the reader's; and the colours, which also colour-blind readers tell apart.

const ORDER = ["system", "light", "dark"];
const KEY = "stillhouse.theme";
// Okabe and Ito's colours, darkened or lightened to 3:1 on the page's background. Lines differ in dash and symbol too.
const LIGHT = ["#0072b2", "#c04f00", "#00795a", "#a3487f", "#8a6100", "#2a7fae", "#444444"];
const DARK = ["#56b4e9", "#e69f00", "#2fc49a", "#e08fbd", "#f0e442", "#8fc7f0", "#cfcfcf"];
export const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "emptyCircle", "emptyTriangle"];
export const DASHES = ["solid", "dashed", "dotted"];

const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = remembered();

/** Put the theme on the page, and let the button switch it. */
export function startTheme(button, redraw) {
  const apply = () => {
    document.documentElement.dataset.theme = isDark() ? "dark" : "light";
    button.textContent = `Theme: ${chosen}`;
    redraw();
  };
  button.addEventListener("click", () => {
    chosen = ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length];
    remember(chosen);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

/** Return the colours for charts. */
export function colours() {
  const dark = isDark();
  return {
    series: dark ? DARK : LIGHT,
    text: dark ? "#e6e4df" : "#24231f",
    quiet: dark ? "#a8a59c" : "#5c5a54",
    line: dark ? "#3b3a36" : "#dcd9d0",
    surface: dark ? "#1b1a18" : "#fffefb",
    mark: dark ? "#ffffff" : "#000000",
    lines: dark ? ["#56b4e9", "#a8a59c", "#e69f00"] : ["#0072b2", "#7a7770", "#c04f00"],
    scale: ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"], // cividis
  };
}

function isDark() {
  return chosen === "dark" || (chosen === "system" && system.matches);
}

function remembered() {
  try {
    return ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system";
  } catch {
    return "system"; // storage is closed to pages opened from disk in some browsers
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // the choice holds until the page is closed
  }
}
