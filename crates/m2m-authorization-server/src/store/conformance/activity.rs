//! Decisions are counted alike by every store.

use std::collections::BTreeMap;

use m2m_proto::error::ErrorCode;

use super::{at, client, issued};
use crate::audit::{Activity, Batch, Busy, Part, Record, Window};
use crate::store::Store;

pub(super) async fn is_counted(store: &dyn Store) {
    let of = |id: &str, record: Record| Record { client_id: Some(client(id)), ..record };
    let refused = |second, code| Record::refused(at(second), code, String::new());
    let mut records = vec![
        of("before", issued("a", 599, "")),
        refused(600, ErrorCode::InvalidClient),
        refused(600, ErrorCode::InvalidScope),
        refused(899, ErrorCode::InvalidClient),
        of("rare", issued("b", 600, "")),
        of("rare", issued("c", 660, "")),
        of("rare", issued("d", 899, "")),
        of("after", issued("e", 900, "")),
        Record::new(at(700), crate::audit::Event::KeyRolled),
    ];
    records.extend((0..120).map(|number| of("busy", issued(&format!("t{number}"), 720 + number / 4, ""))));
    assert_eq!(store.append(&mut Batch::of(0, records)).await, Ok(()), "records are appended");
    let Some(window) = Window::new(at(600), at(900), 3) else { panic!("a window") };
    let codes = |codes: &[(&str, u64)]| -> BTreeMap<String, u64> {
        codes.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
    };
    let parts = vec![
        Part {
            issued: 2,
            refused: codes(&[(ErrorCode::InvalidClient.as_str(), 1), (ErrorCode::InvalidScope.as_str(), 1)]),
        },
        Part { issued: 120, refused: codes(&[]) },
        Part { issued: 1, refused: codes(&[(ErrorCode::InvalidClient.as_str(), 1)]) },
    ];
    let busy = |id, issued, busiest_minute| Busy { client_id: client(id), issued, busiest_minute };
    let clients = vec![busy("busy", 120, 120), busy("rare", 3, 1)];
    assert_eq!(
        store.activity(&window).await,
        Ok(Activity { parts, clients }),
        "decisions are counted by part and client"
    );
    let Some(later) = Window::new(at(2000), at(2010), 5) else { panic!("a window") };
    assert_eq!(
        store.activity(&later).await,
        Ok(Activity::empty(&later)),
        "nothing is counted of another time"
    );
}
