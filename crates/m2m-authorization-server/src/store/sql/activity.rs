//! Decisions counted in the database: what is sent back is bounded by parts and codes, not by decisions.

use m2m_proto::client_id::ClientId;
use sqlx::Row as _;

use super::database::unavailable;
use super::{SqlStore, stored};
use crate::audit::{Activity, Busy, Event, Window};
use crate::store::StoreError;

const MILLIS: i64 = 1000;

const BY_PART: &str = "SELECT (at - $1) / $2, event, error, COUNT(*) FROM m2m_audit \
     WHERE at >= $3 AND at < $4 AND event IN ($5, $6) GROUP BY 1, 2, 3";
const BY_CLIENT: &str = "SELECT client_id, CAST(SUM(tokens) AS BIGINT), MAX(tokens) FROM \
     (SELECT client_id, at / 60000 AS minute, COUNT(*) AS tokens FROM m2m_audit \
     WHERE at >= $1 AND at < $2 AND event = $3 GROUP BY client_id, at / 60000) AS minutes \
     GROUP BY client_id ORDER BY 2 DESC, 1 LIMIT $4";

impl SqlStore {
    /// As [`Store::activity`](crate::store::Store::activity).
    pub(super) async fn count_decisions(&self, window: &Window) -> Result<Activity, StoreError> {
        let mut activity = Activity::empty(window);
        let (since, until) = (stored(window.since()), stored(window.until()));
        let width = i64::try_from(window.width()).unwrap_or(i64::MAX).saturating_mul(MILLIS);
        let (issued, refused) = (Event::TokenIssued.name(), Event::RequestRefused.name());
        let parts = self.database.statement(BY_PART).bind(since).bind(width).bind(since).bind(until);
        for row in self.database.all(parts.bind(issued).bind(refused)).await? {
            let number = |column: usize| row.try_get::<i64, _>(column).map_err(unavailable);
            let text = |column: usize| row.try_get::<String, _>(column).map_err(unavailable);
            let (place, count) = (number(0)?, u64::try_from(number(3)?).unwrap_or(0));
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let Some(part) = activity.parts.get_mut(place) else { continue };
            if text(1)? == issued {
                part.issued += count;
            } else {
                *part.refused.entry(text(2)?).or_default() += count;
            }
        }
        let most = i64::try_from(Activity::MOST_CLIENTS).unwrap_or(i64::MAX);
        let clients = self.database.statement(BY_CLIENT).bind(since).bind(until).bind(issued).bind(most);
        for row in self.database.all(clients).await? {
            let count = |column: usize| {
                row.try_get::<i64, _>(column)
                    .map(|count| u64::try_from(count).unwrap_or(0))
                    .map_err(unavailable)
            };
            let id: String = row.try_get(0).map_err(unavailable)?;
            if let Ok(client_id) = ClientId::parse(&id) {
                activity.clients.push(Busy { client_id, issued: count(1)?, busiest_minute: count(2)? });
            }
        }
        Ok(activity.ranked())
    }
}
