import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { ProfileForm } from './ProfileForm.jsx';
import './style.css';

const root = createRoot(document.getElementById('root'));

/** Reads what `m2m profile schema` printed. */
async function form() {
  const response = await fetch('./schema.json');
  if (!response.ok) throw new Error(`schema.json: ${response.status}`);
  return response.json();
}

function show(content) {
  root.render(
    <StrictMode>
      <main>{content}</main>
    </StrictMode>,
  );
}

form().then(
  ({ schema, uiSchema }) => show(<ProfileForm schema={schema} uiSchema={uiSchema} />),
  (error) =>
    show(
      <p role="alert">
        {error.message}. Make it with <code>m2m profile schema &gt; public/schema.json</code>.
      </p>,
    ),
);
