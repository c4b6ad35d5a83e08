// The form of a profile: the credential of the chosen method is open, and a test is of yesterday once a field changes.
(() => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const open = () => {
    for (const part of all('details[data-when][data-wanted]')) part.open = !part.hidden;
  };
  document.addEventListener('change', (event) => {
    if (event.target.name === 'client_auth_method') open();
  });
  for (const stale of all('[data-stale]')) {
    const changed = () => (stale.hidden = false);
    document.addEventListener('input', changed, { once: true });
    document.addEventListener('change', changed, { once: true });
  }
})();
