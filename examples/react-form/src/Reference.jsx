import { useState } from 'react';
import { descriptionId, errorId } from '@rjsf/utils';

/** Where a secret is: a choice of places, and the one thing to say about the chosen place. */
export function Reference({ schema, uiSchema, formData, onChange, fieldPathId, required, rawErrors, registry }) {
  const id = fieldPathId.$id;
  const choices = schema.oneOf.map((choice) => registry.schemaUtils.retrieveSchema(choice));
  const [chosen, choose] = useState(() => Math.max(0, choices.findIndex((choice) => holds(choice, formData))));
  const [key, place] = Object.entries(choices[chosen].properties ?? {})[0] ?? [];
  const isList = place?.type === 'array';
  const value = formData?.[key] ?? (isList ? [] : '');
  const input = {
    id: `${id}_${key}`,
    value: isList ? value.join('\n') : value,
    placeholder: uiSchema?.[key]?.['ui:placeholder'],
    autoComplete: 'off',
    spellCheck: false,
    required,
    'aria-invalid': rawErrors?.length ? true : undefined,
    'aria-describedby': [place?.description && `${id}_${key}_help`, rawErrors?.length && errorId(id)]
      .filter(Boolean)
      .join(' ') || undefined,
    onChange: ({ target }) => say(isList ? target.value.split('\n') : target.value),
  };

  function say(text) {
    onChange(text.length ? { [key]: text } : undefined, fieldPathId.path);
  }

  function pick({ target }) {
    const index = Number(target.value);
    choose(index);
    onChange(choices[index].const, fieldPathId.path);
  }

  return (
    <fieldset className="reference" id={id} aria-describedby={descriptionId(id)}>
      <legend>
        {schema.title}
        {required && <span className="needed"> (needed)</span>}
      </legend>
      <p className="sentence" id={descriptionId(id)}>
        {schema.description}
      </p>
      <div className="pair">
        <div>
          <label htmlFor={`${id}_place`}>Where it is</label>
          <select id={`${id}_place`} value={chosen} onChange={pick}>
            {choices.map((choice, index) => (
              <option key={choice.title} value={index}>
                {choice.title}
              </option>
            ))}
          </select>
        </div>
        {place && (
          <div>
            <label htmlFor={input.id}>{place.title}</label>
            {isList ? <textarea rows={3} {...input} /> : <input type="text" {...input} />}
            {place.description && (
              <p className="sentence" id={`${id}_${key}_help`}>
                {place.description} One in each line.
              </p>
            )}
          </div>
        )}
      </div>
    </fieldset>
  );
}

function holds(choice, formData) {
  if (choice.const !== undefined) return choice.const === formData;
  if (choice.type === 'null') return formData === null || formData === undefined;
  return Boolean(formData) && Object.keys(choice.properties)[0] in formData;
}
