//! Audit records and uses in the database.

use std::collections::BTreeSet;
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::database::unavailable;
use super::{SqlStore, restored, stored};
use crate::audit::{Batch, Entry, Event, LastUse, Place, Query, Record};
use crate::registry::{ApiIdentifier, CredentialId};
use crate::store::{LastUses, StoreError, Usage};

const COLUMNS: &str = "at, node, number, event, jti, client_id, credential_id, api, scope, expires_at, address, \
     error, reason, actor, subject";
/// How many values a record has.
const VALUES: usize = 15;
/// Records in one statement. Few sizes, because each connection prepares and keeps a statement for each; SQLite
/// takes 32,766 values at most, PostgreSQL 65,535.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];
/// Credentials asked about with one statement, always as many, so that a connection keeps one statement for it.
const ASKED: usize = 256;
/// Old rows removed in one statement: others want to write as well, and a statement has 5 s.
const PORTION: u64 = 5_000;
/// Kept for this much longer than needed by the clock of this node: those of others may be behind it.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The value of a column; what a record does not have is an empty text, or 0.
enum Value {
    Text(String),
    Number(i64),
}

/// PostgreSQL knows no NUL in a text, and one record with it would hold up all that come after.
fn storable(text: &str) -> Value {
    Value::Text(text.replace('\0', "\u{fffd}"))
}

fn values(record: &Record, node: &str, number: i64) -> [Value; VALUES] {
    let text = |text: Option<&str>| storable(text.unwrap_or_default());
    [
        Value::Number(stored(record.at)),
        text(Some(node)),
        Value::Number(number),
        text(Some(record.event.name())),
        text(record.jti.as_deref()),
        text(record.client_id.as_ref().map(ClientId::as_str)),
        text(record.credential.as_ref().map(CredentialId::as_str)),
        text(record.api.as_ref().map(ApiIdentifier::as_str)),
        text(record.scope.as_deref()),
        Value::Number(record.expires_at.map_or(0, stored)),
        Value::Text(record.address.map(|address| address.to_string()).unwrap_or_default()),
        text(record.error.as_ref().map(ErrorCode::as_str)),
        text(record.reason.as_deref()),
        text(record.actor.as_ref().map(ClientId::as_str)),
        text(record.subject.as_deref()),
    ]
}

fn entry(row: &AnyRow) -> Result<Entry, StoreError> {
    let number = |column: usize| row.try_get::<i64, _>(column).map_err(unavailable);
    let text = |column: usize| row.try_get::<String, _>(column).map_err(unavailable);
    let some = |column: usize| Ok::<_, StoreError>(Some(text(column)?).filter(|text| !text.is_empty()));
    let client = |column: usize| Ok::<_, StoreError>(some(column)?.and_then(|id| ClientId::parse(&id).ok()));
    let unreadable = |what: &str| StoreError::Unreadable(format!("an audit record of {what}"));
    let at = number(0)?;
    let event = text(3)?;
    let record = Record {
        jti: some(4)?.map(Into::into),
        client_id: client(5)?,
        credential: some(6)?.and_then(|id| CredentialId::parse(&id)),
        api: some(7)?.and_then(|api| ApiIdentifier::parse(&api).ok()),
        scope: some(8)?.map(Into::into),
        expires_at: Some(number(9)?).filter(|end| *end != 0).map(restored),
        address: some(10)?.and_then(|address| address.parse().ok()),
        error: some(11)?.and_then(|code| ErrorCode::parse(&code)),
        reason: some(12)?,
        actor: client(13)?,
        subject: some(14)?,
        ..Record::new(restored(at), Event::parse(&event).ok_or_else(|| unreadable(&event))?)
    };
    let number = u64::try_from(number(2)?).unwrap_or_default();
    let place = Place { at_millis: record.at.millis(), node: text(1)?, number };
    Ok(Entry { place, record })
}

impl SqlStore {
    /// As [`Store::append`](crate::store::Store::append).
    pub(super) async fn store_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut open = self.database.begin().await?;
        let mut rest = batch.records.as_slice();
        while let Some((records, after)) = split(rest) {
            let rows: Vec<String> = (0..records.len()).map(|row| placeholders(row * VALUES)).collect();
            // A batch whose fate was not known comes again with the same numbers.
            let sql = format!(
                "INSERT INTO m2m_audit ({COLUMNS}) VALUES {} ON CONFLICT (at, node, number) DO NOTHING",
                rows.join(", ")
            );
            let mut statement = self.database.composed(sql);
            for (number, record) in records {
                for value in values(record, &self.node, i64::try_from(*number).unwrap_or(i64::MAX)) {
                    statement = match value {
                        Value::Text(text) => statement.bind(text),
                        Value::Number(number) => statement.bind(number),
                    };
                }
            }
            self.database.run_in(&mut open, statement).await?;
            rest = after;
        }
        for (credential, (client, last)) in sorted(batch) {
            let put = self.database.statement(PUT_LAST_USE).bind(credential.as_str().to_owned());
            let put = put.bind(client.as_str().to_owned()).bind(stored(last.at));
            let put = put.bind(last.address.map(|address| address.to_string()).unwrap_or_default());
            self.database.run_in(&mut open, put).await?;
        }
        for (client, api, scope) in scopes(batch) {
            let put = self.database.statement(PUT_SCOPE_USE).bind(client).bind(api).bind(scope);
            self.database.run_in(&mut open, put).await?;
        }
        self.database.commit(open).await
    }

    /// As [`Store::audit`](crate::store::Store::audit).
    pub(super) async fn find_records(&self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        let (conditions, bound) = conditions(query);
        let mut sql = format!("SELECT {COLUMNS} FROM m2m_audit");
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        let limit = i64::try_from(query.limit()).unwrap_or(i64::MAX);
        sql.push_str(&format!(" ORDER BY at DESC, node DESC, number DESC LIMIT {limit}"));
        let mut statement = self.database.composed(sql);
        for value in bound {
            statement = match value {
                Value::Text(text) => statement.bind(text),
                Value::Number(number) => statement.bind(number),
            };
        }
        self.database.all(statement).await?.iter().map(entry).collect()
    }

    /// As [`Store::usage`](crate::store::Store::usage).
    pub(super) async fn used_by(&self, client: &ClientId) -> Result<Usage, StoreError> {
        let id = client.as_str();
        let uses = self.database.all(self.database.statement(LAST_USES).bind(id.to_owned())).await?;
        let scopes = self.database.all(self.database.statement(SCOPE_USES).bind(id.to_owned())).await?;
        let mut usage = Usage::default();
        for row in &uses {
            usage.credentials.extend(last_use(row)?);
        }
        for row in &scopes {
            let text = |column: usize| row.try_get::<String, _>(column).map_err(unavailable);
            usage.scopes.insert((text(0)?, text(1)?));
        }
        Ok(usage)
    }

    /// The last uses of credentials, some hundreds with one statement.
    pub(super) async fn uses_of(&self, credentials: &[CredentialId]) -> Result<LastUses, StoreError> {
        let mut found = LastUses::default();
        let places = (1..=ASKED).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        for some in credentials.chunks(ASKED) {
            let mut statement = self.database.composed(format!("{USES_OF} ({places})"));
            for place in 0..ASKED {
                // No credential has an empty name.
                let id = some.get(place).map(CredentialId::as_str).unwrap_or_default();
                statement = statement.bind(id.to_owned());
            }
            for row in &self.database.all(statement).await? {
                found.extend(last_use(row)?);
            }
        }
        Ok(found)
    }

    /// Forgets what is older than it is kept for.
    pub(super) async fn forget_old(&self, now: UnixTime) -> Result<(), StoreError> {
        let ended = now.saturating_sub(MARGIN);
        let oldest = now.saturating_sub(self.options.audit_retention);
        for (sql, before) in [(FORGET_REPLAY, ended), (FORGET_REVOKED, ended), (FORGET_AUDIT, oldest)] {
            loop {
                let forget = self.database.statement(sql).bind(stored(before));
                let gone = self.database.run(forget.bind(stored_count(PORTION))).await?.rows_affected();
                if gone < PORTION {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn last_use(row: &AnyRow) -> Result<Option<(CredentialId, LastUse)>, StoreError> {
    let text = |column: usize| row.try_get::<String, _>(column).map_err(unavailable);
    let at = restored(row.try_get(1).map_err(unavailable)?);
    let address = text(2)?.parse().ok();
    Ok(CredentialId::parse(&text(0)?).map(|credential| (credential, LastUse { at, address })))
}

/// A record with its number.
type Numbered = (u64, Record);

/// The next records for one statement, and those after them.
fn split(records: &[Numbered]) -> Option<(&[Numbered], &[Numbered])> {
    SIZES.iter().find_map(|size| records.split_at_checked(*size))
}

fn stored_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

const FORGET_REPLAY: &str = "DELETE FROM m2m_replay WHERE digest IN \
     (SELECT digest FROM m2m_replay WHERE expires_at <= $1 LIMIT $2)";
const FORGET_REVOKED: &str = "DELETE FROM m2m_revoked WHERE jti IN \
     (SELECT jti FROM m2m_revoked WHERE expires_at <= $1 LIMIT $2)";
const FORGET_AUDIT: &str = "DELETE FROM m2m_audit WHERE (at, node, number) IN \
     (SELECT at, node, number FROM m2m_audit WHERE at < $1 ORDER BY at LIMIT $2)";
const PUT_LAST_USE: &str = "INSERT INTO m2m_last_use (credential_id, client_id, at, address) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (credential_id) DO UPDATE SET at = excluded.at, address = excluded.address \
     WHERE m2m_last_use.at < excluded.at";
const PUT_SCOPE_USE: &str = "INSERT INTO m2m_scope_use (client_id, api, scope) VALUES ($1, $2, $3) \
     ON CONFLICT (client_id, api, scope) DO NOTHING";
const LAST_USES: &str = "SELECT credential_id, at, address FROM m2m_last_use WHERE client_id = $1";
const USES_OF: &str = "SELECT credential_id, at, address FROM m2m_last_use WHERE credential_id IN";
const SCOPE_USES: &str = "SELECT api, scope FROM m2m_scope_use WHERE client_id = $1";

/// In one order everywhere, so that two nodes never wait for each other.
fn sorted(batch: &Batch) -> Vec<(&CredentialId, &(ClientId, LastUse))> {
    let mut uses: Vec<_> = batch.uses.iter().collect();
    uses.sort_by_key(|(id, _)| *id);
    uses
}

/// Client, API and scope of every token issued, each once.
fn scopes(batch: &Batch) -> BTreeSet<(String, String, String)> {
    let records = batch.records.iter().map(|(_, record)| record);
    let issued = records.filter(|record| record.event == Event::TokenIssued);
    let named = issued.filter_map(|record| {
        Some((record.client_id.as_ref()?.as_str(), record.api.as_ref()?.as_str(), record.scope.as_deref()?))
    });
    named
        .flat_map(|(client, api, scope)| {
            let tokens = scope.split(' ').filter(|token| !token.is_empty());
            tokens.map(move |token| (client.to_owned(), api.to_owned(), token.to_owned()))
        })
        .collect()
}

fn placeholders(after: usize) -> String {
    let numbers: Vec<String> = (1..=VALUES).map(|at| format!("${}", after + at)).collect();
    format!("({})", numbers.join(", "))
}

fn conditions(query: &Query) -> (Vec<String>, Vec<Value>) {
    let (mut conditions, mut bound): (Vec<String>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut add = |condition: &str, value: Value| {
        bound.push(value);
        conditions.push(format!("{condition} ${}", bound.len()));
    };
    let text = storable;
    if let Some(jti) = &query.jti {
        add("jti =", text(jti));
    }
    if let Some(client) = &query.client_id {
        add("client_id =", text(client.as_str()));
    }
    if let Some(credential) = &query.credential {
        add("credential_id =", text(credential.as_str()));
    }
    if let Some(event) = query.event {
        add("event =", text(event.name()));
    }
    if let Some(since) = query.since {
        add("at >=", Value::Number(stored(since)));
    }
    if let Some(until) = query.until {
        add("at <", Value::Number(stored(until)));
    }
    if let Some(now) = query.live_at {
        add("expires_at >", Value::Number(stored(now)));
        add("event =", text(Event::TokenIssued.name()));
    }
    if let Some(before) = &query.before {
        let at = i64::try_from(before.at_millis).unwrap_or(i64::MAX);
        let number = i64::try_from(before.number).unwrap_or(i64::MAX);
        let next = bound.len() + 1;
        let (node, row) = (next + 1, next + 2);
        conditions.push(format!("(at, node, number) < (${next}, ${node}, ${row})"));
        bound.extend([Value::Number(at), text(&before.node), Value::Number(number)]);
    }
    (conditions, bound)
}
