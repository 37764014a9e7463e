//! The journal that a worker writes, line by line, for the next one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use graph_operation::ResumeToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
}

/// One operation's lines.
#[derive(Default)]
struct Entry {
    token: Option<ResumeToken>,
    outcomes: Vec<Outcome>,
    resumed: usize,
}

/// Everything in the journal.
#[derive(Default)]
pub(crate) struct Journal {
    entries: BTreeMap<usize, Entry>,
}

impl Journal {
    /// Reads the journal; a last line that a killed process left unfinished is ignored.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut journal = Journal::default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            // Skips an unfinished line, and the empty one that `Pen::open` may add.
            let Some((number, rest)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse() else { continue };
            let entry: &mut Entry = journal.entries.entry(number).or_default();
            match rest {
                "succeeded" => entry.outcomes.push(Outcome::Succeeded),
                "failed" => entry.outcomes.push(Outcome::Failed),
                "resumed" => entry.resumed += 1,
                token => entry.token = token.parse().ok().or(entry.token.take()),
            }
        }
        journal
    }

    pub(crate) fn token(&self, number: usize) -> Option<ResumeToken> {
        self.entries.get(&number)?.token.clone()
    }

    /// The ids of the operations in the journal: the last key of their addresses.
    pub(crate) fn operation_ids(&self) -> impl Iterator<Item = &str> {
        let tokens = self.entries.values().filter_map(|entry| entry.token.as_ref());
        tokens.filter_map(|token| token.location().path().rsplit('\'').nth(1))
    }

    pub(crate) fn outcomes(&self, number: usize) -> &[Outcome] {
        self.entries.get(&number).map_or(&[], |entry| &entry.outcomes)
    }

    pub(crate) fn resumed(&self) -> usize {
        self.entries.values().map(|entry| entry.resumed).sum()
    }
}

/// Appends to the journal, a whole line at a time.
pub(crate) struct Pen(Mutex<File>);

impl Pen {
    pub(crate) fn open(path: &Path) -> Self {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a journal");
        // Ends a line that a killed process may have left unfinished.
        file.write_all(b"\n").expect("the journal can be written");
        Pen(Mutex::new(file))
    }

    pub(crate) fn write(&self, number: usize, text: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{number} {text}\n").as_bytes())
            .expect("the journal can be written");
    }
}
