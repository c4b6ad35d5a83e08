//! What the process gives up at start, before it holds a secret: core files and being debugged by its user.

/// No core files (RLIMIT_CORE 0), and not dumpable where the system knows that (Linux), so that neither a crash nor
/// another process of the same user can copy our memory. A system that refuses leaves us as safe as any program;
/// the run goes on.
pub fn process() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _best_effort = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _best_effort = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
