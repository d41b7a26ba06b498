// Before the first paint: the theme that was chosen on this machine, if one was.
const chosen = localStorage.getItem("anabranch.theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
