//! The dials by HTTP, at `/hell`. Any method will do, so that a browser and a shell are enough.

use serde_json::json;

use super::{Caching, Document, KeyServer, Poison, Reply, Tag, weak_tokens};

/// Status, content type, body.
pub(super) type Said = (u16, &'static str, String);

/// Tokens of one flood request at most.
const MAX_FLOOD: usize = 100_000;

impl KeyServer {
    /// Does what the path says.
    pub(super) fn control(&self, path: &str) -> Said {
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let unknown = || (404, "text/plain", help(self.issuer()));
        let ["hell", order @ ..] = words.as_slice() else {
            return if words.is_empty() { (200, "text/plain", help(self.issuer())) } else { unknown() };
        };
        match order {
            ["token"] => self.minted(self.newest()),
            ["token", number] => match number.parse() {
                Ok(number) if number <= self.newest() => self.minted(number),
                _ => unknown(),
            },
            ["weak"] => (200, "text/plain", weak_tokens().join("\n")),
            ["flood", count] => match count.parse() {
                Ok(count) if count <= MAX_FLOOD => {
                    let tokens: Vec<String> = self.flood().take(count).collect();
                    (200, "text/plain", tokens.join("\n"))
                }
                _ => unknown(),
            },
            order if self.turn(order) => (200, "application/json", self.counts()),
            _ => unknown(),
        }
    }

    /// Whether there is such a dial and position.
    fn turn(&self, order: &[&str]) -> bool {
        match *order {
            ["counts"] => {}
            ["forget-counts"] => self.forget_counts(),
            ["rotate"] => {
                self.rotate();
            }
            ["prepare"] => {
                self.prepare();
            }
            ["publish", numbers] => return self.publish_named(numbers),
            ["reply", name] => return put(&Reply::ALL, name, |dial| self.reply(dial)),
            ["poison", name] => return put(&Poison::ALL, name, |dial| self.poison(dial)),
            ["caching", name] => return put(&Caching::ALL, name, |dial| self.caching(dial)),
            ["tag", name] => return put(&Tag::ALL, name, |dial| self.tag(dial)),
            _ => return false,
        }
        true
    }

    fn minted(&self, number: usize) -> Said {
        (200, "text/plain", self.token(number))
    }

    /// Numbers with commas between them.
    fn publish_named(&self, numbers: &str) -> bool {
        let numbers: Option<Vec<usize>> = numbers.split(',').map(|one| one.parse().ok()).collect();
        let numbers = numbers.filter(|all| all.iter().all(|one| *one <= self.newest()));
        numbers.map(|numbers| self.publish(&numbers)).is_some()
    }

    fn counts(&self) -> String {
        json!({
            "keys": self.count(Document::Keys), "keys_unchanged": self.unchanged(Document::Keys),
            "metadata": self.count(Document::Metadata), "newest": self.newest(),
        })
        .to_string()
            + "\n"
    }
}

fn put<D: Copy>(all: &[(&'static str, D)], name: &str, set: impl FnOnce(D)) -> bool {
    all.iter().find(|(known, _)| *known == name).map(|(_, position)| set(*position)).is_some()
}

fn help(issuer: &str) -> String {
    let names = |all: Vec<&str>| all.join(" ");
    format!(
        "The key server from hell.\n\
         Verifiers ask for {issuer}/.well-known/oauth-authorization-server and {issuer}/jwks.\n\n\
         /hell/counts               what they asked for so far; /hell/forget-counts starts again\n\
         /hell/rotate               a new key signs, and is published beside the others\n\
         /hell/prepare              a new key signs, and is not published\n\
         /hell/publish/0,2          publishes these keys and no others\n\
         /hell/token[/NUMBER]       a good token under that key, or the newest\n\
         /hell/flood/COUNT          tokens with key ids that nobody has, a line each\n\
         /hell/weak                 tokens under weak keys of `poison/beside`, of issuer https://as.example\n\
         /hell/reply/NAME           {}\n\
         /hell/poison/NAME          {}\n\
         /hell/caching/NAME         {}\n\
         /hell/tag/NAME             {}\n",
        names(Reply::ALL.iter().map(|(name, _)| *name).collect()),
        names(Poison::ALL.iter().map(|(name, _)| *name).collect()),
        names(Caching::ALL.iter().map(|(name, _)| *name).collect()),
        names(Tag::ALL.iter().map(|(name, _)| *name).collect()),
    )
}
