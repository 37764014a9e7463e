//! What the examples share: a client of Microsoft Graph over reqwest, and a display of progress.
//!
//! The programs are in `src/bin`, one for each thing that the library is used for; `README.md` lists
//! them.

use std::time::Duration;

use graph_operation::Polling;

mod graph;
mod journal;
mod progress;
mod table;

pub use graph::Graph;
pub use journal::{Entry, Journal};
pub use progress::{Line, Progress};
pub use table::Table;

/// Checks every tenth of a second, which the real service does not allow: its documentation asks
/// for more than 30 seconds between two checks, as in [`Polling::default`].
pub fn for_the_simulator() -> Polling {
    let often = Duration::from_millis(100);
    Polling::default().first_check(often).interval(often)
}
