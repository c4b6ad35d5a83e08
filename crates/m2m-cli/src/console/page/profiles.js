// The form of a profile: the credential of the chosen method is open, and a test is of yesterday once a field changes.
(() => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  document.addEventListener('change', ({ target }) => {
    if (target.name !== 'client_auth_method') return;
    for (const part of all('details[data-wanted]')) {
      part.open = part.dataset.wanted.split('|').includes(target.value);
      part.querySelector('.optional').hidden = part.open;
    }
  });
  for (const stale of all('[data-stale]')) {
    const changed = () => (stale.hidden = false);
    document.addEventListener('input', changed, { once: true });
    document.addEventListener('change', changed, { once: true });
  }
})();
