//! What can be wrong with the key server, one dial per way of being wrong. Names are those of `/hell/DIAL/NAME`.

/// How requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// As they should be.
    #[default]
    Good,
    /// The connection is closed without a word.
    Down,
    /// 503.
    Unavailable,
    /// 404.
    Missing,
    /// 200 with a page for people.
    Html,
    /// 302 to another host.
    Redirect,
    /// Nothing, and the connection stays open.
    Hang,
    /// The head at once, and the body byte by byte, for ever.
    Drip,
    /// The right answer, as things stood when the request came, three seconds later.
    Slow,
    /// The first half of the right answer.
    Cut,
    /// A megabyte of well-formed key set.
    Oversized,
    /// A hundred megabytes, compressed to nothing.
    Bomb,
    /// Two hundred keys.
    Crowd,
    /// JSON that ends too early.
    Unparsable,
    /// `keys` twice, the second time empty.
    Repeated,
    /// Ten thousand levels of arrays.
    Deep,
    /// The right document as `text/plain`.
    WrongType,
    /// A set without keys.
    Empty,
    /// Nothing at all, with status 200.
    Nothing,
    /// The set as it was before the last key was published.
    Lagging,
    /// 304, whatever was asked.
    NotModified,
}

/// What stands in the key set beside the good keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Poison {
    /// Nothing.
    #[default]
    None,
    /// Keys that are weak, broken, secret, or not keys, before and behind the good ones.
    Beside,
    /// Those, and no good ones.
    Only,
    /// For each good key another one with its id.
    Twins,
}

/// What answers say of how long they may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Nothing.
    #[default]
    Unsaid,
    /// `max-age=300`.
    Sensible,
    /// `max-age=0`.
    Zero,
    /// `no-store`.
    NoStore,
    /// `max-age=31536000`.
    Huge,
    /// More seconds than fit into 64 bits.
    Absurd,
    /// `max-age=600`, and `Age: 600`.
    Aged,
    /// What is no number.
    Nonsense,
}

/// What answers say of which version they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    /// A tag that changes with the document; whoever has it gets 304.
    #[default]
    Honest,
    /// A tag that never changes; whoever has it gets 304.
    Lying,
    /// None.
    Absent,
}

impl Reply {
    /// Every position, with its name.
    pub const ALL: [(&'static str, Self); 21] = [
        ("good", Self::Good),
        ("down", Self::Down),
        ("unavailable", Self::Unavailable),
        ("missing", Self::Missing),
        ("html", Self::Html),
        ("redirect", Self::Redirect),
        ("hang", Self::Hang),
        ("drip", Self::Drip),
        ("slow", Self::Slow),
        ("cut", Self::Cut),
        ("oversized", Self::Oversized),
        ("bomb", Self::Bomb),
        ("crowd", Self::Crowd),
        ("unparsable", Self::Unparsable),
        ("repeated", Self::Repeated),
        ("deep", Self::Deep),
        ("wrong-type", Self::WrongType),
        ("empty", Self::Empty),
        ("nothing", Self::Nothing),
        ("lagging", Self::Lagging),
        ("not-modified", Self::NotModified),
    ];
}

impl Poison {
    /// Every position, with its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("none", Self::None), ("beside", Self::Beside), ("only", Self::Only), ("twins", Self::Twins)];
}

impl Caching {
    /// Every position, with its name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("unsaid", Self::Unsaid),
        ("sensible", Self::Sensible),
        ("zero", Self::Zero),
        ("no-store", Self::NoStore),
        ("huge", Self::Huge),
        ("absurd", Self::Absurd),
        ("aged", Self::Aged),
        ("nonsense", Self::Nonsense),
    ];

    /// The headers that say it.
    pub(super) const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Unsaid => &[],
            Self::Sensible => &[("cache-control", "public, max-age=300")],
            Self::Zero => &[("cache-control", "max-age=0")],
            Self::NoStore => &[("cache-control", "no-store")],
            Self::Huge => &[("cache-control", "public, immutable, max-age=31536000")],
            Self::Absurd => &[("cache-control", "max-age=99999999999999999999999999")],
            Self::Aged => &[("cache-control", "max-age=600"), ("age", "600")],
            Self::Nonsense => &[("cache-control", "max-age=soon, max-age=-1, ,=")],
        }
    }
}

impl Tag {
    /// Every position, with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("honest", Self::Honest), ("lying", Self::Lying), ("absent", Self::Absent)];
}
