//! Other credentials that may stand for the workloads of one that was just made. That is allowed, and a workload that both
//! mean is refused, so it is said on standard error, whatever the answer is read by.

use serde_json::{Map, Value};

use crate::Surroundings;
use crate::commands::admin::shown::text;

/// Says it, once for each of the others.
pub(in crate::commands::admin) fn warn(credential: &Map<String, Value>, around: &Surroundings) {
    lines(credential).iter().for_each(|line| around.output.warn(&crate::output::printable(line)));
}

fn lines(credential: &Map<String, Value>) -> Vec<String> {
    let (id, client) = (text(credential, "id"), text(credential, "client_id"));
    let others = credential.get("overlaps").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let line = |other: &Map<String, Value>| {
        let (theirs, of) = (text(other, "credential_id"), text(other, "client_id"));
        let refused = match of == client {
            true => "a workload that both mean is refused",
            false => "a workload that both mean is refused unless it names its client_id",
        };
        format!("credential {theirs} of {of} may stand for workloads of {id} too; {refused}")
    };
    others.iter().filter_map(Value::as_object).map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_overlap_is_a_line() {
        let told = json!({"id": "new", "client_id": "a", "overlaps": [
            {"client_id": "a", "credential_id": "old"}, {"client_id": "b", "credential_id": "theirs"},
        ]});
        assert_eq!(
            lines(told.as_object().unwrap()),
            [
                "credential old of a may stand for workloads of new too; a workload that both mean is refused",
                "credential theirs of b may stand for workloads of new too; a workload that both mean is refused \
                 unless it names its client_id",
            ]
        );
        assert_eq!(lines(json!({"id": "new"}).as_object().unwrap()), Vec::<String>::new());
    }
}
