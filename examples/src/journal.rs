//! A journal of operations on disk that survives a killed process.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Error, Result, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use graph_operation::ResumeToken;
use serde::{Deserialize, Serialize};

/// The progress of an operation.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// It is about to be started.
    Starting,
    /// It was accepted, and this token names it.
    Accepted(ResumeToken),
    /// It has succeeded.
    Succeeded,
    /// It has failed, for this reason.
    Failed(String),
}

/// A file with one line of JSON per entry.
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// Whether a line was not written whole. No line after it could be read.
    is_broken: AtomicBool,
}

impl Journal {
    /// Opens the journal, and returns the last entry of each key.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or written, or is not a journal.
    pub fn open(path: &Path) -> Result<(Self, HashMap<String, Entry>)> {
        let file = File::options().read(true).append(true).create(true).open(path)?;
        let mut text = std::fs::read_to_string(path)?;
        // A line without a line break is incomplete.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        file.set_len(text.len() as u64)?;
        let lines = text.lines().map(serde_json::from_str);
        let entries = lines.collect::<serde_json::Result<HashMap<_, _>>>()?;
        Ok((Self { file, is_broken: AtomicBool::new(false) }, entries))
    }

    /// Appends an entry. Once this returns, the entry outlives the process.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written, or could not be written before.
    pub fn write(&self, key: &str, entry: &Entry) -> Result<()> {
        let line = serde_json::to_string(&(key, entry))? + "\n";
        if self.is_broken.load(Relaxed) {
            return Err(Error::other("the journal could not be written before"));
        }
        let result = (&self.file).write_all(line.as_bytes());
        self.is_broken.store(result.is_err(), Relaxed);
        result
    }
}
