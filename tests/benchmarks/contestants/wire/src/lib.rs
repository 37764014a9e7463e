//! An in-memory transport that allocates nothing, so that every allocation counted is a
//! contestant's.

pub mod batch;

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

/// Where the operation is.
pub const URL: &str = "https://graph.microsoft.com/v1.0/teams('d40d729b-41f2-4b39-8a4e-102595090e0a')/operations('6aba218b-27ac-40e2-9c5d-1a3dbc8a7cd0')";

/// The answer to a check: the nine declared properties, the context, and the undocumented `Value`.
pub const RUNNING: &str = r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#teamsAsyncOperation","id":"6aba218b-27ac-40e2-9c5d-1a3dbc8a7cd0","operationType":"createTeam","createdDateTime":"2021-12-15T08:57:48.7884587Z","status":"inProgress","lastActionDateTime":"2021-12-15T08:57:48.7884587Z","attemptsCount":1,"targetResourceId":"d40d729b-41f2-4b39-8a4e-102595090e0a","targetResourceLocation":"/teams('d40d729b-41f2-4b39-8a4e-102595090e0a')","Value":"{\"apps\":[0],\"channels\":[0, 0]}","error":null}"#;

const _: () = assert!(RUNNING.len() == 487);

/// How many copies of an answer there are, each in memory of its own, as a network would have it.
const COPIES: usize = 16;

static SAME: LazyLock<Vec<String>> = LazyLock::new(|| vec![RUNNING.to_owned(); COPIES]);
/// Each differs from the one before it, but not in length.
static CHANGING: LazyLock<Vec<String>> = LazyLock::new(|| {
    [RUNNING, &other()].map(str::to_owned).into_iter().cycle().take(COPIES).collect()
});

/// A response that differs from [`RUNNING`], but not in length.
fn other() -> String {
    RUNNING.replace("48.7884587Z\",\"attempts", "49.1938211Z\",\"attempts")
}

static ENDED: LazyLock<String> = LazyLock::new(|| RUNNING.replace("inProgress", "succeeded"));

/// What the service says.
#[derive(Clone, Copy, Debug)]
pub enum Script {
    /// The same, byte for byte.
    Same,
    /// Something else each time.
    Changing,
    /// As `Changing`, but in memory that the response owns: what is kept of it counts.
    Owned,
}

/// One operation of the service. Clones are the same operation.
#[derive(Clone, Debug)]
pub struct Wire(Arc<Operation>);

#[derive(Debug)]
struct Operation {
    script: Script,
    /// The check that finds the end.
    end: usize,
    checks: AtomicUsize,
}

impl Wire {
    /// An operation that never ends.
    pub fn new(script: Script) -> Self {
        Self::ending(script, usize::MAX)
    }

    /// An operation that has ended when this check is made.
    pub fn ending(script: Script, end: usize) -> Self {
        Wire(Arc::new(Operation { script, end, checks: AtomicUsize::new(0) }))
    }

    /// Answers a check.
    pub fn get(&self, url: &str) -> Bytes {
        assert_eq!(url.len(), URL.len());
        let check = self.0.checks.fetch_add(1, Relaxed) + 1;
        if check >= self.0.end {
            return Bytes::from_static(ENDED.as_bytes());
        }
        match self.0.script {
            Script::Same => Bytes::from_static(SAME[check % COPIES].as_bytes()),
            Script::Changing => Bytes::from_static(CHANGING[check % COPIES].as_bytes()),
            Script::Owned => Bytes::copy_from_slice(CHANGING[check % COPIES].as_bytes()),
        }
    }

    /// How many checks were answered.
    pub fn checks(&self) -> usize {
        self.0.checks.load(Relaxed)
    }
}
