import { useState } from 'react';

import { described, labelId } from './templates.jsx';

/** Several words in one line, for scopes and URLs. */
export function Words(props) {
  return <TextList {...props} separator=" " split={/\s+/} />;
}

/** One text in each line. */
export function Lines(props) {
  return <TextList {...props} separator={'\n'} split={/\n/} />;
}

/** A list that is typed as text. The text stays as typed; the value is what stands between the separators. */
function TextList({ id, value, required, disabled, placeholder, rawErrors, schema, onChange, separator, split }) {
  const [text, setText] = useState((value ?? []).join(separator));
  const Input = separator === '\n' ? 'textarea' : 'input';
  return (
    <Input
      id={id}
      value={text}
      placeholder={placeholder}
      required={required}
      disabled={disabled}
      spellCheck={false}
      autoComplete="off"
      {...described(id, schema, rawErrors)}
      onChange={({ target }) => {
        setText(target.value);
        const items = target.value.split(split).filter(Boolean);
        onChange(items.length ? items : undefined);
      }}
    />
  );
}

/** Radio buttons, each with what its choice means and how it is called in a file. */
export function Choices({ id, value, options, required, disabled, rawErrors, schema, onChange }) {
  return (
    <div role="radiogroup" id={id} className="choices" aria-labelledby={labelId(id)} {...described(id, schema, rawErrors)}>
      {options.enumOptions.map((option, index) => (
        <label key={option.value}>
          <input
            type="radio"
            id={`${id}-${index}`}
            name={id}
            value={option.value}
            checked={option.value === value}
            required={required}
            disabled={disabled}
            onChange={() => onChange(option.value)}
          />
          <span>
            {option.label} <code>{option.value}</code>
          </span>
        </label>
      ))}
    </div>
  );
}
