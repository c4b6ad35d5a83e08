CREATE TABLE m2m_settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE m2m_revision (
    one BIGINT NOT NULL PRIMARY KEY,
    latest BIGINT NOT NULL
);
INSERT INTO m2m_revision (one, latest) VALUES (1, 0);
CREATE TABLE m2m_registry (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX m2m_registry_by_revision ON m2m_registry (revision);
CREATE TABLE m2m_revoked (
    jti TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX m2m_revoked_by_revision ON m2m_revoked (revision);
CREATE TABLE m2m_replay (
    digest TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX m2m_replay_by_expiry ON m2m_replay (expires_at);
CREATE TABLE m2m_audit (
    at BIGINT NOT NULL,
    node TEXT NOT NULL,
    number BIGINT NOT NULL,
    event TEXT NOT NULL,
    jti TEXT NOT NULL,
    client_id TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    api TEXT NOT NULL,
    scope TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    address TEXT NOT NULL,
    error TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (at, node, number)
);
CREATE INDEX m2m_audit_by_jti ON m2m_audit (jti);
CREATE INDEX m2m_audit_by_client ON m2m_audit (client_id, at);
CREATE INDEX m2m_audit_by_credential ON m2m_audit (credential_id, at);
CREATE INDEX m2m_audit_by_expiry ON m2m_audit (expires_at);
CREATE TABLE m2m_last_use (
    credential_id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX m2m_last_use_by_client ON m2m_last_use (client_id);
CREATE TABLE m2m_scope_use (
    client_id TEXT NOT NULL,
    api TEXT NOT NULL,
    scope TEXT NOT NULL,
    PRIMARY KEY (client_id, api, scope)
);
