import { buttonId, canExpand, descriptionId, errorId, getUiOptions } from '@rjsf/utils';
import { getDefaultRegistry } from '@rjsf/core';

const { templates: stock } = getDefaultRegistry();

export const labelId = (id) => `${id}__label`;

/** Ties an input to its sentence and its errors, where there are any. */
export function described(id, schema, rawErrors) {
  const ids = [schema?.description && descriptionId(id), rawErrors?.length && errorId(id)].filter(Boolean);
  return { 'aria-describedby': ids.join(' ') || undefined, 'aria-invalid': rawErrors?.length ? true : undefined };
}

/** A label, a sentence, the input, and what is wrong with it. */
function FieldTemplate(props) {
  const { id, label, required, displayLabel, rawDescription, children, errors, hidden, schema, uiSchema, registry } = props;
  if (hidden) return <div hidden>{children}</div>;
  const { widget } = getUiOptions(uiSchema);
  const Wrap = registry.templates.WrapIfAdditionalTemplate ?? stock.WrapIfAdditionalTemplate;
  const name = (
    <>
      {label}
      {required && <span className="needed"> (needed)</span>}
    </>
  );
  const isCheckbox = schema.type === 'boolean';
  const isGroup = widget === 'radio';
  return (
    <Wrap {...props} classNames="field">
      {displayLabel &&
        !isCheckbox &&
        (isGroup ? (
          <span className="label" id={labelId(id)}>
            {name}
          </span>
        ) : (
          <label htmlFor={id} id={labelId(id)}>
            {name}
          </label>
        ))}
      {displayLabel && rawDescription && !isCheckbox && (
        <p className="sentence" id={descriptionId(id)}>
          {rawDescription}
        </p>
      )}
      {children}
      {errors}
    </Wrap>
  );
}

function FieldErrorTemplate({ errors = [], fieldPathId }) {
  if (errors.length === 0) return null;
  return (
    <p className="error" id={errorId(fieldPathId)}>
      {[...new Set(errors)].join('; ')}
    </p>
  );
}

/** The profile in its groups; any other object as a group of its own. */
function ObjectFieldTemplate(props) {
  const { title, description, properties, uiSchema, schema, formData, fieldPathId, errorSchema, registry, onAddProperty } = props;
  const { groups } = getUiOptions(uiSchema);
  const shown = (names) => properties.filter(({ name }) => names.includes(name)).map(({ content }) => content);
  if (groups) {
    return groups.map(({ title, fields, collapsed }) => {
      const content = shown(fields);
      if (content.length === 0) return null;
      const isWrong = fields.some((name) => errorSchema?.[name]);
      return collapsed ? (
        <details key={title} className="group" open={isWrong || undefined}>
          <summary>{title}</summary>
          {content}
        </details>
      ) : (
        <fieldset key={title} className="group">
          <legend>{title}</legend>
          {content}
        </fieldset>
      );
    });
  }
  const { AddButton } = registry.templates.ButtonTemplates;
  return (
    <fieldset className="reference" id={fieldPathId.$id}>
      <legend>{title}</legend>
      <p className="sentence">{description}</p>
      {properties.map(({ content }) => content)}
      {canExpand(schema, uiSchema, formData) && (
        <AddButton id={buttonId(fieldPathId, 'add')} onClick={onAddProperty} registry={registry} uiSchema={uiSchema} />
      )}
    </fieldset>
  );
}

function BaseInputTemplate({ id, type, value, required, disabled, placeholder, autocomplete, rawErrors, schema, options, onChange }) {
  return (
    <input
      id={id}
      name={id}
      type={type ?? (schema.format === 'uri' ? 'url' : 'text')}
      value={value ?? ''}
      required={required}
      disabled={disabled}
      placeholder={placeholder}
      autoComplete={autocomplete ?? 'off'}
      spellCheck={false}
      {...described(id, schema, rawErrors)}
      onChange={({ target }) => onChange(target.value === '' ? options.emptyValue : target.value)}
    />
  );
}

/** What is wrong, at the top, each with a way to its field. */
function ErrorListTemplate({ errors, schema }) {
  const name = ({ property }) => property.replace(/^\./, '').split('.')[0];
  return (
    <section className="errors" role="alert">
      <h2>{errors.length === 1 ? 'One thing is missing or wrong' : `${errors.length} things are missing or wrong`}</h2>
      <ul>
        {errors.map((error) => (
          <li key={error.property + error.message}>
            <a href={`#profile_${name(error)}`}>{title(schema, name(error))}</a> {error.message}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The title of a property, wherever in the schema it stands. */
function title(schema, name) {
  const found = schema?.properties?.[name]?.title;
  if (found || !schema || typeof schema !== 'object') return found;
  for (const [key, value] of Object.entries(schema)) {
    const inside = key === 'definitions' ? undefined : title(value, name);
    if (inside) return inside;
  }
  return undefined;
}

function TextButton({ label, ...props }) {
  return (
    <button type="button" className="small" id={props.id} onClick={props.onClick} disabled={props.disabled}>
      {label}
    </button>
  );
}

export const templates = {
  BaseInputTemplate,
  ErrorListTemplate,
  FieldErrorTemplate,
  FieldTemplate,
  ObjectFieldTemplate,
  ButtonTemplates: {
    AddButton: (props) => <TextButton {...props} label="Add" />,
    RemoveButton: (props) => <TextButton {...props} label="Remove" />,
  },
};
