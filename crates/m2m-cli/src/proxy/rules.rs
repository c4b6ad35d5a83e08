//! Which scope a request needs: rules by method and path.
//!
//! A rule is one line: `METHOD PATH SCOPE…`, such as `GET /orders/** orders:read`. METHOD is one that is registered, several with commas, or
//! `*`; GET holds for HEAD too. In PATH `*` is one segment, and `**` at the end is any number of them. A public
//! entry is a rule without scopes that asks for no token.
//!
//! Enforces: of the rules that hold, the most special one decides, wherever it stands: a literal segment before `*`
//! before `**`, from the left; then a named method before `*`; two that are equal are refused when they are read.
//! A path that would be judged by another rule if letters had the other case is refused, because the program may
//! not tell them apart. Where there are rules and none holds, the answer is no.
//! Does not enforce: that a path can be read in one way only ([`super::path`]).
//! Limits: 1024 rules.

use http::Method;
use m2m_proto::scope::Scope;
use m2m_resource_server::Required;

use super::method;
use super::path::{Ambiguous, Path};

/// The most rules.
pub(crate) const MAX_RULES: usize = 1024;
const EXPECTED: &str = "expected METHOD PATH SCOPE…, such as GET /orders/** orders:read";

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Demand {
    Nothing,
    Token(Required),
}

/// What the rules say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision<'a> {
    /// Anybody may.
    Public,
    /// A token with these scopes may.
    Token(&'a Required),
    /// No rule lets it in.
    NoRule,
}

/// What happens where no rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It is refused.
    Refuse,
    /// Any valid token will do.
    Token,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    methods: Vec<Method>,
    path: Vec<Segment>,
    demand: Demand,
}

/// Ordered: the more special, the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Rest,
    End,
    Any,
    Literal(String),
}

#[derive(Clone, Copy)]
enum Case {
    Told,
    Ignored,
}

impl Rule {
    /// A line that asks for a token.
    ///
    /// # Errors
    /// What is expected.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let (methods, path) = target(&mut words)?;
        let scopes: Vec<&str> = words.collect();
        let scope = if scopes.is_empty() { Ok(Scope::empty()) } else { Scope::parse(&scopes.join(" ")) };
        let scope = scope.map_err(|error| format!("{EXPECTED}: {error}"))?;
        Ok(Self { methods, path, demand: Demand::Token(Required::from(scope)) })
    }

    /// A line that asks for none.
    ///
    /// # Errors
    /// What is expected.
    pub(crate) fn public(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let (methods, path) = target(&mut words)?;
        if words.next().is_some() {
            return Err(
                "expected METHOD PATH, such as GET /healthz: what is public needs no scope".to_owned()
            );
        }
        Ok(Self { methods, path, demand: Demand::Nothing })
    }

    fn holds(&self, method: &Method, path: &Path<'_>, case: Case) -> bool {
        let has_method = self.methods.is_empty() || self.methods.contains(method);
        has_method && self.covers(path, case)
    }

    fn covers(&self, path: &Path<'_>, case: Case) -> bool {
        let mut found = path.segments();
        for wanted in &self.path {
            let is_same = match (wanted, found.next()) {
                (Segment::Rest, _) => return true,
                (Segment::End, next) => return next.is_none(),
                (_, None) => false,
                (Segment::Any, Some(_)) => true,
                (Segment::Literal(text), Some(segment)) => match case {
                    Case::Told => text == segment,
                    Case::Ignored => is_same_in_some_case(text, segment),
                },
            };
            if !is_same {
                return false;
            }
        }
        false
    }

    fn rank(&self) -> (&[Segment], bool) {
        (&self.path, !self.methods.is_empty())
    }

    /// Whether nobody could say which of the two decides.
    fn is_rival(&self, other: &Self) -> bool {
        let shares = self.methods.is_empty() || self.methods.iter().any(|one| other.methods.contains(one));
        self.rank() == other.rank() && shares
    }
}

/// Unicode knows letters beyond ASCII that become ASCII ones: the Kelvin sign is a `k`, the long s an `s`.
fn is_same_in_some_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    let folded = |text: &str| text.to_lowercase().to_uppercase().to_lowercase();
    folded(one) == folded(other)
}

fn target<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<(Vec<Method>, Vec<Segment>), String> {
    let (Some(methods), Some(path)) = (words.next(), words.next()) else { return Err(EXPECTED.to_owned()) };
    Ok((methods_of(methods)?, segments(path)?))
}

fn methods_of(text: &str) -> Result<Vec<Method>, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let mut methods = Vec::new();
    for name in text.split(',') {
        methods.push(method::parse(name).map_err(|problem| format!("{problem}; {EXPECTED}"))?);
    }
    if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
        methods.push(Method::HEAD);
    }
    Ok(methods)
}

fn segments(text: &str) -> Result<Vec<Segment>, String> {
    let literal = text.replace('*', "x");
    let path = Path::parse(&literal).map_err(|problem| format!("{text:?}: {}", problem.text()))?;
    drop(path);
    let decoded = Path::parse(text).map_err(|problem| format!("{text:?}: {}", problem.text()))?;
    let mut segments = Vec::new();
    for segment in decoded.segments() {
        if segments.last() == Some(&Segment::Rest) {
            return Err(format!("{text:?}: ** stands at the end of a path only"));
        }
        segments.push(match segment {
            "**" => Segment::Rest,
            "*" => Segment::Any,
            literal if literal.contains('*') => {
                return Err(format!("{text:?}: * stands for a whole segment"));
            }
            literal => Segment::Literal(literal.to_owned()),
        });
    }
    if segments.last() != Some(&Segment::Rest) {
        segments.push(Segment::End);
    }
    Ok(segments)
}

/// All rules, the most special first.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    every: Required,
    otherwise: Otherwise,
}

impl Rules {
    /// These rules; `every` is needed wherever a token is.
    ///
    /// # Errors
    /// More than [`MAX_RULES`]; two rules of which nobody could say which one decides.
    pub(crate) fn new(mut rules: Vec<Rule>, every: &Scope, otherwise: Otherwise) -> Result<Self, String> {
        if rules.len() > MAX_RULES {
            return Err(format!("more than {MAX_RULES} rules"));
        }
        for rule in &mut rules {
            if let Demand::Token(required) = &mut rule.demand {
                *required = Required::from(required.scope().union(every));
            }
        }
        rules.sort_by(|one, other| other.rank().cmp(&one.rank()));
        for (index, rule) in rules.iter().enumerate() {
            let same = rules.iter().skip(index + 1).take_while(|other| other.rank() == rule.rank());
            if let Some(rival) = same.into_iter().find(|other| rule.is_rival(other)) {
                return Err(format!("two rules hold for {}", rival.shown()));
            }
        }
        Ok(Self { rules, every: Required::from(every.clone()), otherwise })
    }

    /// What this request needs.
    ///
    /// # Errors
    /// [`Ambiguous::Case`].
    pub(crate) fn decide(&self, method: &Method, path: &Path<'_>) -> Result<Decision<'_>, Ambiguous> {
        let first = |case| self.rules.iter().find(|rule| rule.holds(method, path, case));
        let (told, ignored) = (first(Case::Told), first(Case::Ignored));
        let is_same = match (told, ignored) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        if !is_same {
            return Err(Ambiguous::Case);
        }
        Ok(match (told.map(|rule| &rule.demand), self.otherwise) {
            (Some(Demand::Nothing), _) => Decision::Public,
            (Some(Demand::Token(required)), _) => Decision::Token(required),
            (None, Otherwise::Token) => Decision::Token(&self.every),
            (None, Otherwise::Refuse) => Decision::NoRule,
        })
    }
}

impl Rule {
    fn shown(&self) -> String {
        let methods: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Rest => path.push_str("/**"),
                Segment::Any => path.push_str("/*"),
                Segment::Literal(text) => path.extend(["/", text]),
                Segment::End if path.is_empty() => path.push('/'),
                Segment::End => {}
            }
        }
        format!("{} {path}", if methods.is_empty() { "*".to_owned() } else { methods.join(",") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str], public: &[&str], otherwise: Otherwise) -> Result<Rules, String> {
        let protected = lines.iter().map(|line| Rule::parse(line));
        let all = protected.chain(public.iter().map(|line| Rule::public(line))).collect::<Result<_, _>>()?;
        Rules::new(all, &Scope::empty(), otherwise)
    }

    fn said(rules: &Rules, request: &str) -> String {
        let (method, path) = request.split_once(' ').unwrap();
        match rules.decide(&method.parse().unwrap(), &Path::parse(path).unwrap()) {
            Ok(Decision::Public) => "public".to_owned(),
            Ok(Decision::Token(required)) => format!("token {}", required.scope()).trim_end().to_owned(),
            Ok(Decision::NoRule) => "no rule".to_owned(),
            Err(_) => "ambiguous".to_owned(),
        }
    }

    #[test]
    fn the_most_special_rule_decides() {
        let lines = [
            "* /** any",
            "GET /orders/** read",
            "POST,PUT /orders/** write",
            "* /orders/*/lines lines",
            "GET /orders/admin/** admin",
            "DELETE /orders/* ",
        ];
        let rules = rules(&lines, &["GET /healthz", "GET /orders/public"], Otherwise::Refuse).unwrap();
        let check = |request: &str, expect: &str| assert_eq!(said(&rules, request), expect, "{request}");
        check("GET /", "token any");
        check("GET /orders", "token read");
        check("GET /orders/", "token read");
        check("HEAD /orders/1", "token read");
        check("GET /orders/1/2/3", "token read");
        check("POST /orders/1", "token write");
        check("PATCH /orders/1", "token any");
        check("PATCH /orders/1/lines", "token lines");
        check("GET /orders/admin", "token admin");
        check("GET /orders/admin/lines", "token admin");
        check("GET /%6frders/adm%69n/x", "token admin");
        check("DELETE /orders/1", "token");
        check("GET /healthz", "public");
        check("POST /healthz", "token any");
        check("GET /orders/public", "public");
        check("GET /ordersx", "token any");
    }

    #[test]
    fn without_a_rule_the_answer_is_no() {
        let strict = rules(&["GET /orders/** read"], &[], Otherwise::Refuse).unwrap();
        let check = |request: &str, expect: &str| assert_eq!(said(&strict, request), expect, "{request}");
        check("GET /orders/1", "token read");
        check("POST /orders/1", "no rule");
        check("GET /", "no rule");
        check("get /orders/1", "no rule");
        let open = rules(&[], &["GET /healthz"], Otherwise::Token).unwrap();
        assert_eq!((said(&open, "GET /x"), said(&open, "GET /healthz")), ("token".into(), "public".into()));
    }

    #[test]
    fn another_case_is_no_way_around_a_rule() {
        let rules =
            rules(&["* /** any", "* /admin/** admin"], &["GET /Assets/**"], Otherwise::Refuse).unwrap();
        let check = |request: &str, expect: &str| assert_eq!(said(&rules, request), expect, "{request}");
        check("GET /admin/x", "token admin");
        check("GET /ADMIN/x", "ambiguous");
        check("GET /%41dmin", "ambiguous");
        check("GET /assets/a.css", "ambiguous");
        check("GET /Orders", "token any");
        check("GET /%C3%96l/1", "token any");
        check("GET /A%C5%BFset%C5%BF/a.css", "ambiguous");
        check("GET /admin/X", "token admin");
    }

    #[test]
    fn every_scope_is_added_where_a_token_is_needed() {
        let every = Scope::parse("api").unwrap();
        let all = vec![Rule::parse("GET /a read").unwrap(), Rule::public("GET /b").unwrap()];
        let rules = Rules::new(all, &every, Otherwise::Token).unwrap();
        assert_eq!(said(&rules, "GET /a"), "token read api");
        assert_eq!(said(&rules, "GET /b"), "public");
        assert_eq!(said(&rules, "GET /c"), "token api");
    }

    #[test]
    fn what_is_no_rule() {
        let check = |line: &str, expect: &str| {
            let error = Rule::parse(line).unwrap_err();
            assert!(error.contains(expect), "{line}: {error}");
        };
        check("", "expected METHOD PATH");
        check("GET", "expected METHOD PATH");
        check("/orders GET", "is no method");
        check("get /orders", "is no method");
        check("GETT /orders", "did you mean GET");
        check("GET orders read", "does not begin with a slash");
        check("GET /a//b read", "empty segment");
        check("GET /a/../b read", "dot segment");
        check("GET /a%2fb read", "encoded delimiter");
        check("GET /**/a read", "at the end");
        check("GET /a* read", "whole segment");
        check("GET /a re\"ad", "scope has a character");
        assert!(Rule::public("GET /a read").unwrap_err().contains("needs no scope"));
    }

    #[test]
    fn two_rules_for_one_request_are_refused() {
        let check = |lines: &[&str], public: &[&str], expect: Option<&str>| {
            let error = rules(lines, public, Otherwise::Refuse).err();
            assert_eq!(error.as_deref(), expect, "{lines:?} {public:?}");
        };
        check(&["GET /a read", "GET /a write"], &[], Some("two rules hold for GET,HEAD /a"));
        check(&["GET /a/* read"], &["GET,POST /a/*"], Some("two rules hold for GET,POST,HEAD /a/*"));
        check(&["* / read"], &["* /"], Some("two rules hold for * /"));
        check(&["GET /a read", "POST /a write", "* /a any"], &[], None);
        check(&["GET /a/** read", "GET /a/* read", "GET /a read"], &[], None);
    }
}
