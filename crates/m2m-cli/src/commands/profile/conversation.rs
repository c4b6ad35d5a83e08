//! stub
use super::asker::Asker;
use super::wish::Wish;
use crate::args::Destination;
use crate::exit::Failure;
pub(super) fn run(_: &mut dyn Asker, _: &mut Wish, _: &mut Destination) -> Result<(), Failure> {
    Ok(())
}
