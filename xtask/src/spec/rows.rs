//! The rows of `spec/*.toml`: one file a document, one row a requirement that concerns us, in our own words.
//!
//! ```toml
//! document = "RFC 7009"
//! title = "OAuth 2.0 Token Revocation"
//!
//! [[requirement]]
//! id = "7009-AS1"                 # never changes; `7009-AS1a` is a part that was split off later
//! section = "2.2"
//! level = "MUST"                  # MUST NOT, SHOULD, SHOULD NOT, MAY
//! role = "authorization-server"   # client, resource-server, all
//! summary = "A token that is unknown is answered like one that was withdrawn."
//! status = "excepted"             # or "later"; absent: claimed
//! reason = "why"
//! ```

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::Path;

/// What every row says.
const REQUIRED: [&str; 5] = ["id", "section", "level", "role", "summary"];
/// What a row may say besides.
const OPTIONAL: [&str; 2] = ["status", "reason"];

/// One standard.
#[derive(Debug)]
pub(super) struct Document {
    /// The name of its file.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

/// One requirement.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) section: String,
    pub(super) level: Level,
    pub(super) role: Role,
    pub(super) summary: String,
    pub(super) standing: Standing,
}

/// How binding it is (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Must,
    MustNot,
    Should,
    ShouldNot,
    May,
}

impl Level {
    const ALL: [Self; 5] = [Self::Must, Self::MustNot, Self::Should, Self::ShouldNot, Self::May];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
        }
    }

    /// Whether code and test are demanded.
    pub(super) fn binds(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }
}

/// Whom it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    AuthorizationServer,
    ResourceServer,
    All,
}

impl Role {
    pub(super) const ALL: [Self; 4] =
        [Self::Client, Self::AuthorizationServer, Self::ResourceServer, Self::All];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::AuthorizationServer => "authorization-server",
            Self::ResourceServer => "resource-server",
            Self::All => "all",
        }
    }
}

/// What we say about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// We do it.
    Claimed,
    /// We do not, or not to the letter, and this is why.
    Excepted(String),
    /// We do not yet; what is missing, where that is not plain.
    Later(String),
}

/// Reads every file: the RFCs by number, then the rest by name.
pub(super) fn read_all(directory: &Path) -> Result<Vec<Document>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name.ends_with(".toml"));
    names.sort_by_key(|name| (!name.starts_with("rfc"), name.clone()));
    let read = |name: &String| {
        let text = fs::read_to_string(directory.join(name)).with_context(|| format!("cannot read {name}"))?;
        parse(name, &text)
    };
    names.iter().map(read).collect()
}

/// Reads one file.
pub(super) fn parse(file: &str, text: &str) -> Result<Document> {
    let table: toml::Table = text.parse().with_context(|| format!("spec/{file}"))?;
    if let Some(key) = table.keys().find(|key| !["document", "title", "requirement"].contains(&key.as_str()))
    {
        bail!("spec/{file}: unknown key {key:?}");
    }
    let listed = table.get("requirement").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let read = |entry: &toml::Value| {
        let entry = entry.as_table().context("a requirement is a table")?;
        row(entry).with_context(|| {
            format!("requirement {}", entry.get("id").map_or("?".into(), ToString::to_string))
        })
    };
    let rows: Result<Vec<Row>> = listed.iter().map(read).collect();
    let place = || format!("spec/{file}");
    Ok(Document {
        file: file.to_owned(),
        name: word(&table, "document").with_context(place)?.to_owned(),
        title: word(&table, "title").with_context(place)?.to_owned(),
        rows: rows.with_context(place)?,
    })
}

fn row(entry: &toml::Table) -> Result<Row> {
    let known = |key: &str| REQUIRED.contains(&key) || OPTIONAL.contains(&key);
    if let Some(key) = entry.keys().find(|key| !known(key)) {
        bail!("unknown key {key:?}");
    }
    let (level, role) = (word(entry, "level")?, word(entry, "role")?);
    let reason = || entry.get("reason").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    Ok(Row {
        id: word(entry, "id")?.to_owned(),
        section: word(entry, "section")?.to_owned(),
        level: Level::ALL.into_iter().find(|one| one.word() == level).context("level: no such word")?,
        role: Role::ALL.into_iter().find(|one| one.word() == role).context("role: no such word")?,
        summary: word(entry, "summary")?.to_owned(),
        standing: match entry.get("status").map(toml::Value::as_str) {
            None if entry.contains_key("reason") => bail!("a reason without a status"),
            None => Standing::Claimed,
            Some(Some("excepted")) => Standing::Excepted(reason()),
            Some(Some("later")) => Standing::Later(reason()),
            Some(_) => bail!("status: excepted or later"),
        },
    })
}

fn word<'a>(table: &'a toml::Table, key: &str) -> Result<&'a str> {
    let text = table.get(key).and_then(toml::Value::as_str).unwrap_or_default();
    if text.trim().is_empty() { bail!("{key} is missing") } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::{Standing, parse};

    #[track_caller]
    fn refused(change: impl Fn(String) -> String, part: &str) {
        let row =
            "id = \"1-C1\"\nsection = \"1\"\nlevel = \"MUST\"\nrole = \"client\"\nsummary = \"It does.\"\n";
        let text = change(format!("document = \"RFC 1\"\ntitle = \"T\"\n[[requirement]]\n{row}"));
        let error = format!("{:#}", parse("rfc0001.toml", &text).unwrap_err());
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_row_says_all_and_nothing_else() {
        refused(|text| text.replace("MUST", "SHALL"), "level");
        refused(|text| text.replace("\"client\"", "\"server\""), "role");
        refused(|text| text.replace("section = \"1\"\n", ""), "section is missing");
        refused(|text| text + "note = \"x\"\n", "unknown key \"note\"");
        refused(|text| text + "status = \"done\"\n", "status");
        refused(|text| text + "reason = \"x\"\n", "a reason without a status");
        refused(|text| text.replace("title", "name"), "unknown key \"name\"");
    }

    #[test]
    fn a_standing_has_its_reason() {
        let text = "document = \"RFC 1\"\ntitle = \"T\"\n[[requirement]]\nid = \"1-C1\"\nsection = \"1\"\nlevel = \
                    \"MAY\"\nrole = \"all\"\nsummary = \"It may.\"\nstatus = \"excepted\"\nreason = \"why\"\n";
        let document = parse("rfc0001.toml", text).unwrap();
        assert_eq!(document.rows[0].standing, Standing::Excepted("why".to_owned()));
    }
}
