// What lies between the schema of m2m and the form: which component shows a field, what errors say, and which
// members the profile has.

/** The UI schema with the components of this form: references, words, lines. */
export function withFields(schema, uiSchema) {
  const ui = { ...uiSchema };
  for (const [name, property] of everyProperty(schema)) {
    if (property.oneOf?.some((choice) => choice.$ref)) {
      ui[name] = { ...ui[name], 'ui:field': 'reference', 'ui:fieldReplacesAnyOrOneOf': true };
    } else if (property.type === 'array') {
      ui[name] = { ...ui[name], 'ui:widget': 'words' };
    }
  }
  return ui;
}

/** Name and schema of every property of a profile, those that depend on a choice included. */
function* everyProperty(schema) {
  if (Array.isArray(schema)) {
    for (const item of schema) yield* everyProperty(item);
  } else if (schema && typeof schema === 'object') {
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'properties') yield* Object.entries(value);
      else if (key !== 'definitions') yield* everyProperty(value);
    }
  }
}

/** The profile that was filled in: only what was said, in the order of the form. */
export function profileOf(formData, uiSchema) {
  const order = uiSchema['ui:order'] ?? [];
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = Object.keys(formData).sort((a, b) => place(a) - place(b));
  return Object.fromEntries(names.filter((name) => isSaid(formData[name])).map((name) => [name, formData[name]]));
}

function isSaid(value) {
  if (value === null || value === undefined || value === '' || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** Errors in words. Of a field that can be one of several things one error is enough. */
export function spoken(errors) {
  const unions = errors.filter((error) => error.name === 'oneOf').map((error) => error.property);
  const isIn = (error, union) => error.property === union || error.property.startsWith(`${union}.`);
  const alone = errors.filter((error) => error.name !== 'if' && !unions.some((union) => isIn(error, union)));
  const needed = unions.map((property) => ({ name: 'required', property, stack: property }));
  return [...alone, ...needed].map((error) => ({ ...error, message: sentence(error) }));
}

function sentence(error) {
  switch (error.name) {
    case 'required':
      return 'is needed';
    case 'format':
      return 'is not a URL';
    case 'pattern':
      return /url|issuer/.test(error.property) ? 'starts with https://' : 'is not written as expected';
    default:
      return error.message;
  }
}
