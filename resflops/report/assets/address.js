"use strict";
/* What is shown, as the part of the address after the #, so that a link shows the same. */
const Address = (() => {
  const read = () => new URLSearchParams(location.hash.slice(1));

  /* Writes what differs from the page as it opens; `step` leaves a place to go back to. */
  function write(state, step) {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) if (value !== "" && value !== null && value !== undefined) params.set(name, value);
    const hash = params.size ? `#${params}` : "#";
    if (hash === (location.hash || "#")) return;
    history[step ? "pushState" : "replaceState"](null, "", hash);
  }

  return { read, write };
})();
