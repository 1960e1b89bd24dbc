// Shows in the preview what is written in the form, before it is saved.

const preview = document.getElementById("preview");
const button = document.getElementById("preview-button");
const name = document.getElementById("display-name");
const color = document.getElementById("accent-color");

// Relative luminance (WCAG 2.2) of "#rrggbb".
const luminance = (hex) => {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

const asWritten = (text) => {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text);
  const long = short ? `#${short.slice(1).map((digit) => digit + digit).join("")}` : text;
  return /^#[0-9a-f]{6}$/i.test(long) ? long : null;
};

const show = () => {
  document.getElementById("preview-name").textContent = name.value.trim() || preview.dataset.name;
  const accent = asWritten(color.value.trim());
  preview.classList.toggle("branded", accent !== null);
  button.style.background = accent ?? "";
  button.style.color = accent === null ? "" : 1.05 / (luminance(accent) + 0.05) >= (luminance(accent) + 0.05) / 0.05 ? "#ffffff" : "#000000";
};

name.addEventListener("input", show);
color.addEventListener("input", show);
