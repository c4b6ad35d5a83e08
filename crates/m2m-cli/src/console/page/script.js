// What pages gain by a script; each of them works without it. Nothing is decided here.
(() => {
  const all = (selector, at = document) => Array.from(at.querySelectorAll(selector));
  const said = document.getElementById('said');
  const say = (text) => {
    said.textContent = '';
    setTimeout(() => (said.textContent = text), 50);
  };

  // Times in the reader's zone; UTC stays as the title.
  const zone = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
  for (const time of all('time[datetime]')) {
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.getTime())) time.textContent = zone.format(date);
  }

  // What is left of a time; never announced.
  const left = () => {
    for (const place of all('[data-until]')) {
      const seconds = Math.max(0, Math.round(Number(place.dataset.until) - Date.now() / 1000));
      const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
      const rest = `${String(minutes).padStart(hours ? 2 : 1, '0')}:${String(seconds % 60).padStart(2, '0')}`;
      place.textContent = seconds ? (hours ? `${hours}:${rest}` : rest) : 'over';
    }
  };
  if (all('[data-until]').length) {
    left();
    setInterval(left, 1000);
  }

  // Copying.
  for (const button of all('[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        say('Copied');
      } catch {
        getSelection().selectAllChildren(source);
        say('Marked: copy with the keyboard');
      }
    });
  }

  // Filters narrow while typing.
  for (const input of all('[data-filter]')) {
    const form = input.form;
    const rows = all('tbody tr', form.nextElementSibling ?? document);
    const items = input.dataset.filter ? all(`#${input.dataset.filter} > li`) : rows;
    const count = form.querySelector('[data-count]');
    input.addEventListener('input', () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const item of items) {
        item.hidden = !item.textContent.toLowerCase().includes(wanted);
        shown += item.hidden ? 0 : 1;
      }
      if (count) count.textContent = `${shown} of ${items.length}`;
      say(`${shown} shown`);
    });
  }

  // A field is checked when it is left.
  const wrong = (input, text) => {
    const place = document.getElementById(`${input.id}-wrong`);
    if (place) place.textContent = text;
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
    if (text) say(text);
  };
  for (const input of all('[data-check]')) {
    input.addEventListener('change', async () => {
      const query = new URLSearchParams({ name: input.name, value: input.value });
      try {
        const answer = await fetch(`${input.dataset.check}${input.dataset.check.includes('?') ? '&' : '?'}${query}`);
        if (answer.ok) wrong(input, await answer.text());
      } catch {
        // The form is checked when it is sent.
      }
    });
  }

  // Words as chips that can be taken away; the field keeps the words.
  for (const input of all('[data-chips]')) {
    const list = document.createElement('ul');
    list.className = 'chips';
    input.after(list);
    const draw = () => {
      const words = input.value.split(/\s+/).filter(Boolean);
      list.replaceChildren(
        ...words.map((word, index) => {
          const button = document.createElement('button');
          button.type = 'button';
          button.className = 'small';
          button.textContent = `${word} ×`;
          button.setAttribute('aria-label', `Remove ${word}`);
          button.addEventListener('click', () => {
            input.value = words.filter((_, other) => other !== index).join(' ');
            draw();
            input.focus();
            say(`${word} removed`);
          });
          const item = document.createElement('li');
          item.append(button);
          return item;
        }),
      );
    };
    input.addEventListener('input', draw);
    draw();
  }

  // Parts of a form that belong to one choice.
  const parts = () => {
    for (const part of all('[data-when]')) {
      const [name, values] = part.dataset.when.split('=');
      const chosen = document.querySelector(`[name="${name}"]:checked`) ?? document.querySelector(`select[name="${name}"]`);
      part.hidden = !!chosen && !values.split('|').includes(chosen.value);
    }
  };
  document.addEventListener('change', parts);
  parts();

  // Who sent a form sees that it is under way, and cannot send it twice.
  for (const form of all('form[method=post]')) {
    form.addEventListener('submit', (event) => {
      const button = event.submitter ?? form.querySelector('button');
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = '1';
      if (button) button.setAttribute('aria-busy', 'true');
      say(form.dataset.busy ?? 'Under way');
    });
  }
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    for (const form of all('form[data-sent]')) delete form.dataset.sent;
    for (const button of all('[aria-busy]')) button.removeAttribute('aria-busy');
  });

  const first = document.querySelector('[autofocus]');
  if (first) first.focus();
})();
