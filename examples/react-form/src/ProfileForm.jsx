import { useMemo, useRef, useState } from 'react';
import Form from '@rjsf/core';
import validator from '@rjsf/validator-ajv8';

import { Reference } from './Reference.jsx';
import { profileOf, spoken, withFields } from './profile.js';
import { templates } from './templates.jsx';
import { Choices, Lines, Words } from './widgets.jsx';

const fields = { reference: Reference };
const widgets = { lines: Lines, radio: Choices, words: Words };

/**
 * A form for one m2m profile. `schema` and `uiSchema` are the two members that `m2m profile schema` prints;
 * `onProfile` gets the profile each time it is copied.
 */
export function ProfileForm({ schema, uiSchema, onProfile }) {
  const [formData, setFormData] = useState({});
  const [copied, setCopied] = useState('');
  const [isRefused, refuse] = useState(false);
  const result = useRef(null);
  const ui = useMemo(() => withFields(schema, uiSchema), [schema, uiSchema]);

  async function copy(event) {
    const profile = profileOf(event.formData, ui);
    const text = JSON.stringify(profile, null, 2);
    setCopied(text);
    onProfile?.(profile);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without permission for the clipboard the text below can be copied by hand.
    }
    result.current?.focus();
  }

  return (
    <>
      <h1>m2m profile</h1>
      <p className="lead">
        Describe a client once; <code>m2m profile import</code> takes the result. A secret is named here, never typed.
      </p>
      <Form
        schema={schema}
        uiSchema={ui}
        formData={formData}
        validator={validator}
        fields={fields}
        templates={templates}
        widgets={widgets}
        idPrefix="profile"
        omitExtraData
        noHtml5Validate
        liveValidate={isRefused && 'onChange'}
        onError={() => refuse(true)}
        showErrorList="top"
        transformErrors={spoken}
        onChange={({ formData: filled }) => {
          // Another provider has its own first method.
          const { client_auth_method: _, ...rest } = filled;
          setFormData(filled.provider === formData.provider ? filled : rest);
          setCopied('');
        }}
        onSubmit={copy}
      >
        <p className="actions">
          <button type="submit">Copy as m2m profile</button>
        </p>
      </Form>
      <section ref={result} tabIndex={-1} aria-labelledby="copied" hidden={!copied}>
        <h2 id="copied">Copied</h2>
        <pre tabIndex={0} role="region" aria-label="Profile as JSON">
          {copied}
        </pre>
        <p>
          Give it to <code>m2m profile import -</code> on standard input.
        </p>
      </section>
    </>
  );
}
