//! Bugs put in on purpose: what the simulation is worth is how soon it finds them.

/// One bug in the surroundings of the real code. Nothing outside this crate can switch one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// The store records single-use identifiers and does not look whether they are known.
    ReplaysAdmitted,
    /// Each node remembers single-use identifiers for itself and says that they are shared.
    ReplayMemoryOfOneNode,
    /// A node that was not told of a change never asks for it, and thinks it is up to date.
    NeverAsksAgain,
    /// The store acknowledges every fourth change and keeps it to the node that made it.
    ChangeDropped,
    /// The store acknowledges a revocation and keeps it to the node that made it.
    RevocationDropped,
    /// A change is made of what the node knew, not of what is newest: it overwrites what it did not know.
    StaleChange,
    /// A node that is cut off goes on saying what stands.
    VouchesForever,
    /// The clock of an API stands still.
    ClockStandsStill,
    /// A node that starts again draws the same random numbers as before.
    SameRandomness,
    /// A node whose database went away never comes back to it.
    NeverReconnects,
    /// A restarted node begins with an empty registry and thinks it is up to date.
    ForgetsAtRestart,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ReplaysAdmitted,
        Self::ReplayMemoryOfOneNode,
        Self::NeverAsksAgain,
        Self::ChangeDropped,
        Self::RevocationDropped,
        Self::StaleChange,
        Self::VouchesForever,
        Self::ClockStandsStill,
        Self::SameRandomness,
        Self::NeverReconnects,
        Self::ForgetsAtRestart,
    ];
}
